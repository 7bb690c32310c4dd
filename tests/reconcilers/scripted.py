"""AWS's answers where moto has other ones: put before a client's calls by botocore's own events."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

DENIED = ("AccessDeniedException", "User: arn:aws:iam::123456789012:user/ci is not authorized to perform this")


@dataclass(frozen=True)
class _Http:
    status_code: int


def refuse(
    client: Any, operation: str, code: str, message: str = "no", *, times: int = 1_000_000, **only: str
) -> AbstractContextManager[None]:
    """Let AWS refuse this operation, the first ``times`` times, where its parameters are ``only`` these.

    From now on; or, as a context, until its end.
    """
    parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return _until_exit(client, *_before(client, operation, http=_Http(400), parsed=parsed, times=times, only=only))


def answer(client: Any, operation: str, parsed: dict[str, Any], *, times: int = 1_000_000) -> None:
    """Let AWS answer this operation so, the first ``times`` times."""
    reply = parsed | {"ResponseMetadata": {"HTTPStatusCode": 200}}
    _before(client, operation, http=_Http(200), parsed=reply, times=times, only={})


def _before(
    client: Any, operation: str, *, http: _Http, parsed: dict[str, Any], times: int, only: dict[str, str]
) -> tuple[str, Any]:
    left = times

    def asked(context: dict[str, Any], params: dict[str, Any], **_: Any) -> tuple[_Http, dict[str, Any]] | None:
        nonlocal left
        body = str(params.get("body", ""))
        if left == 0 or not all(value in body for value in only.values()):
            return None
        left -= 1
        # botocore decodes policies in place.
        return http, copy.deepcopy(parsed)

    service = client.meta.service_model.service_id.hyphenize()
    event = f"before-call.{service}.{operation}"
    client.meta.events.register_first(event, asked)
    return event, asked


@contextmanager
def _until_exit(client: Any, event: str, handler: Any) -> Iterator[None]:
    yield
    client.meta.events.unregister(event, handler)
