from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.aws_tags import TAG
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import Network
from tests.emulator.lambda_helpers import INTERFACES, allow, trust, zipped
from tests.support.clocks import VirtualClock
from tests.support.remembering import RememberingSandbox

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import TagTypeDef

OF_AWS: TagTypeDef = {"Key": TAG[0], "Value": TAG[1]}
"""A tag that shows among the others, as AWS's own do."""
LONG_S = 3600
"""Longer than anything of Lambda, KMS and IAM takes, and than any read is stale."""

T = TypeVar("T")

Refused = Callable[..., AbstractContextManager[None]]
Build = Callable[..., None]


@pytest.fixture(autouse=True)
def _asked_each_time(sandbox_app: RememberingSandbox) -> Iterator[None]:
    """Here it is the embedded AWS that is tested, with its server."""
    sandbox_app.remembers = False
    yield
    sandbox_app.remembers = True


@pytest.fixture
def refused() -> Refused:
    """AWS refuses what happens inside, with this code and these words in its message."""

    @contextmanager
    def expect(code: str, text: str = "") -> Any:
        with pytest.raises(AwsRefused) as caught:
            yield
        assert caught.value.matches(code, text=text), str(caught.value)

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


class Clock(VirtualClock):
    """The clock of an emulated AWS, in AWS's own seconds, with its simulation."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation(self.now, 1.0)

    def start(self) -> None:
        """Let things take AWS's time from now on."""
        self.simulation.scale = 1.0

    def stop(self) -> None:
        """Let nothing take any time."""
        self.simulation.scale = 0.0

    def sample(self, read: Callable[[], T]) -> set[T]:
        """Collect all answers of two seconds."""
        answers = set()
        for _ in range(4):
            answers.add(read())
            self.advance(0.5)
        return answers


@pytest.fixture
def clock(sandbox_url: str, sandbox_app: Sandbox) -> Iterator[Clock]:
    """The clock of the emulated AWS at ``sandbox_url``, which takes AWS's time by it."""
    clock, before = Clock(), sandbox_app.simulation
    sandbox_app.simulation = clock.simulation
    yield clock
    sandbox_app.simulation = before


@pytest.fixture
def simulation(clock: Clock) -> Simulation:
    return clock.simulation


@pytest.fixture
def lambda_role(aws: Aws, network: Network, clock: Clock) -> str:  # the network is put there first
    """A role that has been there for long, and may manage interfaces."""
    arn = aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
    clock.advance(LONG_S)
    return arn


@dataclass(frozen=True)
class Place:
    """A subnet, a group of ours in its VPC, and that VPC's default group."""

    vpc: str
    subnet: str
    group: str
    default: str

    def config(self, group: str | None = None) -> Any:
        """A VpcConfig."""
        return {"SubnetIds": [self.subnet], "SecurityGroupIds": [group or self.group]}


@pytest.fixture
def place(aws: Aws, network: Network, clock: Clock) -> Place:
    ours = aws.ec2.create_security_group(GroupName="ours", Description="d", VpcId=network.vpc_id)["GroupId"]
    clock.advance(LONG_S)
    groups = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}])
    default = next(group["GroupId"] for group in groups["SecurityGroups"] if group["GroupName"] == "default")
    return Place(network.vpc_id, network.subnet_ids[0], ours, default)


@pytest.fixture
def make_function(aws: Aws, lambda_role: str) -> Build:
    """Make a function, with any more parameters."""

    def create(**more: Any) -> None:
        package = {"Code": {"ZipFile": zipped()}, "Runtime": "nodejs22.x", "Handler": "index.handler"}
        aws.lambda_.create_function(**{"FunctionName": "f", "Role": lambda_role, **package, **more})

    return create
