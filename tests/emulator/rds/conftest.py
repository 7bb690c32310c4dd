from __future__ import annotations

import pytest

from tests.emulator.conftest import Build, Clock


@pytest.fixture
def clock(clock: Clock) -> Clock:
    """A clock that stands until a test starts it: a database is made in no time first."""
    clock.stop()
    return clock


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
