"""The record of the calls that each command makes is that of the commands as they are."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.failures.calls import FILE, REWRITE
from tests.failures.test_denied import DESTROYING, edit_all
from tests.support.world import Answer, World


def calls(answer: Answer, before: list[str]) -> dict[str, Any]:
    """The operations of a command, those of the one ``before`` first; and how many calls change something."""
    # Without S3's by a signed address, which is no operation of ours.
    operations = {name for name in answer.asked if not name.startswith(":")}
    kept = [one for one in before if one in operations]
    return {"operations": [*kept, *sorted(operations.difference(kept))], "changing calls": len(answer.changes)}


def test_the_record_of_calls_is_complete(world: World) -> None:
    first, idle = world.applied("dev"), world.applied("dev")
    looked = world.tapctl("drift", "--env", "dev")
    edit_all(world)
    changed = world.applied("dev")
    assert f"{len(world.stack()) - 2} updated" in changed.verdict, "two groups have no field that can be edited"
    destroyed = world.tapctl(*DESTROYING)
    drift = calls(looked, [])
    nothing = calls(idle, drift["operations"])
    made = {
        "drift": drift,
        "nothing to do": nothing,
        "first apply": calls(first, nothing["operations"]),
        "change": calls(changed, nothing["operations"]),
        "destroy": calls(destroyed, drift["operations"]),
    }
    if os.environ.get("WRITE_GOLDEN"):
        FILE.write_text(json.dumps(made, indent=1) + "\n")
    assert json.loads(FILE.read_text()) == made, f"if this is meant, rewrite and review: {REWRITE}"
