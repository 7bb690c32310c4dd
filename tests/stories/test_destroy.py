"""``destroy`` of what is not protected: complete, repeatable, never what is not ours, whatever is written meanwhile."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime

import pytest

from tests.failures.trouble import deny
from tests.stories.leftovers import left
from tests.stories.test_half_made import denied_after
from tests.support.additions import ALARM
from tests.support.config_folder import Folder
from tests.support.door import Proceed, Served, Trouble, Visit, denied
from tests.support.log_filters import put_filters
from tests.support.world import World

LOGS = "/aws/lambda/payment-processor-dev"


def key_state(world: World) -> dict[str, str]:
    kms = world.client("kms")
    (one,) = kms.list_keys()["Keys"]
    about = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
    days = (about["DeletionDate"] - datetime.now(UTC)).total_seconds() / 86400 if "DeletionDate" in about else 0
    return {"id": one["KeyId"], "state": about["KeyState"], "days": str(round(days))}


def test_nothing_is_left_but_the_key_that_waits(world: World) -> None:
    before = left(world)
    world.deploy()
    made = key_state(world)
    queue = "arn:aws:sqs:us-east-2:123456789012:another-team"
    world.client("sns").subscribe(
        TopicArn="arn:aws:sns:us-east-2:123456789012:alarms-dev", Protocol="sqs", Endpoint=queue
    )
    planned = world.tapctl("plan", "--destroy", "--env", "dev", "--detailed-exitcode")
    assert (planned.code, planned.changes) == (2, ())
    ends = f"warning: alarms-dev has subscribers that others have added, and they go with it: {queue}"
    assert ends in planned.err.splitlines()
    count = len(world.stack())
    assert planned.verdict == f"PLAN dev: {count} to remove · 0 kept already"
    # An environment that was not named wants to be: its name is the answer.
    gone = world.tapctl("destroy", typed="dev\n")
    assert gone.code == 0, gone.err
    assert ends in gone.err.splitlines()
    assert gone.verdict.startswith("DESTROY dev: DESTROYED in ")
    assert gone.verdict.endswith(f" · {count - 1} removed · 1 kept · 0 left · nothing else of ours is left")
    assert left(world) == before | {"key:PendingDeletion"}
    state = key_state(world)
    assert (state["id"], state["days"]) == (made["id"], "7")
    kept = world.client("kms").describe_key(KeyId=made["id"])["KeyMetadata"]["DeletionDate"].date().isoformat()
    (line,) = (one for one in gone.out.splitlines() if one.startswith("kept "))
    assert line.split()[:4] == ["kept", "kms-key", "alias/db-key-dev", kept]
    (line,) = (one for one in gone.out.splitlines() if one.startswith("ended "))
    assert line.split()[:3] == ["ended", "sns-subscription", f"alarms-dev/{queue}"]
    certificate = json.loads(world.path().with_name("dev.certificate.json").read_text())
    assert (certificate["complete"], certificate["ended"]) == (True, [f"sns-subscription/alarms-dev/{queue}"])
    (entry,) = world.manifest()["entries"].values()
    assert (entry["phase"], entry["kept_until"]) == ("kept", kept)
    # What is shown first says what becomes of the key.
    (line,) = (one for one in planned.out.splitlines() if one.startswith("  - kms-key "))
    assert "7 days" in line

    # There is nothing to ask.
    again = world.tapctl("destroy", "--env", "dev")
    assert (again.code, again.changes) == (0, ())
    assert "0 removed · 1 kept · 0 left" in again.verdict
    assert world.tapctl("plan", "--destroy", "--env", "dev", "--detailed-exitcode").code == 0
    drifted = world.drift()
    assert (drifted.code, drifted.records[-1]["status"]) == (0, "DESTROYED")
    status = world.tapctl("status")
    assert status.verdict == "STATUS all: 0 deployed · 0 healthy · not looked at, no record: prod, staging"

    # Lambda writes once more after it is gone: a log group without tags and retention comes back.
    world.client("logs").create_log_group(logGroupName=LOGS)
    late = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (late.code, late.changes) == (0, ("logs:DeleteLogGroup",))
    assert left(world) == before | {"key:PendingDeletion"}

    for step in ("kms:CancelKeyDeletion", "kms:EnableKey"):
        cut_off(world, step)
    back = world.applied("dev")
    assert "kms:CreateKey" not in back.changes
    assert (key_state(world)["id"], key_state(world)["state"]) == (made["id"], "Enabled")
    assert world.drift().code == 0


def cut_off(world: World, step: str) -> None:
    """Apply until this step of bringing the key back: as the destroy had left it, nobody else has changed it."""
    assert world.meeting(deny(step), "apply", "--env", "dev", "--yes").code == 4
    told, planned = world.drift(), world.tapctl("plan", "--env", "dev", "--json")
    assert (told.code, {one["state"] for one in told.of_type("finding")}) == (7, {"PENDING"}), told.out
    assert world.tapctl("status", "--env", "dev").code == 7
    assert not any(field["outside"] for one in planned.of_type("planned_change") for field in one["fields"])


@pytest.mark.soak
def test_what_a_destroy_without_a_certificate_had_removed_is_certified_by_the_next_one(dev: World) -> None:
    everything = {*dev.manifest()["entries"]}
    assert dev.meeting(deny("lambda:DeleteFunction"), "destroy", "--env", "dev", "--yes").code == 4
    certificate = dev.path().with_name("dev.certificate.json")
    removed = {*json.loads(certificate.read_text())["gone"]}
    assert removed > {"cloudwatch-alarm/db-cpu-0-dev"}
    certificate.unlink()
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    proof = json.loads(certificate.read_text())
    assert {*proof["gone"], *proof["kept"]} == everything


def take_order_out(world: World) -> None:
    """Write into the record that nothing needs anything."""
    record = world.manifest()
    for entry in record["entries"].values():
        entry["needs"] = []
    world.path().write_text(json.dumps(record))


def test_a_destroy_goes_in_its_order_though_the_record_no_longer_tells_it_and_says_that(dev: World) -> None:
    take_order_out(dev)
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    for told in (planned, gone):
        assert "its key bears the fingerprint of another one" in told.err
    order = ("lambda:DeleteFunction", "iam:DeleteRole"), ("rds:DeleteDBCluster", "rds:DeleteDBSubnetGroup")
    for first, then in (*order, ("rds:DeleteDBCluster", "kms:ScheduleKeyDeletion")):
        assert gone.changes.index(first) < gone.changes.index(then)


def test_a_destroy_without_a_file_goes_in_its_order_though_the_record_no_longer_tells_it(dev: World) -> None:
    def order() -> dict[str, frozenset[str]]:
        (stack,) = dev.tapctl("plan", "--destroy", "--env", "dev", "--json").of_type("stack")
        return {one["address"]: frozenset(one["needs"]) for one in stack["resources"]}

    files = Folder(dev.folder / "environments")
    files.put("common", "alarms.extra", [ALARM])
    files.put("dev", "database.instance_count", 2)
    assert dev.tapctl("apply", "--env", "dev", "--yes").code == 0
    (dev.folder / "environments" / "dev.toml").unlink()
    told = order()
    assert told["db-instance/db-cluster-dev-1"]
    take_order_out(dev)
    now, own = order(), "cloudwatch-alarm/db-freeable-memory-0-dev"
    assert {**now, own: told[own]} == told
    assert "sns-topic/alarms-dev" in told[own] & now[own], "as every other alarm"
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0
    order_of_calls = ("lambda:DeleteFunction", "iam:DeleteRole"), ("rds:DeleteDBCluster", "rds:DeleteDBSubnetGroup")
    for first, then in (*order_of_calls, ("lambda:DeleteFunction", "logs:DeleteLogGroup")):
        assert gone.changes.index(first) < gone.changes.index(then)


def test_a_destroy_of_nothing_succeeds(world: World) -> None:
    gone = world.tapctl("destroy", "--env", "dev")
    assert (gone.code, gone.changes) == (0, ())
    assert "nothing to remove" in gone.out


def test_a_record_of_which_aws_has_nothing_is_emptied_by_nobody_unasked(world: World) -> None:
    """Behind an address there may be another AWS, which has none of it."""
    world.deploy()
    record = world.path().read_bytes()
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    shutil.rmtree(world.path().parent)
    world.path().parent.mkdir(mode=0o700)
    world.path().write_bytes(record)
    for flags in ((), ("--json",)):
        nobody = world.tapctl("destroy", "--env", "dev", *flags)
        assert (nobody.code, nobody.changes, world.path().read_bytes()) == (64, (), record)
        assert "tapctl destroy --env dev" in nobody.out + nobody.err
        assert "Destroy dev? Its record loses 23 resources that AWS does not have." in nobody.out + nobody.err
    planned = world.tapctl("plan", "--destroy", "--env", "dev")
    for told in (planned, world.tapctl("destroy", "--env", "dev")):
        words = (
            "AWS does not have 23 of the 24 resources that the record holds: a destroy removes nothing of them, and "
        )
        assert f"{words}the record loses them: cloudwatch-alarm/db-connections-0-dev, " in told.err
        assert ", and 18 more" in told.err
    assert planned.verdict.endswith("0 to remove · 1 kept already · 23 not there")
    (verdict,) = world.tapctl("plan", "--destroy", "--env", "dev", "--json").of_type("verdict")
    assert verdict["counts"] == {"remove": 0, "kept": 1, "not_there": 23}
    assert not world.path().with_name("dev.certificate.json").exists()
    gone = world.tapctl("destroy", "--env", "dev", "--yes", "--json")
    noted = {one["result"]: one["note"] for one in gone.of_type("resource")}
    assert (gone.code, noted["deleted"], gone.records[-1]["counts"]["deleted"]) == (0, "was gone already", 0)
    assert [*world.manifest()["entries"]] == ["kms-key/alias/db-key-dev"]
    assert world.tapctl("destroy", "--env", "dev").code == 0, "there is nothing to ask"


def test_without_the_record_the_tags_find_everything(world: World) -> None:
    before = left(world)
    world.deploy()
    world.path().unlink()
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert left(world) == before | {"key:PendingDeletion"}


@pytest.mark.soak
def test_the_interfaces_of_a_function_that_is_gone_keep_its_role_without_a_record_too(world: World) -> None:
    world.deploy()
    world.path().unlink()
    world.client("lambda").delete_function(FunctionName="payment-processor-dev")
    ec2 = world.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    text = "AWS Lambda VPC ENI-payment-processor-dev-6f0b9d1c-3f0e-4b0a-9c57-0a1b2c3d4e5f"
    left_one = ec2.create_network_interface(SubnetId=subnet, Description=text)["NetworkInterface"]
    looks = iter(range(100))

    def lambda_takes_it_away() -> None:
        if next(looks) == 1:
            ec2.delete_network_interface(NetworkInterfaceId=left_one["NetworkInterfaceId"])

    world.door.after["ec2:DescribeNetworkInterfaces"] = lambda_takes_it_away
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    world.door.after.clear()
    assert gone.code == 0, gone.err
    assert next(looks) > 1
    assert "iam:DeleteRole" in gone.changes


@pytest.mark.soak
def test_tags_of_another_suffix_are_left_alone(world: World) -> None:
    before = left(world)
    world.deploy()
    world.applied("dev", "--suffix", "pr-42")
    other = left(world)
    world.path().unlink()
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    after = left(world)
    assert not [one for one in after if one.endswith("-dev") or "-dev" in one.replace("pr-42", "")]
    assert {one for one in other if "pr-42" in one} <= after
    assert world.drift("dev", "--suffix", "pr-42").code == 0
    assert world.tapctl("destroy", "--env", "dev", "--suffix", "pr-42", "--yes").code == 0
    assert left(world) == before | {"key:PendingDeletion"}


def test_filters_of_others_on_the_log_groups_are_told_and_certified(dev: World) -> None:
    database = "/aws/rds/cluster/db-cluster-dev/postgresql"
    asked = dev.tapctl("plan", "--destroy", "--env", "dev").asked
    assert (asked.count("logs:DescribeSubscriptionFilters"), "logs:DescribeMetricFilters" in asked) == (2, False)
    put_filters(dev, database)
    ends = "has filters that others have added, and they go with it: metric filter sec-team, subscription filter siem"
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    assert (planned.code, f"warning: {database} {ends}" in planned.err.splitlines()) == (0, True), planned.err
    assert planned.asked.count("logs:DescribeMetricFilters") == 1
    untold = dev.meeting(deny("logs:DescribeMetricFilters"), "plan", "--destroy", "--env", "dev")
    assert untold.code == 0
    assert f"warning: the filters on {database} could not be read: AccessDeniedException" in untold.err
    # The removal of the group is refused: nothing has ended with it yet, and the next destroy says that it has.
    cut = dev.meeting(deny("logs:DeleteLogGroup"), "destroy", "--env", "dev", "--yes")
    certificate = dev.path().with_name("dev.certificate.json")
    assert (cut.code, json.loads(certificate.read_text())["ended"]) == (4, [])
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, f"warning: {database} {ends}" in gone.err.splitlines()) == (0, True), gone.err
    ended = [f"log-metric-filter/{database}:sec-team", f"log-subscription-filter/{database}:siem"]
    assert json.loads(certificate.read_text())["ended"] == ended
    lines = [one.split() for one in gone.out.splitlines() if one.startswith("ended ")]
    assert [line[1:3] for line in lines] == [place.split("/", 1) for place in ended]
    assert all(" ".join(line[3:]) == "added by others; it ended with the log group" for line in lines)


@pytest.mark.soak
def test_what_others_keep_under_the_key_keeps_it_and_its_last_use_is_told(dev: World) -> None:
    kms, ec2, ssm = dev.client("kms"), dev.client("ec2"), dev.client("ssm")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["Arn"]
    for number, name in enumerate((key, key.rpartition("/")[2], "alias/db-key-dev")):
        ssm.put_parameter(Name=f"/theirs/{number}", Value="x", Type="SecureString", KeyId=name)
    volume = ec2.create_volume(AvailabilityZone="us-east-2a", Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    used = [f"ebs-volume/{volume}", *(f"ssm-parameter//theirs/{number}" for number in range(3))]
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    assert f"kept until what uses it is gone: {', '.join(used)} use it" in planned.out
    assert "kms:GetKeyLastUsage" not in planned.asked, "it stays"
    ec2.delete_volume(VolumeId=volume)
    ssm.delete_parameters(Names=[f"/theirs/{number}" for number in range(3)])
    kms.encrypt(KeyId=key, Plaintext=b"x")
    told = re.compile(r"; last used 20[0-9TZ:-]+ by Encrypt; asked for users: .*EBS.*; not asked: S3, SQS, DynamoDB")
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    (line,) = (one for one in planned.out.splitlines() if one.startswith("  - kms-key "))
    assert told.search(line), line
    assert planned.asked.count("kms:GetKeyLastUsage") == 1
    unknown = dev.meeting(deny("kms:GetKeyLastUsage"), "plan", "--destroy", "--env", "dev")
    assert unknown.code == 0
    assert "; when it was last used is not known (kms:GetKeyLastUsage denied); asked for" in unknown.out
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    certificate = json.loads(dev.path().with_name("dev.certificate.json").read_text())
    assert gone.code == 0
    assert told.search(certificate["kept"]["kms-key/alias/db-key-dev"]["why"]), certificate


@pytest.mark.soak
def test_the_certificate_says_what_became_of_each(world: World) -> None:
    world.deploy()
    recorded = set(world.manifest()["entries"])
    answer = world.tapctl("destroy", "--env", "dev", "--yes", "--json")
    told = {one["address"]: one for one in answer.of_type("certificate")}
    key = "kms-key/alias/db-key-dev"
    assert {here: one["state"] for here, one in told.items()} == dict.fromkeys(recorded, "gone") | {key: "kept"}
    # Each has its line too, those that go with another as well.
    assert {one["address"] for one in answer.of_type("resource")} == recorded
    assert {one["address"] for one in answer.of_type("planned_change")} == recorded
    kept = json.loads((world.folder / "manifests" / "dev.certificate.json").read_text())
    assert (kept["complete"], kept["suffix"], kept["account"], kept["left"]) == (True, "dev", "123456789012", [])
    assert set(kept["gone"]) == recorded - {key}
    assert kept["kept"][key] == {"until": told[key]["until"], "why": told[key]["why"]}
    # It is no manifest: nobody takes it for an environment.
    assert (
        world.tapctl("status").verdict == "STATUS all: 0 deployed · 0 healthy · not looked at, no record: prod, staging"
    )


@pytest.mark.soak
def test_data_that_went_outside_is_told_and_where_a_final_snapshot_was_due_the_destroy_wants_the_name(
    dev: World,
) -> None:
    cluster = "db-cluster/db-cluster-dev"
    rds = dev.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", SkipFinalSnapshot=True)
    told = f"warning: {cluster} is not there, by no run of ours: its data goes outside tapctl"
    assert told in dev.tapctl("plan", "--destroy", "--env", "dev").err.splitlines()
    file = dev.folder / "environments" / "dev.toml"
    file.write_text(f"final_snapshot = true\n{file.read_text()}")
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert f"{told}; the final snapshot that is due cannot be taken" in refused.err.splitlines()
    assert (refused.code, refused.changes) == (64, ())
    answer = dev.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev", "--json")
    assert answer.code == 0, answer.err
    fates = {one["address"]: one["why"] for one in answer.of_type("certificate") if one["state"] == "gone"}
    gone = {"db-instance/db-cluster-dev-0", "secret-rotation/db-cluster-dev", cluster}
    assert {address for address, why in fates.items() if why} == gone


@pytest.mark.soak
def test_a_foreign_cluster_keeps_its_log_group(world: World) -> None:
    """Log groups bear no tags where AWS makes them: whose they are, their writers tell."""
    world.deploy()
    world.tapctl("destroy", "--env", "dev", "--yes")
    world.client("rds").create_db_cluster(
        DBClusterIdentifier="db-cluster-dev",
        Engine="aurora-postgresql",
        MasterUsername="them",
        MasterUserPassword="x" * 8,
    )
    for name in (LOGS, "/aws/rds/cluster/db-cluster-dev/postgresql"):
        world.client("logs").create_log_group(logGroupName=name)
    # What is gone was destroyed, and is not to be made again; nor is a stranger's cluster one of ours that differs.
    told = world.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["state"]) == (7, "db-cluster/db-cluster-dev", "UNKNOWN")
    assert finding["note"].endswith("neither the record nor its tags call it ours (no owner tags)")
    verdict = "DRIFT dev: by its record nothing of it is deployed · 0 drifted · 0 pending · 1 unknown"
    assert world.tapctl("drift", "--env", "dev").verdict == verdict
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes) == (0, ("logs:DeleteLogGroup",)), "the function's writer is nobody"
    groups = world.client("logs").describe_log_groups()["logGroups"]
    assert [one["logGroupName"] for one in groups] == ["/aws/rds/cluster/db-cluster-dev/postgresql"]


@pytest.mark.soak
def test_a_foreign_topic_of_our_name_is_left_and_nothing_is_begun(world: World) -> None:
    world.client("sns").create_topic(Name="alarms-dev", Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    refused = world.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "sns-topic/alarms-dev exists and is not ours" in refused.err
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes) == (0, ())
    assert [one for one in left(world) if one.startswith("topic:")]


@pytest.mark.soak
def test_the_name_on_the_command_line_and_yes_answer_the_question(world: World) -> None:
    world.deploy()
    assert world.tapctl("destroy", "--yes", "--confirm", "dev").code == 0


LOGS = "/aws/lambda/payment-processor-dev"


def a_writer(world: World, times: int) -> Trouble:
    """Play a writer who makes the function's log group anew, so many times: each right after it was seen gone."""
    logs, left = world.client("logs"), [LOGS] * times

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        served = proceed()
        if visit.name == "logs:DescribeLogGroups" and visit.params.get("logGroupNamePrefix") == LOGS:
            _, _, body = served
            if left and not json.loads(body)["logGroups"]:
                logs.create_log_group(logGroupName=left.pop())
        return served

    return trouble


@pytest.mark.soak
@pytest.mark.parametrize("times", [1, 2])
def test_a_late_writer_during_the_destroy_is_swept_up_after(dev: World, times: int) -> None:
    gone = dev.meeting(a_writer(dev, times), "destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert gone.changes.count("logs:DeleteLogGroup") == 2 + times
    assert dev.client("logs").describe_log_groups()["logGroups"] == []


def test_a_writer_that_never_stops_is_named(dev: World) -> None:
    """Whatever is left at the end is no success."""
    gone = dev.meeting(a_writer(dev, 100), "destroy", "--env", "dev", "--yes")
    assert gone.code == 4
    assert gone.verdict.startswith("DESTROY dev: NOT DESTROYED")
    assert LOGS in gone.err
    told = dev.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["state"]) == (7, f"log-group/{LOGS}", "UNKNOWN")
    assert "by its certificate a destroy did not finish" in finding["note"]
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    nothing = dev.tapctl("outputs", "--env", "dev")
    assert nothing.code == 3
    assert "nothing of dev is deployed" in nothing.err


@pytest.mark.soak
def test_a_log_group_that_comes_after_a_destroy_is_told_as_a_destroy_would_take_it(dev: World) -> None:
    dev.tapctl("destroy", "--env", "dev", "--yes")
    logs = dev.client("logs")
    logs.create_log_group(logGroupName=LOGS)
    # As AWS makes one for a late writer.
    warned = f"AWS has made log-group/{LOGS} by itself since dev was destroyed: tapctl destroy --env dev removes it"
    for command in ("drift", "status"):
        told = dev.tapctl(command, "--env", "dev")
        assert (told.code, warned in told.err) == (0, True), told.out + told.err
    # As somebody sets one up, who may live by it.
    logs.put_retention_policy(logGroupName=LOGS, retentionInDays=365)
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    told = dev.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["state"]) == (7, f"log-group/{LOGS}", "UNKNOWN")
    assert dev.tapctl("status", "--env", "dev").code == 7
    # Another team's, by its tags, is nobody's orphan.
    logs.tag_log_group(logGroupName=LOGS, tags={"Team": "web"})
    told = dev.drift()
    assert (told.code, told.of_type("finding")) == (0, [])
    assert "AWS has made" not in told.err
    logs.delete_log_group(logGroupName=LOGS)
    assert dev.drift().code == 0


def test_an_alarm_that_somebody_makes_anew_meanwhile_is_left_and_named(dev: World) -> None:
    alarm = "payment-processor-errors-dev"

    def again(visit: Visit, proceed: Proceed) -> Served:
        served = proceed()
        if visit.name == "sns:DeleteTopic":
            dev.client("cloudwatch").put_metric_alarm(
                AlarmName=alarm,
                ComparisonOperator="GreaterThanThreshold",
                EvaluationPeriods=1,
                MetricName="Errors",
                Namespace="AWS/Lambda",
                Period=60,
                Statistic="Sum",
                Threshold=1,
            )
        return served

    gone = dev.meeting(again, "destroy", "--env", "dev", "--yes")
    assert gone.code == 6
    assert gone.verdict.startswith("DESTROY dev: NOT DESTROYED")
    (row,) = (line.split() for line in gone.out.splitlines() if line.endswith(alarm) and line[0] != " ")
    assert row == ["left", "cloudwatch-alarm", alarm]
    assert "somebody has made anew, without the tags of dev, what this run has removed" in gone.err


def test_where_nobody_can_look_what_else_is_left_the_certificate_says_what_is_gone(dev: World) -> None:
    def blind(visit: Visit, proceed: Proceed) -> Served:
        ended = {entry["phase"] for entry in dev.manifest()["entries"].values()} == {"kept"}
        if ended and visit.name == "resourcegroupstaggingapi:GetResources":
            raise denied(visit.name)
        return proceed()

    answer = dev.meeting(blind, "destroy", "--env", "dev", "--yes", "--confirm", "dev")
    assert (answer.code, answer.verdict.startswith("DESTROY dev: NOT DESTROYED")) == (4, True), answer.out
    assert "0 left · what else is left was not looked for" in answer.verdict
    certificate = json.loads(dev.path().with_name("dev.certificate.json").read_text())
    assert (certificate["complete"], len(certificate["gone"])) == (False, len(dev.stack()) - 1)
    again = dev.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev")
    assert (again.code, again.changes) == (0, ()), again.err
    whole = json.loads(dev.path().with_name("dev.certificate.json").read_text())
    assert (whole["complete"], len(whole["gone"])) == (True, len(dev.stack()) - 1)


def test_where_nothing_is_removed_a_sweep_that_is_denied_is_a_refusal(world: World) -> None:
    find = "resourcegroupstaggingapi:GetResources"
    first = world.tapctl("plan", "--destroy", "--env", "dev").asked.count(find)
    answer = world.meeting(denied_after(first, find), "destroy", "--env", "dev", "--yes", "--confirm", "dev")
    assert (answer.code, answer.changes) == (6, ()), answer.out + answer.err


def test_what_a_destroy_has_certified_is_made_again_though_its_history_is_gone(dev: World) -> None:
    """Versions may end after some months, and a state may move by its records alone."""
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    shutil.rmtree(dev.path().parent / "history")
    assert dev.tapctl("plan", "--env", "dev").code == 0
    certificate = dev.path().with_name("dev.certificate.json")
    certified = certificate.read_text()
    certificate.write_text(certified.replace('"complete": true', '"complete": false'))
    assert dev.tapctl("plan", "--env", "dev").code == 6, "nothing else tells that a destroy has removed it"
    certificate.write_text(certified)
    record = dev.manifest()
    dev.path().write_text(json.dumps(record | {"entries": {}}))
    assert dev.tapctl("plan", "--env", "dev").code == 6, "a destroy leaves the key in the record"
