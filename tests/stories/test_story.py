"""The main job, from nothing to nothing."""

from __future__ import annotations

import pytest

from tests.support.world import World


@pytest.mark.soak
@pytest.mark.parametrize("env", ["dev", "staging"])
def test_made_then_nothing_to_do_then_gone(world: World, env: str) -> None:
    assert world.tapctl("plan", "--env", env, "--detailed-exitcode").code == 2
    made = world.tapctl("apply", "--env", env, "--yes")
    assert made.code == 0, made.err
    assert made.verdict.startswith(f"APPLY {env}: CONVERGED")
    count, fields = len(world.stack(env)), world.field_count(env)
    assert f"{count} created" in made.verdict
    assert f"{fields}/{fields} fields read back" in made.verdict
    again = world.tapctl("apply", "--env", env)
    assert again.code == 0
    assert f"{count} unchanged" in again.verdict
    assert world.tapctl("plan", "--env", env, "--detailed-exitcode").code == 0
    assert world.tapctl("drift", "--env", env).verdict.startswith(f"DRIFT {env}: OK")
    gone = world.tapctl("destroy", "--env", env, "--yes")
    assert gone.code == 0, gone.err
    assert gone.verdict.startswith(f"DESTROY {env}: DESTROYED")
    assert world.tapctl("destroy", "--env", env, "--yes").code == 0
    back = world.tapctl("apply", "--env", env, "--yes")
    assert back.code == 0, back.err
