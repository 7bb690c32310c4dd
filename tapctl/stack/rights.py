"""The least rights that a command needs in one environment, as IAM policies.

Every right is declared beside the code that needs it: with each resource type, the network and the image. This module
fills in names and puts them together; nothing here lists what AWS calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tapctl.aws.policy import Condition, Statement, as_json, policy
from tapctl.aws.rights import ANY, COMMANDS, Need, Right, needed_for
from tapctl.aws.trail import TRAIL_RIGHTS
from tapctl.config import Config
from tapctl.engine import model
from tapctl.engine.resources import Stack
from tapctl.names import Names
from tapctl.reconcilers import registry
from tapctl.reconcilers.iam_role import IamRole, IamRoleSpec
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey, KmsKeySpec
from tapctl.regions import dns_suffix, partition_of
from tapctl.stack.definition import planned_stack
from tapctl.stack.image import IMAGE_RIGHTS, repository_arns
from tapctl.stack.network import NETWORK_RIGHTS

MAX_CHARACTERS: Final = 6144
"""The size of a managed policy (IAM user guide, "IAM and AWS STS quotas"), which counts no white space: we do."""
NEVER: Final = ("rds-db:connect", "secretsmanager:GetSecretValue")
"""Actions that no command of tapctl takes, and its role must not: log in to the database, or read its password."""
READER, CHANGER = "tapctl-read", "tapctl-change"
"""The roles for which the policies are meant, each with the suffix after a hyphen."""
PREFLIGHT_RIGHTS: Final = (
    Right(
        Need.PLAN,
        ("iam:GetRole", "iam:SimulatePrincipalPolicy"),
        tuple(f"arn:{{partition}}:iam::{{account}}:role/{role}-{{suffix}}" for role in (READER, CHANGER)),
    ),
)
"""The rights to ask what the caller itself may do."""
_UNSCOPED: Final = "AwsScopesNoneOfThese"

Values = Mapping[str, tuple[str, ...]]
"""The values of a right's templates."""


@dataclass(frozen=True)
class Declared:
    """A right and what declares it: a resource type, ``network``, ``image``, ``state``."""

    by: str
    right: Right


def declared(more: Iterable[Declared] = ()) -> list[Declared]:
    """All rights that are declared, and these."""
    types = [Declared(type_, right) for type_, reconciler in registry().items() for right in reconciler.actions]
    others = {"network": NETWORK_RIGHTS, "image": IMAGE_RIGHTS, "preflight": PREFLIGHT_RIGHTS, "trail": TRAIL_RIGHTS}
    return [*types, *(Declared(by, right) for by, rights in others.items() for right in rights), *more]


def values_of(config: Config, names: Names) -> Values:
    """The values for this environment: each type's ids as patterns for ARNs."""
    stack = planned_stack(config, names.suffix)
    role, key = (
        stack[model.address(type_, id_)].spec
        for type_, id_ in ((IamRole.type, names.role), (KmsKey.type, names.key_alias))
    )
    assert isinstance(role, IamRoleSpec), "the stack has a role"
    assert isinstance(key, KmsKeySpec), "the stack has a key"
    network, image = config.networking, config.processor.image if config.processor.package == "image" else None
    repository, own = repository_arns(image, config.account_id, names.region) if image else ("", "")
    # Some partitions' names of services have both ends (China's have their own, and AWS's).
    domains = dict.fromkeys((dns_suffix(names.region), "amazonaws.com"))
    single = {
        "partition": partition_of(names.region),
        "region": names.region,
        "account": config.account_id,
        "suffix": names.suffix,
        "window": key.tags[WINDOW_TAG],
        "role-path": role.path.lstrip("/"),
    }
    optional = {
        "boundary": role.permissions_boundary,
        "repository": repository,
        "own-repository": own,
        "network-stack": network.target.rpartition(":stack/")[2].partition("/")[0]
        if network.kind == "cloudformation"
        else "",
        "network-parameters": network.target.strip("/") if network.kind == "ssm" else "",
    }
    return {
        **{type_: _ids(names, stack, type_) for type_ in registry()},
        **{name: (value,) for name, value in single.items()},
        **{name: (value,) if value else () for name, value in optional.items()},
        "domain": tuple(domains),
    }


def _ids(names: Names, stack: Stack, type_: str) -> tuple[str, ...]:
    """Patterns for all ids of this type; those that the configuration names are what they are."""
    patterns = names.id_patterns(type_)
    own = (resource.id for resource in stack if resource.type == type_)
    return (*patterns, *(id_ for id_ in own if not any(fnmatchcase(id_, pattern) for pattern in patterns)))


def statements_for(command: str, values: Values, more: Iterable[Declared] = ()) -> list[Statement]:
    """The statements that this command needs: its rights, one statement for each set of resources and conditions."""
    rights = [
        (each, right)
        for each in declared(more)
        if values.get(each.by, (each.by,))
        for right in needed_for((each.right,), COMMANDS[command], values)
    ]
    merged: dict[tuple[frozenset[str], frozenset[Condition]], tuple[str, set[str]]] = {}
    for each, right in rights:
        _, actions = merged.setdefault(
            (frozenset(right.resources), frozenset(right.conditions)), (_sid(each, right), set())
        )
        actions |= right.actions_beyond(other for _, other in rights)
    kept = {scope: (sid, actions) for scope, (sid, actions) in merged.items() if actions}
    sids = _unique(sid for sid, _ in kept.values())
    statements = [
        Statement(sid=sid, actions=frozenset(actions), resources=resources, conditions=conditions)
        for sid, ((resources, conditions), (_, actions)) in zip(sids, kept.items(), strict=True)
    ]
    never = Statement(sid="Never", effect="Deny", actions=frozenset(NEVER), resources=frozenset(ANY))
    return [never, *sorted(statements, key=lambda statement: statement.sid)]


def unscoped(command: str) -> dict[str, str]:
    """Each action that has the resource ``*``, and why AWS cannot scope it."""
    need = COMMANDS[command]
    found: dict[str, str] = {}
    for each in declared():
        if each.right.need & need and each.right.resources == ANY:
            found.update(dict.fromkeys(each.right.actions, each.right.why))
    return dict(sorted(found.items()))


def documents(statements: Sequence[Statement]) -> list[str]:
    """The statements as policies of at most `MAX_CHARACTERS` each, together as good as one."""
    texts: list[str] = []
    group: list[Statement] = []
    for statement in statements:
        if group and len(as_json(policy(*group, statement))) > MAX_CHARACTERS:
            texts.append(as_json(policy(*group)))
            group = []
        group.append(statement)
    return [*texts, as_json(policy(*group))]


def document(statements: Sequence[Statement]) -> str:
    """The statements as one policy, for people to read."""
    return json.dumps(json.loads(as_json(policy(*statements))), indent=2)


def _sid(each: Declared, right: Right) -> str:
    if right.resources == ANY:
        return _UNSCOPED
    return "".join(part.capitalize() for part in each.by.split("-"))


def _unique(names: Iterable[str]) -> Iterator[str]:
    """The names, each further one of a kind with its number."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        yield name if counts[name] == 1 else f"{name}{counts[name]}"
