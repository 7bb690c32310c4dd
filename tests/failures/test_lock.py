"""One run at a time: whoever comes second is told who is first, and changes nothing."""

from __future__ import annotations

import os
import signal

import pytest

from tests.failures.process import Hold, started
from tests.failures.scene import MADE, Scene
from tests.failures.trouble import at_change
from tests.support.strides import strided

APPLY = ("apply", "--env", "dev", "--yes")


@pytest.mark.parametrize("state", strided(["./manifests", "s3://records"], 2))
def test_while_another_process_is_at_work(scene: Scene, state: str) -> None:
    scene.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    hold = Hold(scene.gate, "kms:CreateKey")
    with started(scene, *APPLY, "--state", state) as running:
        hold.arrived()
        for verb in ("apply", "destroy"):
            answer = scene.tapctl(verb, "--env", "dev", "--yes", "--state", state)
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
        assert scene.tapctl("plan", "--env", "dev", "--state", state).code == 0
        # Another environment is another lock.
        assert scene.tapctl("plan", "--env", "dev", "--suffix", "pr-1", "--state", state).code == 0
        with started(scene, *APPLY, "--state", state, "--lock-timeout", "60s") as patient:
            hold.release()
            assert running.end().code == 0
            waited = patient.end()
    assert (waited.code, "21 unchanged" in waited.out) == (0, True), waited.err
    assert scene.tapctl("drift", "--env", "dev", "--state", state).code == 0
    assert scene.ours() == MADE


def test_a_lock_dies_with_its_holder(scene: Scene) -> None:
    hold = Hold(scene.gate, "kms:CreateKey")
    with started(scene, *APPLY) as running:
        hold.arrived()
        running.tell(signal.SIGKILL)
        running.end()
    hold.release()
    scene.gate.open()
    assert scene.applied("dev").code == 0
    assert len(scene.client("kms").list_keys()["Keys"]) == 1


@pytest.mark.soak
def test_a_lock_that_is_taken_away_stops_the_run(scene: Scene) -> None:
    """Somebody has put another file in its place: the one we hold keeps nobody out any more."""

    def take() -> None:
        (scene.folder / "manifests" / "new").write_text("{}")
        os.replace(scene.folder / "manifests" / "new", scene.folder / "manifests" / "dev.lock")  # noqa: PTH105

    answer = scene.meeting(at_change(9, take), *APPLY)
    assert answer.code == 5, answer.err
    assert answer.err.count("error lock-held") == 1
    assert "was taken away from this run" in answer.err
    assert len(answer.changes) < 33
    assert scene.applied("dev").code == 0
    assert scene.ours() == MADE
