"""The event subscription in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.rds_event_subscription import RdsEventSubscription, RdsEventSubscriptionSpec

RECONCILER = RdsEventSubscription()
ID = "db-parameter-group-events-test"
CREATE = ("rds", "CreateEventSubscription")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("rds", "ListTagsForResource", "SubscriptionNotFound")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test"}


def prepare(aws: Aws) -> dict[str, str]:
    for name in ("a", "b", "c"):
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql16", Description="d"
        )
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        EngineVersion="16.8",
        MasterUsername="owner",
        ManageMasterUserPassword=True,
    )
    return {name: aws.sns.create_topic(Name=name)["TopicArn"] for name in ("alarms", "pager")}


def examples(world: dict[str, str]) -> list[RdsEventSubscriptionSpec]:
    base = RdsEventSubscriptionSpec(
        topic_arn=world["alarms"],
        source_type="db-parameter-group",
        source_ids=frozenset({"a"}),
        categories=frozenset({"configuration change"}),
        enabled=True,
        tags={**TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                "topic_arn": world["pager"],
                "source_ids": frozenset({"b", "c"}),
                "enabled": False,
                "tags": {**TAGS, "Service": "payments"},
            }
        ),
        base.model_copy(
            update={
                "source_type": "db-cluster",
                "source_ids": frozenset({"c"}),
                "categories": frozenset({"failover", "failure"}),
            }
        ),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_event_subscription(
        SubscriptionName=ID, SnsTopicArn=world["pager"], Tags=[{"Key": "ManagedBy", "Value": "terraform"}]
    )
