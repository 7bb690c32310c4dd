"""A whole life, from nothing to nothing, with a database that takes its time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import Answer, World

PROD = "us-east-1"
CLUSTER = "db-cluster-prod"


def classes(world: World) -> set[tuple[str, str]]:
    """Class and state of each instance."""
    told = world.client("rds", PROD).describe_db_instances()["DBInstances"]
    return {(one["DBInstanceClass"], one["DBInstanceStatus"]) for one in told}


def cluster(world: World) -> dict[str, Any]:
    (found,) = world.client("rds", PROD).describe_db_clusters()["DBClusters"]
    return dict(found)


def count(answer: Answer, operation: str) -> int:
    return answer.asked.count(operation)


@pytest.mark.soak
def test_a_protected_database_is_made_changed_and_removed_each_in_one_go(living: World) -> None:
    made = living.applied("prod")
    assert "CONVERGED" in made.verdict
    assert (count(made, "rds:CreateDBCluster"), count(made, "rds:CreateDBInstance")) == (1, 2)
    assert (cluster(living)["Status"], cluster(living)["MasterUserSecret"]["SecretStatus"]) == ("available", "active")
    assert classes(living) == {("db.r6g.large", "available")}
    assert living.tapctl("plan", "--env", "prod", "--detailed-exitcode").code == 0

    living.edit("prod.toml", 'instance_class = "db.r6g.large"', 'instance_class = "db.r6g.xlarge"')
    living.edit("common.toml", "backup_retention_days = 7", "backup_retention_days = 8")
    living.edit("common.toml", "log_min_duration_statement_ms = 1000", "log_min_duration_statement_ms = 2000")
    living.applied("prod")
    # The reader first, then it writes, then the writer of before.
    told = living.client("rds", PROD).describe_events(SourceIdentifier=CLUSTER, SourceType="db-cluster")["Events"]
    assert [one["Message"].partition(":")[0] for one in told].count("Completed failover to DB instance") == 1
    assert classes(living) == {("db.r6g.xlarge", "available")}
    assert cluster(living)["BackupRetentionPeriod"] == 8
    assert living.tapctl("plan", "--env", "prod", "--detailed-exitcode").code == 0

    living.edit("prod.toml", "protected = true ", "protected = false ")
    living.applied("prod")
    gone = living.tapctl("destroy", "--env", "prod", "--yes", "--confirm", "prod")
    assert gone.code == 0, gone.out + gone.err
    assert living.client("rds", PROD).describe_db_clusters()["DBClusters"] == []
    (snapshot,) = living.client("rds", PROD).describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert snapshot["Status"] == "available"


@pytest.mark.soak
def test_a_major_upgrade_moves_the_database_to_new_groups_and_the_old_ones_go(living: World) -> None:
    living.deploy("prod")
    living.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    living.applied("prod", "--allow", "db-cluster/db-cluster-prod")
    rds = living.client("rds", PROD)
    told = rds.describe_db_instances()["DBInstances"]
    assert {one["EngineVersion"] for one in told} == {"17.9"}
    assert {
        (group["DBParameterGroupName"], group["ParameterApplyStatus"])
        for one in told
        for group in one["DBParameterGroups"]
    } == {("db-instance-params-pg17-prod", "in-sync")}
    groups = rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    assert [one["DBClusterParameterGroupName"] for one in groups] == ["db-cluster-params-pg17-prod"]
    assert living.tapctl("plan", "--env", "prod", "--detailed-exitcode").code == 0
