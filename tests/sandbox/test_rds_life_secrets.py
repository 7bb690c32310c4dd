"""The managed secret is finished after the first instance, and is not rotated while it changes."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tests.sandbox.conftest import Build, Clock, Refused


def secret(aws: Aws) -> tuple[str, str]:
    """Its ARN and its state."""
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    told = cluster["MasterUserSecret"]
    return told["SecretArn"], told["SecretStatus"]


def rotate(aws: Aws, *, at_once: bool = False) -> None:
    aws.secretsmanager.rotate_secret(
        SecretId=secret(aws)[0], RotationRules={"AutomaticallyAfterDays": 30}, RotateImmediately=at_once
    )


def test_it_is_creating_until_the_first_instance_is_there_for_a_while(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    clock.move(3600)
    assert secret(aws)[1] == "creating"
    with refused("InvalidRequestException", "isn't complete"):
        rotate(aws)
    make_instance()
    clock.move(60)
    make_instance("j")
    clock.move(389)
    assert secret(aws)[1] == "creating"
    clock.move(1)
    assert secret(aws)[1] == "active"
    rotate(aws)
    assert secret(aws)[1] == "active"


def test_it_stays_when_the_last_instance_goes(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock
) -> None:
    make_cluster()
    make_instance()
    clock.start()
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    clock.move(240)
    assert secret(aws)[1] == "active"


def test_a_rotation_takes_its_time_and_keeps_the_cluster_busy(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    make_instance()
    clock.start()
    rotate(aws, at_once=True)
    assert secret(aws)[1] == "rotating"
    with refused("InvalidRequestException", "isn't complete"):
        rotate(aws)
    with refused("InvalidDBClusterStateFault", "resetting-master-credentials"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", Port=5433, ApplyImmediately=True)
    clock.move(40)
    rotate(aws)


def test_it_may_end_impaired(aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock) -> None:
    make_cluster()
    clock.start()
    clock.life.demand("rds.secret", "impaired")
    make_instance()
    clock.move(450)
    assert secret(aws)[1] == "impaired"


@pytest.mark.usefixtures("sandbox_url")
def test_a_cluster_with_a_password_of_its_own_has_no_secret(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock
) -> None:
    make_cluster(ManageMasterUserPassword=False, MasterUserPassword="12345678")
    clock.start()
    make_instance()
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert "MasterUserSecret" not in cluster


def test_a_secret_that_nobody_owns_is_left_to_secrets_manager(aws: Aws, clock: Clock, refused: Refused) -> None:
    clock.start()
    aws.secretsmanager.create_secret(Name="mine", SecretString="x")
    with refused("InvalidParameterException"):
        aws.secretsmanager.rotate_secret(SecretId="mine", RotationRules={"AutomaticallyAfterDays": 5000})
