"""How far parameters are in force in each member: applying, waiting for a reboot, in sync.

From the RDS API reference (DBParameterGroupStatus, DBClusterMember) and the Aurora user guide ("Parameter groups for
Amazon Aurora").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.instances import instance_of
from tapctl.sandbox.emulator.rds.lifecycle import status_of
from tapctl.sandbox.emulator.rds.parameters import group_of, is_of_clusters, users_of
from tapctl.sandbox.emulator.rules import Call, Proceed, Reply, Rules, kept

rules = Rules("rds")

_OWN: Final = "parameters_wait"
_SHARED: Final = "cluster_parameters_wait"
_CHANGES: Final = tuple(
    f"{verb}{word}" for verb in ("Modify", "Reset") for word in ("DBParameterGroup", "DBClusterParameterGroup")
)


def _apply(call: Call, members: Iterable[Any], which: str) -> None:
    for one in members:
        call.life.begin(one, f"{which} applied")


@rules(*_CHANGES)
def parameters_are_applied_for_a_while(call: Call, proceed: Proceed) -> Reply:
    """For 20 s the users of a group that changed say ``applying``."""
    before = {**group_of(call).parameters}
    reply = proceed()
    group = group_of(call)
    if group.parameters != before:
        _apply(call, users_of(call, group.name), _SHARED if is_of_clusters(call) else _OWN)
    return reply


@rules("ModifyDBCluster", "ModifyDBInstance")
def another_group_is_applied_for_a_while(call: Call, proceed: Proceed) -> Reply:
    """Before it waits for the reboot."""
    clusters = call.operation == "ModifyDBCluster"
    thing = cluster_of(call) if clusters else instance_of(call)
    before = thing.parameter_group if clusters else thing.db_parameter_group_name
    reply = proceed()
    if before != (thing.parameter_group if clusters else thing.db_parameter_group_name):
        _apply(call, thing.members if clusters else [thing], _SHARED if clusters else _OWN)
    return reply


@rules("RebootDBInstance")
def parameters_wait_until_the_reboot_is_over(call: Call, proceed: Proceed) -> Reply:
    """What it is rebooted for still waits meanwhile."""
    notes = kept(instance_of(call))
    waiting = [which for which in (_OWN, _SHARED) if notes.get(which)]
    reply = proceed()
    notes["rebooted_for"] = waiting
    return reply


@rules("DescribeDBClusters", "DescribeDBInstances")
def how_far_parameters_are_is_told(call: Call, proceed: Proceed) -> Reply:
    """With each member of a cluster for the cluster's group, with an instance for its own."""
    reply = proceed()
    instances = call.moto("rds").databases
    for cluster in reply.get("DBClusters", ()):
        for member in cluster["DBClusterMembers"]:
            instance = instances[member["DBInstanceIdentifier"]]
            _tell(call, instance, _SHARED, member, "DBClusterParameterGroupStatus")
    for shown in reply.get("DBInstances", ()):
        for group in shown["DBParameterGroups"]:
            _tell(call, instances[shown["DBInstanceIdentifier"]], _OWN, group, "ParameterApplyStatus")
    return reply


def _tell(call: Call, instance: Any, which: str, shown: dict[str, Any], field: str) -> None:
    if which in kept(instance).get("rebooted_for", ()) and status_of(call, instance) == "rebooting":
        shown[field] = "pending-reboot"
    elif not call.life.after(instance, f"{which} applied", times.APPLYING_S):
        shown[field] = "applying"
