"""Pre-flight: rights, quotas and credentials, by a script of AWS's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.aws.policy import when
from tapctl.aws.rights import Need, Right
from tapctl.config import load
from tapctl.config.schema import Egress
from tapctl.engine.plan import Action, Change, FieldChange, Plan
from tapctl.engine.resources import Stack
from tapctl.errors import AwsRefused, ConfigError, ConsentMissing, ExitCode, Refused
from tapctl.names import Names
from tapctl.planning.preflight import Quotas, check_all, needed_by, simulations, usual_s
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.render.screen import Check
from tapctl.stack.definition import planned_stack
from tapctl.stack.rights import values_of
from tests.conftest import ACCOUNT, REGION
from tests.support.config_folder import ENVIRONMENTS

CONFIG = load(ENVIRONMENTS, "dev")
NAMES = Names("dev", ACCOUNT, REGION)
STACK = planned_stack(CONFIG, "dev")
FUNCTION = "lambda-function/payment-processor-dev"
USER = f"arn:aws:iam::{ACCOUNT}:user/ci"


def plan_of(*changes: Change) -> Plan:
    return Plan(changes, outputs={}, confirmed=(), forgotten=())


def change(address: str, action: Action, *fields: FieldChange) -> Change:
    type_, _, id_ = address.partition("/")
    return Change(address, type_, id_, action, fields)


CREATE_ALL = plan_of(*(change(resource.address, Action.CREATE) for resource in STACK))
RESERVE = plan_of(change(FUNCTION, Action.UPDATE, FieldChange("reserved_concurrency", 10, 20)))


def result(action: str, resource: str, decision: str, **more: Any) -> dict[str, Any]:
    return {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision, **more}


class Paginator:
    def __init__(self, aws: ScriptedAws) -> None:
        self.aws = aws

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        """Answer one simulation."""
        self.aws.asked.append(asked)
        if self.aws.refusal:
            raise self.aws.refusal
        return [
            {
                "EvaluationResults": [
                    self.aws.decide(action, resource)
                    for action in asked["ActionNames"]
                    for resource in asked["ResourceArns"]
                ]
            }
        ]


class ScriptedAws:
    """Answers what a test says: rights by ``decide``, the account's limits, when the credentials end."""

    def __init__(self, arn: str = USER) -> None:
        self.identity = Identity(ACCOUNT, arn)
        self.asked: list[dict[str, Any]] = []
        self.decide: Callable[..., dict[str, Any]] = lambda action, resource: result(action, resource, "allowed")
        self.refusal: AwsRefused | None = None
        self.concurrency, self.free = 1000, 990
        self.quotas: list[dict[str, Any]] = []
        self.end: datetime | None = None
        self.rules: int | AwsRefused = 60
        self.lists: list[dict[str, Any]] | AwsRefused = []
        self.lists_asked: list[str] = []
        self.iam = self.lambda_ = self.rds = self.service_quotas = self.ec2 = self

    def read(self, call: Callable[..., dict[str, Any]], **asked: str) -> dict[str, Any]:
        """One read."""
        return call(**asked)

    def get_paginator(self, _: str) -> Paginator:
        """The simulations."""
        return Paginator(self)

    def pages(self, paginator: Paginator, **asked: Any) -> list[dict[str, Any]]:
        """The simulations, or the prefix lists."""
        if "Filters" not in asked:
            return paginator.paginate(**asked)
        self.lists_asked += [value for each in asked["Filters"] for value in each["Values"]]
        if isinstance(self.lists, AwsRefused):
            raise self.lists
        return [{"PrefixLists": self.lists}]

    def get_role(self, RoleName: str) -> dict[str, Any]:  # noqa: N803 -- AWS's
        """The role with its path."""
        return {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/ci/{RoleName}"}}

    def get_account_settings(self) -> dict[str, Any]:
        """Lambda's limits."""
        limit = {"ConcurrentExecutions": self.concurrency, "UnreservedConcurrentExecutions": self.free}
        return {"AccountLimit": limit}

    def describe_account_attributes(self) -> dict[str, Any]:
        """RDS's quotas."""
        if self.refusal:
            raise self.refusal
        return {"AccountQuotas": self.quotas}

    def get_service_quota(self, **_: str) -> dict[str, Any]:
        """The rules that a security group may have."""
        if isinstance(self.rules, AwsRefused):
            raise self.rules
        return {"Quota": {"Value": float(self.rules)}}

    def credentials_end(self) -> datetime | None:
        """The end of the credentials."""
        return self.end


def checks(aws: ScriptedAws, plan: Plan, stack: Stack = STACK) -> dict[str, list[Check]]:
    client: Any = aws
    flight = check_all(client, stack, plan, values_of(CONFIG, NAMES), Quotas.ask(client))
    found: dict[str, list[Check]] = {}
    for check in flight.checks:
        found.setdefault(check.check, []).append(check)
    codes = {error.exit_code for error in flight.errors}
    assert codes <= {ExitCode.REFUSED, ExitCode.WRONG_TARGET}
    failed = [check for check in flight.checks if check.ok is False and check.check not in ("name", "upgrade")]
    assert len(flight.errors) == len(failed)
    return found


def test_a_plan_that_makes_everything_is_asked_for_in_at_most_twelve_calls() -> None:
    aws = ScriptedAws()
    found = checks(aws, CREATE_ALL)
    assert {name: [check.ok for check in listed] for name, listed in found.items()} == {
        name: [True] for name in ("permissions", "quotas", "credentials", "upgrade", "name", "network", "image")
    }
    assert "found no room" not in found["permissions"][0].detail
    assert len(aws.asked) + 4 <= 12


def test_nothing_is_asked_of_a_plan_that_changes_nothing() -> None:
    aws = ScriptedAws()
    assert checks(aws, plan_of(change(FUNCTION, Action.NOTHING))) == {}
    assert aws.asked == []
    client: Any = aws
    nothing = plan_of(change(FUNCTION, Action.NOTHING))
    assert check_all(client, STACK, nothing, values_of(CONFIG, NAMES), None).checks == ()


def test_quotas_that_were_not_asked_yet_are_asked_where_something_changes() -> None:
    client: Any = ScriptedAws()
    flight = check_all(client, STACK, RESERVE, values_of(CONFIG, NAMES), None)
    assert [check.ok for check in flight.checks if check.check == "quotas"] == [True]


def test_a_change_needs_the_rights_of_its_fields_on_its_own_resource() -> None:
    rights = needed_by(RESERVE.work, RESERVE, values_of(CONFIG, NAMES))
    named = {(action, resource) for right in rights for action in right.actions for resource in right.resources}
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payment-processor-dev"
    assert ("lambda:PutFunctionConcurrency", function) in named
    assert not {"lambda:TagResource", "lambda:CreateFunction", "lambda:RemovePermission"} & {name for name, _ in named}


def test_a_change_needs_the_right_to_leave_another_fingerprint_where_there_is_one() -> None:
    rights = needed_by(RESERVE.work, RESERVE, values_of(CONFIG, NAMES), marked=True)
    assert "kms:TagResource" in {action for right in rights for action in right.actions}
    assert "kms:UntagResource" not in {action for right in rights for action in right.actions}


def test_a_key_that_is_there_is_asked_for_by_its_id() -> None:
    address = "kms-key/alias/db-key-dev"
    plan = replace(
        plan_of(change(address, Action.UPDATE, FieldChange("description", "a", "b"))),
        outputs={address: {"key_id": "0f1e", "arn": "a"}},
    )
    (right, *_) = [
        right
        for right in needed_by(plan.work, plan, values_of(CONFIG, NAMES))
        if "kms:UpdateKeyDescription" in right.actions
    ]
    assert right.resources == (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f1e",)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "no policy allows it"),
        ({"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}, "the permissions boundary"),
        ({"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}, "a policy of the organisation"),
        ({"EvalDecision": "explicitDeny"}, "a policy denies it"),
    ],
)
def test_what_is_denied_is_named_with_its_reason(more: dict[str, Any], why: str) -> None:
    aws = ScriptedAws()
    aws.decide = lambda action, resource: {
        **result(action, resource, "implicitDeny" if "Concurrency" in action else "allowed"),
        **(more if "Concurrency" in action else {}),
    }
    first, second = checks(aws, RESERVE)["permissions"]
    assert (first.action, second.action) == ("lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency")
    assert first.resource.endswith(":function:payment-processor-dev")
    assert why in first.detail


def test_each_resource_of_an_action_may_have_its_own_decision() -> None:
    aws = ScriptedAws()
    aws.decide = lambda action, resource: result(
        action,
        "*",
        "implicitDeny",
        ResourceSpecificResults=[
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": "implicitDeny" if action == "iam:PassRole" else "allowed",
            }
        ],
    )
    assert [check.action for check in checks(aws, RESERVE)["permissions"]] == ["iam:PassRole"]


def test_where_a_value_of_a_real_request_is_missing_nobody_can_tell() -> None:
    aws = ScriptedAws()
    aws.decide = lambda action, resource: result(
        action, resource, "implicitDeny", MissingContextValues=["aws:SourceIp"]
    )
    assert [check.ok for check in checks(aws, RESERVE)["permissions"]] == [True]


def test_what_may_not_be_asked_is_said_and_stops_nothing() -> None:
    aws = ScriptedAws()
    aws.refusal = AwsRefused("iam", "SimulatePrincipalPolicy", "AccessDenied", "no")
    found = checks(aws, CREATE_ALL)
    assert [(check.ok, check.detail) for check in found["permissions"]] == [
        (None, "could not be asked: iam:SimulatePrincipalPolicy denied")
    ]
    assert [check.ok for check in found["quotas"]] == [None]
    aws.refusal = AwsRefused("iam", "SimulatePrincipalPolicy", "NoSuchEntity", "no")
    assert "NoSuchEntity" in checks(aws, RESERVE)["permissions"][0].detail


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        (USER, USER),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run", f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"),
    ],
)
def test_the_caller_is_asked_about(arn: str, principal: str) -> None:
    aws = ScriptedAws(arn)
    checks(aws, RESERVE)
    assert {asked["PolicySourceArn"] for asked in aws.asked} == {principal}


@pytest.mark.parametrize("arn", [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:federated-user/x"])
def test_a_caller_that_iam_simulates_not_is_said(arn: str) -> None:
    aws = ScriptedAws(arn)
    assert [check.ok for check in checks(aws, RESERVE)["permissions"]] == [None]
    assert aws.asked == []


def test_what_finds_no_room_is_counted() -> None:
    via = [when("StringEquals", "kms:ViaService", name) for name in ("a", "b", "c")]
    null = when("Null", "kms:ViaService", "true")
    rights = [Right(Need.CREATE, ("kms:Decrypt",), ("x",), (each,)) for each in (*via, null)]
    calls, left = simulations(rights, 2)
    assert (len(calls), left) == (2, 2)
    assert len(simulations([*rights, rights[0]], 9)[0]) == 4


@pytest.mark.parametrize(
    ("concurrency", "free", "want", "ok"),
    [(1000, 990, 890, True), (1000, 990, 901, False), (10, 0, 10, False), (50, 50, 1, False), (0, 0, 1, False)],
)
def test_concurrency_that_no_account_has_room_for_is_refused(concurrency: int, free: int, want: int, ok: bool) -> None:
    aws = ScriptedAws()
    aws.concurrency, aws.free = concurrency, free
    plan = plan_of(change(FUNCTION, Action.UPDATE, FieldChange("reserved_concurrency", None, want)))
    (check,) = checks(aws, plan)["quotas"]
    assert check.ok == ok
    assert ok or f"not {want}" in check.detail


def test_memory_that_a_new_account_may_not_have_is_doubted() -> None:
    aws = ScriptedAws()
    plan = plan_of(change(FUNCTION, Action.UPDATE, FieldChange("memory_mb", 512, 4096)))
    assert [check.ok for check in checks(aws, plan)["quotas"]] == [True]
    aws.concurrency = 10
    assert [check.ok for check in checks(aws, plan)["quotas"]] == [None]


@pytest.mark.parametrize(("most", "ok"), [(40, True), (39, True), (38, False), (0, False)])
def test_databases_that_no_quota_has_room_for_are_refused(most: int, ok: bool) -> None:
    aws = ScriptedAws()
    aws.quotas = [{"AccountQuotaName": "DBInstances", "Used": 38, "Max": most}]
    (check,) = checks(aws, CREATE_ALL)["quotas"]
    assert check.ok == ok
    assert ok or check.resource == "DBInstances"


def rule(peer: str) -> Rule:
    return Rule(direction="egress", protocol="tcp", from_port=443, to_port=443, peer=peer)


def test_rules_that_a_security_group_has_no_room_for_are_refused() -> None:
    aws, rules = ScriptedAws(), "security-group-rules/lambda-sg-dev"
    wanted = [each.direction for each in STACK[rules].spec.rules].count("egress")
    gone = [FieldChange("rules", rule(f"10.0.0.{number}/32"), None) for number in range(3)]
    update = plan_of(change(rules, Action.UPDATE, FieldChange("rules", None, rule("10.1.0.0/16")), *gone))
    aws.rules = wanted + 3
    assert [check.ok for check in checks(aws, update)["quotas"]] == [True]
    aws.rules = wanted + 2
    (refused,) = checks(aws, update)["quotas"]
    assert (refused.ok, refused.resource) == (False, "L-0EA8095F")
    assert f"room for {wanted + 2} egress rules of lambda-sg-dev, and {wanted + 3} are due" in refused.detail
    aws.rules = 0
    refusals = [check.detail for check in checks(aws, CREATE_ALL)["quotas"] if check.ok is False]
    # The database's group has no egress rule but the one that each new group has.
    assert sorted("ingress" in each for each in refusals) == [False, False, True]


def due(aws: ScriptedAws, *peers: str) -> list[tuple[bool | None, str]]:
    """The checks of quotas of an apply that adds egress rules to these peers, and takes away none."""
    client: Any = aws
    rules = "security-group-rules/lambda-sg-dev"
    update = change(rules, Action.UPDATE, *(FieldChange("rules", rule(peer), None) for peer in peers))
    flight = check_all(client, STACK, plan_of(update), values_of(CONFIG, NAMES), Quotas.ask(client))
    return [(each.ok, each.detail) for each in flight.checks if each.check == "quotas"]


EGRESSES = [each.direction for each in STACK["security-group-rules/lambda-sg-dev"].spec.rules].count("egress")


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        ({"MaxEntries": 20, "PrefixListName": "ours"}, 20),
        ({"PrefixListName": "com.amazonaws.us-east-2.s3", "OwnerId": "AWS"}, 1),
        ({"PrefixListName": "com.amazonaws.global.cloudfront.origin-facing", "OwnerId": "AWS"}, 55),
        ({}, 1),
    ],
)
def test_a_prefix_list_counts_as_all_that_it_may_hold(told: dict[str, Any], counts: int) -> None:
    aws = ScriptedAws()
    aws.lists = [{"PrefixListId": "pl-1", "AddressFamily": "IPv4", **told}]
    aws.rules = EGRESSES + counts
    assert due(aws, "pl-1") == [(True, "there is room for all of it")]
    assert aws.lists_asked == ["pl-1"]
    aws.rules = EGRESSES + counts - 1
    ((ok, detail),) = due(aws, "pl-1")
    assert ok is False
    assert f"room for {aws.rules} egress rules of lambda-sg-dev, and {EGRESSES + counts} are due" in detail
    aws.lists = [{"PrefixListId": "pl-1", "AddressFamily": "IPv6", **told}]
    aws.rules = max(EGRESSES, counts) + 1
    assert due(aws, "pl-1", "10.9.0.0/16") == [(True, "there is room for all of it")]


def test_rules_of_each_family_have_their_own_room() -> None:
    aws = ScriptedAws()
    aws.rules = EGRESSES + 30
    four, six = ([form.format(number) for number in range(30)] for form in ("10.0.{}.0/24", "fd00:{}::/32"))
    assert due(aws, *four, *six) == [(True, "there is room for all of it")]
    assert aws.lists_asked == []
    ((ok, detail),) = due(aws, *four, *six, "sg-1")
    assert (ok, f"{EGRESSES + 31} are due" in detail) == (False, True)


@pytest.mark.parametrize("to", ["0.0.0.0/0", "fd00::/8"])
def test_the_rule_that_ec2_gives_a_new_group_takes_room_of_each_family_until_it_is_taken_away(to: str) -> None:
    aws = ScriptedAws()
    egress = Egress(port=443, to=to, why="endpoints")
    processor = CONFIG.processor.model_copy(update={"egress": (egress,)})
    stack = planned_stack(CONFIG.model_copy(update={"processor": processor}), "dev")
    create = plan_of(change("security-group-rules/lambda-sg-dev", Action.CREATE))
    aws.rules = EGRESSES + 1
    assert [check.ok for check in checks(aws, create, stack)["quotas"]] == [True]
    aws.rules = EGRESSES
    assert [check.ok for check in checks(aws, create, stack)["quotas"]] == [False]


def test_prefix_lists_that_are_not_there_are_told_at_once_and_each_named() -> None:
    aws = ScriptedAws()
    aws.lists = [{"PrefixListId": "pl-00000002", "AddressFamily": "IPv4", "MaxEntries": 5}]
    egress = tuple(Egress(port=443, to=f"pl-0000000{number}", why="endpoints") for number in (1, 2, 3))
    processor = CONFIG.processor.model_copy(update={"egress": egress})
    stack = planned_stack(CONFIG.model_copy(update={"processor": processor}), "dev")
    rules = "security-group-rules/lambda-sg-dev"
    # A list that goes from the rules may be gone already.
    update = plan_of(change(rules, Action.UPDATE, FieldChange("rules", rule("pl-9"), None)))
    client: Any = aws
    flight = check_all(client, stack, update, values_of(CONFIG, NAMES), None, file="environments/common.toml")
    (error,) = flight.errors
    assert error.exit_code == ExitCode.INVALID
    assert isinstance(error, ConfigError)
    assert [(each.file, each.key, each.value) for each in error.problems] == [
        ("environments/common.toml", "processor.egress", "pl-00000001"),
        ("environments/common.toml", "processor.egress", "pl-00000003"),
    ]
    (check,) = [each for each in flight.checks if each.check == "network"]
    assert (check.ok, "pl-00000001" in check.detail, "pl-00000003" in check.detail) == (False, True, True)
    aws.lists = AwsRefused("ec2", "DescribeManagedPrefixLists", "UnauthorizedOperation", "no")
    assert check_all(client, stack, update, values_of(CONFIG, NAMES), None).errors == ()


def test_prefix_lists_that_may_not_be_asked_are_said_and_count_as_one_rule() -> None:
    aws = ScriptedAws()
    aws.rules = EGRESSES + 1
    aws.lists = AwsRefused("ec2", "DescribeManagedPrefixLists", "UnauthorizedOperation", "no")
    ((ok, detail),) = due(aws, "pl-1")
    assert ok is None
    assert detail == (
        "how many rules pl-1 counts as could not be asked: ec2:DescribeManagedPrefixLists denied; as one is assumed"
    )


@pytest.mark.parametrize(("code", "asked"), [("NoSuchResourceException", [True]), ("AccessDenied", [None])])
def test_the_default_counts_where_no_quota_of_rules_is_told(code: str, asked: list[bool | None]) -> None:
    aws = ScriptedAws()
    aws.rules = AwsRefused("service-quotas", "GetServiceQuota", code, "no")
    found = checks(aws, CREATE_ALL)["quotas"]
    assert [check.ok for check in found] == asked
    assert asked == [True] or "servicequotas:GetServiceQuota denied; 60 is the default" in found[-1].detail


def test_what_may_not_be_asked_of_versions_is_said_once() -> None:
    client: Any = ScriptedAws()
    values = values_of(CONFIG, NAMES)
    flight = check_all(client, STACK, RESERVE, values, None, unasked=["denied", "denied"])
    assert [(each.ok, each.detail) for each in flight.checks if each.check == "upgrade"] == [(None, "denied")]
    upgrade = replace(change("db-cluster/db-cluster-dev", Action.UPDATE), blocked=Refused("no such target"))
    flight = check_all(client, STACK, plan_of(*RESERVE.changes, upgrade), values, None, unasked=["denied"])
    assert [each.ok for each in flight.checks if each.check == "upgrade"] == [None, False]


@pytest.mark.parametrize(("left_s", "ok"), [(3600, True), (300, False), (-60, False)])
def test_credentials_that_end_too_soon_are_refused(left_s: float, ok: bool) -> None:
    aws = ScriptedAws()
    aws.end = datetime.now(UTC) + timedelta(seconds=left_s)
    (check,) = checks(aws, CREATE_ALL)["credentials"]
    assert check.ok == ok


def test_the_usual_time_is_of_what_waits_for_each_other() -> None:
    assert usual_s(STACK, RESERVE.work) == 0
    times = {resource.address: resource.reconciler.timing.create_s for resource in STACK}
    made = usual_s(STACK, CREATE_ALL.work)
    assert times["db-cluster/db-cluster-dev"] + times["db-instance/db-cluster-dev-0"] <= made < sum(times.values())
    assert usual_s(Stack(), ()) == 0


def test_what_the_reading_has_blocked_is_told_among_the_checks() -> None:
    taken = replace(change("sns-topic/alarms-dev", Action.CREATE), blocked=Refused("the topic is not ours"))
    upgrade = replace(change("db-cluster/db-cluster-dev", Action.UPDATE), blocked=Refused("no such target"))
    found = checks(ScriptedAws(), plan_of(*RESERVE.changes, taken, upgrade))
    assert [(check.ok, check.detail) for check in found["name"]] == [(False, "the topic is not ours")]
    assert [(check.ok, check.detail) for check in found["upgrade"]] == [(False, "no such target")]


def test_a_change_that_waits_for_consent_is_checked_as_one_that_has_it() -> None:
    aws = ScriptedAws()
    (reserve,) = RESERVE.changes
    found = checks(aws, plan_of(replace(reserve, blocked=ConsentMissing("it loses data"))))
    assert found == checks(ScriptedAws(), RESERVE)
    assert aws.asked


def test_credentials_of_the_environment_say_when_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Aws(Connection(REGION))
    assert client.credentials_end() is None
    client.client("sts")
    assert client.credentials_end() is None
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")
    ending = Aws(Connection(REGION))
    ending.client("sts")
    assert ending.credentials_end() == datetime(2999, 1, 1, tzinfo=UTC)
