"""The calls that each command makes: the record of them is that of the commands as they are."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

import pytest

from tests.failures.calls import FILE, REWRITE
from tests.failures.test_denied import DESTROYING, edit_all
from tests.support.door import Proceed, Served, Visit
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


def test_a_drift_where_nothing_is_amiss_reads_one_version_of_the_record_beside_the_present_one(dev: World) -> None:
    """Who writes the record may write another identity of what AWS has into it: the one before tells."""
    s3, record = dev.client("s3"), dev.manifest()
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    for serial in range(1, 9):
        earlier = {**record, "serial": serial, "run": f"run-{serial}"}
        key = f"history/dev/{serial:08}-run-{serial}.json"
        s3.put_object(Bucket="records", Key=key, Body=json.dumps(earlier))

    def reads(record: dict[str, Any]) -> tuple[int, list[str]]:
        s3.put_object(Bucket="records", Key="dev.json", Body=json.dumps(record))
        told = dev.tapctl("drift", "--env", "dev", "--state", "s3://records")
        return told.code, [name for name in told.asked if name.startswith("s3:")]

    alone = ["s3:GetObject", "s3:GetObject", "s3:ListObjectsV2", "s3:GetObject"]
    assert reads(record) == (0, alone), "the record and its lock, and the version before"
    code, more = reads({**record, "unfinished": True})
    assert (code, len(more) > len(alone)) == (7, True), "what was cut off is held against the history"


COMMANDS = (
    ("plan --env dev", 1),
    ("drift", 1),
    ("outputs --env dev", 1),
    ("apply --env dev --yes", 2),
    ("destroy --env dev --yes", 2),
    ("drift --env dev", 1),
    ("plan --env dev", 1),
)
"""Commands in a row, of which the apply has something to do, and how often each reads the kept durations at most."""


@pytest.mark.soak
def test_no_command_reads_a_version_of_the_record_twice(world: World) -> None:
    """Of the durations an apply reads those that its conditional write replaces once more."""
    world.deploy()
    s3, record = world.client("s3"), world.manifest()
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    for serial in range(record["serial"] - 3, record["serial"]):
        key = f"history/dev/{serial:08}-run-{serial}.json"
        s3.put_object(Bucket="records", Key=key, Body=json.dumps({**record, "serial": serial, "run": f"run-{serial}"}))
    s3.put_object(Bucket="records", Key="dev.json", Body=json.dumps({**record, "unfinished": True}))
    world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    for command, most in COMMANDS:
        read = Counter[str]()

        def count(visit: Visit, proceed: Proceed, read: Counter[str] = read) -> Served:
            if visit.name == "s3:GetObject":
                read[visit.key] += 1
            return proceed()

        told = world.meeting(count, *command.split(), "--state", "s3://records")
        assert told.code in (0, 7), told.err
        twice = {key for key, times in read.items() if times > 1 and key.startswith("history/")}
        assert (command, twice) == (command, set())
        assert read["dev.durations.json"] <= most, command
