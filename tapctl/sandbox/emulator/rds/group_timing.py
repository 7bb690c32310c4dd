"""Subnet and parameter groups over time: late to show, held by deleted users, values that show late.

From the Aurora user guide ("Parameter groups for Amazon Aurora"), the RDS API reference, and what
terraform-provider-aws retries (internal/service/rds/parameter_group.go, cluster_parameter_group.go, subnet_group.go).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.lifecycle import is_deleting, is_hidden, mark_created, start_deleting
from tapctl.sandbox.emulator.rds.parameters import group_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

timing = Rules("rds")


@dataclass(frozen=True)
class _Kind:
    """A kind of group: its word in operations, its attribute of moto's backend, and the codes of RDS's refusals."""

    word: str
    attribute: str
    missing_code: str
    in_use_code: str


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


def _kind(request: Request) -> _Kind:
    """Return the kind of group that an operation is about."""
    word = request.operation.replace("Parameters", "ParameterGroup")
    return next(kind for kind in _KINDS if kind.word in word)


def _group(request: Request) -> tuple[_Kind, str, Any]:
    """Return the kind, name and group that a request is about; None for a missing group."""
    kind = _kind(request)
    name = request.params.get(f"{kind.word}Name", "")
    return kind, name, getattr(request.backend("rds"), kind.attribute).get(name)


def _missing_error(kind: _Kind, name: str) -> ServiceError:
    return ServiceError(kind.missing_code, f"{kind.word} not found: {name}")


# -- creation and deletion -------------------------------------------------------------------------------------------


@timing(*(f"Create{word}" for word in _WORDS))
def a_group_is_new(request: Request, proceed: Next) -> Reply:
    """A new group's age is counted."""
    reply = proceed()
    mark_created(request, _group(request)[2])
    return reply


@timing(*(f"{verb}{word}" for verb in ("Modify", "Delete") for word in _WORDS), *_CHANGES[2:], *_PARAMETERS)
@timing(*(f"Describe{word}s" for word in _WORDS))
def a_new_group_does_not_show_at_once(request: Request, proceed: Next) -> Reply:
    """A new group is missing for 2 s, and once more after it has shown."""
    kind, name, group = _group(request)
    if group is not None and is_hidden(request, group):
        raise _missing_error(kind, name)
    reply = proceed()
    listing, groups = f"{kind.word}s", getattr(request.backend("rds"), kind.attribute)
    if listing in reply:
        name = f"{kind.word}Name"
        reply[listing] = [shown for shown in reply[listing] if not is_hidden(request, groups[shown[name]])]
    return reply


@timing(*_TAGS)
def a_new_group_has_no_tags_at_once(request: Request, proceed: Next) -> Reply:
    """A new group is not found by its ARN either, while it does not show."""
    for kind in _KINDS:
        for name, group in getattr(request.backend("rds"), kind.attribute).items():
            if group.arn == request.params["ResourceName"] and is_hidden(request, group):
                raise _missing_error(kind, name)
    return proceed()


@timing("CreateDBCluster", "ModifyDBCluster", "CreateDBInstance", "ModifyDBInstance", "RestoreDBClusterFromSnapshot")
def a_new_group_is_not_known_to_its_users(request: Request, proceed: Next) -> Reply:
    """Users cannot name a group while it does not show (CreateDBClusterParameterGroup advises to wait five minutes)."""
    for kind in _KINDS:
        name = request.params.get(f"{kind.word}Name", "")
        group = getattr(request.backend("rds"), kind.attribute).get(name)
        if group is not None and is_hidden(request, group):
            of_cluster = kind.word == "DBClusterParameterGroup"
            raise ServiceError(
                "DBClusterParameterGroupNotFound" if of_cluster else kind.missing_code, f"{name} does not exist"
            )
    return proceed()


@timing(*(f"Delete{word}" for word in _WORDS))
def a_group_is_held_a_while_after_its_users(request: Request, proceed: Next) -> Reply:
    """A group counts as used for a minute after its last user is gone."""
    kind, name, group = _group(request)
    if group is not None and request.simulation.now() < notes_on(group).get("held_until", -math.inf):
        raise ServiceError(kind.in_use_code, f"One or more database instances are still members of this group {name}")
    return proceed()


@timing(*(f"Delete{word}" for word in _WORDS))
def a_deleted_group_still_shows(request: Request, proceed: Next) -> Reply:
    """A deleted group shows for 3 s, in which it cannot be deleted again."""
    kind, name, group = _group(request)
    if group is not None and is_deleting(group):
        raise _missing_error(kind, name)
    reply = proceed()
    getattr(request.backend("rds"), kind.attribute)[name] = group
    start_deleting(request, group, lifecycle.GROUP_GOES_S)
    return reply


# -- parameters ------------------------------------------------------------------------------------------------------


@timing(*_CHANGES)
def changed_parameters_show_late(request: Request, proceed: Next) -> Reply:
    """Changed parameters keep their former values in reads for 3 s."""
    group = group_of(request)
    before = {**group.parameters}
    reply = proceed()
    if group.parameters != before:
        notes_on(group)["values_were"] = (request.simulation.now() + lifecycle.VALUES_LAG_S, before)
    return reply


@timing(*_PARAMETERS)
def old_parameters_are_told(request: Request, proceed: Next) -> Reply:
    """Reads return former values while new ones do not show."""
    group = group_of(request)
    until, before = notes_on(group).get("values_were", (-math.inf, {}))
    if request.simulation.now() >= until:
        return proceed()
    now, group.parameters = group.parameters, before
    try:
        return proceed()
    finally:
        group.parameters = now


@timing(*_CHANGES[2:])
def a_group_that_was_just_changed_is_not_reset(request: Request, proceed: Next) -> Reply:
    """A group "has pending changes" for 10 s after a change."""
    group = group_of(request)
    if not request.simulation.elapsed(group, "changed", lifecycle.RESTS_S):
        raise ServiceError("InvalidDBParameterGroupState", f"Parameter group {group.name} has pending changes")
    return proceed()


@timing(*_CHANGES)
def a_group_has_a_last_change(request: Request, proceed: Next) -> Reply:
    """The last change is remembered: a reset has to wait after it."""
    reply = proceed()
    request.simulation.mark(group_of(request), "changed")
    return reply
