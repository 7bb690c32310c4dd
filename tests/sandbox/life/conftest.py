"""An embedded AWS that takes its time, by a clock that a test sets forward."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tapctl.aws import Aws
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Life
from tests.conftest import Network
from tests.sandbox.test_lambda import INTERFACES, allow, trust

LONG_S = 3600
T = TypeVar("T")


@dataclass
class Clock:
    """The clock of the embedded AWS, in its own seconds."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def looks(self, look: Callable[[], T]) -> set[T]:
        """Everything that is seen in two seconds."""
        found = set()
        for _ in range(4):
            found.add(look())
            self.after(0.5)
        return found

    def after(self, seconds: float) -> None:
        """So much time passes."""
        self.seconds += seconds


@pytest.fixture
def clock(sandbox_url: str, sandbox_app: Sandbox) -> Iterator[Clock]:
    peace, clock = sandbox_app.life, Clock()
    sandbox_app.life = Life(clock, 1.0)
    yield clock
    sandbox_app.life = peace


@pytest.fixture
def life(clock: Clock, sandbox_app: Sandbox) -> Life:
    return sandbox_app.life


@pytest.fixture
def role(aws: Aws, clock: Clock) -> str:
    """A role that has been there for long, and may manage interfaces."""
    arn = aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
    clock.after(LONG_S)
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
    clock.after(LONG_S)
    groups = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}])
    default = next(one["GroupId"] for one in groups["SecurityGroups"] if one["GroupName"] == "default")
    return Place(network.vpc_id, network.subnet_ids[0], ours, default)


def zipped() -> bytes:
    """A handler that does nothing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.mjs"), "export const handler = async () => 1;")
    return packed.getvalue()


Make = Callable[..., None]


@pytest.fixture
def make(aws: Aws, role: str) -> Make:
    """Make a function, with whatever more is said."""

    def create(**more: Any) -> None:
        package = {"Code": {"ZipFile": zipped()}, "Runtime": "nodejs22.x", "Handler": "index.handler"}
        aws.lambda_.create_function(**{"FunctionName": "f", "Role": role, **package, **more})

    return create
