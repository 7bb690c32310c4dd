"""Killed at any moment: the next run finds what is there, makes the rest, and nothing twice."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from tests.failures.calls import DESTROY_CHANGES, EDIT_CHANGES, FIRST_APPLY_CHANGES, FIRST_APPLY_WRITES
from tests.failures.process import all_arrived, started
from tests.failures.test_denied import edit_all
from tests.support.door import Proceed, Served, Silence, Visit
from tests.support.strides import strided
from tests.support.world import World

STATE = ("--state", "s3://records/payments")
MOMENTS = ("before", "after")


def killed(world: World, when: tuple[str, int, str], *arguments: str) -> int:
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

    world.door.reset()
    before = set(threading.enumerate())
    with started(world, *arguments) as running:
        world.door.trouble = trouble
        ended = running.end()
    # What was on its way when it died arrives, and takes effect.
    all_arrived(world.door.url, before)
    world.door.reset()
    assert ended.code == (-signal.SIGKILL if hit else 0), ended.err
    return len(done)


def at_each(count: int, kept: int) -> list[Any]:
    """Before and after each of so many; one of them in every run of the tests, all in the soak."""
    return strided([(nth, one) for nth in range(1, count + 1) for one in MOMENTS], 2 * count, kept)


@pytest.mark.parametrize(("nth", "moment"), at_each(FIRST_APPLY_CHANGES, 38))
def test_killed_in_an_apply(world: World, nth: int, moment: str) -> None:
    done = killed(world, ("change", nth, moment), "apply", "--env", "dev", "--yes")
    again = world.applied("dev")
    assert "CONVERGED" in again.verdict
    assert {entry["phase"] for entry in world.manifest()["entries"].values()} == {"made"}
    assert world.drift().code == 0
    assert world.owned() == world.wanted()
    assert world.applied("dev").changes == ()
    assert done + len(again.changes) == FIRST_APPLY_CHANGES, "not one call more than needed"
    keys = world.client("kms").list_keys()["Keys"]
    assert len(keys) == 1


@pytest.mark.soak
@pytest.mark.parametrize(("nth", "moment"), at_each(EDIT_CHANGES, 17))
def test_killed_in_an_apply_of_edits(world: World, nth: int, moment: str) -> None:
    world.deploy()
    edit_all(world)
    done = killed(world, ("change", nth, moment), "apply", "--env", "dev", "--yes")
    again = world.applied("dev")
    assert {entry["phase"] for entry in world.manifest()["entries"].values()} == {"made"}
    assert world.drift().code == 0
    assert world.owned() == world.wanted()
    assert done + len(again.changes) == EDIT_CHANGES, "not one call more than needed"
    assert world.applied("dev").changes == ()


@pytest.mark.soak
@pytest.mark.parametrize(("nth", "moment"), at_each(DESTROY_CHANGES, 21))
def test_killed_in_a_destroy(world: World, nth: int, moment: str) -> None:
    world.deploy()
    everything = {*world.manifest()["entries"]}
    done = killed(world, ("change", nth, moment), "destroy", "--env", "dev", "--yes")
    again = world.tapctl("destroy", "--env", "dev", "--yes")
    assert again.code == 0
    assert world.owned() == {"kms-key": 1}
    certificate = json.loads((world.path().parent / "dev.certificate.json").read_text())
    assert everything - {*certificate["gone"], *certificate["kept"]} == set(), (
        "also what the one that was killed removed"
    )
    assert done + len(again.changes) == DESTROY_CHANGES, "not one call more than needed"


@pytest.mark.soak
@pytest.mark.parametrize(("nth", "moment"), at_each(FIRST_APPLY_WRITES, 33))
def test_killed_at_a_write_of_the_record(world: World, nth: int, moment: str) -> None:
    """Writes in S3 can be timed; the lock of the dead run is somebody else's until its lease ends."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    killed(world, ("s3:PutObject", nth, moment), "apply", "--env", "dev", "--yes", *STATE)
    s3.delete_object(Bucket="records", Key="payments/dev.lock")
    again = world.tapctl("apply", "--env", "dev", "--yes", *STATE)
    assert again.code == 0, again.err
    assert world.tapctl("drift", "--env", "dev", *STATE).code == 0
    assert world.owned() == world.wanted()
    assert world.tapctl("apply", "--env", "dev", "--yes", *STATE).changes == ()


@pytest.mark.soak
def test_killed_and_the_record_lost(world: World) -> None:
    """Killed half way, and then the record removed: ids and tags are enough to go on without a duplicate."""
    killed(world, ("change", 21, "after"), "apply", "--env", "dev", "--yes")
    world.path().unlink()
    world.applied("dev")
    assert world.drift().code == 0
    assert world.owned() == world.wanted()
    assert len(world.client("kms").list_keys()["Keys"]) == 1
