"""A record that is damaged: its versions are read without it, and lead back to a good one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.world import Answer, World

BUCKET = ("--state", "s3://records/team")
DAMAGES: dict[str, Callable[[str], str]] = {
    "cut off": lambda text: text[:-40],
    "empty": lambda _: "",
    "wrong types": lambda text: text.replace('"serial": ', '"serial": "x", "was": '),
    "odd shape": lambda text: text.replace('"account": "', '"account": "x'),
}


class Kept:
    """The record of dev in a folder or in S3, with its newest two versions."""

    def __init__(self, world: World, where: str) -> None:
        self.world = world
        self.state = BUCKET if where == "s3" else ()
        self.record = world.manifest()
        if self.state:
            world.client("s3").create_bucket(
                Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
            )
        for back in (2, 1):
            version = {**self.record, "serial": self.record["serial"] - back, "run": f"run-{back}"}
            self.put(f"history/dev/{version['serial']:08}-run-{back}.json", json.dumps(version))
        self.put("dev.json", json.dumps(self.record))

    @property
    def newest(self) -> int:
        serial: int = self.record["serial"]
        return serial - 1

    def put(self, name: str, text: str) -> None:
        if self.state:
            self.world.client("s3").put_object(Bucket="records", Key=f"team/{name}", Body=text)
        else:
            path = self.world.folder / "manifests" / name
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            path.write_text(text)

    def tapctl(self, command: str) -> Answer:
        return self.world.tapctl(*command.split(), *self.state)


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, dev: World) -> Kept:
    return Kept(dev, request.param)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_versions_of_a_damaged_record_are_read_without_it(kept: Kept, damage: str) -> None:
    kept.put("dev.json", DAMAGES[damage](json.dumps(kept.record)))
    for command in (
        "manifest history --env dev",
        "manifest history",
        "manifest history --suffix dev",
        f"manifest show --serial {kept.newest} --env dev",
        f"manifest diff --from {kept.newest - 1} --to {kept.newest} --env dev",
    ):
        told = kept.tapctl(command)
        assert told.code == 0, (command, told.err)
        assert told.err.count("the record as it is now cannot be used, its versions can: the manifest ") == 1
        assert "dev.json" in told.err
    listed = kept.tapctl("manifest history --env dev --json")
    assert [one["serial"] for one in listed.of_type("row")] == [kept.newest - 1, kept.newest]
    shown = kept.tapctl(f"manifest show --serial {kept.newest} --env dev")
    assert json.loads(shown.out)["serial"] == kept.newest
    for command in (
        "manifest show --env dev",
        f"manifest diff --from {kept.newest} --env dev",
        "outputs --env dev",
        "drift",
    ):
        refused = kept.tapctl(command)
        assert (refused.code, "error manifest-invalid" in refused.err) == (3, True), command
    none = kept.tapctl("manifest show --serial 1 --env dev")
    assert (none.code, "there is no version 1" in none.err) == (3, True)


def test_the_newest_version_is_named_and_put_back_by_the_told_command(kept: Kept) -> None:
    kept.put("dev.json", "{")
    history = " ".join(["tapctl manifest history --env dev", *kept.state])
    looks = "status --env dev", "parity", "parity --live"
    for command in ("drift --env dev", *looks, "apply --env dev --yes", "outputs --env dev"):
        told = kept.tapctl(command)
        assert (told.code, told.changes) == (3, ())
        assert (
            f"see its versions: {history}. The newest that can be used is history/dev/{kept.newest:08}-run-1.json"
            in told.err
        )
        assert f"serial {kept.newest}, written at" in told.err
    _, _, rest = told.err.partition("put it back: tapctl ")
    shown, _, put_back = rest.partition(" && ")
    show, _, copy = shown.partition(" >")
    put_back = put_back.partition(". Without one, put an earlier copy of it back")[0]
    Path(copy).write_text(kept.world.tapctl(*show.split()).out)
    if kept.state:
        s3, words = kept.world.client("s3"), put_back.replace("'", "").split()
        assert words[:3] == ["aws", "s3api", "put-object"]
        etag = words[words.index("--if-match") + 1]
        assert s3.head_object(Bucket="records", Key="team/dev.json")["ETag"] == etag
        s3.put_object(Bucket="records", Key="team/dev.json", Body=Path(copy).read_bytes())
    else:
        subprocess.run(put_back, shell=True, check=True, capture_output=True)  # noqa: S602 -- the command is ours
    looked = kept.tapctl("drift --env dev")
    assert looked.code == 0, looked.err + looked.out


def test_the_command_that_makes_a_damaged_record_anew_names_its_copy_and_its_state(kept: Kept) -> None:
    """A bare one would take the only suffix that the state knows once the file is moved away, in the real AWS."""
    state = "".join(f" {word}" for word in kept.state)
    apply = f"tapctl apply --env dev --suffix pr-1{state}"
    for text, hint in (
        ("{", f"move it away; an apply then makes it anew from AWS: {apply}. What its history has"),
        (json.dumps(kept.record), f"move it away; where pr-1 was never deployed, an apply makes its record: {apply}."),
    ):
        kept.put("pr-1.json", text)
        told = kept.tapctl("drift --env dev --suffix pr-1")
        said = " ".join(told.err.split())
        assert (told.code, hint in said) == (3, True), told.err


def test_a_version_of_another_place_is_not_named_as_the_way_back(kept: Kept) -> None:
    elsewhere = {**kept.record, "serial": kept.newest + 9, "run": "x", "region": "us-west-2"}
    kept.put(f"history/dev/{elsewhere['serial']:08}-x.json", json.dumps(elsewhere))
    kept.put("dev.json", "{")
    told = kept.tapctl("drift --env dev")
    assert (told.code, f"history/dev/{kept.newest:08}-run-1.json" in told.err) == (3, True)
    assert "-x.json" not in told.err


def test_a_damaged_record_without_a_file_is_told_by_the_newest_version(kept: Kept) -> None:
    (kept.world.folder / "environments" / "dev.toml").unlink()
    kept.put("dev.json", "{")
    state = "?owner=123456789012" if kept.state else ""
    for command in ("manifest history --env dev", "manifest history", "manifest history --suffix dev"):
        told = kept.world.tapctl(*command.split(), *kept.state[:1], *(f"{each}{state}" for each in kept.state[1:]))
        assert told.code == 0, told.err
        assert f"goes by the newest version of its history: serial {kept.newest}" in told.err
    refused = kept.tapctl("drift")
    assert (refused.code, "is not valid JSON" in refused.err + refused.out) == (3, True)


@pytest.mark.parametrize("history", ["none", "broken"])
def test_a_damaged_record_without_a_version_is_told_as_that(dev: World, history: str) -> None:
    if history == "broken":
        dev.keep_version().write_text("[]")
    dev.path().write_text("{")
    shown = "manifest history", "manifest history --suffix dev", "manifest show --serial 3"
    for command in (*shown, "drift --env dev"):
        told = dev.tapctl(*command.split())
        assert (told.code, told.changes) == (3, ()), command
        if command != "manifest history" or history == "none":
            assert "What its history has: tapctl manifest history --env dev" in told.err, command
    (dev.folder / "environments" / "dev.toml").unlink()
    for command in ("manifest history --env dev", "manifest history --suffix dev", "manifest history"):
        told = dev.tapctl(*command.split())
        assert (told.code, "is not valid JSON" in told.err) == (3, True), command


@pytest.mark.parametrize(("serial", "cause"), [(99_999_999, "has a serial that no run has reached"), (100_000_000, "")])
def test_a_serial_that_no_run_has_reached_is_refused_before_versions_lose_their_order(
    kept: Kept, serial: int, cause: str
) -> None:
    """S3 lists names as text: after 99999999 comes 100000000, which sorts before it."""
    forged = {**kept.record, "serial": serial, "run": "x"}
    kept.put("dev.json", json.dumps(forged))
    commands = ("plan --env dev", "apply --env dev --yes", "drift --env dev", "drift", "destroy --env dev --yes")
    for command in (*commands, "outputs --env dev"):
        told = kept.tapctl(command)
        assert (told.code, told.changes) == (3, ()), (command, told.err)
        assert "dev.json" in told.err + told.out
        assert (cause or "holds what tapctl never writes") in told.err + told.out
    assert "serial: is " in kept.tapctl("outputs --env dev").err
    assert kept.tapctl("manifest history --env dev").code == 0
    kept.put("dev.json", json.dumps(kept.record))
    kept.put(f"history/dev/{serial}-x.json", json.dumps(forged))
    listed = kept.tapctl("manifest history --env dev --json")
    assert (listed.code, listed.records[-1]["counts"]["unusable"]) == (3, 1)
    applied = kept.tapctl("apply --env dev --yes")
    assert (applied.code, applied.changes) == (0, ()), applied.err
    kept.world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    changed = kept.tapctl("apply --env dev --yes")
    assert changed.code == 0, changed.err
    newest = json.loads(kept.tapctl("manifest show --env dev").out)["serial"]
    assert kept.record["serial"] < newest < kept.record["serial"] + 20


def test_the_record_of_another_suffix_is_told_as_that_before_its_place(kept: Kept) -> None:
    """staging is in another region than dev: whoever asks for that one is led to dev's resources."""
    kept.put("staging.json", json.dumps(kept.record))
    place = "s3://records/team/staging.json" if kept.state else "manifests/staging.json"
    told_by_all = f"{place} is the record of dev, in the place of that of staging"
    state = "".join(f" {word}" for word in kept.state)
    for command in (
        "drift --env staging",
        "plan --env staging",
        "outputs --env staging",
        "destroy --env staging --yes",
    ):
        told = kept.tapctl(command)
        assert (told.code, told.changes) == (3, ()), told.err
        said = " ".join(told.err.split())
        assert told_by_all in said
        assert "--region" not in said
        assert f"What its history has: tapctl manifest history --env staging{state}" in said
    whole = kept.tapctl("drift")
    assert (whole.code, told_by_all in " ".join((whole.out + whole.err).split())) == (3, True)

    for serial in (1, 2):
        version = {**kept.record, "serial": serial}
        kept.put(f"history/staging/{serial:08}-x.json", json.dumps(version))
    listed = kept.tapctl("manifest history --env staging")
    assert (listed.code, "00000001-x.json is of suffix dev, not of staging" in listed.out) == (3, True)
    own = {**kept.record, "serial": 3, "suffix": "staging", "environment": "staging", "region": "us-west-2"}
    own["run"] = "y"
    kept.put("history/staging/00000003-y.json", json.dumps({**own, "entries": {}}))
    led = kept.tapctl("drift --env staging")
    assert (led.code, "The newest that can be used is history/staging/00000003-y.json" in led.err) == (3, True)


def test_a_version_of_another_place_is_none_that_a_damaged_record_leads_to(kept: Kept) -> None:
    elsewhere = {**kept.record, "serial": kept.newest + 1, "region": "us-west-1", "run": "z"}
    kept.put(f"history/dev/{kept.newest + 1:08}-z.json", json.dumps(elsewhere))
    kept.put("dev.json", "{")
    for command in ("status", "drift", "drift --env dev"):
        told = kept.tapctl(command)
        named = f"The newest that can be used is history/dev/{kept.newest:08}-run-1.json" in told.out + told.err
        assert (told.code, named) == (3, True), told.err


def test_a_history_of_files_that_cannot_be_used_is_no_reason_to_make_the_record_anew(kept: Kept) -> None:
    for number in range(70):
        kept.put(f"history/dev/{kept.newest + 1 + number:08}-junk.json", "{")
    kept.put("dev.json", "{")
    told = kept.tapctl("drift --env dev")
    said = " ".join(told.err.split())
    assert (told.code, "no version can be used as it is (" in said) == (3, True), said
    assert "Move away what no run of yours has written, then run this again" in said


def test_without_a_record_all_files_of_the_history_that_cannot_be_used_are_named_in_one_run(dev: World) -> None:
    dev.path().unlink()
    history = dev.path().parent / "history" / "dev"
    history.mkdir(mode=0o700, parents=True, exist_ok=True)
    for serial in (91, 92, 93):
        (history / f"{serial:08}-x.json").write_text(" " * serial)
        (history / f"{serial:08}-x.json").chmod(0o600)
    told = dev.tapctl("drift", "--env", "dev")
    said = " ".join(told.err.split())
    assert (told.code, "of the files in the history of dev 3 cannot be used" in said) == (3, True), said
    assert all(f"history/dev/{serial:08}-x.json is empty" in said for serial in (91, 92, 93))
    assert "see who has written to history/dev/, and move away what no run of yours has" in said
    assert "an earlier copy" not in said


def test_of_a_copy_whose_environment_nobody_names_no_version_is_told(kept: Kept) -> None:
    """Its history alone does not tell it: the newest version may say another environment than the copy is of."""
    for serial, place in ((1, {"environment": "dev"}), (2, {"environment": "prod", "region": "us-east-1"})):
        version = {**kept.record, "suffix": "pr-9", "serial": serial, "entries": {}, "run": "y", **place}
        kept.put(f"history/pr-9/{serial:08}-y.json", json.dumps(version))
    kept.put("pr-9.json", "{")
    for command in ("status", "drift"):
        told = kept.tapctl(command)
        said = " ".join((told.out + told.err).split())
        assert (told.code, "tapctl drift --env ENV --suffix pr-9" in said) == (3, True), said
        assert "history/pr-9/0" not in said
    named = kept.tapctl("drift --env dev --suffix pr-9")
    assert (named.code, "The newest that can be used is history/pr-9/00000001-y.json" in named.err) == (3, True)


def test_a_history_of_another_suffix_alone_is_told_where_there_is_no_record(kept: Kept) -> None:
    kept.put(f"history/staging/{kept.newest:08}-x.json", json.dumps({**kept.record, "serial": kept.newest}))
    for command in ("drift --env staging", "plan --env staging"):
        told = kept.tapctl(command)
        assert (told.code, told.changes) == (3, ())
        assert f"history/staging/{kept.newest:08}-x.json is of suffix dev, not of staging" in told.err


def test_a_record_of_another_environment_is_told_as_that_before_its_place(dev: World) -> None:
    dev.path().write_text(json.dumps(dev.manifest() | {"environment": "staging", "region": "us-west-2"}))
    told = dev.tapctl("drift", "--env", "dev")
    assert (told.code, "is of environment staging, not of dev" in told.err) == (3, True)
