"""A hint can be run as it is: with every flag that was given, wherever it stood, and about the same target."""

from __future__ import annotations

import json

import pytest

from tests.support.world import World


@pytest.mark.parametrize("flags", [("--no-color", "--verbose"), ("--json",)])
def test_flags_before_the_command_are_repeated(dev: World, flags: tuple[str, ...]) -> None:
    answer = dev.tapctl(*flags, "destroy", "--env", "dev")
    assert answer.code == 64
    command = f"tapctl {' '.join(flags)} destroy --env dev --yes"
    assert command in answer.out + answer.err


def test_a_wrong_confirmation_is_corrected_wherever_it_stands(dev: World) -> None:
    (dev.folder / "elsewhere").symlink_to("environments")
    answer = dev.tapctl("destroy", "--confirm", "prod", "--env", "dev", "--config", "elsewhere")
    assert answer.code == 64
    assert "to destroy it: tapctl destroy --env dev --config elsewhere --confirm dev\n" in answer.err


def test_who_waits_for_the_lock_is_told_the_whole_command(dev: World) -> None:
    seen: list[str] = []
    dev.door.after["iam:GetRole"] = lambda: seen.append((dev.folder / "manifests" / "dev.lock").read_text())
    dev.tapctl("--quiet", "apply", "--env", "dev")
    assert json.loads(seen[0])["holder"]["command"] == "tapctl --quiet apply --env dev"


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_what_is_let_go_has_to_be_something_of_ours(dev: World, json: tuple[str, ...]) -> None:
    answer = dev.tapctl("apply", "--env", "dev", "--allow", "db-clster/db-cluster-dev", *json)
    assert (answer.code, answer.asked) == (64, ("sts:GetCallerIdentity",))
    said = answer.out + answer.err
    assert "--allow db-clster/db-cluster-dev names nothing that tapctl manages" in said
    assert "did you mean db-cluster/db-cluster-dev?" in said


def test_what_is_gone_already_may_be_named_again(dev: World) -> None:
    """The same command, run again after it was cut off."""
    answer = dev.tapctl(
        "apply", "--env", "dev", "--allow", "db-cluster/db-cluster-old", "--allow", "db-cluster/db-cluster-dev"
    )
    assert answer.code == 0
    (warning,) = (line for line in answer.err.splitlines() if line.startswith("warning"))
    assert warning == (
        "warning: --allow db-cluster/db-cluster-old: there is no such thing, or it is gone already; "
        "did you mean db-cluster/db-cluster-dev?"
    )
