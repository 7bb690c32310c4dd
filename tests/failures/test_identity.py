"""The identity, and an AWS that cannot be reached: the wrong account, no credentials, credentials that run out."""

from __future__ import annotations

import socket

import pytest

from tests.failures.calls import DESTROY_CHANGES
from tests.failures.trouble import refuse
from tests.support.door import Proceed, Refusal, Served, Visit
from tests.support.strides import strided
from tests.support.world import World

ALL = (
    ("plan",),
    ("plan", "--destroy"),
    ("apply", "--yes"),
    ("drift",),
    ("destroy", "--yes"),
)
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired", "SignatureDoesNotMatch")


@pytest.mark.parametrize("command", ALL)
def test_another_account_is_left_after_one_call(world: World, command: tuple[str, ...]) -> None:
    world.edit("dev.toml", "123456789012", "210987654321")
    answer = world.tapctl(*command, "--env", "dev")
    assert (answer.code, answer.asked) == (9, ("sts:GetCallerIdentity",))
    for told in (
        "error wrong-target",
        "123456789012",
        "210987654321",
        "dev.toml",
        "AWS_PROFILE",
        "nothing was changed",
    ):
        assert told in answer.err.replace("the environment's file", "dev.toml")


@pytest.mark.parametrize("command", ALL)
def test_no_credentials(world: World, command: tuple[str, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        answer = world.tapctl(*command, "--env", "dev")
    assert (answer.code, answer.asked) == (9, ())
    for told in ("error wrong-target", "no usable AWS credentials", "aws sso login"):
        assert told in answer.err


@pytest.mark.parametrize("code", EXPIRED)
def test_credentials_that_aws_does_not_take(world: World, code: str) -> None:
    answer = world.meeting(refuse((), code), "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.asked) == (9, ("sts:GetCallerIdentity",))
    for told in ("error wrong-target", code, "log in again", "nothing was changed"):
        assert told in answer.err


def test_a_region_that_the_account_has_not_enabled(world: World) -> None:
    world.door.sandbox.simulation.script("sts.region", "off")
    answer = world.tapctl("plan", "--env", "dev")
    assert (answer.code, answer.asked) == (9, ("sts:GetCallerIdentity",))
    assert "where that does not help, enable the region for this account" in answer.err


@pytest.mark.parametrize("command", ALL)
def test_credentials_that_run_out_right_after(world: World, command: tuple[str, ...]) -> None:
    """Before anything was made it is the identity that is wrong, not the work that is half done."""

    def expired(visit: Visit, proceed: Proceed) -> Served:
        if visit.nth_of_all > 1:
            raise Refusal("ExpiredTokenException")
        return proceed()

    if command == ("drift",):
        world.deploy()
    answer = world.meeting(expired, *command, "--env", "dev")
    assert (answer.code, answer.changes) == (9, ()), answer.err
    for told in ("ExpiredTokenException", "log in again", "nothing was changed"):
        assert told in answer.err


@pytest.mark.soak
@pytest.mark.parametrize("changes", strided((1, 9, 25), 3, 1))
def test_credentials_that_run_out_half_way(world: World, changes: int) -> None:
    answer = world.meeting(refuse((), "ExpiredToken", after_changes=changes), "apply", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    for told in ("ExpiredToken", "log in again", "run the same command again", "the manifest is up to date"):
        assert told in answer.err
    # However many were under way when they ran out: it is one cause.
    assert answer.err.count("error aws-refused") == 1
    phases = [entry["phase"] for entry in world.manifest()["entries"].values()]
    assert "making" in phases
    again = world.applied("dev")
    assert "CONVERGED" in again.verdict
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
def test_credentials_that_run_out_half_way_through_a_destroy(world: World) -> None:
    world.deploy()
    answer = world.meeting(refuse((), "ExpiredToken", after_changes=12), "destroy", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    assert "log in again" in answer.err
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert world.owned() == {"kms-key": 1}


@pytest.mark.soak
def test_credentials_that_run_out_when_all_is_removed_but_not_proved(world: World) -> None:
    """The sweep is a part of the destroy: without it nobody may say that all is gone, or that nothing was changed."""
    world.deploy()
    scheduled = False

    def expired(visit: Visit, proceed: Proceed) -> Served:
        nonlocal scheduled
        if scheduled and visit.name == "iam:ListRoles":
            raise Refusal("ExpiredToken")
        scheduled = scheduled or visit.name == "kms:ScheduleKeyDeletion"
        return proceed()

    answer = world.meeting(expired, "destroy", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    assert len(answer.changes) == DESTROY_CHANGES
    assert "  state  what stands above is so; what else is left could not be looked for" in answer.err.splitlines()
    assert "NOT DESTROYED" in answer.verdict
    assert answer.verdict.endswith("· what else is left was not looked for")
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0


@pytest.mark.parametrize("command", ALL)
def test_an_endpoint_that_refuses_connections(world: World, command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", nobody)
        answer = world.tapctl(*command, "--env", "dev")
    assert answer.code == 1
    for told in ("error aws-lost", nobody, "nothing was changed", "check the network"):
        assert told in answer.err


def test_a_region_that_is_not_the_environment_s_own_is_warned_of(world: World) -> None:
    answer = world.tapctl("plan", "--env", "dev", "--region", "us-west-2")
    assert "warning: us-west-2 is not the region of dev (us-east-2)" in answer.err
    assert answer.code == 3  # there is no networking stack of dev's
