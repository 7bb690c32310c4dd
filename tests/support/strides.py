"""A few of many cases for every run of the tests, all of them for the soak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def strided(cases: Sequence[Any], step: int, start: int = 0) -> list[Any]:
    """Every ``step``-th case for every run of the tests, all the others for the soak."""
    return [
        pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=() if at % step == start else pytest.mark.soak)
        for at, one in enumerate(cases)
    ]
