"""The conformance suite once more, for all but the database, on an AWS that is slow, busy and forgetful.

Its time and the engine's are the same virtual clock, at AWS's own pace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.diff import compare
from tapctl.engine.events import Finished
from tapctl.engine.model import Observed, Spec
from tapctl.engine.plan import Action
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers import test_conformance as plain
from tests.reconcilers.conformance import CASES, Bench, Killed
from tests.reconcilers.test_conformance_life import QUICK, SLOW
from tests.support.strides import strided

TYPES = sorted(CASES.keys() - {*QUICK, *SLOW})


@dataclass
class Living(Bench):
    """A bench in a world where things take their time."""

    def look(self, expected: Spec | None) -> Observed[Any, Any] | None:
        """Look when AWS has come to rest."""
        self.clock.seconds += 60
        return super().look(expected)

    def converge(self, want: Spec, action: Action = Action.REPLACE) -> Finished:
        """Converge when AWS has come to rest."""
        self.clock.seconds += 60
        return super().converge(want, action)

    def converge_at_once(self, want: Spec) -> Finished:
        """While AWS is still taking in what was changed last."""
        return super().converge(want)

    def remove(self, last: Spec | None) -> Finished:
        """Remove when AWS has come to rest."""
        self.clock.seconds += 60
        return super().remove(last)


@pytest.fixture(params=TYPES)
def bench(request: pytest.FixtureRequest, aws: Aws, sandbox_app: Sandbox) -> Iterator[Living]:
    peace = sandbox_app.simulation
    yield Living(aws, CASES[request.param], sandbox_app, scale=1.0)
    sandbox_app.simulation = peace


@pytest.mark.parametrize("bench", strided(TYPES, 3, 1), indirect=True)
def test_removed_is_gone(bench: Living) -> None:
    plain.test_removed_is_gone_and_removing_it_twice_is_nothing(bench)


@pytest.mark.parametrize("bench", strided(TYPES, len(TYPES), 6), indirect=True)
def test_each_example_becomes_the_next(bench: Living) -> None:
    plain.test_each_example_becomes_the_next(bench)


@pytest.mark.parametrize("bench", strided(TYPES, 5, 1), indirect=True)
@pytest.mark.parametrize(
    "die_at", [pytest.param(1, marks=pytest.mark.soak), 2, pytest.param(3, marks=pytest.mark.soak)]
)
def test_cut_off_and_run_again_at_once(bench: Living, die_at: int) -> None:
    """The first looks of the second run are those of an AWS that has not taken in the last change."""
    have, want = bench.fresh()[:2]
    wanted = have if bench.replaces(have, want) and not bench.reconciler.replaceable else want
    bench.die_at = die_at
    for spec in (have, wanted):
        try:
            bench.converge_at_once(spec)
        except Killed:
            bench.die_at = None
            bench.converge_at_once(spec)
    seen = bench.look(wanted)
    assert seen is not None
    assert not compare(wanted, seen.spec)
