"""An Aurora PostgreSQL cluster: its storage, endpoints and settings. Its instances are `db_instance`'s.

AWS's facts are from the RDS API reference and the Aurora user guide ("Deleting Aurora DB clusters and DB instances").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Kept, Observed, Owner, Reconciler, Spec, Usual, address
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience
from tapctl.reconcilers.db_cluster_calls import creation, modification
from tapctl.reconcilers.db_cluster_sight import DbClusterOutputs, DbClusterSpec, is_terminal, observed
from tapctl.reconcilers.rds import NO_CLUSTER, arn_of, cluster_of, last_event, meaning, set_tags, tag_list, tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef

    from tapctl.aws import Aws

__all__ = ["DbCluster", "DbClusterOutputs", "DbClusterSpec", "final_snapshot_due"]

FINAL_SNAPSHOT_TAG: Final = "tapctl:final-snapshot"
"""On the cluster itself, so that it is known without the files that once said it."""


class DbCluster(Reconciler[DbClusterSpec, DbClusterOutputs]):
    """Sees and changes one cluster; its id is its identifier. It never waits for its members.

    Of what a cluster can have, the Data API, IAM roles and serverless scaling are neither wanted nor read.
    """

    type = "db-cluster"
    spec = DbClusterSpec
    outputs = DbClusterOutputs
    early = True
    holds_data = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "engine": Impact.REPLACE,
        "engine_version": Impact.RESTART,
        "database_name": Impact.REPLACE,
        "master_username": Impact.REPLACE,
        "port": Impact.RESTART,
        "subnet_group": Impact.REPLACE,
        "kms_key_arn": Impact.REPLACE,
        "storage_encrypted": Impact.REPLACE,
        # Only by turning management off, which takes a password, and on again.
        "secret_kms_key_arn": Impact.REPLACE,
        "extended_support": Impact.REPLACE,
    }
    usual = Usual(creating=180, deleting=300, longest=2 * 3600)

    def observe(
        self, aws: Aws, id: str, like: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs] | None:
        """One read; where AWS gave it up, its last event too."""
        cluster = cluster_of(aws, id)
        if cluster is None:
            return None
        return observed(cluster, like, last_event(aws, "db-cluster", id) if is_terminal(cluster) else "")

    def create(self, aws: Aws, id: str, want: DbClusterSpec, owner: Owner) -> None:
        """Make all of it in one call."""
        try:
            aws.rds.create_db_cluster(**creation(id, want, tag_list({**want.tags, **owner.tags})))
        except AwsRefused as error:
            if error.says("DBClusterAlreadyExistsFault"):
                raise AlreadyExists(f"a DB cluster {id} exists already") from error
            raise meaning(error) from error

    def update(self, aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
        """All settings in one call, at once; then a new major version; then tags."""
        asked, fields = modification(have, want)
        try:
            if fields:
                aws.rds.modify_db_cluster(DBClusterIdentifier=id, ApplyImmediately=True, **asked)
                return fields
            return set_tags(aws, arn_of(aws, "cluster", id), have.tags, want.tags)
        except AwsRefused as error:
            raise meaning(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbClusterSpec, DbClusterOutputs],
        last: DbClusterSpec | None,
    ) -> None:
        """Delete it, with a final snapshot where one is due. RDS takes it as soon as every member is being deleted."""
        asked: dict[str, Any] = {"SkipFinalSnapshot": True}
        if final_snapshot_due(seen.spec, last):
            cluster = cluster_of(aws, id)
            if cluster is None:
                return
            name = _free_name(aws, id, cluster.get("DbClusterResourceId", ""))
            asked = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": name}
        try:
            aws.rds.delete_db_cluster(DBClusterIdentifier=id, **asked)
        except AwsRefused as error:
            if error.says(NO_CLUSTER):
                return
            if error.says("DBClusterSnapshotAlreadyExistsFault"):
                # Taken since the names were read; the next step reads them again.
                raise NotYet(error.message, Patience.PROPAGATION) from error
            raise meaning(error) from error

    def explain(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-cluster", id)

    def find(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All clusters of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_clusters")):
            for one in page["DBClusters"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBClusterIdentifier", "")

    def refuses(self, seen: Observed[DbClusterSpec, DbClusterOutputs]) -> str | None:
        """RDS deletes a protected cluster's instances all the same: so nothing of it may be begun."""
        return "its deletion protection is on" if seen.spec.deletion_protection else None

    def lingers(self, aws: Aws, id: str, last: DbClusterSpec) -> str | None:  # noqa: ARG002 -- what is there counts
        """The final snapshot, as long as it is being taken.

        Raises:
            NotConverged: it has failed.
        """
        for name, one in _final_snapshots(aws, id).items():
            status = one.get("Status", "")
            if status == "failed":
                raise NotConverged(
                    f"the final snapshot {name} has failed",
                    evidence="AWS says: failed",
                    hint="see its events in the RDS console; where it is of no use, delete it and run this again",
                )
            if status != "available":
                return f"the final snapshot {name} is {status} ({one.get('PercentProgress', 0)} %)"
        return None

    def leaves(self, aws: Aws, id: str, last: DbClusterSpec) -> Iterator[tuple[str, Kept]]:  # noqa: ARG002 -- as above
        """Its final snapshot."""
        for name in _final_snapshots(aws, id):
            why = "the final snapshot: the database can be restored from it"
            yield address("db-cluster-snapshot", name), Kept("you delete it", why)


def final_snapshot_due(live: DbClusterSpec, last: Spec | None) -> bool:
    """Whether a snapshot has to be taken when it goes: unless its tag says no, in AWS and in the record alike.

    A tag that is missing says nothing, and data is kept where nothing is said.
    """
    told = [one.tags for one in (live, last) if isinstance(one, DbClusterSpec)]
    return any(tags.get(FINAL_SNAPSHOT_TAG) != "false" for tags in told)


def _free_name(aws: Aws, id: str, resource_id: str) -> str:
    """The final snapshot's name: from the cluster's resource id, so that a retry after a lost answer finds the same.

    A snapshot that bears it already was taken by a removal that did not end, and what was written since is not in it:
    another one is taken beside it (``-2``, ``-3`` …).
    """
    token = resource_id.lower().removeprefix("cluster-")
    name, taken = f"{id}-final-{token}", _final_snapshots(aws, id)
    beside = (f"{name}-{number}" for number in range(2, len(taken) + 2))
    return next(one for one in (name, *beside) if one not in taken)


def _final_snapshots(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    # Without DBClusterIdentifier: that must be an existing cluster's (DescribeDBClusterSnapshots).
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"), SnapshotType="manual")
    found = {one.get("DBClusterSnapshotIdentifier", ""): one for page in pages for one in page["DBClusterSnapshots"]}
    return {name: one for name, one in found.items() if name.startswith(f"{id}-final-")}
