from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.commands.manifest import MAX_LISTED, diff, history, show, unlock
from tapctl.engine.record import Phase
from tapctl.errors import ManifestError, Refused, WrongTarget
from tapctl.manifest import history as kept
from tapctl.manifest import open_store
from tapctl.manifest.history import Unlock
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import dump
from tapctl.manifest.store import Store
from tapctl.render import choose_screen
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tests.manifest.examples import DANA, entry, manifest
from tests.support.config_folder import ENVIRONMENTS

LOCK = LockInfo(id="the-id", holder=DANA, lease_s=0.001)
"""A run that is long over."""


@dataclass(frozen=True)
class Shown:
    """A screen, and what was written on it."""

    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)

    def screen(self, *, json: bool = False) -> Screen:
        return choose_screen(self.out, self.err, {"TERM": "dumb"}, verb="manifest", json=json)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def local(tmp_path: Path) -> Invocation:
    return Invocation("manifest history", env="dev", state=str(tmp_path / "manifests"))


@pytest.fixture
def remote(aws: Aws) -> Invocation:
    aws.s3.create_bucket(Bucket="records")
    command = "tapctl manifest unlock --env dev --id the-id"
    return Invocation("manifest unlock", env="dev", config=ENVIRONMENTS, state="s3://records/team", command=command)


def store_of(options: Invocation, aws: Aws | None = None) -> Store:
    return open_store(options.state, aws)


def write(store: Store, count: int = 3) -> None:
    """Begun, made, and from then on removed."""
    versions = [manifest(entry(phase=Phase.MAKING), serial=1), manifest(entry(), serial=2, run="run-2")]
    versions += [manifest(serial=serial, run=f"run-{serial}") for serial in range(3, count + 1)]
    version = None
    for one in versions:
        version = store.write(one, version)


def test_each_version_is_told_with_what_it_changed_newest_last(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    assert history(local, shown.screen()) == 0
    rows = [line.split() for line in shown.lines]
    assert rows[0] == ["serial", "when", "by", "run", "what"]
    assert rows[1:4] == [
        ["1", "2031-05-06T07:08:09Z", "dana", "run-1", "1", "begun:", "alias/db-key-dev"],
        ["2", "2031-05-06T07:08:09Z", "dana", "run-2", "1", "made:", "alias/db-key-dev"],
        ["3", "2031-05-06T07:08:09Z", "dana", "run-3", "1", "removed:", "alias/db-key-dev"],
    ]
    assert shown.lines[-1] == "MANIFEST dev: 3 versions · 0 unlocked"
    assert shown.err.getvalue() == ""


def test_a_name_that_two_types_share_is_told_with_its_type(local: Invocation, shown: Shown) -> None:
    rotation = entry("db-cluster-dev").model_copy(update={"type": "secret-rotation"})
    cluster = entry("db-cluster-dev").model_copy(update={"type": "db-cluster"})
    changed = rotation.model_copy(update={"spec": {"rotation_days": 14}})
    store = store_of(local)
    version = store.write(manifest(cluster, rotation, entry(), serial=1), None)
    store.write(manifest(cluster, changed, entry(size=3), serial=2, run="run-2"), version)
    assert history(local, shown.screen()) == 0
    first, second = shown.lines[1:3]
    assert first.endswith("3 made: db-cluster/db-cluster-dev, alias/db-key-dev, secret-rotation/db-cluster-dev")
    assert second.endswith("2 changed: alias/db-key-dev, secret-rotation/db-cluster-dev")


def test_programs_get_the_history_as_records(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    assert history(local, shown.screen(json=True)) == 0
    *rows, verdict = [one for one in shown.records if one["type"] in ("row", "verdict")]
    assert [(one["event"], one["serial"], one["begun"], one["made"], one["removed"]) for one in rows] == [
        ("version", 1, 1, 0, 0),
        ("version", 2, 0, 1, 0),
        ("version", 3, 0, 0, 1),
    ]
    assert (verdict["counts"], verdict["exit"]) == ({"versions": 3, "unlocks": 0}, 0)


def test_a_file_that_somebody_has_put_into_the_history_hides_no_version(
    local: Invocation, shown: Shown, tmp_path: Path
) -> None:
    write(store_of(local))
    for number in range(8):
        (tmp_path / "manifests" / "history" / "dev" / f"0000090{number}-x.json").write_text("[]")
    assert history(local, shown.screen()) == 3
    assert [line.split()[0] for line in shown.lines[1:4]] == ["1", "2", "3"]
    assert "00000900-x.json cannot be used: the manifest history/dev/00000900-x.json is no manifest" in shown.lines[4]
    assert shown.lines[-1] == "MANIFEST dev: 3 versions · 0 unlocked · 8 cannot be used"
    told = shown.err.getvalue()
    assert "8 files of the history beside" in told
    assert "and 2 more" in told
    assert "move it away; the record itself is another one" in told
    assert "run tapctl apply" not in told


def test_one_such_file_is_told_to_programs(local: Invocation, shown: Shown, tmp_path: Path) -> None:
    write(store_of(local))
    (tmp_path / "manifests" / "history" / "dev" / "unlock-x.json").write_text("[]")
    assert history(local, shown.screen(json=True)) == 3
    assert [one["event"] for one in shown.records if one["type"] == "row"] == [*["version"] * 3, "unusable"]
    assert shown.records[-1]["counts"] == {"versions": 3, "unlocks": 0, "unusable": 1}


def test_what_is_too_much_to_be_read_at_once_is_counted(
    local: Invocation, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store_of(local), 5)
    folder = tmp_path / "manifests" / "history" / "dev"
    for day in (1, 2, 3, 4):
        note = Unlock(at=f"2031-06-0{day}T07:08:09Z", by=DANA, lock=LOCK, done=True)
        (folder / note.name).write_bytes(note.encode())
    monkeypatch.setattr(
        kept, "_READ_BYTES", sum((folder / f"0000000{at}-run-{at}.json").stat().st_size for at in (3, 4))
    )
    assert history(local, shown.screen(json=True)) == 0
    rows = [one for one in shown.records if one["type"] == "row"]
    assert [one.get("serial") for one in rows if one["event"] == "version"] == [4, 5]
    assert [one["changed"] for one in rows if one["event"] == "version"] == [0, 0]
    told = [one["message"] for one in shown.records if one["type"] == "warning"]
    assert told[0].startswith("3 older versions are kept, too; to read one: tapctl manifest show --serial 1")
    assert told[1:] == ["3 older notes of locks that were taken away are kept, too"]
    assert shown.records[-1]["counts"] == {"versions": 5, "unlocks": 1}


def archive(aws: Aws, name: str) -> None:
    """Move a version into Glacier, as a bucket's lifecycle rule does."""
    key = f"team/history/dev/{name}"
    content = aws.s3.get_object(Bucket="records", Key=key)["Body"].read()
    aws.s3.put_object(Bucket="records", Key=key, Body=content, StorageClass="GLACIER")


def test_an_archived_version_hides_no_other_and_is_told_with_the_way_out(
    remote: Invocation, aws: Aws, shown: Shown
) -> None:
    write(store_of(remote, aws), 4)
    archive(aws, "00000002-run-2.json")
    assert history(remote, shown.screen()) == 3
    assert [line.split()[0] for line in shown.lines[1:4]] == ["1", "3", "4"]
    told = shown.err.getvalue()
    assert "1 file of the history beside s3://records/team/dev.json cannot be read, being in an archive of S3" in told
    assert "aws s3api restore-object --bucket records --key team/history/dev/00000002-run-2.json" in told
    assert "who has put it there" not in told

    strange = shown.__class__()
    aws.s3.put_object(Bucket="records", Key="team/history/dev/00000900-x.json", Body=b"[]")
    assert history(remote, strange.screen()) == 3
    assert strange.lines[-1] == "MANIFEST dev: 3 versions · 0 unlocked · 2 cannot be used"
    said = strange.err.getvalue()
    assert (said.count("1 file of the history"), "who has put it there" in said) == (2, True)


@pytest.mark.parametrize("more", [0, 1, 2, 5])
def test_a_long_history_tells_the_newest_and_counts_the_rest(local: Invocation, shown: Shown, more: int) -> None:
    write(store_of(local), MAX_LISTED + more)
    history(local, shown.screen(json=True))
    rows = [one for one in shown.records if one["type"] == "row"]
    assert [one["serial"] for one in rows] == list(range(1 + more, MAX_LISTED + more + 1))
    assert [one["made"] for one in rows[:3]] == {0: [0, 1, 0], 1: [1, 0, 0]}.get(more, [0, 0, 0])
    assert [one["removed"] for one in rows[:3]] == {0: [0, 0, 1], 1: [0, 1, 0], 2: [1, 0, 0]}.get(more, [0, 0, 0])
    told = shown.out.getvalue() + shown.err.getvalue()
    assert (f"{more} older versions are kept" in told) == (more > 0)
    assert shown.records[-1]["counts"]["versions"] == MAX_LISTED + more


def test_a_run_is_one_row_with_the_names_of_what_it_changed(local: Invocation, shown: Shown) -> None:
    store, version = store_of(local), None
    names = [f"key-{number}" for number in range(8)]
    for serial in range(1, 10):
        made = [entry(name) for name in names[: serial - 1]]
        making = [entry(name, Phase.MAKING) for name in names[serial - 1 :]]
        version = store.write(manifest(*made, *making, serial=serial), version)
    history(local, shown.screen(json=True))
    (row,) = [one for one in shown.records if one["type"] == "row"]
    assert (row["first_serial"], row["serial"], row["made"], row["begun"]) == (1, 9, 8, 0)
    assert row["what"] == "8 made: key-0, key-1, key-2, key-3, key-4, key-5 and 2 more"
    assert row["addresses"]["made"] == [f"kms-key/{name}" for name in names]


def test_two_versions_are_compared_field_by_field(local: Invocation, shown: Shown) -> None:
    store = store_of(local)
    version = store.write(manifest(entry(size=1, rotation=True), entry("old"), serial=1), None)
    version = store.write(manifest(entry(size=2, rotation=True), serial=2), version)
    store.write(manifest(entry(size=3, rotation=True), entry("new"), serial=3), version)
    asked = replace(local, verb="manifest diff")
    assert diff(asked, shown.screen(), 1, 2) == 0
    assert [line.split() for line in shown.lines] == [
        ["what", "serial", "1", "serial", "2"],
        ["kms-key/alias/db-key-dev", "spec.size", "1", "2"],
        ["kms-key/old", "there", "-"],
        ["MANIFEST", "dev:", "2", "differences", "between", "serial", "1", "and", "serial", "2"],
    ]
    programs = Shown()
    diff(asked, programs.screen(json=True), 2, None)
    rows = [one for one in programs.records if one["type"] == "difference"]
    assert [(one["what"], one["values"]) for one in rows] == [
        ("kms-key/alias/db-key-dev spec.size", {"2": 2, "3": 3}),
        ("kms-key/new", {"2": None, "3": "there"}),
    ]
    with pytest.raises(ManifestError, match="no version 9"):
        diff(asked, shown.screen(), 9, None)


def test_a_history_of_nothing_names_the_command_that_makes_a_record(local: Invocation, shown: Shown) -> None:
    with pytest.raises(ManifestError, match="no record of dev") as refused:
        history(local, shown.screen())
    assert refused.value.exit_code == 3
    assert f"tapctl apply --env dev --state {local.state}" in str(refused.value.hint)


def test_one_version_is_shown_as_it_was(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    assert show(replace(local, verb="manifest show"), shown.screen(), 2) == 0
    assert shown.out.getvalue() == dump(manifest(entry(), serial=2, run="run-2"))


def test_one_version_for_programs(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    show(replace(local, verb="manifest show"), shown.screen(json=True), 1)
    version, document, verdict = shown.records
    assert document["entries"]["kms-key/alias/db-key-dev"]["phase"] == "making"
    assert (version["type"], verdict["verb"], verdict["exit"]) == ("version", "manifest show", 0)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"account": "999999999999"}, "of dev in account 999999999999, us-east-2"),
        ({"region": "us-west-1"}, "of dev in account 123456789012, us-west-1"),
        ({"environment": "staging"}, "of staging in account 123456789012, us-east-2"),
    ],
)
def test_a_version_of_another_place_is_told_as_that_and_counted_against_nothing(
    local: Invocation, shown: Shown, place: dict[str, str], told: str
) -> None:
    store = store_of(local)
    at = store.write(manifest(serial=1), None)
    at = store.write(manifest(entry(), serial=2, run="run-2").model_copy(update=place), at)
    store.write(manifest(entry(), serial=3, run="run-3"), at)
    assert history(local, shown.screen(json=True)) == 3
    *rows, last = [one for one in shown.records if one["type"] == "row"]
    assert [(one["serial"], one["made"], one["changed"]) for one in rows] == [(1, 0, 0), (3, 1, 0)]
    name = "00000002-run-2.json"
    told = f"history/dev/{name} is {told}, and not of dev in account 123456789012, us-east-2"
    assert (last["event"], last["file"], last["what"]) == ("unusable", name, f"{name} cannot be used: {told}")
    assert shown.records[-1]["counts"] == {"versions": 2, "unlocks": 0, "unusable": 1}
    with pytest.raises(ManifestError, match=re.escape(told)):
        show(local, shown.screen(), 2)
    with pytest.raises(ManifestError, match=re.escape(told)):
        diff(local, shown.screen(), 2, None)
    assert diff(local, shown.screen(), 1, None) == 0


def test_an_environment_that_has_moved_has_a_history_that_begins_where_it_is_now(
    local: Invocation, shown: Shown
) -> None:
    store = store_of(local)
    at = store.write(manifest(serial=1).model_copy(update={"region": "us-west-1"}), None)
    at = store.write(manifest(serial=2, run="run-2").model_copy(update={"region": "us-west-1"}), at)
    at = store.write(manifest(serial=3, run="run-3"), at)
    store.write(manifest(entry(), serial=4, run="run-4"), at)
    assert history(local, shown.screen()) == 0
    assert "older versions are of dev in account 123456789012, us-west-1, where dev was before" in shown.err.getvalue()
    late = manifest(serial=2, run="late").model_copy(
        update={"region": "us-west-1", "written_at": "2999-01-01T00:00:00Z"}
    )
    (Path(local.state) / "history" / "dev" / "00000002-late.json").write_text(dump(late))
    assert history(local, Shown().screen()) == 3, "somebody has put it there since"


def test_a_version_of_another_place_hides_no_version_with_its_serial(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    late = {"account": "999999999999", "written_at": "2999-01-01T00:00:00Z"}
    elsewhere = manifest(entry("other"), serial=2, run="x").model_copy(update=late)
    file = Path(local.state) / "history" / "dev" / "00000002-x.json"
    file.write_text(dump(elsewhere))
    assert show(replace(local, verb="manifest show"), shown.screen(), 2) == 0
    assert shown.out.getvalue() == dump(manifest(entry(), serial=2, run="run-2"))
    for each in Path(local.state).glob("history/dev/*-run-*.json"):
        each.unlink()
    (Path(local.state) / "dev.json").unlink()
    assert history(local, Shown().screen()) == 3, "no record, and one of another place beside where it would be"


def test_a_version_that_is_not_there_is_an_error(local: Invocation, shown: Shown) -> None:
    write(store_of(local))
    with pytest.raises(ManifestError, match="no version 9") as refused:
        show(replace(local, verb="manifest show"), shown.screen(), 9)
    assert f"tapctl manifest history --env dev --state {local.state}" in str(refused.value.hint)


def test_a_local_lock_needs_no_unlocking(local: Invocation, shown: Shown) -> None:
    with store_of(local).lock("dev", DANA) as lease:
        assert unlock(local, shown.screen(), lease.id) == 0
        lease.ensure_held()
    assert shown.lines[-1] == (
        "MANIFEST dev: NOTHING · there is nothing to unlock: the lock of a local record dies with its holder"
    )


def test_a_lock_in_s3_is_taken_away_and_the_history_tells_by_whom(remote: Invocation, aws: Aws, shown: Shown) -> None:
    write(store_of(remote, aws))
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    assert unlock(remote, shown.screen(), "the-id") == 0
    assert shown.lines[-1].startswith("MANIFEST dev: UNLOCKED · the-id was taken away by ")
    after = Shown()
    history(remote, after.screen(json=True))
    asked, done = [one for one in after.records if one.get("event") == "unlock"]
    assert (asked["done"], done["done"]) == (False, True)
    assert asked["by"] == done["by"] != ""
    assert done["what"] == f"unlocked the-id: {DANA}"
    assert after.records[-1]["counts"] == {"versions": 3, "unlocks": 1}


def test_an_unlocking_stands_between_the_versions_by_its_time(remote: Invocation, aws: Aws, shown: Shown) -> None:
    store = store_of(remote, aws)
    late = manifest(serial=4).model_copy(update={"written_at": "2999-01-01T00:00:00Z"})
    write(store)
    found = store.read("dev")
    assert found is not None
    early = [manifest(serial=3, run="run-3").model_copy(update={"written_at": "2001-01-01T00:00:00Z"}), late]
    version = found.version
    for one in early:
        version = store.write(one, version)
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    unlock(remote, Shown().screen(), "the-id")
    history(remote, shown.screen(json=True))
    events = [one["event"] for one in shown.records if one["type"] == "row"]
    assert events[-1] == "version"
    assert events.count("unlock") == 2


def test_the_lock_of_somebody_else_is_refused(remote: Invocation, aws: Aws, shown: Shown) -> None:
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    with pytest.raises(Refused) as refused:
        unlock(remote, shown.screen(), "another")
    assert refused.value.exit_code == 6


def test_where_nobody_holds_the_lock_there_is_nothing_to_do(remote: Invocation, shown: Shown) -> None:
    assert unlock(remote, shown.screen(), "the-id") == 0
    assert shown.lines[-1] == "MANIFEST dev: NOTHING · there is nothing to unlock: nobody holds the lock"


def test_from_another_account_nothing_is_unlocked(remote: Invocation, aws: Aws, shown: Shown, tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    for file in ENVIRONMENTS.glob("*.toml"):
        (folder / file.name).write_text(file.read_text().replace("123456789012", "210987654321"))
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    for state, error in ((remote.state, Refused), (f"{remote.state}?owner=123456789012", WrongTarget)):
        elsewhere = Invocation("manifest unlock", env="dev", config=folder, state=state)
        with pytest.raises(error):
            unlock(elsewhere, shown.screen(), "the-id")
    assert aws.s3.list_objects_v2(Bucket="records")["KeyCount"] == 1


def test_who_unlocks_is_named_with_where_and_how(remote: Invocation, aws: Aws, shown: Shown) -> None:
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    unlock(remote, shown.screen(), "the-id")
    store = store_of(remote, aws)
    by = [
        LockHolder.model_validate(json.loads(store.read_history("dev", name))["by"])
        for name in store.list_history("dev")
    ]
    assert {one.command for one in by} == {remote.command}
    assert all(one.host and one.pid and one.since for one in by)
