"""``apply`` where the stack has lost or swapped something: what is not wanted any more goes, data on request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.world import World

OLD = "db-cluster/db-cluster-old-dev"
OURS = [{"Key": "ManagedBy", "Value": "tapctl"}, {"Key": "EnvironmentSuffix", "Value": "dev"}]


def record(world: World, expected: str, id_: str) -> None:
    """Make the record say that an earlier tapctl has made this too."""
    manifest = world.manifest()
    entry: dict[str, Any] = {**manifest["entries"][expected], "id": id_, "outputs": None, "needs": []}
    manifest["entries"][f"{entry['type']}/{id_}"] = entry
    world.path().write_text(json.dumps(manifest))


def test_what_left_the_stack_goes(dev: World) -> None:
    cloudwatch = dev.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["db-cpu-0-dev"])["MetricAlarms"]
    kept = {name: alarm[name] for name in ("MetricName", "Namespace", "Statistic", "Period", "EvaluationPeriods")}
    more = {"Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "Tags": OURS}
    cloudwatch.put_metric_alarm(AlarmName="db-disk-0-dev", **kept, **more)
    record(dev, "cloudwatch-alarm/db-cpu-0-dev", "db-disk-0-dev")
    planned = dev.tapctl("plan", "--env", "dev")
    assert "- cloudwatch-alarm  db-disk-0-dev" in planned.out
    assert planned.verdict.startswith("PLAN dev: 0 to create · 0 to change · 1 to remove")
    assert dev.applied("dev").changes == ("cloudwatch:DeleteAlarms",)
    assert dev.applied("dev").changes == ()


@pytest.mark.soak
def test_what_left_the_stack_and_holds_data_goes_only_by_its_address(dev: World) -> None:
    rds = dev.client("rds")
    tags = [*OURS, {"Key": "tapctl:final-snapshot", "Value": "false"}]
    rds.create_db_cluster(
        DBClusterIdentifier="db-cluster-old-dev",
        Engine="aurora-postgresql",
        MasterUsername="us",
        ManageMasterUserPassword=True,
        Tags=tags,
    )
    record(dev, "db-cluster/db-cluster-dev", "db-cluster-old-dev")
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert f"--allow {OLD}" in refused.err
    assert "data loss" in refused.out
    allowed = dev.applied("dev", "--allow", OLD)
    assert allowed.changes == ("rds:DeleteDBCluster",)
    assert [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]] == ["db-cluster-dev"]


@pytest.mark.soak
def test_an_image_becomes_a_zip_and_an_image_again(dev: World) -> None:
    client = dev.client("lambda")
    for old, new, package in (("image", "zip", "Zip"), ("zip", "image", "Image")):
        dev.edit("common.toml", f'package = "{old}"', f'package = "{new}"')
        planned = dev.tapctl("plan", "--env", "dev")
        assert "-/+ lambda-function" in planned.out
        answer = dev.applied("dev")
        assert "1 replaced" in answer.verdict
        assert "lambda:UpdateFunctionConfiguration" not in answer.changes, "nothing is moved out of its groups"
        found = client.get_function(FunctionName="payment-processor-dev")
        assert found["Configuration"]["PackageType"] == package
        assert found["Concurrency"]["ReservedConcurrentExecutions"] == 10
        assert dev.drift().code == 0


@pytest.mark.soak
def test_the_subnets_change_in_place(dev: World) -> None:
    network = dev.manifest()["networking"]
    first, second, third = network["subnet_ids"]
    ids = f'vpc_id = "{network["vpc_id"]}"\nprivate_subnet_ids = ["{first}", "{second}"]'
    dev.edit("dev.toml", "cloudformation:networking-dev", "static")
    dev.edit("dev.toml", "[database]", f"[network]\n{ids}\n[database]")
    changed = dev.applied("dev")
    assert sorted(changed.changes) == ["lambda:UpdateFunctionConfiguration", "rds:ModifyDBSubnetGroup"]
    (group,) = dev.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]
    assert {one["SubnetIdentifier"] for one in group["Subnets"]} == {first, second}
    assert third not in json.dumps(dev.manifest()["entries"])
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_minor_upgrade_is_one_call_and_a_restart(dev: World) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "16.15"')
    planned = dev.tapctl("plan", "--env", "dev")
    (line,) = (one for one in planned.out.splitlines() if "engine_version" in one)
    assert line.split() == ["engine_version", "16.13", "→", "16.15", "restart"]
    assert dev.applied("dev").changes == ("rds:ModifyDBCluster",)
    assert dev.drift().code == 0
