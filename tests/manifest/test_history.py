from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.engine.record import Phase
from tapctl.errors import LockHeld, ManifestError, StoreFailed, TapctlError
from tapctl.manifest import history, local
from tapctl.manifest.history import (
    SerialsUsedUp,
    Unlock,
    VersionDiff,
    diff_run,
    diff_versions,
    ends_of_runs,
    highest_serial,
    is_led_up_to,
    last_version,
    later_version,
    unlocks,
    version,
    versions,
)
from tapctl.manifest.local import LocalStore
from tapctl.manifest.lock import LockInfo
from tapctl.manifest.manifest import Manifest, dump, parse
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Store
from tests.manifest.examples import DANA, SAM, entry, manifest
from tests.manifest.s3_script import SDK_ATTEMPTS, S3Script, Step, drop_answer, drop_request, pass_through, refuse
from tests.manifest.team import Team

LOCAL, S3 = "local", "s3"


def current(store: Store, suffix: str = "dev") -> Manifest | None:
    """The record that is there."""
    stored = store.read(suffix)
    return stored.manifest if stored else None


def versioned(store: Store) -> str:
    """The version of the record that is there."""
    stored = store.read("dev")
    assert stored is not None
    return stored.version


def write(store: Store, *manifests: Manifest) -> str | None:
    stored = store.read("dev")
    at = stored.version if stored else None
    for following in manifests:
        at = store.write(following, at)
    return at


def serials(store: Store, newest: int = 100) -> tuple[list[int], int]:
    listed, older = versions(store, "dev", newest, current(store))
    return [each.serial for each in listed], older


def test_every_version_is_kept_as_it_was(any_store: Store) -> None:
    written = [manifest(serial=1), manifest(entry(), serial=2), manifest(entry(), entry("two"), serial=3, run="run-2")]
    write(any_store, *written)
    assert versions(any_store, "dev", 100, current(any_store)) == (written, 0)
    assert [version(any_store, "dev", serial, current(any_store)) for serial in (1, 2, 3)] == written


def test_the_history_is_no_manifest_of_another_suffix(any_store: Store) -> None:
    write(any_store, manifest(serial=1), manifest(serial=2))
    assert any_store.suffixes() == ["dev"]
    assert versions(any_store, "staging", 100, current(any_store, "staging")) == ([], 0)


def test_the_newest_are_read_and_the_others_counted(any_store: Store) -> None:
    write(any_store, *(manifest(serial=at) for at in range(8, 13)))
    assert serials(any_store, 2) == ([10, 11, 12], 2)


def test_a_writer_that_has_not_read_archives_the_replaced_version(team: Team) -> None:
    at = write(team.run(), manifest(serial=1))
    team.run().write(manifest(serial=2), at)
    assert serials(team.run()) == ([1, 2], 0)


def test_a_refused_write_is_not_in_the_history(any_store: Store) -> None:
    old = write(any_store, manifest(serial=1))
    write(any_store, manifest(serial=2, run="quick"))
    with pytest.raises(LockHeld):
        any_store.write(manifest(serial=2, run="late"), old)
    listed, _ = versions(any_store, "dev", 100, current(any_store))
    assert [each.run for each in listed] == ["run-1", "quick"]


def test_a_refused_write_of_another_process_is_not_in_the_history(team: Team) -> None:
    quick, late = team.run(), team.run()
    old = write(quick, manifest(serial=1))
    late.read("dev")
    quick.write(manifest(serial=2, run="quick"), old)
    with pytest.raises(LockHeld):
        late.write(manifest(serial=2, run="late"), old)
    listed, _ = versions(quick, "dev", 100, current(quick))
    assert [each.run for each in listed] == ["run-1", "quick"]


def test_a_writer_killed_after_archiving_leaves_no_false_version(team: Team, script: S3Script) -> None:
    store = team.run(team.aws)
    at = write(store, manifest(serial=1))
    script.then("PutObject", pass_through, *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(StoreFailed):
        store.write(manifest(serial=2), at)
    assert [*store.list_history("dev")] == ["00000001-run-1.json"]
    assert serials(store) == ([1], 0)
    store.write(manifest(serial=3), at)
    assert serials(store) == ([1, 3], 0)


@pytest.mark.parametrize("steps", [[drop_request] * SDK_ATTEMPTS, [refuse(403, "AccessDenied")]])
def test_a_version_that_cannot_be_archived_is_not_replaced(team: Team, script: S3Script, steps: list[Step]) -> None:
    store = team.run(team.aws)
    at = write(store, manifest(serial=1))
    script.then("PutObject", *steps)
    with pytest.raises(StoreFailed, match="history/dev/"):
        store.write(manifest(serial=2), at)
    assert serials(team.run()) == ([1], 0)


def test_a_version_archived_without_an_answer_is_in_the_history(team: Team, script: S3Script) -> None:
    store = team.run(team.aws)
    at = write(store, manifest(serial=1))
    script.then("PutObject", drop_answer, *[drop_request] * (SDK_ATTEMPTS - 1))
    store.write(manifest(serial=2), at)
    assert serials(store) == ([1, 2], 0)


def test_one_more_write_costs_one_more_request(team: Team, script: S3Script) -> None:
    store = team.run(team.aws)
    at = write(store, manifest(serial=1))
    script.operations.clear()
    store.write(manifest(serial=2), at)
    assert script.operations == ["PutObject", "PutObject"]


def test_a_local_folder_keeps_the_newest(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    folder = tmp_path / "history" / "dev"
    folder.mkdir(parents=True)
    for serial in range(1, local.MAX_LOCAL_VERSIONS + 1):
        (folder / f"{serial:08}-run-1.json").write_text(dump(manifest(serial=serial)))
    write(store, manifest(serial=local.MAX_LOCAL_VERSIONS + 1), manifest(serial=local.MAX_LOCAL_VERSIONS + 2))
    listed, older = versions(store, "dev", 3, current(store))
    assert [each.serial for each in listed] == [
        local.MAX_LOCAL_VERSIONS - 1,
        local.MAX_LOCAL_VERSIONS,
        local.MAX_LOCAL_VERSIONS + 1,
        local.MAX_LOCAL_VERSIONS + 2,
    ]
    assert len(listed) - 1 + older == local.MAX_LOCAL_VERSIONS


def test_a_run_written_by_hand_leads_nowhere_else(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "manifests")
    write(store, manifest(serial=1, run="../../../run"), manifest(serial=2))
    assert [path.name for path in tmp_path.iterdir()] == ["manifests"]
    assert [*store.list_history("dev")] == ["00000001-run.json"]


def test_a_version_of_another_suffix_cannot_be_used(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    write(store, manifest(serial=1), manifest(serial=2))
    (tmp_path / "history" / "dev" / "00000097-x.json").write_text(dump(manifest(serial=97, suffix="prod")))
    with pytest.raises(ManifestError, match="is of suffix prod, not of dev"):
        version(store, "dev", 97, current(store))
    with pytest.raises(ManifestError, match="newest files in the history of dev cannot be used"):
        later_version(store, "dev", manifest(serial=2))


def test_of_two_versions_with_one_serial_the_later_one_is_read(any_store: Store) -> None:
    second = manifest(entry(), serial=2, run="again").model_copy(update={"written_at": "2031-06-01T00:00:00Z"})
    write(any_store, manifest(serial=2), manifest(serial=3), second, manifest(serial=4))
    assert version(any_store, "dev", 2, current(any_store)) == second


def test_a_version_that_is_not_there_is_none(any_store: Store) -> None:
    write(any_store, manifest(serial=1))
    assert version(any_store, "dev", 9, current(any_store)) is None
    with pytest.raises(ManifestError, match="not there any more"):
        any_store.read_history("dev", "00000009-run.json")


def test_a_version_that_is_broken_is_named(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    write(store, manifest(serial=1), manifest(serial=2))
    (tmp_path / "history" / "dev" / "00000001-run-1.json").write_text("{")
    with pytest.raises(ManifestError, match=r"history/dev/00000001-run-1\.json"):
        versions(store, "dev", 9, current(store))


def test_a_version_under_another_one_s_name_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    write(store, manifest(serial=1), manifest(serial=2))
    (tmp_path / "history" / "dev" / "00000097-x.json").write_bytes((tmp_path / "dev.json").read_bytes())
    with pytest.raises(ManifestError, match="is not the version that its name says") as raised:
        version(store, "dev", 97, current(store))
    assert raised.value.evidence == "it holds serial 2 of run run-1"


@pytest.mark.parametrize("first", ["a", "z"])
def test_the_newest_of_two_with_one_serial_is_the_one_that_is_read_by_it(any_store: Store, first: str) -> None:
    """The damaged record's way back names the one, and its command reads by the serial."""
    later = manifest(entry(), serial=2, run="m").model_copy(update={"written_at": "2031-06-01T00:00:00Z"})
    write(any_store, manifest(serial=2, run=first), later, manifest(serial=1))
    assert last_version(any_store, "dev") == later
    assert version(any_store, "dev", 2, current(any_store)) == later


def test_what_is_broken_hides_no_other_version(tmp_path: Path) -> None:
    store, folder = LocalStore(tmp_path), tmp_path / "history" / "dev"
    written = [manifest(serial=serial, run=f"run-{serial}") for serial in (1, 2, 3, 4)]
    write(store, *written)
    (folder / "00000900-x.json").write_text("[]")
    (folder / "00000003-y.json").write_text("{")
    (folder / "00000901-z.json").symlink_to("/etc/hostname")
    (folder / "unlock-broken.json").write_text("{}")
    told: dict[str, ManifestError] = {}
    assert versions(store, "dev", 9, current(store), broken=told.__setitem__) == (written, 0)
    assert unlocks(store, "dev", told.__setitem__) == ([], 0)
    names = ["00000003-y.json", "00000900-x.json", "00000901-z.json", "unlock-broken.json"]
    assert sorted(told) == names
    assert version(store, "dev", 3, current(store)) == written[2]
    later = later_version(store, "dev", written[0])
    assert later == written[2], "the newest of those that were replaced"
    with pytest.raises(ManifestError, match="newest files in the history of dev cannot be used"):
        later_version(store, "dev", written[3])
    with pytest.raises(ManifestError, match=r"00000900-x\.json"):
        version(store, "dev", 900, current(store))


def test_the_newest_version_of_a_record_that_is_gone_is_still_there(any_store: Store) -> None:
    assert (any_store.traces(), last_version(any_store, "dev")) == ([], None)
    write(any_store, *(manifest(serial=serial, run=f"run-{serial}") for serial in (1, 2, 3)))
    assert any_store.traces() == ["dev"]
    last = last_version(any_store, "dev")
    assert last is not None
    assert last.serial == 2


def test_files_of_a_history_of_which_none_can_be_used_are_all_named_at_once(tmp_path: Path) -> None:
    store, folder = LocalStore(tmp_path), tmp_path / "history" / "dev"
    folder.mkdir(parents=True)
    hint = (
        "see who has written to history/dev/, and move away what no run of yours has, then run the same command again"
    )
    names = [f"{serial:08}-x.json" for serial in range(17, 10, -1)]
    for at, name in enumerate(reversed(names), 1):
        (folder / name).write_text(" ")
        with pytest.raises(ManifestError) as one_or_all:
            last_version(store, "dev")
        assert one_or_all.value.hint == hint, "there is no earlier copy of a file of the history"
        assert ("is empty" in one_or_all.value.cause) is (at == 1)
    assert one_or_all.value.cause == "of the files in the history of dev 7 cannot be used"
    told = [f"the manifest history/dev/{name} is empty" for name in names[:5]]
    assert one_or_all.value.evidence == "\n".join([*told, "and 2 more"])
    (folder / "00000017-y.json").write_text(" ")
    with pytest.raises(ManifestError, match="of the files with serial 17 in the history of dev 2 cannot be used"):
        version(store, "dev", 17, None)


def test_a_version_of_another_suffix_is_none_of_this_one(tmp_path: Path) -> None:
    store, folder = LocalStore(tmp_path), tmp_path / "history" / "dev"
    folder.mkdir(parents=True)
    (tmp_path / "history" / "Not_A_Suffix").mkdir()
    (folder / "00000002-x.json").write_text(dump(manifest(serial=2, suffix="prod")))
    assert store.traces() == ["dev"]
    with pytest.raises(ManifestError, match=r"00000002-x\.json is of suffix prod, not of dev"):
        last_version(store, "dev")
    own = manifest(serial=2, run="x")
    (folder / "00000002-x.json").write_text(dump(own))
    (folder / "00000003-x.json").write_text(dump(manifest(serial=3, run="x", suffix="prod")))
    assert last_version(store, "dev") == own
    (folder / "00000002-x.json").unlink()
    (folder / "00000003-x.json").unlink()
    (folder / "00000001-x.json").write_text("{")
    with pytest.raises(ManifestError, match=r"00000001-x\.json"):
        last_version(store, "dev")
    (tmp_path / "history").rename(tmp_path / "elsewhere")
    for name in ("pr-1.lock", "pr-2.durations.json", "notes.txt", ".pr-3.lock", "Pr.lock"):
        (tmp_path / name).touch()
    assert store.traces() == ["pr-1", "pr-2"]
    (tmp_path / "history").write_text("a file")
    with pytest.raises(ManifestError, match="the history cannot be read"):
        store.traces()


def test_other_files_in_the_history_are_no_versions(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    write(store, manifest(serial=1), manifest(serial=2))
    for name in (".draft", "notes.txt", "1-run.json", "00000003-run.json.orig"):
        (tmp_path / "history" / "dev" / name).write_text("x")
    assert serials(store) == ([1, 2], 0)
    assert unlocks(store, "dev") == ([], 0)


def unlocked(at: str, *, done: bool) -> Unlock:
    return Unlock(at=at, by=SAM, lock=LockInfo(id="one", holder=DANA), done=done)


def test_unlockings_are_read_oldest_first_and_a_broken_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "history" / "dev"
    folder.mkdir(parents=True)
    written = [unlocked("2031-05-06T07:08:09Z", done=False), unlocked("2031-05-06T07:08:09Z", done=True)]
    for unlock in written:
        (folder / unlock.name).write_bytes(unlock.encode())
    assert unlocks(LocalStore(tmp_path), "dev") == (written, 0)
    (folder / "unlock-broken.json").write_text("{}")
    with pytest.raises(ManifestError, match=r"history/dev/unlock-broken\.json is no record of an unlocking"):
        unlocks(LocalStore(tmp_path), "dev")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, manifest(), "nothing made, changed or removed"),
        (None, manifest(entry()), "1 made"),
        (manifest(entry()), manifest(entry()), "nothing made, changed or removed"),
        (manifest(entry()), manifest(entry(size=3)), "1 changed"),
        (manifest(), manifest(entry(phase=Phase.MAKING), entry("two", Phase.LEAVING)), "2 begun"),
        (manifest(entry(phase=Phase.MAKING)), manifest(entry(phase=Phase.MAKING)), "nothing made, changed or removed"),
        (manifest(entry(phase=Phase.MAKING), entry("two")), manifest(entry()), "1 made · 1 removed"),
        (manifest(), manifest(entry(), entry("two")), "2 made"),
        (manifest(entry(phase=Phase.LEAVING)), manifest(entry(phase=Phase.KEPT)), "nothing made, changed or removed"),
    ],
)
def test_the_changes_of_a_version_are_counted(before: Manifest | None, after: Manifest, expected: str) -> None:
    assert str(diff_versions(before, after)) == expected


def test_what_a_run_put_back_is_one_of_its_changes() -> None:
    run = [manifest(entry(phase=Phase.MAKING), entry("new", Phase.MAKING)), manifest(entry(), entry("new"))]
    assert diff_run(manifest(entry(), entry("old")), run) == VersionDiff(
        begun=[], made=["kms-key/new"], changed=["kms-key/alias/db-key-dev"], removed=["kms-key/old"]
    )


def test_other_needs_alone_are_no_change_of_a_run() -> None:
    """As of `manifest diff`: a secret's rotation needs one more instance, and nothing was done with it."""
    before, after = entry("one"), entry("one").model_copy(update={"needs": ("db-instance/two",)})
    assert str(diff_versions(manifest(before), manifest(after))) == "nothing made, changed or removed"
    run = [manifest(after.model_copy(update={"phase": Phase.MAKING})), manifest(after)]
    assert str(diff_run(manifest(before), run)) == "nothing made, changed or removed"
    larger = after.model_copy(update={"spec": {"size": 3}})
    assert str(diff_run(manifest(before), [*run, manifest(larger)])) == "1 changed"


def test_addresses_are_for_programs() -> None:
    before = manifest(entry("old"), entry("one", Phase.MAKING))
    assert diff_versions(before, manifest(entry("one"), entry("two", Phase.MAKING))) == VersionDiff(
        begun=["kms-key/two"], made=["kms-key/one"], changed=[], removed=["kms-key/old"]
    )


def test_an_archived_version_is_a_manifest_that_can_be_put_back(any_store: Store) -> None:
    write(any_store, manifest(serial=1), manifest(serial=2))
    name = next(iter(any_store.list_history("dev")))
    assert any_store.read_history("dev", name).decode() == dump(manifest(serial=1))
    assert parse(any_store.read_history("dev", name), name) == manifest(serial=1)


def test_a_later_version_tells_that_an_old_one_was_put_back(any_store: Store) -> None:
    at = {"written_at": "2021-05-06T07:08:09Z"}
    written = [manifest(serial=serial, run=f"run-{serial}").model_copy(update=at) for serial in range(1, 5)]
    write(any_store, *written)
    old, newest = written[1], written[3]
    assert later_version(any_store, "dev", newest) is None
    later = later_version(any_store, "dev", old)
    assert later is not None
    assert later.serial == 3, "the newest that was replaced"
    goes_on = old.model_copy(update={"written_at": "2021-05-06T08:00:00Z"})
    with pytest.raises(ManifestError, match="higher serials than the record"):
        later_version(any_store, "dev", goes_on)
    # What somebody has put there of another place, with a time yet to come, or where none leads up to it, is none.
    for changed in ({}, {"account": "999999999999"}, {"region": "us-west-1"}, {"written_at": "2099-01-01T00:00:00Z"}):
        goes_astray = newest.model_copy(update={"serial": 97, "run": "x", **changed})
        any_store.write(newest, any_store.write(goes_astray, versioned(any_store)))
        assert later_version(any_store, "dev", old) == newest, changed
    of_tomorrow = old.model_copy(update={"written_at": "2099-05-06T08:00:00Z"})
    assert later_version(any_store, "dev", of_tomorrow) is not None, "a time that is yet to come tells nothing"


AT, LATER, MUCH_LATER = "2021-05-06T07:08:09Z", "2021-05-06T07:08:10Z", "2021-05-06T07:13:10Z"


def test_where_a_higher_serial_is_of_no_later_version_for_sure_nobody_can_tell(tmp_path: Path) -> None:
    """Somebody has put it there, or has taken away what was before it, or has written another into the record."""
    store, folder = LocalStore(tmp_path), tmp_path / "history" / "dev"
    at = {"written_at": AT}
    old, *written = (manifest(serial=each, run=f"run-{each}").model_copy(update=at) for each in range(1, 5))
    write(store, old, *written, old)
    (folder / "00000003-run-3.json").unlink()
    assert later_version(store, "dev", old) == written[0], "one that its own version leads up to"
    (folder / "00000002-run-2.json").unlink()
    for serial, time in ((9, "2020-05-06T07:08:09Z"), (8, "2099-05-06T07:08:09Z")):
        astray = manifest(serial=serial, run="x").model_copy(update={"written_at": time})
        (folder / f"0000000{serial}-x.json").write_text(dump(astray))
    for record in (old, written[-1].model_copy(update={"serial": 1})):
        with pytest.raises(ManifestError, match="higher serials than the record, and nobody can tell") as caught:
            later_version(store, "dev", record)
        assert caught.value.evidence == "00000009-x.json, 00000008-x.json, 00000004-run-4.json"
    for junk in folder.glob("*-x.json"):
        junk.unlink()
    (folder / "00000004-run-4.json").write_text("{}")
    with pytest.raises(ManifestError, match="cannot be used"):
        later_version(store, "dev", old)


@pytest.mark.parametrize(
    ("serial", "run", "at", "is_old"),
    [
        (6, "run-3", LATER, False),  # the next of the newest run
        (9, "run-3", LATER, False),  # writes of it have failed in between
        (6, "run-4", LATER, False),
        (9, "run-4", MUCH_LATER, False),  # as above, or the record was lost
        (6, "run-4", AT, False),  # one clock is behind the other
        (9, "run-4", LATER, True),  # no version leads up to its serial
        (9, "run-4", LATER.replace("2021", "2020"), True),
        (6, "run-4", "2020-01-01T00:00:00Z", True),
        (6, "run-4", "", True),
        (6, "run-4", "2021-99-99T00:00:00Z", True),
        (6, "run-2", MUCH_LATER, True),  # a run that had ended when the newest began
        (5, "run-4", LATER, False),  # of two with one serial time tells
    ],
)
def test_a_record_that_no_version_leads_up_to_or_that_is_older_than_the_newest_one_is_old(
    any_store: Store, serial: int, run: str, at: str, is_old: bool
) -> None:
    """An old record that is put back may bear another serial by then."""
    before = [
        manifest(serial=each, run=f"run-{each // 2 + 1}").model_copy(update={"written_at": AT}) for each in (2, 3, 4)
    ]
    newest = manifest(serial=5, run="run-3").model_copy(update={"written_at": LATER})
    stored = manifest(serial=serial, run=run).model_copy(update={"written_at": at})
    write(any_store, *before, newest, stored)
    later = later_version(any_store, "dev", stored)
    assert later == (newest if is_old else None)


def test_a_record_whose_own_version_was_archived_is_not_old(any_store: Store) -> None:
    """A write that was cut off has archived what it did not replace."""
    first, second = (manifest(serial=each).model_copy(update={"written_at": AT}) for each in (1, 2))
    write(any_store, first, second, first, second)
    assert [*any_store.list_history("dev")] == ["00000001-run-1.json", "00000002-run-1.json"]
    assert later_version(any_store, "dev", second) is None


def litter(folder: Path, count: int, content: str = "{}") -> None:
    """Put files that tapctl never writes beside the newest versions."""
    for number in range(count):
        (folder / "history" / "dev" / f"{90000000 + number}-junk{number}.json").write_text(content)


def test_files_that_cannot_be_used_hide_no_version(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    old, *written = (
        manifest(serial=each, run=f"run-{each}").model_copy(update={"written_at": AT}) for each in range(1, 5)
    )
    write(store, old, *written, old)
    litter(tmp_path, 9)
    assert later_version(store, "dev", old) == written[-1]
    assert last_version(store, "dev") == written[-1]
    of_junk = manifest(serial=99999999)
    assert [*ends_of_runs(store, of_junk)] == [*reversed(written), old]


@pytest.mark.parametrize("content", ["{}", dump(manifest(serial=90000000)).replace("us-east-2", "us-west-1")])
def test_where_only_files_that_cannot_be_used_are_the_newest_nobody_can_tell(tmp_path: Path, content: str) -> None:
    store, own = LocalStore(tmp_path), manifest(serial=2).model_copy(update={"written_at": AT})
    write(store, manifest(serial=1).model_copy(update={"written_at": AT}), own)
    litter(tmp_path, 65, content)
    with pytest.raises(ManifestError, match="newest files in the history of dev cannot be used") as caught:
        later_version(store, "dev", own)
    assert "junk" in str(caught.value.evidence)
    # One that is known to be later is told all the same.
    assert later_version(store, "dev", own.model_copy(update={"written_at": ""})) is not None


def test_a_history_of_files_that_cannot_be_used_alone_tells_nothing(tmp_path: Path) -> None:
    store, own = LocalStore(tmp_path), manifest(serial=2).model_copy(update={"written_at": AT})
    write(store, manifest(serial=1), own)
    (tmp_path / "history" / "dev" / "00000001-run-1.json").write_text("{}")
    with pytest.raises(ManifestError, match="cannot be used"):
        later_version(store, "dev", own)


def test_what_each_run_has_left_is_read_newest_first(any_store: Store) -> None:
    runs = ["a", "a", "b", "c", "c", "c"]
    written = [manifest(serial=serial, run=run) for serial, run in enumerate(runs, 1)]
    written[2] = written[2].model_copy(update={"region": "us-west-1"})
    write(any_store, *written)
    assert [(one.run, one.serial) for one in ends_of_runs(any_store, written[-1])] == [("c", 5), ("a", 2)]
    assert [one.serial for one in ends_of_runs(any_store, written[1])] == [1]


def test_the_highest_serial_of_the_history_is_no_number_that_somebody_has_made_up(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert highest_serial(store, "dev") == 0
    write(store, *(manifest(serial=serial) for serial in range(1, 12)))
    for name in (f"{2**63}-x.json", "99999999-x.json", "90000000-x.json", "00000012-x.json"):
        (tmp_path / "history" / "dev" / name).write_text("{}")
    assert highest_serial(store, "dev") == 10
    far = manifest(serial=89_999_999, run="x")
    (tmp_path / "history" / "dev" / "89999999-x.json").write_text(dump(far))
    with pytest.raises(SerialsUsedUp, match="has a version with a serial that no run has reached") as told:
        highest_serial(store, "dev")
    assert told.value.evidence == "history/dev/89999999-x.json"


def put_beside(store: Store, folder: Path, name: str, content: str) -> None:
    """Put a file into the history of a store of either kind."""
    if isinstance(store, S3Store):
        store._bucket.put(f"history/dev/{name}", content.encode(), None)
    else:
        (folder / "deep" / "manifests" / "history" / "dev" / name).write_text(content)


def test_what_is_too_large_is_not_fetched_and_hides_no_version(
    team: Team, script: S3Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, written = team.run(team.aws), [manifest(serial=serial) for serial in (1, 2, 3)]
    write(store, *written)
    size = len(dump(written[0]))
    monkeypatch.setattr(history, "MAX_BYTES", size)
    monkeypatch.setattr(history, "_READ_BYTES", 3 * size)
    for number in range(4):
        key = f"team/history/dev/{90 + number:08}-junk.json"
        team.aws.s3.put_object(Bucket="records", Key=key, Body=b" " * (size + 1))
    script.operations.clear()
    told: dict[str, ManifestError] = {}
    other = team.run(team.aws)
    assert last_version(other, "dev") == written[1]
    assert versions(other, "dev", 9, written[2], broken=told.__setitem__) == (written, 0)
    assert script.operations.count("GetObject") == 2
    assert len(told) == 4
    assert str(told["00000090-junk.json"]).startswith("history/dev/00000090-junk.json is too large")


@pytest.mark.parametrize("content", [" ", "{}"])
def test_one_look_reads_so_many_bytes_and_tells_what_it_has_not_read(
    any_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """Whoever may write to a history may put there what takes minutes to read."""
    at = {"written_at": AT}
    own, *written = (manifest(serial=each, run=f"run-{each}").model_copy(update=at) for each in (9, 4, 5, 6))
    write(any_store, *written, own)
    size = len(dump(own))
    monkeypatch.setattr(history, "_READ_BYTES", 2 * size)
    assert versions(any_store, "dev", 9, own) == ([*written[1:], own], 1)
    assert version(any_store, "dev", 4, own) == written[0], "one that is named is read alone"
    assert [*ends_of_runs(any_store, own)] == written[:0:-1]
    for number in range(3):
        put_beside(any_store, tmp_path, f"00000008-{number}.json", content * size)
        put_beside(any_store, tmp_path, f"00000004-{number}.json", content * size)
    with pytest.raises(ManifestError, match="newest files in the history of dev cannot be used"):
        later_version(any_store, "dev", own)
    with pytest.raises(ManifestError, match=r"history of dev [12] cannot be used, and [78] were not read"):
        last_version(any_store, "dev")
    assert highest_serial(any_store, "dev") == 0
    unread: dict[str, TapctlError] = {}
    nothing = manifest(serial=9).model_copy(update=at)
    assert not is_led_up_to(any_store, "dev", nothing, lambda _: True, unread.__setitem__)
    assert [*unread] == [f"00000008-{number}.json" for number in (2, 1, 0)]
    assert "00000008-0.json was not read: there are too many files" in str(unread["00000008-0.json"])


def test_the_newest_notes_of_unlockings_are_read_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = LocalStore(tmp_path), tmp_path / "history" / "dev"
    folder.mkdir(parents=True)
    written = [unlocked(f"2031-05-0{day}T07:08:09Z", done=True) for day in (1, 2, 3)]
    for unlock in written:
        (folder / unlock.name).write_bytes(unlock.encode())
    monkeypatch.setattr(history, "_READ_BYTES", 2 * len(written[0].encode()))
    assert unlocks(store, "dev") == (written[1:], 1)
    (folder / f"{unlocked('2031-05-04T07:08:09Z', done=True).name}").write_text(" " * 4 * 1024 * 1024 + " ")
    with pytest.raises(ManifestError, match="is too large"):
        unlocks(store, "dev")
