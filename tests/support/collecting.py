"""The collection of a run's workers: one reads the test modules first, and leaves them compiled for the others.

In a fresh clone each worker would rewrite the assertions of all modules: six seconds of work for each, three times.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_FIRST = "gw0"
_TICK_S = 0.05
_LONGEST_S = 300.0
"""Seconds after which the others begin all the same: the first one may have been killed."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect once the first worker has; the first one, at once."""
    given = getattr(session.config, "workerinput", None)
    if given is None:
        return (yield)
    read = Path(tempfile.gettempdir()) / f"tapctl-tests-{given['testrunuid']}"
    if given["workerid"] == _FIRST:
        try:
            return (yield)
        finally:
            read.touch()
    began = time.monotonic()
    while not read.exists() and time.monotonic() - began < _LONGEST_S:
        time.sleep(_TICK_S)
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the first worker's sign: no test begins before all have collected."""
    given = getattr(session.config, "workerinput", None)
    if given is not None and given["workerid"] == _FIRST:
        (Path(tempfile.gettempdir()) / f"tapctl-tests-{given['testrunuid']}").unlink(missing_ok=True)
