"""A hint can be run as it is: with every flag that was given, wherever it stood, and about the same target."""

from __future__ import annotations

import json

import pytest

from tests.cli.world import World


@pytest.mark.parametrize("flags", [("--no-color", "--verbose"), ("--quiet",), ("--json",)])
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
