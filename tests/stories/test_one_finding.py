"""A finding at a time: accepted into the files, put back, or waived until a day."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from tapctl.clock import today
from tests.support.additions import EGRESS, PERMISSION
from tests.support.world import World

FUNCTION = "lambda-function/payment-processor-dev"
RULES = "security-group-rules/db-sg-dev"
CLUSTER = "db-cluster/db-cluster-dev"


@pytest.fixture(scope="module")
def drifted(shared: World) -> World:
    """Timeout, memory and a tag of the function were changed by hand, and the database group got a rule."""
    shared.deploy()
    functions = shared.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", Timeout=45, MemorySize=2048)
    arn = functions.get_function(FunctionName="payment-processor-dev")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"aws-backup:plan": "gold"})
    groups = shared.client("ec2")
    (group,) = groups.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])[
        "SecurityGroups"
    ]
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    groups.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])
    return shared


def test_under_each_finding_stand_the_three_commands_that_fit(drifted: World) -> None:
    told = drifted.tapctl("drift", "--env", "dev")
    assert told.code == 2
    for line in (
        "      keep it: common.toml: processor.timeout_s\n",
        f"        tapctl accept --env dev {FUNCTION}.timeout_s\n",
        f"        tapctl revert --env dev {FUNCTION}.timeout_s\n",
        f"        tapctl waive --env dev {FUNCTION}.timeout_s --reason '…' --until 30d\n",
    ):
        assert line in told.out


def test_a_waived_difference_is_shown_and_is_no_drift_and_stays(drifted: World) -> None:
    tag = f"{FUNCTION}.tags.aws-backup:plan"
    answer = drifted.tapctl("waive", "--env", "dev", tag, RULES, "--reason", "the platform's own", "--until", "30d")
    assert (answer.code, answer.verdict.partition(":")[0]) == (0, "WAIVE dev"), answer.err
    told = drifted.drift()
    states = {(one["address"], one["field"]): one["state"] for one in told.of_type("finding")}
    assert states[FUNCTION, "tags.aws-backup:plan"] == states[RULES, "rules"] == "WAIVED"
    assert states[FUNCTION, "timeout_s"] == "DRIFT"
    (waived,) = [one for one in told.of_type("finding") if one["address"] == RULES]
    until = str(today() + timedelta(days=30))
    assert waived["waiver"] == {"owner": waived["waiver"]["owner"], "reason": "the platform's own", "until": until}
    planned = drifted.tapctl("plan", "--env", "dev", "--json")
    assert {one["address"]: one["waived"] for one in planned.of_type("planned_change")}[FUNCTION] == [
        {"path": "tags.aws-backup:plan", "have": "gold"}
    ]
    told = drifted.tapctl("status", "--env", "dev")
    assert f"; waived: {FUNCTION}, {RULES}" in told.out
    alike = drifted.tapctl("parity", "--live", "--json")
    verdicts = {one["what"]: one["verdict"] for one in alike.of_type("difference") if one["where"] == "aws"}
    named = "lambda-function/payment-processor-<name>"
    assert verdicts[f"{named} tags.aws-backup:plan"] == verdicts["security-group-rules/db-sg-<name> rules"] == "waived"
    assert (alike.code, verdicts[f"{named} timeout_s"]) == (2, "CHANGED OUTSIDE")
    owner = f"waived ({waived['waiver']['owner']}, until {until})"
    assert owner in drifted.tapctl("parity", "--live").out
    assert "live = " in (drifted.folder / "environments" / "waivers.toml").read_text()


def test_a_change_of_the_files_that_a_waiver_keeps_back_is_told_as_that(drifted: World) -> None:
    waivers, common = (drifted.folder / "environments" / name for name in ("waivers.toml", "common.toml"))
    before = waivers.read_text(), common.read_text()
    waive = ("waive", "--env", "dev", f"{FUNCTION}.timeout_s", "--reason", "it is slow", "--until", "30d")
    assert drifted.tapctl(*waive).code == 0
    assert "the files want another value" not in drifted.tapctl("plan", "--env", "dev").err
    drifted.edit("common.toml", "timeout_s = 30", "timeout_s = 60")
    planned = drifted.tapctl("plan", "--env", "dev")
    assert f"warning: {FUNCTION} timeout_s: the files want another value than at the last apply" in planned.err
    (line,) = [each for each in planned.out.splitlines() if "timeout_s" in each]
    assert line.split(maxsplit=2)[1:] == ["45", "waived; left as it is; the files want 60 by now"]
    told = drifted.drift()
    states = {(one["address"], one["field"]): one["state"] for one in told.of_type("finding")}
    assert states[FUNCTION, "timeout_s"] == "WAIVED"
    assert told.records[-1].get("wanted") is None, "an apply does not do it"
    waivers.write_text(before[0])
    common.write_text(before[1])


def test_a_revert_leaves_what_is_waived_in_the_same_field(drifted: World) -> None:
    ec2 = drifted.client("ec2")
    named = {"Filters": [{"Name": "group-name", "Values": ["db-sg-dev"]}]}
    (group,) = ec2.describe_security_groups(**named)["SecurityGroups"]
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.8.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])
    answer = drifted.tapctl("revert", "--env", "dev", f"{RULES}.rules", "--yes")
    assert answer.code == 0, answer.err
    assert ("10.8.0.0/16" in answer.out, "10.9.0.0/16" in answer.out) == (True, False)
    rules = [one for one in drifted.drift().of_type("finding") if one["address"] == RULES]
    assert [(one["state"], "10.9.0.0/16" in one["text"]) for one in rules] == [("WAIVED", True)]


def test_a_value_is_put_back_alone_whatever_the_files_want(drifted: World) -> None:
    drifted.edit("dev.toml", "instance_class", "# somebody's note\ninstance_class")
    drifted.edit("common.toml", "rotation_days = ", "rotation_days = 1")
    asked = drifted.tapctl("revert", "--env", "dev", f"{FUNCTION}.memory_mb")
    assert (asked.code, "Put 1 value of dev back to what is recorded?" in asked.err) == (64, True), asked.err
    before = drifted.manifest()
    answer = drifted.tapctl("revert", "--env", "dev", f"{FUNCTION}.memory_mb", "--yes")
    drifted.edit("common.toml", "rotation_days = 1", "rotation_days = ")
    assert (answer.code, answer.verdict.partition(" in")[0]) == (0, "REVERT dev: CONVERGED"), answer.err
    live = drifted.client("lambda").get_function_configuration(FunctionName="payment-processor-dev")
    assert (live["MemorySize"], live["Timeout"]) == (1024, 45)
    after = drifted.manifest()
    assert (after["entries"], after["config_hash"]) == (before["entries"], before["config_hash"])


def test_a_live_value_is_accepted_into_the_file_that_decides_it(drifted: World) -> None:
    common = drifted.folder / "environments" / "common.toml"
    before = common.read_text()
    told = next(one for one in drifted.drift().of_type("finding") if one["field"] == "timeout_s")
    declined = drifted.tapctl("accept", "--env", "dev", told["id"], typed="no\n")
    assert (declined.code, common.read_text()) == (6, before)
    answer = drifted.tapctl("accept", "--env", "dev", told["id"], "--yes")
    assert (answer.code, answer.verdict) == (0, "ACCEPT dev: ACCEPTED · 1 accepted · 0 not · apply records it")
    assert "-timeout_s = 30" in answer.out
    assert "+timeout_s = 45" in answer.out
    assert "wanted then in prod, staging too: common.toml is every environment's" in answer.out
    assert common.read_text() == before.replace("timeout_s = 30", "timeout_s = 45")
    accepted = drifted.tapctl("drift", "--env", "dev").out
    assert "keep it: the files want it already, and an apply records it\n        tapctl apply --env dev\n" in accepted
    assert "the files want more than the record" not in accepted
    assert "updated" not in drifted.applied("dev").verdict
    assert drifted.drift().code == 0


def test_after_its_day_a_waiver_counts_no_more(drifted: World) -> None:
    file = drifted.folder / "environments" / "waivers.toml"
    file.write_text(file.read_text().replace(str(today() + timedelta(days=30)), str(today() - timedelta(days=1))))
    answer = drifted.tapctl("drift", "--env", "dev")
    assert (answer.code, "counts no more" in answer.err) == (2, True)
    planned = drifted.tapctl("plan", "--env", "dev")
    assert (planned.code, "counts no more" in planned.err) == (0, True)
    file.write_text(file.read_text().replace("aws-backup:plan", "aws-backup:*").replace("2026", "2099", 1))
    assert drifted.tapctl("plan", "--env", "dev").code == 3


def test_what_is_new_since_a_recorded_run_is_told_alone(drifted: World) -> None:
    drifted.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=61)
    (drifted.folder / "environments" / "waivers.toml").unlink()
    run = drifted.folder / "run.jsonl"
    run.write_text(drifted.drift().out)
    again = drifted.tapctl("drift", "--env", "dev", "--new-since", str(run))
    assert (again.code, "timeout_s" in again.out) == (0, False)
    assert re.fullmatch(r"DRIFT dev: OK · nothing new · [0-9]+ known already", again.verdict)
    drifted.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=62)
    new = drifted.tapctl("drift", "--new-since", str(run))
    assert (new.code, "timeout_s" in new.out, "tags.aws-backup:plan" in new.out) == (2, True, False)


def test_what_cannot_be_accepted_or_put_back_says_why(drifted: World) -> None:
    named = drifted.tapctl("accept", "--env", "dev", f"{FUNCTION}.timeout_s", RULES, "--yes")
    assert (named.code, "no key of the files may want this" in named.err) == (6, True)
    other = drifted.tapctl("revert", "--env", "dev", f"{FUNCTION}.timeout", "--yes")
    assert (other.code, f"did you mean {FUNCTION}.timeout_s?" in other.err) == (64, True)
    kms = drifted.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal="arn:aws:iam::999999999999:root", Operations=["Decrypt"])
    granted = drifted.tapctl("revert", "--env", "dev", "kms-key/alias/db-key-dev.grants", "--yes")
    assert (granted.code, granted.changes) == (6, ())
    assert "kms-key/alias/db-key-dev.grants: a person ends it" in granted.err
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    drifted.client("cloudwatch").delete_alarms(AlarmNames=["payment-processor-errors-dev"])
    gone = drifted.tapctl("revert", "--env", "dev", "cloudwatch-alarm/payment-processor-errors-dev", "--yes")
    assert (gone.code, "it is missing: an apply makes it again" in gone.err) == (6, True)
    nothing = drifted.tapctl(
        *("waive", "--env", "dev", "cloudwatch-alarm/payment-processor-errors-dev", "--reason", "why", "--until", "1d")
    )
    assert (nothing.code, "none of this can be waived" in nothing.err) == (6, True)


def test_all_is_put_back_but_what_only_an_apply_or_a_person_ends(drifted: World) -> None:
    answer = drifted.tapctl("revert", "--env", "dev", "--yes")
    assert (answer.code, answer.verdict.partition(" · ")[2]) == (2, "2 put back as recorded · 1 left"), answer.err
    after = drifted.drift()
    assert [one["state"] for one in after.of_type("finding")] == ["MISSING"]
    drifted.applied("dev")
    for verb in ("accept", "revert"):
        nothing = drifted.tapctl(verb, "--env", "dev", "--yes")
        assert (nothing.code, nothing.verdict.startswith(f"{verb.upper()} dev: NOTHING")) == (0, True)


def test_what_one_environment_alone_wants_is_no_other_s(drifted: World) -> None:
    functions = drifted.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    for words in ("+memory_mb = 2048", "dev.toml wants it already: tapctl apply --env dev records it"):
        answer = drifted.tapctl("accept", "--env", "dev", f"{FUNCTION}.memory_mb", "--yes")
        assert (answer.code, words in answer.out, "wanted then in" in answer.out) == (0, True, False), answer.err
    drifted.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=400)
    declined = drifted.tapctl("revert", "--env", "dev", f"{FUNCTION}.memory_mb", typed="no\n")
    assert (declined.code, "nothing was changed" in declined.verdict) == (6, True)
    retention = drifted.tapctl("accept", "--env", "dev", "log-group//aws/lambda/payment-processor-dev.retention_days")
    assert "look at the change above, then run: " in retention.err
    assert "the same key decides log-group//aws/rds/cluster/db-cluster-dev/postgresql.retention_days" in retention.out


def test_a_waiver_ahead_of_its_difference_is_a_warning_and_all_of_nothing_is_refused(drifted: World) -> None:
    until = ("--reason", "the platform's own", "--until", "9d")
    ahead = drifted.tapctl("waive", "--env", "dev", "lambda-function/*.tags.map-migrated", *until)
    assert (ahead.code, "matches nothing now" in ahead.err) == (0, True)
    assert "matches nothing here" in drifted.tapctl("drift", "--env", "dev").err
    everywhere = drifted.tapctl("waive", "--env", "dev", "*.retention_d*", *until)
    assert (everywhere.code, "matches nothing now" in everywhere.err) == (0, False), everywhere.err
    assert drifted.tapctl("waive", "--env", "dev", *until).code == 64
    assert drifted.tapctl("waive", "--env", "dev", "0123456789", *until).code == 64
    everything = drifted.tapctl("waive", "--env", "dev", "all", *until, "--json")
    assert (everything.code, len(everything.of_type("document")[0]["waivers"])) == (0, 2)
    assert drifted.drift().code == 0
    alike = drifted.tapctl("parity", "--live", "--json")
    counts = alike.of_type("verdict")[-1]["counts"]
    assert (alike.code, counts["waived"] > 0, counts["outside"]) == (0, True, 0)
    assert f"{counts['waived']} waived" in alike.of_type("verdict")[-1]["summary"]
    assert drifted.tapctl("validate").code == 0
    assert json.loads(drifted.tapctl("schema", "waivers").out)["title"] == "WaiversFile"
    assert "timeout_s" in drifted.tapctl("schema", "common").out
    refused = drifted.tapctl("revert", "--env", "dev", f"{FUNCTION}.memory_mb")
    assert (refused.code, "it is waived by user/moto" in refused.err) == (64, True)
    assert "take the waiver out of environments/waivers.toml, then run this again" in refused.err
    wordless = drifted.tapctl("waive", "--env", "dev", "*.retention_d*", "--reason", "-", "--until", "9d")
    assert (wordless.code, "the file is as it was" in wordless.err) == (3, True)


def test_what_a_revert_of_one_resource_shows_holds_and_its_command_works_whatever_a_tag_is_called(
    drifted: World,
) -> None:
    rds, before = drifted.client("rds"), drifted.manifest()["entries"][CLUSTER]
    # Without its managed secret RDS does not tell all that identifies it: that is another finding.
    ended = {"ManageMasterUserPassword": False, "MasterUserPassword": "12345678"}
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", BackupRetentionPeriod=9, ApplyImmediately=True, **ended)
    cluster = rds.describe_db_clusters(DBClusterIdentifier="db-cluster-dev")["DBClusters"][0]["DBClusterArn"]
    rds.add_tags_to_resource(ResourceName=cluster, Tags=[{"Key": "odd\u200bkey", "Value": "x"}])
    found = next(one for one in drifted.drift().of_type("finding") if one["field"].startswith("tags.odd"))
    assert found["undo"] == f"tapctl revert --env dev {found['id']}"
    put_back = drifted.tapctl("revert", "--env", "dev", found["id"], f"{CLUSTER}.backup_retention_days", "--yes")
    assert (put_back.code, drifted.manifest()["entries"][CLUSTER]) == (0, before), put_back.err
    assert "not ours" not in put_back.out


def test_what_somebody_else_has_claimed_is_not_put_back(drifted: World) -> None:
    topics = drifted.client("sns")
    (topic,) = [one["TopicArn"] for one in topics.list_topics()["Topics"] if one["TopicArn"].endswith(":alarms-dev")]
    tags = {"ManagedBy": "terraform", "Purpose": "theirs"}
    topics.tag_resource(ResourceArn=topic, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    refused = drifted.tapctl("revert", "--env", "dev", "sns-topic/alarms-dev.tags.Purpose", "--yes")
    assert (refused.code, "BLOCKED" in refused.verdict, refused.changes) == (6, True, ()), refused.err
    waived = drifted.tapctl(
        "waive", "--env", "dev", "sns-topic/alarms-dev.tags.ManagedBy", "--reason", "a tool", "--until", "9d"
    )
    assert (waived.code, "ManagedBy tells whose the resource is, and is never waived" in waived.err) == (6, True)
    until = ("--reason", "a tool", "--until", "9d")
    pattern = drifted.tapctl("waive", "--env", "dev", "sns-topic/alarms-dev.tags.Man*", *until)
    assert (pattern.code, "tags.Man* matches nothing now" in pattern.err) == (0, True), pattern.err
    topics.untag_resource(ResourceArn=topic, TagKeys=["Purpose"])
    topics.tag_resource(ResourceArn=topic, Tags=[{"Key": "ManagedBy", "Value": "tapctl"}])


def test_a_secret_that_is_put_back_is_another_one_until_an_apply_gives_it_to_its_users(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    dev.applied("dev")
    ended = {"ManageMasterUserPassword": False, "MasterUserPassword": "x" * 20}
    dev.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", ApplyImmediately=True, **ended)
    back = dev.tapctl("revert", "--env", "dev", "db-cluster/db-cluster-dev.managed_secret", "--yes")
    told = "db-cluster/db-cluster-dev is known by something else now: tapctl apply --env dev gives it to its users"
    assert (back.code, told in back.err) == (0, True), back.err
    secret = dev.manifest()["entries"]["db-cluster/db-cluster-dev"]["outputs"]["secret_arn"]
    assert dev.tapctl("outputs", "--env", "dev", "secret_arn").out == f"{secret}\n"
    notes = {one["note"] for one in dev.drift().of_type("finding")}
    assert not any("somebody" in note for note in notes), notes
    dev.applied("dev")
    assert dev.drift().code == 0


def test_a_stranger_s_rule_and_statement_go_while_the_files_want_more_of_them(dev: World) -> None:
    common = dev.folder / "environments" / "common.toml"
    more = "".join(
        f"\n[[processor.{table}]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for table, values in (("egress", {**EGRESS, "port": 8443}), ("permissions", PERMISSION))
    )
    common.write_text(common.read_text() + more)
    ec2, iam = dev.client("ec2"), dev.client("iam")
    named = {"Filters": [{"Name": "group-name", "Values": ["lambda-sg-dev"]}]}

    def group() -> dict[str, Any]:
        (found,) = ec2.describe_security_groups(**named)["SecurityGroups"]
        return dict(found)

    before = group()
    policy = {"RoleName": "lambda-role-dev", "PolicyName": "lambda-policy-dev"}
    document = iam.get_role_policy(**policy)["PolicyDocument"]
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    opened = {**document, "Statement": [*document["Statement"], theirs]}
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(opened))
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=before["GroupId"], IpPermissions=[ssh])
    assert {one["undo"].partition(" --env")[0] for one in dev.drift().of_type("finding")} == {"tapctl revert"}
    back = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (back.code, back.verdict.partition(" · ")[2]) == (0, "2 put back as recorded"), back.err
    assert (group(), iam.get_role_policy(**policy)["PolicyDocument"]) == (before, document)
    # What is there already of what the files want more is not taken away.
    to = {"IpRanges": [{"CidrIp": EGRESS["to"], "Description": EGRESS["why"]}]}
    early = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, **to}
    ec2.authorize_security_group_egress(GroupId=before["GroupId"], IpPermissions=[early])
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, "the files want something else there than is recorded" in refused.err) == (6, True)


@pytest.mark.soak
def test_a_revert_of_what_an_earlier_tapctl_recorded_in_part_leaves_nothing_unfinished(dev: World) -> None:
    name = "/aws/lambda/payment-processor-dev"
    record = dev.manifest()
    del record["entries"][f"log-group/{name}"]["outputs"]["created"]
    dev.leave(record)
    dev.client("logs").put_retention_policy(logGroupName=name, retentionInDays=60)
    back = dev.tapctl("revert", "--env", "dev", f"log-group/{name}.retention_days", "--yes")
    assert (back.code, "known by something else" in back.err) == (0, False), back.err
    assert dev.drift().code == 0


@pytest.mark.soak
def test_of_what_somebody_has_made_again_nothing_is_put_back_and_the_record_goes_on_to_tell_it(dev: World) -> None:
    logs, name = dev.client("logs"), "/aws/lambda/payment-processor-dev"
    logs.delete_log_group(logGroupName=name)
    logs.create_log_group(logGroupName=name)
    before = dev.drift()
    assert {(one["field"], one["undo"]) for one in before.of_type("finding")} >= {
        ("created", "tapctl apply --env dev"),
        ("retention_days", "tapctl apply --env dev"),
    }
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ()), refused.err
    assert f"log-group/{name}.retention_days: it is another resource of that name" in refused.err
    assert dev.drift().of_type("finding") == before.of_type("finding")
    dev.applied("dev")
    assert dev.drift().code == 0


def test_a_revert_that_gives_a_final_snapshot_up_says_so_and_does_it_only_where_the_files_do(dev: World) -> None:
    rds, tag = dev.client("rds"), "db-cluster/db-cluster-dev.tags.tapctl:final-snapshot"
    cluster = rds.describe_db_clusters(DBClusterIdentifier="db-cluster-dev")["DBClusters"][0]["DBClusterArn"]
    rds.add_tags_to_resource(ResourceName=cluster, Tags=[{"Key": "tapctl:final-snapshot", "Value": "true"}])
    refused = dev.tapctl("revert", "--env", "dev", tag, "--yes")
    assert (refused.code, refused.changes) == (6, ()), "the files do not say it, so that it stays due"
    dev.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = false")
    asked = dev.tapctl("revert", "--env", "dev", tag)
    assert (asked.code, "1 loses its protection" in asked.err) == (64, True), asked.err
    back = dev.tapctl("revert", "--env", "dev", tag, "--yes")
    assert (back.code, "no final snapshot will be taken of it any more" in back.out) == (0, True), back.err


def test_a_protection_that_somebody_took_away_is_accepted_only_where_it_is_named(world: World) -> None:
    world.edit("dev.toml", "protected = false", "protected = true")
    world.edit("dev.toml", "instance_count = 1", "instance_count = 2")
    world.applied("dev")
    rds, field, tag = world.client("rds"), f"{CLUSTER}.deletion_protection", f"{CLUSTER}.tags.tapctl:final-snapshot"
    arn = rds.describe_db_clusters(DBClusterIdentifier="db-cluster-dev")["DBClusters"][0]["DBClusterArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "tapctl:final-snapshot", "Value": "false"}])
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", DeletionProtection=False)
    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=45)
    file = world.folder / "environments" / "dev.toml"
    for targets in ((), ("all",)):
        answer = world.tapctl("accept", "--env", "dev", *targets, "--yes")
        for lifted in (field, tag):
            assert f"{lifted} cannot be accepted: it takes a protection away" in answer.err
        assert "protected = true" in file.read_text()
    assert world.tapctl("accept", "--env", "dev", field, "--yes").code == 0
    assert "protected = false" in file.read_text()


def weaken(dev: World, backups: int, retention: int, calls: int, statements: str) -> None:
    """Set what guards payments in dev, as somebody else would."""
    rds, group = dev.client("rds"), "/aws/rds/cluster/db-cluster-dev/postgresql"
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", BackupRetentionPeriod=backups, ApplyImmediately=True)
    dev.client("logs").put_retention_policy(logGroupName=group, retentionInDays=retention)
    dev.client("lambda").put_function_concurrency(
        FunctionName="payment-processor-dev", ReservedConcurrentExecutions=calls
    )
    logged = {"ParameterName": "log_statement", "ParameterValue": statements, "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="db-cluster-params-pg16-dev", Parameters=[logged])


@pytest.mark.soak
def test_a_waiver_of_what_guards_less_covers_nothing_that_guards_less_still(dev: World) -> None:
    weaken(dev, backups=5, retention=60, calls=5, statements="mod")
    answer = dev.tapctl("waive", "--env", "dev", "all", "--reason", "a test", "--until", "30d")
    assert answer.code == 0, answer.err
    assert dev.drift().code == 0
    weaken(dev, backups=1, retention=1, calls=0, statements="all")
    told = dev.drift()
    assert (told.code, {one["state"] for one in told.of_type("finding")}) == (2, {"DRIFT"})
    # A waiver that names no value, as an earlier tapctl has written it, covers none that no files may have.
    waivers = dev.folder / "environments" / "waivers.toml"
    waivers.write_text(re.sub("live = .*\n", "", waivers.read_text()))
    told = dev.tapctl("drift", "--env", "dev")
    drifted = {line.split()[2] for line in told.out.splitlines() if line.startswith("  ! ")}
    guards = {"backup_retention_days", "parameters.log_statement", "reserved_concurrency", "retention_days"}
    assert (told.code, drifted) == (2, guards), told.out
    assert "a waiver has to name what is there (live)" in told.err
    # Nor does an apply leave it.
    planned = dev.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    assert {field["path"] for one in planned for field in one["fields"]} == guards


def test_a_waiver_written_ahead_covers_no_loss_of_what_tapctl_itself_sets_to_guard(dev: World) -> None:
    """No key decides these fields, and so no file may have them otherwise."""
    ahead = ("db-*-group/*.parameters.*", "cloudwatch-alarm/*.actions_enabled", "secret-rotation/*.enabled")
    answer = dev.tapctl("waive", "--env", "dev", *ahead, "--reason", "tuning by the team", "--until", "30d")
    assert answer.code == 0, answer.err
    rds, cloudwatch = dev.client("rds"), dev.client("cloudwatch")
    plain = {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="db-cluster-params-pg16-dev", Parameters=[plain])
    cloudwatch.disable_alarm_actions(AlarmNames=["payment-processor-errors-dev"])
    told = dev.drift()
    drifted = {one["field"] for one in told.of_type("finding") if one["state"] == "DRIFT"}
    assert (told.code, drifted) == (2, {"parameters.rds.force_ssl", "actions_enabled"})


@pytest.mark.soak
def test_a_parameter_group_of_others_is_never_waived_since_they_set_what_is_in_it(dev: World) -> None:
    rds = dev.client("rds")
    group = {"DBParameterGroupFamily": "aurora-postgresql16", "Description": "the data team's"}
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="theirs", **group)
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", DBClusterParameterGroupName="theirs")
    told = dev.tapctl("drift", "--env", "dev")
    assert (told.code, "cluster_parameter_group" in told.out, "waive it" in told.out) == (2, True, False), told.out
    field = "db-cluster/db-cluster-dev.cluster_parameter_group"
    answer = dev.tapctl("waive", "--env", "dev", field, "--reason", "they tune it", "--until", "30d")
    refusal = "which is never waived: db-cluster.cluster_parameter_group"
    assert (answer.code, refusal in answer.err) == (3, True), answer.err
    assert not (dev.folder / "environments" / "waivers.toml").exists()


@pytest.mark.soak
def test_the_tag_of_the_region_is_a_tag_as_any_on_what_is_no_role(dev: World) -> None:
    functions = dev.client("lambda")
    arn = functions.get_function(FunctionName="payment-processor-dev")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"tapctl:region": "us-west-2"})
    (finding,) = dev.drift().of_type("finding")
    tag = f"{FUNCTION}.tags.tapctl:region"
    assert finding["undo"] == f"tapctl revert --env dev {tag}"
    assert "back to us-east-2" not in dev.tapctl("drift", "--env", "dev").out
    assert dev.tapctl("revert", "--env", "dev", tag, "--yes").code == 0
    assert dev.drift().code == 0


def test_where_a_door_is_among_what_is_to_be_waived_it_is_named_and_the_command_for_the_others_too(dev: World) -> None:
    ec2 = dev.client("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])["SecurityGroups"]
    for cidr in ("0.0.0.0/0", "10.9.0.0/16"):
        permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": cidr}]}
        ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])
    functions = dev.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", Timeout=45)
    (inner,) = [
        one["id"]
        for one in dev.drift().of_type("finding")
        if one["address"] == RULES and "10.9.0.0/16" in str(one["live"])
    ]
    since = ("--reason", "the team's own", "--until", "30d")
    refused = dev.tapctl("waive", "--env", "dev", RULES, FUNCTION, *since)
    assert refused.code == 3
    assert "is an open door to the world, which is never waived" in refused.err
    named = f"{FUNCTION}.timeout_s {inner}"
    told = f"nothing was waived, because of {RULES}.rules; waive the others: tapctl waive --env dev {named}"
    command = f"{told} --reason 'the team'\"'\"'s own' --until 30d"
    assert command in " ".join(refused.err.split()), refused.err
    assert not (dev.folder / "environments" / "waivers.toml").exists()
    assert dev.tapctl("waive", "--env", "dev", *named.split(), *since).code == 0
    states = [one["state"] for one in dev.drift().of_type("finding")]
    assert sorted(states) == ["DRIFT", "WAIVED", "WAIVED"]


def test_a_stack_that_is_gone_has_nothing_to_waive(drifted: World) -> None:
    drifted.tapctl("destroy", "--env", "dev", "--yes")
    answer = drifted.tapctl("waive", "--env", "dev", "all", "--reason", "whatever", "--until", "1d")
    assert (answer.code, "nothing of dev is deployed" in answer.err) == (3, True)


@pytest.mark.soak
def test_a_waiver_of_a_statement_that_was_taken_away_covers_no_other_that_is_taken_away_later(dev: World) -> None:
    iam, names = dev.client("iam"), {"RoleName": "lambda-role-dev", "PolicyName": "lambda-policy-dev"}

    def statements() -> dict[str, Any]:
        document = iam.get_role_policy(**names)["PolicyDocument"]
        return {each["Sid"]: each for each in document["Statement"]}

    def take_away(sid: str) -> None:
        left = [each for name, each in statements().items() if name != sid]
        iam.put_role_policy(**names, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": left}))

    take_away("Trace")
    (found,) = dev.drift().of_type("finding")
    answer = dev.tapctl("waive", "--env", "dev", found["id"], "--reason", "no tracing", "--until", "30d")
    assert answer.code == 0, answer.err
    assert dev.drift().code == 0
    take_away("NoNetworkInterfacesForTheCode")
    told = dev.drift()
    states = {("Trace" in one["text"], one["state"]) for one in told.of_type("finding")}
    assert (told.code, states) == (2, {(True, "WAIVED"), (False, "DRIFT")})
    dev.applied("dev")
    assert ("Trace" in statements(), "NoNetworkInterfacesForTheCode" in statements()) == (False, True)
    assert dev.drift().code == 0
    (line,) = [each for each in dev.tapctl("plan", "--env", "dev").out.splitlines() if "waived" in each]
    assert line.split()[:3] == ["inline.lambda-policy-dev.statements", "-", "sid=Trace"]
