"""Behaviour that every store has: a folder and S3 alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import LockHeld, StoreFailed
from tapctl.manifest import open_store
from tapctl.manifest.manifest import dump
from tapctl.manifest.store import Store
from tests.manifest.examples import DANA, SAM, entry, manifest, no_room


class Files:
    """The files of ``any_store``, as somebody else reads, puts and removes them; names are relative to the store."""

    def __init__(self, store: Store, aws: Aws) -> None:
        self._folder = store.location("dev").removesuffix("dev.json")
        self._s3 = aws.s3

    def _key(self, name: str) -> str | None:
        return self._folder.removeprefix("s3://records/") + name if self._folder.startswith("s3://") else None

    def read(self, name: str) -> bytes:
        key = self._key(name)
        if key is None:
            return (Path(self._folder) / name).read_bytes()
        return self._s3.get_object(Bucket="records", Key=key)["Body"].read()

    def put(self, name: str) -> None:
        key = self._key(name)
        if key is None:
            path = Path(self._folder) / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
        else:
            self._s3.put_object(Bucket="records", Key=key)

    def remove(self, name: str) -> None:
        key = self._key(name)
        if key is None:
            (Path(self._folder) / name).unlink()
        else:
            self._s3.delete_object(Bucket="records", Key=key)


@pytest.fixture
def files(any_store: Store, aws: Aws) -> Files:
    return Files(any_store, aws)


def test_an_unwritten_store_has_no_manifest(any_store: Store) -> None:
    assert any_store.read("dev") is None
    assert any_store.suffixes() == []


def test_a_written_manifest_is_read(any_store: Store, files: Files) -> None:
    version = any_store.write(manifest(entry()), None)
    stored = any_store.read("dev")
    assert stored is not None
    assert (stored.manifest, stored.version) == (manifest(entry()), version)
    assert files.read("dev.json").decode() == dump(manifest(entry()))


def test_every_suffix_is_listed_and_no_other_file(any_store: Store, files: Files) -> None:
    any_store.write(manifest(suffix="pr-42"), None)
    any_store.write(manifest(), None)
    for other in ("dev.rescue-4.json", ".dev.json.tmp", "dev.lock", "notes.txt", "Upper.json", "deeper/prod.json"):
        files.put(other)
    assert any_store.suffixes() == ["dev", "pr-42"]


def test_a_write_with_an_old_version_is_refused(any_store: Store) -> None:
    first = any_store.write(manifest(), None)
    second = any_store.write(manifest(serial=4, run="run-2"), first)
    for expected in (first, None):
        with pytest.raises(LockHeld, match="somebody else has written") as refused:
            any_store.write(manifest(serial=4, run="run-3"), expected)
        assert "serial 4, run run-2, by dana" in str(refused.value.evidence)
    stored = any_store.read("dev")
    assert stored is not None
    assert stored.version == second


def test_the_same_write_again_is_no_conflict(any_store: Store) -> None:
    first = any_store.write(manifest(), None)
    second = any_store.write(manifest(serial=4), first)
    assert any_store.write(manifest(serial=4), first) == second


def test_a_manifest_removed_meanwhile_is_not_made_again(any_store: Store, files: Files) -> None:
    version = any_store.write(manifest(), None)
    files.remove("dev.json")
    with pytest.raises(StoreFailed, match="was removed"):
        any_store.write(manifest(serial=4), version)
    assert any_store.read("dev") is None


def test_a_lock_is_released_after_an_error_too(any_store: Store) -> None:
    with pytest.raises(ZeroDivisionError), any_store.lock("dev", DANA):
        _ = 1 / 0
    with any_store.lock("dev", SAM):
        pass


def test_each_suffix_has_a_lock_of_its_own(any_store: Store) -> None:
    with any_store.lock("dev", DANA), any_store.lock("staging", SAM):
        assert any_store.suffixes() == []


def test_a_sidecar_is_read_and_replaced_by_the_next(any_store: Store, files: Files) -> None:
    assert any_store.get_sidecar("dev", "proof") is None
    for content in (b"first", b"second", b"second"):
        any_store.put_sidecar("dev", "proof", content)
        assert files.read("dev.proof.json") == any_store.get_sidecar("dev", "proof") == content


def test_a_sidecar_is_no_manifest_and_outlives_its_writes(any_store: Store) -> None:
    any_store.put_sidecar("dev", "proof", b"{}")
    assert any_store.suffixes() == []
    any_store.write(manifest(), None)
    assert any_store.suffixes() == ["dev"]
    assert any_store.get_sidecar("dev", "proof") == b"{}"


def test_a_sidecar_that_cannot_be_read_is_an_error(aws: Aws, tmp_path: Path) -> None:
    (tmp_path / "dev.proof.json").mkdir()
    for unreadable in (open_store(str(tmp_path), None), open_store("s3://not-there", aws)):
        with pytest.raises(StoreFailed):
            unreadable.get_sidecar("dev", "proof")


def test_a_sidecar_that_cannot_be_written_is_an_error(aws: Aws, tmp_path: Path) -> None:
    folder = open_store(str(tmp_path), None)
    with no_room(), pytest.raises(StoreFailed) as refused:
        folder.put_sidecar("dev", "proof", b"x" * 100_000)
    assert "dev.proof.json" in refused.value.cause
    with pytest.raises(StoreFailed) as refused:
        open_store("s3://not-there", aws).put_sidecar("dev", "proof", b"x")
    assert "s3://not-there/dev.proof.json" in refused.value.cause
