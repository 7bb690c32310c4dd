"""Parameter groups of RDS, of a cluster and of an instance: two types whose operations differ in names alone.

RDS takes a group's parameters only after the group is made, 20 a call, and a change of a static one waits for a reboot.
AWS's facts are from the RDS API reference: CreateDBParameterGroup, ModifyDBParameterGroup and the like.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws.refusals import UnreadableFields
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_list
from tapctl.engine.model import REBOOT, Impact, Observed, Outputs, Owner, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.database_groups import ASKS_DATABASES, DatabaseGroups
from tapctl.reconcilers.rds import NO_PARAMETER_GROUP, arn_of, classify, owned_names, read_tags, step_tags

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterOutputTypeDef

    from tapctl.aws.client import Aws

# "A maximum of 20 parameters can be modified in a single request" (ModifyDBParameterGroup).
_MAX_PARAMETERS: Final = 20
# "The source of the parameter value" (Parameter): what nobody has set, or somebody to just that.
_DEFAULT_SOURCES: Final = ("engine-default", "system")


class ParameterGroupSpec(Spec):
    """The fields that tapctl owns on a parameter group."""

    family: str
    description: str
    parameters: dict[str, str]
    """Every parameter that is set, owned whole: one that somebody else sets shows. Lists are joined by commas."""
    tags: dict[str, str]


class ParameterGroupOutputs(Outputs):
    """The group's ARN."""

    arn: str


class ParameterGroups(DatabaseGroups[ParameterGroupSpec, ParameterGroupOutputs]):
    """A parameter group of either kind; the id is its name.

    Changes that wait for a reboot do not show on the group: RDS shows them with each instance (`db_instance`).
    """

    name_is_identity = True
    impacts: ClassVar[Mapping[str, Impact]] = {"family": Impact.REPLACE, "description": Impact.REPLACE}
    timing = Timing(create_s=5, delete_s=5, longest_s=600)
    kind: ClassVar[str]
    """AWS's name of the kind, in parameters and answers: ``DBParameterGroup``."""
    operations: ClassVar[str]
    """The name of the kind in boto3's operations: ``db_parameter_group``."""
    arn_kind: ClassVar[str]
    """The name of the kind in ARNs: ``pg``."""

    def observe(
        self, aws: Aws, id: str, expected: ParameterGroupSpec | None
    ) -> Observed[ParameterGroupSpec, ParameterGroupOutputs] | None:
        """Read the group, the user-set parameters, wanted ones that are not set by name, and the tags: four calls."""
        wanted = expected.parameters if expected else {}
        unreadable = UnreadableFields()
        nothing: list[ParameterOutputTypeDef] = []
        try:
            groups = self._list(aws, **{f"{self.kind}Name": id})
            group = next((group for group in groups if self._name(group) == id.lower()), None)
            if group is None:
                return None
            parameters = unreadable.read("parameters", lambda: self._set_or_wanted(aws, id, wanted), nothing)
            arn = group[f"{self.kind}Arn"]
            live_tags = read_tags(aws, arn, unreadable, expected.tags if expected else {})
        except AwsRefused as error:
            if error.matches(NO_PARAMETER_GROUP):
                return None
            raise
        live = {item["ParameterName"]: item for item in parameters if "ParameterValue" in item}
        values = {name: _value(item, wanted.get(name)) for name, item in live.items()}
        unset = [name for name, item in live.items() if item.get("Source") in _DEFAULT_SOURCES]
        static = [item.get("ParameterName") for item in parameters if item.get("ApplyType") == "static"]
        spec = ParameterGroupSpec(
            family=group.get("DBParameterGroupFamily", ""),
            description=group.get("Description", ""),
            parameters=dict(wanted) if "parameters" in unreadable.actions else values,
            tags=live_tags,
        )
        return Observed(
            spec,
            ParameterGroupOutputs(arn=arn),
            owner=None if "tags" in unreadable.actions else Owner.of(live_tags),
            unreadable=unreadable.actions,
            # A change of a static one waits for a reboot of every instance, which AWS never does by itself.
            deferred_until={f"parameters.{name}": REBOOT for name in static},
            defaults=frozenset(f"parameters.{name}" for name in unset),
        )

    def create(self, aws: Aws, id: str, want: ParameterGroupSpec, owner: Owner) -> None:
        """Make the group; RDS takes parameters only afterwards, which is an update."""
        try:
            self._call(
                aws,
                "create",
                id,
                DBParameterGroupFamily=want.family,
                Description=want.description,
                Tags=as_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.matches("DBParameterGroupAlreadyExists"):
                raise AlreadyExists(f"a parameter group {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: ParameterGroupSpec, want: ParameterGroupSpec) -> frozenset[str]:
        """Set missing and wrong parameters, then reset extra ones, 20 a call; then tags."""
        wrong = sorted(name for name, value in want.parameters.items() if have.parameters.get(name) != value)
        extra = sorted(have.parameters.keys() - want.parameters.keys())
        names = (wrong or extra)[:_MAX_PARAMETERS]
        try:
            if not names:
                return step_tags(aws, arn_of(aws, self.arn_kind, id), have.tags, want.tags)
            methods = self._methods(aws, id, names)
            if wrong:
                values = want.parameters
                parameters = [{**methods[name], "ParameterValue": values[name]} for name in names]
                self._call(aws, "modify", id, Parameters=parameters)
            else:
                parameters = [methods[name] for name in names]
                self._call(aws, "reset", id, ResetAllParameters=False, Parameters=parameters)
        except AwsRefused as error:
            raise classify(error) from error
        return frozenset({"parameters"} if len(wrong) + len(extra) == len(names) else ())

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[ParameterGroupSpec, ParameterGroupOutputs],
        last: ParameterGroupSpec | None,
    ) -> None:
        """Delete the group; RDS counts it as used until a while after the last user is gone."""
        try:
            self._call(aws, "delete", id)
        except AwsRefused as error:
            if error.matches(NO_PARAMETER_GROUP):
                return
            if error.matches("InvalidDBParameterGroupState"):
                raise NotYet(f"{id} is still used: {error.message}", Patience.LONG) from error
            raise

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the groups by the owner's tags."""
        return owned_names(aws, owner, self.arn_kind)

    def modifiable(self, aws: Aws, family: str) -> dict[str, bool]:
        """Read every parameter of a family: its name, and True if it can be set. A call for each hundred of them.

        Raises:
            AwsRefused: the read is denied.
        """
        client: Any = aws.rds  # untyped, since the operation's name is data
        kind = self.operations.removeprefix("db_").removesuffix("parameter_group")
        paginator = client.get_paginator(f"describe_engine_default_{kind}parameters")
        pages: list[Any] = aws.pages(paginator, DBParameterGroupFamily=family)
        return {
            parameter["ParameterName"]: parameter["IsModifiable"]
            for page in pages
            for parameter in page["EngineDefaults"]["Parameters"]
        }

    # -- the operations of the kind ----------------------------------------------------------------------------------

    def _call(self, aws: Aws, verb: str, id: str, **parameters: Any) -> None:
        getattr(aws.rds, f"{verb}_{self.operations}")(**{f"{self.kind}Name": id}, **parameters)

    def _list(self, aws: Aws, **filters: Any) -> list[dict[str, Any]]:
        client: Any = aws.rds  # untyped, since the operation's name is data
        pages: list[Any] = aws.pages(client.get_paginator(f"describe_{self.operations}s"), **filters)
        return [group for page in pages for group in page[f"{self.kind}s"]]

    def _name(self, group: Mapping[str, Any]) -> str:
        return str(group[f"{self.kind}Name"]).lower()

    def _parameters(self, aws: Aws, id: str, **filters: Any) -> list[ParameterOutputTypeDef]:
        client: Any = aws.rds  # as above
        paginator = client.get_paginator(f"describe_{self.operations.removesuffix('_group')}s")
        pages: list[Any] = aws.pages(paginator, **{f"{self.kind}Name": id}, **filters)
        return [parameter for page in pages for parameter in page["Parameters"]]

    def _set_or_wanted(self, aws: Aws, id: str, wanted: Collection[str]) -> list[ParameterOutputTypeDef]:
        given = self._parameters(aws, id, Source="user")
        return given + self._named(aws, id, sorted({*wanted} - {item.get("ParameterName", "") for item in given}))

    def _named(self, aws: Aws, id: str, names: Sequence[str]) -> list[ParameterOutputTypeDef]:
        # Without a name the filter would be refused.
        filters = [{"Name": "parameter-name", "Values": list(names)}]
        return self._parameters(aws, id, Filters=filters) if names else []

    def _methods(self, aws: Aws, id: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Choose how each parameter is applied: RDS refuses ``immediate`` for a static one."""
        types = {item.get("ParameterName"): item.get("ApplyType") for item in self._named(aws, id, names)}
        return {
            name: {
                "ParameterName": name,
                "ApplyMethod": "immediate" if types.get(name) == "dynamic" else "pending-reboot",
            }
            for name in names
        }


def _value(parameter: ParameterOutputTypeDef, wanted: str | None) -> str:
    """The value, in the wanted spelling where both mean the same: RDS has ``ALL`` where PostgreSQL has ``all``."""
    live = _canonical(parameter, parameter.get("ParameterValue", ""))
    if wanted is None:
        return live
    asked = _canonical(parameter, wanted)
    words = [word.strip().lower() for word in parameter.get("AllowedValues", "").split(",")]
    same = live == asked or (live.lower() == asked.lower() and live.lower() in words)
    return wanted if same else live


def _canonical(parameter: ParameterOutputTypeDef, value: str) -> str:
    if parameter.get("DataType") == "list":
        return ",".join(part.strip() for part in value.split(","))
    return value.strip()


def _rights(noun: str, listing: str, group: str) -> tuple[Right, ...]:
    """The rights of one kind; ``noun``: its name in RDS's actions, ``listing``: of those that list its parameters."""
    reads = (f"rds:Describe{noun}s", "rds:ListTagsForResource")
    return (
        Right(Need.OBSERVE, (*reads, f"rds:Describe{listing}"), (group,)),
        Right(
            Need.PLAN, (f"rds:DescribeEngineDefault{listing.removeprefix('DB')}",), why="what RDS offers to everybody"
        ),
        Right(Need.CREATE, (f"rds:Create{noun}", "rds:AddTagsToResource", f"rds:Modify{noun}"), (group,)),
        Right(Need.UPDATE, (f"rds:Modify{noun}", f"rds:Reset{noun}"), (group,), fields=frozenset({"parameters"})),
        Right(
            Need.UPDATE, ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"), (group,), fields=frozenset({"tags"})
        ),
        Right(Need.REPLACE | Need.DELETE, (f"rds:Delete{noun}",), (group,)),
        ASKS_DATABASES,
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )


def _trail(kind: str) -> Trail:
    """The events of one kind."""
    changes = (f"Modify{kind}", f"Reset{kind}")
    tagging = ("AddTagsToResource", "RemoveTagsFromResource")
    return Trail("rds", (f"Create{kind}", f"Delete{kind}"), {"parameters": changes, "tags": tagging})


class DbClusterParameterGroup(ParameterGroups):
    """A DB cluster parameter group: the parameters that all instances of a cluster share."""

    type = "db-cluster-parameter-group"
    teardown_rank = 90
    kind = "DBClusterParameterGroup"
    trail = _trail("DBClusterParameterGroup")
    operations = "db_cluster_parameter_group"
    arn_kind = "cluster-pg"
    actions = _rights(
        "DBClusterParameterGroup", "DBClusterParameters", arn("rds", "cluster-pg:{db-cluster-parameter-group}")
    )


class DbParameterGroup(ParameterGroups):
    """A DB parameter group: the parameters of single instances, which override their cluster's."""

    type = "db-parameter-group"
    teardown_rank = 80
    kind = "DBParameterGroup"
    trail = _trail("DBParameterGroup")
    operations = "db_parameter_group"
    arn_kind = "pg"
    actions = _rights("DBParameterGroup", "DBParameters", arn("rds", "pg:{db-parameter-group}"))
