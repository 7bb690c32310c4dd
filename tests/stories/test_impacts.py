"""Impacts are told before a change is made, and counted; a change without a way back is made only where named."""

from __future__ import annotations

import pytest

from tests.failures.trouble import refuse
from tests.support.world import World

CLUSTER = "db-cluster/db-cluster-dev"
LOGS = ("log-group//aws/lambda/payment-processor-dev", "log-group//aws/rds/cluster/db-cluster-dev/postgresql")


def impacts(world: World, *more: str) -> tuple[int, dict[str, int]]:
    answer = world.tapctl("plan", "--env", "dev", "--json", *more)
    return answer.code, {name: count for name, count in answer.records[-1]["impacts"].items() if count}


@pytest.mark.soak
def test_fewer_days_of_logs_and_backups_lose_data_and_are_cut_only_where_they_are_named(dev: World) -> None:
    common = dev.folder / "environments" / "common.toml"
    before = common.read_text()
    dev.edit("common.toml", "\nretention_days = 30", "\nretention_days = 90")
    dev.edit("common.toml", "backup_retention_days = 7", "backup_retention_days = 14")
    dev.applied("dev")
    common.write_text(before)
    assert impacts(dev) == (6, {"data_loss": 3})
    planned = dev.tapctl("plan", "--env", "dev")
    assert "retention_days         90 → 30  data loss" in planned.out
    assert "backup_retention_days  14 → 7   data loss" in planned.out
    assert planned.verdict.endswith("3 blocked · 3 lose data")
    assert f"--allow {CLUSTER}" in planned.err
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    named = [word for address in (CLUSTER, *LOGS) for word in ("--allow", address)]
    assert impacts(dev, *named) == (0, {"data_loss": 3})
    assert "warning" not in dev.tapctl("plan", "--env", "dev", *named).err
    asked = dev.tapctl("apply", "--env", "dev", *named, typed="no\n")
    assert "Apply this to dev? Of its resources 3 lose data. Type yes:" in asked.err
    dev.applied("dev", *named)
    assert dev.drift().code == 0


def test_days_that_somebody_has_added_are_cut_to_what_the_files_newly_want(dev: World) -> None:
    log_group = LOGS[0].partition("/")[2]
    dev.client("logs").put_retention_policy(logGroupName=log_group, retentionInDays=90)
    dev.edit("common.toml", "\nretention_days = 30", "\nretention_days = 60")
    planned = dev.tapctl("plan", "--env", "dev")
    assert (planned.code, "retention_days  90 → 60  none" in planned.out) == (0, True), planned.out
    (changed,) = [line for line in planned.out.splitlines() if "changed outside tapctl" in line]
    assert log_group in changed
    dev.applied("dev")
    assert dev.drift().code == 0


def test_a_second_key_of_ours_goes_only_where_it_is_named(dev: World) -> None:
    """A create whose answer was lost may have made it, and nobody knows by now what is encrypted with it."""
    kms, key = dev.client("kms"), "kms-key/alias/db-key-dev"
    ours = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]
    tags = [one for one in kms.list_resource_tags(KeyId=ours["KeyId"])["Tags"] if ":" not in one["TagKey"]]
    policy = kms.get_key_policy(KeyId=ours["KeyId"], PolicyName="default")["Policy"]
    twin = kms.create_key(Description=ours["Description"], Tags=tags, Policy=policy)["KeyMetadata"]["KeyId"]
    assert impacts(dev) == (6, {"data_loss": 1})
    assert dev.tapctl("revert", "--env", "dev", "--yes").changes == ()
    assert "kms:ScheduleKeyDeletion" in dev.applied("dev", "--allow", key).changes
    assert kms.describe_key(KeyId=twin)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert dev.drift().code == 0


def test_another_class_of_the_only_instance_is_an_outage(dev: World) -> None:
    dev.edit("dev.toml", "db.t4g.medium", "db.r6g.large")
    assert impacts(dev) == (0, {"outage": 1})
    dev.applied("dev")


def test_a_protection_that_is_lifted_is_told(dev: World) -> None:
    dev.client("rds").modify_db_cluster(
        DBClusterIdentifier="db-cluster-dev", DeletionProtection=True, ApplyImmediately=True
    )
    assert impacts(dev) == (0, {"protection": 1})


def test_a_major_upgrade_says_that_nothing_leads_back_and_how_long_it_takes(dev: World) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    code, counted = impacts(dev)
    assert (code, counted["upgrade"]) == (6, 1)
    planned = dev.tapctl("plan", "--env", "dev", "--allow", CLUSTER)
    assert planned.code == 0
    assert "a new major version cannot be undone; it usually takes 15 to 60 minutes" in planned.out
    assert "engine_version" in planned.out


def test_an_earlier_minor_version_is_a_wish_that_rds_grants_nobody(dev: World) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "16.11"')
    planned = dev.tapctl("plan", "--env", "dev")
    told = f"{CLUSTER}: the files want 16.11 by now, and RDS goes back to none before 16.13: it stays"
    assert (planned.code, told in planned.err) == (0, True), planned.err
    dev.edit("common.toml", 'engine_version = "16.11"', 'engine_version = "16.14"')
    assert "goes back to none" not in dev.tapctl("plan", "--env", "dev").err


def test_a_major_version_s_minor_that_is_older_than_the_cluster_s_is_told_before_anything_is_changed(
    dev: World,
) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.7"')
    planned = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (planned.code, planned.changes) == (6, ())
    assert "--allow" not in planned.err, "nobody is asked for his consent to what RDS refuses"
    assert f"{CLUSTER}: RDS upgrades aurora-postgresql 16.13 to no 17.7" in planned.err
    assert "its valid targets are 16.14, 16.15, 17.9, 17.10, 17.11" in planned.err


def test_a_version_and_a_class_that_are_newer_than_tapctl_are_asked_of_rds(world: World) -> None:
    world.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "18.1"')
    planned = world.tapctl("plan", "--env", "dev")
    assert (planned.code, planned.changes) == (6, ())
    assert f"{CLUSTER}: RDS has no aurora-postgresql 18.1 in us-east-2" in planned.err


def test_a_class_that_the_cluster_s_version_has_not_is_told_before_anything_is_changed(dev: World) -> None:
    dev.edit("dev.toml", "db.t4g.medium", "db.r9g.large")
    applied = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (applied.code, applied.changes) == (6, ())
    assert "db-cluster-dev-0: RDS has no db.r9g.large with aurora-postgresql 16.13 in us-east-2" in applied.err


def test_a_question_about_a_class_that_rds_refuses_ends_the_plan(dev: World) -> None:
    dev.edit("dev.toml", "db.t4g.medium", "db.r6g.large")
    asking = refuse(("rds:DescribeOrderableDBInstanceOptions",), "InvalidParameterValue")
    planned = dev.meeting(asking, "plan", "--env", "dev")
    assert (planned.code, planned.changes) == (1, ())
    assert "DescribeOrderableDBInstanceOptions" in planned.err
