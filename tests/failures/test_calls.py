"""The calls that each command makes: the record of them is that of the commands as they are."""

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
