from __future__ import annotations

import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.record import Phase
from tapctl.errors import StoreFailed
from tapctl.manifest import open_store
from tapctl.manifest.journal import Journal, restore_command
from tapctl.manifest.manifest import parse
from tests.manifest.examples import entry, no_room
from tests.manifest.scripted_store import ScriptedStore, fail
from tests.manifest.test_journal import journal, store

__all__ = ["journal", "store"]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Where the user stands; a name that a shell would take apart."""
    place = tmp_path / "here it is"
    place.mkdir()
    return place


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_it_holds_every_fact_and_no_forgotten_intent(journal: Journal, store: ScriptedStore, beside: Path) -> None:
    journal.put(entry("one", Phase.MAKING), entry("old"))
    store.steps = [fail, fail, fail]
    with pytest.raises(StoreFailed):
        journal.put(entry("one"))
    with pytest.raises(StoreFailed):
        journal.drop("kms-key/old")
    with pytest.raises(StoreFailed):
        journal.put(entry("two", Phase.MAKING))
    path = journal.rescue(beside)
    assert path == beside / "dev.rescue-5.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rescued = parse(path.read_bytes(), str(path))
    assert rescued.entries == {"kms-key/one": entry("one")}
    assert (rescued.serial, rescued.run) == (5, "run-1")


def test_the_command_puts_it_back(journal: Journal, store: ScriptedStore, beside: Path) -> None:
    journal.put(entry("one", Phase.MAKING))
    store.steps = [fail]
    with pytest.raises(StoreFailed):
        journal.put(entry("one"))
    path = journal.rescue(beside)
    subprocess.run(restore_command(path, store, "dev"), shell=True, check=True)  # noqa: S602 -- as a user would
    assert store.stored() == parse(path.read_bytes(), "rescue")
    assert store.stored().entries == {"kms-key/one": entry("one")}


def test_the_command_for_a_state_in_s3(aws: Aws) -> None:
    assert (
        restore_command(Path("dev.rescue-5.json"), open_store("s3://records/team", aws), "dev")
        == "aws s3 cp dev.rescue-5.json s3://records/team/dev.json"
    )


def test_an_earlier_rescue_copy_is_never_overwritten(journal: Journal, beside: Path) -> None:
    for name in ("dev.rescue-1.json", "dev.rescue-1-1.json"):
        (beside / name).write_text("earlier")
    assert journal.rescue(beside) == beside / "dev.rescue-1-2.json"
    assert journal.rescue(beside) == beside / "dev.rescue-2.json"
    assert (beside / "dev.rescue-1.json").read_text() == "earlier"


def test_where_the_user_may_not_write_it_goes_to_the_temporary_folder(journal: Journal, temporary: Path) -> None:
    path = journal.rescue(Path("/nonexistent"))
    assert path == temporary / "dev.rescue-1.json"
    assert parse(path.read_bytes(), "rescue") == journal.manifest.model_copy(
        update={"serial": 1, "written_at": "2031-05-06T07:08:09Z"}
    )


def test_where_no_place_takes_it_both_are_named_and_nothing_half_is_left(
    journal: Journal, beside: Path, temporary: Path
) -> None:
    with no_room(), pytest.raises(StoreFailed, match="no rescue copy") as failed:
        journal.rescue(beside)
    assert len(str(failed.value.evidence).splitlines()) == 2
    assert [*beside.iterdir(), *temporary.iterdir()] == []
