"""The users of a KMS key, asked of each service that may hold data under the key: deleted, it takes them along.

KMS itself cannot tell. ListGrants names the grants of RDS, Secrets Manager and Lambda, and not what each was made for;
CloudWatch Logs and SNS have none, since the key's policy lets them in (KMS developer guide, "Determine past usage of a
KMS key"). So each service is listed, in bulk. SNS tells the key only topic by topic: a removal asks it last, once, and
not at all where something else keeps the key already. S3, SQS, DynamoDB and others tell it item by item, too, and are
not asked: that, and when KMS says that the key was last used, is told instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.refusals import where_known
from tapctl.engine.model import address
from tapctl.errors import AwsError, AwsRefused
from tapctl.reconcilers.db_cluster_snapshots import has_failed
from tapctl.threads import side_by_side

if TYPE_CHECKING:
    from datetime import datetime

    from tapctl.aws.client import Aws

SNAPSHOTS: Final = frozenset({"db-cluster-snapshot", "db-snapshot", "db-cluster-backup", "db-backup"})
"""The types of copies of a database, which are unreadable without their key."""
_OF_DATABASE: Final = (
    *("KmsKeyId", "PerformanceInsightsKMSKeyId", "ActivityStreamKmsKeyId"),
    "MasterUserSecret.KmsKeyId",
)
_ENCRYPTED: Final[Mapping[str, Any]] = {
    "Filters": [{"Name": "encrypted", "Values": ["true"]}],
    "PaginationConfig": {"PageSize": 500},
}


@dataclass(frozen=True)
class Listing:
    """An operation that lists what a service has in the account, with the keys of each item."""

    service: str
    operation: str
    member: str
    type: str
    id: str
    keys: tuple[str, ...] = ("KmsKeyId",)
    """The members that name a key, with dots on the way down."""
    counts: Callable[[Mapping[str, Any]], bool] = lambda _: True
    """True of an item that does not go by itself."""
    arguments: Callable[[Iterable[str]], Mapping[str, Any]] = lambda _: {}
    """The arguments that list what may be under a key with these names."""


LISTINGS: Final = (
    Listing(
        *("rds", "describe_db_clusters", "DBClusters", "db-cluster", "DBClusterIdentifier", _OF_DATABASE),
        lambda cluster: cluster.get("Status") != "deleting",
    ),
    Listing(
        *("rds", "describe_db_instances", "DBInstances", "db-instance", "DBInstanceIdentifier", _OF_DATABASE),
        lambda instance: instance.get("DBInstanceStatus") != "deleting",
    ),
    # An automated snapshot goes with its cluster; a backup that AWS Backup or somebody retains does not (RDS API
    # reference, DeleteDBCluster: DeleteAutomatedBackups). What RDS could not take holds nothing.
    *(
        Listing(
            *("rds", operation, f"{member}s", type_, f"{member}Identifier"),
            counts=lambda snapshot: snapshot.get("SnapshotType") != "automated" and not has_failed(snapshot),
        )
        for operation, member, type_ in (
            ("describe_db_cluster_snapshots", "DBClusterSnapshot", "db-cluster-snapshot"),
            ("describe_db_snapshots", "DBSnapshot", "db-snapshot"),
        )
    ),
    *(
        Listing(
            *("rds", operation, f"{member}AutomatedBackups", type_, f"{member}Identifier"),
            counts=lambda backup: backup.get("Status") not in {"active", "creating"},
        )
        for operation, member, type_ in (
            ("describe_db_cluster_automated_backups", "DBCluster", "db-cluster-backup"),
            ("describe_db_instance_automated_backups", "DBInstance", "db-backup"),
        )
    ),
    # An export is files in S3, under the key; what became of the snapshot says nothing of them.
    Listing(
        *("rds", "describe_export_tasks", "ExportTasks", "db-export", "ExportTaskIdentifier"),
        counts=lambda export: str(export.get("Status")).upper() not in {"CANCELED", "FAILED"},
    ),
    Listing(
        *("rds", "describe_integrations", "Integrations", "db-integration", "IntegrationName", ("KMSKeyId",)),
        lambda integration: integration.get("Status") != "deleting",
    ),
    Listing("logs", "describe_log_groups", "logGroups", "log-group", "logGroupName", ("kmsKeyId",)),
    Listing(
        *("logs", "list_scheduled_queries", "scheduledQueries", "scheduled-query", "name"),
        tuple(f"destinationConfiguration.{kind}Configuration.kmsKeyId" for kind in ("s3", "lookupTable")),
    ),
    # Those that RDS owns go with their database, which is told instead. A deletion that is scheduled can be taken back
    # for up to 30 days, longer than a key's window may be.
    Listing(
        *("secretsmanager", "list_secrets", "SecretList", "secret", "Name"),
        counts=lambda secret: secret.get("OwningService") != "rds",
        arguments=lambda _: {"IncludePlannedDeletion": True, "PaginationConfig": {"PageSize": 100}},
    ),
    Listing(
        *("lambda", "list_functions", "Functions", "lambda-function", "FunctionName"),
        ("KMSKeyArn", "DurableConfig.KMSKeyArn"),
    ),
    Listing(
        *("lambda", "list_event_source_mappings", "EventSourceMappings", "event-source-mapping", "UUID"),
        ("KMSKeyArn",),
        lambda mapping: mapping.get("State") != "Deleting",
    ),
    Listing(
        *("lambda", "list_capacity_providers", "CapacityProviders", "capacity-provider", "CapacityProviderArn"),
        ("KmsKeyArn",),
        lambda provider: provider.get("State") != "Deleting",
    ),
    # SSM keeps the key's name as it was given.
    Listing(
        *("ssm", "describe_parameters", "Parameters", "ssm-parameter", "Name", ("KeyId",)),
        arguments=lambda names: {
            "ParameterFilters": [{"Key": "KeyId", "Values": sorted(names)}],
            "PaginationConfig": {"PageSize": 50},
        },
    ),
    Listing(
        *("ec2", "describe_volumes", "Volumes", "ebs-volume", "VolumeId"),
        counts=lambda volume: volume.get("State") not in {"deleting", "deleted"},
        arguments=lambda _: _ENCRYPTED,
    ),
    Listing(
        *("ec2", "describe_snapshots", "Snapshots", "ebs-snapshot", "SnapshotId"),
        arguments=lambda _: {"OwnerIds": ["self"], **_ENCRYPTED},
    ),
)
ASKED: Final = (
    "asked for users: CloudWatch Logs, EBS, Lambda, RDS, Secrets Manager, SNS, SSM; not asked: S3, SQS, DynamoDB and "
    "others"
)
"""The words for who is asked before the key goes: those of `LISTINGS`, and SNS."""


def key_users(aws: Aws, arn: str, alias: str = "") -> frozenset[str]:
    """List the addresses of everything but topics that uses this key and is not being deleted.

    Raises:
        AwsRefused: a service may not be asked. Its users are not known then, and the key must stay.
    """
    names = _names(arn, alias)
    answers = side_by_side(partial(_items, aws, listing, names) for listing in LISTINGS)
    return frozenset(
        address(listing.type, str(item.get(listing.id)).rpartition(":")[2])
        for listing, items in zip(LISTINGS, answers, strict=True)
        for item in items
        if names.intersection(_at(item, key) for key in listing.keys) and listing.counts(item)
    )


def topics_under(aws: Aws, arn: str, alias: str = "", *, at_most: int | None = None) -> frozenset[str]:
    """List the addresses of the topics that use this key: a call for each topic of the account.

    ``at_most``: none is asked where the account has more topics than this.

    Raises:
        AwsRefused: as `key_users`.
    """
    topics = [topic for page in aws.pages(aws.sns.get_paginator("list_topics")) for topic in page.get("Topics", ())]
    if at_most is not None and len(topics) > at_most:
        return frozenset()
    return frozenset(_encrypted(aws, topics, _names(arn, alias)))


def last_use(aws: Aws, key_id: str) -> str:
    """Tell when KMS last saw the key used, and by which operation: one call, whose failure is told and stops nothing.

    Told and never judged: AWS says that this is not to be the only thing to go by (KMS API reference, GetKeyLastUsage).
    """
    try:
        answer: Mapping[str, Any] = aws.read(aws.kms.get_key_last_usage, KeyId=key_id)
    except AwsError as error:
        why = f"{error.iam_action} denied" if isinstance(error, AwsRefused) and error.is_denied else error.aws_code
        return f"when it was last used is not known ({why})"
    use = answer.get("KeyLastUsage", {})
    if use.get("Timestamp"):
        return f"last used {_time(use['Timestamp'])} by {use.get('Operation', 'an operation that KMS does not name')}"
    since = answer.get("TrackingStartDate")
    return f"KMS knows of no use of it{f' since {_time(since)}' if since else ''}"


def _time(at: datetime) -> str:
    try:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError):  # the year 1, or 9999, in another zone than ours
        return "a time that is none"


def _names(arn: str, alias: str) -> frozenset[str]:
    """Every form in which a service may tell the key."""
    aliases = {alias, f"{arn.rpartition(':')[0]}:{alias}"} if alias else set()
    return frozenset({arn, arn.rpartition("/")[2], *aliases})


def _items(aws: Aws, listing: Listing, names: Iterable[str]) -> list[Mapping[str, Any]]:
    def call() -> list[Any]:
        return aws.pages(aws.client(listing.service).get_paginator(listing.operation), **listing.arguments(names))

    pages: list[Any] = where_known(call, [])
    return [item for page in pages for item in page.get(listing.member, ())]


def _at(item: Any, path: str) -> str:
    """The text at this path of an answer; empty where any part is missing."""
    for name in path.split("."):
        item = item.get(name, {})
    return str(item or "")


def _encrypted(aws: Aws, topics: Iterable[Mapping[str, Any]], names: frozenset[str]) -> Iterator[str]:
    for topic in topics:
        arn = topic.get("TopicArn", "")
        try:
            attributes = aws.read(aws.sns.get_topic_attributes, TopicArn=arn)["Attributes"]
        except AwsRefused as error:
            # Deleted since it was listed.
            if error.matches("NotFound", "NotFoundException"):
                continue
            raise
        if attributes.get("KmsMasterKeyId") in names:
            yield address("sns-topic", arn.rpartition(":")[2])
