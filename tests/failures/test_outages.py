"""AWS throttles, fails or does not answer: the apply still gets there, and makes nothing twice."""

from __future__ import annotations

import pytest

from tests.failures.calls import CREATES, DELETES, DRIFT, UPDATES
from tests.failures.test_denied import edit_all
from tests.failures.trouble import HICCUPS, cut_off, hiccup
from tests.support.strides import strided
from tests.support.world import World

APPLY = ("apply", "--env", "dev", "--yes")
SDK_ATTEMPTS = 4
"""Attempts of the SDK at one call: as many failures reach the engine."""
# A key is never made twice: where a create may have been lost, it is looked for during two minutes. So it is in the
# soak alone, but for the case in which the key is there.
EACH = [(name, kind) for name in CREATES for kind in HICCUPS]
LOST_KEYS = [("kms:CreateKey", "broken"), ("kms:CreateKey", "unheard")]
"""Losses of a create are each looked into for two minutes, which is as long as one apply believes in the next one."""


def converged(world: World) -> None:
    """All is made once, and is as it is recorded."""
    assert world.drift().code == 0
    assert world.owned() == world.wanted()
    assert len(world.client("kms").list_keys()["Keys"]) == 1
    again = world.tapctl("apply", "--env", "dev")
    assert (again.code, again.changes) == (0, ())


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind"), EACH)
def test_a_hiccup(world: World, name: str, kind: str) -> None:
    """The SDK asks once more: after an effect whose answer was lost it meets its own work."""
    answer = world.meeting(hiccup(name, kind), *APPLY)
    assert answer.code == 0, answer.err
    converged(world)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind"), LOST_KEYS)
def test_a_key_that_is_lost_twice_is_left_to_the_next_apply(world: World, name: str, kind: str) -> None:
    answer = world.meeting(hiccup(name, kind, SDK_ATTEMPTS), *APPLY)
    assert (answer.code, answer.changes.count(name)) == (4, 2), answer.err
    assert "it is safe to run the same command again" in answer.err
    assert world.applied("dev").code == 0
    converged(world)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind"), [one for one in EACH if one not in LOST_KEYS])
def test_an_outage_that_outlasts_the_sdk(world: World, name: str, kind: str) -> None:
    answer = world.meeting(hiccup(name, kind, SDK_ATTEMPTS), *APPLY)
    assert answer.code == 0, answer.err
    converged(world)


@pytest.mark.soak
def test_a_key_whose_create_was_not_answered_is_found(world: World) -> None:
    answer = world.meeting(hiccup("kms:CreateKey", "unanswered"), *APPLY)
    assert answer.code == 0, answer.err
    assert answer.changes.count("kms:CreateKey") == 1
    converged(world)


@pytest.mark.soak
@pytest.mark.parametrize("kind", HICCUPS)
@pytest.mark.parametrize("name", UPDATES)
def test_an_outage_while_something_is_changed(world: World, name: str, kind: str) -> None:
    world.deploy()
    edit_all(world)
    answer = world.meeting(hiccup(name, kind, SDK_ATTEMPTS), *APPLY)
    assert answer.code == 0, answer.err
    converged(world)


@pytest.mark.soak
@pytest.mark.parametrize("kind", HICCUPS)
@pytest.mark.parametrize("name", DELETES)
def test_an_outage_while_something_is_removed(world: World, name: str, kind: str) -> None:
    world.deploy()
    answer = world.meeting(hiccup(name, kind, SDK_ATTEMPTS), "destroy", "--env", "dev", "--yes")
    assert answer.code == 0, answer.err
    assert world.owned() == {"kms-key": 1}


@pytest.mark.parametrize("name", strided(DRIFT, 29, 7))
def test_a_drift_whose_reads_are_throttled_fails(dev: World, name: str) -> None:
    """Throttled reads are neither "absent" nor "in sync": exit 1, and what did not answer is named."""
    answer = dev.meeting(hiccup(name, "throttled", 99), "drift", "--env", "dev")
    assert answer.code == 1, answer.out
    for told in ("ThrottlingException", name.partition(":")[2], "nothing was changed", "run the same command again"):
        assert told in answer.err
    assert dev.meeting(hiccup(name, "throttled"), "drift", "--env", "dev").code == 0


@pytest.mark.soak
@pytest.mark.parametrize(("requests", "nth"), [(24, 12), *((60, nth) for nth in (2, 12, 30))])
def test_the_network_is_gone_for_a_while(world: World, requests: int, nth: int) -> None:
    """The waiting goes on without a network: a look without an answer is no reason to make a thing twice."""
    answer = world.meeting(cut_off(nth, requests), *APPLY)
    assert answer.code == 0, answer.err
    converged(world)
