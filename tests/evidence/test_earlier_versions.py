"""The versions before a record: how far back they are read, and what is said where they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tapctl.engine.model import Observed
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.manifest import history, open_store
from tapctl.manifest.manifest import Manifest, fingerprint, now
from tapctl.manifest.store import Store
from tapctl.reconcilers.kms_key import KmsKeyOutputs
from tests.engine.kinds import SMALL
from tests.manifest.examples import entry, manifest

ONE = "kms-key/one"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), None)


def written(store: Store, *versions: Manifest) -> Manifest:
    version = None
    for each in versions:
        version = store.write(each, version)
    return versions[-1]


def test_they_are_read_as_far_back_as_it_takes(store: Store) -> None:
    made = [manifest(entry("one"), serial=1)]
    now = written(store, *made, *(manifest(entry("two"), serial=serial) for serial in range(2, 120)))
    said: list[str] = []
    assert EarlierVersions(store, now, said.append, newest=200).was_removed(ONE) is False
    known = EarlierVersions(store, now, said.append, newest=117)
    assert known.was_removed(ONE) is None
    assert (known.doubt, said) == ("", [])


def test_an_entry_that_tells_of_no_value_was_read_back_by_no_word_of_its_own(store: Store) -> None:
    one = entry("one", size="small")
    now = written(store, manifest(one, serial=1), manifest(entry("one", Phase.MAKING), serial=2))
    known = EarlierVersions(store, now, pytest.fail)
    seen: Observed[Any, Any] = Observed(SMALL, KmsKeyOutputs.model_validate(one.outputs))
    ((place, begun),) = known.corrected(now.entries, {ONE: seen}, "").items()
    assert (place, begun.confirmed) == (ONE, one.spec)


def in_place_of_the_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("")


def in_place_of_a_version(folder: Path) -> None:
    (version,) = folder.iterdir()
    version.unlink()
    version.mkdir()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (in_place_of_the_folder, "the history of dev cannot be read: "),
        (in_place_of_a_version, "in the history of dev these cannot be used: 00000001-"),
        (
            lambda folder: next(folder.iterdir()).write_text("{}"),
            "in the history of dev these cannot be used: 00000001-",
        ),
        (lambda folder: next(folder.iterdir()).unlink(), "the history of dev holds no version before serial 2"),
    ],
)
def test_where_they_cannot_be_read_that_is_said_once_and_proves_nothing(
    store: Store, tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    now = written(store, manifest(entry("one"), serial=1), manifest(entry("two"), serial=2))
    spoil(tmp_path / "history" / "dev")
    said: list[str] = []
    known = EarlierVersions(store, now, said.append)
    assert (known.was_removed(ONE), known.was_removed(ONE)) == (None, None)
    assert known.doubt.startswith(told)
    assert said == [f"{known.doubt}; what was made, or removed, before this version nobody can tell"]


def test_what_a_destroy_has_kept_it_was_removing(store: Store) -> None:
    now = written(store, manifest(entry("one", Phase.KEPT), serial=1), manifest(entry("two", Phase.MAKING), serial=2))
    assert EarlierVersions(store, now, pytest.fail).was_removed(ONE) is True


def of(serial: int, *entries: Entry, run: str = "", at: str = "2026-01-01T00:00:00Z") -> Manifest:
    return manifest(*entries, serial=serial, run=run or f"run-{serial}").model_copy(update={"written_at": at})


LEFT, FORGED = entry("one", size="small"), entry("one", size="large")
HALF = FORGED.model_copy(update={"phase": Phase.MAKING, "confirmed": LEFT.spec})


@pytest.mark.parametrize(
    ("since", "known"),
    [
        ([of(2, FORGED)], LEFT),
        ([of(2, HALF), of(3, FORGED)], None),  # a run has said that it changes it
        ([of(2), of(3, FORGED)], None),  # or that it is gone
        ([of(2, HALF), of(3, FORGED), of(4, entry("one", size="huge"))], FORGED),
        ([of(2, HALF)], None),
        ([of(2, HALF.model_copy(update={"confirmed": {"size": "huge"}}))], HALF),
        ([of(2, LEFT, entry("two"))], None),  # nobody has left that one
        ([of(2, entry("one", Phase.LEAVING))], None),
    ],
)
def test_what_no_run_has_written_since_the_fingerprint_is_as_that_run_left_it(
    store: Store, since: list[Manifest], known: Entry | None
) -> None:
    first = of(1, LEFT)
    last = written(store, first, *since)
    kept = EarlierVersions(store, last, pytest.fail)
    corrected = kept.corrected(last.entries, {}, fingerprint(first))
    assert corrected.get(ONE) == known


@pytest.mark.parametrize(
    ("before", "at", "is_told"),
    [
        (FORGED, now, False),
        (FORGED, lambda: "2999-01-01T00:00:00Z", True),
        (FORGED, lambda: "2026-01-01T00:00:00Z", True),
        (LEFT, now, True),  # a run writes its last entries before it leaves their fingerprint
    ],
)
def test_what_a_run_has_finished_a_moment_ago_may_have_a_fingerprint_that_shows_late(
    store: Store, before: Entry, at: Callable[[], str], *, is_told: bool
) -> None:
    last = written(store, of(1, LEFT), of(2, before, run="r"), of(3, FORGED, run="r", at=at()))
    corrected = EarlierVersions(store, last, pytest.fail).corrected(last.entries, {}, fingerprint(of(1, LEFT)))
    assert (ONE in corrected) is is_told


@pytest.mark.parametrize(
    ("before", "run", "known"),
    [
        (of(2, LEFT, run="r"), "r", LEFT),
        (of(2, FORGED, run="r"), "r", None),  # its run has written these very entries before
        (of(2, FORGED, run="r"), "s", None),
        (of(2, HALF, run="r"), "r", None),
    ],
)
def test_without_a_fingerprint_the_version_before_stands_for_what_was_left(
    store: Store, before: Manifest, run: str, known: Entry | None
) -> None:
    last = written(store, of(1, LEFT), before, of(3, FORGED, run=run))
    assert EarlierVersions(store, last, pytest.fail).corrected(last.entries, {}, "").get(ONE) == known


@pytest.mark.parametrize(("serial", "is_told"), [(2, False), (4, True)])
def test_only_a_version_that_a_run_has_written_is_an_old_record_that_was_put_back(
    store: Store, serial: int, *, is_told: bool
) -> None:
    written(store, of(1, FORGED, run="r"), of(2, FORGED, run="r"), of(3, HALF), of(4, LEFT), of(5, LEFT))
    put_back = of(serial, FORGED, run="r")
    corrected = EarlierVersions(store, put_back, pytest.fail).corrected(put_back.entries, {}, fingerprint(of(4, LEFT)))
    assert (ONE in corrected) is is_told


@pytest.mark.parametrize(
    ("left", "serial"), [("", 3), (fingerprint(of(1, LEFT)), 2), (fingerprint(of(1, entry("two"))), None)]
)
def test_the_version_that_the_last_run_has_left_is_known_by_its_fingerprint(
    store: Store, left: str, serial: int | None
) -> None:
    last = written(store, of(1, LEFT), of(2, LEFT), of(3, HALF), of(4, FORGED))
    found = EarlierVersions(store, last, pytest.fail).last_left(left)
    assert (found.serial if found else None) == serial


def test_a_version_of_another_place_is_none_of_this_record_and_no_doubt(store: Store) -> None:
    last = written(
        store, of(1, LEFT).model_copy(update={"region": "eu-west-1"}), of(2, entry("two")), of(3, entry("two"))
    )
    kept = EarlierVersions(store, last, pytest.fail)
    assert (kept.was_removed(ONE), kept.doubt) == (None, "")


def test_a_fingerprint_that_no_version_has_tells_nothing(store: Store) -> None:
    last = written(store, of(1, LEFT), of(2, FORGED))
    assert EarlierVersions(store, last, pytest.fail).corrected(last.entries, {}, "1:other") == {}


def test_what_is_too_much_to_be_read_is_told_where_somebody_asks_that_far(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = written(store, of(1, LEFT), of(2, entry("two")), of(3, entry("two")), of(4))
    versions = sorted((tmp_path / "history" / "dev").iterdir())
    monkeypatch.setattr(history, "_READ_BYTES", sum(each.stat().st_size for each in versions[1:]))
    said: list[str] = []
    known = EarlierVersions(store, last, said.append)
    assert (known.was_removed("kms-key/two"), known.doubt) == (False, "")
    assert known.was_removed(ONE) is None
    assert known.doubt == "not read for being too large altogether: 1 of the versions in the history of dev"
    assert said == [f"{known.doubt}; what was made, or removed, before this version nobody can tell"]
