"""The users of a KMS key, asked of each service that may hold data under the key: deleted, it takes them along.

KMS itself cannot tell. ListGrants names the grants of RDS, Secrets Manager and Lambda, and not what each was made for;
CloudWatch Logs and SNS have none, since the key's policy lets them in (KMS developer guide, "Determine past usage of a
KMS key"). So each service is listed, in bulk. SNS alone tells the key only topic by topic: a removal asks it
last, once, and not at all where something else keeps the key already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import address
from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

SNAPSHOTS: Final = frozenset({"db-cluster-snapshot", "db-snapshot", "db-cluster-backup", "db-backup"})
"""The types of copies of a database, which are unreadable without their key."""


def key_users(aws: Aws, arn: str, alias: str = "") -> frozenset[str]:
    """List the addresses of everything but topics that uses this key and is not being deleted.

    Raises:
        AwsRefused: a service may not be asked. Its users are not known then, and the key must stay.
    """
    names = _names(arn, alias)
    searches = (_databases, _copies, _log_groups, _secrets, _functions)
    return frozenset(user for search in searches for user in search(aws, names))


def topics_under(aws: Aws, arn: str, alias: str = "", *, at_most: int | None = None) -> frozenset[str]:
    """List the addresses of the topics that use this key: a call for each topic of the account.

    ``at_most``: none is asked where the account has more topics than this.

    Raises:
        AwsRefused: as `key_users`.
    """
    topics = list(_listed(aws.pages(aws.sns.get_paginator("list_topics")), "Topics"))
    if at_most is not None and len(topics) > at_most:
        return frozenset()
    return frozenset(_encrypted(aws, topics, _names(arn, alias)))


def _names(arn: str, alias: str) -> frozenset[str]:
    """Every form in which a service may tell the key."""
    aliases = {alias, f"{arn.rpartition(':')[0]}:{alias}"} if alias else set()
    return frozenset({arn, arn.rpartition("/")[2], *aliases})


def _databases(aws: Aws, names: frozenset[str]) -> Iterator[str]:
    """The clusters, with their secrets and Performance Insights, and the instances."""
    for cluster in _listed(aws.pages(aws.rds.get_paginator("describe_db_clusters")), "DBClusters"):
        keys = {
            cluster.get("KmsKeyId"),
            cluster.get("PerformanceInsightsKMSKeyId"),
            cluster.get("MasterUserSecret", {}).get("KmsKeyId"),
        }
        if keys & names and cluster.get("Status") != "deleting":
            yield address("db-cluster", str(cluster.get("DBClusterIdentifier")))
    for instance in _listed(aws.pages(aws.rds.get_paginator("describe_db_instances")), "DBInstances"):
        keys = {
            instance.get("KmsKeyId"),
            instance.get("PerformanceInsightsKMSKeyId"),
            instance.get("MasterUserSecret", {}).get("KmsKeyId"),
        }
        if keys & names and instance.get("DBInstanceStatus") != "deleting":
            yield address("db-instance", str(instance.get("DBInstanceIdentifier")))


def _copies(aws: Aws, names: frozenset[str]) -> Iterator[str]:
    """The snapshots that outlive their database, and the automated backups that are retained without it.

    An automated snapshot goes with its cluster; a backup that AWS Backup or somebody retains does not (RDS API
    reference, DeleteDBCluster: DeleteAutomatedBackups).
    """
    for kind, listing, member in (
        ("db-cluster-snapshot", "describe_db_cluster_snapshots", "DBClusterSnapshot"),
        ("db-snapshot", "describe_db_snapshots", "DBSnapshot"),
    ):
        for snapshot in _listed(_pages(aws, listing), f"{member}s"):
            if snapshot.get("KmsKeyId") in names and snapshot.get("SnapshotType") != "automated":
                yield address(kind, str(snapshot.get(f"{member}Identifier")))
    for kind, listing, member in (
        ("db-cluster-backup", "describe_db_cluster_automated_backups", "DBCluster"),
        ("db-backup", "describe_db_instance_automated_backups", "DBInstance"),
    ):
        for backup in _listed(_pages(aws, listing), f"{member}AutomatedBackups"):
            if backup.get("KmsKeyId") in names and backup.get("Status") == "retained":
                yield address(kind, str(backup.get(f"{member}Identifier")))


def _log_groups(aws: Aws, names: frozenset[str]) -> Iterator[str]:
    for group in _listed(aws.pages(aws.logs.get_paginator("describe_log_groups")), "logGroups"):
        if group.get("kmsKeyId") in names:
            yield address("log-group", str(group.get("logGroupName")))


def _secrets(aws: Aws, names: frozenset[str]) -> Iterator[str]:
    """The secrets, but for those that RDS owns: such a one goes with its database, which is told instead."""
    for secret in _listed(
        aws.pages(aws.secretsmanager.get_paginator("list_secrets"), PaginationConfig={"PageSize": 100}), "SecretList"
    ):
        if secret.get("KmsKeyId") in names and secret.get("OwningService") != "rds":
            yield address("secret", str(secret.get("Name")))


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


def _functions(aws: Aws, names: frozenset[str]) -> Iterator[str]:
    for function in _listed(aws.pages(aws.lambda_.get_paginator("list_functions")), "Functions"):
        if function.get("KMSKeyArn") in names:
            yield address("lambda-function", str(function.get("FunctionName")))


def _pages(aws: Aws, operation: str) -> list[Any]:
    client: Any = aws.rds  # untyped, since the operation's name is data
    return aws.pages(client.get_paginator(operation))


def _listed(pages: list[Any], member: str) -> Iterator[Mapping[str, Any]]:
    return (item for page in pages for item in page.get(member, ()))
