"""Strips credentials from a text that is to be shown, whoever wrote it: botocore, urllib3, a helper, or ourselves."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "***"
"""Stands in the place of what was stripped."""

_SHORTEST = 8
"""The shortest secret that is looked for: a shorter one would be found in the middle of other words."""
_MOST_KNOWN = 64
# Patterns are compiled at their first use: no command needs one to start.
_NAME_OF_ONE = (
    "SECRET(?!AR[IY])|TOKEN(?!I[SZ])|PASSW(?:OR)?[DT]|PASSPHRASE|[_.:/ -]PWD|CREDENTIAL|AUTHORIZATION"
    "|(?:ACCESS|PRIVATE|API)[_. -]?KEY"
)
"""The name of a secret: of a variable or tag that speaks of one; neither of a secretary nor of tokenization."""
_LAST_WORD = r"(?:[^A-Za-z0-9]|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?:%s)$"
_REFERENCE_NAME = _LAST_WORD % "FILE|PATH|DIR|URI|URL|PROFILE|PROCESS|EXPIRATION|TTL|ARNS?|NAMES?|PREFIX|ALGORITHM"
"""The name whose last word says that a place, a time or a name is meant, although it speaks of a secret."""
_NAME_ABOUT_ONE = (
    _LAST_WORD % "OWNERS?|TEAM|CONTACT|DOMAIN|TYPE|KIND|CLASS|LEVEL|SCOPE|MODE|POLICY|VERSION|STATUS"
    "|ROTATION|ROTATED|EXPIRY|TIMEOUT|AGE|LENGTH|SIZE|COUNT|LIMIT|DAYS|HOURS|MINUTES|SECONDS|M?S|ENABLED|REQUIRED"
    "|PROVIDER|MANAGER|STORE|VAULT"
)
"""The name whose last word says that the value is about a secret: who keeps it, for how long, of which kind."""
_WORDS = r"(?:[A-Za-z]{1,24}[0-9]?|[0-9]{1,4})(?:[ _.,@:/-]{1,3}(?:[A-Za-z]{1,24}[0-9]?|[0-9]{1,4})){0,9}"
"""A value of a few words and short numbers, which no generated secret is: a team, an address, a day."""
_FLAG = "(?:true|false|yes|no|on|off|none|enabled|disabled)?"
_URL = r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s'\"<>]{1,4096}"
_SIGNED = (
    r"\b((?:X-Amz-)?(?:Signature|Credential)|X-Amz-Security-Token|aws_secret_access_key|aws_session_token)"
    r"( ?= ?|%3D)[^&,\s'\"<>]+"
)
_PORT = "[0-9]{1,5}"

_KNOWN_KIND = (
    r"-----BEGIN|(?-i:\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)|\b(?:password|passwd|pwd|secret|token|api_?key)[=:]\s*\S"
    r"|\bgh[pousr]_[A-Za-z0-9]{30}|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{10}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|://[^/\s@:]*:[^/\s@]+@"
)
"""Keys and tokens whose kind shows: PEM, AWS, GitHub, GitLab, Slack, Stripe, a JWT, an address with a password."""
_ARN = r"\barn(?::[\w{}*?-]+){2}(?::[\w{}*?-]*){2}:(?:(?!://)[^\s\"',])*"
"""An ARN, as AWS writes it, a policy (with wildcards) and the files (with tokens)."""

_WEB = r"(?P<scheme>https?://)(?P<host>[^/?#\s*]*)(?P<path>[/?#][^\s*]+)$"
_HIDDEN_PATH = "/#[0-9a-f]{16}"
_WEB_WITHIN = r"(?i:(?P<start>[a-z][a-z0-9+.-]{0,20}://[^/?#\s'\"<>]*)(?P<path>[/?#][^\s'\"<>]+))"
_RECEIVER = r"(?s:(?P<start>[^/\\?#%]*:[/\\]{1,3})?(?P<host>[^/\\?#%]*)(?P<path>[/\\?#%].+)?)"
"""A receiver of alarms as somebody wrote one: an address on the web, in any spelling and with any slip, or another."""

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


def is_secret(value: str, name: str = "") -> bool:
    """True if a text looks like a secret: by its kind, or by the name of the variable or tag that holds it.

    An ARN tells where a secret is and is none, whatever its name: ``…:secret:…`` is a part of it, and no secret after
    a colon. What is written into an ARN in any other way is looked for as everywhere.
    """
    kind = re.search(_KNOWN_KIND, re.sub(_ARN, lambda arn: arn[0].replace(":", "/"), value), re.IGNORECASE)
    return kind is not None or _is_named_secret(name, value)


def _is_named_secret(name: str, value: str) -> bool:
    """True if the name says that this value is a secret, and not that it is about one."""
    if (
        not re.search(_NAME_OF_ONE, name, re.IGNORECASE)
        or re.search(_REFERENCE_NAME, name, re.IGNORECASE)
        or re.fullmatch(_FLAG, value, re.IGNORECASE)
        or is_arn(value)
    ):
        return False
    return not (re.search(_NAME_ABOUT_ONE, name, re.IGNORECASE) and re.fullmatch(_WORDS, value))


def is_arn(value: str) -> bool:
    """True if the text is an ARN and nothing else."""
    return re.fullmatch(_ARN, value) is not None


def hide_path(text: str) -> str:
    """The text with a digest in the place of what follows the host in the address on the web that ends it, if one does.

    Whoever hands such an address out (PagerDuty, Slack …) puts the key into its path.
    """
    found = re.search(_WEB, text)
    if found is None:
        return text
    import hashlib  # needed here alone, and its start costs as much as all of click's

    digest = hashlib.sha256(encoded(found[0])).hexdigest()[:16]
    return f"{text[: found.start()]}{found['scheme']}{found['host'].rpartition('@')[2]}/#{digest}"


def hide_path_once(text: str) -> str:
    """The text as `hide_path` has it, where it may be hidden already: of a record or a waiver, and never of AWS."""
    found = re.search(_WEB, text)
    return text if found is not None and re.fullmatch(_HIDDEN_PATH, found["path"]) else hide_path(text)


def hide_paths(value: Any) -> Any:
    """A value, or each in an array, as `hide_path` has it; what is no text stays."""
    if isinstance(value, list | tuple):
        return [hide_paths(each) for each in value]
    return hide_path(value) if isinstance(value, str) else value


def host_alone(receiver: str) -> str:
    """The receiver of alarms, with ``…`` in the place of all that may be the path of an address on the web.

    As `hide_path`, for the eye alone: whatever slip hides from a reader that the text is such an address.
    """
    return receiver if is_arn(receiver.strip()) else re.sub(_RECEIVER, _host_alone, receiver, count=1)


def _host_alone(receiver: re.Match[str]) -> str:
    start, path = receiver["start"] or "", "/…" if receiver["path"] else ""
    user, _, host = receiver["host"].rpartition("@")
    is_mail = not start and not path and ":" not in user.strip().lower().removeprefix("email:")
    return receiver[0] if is_mail else f"{start}{host}{path}"


def hosts_alone(value: Any) -> Any:
    """A value, or all in an array or a table, as `host_alone` has it; what is no text stays."""
    if isinstance(value, list | tuple):
        return [hosts_alone(each) for each in value]
    if isinstance(value, dict):
        return {hosts_alone(key): hosts_alone(each) for key, each in value.items()}
    return host_alone(value) if isinstance(value, str) else value


def hide_paths_within(text: str) -> str:
    """A text with ``/…`` after the host of each address on the web in it, but where a digest hides the path already."""
    return re.sub(
        _WEB_WITHIN, lambda web: web[0] if re.fullmatch(_HIDDEN_PATH, web["path"]) else f"{web['start']}/…", text
    )


def redact(text: str) -> str:
    """Strip the credentials that this process knows, the user part of addresses, and signatures in them."""
    for secret in sorted(_forms(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = re.sub(_URL, lambda match: _without_user(match[0]), text)
    return re.sub(_SIGNED, rf"\1\2{HIDDEN}", text, flags=re.IGNORECASE)


def _forms() -> set[str]:
    """Every secret as it is, and as others write it into their texts."""
    with _lock:
        secrets = [*_known]
    forms: set[str] = set()
    for secret in (*secrets, *_in_environment()):
        parts = [part.strip() for part in secret.splitlines()] if "\n" in secret or "\r" in secret else []
        for part in (secret, *parts):
            raw = encoded(part)
            escaped = (repr(part)[1:-1], repr(raw)[2:-1], json.dumps(part)[1:-1], quote(raw, safe=""))
            read = () if part.isascii() else (raw.decode(errors="replace"), raw.decode("latin-1"))
            forms.update(form for form in (part, *escaped, *read) if len(form) >= _SHORTEST)
    return forms


def is_utf8(text: str) -> bool:
    """True unless the bytes that the text stands for are no UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def encoded(text: str) -> bytes:
    """The bytes of a text, also of one that stands in the environment or on the command line and is no UTF-8."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half a character: of JSON, and of no system
        return text.encode(errors="surrogatepass")


def _in_environment() -> Iterator[str]:
    for name, value in [*os.environ.items()]:
        if _is_named_secret(name, value):
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
    if host and port and "@" not in authority and not re.fullmatch(_PORT, port):
        # A password with a slash in it: no port looks like this.
        authority = rest
    return authority.rpartition("@")[0]
