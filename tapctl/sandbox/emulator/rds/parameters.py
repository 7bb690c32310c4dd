"""Parameter groups of clusters and of instances: engine defaults, what a user set, what waits for a reboot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tapctl.sandbox.emulator.rds.catalog import page
from tapctl.sandbox.emulator.rds.engine_defaults import DEFAULTS, Default
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

_MOST_AT_ONCE = 20
_BOTH_CHANGE = ("ModifyDBParameterGroup", "ModifyDBClusterParameterGroup")
_BOTH_RESET = ("ResetDBParameterGroup", "ResetDBClusterParameterGroup")


def is_of_clusters(call: Call) -> bool:
    """Whether a call is about the parameter groups of clusters, and not those of instances."""
    return "Cluster" in call.operation


def _name(call: Call) -> str:
    name: str = call.params["DBClusterParameterGroupName" if is_of_clusters(call) else "DBParameterGroupName"]
    return name


def group_of(call: Call) -> Any:
    """The parameter group a call names, as moto keeps it.

    Raises:
        Fault: there is none.
    """
    rds = call.moto("rds")
    group = (rds.db_cluster_parameter_groups if is_of_clusters(call) else rds.db_parameter_groups).get(_name(call))
    if group is None:
        raise Fault("DBParameterGroupNotFound", f"DBParameterGroup not found: {_name(call)}")
    return group


def users_of(call: Call, name: str) -> list[Any]:
    """The instances in whose parameters this group counts."""
    members = call.moto("rds").databases.values()
    if is_of_clusters(call):
        return [one for one in members if one.cluster.parameter_group == name]
    return [one for one in members if one.db_parameter_group_name == name]


def _shown(default: Default, own: dict[str, Any] | None) -> dict[str, Any]:
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
    # What is set to its default keeps the default's source: AWS does not tell the two apart.
    if own is not None and own["ParameterValue"] != default.value:
        shown.update(ParameterValue=own["ParameterValue"], Source="user")
    return shown


def _listed(call: Call, parameters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    source = call.params.get("Source")
    named = [value for one in call.params.get("Filters", []) for value in one["Values"]]
    return [
        one for one in parameters if source in (None, one["Source"]) and (not named or one["ParameterName"] in named)
    ]


@rules("CreateDBParameterGroup", "CreateDBClusterParameterGroup")
def a_family_must_exist(call: Call, proceed: Proceed) -> Reply:
    """A parameter group is of a family that there is."""
    family = call.params["DBParameterGroupFamily"]
    if family not in {f"aurora-postgresql{major}" for major in (15, 16, 17)}:
        raise Fault("InvalidParameterValue", f"ParameterGroupFamily {family} is not a valid parameter group family")
    return proceed()


@rules("DescribeDBParameterGroups")
def an_unknown_parameter_group_is_not_found(call: Call, proceed: Proceed) -> Reply:
    """Describing a group that is not there is refused; moto answers with an empty list."""
    if "DBParameterGroupName" in call.params:
        group_of(call)
    return proceed()


@rules("DescribeDBParameters", "DescribeDBClusterParameters")
def parameters_are_shown_with_their_defaults(call: Call, _: Proceed) -> Reply:
    """Every parameter of the engine, by source or by name, in pages."""
    own = group_of(call).parameters
    return page(call, "Parameters", _listed(call, (_shown(one, own.get(one.name)) for one in DEFAULTS.values())))


@rules("DescribeEngineDefaultParameters", "DescribeEngineDefaultClusterParameters")
def engine_defaults_are_known(call: Call, _: Proceed) -> Reply:
    """The parameters of a family that no group has touched; moto has none."""
    found = page(call, "Parameters", _listed(call, (_shown(one, None) for one in DEFAULTS.values())))
    return {"EngineDefaults": {"DBParameterGroupFamily": call.params["DBParameterGroupFamily"], **found}}


@rules(*_BOTH_CHANGE)
def parameters_are_checked(call: Call, proceed: Proceed) -> Reply:
    """20 at most, each known, each value allowed, and a static one only at a reboot."""
    wanted = call.params["Parameters"]
    group_of(call)
    _few_and_known(wanted)
    for one in wanted:
        name, value, default = one["ParameterName"], one["ParameterValue"], DEFAULTS[one["ParameterName"]]
        if not default.modifiable:
            raise Fault("InvalidParameterValue", f"The parameter {name} cannot be modified.")
        if not default.accepts(value):
            raise Fault(
                "InvalidParameterValue",
                f"Invalid parameter value: {value} for: {name} allowed values are: {default.allowed}",
            )
    _check_method(wanted)
    return proceed()


def _few_and_known(wanted: list[dict[str, Any]]) -> None:
    if len(wanted) > _MOST_AT_ONCE:
        raise Fault("InvalidParameterValue", f"At most {_MOST_AT_ONCE} parameters can be modified in one request.")
    for one in wanted:
        if one["ParameterName"] not in DEFAULTS:
            raise Fault("InvalidParameterValue", f"Could not find parameter with name: {one['ParameterName']}")


def _check_method(wanted: list[dict[str, Any]]) -> None:
    for one in wanted:
        if DEFAULTS[one["ParameterName"]].static and one["ApplyMethod"] == "immediate":
            raise Fault("InvalidParameterCombination", "cannot use immediate apply method for static parameter")


@rules(*_BOTH_CHANGE, *_BOTH_RESET)
def static_parameters_wait_for_a_reboot(call: Call, proceed: Proceed) -> Reply:
    """A static parameter that changes leaves every user of the group waiting for a reboot."""
    before = {name: one["ParameterValue"] for name, one in group_of(call).parameters.items()}
    reply = proceed()
    after = {name: one["ParameterValue"] for name, one in group_of(call).parameters.items()}
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    if any(DEFAULTS[name].static for name in changed):
        for user in users_of(call, _name(call)):
            kept(user)["cluster_parameters_wait" if is_of_clusters(call) else "parameters_wait"] = True
    return reply


@rules(*_BOTH_RESET)
def parameters_are_reset(call: Call, _: Proceed) -> Reply:
    """The named parameters, or all, go back to the engine's default; moto cannot."""
    group = group_of(call)
    named = call.params.get("Parameters", [])
    _few_and_known(named)
    _check_method(named)
    names = [*group.parameters] if call.params.get("ResetAllParameters") else [one["ParameterName"] for one in named]
    for name in names:
        group.parameters.pop(name, None)
    return {"DBClusterParameterGroupName" if is_of_clusters(call) else "DBParameterGroupName": group.name}


@rules("DeleteDBParameterGroup", "DeleteDBClusterParameterGroup")
def a_parameter_group_in_use_stays(call: Call, proceed: Proceed) -> Reply:
    """A group that a cluster or an instance uses cannot be deleted."""
    name = _name(call)
    clusters = call.moto("rds").clusters.values() if is_of_clusters(call) else ()
    if users_of(call, name) or any(one.parameter_group == name for one in clusters):
        raise Fault(
            "InvalidDBParameterGroupState",
            f"One or more database instances are still members of this parameter group {name}, so the group cannot be "
            "deleted",
        )
    return proceed()
