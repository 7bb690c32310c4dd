"""The fingerprint of the record that a run leaves on the key: one that somebody has written is told from it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tapctl.config.types import MAX_TAGS
from tests.failures.trouble import deny
from tests.support.door import Trouble, no_trouble
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"
FUNCTION = "lambda-function/payment-processor-dev"
NOTE = "the record is not the one that the last run has left: somebody has written it"


def rewrite(world: World) -> None:
    """Change the function in AWS, and the record with it: nothing differs any more."""
    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=31)
    record = world.manifest()
    record["entries"][FUNCTION]["spec"]["timeout_s"] = 31
    world.path().write_text(json.dumps(record | {"config_hash": "0" * 64}))


def test_a_record_that_was_written_to_fit_what_was_changed_is_no_green(dev: World) -> None:
    rewrite(dev)
    told = dev.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["state"], finding["note"]) == (7, KEY, "UNKNOWN", NOTE)
    assert told.records[-1]["counts"]["not_compared"] > 0
    assert finding["read"] == "tapctl manifest history --env dev"
    assert dev.tapctl("status", "--env", "dev").code == 7
    assert dev.tapctl("parity", "--live", "--json").records[-1]["counts"]["unknown"] == 1
    plan = dev.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    assert (plan.code, "is not the one that the last run has left" in plan.err) == (2, True)
    dev.applied("dev")
    assert dev.drift().code == 0, "an apply leaves its own"


@pytest.mark.soak
def test_a_fingerprint_of_a_later_form_proves_nothing_and_is_told_as_that(dev: World) -> None:
    kms = dev.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "tapctl:record", "TagValue": "2:f00"}])
    told = dev.drift()
    (finding,) = told.of_type("finding")
    form = "in a form this tapctl does not know"
    assert (told.code, finding["address"], finding["state"], form in finding["note"]) == (7, KEY, "UNKNOWN", True)
    dev.applied("dev")
    assert dev.drift().code == 0


def test_files_that_want_the_very_same_leave_the_fingerprint_alone(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1_024")
    assert dev.applied("dev").changes == ()
    dev.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = false")
    assert dev.applied("dev").changes == ()
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_record_without_a_fingerprint_is_compared_as_ever_until_an_apply_leaves_one(dev: World) -> None:
    dev.forget_fingerprint()
    assert dev.drift().code == 0
    assert dev.applied("dev").changes == ("kms:TagResource",)
    rewrite(dev)
    assert dev.drift().code == 7


def test_a_record_of_somebody_else_is_no_reason_to_put_anything_back(dev: World) -> None:
    """Who may write the record may write settings that files may have, and call it one of other files."""
    record = dev.manifest()
    record["entries"][FUNCTION]["spec"]["memory_mb"] = 128
    dev.path().write_text(json.dumps(record | {"config_hash": "0" * 64}))
    told = dev.drift()
    (memory,) = [one for one in told.of_type("finding") if one["address"] == FUNCTION]
    assert (told.code, memory["undo"], memory["edit"]) == (2, "", "")
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "is not the one that the last run has left" in refused.err
    plan = dev.tapctl("plan", "--env", "dev", "--json")
    assert [one["outside"] for one in plan.of_type("planned_change") if one["fields"]] == []


@pytest.mark.soak
@pytest.mark.parametrize("hide", ["taken out", "called kept"])
def test_a_record_that_hides_the_key_is_held_against_its_fingerprint_as_any(dev: World, hide: str) -> None:
    record = dev.manifest()
    record["entries"][FUNCTION]["spec"]["memory_mb"] = 128
    if hide == "taken out":
        del record["entries"][KEY]
    else:
        record["entries"][KEY]["phase"] = "kept"
    dev.path().write_text(json.dumps(record | {"config_hash": "0" * 64}))
    told = dev.drift()
    assert NOTE in [one["note"] for one in told.of_type("finding")]
    assert "is not the one that the last run has left" in told.err
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ()), refused.err


@pytest.mark.soak
def test_a_revert_makes_no_record_of_somebody_else_ours(dev: World) -> None:
    lambda_ = dev.client("lambda")
    lambda_.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    assert dev.tapctl("revert", "--env", "dev", "--yes").code == 0
    assert dev.drift().code == 0, "the record is the same as before"
    rewrite(dev)
    lambda_.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    dev.tapctl("revert", "--env", "dev", f"{FUNCTION}.memory_mb", "--yes")
    assert dev.drift().code == 7


@pytest.mark.soak
def test_a_revert_that_is_cut_off_is_unfinished_and_accuses_nobody(dev: World) -> None:
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    answer = dev.meeting(deny("lambda:UpdateFunctionConfiguration"), "revert", "--env", "dev", "--yes")
    assert (answer.code, "kms:TagResource" in answer.changes) == (6, False), answer.err
    assert not [one for one in dev.drift().of_type("finding") if one["field"] == "record"]


def test_a_revert_that_is_cut_off_is_gone_on_with_by_the_same_command(dev: World) -> None:
    """The files want more by then, which is none of its business."""
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 512")
    functions = dev.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048, Timeout=31)
    dev.meeting(deny("lambda:UpdateFunctionConfiguration"), "revert", "--env", "dev", "--yes")
    (phase,) = [one for one in dev.drift().of_type("finding") if one["field"] == "phase"]
    assert (phase["note"], phase["now"]) == ("a revert did not finish; run it again", "tapctl revert --env dev")
    assert dev.tapctl("revert", "--env", "dev", "--yes").code == 0
    assert dev.drift().code == 0
    live = functions.get_function_configuration(FunctionName="payment-processor-dev")
    assert (live["MemorySize"], live["Timeout"]) == (1024, 30)


@pytest.mark.soak
def test_what_a_revert_that_was_cut_off_has_put_back_is_recorded_as_that(dev: World) -> None:
    """It was killed between its last step and the word of that in the record."""
    functions = dev.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    dev.meeting(deny("lambda:UpdateFunctionConfiguration"), "revert", "--env", "dev", "--yes")
    functions.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=1024)
    told = dev.drift()
    assert (told.code, [one["field"] for one in told.of_type("finding")]) == (7, ["phase"])
    answer = dev.tapctl("revert", "--env", "dev", FUNCTION)
    assert (answer.code, answer.changes) == (0, ()), "nothing is asked where AWS is not to change"
    assert dev.drift().code == 0


@pytest.mark.soak
@pytest.mark.parametrize("history", ["kept", "taken away"])
@pytest.mark.parametrize("fingerprint", ["left", "none"])
def test_a_revert_that_somebody_has_written_into_the_record_is_no_reason_to_put_anything_back(
    dev: World, history: str, fingerprint: str
) -> None:
    version = dev.keep_version()
    record = dev.manifest()
    entry = record["entries"][FUNCTION]
    entry["phase"], entry["spec"]["memory_mb"] = "making", 128
    entry["confirmed"] = entry["spec"]
    dev.path().write_text(json.dumps(record | {"serial": record["serial"] + 1}))
    if history == "taken away":
        version.unlink()
    if fingerprint == "none":
        dev.forget_fingerprint()
    # Where the history has the version that the last run has left, that one stands for the record: AWS is as it says.
    stands = history == "kept"
    told = dev.drift()
    assert told.code == (7 if stands else 2)
    assert not [one for one in told.of_type("finding") if "revert" in one["now"] + one["undo"]]
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (7 if stands else 6, ()), refused.err
    named = dev.tapctl("revert", "--env", "dev", FUNCTION, "--yes")
    assert (named.code, named.changes) == (64 if stands else 6, ()), named.err
    assert named.err.count("holds no version before") == (not stands), "said once"


def test_a_destroy_that_is_cut_off_accuses_nobody(dev: World) -> None:
    answer = dev.meeting(deny("lambda:DeleteFunction"), "destroy", "--env", "dev", "--yes")
    assert (answer.code, answer.changes[0]) == (4, "kms:UntagResource"), answer.err
    assert not [one for one in dev.drift().of_type("finding") if one["field"] == "record"]


@pytest.mark.soak
def test_a_key_that_keeps_its_fingerprint_keeps_no_destroy_back(dev: World) -> None:
    assert dev.meeting(deny("kms:UntagResource"), "destroy", "--env", "dev", "--yes").code == 0


def test_the_first_fingerprint_is_no_condition_of_an_apply(dev: World) -> None:
    """A key may bear as many tags as KMS takes, or a role of old lack the right."""
    dev.forget_fingerprint()
    answer = dev.meeting(deny("kms:TagResource"), "apply", "--env", "dev", "--yes")
    assert (answer.code, "no fingerprint of the record is left on the key: " in answer.err) == (0, True)
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_team_with_as_many_tags_as_files_may_have_is_left_no_fingerprint(world: World) -> None:
    """With tapctl's own these are 50 on the key, and KMS takes no more."""
    more = "".join(f't{number} = "x"\n' for number in range(MAX_TAGS - 1))
    world.edit("common.toml", 'CostCenter = "payments"\n', f'CostCenter = "payments"\n{more}')
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, "no fingerprint of the record is left on the key: " in answer.err) == (0, True), answer.err
    assert world.drift().code == 0
    # Of what an apply records alone, and no step of it changes, the history tells as well.
    functions, name = world.client("lambda"), "payment-processor-dev"
    functions.update_function_configuration(FunctionName=name, Timeout=31)
    assert world.tapctl("accept", "--env", "dev", f"{FUNCTION}.timeout_s", "--yes").code == 0
    world.applied("dev")
    assert world.drift().code == 0
    functions.update_function_configuration(FunctionName=name, Timeout=32)
    assert world.tapctl("revert", "--env", "dev", "--yes").code == 0
    assert functions.get_function_configuration(FunctionName=name)["Timeout"] == 31
    assert world.drift().code == 0


def put_into_the_history(world: World, serial: int, **changes: object) -> None:
    """Write a version of the record into its history, as somebody does who may write the state alone."""
    record = world.manifest() | {"serial": serial, **changes}
    folder = world.path().with_name("history") / "dev"
    folder.mkdir(0o700, parents=True, exist_ok=True)
    (folder / f"{serial:08}-{record['run']}.json").write_text(json.dumps(record))


def test_a_copy_of_the_very_record_under_a_higher_serial_tells_nothing_else(dev: World) -> None:
    record, own = dev.manifest(), dev.keep_version()
    higher = own.with_name(f"{record['serial'] + 5:08}-{'f' * 32}.json")
    higher.write_text(json.dumps(record | {"serial": record["serial"] + 5, "run": "f" * 32}))
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    told = dev.drift()
    (memory,) = told.of_type("finding")
    assert (told.code, memory["undo"]) == (2, f"tapctl revert --env dev {FUNCTION}.memory_mb"), told.err
    assert dev.tapctl("revert", "--env", "dev", "--yes").code == 0


@pytest.mark.parametrize("later_by", ["serial", "time"])
def test_a_later_version_that_no_run_has_left_takes_no_way_back_from_who_has_to_undo_a_change(
    dev: World, later_by: str
) -> None:
    """The key bears the fingerprint of the record: no later run has got to its end."""
    now = datetime.now(UTC)
    record = dev.manifest() | {"written_at": (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    dev.path().write_text(json.dumps(record))
    entries = json.loads(json.dumps(record["entries"]))
    entries[FUNCTION]["spec"]["memory_mb"] = 128
    put_into_the_history(dev, record["serial"] - 1)
    serial = record["serial"]
    if later_by == "serial":
        put_into_the_history(dev, serial)
        serial += 1
    put_into_the_history(dev, serial, run="f" * 32, written_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"), entries=entries)
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=256)

    told = dev.drift()

    (finding,) = told.of_type("finding")
    assert (told.code, finding["recorded"], finding["live"], "tapctl revert" in finding["undo"]) == (2, 1024, 256, True)
    warned = [one["message"] for one in told.of_type("warning")]
    (later,) = [one for one in warned if one.startswith(f"no run has written serial {serial}, ")]
    assert f" (history/dev/{serial:08}-{'f' * 32}.json): the key bears" in later
    assert not [one for one in warned if "older than AWS" in one]
    assert dev.tapctl("revert", "--env", "dev", "--yes").code == 0
    assert dev.drift().code == 0


def test_what_a_run_that_was_cut_off_has_left_in_the_history_makes_an_earlier_record_older_all_the_same(
    dev: World,
) -> None:
    """It has left no fingerprint: that of the run before is there still."""
    record = dev.manifest()
    put_into_the_history(dev, record["serial"])
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = json.loads(json.dumps(record["entries"]))
    entries[FUNCTION]["spec"]["memory_mb"] = 256
    put_into_the_history(dev, record["serial"] + 1, run="e" * 32, written_at=now, entries=entries, unfinished=True)
    put_into_the_history(dev, record["serial"] + 2, run="f" * 32, written_at=now, entries=entries)
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=256)
    told = dev.drift()
    warned = "".join(one["message"] for one in told.of_type("warning"))
    assert f"no run has written serial {record['serial'] + 2}" in warned
    assert f"older than AWS: manifests/dev.json has serial {record['serial']}" in warned
    assert f"its history has serial {record['serial'] + 1}" in warned
    assert dev.tapctl("revert", "--env", "dev", "--yes").code == 6


def tagged(world: World, *names: str) -> None:
    """Let the files have these tags and no others."""
    common = world.folder / "environments" / "common.toml"
    lines = "".join(f'{name} = "x"\n' for name in names)
    common.write_text(re.sub(r"(?s)(\n\[tags\][^\n]*\n).*?(?=\n\[)", rf"\g<1>{lines}", common.read_text()))


def on_the_key(world: World) -> dict[str, str]:
    kms = world.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    pages = kms.get_paginator("list_resource_tags").paginate(KeyId=key)
    found = {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
    return {key: value for key, value in found.items() if not key.startswith("aws:")}


FULL = [f"t{number}" for number in range(MAX_TAGS - 1)]
"""As many tags as a key takes beside tapctl's own and the fingerprint."""


@pytest.mark.soak
def test_a_fingerprint_gives_way_to_the_last_tag_that_a_team_may_have(world: World) -> None:
    tagged(world, *FULL)
    assert "no fingerprint" not in world.applied("dev").err
    assert len(on_the_key(world)) == 50
    tagged(world, *FULL, "last")
    answer = world.applied("dev")
    assert "no fingerprint of the record is left on the key: " in answer.err
    there = on_the_key(world)
    assert (len(there), "last" in there, "tapctl:record" in there) == (50, True, False)
    assert world.drift().code == 0
    tagged(world, *FULL)
    assert "no fingerprint" not in world.applied("dev").err
    assert "tapctl:record" in on_the_key(world)
    assert world.drift().code == 0


@pytest.mark.soak
def test_tags_are_renamed_on_a_key_that_takes_no_further_one(world: World) -> None:
    tagged(world, *FULL)
    world.applied("dev")
    tagged(world, *FULL[2:], "renamed", "renamed2")
    assert "no fingerprint" not in world.applied("dev").err
    there = on_the_key(world)
    assert (len(there), "renamed" in there, FULL[0] in there, "tapctl:record" in there) == (50, True, False, True)
    assert world.drift().code == 0


def test_the_last_tag_that_a_key_has_room_for_is_put_back_in_the_place_of_the_fingerprint(world: World) -> None:
    tagged(world, *FULL, "last")
    world.applied("dev")
    kms = world.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    for command in (("revert", f"{KEY}.tags.last"), ("apply",)):
        kms.untag_resource(KeyId=key, TagKeys=["last"])
        world.leave(world.manifest())
        assert "tapctl:record" in on_the_key(world)
        answer = world.tapctl(*command, "--env", "dev", "--yes")
        assert (answer.code, "no fingerprint of the record is left on the key: " in answer.err) == (0, True), answer.err
        assert "last" in on_the_key(world)
        assert world.drift().code == 0


def test_a_key_that_others_have_filled_is_told_as_what_no_quota_raises(dev: World) -> None:
    kms = dev.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    dev.forget_fingerprint()
    theirs = [f"cost:{number}" for number in range(50 - len(on_the_key(dev)))]
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": "x"} for name in theirs])
    reason = ("--reason", "the platform's", "--until", "30d")
    assert dev.tapctl("waive", "--env", "dev", f"{KEY}.tags.cost:*", *reason).code == 0
    dev.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "payments"\nTeam = "payments"')
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert refused.code == 4
    assert "a key takes 50 tags, and no quota raises that" in refused.err


@pytest.mark.parametrize("change", ["made", "recorded"])
def test_a_fingerprint_that_kms_does_not_take_leaves_the_run_unfinished(dev: World, change: str) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    if change == "recorded":
        dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    answer = dev.meeting(deny("kms:TagResource"), "apply", "--env", "dev", "--yes")
    assert answer.code == (4 if change == "made" else 6), answer.err
    assert "all is made, and its record is not confirmed" in answer.err
    assert "kms:TagResource" in answer.err
    cut_off = dev.drift()
    assert (cut_off.code, cut_off.of_type("finding")) == (7, []), (
        "an apply did not finish, and nobody did anything else"
    )
    parity = dev.tapctl("parity", "--live", "--json")
    assert (parity.code, parity.of_type("difference")[-1]["what"]) == (7, "an apply of dev did not finish")
    assert dev.meeting(no_trouble, "apply", "--env", "dev", "--yes").code == 0
    assert dev.drift().code == 0


@pytest.fixture
def rewritten(dev: World) -> World:
    """``dev``, whose record somebody has written half an hour ago, so that it tells of other values."""
    at = (datetime.now(UTC) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = dev.manifest() | {"written_at": at}
    version = dev.path().with_name("history") / "dev" / f"{record['serial']:08}-{record['run']}.json"
    version.parent.mkdir(0o700, parents=True)
    version.write_text(json.dumps(record))
    record["entries"][FUNCTION]["spec"] |= {"memory_mb": 128, "timeout_s": 3}
    dev.path().write_text(json.dumps(record | {"serial": record["serial"] + 1}))
    return dev


@pytest.mark.soak
def test_the_version_that_the_last_run_has_left_stands_for_a_record_that_somebody_has_written(
    rewritten: World,
) -> None:
    told = rewritten.drift()
    assert (told.code, {one["address"] for one in told.of_type("finding")}) == (7, {KEY}), "AWS is as it was left"
    rewritten.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=128)
    told = rewritten.drift()
    (found,) = [one for one in told.of_type("finding") if one["address"] == FUNCTION]
    assert (told.code, found["field"], found["recorded"], found["live"]) == (2, "memory_mb", 1024, 128)
    planned = rewritten.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    assert [field["path"] for one in planned for field in one["fields"]] == ["memory_mb"]
    rewritten.applied("dev")
    spec = rewritten.manifest()["entries"][FUNCTION]["spec"]
    assert (spec["memory_mb"], spec["timeout_s"], rewritten.drift().code) == (1024, 30, 0)


@pytest.mark.parametrize("unseen", ["the tag is gone", "tags denied"])
def test_without_a_fingerprint_the_history_tells_what_the_last_run_has_left(dev: World, unseen: str) -> None:
    dev.edit("common.toml", "timeout_s = 30", "timeout_s = 31")
    dev.applied("dev")
    record = dev.manifest()
    forged = json.loads(json.dumps(record["entries"]))
    forged[FUNCTION]["spec"]["timeout_s"] = 3
    forged["cloudwatch-alarm/payment-processor-errors-dev"]["spec"]["threshold"] = 1_000_000
    dev.path().write_text(json.dumps(record | {"config_hash": "00000000", "entries": forged}))
    trouble: Trouble = deny("kms:ListResourceTags") if unseen == "tags denied" else no_trouble
    if unseen == "the tag is gone":
        dev.forget_fingerprint()
    told = dev.meeting(trouble, "drift", "--env", "dev", "--json")
    assert not [one for one in told.of_type("finding") if one["field"] in ("timeout_s", "threshold")]
    for named in ((), (f"{FUNCTION}.timeout_s",)):
        answer = dev.meeting(trouble, "revert", "--env", "dev", *named, "--yes")
        assert answer.changes == (), answer.err
    live = dev.client("lambda").get_function_configuration(FunctionName="payment-processor-dev")
    assert live["Timeout"] == 31
    dev.path().write_text(json.dumps(record))
    assert dev.meeting(trouble, "drift", "--env", "dev").code == (7 if unseen == "tags denied" else 0)


@pytest.mark.parametrize(("minutes", "lower"), [(0, 0), (60, 0), (60, 3)], ids=["young", "old", "with a lower serial"])
def test_the_values_of_a_record_that_no_run_has_left_go_nowhere_even_by_name(
    dev: World, minutes: int, lower: int
) -> None:
    """Who may write the record writes its time, its serial and its hash of the files as well."""
    record = dev.manifest()
    forged = json.loads(json.dumps(record["entries"]))
    forged[FUNCTION]["spec"] |= {"timeout_s": 3, "memory_mb": 128}
    forged["cloudwatch-alarm/payment-processor-errors-dev"]["spec"]["threshold"] = 1_000_000
    written = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    changes = {"config_hash": "00000000", "written_at": written, "serial": record["serial"] - lower}
    dev.path().write_text(json.dumps(record | changes | {"entries": forged}))
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=256)
    for named in (f"{FUNCTION}.timeout_s", FUNCTION, "cloudwatch-alarm/payment-processor-errors-dev"):
        answer = dev.tapctl("revert", "--env", "dev", named, "--yes")
        live = dev.client("lambda").get_function_configuration(FunctionName="payment-processor-dev")
        assert live["Timeout"] == 30, answer.err
        assert live["MemorySize"] in (256, record["entries"][FUNCTION]["spec"]["memory_mb"]), answer.err
    (alarm,) = dev.client("cloudwatch").describe_alarms(AlarmNames=["payment-processor-errors-dev"])["MetricAlarms"]
    assert alarm["Threshold"] == 10
    assert dev.drift().code == 2
