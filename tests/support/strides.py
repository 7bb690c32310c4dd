"""A few of many cases for every run of the tests, all of them for the soak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings

# No example fails because the machine is busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SOAK: list[bool] = []
"""Not empty in a run that holds the soak's tests, too."""


def strided(cases: Sequence[Any], step: int, start: int = 0) -> list[Any]:
    """Every ``step``-th case for every run of the tests, all the others for the soak."""
    return [
        pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=() if at % step == start else pytest.mark.soak)
        for at, one in enumerate(cases)
    ]


def examples(few: int, many: int, **more: Any) -> settings:
    """Few examples of what hypothesis makes up for every run of the tests, many for the soak."""
    return settings(max_examples=many if SOAK else few, derandomize=True, **more)


def sampled(cases: Sequence[Any], step: int) -> Sequence[Any]:
    """Every ``step``-th case for every run of the tests, all of them for the soak."""
    return cases if SOAK else cases[::step]
