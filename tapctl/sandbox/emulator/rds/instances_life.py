"""Members of a cluster in time: creating, modifying, rebooting, deleting; and refusing meanwhile.

States and refusals are the Aurora user guide's ("Viewing DB instance status", "Modifying an Amazon Aurora DB cluster")
and the RDS API reference's; what AWS does not write down is marked as such.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.ends import ENDS, tell_event
from tapctl.sandbox.emulator.rds.instances import instance_of
from tapctl.sandbox.emulator.rds.lifecycle import (
    AVAILABLE,
    busy,
    flight,
    go,
    is_going,
    is_hidden,
    leave,
    make,
    show_flight,
    shown_status,
    status_of,
)
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

_BUSY: Final = "InvalidDBInstanceState"
_SHOWN: Final = ("CreateDBInstance", "ModifyDBInstance", "RebootDBInstance", "DescribeDBInstances")
_CHANGES: Final = ("ModifyDBInstance", "RebootDBInstance")
_DEFERRED: Final = {"DBInstanceClass": ""}
# A failed one goes only when told that it leaves no snapshot (DeleteDBInstance).
_TOLD_TO_SKIP: Final = ("failed", "incompatible-restore", "incompatible-network")


@rules(*_SHOWN)
def an_instance_shows_its_state(call: Call, proceed: Proceed) -> Reply:
    """Its status, a little behind; it has no address while it is being made."""
    reply = proceed()
    for one in reply.get("DBInstances", [reply.get("DBInstance")]):
        instance = call.moto("rds").databases[one["DBInstanceIdentifier"]]
        show_flight(call, instance, one, _DEFERRED)
        one["DBInstanceStatus"] = status = shown_status(call, instance)
        if status == "creating":
            one.pop("Endpoint", None)
    return reply


@rules("DescribeDBClusters", "DescribeDBInstances", "DeleteDBInstance", *_CHANGES)
def a_new_instance_does_not_show_at_once(call: Call, proceed: Proceed) -> Reply:
    """For 2 s, and once more after it has shown; nor is it told as a member."""
    hidden = {name for name, one in call.moto("rds").databases.items() if is_hidden(call, one)}
    if call.params.get("DBInstanceIdentifier") in hidden:
        raise Fault("DBInstanceNotFound", f"DBInstance {call.params['DBInstanceIdentifier']} not found.")
    reply = proceed()
    if "DBInstances" in reply:
        reply["DBInstances"] = [one for one in reply["DBInstances"] if one["DBInstanceIdentifier"] not in hidden]
    for cluster in reply.get("DBClusters", ()):
        cluster["DBClusterMembers"] = [
            one for one in cluster["DBClusterMembers"] if one["DBInstanceIdentifier"] not in hidden
        ]
    return reply


@rules("CreateDBInstance", "ModifyDBInstance")
def a_member_waits_for_its_cluster(call: Call, proceed: Proceed) -> Reply:
    """A cluster that is not available takes no member. Whether one that is ``creating`` might is not written down."""
    rds = call.moto("rds")
    member = rds.databases.get(call.params["DBInstanceIdentifier"])
    name = call.params.get("DBClusterIdentifier") or getattr(member, "db_cluster_identifier", None)
    cluster = rds.clusters.get(name or "")
    if cluster is not None and status_of(call, cluster) != AVAILABLE:
        raise busy("InvalidDBClusterStateFault", cluster, status_of(call, cluster))
    return proceed()


@rules("CreateDBInstance")
def an_instance_is_made_in_minutes(call: Call, proceed: Proceed) -> Reply:
    """It is ``creating`` for six and a half, configured and backed up; or comes to the end that was demanded."""
    reply = proceed()
    instance, end = instance_of(call), call.life.demanded("rds.instance") or AVAILABLE
    make(call, instance)
    go(
        call,
        instance,
        (times.INSTANCE_CREATING_S, "creating"),
        (times.INSTANCE_CONFIGURING_S, "configuring-iam-database-auth"),
        (times.INSTANCE_BACKING_UP_S, "backing-up"),
        end=end,
    )
    tell_event(call, "db-instance", instance.resource_id, ENDS.get(end, "DB instance created"))
    return reply


@rules(*_CHANGES)
def an_instance_takes_one_change_at_a_time(call: Call, proceed: Proceed) -> Reply:
    """And none before it is available."""
    instance = instance_of(call)
    if status_of(call, instance) != AVAILABLE:
        raise busy(_BUSY, instance, status_of(call, instance))
    return proceed()


@rules("ModifyDBInstance")
def a_change_of_an_instance_takes_its_time(call: Call, proceed: Proceed) -> Reply:
    """The status lags, then it is ``modifying``; another class restarts it, and another member writes meanwhile."""
    instance = instance_of(call)
    with flight(call, instance, "DBInstance", DBInstanceIdentifier=instance.resource_id) as old:
        before = instance.db_instance_class
        reply = proceed()
        other_class = instance.db_instance_class != before
        takes = times.STATUS_LAGS_S + (times.INSTANCE_CLASS_S if other_class else times.INSTANCE_MODIFYING_S)
        end = call.life.demanded("rds.instance.change") or AVAILABLE
        go(call, instance, (takes, "modifying"), lag_s=times.STATUS_LAGS_S, end=end)
        if end in ENDS:
            tell_event(call, "db-instance", instance.resource_id, ENDS[end])
    if not old:
        # Nothing that is in force at once: it stays as it is.
        go(call, instance)
    elif other_class:
        _fail_over(call, instance)
    return reply


def _fail_over(call: Call, instance: Any) -> None:
    """A writer that restarts for minutes is no writer: the first reader by tier is."""
    cluster = call.moto("rds").clusters.get(instance.db_cluster_identifier or "")
    if cluster is None or cluster.writer is not instance:
        return
    others = [one for one in cluster.members if one is not instance and status_of(call, one) == AVAILABLE]
    if others:
        cluster.failover(min(others, key=lambda one: (one.promotion_tier, one.resource_id)))
        told = f"Completed failover to DB instance: {cluster.writer.resource_id}"
        tell_event(call, "db-cluster", cluster.resource_id, told)


@rules("RebootDBInstance")
def a_reboot_takes_its_time(call: Call, proceed: Proceed) -> Reply:
    """A minute, after which its parameters are in force."""
    instance = instance_of(call)
    reply = proceed()
    takes = times.STATUS_LAGS_S + times.INSTANCE_REBOOTING_S
    go(call, instance, (takes, "rebooting"), lag_s=times.STATUS_LAGS_S)
    tell_event(call, "db-instance", instance.resource_id, "DB instance restarted")
    return reply


@rules("DeleteDBInstance")
def an_instance_goes_in_minutes(call: Call, proceed: Proceed) -> Reply:
    """It is ``deleting`` for four, and a member as long."""
    instance = instance_of(call)
    reply = proceed()
    call.moto("rds").databases[instance.resource_id] = instance
    leave(call, instance, times.INSTANCE_DELETING_S)
    return reply


@rules("DeleteDBInstance")
def a_busy_instance_is_not_deleted(call: Call, proceed: Proceed) -> Reply:
    """Nor one that is being deleted already; and a failed one only when told to skip its snapshot."""
    instance = instance_of(call)
    status = status_of(call, instance)
    if is_going(instance):
        raise Fault(_BUSY, f"Instance {instance.resource_id} is already being deleted.")
    if status not in (AVAILABLE, *ENDS):
        raise Fault(_BUSY, f"Instance {instance.resource_id} is not in available state: {status}")
    if status in _TOLD_TO_SKIP and not call.params.get("SkipFinalSnapshot"):
        raise Fault(_BUSY, f"Instance {instance.resource_id} is {status}: it can only be deleted without a snapshot.")
    return proceed()


# -- tags of both ----------------------------------------------------------------------------------------------------


def _tagged(call: Call) -> Any:
    """The cluster or instance whose tags are asked for or changed; None for what is neither."""
    rds, arn = call.moto("rds"), call.params["ResourceName"]
    return next((one for one in (*rds.clusters.values(), *rds.databases.values()) if one.arn == arn), None)


@rules("AddTagsToResource", "RemoveTagsFromResource")
def what_is_busy_is_not_tagged(call: Call, proceed: Proceed) -> Reply:
    """Neither a cluster nor an instance (rds-controller retries its tags for that)."""
    thing = _tagged(call)
    if thing is not None and status_of(call, thing) not in (AVAILABLE, *ENDS):
        code = "InvalidDBClusterStateFault" if thing in call.moto("rds").clusters.values() else _BUSY
        raise busy(code, thing, status_of(call, thing))
    return proceed()


@rules("AddTagsToResource", "RemoveTagsFromResource")
def tags_show_late(call: Call, proceed: Proceed) -> Reply:
    """For 3 s a description still tells the tags from before."""
    thing = _tagged(call)
    before = [] if thing is None else [*thing.tags]
    reply = proceed()
    if thing is not None:
        kept(thing)["tags_were"] = (call.life.now() + times.TAGS_LAG_S, before)
    return reply


@rules("DescribeDBClusters", "DescribeDBInstances")
def old_tags_are_told(call: Call, proceed: Proceed) -> Reply:
    """As long as new ones do not show."""
    reply = proceed()
    rds = call.moto("rds")
    for one in reply.get("DBClusters") or reply.get("DBInstances", ()):
        name = one.get("DBInstanceIdentifier")
        thing = rds.databases[name] if name else rds.clusters[one["DBClusterIdentifier"]]
        until, tags = kept(thing).get("tags_were", (-math.inf, []))
        if call.life.now() < until:
            one["TagList"] = tags
    return reply
