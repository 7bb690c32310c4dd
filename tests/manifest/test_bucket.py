"""Calls to the bucket: what each carries, and what it does with a store that is not quite S3."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from tapctl.aws.client import Aws
from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, ManifestError, Refused, exit_code_of
from tapctl.manifest import bucket as bucket_module
from tapctl.manifest import open_store
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.lock import LockInfo
from tapctl.manifest.s3 import S3Store
from tapctl.sandbox.emulator.app import Sandbox
from tests.conftest import ACCOUNT
from tests.manifest.examples import DANA, SAM, entry, manifest
from tests.manifest.s3_script import S3Script, answer, drop_request, pass_through, refuse
from tests.manifest.team import KEY, Team


def sent(script: S3Script, header: str) -> set[str]:
    return {headers.get(header, "") for headers in script.headers}


def whole_story(store: object) -> None:
    assert isinstance(store, S3Store)
    with store.lock("dev", DANA):
        version = store.write(manifest(), None)
        store.write(manifest(entry(), serial=4), version)
        store.put_sidecar("dev", "certificate", b"{}")
    assert store.suffixes() == ["dev"]


# -- owner, encryption -----------------------------------------------------------------------------------------------


def test_every_call_names_the_owner_as_soon_as_it_is_known(aws: Aws, script: S3Script) -> None:
    whole_story(open_store("s3://records/team", aws))
    assert sent(script, "x-amz-expected-bucket-owner") == {ACCOUNT}


def test_before_we_know_who_we_are_no_owner_is_named(aws: Aws, script: S3Script) -> None:
    aws.identity = None
    open_store("s3://records/team", aws).suffixes()
    assert sent(script, "x-amz-expected-bucket-owner") == {""}


def test_before_we_know_who_we_are_the_bucket_has_to_be_that_of_an_account_which_is_given(
    aws: Aws, script: S3Script
) -> None:
    aws.identity = None
    open_store("s3://records/team", aws, ["210987654321"]).location("dev")
    assert script.operations == []
    assert open_store("s3://records/team", aws, [ACCOUNT]).suffixes() == []
    assert sent(script, "x-amz-expected-bucket-owner") == {ACCOUNT}
    # Of several, S3 says which; it is asked once.
    among = open_store("s3://records/team", aws, ["000000000001", ACCOUNT, "210987654321"])
    assert (among.read("dev"), among.suffixes()) == (None, [])
    owners = [headers["x-amz-expected-bucket-owner"] for headers in script.headers[1:]]
    assert owners == ["000000000001", ACCOUNT, ACCOUNT, ACCOUNT]


def test_a_bucket_of_none_of_the_accounts_that_are_given_is_not_read(aws: Aws, script: S3Script) -> None:
    aws.identity = None
    with pytest.raises(Refused, match="which has to belong to account 000000000001 or 210987654321"):
        open_store("s3://records/team", aws, ["000000000001", "210987654321"]).read("dev")
    with pytest.raises(ManifestError, match="does not exist"):
        open_store("s3://nowhere/team", aws, ["000000000001", "210987654321"]).read("dev")


def test_a_refusal_names_the_account_that_has_the_bucket(aws: Aws, script: S3Script) -> None:
    aws.identity = None
    told = f"s3://records/team/ belongs to account {ACCOUNT}, not to 210987654321"
    with pytest.raises(Refused, match=told) as refused:
        open_store("s3://records/team", aws, ["210987654321"], lambda: ["210987654321", "000000000001", ACCOUNT]).read(
            "dev"
        )
    assert str(refused.value.hint).endswith(f"?owner={ACCOUNT}")
    asked = [headers["x-amz-expected-bucket-owner"] for headers in script.headers]
    assert asked == ["210987654321", "000000000001", ACCOUNT]


def test_a_bucket_of_another_account_is_named_in_the_state_s_address(aws: Aws, script: S3Script) -> None:
    aws.identity = None
    script.then("ListObjectsV2", refuse(403, "AccessDenied"))
    with pytest.raises(Refused, match="which has to belong to account 210987654321") as refused:
        open_store("s3://records/team?owner=210987654321", aws).suffixes()
    assert sent(script, "x-amz-expected-bucket-owner") == {"210987654321"}
    assert "?owner=<account>" in str(refused.value.hint)


def test_every_write_asks_for_the_encryption_that_the_address_says(aws: Aws, script: S3Script) -> None:
    whole_story(open_store("s3://records/team?sse=aws:kms&key=alias/state", aws))
    writes = [headers for name, headers in zip(script.operations, script.headers, strict=True) if name == "PutObject"]
    assert {headers["x-amz-server-side-encryption"] for headers in writes} == {"aws:kms"}
    assert {headers["x-amz-server-side-encryption-aws-kms-key-id"] for headers in writes} == {"alias/state"}


def test_an_archived_object_is_there_and_cannot_be_read(aws: Aws, script: S3Script) -> None:
    store = open_store("s3://records/team", aws)
    store.write(manifest(entry(), serial=3), store.write(manifest(serial=2), None))
    (name,) = store.list_history("dev")
    aws.s3.put_object(Bucket="records", Key=f"team/history/dev/{name}", Body=b"{}", StorageClass="GLACIER")
    with pytest.raises(ManifestError, match="is in an archive of S3") as told:
        store.read_history("dev", name)
    assert str(told.value.hint).startswith(
        f"take it out: aws s3api restore-object --bucket records --key team/history/dev/{name}"
    )
    # The version that a write has archived once, and then did not replace, is archived by its next attempt.
    aws.s3.delete_object(Bucket="records", Key="team/dev.json")
    store.write(manifest(entry(), serial=3), store.write(manifest(serial=2), None))


# -- conditions ------------------------------------------------------------------------------------------------------


def ignoring(*headers: str) -> Callable[[AWSPreparedRequest], AWSResponse]:
    """A store to which these conditions are nothing."""

    def step(request: AWSPreparedRequest) -> AWSResponse:
        for header in headers:
            if header in request.headers:
                del request.headers[header]
        return URLLib3Session().send(request)

    return step


@pytest.mark.parametrize(
    ("operation", "header"), [("PutObject", "If-None-Match"), ("PutObject", "If-Match"), ("DeleteObject", "If-Match")]
)
def test_a_store_that_ignores_conditions_is_found_out_before_anything_is_done(
    aws: Aws, script: S3Script, operation: str, header: str
) -> None:
    script.then(operation, *[ignoring(header)] * 5)
    lock = open_store("s3://records/team", aws).lock("dev", DANA)
    with pytest.raises(Refused, match="does not honour conditional writes") as refused, lock:
        pytest.fail("two could go on")
    what = {"PutObject": "a write", "DeleteObject": "a removal"}[operation]
    assert str(refused.value.evidence).startswith(f"{what} with {header} ")
    assert refused.value.exit_code == 6
    assert aws.s3.list_objects_v2(Bucket="records")["KeyCount"] == 0


def test_conditions_are_proved_once(aws: Aws, script: S3Script) -> None:
    store = open_store("s3://records/team", aws)
    for _ in range(2):
        with store.lock("dev", DANA):
            pass
    assert script.operations == ["PutObject"] * 3 + ["DeleteObject"] * 2 + ["PutObject", "DeleteObject"]


@pytest.mark.parametrize(
    ("operation", "at", "step"),
    [
        *[
            ("PutObject", at, step)
            for at in (0, 1, 2)
            for step in (refuse(501, "NotImplemented"), refuse(403, "AccessDenied"), refuse(400, "KMS.Disabled"))
        ],
        ("DeleteObject", 0, refuse(403, "AccessDenied")),
        ("DeleteObject", 0, refuse(404, "NoSuchKey")),
    ],
)
def test_a_store_that_does_not_say_is_not_locked(
    aws: Aws, script: S3Script, operation: str, at: int, step: Any
) -> None:
    script.then(operation, *[pass_through] * at, step)
    with pytest.raises((Refused, AwsError)), open_store("s3://records/team", aws).lock("dev", DANA):
        pytest.fail("locked")


@pytest.mark.parametrize(("operation", "at"), [("PutObject", 1), ("PutObject", 2), ("DeleteObject", 0)])
def test_two_requests_that_met_prove_nothing_and_the_proof_is_tried_again(
    aws: Aws, script: S3Script, operation: str, at: int
) -> None:
    store = open_store("s3://records/team", aws)
    script.then(operation, *[pass_through] * at, *[refuse(409, "OperationAborted")] * 4)
    with pytest.raises(AwsError, match="OperationAborted"), store.lock("dev", DANA):
        pytest.fail("locked")
    script.then(operation, *[pass_through] * at, refuse(409, "OperationAborted"))
    with store.lock("dev", DANA) as lease:
        lease.ensure_held()


def test_a_store_without_conditional_writes_is_refused_with_that_reason(aws: Aws, script: S3Script) -> None:
    script.then("PutObject", refuse(501, "NotImplemented"))
    lock = open_store("s3://records/team", aws).lock("dev", DANA)
    with pytest.raises(Refused, match="does not honour conditional writes"), lock:
        pytest.fail("locked")


@pytest.mark.parametrize("code", ["OperationAborted", "ConditionalRequestConflict", "Conflict"])
def test_any_409_is_a_conflict_and_tried_again(aws: Aws, sandbox_app: Sandbox, script: S3Script, code: str) -> None:
    store = open_store("s3://records/team", aws)
    if code == "Conflict":
        script.then("PutObject", refuse(409, code))
    else:
        sandbox_app.simulation.script("s3.conflict", code)
    store.write(manifest(), None)
    assert script.operations.count("PutObject") > 1
    stored = store.read("dev")
    assert stored is not None
    assert stored.manifest == manifest()


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed"])
def test_credentials_that_s3_does_not_take_are_told_as_that(
    aws: Aws, sandbox_app: Sandbox, script: S3Script, code: str
) -> None:
    store = open_store("s3://records/team", aws)
    sandbox_app.simulation.script("s3.credentials", code)
    with pytest.raises(AwsRefused, match=code) as told:
        store.read("dev")
    assert exit_code_of(told.value) == 9


def test_a_412_with_a_code_of_its_own_is_a_condition_that_failed(aws: Aws, script: S3Script) -> None:
    bucket = Bucket(aws, "records", "team/")
    script.then("DeleteObject", refuse(412, "ConditionNotMet"))
    assert not bucket.remove("dev.lock", '"x"')


# -- a store without conditional removal -----------------------------------------------------------------------------


def test_without_conditional_removal_the_lock_is_released_by_a_write(team: Team, script: S3Script) -> None:
    messages: list[str] = []
    script.then("DeleteObject", *[refuse(501, "NotImplemented")] * 2)
    with open_store("s3://records/team", team.aws).lock("dev", DANA, notify=messages.append):
        pass
    lock = team.lock()
    assert lock is not None
    assert lock.is_released
    with team.run().lock("dev", SAM, notify=messages.append) as second:
        second.ensure_held()
        assert team.locks() == 1
    assert messages == []
    assert team.locks() == 0


def test_a_released_lock_is_nothing_to_unlock(team: Team) -> None:
    lock = LockInfo(id="one", holder=DANA, lease_s=60).released()
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=lock.encode())
    assert not team.run().unlock("dev", "one", SAM)


def test_a_release_that_somebody_else_was_quicker_than_leaves_theirs(team: Team, script: S3Script) -> None:
    theirs = LockInfo(id="theirs", holder=SAM, lease_s=60)
    script.then("DeleteObject", refuse(501, "NotImplemented"))
    with team.run(team.aws).lock("dev", DANA):
        team.aws.client("s3", retries=True).put_object(Bucket="records", Key=KEY, Body=theirs.encode())
    assert team.lock() == theirs


def test_a_release_that_is_denied_is_reported(team: Team, script: S3Script) -> None:
    messages: list[str] = []
    with team.run(team.aws).lock("dev", DANA, notify=messages.append):
        script.then("DeleteObject", refuse(501, "NotImplemented"))
        script.then("PutObject", refuse(403, "AccessDenied"))
    assert re.search("could not be given back.*AccessDenied", messages[0])


def test_a_removal_that_is_denied_is_no_removal_that_is_not_supported(team: Team, script: S3Script) -> None:
    messages: list[str] = []
    with team.run(team.aws).lock("dev", DANA, notify=messages.append):
        script.then("DeleteObject", refuse(403, "AccessDenied"))
    assert "could not be given back" in messages[0]
    assert "PutObject" not in script.operations[script.operations.index("DeleteObject") :]


# -- what comes back -------------------------------------------------------------------------------------------------


def test_an_object_too_large_is_not_read(aws: Aws, script: S3Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "MAX_BYTES", 10)
    aws.s3.put_object(Bucket="records", Key="team/dev.json", Body=b"x" * 11)
    with pytest.raises(ManifestError, match=r"team/dev\.json is too large"):
        open_store("s3://records/team", aws).read("dev")


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html>log in</html>", "\n <HTML><body>log in</body></HTML>"])
def test_a_page_is_no_manifest_and_no_answer(aws: Aws, script: S3Script, page: str) -> None:
    script.then("GetObject", answer(200, page))
    with pytest.raises(AwsNoAnswer, match="no answer of S3") as lost:
        open_store("s3://records/team", aws).read("dev")
    assert "log in" not in str(lost.value)
    script.then("ListObjectsV2", answer(200, page))
    with pytest.raises(AwsNoAnswer, match="no answer of AWS"):
        open_store("s3://records/team", aws).suffixes()


def test_a_store_that_cannot_be_asked_is_not_locked(aws: Aws, script: S3Script) -> None:
    script.then("PutObject", pass_through, *[drop_request] * 4)
    with pytest.raises(AwsNoAnswer), open_store("s3://records/team", aws).lock("dev", DANA):
        pytest.fail("locked")
