"""What every test stands on: no real AWS can be reached, and a fresh embedded AWS is a fixture away."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient, ClientCreator
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.sandbox.emulator.app import Sandbox
from tests.support.served import MEASURED, Unmeasured, served

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

# What a shell starts in the background is born deaf to SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

# moto and the models of AWS are a million objects that stay: to look through them again and again is a fifth of a run.
gc.set_threshold(100_000, 50, 100)

# Each test has a session of its own; reading the models of AWS anew for each would be most of a run's time.
_load_model = JSONFileLoader.load_file


@cache
def _model(path: str) -> Any:
    return _load_model(JSONFileLoader(), path)


def _load_once(self: JSONFileLoader, file_path: str) -> Any:
    return _model(file_path)


JSONFileLoader.load_file = _load_once  # type: ignore[method-assign]  # see above

# As above: which services there are, which every session asks the disk.
_available_services: Any = Loader.list_available_services


@cache
def _available(type_name: str, search_paths: tuple[str, ...]) -> Any:
    loader = Loader()
    loader.search_paths[:] = search_paths
    return _available_services(loader, type_name)


Loader.list_available_services = lambda self, type_name: _available(type_name, tuple(self.search_paths))  # type: ignore[method-assign]  # see above

# As above: the hundreds of methods of a client, which are the same for every session.
_make_methods: Any = vars(ClientCreator)["_create_methods"]
_METHODS: dict[str, dict[str, Any]] = {}


def _methods_once(self: ClientCreator, service_model: Any) -> dict[str, Any]:
    name = service_model.service_name
    if name not in _METHODS:
        _METHODS[name] = _make_methods(self, service_model)
    return dict(_METHODS[name])


ClientCreator._create_methods = _methods_once  # type: ignore[attr-defined]  # see above

# As above: the present name of an event, which botocore works out for each of the dozen that a call emits.
_alias: Any = vars(EventAliaser)["_alias_event_name"]
_NAMES: dict[str, str] = {}


def _alias_once(self: EventAliaser, event_name: str) -> str:
    if event_name not in _NAMES:
        _NAMES[event_name] = _alias(self, event_name)
    return _NAMES[event_name]


EventAliaser._alias_event_name = _alias_once  # type: ignore[attr-defined]  # see above

# What botocore does in a call and in making a client is nobody's to measure here, and measuring it takes as long again.


def _unmeasured(work: Callable[..., Any]) -> Callable[..., Any]:
    def do(*args: Any, **kwargs: Any) -> Any:
        if MEASURED:
            return work(*args, **kwargs)
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return work(*args, **kwargs)
        finally:
            sys.settrace(tracer)

    return do


@pytest.fixture
def measured() -> Iterator[None]:
    """Of what botocore does in a call the lines are counted: some of them are ours."""
    MEASURED.append(True)
    yield
    MEASURED.clear()


BaseClient._make_api_call = _unmeasured(vars(BaseClient)["_make_api_call"])  # type: ignore[attr-defined]  # see above
Session.create_client = _unmeasured(Session.create_client)  # type: ignore[method-assign]  # see above

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OutsideWorld(RuntimeError):
    """A test tried to reach something that is not this machine."""


class _LoopbackSocket(socket.socket):
    def connect(self, address: Any) -> None:
        self._refuse_outside(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        self._refuse_outside(address)
        return super().connect_ex(address)

    def _refuse_outside(self, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            self.close()
            raise OutsideWorld(f"tests may only reach loopback, not {address[0]}")


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    if INTEGRATION:
        yield
        return
    real = socket.socket
    socket.socket = _LoopbackSocket  # type: ignore[misc]  # the one place where a class of the library is replaced
    yield
    socket.socket = real  # type: ignore[misc]  # as above


@pytest.fixture(scope="session")
def sandbox_app() -> Sandbox:
    return Sandbox()


@pytest.fixture(scope="session")
def unmeasured(sandbox_app: Sandbox) -> Unmeasured:
    return Unmeasured(sandbox_app)


@pytest.fixture(scope="session")
def _sandbox_server(unmeasured: Unmeasured) -> Iterator[str]:
    """One server a process (so one an xdist worker), on a port the system chooses."""
    with served(unmeasured) as url:
        yield url


@pytest.fixture
def sandbox_url(_sandbox_server: str, sandbox_app: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an embedded AWS that nobody has used, which boto3 takes for AWS."""
    sandbox_app.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", _sandbox_server)
    return _sandbox_server


@pytest.fixture
def aws(sandbox_url: str) -> Aws:
    """The door to a fresh embedded AWS, identified."""
    door = Aws(Connection(region=REGION, endpoint_url=sandbox_url, credentials=CREDENTIALS))
    door.identity = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester")
    return door


@dataclass(frozen=True)
class Network:
    """A VPC with one private subnet in each of three zones."""

    vpc_id: str
    subnet_ids: tuple[str, str, str]


@pytest.fixture
def network(sandbox_url: str) -> Network:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    first, second, third = (
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate("abc")
    )
    return Network(vpc_id, (first, second, third))
