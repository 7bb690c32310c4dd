"""Settings that the product can never want, whatever a record says of them: an open door, a policy for everybody.

A record is evidence and no truth. Who may write it can make a hole look recorded; so drift tells what is there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from tapctl.aws.everybody import EVERYBODY, everybodys
from tapctl.aws.policy import UNREAD, PolicyDocument, Statement, policy
from tapctl.aws.wildcards import far_reaching
from tapctl.config.rules import assumes_by_pattern
from tapctl.config.schema import Permission
from tapctl.engine.model import Spec, address
from tapctl.engine.refs import KnownOutputs
from tapctl.names import OUR_STATEMENTS, Names
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.iam_role import IamRoleSpec
from tapctl.reconcilers.kms_key import KmsKey, KmsKeySpec
from tapctl.reconcilers.open_rules import open_together, part_of
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import SecurityGroupRulesSpec
from tapctl.reconcilers.sns_topic import SnsTopicSpec
from tapctl.safety.open_networks import opens_world
from tapctl.stack.policies import function_policy, key_policy, lambda_trust, topic_policy

_ANY_USER: Final = "ANYUSER"
"""Stands for the database's user, whom the files name."""
_ANY_KEY: Final = "ANYKEY"
_ANY_MANAGED: Final = "ANYMANAGED"
_ANY_CLUSTER: Final = "ANYCLUSTER"
"""Words that stand for outputs that are not known."""
CONSTANT: Final[Mapping[tuple[str, str], Any]] = {
    ("db-cluster", "storage_encrypted"): True,
    ("db-cluster", "managed_secret"): True,
    ("db-cluster", "iam_authentication"): True,
    ("db-cluster", "http_endpoint"): False,
    ("db-cluster", "associated_roles"): frozenset(),
    ("db-instance", "publicly_accessible"): False,
    ("iam-role", "attached"): frozenset(),
    ("lambda-function", "resource_policy"): None,
    ("kms-key", "enabled"): True,
    ("kms-key", "rotation"): True,
}
"""(type, field) to the one value that the product can want."""
SET_AFTER_CREATION: Final = frozenset({("kms-key", "rotation"), ("db-cluster", "managed_secret")})
"""The fields among these that a create, or a restore, cannot set: another value is AWS's own until an apply has come to
them."""


def never_wanted(
    names: Names, type_: str, id: str, live: Spec, passing: Collection[Rule] = ()
) -> Iterator[tuple[str, Any, str]]:
    """List what of a live resource the product can never want: the field, the value or item in it, and the reason.

    ``passing``: rules that are told otherwise.
    """
    for name in type(live).model_fields:
        value = getattr(live, name)
        if (type_, name) in CONSTANT and value != CONSTANT[type_, name]:
            if isinstance(value, frozenset):
                yield from ((name, item, f"tapctl never sets this: {item}") for item in sorted(value))
            else:
                yield name, value, "tapctl never sets this"
        for item, reason in _reasons(names, id, value, passing):
            yield name, item, reason


def let_in(
    names: Names,
    type_: str,
    id: str,
    live: Spec,
    *,
    function_group: str = "",
    outputs: Sequence[KnownOutputs] = (),
) -> Iterator[tuple[str, Any]]:
    """List by what of a live resource others are let in, field and item: no key of the files may want any of it.

    Where the record tells of one, somebody has written there: an apply leaves exposures alone and records none, and
    makes neither the rules nor the statements. A waiver that names it may cover one. ``function_group``: the id of the
    function's security group, as EC2 tells it; empty where that is not known, and any group may be the function's.
    ``outputs``: those of the key and the cluster that the role's policy may be for; without them any of this account.
    """
    yield from _exposed(type_, live)
    for name, (document, wanted) in _policies(names, live).items():
        invited = {principal for statement in wanted.statements for principal in statement.principals}
        yield from ((name, one) for one in _allowing(document) if one.principals - invited - everybodys(one))
    if isinstance(live, IamRoleSpec):
        yield from (("inline", live.inline[name]) for name in sorted(live.inline.keys() - {names.role_policy}))
        yield from (
            ("inline", one)
            for one in _allowing(live.inline.get(names.role_policy, policy()))
            if not (_is_ours(names, one, outputs) if one.sid in OUR_STATEMENTS else may_be_added(one))
        )
    if isinstance(live, SecurityGroupRulesSpec):
        rules = sorted(live.rules, key=lambda rule: rule.key)
        yield from (("rules", rule) for rule in rules if not _may_be_wanted(names, id, rule, function_group))


def _policies(names: Names, live: Spec) -> Mapping[str, tuple[PolicyDocument, PolicyDocument]]:
    """The policies that let somebody in, by field, each beside ours: nobody else is let in by that one."""
    if isinstance(live, IamRoleSpec):
        return {"trust": (live.trust, lambda_trust(names))}
    if isinstance(live, KmsKeySpec):
        return {"policy": (live.policy, key_policy(names))}
    return {"policy": (live.policy, topic_policy(names))} if isinstance(live, SnsTopicSpec) else {}


def _allowing(document: PolicyDocument) -> list[Statement]:
    return sorted((one for one in document.statements if one.effect == "Allow"), key=lambda statement: statement.sid)


def _is_ours(names: Names, one: Statement, outputs: Sequence[KnownOutputs]) -> bool:
    """True if the statement, which bears the id of one of ours, allows no more than that one for some outputs."""
    return any(_is_for(names, one, known) for known in outputs or ({},))


def _is_for(names: Names, one: Statement, known: KnownOutputs) -> bool:
    key = known.get(address(KmsKey.type, names.key_alias), {})
    cluster = known.get(address(DbCluster.type, names.cluster), {})
    wanted = function_policy(
        names,
        key_arn=key.get("arn") or _ANY_KEY,
        secret_arn=cluster.get("secret_arn") or _ANY_MANAGED,
        cluster_resource_id=cluster.get("resource_id") or _ANY_CLUSTER,
        database_user=_ANY_USER,
    )
    (ours,) = (each for each in wanted.statements if each.sid == one.sid)
    patterns = [_pattern(names, each) for each in ours.resources]
    in_bounds = all(any(re.fullmatch(pattern, each, re.ASCII) for pattern in patterns) for each in one.resources)
    return in_bounds and not one.other and one.actions <= ours.actions and one.conditions >= ours.conditions


def _pattern(names: Names, resource: str) -> str:
    """The pattern of a resource in which something stands for what is not known."""
    pattern, place = re.escape(resource), re.escape(f"{names.region}:{names.account}")
    for stand_in, any_of in {
        _ANY_USER: r"\w+_app",
        _ANY_KEY: rf"arn:[\w-]+:kms:{place}:key/[\w-]+",
        _ANY_MANAGED: rf"arn:[\w-]+:secretsmanager:{place}:secret:rds!cluster-[\w-]+",
        _ANY_CLUSTER: r"cluster-\w+",
    }.items():
        pattern = pattern.replace(stand_in, any_of)
    return pattern


def may_be_added(one: Statement) -> bool:
    """True if the statement may be one that a team has added in its files."""
    if one.conditions or one.other or one.principals or assumes_by_pattern(one.actions, one.resources):
        return False
    try:
        Permission.model_validate({"sid": one.sid, "actions": [*one.actions], "resources": [*one.resources]})
    except ValidationError:
        return False
    return True


def _may_be_wanted(names: Names, id: str, rule: Rule, function_group: str) -> bool:
    """True if the rule goes the way that the group is for, and another one does not tell of it: the world's."""
    if opens_world(rule.peer):
        return True
    if id == names.lambda_security_group:
        return rule.direction == "egress"
    return rule.direction == "ingress" and (
        rule.peer == function_group if function_group else rule.peer.startswith("sg-")
    )


def _exposed(type_: str, live: Spec) -> Iterator[tuple[str, Any]]:
    for name in sorted(registry()[type_].leaves(allowed=True)):
        value = getattr(live, name)
        if value != type(live).model_fields[name].default:
            yield from ((name, item) for item in (sorted(value) if isinstance(value, frozenset) else (value,)))


def holds(live: Any, item: Any) -> bool:
    """True if this live value is the item, or has it somewhere in it: a policy its statements, a set its items."""
    parts: Iterable[Any] = ()
    if isinstance(live, Mapping):
        parts = live.values()
    elif isinstance(live, frozenset):
        parts = live
    elif isinstance(live, BaseModel):
        parts = (getattr(live, name) for name in type(live).model_fields)
    return bool(live == item) or any(holds(part, item) for part in parts)


def _reasons(names: Names, id: str, value: Any, passing: Collection[Rule]) -> Iterator[tuple[Any, str]]:
    if isinstance(value, PolicyDocument):
        yield from _policy_reasons(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _reasons(names, id, item, passing)
    elif isinstance(value, frozenset):
        rules = sorted(
            {rule for rule in value if isinstance(rule, Rule)}.difference(passing), key=lambda rule: rule.key
        )
        yield from ((rule, f"open to the world: {rule}") for rule in rules if _is_open(names, id, rule))
        for world, parts in open_together(part_of("", rule) for rule in rules):
            if _is_open(names, id, world):
                yield from ((one.rule, f"open to the world, with others: {one.rule} of {world.peer}") for one in parts)


def _policy_reasons(document: PolicyDocument) -> Iterator[tuple[Statement, str]]:
    for statement in _allowing(document):
        yield from ((statement, reason) for reason in why_never(statement))


def why_never(statement: Statement) -> Iterator[str]:
    """The reasons why no policy of ours has this statement, and no waiver is of it: none of one that denies."""
    if statement.effect != "Allow":
        return
    called = statement.sid or "a statement"
    for name in sorted(one.name for one in everybodys(statement)):
        yield f"{called} lets everybody in" + ("" if name == EVERYBODY else f" who is, or has an identity of, {name}")
    if reach := far_reaching(statement.actions, statement.resources):
        yield f"{called} allows {reach}"
    if UNREAD in statement.other:
        yield "a statement is in a form that nobody knows"
    elif statement.other:
        yield f"{called} allows all but what it names"


def _is_open(names: Names, id: str, rule: Rule) -> bool:
    """True if the rule lets the world in, or lets out into it more than the function's HTTPS."""
    if not opens_world(rule.peer):
        return False
    return not (rule.direction == "egress" and rule.is_https and id == names.lambda_security_group)
