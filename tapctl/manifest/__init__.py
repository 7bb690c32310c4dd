"""The manifest: the file that says which resources an environment has, and which configuration made them.

- `manifest`: its schema, its text, and the check that it is of the right target.
- `store`: what every store offers; `local` (a folder) and `s3` (over the conditional objects of `bucket`) implement it.
- `lock`: who may change an environment; `s3_lock` is that right as an object in S3, `force_unlock` takes it away.
- `journal`: writes the manifest for many threads, intents before the call and facts after it.
- `history`: the versions that were replaced, and the locks that were taken away.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tapctl.errors import UsageError

if TYPE_CHECKING:
    from tapctl.aws.client import Aws
    from tapctl.manifest.store import Store


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def open_store(url: str, aws: Aws | None) -> Store:
    """Open the store that ``--state`` names: a folder, or ``s3://bucket/prefix`` through ``aws``.

    A folder needs no AWS: boto3 is imported only for S3.

    Raises:
        UsageError: ``url`` names neither, or names S3 where ``aws`` is None.
    """
    if not _SCHEME.match(url) and url.strip() and "\0" not in url:
        from tapctl.manifest.local import LocalStore

        return LocalStore(Path(url))
    parts = _S3_URL.fullmatch(url)
    if parts is None:
        raise UsageError(
            f"--state {url!r} is no place for manifests",
            hint="use a folder such as ./manifests, or s3://bucket/prefix",
        )
    if aws is None:
        raise UsageError(f"--state {url} is in AWS, and this command does not go there", hint="use a local --state")
    from tapctl.manifest.bucket import Bucket
    from tapctl.manifest.s3 import S3Store

    return S3Store(Bucket(aws, parts[1], f"{parts[2]}/".lstrip("/")))
