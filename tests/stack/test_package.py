from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapctl.errors import ConfigError
from tapctl.stack.package import MAX_BYTES, build, handler_of

PAYMENT_PROCESSOR = Path(__file__).parents[2] / "handlers" / "payment_processor"


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.mjs").write_text("export const handler = async () => ({});\n")
    for name, content in files.items():
        (folder / f"{name}.mjs").write_text(content)
    return folder


def entries(content: bytes) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(content)).infolist()


def rule(directory: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        build(directory)
    assert raised.value.exit_code == 3
    (problem,) = raised.value.problems
    return str(problem)


def test_the_payment_processor_is_packaged_without_its_tests_and_dockerfile() -> None:
    names = {entry.filename for entry in entries(build(PAYMENT_PROCESSOR).content)}

    assert {"index.mjs", "handler.mjs", "package.json"} <= names
    assert not [name for name in names if "test" in name or "Dockerfile" in name]


def test_the_same_files_give_the_same_bytes_whatever_their_times_rights_and_order(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "h", a="A", b="B")
    other = tmp_path / "two" / "h"
    umask = os.umask(0o077)
    try:
        write(other, b="B")
        write(other, a="A")
    finally:
        os.umask(umask)
    os.utime(other / "a.mjs", (0, 0))
    (other / "b.mjs").chmod(0o700)

    assert build(one) == build(other)


def test_the_bytes_are_those_of_every_other_machine_too(tmp_path: Path) -> None:
    # The hash was taken once and written down: another Python, zlib or platform has to give it again.
    package = build(write(tmp_path / "h", a="A"))

    assert package.sha256_base64 == "jhKOz1elFkeqcGt/BzslHSRazppwWDqUHDyF29SwXj0="


def test_a_changed_byte_changes_hash_and_name(tmp_path: Path) -> None:
    before = build(write(tmp_path / "h", a="A"))
    after = build(write(tmp_path / "h", a="B"))

    assert before.sha256_base64 != after.sha256_base64
    assert before.name != after.name


def test_the_hash_is_lambdas_code_sha256_and_the_name_holds_it(tmp_path: Path) -> None:
    package = build(write(tmp_path / "payments"))
    digest = hashlib.sha256(package.content)

    assert package.sha256_base64 == base64.b64encode(digest.digest()).decode()
    assert package.name == f"payments-{digest.hexdigest()[:12]}.zip"


def test_every_file_can_be_read_by_lambdas_user_and_none_is_executable(tmp_path: Path) -> None:
    folder = write(tmp_path / "h")
    (folder / "index.mjs").chmod(0o700)

    for entry in entries(build(folder).content):
        assert stat.S_IMODE(entry.external_attr >> 16) == 0o644


def test_folders_keep_their_place_and_entries_are_in_order(tmp_path: Path) -> None:
    folder = write(tmp_path / "h", b="B", Z="Z")
    write(folder / "lib", a="A")

    assert [entry.filename for entry in entries(build(folder).content)] == [
        "Z.mjs",
        "b.mjs",
        "index.mjs",
        "lib/a.mjs",
        "lib/index.mjs",
    ]


@pytest.mark.parametrize("name", ["test", "tests", "node_modules", ".git"])
def test_a_folder_that_is_not_the_handlers_code_is_left_out(tmp_path: Path, name: str) -> None:
    plain = build(write(tmp_path / "h"))
    write(tmp_path / "h" / name)

    assert build(tmp_path / "h") == plain


@pytest.mark.parametrize("name", ["Dockerfile", ".env", ".DS_Store"])
def test_a_file_that_is_not_the_handlers_code_is_left_out(tmp_path: Path, name: str) -> None:
    plain = build(write(tmp_path / "h"))
    (tmp_path / "h" / name).write_text("not code")

    assert build(tmp_path / "h") == plain


def test_the_content_is_not_printed(tmp_path: Path) -> None:
    assert "handler = async" not in repr(build(write(tmp_path / "h")))


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    assert rule(tmp_path / "missing") == (
        f"{tmp_path.as_posix()}/missing: is no folder; "
        "handlers/ has to stand beside the folder of the environment files"
    )


@pytest.mark.parametrize(
    ("here", "environments"),
    [
        ("", "environments"),
        ("", "environments/"),
        ("environments", "."),
        ("other", "../environments"),
        ("x/y", ".."),
    ],
)
def test_the_handler_stands_beside_the_environment_files_wherever_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, environments: str
) -> None:
    (tmp_path / here).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / here)

    assert handler_of(Path(environments)) == tmp_path / "handlers" / "payment_processor"
    assert handler_of(tmp_path / "environments") == tmp_path / "handlers" / "payment_processor"


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A folder nobody may read, seen by somebody who is not root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    yield folder
    if was_root:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_read_is_refused(locked_folder: Path) -> None:
    assert rule(locked_folder).endswith("cannot be read: Permission denied")


def test_a_folder_without_entry_point_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.mjs").write_text("")
    write(tmp_path / "lib")

    assert "holds no entry point: one of index.mjs, " in rule(tmp_path)


def test_a_link_is_refused_since_it_leads_elsewhere_on_every_machine(tmp_path: Path) -> None:
    folder = write(tmp_path / "h")
    (folder / "link.mjs").symlink_to(tmp_path)

    assert "link.mjs: is neither a file nor a folder" in rule(folder)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "h")
    os.mkfifo(folder / "pipe")

    assert "pipe: is neither a file nor a folder" in rule(folder)


def test_more_than_lambda_takes_in_one_upload_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "h")
    with (folder / "large.bin").open("wb") as large:
        large.truncate(MAX_BYTES)  # sparse: takes no room

    assert "larger than the 50 MB" in rule(folder)
