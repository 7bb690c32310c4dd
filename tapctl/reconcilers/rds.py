"""Shared by the reconcilers of RDS: reading a cluster, tags, and the meaning of refusals.

AWS's facts are from the RDS API reference. RDS's error codes follow no rule (``DBInstanceNotFound`` but
``DBClusterNotFoundFault``); the ones here are those on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from tapctl.aws import tags
from tapctl.aws.refusals import UnreadableFields
from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

    from tapctl.aws.client import Aws

NO_CLUSTER: Final = "DBClusterNotFoundFault"
NO_INSTANCE: Final = "DBInstanceNotFound"
NO_SUBNET_GROUP: Final = "DBSubnetGroupNotFoundFault"
NO_PARAMETER_GROUP: Final = "DBParameterGroupNotFound"
"""The code for both kinds of parameter groups, but where a cluster names one: then the next code."""
_NO_CLUSTER_PARAMETER_GROUP: Final = "DBClusterParameterGroupNotFound"

_NOT_YET: Final[Mapping[str, Patience]] = {
    NO_CLUSTER: Patience.PROPAGATION,
    NO_INSTANCE: Patience.PROPAGATION,
    NO_SUBNET_GROUP: Patience.PROPAGATION,
    NO_PARAMETER_GROUP: Patience.PROPAGATION,
    _NO_CLUSTER_PARAMETER_GROUP: Patience.PROPAGATION,
    # RDS's answer, too, until the key's policy and grants have spread.
    "KMSKeyNotAccessibleFault": Patience.PROPAGATION,
    "InvalidDBSubnetGroupStateFault": Patience.BUSY,
    "InvalidDBParameterGroupState": Patience.BUSY,
    "InvalidDBClusterStateFault": Patience.LONG,
    # A snapshot that is being taken (DeleteDBCluster, RestoreDBClusterFromSnapshot).
    "InvalidDBClusterSnapshotStateFault": Patience.LONG,
    "InvalidDBInstanceState": Patience.LONG,
    # The Data API's codes for a cluster (DisableHttpEndpoint).
    "ResourceNotFoundFault": Patience.PROPAGATION,
    "InvalidResourceStateFault": Patience.LONG,
    "DBClusterRoleNotFound": Patience.PROPAGATION,
}
# InvalidParameterValue has many meanings; these pass by themselves: a security group that has not spread to RDS, and
# the account's very first use of RDS, which makes its service-linked role.
_NO_GROUP: Final = "invalid security group"
# CreateDBInstance's words, and CreateDBSubnetGroup's (terraform-aws-modules/terraform-aws-rds#364).
_NO_SERVICE_ROLE: Final = ("service linked role", "missing necessary credentials", "servicelinkedroles")
_MAKE_SERVICE_ROLE: Final = (
    "make RDS's role, which needs iam:CreateServiceLinkedRole: "
    "aws iam create-service-linked-role --aws-service-name rds.amazonaws.com, then run the same command again"
)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_STATE: Final = ("InvalidDBClusterStateFault", "InvalidDBInstanceState")
# What the same codes say of a tie that never ends by itself: the member of a global cluster, the source of a replica
# (terraform-provider-aws, rds/cluster.go; rebuy-de/aws-nuke#570), of an integration, of a blue/green deployment.
_TIES: Final = ("global cluster", "replica", "integration", "blue/green", "blue green")
UNTIE: Final = (
    "take it out of the global cluster, promote or delete its replicas, or delete the integration or the blue/green "
    "deployment; then run this again"
)


SERVING: Final = frozenset(
    {
        *("available", "backing-up", "storage-optimization", "storage-config-upgrade"),
        *(
            f"configuring-{what}"
            for what in ("associated-roles", "enhanced-monitoring", "iam-database-auth", "log-exports")
        ),
    }
)
"""The states in which a cluster or an instance takes connections, also while RDS works on it
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html)."""
RECOVERABLE: Final = "inaccessible-encryption-credentials-recoverable"
"""The state of a cluster, and of its instances, for seven days after its key went out of reach."""


def how_to_start(aws: Aws, cluster: str) -> str:
    """Tell to start a stopped cluster, and how: until then, for a week, AWS does nothing with the cluster."""
    return f"start it first: {start_command(aws, cluster)}"


def start_command(aws: Aws, cluster: str) -> str:
    """The command that starts a stopped cluster."""
    return aws.target.command(f"aws rds start-db-cluster --db-cluster-identifier {cluster}")


def how_to_delete(aws: Aws, instance: str) -> str:
    """Tell the command that deletes an instance which is not ours: tapctl never does."""
    return aws.target.command(f"aws rds delete-db-instance --db-instance-identifier {instance}")


def how_to_close(aws: Aws, instance: str) -> str:
    """Tell the command that takes the public address of an instance which is not ours: tapctl never does."""
    options = "--no-publicly-accessible --apply-immediately"
    return aws.target.command(f"aws rds modify-db-instance --db-instance-identifier {instance} {options}")


def how_to_recover(aws: Aws, cluster: str) -> str:
    """Tell what brings back a cluster whose key was out of reach, and until when.

    Enabling the key alone does not; after seven days only a restore from a backup is left.
    https://repost.aws/knowledge-center/rds-aurora-inaccessible-state
    """
    return (
        f"enable its key, then {how_to_start(aws, cluster)}; within 7 days of the key's loss: after that it can only "
        "be restored from a backup"
    )


def classify(error: AwsRefused, start: str | None = None) -> NotYet | AwsRefused:
    """Translate a refused change: `NotYet`, or the refusal itself.

    ``start``: the command that starts the cluster concerned, as the hint where it is stopped.
    """
    if error.matches(*_STATE, text="stopped"):
        # Unlike every other state this one does not pass by itself.
        error.hint = start
        return error
    if any(error.matches(*_STATE, text=text) for text in _TIES):
        error.hint = UNTIE
        return error
    patience = _NOT_YET.get(error.aws_code)
    if error.matches("InvalidParameterValue", text=_NO_GROUP):
        patience = Patience.PROPAGATION
    if any(error.matches("InvalidParameterValue", text=text) for text in _NO_SERVICE_ROLE):
        patience, error.hint = Patience.PROPAGATION, _MAKE_SERVICE_ROLE
    return error if patience is None else NotYet(f"RDS answers {error.aws_code}: {error.message}", patience)


def cluster_of(aws: Aws, id: str) -> DBClusterTypeDef | None:
    """Read the cluster: one call in a round for the cluster, its members and its secret's rotation; None if absent."""
    try:
        pages = aws.pages(aws.rds.get_paginator("describe_db_clusters"), DBClusterIdentifier=id)
    except AwsRefused as error:
        if error.matches(NO_CLUSTER):
            return None
        raise
    # Right after a create RDS may answer with another one (terraform-provider-aws, rds/cluster.go).
    clusters = (cluster for page in pages for cluster in page["DBClusters"])
    return next((cluster for cluster in clusters if cluster.get("DBClusterIdentifier") == id.lower()), None)


def put_off(values: Mapping[str, Any], known: Collection[str]) -> frozenset[str]:
    """List what RDS has accepted for later (``PendingModifiedValues``) beside the ``known`` names.

    Each by RDS's name of the setting, with the value as text: a rename is ``DBClusterIdentifier other``.
    """
    return frozenset(f"{name} {_text(value)}" for name, value in values.items() if name not in known)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def last_event(aws: Aws, kind: Literal["db-cluster", "db-instance"], id: str) -> str:
    """Read RDS's last event of the last 24 hours; empty where there is none, or events may not be read.

    By date, over all pages: DescribeEvents promises no order.
    """
    asked: dict[str, Any] = {"SourceIdentifier": id, "SourceType": kind, "Duration": 24 * 60}
    try:
        pages = aws.pages(aws.rds.get_paginator("describe_events"), **asked)
    except AwsRefused:
        # The state that is being explained matters more than this refusal.
        return ""
    events = [event for page in pages for event in page["Events"]]
    last = max(events, key=lambda event: event.get("Date", _LONG_AGO), default=None)
    return last.get("Message", "") if last else ""


# -- tags --------------------------------------------------------------------------------------------------------------


def arn_of(aws: Aws, kind: str, id: str) -> str:
    """The ARN of an RDS resource; ``kind``: RDS's word, such as ``cluster`` or ``subgrp`` (RDS user guide)."""
    return aws.arn("rds", f"{kind}:{id}")


def read_tags(aws: Aws, arn: str, unreadable: UnreadableFields, stand_in: Mapping[str, str]) -> dict[str, str]:
    """Read the tags of a resource whose tags RDS lists apart; ``stand_in`` where they may not be read."""
    return unreadable.read("tags", lambda: _listed_tags(aws, arn), dict(stand_in))


def step_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    """Make one call towards the wanted tags; see `tapctl.aws.tags.step`."""
    return tags.step(
        have,
        want,
        add=lambda missing: aws.rds.add_tags_to_resource(ResourceName=arn, Tags=tags.as_list(missing)),
        remove=lambda extra: aws.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=extra),
    )


def owned_names(aws: Aws, owner: Owner, kind: str) -> Iterator[str]:
    """List the names of these resources that bear the owner's tags, by the tagging API.

    RDS lists no tags with its groups: tags would be a call for each of the account's, and a right on all of them.
    ``kind``: as in `arn_of`.
    """
    return tags.find(aws, owner.search_tags, "rds", f"{kind}:")


def _listed_tags(aws: Aws, arn: str) -> dict[str, str]:
    return tags.as_dict(aws.read(aws.rds.list_tags_for_resource, ResourceName=arn)["TagList"])
