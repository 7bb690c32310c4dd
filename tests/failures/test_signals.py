"""Ctrl-C, SIGTERM, SIGHUP: nothing new starts, the command leaves soon, says how to go on, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tapctl.cli.failures import report_interrupt
from tests.failures.calls import FIRST_APPLY_CHANGES
from tests.failures.process import Hold, started
from tests.failures.trouble import at_change
from tests.support.door import Proceed, Served, Visit
from tests.support.strides import strided
from tests.support.world import World

APPLY = ("apply", "--env", "dev", "--yes")
HELD = (
    ("plan", "sts:GetCallerIdentity"),
    ("plan", "cloudformation:DescribeStacks"),
    ("plan", "ecr:DescribeImages"),
    ("plan", "iam:GetRole"),
    ("drift", "iam:GetRole"),
    ("apply", "ecr:DescribeImages"),
    ("destroy", "iam:ListRoles"),
)


@pytest.mark.parametrize(("verb", "held"), strided(HELD, len(HELD), 2))
@pytest.mark.parametrize("number", strided((signal.SIGINT, signal.SIGTERM), 2, 1))
def test_a_signal_while_a_read_hangs(world: World, verb: str, held: str, number: int) -> None:
    """A read that does not come back (20 s a time, four times) is waited for by nobody."""
    if verb == "drift":
        world.deploy()
    hold = Hold(world.door, held)
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    with started(world, verb, "--env", "dev", *more) as running:
        hold.arrived()
        ended = running.leave(number)
        hold.release()
    assert ended.code == 128 + number, ended.err
    assert f"stopped by {signal.Signals(number).name}; nothing was changed. To go on: tapctl {verb}" in ended.err
    assert "Traceback" not in ended.err
    assert "STOPPED" in ended.out


@pytest.mark.parametrize(
    ("nth", "number"),
    strided([(nth, one) for nth in range(1, FIRST_APPLY_CHANGES + 1) for one in (2, 15)], 2 * FIRST_APPLY_CHANGES, 20),
)
def test_a_signal_in_the_middle_of_an_apply(world: World, nth: int, number: int) -> None:
    """A signal comes, in process, right before the nth changing call takes effect."""
    seen: list[int] = []

    def stop() -> None:
        seen.append(len(world.door.changes))
        os.kill(os.getpid(), number)

    answer = world.meeting(at_change(nth, stop), *APPLY)
    assert answer.code == 128 + number, answer.err
    assert "stopping: nothing new is begun" in answer.err
    assert f"stopped by {signal.Signals(number).name}" in answer.err
    assert "To go on: tapctl apply --env dev --yes" in answer.err
    # What was on its way already (ten at most) came; nothing that waited for it was begun.
    assert len(answer.changes) <= seen[0] + 10
    assert len(answer.changes) < FIRST_APPLY_CHANGES or nth > 22
    assert "NOT CONVERGED" in answer.verdict
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    again = world.applied("dev")
    assert "CONVERGED" in again.verdict
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_destroy(world: World, number: int) -> None:
    world.deploy()
    recorded = set(world.manifest()["entries"])
    destroy = ("destroy", "--env", "dev", "--yes")
    answer = world.meeting(at_change(9, lambda: os.kill(os.getpid(), number)), *destroy)
    assert answer.code == 128 + number, answer.err
    assert "To go on: tapctl destroy --env dev --yes" in answer.err
    proof = world.folder / "manifests" / "dev.certificate.json"
    assert not json.loads(proof.read_text())["complete"]
    assert world.tapctl(*destroy).code == 0
    # The proof is of both: of what went before, of what went meanwhile, and of what went now.
    whole = proof.read_text()
    told = json.loads(whole)
    assert (told["complete"], {*told["gone"], *told["kept"]}) == (True, recorded)
    assert world.tapctl(*destroy).code == 0
    assert proof.read_text() == whole, "nothing was left to remove"
    assert world.owned() == {"kms-key": 1}


@pytest.mark.soak
def test_a_signal_while_a_change_hangs(world: World) -> None:
    """A call that AWS has taken is named; it is left, and the lock is free."""
    hold = Hold(world.door, "rds:CreateDBCluster")
    with started(world, *APPLY) as running:
        hold.arrived()
        ended = running.leave(signal.SIGINT)
        assert ended.code == 130, ended.err
        assert "calls still in flight: rds:CreateDBCluster" in ended.err
        assert "To go on: tapctl apply --env dev --yes" in ended.err
        assert world.manifest()["entries"]["db-cluster/db-cluster-dev"]["phase"] == "making"
        # AWS goes on with it while the next run looks.
        hold.release()
    world.door.reset()
    assert world.applied("dev").code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(world: World, number: int) -> None:
    hold = Hold(world.door, "iam:CreateRole", after=True)
    with started(world, *APPLY) as running:
        hold.arrived()
        running.tell(signal.SIGINT)
        running.has_heard()
        ended = running.leave(number)
        hold.release()
    # By the signal itself: the command has said nothing more.
    assert ended.code == -number
    assert "calls still in flight" not in ended.err
    world.door.reset()
    again = world.applied("dev")
    assert "CONVERGED" in again.verdict
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_asking_who_we_are(world: World, number: signal.Signals) -> None:
    def stop(_: Visit, proceed: Proceed) -> Served:
        os.kill(os.getpid(), number)
        return proceed()

    answer = world.meeting(stop, "--no-color", "plan", "--env", "dev")
    assert answer.code == (130 if number == signal.SIGINT else 143)
    stopped = f"stopped by {number.name}; nothing was changed. To go on: tapctl --no-color plan --env dev"
    assert stopped in answer.err
    assert answer.verdict == "PLAN dev: STOPPED"


def test_a_signal_before_there_is_a_screen() -> None:
    """A signal without a screen says nothing, and nothing breaks."""
    assert report_interrupt({}, signal.SIGINT) == 130
