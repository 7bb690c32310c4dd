"""AWS's answers where moto has other ones: put before a client's calls by botocore's own events."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

DENIED = ("AccessDeniedException", "User: arn:aws:iam::123456789012:user/ci is not authorized to perform this")


@dataclass(frozen=True)
class _Http:
    status_code: int


def refuse(client: Any, operation: str, code: str, message: str = "no", *, times: int = 1_000_000, **only: str) -> None:
    """AWS refuses this operation, the first ``times`` times, where its parameters are ``only`` these."""
    parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    _before(client, operation, http=_Http(400), parsed=parsed, times=times, only=only)


def answer(client: Any, operation: str, parsed: dict[str, Any], *, times: int = 1_000_000) -> None:
    """AWS answers this operation so, the first ``times`` times."""
    told = parsed | {"ResponseMetadata": {"HTTPStatusCode": 200}}
    _before(client, operation, http=_Http(200), parsed=told, times=times, only={})


def _before(
    client: Any, operation: str, *, http: _Http, parsed: dict[str, Any], times: int, only: dict[str, str]
) -> None:
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
    client.meta.events.register_first(f"before-call.{service}.{operation}", asked)
