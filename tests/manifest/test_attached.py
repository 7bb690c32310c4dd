"""What is put beside a manifest: whole, replaced by the next, and no manifest itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import StoreFailed
from tapctl.manifest import open_store
from tapctl.manifest.store import Store
from tests.manifest.examples import manifest, no_room


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, aws: Aws, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "deep" / "manifests"), None)
    aws.s3.create_bucket(Bucket="records")
    return open_store("s3://records/team", aws)


def attached(store: Store, aws: Aws) -> bytes:
    where = store.location("dev").removesuffix(".json") + ".proof.json"
    if where.startswith("s3://"):
        return aws.s3.get_object(Bucket="records", Key="team/dev.proof.json")["Body"].read()
    return Path(where).read_bytes()


def test_it_is_there_and_the_next_one_replaces_it(store: Store, aws: Aws) -> None:
    for content in (b"first", b"second", b"second"):
        store.put_sidecar("dev", "proof", content)
        assert attached(store, aws) == store.get_sidecar("dev", "proof") == content


def test_where_there_is_none_that_is_told_from_one_that_cannot_be_read(store: Store, aws: Aws, tmp_path: Path) -> None:
    assert store.get_sidecar("dev", "proof") is None
    (tmp_path / "dev.proof.json").mkdir()
    with pytest.raises(StoreFailed):
        open_store(str(tmp_path), None).get_sidecar("dev", "proof")
    with pytest.raises(StoreFailed):
        open_store("s3://not-there", aws).get_sidecar("dev", "proof")


def test_it_is_no_manifest_and_is_kept_apart_from_the_record(store: Store, aws: Aws) -> None:
    store.put_sidecar("dev", "proof", b"{}")
    assert store.suffixes() == []
    store.write(manifest(), None)
    assert store.suffixes() == ["dev"]
    assert attached(store, aws) == b"{}"


def test_where_it_cannot_be_written_that_is_told(aws: Aws, tmp_path: Path) -> None:
    folder = open_store(str(tmp_path), None)
    with no_room(), pytest.raises(StoreFailed) as refused:
        folder.put_sidecar("dev", "proof", b"x" * 100_000)
    assert "dev.proof.json" in refused.value.cause
    with pytest.raises(StoreFailed) as refused:
        open_store("s3://not-there", aws).put_sidecar("dev", "proof", b"x")
    assert "s3://not-there/dev.proof.json" in refused.value.cause
