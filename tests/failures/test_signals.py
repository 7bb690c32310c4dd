"""Ctrl-C and SIGTERM: nothing new starts, the command leaves soon, says how to go on, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tapctl.cli.failures import report_interrupt
from tests.failures.gate import Proceed, Served, Visit
from tests.failures.process import WITHIN_S, Hold, started
from tests.failures.scene import MADE, Scene
from tests.failures.trouble import at_change
from tests.support.strides import strided

APPLY = ("apply", "--env", "dev", "--yes")
BUSY_S = 2.0
"""What a machine that runs other tests may add to any time."""
HELD = (
    ("plan", "sts:GetCallerIdentity"),
    ("plan", "cloudformation:DescribeStacks"),
    ("plan", "ecr:DescribeImages"),
    ("plan", "iam:GetRole"),
    ("drift", "iam:GetRole"),
    ("apply", "ecr:DescribeImages"),
    ("destroy", "iam:ListRoles"),
)


@pytest.mark.parametrize(("verb", "held"), strided(HELD, 3, 2))
@pytest.mark.parametrize("number", strided((signal.SIGINT, signal.SIGTERM), 2, 1))
def test_while_a_read_hangs(scene: Scene, verb: str, held: str, number: int) -> None:
    """A read that does not come back (20 s a time, four times) is waited for by nobody."""
    if verb == "drift":
        scene.standing()
    hold = Hold(scene.gate, held)
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    with started(scene, verb, "--env", "dev", *more) as running:
        hold.arrived()
        running.tell(number)
        ended = running.end()
        hold.release()
    assert ended.code == 128 + number, ended.err
    assert ended.took_s < WITHIN_S
    assert f"stopped by {signal.Signals(number).name}; nothing was changed. To go on: tapctl {verb}" in ended.err
    assert "Traceback" not in ended.err
    assert "STOPPED" in ended.out


@pytest.mark.parametrize(("nth", "number"), strided([(nth, one) for nth in range(1, 34) for one in (2, 15)], 66, 20))
def test_in_the_middle_of_an_apply(scene: Scene, nth: int, number: int) -> None:
    """In process: the signal comes right before the nth changing call takes effect."""
    seen: list[int] = []

    def stop() -> None:
        seen.append(len(scene.gate.changes))
        os.kill(os.getpid(), number)

    answer = scene.meeting(at_change(nth, stop), *APPLY)
    assert answer.code == 128 + number, answer.err
    assert "stopping: nothing new is begun" in answer.err
    assert f"stopped by {signal.Signals(number).name}" in answer.err
    assert "To go on: tapctl apply --env dev --yes" in answer.err
    # What was on its way already (ten at most) came; nothing that waited for it was begun.
    assert len(answer.changes) <= seen[0] + 10
    assert len(answer.changes) < 33 or nth > 22
    assert "NOT CONVERGED" in answer.verdict
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    again = scene.applied("dev")
    assert "CONVERGED" in again.verdict
    assert scene.drift().code == 0
    assert scene.ours() == MADE


@pytest.mark.parametrize("number", strided((signal.SIGINT, signal.SIGTERM), 2))
def test_in_the_middle_of_a_destroy(scene: Scene, number: int) -> None:
    scene.standing()
    recorded = set(scene.manifest()["entries"])
    destroy = ("destroy", "--env", "dev", "--yes")
    answer = scene.meeting(at_change(9, lambda: os.kill(os.getpid(), number)), *destroy)
    assert answer.code == 128 + number, answer.err
    assert "To go on: tapctl destroy --env dev --yes" in answer.err
    proof = scene.folder / "manifests" / "dev.certificate.json"
    assert not json.loads(proof.read_text())["complete"]
    assert scene.tapctl(*destroy).code == 0
    # The proof is of both: of what went before, of what went meanwhile, and of what went now.
    whole = proof.read_text()
    told = json.loads(whole)
    assert (told["complete"], {*told["gone"], *told["kept"]}) == (True, recorded)
    assert scene.tapctl(*destroy).code == 0
    assert proof.read_text() == whole, "nothing was left to remove"
    assert scene.ours() == {"kms-key": 1}


def test_while_a_change_hangs(scene: Scene) -> None:
    """A call that AWS has taken is named; it is left within five seconds, and the lock is free."""
    hold = Hold(scene.gate, "rds:CreateDBCluster")
    with started(scene, *APPLY) as running:
        hold.arrived()
        running.tell(signal.SIGINT)
        ended = running.end()
        assert ended.code == 130, ended.err
        assert WITHIN_S - 1 < ended.took_s < WITHIN_S + BUSY_S
        assert "calls still in flight: rds:CreateDBCluster" in ended.err
        assert "To go on: tapctl apply --env dev --yes" in ended.err
        assert scene.manifest()["entries"]["db-cluster/db-cluster-dev"]["phase"] == "making"
        # AWS goes on with it while the next run looks.
        hold.release()
    scene.gate.open()
    assert scene.applied("dev").code == 0
    assert scene.ours() == MADE


@pytest.mark.parametrize("number", strided((signal.SIGINT, signal.SIGTERM), 2))
def test_a_second_signal_ends_at_once(scene: Scene, number: int) -> None:
    hold = Hold(scene.gate, "iam:CreateRole", after=True)
    with started(scene, *APPLY) as running:
        hold.arrived()
        running.tell(signal.SIGINT)
        running.has_heard()
        running.tell(number)
        ended = running.end()
        hold.release()
    assert ended.code == -number
    assert ended.took_s < 1
    scene.gate.open()
    again = scene.applied("dev")
    assert "CONVERGED" in again.verdict
    assert scene.drift().code == 0
    assert scene.ours() == MADE


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_asking_who_we_are(scene: Scene, number: signal.Signals) -> None:
    def stop(_: Visit, proceed: Proceed) -> Served:
        os.kill(os.getpid(), number)
        return proceed()

    answer = scene.meeting(stop, "--no-color", "plan", "--env", "dev")
    assert answer.code == 128 + number
    stopped = f"stopped by {number.name}; nothing was changed. To go on: tapctl --no-color plan --env dev"
    assert stopped in answer.err
    assert answer.verdict == "PLAN dev: STOPPED"


def test_before_there_is_a_screen() -> None:
    """Nothing is said, and nothing breaks."""
    assert report_interrupt({}, signal.SIGINT) == 130
