"""The function where Lambda takes its time, and where it gives an update up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.events import Result
from tapctl.errors import NotConverged
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers.conformance import CASES, Bench


@pytest.fixture
def bench(aws: Aws, sandbox_app: Sandbox) -> Iterator[Bench]:
    peace = sandbox_app.simulation
    yield Bench(aws, CASES["lambda_function"], sandbox_app, scale=1.0)
    sandbox_app.simulation = peace


def test_nothing_is_asked_for_while_it_is_being_made_or_changed(bench: Bench) -> None:
    first, second = bench.fresh()[:2]
    bench.converge(first)
    assert bench.aws.call_log.calls["lambda:PutFunctionConcurrency"] == 1
    bench.converge(second)
    asked = {
        name: bench.aws.call_log.calls[f"lambda:{name}"] for name in ("UpdateFunctionConfiguration", "TagResource")
    }
    # The tags in two steps: one more, one less.
    assert asked == {"UpdateFunctionConfiguration": 1, "TagResource": 1}


def test_an_update_of_ours_that_lambda_gives_up_ends_with_its_reason_and_the_next_apply_asks_again(
    bench: Bench,
) -> None:
    first, second = bench.fresh()[:2]
    bench.converge(first)
    before = bench.clock.seconds
    bench.sandbox.simulation.script("lambda.update", "EniLimitExceeded")
    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        bench.converge(second)
    assert str(caught.value.evidence).startswith("AWS says: EniLimitExceeded: ")
    assert bench.clock.seconds - before < 100
    assert bench.converge(second).result is Result.UPDATED
    seen = bench.look(second)
    assert seen is not None
    assert (seen.spec, seen.update_failure) == (second, None)
