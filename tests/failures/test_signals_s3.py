"""Ctrl-C with the record in S3, while nothing answers any more: the command ends all the same."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.failures.process import MINUTES, started
from tests.support.door import Door, Proceed, Served, Visit
from tests.support.world import REGIONS, World

pytestmark = pytest.mark.soak

APPLY = ("apply", "--env", "dev", "--yes", "--state", "s3://records")


class Hush:
    """A silence from the nth change on until the test is over; ``but``: these services answer."""

    def __init__(self, door: Door, nth_change: int, but: tuple[str, ...] = ()) -> None:
        self.nth_change, self.but = nth_change, but
        self.fell, self.over = threading.Event(), threading.Event()
        self.unanswered = 0
        door.reset()
        door.trouble = self

    def __call__(self, visit: Visit, proceed: Proceed) -> Served:
        if visit.nth_change == self.nth_change:
            self.fell.set()
        if self.fell.is_set() and not visit.name.startswith(self.but or ("-",)):
            self.unanswered += 1
            self.over.wait(MINUTES)
        return proceed()


@pytest.fixture
def team(world: World) -> World:
    world.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": REGIONS["dev"]})
    return world


def locks(world: World) -> int:
    return int(world.client("s3").list_objects_v2(Bucket="records", Prefix="dev.lock")["KeyCount"])


def test_a_signal_while_only_s3_answers(team: World) -> None:
    hush = Hush(team.door, 9, but=("s3:",))
    with started(team, *APPLY) as running:
        assert hush.fell.wait(MINUTES)
        ended = running.leave(signal.SIGINT)
        assert ended.code == 130, ended.err
        assert "could not be given back" not in ended.err
        assert locks(team) == 0
        hush.over.set()
    team.door.reset()
    assert team.tapctl(*APPLY).code == 0
    assert team.owned() == team.wanted()


def test_a_signal_while_nothing_answers(team: World) -> None:
    hush = Hush(team.door, 9)
    with started(team, *APPLY) as running:
        assert hush.fell.wait(MINUTES)
        ended = running.leave(signal.SIGINT)
        assert ended.code == 130, ended.err
        assert "the lock could not be given back, it is free in 60 s" in ended.err
        assert "To go on: tapctl apply --env dev --yes --state s3://records" in ended.err
        hush.over.set()
    team.door.reset()
    team.client("s3").delete_object(Bucket="records", Key="dev.lock")
    assert team.tapctl(*APPLY).code == 0
    assert team.owned() == team.wanted()


def test_a_signal_while_the_lock_is_taken_and_nothing_answers(team: World) -> None:
    """A run without a thread at work ends at once, but for giving the lock back."""
    hush = Hush(team.door, -1)

    def fall(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "s3:PutObject":
            hush.fell.set()
        return hush(visit, proceed)

    team.door.trouble = fall
    with started(team, *APPLY) as running:
        assert hush.fell.wait(MINUTES)
        ended = running.leave(signal.SIGINT)
        hush.over.set()
    assert ended.code == 130, ended.err
    assert "nothing was changed" in ended.err
