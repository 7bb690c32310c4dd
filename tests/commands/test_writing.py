"""The lock of the folder whose files are edited."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapctl.commands.accept import write
from tapctl.commands.waive import add_waivers
from tapctl.commands.writing import alone, write_file
from tapctl.errors import LockHeld, Refused
from tests.support.engine_clock import VirtualClock
from tests.support.strangers import give_files_away


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that another process keeps locked, until its descriptor is closed."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield tmp_path
    os.close(descriptor)


def test_a_folder_that_somebody_keeps_locked_is_waited_for_with_a_word_and_an_end(locked: Path) -> None:
    said: list[str] = []
    clock = VirtualClock()
    with pytest.raises(LockHeld, match="keeps the folder") as refused, alone(locked, said.append, clock):
        pytest.fail("alone")
    assert said == [f"waiting for whoever has locked the folder {locked}, for up to 10 s"]
    assert refused.value.exit_code == 5
    assert str(refused.value.hint).endswith(f"lsof {locked}")
    assert 10 <= clock.seconds < 11


def test_a_folder_that_is_let_go_meanwhile_is_taken(tmp_path: Path) -> None:
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    clock = VirtualClock()
    clock.at(2, lambda: os.close(held))
    with alone(tmp_path, clock=clock):
        assert 2 <= clock.seconds < 3


def test_where_the_file_system_has_no_locks_nobody_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with alone(tmp_path, pytest.fail):
        (tmp_path / "file").touch()


class Waits(Exception):
    """Raised when somebody is told of a wait: no test waits for the wall clock."""


def test_an_edit_and_a_waiver_wait_for_whoever_keeps_the_folder_locked(locked: Path) -> None:
    def told(text: str) -> None:
        raise Waits(text)

    file = locked / "dev.toml"
    file.write_text("before")
    with pytest.raises(Waits, match="waiting for whoever has locked the folder"):
        write({file: ("before", "after")}, told)
    with pytest.raises(Waits, match="waiting for whoever has locked the folder"):
        add_waivers(locked / "waivers.toml", [], ("dev",), told)
    assert [path.name for path in locked.iterdir()] == ["dev.toml"]
    assert file.read_text() == "before"


def test_another_user_s_link_is_not_written_through_and_what_helps_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("file")
    tmp_path.chmod(0o775)
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(Refused, match="belongs to another user") as refused:
        write_file(tmp_path / "link", "x")
    assert str(refused.value.hint).endswith(f"chmod g-w {tmp_path}")
