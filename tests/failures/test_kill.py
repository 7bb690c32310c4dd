"""Killed at any moment: the next run finds what is there, makes the rest, and nothing twice."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.failures.gate import Proceed, Served, Silence, Visit
from tests.failures.process import started
from tests.failures.scene import MADE, Scene
from tests.failures.test_denied import edit_all
from tests.support.strides import strided

CHANGES = 33
"""Changing calls of a first apply; of one that changes all it can; of a destroy."""
UPDATES = 29
REMOVALS = 24
WRITES = 45
STATE = ("--state", "s3://records/payments")
MOMENTS = ("before", "after")


def killed(scene: Scene, when: tuple[str, int, str], *arguments: str) -> int:
    """Run this command and kill it right before or after its nth request of this kind takes effect.

    How many of its changes took effect.
    """
    kind, nth, moment = when
    hit = False
    done: list[str] = []

    def proceeded(visit: Visit, proceed: Proceed) -> Served:
        if visit.changes:
            done.append(visit.name)
        return proceed()

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        nonlocal hit
        at = visit.nth_change if kind == "change" else visit.nth if visit.name == kind else 0
        if at != nth:
            # What was sent before the kill takes effect in AWS, whether its sender lives or not.
            return proceeded(visit, proceed)
        hit = True
        if moment == "after":
            proceeded(visit, proceed)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        raise Silence

    scene.gate.open()
    with started(scene, *arguments) as running:
        scene.gate.trouble = trouble
        ended = running.end()
    counted = -1
    while counted < len(done):
        # What was on its way when it died arrives, and takes effect.
        counted = len(done)
        time.sleep(0.2)
    scene.gate.open()
    assert ended.code == (-signal.SIGKILL if hit else 0), ended.err
    return counted


def at_each(count: int, kept: int) -> list[Any]:
    """Before and after each of so many; one of them in every run of the tests, all in the soak."""
    return strided([(nth, one) for nth in range(1, count + 1) for one in MOMENTS], 2 * count, kept)


@pytest.mark.parametrize(("nth", "moment"), at_each(CHANGES, 38))
def test_an_apply(scene: Scene, nth: int, moment: str) -> None:
    done = killed(scene, ("change", nth, moment), "apply", "--env", "dev", "--yes")
    again = scene.applied("dev")
    assert "CONVERGED" in again.verdict
    assert {entry["phase"] for entry in scene.manifest()["entries"].values()} == {"made"}
    assert scene.drift().code == 0
    assert scene.ours() == MADE
    assert scene.applied("dev").changes == ()
    assert done + len(again.changes) == CHANGES, "not one call more than needed"
    keys = scene.client("kms").list_keys()["Keys"]
    assert len(keys) == 1


@pytest.mark.parametrize(("nth", "moment"), at_each(UPDATES, 17))
def test_a_change(scene: Scene, nth: int, moment: str) -> None:
    scene.standing()
    edit_all(scene)
    done = killed(scene, ("change", nth, moment), "apply", "--env", "dev", "--yes")
    again = scene.applied("dev")
    assert {entry["phase"] for entry in scene.manifest()["entries"].values()} == {"made"}
    assert scene.drift().code == 0
    assert scene.ours() == MADE
    assert done + len(again.changes) == UPDATES, "not one call more than needed"
    assert scene.applied("dev").changes == ()


@pytest.mark.parametrize(("nth", "moment"), at_each(REMOVALS, 21))
def test_a_destroy(scene: Scene, nth: int, moment: str) -> None:
    scene.standing()
    done = killed(scene, ("change", nth, moment), "destroy", "--env", "dev", "--yes")
    again = scene.tapctl("destroy", "--env", "dev", "--yes")
    assert again.code == 0
    assert scene.ours() == {"kms-key": 1}
    assert done + len(again.changes) == REMOVALS, "not one call more than needed"


@pytest.mark.parametrize(("nth", "moment"), at_each(WRITES, 33))
def test_at_a_write_of_the_record(scene: Scene, nth: int, moment: str) -> None:
    """In S3, where a write can be timed; the lock of the dead run is somebody else's until its lease ends."""
    s3 = scene.client("s3")
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    killed(scene, ("s3:PutObject", nth, moment), "apply", "--env", "dev", "--yes", *STATE)
    s3.delete_object(Bucket="records", Key="payments/dev.lock")
    again = scene.tapctl("apply", "--env", "dev", "--yes", *STATE)
    assert again.code == 0, again.err
    assert scene.tapctl("drift", "--env", "dev", *STATE).code == 0
    assert scene.ours() == MADE
    assert scene.tapctl("apply", "--env", "dev", "--yes", *STATE).changes == ()


@pytest.mark.soak
def test_the_record_lost_with_the_run(scene: Scene) -> None:
    """Killed half way, and then the record removed: ids and tags are enough to go on without a duplicate."""
    killed(scene, ("change", 21, "after"), "apply", "--env", "dev", "--yes")
    scene.path().unlink()
    scene.applied("dev")
    assert scene.drift().code == 0
    assert scene.ours() == MADE
    assert len(scene.client("kms").list_keys()["Keys"]) == 1
