"""Objects of one S3 bucket, each written and removed on a condition.

Encryption is the bucket's own default, or what the state's address says (`Encryption`): some buckets refuse a write
that does not name it. Every call names the bucket's owner as soon as it is known, so that a bucket of the same name
that somebody else has made since gets nothing.

How S3 answers conditional requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from tapctl.aws.transport import is_page
from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, ManifestError, Refused, TapctlError
from tapctl.manifest import manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

    from tapctl.aws.client import Aws

ATTEMPTS = 4
"""Writes of one object before giving up, as many as the SDK makes; a read before each says why to try again."""
MAX_BYTES = manifest.MAX_BYTES
"""The part of an object that is read at the most, in bytes."""
_CONFLICT_STATUS, _FAILED_STATUS, _UNSUPPORTED_STATUS = 409, 412, 501
_CONDITION_FAILED = ("PreconditionFailed", "NoSuchKey", "ConditionalRequestConflict")
_ARCHIVED = "InvalidObjectState"
"""S3's code for an object in an archive (Glacier's Flexible Retrieval and Deep Archive, Intelligent-Tiering's archive
tiers): it is listed, and not handed out until it is restored (S3 API reference, GetObject)."""
_NO_ETAG = '"00000000000000000000000000000000"'
"""The ETag of no object."""


@dataclass(frozen=True)
class Encryption:
    """The encryption that every write asks for; none: the bucket's default."""

    method: str = ""
    """``AES256``, ``aws:kms``, ``aws:kms:dsse``."""
    key: str = ""
    """The KMS key's id, ARN or alias; empty: AWS's own, or the bucket's default."""

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of PutObject."""
        asked = {"ServerSideEncryption": self.method, "SSEKMSKeyId": self.key}
        return {name: value for name, value in asked.items() if value}


_DEFAULT_ENCRYPTION = Encryption()


class Archived(ManifestError):
    """An object is in an archive of S3's: it is there, and cannot be read."""


@dataclass(frozen=True)
class StoredObject:
    """An object of the bucket, as it was read."""

    content: bytes
    etag: str
    age_s: float
    """Seconds since its last change, at least, by S3's own clock; 0 where S3 does not say."""


class Bucket:
    """The objects of a bucket under ``prefix`` (empty, or with a slash at its end)."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        prefix: str,
        *,
        owner: str = "",
        accounts: Sequence[str] = (),
        others: Callable[[], Sequence[str]] = tuple,
        encryption: Encryption = _DEFAULT_ENCRYPTION,
        retries: bool = True,
    ) -> None:
        """``retries=False``: the SDK sends each request once, and no call takes longer than its time-outs (25 s).

        ``owner``: the account that the bucket belongs to; empty: ours. ``accounts``: of which it has to be one's, as
        long as nobody knows which account we are in; of several the first that S3 confirms. ``others``: accounts that
        may have it, of which a refusal names the one that S3 confirms.
        """
        self._aws = aws
        self._retries = retries
        self._owner = owner or (accounts[0] if len(accounts) == 1 else "")
        self._accounts = accounts
        self._others = others
        self.encryption = encryption
        self.name = name
        self.prefix = prefix

    def without_retries(self) -> Bucket:
        """The same bucket, each request sent once."""
        return Bucket(
            self._aws,
            self.name,
            self.prefix,
            owner=self._owner,
            accounts=self._accounts,
            others=self._others,
            encryption=self.encryption,
            retries=False,
        )

    def command(self, operation: str, key: str, *options: str) -> str:
        """A command of the AWS CLI about this object, where the bucket is."""
        words = ["aws", "s3api", operation, "--bucket", self.name, "--key", f"{self.prefix}{key}", *options]
        return self._aws.target.command(shlex.join(words))

    @property
    def owner(self) -> str:
        """The account that the bucket must belong to; empty as long as nobody knows which account we are in."""
        return self._owner or (self._aws.identity.account if self._aws.identity else "")

    @property
    def _target(self) -> dict[str, Any]:
        """The parameters of every call."""
        if len(self._accounts) > 1 and not self.owner:
            self._owner = self._confirmed_owner()
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
        return {"Bucket": self.name} | ({"ExpectedBucketOwner": self.owner} if self.owner else {})

    def _confirmed_owner(self) -> str:
        """The first of the possible owners that S3 confirms; the last where it confirms none, as every call then tells.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        *others, last = self._accounts
        for account in others:
            try:
                self._list_as_of(account)
            except AwsError as error:
                if not (isinstance(error, AwsRefused) and error.is_denied):
                    raise self.to_tapctl_error(error) from error
            else:
                self._accounts = (account,)
                return account
        return last

    def _list_as_of(self, account: str) -> None:
        """Ask S3 if the bucket is this account's.

        Raises:
            AwsError: it is not, or we may not list it.
        """
        self._s3.list_objects_v2(
            Bucket=self.name, Prefix=self.prefix, Delimiter="/", MaxKeys=1, ExpectedBucketOwner=account
        )

    def _known_owner(self) -> str:
        """The one of the other accounts whose the bucket is, as S3 says; empty where it says so of none."""
        for account in (each for each in self._others() if each != self.owner):
            with suppress(AwsError):
                self._list_as_of(account)
                return account
        return ""

    @property
    def _s3(self) -> S3Client:
        return cast("S3Client", self._aws.client("s3", retries=self._retries))

    def url(self, key: str) -> str:
        """The object's address as a user writes it."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def list_names(self) -> list[str]:
        """List the objects right under the prefix: their names without it, sorted.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        return [*self.list_sizes("")]

    def list_sizes(self, folder: str, since: str = "") -> dict[str, int]:
        """List the objects right under the prefix and ``folder`` (which ends with a slash), sorted, with their bytes.

        By their names without both. ``since``: those alone that come after this text.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        contents = [item for page in self._pages(folder, since) for item in page.get("Contents", ())]
        return dict(
            sorted((item.get("Key", "").removeprefix(self.prefix + folder), item.get("Size", 0)) for item in contents)
        )

    def list_folders(self, folder: str) -> list[str]:
        """List the folders right under the prefix and ``folder`` (with a slash at its end): their names alone, sorted.

        Raises:
            TapctlError: see `to_tapctl_error`.
        """
        found = [item for page in self._pages(folder) for item in page.get("CommonPrefixes", ())]
        return sorted(item.get("Prefix", "").removeprefix(self.prefix + folder).rstrip("/") for item in found)

    def _pages(self, folder: str, since: str = "") -> list[ListObjectsV2OutputTypeDef]:
        paginator, prefix = self._s3.get_paginator("list_objects_v2"), self.prefix + folder
        after = {"StartAfter": prefix + since} if since else {}
        try:
            return [*self._aws.pages(paginator, **self._target, Prefix=prefix, Delimiter="/", **after)]
        except AwsError as error:
            raise self.to_tapctl_error(error) from error

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none.

        Raises:
            Archived: it is there, and S3 does not hand it out.
            TapctlError: see `to_tapctl_error`.
        """
        from botocore.exceptions import BotoCoreError

        try:
            response = self._s3.get_object(**self._target, Key=self.prefix + key)
            content = response["Body"].read(MAX_BYTES + 1)
        except AwsError as error:
            if error.aws_code == "NoSuchKey":
                return None
            if error.aws_code == _ARCHIVED:
                raise self._archived_error(key, error) from error
            raise self.to_tapctl_error(error) from error
        except BotoCoreError as error:  # the body is read after the client has translated the response's errors
            raise AwsNoAnswer("s3", "GetObject", type(error).__name__, str(error)) from None
        if is_page(content) or not response.get("ETag"):
            raise AwsNoAnswer("s3", "GetObject", "NoAnswer", "what came back is no answer of S3 (from a proxy?)")
        if len(content) > MAX_BYTES:
            raise ManifestError(
                f"the object {self.url(key)} is too large",
                evidence=f"it has more than {MAX_BYTES:,} bytes",
                hint="put an earlier version of it back, or correct --state",
            )
        return StoredObject(content, response["ETag"], _age_s(response))

    def _archived_error(self, key: str, error: AwsError) -> Archived:
        return Archived(
            f"{self.url(key)} is in an archive of S3",
            evidence=str(error),
            hint=f"take it out: {self.command('restore-object', key, '--restore-request', 'Days=30')}; and let no "
            "lifecycle rule archive what is under this state",
        )

    def put(self, key: str, content: bytes, expected: str | None) -> str:
        """Write an object if its ETag is still ``expected`` (None: if there is no object); returns the new ETag.

        Raises:
            AwsError: it was not written, or may have been: see `outcome_unknown`.
        """
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        parameters: dict[str, Any] = self._target | self.encryption.parameters | condition
        result = self._s3.put_object(Key=self.prefix + key, Body=content, ContentType="application/json", **parameters)
        return result.get("ETag", "")

    def prove_conditions(self, key: str, content: bytes) -> None:
        """Make sure that the store honours conditions, by requests about our object at ``key`` that it has to refuse.

        A store that knows no conditional removal at all passes: it cannot take one for a removal without a condition.

        Raises:
            Refused: it does not: two runs could go on at once.
            TapctlError: it does not say.
        """
        try:
            self._prove("a write with If-None-Match", lambda: self.put(key, content, None))
            self._prove("a write with If-Match", lambda: self.put(key, content, _NO_ETAG))
        except AwsError as error:
            raise self.to_tapctl_error(error) from error
        try:
            self._prove("a removal with If-Match", lambda: self._delete(key, _NO_ETAG))
        except AwsError as error:
            if not is_unsupported(error):
                raise self.to_tapctl_error(error) from error

    def _prove(self, what: str, request: Callable[[], object]) -> None:
        """Make sure that the store refuses a request because of its condition; no other refusal proves that.

        Raises:
            Refused: it does what was asked for.
            AwsError: it does not say.
        """
        for _ in range(ATTEMPTS):
            try:
                request()
            except AwsError as error:
                failure = error
                if _is_unmet(error):
                    return
                if not is_conflict(error):
                    break
            else:
                raise _unconditional_error(
                    self.url(""), f"{what} of an object that does not meet the condition was accepted"
                )
        raise failure

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Write an object where there is none; an existing one stays, and is as good: such a key names its content.

        Raises:
            TapctlError: the object may not be there.
        """
        try:
            self.put(key, content, None)
        except AwsError as error:
            if not outcome_unknown(error) or not self._is_there(key):
                raise
            # Written by this call, whose answer was lost, or by an earlier attempt.

    def _is_there(self, key: str) -> bool:
        try:
            return self.get(key) is not None
        except Archived:
            return True

    def remove(self, key: str, expected: str) -> bool:
        """Remove an object if its ETag is still ``expected``; False if it is gone, changed or in use: nothing was done.

        Raises:
            AwsError: the object may still be there.
        """
        try:
            self._delete(key, expected)
        except AwsRefused as error:
            if not outcome_unknown(error):
                raise
            return False
        return True

    def _delete(self, key: str, expected: str) -> None:
        self._s3.delete_object(**self._target, Key=self.prefix + key, IfMatch=expected)

    def to_tapctl_error(self, error: AwsError) -> TapctlError:
        """Translate an error that came before anything was changed.

        Returns `ManifestError` where the bucket does not exist, `Refused` where access is denied, else ``error``.
        """
        if isinstance(error, AwsRefused) and error.matches("NoSuchBucket"):
            return ManifestError(
                f"the bucket {self.name} does not exist",
                evidence=str(error),
                hint=f"make it (aws s3 mb s3://{self.name}), or correct --state or TAPCTL_STATE",
            )
        if isinstance(error, AwsRefused) and error.is_denied:
            possible = self._accounts if self.owner in self._accounts else (self.owner,)
            whose = f", which has to belong to account {' or '.join(possible)}" if self.owner else ""
            actual = self._known_owner()
            if actual:
                return Refused(
                    f"{self.url('')} belongs to account {actual}, not to {self.owner}",
                    evidence=str(error),
                    hint="whoever has that account may write its records; where that is meant, say so in the state's "
                    f"address: ?owner={actual}",
                )
            return Refused(
                f"these credentials may not use {self.url('')}{whose}",
                evidence=str(error),
                # Without the right to list, S3 answers "denied" for an object that does not exist; with another owner,
                # or without the encryption that the bucket's policy demands, for everything.
                hint="allow s3:GetObject, s3:PutObject and s3:DeleteObject under it, and s3:ListBucket on the bucket; "
                "another account's bucket is s3://bucket/prefix?owner=<account>, one that demands encryption "
                "?sse=aws:kms&key=<key>",
            )
        if is_unsupported(error):
            return _unconditional_error(self.url(""), str(error))
        return error


def _unconditional_error(where: str, evidence: str) -> Refused:
    return Refused(
        f"the store at {where} does not honour conditional writes and removals, so two runs could go on at once",
        evidence=evidence,
        hint="use S3 itself, or a store that honours If-None-Match and If-Match, the latter of a removal too; "
        "or a folder: --state ./manifests",
    )


def is_unsupported(error: AwsError) -> bool:
    """True if the store does not know this kind of request at all."""
    return error.status == _UNSUPPORTED_STATUS or error.aws_code == "NotImplemented"


def is_conflict(error: AwsError) -> bool:
    """True if two requests met and this one was not done: S3 wants the client to read, and to try again.

    S3 has more than one code for it (ConditionalRequestConflict, OperationAborted).
    """
    return error.status == _CONFLICT_STATUS


def _is_unmet(error: AwsError) -> bool:
    """True if the store says that the condition is not met."""
    return error.status == _FAILED_STATUS or error.aws_code == "PreconditionFailed"


def _age_s(response: Mapping[str, Any]) -> float:
    # Date and LastModified are both S3's and in whole seconds, so their difference is up to a second too long.
    # This machine's clock has no part in it.
    try:
        date: datetime = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
        modified: Any = response.get("LastModified")
        age: timedelta = date - modified
    except (KeyError, ValueError, TypeError):
        return 0.0
    return max(age.total_seconds() - 1, 0.0)


def outcome_unknown(error: AwsError) -> bool:
    """True if after this answer to a conditional write only a read tells what is stored: perhaps what was written.

    A failed condition is no proof: it may have been met by an earlier attempt of the same write, whose answer was lost.
    """
    if isinstance(error, AwsNoAnswer):
        return not is_unsupported(error)
    return error.status in (_CONFLICT_STATUS, _FAILED_STATUS) or error.aws_code in _CONDITION_FAILED
