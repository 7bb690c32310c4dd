"""The durations beside the record: kept, read with suspicion, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapctl.engine.estimate import Durations, Operation
from tapctl.manifest.durations import NAME, read_durations, write_durations
from tapctl.manifest.local import LocalStore
from tapctl.manifest.manifest import AwsKind

DURATIONS = Durations({"db-cluster": {Operation.CREATE: (181.5, 178.0), Operation.DELETE: (300.0,)}})
SPOILT = (
    b"",
    b"[]",
    b'{"format":2,"aws":"real","seconds":{}}',
    b'{"format":1,"aws":"real","seconds":{"a":{"create":[-1]}}}',
    b'{"format":1,"aws":"real","seconds":{"a":{"create":[1e9]}}}',
    b'{"format":1,"aws":"real","seconds":{"a":{"sing":[1]}}}',
    json.dumps({"format": 1, "aws": "real", "seconds": {"a": {"create": [1] * 21}}}).encode(),
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_what_was_kept_is_read_by_the_same_kind_of_aws_alone(store: LocalStore, tmp_path: Path) -> None:
    assert read_durations(store, "dev", AwsKind.REAL) == Durations()
    write_durations(store, "dev", AwsKind.REAL, DURATIONS)
    assert read_durations(store, "dev", AwsKind.REAL) == DURATIONS
    assert read_durations(store, "dev", AwsKind.SANDBOX) == Durations()
    assert [each.name for each in tmp_path.iterdir()] == [f"dev.{NAME}.json"]
    assert store.suffixes() == []


@pytest.mark.parametrize("content", SPOILT)
def test_a_file_that_cannot_be_used_is_as_good_as_none(store: LocalStore, content: bytes) -> None:
    store.put_sidecar("dev", NAME, content)
    assert read_durations(store, "dev", AwsKind.REAL) == Durations()


def test_a_file_that_cannot_be_read_is_as_good_as_none(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / f"dev.{NAME}.json").mkdir()
    assert read_durations(store, "dev", AwsKind.REAL) == Durations()
