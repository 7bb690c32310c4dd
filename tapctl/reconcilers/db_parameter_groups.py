"""A DB parameter group: the parameters of single instances, which override their cluster's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import REBOOT, Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import NO_PARAMETER_GROUP, arn_of, classify, read_tags, set_tags, tag_list, tagged

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterOutputTypeDef, TagTypeDef

    from tapctl.aws.client import Aws

# "A maximum of 20 parameters can be modified in a single request" (ModifyDBParameterGroup).
_MOST_AT_ONCE: Final = 20


class ParameterGroupSpec(Spec):
    """What tapctl owns on a parameter group."""

    family: str
    description: str
    parameters: dict[str, str]
    """Every parameter that is set, owned whole: one that somebody else sets shows. Lists are joined by commas."""
    tags: dict[str, str]


class ParameterGroupOutputs(Outputs):
    """Its ARN."""

    arn: str


@dataclass(frozen=True)
class Group:
    """One group as it is described."""

    name: str
    arn: str
    family: str
    description: str


class ParameterGroups(Reconciler[ParameterGroupSpec, ParameterGroupOutputs]):
    """Sees and changes one parameter group of either kind; its id is its name.

    What waits for a reboot is no matter of the group: RDS tells it with each instance (`db_instance`).
    """

    spec: ClassVar[type[ParameterGroupSpec]] = ParameterGroupSpec
    outputs = ParameterGroupOutputs
    impacts: ClassVar[Mapping[str, Impact]] = {"family": Impact.REPLACE, "description": Impact.REPLACE}
    timing = Timing(create_s=5, delete_s=5, longest_s=600)
    arn_kind: ClassVar[str]
    """The kind of resource in its ARN."""

    # -- the operations, by kind -------------------------------------------------------------------------------------

    @abstractmethod
    def groups(self, aws: Aws, id: str | None) -> list[Group]:
        """All groups of this kind, or the one of this name."""

    @abstractmethod
    def parameters(self, aws: Aws, id: str, **which: Any) -> Iterable[ParameterOutputTypeDef]:
        """The group's parameters that are meant by ``Source`` or ``Filters``."""

    @abstractmethod
    def make(self, aws: Aws, id: str, want: ParameterGroupSpec, tags: Sequence[TagTypeDef]) -> None:
        """Make the group, as yet without parameters."""

    @abstractmethod
    def modify(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """Set these parameters."""

    @abstractmethod
    def reset(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """Take these parameters back to the engine's default."""

    @abstractmethod
    def remove(self, aws: Aws, id: str) -> None:
        """Delete the group."""

    # -- the reconciler ----------------------------------------------------------------------------------------------

    def observe(
        self, aws: Aws, id: str, expected: ParameterGroupSpec | None
    ) -> Observed[ParameterGroupSpec, ParameterGroupOutputs] | None:
        """At most four reads: the group, the wanted parameters by name, the user-set ones, and the tags."""
        wanted = expected.parameters if expected else {}
        try:
            group = next((one for one in self.groups(aws, id) if one.name == id.lower()), None)
            if group is None:
                return None
            values, denied, deferred = self._values(aws, id, wanted)
            tags, unread = read_tags(aws, group.arn, expected.tags if expected else {})
        except AwsRefused as error:
            if error.matches(NO_PARAMETER_GROUP):
                return None
            raise
        spec = ParameterGroupSpec(family=group.family, description=group.description, parameters=values, tags=tags)
        owner = None if unread else Owner.of(tags)
        outputs = ParameterGroupOutputs(arn=group.arn)
        return Observed(spec, outputs, owner=owner, unreadable={**unread, **denied}, deferred_until=deferred)

    def create(self, aws: Aws, id: str, want: ParameterGroupSpec, owner: Owner) -> None:
        """Make it; RDS takes its parameters only afterwards, which is an update."""
        try:
            self.make(aws, id, want, tag_list({**want.tags, **owner.tags}))
        except AwsRefused as error:
            if error.matches("DBParameterGroupAlreadyExists"):
                raise AlreadyExists(f"a parameter group {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: ParameterGroupSpec, want: ParameterGroupSpec) -> frozenset[str]:
        """Parameters: set what is wrong, then reset what is too much, 20 a call; then tags."""
        wrong = sorted(name for name, value in want.parameters.items() if have.parameters.get(name) != value)
        extra = sorted(have.parameters.keys() - want.parameters.keys())
        names = (wrong or extra)[:_MOST_AT_ONCE]
        try:
            if not names:
                return set_tags(aws, arn_of(aws, self.arn_kind, id), have.tags, want.tags)
            methods = self._methods(aws, id, names)
            if wrong:
                values = want.parameters
                self.modify(aws, id, [{**methods[name], "ParameterValue": values[name]} for name in names])
            else:
                self.reset(aws, id, [methods[name] for name in names])
        except AwsRefused as error:
            raise classify(error) from error
        return frozenset({"parameters"} if len(wrong) + len(extra) == len(names) else ())

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[ParameterGroupSpec, ParameterGroupOutputs],  # noqa: ARG002 -- one call takes any group
        last: ParameterGroupSpec | None,  # noqa: ARG002 -- as above
    ) -> None:
        """Delete it; it counts as used until a while after its last user is gone."""
        try:
            self.remove(aws, id)
        except AwsRefused as error:
            if error.matches(NO_PARAMETER_GROUP):
                return
            if error.matches("InvalidDBParameterGroupState"):
                raise NotYet(f"{id} is still used: {error.message}", Patience.LONG) from error
            raise

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All groups of this kind in the region, by their tags; AWS's own have none."""
        groups = [one for one in self.groups(aws, None) if not one.name.startswith("default.")]
        yield from tagged(aws, owner, {one.name: one.arn for one in groups})

    def _values(
        self, aws: Aws, id: str, wanted: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """The parameters that are set; where they may not be read the wanted ones, and what was denied; and the static.

        A change of a static one waits for a reboot of every instance, which AWS never does by itself.
        """
        try:
            found = list(self.parameters(aws, id, Source="user"))
            found += self._named(aws, id, sorted(wanted)) if wanted else []
        except AwsRefused as error:
            if not error.is_denied:
                raise
            return dict(wanted), {"parameters": error.iam_action}, {}
        static = {f"parameters.{one.get('ParameterName')}": REBOOT for one in found if one.get("ApplyType") == "static"}
        names = {one.get("ParameterName", ""): one for one in found if "ParameterValue" in one}
        return {name: _value(one, wanted.get(name)) for name, one in names.items()}, {}, static

    def _named(self, aws: Aws, id: str, names: Sequence[str]) -> list[ParameterOutputTypeDef]:
        filters = [{"Name": "parameter-name", "Values": list(names)}]
        return list(self.parameters(aws, id, Filters=filters))

    def _methods(self, aws: Aws, id: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """How each is to be applied: RDS refuses ``immediate`` for what is static."""
        types = {one.get("ParameterName"): one.get("ApplyType") for one in self._named(aws, id, names)}
        return {
            name: {
                "ParameterName": name,
                "ApplyMethod": "immediate" if types.get(name) == "dynamic" else "pending-reboot",
            }
            for name in names
        }


def _value(parameter: ParameterOutputTypeDef, wanted: str | None) -> str:
    """The value, in the wanted spelling where it means the same: RDS knows ``ALL`` where PostgreSQL knows ``all``."""
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


class DbClusterParameterGroup(ParameterGroups):
    """Sees and changes one DB cluster parameter group."""

    type = "db-cluster-parameter-group"
    arn_kind = "cluster-pg"

    def groups(self, aws: Aws, id: str | None) -> list[Group]:
        """By DescribeDBClusterParameterGroups."""
        which = {"DBClusterParameterGroupName": id} if id else {}
        pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_parameter_groups"), **which)
        return [
            Group(
                one.get("DBClusterParameterGroupName", "").lower(),
                one.get("DBClusterParameterGroupArn", ""),
                one.get("DBParameterGroupFamily", ""),
                one.get("Description", ""),
            )
            for page in pages
            for one in page["DBClusterParameterGroups"]
        ]

    def parameters(self, aws: Aws, id: str, **which: Any) -> Iterable[ParameterOutputTypeDef]:
        """By DescribeDBClusterParameters."""
        pages = aws.pages(
            aws.rds.get_paginator("describe_db_cluster_parameters"), DBClusterParameterGroupName=id, **which
        )
        return (one for page in pages for one in page["Parameters"])

    def make(self, aws: Aws, id: str, want: ParameterGroupSpec, tags: Sequence[TagTypeDef]) -> None:
        """By CreateDBClusterParameterGroup."""
        aws.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=id, DBParameterGroupFamily=want.family, Description=want.description, Tags=tags
        )

    def modify(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ModifyDBClusterParameterGroup."""
        aws.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=id, Parameters=parameters)

    def reset(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ResetDBClusterParameterGroup."""
        aws.rds.reset_db_cluster_parameter_group(
            DBClusterParameterGroupName=id, ResetAllParameters=False, Parameters=parameters
        )

    def remove(self, aws: Aws, id: str) -> None:
        """By DeleteDBClusterParameterGroup."""
        aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=id)


class DbParameterGroup(ParameterGroups):
    """Sees and changes one DB parameter group."""

    type = "db-parameter-group"
    arn_kind = "pg"

    def groups(self, aws: Aws, id: str | None) -> list[Group]:
        """By DescribeDBParameterGroups."""
        which = {"DBParameterGroupName": id} if id else {}
        pages = aws.pages(aws.rds.get_paginator("describe_db_parameter_groups"), **which)
        return [
            Group(
                one.get("DBParameterGroupName", "").lower(),
                one.get("DBParameterGroupArn", ""),
                one.get("DBParameterGroupFamily", ""),
                one.get("Description", ""),
            )
            for page in pages
            for one in page["DBParameterGroups"]
        ]

    def parameters(self, aws: Aws, id: str, **which: Any) -> Iterable[ParameterOutputTypeDef]:
        """By DescribeDBParameters."""
        pages = aws.pages(aws.rds.get_paginator("describe_db_parameters"), DBParameterGroupName=id, **which)
        return (one for page in pages for one in page["Parameters"])

    def make(self, aws: Aws, id: str, want: ParameterGroupSpec, tags: Sequence[TagTypeDef]) -> None:
        """By CreateDBParameterGroup."""
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=id, DBParameterGroupFamily=want.family, Description=want.description, Tags=tags
        )

    def modify(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ModifyDBParameterGroup."""
        aws.rds.modify_db_parameter_group(DBParameterGroupName=id, Parameters=parameters)

    def reset(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ResetDBParameterGroup."""
        aws.rds.reset_db_parameter_group(DBParameterGroupName=id, ResetAllParameters=False, Parameters=parameters)

    def remove(self, aws: Aws, id: str) -> None:
        """By DeleteDBParameterGroup."""
        aws.rds.delete_db_parameter_group(DBParameterGroupName=id)
