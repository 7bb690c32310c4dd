"""``destroy`` while something still writes: a log group that comes back is looked for again."""

from __future__ import annotations

import json

import pytest

from tests.support.door import Proceed, Served, Trouble, Visit
from tests.support.world import World

LOGS = "/aws/lambda/payment-processor-dev"


def a_writer(world: World, times: int) -> Trouble:
    """Somebody who makes the function's log group anew, so many times: each time right after it was seen to be gone."""
    logs, left = world.client("logs"), [LOGS] * times

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        served = proceed()
        if visit.name == "logs:DescribeLogGroups" and visit.params.get("logGroupNamePrefix") == LOGS:
            _, _, body = served
            if left and not json.loads(body)["logGroups"]:
                logs.create_log_group(logGroupName=left.pop())
        return served

    return trouble


@pytest.mark.parametrize("times", [1, 2])
def test_a_late_writer_during_the_destroy_is_swept_up_after(dev: World, times: int) -> None:
    gone = dev.meeting(a_writer(dev, times), "destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert gone.changes.count("logs:DeleteLogGroup") == 2 + times
    assert dev.client("logs").describe_log_groups()["logGroups"] == []


def test_a_writer_that_never_stops_is_named(dev: World) -> None:
    """Whatever is left at the end is no success."""
    gone = dev.meeting(a_writer(dev, 100), "destroy", "--env", "dev", "--yes")
    assert gone.code == 4
    assert gone.verdict.startswith("DESTROY dev: NOT DESTROYED")
    assert LOGS in gone.err
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    nothing = dev.tapctl("outputs", "--env", "dev")
    assert nothing.code == 3
    assert "nothing of dev is deployed" in nothing.err
