"""Objects of one S3 bucket, each written and removed on a condition. Encryption is the bucket's own default.

What S3 answers to a condition: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, ManifestError, Refused, TapctlError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tapctl.aws.client import Aws

ATTEMPTS = 4
"""As many as the SDK makes; each one of ours after a look that gives a reason to."""
CONFLICT = "ConditionalRequestConflict"
"""Two requests met and this one was not done: S3 wants it to look, and to ask again."""
_UNMET = ("PreconditionFailed", "NoSuchKey", CONFLICT)


@dataclass(frozen=True)
class StoredObject:
    """One object, as it is now."""

    content: bytes
    etag: str
    age_s: float
    """Seconds that it has been so at least, by S3's own clock; 0 where S3 does not say."""


class Bucket:
    """A bucket, or what is under ``prefix`` in it (empty, or with a slash at its end)."""

    def __init__(self, aws: Aws, name: str, prefix: str, *, retries: bool = True) -> None:
        """``retries=False``: the SDK asks once, so that no call takes longer than its time-outs (25 s)."""
        self._aws = aws
        self._retries = retries
        self.name = name
        self.prefix = prefix

    def without_retries(self) -> Bucket:
        """The same, asked once."""
        return Bucket(self._aws, self.name, self.prefix, retries=False)

    @property
    def _s3(self) -> S3Client:
        return cast("S3Client", self._aws.client("s3", retries=self._retries))

    def url(self, key: str) -> str:
        """What a user calls this object."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def listed(self, under: str = "") -> list[str]:
        """The objects right under the prefix (and ``under``, with a slash at its end), without it, sorted.

        Raises:
            TapctlError: as `unusable` says.
        """
        listing = self._s3.get_paginator("list_objects_v2")
        prefix = self.prefix + under
        try:
            pages = self._aws.pages(listing, Bucket=self.name, Prefix=prefix, Delimiter="/")
        except AwsError as error:
            raise self.to_tapctl_error(error) from error
        return sorted(one["Key"].removeprefix(prefix) for page in pages for one in page.get("Contents", ()))

    def get(self, key: str) -> StoredObject | None:
        """What is there now; None when there is nothing.

        Raises:
            TapctlError: as `unusable` says.
        """
        from botocore.exceptions import BotoCoreError

        try:
            answer = self._s3.get_object(Bucket=self.name, Key=self.prefix + key)
            return StoredObject(answer["Body"].read(), answer["ETag"], _unchanged_s(answer))
        except AwsError as error:
            if error.aws_code == "NoSuchKey":
                return None
            raise self.to_tapctl_error(error) from error
        except BotoCoreError as error:  # the body comes after the door has seen the answer
            raise AwsNoAnswer("s3", "GetObject", type(error).__name__, str(error)) from None

    def put(self, key: str, content: bytes, expected: str | None) -> str:
        """Write it if what is there still has this ETag (None: if nothing is there); returns the new one.

        Raises:
            AwsError: see `must_look`.
        """
        s3, path, kind = self._s3, self.prefix + key, "application/json"
        if expected is None:
            made = s3.put_object(Bucket=self.name, Key=path, Body=content, ContentType=kind, IfNoneMatch="*")
        else:
            made = s3.put_object(Bucket=self.name, Key=path, Body=content, ContentType=kind, IfMatch=expected)
        return made["ETag"]

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Write it where nothing is; what is there stays, and is as good: such a key names its content.

        Raises:
            TapctlError: it may not be there.
        """
        try:
            self.put(key, content, None)
        except AwsError as error:
            if not outcome_unknown(error) or self.get(key) is None:
                raise
            # Ours, whose answer was lost, or one of an earlier attempt.

    def remove(self, key: str, expected: str) -> bool:
        """Remove it if it still has this ETag; False, and nothing was done, when it is gone, another, or in use.

        Raises:
            AwsError: it may still be there.
        """
        try:
            self._s3.delete_object(Bucket=self.name, Key=self.prefix + key, IfMatch=expected)
        except AwsRefused as error:
            if not error.matches(*_UNMET):
                raise
            return False
        return True

    def to_tapctl_error(self, error: AwsError) -> TapctlError:
        """What this answer means before anything was changed: no such bucket, not allowed, or the error itself."""
        if isinstance(error, AwsRefused) and error.matches("NoSuchBucket"):
            return ManifestError(
                f"the bucket {self.name} does not exist", evidence=str(error), hint="make it, or correct --state"
            )
        if isinstance(error, AwsRefused) and error.is_denied:
            return Refused(
                f"these credentials may not use {self.url('')}",
                evidence=str(error),
                # Without the right to list, S3 answers "denied" for what is not there.
                hint="allow s3:GetObject, s3:PutObject and s3:DeleteObject under it, and s3:ListBucket on the bucket",
            )
        return error


def _unchanged_s(answer: Mapping[str, Any]) -> float:
    # Both are S3's and in whole seconds, so the difference is up to a second too long. Our own clock has no part in it.
    try:
        date: datetime = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age: timedelta = date - answer["LastModified"]
    except (KeyError, ValueError, TypeError):
        return 0.0
    return max(age.total_seconds() - 1, 0.0)


def outcome_unknown(answer: AwsError) -> bool:
    """Whether after this answer to a write only a look tells what is there: perhaps what we have written."""
    return isinstance(answer, AwsNoAnswer) or answer.aws_code in _UNMET
