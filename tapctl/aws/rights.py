"""The rights that calls to AWS need, as values: declared beside the code that makes the calls.

A right's resources and conditions are templates: ``{partition}``, ``{region}``, ``{account}``, ``{suffix}`` and the
name of a resource type in braces (``{db-cluster}``: each id that the type can have) are filled in. What needs which
action, on which resource, by which condition keys: the Service Authorization Reference of each service, and what its
user guide says of the rights of its callers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Flag, auto
from fnmatch import fnmatchcase
from typing import Final

from tapctl.aws.policy import Condition, when

ANY: Final = ("*",)
"""The resource of what AWS cannot scope: `Right.why` says so of each."""
OURS: Final = (
    when("StringEquals", "aws:ResourceTag/ManagedBy", "tapctl"),
    when("StringEquals", "aws:ResourceTag/EnvironmentSuffix", "{suffix}"),
)
"""The conditions under which a resource without a name of its own is ours: its owner tags say so."""
TAGGED: Final = (
    when("StringEquals", "aws:RequestTag/ManagedBy", "tapctl"),
    when("StringEquals", "aws:RequestTag/EnvironmentSuffix", "{suffix}"),
)
"""The conditions of a request that gives a new resource our owner tags."""
LISTS: Final = "a list: AWS knows no resource of it"

_NAME = re.compile(r"{([a-z-]+)}")


class Need(Flag):
    """The occasions on which a right is needed."""

    OBSERVE = auto()
    """The resource is read: by every command that asks AWS."""
    EXPOSURES = auto()
    """A drift reads who else was let in."""
    PLAN = auto()
    """A plan asks what is there beside the stack."""
    CREATE = auto()
    UPDATE = auto()
    REPLACE = auto()
    """An apply removes the resource: the configuration has it no more, or it is made anew."""
    DELETE = auto()
    SWEEP = auto()
    """A sweep searches for all that bears our tags."""


COMMANDS: Final[Mapping[str, Need]] = {
    "plan": Need.OBSERVE | Need.PLAN,
    "drift": Need.OBSERVE | Need.EXPOSURES,
    "apply": Need.OBSERVE | Need.PLAN | Need.CREATE | Need.UPDATE | Need.REPLACE,
    "destroy": Need.OBSERVE | Need.DELETE | Need.SWEEP,
}
"""Command to what it needs."""


@dataclass(frozen=True)
class Right:
    """The right to these actions on these resources, under all of these conditions."""

    need: Need
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ANY
    conditions: tuple[Condition, ...] = ()
    fields: frozenset[str] = frozenset()
    """The fields whose change in place needs the right; empty: any field's. (A create may need every field's.)"""
    why: str = ""
    """Why the resource is ``*``."""

    def filled(self, values: Mapping[str, tuple[str, ...]]) -> Right:
        """Fill in the templates; a resource or a condition with a name that has no value is left empty."""
        resources = tuple(dict.fromkeys(text for template in self.resources for text in _fill(template, values)))
        conditions = tuple(
            condition.model_copy(
                update={"values": frozenset(text for value in condition.values for text in _fill(value, values))}
            )
            for condition in self.conditions
        )
        return replace(self, resources=resources, conditions=conditions)

    def actions_beyond(self, others: Iterable[Right]) -> set[str]:
        """The actions that no other right, of those filled in, allows on all of these resources and more."""
        wider = {action for other in others if other._is_wider_than(self) for action in other.actions}  # noqa: SLF001
        return {*self.actions} - wider

    def _is_wider_than(self, other: Right) -> bool:
        """True if this right allows what the other does on more resources, or under fewer conditions."""
        if ({*self.resources}, {*self.conditions}) == ({*other.resources}, {*other.conditions}):
            return False
        return {*self.conditions} <= {*other.conditions} and all(
            any(fnmatchcase(text, pattern) for pattern in self.resources) for text in other.resources
        )


def arn(service: str, resource: str) -> str:
    """The template of a regional ARN; ``resource``: all that follows the account's id."""
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


def needed_for(rights: Iterable[Right], need: Need, values: Mapping[str, tuple[str, ...]]) -> Iterator[Right]:
    """Select what is needed on any of these occasions, filled in; without what concerns no resource of this stack."""
    for right in rights:
        if right.need & need:
            filled = right.filled(values)
            if filled.resources and all(condition.values for condition in filled.conditions):
                yield filled


def _fill(template: str, values: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    names = list(dict.fromkeys(_NAME.findall(template)))
    for chosen in itertools.product(*(values[name] for name in names)):
        known = dict(zip(names, chosen, strict=True))
        yield _NAME.sub(lambda match: known[match[1]], template)  # noqa: B023 -- used at once
