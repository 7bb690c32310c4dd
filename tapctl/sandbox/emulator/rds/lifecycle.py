"""What RDS's things go through: states one after the other, changes that show late, and the time until they are gone.

What is being deleted stays with moto until its time is over, so that whatever asks for its users finds them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tapctl.sandbox.emulator.rds.times import FLAPS_S, HELD_S, STATUS_LAGS_S, UNSEEN_S
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

AVAILABLE: Final = "available"
DELETING: Final = "deleting"
# Where moto keeps what goes by and by → the groups it uses: where they are, and what names them.
_PLACES: Final[Mapping[str, Mapping[str, str]]] = {
    "databases": {"db_parameter_groups": "db_parameter_group_name"},
    "clusters": {"db_cluster_parameter_groups": "parameter_group", "subnet_groups": "db_subnet_group_name"},
    "subnet_groups": {},
    "db_parameter_groups": {},
    "db_cluster_parameter_groups": {},
}
# Told with every describe, and moving by themselves or shown by other rules.
_NOT_CHANGED: Final = frozenset(
    {
        "DBClusterMembers",
        "EarliestRestorableTime",
        "LatestRestorableTime",
        "MasterUserSecret",
        "PendingModifiedValues",
        "Status",
        "DBInstanceStatus",
        "TagList",
    }
)


# -- states ----------------------------------------------------------------------------------------------------------


def go(call: Call, thing: Any, *steps: tuple[float, str], end: str = AVAILABLE, lag_s: float = 0.0) -> None:
    """From now on it is in each of these states for its seconds, then in ``end``; for ``lag_s`` it shows the last."""
    now, before = call.life.now(), shown_status(call, thing)
    ends, course = now, []
    for seconds, status in steps:
        ends += seconds
        course.append((ends, status))
    kept(thing).update(course=course, end=end, lag=(now + lag_s, before), flight={})


def status_of(call: Call, thing: Any) -> str:
    """The state it is in, whatever it shows."""
    now = call.life.now()
    for until, status in kept(thing).get("course", ()):
        if now < until:
            return str(status)
    return str(kept(thing).get("end", AVAILABLE))


def shown_status(call: Call, thing: Any) -> str:
    """The state it shows."""
    until, before = kept(thing).get("lag", (-math.inf, ""))
    return before if call.life.now() < until else status_of(call, thing)


# -- changes ---------------------------------------------------------------------------------------------------------


@contextmanager
def flight(call: Call, thing: Any, what: str, **which: str) -> Iterator[dict[str, Any]]:
    """What is changed meanwhile takes the time of the course that is set meanwhile; yields what was before it."""
    before = call.ask(f"Describe{what}s", **which)[f"{what}s"][0]
    old: dict[str, Any] = {}
    yield old
    after = call.ask(f"Describe{what}s", **which)[f"{what}s"][0]
    changed = {*before, *after} - _NOT_CHANGED
    old.update({name: before.get(name) for name in changed if before.get(name) != after.get(name)})
    if old:
        kept(thing)["flight"] = old


def show_flight(
    call: Call,
    thing: Any,
    shown: dict[str, Any],
    deferred: Mapping[str, str],
    at_once: Collection[str] = (),
) -> dict[str, Any]:
    """As long as the status lags only what is ``at_once`` shows; then what is ``deferred`` is pending to the end.

    ``deferred``: a field, and what it is told as while there is none. Returns what was before a change in progress that
    shows.
    """
    old: dict[str, Any] = kept(thing).get("flight", {})
    if call.life.now() < kept(thing).get("lag", (-math.inf, ""))[0]:
        shown.update({name: value for name, value in old.items() if name not in at_once})
        return {}
    if not old or status_of(call, thing) == kept(thing).get("end", AVAILABLE):
        return {}
    pending = {name: shown.get(name, deferred[name]) for name in old if name in deferred}
    shown.update({name: old[name] for name in pending})
    if pending:
        shown["PendingModifiedValues"] = {**shown.get("PendingModifiedValues", {}), **pending}
    return old


# -- to come and to go -----------------------------------------------------------------------------------------------


def make(call: Call, thing: Any) -> None:
    """It was just made."""
    call.life.begin(thing, "made")


def is_hidden(call: Call, thing: Any) -> bool:
    """Whether AWS does not show it, right after it was made."""
    age = call.life.since(thing, "made")
    return age < UNSEEN_S or FLAPS_S[0] <= age < FLAPS_S[1]


def leave(call: Call, thing: Any, seconds: float, *, lag_s: float = STATUS_LAGS_S) -> None:
    """It is being deleted from now on, and gone after these seconds."""
    go(call, thing, end=DELETING, lag_s=lag_s)
    kept(thing)["gone_at"] = call.life.now() + seconds


def is_going(thing: Any) -> bool:
    """Whether it is being deleted."""
    return "gone_at" in kept(thing)


def busy(code: str, thing: Any, status: str) -> Fault:
    """The refusal of a change while something is in this state."""
    kind = "DB cluster" if code == "InvalidDBClusterStateFault" else "Database instance"
    return Fault(code, f"{kind} {thing.resource_id} is not available for modification with status {status}")


def _is_over(call: Call) -> None:
    rds, now = call.moto("rds"), call.life.now()
    for place, used in _PLACES.items():
        things = getattr(rds, place)
        for name, one in list(things.items()):
            gone_at = kept(one).get("gone_at", math.inf)
            if gone_at > now:
                continue
            del things[name]
            # Its groups count as used for a while after it.
            for groups, named in used.items():
                group = getattr(rds, groups).get(getattr(one, named) or "")
                if group is not None:
                    kept(group)["held_until"] = gone_at + HELD_S


def what_was_deleted_goes_in_time(call: Call, proceed: Proceed) -> Reply:
    """Whoever looks finds only what is still there."""
    _is_over(call)
    try:
        return proceed()
    finally:
        _is_over(call)


def _of_service(service: str, *operations: str) -> Rules:
    rules = Rules(service)
    rules(*operations)(what_was_deleted_goes_in_time)
    return rules


_NAMED: Final = ("DBCluster", "DBInstance", "DBSubnetGroup", "DBParameterGroup", "DBClusterParameterGroup")
RULES: Final = (
    _of_service(
        "rds",
        *(f"{verb}{thing}" for verb in ("Create", "Modify", "Delete") for thing in _NAMED),
        *(f"Describe{thing}s" for thing in (*_NAMED, "DBParameter", "DBClusterParameter", "DBClusterSnapshot")),
        *("FailoverDBCluster", "RebootDBInstance", "ResetDBParameterGroup", "ResetDBClusterParameterGroup"),
        *("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
    ),
    _of_service("ec2", "DeleteSecurityGroup", "DescribeNetworkInterfaces"),
    _of_service("resourcegroupstaggingapi", "GetResources"),
)
