from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tapctl.errors import LockHeld, ManifestError, StoreFailed
from tapctl.manifest import local
from tapctl.manifest.local import MAX_LOCAL_VERSIONS, LocalStore
from tapctl.manifest.manifest import dump
from tests.manifest.examples import DANA, entry, manifest, no_room
from tests.support.strangers import give_files_away


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "manifests"


@pytest.fixture
def store(folder: Path) -> LocalStore:
    return LocalStore(folder)


def test_reading_makes_no_folder(store: LocalStore, tmp_path: Path) -> None:
    assert store.read("dev") is None
    assert (store.suffixes(), store.traces()) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_only_the_user_may_read_the_files_and_no_draft_is_left(store: LocalStore, folder: Path) -> None:
    first = store.write(manifest(), None)
    store.write(manifest(entry(), serial=4), first)
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in left) == ["00000003-run-1.json", "dev.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in left} == {0o600}


def test_a_draft_that_a_killed_writer_left_is_no_obstacle_and_keeps_no_rights(store: LocalStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    left = folder / ".dev.json.tmp"
    left.write_text("x" * 100_000)
    left.chmod(0o644)
    store.write(manifest(), None)
    assert (folder / "dev.json").read_text() == dump(manifest())
    assert stat.S_IMODE((folder / "dev.json").stat().st_mode) == 0o600
    assert not left.exists()


def test_a_manifest_broken_meanwhile_is_left_as_it_is(store: LocalStore, folder: Path) -> None:
    version = store.write(manifest(), None)
    (folder / "dev.json").write_text("{")
    with pytest.raises(ManifestError, match=r"dev\.json"):
        store.write(manifest(serial=4), version)
    assert (folder / "dev.json").read_text() == "{"


def _empty(path: Path) -> None:
    path.touch()


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text(dump(manifest()))
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("make", [_empty, _folder, _link, os.mkfifo])
def test_what_is_no_plain_file_with_a_manifest_is_refused_by_name(
    store: LocalStore, folder: Path, make: Callable[[Path], None]
) -> None:
    folder.mkdir(parents=True)
    make(folder / "dev.json")
    with pytest.raises(ManifestError, match=r"manifests/dev\.json"):
        store.read("dev")


def test_a_link_is_not_written_through(store: LocalStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    _link(folder / "dev.json")
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(serial=4), None)
    assert refused.value.evidence == "it is a symbolic link"
    assert (folder / "elsewhere").read_text() == dump(manifest())


def test_a_link_in_place_of_the_draft_is_not_written_through(store: LocalStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".dev.json.tmp").symlink_to(folder / "elsewhere")
    with pytest.raises(StoreFailed):
        store.write(manifest(), None)
    assert not (folder / "elsewhere").exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = LocalStore(tmp_path / "file")
    with pytest.raises(ManifestError, match="cannot be read"):
        store.read("dev")
    with pytest.raises(ManifestError, match="cannot be read"):
        store.suffixes()
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(), None)
    assert "file" in str(refused.value.evidence)


def test_on_a_full_disk_the_old_manifest_stays_whole(store: LocalStore, folder: Path) -> None:
    version = store.write(manifest(entry()), None)
    with no_room(), pytest.raises(StoreFailed) as refused:
        store.write(manifest(entry("other"), serial=4), version)
    assert "Errno" in str(refused.value.evidence)
    stored = store.read("dev")
    assert stored is not None
    assert (stored.manifest, stored.version) == (manifest(entry()), version)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["dev.json"]
    store.write(manifest(entry("other"), serial=4), version)


def test_a_writer_that_waited_for_a_draft_already_renamed_takes_a_new_one(
    store: LocalStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = store.write(manifest(), None)
    lock = fcntl.flock
    waited: list[int] = []

    def when_another_has_renamed_it(opened: int, how: int) -> None:
        if not waited:
            (folder / ".dev.json.tmp").unlink()
        waited.append(opened)
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", when_another_has_renamed_it)
    store.write(manifest(serial=4), version)
    assert len(waited) > 1
    stored = store.read("dev")
    assert stored is not None
    assert stored.manifest.serial == 4


def test_of_many_writers_at_once_no_one_undoes_what_another_wrote(store: LocalStore) -> None:
    store.write(manifest(serial=0), None)
    writers, each = 6, 5

    def add(name: str) -> None:
        done = 0
        while done < each:
            stored = store.read("dev")
            assert stored is not None
            entries = [*stored.manifest.entries.values(), entry(f"{name}-{done}")]
            try:
                store.write(manifest(*entries, serial=stored.manifest.serial + 1, run=name), stored.version)
            except LockHeld:
                continue
            done += 1

    threads = [threading.Thread(target=add, args=(f"writer-{at}",)) for at in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.read("dev")
    assert stored is not None
    assert len(stored.manifest.entries) == stored.manifest.serial == writers * each


# -- what others have placed -----------------------------------------------------------------------------------------


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**30)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, tempfile.TemporaryDirectory() as short:
        made.bind(f"{short}/s")
        Path(f"{short}/s").rename(path)


@pytest.mark.parametrize(
    ("make", "kind"),
    [(_huge, "larger than"), (os.mkfifo, "a pipe"), (_folder, "a folder"), (_link, "link"), (_socket, "socket")],
)
@pytest.mark.parametrize("name", ["dev.json", "dev.certificate.json", "history/dev/00000001-x.json"])
def test_what_others_have_placed_is_not_read(
    store: LocalStore, folder: Path, make: Callable[[Path], None], kind: str, name: str
) -> None:
    (folder / name).parent.mkdir(parents=True)
    make(folder / name)
    read: Callable[[], object] = {
        "dev.json": lambda: store.read("dev"),
        "dev.certificate.json": lambda: store.get_sidecar("dev", "certificate"),
        "history/dev/00000001-x.json": lambda: store.read_history("dev", "00000001-x.json"),
    }[name]
    with pytest.raises((ManifestError, StoreFailed)) as refused:
        read()
    assert kind in str(refused.value.evidence)
    # What is beside the manifest is no reason to refuse the manifest.
    assert refused.value.exit_code == (4 if "certificate" in name else 3)


def test_a_device_is_not_opened(monkeypatch: pytest.MonkeyPatch, folder: Path, store: LocalStore) -> None:
    folder.mkdir(parents=True)
    look = os.stat

    def stat_of_what_is_there(path: Path, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        return look(path, dir_fd=dir_fd) if follow_symlinks else look("/dev/zero")

    monkeypatch.setattr(os, "stat", stat_of_what_is_there)
    with pytest.raises(StoreFailed) as refused:
        store.get_sidecar("dev", "certificate")
    assert "it is a device" in str(refused.value.evidence)


def test_a_manifest_of_another_user_is_refused_where_others_may_write(
    store: LocalStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(manifest(), None)
    store.put_sidecar("dev", "certificate", b"{}")
    give_files_away(monkeypatch, folder.parent.parent)
    assert store.read("dev") is not None  # only its owner may write there: who that is was chosen with --state
    folder.chmod(0o777)
    with pytest.raises(ManifestError) as refused:
        store.read("dev")
    assert "belongs to another user (uid 4242), in a folder that others may write to" in str(refused.value.evidence)
    helps = f"chmod go-w {folder}, or use a bucket: --state s3://BUCKET/PREFIX"
    assert str(refused.value.hint).endswith(helps)
    with pytest.raises(ManifestError, match="cannot be used") as locking, store.lock("dev", DANA):
        pytest.fail("locked")
    assert str(locking.value.hint).endswith(helps)
    with pytest.raises(StoreFailed) as beside:
        store.get_sidecar("dev", "certificate")
    assert str(beside.value.hint).endswith(helps)


def test_a_hard_link_is_refused_where_others_may_write_and_never_written_through(
    store: LocalStore, folder: Path, tmp_path: Path
) -> None:
    version = store.write(manifest(), None)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (folder / "backup").hardlink_to(folder / "dev.json")
    assert store.read("dev") is not None
    (folder / "dev.lock").hardlink_to(precious)
    (folder / ".dev.json.tmp").hardlink_to(precious)
    with pytest.raises(ManifestError, match="cannot be used"), store.lock("dev", DANA):
        pytest.fail("locked")
    with pytest.raises(ManifestError, match="cannot be used"):
        store.write(manifest(serial=4), version)
    assert precious.read_text() == "precious"
    folder.chmod(0o777)
    with pytest.raises(ManifestError) as refused:
        store.read("dev")
    assert "hard link" in str(refused.value.evidence)
    assert f"chmod go-w {folder}, or use a bucket" in str(refused.value.hint)


@pytest.mark.parametrize("place", ["history", "history/dev"])
def test_a_link_in_place_of_the_history_leads_nowhere_where_others_may_write(
    store: LocalStore, folder: Path, tmp_path: Path, place: str
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir(mode=0o755)
    for number in range(MAX_LOCAL_VERSIONS + 20):
        (photos / f"IMG_{number:03}.jpg").touch()
    version = store.write(manifest(), None)
    link = folder / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(photos)
    link.parent.chmod(0o1777)
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(serial=4), version)
    assert "it is a symbolic link, in a folder that others may write to" in str(refused.value.evidence)
    keeps = "keep yours in a folder that only you may write to, or use a bucket: --state s3://BUCKET/PREFIX"
    assert keeps in str(refused.value.hint)
    for look in (lambda: store.list_history("dev"), lambda: store.read_history("dev", "00000001-run.json")):
        with pytest.raises(ManifestError, match="the history of dev cannot be read"):
            look()
    assert (len([*photos.iterdir()]), stat.S_IMODE(photos.stat().st_mode)) == (MAX_LOCAL_VERSIONS + 20, 0o755)


def test_a_history_of_another_user_is_refused_where_others_may_write(
    store: LocalStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = store.write(manifest(), None)
    version = store.write(manifest(serial=4), version)
    names = store.list_history("dev")
    give_files_away(monkeypatch, folder.parent.parent)
    assert store.list_history("dev") == names, "its owner alone may write there"
    folder.chmod(0o777)
    with pytest.raises(ManifestError) as refused:
        store.list_history("dev")
    assert "belongs to another user (uid 4242), in a folder that others may write to" in str(refused.value.evidence)
    with pytest.raises(ManifestError, match="the history cannot be read"):
        store.traces()


def test_a_history_of_our_own_is_kept_where_others_may_write(store: LocalStore, folder: Path) -> None:
    version = store.write(manifest(), None)
    folder.chmod(0o777)
    store.write(manifest(serial=4), version)
    assert (len(store.list_history("dev")), store.traces()) == (1, ["dev"])


def test_a_link_of_our_own_in_a_folder_of_our_own_is_followed_and_nothing_but_versions_goes(
    store: LocalStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_LOCAL_VERSIONS", 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.txt").touch()
    version = store.write(manifest(), None)
    (folder / "history").mkdir()
    (folder / "history" / "dev").symlink_to(elsewhere)
    for serial in range(4, 9):
        version = store.write(manifest(serial=serial), version)
    assert [path.name for path in elsewhere.glob("*.txt")] == ["notes.txt"]
    assert len([*elsewhere.glob("0*.json")]) == 2


def test_folders_are_for_the_user_alone_those_of_earlier_days_too(store: LocalStore, folder: Path) -> None:
    history = folder / "history" / "dev"
    history.mkdir(parents=True, mode=0o755)
    (folder / "history").chmod(0o755)
    version = store.write(manifest(), None)
    store.write(manifest(serial=4), version)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (history.parent, history)} == {0o700}
    other = LocalStore(folder / "a" / "b")
    version = other.write(manifest(), None)
    other.write(manifest(serial=4), version)
    made = [path for path in (folder / "a").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "a", *made)} == {0o700}


def test_a_history_that_is_no_folder_is_named(store: LocalStore, folder: Path) -> None:
    (folder / "history").mkdir(parents=True)
    (folder / "history" / "dev").touch()
    with pytest.raises(ManifestError, match="the history of dev cannot be read"):
        store.list_history("dev")


# -- folders that others have placed ---------------------------------------------------------------------------------

PHOTOS = tuple(f"IMG_{at:03}.jpg" for at in range(520))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of the user's own, with more files than a history keeps."""
    made = tmp_path / "photos"
    made.mkdir(mode=0o755)
    for name in PHOTOS:
        (made / name).touch()
    return made


def test_a_history_that_cannot_be_used_is_refused_before_anything_is_done(store: LocalStore, folder: Path) -> None:
    version = store.write(manifest(), None)
    folder.chmod(0o777)
    (folder / "history").symlink_to(folder.parent)
    with pytest.raises(ManifestError, match="the history of dev cannot be read"), store.lock("dev", DANA):
        pytest.fail("locked")
    stored = store.read("dev")  # the record itself is what it was
    assert stored is not None
    assert stored.version == version


def test_a_history_that_others_could_write_to_is_not_healed_before_it_was_looked_at(
    store: LocalStore, folder: Path, photos: Path
) -> None:
    version = store.write(manifest(), None)
    (folder / "history").mkdir(mode=0o777)
    (folder / "history").chmod(0o777)
    (folder / "history" / "dev").symlink_to(photos)
    for _ in range(2):
        with pytest.raises(StoreFailed):
            store.write(manifest(serial=4), version)
    assert sorted(path.name for path in photos.iterdir()) == sorted(PHOTOS)


def test_a_state_folder_that_another_user_has_placed_is_refused(
    store: LocalStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(manifest(), None)
    folder.parent.chmod(0o777)
    assert store.suffixes() == ["dev"]  # of our own
    give_files_away(monkeypatch, folder.parent.parent)
    for use in (store.suffixes, store.traces, lambda: store.read("dev")):
        with pytest.raises(ManifestError) as refused:
            use()
        assert "belongs to another user (uid 4242), in a folder that others may write to" in str(refused.value.evidence)
        assert f"chmod go-w {folder.parent}, or use a bucket: --state s3://" in str(refused.value.hint)
    with pytest.raises(ManifestError), store.lock("dev", DANA):
        pytest.fail("locked")


def test_the_users_own_link_to_a_history_elsewhere_is_followed_and_only_versions_are_pruned(
    store: LocalStore, folder: Path, photos: Path
) -> None:
    folder.mkdir(parents=True)
    (folder / "history").mkdir()
    (folder / "history" / "dev").symlink_to(photos)
    (photos / "00000001-a-folder.json").mkdir()
    for serial in range(2, 3 + 500):
        (photos / f"{serial:08}-run.json").touch()
    version = store.write(manifest(serial=900), None)
    store.write(manifest(serial=901), version)
    left = {path.name for path in photos.iterdir()}
    assert left >= {*PHOTOS, "00000001-a-folder.json", "00000900-run-1.json"}
    assert {"00000002-run.json", "00000003-run.json"}.isdisjoint(left)
    assert "00000004-run.json" in left
