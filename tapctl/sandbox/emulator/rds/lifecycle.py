"""The life of RDS resources: states one after the other, changes that show late, deletion over time, and events.

AWS promises none of the durations. They are within what the Aurora user guide calls usual, what users report of
terraform-provider-aws (its waits are far longer: internal/service/rds/cluster.go, cluster_instance.go), and what
aws-cloudformation-resource-providers-rds has to bridge (BaseHandlerStd, DB_CLUSTER_HANDLER_CONFIG_36H).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

events = Rules("rds")

# -- durations, in AWS's seconds ---------------------------------------------------------------------------------------


UNSEEN_S: Final = 2.0
"""A describe misses what was just made (terraform-provider-aws takes another item, too, for "not found")."""
FLAPS_S: Final = (3.0, 4.0)
"""… and, once it has shown, misses it again."""
STATUS_LAGS_S: Final = 5.0
"""The status still reads as before a change was accepted (CloudFormation looks three times, Terraform waits 30 s)."""
TAGS_LAG_S: Final = 3.0
VALUES_LAG_S: Final = 3.0
"""A parameter group still tells the values before the last change."""

CLUSTER_CREATING_S: Final = 180.0
CLUSTER_MODIFYING_S: Final = 60.0
CLUSTER_FAILING_OVER_S: Final = 30.0
"""Aurora user guide, "High availability": a failover is complete within 60 s, often within 30 s."""
CLUSTER_STOPPING_S: Final = 300.0
CLUSTER_STARTING_S: Final = 480.0
CLUSTER_GOES_S: Final = 120.0
"""After the last of its members."""
SNAPSHOT_S: Final = 240.0

UPGRADE_MINOR_S: Final = 600.0
UPGRADE_MAJOR_S: Final = 2400.0

INSTANCE_CREATING_S: Final = 390.0
INSTANCE_CONFIGURING_S: Final = 20.0
INSTANCE_BACKING_UP_S: Final = 10.0
INSTANCE_MODIFYING_S: Final = 30.0
INSTANCE_CLASS_S: Final = 360.0
INSTANCE_REBOOTING_S: Final = 60.0
INSTANCE_DELETING_S: Final = 240.0

APPLYING_S: Final = 20.0
"""What a parameter group's users say of its dynamic parameters."""
RESTS_S: Final = 10.0
"""A parameter group "has pending changes" and is not reset (terraform-provider-aws tries for 3 minutes)."""
HELD_S: Final = 60.0
"""A group counts as used after its last user is gone (terraform-provider-aws tries for 3 minutes)."""
GROUP_GOES_S: Final = 3.0
"""A group still shows after its removal (terraform-provider-aws looks for 3 minutes)."""

SECRET_READY_S: Final = 30.0
"""After the first instance is available: the managed secret is ``creating`` until then."""
ROTATION_S: Final = 40.0
"""Secrets Manager user guide, "Managed rotation": typically within one minute."""


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


def enter_states(
    request: Request, thing: Any, *steps: tuple[float, str], end: str = AVAILABLE, lag_s: float = 0.0
) -> None:
    """From now on it is in each of these states for its seconds, then in ``end``; for ``lag_s`` it shows the last."""
    now, before = request.simulation.now(), shown_status(request, thing)
    ends, course = now, []
    for seconds, status in steps:
        ends += seconds
        course.append((ends, status))
    notes_on(thing).update(course=course, end=end, lag=(now + lag_s, before), pending_change={})


def status_of(request: Request, thing: Any) -> str:
    """The state it is in, whatever it shows."""
    now = request.simulation.now()
    for until, status in notes_on(thing).get("course", ()):
        if now < until:
            return str(status)
    return str(notes_on(thing).get("end", AVAILABLE))


def shown_status(request: Request, thing: Any) -> str:
    """The state it shows."""
    until, before = notes_on(thing).get("lag", (-math.inf, ""))
    return before if request.simulation.now() < until else status_of(request, thing)


# -- changes ---------------------------------------------------------------------------------------------------------


@contextmanager
def pending_change(request: Request, thing: Any, what: str, **which: str) -> Iterator[dict[str, Any]]:
    """What is changed meanwhile takes the time of the course that is set meanwhile; yields what was before it."""
    before = request.call(f"Describe{what}s", **which)[f"{what}s"][0]
    old: dict[str, Any] = {}
    yield old
    after = request.call(f"Describe{what}s", **which)[f"{what}s"][0]
    changed = {*before, *after} - _NOT_CHANGED
    old.update({name: before.get(name) for name in changed if before.get(name) != after.get(name)})
    if old:
        notes_on(thing)["flight"] = old


def show_pending_change(
    request: Request,
    thing: Any,
    shown: dict[str, Any],
    deferred: Mapping[str, str],
    at_once: Collection[str] = (),
) -> dict[str, Any]:
    """As long as the status lags only what is ``at_once`` shows; then what is ``deferred`` is pending to the end.

    ``deferred``: a field, and what it is told as while there is none. Returns what was before a change in progress that
    shows.
    """
    old: dict[str, Any] = notes_on(thing).get("flight", {})
    if request.simulation.now() < notes_on(thing).get("lag", (-math.inf, ""))[0]:
        shown.update({name: value for name, value in old.items() if name not in at_once})
        return {}
    if not old or status_of(request, thing) == notes_on(thing).get("end", AVAILABLE):
        return {}
    pending = {name: shown.get(name, deferred[name]) for name in old if name in deferred}
    shown.update({name: old[name] for name in pending})
    if pending:
        shown["PendingModifiedValues"] = {**shown.get("PendingModifiedValues", {}), **pending}
    return old


# -- to come and to go -----------------------------------------------------------------------------------------------


def mark_created(request: Request, thing: Any) -> None:
    """It was just made."""
    request.simulation.mark(thing, "made")


def is_hidden(request: Request, thing: Any) -> bool:
    """Whether AWS does not show it, right after it was made."""
    age = request.simulation.since(thing, "made")
    return age < UNSEEN_S or FLAPS_S[0] <= age < FLAPS_S[1]


def start_deleting(request: Request, thing: Any, seconds: float, *, lag_s: float = STATUS_LAGS_S) -> None:
    """It is being deleted from now on, and gone after these seconds."""
    enter_states(request, thing, end=DELETING, lag_s=lag_s)
    notes_on(thing)["gone_at"] = request.simulation.now() + seconds


def is_deleting(thing: Any) -> bool:
    """Whether it is being deleted."""
    return "gone_at" in notes_on(thing)


def busy(code: str, thing: Any, status: str) -> ServiceError:
    """The refusal of a change while something is in this state."""
    kind = "DB cluster" if code == "InvalidDBClusterStateFault" else "Database instance"
    return ServiceError(code, f"{kind} {thing.resource_id} is not available for modification with status {status}")


def _is_over(request: Request) -> None:
    rds, now = request.backend("rds"), request.simulation.now()
    for place, used in _PLACES.items():
        things = getattr(rds, place)
        for name, one in list(things.items()):
            gone_at = notes_on(one).get("gone_at", math.inf)
            if gone_at > now:
                continue
            del things[name]
            # Its groups count as used for a while after it.
            for groups, named in used.items():
                group = getattr(rds, groups).get(getattr(one, named) or "")
                if group is not None:
                    notes_on(group)["held_until"] = gone_at + HELD_S


def what_was_deleted_goes_in_time(request: Request, proceed: Next) -> Reply:
    """Whoever looks finds only what is still there."""
    _is_over(request)
    try:
        return proceed()
    finally:
        _is_over(request)


def _of_service(service: str, *operations: str) -> Rules:
    rules = Rules(service)
    rules(*operations)(what_was_deleted_goes_in_time)
    return rules


_NAMED: Final = ("DBCluster", "DBInstance", "DBSubnetGroup", "DBParameterGroup", "DBClusterParameterGroup")
DELETION: Final = (
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


# -- terminal states and events ----------------------------------------------------------------------------------------


TERMINAL_STATES: Final = {
    "failed": "The DB instance or cluster has failed and RDS cannot recover it.",
    "inaccessible-encryption-credentials": "Amazon RDS can't access the KMS encryption key for the DB cluster.",
    "incompatible-network": "The DB subnet group has no free IP address.",
    "incompatible-parameters": "Its parameters are not compatible with its engine version or instance class.",
}
"""A terminal state (Aurora user guide, "Viewing DB cluster status") → the event that comes with it. Texts are ours."""


def record_event(request: Request, kind: str, name: str, message: str) -> None:
    """RDS tells this of a ``db-cluster`` or a ``db-instance``."""
    event = {"SourceIdentifier": name, "SourceType": kind, "Message": message, "Date": datetime.now(UTC)}
    notes_on(request.backend("rds")).setdefault("events", []).append(event)


@events("DescribeEvents")
def events_are_told(request: Request, _: Next) -> Reply:
    """By whom they are about, the oldest first; moto knows only instances' and snapshots'."""
    events: list[dict[str, Any]] = notes_on(request.backend("rds")).get("events", [])
    asked = {name: request.params[name] for name in ("SourceIdentifier", "SourceType") if name in request.params}
    return {"Events": [one for one in events if asked.items() <= one.items()]}
