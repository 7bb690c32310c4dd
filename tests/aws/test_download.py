"""A file by an address that AWS has signed: fetched from AWS alone, checked, and small."""

from __future__ import annotations

import hashlib

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.download import download

BODY = b"content"
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def url(aws: Aws, sandbox_url: str) -> str:
    aws.s3.create_bucket(Bucket="layers")
    aws.s3.put_object(Bucket="layers", Key="x", Body=BODY)
    return f"{sandbox_url}/layers/x?X-Amz-Credential=AKIA/20260101/us-east-1/s3/aws4_request&X-Amz-Signature=0"


def test_a_file_with_the_digest_is_fetched(aws: Aws, url: str) -> None:
    assert download(aws, url, digest=DIGEST) == BODY


def test_other_bytes_are_refused(aws: Aws, url: str) -> None:
    with pytest.raises(OSError, match="another digest"):
        download(aws, url, digest=f"sha256:{'0' * 64}")


def test_a_file_that_is_not_there_is_told(aws: Aws, url: str) -> None:
    with pytest.raises(OSError, match="its host answers 40"):
        download(aws, url.replace("/x?", "/y?"), digest=DIGEST)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/x",
        "http://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/x",
        "https://amazonaws.com.example.com/x",
        "https://evilamazonaws.com/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_address_that_is_not_aws_s_is_never_asked(aws: Aws, address: str) -> None:
    with pytest.raises(OSError, match="none of AWS's"):
        download(aws, address, digest=DIGEST)


def test_a_host_that_gives_no_answer_is_told_without_the_address(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(OSError, match="no answer") as raised:
        download(aws, "https://x.s3.us-east-1.amazonaws.com/x?X-Amz-Signature=secret", digest=DIGEST)
    assert "secret" not in str(raised.value)
