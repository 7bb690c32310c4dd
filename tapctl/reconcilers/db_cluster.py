"""An Aurora PostgreSQL cluster: its storage, endpoints and settings. Its instances are `db_instance`'s.

AWS's facts are from the RDS API reference and the Aurora user guide ("Deleting Aurora DB clusters and DB instances").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Observed, Owner, Reconciler, Retained, Spec, Timing, address
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience
from tapctl.reconcilers.db_cluster_calls import creation, modification
from tapctl.reconcilers.db_cluster_sight import (
    FOR,
    STOPPED,
    DbClusterOutputs,
    DbClusterSpec,
    is_terminal,
    observed_cluster,
)
from tapctl.reconcilers.db_instance_sight import describe_instances
from tapctl.reconcilers.rds import (
    NO_CLUSTER,
    arn_of,
    classify,
    cluster_of,
    how_to_start,
    last_event,
    set_tags,
    tag_list,
    tags_of,
)

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef

    from tapctl.aws import Aws

__all__ = ["DbCluster", "DbClusterOutputs", "DbClusterSpec", "final_snapshot_due"]

_DONE: Final = ("available", "failed")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

FINAL_SNAPSHOT_TAG: Final = "tapctl:final-snapshot"
"""On the cluster itself, so that it is known without the files that once said it."""


class DbCluster(Reconciler[DbClusterSpec, DbClusterOutputs]):
    """Sees and changes one cluster; its id is its identifier. It never waits for its members."""

    type = "db-cluster"
    spec = DbClusterSpec
    outputs = DbClusterOutputs
    outputs_known_early = True
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
    timing = Timing(create_s=180, delete_s=300, longest_s=2 * 3600)

    def observe(
        self, aws: Aws, id: str, expected: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs] | None:
        """One read; where AWS gave it up, its last event too."""
        cluster = cluster_of(aws, id)
        if cluster is None:
            return None
        if cluster.get("Status") == STOPPED:
            return observed_cluster(cluster, expected, how_to_start(aws, id))
        return observed_cluster(cluster, expected, last_event(aws, "db-cluster", id) if is_terminal(cluster) else "")

    def create(self, aws: Aws, id: str, want: DbClusterSpec, owner: Owner) -> None:
        """Make all of it in one call."""
        try:
            aws.rds.create_db_cluster(**creation(id, want, tag_list({**want.tags, **owner.tags})))
        except AwsRefused as error:
            if error.matches("DBClusterAlreadyExistsFault"):
                raise AlreadyExists(f"a DB cluster {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
        """Ways in that nobody wants; all settings in one call, at once; then a new major version; then tags."""
        asked, fields = modification(have, want)
        try:
            if have.http_endpoint != want.http_endpoint or have.associated_roles != want.associated_roles:
                return _close(aws, id, have, want)
            if fields:
                aws.rds.modify_db_cluster(DBClusterIdentifier=id, ApplyImmediately=True, **asked)
                return fields
            return set_tags(aws, arn_of(aws, "cluster", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, id)) from error

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
            if error.matches(NO_CLUSTER):
                return
            if error.matches("DBClusterSnapshotAlreadyExistsFault"):
                # Taken since the names were read; the next step reads them again.
                raise NotYet(error.message, Patience.PROPAGATION) from error
            if error.matches("InvalidDBClusterStateFault", text="still contains DB instances"):
                _name_strangers(aws, id, seen.owner)
            raise classify(error, how_to_start(aws, id)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-cluster", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All clusters of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_clusters")):
            for one in page["DBClusters"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBClusterIdentifier", "")

    def deletion_blocker(self, seen: Observed[DbClusterSpec, DbClusterOutputs]) -> str | None:
        """RDS deletes a protected cluster's instances all the same: so nothing of it may be begun."""
        if seen.spec.deletion_protection:
            return "its deletion protection is on"
        if seen.status == STOPPED:
            start = (seen.failure or "").removeprefix(f"{STOPPED}: ")
            return f"it is stopped: RDS deletes no member of a stopped cluster; {start}"
        return None

    def remaining_after_delete(self, aws: Aws, id: str, last: DbClusterSpec) -> str | None:
        """The final snapshot, as long as it is being taken.

        Snapshots of earlier clusters of this name are kept beside it. Of a cluster that is gone nothing tells its
        resource id; but each of the others is done with, and it is the newest, where by the record one was due.

        Raises:
            NotConverged: it has failed.
        """
        taken = sorted(_final_snapshots(aws, id).items(), key=_age)
        for name, one in taken:
            status = one.get("Status", "")
            if status not in _DONE:
                return f"the final snapshot {name} is {status} ({one.get('PercentProgress', 0)} %)"
        name, newest = taken[-1] if taken else ("", {})
        if newest.get("Status") == "failed" and final_snapshot_due(last, None):
            raise NotConverged(
                f"the final snapshot {name} has failed",
                evidence="AWS says: failed",
                hint="see its events in the RDS console; where it is of no use, delete it and run this again",
            )
        return None

    def retained_after_delete(self, aws: Aws, id: str, last: DbClusterSpec) -> Iterator[tuple[str, Retained]]:  # noqa: ARG002 -- as above
        """Its final snapshot."""
        for name in _final_snapshots(aws, id):
            why = "the final snapshot: the database can be restored from it"
            yield address("db-cluster-snapshot", name), Retained("you delete it", why)


def _close(aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
    """Take one way in away: the Data API, or one role."""
    assert not want.http_endpoint, "the Data API is a way past the security groups"
    assert not want.associated_roles, "tapctl gives no cluster a role"
    if have.http_endpoint:
        aws.rds.disable_http_endpoint(ResourceArn=arn_of(aws, "cluster", id))
        return frozenset({"http_endpoint"})
    arn, _, feature = min(have.associated_roles).partition(FOR)
    of: dict[str, Any] = {"FeatureName": feature} if feature else {}
    aws.rds.remove_role_from_db_cluster(DBClusterIdentifier=id, RoleArn=arn, **of)
    return frozenset({"associated_roles"} if len(have.associated_roles) == 1 else ())


def _name_strangers(aws: Aws, id: str, ours: Owner | None) -> None:
    """Members that somebody added go by no removal of ours: RDS may refuse the cluster's for ever.

    Raises:
        NotYet: there are any.
    """
    try:
        members = describe_instances(aws, "db-cluster-id", (id,))
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return
    strangers = [
        one.get("DBInstanceIdentifier", "")
        for one in members
        if one.get("DBInstanceStatus") != "deleting" and Owner.of(tags_of(one.get("TagList", []))) != ours
    ]
    if strangers:
        raise NotYet(f"{id} holds members that are not ours: {', '.join(sorted(strangers))}", Patience.BUSY)


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


def _age(one: tuple[str, DBClusterSnapshotTypeDef]) -> tuple[datetime, datetime, str]:
    """The newest last: by its cluster, then by its own time, which one that failed may not have."""
    name, snapshot = one
    return snapshot.get("ClusterCreateTime", _FIRST), snapshot.get("SnapshotCreateTime", _LAST), name


def _final_snapshots(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    # Without DBClusterIdentifier: that must be an existing cluster's (DescribeDBClusterSnapshots).
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"), SnapshotType="manual")
    found = {one.get("DBClusterSnapshotIdentifier", ""): one for page in pages for one in page["DBClusterSnapshots"]}
    # Its token and a number; the snapshots of a suffix that itself ends in "-final-1" have more.
    ours = re.compile(rf"{re.escape(id)}-final-[a-z0-9]+(-[0-9]+)?")
    return {name: one for name, one in found.items() if ours.fullmatch(name)}
