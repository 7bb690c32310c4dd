"""Groups in time: not seen at once, held by users that are gone, values that show late and are put in force later.

From the Aurora user guide ("Parameter groups for Amazon Aurora"), the RDS API reference, and what
terraform-provider-aws retries (internal/service/rds/parameter_group.go, cluster_parameter_group.go, subnet_group.go).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.lifecycle import is_going, is_hidden, leave, make
from tapctl.sandbox.emulator.rds.parameters import group_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")


@dataclass(frozen=True)
class _Kind:
    """One kind of group: its word in operations, where moto keeps it, and the words of RDS's refusals."""

    word: str
    place: str
    missing: str
    held: str


_KINDS: Final = (
    _Kind("DBSubnetGroup", "subnet_groups", "DBSubnetGroupNotFoundFault", "InvalidDBSubnetGroupStateFault"),
    _Kind(
        "DBClusterParameterGroup",
        "db_cluster_parameter_groups",
        "DBParameterGroupNotFound",
        "InvalidDBParameterGroupState",
    ),
    _Kind("DBParameterGroup", "db_parameter_groups", "DBParameterGroupNotFound", "InvalidDBParameterGroupState"),
)
_WORDS: Final = tuple(kind.word for kind in _KINDS)
_CHANGES: Final = tuple(
    f"{verb}{word}" for verb in ("Modify", "Reset") for word in ("DBParameterGroup", "DBClusterParameterGroup")
)
_PARAMETERS: Final = ("DescribeDBParameters", "DescribeDBClusterParameters")
_TAGS: Final = ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource")


def _kind(call: Call) -> _Kind:
    """The kind an operation is about."""
    word = call.operation.replace("Parameters", "ParameterGroup")
    return next(kind for kind in _KINDS if kind.word in word)


def _group(call: Call) -> tuple[_Kind, str, Any]:
    """The group an operation is about; None where there is none."""
    kind = _kind(call)
    name = call.params.get(f"{kind.word}Name", "")
    return kind, name, getattr(call.moto("rds"), kind.place).get(name)


def _missing(kind: _Kind, name: str) -> Fault:
    return Fault(kind.missing, f"{kind.word} not found: {name}")


# -- to come and to go -----------------------------------------------------------------------------------------------


@rules(*(f"Create{word}" for word in _WORDS))
def a_group_is_new(call: Call, proceed: Proceed) -> Reply:
    """It has a birthday."""
    reply = proceed()
    make(call, _group(call)[2])
    return reply


@rules(*(f"{verb}{word}" for verb in ("Modify", "Delete") for word in _WORDS), *_CHANGES[2:], *_PARAMETERS)
@rules(*(f"Describe{word}s" for word in _WORDS))
def a_new_group_does_not_show_at_once(call: Call, proceed: Proceed) -> Reply:
    """For 2 s, and once more after it has shown."""
    kind, name, group = _group(call)
    if group is not None and is_hidden(call, group):
        raise _missing(kind, name)
    reply = proceed()
    listing, groups = f"{kind.word}s", getattr(call.moto("rds"), kind.place)
    if listing in reply:
        name = f"{kind.word}Name"
        reply[listing] = [one for one in reply[listing] if not is_hidden(call, groups[one[name]])]
    return reply


@rules(*_TAGS)
def a_new_group_has_no_tags_at_once(call: Call, proceed: Proceed) -> Reply:
    """It is not found by its ARN either."""
    for kind in _KINDS:
        for name, group in getattr(call.moto("rds"), kind.place).items():
            if group.arn == call.params["ResourceName"] and is_hidden(call, group):
                raise _missing(kind, name)
    return proceed()


@rules("CreateDBCluster", "ModifyDBCluster", "CreateDBInstance", "ModifyDBInstance")
def a_new_group_is_not_known_to_its_users(call: Call, proceed: Proceed) -> Reply:
    """As long as it does not show (CreateDBClusterParameterGroup advises to wait five minutes)."""
    for kind in _KINDS:
        name = call.params.get(f"{kind.word}Name", "")
        group = getattr(call.moto("rds"), kind.place).get(name)
        if group is not None and is_hidden(call, group):
            of_cluster = kind.word == "DBClusterParameterGroup"
            raise Fault("DBClusterParameterGroupNotFound" if of_cluster else kind.missing, f"{name} does not exist")
    return proceed()


@rules(*(f"Delete{word}" for word in _WORDS))
def a_group_is_held_a_while_after_its_users(call: Call, proceed: Proceed) -> Reply:
    """For a minute it counts as used by what is gone."""
    kind, name, group = _group(call)
    if group is not None and call.life.now() < kept(group).get("held_until", -math.inf):
        raise Fault(kind.held, f"One or more database instances are still members of this group {name}")
    return proceed()


@rules(*(f"Delete{word}" for word in _WORDS))
def a_deleted_group_still_shows(call: Call, proceed: Proceed) -> Reply:
    """For 3 s, in which it cannot be deleted again."""
    kind, name, group = _group(call)
    if group is not None and is_going(group):
        raise _missing(kind, name)
    reply = proceed()
    getattr(call.moto("rds"), kind.place)[name] = group
    leave(call, group, times.GROUP_GOES_S)
    return reply


# -- parameters ------------------------------------------------------------------------------------------------------


@rules(*_CHANGES)
def changed_parameters_show_late(call: Call, proceed: Proceed) -> Reply:
    """For 3 s the values from before are told."""
    group = group_of(call)
    before = {**group.parameters}
    reply = proceed()
    if group.parameters != before:
        kept(group)["values_were"] = (call.life.now() + times.VALUES_LAG_S, before)
    return reply


@rules(*_PARAMETERS)
def old_parameters_are_told(call: Call, proceed: Proceed) -> Reply:
    """As long as new ones do not show."""
    group = group_of(call)
    until, before = kept(group).get("values_were", (-math.inf, {}))
    if call.life.now() >= until:
        return proceed()
    now, group.parameters = group.parameters, before
    try:
        return proceed()
    finally:
        group.parameters = now


@rules(*_CHANGES[2:])
def a_group_that_was_just_changed_is_not_reset(call: Call, proceed: Proceed) -> Reply:
    """For 10 s it "has pending changes"."""
    group = group_of(call)
    if not call.life.after(group, "changed", times.RESTS_S):
        raise Fault("InvalidDBParameterGroupState", f"Parameter group {group.name} has pending changes")
    return proceed()


@rules(*_CHANGES)
def a_group_has_a_last_change(call: Call, proceed: Proceed) -> Reply:
    """From which its rest is counted."""
    reply = proceed()
    call.life.begin(group_of(call), "changed")
    return reply
