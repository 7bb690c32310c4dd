"""Pre-flight: what can be known before the first change, all of it, not only what fails first.

The rights are those that the code declares, for the changes of this very plan. Quotas are asked beside the reading, the
rights beside each other; at most `MAX_CALLS` calls. What may not be asked is said, and stops nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.aws.rights import ANY, Need, Right, needed_for
from tapctl.engine.model import address
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.resources import Stack
from tapctl.errors import AwsError, AwsRefused, ConfigError, ConsentMissing, Problem, Refused, TapctlError, WrongTarget
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.reconcilers.kms_key_rights import FINGERPRINT_RIGHT
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.prefix_lists import is_prefix_list
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import OF_EVERY_NEW_GROUP, SecurityGroupRules
from tapctl.render.screen import Check
from tapctl.stack.rights import Values
from tapctl.threads import in_background, side_by_side

MAX_CALLS: Final = 12
_OTHER_CALLS: Final = 5
"""Three about quotas, one about prefix lists, and one for the ARN of the caller's role."""
_MOST_EVALUATIONS: Final = 2000
"""Actions times resources of one simulation: the whole answer is one page."""
_ROLE_ARN_PARTS: Final = 2
_SMALL_MEMORY_MB: Final = 3008
_USUAL_CONCURRENCY: Final = 1000
_FLOOR: Final = 100
_SIMULATE: Final = "iam:SimulatePrincipalPolicy"
_BLOCKING: Final = ("name", "network", "upgrade")
"""Checks whose failure is told at the change that it blocks."""
_NEEDS: Final[Mapping[Action, Need]] = {
    Action.CREATE: Need.CREATE,
    Action.UPDATE: Need.UPDATE,
    Action.REPLACE: Need.REPLACE | Need.CREATE,
    Action.DELETE: Need.DELETE,
}
_QUOTAS: Final[Mapping[str, str]] = {
    "db-cluster": "DBClusters",
    "db-instance": "DBInstances",
    "db-cluster-parameter-group": "DBClusterParameterGroups",
    "db-parameter-group": "DBParameterGroups",
    "db-subnet-group": "DBSubnetGroups",
    "rds-event-subscription": "EventSubscriptions",
}
"""Type to RDS's name of its quota (DescribeAccountAttributes)."""
_RULES_QUOTA: Final = "L-0EA8095F"
"""Service Quotas' code for the rules of a security group, inbound or outbound (VPC user guide, "Amazon VPC quotas")."""
_DEFAULT_RULES: Final = 60
_FAMILIES: Final = ("IPv4", "IPv6")
_NO_SUCH_LIST: Final = "EC2 has no such prefix list here: make it, have it shared, or correct the key"
_WEIGHTS: Final[Mapping[str, int]] = {
    "cloudfront.origin-facing": 55,
    "route53-healthchecks": 25,
    "vpc-lattice": 10,
    "s3express": 6,
    "groundstation": 5,
    "ec2-instance-connect": 2,
}
"""End of the name of AWS's own prefix list to the rules that it counts as; other ones count as one each.

https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
"""


@dataclass(frozen=True)
class Flight:
    """The checks, and the errors of those that failed."""

    checks: tuple[Check, ...] = ()
    errors: tuple[TapctlError, ...] = ()


@dataclass(frozen=True)
class Quotas:
    """The answers about quotas, asked beside the reading."""

    functions: Future[Mapping[str, Any]]
    databases: Future[Mapping[str, Any]]

    @classmethod
    def ask(cls, aws: Aws) -> Quotas:
        """Ask Lambda and RDS, in the background."""
        return cls(
            in_background(lambda: aws.read(aws.lambda_.get_account_settings)),
            in_background(lambda: aws.read(aws.rds.describe_account_attributes)),
        )


def check_all(
    aws: Aws,
    stack: Stack,
    plan: Plan,
    values: Values,
    quotas: Quotas | None,
    *,
    unasked: Sequence[str] = (),
    file: str = "common.toml",
    marked: bool = False,
) -> Flight:
    """Check all that can be known of this plan before its first change.

    ``quotas``: where they were asked already. ``unasked``: what the reading may not ask of versions and classes.
    ``file``: the one that names prefix lists. ``marked``: as in `needed_by`.
    """
    work = [change for change in plan.work if not _is_blocked(change) and change.action in _NEEDS]
    if not work:
        if quotas is not None:
            wait([quotas.functions, quotas.databases])
        return Flight()
    quotas = quotas or Quotas.ask(aws)
    grouped = [change for change in work if change.type == SecurityGroupRules.type and change.address in stack]
    groups = {change.id: _rules_due(stack, change) for change in grouped}
    rules = _RuleQuota.ask(aws, groups) if groups else None
    permissions = _permissions(aws, needed_by(work, plan, values, marked=marked))
    found = [
        *permissions,
        *_quota_checks(work, quotas, _of_rules(groups, rules) if rules else ()),
        *_credentials(aws, usual_s(stack, work)),
        *_settled_by_the_reading(plan, unasked),
    ]
    errors = [_error(check) for check in found if check.ok is False and check.check not in _BLOCKING]
    missing = _missing(stack, groups, rules) if rules else ()
    if missing:
        error = ConfigError([Problem(file, "processor.egress", each, _NO_SUCH_LIST) for each in missing])
        found = [looked_up("network", error) if check.check == "network" else check for check in found]
        errors.append(error)
    return Flight(tuple(found), tuple(errors))


def _is_blocked(change: Change) -> bool:
    """True if the change is not to be made even where the user gives the consent that it needs."""
    return change.blocked is not None and not isinstance(change.blocked, ConsentMissing)


def _settled_by_the_reading(plan: Plan, unasked: Sequence[str]) -> Iterator[Check]:
    """Checks that the reading has passed already: it would have ended, or blocked, the plan otherwise."""
    blocked = [change for change in plan.changes if _is_blocked(change)]
    upgrades = [change for change in blocked if change.type == DbCluster.type and change.action is Action.UPDATE]
    subnets = [change for change in blocked if change.type == DbSubnetGroup.type and change.action is Action.UPDATE]
    names = [change for change in blocked if change not in (*upgrades, *subnets)]
    yield from (Check("upgrade", ok=None, detail=text) for text in dict.fromkeys(unasked))
    if upgrades or not unasked:
        yield Check("upgrade", not upgrades, _blocked(upgrades) or "versions and classes can be had")
    yield Check("name", not names, _blocked(names) or "no name is taken by anybody else")
    yield replace(looked_up("network"), ok=False, detail=_blocked(subnets)) if subnets else looked_up("network")
    yield looked_up("image")


def looked_up(check: str, error: TapctlError | None = None) -> Check:
    """The check of the network or the image, which are looked up before anything else."""
    if error is not None:
        told = (isinstance(error, ConfigError) and error.evidence) or error.cause
        return Check(check, ok=False, detail="; ".join(told.splitlines()))
    passed = {"network": "the networking holds its contract", "image": "the function's code is there"}
    return Check(check, ok=True, detail=passed[check])


def _blocked(changes: Iterable[Change]) -> str:
    return "; ".join(change.blocked.cause for change in changes if change.blocked)


def _error(check: Check) -> TapctlError:
    if check.check == "credentials":
        return WrongTarget(check.detail, hint="get new credentials first, then run the same command again")
    hint = f"allow {check.action} on {check.resource}" if check.action else "raise the quota, or ask for less"
    return Refused(check.detail, hint=f"{hint}, then run the same command again")


# -- permissions -------------------------------------------------------------------------------------------------------


def needed_by(work: Iterable[Change], plan: Plan, values: Values, *, marked: bool = False) -> list[Right]:
    """The rights that these changes need, on the very resources that they are about.

    ``marked``: True if the key bears the fingerprint of the record: each change leads to another one.
    """
    known = {**values, **{type_: _ids(plan, type_) or values[type_] for type_ in registry()}}
    key = next((change for change in plan.changes if change.type == KmsKey.type), None)
    live = dict(plan.outputs.get(key.address, {})).get("key_id", "") if key else ""
    rights: list[Right] = []
    if marked:
        rights += (_concretely(right, str(live)) for right in needed_for((FINGERPRINT_RIGHT,), Need.UPDATE, known))
    for change in work:
        own = {**known, change.type: (change.id,)}
        changed = {each.path.partition(".")[0] for each in change.fields}
        for right in needed_for(registry()[change.type].actions, _NEEDS[change.action], own):
            # A create needs every field's right that it is declared for.
            if change.action is Action.UPDATE and right.fields and not right.fields & changed:
                continue
            rights.append(_concretely(right, str(live)))
    return rights


def _concretely(right: Right, key_id: str) -> Right:
    return replace(right, resources=tuple(_concrete(each, key_id) for each in right.resources))


def _ids(plan: Plan, type_: str) -> tuple[str, ...]:
    return tuple(change.id for change in plan.changes if change.type == type_)


def _concrete(arn: str, key_id: str) -> str:
    """The ARN of one thing in place of a pattern: IAM takes a ``*`` in a resource for a character."""
    if arn == ANY[0]:
        return arn
    if arn.endswith(":key/*") and key_id:
        return f"{arn[:-1]}{key_id}"
    return arn.replace("*", "preflight").replace("??", "17").replace("?", "0")


@dataclass
class _Simulation:
    """A simulation call: actions and resources, all pairs of which are asked, and the values of the condition keys."""

    context: dict[str, tuple[str, ...]]
    absent: frozenset[str]
    actions: set[str] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def takes(self, right: Right) -> bool:
        """True if this right can be asked in the same call: no condition key has two values, the call is small."""
        context, absent = _context(right)
        agrees = all(self.context.get(key, value) == value for key, value in context.items())
        apart = self.absent.isdisjoint(context) and absent.isdisjoint(self.context)
        size = len(self.actions | {*right.actions}) * len(self.resources | {*right.resources})
        return agrees and apart and size <= _MOST_EVALUATIONS

    def add(self, right: Right) -> None:
        """Ask this right too."""
        context, absent = _context(right)
        self.context |= context
        self.absent |= absent
        self.actions |= {*right.actions}
        self.resources |= {*right.resources}
        self.pairs |= {(action, resource) for action in right.actions for resource in right.resources}

    def ask(self, aws: Aws, principal: str) -> list[Check]:
        """Ask IAM; returns what is denied."""
        pages: list[Any] = aws.pages(
            aws.iam.get_paginator("simulate_principal_policy"),
            PolicySourceArn=principal,
            ActionNames=sorted(self.actions),
            ResourceArns=sorted(self.resources),
            ContextEntries=[_entry(key, values) for key, values in sorted(self.context.items())],
            MaxItems=1000,
        )
        return [
            _denied(each, resource, principal)
            for page in pages
            for each in page.get("EvaluationResults", ())
            for resource, decision in _decisions(each)
            if decision != "allowed" and (each["EvalActionName"], resource) in self.pairs
            # Without a value that only a real request has, nobody can tell.
            if not each.get("MissingContextValues")
        ]


def _context(right: Right) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The values of the condition keys under which this right holds, and the keys that have to be absent."""
    tests = [each for each in right.conditions if each.operator != "Null"]
    absent = frozenset(each.key for each in right.conditions if each.operator == "Null")
    return {each.key: (min(each.values),) for each in tests}, absent


def _entry(key: str, values: Sequence[str]) -> dict[str, Any]:
    kinds = {"kms:ResourceAliases": "stringList", "kms:GrantIsForAWSResource": "boolean"}
    kind = "numeric" if values[0].isdigit() and key.startswith("kms:") else kinds.get(key, "string")
    return {"ContextKeyName": key, "ContextKeyValues": [*values], "ContextKeyType": kind}


def _decisions(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each resource and its decision: IAM tells several resources of one action below the action's own decision."""
    specific = result.get("ResourceSpecificResults") or ()
    if specific:
        return [(each["EvalResourceName"], each["EvalResourceDecision"]) for each in specific]
    return [(result.get("EvalResourceName", ANY[0]), result["EvalDecision"])]


def _denied(result: Mapping[str, Any], resource: str, principal: str) -> Check:
    action = result["EvalActionName"]
    bounded = result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True)
    by_organisation = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    if not by_organisation:
        why = "a policy of the organisation does not allow it"
    elif not bounded:
        why = "the permissions boundary does not allow it"
    elif result["EvalDecision"] == "explicitDeny":
        why = "a policy denies it"
    else:
        why = "no policy allows it"
    detail = f"{action} on {resource} is denied to {principal}: {why}"
    return Check("permissions", ok=False, detail=detail, action=action, resource=resource)


def simulations(rights: Iterable[Right], most: int) -> tuple[list[_Simulation], int]:
    """Put rights together into at most ``most`` calls; the number of rights that found no room."""
    calls: list[_Simulation] = []
    left = 0
    for right in rights:
        call = next((call for call in calls if call.takes(right)), None)
        if call is None and len(calls) == most:
            left += 1
            continue
        if call is None:
            call = _Simulation({}, frozenset())
            calls.append(call)
        call.add(right)
    return calls, left


def _permissions(aws: Aws, rights: list[Right]) -> list[Check]:
    """Ask IAM for these rights of the caller: its boundary and the organisation's policies are looked at too."""
    try:
        principal = _principal(aws)
        if not principal:
            return [Check("permissions", ok=None, detail="IAM simulates users and roles alone")]
        calls, left = simulations(rights, MAX_CALLS - _OTHER_CALLS)
        answers = side_by_side(partial(call.ask, aws, principal) for call in calls)
        denied = {(check.action, check.resource): check for answer in answers for check in answer}
    except AwsError as error:
        return [Check("permissions", ok=None, detail=f"could not be asked: {_why(error)}", action=_SIMULATE)]
    if denied:
        return [denied[key] for key in sorted(denied)]
    asked = len({pair for call in calls for pair in call.pairs})
    more = f"; {left} found no room in {MAX_CALLS} calls" if left else ""
    return [Check("permissions", ok=True, detail=f"{asked} rights are there{more}")]


def _principal(aws: Aws) -> str:
    """The ARN of the user or role behind our credentials; empty for others (an account's root, a federated user)."""
    assert aws.identity is not None, "a session has asked who we are"
    arn = aws.identity.arn
    kind, *names = arn.split(":", 5)[5].split("/")
    if kind == "user":
        return arn
    if kind != "assumed-role" or len(names) < _ROLE_ARN_PARTS:
        return ""
    # A session's ARN leaves out the path of its role.
    return aws.read(aws.iam.get_role, RoleName=names[0])["Role"]["Arn"]


def _why(error: AwsError) -> str:
    return f"{error.iam_action} denied" if isinstance(error, AwsRefused) and error.is_denied else str(error)


# -- quotas ------------------------------------------------------------------------------------------------------------


def _quota_checks(work: Sequence[Change], quotas: Quotas, rules: Iterable[Check]) -> list[Check]:
    """Check what this plan makes against the account's quotas; ``rules``: those of the security groups."""
    found = [*rules]
    for answer, look in ((quotas.functions, _of_functions), (quotas.databases, _of_databases)):
        try:
            found += look(work, answer.result())
        except AwsError as error:
            found.append(Check("quotas", ok=None, detail=f"could not be asked: {_why(error)}"))
    return found or [Check("quotas", ok=True, detail="there is room for all of it")]


def _of_databases(work: Sequence[Change], answer: Mapping[str, Any]) -> list[Check]:
    made = Counter(change.type for change in work if change.action is Action.CREATE)
    limits = {each.get("AccountQuotaName"): each for each in answer.get("AccountQuotas", ())}
    found = []
    for type_, count in sorted(made.items()):
        limit = limits.get(_QUOTAS.get(type_))
        used, most = (limit.get("Used", 0), limit.get("Max", 0)) if limit else (0, count)
        if used + count > most:
            detail = f"RDS has room for {max(most - used, 0)} of {count} {type_}: {used} of {most} are used"
            found.append(Check("quotas", ok=False, detail=detail, resource=_QUOTAS[type_]))
    return found


def _most_rules(aws: Aws) -> int:
    """Ask how many rules of a direction a group may have here; an account that never changed that has the default."""
    try:
        answer = aws.service_quotas.get_service_quota(ServiceCode="vpc", QuotaCode=_RULES_QUOTA)
    except AwsRefused as error:
        if not error.matches("NoSuchResourceException"):
            raise
        return _DEFAULT_RULES
    return int(answer["Quota"].get("Value", _DEFAULT_RULES))


def _sizes(aws: Aws, lists: Sequence[str]) -> Mapping[str, tuple[int, str]]:
    """Ask how many rules each prefix list counts as, and of which family: a list of ours as all that it may hold.

    By a filter: an id that is asked for itself ends the call where one list is not there.
    """
    paginator = aws.ec2.get_paginator("describe_managed_prefix_lists")
    pages = aws.pages(paginator, Filters=[{"Name": "prefix-list-id", "Values": list(lists)}])
    return {
        each.get("PrefixListId", ""): (each.get("MaxEntries", _weight(each)), each.get("AddressFamily", ""))
        for page in pages
        for each in page.get("PrefixLists", ())
    }


def _weight(prefix_list: Mapping[str, Any]) -> int:
    name = prefix_list.get("PrefixListName", "")
    return next((weight for end, weight in _WEIGHTS.items() if name.endswith(f".{end}")), 1)


def _missing(stack: Stack, groups: Iterable[str], quota: _RuleQuota) -> list[str]:
    """The prefix lists that wanted rules name and EC2 does not know: none where that may not be asked."""
    wanted = {rule.peer for id_ in groups for rule in stack[address(SecurityGroupRules.type, id_)].spec.rules}
    try:
        known = quota.sizes.result() if quota.sizes else {}
    except AwsError:
        return []
    return [each for each in quota.lists if each in wanted and each not in known]


@dataclass(frozen=True)
class _RuleQuota:
    """The answers about the rules of security groups. ``lists``: the prefix lists that any rule names."""

    most: Future[int]
    lists: Sequence[str]
    sizes: Future[Mapping[str, tuple[int, str]]] | None

    @classmethod
    def ask(cls, aws: Aws, groups: Mapping[str, frozenset[Rule]]) -> _RuleQuota:
        """Ask Service Quotas and EC2, in the background."""
        peers = {rule.peer for rules in groups.values() for rule in rules}
        lists = sorted(peer for peer in peers if is_prefix_list(peer))
        sizes = in_background(partial(_sizes, aws, lists)) if lists else None
        return cls(in_background(partial(_most_rules, aws)), lists, sizes)


def _rules_due(stack: Stack, change: Change) -> frozenset[Rule]:
    """The rules of a group while it changes: those that go are there beside those that come.

    A new group counts as one with both of EC2's rules: in a VPC without IPv6 one of that family is too many.
    """
    going = {each.have for each in change.fields if each.path == "rules" and isinstance(each.have, Rule)}
    rules: frozenset[Rule] = stack[change.address].spec.rules
    return rules | (going if change.action is Action.UPDATE else OF_EVERY_NEW_GROUP)


def _of_rules(groups: Mapping[str, frozenset[Rule]], quota: _RuleQuota) -> Iterator[Check]:
    """Check the rules of each group, direction and family."""
    most, sizes = _DEFAULT_RULES, dict.fromkeys(quota.lists, (1, ""))
    try:
        most = quota.most.result()
    except AwsError as error:
        detail = f"the rules of a security group could not be asked: {_why(error)}; {_DEFAULT_RULES} is the default"
        yield Check("quotas", ok=None, detail=detail, resource=_RULES_QUOTA)
    try:
        sizes |= quota.sizes.result() if quota.sizes else {}
    except AwsError as error:
        named = ", ".join(quota.lists)
        detail = f"how many rules {named} counts as could not be asked: {_why(error)}; as one is assumed"
        yield Check("quotas", ok=None, detail=detail, resource=_RULES_QUOTA)
    for id_, rules in groups.items():
        for direction in ("ingress", "egress"):
            there = [rule.peer for rule in rules if rule.direction == direction]
            count = max(sum(_size(peer, family, sizes) for peer in there) for family in _FAMILIES)
            if count > most:
                detail = f"EC2 has room for {most} {direction} rules of {id_}, and {count} are due"
                yield Check("quotas", ok=False, detail=detail, resource=_RULES_QUOTA)


def _size(peer: str, family: str, sizes: Mapping[str, tuple[int, str]]) -> int:
    """The rules of a family that a peer counts as (VPC user guide, "Security group size"): a group is of both."""
    if peer in sizes:
        size, of = sizes[peer]
        return size if of in ("", family) else 0
    try:
        return int(f"IPv{ip_network(peer).version}" == family)
    except ValueError:
        return 1


def _of_functions(work: Sequence[Change], answer: Mapping[str, Any]) -> list[Check]:
    changes = [change for change in work if change.type == LambdaFunction.type and change.action is not Action.DELETE]
    fields = {each.path: each for change in changes for each in change.fields}
    limit = answer.get("AccountLimit", {})
    all_, free = limit.get("ConcurrentExecutions", 0), limit.get("UnreservedConcurrentExecutions", 0)
    found = []
    if (reserved := fields.get("reserved_concurrency")) and isinstance(reserved.want, int):
        have = reserved.have if isinstance(reserved.have, int) else 0
        room = max(free + have - min(_FLOOR, all_), 0)
        if reserved.want > room:
            detail = (
                f"Lambda can reserve {room} concurrent executions at most for {changes[0].id}, not {reserved.want}: "
                f"the account has {all_}, of which {min(_FLOOR, all_)} stay unreserved"
            )
            found.append(Check("quotas", ok=False, detail=detail, resource="ConcurrentExecutions"))
    memory = fields.get("memory_mb")
    if memory and isinstance(memory.want, int) and memory.want > _SMALL_MEMORY_MB and all_ < _USUAL_CONCURRENCY:
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: new accounts have less of both.
        most = f"new accounts have {_SMALL_MEMORY_MB} at most"
        detail = f"no API tells if a function may have {memory.want} MB in this account: {most}"
        found.append(Check("quotas", ok=None, detail=detail, resource="memory"))
    return found


# -- credentials -------------------------------------------------------------------------------------------------------


def usual_s(stack: Stack, work: Iterable[Change]) -> float:
    """The usual time of this plan, in seconds: of the creates that wait for each other longest."""
    making = {change.address for change in work if change.action in (Action.CREATE, Action.REPLACE)}
    ends: dict[str, float] = {}
    for resource in stack:
        begin = max((ends[need] for need in resource.needs), default=0.0)
        ends[resource.address] = begin + (resource.reconciler.timing.create_s if resource.address in making else 0)
    return max(ends.values(), default=0.0)


def _credentials(aws: Aws, needed_s: float) -> list[Check]:
    end = aws.credentials_end()
    left_s = (end - datetime.now(UTC)).total_seconds() if end else needed_s
    if left_s < needed_s:
        detail = f"the credentials end in {max(left_s, 0) / 60:.0f} min, and this usually takes {needed_s / 60:.0f} min"
        return [Check("credentials", ok=False, detail=detail)]
    return [Check("credentials", ok=True, detail="they last, or are renewed")]
