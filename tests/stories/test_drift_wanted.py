"""Drift beside files that want more than the record: what an apply would do besides is told, and decides nothing."""

from __future__ import annotations

import json

import pytest

from tests.support.world import World

UNDO = "undo it:\n        tapctl revert --env dev lambda-function/payment-processor-dev.timeout_s\n"


@pytest.fixture(scope="module")
def drifted(shared: World) -> World:
    """The function's timeout was changed by hand."""
    shared.deploy()
    shared.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=33)
    return shared


def test_where_an_apply_would_do_nothing_beside_nothing_is_told_of_it(drifted: World) -> None:
    answer = drifted.tapctl("drift", "--env", "dev")
    assert (answer.code, UNDO in answer.out) == (2, True)
    assert "the files want more" not in answer.out


def test_what_an_apply_would_do_beside_is_told_with_its_cost(drifted: World) -> None:
    drifted.edit("dev.toml", "db.t4g.medium", "db.r6g.large")
    drifted.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    drifted.edit("common.toml", 'tag = "1.0.0"', 'tag = "sha256:' + "a" * 64 + '"')
    answer = drifted.tapctl("drift", "--env", "dev")
    told = drifted.tapctl("drift", "--env", "dev", "--json").records[-1]
    (drifted.folder / "environments" / "common.toml").rename(drifted.folder / "common.toml")
    blind = drifted.tapctl("drift", "--env", "dev")
    (drifted.folder / "common.toml").rename(drifted.folder / "environments" / "common.toml")
    drifted.edit("dev.toml", "db.r6g.large", "db.t4g.medium")
    drifted.edit("dev.toml", "memory_mb = 2048", "memory_mb = 1024")
    drifted.edit("common.toml", 'tag = "sha256:' + "a" * 64 + '"', 'tag = "1.0.0"')
    assert answer.code == 2
    assert UNDO in answer.out
    assert "0 to create · 3 to change · 0 to remove · 1 has an outage" in answer.out
    assert "~ db-instance  db-cluster-dev-0  outage  instance_class" in answer.out
    assert "~ lambda-function  payment-processor-dev  none  image_uri, memory_mb" in answer.out
    assert "see it: tapctl plan --env dev" in answer.out
    assert told["wanted"]["changes"]["db-instance/db-cluster-dev-0"] == "update"
    assert (told["wanted"]["impacts"]["outage"], told["counts"]["drifted"]) == (1, 1)
    # The files decide nothing, and where they cannot be read nothing more is told.
    assert (blind.code, blind.verdict) == (2, answer.verdict)
    assert "the files want more" not in blind.out
    assert UNDO in blind.out


@pytest.mark.soak
def test_an_old_record_that_was_put_back_is_said_to_be_old(drifted: World) -> None:
    old = drifted.path().read_text()
    drifted.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    drifted.applied("dev")
    drifted.path().write_text(old)
    answer = drifted.tapctl("drift", "--env", "dev")
    assert answer.code == 2
    assert "the record is older than AWS: manifests/dev.json has serial" in answer.err
    assert "its history has serial" in answer.err
    assert "undo it:" not in answer.out
    assert (
        "its history has serial" in drifted.tapctl("drift", "--env", "dev", "--json").records[-1]["record_older_than"]
    )
    # All of it is put back to no old record, whether it is a later run's or somebody else's.
    for targets in ((), ("all",)):
        refused = drifted.tapctl("revert", "--env", "dev", *targets, "--yes")
        assert (refused.code, refused.changes) == (6, ())
        assert "the record of dev is older than AWS" in refused.err
        assert "tapctl manifest history --env dev lists them" in refused.err
    # Where somebody takes away what leads up to the later version, nobody can tell: it may be one that was put there.
    *between, last = sorted((drifted.path().parent / "history" / "dev").glob("0*.json"))
    taken = {each: each.read_bytes() for each in between if each.name >= f"{json.loads(old)['serial']:08}"}
    for each in taken:
        each.unlink()
    refused = drifted.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (7, ()), "by the version that the last run has left nothing differs"
    refused = drifted.tapctl("drift", "--env", "dev")
    told = "the history of dev has higher serials than the record, and nobody can tell which is newer"
    assert f"{told}: {last.name}" in refused.err
    assert "the record may be older than AWS" in refused.err
    assert "put the newest back" not in refused.err
    for each, content in taken.items():
        each.write_bytes(content)
    drifted.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=34)
    planned = drifted.tapctl("plan", "--env", "dev")
    assert "the record is older than AWS" in planned.err
    assert "outside tapctl" not in planned.out
    (change,) = drifted.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    assert {(field["path"], field["outside"]) for field in change["fields"]} == {("timeout_s", False)}
    named = "lambda-function/payment-processor-dev.timeout_s"
    answer = drifted.tapctl("revert", "--env", "dev", named, "--yes")
    assert (answer.code, "the record is older than AWS" in answer.err) == (0, True)
    assert ("timeout_s  34 →" in answer.out, "outside tapctl" in answer.out) == (True, False)


def test_a_record_that_was_lost_and_written_anew_goes_on_from_its_history(drifted: World) -> None:
    """So one that somebody puts back afterwards is an old one, and a run's versions are no others'."""
    drifted.edit("dev.toml", "reserved_concurrency = 10", "reserved_concurrency = 11")
    drifted.applied("dev")
    lost = drifted.manifest()
    drifted.path().unlink()
    drifted.applied("dev")
    assert drifted.manifest()["serial"] > lost["serial"]
    history = drifted.tapctl("manifest", "history", "--env", "dev", "--json").records
    assert [one["removed"] for one in history if one.get("event") == "version"][-2:] == [0, 0]
    drifted.edit("dev.toml", "reserved_concurrency = 11", "reserved_concurrency = 12")
    drifted.applied("dev")
    newest = drifted.manifest()
    for serial in (newest["serial"] + 1, 9999, lost["serial"]):
        drifted.path().write_text(json.dumps(lost | {"serial": serial}))
        assert "the record is older than AWS" in drifted.tapctl("drift", "--env", "dev").err, serial
        refused = drifted.tapctl("revert", "--env", "dev", "--yes")
        # By the history nothing differs where no run has written a record of that serial.
        code, told = (6, "the record of dev is older than AWS") if serial == lost["serial"] else (7, "")
        assert (refused.code, refused.changes, told in refused.err) == (code, (), True), serial
    # Nothing has drifted by a record that has been put below its own history: that is no reason to be silent of it.
    drifted.path().write_text(json.dumps(newest | {"serial": 1, "unfinished": True}))
    answer = drifted.tapctl("drift", "--env", "dev")
    assert (answer.code, " older than AWS" in answer.err) == (7, True), answer.err
    drifted.path().write_text(json.dumps(lost))
    # Files that cannot be used before the newest version: it is looked for behind them, or nobody can tell.
    kept = drifted.path().parent / "history" / "dev"
    for count, told in ((8, "is older than AWS"), (65, "may be older than AWS")):
        for number in range(count):
            (kept / f"{90000000 + number}-junk.json").write_text("{}")
        refused = drifted.tapctl("revert", "--env", "dev", "--yes")
        assert (refused.code, refused.changes, f"the record of dev {told}" in refused.err) == (6, (), True)
