"""The record of what we made: its schema, its two stores, and the journal that writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tapctl.errors import UsageError
from tapctl.manifest.store import Store

if TYPE_CHECKING:
    from tapctl.aws.client import Aws


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def open_store(url: str, door: Aws | None) -> Store:
    """The store that ``--state`` names: a folder, or ``s3://bucket/prefix`` through ``door``.

    Raises:
        UsageError: it names neither.
    """
    if not _SCHEME.match(url) and url.strip() and "\0" not in url:
        from tapctl.manifest.local import LocalStore

        return LocalStore(Path(url))
    named = _S3.fullmatch(url)
    if named is None:
        raise UsageError(
            f"--state {url!r} is no place for manifests",
            hint="use a folder such as ./manifests, or s3://bucket/prefix",
        )
    if door is None:
        raise UsageError(f"--state {url} is in AWS, and this command does not go there", hint="use a local --state")
    from tapctl.manifest.bucket import Bucket
    from tapctl.manifest.s3 import S3Store

    return S3Store(Bucket(door, named[1], f"{named[2]}/".lstrip("/")))
