"""Objects of one S3 bucket, each written and removed on a condition. Encryption is the bucket's own default.

How S3 answers conditional requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
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
"""Writes of one object before giving up, as many as the SDK makes; a read before each says why to try again."""
CONFLICT = "ConditionalRequestConflict"
"""The error code where two requests met and this one was not done: S3 wants the client to read, and to try again."""
_CONDITION_FAILED = ("PreconditionFailed", "NoSuchKey", CONFLICT)


@dataclass(frozen=True)
class StoredObject:
    """One object, as it was read."""

    content: bytes
    etag: str
    age_s: float
    """Seconds since its last change, at least, by S3's own clock; 0 where S3 does not say."""


class Bucket:
    """The objects of a bucket under ``prefix`` (empty, or with a slash at its end)."""

    def __init__(self, aws: Aws, name: str, prefix: str, *, retries: bool = True) -> None:
        """``retries=False``: the SDK sends each request once, and no call takes longer than its time-outs (25 s)."""
        self._aws = aws
        self._retries = retries
        self.name = name
        self.prefix = prefix

    def without_retries(self) -> Bucket:
        """The same bucket, each request sent once."""
        return Bucket(self._aws, self.name, self.prefix, retries=False)

    @property
    def _s3(self) -> S3Client:
        return cast("S3Client", self._aws.client("s3", retries=self._retries))

    def url(self, key: str) -> str:
        """The object's address as a user writes it."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def list_names(self, folder: str = "") -> list[str]:
        """List the objects right under the prefix and ``folder`` (with a slash at its end): names without both, sorted.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        paginator = self._s3.get_paginator("list_objects_v2")
        prefix = self.prefix + folder
        try:
            pages = self._aws.pages(paginator, Bucket=self.name, Prefix=prefix, Delimiter="/")
        except AwsError as error:
            raise self.to_tapctl_error(error) from error
        return sorted(item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", ()))

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        from botocore.exceptions import BotoCoreError

        try:
            response = self._s3.get_object(Bucket=self.name, Key=self.prefix + key)
            return StoredObject(response["Body"].read(), response["ETag"], _age_s(response))
        except AwsError as error:
            if error.aws_code == "NoSuchKey":
                return None
            raise self.to_tapctl_error(error) from error
        except BotoCoreError as error:  # the body is read after the client has translated the response's errors
            raise AwsNoAnswer("s3", "GetObject", type(error).__name__, str(error)) from None

    def put(self, key: str, content: bytes, expected: str | None) -> str:
        """Write an object if its ETag is still ``expected`` (None: if there is no object); returns the new ETag.

        Raises:
            AwsError: it was not written, or may have been: see `outcome_unknown`.
        """
        s3, path, kind = self._s3, self.prefix + key, "application/json"
        if expected is None:
            result = s3.put_object(Bucket=self.name, Key=path, Body=content, ContentType=kind, IfNoneMatch="*")
        else:
            result = s3.put_object(Bucket=self.name, Key=path, Body=content, ContentType=kind, IfMatch=expected)
        return result["ETag"]

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Write an object where there is none; an existing one stays, and is as good: such a key names its content.

        Raises:
            TapctlError: the object may not be there.
        """
        try:
            self.put(key, content, None)
        except AwsError as error:
            if not outcome_unknown(error) or self.get(key) is None:
                raise
            # Written by this call, whose answer was lost, or by an earlier attempt.

    def remove(self, key: str, expected: str) -> bool:
        """Remove an object if its ETag is still ``expected``; False if it is gone, changed or in use: nothing was done.

        Raises:
            AwsError: the object may still be there.
        """
        try:
            self._s3.delete_object(Bucket=self.name, Key=self.prefix + key, IfMatch=expected)
        except AwsRefused as error:
            if not error.matches(*_CONDITION_FAILED):
                raise
            return False
        return True

    def to_tapctl_error(self, error: AwsError) -> TapctlError:
        """Translate an error that came before anything was changed.

        Returns `ManifestError` where the bucket does not exist, `Refused` where access is denied, else ``error``.
        """
        if isinstance(error, AwsRefused) and error.matches("NoSuchBucket"):
            return ManifestError(
                f"the bucket {self.name} does not exist", evidence=str(error), hint="make it, or correct --state"
            )
        if isinstance(error, AwsRefused) and error.is_denied:
            return Refused(
                f"these credentials may not use {self.url('')}",
                evidence=str(error),
                # Without the right to list, S3 answers "denied" for an object that does not exist.
                hint="allow s3:GetObject, s3:PutObject and s3:DeleteObject under it, and s3:ListBucket on the bucket",
            )
        return error


def _age_s(response: Mapping[str, Any]) -> float:
    # Date and LastModified are both S3's and in whole seconds, so their difference is up to a second too long.
    # This machine's clock has no part in it.
    try:
        date: datetime = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
        age: timedelta = date - response["LastModified"]
    except (KeyError, ValueError, TypeError):
        return 0.0
    return max(age.total_seconds() - 1, 0.0)


def outcome_unknown(error: AwsError) -> bool:
    """True if after this answer to a conditional write only a read tells what is stored: perhaps what was written.

    A failed condition is no proof: it may have been met by an earlier attempt of the same write, whose answer was lost.
    """
    return isinstance(error, AwsNoAnswer) or error.aws_code in _CONDITION_FAILED
