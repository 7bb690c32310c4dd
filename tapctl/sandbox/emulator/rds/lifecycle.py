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

from tapctl.sandbox.emulator.rds.catalog import paginate
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

events = Rules("rds")

# -- durations, in AWS's seconds -------------------------------------------------------------------------------------


UNSEEN_S: Final = 2.0
"""A new resource is missing from describes (terraform-provider-aws takes another item, too, for "not found")."""
FLAPS_S: Final = (3.0, 4.0)
"""A new resource that has shown is missing once more, from and to this age."""
STATUS_LAGS_S: Final = 5.0
"""The status still reads as before a change was accepted (CloudFormation looks three times, Terraform waits 30 s)."""
TAGS_LAG_S: Final = 3.0
VALUES_LAG_S: Final = 3.0
"""A parameter group still has the values before the last change."""

CLUSTER_CREATING_S: Final = 180.0
CLUSTER_MODIFYING_S: Final = 60.0
CLUSTER_FAILING_OVER_S: Final = 30.0
"""Aurora user guide, "High availability": a failover is complete within 60 s, often within 30 s."""
CLUSTER_STOPPING_S: Final = 300.0
CLUSTER_STARTING_S: Final = 480.0
CLUSTER_GOES_S: Final = 120.0
"""A deleted cluster goes so long after its last member."""
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
"""Dynamic parameters are ``applying`` in the members."""
RESTS_S: Final = 10.0
"""A parameter group "has pending changes" and is not reset (terraform-provider-aws tries for 3 minutes)."""
HELD_S: Final = 60.0
"""A group counts as used after its last user is gone (terraform-provider-aws tries for 3 minutes)."""
GROUP_GOES_S: Final = 3.0
"""A group still shows after its removal (terraform-provider-aws looks for 3 minutes)."""

SECRET_READY_S: Final = 30.0
"""The managed secret is ``creating`` until so long after the first instance is available."""
ROTATION_S: Final = 40.0
"""Secrets Manager user guide, "Managed rotation": typically within one minute."""

# -- states ----------------------------------------------------------------------------------------------------------


AVAILABLE: Final = "available"
DELETING: Final = "deleting"


def enter_states(
    request: Request, resource: Any, *steps: tuple[float, str], end: str = AVAILABLE, lag_s: float = 0.0
) -> None:
    """Let a resource be in each of these states for its seconds, then in ``end``; its status lags by ``lag_s``."""
    now, before = request.simulation.now(), shown_status(request, resource)
    until, states = now, []
    for seconds, status in steps:
        until += seconds
        states.append((until, status))
    notes_on(resource).update(states=states, end=end, lag=(now + lag_s, before), before_change={})


def status_of(request: Request, resource: Any) -> str:
    """Return the state a resource is in, whichever it shows."""
    now = request.simulation.now()
    for until, status in notes_on(resource).get("states", ()):
        if now < until:
            return str(status)
    return str(notes_on(resource).get("end", AVAILABLE))


def shown_status(request: Request, resource: Any) -> str:
    """Return the state a resource shows."""
    until, before = notes_on(resource).get("lag", (-math.inf, ""))
    return before if request.simulation.now() < until else status_of(request, resource)


# -- changes ---------------------------------------------------------------------------------------------------------


# Fields that move by themselves, or are shown by other rules.
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


@contextmanager
def pending_change(request: Request, resource: Any, kind: str, **which: str) -> Iterator[dict[str, Any]]:
    """Let a change made in the block take the time of the states entered in it; yields the former values."""
    before = request.call(f"Describe{kind}s", **which)[f"{kind}s"][0]
    old: dict[str, Any] = {}
    yield old
    after = request.call(f"Describe{kind}s", **which)[f"{kind}s"][0]
    changed = {*before, *after} - _NOT_CHANGED
    old.update({name: before.get(name) for name in changed if before.get(name) != after.get(name)})
    if old:
        notes_on(resource)["before_change"] = old


def show_pending_change(
    request: Request,
    resource: Any,
    shown: dict[str, Any],
    deferred: Mapping[str, str],
    at_once: Collection[str] = (),
) -> dict[str, Any]:
    """Show only ``at_once`` values while the status lags; then keep ``deferred`` ones pending to the end.

    ``deferred``: a field, and its value while it is left out. Returns the former values of a change in progress.
    """
    old: dict[str, Any] = notes_on(resource).get("before_change", {})
    if request.simulation.now() < notes_on(resource).get("lag", (-math.inf, ""))[0]:
        shown.update({name: value for name, value in old.items() if name not in at_once})
        return {}
    if not old or status_of(request, resource) == notes_on(resource).get("end", AVAILABLE):
        return {}
    pending = {name: shown.get(name, deferred[name]) for name in old if name in deferred}
    shown.update({name: old[name] for name in pending})
    if pending:
        shown["PendingModifiedValues"] = {**shown.get("PendingModifiedValues", {}), **pending}
    return old


# -- creation and deletion -------------------------------------------------------------------------------------------


# Attributes of moto's RDS backend whose resources take time to delete → the groups each uses: the attribute that holds
# the groups → the resource's attribute that names its group.
_RESOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "databases": {"db_parameter_groups": "db_parameter_group_name"},
    "clusters": {"db_cluster_parameter_groups": "parameter_group", "subnet_groups": "db_subnet_group_name"},
    "subnet_groups": {},
    "db_parameter_groups": {},
    "db_cluster_parameter_groups": {},
}


def mark_created(request: Request, resource: Any) -> None:
    """Mark a resource as just created."""
    request.simulation.mark(resource, "made")


def is_hidden(request: Request, resource: Any) -> bool:
    """Tell whether AWS does not show a resource yet, right after its creation."""
    age = request.simulation.since(resource, "made")
    return age < UNSEEN_S or FLAPS_S[0] <= age < FLAPS_S[1]


def start_deleting(request: Request, resource: Any, seconds: float, *, lag_s: float = STATUS_LAGS_S) -> None:
    """Let a resource be deleting from now on, and gone after these seconds."""
    enter_states(request, resource, end=DELETING, lag_s=lag_s)
    notes_on(resource)["gone_at"] = request.simulation.now() + seconds
    notes_on(request.backend("rds"))["deletions"] = True


def is_deleting(resource: Any) -> bool:
    """Tell whether a resource is being deleted."""
    return "gone_at" in notes_on(resource)


def busy_error(code: str, resource: Any, status: str) -> ServiceError:
    """Make the refusal of a change of a resource in this state."""
    kind = "DB cluster" if code == "InvalidDBClusterStateFault" else "Database instance"
    return ServiceError(code, f"{kind} {resource.resource_id} is not available for modification with status {status}")


def _remove_gone(request: Request) -> None:
    rds, now = request.backend("rds"), request.simulation.now()
    # Asked at every request: to look at all resources again and again takes a tenth of it where they are many.
    if not notes_on(rds).get("deletions"):
        return
    notes_on(rds)["deletions"] = False
    for attribute, used in _RESOURCES.items():
        resources = getattr(rds, attribute)
        for name, resource in list(resources.items()):
            gone_at = notes_on(resource).get("gone_at", math.inf)
            if gone_at > now:
                notes_on(rds)["deletions"] |= is_deleting(resource)
                continue
            del resources[name]
            # The groups of a deleted resource count as used for a while.
            for groups, named in used.items():
                group = getattr(rds, groups).get(getattr(resource, named) or "")
                if group is not None:
                    notes_on(group)["held_until"] = gone_at + HELD_S


def what_was_deleted_goes_in_time(request: Request, proceed: Next) -> Reply:
    """Resources whose deletion is over are removed, before and after every request."""
    _remove_gone(request)
    try:
        return proceed()
    finally:
        _remove_gone(request)


def _deletion_rules(service: str, *operations: str) -> Rules:
    rules = Rules(service)
    rules(*operations)(what_was_deleted_goes_in_time)
    return rules


_KINDS: Final = ("DBCluster", "DBInstance", "DBSubnetGroup", "DBParameterGroup", "DBClusterParameterGroup")
DELETION: Final = (
    _deletion_rules(
        "rds",
        *(f"{verb}{kind}" for verb in ("Create", "Modify", "Delete") for kind in _KINDS),
        *(f"Describe{kind}s" for kind in (*_KINDS, "DBParameter", "DBClusterParameter", "DBClusterSnapshot")),
        *("FailoverDBCluster", "RebootDBInstance", "ResetDBParameterGroup", "ResetDBClusterParameterGroup"),
        "RestoreDBClusterFromSnapshot",
        *("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
    ),
    _deletion_rules("ec2", "DeleteSecurityGroup", "DescribeNetworkInterfaces"),
    _deletion_rules("resourcegroupstaggingapi", "GetResources"),
)


# -- terminal states and events --------------------------------------------------------------------------------------


TERMINAL_STATES: Final = {
    "failed": "The DB instance or cluster has failed and RDS cannot recover it.",
    "cloning-failed": "The DB cluster could not be cloned.",
    "inaccessible-encryption-credentials": "Amazon RDS can't access the KMS encryption key for the DB cluster.",
    "incompatible-network": "The DB subnet group has no free IP address.",
    "incompatible-create": "The DB instance is not compatible with what it was created with.",
    "incompatible-credentials": "The credentials of the DB instance do not work.",
    "modify-failed": "The change of the DB instance has failed.",
    "upgrade-failed": "The upgrade of the DB instance has failed.",
    "incompatible-parameters": "Its parameters are not compatible with its engine version or instance class.",
}
"""A terminal state (Aurora user guide, "Viewing DB cluster status") → the event that comes with it. Texts are ours."""


def record_event(request: Request, kind: str, name: str, message: str) -> None:
    """Record an event of a ``db-cluster`` or a ``db-instance``."""
    event = {"SourceIdentifier": name, "SourceType": kind, "Message": message, "Date": datetime.now(UTC)}
    notes_on(request.backend("rds")).setdefault("events", []).append(event)


@events("DescribeEvents")
def events_are_told(request: Request, _: Next) -> Reply:
    """Events are returned by their source, in no order, 100 a page; moto knows only instances' and snapshots'."""
    events: list[dict[str, Any]] = notes_on(request.backend("rds")).get("events", [])
    source = {name: request.params[name] for name in ("SourceIdentifier", "SourceType") if name in request.params}
    return paginate(request, "Events", [event for event in reversed(events) if source.items() <= event.items()])
