"""The ground that every test stands on: no real AWS can be reached, and a fresh emulated AWS is a fixture away."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.sandbox.emulator.app import Sandbox
from tests.support import fast_botocore, fast_moto
from tests.support.door import Door
from tests.support.loopback import loopback_only
from tests.support.remembering import RememberingSandbox
from tests.support.saved import made_once
from tests.support.served import served
from tests.support.strides import SOAK
from tests.support.world import World, new_world

ACCOUNT = "123456789012"
REGION = "us-east-1"
CREDENTIALS = ("testing", "testing")

INTEGRATION = os.environ.get("TAPCTL_INTEGRATION", "")
"""The environment of a real account that `tests.integration` is to ask; empty: that of a sandbox."""
AS_THE_USER_HAS_IT = dict(os.environ)

# At import: before any test module could make a client with what this machine holds.
for _name in [name for name in os.environ if name.startswith(("AWS_", "TAPCTL_"))]:
    del os.environ[_name]
os.environ.update(
    AWS_ACCESS_KEY_ID=CREDENTIALS[0],
    AWS_SECRET_ACCESS_KEY=CREDENTIALS[1],
    AWS_CONFIG_FILE="/nonexistent/config",
    AWS_SHARED_CREDENTIALS_FILE="/nonexistent/credentials",
    AWS_EC2_METADATA_DISABLED="true",
)

# A shell starts what runs in its background deaf to SIGINT, and nohup all that it runs to SIGHUP.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# moto and the models of AWS are a million objects that stay: to look through them again and again is a fifth of a run.
gc.set_threshold(100_000, 50, 100)

fast_botocore.install()
fast_moto.install()


def pytest_configure(config: pytest.Config) -> None:
    """Tell a run of everything from a run without the soak's tests, before any test module is read."""
    if "not soak" not in str(config.option.markexpr):
        SOAK.append(True)


def pytest_collection_finish() -> None:
    """Look through what has been imported no more for garbage."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Look through everything for garbage once: pytest does so five times more, for objects that end with a warning."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    with nullcontext() if INTEGRATION else loopback_only():
        yield


@pytest.fixture(scope="session")
def sandbox_app() -> RememberingSandbox:
    return RememberingSandbox()


@pytest.fixture(scope="session")
def _sandbox_server(sandbox_app: RememberingSandbox) -> Iterator[str]:
    """Start a server for this process (so one an xdist worker), on a port the system chooses."""
    with served(sandbox_app, lambda: sandbox_app.remembers) as url:
        yield url


@pytest.fixture
def sandbox_url(_sandbox_server: str, sandbox_app: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an emulated AWS that nobody has used, which boto3 takes for AWS."""
    sandbox_app.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", _sandbox_server)
    return _sandbox_server


@pytest.fixture
def aws(sandbox_url: str) -> Aws:
    """The client of a fresh emulated AWS, identified."""
    client = Aws(Connection(region=REGION, endpoint_url=sandbox_url, credentials=CREDENTIALS))
    client.identity = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester")
    return client


@pytest.fixture(scope="session")
def door(sandbox_app: Sandbox) -> Iterator[Door]:
    """A second address of this process's emulated AWS, with a door in front of it."""
    door = Door(sandbox_app)
    with served(door, lambda: door.peaceful) as door.url:
        yield door


@pytest.fixture
def world(door: Door, tmp_path: Path) -> Iterator[World]:
    """A folder with the environments in front of an emulated AWS that nobody has used."""
    with pytest.MonkeyPatch.context() as patch:
        yield new_world(door, tmp_path, patch)
        door.reset()


@dataclass(frozen=True)
class Network:
    """A VPC with one private subnet in each of three zones, and an endpoint as their way to AWS."""

    vpc_id: str
    subnet_ids: tuple[str, str, str]


@pytest.fixture
def network(sandbox_url: str, sandbox_app: Sandbox) -> Network:
    """A network in an AWS that has nothing else."""
    return made_once(sandbox_app, "network", _make_network)


def _make_network() -> Network:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    first, second, third = (
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate("abc")
    )
    add_endpoint(ec2, vpc_id)
    return Network(vpc_id, (first, second, third))


def add_endpoint(ec2: Any, vpc_id: str, **more: Any) -> str:
    """Make an interface endpoint for what the function calls; it takes no address."""
    made = ec2.create_vpc_endpoint(
        **{
            "VpcId": vpc_id,
            "ServiceName": f"com.amazonaws.{REGION}.secretsmanager",
            "VpcEndpointType": "Interface",
            "PrivateDnsEnabled": True,
            **more,
        }
    )
    endpoint_id: str = made["VpcEndpoint"]["VpcEndpointId"]
    return endpoint_id
