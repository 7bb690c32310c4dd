"""The lock lets one run in at a time: whoever comes second is told who is first, and changes nothing."""

from __future__ import annotations

import os
import signal

import pytest

from tests.failures.calls import FIRST_APPLY_CHANGES
from tests.failures.process import Hold, started
from tests.failures.trouble import at_change
from tests.support.world import World

APPLY = ("apply", "--env", "dev", "--yes")


@pytest.mark.soak
@pytest.mark.parametrize("state", ["./manifests", "s3://records"])
def test_a_second_command_is_refused_while_the_first_is_at_work(world: World, state: str) -> None:
    world.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    hold = Hold(world.door, "kms:CreateKey")
    with started(world, *APPLY, "--state", state) as running:
        hold.arrived()
        for verb in ("apply", "destroy"):
            answer = world.tapctl(verb, "--env", "dev", "--yes", "--state", state)
            assert answer.code == 5, answer.err
            for told in (
                "error lock-held",
                "somebody else is changing this environment",
                f"(pid {running.process.pid})",
                "user/moto",
                f"runs tapctl apply --env dev --yes --state {state}",
                "nothing was changed",
                "hint",
            ):
                assert told in answer.err
        # Who only looks needs no lock.
        assert world.tapctl("plan", "--env", "dev", "--state", state).code == 0
        # Another environment is another lock.
        assert world.tapctl("plan", "--env", "dev", "--suffix", "pr-1", "--state", state).code == 0
        with started(world, *APPLY, "--state", state, "--lock-timeout", "300s") as patient:
            hold.release()
            assert running.end().code == 0
            waited = patient.end()
    assert (waited.code, f"{len(world.stack())} unchanged" in waited.out) == (0, True), waited.err
    assert world.tapctl("drift", "--env", "dev", "--state", state).code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
def test_a_lock_dies_with_its_holder(world: World) -> None:
    hold = Hold(world.door, "kms:CreateKey")
    with started(world, *APPLY) as running:
        hold.arrived()
        running.tell(signal.SIGKILL)
        running.end()
    hold.release()
    world.door.reset()
    assert world.applied("dev").code == 0
    assert len(world.client("kms").list_keys()["Keys"]) == 1


@pytest.mark.soak
def test_a_lock_that_is_taken_away_stops_the_run(world: World) -> None:
    """Another file stands in the lock's place: the one we hold keeps nobody out any more."""

    def take() -> None:
        (world.folder / "manifests" / "new").write_text("{}")
        os.replace(world.folder / "manifests" / "new", world.folder / "manifests" / "dev.lock")  # noqa: PTH105

    answer = world.meeting(at_change(9, take), *APPLY)
    assert answer.code == 5, answer.err
    assert answer.err.count("error lock-held") == 1
    assert "was taken away from this run" in answer.err
    assert len(answer.changes) < FIRST_APPLY_CHANGES
    assert world.applied("dev").code == 0
    assert world.owned() == world.wanted()
