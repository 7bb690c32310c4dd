"""An apply that failed half way: what somebody touches afterwards is found, and shown as such in the next plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.failures.trouble import deny, refuse
from tests.stories.contract import holds
from tests.support.door import Proceed, Served, Trouble, Visit, denied, no_trouble
from tests.support.world import Answer, World

FUNCTION = "lambda-function/payment-processor-dev"
CLUSTER = "db-cluster/db-cluster-dev"
MEMBER = "db-instance/db-cluster-dev-0"
ROTATION = "secret-rotation/db-cluster-dev"


@pytest.fixture
def half(dev: World) -> World:
    """``dev`` after an apply whose new concurrency AWS refused, and another memory; the files are back."""
    file = dev.folder / "environments" / "dev.toml"
    before = file.read_text()
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1536")
    dev.edit("dev.toml", "reserved_concurrency = 10", "reserved_concurrency = 20")
    assert dev.meeting(deny("lambda:PutFunctionConcurrency"), "apply", "--env", "dev", "--yes").code == 4
    file.write_text(before)
    return dev


def tamper(world: World) -> None:
    client = world.client("lambda")
    found = client.get_function_configuration(FunctionName="payment-processor-dev")["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName="payment-processor-dev", Environment={"Variables": found | {"DB_ENDPOINT": "elsewhere.example"}}
    )
    client.add_permission(
        FunctionName="payment-processor-dev", StatementId="all", Action="lambda:InvokeFunction", Principal="*"
    )


def fields_not_compared(verdict: Mapping[str, Any]) -> list[str]:
    """The fields that were not compared, without what no field of a type compares (``type: words``)."""
    return [each for each in verdict["not_compared"] if ": " not in each]


def test_an_apply_that_failed_leaves_what_it_asked_for_pending_and_that_is_not_ok(half: World) -> None:
    answer = half.drift()
    records = holds(answer, "drift")
    told = [one for one in records if one["type"] == "finding"]
    findings = [(one["address"], one["field"], one["state"], one["recorded"], one["asked"]) for one in told]
    assert findings == [
        (FUNCTION, "memory_mb", "PENDING", 1024, 1536),
        (FUNCTION, "reserved_concurrency", "PENDING", 10, 20),
    ]
    assert (answer.code, records[-1]["status"]) == (7, "INCOMPLETE")
    assert records[-1]["compared"] == half.field_count()
    assert fields_not_compared(records[-1]) == []
    said = half.tapctl("drift", "--env", "dev")
    assert "memory_mb             1024 → 1536  PENDING an apply did not finish" in said.out
    assert said.verdict == "DRIFT dev: 0 drifted · 1 pending · 0 unknown"


def test_what_was_touched_after_a_failed_apply_is_drift_and_outside_in_the_plan(half: World) -> None:
    tamper(half)
    answer = half.drift()
    drifted = {one["field"] for one in answer.of_type("finding") if one["state"] == "DRIFT"}
    assert answer.code == 2
    assert "environment.DB_ENDPOINT" in drifted
    assert any(field.startswith("resource_policy") for field in drifted), drifted
    (change,) = half.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    outside = {field["path"]: field["outside"] for field in change["fields"]}
    assert outside.pop("memory_mb") is False
    assert set(outside.values()) == {True}
    half.applied("dev")
    assert half.drift().code == 0


def test_what_a_drift_could_not_compare_is_named_and_counted(dev: World) -> None:
    record = dev.manifest()
    del record["entries"]["sns-topic/alarms-dev"]["spec"]["signature_version"]
    dev.path().write_text(json.dumps(record))
    answer = dev.drift()
    last = holds(answer, "drift")[-1]
    assert (answer.code, fields_not_compared(last)) == (7, ["sns-topic/alarms-dev.signature_version"])
    assert last["compared"] == last["counts"]["compared"] == dev.field_count() - 1


@pytest.mark.soak
def test_a_run_that_was_cut_off_between_two_resources_is_no_ok_although_every_entry_is_made(dev: World) -> None:
    alarms = ["db-cpu-0-dev", "db-connections-0-dev"]
    dev.client("cloudwatch").delete_alarms(AlarmNames=alarms)
    record = dev.manifest()
    addresses = sorted(f"cloudwatch-alarm/{alarm}" for alarm in alarms)
    for address in addresses:
        del record["entries"][address]
    dev.path().write_text(json.dumps(record))
    dev.forget_fingerprint()
    answer = dev.drift()
    told = [(one["address"], one["field"], one["state"], one["cause"]) for one in answer.of_type("finding")]
    assert told == [(address, "*", "PENDING", "unfinished") for address in addresses]
    assert (answer.code, fields_not_compared(answer.records[-1])) == (7, addresses)
    status = dev.tapctl("status", "--env", "dev", "--json")
    assert status.code == 7
    assert status.of_type("status")[0]["problems"][0].startswith(f"not there: {addresses[0]}, {addresses[1]}: tapctl")
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1536")
    assert dev.drift().code == 7, "whichever files the record is of, they want these"


@pytest.mark.soak
def test_what_our_own_upgrade_that_was_cut_off_has_moved_is_no_change_from_outside(dev: World) -> None:
    before = dev.manifest()["entries"]
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    dev.applied("dev", "--allow", CLUSTER)
    record = dev.manifest()
    record["entries"][CLUSTER] |= {"phase": "making", "confirmed": before[CLUSTER]["spec"]}
    record["entries"][MEMBER] = before[MEMBER]
    dev.leave(record)
    dev.edit("common.toml", 'engine_version = "17.9"', 'engine_version = "16.13"')

    def outside() -> dict[str, bool]:
        (change,) = [
            each for each in dev.tapctl("plan", "--json").of_type("planned_change") if each["address"] == MEMBER
        ]
        return {field["path"]: field["outside"] for field in change["fields"]}

    assert outside() == {"parameter_group": False}
    drift = {(one["field"], one["state"]) for one in dev.drift().of_type("finding") if one["address"] == MEMBER}
    assert drift == {("parameter_group", "PENDING")}
    # What somebody has done to it meanwhile is his.
    dev.client("rds").modify_db_instance(
        DBInstanceIdentifier="db-cluster-dev-0", DBInstanceClass="db.r6g.large", ApplyImmediately=True
    )
    assert outside() == {"parameter_group": False, "instance_class": True}


@pytest.mark.soak
@pytest.mark.parametrize("being_made", [False, True])
def test_the_secret_of_a_cluster_that_our_own_apply_has_made_anew_was_replaced_by_nobody_else(
    dev: World, being_made: bool
) -> None:
    rds = dev.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0")
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", SkipFinalSnapshot=True)
    made = dev.meeting(deny("secretsmanager:RotateSecret"), "apply", "--env", "dev", "--yes", "--empty")
    assert made.code == 4, made.err
    if being_made:
        record = dev.manifest()
        record["entries"][CLUSTER] |= {"phase": "making", "outputs": None}
        dev.path().write_text(json.dumps(record))
    told = dev.drift()
    places = {(one["address"], one["field"].partition(".")[0], one["state"]) for one in told.of_type("finding")}
    fields = ("secret_arn", "rotation_days", "tags", "phase")
    assert {(ROTATION, field, "PENDING") for field in fields} == {place for place in places if place[0] == ROTATION}
    assert told.code == 7
    texts = {one["field"]: one["text"] for one in told.of_type("finding") if one["address"] == ROTATION}
    assert (texts["rotation_days"], texts["tags.ManagedBy"], texts["phase"]) == ("7 → 30", "(none) → tapctl", "")
    # What somebody has done to it meanwhile is his.
    secret = rds.describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"]
    dev.client("secretsmanager").rotate_secret(SecretId=secret, RotationRules={"AutomaticallyAfterDays": 90})
    (theirs,) = [one for one in dev.drift().of_type("finding") if one["state"] == "DRIFT"]
    assert (theirs["address"], theirs["field"], theirs["live"]) == (ROTATION, "rotation_days", 90)


@pytest.mark.soak
def test_what_our_own_destroy_that_was_cut_off_has_removed_was_removed_by_nobody_else(dev: World) -> None:
    rds = dev.client("rds")
    dev.forget_fingerprint()
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0")
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", FinalDBSnapshotIdentifier="db-cluster-dev-final-0")
    record = dev.manifest()
    # A destroy removes the function before the cluster that it is given.
    dev.client("lambda").delete_function(FunctionName="payment-processor-dev")
    for place in (MEMBER, FUNCTION):
        record["entries"][place]["phase"] = "leaving"
    kept(dev, record)
    record["serial"] += 1
    record["entries"][CLUSTER]["phase"] = "leaving"
    del record["entries"][MEMBER], record["entries"][FUNCTION]
    dev.path().write_text(json.dumps(record))
    planned = dev.tapctl("plan", "--env", "dev", "--json")
    changes = {each["address"]: (each["action"], each["outside"]) for each in planned.of_type("planned_change")}
    assert changes["secret-rotation/db-cluster-dev"] == ("create", False)
    drift = dev.drift()
    notes = {one["undo_note"] for one in drift.of_type("finding") if one["note"].startswith("its removal was")}
    assert (drift.code, len(notes)) == (7, 1)
    assert drift.err.count("tapctl apply --env dev makes again what it has removed\n") == 1
    assert "with --restore SNAPSHOT or --empty" in notes.pop()
    status = dev.tapctl("status", "--env", "dev")
    assert (status.code, "is missing" in status.out) == (7, False), status.out
    # Its data went by the destroy's plan; that what is made now is empty nobody has said.
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    # A cluster that somebody has removed is told as that, and what went with it.
    record["entries"][CLUSTER]["phase"] = "made"
    dev.path().write_text(json.dumps(record))
    planned = dev.tapctl("plan", "--env", "dev", "--json")
    outside = {each["address"] for each in planned.of_type("planned_change") if each["outside"]}
    assert outside == {CLUSTER, "secret-rotation/db-cluster-dev"}


# -- a first apply -----------------------------------------------------------------------------------------------------

GROUP, RULES, TOPIC = "security-group/db-sg-dev", "security-group-rules/db-sg-dev", "sns-topic/alarms-dev"
ALL_OUT = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def begun(world: World, *making: str) -> str:
    """Take the group's rules back to what EC2 gives a new one, and the record to these being made; the group's id."""
    record = world.manifest() | {"serial": 1}
    if RULES not in making:
        del record["entries"][RULES]
    for address in making:
        record["entries"][address] |= {"phase": "making", "outputs": None}
    world.path().write_text(json.dumps(record))
    ec2 = world.client("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=[ALL_OUT])
    return str(group["GroupId"])


def told_of_rules(answer: Answer) -> list[tuple[str, str, str]]:
    found = (one for one in answer.of_type("finding") if one["address"] == RULES)
    return [(one["field"], one["state"], one["note"]) for one in found]


@pytest.mark.soak
@pytest.mark.parametrize("making", [(GROUP,), (RULES,), (TOPIC,)], ids=["group", "rules", "others"])
def test_the_rule_that_ec2_gives_a_new_group_is_no_drift_while_a_first_apply_is_unfinished(
    dev: World, making: tuple[str, ...]
) -> None:
    begun(dev, *making)
    answer = dev.drift()
    assert (answer.code, told_of_rules(answer)) == (7, [("*", "PENDING", "an apply did not finish; run it again")])


def test_anything_else_that_is_open_is_drift_while_a_first_apply_is_unfinished(dev: World) -> None:
    group = begun(dev, GROUP)
    dev.client("ec2").authorize_security_group_egress(
        GroupId=group, IpPermissions=[ALL_OUT | {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}]
    )
    answer = dev.drift()
    assert answer.code == 2
    assert told_of_rules(answer)[1:] == [("rules", "DRIFT", "never wanted, whatever is recorded")]


def test_the_rule_of_a_new_group_is_drift_where_no_apply_is_unfinished(dev: World) -> None:
    """Somebody has taken the rules out of the record."""
    begun(dev)
    answer = dev.drift()
    assert answer.code == 2
    assert [state for _, state, _ in told_of_rules(answer)] == ["UNKNOWN", "DRIFT"]


def denied_after(times: int, name: str) -> Trouble:
    """Deny this operation after so many calls."""
    calls = 0

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        nonlocal calls
        calls += visit.name == name
        if visit.name == name and calls > times:
            raise denied(name)
        return proceed()

    return trouble


def test_an_apply_that_failed_before_a_change_was_begun_is_not_told_as_done(dev: World) -> None:
    look = "lambda:GetFunction"
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1536")
    dev.edit("common.toml", "retention_days = 30", "retention_days = 60")
    looks = dev.tapctl("plan", "--env", "dev").asked.count(look)
    failed = dev.meeting(denied_after(looks, look), "apply", "--env", "dev", "--yes")
    assert (failed.code, failed.changes.count("logs:PutRetentionPolicy")) == (4, 2), failed.err
    assert all(entry["phase"] == "made" for entry in dev.manifest()["entries"].values())
    told = dev.tapctl("drift", "--env", "dev")
    assert told.code == 7
    assert told.verdict.endswith("fields on 24 resources are as recorded · an apply did not finish")
    assert "an apply did not finish, and may have more to do: tapctl apply --env dev goes on" in told.err
    (row,) = dev.tapctl("status", "--env", "dev", "--json").of_type("status")
    assert (row["config"], row["health"]) == (
        "applied in part",
        "an apply did not finish: tapctl apply --env dev goes on",
    )
    changed, unfinished = (
        one for one in dev.tapctl("parity", "--live", "--json").of_type("difference") if one["where"] == "aws"
    )
    assert (changed["what"].endswith(" memory_mb"), changed["verdict"]) == (True, "NOT APPLIED")
    assert (unfinished["what"], unfinished["verdict"]) == ("an apply of dev did not finish", "UNKNOWN")
    dev.applied("dev")
    assert (dev.drift().code, dev.tapctl("status", "--env", "dev").code) == (0, 0)


@pytest.mark.soak
def test_what_an_apply_left_half_made_is_not_applied_to_a_live_parity(half: World) -> None:
    told = half.tapctl("parity", "--live", "--json")
    rows = [one for one in told.of_type("difference") if one["where"] == "aws"]
    assert {(one["what"].rpartition(" ")[2], one["verdict"]) for one in rows} == {
        ("memory_mb", "NOT APPLIED"),
        ("reserved_concurrency", "NOT APPLIED"),
    }
    assert told.code == 2


ALARM, MADE = "db-connections-0-dev", "db-memory-0-dev"


@pytest.fixture
def left_alarm(dev: World) -> World:
    """``dev`` with an alarm of the team's that a first apply was making when it was cut off; the files are back."""
    record, cloudwatch = dev.manifest(), dev.client("cloudwatch")
    entry = record["entries"][f"cloudwatch-alarm/{ALARM}"]
    tags = [{"Key": key, "Value": value} for key, value in entry["spec"]["tags"].items()]
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    needed = ("Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    cloudwatch.put_metric_alarm(AlarmName=MADE, Tags=tags, **{name: alarm[name] for name in needed})
    record["entries"][f"cloudwatch-alarm/{MADE}"] = entry | {"id": MADE, "phase": "making", "outputs": None}
    dev.path().write_text(json.dumps(record))
    return dev


def alarms(world: World) -> set[str]:
    return {one["AlarmName"] for one in world.client("cloudwatch").describe_alarms()["MetricAlarms"]}


@pytest.mark.soak
def test_what_a_cut_off_apply_was_making_and_the_files_want_no_longer_goes_by_a_destroy(left_alarm: World) -> None:
    assert left_alarm.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert alarms(left_alarm) == set()


@pytest.mark.soak
def test_a_chosen_name_of_a_stranger_is_refused_and_no_flag_that_does_nothing_there_is_named(left_alarm: World) -> None:
    cloudwatch = left_alarm.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[MADE])["MetricAlarms"]
    cloudwatch.tag_resource(ResourceARN=alarm["AlarmArn"], Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    for command in (("apply", "--yes"), ("destroy", "--yes")):
        refused = left_alarm.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        assert "if it is ours, set its tags" in refused.err
        assert "--adopt" not in refused.err


@pytest.mark.soak
def test_a_record_that_is_written_anew_goes_on_from_its_history(dev: World) -> None:
    before = dev.manifest()
    kept(dev, before)
    dev.path().unlink()
    dev.applied("dev")
    assert dev.manifest()["serial"] > before["serial"]
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1025")
    dev.applied("dev")
    # Whoever puts the old one back may give it a higher number. Then the version that the last run has left, by its
    # fingerprint, stands for it, and nobody has changed anything since.
    for number, states, code in ((before["serial"], {"DRIFT", "UNKNOWN"}, 6), (9999, {"UNKNOWN"}, 7)):
        dev.path().write_text(json.dumps(before | {"serial": number, "written_at": "2026-01-01T00:00:00Z"}))
        told = dev.drift()
        assert "the record is older than AWS" in told.err, number
        assert (told.code, {one["state"] for one in told.of_type("finding")}) == (2 if "DRIFT" in states else 7, states)
        reverted = dev.tapctl("revert", "--env", "dev", "--yes")
        assert (reverted.code, reverted.changes) == (code, ())


def kept(world: World, version: dict[str, Any]) -> Path:
    """Put this version of the record into the history; returns its file."""
    path = world.path().with_name("history") / "dev" / f"{version['serial']:08}-{version['run']}.json"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(version))
    return path


@pytest.mark.soak
@pytest.mark.parametrize("between", [False, True])
def test_a_destroy_that_was_cut_off_is_named_where_what_it_was_removing_is_gone(dev: World, between: bool) -> None:
    before, address = dev.manifest(), "cloudwatch-alarm/db-cpu-0-dev"
    kept(dev, before)
    half = before | {"serial": before["serial"] + 1, "run": "a-destroy"}
    half["entries"][address]["phase"] = "leaving"
    removing = kept(dev, half)
    half["serial"] += 1
    if between:
        # Nothing is being removed at the moment.
        del half["entries"][address]
    dev.path().write_text(json.dumps(half))
    dev.client("cloudwatch").delete_alarms(AlarmNames=["db-cpu-0-dev"])
    goes_on = "a destroy was cut off: tapctl destroy --env dev goes on with it; tapctl apply --env dev makes again"
    answer = dev.tapctl("drift", "--env", "dev")
    assert (answer.code, goes_on in answer.err, "--restore" in answer.err) == (7, True, False), answer.out
    assert ("an earlier version of the record removes it: a destroy was cut off" in answer.out) == between
    status = dev.tapctl("status", "--env", "dev")
    assert (status.code, "tapctl destroy --env dev goes on" in status.out) == (7, True)
    # Nothing but a version that is kept tells of a removal.
    removing.unlink()
    assert "a destroy was cut off" not in dev.tapctl("drift", "--env", "dev").err


@pytest.mark.parametrize("denied_to", ["iam:DeleteRole", "iam:CreateRole", "lambda:UpdateFunctionConfiguration"])
def test_what_lacks_of_a_role_that_our_own_apply_was_replacing_nobody_else_has_taken(
    dev: World, denied_to: str
) -> None:
    dev.edit("common.toml", "[processor]", '[organisation]\nrole_path = "/payments/"\n\n[processor]')
    assert dev.meeting(deny(denied_to), "apply", "--env", "dev", "--yes").code == 4
    told = dev.drift()
    states = {one["state"] for one in told.of_type("finding")}
    assert (told.code, states) == (7, {"PENDING"}), told.out


@pytest.mark.soak
def test_what_our_own_destroy_has_kept_is_not_missing_while_an_apply_over_it_is_unfinished(dev: World) -> None:
    made = dev.manifest()["entries"]["db-subnet-group/db-subnet-dev"]
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    record = dev.manifest()
    assert {entry["phase"] for entry in record["entries"].values()} == {"kept"}
    kept(dev, record)
    half = {"db-subnet-group/db-subnet-dev": made | {"phase": "making", "outputs": None}}
    begun = {"entries": record["entries"] | half, "unfinished": True, "serial": record["serial"] + 1}
    dev.path().write_text(json.dumps(record | begun))
    told = dev.drift()
    assert (told.code, {one["state"] for one in told.of_type("finding")}) == (7, {"PENDING"}), told.out


def test_a_function_that_leaves_is_in_the_default_group_by_our_own_doing(dev: World) -> None:
    """So its interfaces hold no group of ours any more."""
    ec2, record = dev.client("ec2"), dev.manifest()
    record["entries"][FUNCTION]["phase"] = "leaving"
    dev.path().write_text(json.dumps(record))
    vpc = record["networking"]["vpc_id"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    (default,) = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]
    theirs = ec2.create_security_group(GroupName="theirs", Description="-", VpcId=vpc)

    def drift_in(group: dict[str, Any], trouble: Trouble = no_trouble) -> Answer:
        moved = {"SubnetIds": record["networking"]["subnet_ids"], "SecurityGroupIds": [group["GroupId"]]}
        dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", VpcConfig=moved)
        return dev.meeting(trouble, "drift", "--env", "dev")

    assert drift_in(default).code == 7
    assert drift_in(theirs).code == 2

    def may_not_ask(visit: Visit, proceed: Proceed) -> Served:
        if "default" in str(visit.params.get("Filters")):
            raise denied(visit.name)
        return proceed()

    assert drift_in(default, may_not_ask).code == 2


def test_what_a_removal_of_ours_has_unset_is_no_change_from_outside_while_an_apply_brings_it_back(dev: World) -> None:
    """A destroy was cut off, and so was the apply that brings back what it had begun with."""
    role, rules = "iam-role/lambda-role-dev", "security-group-rules/lambda-sg-dev"
    record, client, ec2 = dev.manifest(), dev.client("lambda"), dev.client("ec2")
    unset = ((FUNCTION, "security_group_ids"), (role, "inline"), (rules, "rules"))
    leaving = {place: record["entries"][place] | {"phase": "leaving"} for place, _ in unset}
    kept(dev, record | {"entries": record["entries"] | leaving, "serial": record["serial"] - 1})
    for place, field in unset:
        confirmed = {name: value for name, value in record["entries"][place]["spec"].items() if name != field}
        record["entries"][place] |= {"phase": "making", "confirmed": confirmed}
    dev.path().write_text(json.dumps(record))
    of_vpc = [{"Name": "vpc-id", "Values": [record["networking"]["vpc_id"]]}]
    groups = {one["GroupName"]: one for one in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]}
    ours, default = groups["lambda-sg-dev"], groups["default"]["GroupId"]
    (https,) = (one for one in ours["IpPermissionsEgress"] if one["FromPort"] == 443)
    ec2.revoke_security_group_egress(GroupId=ours["GroupId"], IpPermissions=[https])
    # What no removal leaves somebody else has put there.
    inner = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ec2.authorize_security_group_egress(GroupId=ours["GroupId"], IpPermissions=[inner])
    moved = {
        "SubnetIds": record["networking"]["subnet_ids"],
        "SecurityGroupIds": [default, groups["db-sg-dev"]["GroupId"]],
    }
    client.update_function_configuration(FunctionName="payment-processor-dev", VpcConfig=moved)
    told = dev.drift()
    drifted = {(one["address"], one["field"]) for one in told.of_type("finding") if one["state"] == "DRIFT"}
    assert (told.code, drifted) == (2, {(rules, "rules"), (FUNCTION, "security_group_ids")})

    ec2.revoke_security_group_egress(GroupId=ours["GroupId"], IpPermissions=[inner])
    moved["SecurityGroupIds"] = [default]
    client.update_function_configuration(FunctionName="payment-processor-dev", VpcConfig=moved)
    dev.client("iam").delete_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev")
    told = dev.drift()
    assert (told.code, {one["state"] for one in told.of_type("finding")}) == (7, {"PENDING"}), told.out
    planned = dev.tapctl("plan", "--env", "dev", "--json")
    assert not any(field["outside"] for one in planned.of_type("planned_change") for field in one["fields"])


@pytest.mark.parametrize("beside", ["", "half made", "unfinished", "no file"])
def test_what_no_run_has_removed_is_missing_though_the_record_does_not_hold_it(dev: World, beside: str) -> None:
    alarm, topic = "cloudwatch-alarm/db-cpu-0-dev", "sns-topic/alarms-dev"
    record = dev.manifest()
    version = kept(dev, record)
    del record["entries"][alarm]
    dev.client("cloudwatch").delete_alarms(AlarmNames=["db-cpu-0-dev"])
    if beside in ("half made", "unfinished"):
        record["entries"][topic] |= {"phase": "making", "confirmed": record["entries"][topic]["spec"]}
    if beside == "no file":
        dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 12")
    dev.path().write_text(
        json.dumps(record | {"serial": record["serial"] + 1} | ({"unfinished": True} if beside == "unfinished" else {}))
    )
    told = dev.drift()
    (found,) = [one for one in told.of_type("finding") if one["address"] == alarm]
    assert (told.code, found["state"], "tapctl destroy" in told.err) == (2, "MISSING", False)
    version.unlink()
    told = dev.drift()
    states = [one["state"] for one in told.of_type("finding") if one["address"] == alarm]
    # An apply that was cut off may not have come to it yet.
    assert (told.code, states) == (7, [] if beside == "unfinished" else ["PENDING"])


@pytest.mark.soak
def test_what_was_read_back_once_is_compared_with_that_though_it_is_being_made_by_the_record(dev: World) -> None:
    """An apply that makes a resource for the first time has read none of it back."""
    key, logs = "kms-key/alias/db-key-dev", "log-group//aws/lambda/payment-processor-dev"
    record = dev.manifest()
    version = kept(dev, record)
    kms = dev.client("kms")
    kms.disable_key_rotation(KeyId=record["entries"][key]["outputs"]["key_id"])
    dev.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=1)
    for place, confirmed in ((key, None), (logs, {})):
        record["entries"][place] |= {"phase": "making", "confirmed": confirmed}
    dev.path().write_text(json.dumps(record | {"serial": record["serial"] + 1}))
    told = dev.drift()
    drifted = {(one["address"], one["field"]) for one in told.of_type("finding") if one["state"] == "DRIFT"}
    assert (told.code, drifted) == (2, {(key, "rotation"), (key, "rotation_period_days"), (logs, "retention_days")})
    # Which serial the record says that it has is its own word.
    dev.path().write_text(json.dumps(record | {"serial": 1}))
    assert dev.drift().code == 2
    dev.path().write_text(json.dumps(record | {"serial": record["serial"] + 1}))
    # Where nobody can tell, it is compared with what is asked for.
    whole = version.read_bytes()
    for text in (b"{}", None):
        version.write_bytes(text) if text else version.unlink()
        blind = dev.drift()
        places = {(one["address"], one["field"]) for one in blind.of_type("finding") if one["state"] == "DRIFT"}
        assert (blind.code, places) == (2, drifted), text
        assert "what was made, or removed, before this version nobody can tell" in blind.err
    version.write_bytes(whole)
    # Another thing is told as that, unless a run of ours has removed the first, or taken its entry out.
    arn, unused = record["entries"][key]["outputs"]["arn"].rpartition("/")[0], "00000000-0000-4000-8000-000000000000"
    of_another = {"outputs": {"key_id": unused, "arn": f"{arn}/{unused}"}}
    for changed, code in ((of_another, 2), ({"phase": "leaving"}, 7), ({"phase": "kept"}, 7), ({}, 7)):
        other = json.loads(whole)
        for place in (key, logs):
            if not changed:
                del other["entries"][place]
            elif place == key or "phase" in changed:
                other["entries"][place] |= changed
        version.write_text(json.dumps(other))
        told = dev.drift()
        assert (told.code, any(one["note"] == "replaced outside" for one in told.of_type("finding"))) == (
            code,
            code == 2,
        )
    # What is gone was removed by nobody but somebody else.
    version.write_bytes(whole)
    dev.client("logs").delete_log_group(logGroupName="/aws/lambda/payment-processor-dev")
    states = {(one["address"], one["state"]) for one in dev.drift().of_type("finding")}
    assert (logs, "MISSING") in states


@pytest.mark.soak
def test_a_variable_that_a_failed_apply_has_not_reached_is_as_it_was(dev: World) -> None:
    dev.edit("common.toml", "\n[processor]\n", '\n[processor.environment]\nPARTNER_HOST = "a.example"\n\n[processor]\n')
    dev.applied("dev")
    dev.edit("common.toml", "a.example", "b.example")
    dev.meeting(deny("lambda:UpdateFunctionConfiguration"), "apply", "--env", "dev", "--yes")
    told = dev.drift().of_type("finding")
    assert [(one["field"], one["state"]) for one in told] == [("environment.PARTNER_HOST", "PENDING")]


@pytest.mark.soak
def test_an_upgrade_that_rds_refused_and_nobody_wants_any_more_blocks_nothing(dev: World) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    refusing = refuse(("rds:ModifyDBCluster",), "InvalidParameterCombination")
    assert dev.meeting(refusing, "apply", "--env", "dev", "--yes", "--allow", CLUSTER).code == 4
    dev.edit("common.toml", 'engine_version = "17.9"', 'engine_version = "16.13"')
    plan, told = dev.tapctl("plan", "--env", "dev"), dev.tapctl("drift", "--env", "dev")
    assert (plan.code, told.code, "blocked" in plan.out + told.out) == (0, 7, False)
    wanted = dev.drift().records[-1]["wanted"]["changes"]
    assert CLUSTER not in wanted
    dev.applied("dev")
    assert dev.drift().code == 0


def test_a_boundary_that_is_not_ours_outlives_a_replacement_of_the_role_that_is_cut_off(dev: World) -> None:
    iam = dev.client("iam")
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    boundary = iam.create_policy(PolicyName="bound", PolicyDocument=policy)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="lambda-role-dev", PermissionsBoundary=boundary)
    file = dev.folder / "environments" / "common.toml"
    file.write_text(f'{file.read_text()}\n[organisation]\nrole_path = "/payments/"\n')
    assert dev.meeting(deny("iam:CreateRole"), "apply", "--env", "dev", "--yes").code == 4
    assert dev.manifest()["entries"]["iam-role/lambda-role-dev"]["carried"] == {"permissions_boundary": boundary}

    planned = dev.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    assert [one["spared"] for one in planned if one["address"].startswith("iam-role/")] == [
        {"permissions_boundary": boundary}
    ]
    dev.applied("dev")

    role = iam.get_role(RoleName="lambda-role-dev")["Role"]
    assert (role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"]) == ("/payments/", boundary)
    assert [one["field"] for one in dev.drift().of_type("finding")] == ["permissions_boundary"]
