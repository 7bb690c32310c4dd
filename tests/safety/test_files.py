"""Files that others may have put there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tapctl.safety.files import ForeignFile, check_place, is_absent, read_handed_file, replace_file
from tests.support.strangers import give_files_away


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a folder of its own, which is in one that others may write to."""
    tmp_path.chmod(0o777)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    made = folder / "file"
    made.write_text("ours")
    return made


def test_a_file_of_ours_is_read_wherever_it_is_and_through_a_link_of_a_private_folder(file: Path) -> None:
    assert read_handed_file(file, 9) == b"ours"
    file.chmod(0o400)
    (file.parent / "link").symlink_to("file")
    (file.parent / "far").symlink_to(file.parent / "link")
    assert read_handed_file(file.parent / "far", 9) == b"ours"
    file.parent.chmod(0o777)
    assert read_handed_file(file, 9) == b"ours"


def test_a_file_of_another_user_is_read_where_nobody_else_may_have_put_it(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    give_files_away(monkeypatch, tmp_path)
    assert read_handed_file(file, 9) == b"ours"


def test_where_we_are_was_chosen_whoever_it_belongs_to(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    give_files_away(monkeypatch, tmp_path)
    assert read_handed_file(Path("file"), 9) == b"ours"


def test_a_file_or_its_folder_of_another_user_is_refused_where_others_may_write(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(PermissionError, match=r"belongs to another user \(uid 4242\).*folder'"):
        read_handed_file(file, 9)
    file.parent.chmod(0o777)
    monkeypatch.chdir(file.parent)
    with pytest.raises(PermissionError, match=r"belongs to another user \(uid 4242\).*file'"):
        read_handed_file(Path("file"), 9)


@pytest.mark.parametrize(
    ("mode", "cure"),
    [
        (0o775, "look who has put it there; where that is right, let nobody else write to its folder: chmod g-w {}"),
        (0o2770, "look who has put it there; where that is right, let nobody else write to its folder: chmod g-w {}"),
        (0o707, "look who has put it there; where that is right, let nobody else write to its folder: chmod o-w {}"),
        (0o777, "look who has put it there; where that is right, let nobody else write to its folder: chmod go-w {}"),
        # The sticky bit says that it is meant for everybody: /tmp.
        (0o1777, "look who has put it there, and keep yours in a folder that only you may write to"),
    ],
)
def test_a_refusal_names_the_folder_that_others_may_write_to_and_what_helps(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, mode: int, cure: str
) -> None:
    file.parent.chmod(mode)
    monkeypatch.chdir(file.parent)
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(ForeignFile) as refused:
        read_handed_file(Path("file"), 9)
    problem = f"(uid 4242), in a folder that others may write to ({file.parent}, mode {mode:04o})"
    assert str(refused.value) == f"[Errno 1] it belongs to another user {problem}: 'file'"
    assert refused.value.cure == cure.format(file.parent)


def test_another_users_folder_is_refused_however_far_above_and_wherever_a_link_leads(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = file.parent / "deep" / "deeper"
    deep.mkdir(parents=True)
    (deep / "file").write_text("theirs")
    links = tmp_path.parent / f"{tmp_path.name}-links"
    links.mkdir(mode=0o755)
    (links / "far").symlink_to(deep)
    (links / "near").symlink_to("far")
    give_files_away(monkeypatch, tmp_path)
    for path in (deep / "file", links / "near" / "file", deep / ".." / "deeper" / "file"):
        with pytest.raises(PermissionError, match=r"belongs to another user \(uid 4242\).*folder'"):
            read_handed_file(path, 9)


def test_a_link_is_not_followed_where_others_may_write(file: Path) -> None:
    file.parent.chmod(0o777)
    (file.parent / "link").symlink_to("file")
    with pytest.raises(OSError, match="it is a symbolic link"):
        read_handed_file(file.parent / "link", 9)


def test_what_cannot_be_looked_at_is_not_absent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("gone")
    absent = {name: is_absent(tmp_path / name) for name in ("file", "gone", "file/in", "nowhere", "a" * 300)}
    assert absent == {"file": False, "gone": True, "file/in": True, "nowhere": True, "a" * 300: False}
    assert not is_absent(tmp_path / "nowhere", follow=False)


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="it is a symbolic link"):
        read_handed_file(tmp_path / "one", 9)
    for look in (partial(read_handed_file, max_bytes=9), check_place):
        with pytest.raises(OSError, match="symbolic links"):
            look(tmp_path / "one" / "file")


def test_another_users_link_is_not_written_through_and_ours_is(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = file.parent.parent / "link"
    link.symlink_to(file)
    replace_file(link, "new")
    assert file.read_text() == "new"
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(PermissionError, match="belongs to another user"):
        replace_file(link, "theirs")
    assert file.read_text() == "new"
