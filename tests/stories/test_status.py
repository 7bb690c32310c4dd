"""status of what is not well: drift, alarms that ring, reboots, states with their reasons, a run under way."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tapctl.manifest import open_store
from tapctl.render.terminal import table_lines
from tests.failures.test_answers import answering
from tests.failures.trouble import deny
from tests.manifest.examples import SAM
from tests.stories.test_drift_access import OPEN, group_id, permission
from tests.support.answered import Member
from tests.support.door import Proceed, Refusal, Served, Trouble, Visit, denied
from tests.support.world import Answer, World

FUNCTION = "lambda-function/payment-processor-dev"


def row(answer: Answer) -> dict[str, Any]:
    (found,) = answer.of_type("status")
    return found


def inactive(code: str | None, reason: str = "the subnets have no addresses", state: str = "Inactive") -> Trouble:
    """The function's state as Lambda tells it once it has taken its resources away, or has given up on it."""
    told = {"State": state, "StateReasonCode": code, "StateReason": reason} if code else {"State": state}

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name not in ("lambda:GetFunction", "lambda:GetFunctionConfiguration"):
            return status, headers, body
        answer = json.loads(body)
        answer.get("Configuration", answer).update(told)
        return answered(headers, answer)

    return trouble


def answered(headers: list[tuple[str, str]], told: Any) -> Served:
    """An answer that says this instead."""
    content = json.dumps(told).encode()
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return 200, [*kept, ("Content-Length", str(len(content)))], content


def ring(world: World) -> None:
    world.client("cloudwatch").set_alarm_state(AlarmName="db-cpu-0-dev", StateValue="ALARM", StateReason="hot")


def open_the_database(world: World) -> None:
    world.client("ec2").authorize_security_group_ingress(
        GroupId=group_id(world, "db-sg-dev"), IpPermissions=permission(5432, "0.0.0.0/0")
    )


def let_a_reboot_wait(world: World) -> None:
    parameter = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    world.client("rds").modify_db_parameter_group(
        DBParameterGroupName="db-instance-params-pg16-dev", Parameters=[parameter]
    )


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (ring, ["cloudwatch-alarm/db-cpu-0-dev rings"]),
        (open_the_database, ["DRIFT: 1 drifted (security-group-rules/db-sg-dev)"]),
        (
            let_a_reboot_wait,
            [
                "DRIFT: 1 drifted (db-parameter-group/db-instance-params-pg16-dev)",
                "db-instance/db-cluster-dev-0 waits for a reboot",
            ],
        ),
    ],
)
def test_what_is_not_well_is_named_and_ends_with_2(
    dev: World, tamper: Callable[[World], None], said: list[str]
) -> None:
    assert dev.tapctl("status").code == 0
    tamper(dev)
    answer = dev.tapctl("status", "--json")
    assert (answer.code, answer.changes) == (2, ())
    assert len(row(answer)["problems"]) == len(said)
    for problem, words in zip(row(answer)["problems"], said, strict=True):
        assert words in problem
        assert problem in row(answer)["health"]
    text = dev.tapctl("status", "--env", "dev")
    assert (text.code, text.verdict) == (2, "STATUS dev: 1 deployed · 0 healthy")
    for words in said:
        assert words in text.out


def test_an_alarm_that_cloudwatch_cannot_evaluate_is_not_well(dev: World) -> None:
    def broken(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name == "cloudwatch:DescribeAlarms":
            told = json.loads(body)
            alarm = next(one for one in told["MetricAlarms"] if one["AlarmName"] == "db-cpu-0-dev")
            alarm.update(EvaluationState="EVALUATION_ERROR", StateReason="no such metric")
            return answered(headers, told)
        return status, headers, body

    seen = dev.meeting(broken, "status", "--json")
    said = "cloudwatch-alarm/db-cpu-0-dev is not evaluated as it should be: EVALUATION_ERROR: no such metric"
    assert (seen.code, row(seen)["problems"]) == (2, [said])


@pytest.mark.soak
def test_many_problems_are_counted_in_the_row_and_all_in_json(dev: World) -> None:
    client = dev.client("cloudwatch")
    names = sorted(alarm["AlarmName"] for alarm in client.describe_alarms()["MetricAlarms"])
    for name in names:
        client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="hot")
    found = row(dev.tapctl("status", "--json"))
    assert len(found["problems"]) == len(names) == 5
    assert found["health"].endswith("rings; and 2 more")


def test_alarms_that_aws_gives_no_answer_about_are_an_error(dev: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "cloudwatch:DescribeAlarms" and visit.nth > 1:
            raise Refusal("InvalidParameterValue", "no")
        return proceed()

    answer = dev.meeting(trouble, "status", "--env", "dev", "--json")
    assert answer.code == 1
    assert row(answer)["health"].startswith("unknown: InvalidParameterValue")


class TestOfAFunction:
    def test_that_failed_its_reason_is_told(self, dev: World) -> None:
        answer = dev.meeting(inactive("InvalidImage", "the image is gone", "Failed"), "status", "--json")
        assert answer.code == 2
        assert "the image is gone" in row(answer)["health"]

    def test_that_is_inactive_state_and_reason_are_told(self, dev: World) -> None:
        answer = dev.meeting(inactive("SubnetOutOfIPAddresses"), "status", "--json")
        reason = f"{FUNCTION} is Inactive: SubnetOutOfIPAddresses: the subnets have no addresses"
        assert (answer.code, row(answer)["health"]) == (2, reason)

    def test_that_is_inactive_without_a_reason_that_is_told(self, dev: World) -> None:
        answer = dev.meeting(inactive(None), "status", "--json")
        assert answer.code == 2
        assert row(answer)["health"] == f"{FUNCTION} is Inactive: Unknown: AWS gives no reason"

    def test_that_nobody_calls_and_rests_is_well(self, dev: World) -> None:
        dev.door.sandbox.simulation.script("lambda.rest", "Idle")
        answer = dev.tapctl("status")
        assert answer.code == 0
        assert "Idle" in answer.out + answer.err

    def test_that_rests_and_has_drifted_is_not_well(self, dev: World) -> None:
        dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=33)
        idle = inactive("Idle", "nobody calls it")
        told = row(dev.meeting(idle, "status", "--json"))
        assert told["problems"] == [f"DRIFT: 1 drifted ({FUNCTION})"]
        assert "its next call fails, and wakes it" in told["health"]


def test_what_somebody_changed_on_what_is_half_made_is_told(dev: World) -> None:
    forged = dev.manifest()
    entry = forged["entries"][FUNCTION]
    entry.update(phase="making", confirmed=entry["spec"] | {"timeout_s": 31})
    dev.path().write_text(json.dumps(forged))
    assert dev.tapctl("status").code == 7
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=33)
    answer = dev.tapctl("status", "--json")
    assert (answer.code, len(row(answer)["problems"])) == (2, 2)
    assert f"DRIFT: 1 drifted ({FUNCTION})" in row(answer)["problems"]


def test_instances_that_may_not_be_read_are_not_told_as_out_of_service(dev: World) -> None:
    answer = dev.meeting(deny("rds:DescribeDBInstances"), "status", "--json")
    assert (answer.code, "instances serve" in row(answer)["health"]) == (7, False)


def test_instances_of_which_none_serves_are_counted(dev: World) -> None:
    dev.client("rds").delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0")
    found = row(dev.tapctl("status", "--json"))
    assert "0 of 1 instances serve" in found["problems"]


def telling(listed: str, **more: Any) -> Callable[[dict[str, Any]], None]:
    """Let every item of this list of an answer hold these members."""

    def tell(answer: dict[str, Any]) -> None:
        for each in answer[listed]:
            each.update(more)

    return tell


def test_a_database_that_rds_works_on_serves_and_a_subnet_group_that_is_not_complete_is_told(dev: World) -> None:
    moving = [{"VpcSecurityGroupId": group_id(dev, "db-sg-dev"), "Status": "adding"}]
    with (
        answering("rds:DescribeDBInstances", telling("DBInstances", DBInstanceStatus="backing-up")),
        answering("rds:DescribeDBClusters", telling("DBClusters", VpcSecurityGroups=moving)),
    ):
        found = dev.tapctl("status", "--env", "dev", "--json")
    assert (found.code, row(found)["problems"]) == (0, [])
    with answering("rds:DescribeDBInstances", telling("DBInstances", DBInstanceStatus="rebooting")):
        assert "0 of 1 instances serve" in row(dev.tapctl("status", "--env", "dev", "--json"))["problems"]
    with answering("rds:DescribeDBSubnetGroups", telling("DBSubnetGroups", SubnetGroupStatus="Incomplete")):
        found = dev.tapctl("status", "--env", "dev", "--json")
    assert (found.code, row(found)["problems"]) == (2, ["db-subnet-group/db-subnet-dev is Incomplete"])


STATES = [
    ("rds:DescribeDBSubnetGroups DBSubnetGroups[].SubnetGroupStatus", 7),
    ("rds:DescribeDBSubnetGroups DBSubnetGroups[].Subnets[].SubnetStatus", 7),
    ("rds:DescribeDBClusters DBClusters[].MasterUserSecret.SecretStatus", 7),
    ("rds:DescribeDBClusters DBClusters[].HttpEndpointEnabled", 7),
    ("cloudwatch:DescribeAlarms MetricAlarms[].StateValue", 7),
    ("kms:DescribeKey KeyMetadata.KeyState", 2),
    ("rds:DescribeDBClusters DBClusters[].Status", 1),
    ("rds:DescribeDBInstances DBInstances[].DBInstanceStatus", 1),
    ("rds:DescribeEventSubscriptions EventSubscriptionsList[].Status", 1),
    ("lambda:GetFunction Configuration.State", 1),
    ("lambda:GetFunction Configuration.LastUpdateStatus", 1),
]
"""Members by which status judges, with its exit status where AWS leaves one out: that of what drift, too, is told."""


def test_a_state_that_aws_leaves_out_is_not_known_and_nothing_is_healthy_by_it(dev: World) -> None:
    for member, code in STATES:
        operation, way = member.split()
        with answering(operation, Member(operation, tuple(re.findall(r"\w+|\[\]", way)), "").drop):
            found = dev.tapctl("status", "--env", "dev", "--json")
        assert (found.code, bool(row(found)["problems"])) == (code, True), (member, row(found))
        assert "healthy" not in row(found)["health"], member


def all_alarms_are(state: str, answer: dict[str, Any]) -> None:
    for alarm in answer["MetricAlarms"]:
        alarm["StateValue"] = state


def test_what_status_cannot_judge_is_named_and_only_what_is_known_otherwise_is_drift(dev: World) -> None:
    def silent(answer: dict[str, Any]) -> None:
        for group in answer["DBSubnetGroups"]:
            del group["SubnetGroupStatus"]

    def dark(answer: dict[str, Any]) -> None:
        for alarm in answer["MetricAlarms"]:
            del alarm["StateValue"]

    with answering("rds:DescribeDBSubnetGroups", silent):
        found = row(dev.tapctl("status", "--env", "dev", "--json"))
        assert dev.tapctl("drift", "--env", "dev").code == 0
    assert found["problems"] == ["db-subnet-group/db-subnet-dev cannot be judged: AWS does not tell its state"]
    assert (found["unseen"], found["next"]) == (found["problems"], "tapctl status --env dev")
    with answering("cloudwatch:DescribeAlarms", dark):
        problems = row(dev.tapctl("status", "--env", "dev", "--json"))["problems"]
    assert "cloudwatch-alarm/db-cpu-0-dev cannot be judged: AWS does not tell if it rings" in problems
    for word in ("unknown", "ALARM ", "ok"):
        with answering("cloudwatch:DescribeAlarms", partial(all_alarms_are, word)):
            odd = dev.tapctl("status", "--env", "dev", "--json")
        told = f"cloudwatch-alarm/db-cpu-0-dev cannot be judged: AWS does not tell if it rings (state {word!r})"
        assert (odd.code, told in row(odd)["problems"]) == (7, True)
    with answering("rds:DescribeDBClusters", lambda answer: answer["DBClusters"][0].pop("HttpEndpointEnabled")):
        (finding,) = dev.drift().of_type("finding")
        assert dev.tapctl("plan", "--env", "dev").code == 0
    assert (finding["field"], finding["state"]) == ("http_endpoint", "UNKNOWN")


def test_subnets_of_the_group_that_are_not_active_are_told(dev: World) -> None:
    def inactive_subnets(answer: dict[str, Any]) -> None:
        for group in answer["DBSubnetGroups"]:
            for subnet in group["Subnets"][:2]:
                subnet["SubnetStatus"] = "Inactive"

            group["Subnets"][2].pop("SubnetStatus")

    with answering("rds:DescribeDBSubnetGroups", inactive_subnets):
        found = dev.tapctl("status", "--env", "dev", "--json")
    (problem,) = row(found)["problems"]
    assert found.code == 2
    told = "db-subnet-group/db-subnet-dev is Complete, subnet-[0-9a-f]+ Inactive, subnet-[0-9a-f]+ Inactive"
    assert re.fullmatch(told, problem)


@pytest.mark.parametrize("phase", ["leaving", "making"])
def test_an_instance_that_a_run_of_ours_was_making_or_removing_is_none_that_should_serve(
    dev: World, phase: str
) -> None:
    dev.client("rds").delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0")
    half = dev.manifest()
    here = "db-instance/db-cluster-dev-0"
    half["entries"][here]["phase"] = phase
    dev.path().write_text(json.dumps(half))
    answer = dev.tapctl("status", "--json")
    found = row(answer)
    assert answer.code == 7, found
    assert found["problems"] == found["unseen"]
    assert found["problems"][0].startswith(f"{here} was left half ")


def test_an_instance_on_which_aws_works_for_an_unfinished_run_of_ours_is_left_to_that_run(dev: World) -> None:
    """RDS upgrades the members with their cluster, and makes the secret with it."""

    def upgrading(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name == "rds:DescribeDBInstances":
            body = body.replace(b">available<", b">upgrading<")
        return status, headers, body

    here, record = "db-instance/db-cluster-dev-0", dev.manifest()
    for phase, code in (("making", 7), ("made", 2)):
        record["entries"]["db-cluster/db-cluster-dev"]["phase"] = phase
        dev.path().write_text(json.dumps(record))
        told = dev.meeting(upgrading, "status", "--json")
        problems = row(told)["problems"]
        assert (told.code, f"{here} is upgrading" in problems) == (code, True)
        assert ("0 of 1 instances serve" in problems) is (code == 2)


def test_what_decides_the_exit_status_is_shown_first(dev: World) -> None:
    half = dev.manifest()
    for address in sorted(half["entries"])[:5]:
        half["entries"][address]["phase"] = "making"
    dev.path().write_text(json.dumps(half))
    ring(dev)
    answer = dev.tapctl("status", "--json")
    assert (answer.code, row(answer)["health"].startswith("cloudwatch-alarm/db-cpu-0-dev rings; ")) == (2, True)


def test_alarms_that_cannot_be_read_leave_the_status_incomplete(dev: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        # The first read is the comparison's, the second asks which ring.
        if visit.name == "cloudwatch:DescribeAlarms" and visit.nth > 1:
            raise denied(visit.name)
        return proceed()

    answer = dev.meeting(trouble, "status", "--env", "dev", "--json")
    assert (answer.code, row(answer)["problems"]) == (
        7,
        ["alarms cannot be read: cloudwatch:DescribeAlarms denied"],
    )


def test_what_may_not_be_read_leaves_the_status_incomplete(dev: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name in ("kms:GetKeyPolicy", "sns:GetTopicAttributes"):
            raise denied(visit.name)
        return proceed()

    answer = dev.meeting(trouble, "status", "--json")
    assert answer.code == 7
    assert row(answer)["problems"] == [
        "sns-topic/alarms-dev cannot be read: sns:GetTopicAttributes denied",
        "1 could not be compared whole: kms-key/alias/db-key-dev",
    ]
    compared = dev.meeting(trouble, "drift", "--env", "dev", "--json").of_type("verdict")[0]["not_compared"]
    assert row(answer)["not_compared"]
    assert set(row(answer)["not_compared"]) <= {*compared}


def test_each_row_that_is_not_well_says_what_to_run_next(dev: World) -> None:
    assert row(dev.tapctl("status", "--json"))["next"] == ""
    assert "next" not in dev.tapctl("status").out
    open_the_database(dev)
    told = row(dev.tapctl("status", "--json"))
    assert told["next"] == "tapctl drift --env dev"
    shown = dev.tapctl("status").out.splitlines()
    assert (shown[0].split()[-1], shown[1].endswith("  tapctl drift --env dev")) == ("next", True)
    columns = shown[0].split()
    for width in range(60, 200, 20):
        fitted = table_lines(columns, [[str(told[each]) for each in columns]], width=width)
        assert max(map(len, fitted)) <= width
        assert fitted[-1].split()[-4:] == told["next"].split()
    for command in ("status --env dev", "status"):
        answer = dev.meeting(deny("sts:GetCallerIdentity"), *command.split())
        assert answer.code == 9
        assert "AccessDenied on sts:GetCallerIdentity: " in answer.err
        assert "(request " in answer.err
        assert "hint   allow sts:GetCallerIdentity" in answer.err
        assert "the row of dev tells what its record does, and no more" in answer.err
        assert "allow sts:GetCallerIdentity, check with: aws sts get-caller-identity" in answer.out
    ring(dev)
    unheard = dev.meeting(deny("cloudwatch:DescribeAlarms"), "status")
    assert "AccessDenied on cloudwatch:DescribeAlarms: " in unheard.err
    dev.client("ec2").revoke_security_group_ingress(
        GroupId=group_id(dev, "db-sg-dev"), IpPermissions=permission(5432, "0.0.0.0/0")
    )
    rung = row(dev.tapctl("status", "--json"))["next"]
    assert rung.startswith("aws cloudwatch describe-alarm-history --alarm-name db-cpu-0-dev --region us-east-2")


@pytest.fixture
def held(dev: World) -> Iterator[World]:
    """dev while sam changes it."""
    with open_store(str(dev.folder / "manifests"), None).lock("dev", SAM):
        yield dev


@pytest.mark.parametrize("verb", ["drift", "status", "plan", "plan --destroy", "parity --live"])
def test_a_run_under_way_is_told_and_nothing_is_locked(held: World, verb: str) -> None:
    answer = (
        held.tapctl(*verb.split(), "dev") if verb.startswith("parity") else held.tapctl(*verb.split(), "--env", "dev")
    )
    assert answer.code == 0
    assert "a run is under way" in answer.out + answer.err
    assert f"{SAM}" in answer.out + answer.err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"phase": "making", "confirmed": None}, [f"a run is making {FUNCTION}"]),
        ({"phase": "leaving"}, [f"a run is removing {FUNCTION}"]),
        ({}, ["an apply is at work"]),
    ],
)
def test_what_a_run_under_way_has_begun_was_not_cut_off(held: World, changed: dict[str, Any], told: list[str]) -> None:
    record = held.manifest()
    record["entries"][FUNCTION] |= changed
    held.path().write_text(json.dumps(record if changed else record | {"unfinished": True}))
    answer = held.tapctl("status", "--env", "dev", "--json")
    assert (answer.code, row(answer)["problems"]) == (7, told)
    drift = held.tapctl("drift", "--env", "dev")
    assert (drift.code, "a run is under way" in drift.err) == (7, True)
    assert "cut off" not in drift.err
    assert "did not finish, and may" not in drift.err


def changing(world: World, looks: int) -> Trouble:
    """Sam's apply: it gives the function another memory, and records that, right before each of so many looks at it."""
    client, sizes = world.client("lambda"), iter(range(1025, 1025 + looks))

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "lambda:GetFunction" and (size := next(sizes, 0)):
            record = world.manifest()
            record.update(serial=record["serial"] + 1, config_hash=f"{size:064}")
            record["entries"][FUNCTION]["spec"]["memory_mb"] = size
            client.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=size)
            world.leave(record)
        return proceed()

    return trouble


@pytest.mark.parametrize("verb", ["drift --env dev", "status", "parity --live dev", "plan --env dev"])
def test_what_a_run_changes_during_the_look_is_told_as_that_and_is_no_drift(held: World, verb: str) -> None:
    answer = held.meeting(changing(held, 9), *verb.split(), "--json")
    told = answer.out + answer.err
    assert answer.code == (0 if verb.startswith("plan") else 7), told
    assert f"{SAM}" in told
    assert "DRIFT" not in answer.out
    assert "older than AWS" not in told
    if verb.startswith("drift"):
        (finding,) = answer.of_type("finding")
        assert (finding["address"], finding["field"], finding["state"]) == (FUNCTION, "memory_mb", "PENDING")
        assert finding["note"].startswith("a run was changing it")
    elif verb.startswith("status"):
        assert row(answer)["problems"] == [f"a run is changing {FUNCTION}"]
    elif verb.startswith("plan"):
        assert [change["outside"] for change in answer.of_type("planned_change") if change["fields"]] == [False]


def test_a_run_that_ended_during_the_look_leaves_no_difference(dev: World) -> None:
    assert dev.meeting(changing(dev, 1), "drift", "--env", "dev").code == 0


def test_a_run_that_was_killed_is_none_under_way(dev: World) -> None:
    code = (
        "import os, sys; from tapctl.manifest import open_store; from tapctl.manifest.lock import LockHolder\n"
        "with open_store('manifests', None).lock('dev', LockHolder.here('sam', 'tapctl apply', {})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=dev.folder, check=False).returncode == 9
    assert (dev.folder / "manifests" / "dev.lock").read_text()
    answer = dev.tapctl("status", "--env", "dev", "--json")
    assert (answer.code, row(answer)["under_way"]) == (0, "")


@pytest.mark.parametrize("verb", ["drift", "status", "plan"])
def test_a_lock_that_is_held_and_names_nobody_is_a_run_under_way(dev: World, verb: str) -> None:
    with (dev.folder / "manifests" / "dev.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = dev.tapctl(verb, "--env", "dev")
    assert answer.code == 0
    assert "a run is under way" in answer.out + answer.err
    assert "somebody who has left no name" in answer.out + answer.err


def test_a_lock_that_cannot_be_read_stops_no_look(dev: World) -> None:
    (dev.folder / "manifests" / "dev.lock").unlink(missing_ok=True)
    (dev.folder / "manifests" / "dev.lock").symlink_to("/dev/zero")
    for timeout_s, code in ((30, 0), (31, 2)):  # where something differs the lock is looked at twice
        dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=timeout_s)
        answer = dev.tapctl("drift", "--env", "dev")
        assert (answer.code, "under way" in answer.err) == (code, False)
        assert answer.err.count("nobody can tell if a run is at work: the lock cannot be read: ") == 1


@pytest.mark.parametrize("verb", ["drift", "status", "status --env dev", "drift --env dev", "outputs --env dev"])
@pytest.mark.parametrize("kind", ["missing", "empty", "s3"])
def test_a_state_that_holds_nothing_is_an_error_that_says_what_was_looked_for(
    shared: World, kind: str, verb: str
) -> None:
    state = "typo"
    if kind == "empty":
        state = "empty"
        (shared.folder / state).mkdir(exist_ok=True)
    if kind == "s3":
        state = "s3://records-of-nobody/misspelt"
        region = {"LocationConstraint": "us-east-2"}
        shared.client("s3").create_bucket(Bucket="records-of-nobody", CreateBucketConfiguration=region)
    answer = shared.tapctl(*verb.split(), "--state", state)
    if kind == "s3":
        shared.client("s3").delete_bucket(Bucket="records-of-nobody")
    assert (answer.code, answer.changes) == (3, ())
    assert state in answer.err
    assert ".json" in answer.err
    assert "--state" in answer.err


def certify(world: World, copy: str, **other: Any) -> Path:
    """Leave the certificate of a destroy of this copy of dev beside its record."""
    record = json.loads(world.path(copy).read_text())
    own = {name: record[name] for name in ("environment", "suffix", "account", "region")}
    path = world.path(copy).with_name(f"{copy}.certificate.json")
    path.write_text(json.dumps({"format": 1, **own, "complete": True, "gone": [], **other}))
    return path


def test_a_destroyed_copy_is_passed_over_only_where_no_log_group_bears_its_names(dev: World) -> None:
    """AWS makes one again for a late writer, without tags."""
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}}))
    dev.path().unlink()
    certify(dev, "pr-9")
    assert "nothing bears its tag: pr-9" in dev.tapctl("drift").err
    dev.client("logs").create_log_group(logGroupName="/aws/rds/cluster/db-cluster-pr-9/postgresql")
    assert "nothing bears its tag" not in dev.tapctl("status").err
    # Who may not list them knows no more than the tags tell.
    denied = dev.meeting(deny("logs:DescribeLogGroups"), "drift")
    assert (denied.code, "nothing bears its tag: pr-9" in denied.err) == (0, True)


def shut(region: str, name: str = "") -> Trouble:
    """Deny every call in this region, and this one everywhere."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if (visit.request is not None and visit.request.region == region) or visit.name == name:
            raise denied(visit.name)
        return proceed()

    return trouble


IN_STAGING = {"environment": "staging", "region": "us-west-2", "networking": {}, "serial": 1}
UNASKED = "not asked where dev is, and no history tells where pr-9 was"


def test_where_a_place_cannot_be_asked_and_no_history_tells_of_it_no_verdict_says_that_nothing_is_left(
    dev: World,
) -> None:
    """Who may write the state writes another place into a copy's record; who may edit a file breaks it."""
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}} | IN_STAGING))
    record = dev.path("pr-9").read_text()
    for command in ("drift", "status", "plan --destroy", "destroy --yes", "revert --yes", "accept --yes"):
        answer = dev.meeting(shut("us-east-2"), *command.split(), "--suffix", "pr-9")
        assert (answer.code, UNASKED in answer.verdict, answer.changes) == (7, True, ()), answer.out + answer.err
        assert "where dev is nobody could ask for pr-9" in answer.err
        assert "AccessDenied on sts:GetCallerIdentity" in answer.err
        assert "(request " in answer.err
        assert "hint   allow sts:GetCallerIdentity" in answer.err
    planned = dev.meeting(shut("us-east-2"), "plan", "--suffix", "pr-9")
    assert planned.code == 0, "it says of nothing that it is not there"
    assert re.search(rf"warning: {UNASKED}: .* on sts:GetCallerIdentity: .*; allow sts:Get", planned.err), planned.err
    # Else what a destroy has written would be the history that the next look believes.
    assert dev.path("pr-9").read_text() == record
    assert {path.name for path in dev.path("pr-9").parent.rglob("pr-9*")} == {"pr-9.json", "pr-9.lock"}
    told = dev.meeting(shut("us-east-2"), "drift", "--suffix", "pr-9", "--json").of_type("verdict")[0]
    assert (told["counts"], told["not_compared"]) == ({"not_asked": 1}, ["where dev is"])
    unseen = dev.meeting(
        shut("us-east-2", "rds:DescribeDBClusterSnapshots"), "drift", "--suffix", "pr-9", "--json"
    ).of_type("verdict")[0]
    assert unseen["counts"]["not_compared"] == len(unseen["not_compared"]) > unseen["counts"]["not_asked"]
    assert unseen["exit"] == 7
    tags = {"EnvironmentSuffix": "pr-9", "Environment": "staging", "ManagedBy": "tapctl"}
    dev.client("logs", "us-west-2").create_log_group(logGroupName="ours-by-its-tags", tags=tags)
    for command in ("plan --destroy", "destroy --yes"):
        answer = dev.meeting(shut("us-east-2"), *command.split(), "--suffix", "pr-9")
        assert (answer.code, "ours-by-its-tags" in answer.err, UNASKED in answer.verdict) == (6, True, True)
    dev.client("logs", "us-west-2").delete_log_group(logGroupName="ours-by-its-tags")
    dev.keep_version("pr-9")
    for command in ("drift", "status", "destroy --yes", "revert --yes"):
        answer = dev.meeting(shut("us-east-2"), *command.split(), "--suffix", "pr-9")
        assert (answer.code, "asking AWS if" in answer.err) == (0, False), "its history is asked first"


def test_a_copy_without_a_record_is_not_told_as_nowhere_while_a_place_could_not_be_asked(dev: World) -> None:
    copy = ("--env", "staging", "--suffix", "pr-9")
    unseen = "no record, and nothing in AWS under its names"
    assert dev.tapctl("status", *copy).code == 0
    drifted, status = (dev.meeting(shut("us-east-2"), verb, *copy, "--json") for verb in ("drift", "status"))
    # Nothing tells that this state ever had such a copy: then it is where the command says.
    for answer, code in ((drifted, 3), (status, 0)):
        told = answer.of_type("verdict")[0]
        assert (answer.code, told["counts"]["not_asked"]) == (code, 1), answer.err
        denied_there = [
            one for one in answer.of_type("error") if one["message"] == "AWS does not accept these credentials"
        ]
        assert len(denied_there) == 1
    assert f"{unseen} · {UNASKED}" in dev.meeting(shut("us-east-2"), "drift", *copy).verdict
    removed = dev.meeting(shut("us-east-2"), "destroy", *copy, "--yes")
    assert (removed.code, UNASKED in removed.verdict, UNASKED in removed.err) == (0, True, True), removed.verdict
    tags = {"EnvironmentSuffix": "pr-9", "ManagedBy": "tapctl"}
    dev.client("logs").create_log_group(logGroupName="pr-9", tags=tags)
    for verb in ("drift", "status"):
        answer = dev.tapctl(verb, *copy)
        assert (answer.code, "no record of pr-9, and AWS has what bears its tag elsewhere" in answer.err) == (3, True)
    assert dev.tapctl("drift", *copy).verdict == f"DRIFT pr-9: FAILED · {unseen}"


def test_credentials_of_one_account_alone_are_told_how_a_person_looks_in_the_other(dev: World) -> None:
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}}))
    dev.edit("prod.toml", 'account_id = "123456789012"', 'account_id = "421077550192"')
    told = dev.tapctl("status", "--suffix", "pr-9")
    dev.edit("prod.toml", 'account_id = "421077550192"', 'account_id = "123456789012"')
    said = " ".join(told.err.split())
    assert (told.code, "correct account_id" in said, "change AWS_PROFILE" in said) == (7, False, False), said
    look = (
        "aws resourcegroupstaggingapi get-resources --tag-filters Key=EnvironmentSuffix,Values=pr-9 --region us-east-1"
    )
    assert f"hint look with credentials of account 421077550192: {look}; where nothing of it is there" in said


@pytest.mark.soak
def test_a_look_at_everything_tells_of_copies_that_could_not_be_asked_for_everywhere(dev: World) -> None:
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}} | IN_STAGING))
    certify(dev, "pr-9")
    dev.path().unlink()
    shutil.rmtree(dev.path().parent / "history", ignore_errors=True)
    drifted = dev.meeting(shut("us-east-2"), "drift")
    assert (drifted.code, drifted.verdict.endswith(f" · {UNASKED}")) == (7, True), drifted.out + drifted.err
    assert f"DRIFT pr-9: DESTROYED · nothing of it is deployed · {UNASKED}" in drifted.out
    status = dev.meeting(shut("us-east-2"), "status")
    assert (status.code, status.verdict.endswith(f" · {UNASKED}")) == (7, True), status.out + status.err
    assert dev.meeting(shut("us-east-2"), "status", "--json").of_type("verdict")[0]["counts"]["not_asked"] == 1
    version = dev.keep_version("pr-9")
    for verb in ("drift", "status"):
        passed = dev.meeting(shut("us-east-2"), verb)
        assert (passed.code, "nothing bears its tag: pr-9" in passed.err) == (0, True), passed.out + passed.err
    # Of a record that is gone its history tells that it was destroyed, and where.
    dev.path("pr-9").rename(dev.path("pr-8"))
    dev.path("pr-8").write_text(json.dumps(dev.manifest("pr-8") | {"suffix": "pr-8"}))
    dev.keep_version("pr-8")
    assert dev.meeting(shut("us-east-2"), "status").code == 0
    version.unlink()
    for verb in ("drift", "status"):
        lost = dev.meeting(shut("us-east-2"), verb)
        assert (lost.code, lost.verdict.endswith(f" · {UNASKED}")) == (7, True), lost.out + lost.err
    alike = dev.meeting(shut("us-east-2"), "parity", "--live")
    said = "not asked where dev is, and no history tells where dev, pr-9 were"
    assert (alike.code, alike.verdict.endswith(f" · {said}")) == (7, True), alike.verdict


@pytest.mark.soak
def test_copies_that_were_destroyed_are_looked_at_unless_their_certificate_says_so(dev: World) -> None:
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}}))
    dev.path().unlink()
    passed = "not looked at, destroyed by its certificate, and nothing bears its tag: pr-9"

    answer = dev.tapctl("drift")
    assert (answer.code, answer.out.count("DRIFT pr-9: DESTROYED")) == (0, 1), answer.out + answer.err
    assert passed not in answer.err
    status = dev.tapctl("status")
    assert (status.code, status.verdict) == (
        0,
        "STATUS all: 0 deployed · 0 healthy · not looked at, no record: dev, prod, staging",
    )
    named = dev.tapctl("status", "--suffix", "pr-9")
    assert (named.code, named.verdict) == (0, "STATUS pr-9: 0 deployed · 0 healthy")

    for forged in ({"suffix": "pr-8"}, {"complete": False}, {"gone": ["kms-key/alias/db-key-prod"]}):
        certify(dev, "pr-9", **forged)
        assert passed not in dev.tapctl("status").err, forged
    certificate = certify(dev, "pr-9")
    answer = dev.tapctl("drift")
    nothing = "the state knows no environment · not looked at, no record: dev, prod, staging"
    assert (answer.code, answer.verdict) == (0, f"DRIFT all: NOTHING · {nothing}")
    assert "nothing was compared" in answer.err
    assert passed in answer.err
    for number in range(10, 16):
        dev.path(f"pr-{number}").write_text(dev.path("pr-9").read_text().replace("pr-9", f"pr-{number}"))
        certify(dev, f"pr-{number}")
    assert f"{passed.replace('pr-9', 'pr-10, pr-11, pr-12, pr-13, pr-14')} and 2 more" in dev.tapctl("status").err
    certificate.unlink()
    certificate.mkdir()
    assert "nothing bears its tag: pr-10, pr-11, pr-12, pr-13, pr-14 and 1 more\n" in dev.tapctl("status").err


def test_a_slip_in_the_files_makes_no_destroyed_copy_a_deployed_one(dev: World) -> None:
    dev.path("pr-9").write_text(json.dumps(dev.manifest() | {"suffix": "pr-9", "entries": {}}))
    certify(dev, "pr-9")
    dev.edit("dev.toml", "protected = false", "protected = 0")
    answer = dev.tapctl("status")
    assert "unknown: the configuration is not valid" in answer.out.splitlines()[1]
    told = f"STATUS all: 1 deployed · 0 healthy · not looked at, no record: prod, staging · {UNASKED}"
    assert (answer.code, answer.verdict) == (3, told)
    dev.path().unlink()
    dev.keep_version("pr-9")
    # AWS was asked for what all files want, and has nothing of it.
    assert (dev.tapctl("status").code, dev.tapctl("drift").code) == (0, 0)


def test_a_certificate_of_what_is_there_is_not_believed(dev: World) -> None:
    """That may be written, too, by who may write an empty record."""
    tags = {"EnvironmentSuffix": "pr-9", "Environment": "dev", "ManagedBy": "tapctl"}
    record = dev.manifest() | {"suffix": "pr-9", "entries": {}}
    dev.path().unlink()
    dev.path("pr-9").write_text(json.dumps(record))
    certify(dev, "pr-9")
    kms = dev.client("kms")
    made = kms.create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in tags.items()])
    kms.schedule_key_deletion(KeyId=made["KeyMetadata"]["KeyId"], PendingWindowInDays=7)
    assert (
        dev.tapctl("drift").verdict
        == "DRIFT all: NOTHING · the state knows no environment · not looked at, no record: dev, prod, staging"
    )
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    # A key that is kept alive beside a copy of the data is what a destroy leaves, and is looked at: who may read them?
    kms.cancel_key_deletion(KeyId=made["KeyMetadata"]["KeyId"])
    kms.enable_key(KeyId=made["KeyMetadata"]["KeyId"])
    rds, copy = dev.client("rds"), "db-cluster-pr-9-final"
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=copy, DBClusterIdentifier="db-cluster-dev", Tags=listed)
    left = dev.tapctl("drift")
    assert (left.code, f"{copy}  kept_until" in left.out) == (2, True), left.out
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=copy)
    kms.schedule_key_deletion(KeyId=made["KeyMetadata"]["KeyId"], PendingWindowInDays=7)
    topic = dev.client("sns").create_topic(Name="alarms-pr-9", Tags=listed)["TopicArn"]
    answer = dev.tapctl("drift")
    assert answer.code == 2
    assert "it is there, and the record does not hold it" in answer.out
    # Another place in record and certificate hides it no more: it is asked where dev's file is, too.
    dev.path("pr-9").write_text(json.dumps(record | {"region": "us-west-1"}))
    certify(dev, "pr-9")
    elsewhere = dev.tapctl("status")
    assert "nothing bears its tag" not in elsewhere.err
    assert elsewhere.code == 3
    dev.path("pr-9").write_text(json.dumps(record))
    certify(dev, "pr-9")
    dev.client("sns").delete_topic(TopicArn=topic)
    answer = dev.meeting(deny("resourcegroupstaggingapi:GetResources"), "drift")
    assert "DRIFT pr-9: " in answer.out


def test_a_cluster_that_somebody_has_stopped_was_given_up_by_nobody(dev: World) -> None:
    dev.client("rds").stop_db_cluster(DBClusterIdentifier="db-cluster-dev")
    told = dev.drift("dev", "--who")
    (found,) = [one for one in told.of_type("finding") if one["resource_type"] == "db-cluster"]
    start = "aws rds start-db-cluster --db-cluster-identifier db-cluster-dev"
    assert (found["field"], found["live"], found["severity"], found["cause"]) == (
        "status",
        "stopped",
        "medium",
        "person",
    )
    assert found["note"].startswith("somebody has put it out of order: stopped")
    assert found["undo"].startswith(start)
    assert (found["who"]["principal"], found["who"]["event"]) == ("user/moto", "StopDBCluster")
    planned = dev.tapctl("plan", "--env", "dev")
    assert (planned.code, "db-cluster/db-cluster-dev is stopped and holds data" in planned.err) == (6, True)


def test_a_grant_to_everybody_counts_as_drift(dev: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [OPEN]})
    dev.client("iam").put_role_policy(RoleName="lambda-role-dev", PolicyName="backdoor", PolicyDocument=document)
    answer = dev.tapctl("status", "--json")
    assert (answer.code, row(answer)["health"]) == (2, "DRIFT: 1 drifted (iam-role/lambda-role-dev)")
    # A file of waivers that cannot be used is no fault of the record.
    (dev.folder / "environments" / "waivers.toml").write_text("[[waiver]")
    unread = dev.tapctl("status", "--json")
    assert (unread.code, row(unread)["config"]) == (3, "current")
    assert row(unread)["health"].startswith("unknown: the configuration is not valid (")
    assert unread.records[-1]["counts"] == {"deployed": 1, "unhealthy": 1}
