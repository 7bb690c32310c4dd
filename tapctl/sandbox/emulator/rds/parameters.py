"""Parameter groups of clusters and of instances: engine defaults, values set, and the way into force by a reboot.

How far a change is in force in each member is from the RDS API reference (DBParameterGroupStatus, DBClusterMember) and
the Aurora user guide ("Parameter groups for Amazon Aurora"). How groups come and go is in `group_timing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.catalog import DEFAULTS, Default, paginate
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.instances import instance_of
from tapctl.sandbox.emulator.rds.lifecycle import status_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("rds"), Rules("rds")

_MAX_PARAMETERS = 20
_MODIFY = ("ModifyDBParameterGroup", "ModifyDBClusterParameterGroup")
_RESET = ("ResetDBParameterGroup", "ResetDBClusterParameterGroup")


def concerns_clusters(request: Request) -> bool:
    """Tell whether a request is about the parameter groups of clusters, or those of instances."""
    return "Cluster" in request.operation


def _name(request: Request) -> str:
    name: str = request.params["DBClusterParameterGroupName" if concerns_clusters(request) else "DBParameterGroupName"]
    return name


def group_of(request: Request) -> Any:
    """Return the parameter group that a request names, as moto's object.

    Raises:
        ServiceError: there is none.
    """
    rds = request.backend("rds")
    group = (rds.db_cluster_parameter_groups if concerns_clusters(request) else rds.db_parameter_groups).get(
        _name(request)
    )
    if group is None:
        raise ServiceError("DBParameterGroupNotFound", f"DBParameterGroup not found: {_name(request)}")
    return group


def users_of(request: Request, name: str) -> list[Any]:
    """Return the instances that have their parameters from this group."""
    members = request.backend("rds").databases.values()
    if concerns_clusters(request):
        return [member for member in members if member.cluster.parameter_group == name]
    return [member for member in members if member.db_parameter_group_name == name]


def _represent(default: Default, own: dict[str, Any] | None) -> dict[str, Any]:
    shown = {
        "ParameterName": default.name,
        "DataType": default.data_type,
        "ApplyType": "static" if default.static else "dynamic",
        "IsModifiable": default.modifiable,
        "ApplyMethod": "pending-reboot",
        "Source": default.source,
        "ParameterValue": default.value,
        "AllowedValues": default.allowed,
    }
    # A parameter set to its default keeps the default's source: AWS does not tell the two apart.
    if own is not None and own["ParameterValue"] != default.value:
        shown.update(ParameterValue=own["ParameterValue"], Source="user")
    return shown


def _listed(request: Request, parameters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    source = request.params.get("Source")
    named = [value for filter_ in request.params.get("Filters", []) for value in filter_["Values"]]
    return [
        parameter
        for parameter in parameters
        if source in (None, parameter["Source"]) and (not named or parameter["ParameterName"] in named)
    ]


@contract("CreateDBParameterGroup", "CreateDBClusterParameterGroup")
def a_family_must_exist(request: Request, proceed: Next) -> Reply:
    """The family of a parameter group must exist."""
    family = request.params["DBParameterGroupFamily"]
    if family not in {f"aurora-postgresql{major}" for major in (15, 16, 17)}:
        raise ServiceError(
            "InvalidParameterValue", f"ParameterGroupFamily {family} is not a valid parameter group family"
        )
    return proceed()


@contract("DescribeDBParameterGroups")
def an_unknown_parameter_group_is_not_found(request: Request, proceed: Next) -> Reply:
    """Describing a group that is not there is refused; moto answers with an empty list."""
    if "DBParameterGroupName" in request.params:
        group_of(request)
    return proceed()


@contract("DescribeDBParameters", "DescribeDBClusterParameters")
def parameters_are_shown_with_their_defaults(request: Request, _: Next) -> Reply:
    """All parameters of the engine are returned, by source or by name, in pages."""
    own = group_of(request).parameters
    return paginate(
        request,
        "Parameters",
        _listed(request, (_represent(default, own.get(default.name)) for default in DEFAULTS.values())),
    )


@contract("DescribeEngineDefaultParameters", "DescribeEngineDefaultClusterParameters")
def engine_defaults_are_known(request: Request, _: Next) -> Reply:
    """The defaults of a family are returned; moto has none."""
    parameters = paginate(
        request, "Parameters", _listed(request, (_represent(default, None) for default in DEFAULTS.values()))
    )
    return {"EngineDefaults": {"DBParameterGroupFamily": request.params["DBParameterGroupFamily"], **parameters}}


@contract(*_MODIFY)
def parameters_are_checked(request: Request, proceed: Next) -> Reply:
    """At most 20 parameters, each known, each value allowed, and a static one only at a reboot."""
    wanted = request.params["Parameters"]
    group_of(request)
    _check_known(wanted)
    for parameter in wanted:
        name, value, default = (
            parameter["ParameterName"],
            parameter["ParameterValue"],
            DEFAULTS[parameter["ParameterName"]],
        )
        if not default.modifiable:
            raise ServiceError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
        if not default.accepts(value):
            raise ServiceError(
                "InvalidParameterValue",
                f"Invalid parameter value: {value} for: {name} allowed values are: {default.allowed}",
            )
    _check_method(wanted)
    return proceed()


def _check_known(wanted: list[dict[str, Any]]) -> None:
    if len(wanted) > _MAX_PARAMETERS:
        raise ServiceError(
            "InvalidParameterValue", f"At most {_MAX_PARAMETERS} parameters can be modified in one request."
        )
    for parameter in wanted:
        if parameter["ParameterName"] not in DEFAULTS:
            raise ServiceError(
                "InvalidParameterValue", f"Could not find parameter with name: {parameter['ParameterName']}"
            )


def _check_method(wanted: list[dict[str, Any]]) -> None:
    for parameter in wanted:
        if DEFAULTS[parameter["ParameterName"]].static and parameter["ApplyMethod"] == "immediate":
            raise ServiceError("InvalidParameterCombination", "cannot use immediate apply method for static parameter")


@contract(*_MODIFY, *_RESET)
def static_parameters_wait_for_a_reboot(request: Request, proceed: Next) -> Reply:
    """A static parameter that changes leaves every user of the group waiting for a reboot."""
    before = {name: parameter["ParameterValue"] for name, parameter in group_of(request).parameters.items()}
    reply = proceed()
    after = {name: parameter["ParameterValue"] for name, parameter in group_of(request).parameters.items()}
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    if any(DEFAULTS[name].static for name in changed):
        for user in users_of(request, _name(request)):
            notes_on(user)["cluster_parameters_wait" if concerns_clusters(request) else "parameters_wait"] = True
    return reply


@contract(*_RESET)
def parameters_are_reset(request: Request, _: Next) -> Reply:
    """The named parameters, or all, go back to the engine's default; moto cannot."""
    group = group_of(request)
    named = request.params.get("Parameters", [])
    _check_known(named)
    _check_method(named)
    names = (
        [*group.parameters]
        if request.params.get("ResetAllParameters")
        else [parameter["ParameterName"] for parameter in named]
    )
    for name in names:
        group.parameters.pop(name, None)
    return {"DBClusterParameterGroupName" if concerns_clusters(request) else "DBParameterGroupName": group.name}


@contract("DeleteDBParameterGroup", "DeleteDBClusterParameterGroup")
def a_parameter_group_in_use_stays(request: Request, proceed: Next) -> Reply:
    """A group that a cluster or an instance uses cannot be deleted."""
    name = _name(request)
    clusters = request.backend("rds").clusters.values() if concerns_clusters(request) else ()
    if users_of(request, name) or any(cluster.parameter_group == name for cluster in clusters):
        raise ServiceError(
            "InvalidDBParameterGroupState",
            f"One or more database instances are still members of this parameter group {name}, so the group cannot be "
            "deleted",
        )
    return proceed()


# -- timing ----------------------------------------------------------------------------------------------------------


_OWN: Final = "parameters_wait"
_SHARED: Final = "cluster_parameters_wait"


def _mark_applied(request: Request, members: Iterable[Any], which: str) -> None:
    for member in members:
        request.simulation.mark(member, f"{which} applied")


@timing(*_MODIFY, *_RESET)
def parameters_are_applied_for_a_while(request: Request, proceed: Next) -> Reply:
    """Users of a changed group say ``applying`` for 20 s."""
    before = {**group_of(request).parameters}
    reply = proceed()
    group = group_of(request)
    if group.parameters != before:
        _mark_applied(request, users_of(request, group.name), _SHARED if concerns_clusters(request) else _OWN)
    return reply


@timing("ModifyDBCluster", "ModifyDBInstance")
def another_group_is_applied_for_a_while(request: Request, proceed: Next) -> Reply:
    """Another group is ``applying`` before it waits for the reboot."""
    clusters = request.operation == "ModifyDBCluster"
    user = cluster_of(request) if clusters else instance_of(request)
    before = user.parameter_group if clusters else user.db_parameter_group_name
    reply = proceed()
    if before != (user.parameter_group if clusters else user.db_parameter_group_name):
        _mark_applied(request, user.members if clusters else [user], _SHARED if clusters else _OWN)
    return reply


@timing("RebootDBInstance")
def parameters_wait_until_the_reboot_is_over(request: Request, proceed: Next) -> Reply:
    """Parameters stay pending until the reboot for them is over."""
    notes = notes_on(instance_of(request))
    waiting = [which for which in (_OWN, _SHARED) if notes.get(which)]
    reply = proceed()
    notes["rebooted_for"] = waiting
    return reply


@timing("DescribeDBClusters", "DescribeDBInstances")
def how_far_parameters_are_is_told(request: Request, proceed: Next) -> Reply:
    """Members tell how far the cluster's group is in force, instances how far their own."""
    reply = proceed()
    instances = request.backend("rds").databases
    for cluster in reply.get("DBClusters", ()):
        for member in cluster["DBClusterMembers"]:
            instance = instances[member["DBInstanceIdentifier"]]
            _show_progress(request, instance, _SHARED, member, "DBClusterParameterGroupStatus")
    for shown in reply.get("DBInstances", ()):
        for group in shown["DBParameterGroups"]:
            _show_progress(request, instances[shown["DBInstanceIdentifier"]], _OWN, group, "ParameterApplyStatus")
    return reply


def _show_progress(request: Request, instance: Any, which: str, shown: dict[str, Any], field: str) -> None:
    if which in notes_on(instance).get("rebooted_for", ()) and status_of(request, instance) == "rebooting":
        shown[field] = "pending-reboot"
    elif not request.simulation.elapsed(instance, f"{which} applied", lifecycle.APPLYING_S):
        shown[field] = "applying"
