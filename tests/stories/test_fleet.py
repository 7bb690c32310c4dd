"""Commands on many environments at once: shared reads, one that fails, parity of what is in AWS."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tapctl.clock import today
from tapctl.errors import ExitCode
from tests.stories.test_status import certify
from tests.support.door import Proceed, Refusal, Served, Visit
from tests.support.world import World


@pytest.fixture(scope="module")
def two(shared: World) -> World:
    """dev and staging, side by side in one account and two regions; pr-42 of dev beside it."""
    shared.deploy()
    shared.applied("dev", "--suffix", "pr-42")
    shared.applied("staging")
    return shared


def test_what_is_accepted_or_waived_of_a_copy_is_told_to_be_its_parents_too(two: World) -> None:
    files = two.folder / "environments"
    was = (files / "dev.toml").read_text()
    functions = two.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-pr-42", MemorySize=2048)
    place = "lambda-function/payment-processor-pr-42.memory_mb"
    asked = two.tapctl("accept", "--env", "dev", "--suffix", "pr-42", place, typed="no\n")
    functions.update_function_configuration(FunctionName="payment-processor-pr-42", MemorySize=1024)
    assert "wanted then in dev too: dev.toml is dev's and every copy's" in asked.out
    assert "dev will want it too." in asked.err
    ahead = ("cloudwatch-alarm/*.actions_enabled", "--reason", "a load test", "--until", "9d")
    waived = two.tapctl("waive", "--env", "dev", "--suffix", "pr-42", *ahead)
    (files / "waivers.toml").unlink()
    assert (files / "dev.toml").read_text() == was
    assert "is waived in dev and its other copies, too: cloudwatch-alarm/" in waived.err
    narrow = ("cloudwatch-alarm/*-pr-42.actions_enabled", *ahead[1:])
    waived = two.tapctl("waive", "--env", "dev", "--suffix", "pr-42", *narrow)
    (files / "waivers.toml").unlink()
    assert (waived.code, "other copies" in waived.err) == (0, False)
    # Without the environment's file nobody can tell.
    (files / "dev.toml").write_text(f"{was}\nnonsense = 1\n")
    waived = two.tapctl("waive", "--env", "dev", "--suffix", "pr-42", *ahead)
    (files / "dev.toml").write_text(was)
    (files / "waivers.toml").unlink()
    assert (waived.code, "other copies" in waived.err) == (0, False)


@pytest.mark.soak
def test_what_is_in_one_account_and_region_is_read_together_and_by_one_identity(two: World) -> None:
    answer = two.tapctl("drift", "--json")
    assert answer.code == 0, answer.err
    asked = Counter(answer.asked)
    assert asked["sts:GetCallerIdentity"] == 1
    regions = 2
    assert asked["ec2:DescribeSecurityGroups"] == asked["cloudwatch:DescribeAlarms"] == regions
    assert asked["logs:DescribeLogGroups"] == asked["rds:DescribeDBInstances"] == regions
    assert asked["kms:ListAliases"] == asked["lambda:ListEventSourceMappings"] == regions
    assert asked["resourcegroupstaggingapi:GetResources"] == regions
    verdicts = answer.of_type("verdict")
    assert [one["suffix"] for one in verdicts] == ["dev", "pr-42", "staging", ""]
    assert sum(one["api_calls"] for one in verdicts[:-1]) == verdicts[-1]["api_calls"] == len(answer.asked)
    assert "3 of 3  " in answer.err


def test_a_waiver_is_idle_where_it_could_match_and_of_many_looks_where_it_matched_in_none(two: World) -> None:
    function = "lambda-function/payment-processor"
    two.client("lambda").update_function_configuration(FunctionName="payment-processor-pr-42", Timeout=77)
    shipper, logs = two.client("lambda").get_function(FunctionName="payment-processor-dev"), two.client("logs")
    arn, group = shipper["Configuration"]["FunctionArn"], "/aws/lambda/payment-processor-dev"
    logs.put_subscription_filter(logGroupName=group, filterName="f", filterPattern="ERROR", destinationArn=arn)
    later = (today() + timedelta(days=9)).isoformat()
    waivers = [
        ("dev", f"{function}-pr-42", "timeout_s", later),
        ("dev", f"{function}-pr-8", "timeout_s", later),
        ("dev", "lambda-function/*", "timeout_s", later),
        ("*", f"{function}-dev", "memory_mb", later),
        ("dev", "lambda-function/payment-procesor-dev", "memory_mb", later),
        ("*", f"{function}-dev", "timeout_s", "2020-01-01"),
        ("dev", f"{function}-dev", "layers", f'{later}\nlive = "null"'),
        ("dev", f"log-group/{group}", "subscriptions", f'{later}\nlive = "{arn} by f"'),
        ("dev", "sns-subscription/*/https://example.com/k3y*", "filter_policy", later),
    ]
    file = two.folder / "environments" / "waivers.toml"
    file.write_text(
        "".join(
            f'[[waiver]]\nenvironment = "{env}"\naddress = "{address}"\nfield = "{field}"\nowner = "sec"\n'
            f'reason = "test"\nuntil = {until}\n\n'
            for env, address, field, until in waivers
        )
    )

    def warnings(*command: str) -> list[str]:
        answer = two.tapctl("drift", *command)
        return [line.removeprefix("warning: the waiver of ") for line in answer.err.splitlines() if "waiver" in line]

    ended = f"timeout_s of {function}-dev (sec) ended on 2020-01-01, and counts no more"
    idle, old = f"memory_mb of {function}-dev (sec) matches nothing", f"layers of {function}-dev (sec) matches nothing"
    why = ': live = "null" covers no item that was taken away any more; waive that anew, and take this one out'
    grown = f"subscriptions of log-group/{group} (sec) matches nothing"
    more = f': live = "{arn} by f" is there with more, which decides what it opens; waive that, and take this out'
    there, slip = "in what was looked at", "memory_mb of lambda-function/payment-procesor-dev (sec) matches nothing"
    web = "filter_policy of sns-subscription/*/https://example.com/… (sec) matches nothing"
    # What is destroyed is looked at as well, and its waivers wait for it.
    two.path("pr-8").write_text(json.dumps(two.manifest() | {"suffix": "pr-8", "entries": {}}))
    try:
        assert warnings() == [
            ended,
            f"{slip} {there}",
            f"{old} {there}{why}",
            f"{idle} {there}",
            f"{grown} {there}{more}",
            f"{web} {there}",
        ]
        assert warnings("--env", "dev", "--suffix", "pr-42") == [ended, f"{web} here"]
        assert warnings("--env", "dev") == [
            ended,
            "timeout_s of lambda-function/* (sec) matches nothing here",
            f"{idle} here",
            f"{slip}: no environment that is known has such a name",
            f"{old} here{why}",
            f"{grown} here{more}",
            f"{web} here",
        ]
    finally:
        file.unlink()
        two.path("pr-8").unlink()
        logs.delete_subscription_filter(logGroupName=group, filterName="f")
        two.client("lambda").update_function_configuration(FunctionName="payment-processor-pr-42", Timeout=30)


@pytest.mark.soak
def test_another_copys_function_in_our_group_stays_a_stranger(two: World) -> None:
    """The functions of all copies are read together; those that may use a group are its own copy's."""
    ec2 = two.client("ec2")
    named = {"Filters": [{"Name": "group-name", "Values": ["lambda-sg-dev"]}]}
    group = ec2.describe_security_groups(**named)["SecurityGroups"][0]["GroupId"]
    function = "payment-processor-pr-42"
    subnets = two.client("lambda").get_function_configuration(FunctionName=function)["VpcConfig"]["SubnetIds"]
    made = ec2.create_network_interface(SubnetId=subnets[0], Groups=[group], Description="somebody's")
    answer = two.tapctl("drift", "--json")
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterface"]["NetworkInterfaceId"])
    found = [one for one in answer.of_type("finding") if one["suffix"] == "dev"]
    assert [(one["address"], one["state"]) for one in found] == [("security-group/lambda-sg-dev", "DRIFT")]
    assert not [one for one in answer.of_type("finding") if one["suffix"] == "pr-42"]


@pytest.mark.soak
def test_what_is_listed_for_all_is_told_of_its_own_copy(two: World) -> None:
    kms, functions, sqs, iam = (two.client(name) for name in ("kms", "lambda", "sqs", "iam"))
    key = kms.describe_key(KeyId="alias/db-key-pr-42")["KeyMetadata"]
    listed = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    tags = [tag for tag in listed if not tag["TagKey"].startswith("aws:")]
    policy = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
    twin = kms.create_key(Description=key["Description"], Tags=tags, Policy=policy)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"])
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    source = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": source}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    named = {"RoleName": "lambda-role-pr-42", "PolicyName": "queue"}
    iam.put_role_policy(**named, PolicyDocument=document)
    mapping = functions.create_event_source_mapping(FunctionName="payment-processor-pr-42", EventSourceArn=source)
    iam.delete_role_policy(**named)
    answer = two.tapctl("drift", "--json")
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    kms.delete_alias(AliasName="alias/mine")
    kms.schedule_key_deletion(KeyId=twin)
    assert {(one["suffix"], one["field"], one["live"]) for one in answer.of_type("finding")} == {
        ("pr-42", "further_aliases", "alias/mine"),
        ("pr-42", "duplicates", twin),
        ("pr-42", "event_sources", f"{mapping['UUID']} from {source}"),
    }


def test_plans_of_all_stand_one_after_the_other_and_the_worst_decides(two: World) -> None:
    def deny_one(visit: Visit, proceed: Proceed) -> Served:
        if visit.params.get("StackName") == "networking-staging":
            raise Refusal("AccessDenied")
        return proceed()

    answer = two.meeting(deny_one, "plan", "--all", "--jobs", "2")
    verdicts = [line for line in answer.out.splitlines() if line.startswith("PLAN ")]
    assert [line.partition(":")[0] for line in verdicts] == ["PLAN dev", "PLAN prod", "PLAN staging", "PLAN all"]
    assert verdicts[2].startswith("PLAN staging: FAILED")
    assert verdicts[3] == "PLAN all: 2 of 3 environments are planned"
    assert answer.code == 6
    assert "cloudformation:DescribeStacks" in answer.err
    assert two.tapctl("plan", "--all", "--detailed-exitcode").code == 2


@pytest.mark.parametrize("more", ["--env dev", "--reboot", "--adopt all", "--destroy"])
def test_all_goes_with_nothing_that_is_for_one(two: World, more: str) -> None:
    answer = two.tapctl("plan", "--all", *more.split())
    assert (answer.code, answer.asked) == (64, ())
    assert more.partition(" ")[0] in answer.err


@pytest.mark.parametrize(
    ("more", "where"), [((), "manifests"), pytest.param(("--live",), "aws", marks=pytest.mark.soak)]
)
def test_an_environment_whose_file_names_another_region_was_not_applied_there(
    two: World, more: tuple[str, ...], where: str
) -> None:
    two.edit("dev.toml", 'region = "us-east-2"', 'region = "us-west-1"')
    answer = two.tapctl("parity", *more, "--json")
    two.edit("dev.toml", 'region = "us-west-1"', 'region = "us-east-2"')
    assert answer.code == 2
    late = [one for one in answer.of_type("difference") if one["verdict"] == "NOT APPLIED"]
    assert [(one["where"], one["what"], one["values"]) for one in late] == [
        (where, "region", {"dev": "us-east-2"}),
    ]
    assert answer.records[-1]["counts"]["not_applied"] == 1


@pytest.mark.soak
def test_another_image_or_network_that_was_not_applied_is_told(two: World) -> None:
    ecr = two.client("ecr")
    (image,) = ecr.batch_get_image(repositoryName="payment-processor", imageIds=[{"imageTag": "1.0.0"}])["images"]
    text = json.dumps({**json.loads(image["imageManifest"]), "annotations": {"release": "1.0.1"}})
    ecr.put_image(repositoryName="payment-processor", imageTag="1.0.1", imageManifest=text)
    recorded = two.manifest()["networking"]
    ids = f'vpc_id = "{recorded["vpc_id"]}"\nprivate_subnet_ids = {json.dumps(recorded["subnet_ids"][:2])}'
    file = two.folder / "environments" / "dev.toml"
    before = file.read_text()
    two.edit("dev.toml", '"cloudformation:networking-dev"', '"static"')
    two.edit("dev.toml", "[database]", f"[network]\n{ids}\n[database]")
    two.edit("dev.toml", "[processor]", '[processor]\nimage = { tag = "1.0.1" }')
    answer = two.tapctl("parity", "--live", "--json")
    file.write_text(before)
    assert answer.code == 2
    assert {one["what"] for one in answer.of_type("difference") if one["verdict"] == "NOT APPLIED"} == {
        "db-subnet-group/db-subnet-<name> subnet_ids",
        "lambda-function/payment-processor-<name> subnet_ids",
        "lambda-function/payment-processor-<name> image_uri",
    }


def test_parity_of_aws_tells_an_outside_change_from_what_was_not_applied(two: World) -> None:
    same = two.tapctl("parity", "--live", "--json")
    assert same.code == 0, same.out
    assert {one["verdict"] for one in same.of_type("difference")} == {"allowed"}

    two.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=44)
    two.client("sns").tag_resource(
        ResourceArn="arn:aws:sns:us-east-2:123456789012:alarms-dev", Tags=[{"Key": "Team", "Value": "x"}]
    )
    two.edit("common.toml", "retention_days = 30", "retention_days = 60")
    two.applied("staging")
    answer = two.tapctl("parity", "--live", "--json")
    assert answer.code == 2
    told = {
        one["what"]: (one["verdict"], one["causes"], one["values"])
        for one in answer.of_type("difference")
        if one["where"] == "aws" and one["verdict"] != "allowed"
    }
    outside, late = {"dev": "outside"}, {"dev": "not applied"}
    assert told == {
        "lambda-function/payment-processor-<name> timeout_s": (
            "CHANGED OUTSIDE",
            outside,
            {"dev": 44, "staging": 30},
        ),
        "sns-topic/alarms-<name> tags.Team": ("CHANGED OUTSIDE", outside, {"dev": "x", "staging": None}),
        "log-group//aws/lambda/payment-processor-<name> retention_days": (
            "NOT APPLIED",
            late,
            {"dev": 30, "staging": 60},
        ),
        "log-group//aws/rds/cluster/db-cluster-<name>/postgresql retention_days": (
            "NOT APPLIED",
            late,
            {"dev": 30, "staging": 60},
        ),
    }
    assert answer.records[-1]["counts"]["outside"] == 2
    text = two.tapctl("parity", "--live")
    assert "44 (outside)" in text.out
    assert "30 (not applied)" in text.out


def test_parity_of_aws_names_what_could_not_be_read(two: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        name = str(visit.params.get("RoleName", ""))
        if visit.name == "iam:GetRole" and name.endswith("-dev"):
            raise Refusal("AccessDenied")
        if visit.name == "kms:GetKeyPolicy":
            raise Refusal("AccessDeniedException")
        if visit.name == "sns:GetTopicAttributes":
            raise Refusal("ExpiredToken" if visit.params["TopicArn"].endswith("-staging") else "InvalidParameter")
        return proceed()

    answer = two.meeting(trouble, "parity", "--live", "--json", "dev", "staging")
    unknown = [one["what"] for one in answer.of_type("difference") if one["verdict"] == "UNKNOWN"]
    assert sorted(unknown) == [
        "iam-role/lambda-role-<name>",
        "kms-key/alias/db-key-<name> policy",
        "sns-topic/alarms-<name>",
        "staging could not be read",
    ]
    assert [one["code"] for one in answer.of_type("error")] == ["aws-refused"]
    assert answer.code == answer.records[-1]["exit"] != 0


def test_an_environment_whose_record_was_removed_is_told_by_whoever_names_it_or_looks_at_all(two: World) -> None:
    record, history = two.path("staging").read_bytes(), two.folder / "manifests" / "history" / "staging"
    two.path("staging").unlink()
    for verb in ("status", "drift", "parity --live", "parity --live staging dev"):
        answer = two.tapctl(*verb.split())
        told = (answer.code, "the record of staging is gone, and AWS has, or does not show" in answer.err + answer.out)
        assert told == (3, True), verb
    # Of one of which nothing is kept, either, only who names it, or compares what is there, asks AWS.
    history.rename(two.folder / "staging")
    named = two.tapctl("status", "--env", "staging")
    assert (named.code, "there is no record of staging" in named.err) == (3, True)
    alike = two.tapctl("parity", "--live")
    (two.folder / "staging").rename(history)
    two.path("staging").write_bytes(record)
    assert (alike.code, alike.verdict.endswith("not compared, without a record: staging")) == (3, True)


def test_what_another_state_has_deployed_is_not_told_as_a_record_that_is_lost(two: World) -> None:
    record = two.path("staging").read_bytes()
    two.path("staging").unlink()
    (two.folder / "manifests" / "history" / "staging").rename(two.folder / "staging")
    for lock in (two.folder / "manifests").glob("staging.*"):
        lock.unlink()
    answer = two.tapctl("parity", "--live", "--json")
    (two.folder / "staging").rename(two.folder / "manifests" / "history" / "staging")
    two.path("staging").write_bytes(record)
    (error,) = answer.of_type("error")
    assert (answer.code, error["message"]) == (
        3,
        "there is no record of staging, and AWS has, or does not show, what bears its tag",
    )
    assert error["why"].startswith("no version of it is kept at ")
    assert error["hint"].startswith("name the state that has its record (--state), or apply, which writes one anew; ")


@pytest.mark.soak
def test_that_a_copy_was_destroyed_is_believed_where_aws_has_nothing_of_it_but_a_key(two: World) -> None:
    record, versions = json.loads(two.path("pr-42").read_bytes()), two.folder / "manifests" / "history" / "pr-6"
    versions.mkdir(parents=True)
    (versions / "00000003-run.json").write_text(
        json.dumps(record | {"suffix": "pr-6", "entries": {}, "serial": 3, "run": "run"})
    )
    tag = {"EnvironmentSuffix": "pr-6"}
    key = two.client("kms").create_key(Tags=[{"TagKey": name, "TagValue": value} for name, value in tag.items()])
    assert "it was destroyed, as its newest version says" in two.tapctl("status").err
    rds, copy = two.client("rds"), {"DBClusterSnapshotIdentifier": "db-cluster-pr-6-final"}
    rds.create_db_cluster_snapshot(
        **copy, DBClusterIdentifier="db-cluster-dev", Tags=[{"Key": "EnvironmentSuffix", "Value": "pr-6"}]
    )
    two.client("kms").schedule_key_deletion(KeyId=key["KeyMetadata"]["KeyId"])
    # Copies of the data are as good as what is deployed: nobody compares who may read them.
    copied = two.tapctl("drift")
    assert copied.code == 3
    assert "the record of pr-6 is gone, and AWS has, or does not show, what bears its tag" in copied.err
    assert "it was destroyed, as its newest version says" in copied.err
    rds.delete_db_cluster_snapshot(**copy)
    two.client("logs").create_log_group(logGroupName="pr-6", tags=tag)
    assert "it was destroyed" not in two.tapctl("status").err
    two.client("logs").delete_log_group(logGroupName="pr-6")
    shutil.rmtree(versions)


def test_a_copy_whose_record_was_removed_is_looked_for_by_its_tag_and_told(two: World) -> None:
    record, history = two.path("pr-42").read_bytes(), two.folder / "manifests" / "history"
    two.path("pr-42").unlink()
    for command in (("drift",), ("status",)):
        answer = two.tapctl(*command)
        assert answer.code == 3
        told = answer.out + answer.err
        assert "the record of pr-42 is gone, and AWS has, or does not show, what bears its tag" in told
        assert "its history has serial" in told
        assert "tapctl drift --env dev --suffix pr-42" in told
    alike = two.tapctl("parity", "--live")
    assert (alike.code, "the record of pr-42 is gone, and AWS has" in alike.err) == (3, True)
    assert alike.verdict.endswith(" · not compared, without a record: pr-42")
    assert "pr-42" not in two.tapctl("parity", "--live", "dev", "staging").verdict, "these two alone are asked for"
    # Nor where the history, or an emptied record with a certificate, says that it was somewhere else.
    (newest,) = [*sorted((history / "pr-42").iterdir())][-1:]
    kept = newest.read_bytes()
    newest.write_text(json.dumps(json.loads(kept) | {"region": "us-west-1"}))
    assert "the record of pr-42 is gone" in two.tapctl("status").err
    newest.write_bytes(kept)
    (history / "pr-42").rename(two.folder / "pr-42")
    answer = two.tapctl("status")
    (two.folder / "pr-42").rename(history / "pr-42")
    assert (answer.code, "no version of it is kept" in answer.err) == (3, True)
    # Without a word of it in AWS it was put away: that is no finding.
    (history / "pr-7").mkdir()
    (history / "notes").mkdir()
    old = json.loads(record) | {"suffix": "pr-7", "entries": {}, "serial": 3, "run": "run"}
    (history / "pr-7" / "00000003-run.json").write_text(json.dumps(old))
    (history / "pr-8").mkdir()
    (history / "pr-8" / "00000003-run.json").write_text("[]")
    two.path("pr-42").write_bytes(record)
    two.edit("prod.toml", "region", "regoin")  # where that one is nobody can say, and the others are asked
    answer = two.tapctl("status")
    two.edit("prod.toml", "regoin", "region")
    assert "status: not asked where prod is: " in answer.err
    assert "not looked at, without a record, and AWS has nothing of it: notes, pr-7\n" in answer.err
    assert (answer.code, "the record of pr-8 is gone, and its history cannot be used" in answer.err) == (3, True)
    (history / "pr-8" / "00000003-run.json").unlink()
    assert two.tapctl("status").code == two.tapctl("status", "--env", "dev").code
    seen = two.tapctl("parity", "--live")
    history.rename(two.folder / "elsewhere")
    history.write_text("no folder")
    for verb in ("status", "drift"):
        answer = two.tapctl(verb)
        assert answer.code == ExitCode.worst([two.tapctl(verb, "--env", "dev").code, ExitCode.INCOMPLETE])
        assert "whether a record was lost could not be seen in the history" in answer.err
        assert answer.verdict.endswith(" · not seen if a record was lost")
    assert two.tapctl("status", "--json").records[-1]["counts"]["unseen"] == 1, "by this the night knows"
    alike = two.tapctl("parity", "--live")
    assert alike.code == ExitCode.worst([seen.code, ExitCode.INCOMPLETE])
    assert alike.verdict.endswith(" · not seen if a record was lost")
    history.unlink()
    (two.folder / "elsewhere").rename(history)


@pytest.mark.soak
def test_an_environment_whose_own_place_could_not_be_asked_is_not_said_to_be_nothing(two: World) -> None:
    """Who may write the state may remove its record and its history."""
    before = two.tapctl("parity", "--live").code
    two.edit("prod.toml", 'account_id = "123456789012"', 'account_id = "421077550192"')
    alike = two.tapctl("parity", "--live")
    two.edit("prod.toml", 'account_id = "421077550192"', 'account_id = "123456789012"')
    assert alike.code == ExitCode.worst([before, ExitCode.INCOMPLETE])
    assert re.search(r" · not asked where prod is, and no history tells where .*\bprod (was|were)", alike.verdict)
    assert "AWS has nothing of it: prod" not in alike.err


@contextmanager
def emptied(two: World, **other: Any) -> Iterator[dict[str, Any]]:
    """A copy of dev of which AWS has a topic, while its record, as somebody has written it, tells of nothing."""
    was = two.manifest("pr-42")
    topic = {**was["entries"]["sns-topic/alarms-pr-42"], "id": "alarms-pr-9", "needs": []}
    was |= {"suffix": "pr-9", "entries": {"sns-topic/alarms-pr-9": topic}}
    tags = {"EnvironmentSuffix": "pr-9", "Environment": "dev", "ManagedBy": "tapctl"}
    client = two.client("sns")
    made = client.create_topic(Name="alarms-pr-9", Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    two.path("pr-9").write_text(json.dumps(was | {"entries": {}, "networking": {}} | other))
    try:
        yield was
    finally:
        client.delete_topic(TopicArn=made["TopicArn"])
        for path in two.path("pr-9").parent.glob("pr-9.*"):
            path.unlink()


ELSEWHERE = {"environment": "staging", "region": "us-west-2"}


@pytest.mark.parametrize(
    ("place", "region"), [(ELSEWHERE, []), ({"region": "us-west-2"}, ["--region", "us-west-2"])], ids=["env", "region"]
)
def test_a_record_of_nothing_is_not_believed_where_its_history_was_elsewhere(
    two: World, place: dict[str, str], region: list[str]
) -> None:
    history = two.folder / "manifests" / "history" / "pr-9"
    with emptied(two, **place) as was:
        history.mkdir()
        (history / "00000043-run.json").write_text(json.dumps(was | {"serial": 43, "run": "run"}))
        for command in ("drift", "plan --destroy", "destroy --yes", "plan", "apply --yes", "status"):
            answer = two.tapctl(*command.split(), "--suffix", "pr-9", *region)
            assert (answer.code, answer.changes) == (3, ()), answer.out + answer.err
            told = answer.out + answer.err
            own = place.get("environment", "dev")
            assert f"the record of pr-9 is of {own} in account 123456789012, us-west-2" in told
            assert "and its history is of dev" in told
        # A destroy by a record that tells of something there would not look where the rest is, either.
        two.path("pr-9").write_text(json.dumps(was | place | {"networking": {}}))
        answer = two.tapctl("destroy", "--suffix", "pr-9", "--yes", *region)
        assert (answer.code, answer.changes) == (3, ()), answer.out + answer.err
        # Whom would a script send its payments to?
        handed_out = two.tapctl("outputs", "topic_arn", "--suffix", "pr-9", *region)
        assert (handed_out.code, handed_out.out) == (3, ""), handed_out.err
        assert "and its history is of dev" in handed_out.err
        # One that is gone tells no more than one that was emptied.
        two.path("pr-9").unlink()
        for command in ("drift", "plan --destroy", "destroy --yes", "plan", "apply --yes", "status"):
            answer = two.tapctl(*command.split(), "--env", place.get("environment", "dev"), "--suffix", "pr-9", *region)
            assert (answer.code, answer.changes) == (3, ()), answer.out + answer.err
            assert "there is no record of pr-9, and its history is of dev in" in answer.err, command
        # Where nothing was deployed when it was moved, AWS alone tells.
        (history / "00000043-run.json").write_text(json.dumps(was | {"serial": 43, "run": "run", "entries": {}}))
        two.path("pr-9").write_text(json.dumps(was | place | {"networking": {}, "entries": {}}))
        looked = two.tapctl("drift", "--suffix", "pr-9", *region)
        assert (looked.code, "bears its tag elsewhere" in looked.err) == (3, True)
        shutil.rmtree(history)


def test_another_environments_copy_of_the_same_suffix_is_no_evidence_against_a_record_that_its_history_bears_out(
    two: World,
) -> None:
    """Each account may have a state of its own, with a preview of the same name."""
    with emptied(two, **ELSEWHERE):
        version = two.keep_version("pr-9")
        told = two.tapctl("drift", "--suffix", "pr-9")
        everything = two.tapctl("drift")
        version.write_text("{")
        broken = two.tapctl("drift")
        shutil.rmtree(version.parent)
    assert (told.code, "DESTROYED" in told.verdict) == (0, True), told.err
    assert "bears its tag elsewhere" not in everything.err
    assert broken.code == 3, "a history that cannot be used bears nothing out"


@pytest.mark.parametrize("certified", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["bare", "certified"])
def test_what_bears_the_tag_of_an_emptied_copy_is_looked_for_where_all_environments_are(
    two: World, certified: bool
) -> None:
    """An emptied record may name another place, with a certificate beside it and no history."""
    with emptied(two, **ELSEWHERE) as was:
        if certified:
            certify(two, "pr-9")
        copy = "--suffix pr-9"
        for command in (
            *("drift", "status", f"drift {copy}", f"status {copy}", f"plan --destroy {copy}", f"destroy --yes {copy}"),
            *(f"plan {copy}", f"apply --yes {copy}"),
        ):
            answer = two.tapctl(*command.split())
            assert (answer.code, answer.changes) == (3, ()), answer.out + answer.err
            told = answer.out + answer.err
            assert "the record of pr-9 tells of nothing deployed, and AWS has what bears its tag elsewhere" in told
            assert "it is of staging in account 123456789012, us-west-2" in told
            assert re.search(r"arn:aws:\S+pr-9\S* is there in account 123456789012, us-east-2", told), told
        # A decoy in the place of the record hides it no more.
        tags = {"EnvironmentSuffix": "pr-9", "ManagedBy": "tapctl"}
        two.client("logs", "us-west-2").create_log_group(logGroupName="decoy", tags=tags)
        assert two.tapctl("drift").code == 3
        # In its own place what is there is looked at.
        two.path("pr-9").write_text(json.dumps(was | {"entries": {}}))
        assert "bears its tag elsewhere" in two.tapctl("drift").err
        two.client("logs", "us-west-2").delete_log_group(logGroupName="decoy")
        own = two.tapctl("drift")
        assert "alarms-pr-9" in own.out
        assert "bears its tag elsewhere" not in own.err
