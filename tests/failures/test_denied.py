"""Any one permission may be missing: nothing is lost, the operation is named, and with it the work goes on."""

from __future__ import annotations

import pytest

from tests.failures.calls import CHANGE, DESTROY, DRIFT, FIRST_APPLY, NOTHING_TO_DO, SPARED
from tests.failures.trouble import deny, refuse
from tests.support.additions import ALARM
from tests.support.config_folder import Folder
from tests.support.door import Proceed, Refusal, Served, Visit
from tests.support.strides import strided
from tests.support.world import Answer, World

APPLY = ("apply", "--env", "dev", "--yes")
DESTROYING = ("destroy", "--env", "dev", "--yes")
FUNCTION = "lambda-function/payment-processor-dev"
GONE = {"kms-key": 1}
"""A key is kept for its waiting period."""


def action(name: str) -> str:
    """Name this operation as IAM does."""
    return name.replace("resourcegroupstaggingapi:", "tag:").replace("service-quotas:", "servicequotas:")


def is_told(answer: Answer, name: str) -> None:
    """The operation is named with what to do, and it is no bug."""
    assert action(name) in answer.out + answer.err
    assert "bug of tapctl" not in answer.err
    assert "Traceback" not in answer.err
    hints = [line for line in (answer.out + answer.err).splitlines() if line.lstrip().startswith(("hint", "read it"))]
    assert hints


def code_of(answer: Answer, name: str) -> int:
    """9 without an identity; 6 before anything was made, 4 after."""
    if name == "sts:GetCallerIdentity":
        return 9
    return 4 if [one for one in answer.changes if one != name] else 6


def edit_all(world: World) -> None:
    """Change something of every type that can be changed."""
    world.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "cards"')
    world.edit("common.toml", "log_min_duration_statement_ms = 1000", "log_min_duration_statement_ms = 500")
    world.edit("common.toml", "retention_days = 30", "retention_days = 60")
    world.edit("common.toml", "rotation_days = 30", "rotation_days = 15")
    world.edit("common.toml", "backup_retention_days = 7", "backup_retention_days = 9")
    world.edit("common.toml", "timeout_s = 30", "timeout_s = 25")
    world.edit("dev.toml", "reserved_concurrency = 10", "reserved_concurrency = 12")
    world.edit("dev.toml", "db.t4g.medium", "db.t4g.large")
    world.edit("dev.toml", "error_threshold = 10", "error_threshold = 11")


@pytest.mark.parametrize("name", strided(FIRST_APPLY, len(FIRST_APPLY), -1))
def test_a_denied_call_in_a_first_apply(world: World, name: str) -> None:
    answer = world.meeting(deny(name), *APPLY)
    if name == "kms:TagResource":
        # The first fingerprint of the record is no condition of an apply.
        assert (
            answer.code,
            f"no fingerprint of the record is left on the key: AccessDeniedException on {name}" in answer.err,
        ) == (0, True)
    else:
        assert answer.code == code_of(answer, name), answer.err
        is_told(answer, name)
    assert world.applied("dev").code == 0
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
@pytest.mark.parametrize("name", SPARED)
def test_a_denied_read_that_an_apply_can_do_without(world: World, name: str) -> None:
    """What was not looked at is told, but for what another read or AWS itself answers."""
    answer = world.meeting(deny(name), *APPLY)
    assert answer.code == 0, answer.err
    unneeded = name in ("ecr:DescribeImages", "rds:DescribeOrderableDBInstanceOptions")
    words = (f"{action(name)} denied", f"{name} is denied", f"AuthorizationError on {name}")
    assert unneeded or any(each in answer.out + answer.err for each in words), answer.out + answer.err


@pytest.mark.soak
def test_the_denied_action_is_named_where_it_is_not_the_call_s(world: World) -> None:
    """Lambda wants the right to pass the role; what it says is what has to be allowed."""
    role = "arn:aws:iam::123456789012:role/lambda-role-dev"
    missing = f"User: me is not authorized to perform: iam:PassRole on resource: {role} because no policy allows it"

    def no_role(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "lambda:CreateFunction":
            raise Refusal("AccessDeniedException", missing, 403)
        return proceed()

    answer = world.meeting(no_role, *APPLY, "--json")
    (error,) = answer.of_type("error")
    assert (answer.code, error["retry_safe"]) == (4, True)
    assert error["hint"] == f"allow iam:PassRole on {role}, then run the same command again: it continues from here"
    assert "it is safe to run the same command again" in error["state"]


@pytest.mark.soak
@pytest.mark.parametrize("name", CHANGE)
def test_a_denied_call_in_an_apply_that_changes(world: World, name: str) -> None:
    world.deploy()
    edit_all(world)
    answer = world.meeting(deny(name), *APPLY)
    # 7: a field that would have to change could not be read.
    assert answer.code == code_of(answer, name) or (answer.code, answer.changes) == (7, ()), answer.err
    is_told(answer, name)
    assert world.applied("dev").code == 0
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.parametrize("name", strided(NOTHING_TO_DO, 34))
def test_a_denied_call_in_an_apply_with_nothing_to_do(dev: World, name: str) -> None:
    before = dev.manifest()["entries"]
    answer = dev.meeting(deny(name), "apply", "--env", "dev")
    assert (answer.code, answer.changes) == (code_of(answer, name), ()), answer.err
    is_told(answer, name)
    assert dev.manifest()["entries"] == before


@pytest.mark.parametrize("name", strided(NOTHING_TO_DO, 34, 1))
def test_a_denied_call_in_a_plan(dev: World, name: str) -> None:
    answer = dev.meeting(deny(name), "plan", "--env", "dev", "--detailed-exitcode")
    assert answer.code in ((9,) if name.startswith("sts") else (6, 7)), answer.err
    assert answer.changes == ()
    assert action(name) in answer.out + answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("name", strided(DRIFT, 30, 2))
def test_drift_that_cannot_be_seen_is_unknown(dev: World, name: str) -> None:
    answer = dev.meeting(deny(name), "drift", "--env", "dev")
    assert answer.code == (9 if name.startswith("sts") else 7), answer.out
    is_told(answer, name)
    assert answer.code == 9 or "unknown" in answer.verdict


def test_an_apply_that_cannot_read_everything_back_is_incomplete(dev: World) -> None:
    answer = dev.meeting(deny("lambda:GetPolicy"), "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert answer.verdict.startswith("APPLY dev: INCOMPLETE")
    assert "allow lambda:GetPolicy" in answer.err


def test_status_tells_what_cannot_be_read_from_what_is_missing(dev: World) -> None:
    answer = dev.meeting(deny("sns:GetTopicAttributes"), "status", "--env", "dev", "--json")
    (row,) = answer.of_type("status")
    assert row["health"] == "sns-topic/alarms-dev cannot be read: sns:GetTopicAttributes denied"


def test_status_tells_what_aws_refuses_to_tell_and_all_else(dev: World) -> None:
    answer = dev.meeting(refuse(("sns:GetTopicAttributes",), "InvalidParameter"), "status", "--env", "dev", "--json")
    (row,) = answer.of_type("status")
    why = "sns:GetTopicAttributes refused: InvalidParameter: the test says no"
    assert row["health"] == f"sns-topic/alarms-dev cannot be read: {why}"
    assert (answer.code, row["config"]) == (7, "current")


@pytest.mark.parametrize("name", strided(DRIFT, 30, 3))
def test_drift_that_is_there_is_found_beside_what_cannot_be_seen(dev: World, name: str) -> None:
    """Two things are touched, of two services: no single permission hides both."""
    logs, functions = dev.client("logs"), dev.client("lambda")
    group, function = "/aws/lambda/payment-processor-dev", "payment-processor-dev"
    logs.put_retention_policy(logGroupName=group, retentionInDays=90)
    functions.update_function_configuration(FunctionName=function, Timeout=99)
    answer = dev.meeting(deny(name), "drift", "--env", "dev")
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    functions.update_function_configuration(FunctionName=function, Timeout=30)
    assert answer.code == (9 if name.startswith("sts") else 2), answer.out
    is_told(answer, name)


@pytest.mark.parametrize(
    "name",
    [
        "lambda:GetFunction",
        *strided([name for name in DESTROY if name != "lambda:GetFunction"], len(DESTROY), -1),
    ],
)
def test_a_denied_call_in_a_destroy(world: World, name: str) -> None:
    world.deploy()
    answer = world.meeting(deny(name), *DESTROYING)
    if answer.code == 0:
        # It was about something that no removal needs: a tag, a policy. The sweep has proved that all is gone.
        assert "nothing else of ours is left" in answer.verdict
        assert world.owned() == GONE
        return
    assert answer.code == code_of(answer, name), answer.err
    is_told(answer, name)
    again = world.tapctl(*DESTROYING)
    assert again.code == 0, again.err
    assert world.owned() == GONE


@pytest.mark.soak
def test_what_an_apply_would_have_removed_had_all_else_ended_well_is_not_tried_and_told(world: World) -> None:
    files = Folder(world.folder / "environments")
    files.put("common", "alarms.extra", [ALARM])
    world.applied("dev")
    files.put("common", "alarms.extra", []).put("common", "processor.timeout_s", 25)
    answer = world.meeting(deny("lambda:UpdateFunctionConfiguration"), *APPLY, "--json")
    alarm = f"cloudwatch-alarm/{ALARM['name']}-0-dev"
    ended = {one["address"]: one["result"] for one in answer.of_type("resource")}
    assert (answer.code, ended[FUNCTION], ended[alarm]) == (4, "failed", "skipped")
    assert answer.of_type("verdict")[-1]["counts"]["skipped"] == 1
    told = world.meeting(deny("lambda:UpdateFunctionConfiguration"), *APPLY)
    assert f"1 not tried; waiting for what failed: {FUNCTION}" in told.err
    assert "1 failed · 1 not tried · 0 left" in told.verdict
    done = world.tapctl(*APPLY, "--json")
    ends = [(one["address"], one["result"]) for one in done.of_type("resource") if one["address"] in (alarm, FUNCTION)]
    assert sorted(ends) == [(alarm, "deleted"), (FUNCTION, "updated")], "each of them once"
