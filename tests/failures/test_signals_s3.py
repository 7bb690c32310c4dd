"""Ctrl-C with the record in S3, while nothing answers any more: the command ends all the same."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.failures.gate import Gate, Proceed, Served, Visit
from tests.failures.process import WITHIN_S, started
from tests.failures.scene import MADE, REGION, Scene

pytestmark = pytest.mark.soak

APPLY = ("apply", "--env", "dev", "--yes", "--state", "s3://records")
BUSY_S = 4.0
"""What a machine that runs other tests may add to any time."""
GIVES_BACK_S = 3.0


class Hush:
    """From the nth change on nothing is answered until the test is over; ``but``: these services are."""

    def __init__(self, gate: Gate, nth_change: int, but: tuple[str, ...] = ()) -> None:
        self.nth_change, self.but = nth_change, but
        self.fell, self.over = threading.Event(), threading.Event()
        self.unanswered = 0
        gate.open()
        gate.trouble = self

    def __call__(self, visit: Visit, proceed: Proceed) -> Served:
        if visit.nth_change == self.nth_change:
            self.fell.set()
        if self.fell.is_set() and not visit.name.startswith(self.but or ("-",)):
            self.unanswered += 1
            self.over.wait(60)
        return proceed()


@pytest.fixture
def team(scene: Scene) -> Scene:
    scene.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": REGION})
    return scene


def locks(scene: Scene) -> int:
    return int(scene.client("s3").list_objects_v2(Bucket="records", Prefix="dev.lock")["KeyCount"])


def test_while_no_call_but_the_record_s_is_answered(team: Scene) -> None:
    hush = Hush(team.gate, 9, but=("s3:",))
    with started(team, *APPLY) as running:
        assert hush.fell.wait(60)
        running.tell(signal.SIGINT)
        ended = running.end()
        assert ended.code == 130, ended.err
        assert ended.took_s < WITHIN_S + BUSY_S
        assert "could not be given back" not in ended.err
        assert locks(team) == 0
        hush.over.set()
    team.gate.open()
    assert team.tapctl(*APPLY).code == 0
    assert team.ours() == MADE


def test_while_nothing_at_all_is_answered(team: Scene) -> None:
    hush = Hush(team.gate, 9)
    with started(team, *APPLY) as running:
        assert hush.fell.wait(60)
        running.tell(signal.SIGINT)
        ended = running.end()
        assert ended.code == 130, ended.err
        assert ended.took_s < WITHIN_S + GIVES_BACK_S + BUSY_S
        assert "the lock could not be given back, it is free in 60 s" in ended.err
        assert "To go on: tapctl apply --env dev --yes --state s3://records" in ended.err
        hush.over.set()
    team.gate.open()
    team.client("s3").delete_object(Bucket="records", Key="dev.lock")
    assert team.tapctl(*APPLY).code == 0
    assert team.ours() == MADE


def test_while_the_lock_is_taken_and_nothing_is_answered(team: Scene) -> None:
    """No thread of ours is at work yet: it ends at once, but for giving the lock back."""
    hush = Hush(team.gate, -1)

    def fall(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "s3:PutObject":
            hush.fell.set()
        return hush(visit, proceed)

    team.gate.trouble = fall
    with started(team, *APPLY) as running:
        assert hush.fell.wait(60)
        running.tell(signal.SIGINT)
        ended = running.end()
        hush.over.set()
    assert ended.code == 130, ended.err
    assert ended.took_s < GIVES_BACK_S + BUSY_S
    assert "nothing was changed" in ended.err
