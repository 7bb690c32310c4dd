from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.commands.manifest import MAX_LISTED, history, show_version, unlock
from tapctl.engine.record import Phase
from tapctl.errors import ManifestError, Refused, WrongTarget
from tapctl.manifest import open_store
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import dump
from tapctl.manifest.store import Store
from tapctl.render import choose_screen
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tests.manifest.examples import DANA, entry, manifest

ENVIRONMENTS = Path(__file__).parent.parent.parent / "environments"
LOCK = LockInfo(id="the-id", holder=DANA, lease_s=0.001)
"""One that is long over."""


@dataclass(frozen=True)
class Said:
    """A screen, and what was written on it."""

    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)

    def screen(self, *, json: bool = False) -> Screen:
        return choose_screen(self.out, self.err, {"TERM": "dumb"}, json=json)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def here(tmp_path: Path) -> Invocation:
    return Invocation("manifest history", env="dev", state=str(tmp_path / "manifests"))


@pytest.fixture
def there(aws: Aws) -> Invocation:
    aws.s3.create_bucket(Bucket="records")
    command = "tapctl manifest unlock --env dev --id the-id"
    return Invocation("manifest unlock", env="dev", config=ENVIRONMENTS, state="s3://records/team", command=command)


def store_of(options: Invocation, aws: Aws | None = None) -> Store:
    return open_store(options.state, aws)


def write(store: Store, count: int = 3) -> None:
    """Begun, made, and from then on removed."""
    versions = [manifest(entry(phase=Phase.MAKING), serial=1), manifest(entry(), serial=2, run="run-2")]
    versions += [manifest(serial=serial, run="run-3") for serial in range(3, count + 1)]
    version = None
    for one in versions:
        version = store.write(one, version)


def test_each_version_is_told_with_what_it_changed_newest_last(here: Invocation, said: Said) -> None:
    write(store_of(here))
    assert history(here, said.screen()) == 0
    rows = [line.split() for line in said.lines]
    assert rows[0] == ["serial", "when", "by", "run", "what"]
    assert rows[1:4] == [
        ["1", "2031-05-06T07:08:09Z", "dana", "run-1", "1", "begun"],
        ["2", "2031-05-06T07:08:09Z", "dana", "run-2", "1", "made"],
        ["3", "2031-05-06T07:08:09Z", "dana", "run-3", "1", "removed"],
    ]
    assert said.lines[-1] == "MANIFEST dev: 3 versions · 0 unlocked"
    assert said.err.getvalue() == ""


def test_programs_read_it_too(here: Invocation, said: Said) -> None:
    write(store_of(here))
    assert history(here, said.screen(json=True)) == 0
    *rows, verdict = [one for one in said.records if one["type"] in ("row", "verdict")]
    assert [(one["event"], one["serial"], one["begun"], one["made"], one["removed"]) for one in rows] == [
        ("version", 1, 1, 0, 0),
        ("version", 2, 0, 1, 0),
        ("version", 3, 0, 0, 1),
    ]
    assert (verdict["counts"], verdict["exit"]) == ({"versions": 3, "unlocks": 0}, 0)


@pytest.mark.parametrize("more", [0, 1, 2, 5])
def test_a_long_history_tells_the_newest_and_counts_the_rest(here: Invocation, said: Said, more: int) -> None:
    write(store_of(here), MAX_LISTED + more)
    history(here, said.screen(json=True))
    rows = [one for one in said.records if one["type"] == "row"]
    assert [one["serial"] for one in rows] == list(range(1 + more, MAX_LISTED + more + 1))
    assert [one["made"] for one in rows[:3]] == {0: [0, 1, 0], 1: [1, 0, 0]}.get(more, [0, 0, 0])
    assert [one["removed"] for one in rows[:3]] == {0: [0, 0, 1], 1: [0, 1, 0], 2: [1, 0, 0]}.get(more, [0, 0, 0])
    told = said.out.getvalue() + said.err.getvalue()
    assert (f"{more} older versions are kept" in told) == (more > 0)
    assert said.records[-1]["counts"]["versions"] == MAX_LISTED + more


def test_where_nothing_was_ever_recorded_it_says_how_it_is_made(here: Invocation, said: Said) -> None:
    with pytest.raises(ManifestError, match="no record of dev") as refused:
        history(here, said.screen())
    assert refused.value.exit_code == 3
    assert f"tapctl apply --env dev --state {here.state}" in str(refused.value.hint)


def test_one_version_is_shown_as_it_was(here: Invocation, said: Said) -> None:
    write(store_of(here))
    assert show_version(here, said.screen(), 2) == 0
    assert said.out.getvalue() == dump(manifest(entry(), serial=2, run="run-2"))


def test_one_version_for_programs(here: Invocation, said: Said) -> None:
    write(store_of(here))
    show_version(here, said.screen(json=True), 1)
    version, document, verdict = said.records
    assert document["entries"]["kms-key/alias/db-key-dev"]["phase"] == "making"
    assert (verdict["type"], verdict["verb"], verdict["exit"]) == ("verdict", version["verb"], 0)


def test_a_version_that_is_not_there_is_an_error(here: Invocation, said: Said) -> None:
    write(store_of(here))
    with pytest.raises(ManifestError, match="no version 9") as refused:
        show_version(here, said.screen(), 9)
    assert f"tapctl manifest history --env dev --state {here.state}" in str(refused.value.hint)


def test_a_local_lock_needs_no_unlocking(here: Invocation, said: Said) -> None:
    with store_of(here).lock("dev", DANA) as lease:
        assert unlock(here, said.screen(), lease.id) == 0
        lease.ensure_held()
    assert said.lines[-1] == (
        "MANIFEST dev: NOTHING · there is nothing to unlock: the lock of a local record dies with its holder"
    )


def test_a_lock_in_s3_is_taken_away_and_the_history_tells_by_whom(there: Invocation, aws: Aws, said: Said) -> None:
    write(store_of(there, aws))
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    assert unlock(there, said.screen(), "the-id") == 0
    assert said.lines[-1].startswith("MANIFEST dev: UNLOCKED · the-id was taken away by ")
    after = Said()
    history(there, after.screen(json=True))
    asked, done = [one for one in after.records if one.get("event") == "unlock"]
    assert (asked["done"], done["done"]) == (False, True)
    assert asked["by"] == done["by"] != ""
    assert done["what"] == f"unlocked the-id: {DANA}"
    assert after.records[-1]["counts"] == {"versions": 3, "unlocks": 1}


def test_an_unlocking_stands_between_the_versions_by_its_time(there: Invocation, aws: Aws, said: Said) -> None:
    store = store_of(there, aws)
    late = manifest(serial=4).model_copy(update={"written_at": "2999-01-01T00:00:00Z"})
    write(store)
    found = store.read("dev")
    assert found is not None
    early = [manifest(serial=3, run="run-3").model_copy(update={"written_at": "2001-01-01T00:00:00Z"}), late]
    version = found.version
    for one in early:
        version = store.write(one, version)
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    unlock(there, Said().screen(), "the-id")
    history(there, said.screen(json=True))
    events = [one["event"] for one in said.records if one["type"] == "row"]
    assert events[-1] == "version"
    assert events.count("unlock") == 2


def test_the_lock_of_somebody_else_is_refused(there: Invocation, aws: Aws, said: Said) -> None:
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    with pytest.raises(Refused) as refused:
        unlock(there, said.screen(), "another")
    assert refused.value.exit_code == 6


def test_where_nobody_holds_the_lock_there_is_nothing_to_do(there: Invocation, said: Said) -> None:
    assert unlock(there, said.screen(), "the-id") == 0
    assert said.lines[-1] == "MANIFEST dev: NOTHING · there is nothing to unlock: nobody holds the lock"


def test_from_another_account_nothing_is_unlocked(there: Invocation, aws: Aws, said: Said, tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    for file in ENVIRONMENTS.glob("*.toml"):
        (folder / file.name).write_text(file.read_text().replace("123456789012", "210987654321"))
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    elsewhere = Invocation("manifest unlock", env="dev", config=folder, state=there.state)
    with pytest.raises(WrongTarget):
        unlock(elsewhere, said.screen(), "the-id")
    assert aws.s3.list_objects_v2(Bucket="records")["KeyCount"] == 1


def test_who_unlocks_is_named_with_where_and_how(there: Invocation, aws: Aws, said: Said) -> None:
    aws.s3.put_object(Bucket="records", Key="team/dev.lock", Body=LOCK.encode())
    unlock(there, said.screen(), "the-id")
    store = store_of(there, aws)
    by = [
        LockHolder.model_validate(json.loads(store.read_history("dev", name))["by"])
        for name in store.list_history("dev")
    ]
    assert {one.command for one in by} == {there.command}
    assert all(one.host and one.pid and one.since for one in by)
