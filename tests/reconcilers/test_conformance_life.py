"""The conformance suite on an AWS that takes its time, by the engine's own clock: minutes pass, and none is waited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.events import Result
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers.conformance import CASES, Bench
from tests.reconcilers.test_conformance import (
    test_an_absent_resource_is_none,
    test_each_example_becomes_the_next,
    test_removed_is_gone_and_removing_it_twice_is_nothing,
    test_what_is_not_ours_is_left_alone,
    test_what_was_made_is_what_was_wanted_and_needs_nothing_more,
    test_what_was_removed_can_be_made_again,
)
from tests.reconcilers.test_conformance import (
    test_each_example_becomes_each_other as each_becomes_each_other,
)
from tests.reconcilers.test_conformance import (
    test_killed_before_each_step_and_run_again_it_gets_there as killed_before_each_step,
)

__all__ = [
    "test_an_absent_resource_is_none",
    "test_each_example_becomes_the_next",
    "test_removed_is_gone_and_removing_it_twice_is_nothing",
    "test_what_is_not_ours_is_left_alone",
    "test_what_was_made_is_what_was_wanted_and_needs_nothing_more",
    "test_what_was_removed_can_be_made_again",
]

QUICK = ("db_subnet_group", "secret_rotation")
SLOW = ("db_cluster_parameter_group", "db_parameter_group", "db_cluster", "db_instance")
EXHAUSTIVE = [pytest.param(one, marks=pytest.mark.soak) for one in SLOW]


@pytest.fixture(params=[*QUICK, *EXHAUSTIVE])
def bench(request: pytest.FixtureRequest, aws: Aws, sandbox_app: Sandbox) -> Iterator[Bench]:
    peace = sandbox_app.simulation
    # A change of the first example into the second and back is a change of nearly everything.
    yield Bench(aws, CASES[request.param], sandbox_app, scale=1.0, most=2)
    sandbox_app.simulation = peace


@pytest.mark.soak
@pytest.mark.parametrize("bench", ["db_cluster", "db_instance"], indirect=True)
def test_made_changed_and_removed_in_one_go_each(bench: Bench) -> None:
    """The whole suite for these, in short: they take a hundred looks to come to rest."""
    first, second = bench.fresh()
    for want in (first, second):
        bench.converge(want)
        seen = bench.look(want)
        assert seen is not None
        assert seen.spec == want
        # But for a reboot, which nobody does unasked.
        assert {one.until for one in seen.pending.values()} <= {"reboot"}
        assert bench.converge(want).result is Result.UNCHANGED
    protected = {"deletion_protection": False} if bench.reconciler.holds_data else {}
    last = second.model_copy(update=protected)
    bench.converge(last)
    assert bench.remove(last).result is Result.DELETED
    assert bench.look(last) is None


@pytest.mark.soak
def test_killed_before_each_step_and_run_again_it_gets_there(bench: Bench) -> None:
    killed_before_each_step(bench, stride=1)


@pytest.mark.soak
def test_each_example_becomes_each_other(bench: Bench) -> None:
    bench.most = None
    each_becomes_each_other(bench)
