"""Strips credentials from a text that is to be shown, whoever wrote it: botocore, urllib3, a helper, or ourselves."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote, unquote

HIDDEN = "***"
"""Stands in the place of what was stripped."""

_SHORTEST = 8
"""The shortest secret that is looked for: a shorter one would be found in the middle of other words."""
_MOST_KNOWN = 64
_SECRET_NAME = re.compile(
    "SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|ACCESS_?KEY|PRIVATE_?KEY|API_?KEY|AUTHORIZATION", re.IGNORECASE
)
_PLACE_NAME = re.compile("_(FILE|PATH|DIR|URI|URL|PROFILE|PROCESS|EXPIRATION|TTL)$", re.IGNORECASE)
"""The name of a variable that holds a place or a time, although it speaks of a secret."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s'\"<>]{1,4096}")
_SIGNED = re.compile(
    r"\b((?:X-Amz-)?(?:Signature|Credential)|X-Amz-Security-Token|aws_secret_access_key|aws_session_token)"
    r"( ?= ?|%3D)[^&,\s'\"<>]+",
    re.IGNORECASE,
)
_PORT = re.compile("[0-9]{1,5}")

_SECRET_VALUE = re.compile(
    r"-----BEGIN|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:password|passwd|pwd|secret|token|api_?key)[=:]\s*\S"
    r"|\bgh[pousr]_[A-Za-z0-9]{30}|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{10}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|://[^/\s@]*:[^/\s@]+@",
    re.IGNORECASE,
)
"""Keys and tokens whose kind shows: PEM, AWS, GitHub, GitLab, Slack, Stripe, a JWT, an address with a password."""
_REFERENCE_NAME = re.compile("_(ARN|NAME|PREFIX|ALGORITHM)$", re.IGNORECASE)
"""The name of a variable that says where a secret is, and is none."""

_WEB = re.compile(r"(?P<scheme>https?://)(?P<host>[^/?#\s*]*)(?P<path>[/?#][^\s*]+)$")
_HIDDEN_PATH = re.compile("/#[0-9a-f]{16}")

_known: dict[str, None] = {}
_lock = threading.Lock()


def hide(value: str | None) -> None:
    """Strip this value from every text from now on; of many the first is forgotten."""
    if value and len(value) >= _SHORTEST:
        with _lock:
            _known.pop(value, None)
            _known[value] = None
            if len(_known) > _MOST_KNOWN:
                del _known[next(iter(_known))]


def is_secret(name: str, value: str) -> bool:
    """True if a variable of this name with this value looks like a secret: by its name, or by the kind of its value."""
    speaks = _SECRET_NAME.search(name) and not _PLACE_NAME.search(name) and not _REFERENCE_NAME.search(name)
    return bool(speaks or _SECRET_VALUE.search(value))


def hide_path(text: str) -> str:
    """The text with a digest in the place of what follows the host in the address on the web that ends it, if one does.

    Whoever hands such an address out (PagerDuty, Slack …) puts the key into its path. A hidden one stays as it is.
    """
    found = _WEB.search(text)
    if found is None or _HIDDEN_PATH.fullmatch(found["path"]):
        return text
    digest = hashlib.sha256(found[0].encode()).hexdigest()[:16]
    return f"{text[: found.start()]}{found['scheme']}{found['host'].rpartition('@')[2]}/#{digest}"


def redact(text: str) -> str:
    """Strip the credentials that this process knows, the user part of addresses, and signatures in them."""
    for secret in sorted(_forms(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = _URL.sub(lambda match: _without_user(match[0]), text)
    return _SIGNED.sub(rf"\1\2{HIDDEN}", text)


def _forms() -> set[str]:
    """Every secret as it is, and as others write it into their texts."""
    with _lock:
        secrets = [*_known]
    forms: set[str] = set()
    for secret in (*secrets, *_in_environment()):
        parts = [part.strip() for part in secret.splitlines()] if "\n" in secret or "\r" in secret else []
        for part in (secret, *parts):
            escaped = (repr(part)[1:-1], repr(part.encode())[2:-1], json.dumps(part)[1:-1], quote(part, safe=""))
            forms.update(form for form in (part, *escaped) if len(form) >= _SHORTEST)
    return forms


def _in_environment() -> Iterator[str]:
    for name, value in [*os.environ.items()]:
        if _SECRET_NAME.search(name) and not _PLACE_NAME.search(name):
            yield value
        elif "://" in value and (user := _user_part(value.rpartition("://")[2])) and ":" in user:
            password = user.partition(":")[2]
            yield from {password, unquote(password)}


def _without_user(url: str) -> str:
    """Strip the user part of the address, and of every address that somebody has written into it."""
    scheme, *rests = url.split("://")
    stripped = [f"{HIDDEN}@{rest.removeprefix(f'{user}@')}" if (user := _user_part(rest)) else rest for rest in rests]
    return "://".join([scheme, *stripped])


def _user_part(rest: str) -> str:
    """``user:password`` of an address without its scheme, also where it holds what should be escaped; empty: none."""
    authority = rest.partition("/")[0]
    host, _, port = authority.partition(":")
    if host and port and "@" not in authority and not _PORT.fullmatch(port):
        # A password with a slash in it: no port looks like this.
        authority = rest
    return authority.rpartition("@")[0]
