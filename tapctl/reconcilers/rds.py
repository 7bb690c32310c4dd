"""What the reconcilers of RDS share: the look at a cluster, tags, and what a refusal means.

AWS's facts are from the RDS API reference. RDS's error codes follow no rule (``DBInstanceNotFound`` but
``DBClusterNotFoundFault``); the ones here are those on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef, TagTypeDef

    from tapctl.aws.client import Aws

NO_CLUSTER: Final = "DBClusterNotFoundFault"
NO_INSTANCE: Final = "DBInstanceNotFound"
NO_SUBNET_GROUP: Final = "DBSubnetGroupNotFoundFault"
NO_PARAMETER_GROUP: Final = "DBParameterGroupNotFound"
"""Of both kinds of parameter groups, but where a cluster names one: then it is the next."""
_NO_CLUSTER_PARAMETER_GROUP: Final = "DBClusterParameterGroupNotFound"

_NOT_YET: Final[Mapping[str, Patience]] = {
    NO_CLUSTER: Patience.PROPAGATION,
    NO_INSTANCE: Patience.PROPAGATION,
    NO_SUBNET_GROUP: Patience.PROPAGATION,
    NO_PARAMETER_GROUP: Patience.PROPAGATION,
    _NO_CLUSTER_PARAMETER_GROUP: Patience.PROPAGATION,
    # So it also says until the key's policy and its grants have spread.
    "KMSKeyNotAccessibleFault": Patience.PROPAGATION,
    "InvalidDBSubnetGroupStateFault": Patience.BUSY,
    "InvalidDBParameterGroupState": Patience.BUSY,
    "InvalidDBClusterStateFault": Patience.LONG,
    "InvalidDBInstanceState": Patience.LONG,
    # So the Data API calls both of a cluster (DisableHttpEndpoint).
    "ResourceNotFoundFault": Patience.PROPAGATION,
    "InvalidResourceStateFault": Patience.LONG,
    "DBClusterRoleNotFound": Patience.PROPAGATION,
}
# InvalidParameterValue says a hundred things; these two pass by themselves: a security group that has not spread to
# RDS, and the account's very first use of RDS, which makes its service-linked role.
_SPREADING: Final = ("invalid security group", "service linked role")
_STATE: Final = ("InvalidDBClusterStateFault", "InvalidDBInstanceState")


def how_to_start(aws: Aws, cluster: str) -> str:
    """What brings a stopped cluster back. Nothing is done with it or its members before, and AWS waits for a week."""
    target = aws.target
    command = f"aws rds start-db-cluster --db-cluster-identifier {cluster} --region {target.region}"
    # The embedded AWS: the real one must never hear of it.
    return f"start it first: {command}" + (f" --endpoint-url {target.endpoint_url}" if target.endpoint_url else "")


def classify(error: AwsRefused, start: str | None = None) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no; ``start``: how its cluster is started, where it is one's."""
    if error.matches(*_STATE, text="stopped"):
        # Unlike every other state this one does not pass while somebody waits.
        error.hint = start
        return error
    patience = _NOT_YET.get(error.aws_code)
    if any(error.matches("InvalidParameterValue", text=text) for text in _SPREADING):
        patience = Patience.PROPAGATION
    return error if patience is None else NotYet(f"RDS answers {error.aws_code}: {error.message}", patience)


def cluster_of(aws: Aws, id: str) -> DBClusterTypeDef | None:
    """The cluster; one call in a round for the cluster, its members and its secret's rotation."""
    try:
        pages = aws.pages(aws.rds.get_paginator("describe_db_clusters"), DBClusterIdentifier=id)
    except AwsRefused as error:
        if error.matches(NO_CLUSTER):
            return None
        raise
    # Right after a create RDS may answer with another one (terraform-provider-aws, rds/cluster.go).
    clusters = [one for page in pages for one in page["DBClusters"]]
    return next((one for one in clusters if one.get("DBClusterIdentifier") == id.lower()), None)


def last_event(aws: Aws, kind: Literal["db-cluster", "db-instance"], id: str) -> str:
    """What RDS last told of it within a day; empty where that may not be read, or nothing was told."""
    try:
        told = aws.read(aws.rds.describe_events, SourceIdentifier=id, SourceType=kind, Duration=24 * 60)
    except AwsRefused:
        # The state that is being explained matters more than this refusal.
        return ""
    return ([one.get("Message", "") for one in told["Events"]] or [""])[-1]


# -- tags ------------------------------------------------------------------------------------------------------------


def arn_of(aws: Aws, kind: str, id: str) -> str:
    """The ARN of an RDS resource: ``cluster``, ``db``, ``subgrp``, ``pg`` or ``cluster-pg`` (RDS user guide)."""
    return f"arn:{aws.partition}:rds:{aws.region}:{aws.account}:{kind}:{id}"


def tags_of(listed: Iterable[TagTypeDef]) -> dict[str, str]:
    """Tags as a mapping, without those of AWS itself."""
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in listed}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    """Tags as RDS takes them."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def read_tags(aws: Aws, arn: str, expected: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The tags of a group, which RDS tells apart; and, where they may not be read, ``like`` and what was denied."""
    try:
        return tags_of(aws.read(aws.rds.list_tags_for_resource, ResourceName=arn)["TagList"]), {}
    except AwsRefused as error:
        if not error.is_denied:
            raise
        return dict(expected), {"tags": error.iam_action}


def set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    """One step towards these tags: add and overwrite, or remove. Returns the field where that was all."""
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(added))
        return frozenset() if extra else frozenset({"tags"})
    aws.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=extra)
    return frozenset({"tags"})


def tagged(aws: Aws, owner: Owner, arns: Mapping[str, str]) -> Iterator[str]:
    """Those of these groups (name to ARN) that carry the owner's tags. Asked one by one: RDS lists no group's tags."""
    for name, arn in arns.items():
        try:
            tags = tags_of(aws.read(aws.rds.list_tags_for_resource, ResourceName=arn)["TagList"])
        except AwsRefused as error:
            # It went between the listing and this call.
            if error.matches(NO_SUBNET_GROUP, NO_PARAMETER_GROUP):
                continue
            raise
        if Owner.of(tags) == owner:
            yield name
