"""The lock is read without being taken; a holder whose process has ended for certain is nobody."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapctl.errors import LockHeld, ManifestError
from tapctl.manifest.local import LocalStore
from tapctl.manifest.lock import LockHolder, LockInfo, this_machine
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import S3Script, s3_times, with_headers
from tests.manifest.team import KEY, Team
from tests.support.wall_clock import FakeWallClock


def ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def gone() -> LockHolder:
    """A holder on this machine whose process has ended."""
    return LockHolder.here("dana", "tapctl apply", {}).model_copy(update={"pid": ended()})


def test_a_holder_is_gone_only_if_this_very_machine_knows_no_such_process() -> None:
    ours = LockHolder.here("dana", "tapctl apply", {})
    assert ours.machine == this_machine() != ""
    assert not ours.is_gone
    assert gone().is_gone
    assert not gone().model_copy(update={"machine": "another"}).is_gone
    assert not gone().model_copy(update={"machine": ""}).is_gone
    assert not DANA.is_gone


@pytest.mark.parametrize("pid", [-1, 0, 1, 10**30])
def test_a_number_that_is_no_process_of_ours_proves_nothing(pid: int) -> None:
    assert not LockHolder.here("dana", "tapctl apply", {}).model_copy(update={"pid": pid}).is_gone


def test_a_process_of_somebody_else_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not LockHolder.here("dana", "tapctl apply", {}).is_gone


def test_a_system_that_does_not_tell_is_no_machine(tmp_path: Path) -> None:
    assert this_machine(tmp_path) == ""


def test_a_folder_tells_who_holds_the_lock_and_leaves_it_free(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.lock_info("dev") is None
    with store.lock("dev", SAM) as lease:
        lease.set_phase("changing")
        info = store.lock_info("dev")
        assert info is not None
        assert (info.holder, info.phase) == (SAM, "changing")
    assert store.lock_info("dev") is None


def test_a_killed_holder_of_a_folder_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "dev.lock").write_bytes(LockInfo(id="x", holder=gone()).encode())
    assert LocalStore(tmp_path).lock_info("dev") is None


@pytest.mark.parametrize("content", [b"", b"junk{", LockInfo(id="x", holder=gone()).encode()])
def test_a_lock_of_a_folder_is_held_by_whoever_has_locked_it_whatever_it_names(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dev.lock").write_bytes(content)
    store = LocalStore(tmp_path)
    with (tmp_path / "dev.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockHeld) as held:
            store.lock_info("dev")
    assert held.value.evidence == f"{tmp_path}/dev.lock: nobody's name can be read in it"
    assert store.lock_info("dev") is None
    with store.lock("dev", SAM):
        pass


def test_a_holder_that_has_just_locked_names_itself_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dev.lock").write_bytes(b"")

    def held(*_: int) -> None:
        (tmp_path / "dev.lock").write_bytes(LockInfo(id="x", holder=SAM).encode())
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", held)
    info = LocalStore(tmp_path).lock_info("dev")
    assert info is not None
    assert info.holder == SAM


def test_a_lock_that_cannot_be_asked_about_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev.lock").write_bytes(b"")

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ManifestError) as error:
        LocalStore(tmp_path).lock_info("dev")
    assert error.value.cause == f"the file {tmp_path}/dev.lock cannot be read"
    assert "No locks available" in str(error.value.evidence)


def test_a_bucket_tells_who_holds_the_lock_until_its_lease_is_over(team: Team, script: S3Script) -> None:
    assert team.run().lock_info("dev") is None
    lock = LockInfo(id="the-id", holder=DANA, lease_s=60)
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=lock.encode())
    assert team.run().lock_info("dev") == lock
    script.then("GetObject", with_headers(**s3_times(70)))
    assert team.run(team.aws).lock_info("dev") is None
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=b"junk")
    with pytest.raises(ManifestError, match=r"nobody's name can be read in s3://records/.*dev\.lock"):
        team.run().lock_info("dev")
    assert team.locks() == 1


def test_the_lock_of_a_process_that_has_ended_goes_without_a_wait(team: Team, clock: FakeWallClock) -> None:
    lock = LockInfo(id="the-id", holder=gone(), lease_s=60)
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=lock.encode())
    before = clock.now()
    assert team.run().unlock("dev", "the-id", SAM)
    assert (team.locks(), clock.now() - before) == (0, 0)
