from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.s3 import operation_of
from tapctl.sandbox.emulator.simulation import Simulation
from tests.emulator.conftest import Refused


@pytest.fixture(autouse=True)
def _bucket(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="bucket")


def read(aws: Aws) -> bytes:
    return aws.s3.get_object(Bucket="bucket", Key="k/n")["Body"].read()


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_naive_code_writes_while_somebody_else_does(
    aws: Aws, simulation: Simulation, refused: Refused, code: str
) -> None:
    simulation.script("s3.conflict", code)
    # Without a condition nothing conflicts.
    etag = aws.s3.put_object(Bucket="bucket", Key="k/n", Body=b"1")["ETag"]
    with refused(code, "conflicting"):
        aws.s3.put_object(Bucket="bucket", Key="k/n", Body=b"2" * 100_000, IfMatch=etag)
    assert read(aws) == b"1"
    simulation.script("s3.conflict", code)
    with refused(code, "conflicting"):
        aws.s3.delete_object(Bucket="bucket", Key="k/n", IfMatch=etag)
    aws.s3.put_object(Bucket="bucket", Key="k/n", Body=b"2", IfMatch=etag)
    assert read(aws) == b"2"


CALLS: list[Callable[[Any], object]] = [
    lambda s3: s3.get_object(Bucket="bucket", Key="k"),
    lambda s3: s3.put_object(Bucket="bucket", Key="k", Body=b"1"),
    lambda s3: s3.delete_object(Bucket="bucket", Key="k"),
    lambda s3: s3.list_objects_v2(Bucket="bucket"),
]


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed"])
@pytest.mark.parametrize("call", CALLS, ids=["get", "put", "delete", "list"])
def test_naive_code_knows_the_codes_of_bad_credentials_of_other_services_alone(
    aws: Aws, simulation: Simulation, refused: Refused, code: str, call: Callable[[Any], object]
) -> None:
    simulation.script("s3.credentials", code)
    with refused(code):
        call(aws.s3)


def test_a_head_is_refused_without_words(aws: Aws, simulation: Simulation, refused: Refused) -> None:
    simulation.script("s3.credentials", "InvalidAccessKeyId")
    with refused("403"):
        aws.s3.head_object(Bucket="bucket", Key="k")


def test_other_requests_are_motos_alone(aws: Aws, simulation: Simulation) -> None:
    simulation.script("s3.credentials", "InvalidAccessKeyId")
    aws.s3.head_bucket(Bucket="bucket")
    aws.s3.create_multipart_upload(Bucket="bucket", Key="k")


@pytest.mark.parametrize(("host", "path"), [("127.0.0.1:80", "/bucket/k/n"), ("bucket.localhost:80", "/k/n")])
def test_a_bucket_is_named_by_the_path_or_by_the_host(host: str, path: str) -> None:
    environ = {"HTTP_HOST": host, "REQUEST_METHOD": "PUT", "PATH_INFO": path, "HTTP_IF_MATCH": '"e"'}
    assert operation_of(environ) == ("PutObject", {"Bucket": "bucket", "IfMatch": '"e"'})


@pytest.mark.parametrize("call", CALLS, ids=["get", "put", "delete", "list"])
def test_naive_code_takes_anybody_s_bucket_of_the_name_for_its_own(
    aws: Aws, refused: Refused, call: Callable[[Any], object]
) -> None:
    class Asking:
        """S3, where each call names this account as the bucket's owner."""

        def __init__(self, owner: str) -> None:
            self.owner = owner

        def __getattr__(self, name: str) -> Callable[..., object]:
            return lambda **params: getattr(aws.s3, name)(**params, ExpectedBucketOwner=self.owner)

    aws.s3.put_object(Bucket="bucket", Key="k", Body=b"0")
    call(Asking("123456789012"))
    aws.s3.put_object(Bucket="bucket", Key="k", Body=b"0")
    with refused("AccessDenied"):
        call(Asking("999999999999"))
    with refused("NoSuchBucket"):
        aws.s3.list_objects_v2(Bucket="of-nobody", ExpectedBucketOwner="999999999999")
