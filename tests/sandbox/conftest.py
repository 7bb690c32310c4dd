from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tapctl.aws import Aws
from tapctl.errors import AwsRefused
from tests.conftest import Network

Refused = Callable[..., AbstractContextManager[None]]
Build = Callable[..., None]


@pytest.fixture
def refused() -> Refused:
    """AWS refuses what happens inside, with this code and these words in its message."""

    @contextmanager
    def expect(code: str, text: str = "") -> Any:
        with pytest.raises(AwsRefused) as caught:
            yield
        assert caught.value.says(code, text=text), str(caught.value)

    return expect


@pytest.fixture
def subnets(aws: Aws, network: Network) -> str:
    """A DB subnet group."""
    aws.rds.create_db_subnet_group(
        DBSubnetGroupName="subnets", DBSubnetGroupDescription="d", SubnetIds=list(network.subnet_ids)
    )
    return "subnets"


@pytest.fixture
def make_cluster(aws: Aws, subnets: str) -> Build:
    def make(name: str = "c", **more: Any) -> None:
        aws.rds.create_db_cluster(
            **{  # a test may replace any of these
                "DBClusterIdentifier": name,
                "Engine": "aurora-postgresql",
                "EngineVersion": "16",
                "MasterUsername": "owner",
                "ManageMasterUserPassword": True,
                "DBSubnetGroupName": subnets,
                **more,
            }
        )

    return make


@pytest.fixture
def make_instance(aws: Aws) -> Build:
    def make(name: str = "i", **more: Any) -> None:
        aws.rds.create_db_instance(
            **{
                "DBInstanceIdentifier": name,
                "DBInstanceClass": "db.r6g.large",
                "Engine": "aurora-postgresql",
                "DBClusterIdentifier": "c",
                **more,
            }
        )

    return make
