from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tapctl.errors import LockHeld, ManifestError, StoreFailed
from tapctl.manifest.local import LocalStore
from tests.manifest.examples import DANA, SAM, no_room
from tests.support.wall_clock import FakeWallClock

_HOLDER = """
import subprocess, sys, time
from pathlib import Path
from tapctl.manifest.local import LocalStore
from tests.manifest.examples import DANA
with LocalStore(Path(sys.argv[1])).lock("dev", DANA):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "manifests")


def test_a_held_lock_is_refused_with_its_holder(store: LocalStore, tmp_path: Path) -> None:
    with store.lock("dev", DANA) as lease:
        lease.ensure_held()
        with pytest.raises(LockHeld) as refused, store.lock("dev", SAM):
            pytest.fail("two hold the lock")
        lease.ensure_held()
    assert refused.value.evidence == f"{tmp_path}/manifests/dev.lock: {DANA}"
    assert refused.value.exit_code == 5


def test_a_look_at_the_lock_keeps_nobody_from_it(tmp_path: Path) -> None:
    path = tmp_path / "dev.lock"
    path.write_bytes(b"")
    clock = FakeWallClock()
    with path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        clock.each_wait = lambda: fcntl.flock(looking, fcntl.LOCK_UN)
        with LocalStore(tmp_path, clock).lock("dev", SAM) as lease:
            lease.ensure_held()


def test_a_released_lock_is_free_and_names_nobody(store: LocalStore, tmp_path: Path) -> None:
    store.put_sidecar("dev", "durations", b"{}")
    with store.lock("dev", DANA) as first:
        pass
    assert (tmp_path / "manifests" / "dev.lock").read_text() == ""
    with store.lock("dev", SAM) as second:
        assert json.loads((tmp_path / "manifests" / "dev.lock").read_text())["holder"]["who"] == "sam"
    assert first.id != second.id


@pytest.mark.parametrize("kept", ["dev.json", "dev.certificate.json", "history/dev"])
def test_a_released_lock_stays_only_beside_what_is_kept_of_its_suffix(
    store: LocalStore, tmp_path: Path, kept: str
) -> None:
    folder = tmp_path / "manifests"
    with store.lock("dev", DANA):
        pass
    assert list(folder.iterdir()) == []
    (folder / kept).mkdir(parents=True)
    with store.lock("dev", DANA):
        pass
    assert (folder / "dev.lock").exists()


def test_only_the_user_may_read_the_lock(store: LocalStore, tmp_path: Path) -> None:
    with store.lock("dev", DANA):
        mode = (tmp_path / "manifests" / "dev.lock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_holder_that_has_not_said_its_name_yet_still_holds_it(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    with (tmp_path / "manifests" / "dev.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockHeld) as refused, store.lock("dev", SAM):
            pytest.fail("two hold the lock")
    assert "nobody's name can be read in it" in str(refused.value.evidence)


def test_a_holder_whose_file_was_removed_is_told_so(store: LocalStore, tmp_path: Path) -> None:
    with store.lock("dev", DANA) as lease:
        (tmp_path / "manifests" / "dev.lock").unlink()
        with pytest.raises(LockHeld, match="was taken away"):
            lease.ensure_held()


def test_a_holder_whose_file_was_replaced_is_told_by_whom(store: LocalStore, tmp_path: Path) -> None:
    with store.lock("dev", DANA) as first:
        (tmp_path / "manifests" / "dev.lock").unlink()
        with store.lock("dev", SAM) as second:
            second.ensure_held()
            with pytest.raises(LockHeld) as refused:
                first.ensure_held()
    assert refused.value.evidence == str(SAM)


def test_a_killed_holder_frees_it_at_once_even_while_its_children_live(store: LocalStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "manifests")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        with pytest.raises(LockHeld), store.lock("dev", SAM):
            pytest.fail("two hold the lock")
        # Stopped, so that it cannot end before it was looked at.
        os.kill(child, signal.SIGSTOP)
        holder.kill()
        holder.wait()
        try:
            with store.lock("dev", SAM) as lease:
                lease.ensure_held()
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_that_cannot_be_made_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match="could not be taken"), LocalStore(tmp_path / "file").lock("dev", DANA):
        pytest.fail("nothing is locked")


def _link(lock: Path) -> None:
    lock.symlink_to(lock.parent.parent / "precious")


@pytest.mark.parametrize("make", [_link, Path.mkdir, os.mkfifo])
def test_what_is_no_file_in_place_of_the_lock_is_neither_followed_nor_believed_to_pass(
    store: LocalStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "precious").write_text("precious")
    make(tmp_path / "manifests" / "dev.lock")
    with pytest.raises(ManifestError, match="cannot be used") as refused, store.lock("dev", DANA):
        pytest.fail("nothing is locked")
    assert "look who has put it there" in str(refused.value.hint)
    assert (tmp_path / "precious").read_text() == "precious"


def test_on_a_full_disk_nothing_is_locked(store: LocalStore) -> None:
    with no_room(), pytest.raises(StoreFailed, match="could not be taken"), store.lock("dev", DANA):
        pytest.fail("nothing is locked")
    with store.lock("dev", DANA):
        pass


def test_a_waiting_run_acquires_a_released_lock(store: LocalStore, tmp_path: Path) -> None:
    clock, messages = FakeWallClock(), list[str]()
    waiting = LocalStore(tmp_path / "manifests", clock)
    held = store.lock("dev", SAM)
    held.__enter__()
    clock.each_wait = lambda: held.__exit__(None, None, None) if clock.seconds == 1_002 else None
    with waiting.lock("dev", DANA, wait_s=600, notify=messages.append):
        assert clock.seconds == 1_002
    assert messages == [f"waiting for the lock, 0 s of 600 s: {SAM}"]


def test_a_wait_that_is_over_names_the_holder(store: LocalStore, tmp_path: Path) -> None:
    clock, messages = FakeWallClock(), list[str]()
    waiting = LocalStore(tmp_path / "manifests", clock)
    with store.lock("dev", SAM) as lease:
        clock.each_wait = lambda: lease.set_phase("removing") if clock.seconds == 1_010 else None
        with pytest.raises(LockHeld) as refused, waiting.lock("dev", DANA, wait_s=50.1, notify=messages.append):
            pytest.fail("two hold the lock")
        assert clock.seconds == pytest.approx(1_050.1)
    assert str(refused.value.evidence).endswith(f"dev.lock: {SAM}, removing")
    assert "--lock-timeout" in str(refused.value.hint)
    assert [line.partition(":")[0] for line in messages] == [
        "waiting for the lock, 0 s of 50 s",
        "waiting for the lock, 10 s of 50 s",
        "waiting for the lock, 40 s of 50 s",
    ]


def test_on_a_full_disk_the_lock_stays_without_its_phase(store: LocalStore) -> None:
    with store.lock("dev", DANA) as lease:
        with no_room():
            lease.set_phase("removing")
        lease.ensure_held()
        with pytest.raises(LockHeld), store.lock("dev", SAM):
            pytest.fail("two hold the lock")


def test_a_local_lease_is_valid_as_long_as_its_file_is_there(tmp_path: Path) -> None:
    with LocalStore(tmp_path).lock("dev", DANA) as lease:
        lease.assert_valid()
        (tmp_path / "dev.lock").unlink()
        with pytest.raises(LockHeld, match="was taken away"):
            lease.assert_valid()
