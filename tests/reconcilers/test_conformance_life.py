"""The conformance suite on an AWS that takes its time, by the engine's own clock: a create takes
minutes, and no time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tapctl.aws import Aws
from tapctl.sandbox.app import Sandbox
from tests.reconcilers.conformance import CASES, Bench
from tests.reconcilers.test_conformance import (
    test_each_example_becomes_each_other,
    test_each_example_becomes_the_next,
    test_it_is_found_by_its_tags,
    test_killed_before_each_step_and_run_again_it_gets_there,
    test_removed_is_gone_and_removing_it_twice_is_nothing,
    test_what_is_absent_is_none,
    test_what_is_not_ours_is_left_alone,
    test_what_was_made_is_what_was_wanted_and_needs_nothing_more,
    test_what_was_removed_can_be_made_again,
)

# Virtual minutes of many looks each: not quick enough for every run.
pytestmark = pytest.mark.soak

__all__ = [
    "test_each_example_becomes_each_other",
    "test_each_example_becomes_the_next",
    "test_it_is_found_by_its_tags",
    "test_killed_before_each_step_and_run_again_it_gets_there",
    "test_removed_is_gone_and_removing_it_twice_is_nothing",
    "test_what_is_absent_is_none",
    "test_what_is_not_ours_is_left_alone",
    "test_what_was_made_is_what_was_wanted_and_needs_nothing_more",
    "test_what_was_removed_can_be_made_again",
]

TYPES = (
    "db_cluster",
    "db_cluster_parameter_group",
    "db_instance",
    "db_parameter_group",
    "db_subnet_group",
    "secret_rotation",
)


@pytest.fixture(params=TYPES)
def bench(request: pytest.FixtureRequest, aws: Aws, sandbox_app: Sandbox) -> Iterator[Bench]:
    peace = sandbox_app.life
    yield Bench(aws, CASES[request.param], sandbox_app, scale=1.0)
    sandbox_app.life = peace
