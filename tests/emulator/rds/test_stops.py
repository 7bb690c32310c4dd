"""A cluster that somebody has stopped: neither changed nor removed, and back after it was started."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tests.emulator.conftest import Build, Clock, Refused
from tests.emulator.rds.helpers import BUSY, change, describe, events, status, statuses


def stop(aws: Aws) -> str:
    return aws.rds.stop_db_cluster(DBClusterIdentifier="c")["DBCluster"]["Status"]


def start(aws: Aws) -> str:
    return aws.rds.start_db_cluster(DBClusterIdentifier="c")["DBCluster"]["Status"]


def test_it_stops_and_starts_with_its_members(aws: Aws, members: tuple[str, str], clock: Clock) -> None:
    assert stop(aws) == "available"
    clock.advance(5)
    assert (status(aws), statuses(aws)) == ("stopping", {"stopping"})
    clock.advance(600)
    assert (status(aws), statuses(aws)) == ("stopped", {"stopped"})
    clock.advance(24 * 3600)
    assert status(aws) == "stopped"
    assert len(describe(aws)["DBClusterMembers"]) == 2
    assert start(aws) == "stopped"
    clock.advance(5)
    assert (status(aws), statuses(aws)) == ("starting", {"starting"})
    clock.advance(600)
    assert (status(aws), statuses(aws)) == ("available", {"available"})
    assert events(aws)[-2:] == ["DB cluster stopped", "DB cluster started"]


@pytest.mark.usefixtures("members")
@pytest.mark.parametrize("after_s", [5, 3600])
def test_naive_code_neither_changes_it_nor_takes_it_away(
    aws: Aws, clock: Clock, make_instance: Build, refused: Refused, after_s: float
) -> None:
    stop(aws)
    clock.advance(after_s)
    now = status(aws)
    assert now in ("stopping", "stopped")
    for call in (
        lambda: change(aws, BackupRetentionPeriod=3),
        lambda: make_instance("k"),
        lambda: aws.rds.modify_db_instance(DBInstanceIdentifier="i", PromotionTier=2, ApplyImmediately=True),
        lambda: aws.rds.delete_db_instance(DBInstanceIdentifier="i"),
        lambda: aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True),
    ):
        with refused(BUSY, now):
            call()
    with refused("InvalidDBInstanceState", now):
        aws.rds.reboot_db_instance(DBInstanceIdentifier="i")


def test_one_without_members_stays_too(aws: Aws, cluster: str, clock: Clock, refused: Refused) -> None:
    stop(aws)
    clock.advance(3600)
    with refused(BUSY, "stopped"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    start(aws)
    clock.advance(3600)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


def test_only_what_is_available_stops_and_only_what_is_stopped_starts(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    with refused(BUSY, "expected it to be one of stopped"):
        start(aws)
    aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    with refused("InvalidDBInstanceState", "rebooting"):
        stop(aws)
    clock.advance(3600)
    stop(aws)
    with refused(BUSY, "expected it to be one of available"):
        stop(aws)
    with refused("DBClusterNotFoundFault"):
        aws.rds.stop_db_cluster(DBClusterIdentifier="none")


@pytest.mark.parametrize("operation", ["stop_db_instance", "start_db_instance"])
def test_a_member_does_not_stop_by_itself(aws: Aws, members: tuple[str, str], refused: Refused, operation: str) -> None:
    call: Any = getattr(aws.rds, operation)
    with refused("InvalidParameterCombination", "not eligible for stopping and starting"):
        call(DBInstanceIdentifier="i")
    with refused("DBInstanceNotFound"):
        call(DBInstanceIdentifier="none")


def test_where_nothing_takes_time_it_is_stopped_at_once(aws: Aws, make_cluster: Build, make_instance: Build) -> None:
    make_cluster()
    make_instance()
    stop(aws)
    assert (status(aws), statuses(aws)) == ("stopped", {"stopped"})
    start(aws)
    assert (status(aws), statuses(aws)) == ("available", {"available"})


def test_naive_code_takes_an_enabled_key_for_the_cluster_s_return(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    make_cluster(StorageEncrypted=True, KmsKeyId=key)
    make_instance("i")
    clock.start()
    aws.kms.disable_key(KeyId=key)
    assert (status(aws), statuses(aws)) == ("available", {"available"})
    clock.simulation.script("rds.key", "looked for")
    lost = "inaccessible-encryption-credentials-recoverable"
    assert (status(aws), statuses(aws)) == (lost, {lost})
    with refused("KMSKeyNotAccessibleFault"):
        start(aws)
    aws.kms.enable_key(KeyId=key)
    clock.advance(24 * 3600)
    with refused(BUSY, lost):
        change(aws, BackupRetentionPeriod=3)
    start(aws)
    clock.advance(3600)
    assert (status(aws), statuses(aws)) == ("available", {"available"})
