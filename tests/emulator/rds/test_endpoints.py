from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection
from tests.conftest import CREDENTIALS
from tests.emulator.conftest import Build, Refused
from tests.emulator.rds.helpers import describe


def make(aws: Aws, name: str, cluster: str = "c", **more: Any) -> str:
    reply = aws.rds.create_db_cluster_endpoint(
        DBClusterIdentifier=cluster, DBClusterEndpointIdentifier=name, EndpointType="READER", **more
    )
    return reply["Endpoint"]


def named(aws: Aws, **which: Any) -> list[str]:
    listed = aws.rds.describe_db_cluster_endpoints(**which)["DBClusterEndpoints"]
    return [endpoint["DBClusterEndpointIdentifier"] for endpoint in listed]


@pytest.mark.parametrize(
    ("region", "end"),
    [
        ("cn-northwest-1", ".rds.cn-northwest-1.amazonaws.com.cn"),
        ("us-gov-west-1", ".us-gov-west-1.rds.amazonaws.com"),
        ("eu-west-1", ".eu-west-1.rds.amazonaws.com"),
    ],
    ids=["china", "gov", "aws"],
)
def test_naive_code_expects_one_form_of_host_everywhere(sandbox_url: str, region: str, end: str) -> None:
    aws = Aws(Connection(region, endpoint_url=sandbox_url, credentials=CREDENTIALS))
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="owner", MasterUserPassword="12345678"
    )
    cluster = describe(aws)
    assert cluster["Endpoint"].startswith("c.cluster-")
    assert {cluster[name].endswith(end) for name in ("Endpoint", "ReaderEndpoint")} == {True}
    assert make(aws, "reports").endswith(end)


def test_a_cluster_tells_its_custom_endpoints_until_they_are_deleted(
    aws: Aws, members: tuple[str, str], refused: Refused
) -> None:
    host = make(aws, "Reports", StaticMembers=["j"])
    assert host.startswith("reports.cluster-custom-")
    assert describe(aws)["CustomEndpoints"] == [host]
    assert named(aws, DBClusterIdentifier="c") == named(aws) == ["reports"]
    with refused("DBInstanceNotFound", "k not found"):
        make(aws, "others", ExcludedMembers=["i", "k"])
    aws.rds.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="REPORTS")
    assert "CustomEndpoints" not in set(describe(aws))
    with refused("DBClusterEndpointNotFoundFault"):
        aws.rds.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="reports")


def test_endpoints_are_few_and_of_one_cluster_and_go_with_it(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    make_cluster("d")
    for number in range(5):
        make(aws, f"e{number}")
    with refused("DBClusterEndpointQuotaExceededFault"):
        make(aws, "e5")
    with refused("DBClusterEndpointAlreadyExistsFault"):
        make(aws, "e4", "d")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    assert named(aws) == []
    make(aws, "e4", "d")
