"""The manifest: the file that says which resources an environment has, and which configuration made them.

- `manifest`: its schema, its text, and the check that it is of the right target.
- `store`: what every store offers; `local` (a folder) and `s3` (over the conditional objects of `bucket`) implement it.
- `lock`: who may change an environment; `s3_lock` is that right as an object in S3, `force_unlock` takes it away.
- `journal`: writes the manifest for many threads, intents before the call and facts after it.
- `history`: the versions that were replaced, and the locks that were taken away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tapctl.aws.policy import when
from tapctl.aws.rights import Need, Right, arn
from tapctl.errors import UsageError

if TYPE_CHECKING:
    from tapctl.aws.client import Aws
    from tapctl.manifest.store import Store


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/*")
_OPTIONS = {"sse": "AES256|aws:kms|aws:kms:dsse", "key": "[A-Za-z0-9:/_-]{1,512}", "owner": "[0-9]{12}"}
"""Options of an address in S3, beside the place."""
# Of a folder: with ./, ../ or / before it all but a variable that nobody has filled in, and space at its end. Without,
# names that are nothing else: no address with its quotes or its variable's name, no placeholder, host or ARN; nor a
# script's word for no value.
_NAME = r"\.?[A-Za-z0-9_-]+"
_FOLDER = re.compile(rf"\.\.?|\.{{0,2}}/[^$\0]*(?<!\s)|(?!(?i:undefined|null|none)\Z){_NAME}(?:/{_NAME})*/?")


def open_store(
    url: str, aws: Aws | None, accounts: Sequence[str] = (), others: Callable[[], Sequence[str]] = tuple
) -> Store:
    """Open the store that ``--state`` names: a folder, or ``s3://bucket/prefix`` through ``aws``.

    An address in S3 may have options: ``?sse=aws:kms&key=<id, ARN or alias>&owner=<account>``.

    ``accounts``: of which the bucket has to belong to one, where the address names no owner and ``aws`` is not
    identified; none: whoever has it. ``others``: accounts that a refusal may name as its owner.

    A folder needs no AWS: boto3 is imported only for S3.

    Raises:
        UsageError: ``url`` names neither, or names S3 where ``aws`` is None.
    """
    if is_folder(url):
        from tapctl.manifest.local import LocalStore

        return LocalStore(Path(url))
    bucket, prefix, options = _parse_s3(url)
    if aws is None:
        raise UsageError(f"--state {url} is in AWS, and this command does not go there", hint="use a local --state")
    from tapctl.manifest.bucket import Bucket, Encryption
    from tapctl.manifest.s3 import S3Store

    encryption = Encryption(options.get("sse", ""), options.get("key", ""))
    return S3Store(
        Bucket(
            aws,
            bucket,
            prefix,
            owner=options.get("owner", ""),
            accounts=accounts,
            others=others,
            encryption=encryption,
        )
    )


def state_rights(url: str) -> tuple[Right, ...]:
    """The rights that the store at ``url`` needs; none for a folder.

    Raises:
        UsageError: ``url`` is no place for records.
    """
    if is_folder(url):
        return ()
    from tapctl.manifest.history import history_folder

    bucket, prefix, options = _parse_s3(url)
    where = f"arn:{{partition}}:s3:::{bucket}"
    history = history_folder("{suffix}")
    objects = (f"{where}/{prefix}{{suffix}}.*", f"{where}/{prefix}{history}*")
    # An object that is not there is "denied", unless listing is allowed: GetObject names no prefix in its request.
    # A look at everything lists whose histories there are: a record that was removed has left one.
    histories = history.removesuffix("{suffix}/")
    listed = when("StringEqualsIfExists", "s3:prefix", prefix, prefix + histories, prefix + history)
    changes = Need.CREATE | Need.DELETE
    rights = [
        Right(Need.OBSERVE, ("s3:ListBucket",), (where,), (listed,)),
        Right(Need.OBSERVE, ("s3:GetObject",), objects),
        Right(changes, ("s3:DeleteObject", "s3:PutObject"), objects),
    ]
    if key := options.get("key", ""):
        via = when("StringEquals", "kms:ViaService", "s3.{region}.{domain}")
        by_alias = (when("ForAnyValue:StringEquals", "kms:ResourceAliases", key),) if key.startswith("alias/") else ()
        resource = key if key.startswith("arn:") else arn("kms", "key/*" if by_alias else f"key/{key}")
        rights += [
            Right(Need.OBSERVE, ("kms:Decrypt",), (resource,), (*by_alias, via)),
            Right(changes, ("kms:GenerateDataKey",), (resource,), (*by_alias, via)),
        ]
    return tuple(rights)


def is_folder(url: str) -> bool:
    """True if ``--state`` names a folder, and is no slip of another place: a pipeline's folder goes with its runner."""
    return _FOLDER.fullmatch(url) is not None


def _parse_s3(url: str) -> tuple[str, str, dict[str, str]]:
    """The bucket, the prefix (empty, or with a slash at its end) and the options of an address in S3.

    Raises:
        UsageError: it is none.
    """
    address, _, query = url.partition("?")
    parts = _S3_URL.fullmatch(address)
    options = {}
    for option in filter(None, query.split("&")):
        name, _, value = option.partition("=")
        if parts is None or name in options or not (name in _OPTIONS and re.fullmatch(_OPTIONS[name], value)):
            parts = None
            break
        options[name] = value
    if parts is None or ("key" in options and not options.get("sse", "").startswith("aws:kms")):
        raise UsageError(
            f"--state {url!r:.300} is no place for manifests",
            hint="use a folder such as ./manifests, or s3://bucket/prefix, "
            "or s3://bucket/prefix?sse=aws:kms&key=<key>&owner=<account>; a folder's name that holds more than "
            "letters, digits, _ and - is written with ./ or / before it",
        )
    return parts[1], f"{parts[2]}/".lstrip("/"), options
