from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws import Aws
from tapctl.errors import AwsRefused
from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.aws_tags import TAG
from tapctl.sandbox.emulator.simulation import Life
from tests.conftest import Network
from tests.served import Unmeasured

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import TagTypeDef

OF_AWS: TagTypeDef = {"Key": TAG[0], "Value": TAG[1]}
"""A tag that shows among the others, as AWS's own do."""

Refused = Callable[..., AbstractContextManager[None]]
Build = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def _models_anew() -> None:
    """Models that tests elsewhere have read already are read again, where that is measured."""
    wire._client.cache_clear()


@pytest.fixture(autouse=True)
def _measured(unmeasured: Unmeasured) -> Iterator[None]:
    """Here it is the embedded AWS that is tested."""
    unmeasured.measured = True
    yield
    unmeasured.measured = False


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


class Clock:
    """What the embedded AWS goes by: nothing takes time until it is started, and then it stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.life = Life(lambda: self.seconds)

    def start(self) -> None:
        """From now on things take AWS's time."""
        self.life.scale = 1.0

    def move(self, seconds: float) -> None:
        """Let this much time pass."""
        self.seconds += seconds


@pytest.fixture
def clock(sandbox_url: str, sandbox_app: Sandbox) -> Iterator[Clock]:
    """The clock of the embedded AWS at ``sandbox_url``."""
    clock, peace = Clock(), sandbox_app.life
    sandbox_app.life = clock.life
    yield clock
    sandbox_app.life = peace


@pytest.fixture
def cluster(make_cluster: Build, clock: Clock) -> str:
    """A cluster that was there before time began."""
    make_cluster(EngineVersion="16.8")
    clock.start()
    return "c"


@pytest.fixture
def members(make_cluster: Build, make_instance: Build, clock: Clock) -> tuple[str, str]:
    """The members of such a cluster: a writer and a reader."""
    make_cluster(EngineVersion="16.8")
    for name in ("i", "j"):
        make_instance(name)
    clock.start()
    return "i", "j"
