"""An instance of an Aurora cluster. Which one writes moves with every failover, and is in no name and no field.

AWS's facts are from the RDS API reference (CreateDBInstance, ModifyDBInstance, FailoverDBCluster, DBClusterMember) and
the Aurora user guide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Observed, Owner, Reconciler, Timing
from tapctl.errors import AlreadyExists, AwsRefused
from tapctl.reconcilers.db_instance_sight import (
    TYPE,
    DbInstanceOutputs,
    DbInstanceSpec,
    find_instance,
    observed_instance,
)
from tapctl.reconcilers.db_instance_writer import readers_first, successor
from tapctl.reconcilers.rds import NO_INSTANCE, arn_of, classify, how_to_start, last_event, set_tags, tag_list, tags_of

if TYPE_CHECKING:
    from tapctl.aws import Aws

__all__ = ["DbInstance", "DbInstanceOutputs", "DbInstanceSpec"]

_PARAMETERS: Final = {
    "parameter_group": "DBParameterGroupName",
    "maintenance_window": "PreferredMaintenanceWindow",
    "publicly_accessible": "PubliclyAccessible",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "promotion_tier": "PromotionTier",
}


class DbInstance(Reconciler[DbInstanceSpec, DbInstanceOutputs]):
    """Sees and changes one member; its id is its identifier. The data is its cluster's: a failed member is replaced.

    ``staying``: all members that are wanted, this one among them, whom a writer's change of class waits for; None: all
    of ours.
    """

    type = TYPE
    spec = DbInstanceSpec
    outputs = DbInstanceOutputs
    outputs_known_early = True
    replaceable = True
    applies_deferred = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "cluster": Impact.REPLACE,
        "engine": Impact.REPLACE,
        "instance_class": Impact.FAILOVER,
    }
    timing = Timing(create_s=480, delete_s=300, longest_s=5400)

    def __init__(self, staying: Collection[str] | None = None) -> None:
        self._staying = staying

    def observe(
        self, aws: Aws, id: str, expected: DbInstanceSpec | None
    ) -> Observed[DbInstanceSpec, DbInstanceOutputs] | None:
        """Two reads a round for all members: the instances, and their cluster, which its own look asks for too."""
        instance = find_instance(aws, id)
        return None if instance is None else observed_instance(aws, instance, expected)

    def create(self, aws: Aws, id: str, want: DbInstanceSpec, owner: Owner) -> None:
        """Make it; what its cluster manages is refused on a member, and so is not sent."""
        asked: dict[str, Any] = {parameter: getattr(want, name) for name, parameter in _PARAMETERS.items()}
        try:
            aws.rds.create_db_instance(
                DBInstanceIdentifier=id,
                DBClusterIdentifier=want.cluster,
                Engine=want.engine,
                DBInstanceClass=want.instance_class,
                Tags=tag_list({**want.tags, **owner.tags}),
                **asked,
            )
        except AwsRefused as error:
            if error.matches("DBInstanceAlreadyExists"):
                raise AlreadyExists(f"a DB instance {id} exists already") from error
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def update(self, aws: Aws, id: str, have: DbInstanceSpec, want: DbInstanceSpec) -> frozenset[str]:
        """What needs no restart; then the class, as a reader where there are others; then tags."""
        differs = frozenset(name for name in _PARAMETERS if getattr(have, name) != getattr(want, name))
        try:
            if differs:
                _modify(aws, id, {_PARAMETERS[name]: getattr(want, name) for name in differs})
                return differs
            if have.instance_class != want.instance_class:
                other = successor(aws, id, want, self._staying)
                if other is None:
                    _modify(aws, id, {"DBInstanceClass": want.instance_class})
                    return frozenset({"instance_class"})
                # To a named one: where it writes already, only the news is late, and RDS refuses.
                aws.rds.failover_db_cluster(DBClusterIdentifier=want.cluster, TargetDBInstanceIdentifier=other)
                return frozenset()
            return set_tags(aws, arn_of(aws, "db", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def reboot(self, aws: Aws, id: str, want: DbInstanceSpec) -> None:
        """Reboot it without a failover, which would put no parameter in force; the writer last."""
        readers_first(aws, id, want, self._staying)
        try:
            aws.rds.reboot_db_instance(DBInstanceIdentifier=id)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbInstanceSpec, DbInstanceOutputs],
        last: DbInstanceSpec | None,  # noqa: ARG002 -- a member has nothing to keep
    ) -> None:
        """Delete it. A member takes no final snapshot; only a failed one has to be told so (DeleteDBInstance)."""
        skip: dict[str, Any] = {"SkipFinalSnapshot": True} if seen.failure else {}
        try:
            aws.rds.delete_db_instance(DBInstanceIdentifier=id, **skip)
        except AwsRefused as error:
            if error.matches(NO_INSTANCE) or error.matches("InvalidDBInstanceState", text="already being deleted"):
                return
            raise classify(error, how_to_start(aws, seen.spec.cluster)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-instance", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All instances of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_instances")):
            for one in page["DBInstances"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBInstanceIdentifier", "")


def _modify(aws: Aws, id: str, asked: Mapping[str, Any]) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=id, ApplyImmediately=True, **asked)
