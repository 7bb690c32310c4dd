"""Differences from dev: of prod, of staging, of a zip in place of an image, of an isolated copy beside dev."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import REGIONS, Answer, World


@pytest.fixture(scope="module")
def prod(shared: World) -> Answer:
    return shared.deploy("prod")


def clusters(world: World, region: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.client("rds", region).describe_db_clusters()["DBClusters"]
    return found


def test_all_of_prod_is_created_and_read_back(shared: World, prod: Answer) -> None:
    fields = shared.applied_field_count("prod")
    verdict = prod.records[-1]
    assert verdict["counts"] == {"created": len(shared.stack("prod"))}
    assert f"{fields}/{fields} fields read back" in verdict["summary"]


def test_prod_has_two_private_instances_of_its_class(shared: World, prod: Answer) -> None:
    found = shared.client("rds", "us-east-1").describe_db_instances()["DBInstances"]
    assert {(one["DBInstanceIdentifier"], one["DBInstanceClass"], one["PubliclyAccessible"]) for one in found} == {
        ("db-cluster-prod-0", "db.r6g.large", False),
        ("db-cluster-prod-1", "db.r6g.large", False),
    }


def test_prod_is_protected_and_leaves_a_snapshot(shared: World, prod: Answer) -> None:
    (cluster,) = clusters(shared, "us-east-1")
    assert cluster["DeletionProtection"] is True
    assert {"Key": "tapctl:final-snapshot", "Value": "true"} in cluster["TagList"]
    kms = shared.client("kms", "us-east-1")
    key = kms.describe_key(KeyId="alias/db-key-prod")["KeyMetadata"]["KeyId"]
    assert {"TagKey": "tapctl:deletion-window-days", "TagValue": "30"} in kms.list_resource_tags(KeyId=key)["Tags"]


def test_prods_function_and_alarms_have_prods_numbers(shared: World, prod: Answer) -> None:
    function = shared.client("lambda", "us-east-1").get_function(FunctionName="payment-processor-prod")
    assert function["Configuration"]["MemorySize"] == 4096
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 100
    alarms = shared.client("cloudwatch", "us-east-1").describe_alarms()["MetricAlarms"]
    assert {one["AlarmName"]: one["Threshold"] for one in alarms} == {
        "payment-processor-errors-prod": 3,
        "payment-processor-duration-prod": 2000,
        "payment-processor-throttles-prod": 1,
        "db-cpu-0-prod": 80,
        "db-connections-0-prod": 1280,
        "db-cpu-1-prod": 80,
        "db-connections-1-prod": 1280,
    }


def test_prod_stays_in_its_region(shared: World, prod: Answer) -> None:
    assert clusters(shared, "us-east-2") == []


@pytest.mark.soak
def test_a_second_apply_changes_nothing(shared: World, prod: Answer) -> None:
    again = shared.tapctl("apply", "--env", "prod")
    assert (again.code, again.changes) == (0, ())
    fields = shared.applied_field_count("prod")
    assert f"{len(shared.stack('prod'))} unchanged · {fields}/{fields} fields read back" in again.verdict


@pytest.mark.soak
def test_a_zip_is_our_handler_on_a_runtime_that_lives(world: World) -> None:
    world.edit("common.toml", 'package = "image"', 'package = "zip"')
    world.applied("staging")
    client = world.client("lambda", REGIONS["staging"])
    found = client.get_function(FunctionName="payment-processor-staging")["Configuration"]
    assert (found["PackageType"], found["Runtime"], found["Handler"]) == ("Zip", "nodejs22.x", "index.handler")
    again = world.tapctl("apply", "--env", "staging")
    assert (again.code, again.changes) == (0, ())
    (world.folder / "handlers/payment_processor/index.mjs").write_text("export const handler = async () => ({})\n")
    changed = world.tapctl("apply", "--env", "staging", "--yes")
    assert (changed.code, changed.changes) == (0, ("lambda:UpdateFunctionCode", "kms:TagResource"))
    after = client.get_function(FunctionName="payment-processor-staging")["Configuration"]
    assert after["CodeSha256"] != found["CodeSha256"]
    assert after["MemorySize"] == 2048


@pytest.mark.soak
def test_a_suffix_makes_an_isolated_copy_beside_dev(world: World) -> None:
    world.deploy()
    before = world.path().read_bytes()
    copy = world.applied("dev", "--suffix", "pr-42")
    assert copy.verdict.startswith("APPLY pr-42: CONVERGED")
    assert "dev · suffix pr-42 · " in copy.out
    assert world.path().read_bytes() == before
    assert world.manifest("pr-42")["environment"] == "dev"
    assert [one["DBClusterIdentifier"] for one in clusters(world, "us-east-2")] == [
        "db-cluster-dev",
        "db-cluster-pr-42",
    ]
    function = world.client("lambda").get_function(FunctionName="payment-processor-pr-42")
    assert function["Configuration"]["Environment"]["Variables"]["ENVIRONMENT_NAME"] == "dev"
    assert (function["Tags"]["Environment"], function["Tags"]["EnvironmentSuffix"]) == ("dev", "pr-42")
    assert world.drift("dev").code == 0
    gone = world.tapctl("destroy", "--env", "dev", "--suffix", "pr-42", "--yes")
    assert gone.code == 0, gone.err
    assert world.drift("dev").code == 0
    assert [one["DBClusterIdentifier"] for one in clusters(world, "us-east-2")] == ["db-cluster-dev"]
