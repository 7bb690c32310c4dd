from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.local import LocalStore
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Store
from tests.manifest.s3_script import S3Script
from tests.manifest.team import Team
from tests.support.wall_clock import FakeWallClock


@pytest.fixture
def script(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> S3Script:
    """A bucket, and what S3 answers next. The SDK does not wait between its attempts."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    aws.s3.create_bucket(Bucket="records")
    return S3Script(aws)


@pytest.fixture
def store(aws: Aws, script: S3Script) -> Store:
    return S3Store(Bucket(aws, "records", "team/"), proved=True)


@pytest.fixture
def clock() -> FakeWallClock:
    return FakeWallClock()


@pytest.fixture
def team(aws: Aws, script: S3Script, clock: FakeWallClock) -> Team:
    return Team(aws, clock)


@pytest.fixture(params=["local", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store."""
    if request.param == "local":
        return LocalStore(tmp_path / "deep" / "manifests")
    store: Store = request.getfixturevalue("store")
    return store
