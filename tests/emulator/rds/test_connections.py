from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import CREDENTIALS
from tests.emulator.conftest import Build, Clock, Refused
from tests.emulator.rds.helpers import BUSY

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef


def describe(aws: Aws, name: str = "c") -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return cluster


def test_naive_code_waits_for_a_member_of_a_global_cluster_to_be_deleted(
    aws: Aws, make_cluster: Build, refused: Refused
) -> None:
    make_cluster()
    aws.rds.create_global_cluster(
        GlobalClusterIdentifier="world", SourceDBClusterIdentifier=describe(aws)["DBClusterArn"]
    )
    with refused("InvalidDBClusterStateFault", "global cluster"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


def test_a_member_tells_its_global_cluster(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    aws.rds.create_global_cluster(
        GlobalClusterIdentifier="world", SourceDBClusterIdentifier=describe(aws)["DBClusterArn"]
    )
    assert describe(aws)["GlobalClusterIdentifier"] == "world"


def test_a_cluster_of_any_region_is_in_a_global_cluster_until_it_leaves(sandbox_url: str, refused: Refused) -> None:
    aws = Aws(Connection(region="eu-west-1", endpoint_url=sandbox_url, credentials=CREDENTIALS))
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="owner", MasterUserPassword="12345678"
    )
    arn = describe(aws)["DBClusterArn"]
    made = aws.rds.create_global_cluster(GlobalClusterIdentifier="world", SourceDBClusterIdentifier=arn)
    assert made["GlobalCluster"]["GlobalClusterMembers"][0]["DBClusterArn"] == arn
    assert describe(aws)["GlobalClusterIdentifier"] == "world"
    aws.rds.remove_from_global_cluster(GlobalClusterIdentifier="world", DbClusterIdentifier=arn)
    assert "GlobalClusterIdentifier" not in set(describe(aws))
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    with refused("DBClusterNotFoundFault"):
        aws.rds.create_global_cluster(GlobalClusterIdentifier="other", SourceDBClusterIdentifier=arn)
    aws.rds.create_global_cluster(GlobalClusterIdentifier="empty", Engine="aurora-postgresql")


@pytest.fixture
def source(aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock) -> str:
    """The ARN of a cluster of two members, which has a replica; both there before time began."""
    make_cluster()
    make_instance("i")
    make_instance("j")
    arn = describe(aws)["DBClusterArn"]
    make_cluster("r", ReplicationSourceIdentifier=arn)
    clock.start()
    return arn


def test_a_source_and_its_replica_tell_of_each_other(aws: Aws, source: str) -> None:
    replica = describe(aws, "r")
    assert replica["ReplicationSourceIdentifier"] == source
    assert describe(aws)["ReadReplicaIdentifiers"] == [replica["DBClusterArn"]]


def test_naive_code_waits_for_the_last_member_of_a_source_to_be_deleted(
    aws: Aws, source: str, clock: Clock, refused: Refused
) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "Delete the replica cluster"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="j")
    clock.advance(3600)
    with refused(BUSY, "Delete the replica cluster"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="j")


@pytest.mark.parametrize("way", ["deleted", "promoted"])
def test_a_source_is_free_without_its_replica(aws: Aws, source: str, clock: Clock, way: str) -> None:
    if way == "deleted":
        aws.rds.delete_db_cluster(DBClusterIdentifier="r", SkipFinalSnapshot=True)
    else:
        aws.rds.promote_read_replica_db_cluster(DBClusterIdentifier="r")
    clock.advance(3600)
    assert describe(aws)["ReadReplicaIdentifiers"] == []
    for name in "ij":
        aws.rds.delete_db_instance(DBInstanceIdentifier=name)


def test_writes_are_forwarded_within_a_cluster(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    assert "LocalWriteForwardingStatus" not in describe(aws)
    for enabled, status in ((True, "enabled"), (False, "disabled")):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", EnableLocalWriteForwarding=enabled, ApplyImmediately=True)
        assert describe(aws).get("LocalWriteForwardingStatus") == status


def test_writes_are_forwarded_by_members_of_a_global_cluster_alone(
    aws: Aws, make_cluster: Build, refused: Refused
) -> None:
    with refused("InvalidParameterCombination", "global cluster"):
        make_cluster(EnableGlobalWriteForwarding=True)
    make_cluster()
    with refused("InvalidParameterCombination", "global cluster"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", EnableGlobalWriteForwarding=True)
    aws.rds.create_global_cluster(
        GlobalClusterIdentifier="world", SourceDBClusterIdentifier=describe(aws)["DBClusterArn"]
    )
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EnableGlobalWriteForwarding=True, ApplyImmediately=True)
    assert describe(aws)["GlobalWriteForwardingStatus"] == "enabled"


def test_naive_code_takes_security_groups_for_the_only_way_to_a_cluster(
    aws: Aws, make_cluster: Build, simulation: Simulation
) -> None:
    simulation.script("rds.internet-gateway", "yes")
    make_cluster()
    assert "InternetAccessGatewayEnabled" in set(describe(aws))
    assert describe(aws)["InternetAccessGatewayEnabled"] is True
    make_cluster("d")
    assert "InternetAccessGatewayEnabled" not in set(describe(aws, "d"))


@pytest.mark.parametrize("wanted", [True, False])
def test_a_cluster_is_restored_with_an_internet_gateway(aws: Aws, make_cluster: Build, wanted: bool) -> None:
    make_cluster()
    aws.rds.create_db_cluster_snapshot(DBClusterIdentifier="c", DBClusterSnapshotIdentifier="s")
    aws.rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="d",
        SnapshotIdentifier="s",
        Engine="aurora-postgresql",
        EnableVPCNetworking=True,
        EnableInternetAccessGateway=wanted,
    )
    assert describe(aws, "d").get("InternetAccessGatewayEnabled", False) is wanted


def test_a_cluster_is_a_member_of_a_directory_until_its_domain_is_none(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    for domain, told in (("d-1", ["d-1"]), ("d-2", ["d-2"]), ("", ["d-2"]), ("none", [])):
        more: Any = {"Domain": domain, "DomainIAMRoleName": "finder"} if domain else {}
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", ApplyImmediately=True, **more)
        memberships = describe(aws).get("DomainMemberships", [])
        assert [each["Domain"] for each in memberships] == told
        assert {each["Status"] for each in memberships} <= {"kerberos-enabled"}
