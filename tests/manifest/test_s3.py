from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsNoAnswer, LockHeld, ManifestError, Refused, StoreFailed, TapctlError
from tapctl.manifest import open_store
from tapctl.manifest.manifest import dump
from tapctl.manifest.store import Store
from tests.manifest.examples import manifest
from tests.manifest.s3_script import (
    SDK_ATTEMPTS,
    S3Script,
    answer,
    drop_answer,
    drop_request,
    meanwhile,
    pass_through,
    refuse,
)


def test_every_write_has_its_condition_and_leaves_encryption_to_the_bucket(store: Store, script: S3Script) -> None:
    version = store.write(manifest(), None)
    store.write(manifest(serial=4), version)
    first, kept, second = script.headers
    for new in (first, kept):
        assert (new.get("If-None-Match"), new.get("If-Match")) == ("*", None)
    assert (second.get("If-None-Match"), second.get("If-Match")) == (None, version)
    assert not any("encryption" in name.lower() for name in (*first, *kept, *second))


def test_a_long_listing_is_read_to_its_end(store: Store, script: S3Script) -> None:
    def page(key: str, more: str) -> str:
        return f"<ListBucketResult><Contents><Key>team/{key}.json</Key></Contents>{more}</ListBucketResult>"

    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>"
    script.then("ListObjectsV2", answer(200, page("staging", more)), answer(200, page("dev", "")))
    assert store.suffixes() == ["dev", "staging"]


def test_what_is_no_manifest_is_refused_by_name(store: Store, aws: Aws) -> None:
    aws.s3.put_object(Bucket="records", Key="team/dev.json", Body=b"")
    with pytest.raises(ManifestError, match=r"s3://records/team/dev\.json is empty"):
        store.read("dev")


def test_a_lost_answer_that_the_sdk_retries_is_success(store: Store, script: S3Script) -> None:
    script.then("PutObject", drop_answer)
    version = store.write(manifest(), None)
    assert script.operations == ["PutObject", "PutObject", "GetObject"]
    script.then("PutObject", pass_through, drop_answer)
    assert store.write(manifest(serial=4), version) != version


def test_a_write_without_any_answer_counts_if_it_is_there(store: Store, script: S3Script) -> None:
    script.then("PutObject", drop_answer, *[drop_request] * (SDK_ATTEMPTS - 1))
    version = store.write(manifest(), None)
    stored = store.read("dev")
    assert stored is not None
    assert stored.version == version


def test_a_write_without_any_answer_that_is_not_there_has_failed(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(), None)
    assert "ConnectionClosedError on s3:PutObject" in str(refused.value.evidence)
    assert store.read("dev") is None


def test_a_write_and_a_read_without_any_answer_have_failed(store: Store, script: S3Script) -> None:
    script.then("PutObject", drop_answer, *[drop_request] * (SDK_ATTEMPTS - 1))
    script.then("GetObject", *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(), None)
    assert "s3:PutObject" in str(refused.value.evidence)
    assert "s3:GetObject" in str(refused.value.evidence)


def test_a_conflicting_write_is_tried_again(store: Store, script: S3Script) -> None:
    script.then("PutObject", refuse(409, "ConditionalRequestConflict"))
    version = store.write(manifest(), None)
    script.then("PutObject", pass_through, refuse(409, "OperationAborted"))
    store.write(manifest(serial=4), version)
    stored = store.read("dev")
    assert stored is not None
    assert stored.manifest.serial == 4


def test_a_conflicting_write_that_lost_is_refused(store: Store, aws: Aws, script: S3Script) -> None:
    other = open_store("s3://records/team", Aws(aws.target))
    conflict = refuse(409, "ConditionalRequestConflict")
    script.then("PutObject", meanwhile(lambda: other.write(manifest(run="run-2"), None), conflict))
    with pytest.raises(LockHeld) as refused:
        store.write(manifest(), None)
    assert "run-2" in str(refused.value.evidence)


def test_endless_conflicts_end(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[refuse(409, "ConditionalRequestConflict")] * 4)
    with pytest.raises(StoreFailed) as refused:
        store.write(manifest(), None)
    assert "ConditionalRequestConflict" in str(refused.value.evidence)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "ExpiredToken")])
def test_a_refused_write_says_why(store: Store, script: S3Script, status: int, code: str) -> None:
    script.then("PutObject", refuse(status, code))
    with pytest.raises(StoreFailed, match=r"s3://records/team/dev\.json") as refused:
        store.write(manifest(), None)
    assert f"{code} on s3:PutObject: because" in str(refused.value.evidence)
    assert script.operations == ["PutObject"]


def test_a_bucket_that_is_not_there_is_named(aws: Aws) -> None:
    store = open_store("s3://vanished/team", aws)
    for look in (lambda: store.read("dev"), store.suffixes):
        with pytest.raises(ManifestError, match="the bucket vanished does not exist"):
            look()


@pytest.mark.parametrize("operation", ["GetObject", "ListObjectsV2"])
def test_a_denied_read_says_what_to_allow(store: Store, script: S3Script, operation: str) -> None:
    script.then(operation, refuse(403, "AccessDenied"))
    with pytest.raises(Refused, match="may not use s3://records/team/") as refused:
        _ = store.read("dev") if operation == "GetObject" else store.suffixes()
    assert f"AccessDenied on s3:{operation}" in str(refused.value.evidence)
    assert "s3:ListBucket" in str(refused.value.hint)


@pytest.mark.parametrize("step", [drop_request, refuse(503, "SlowDown")])
def test_a_read_without_an_answer_is_no_empty_state(store: Store, script: S3Script, step: object) -> None:
    assert callable(step)
    script.then("GetObject", *[step] * SDK_ATTEMPTS)
    with pytest.raises(AwsNoAnswer):
        store.read("dev")


def test_an_answer_cut_off_half_way_is_no_manifest(store: Store, script: S3Script) -> None:
    script.then("GetObject", answer(200, dump(manifest())[:40], length=1000))
    with pytest.raises(TapctlError) as refused:
        store.read("dev")
    assert isinstance(refused.value, AwsNoAnswer)


def test_a_file_of_the_history_is_read_once_as_long_as_few_are_read(store: Store, aws: Aws, script: S3Script) -> None:
    names = [f"{serial:08}-run.json" for serial in range(1, 67)]
    for name in names:
        aws.s3.put_object(Bucket="records", Key=f"team/history/dev/{name}", Body=name.encode())
    script.operations.clear()
    for _ in range(2):
        assert [store.read_history("dev", name).decode() for name in names] == names
    assert script.operations == ["GetObject"] * (66 + 2)
    with pytest.raises(ManifestError, match="not there any more"):
        store.read_history("dev", "00000099-run.json")
