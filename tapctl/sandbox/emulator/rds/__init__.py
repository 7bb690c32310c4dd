"""RDS for Aurora PostgreSQL, a service in several files."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.rds import (
    backups,
    catalog,
    cluster_timing,
    clusters,
    connections,
    endpoints,
    event_subscriptions,
    group_timing,
    instances,
    lifecycle,
    parameters,
    restores,
    stops,
    subnet_groups,
)
from tapctl.sandbox.emulator.rules import Service, Tags

SERVICE: Final = Service(
    name="rds",
    timing=(
        # Names in lower case first: all others look resources up by them.
        catalog.contract,
        lifecycle.events,
        stops.timing,
        restores.timing,
        cluster_timing.timing,
        instances.timing,
        parameters.timing,
        group_timing.timing,
        event_subscriptions.timing,
        event_subscriptions.topic_timing,
        cluster_timing.secret_timing,
        cluster_timing.rotation_timing,
    ),
    contract=(
        backups.contract,
        # Outside of what looks into a cluster's answer.
        endpoints.contract,
        restores.contract,
        connections.contract,
        clusters.contract,
        stops.contract,
        instances.contract,
        parameters.contract,
        subnet_groups.contract,
        restores.creation,
        event_subscriptions.contract,
    ),
    tags=Tags(
        returned_by=("DescribeDBClusters", "DescribeDBInstances", "ListTagsForResource"),
        taken_by=(
            *("CreateDBCluster", "CreateDBInstance", "CreateDBSubnetGroup", "RestoreDBClusterFromSnapshot"),
            *("CreateDBParameterGroup", "CreateDBClusterParameterGroup", "CreateEventSubscription"),
            *("AddTagsToResource", "RemoveTagsFromResource"),
        ),
        refusal="InvalidParameterValue",
        reserved=("aws:", "rds:"),
    ),
)
