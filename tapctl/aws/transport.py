"""What passes the door to AWS: bounded, counted, and told in our own error language.

Every call of every client passes `door`'s ``_make_api_call``, which turns what botocore raises into `AwsRefused` (AWS
answered no) or `AwsLost` (no usable answer).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from tapctl.aws.setup_errors import certificate_places, setup_error
from tapctl.errors import THROTTLING, AwsError, AwsNoAnswer, AwsRefused, ConfigError, NotYet, WrongTarget
from tapctl.safety.redaction import hide

IN_FLIGHT = 10
_READS = ("Describe", "Get", "List", "Head", "Simulate", "Assume")
# The state store is not the stack: writing the record is no change to what it records.
_NOT_THE_STACK = frozenset({"s3", "sts"})
_SERVER_ERROR = 500
_PAGE_HEAD = 512
_LONGEST_MESSAGE = 4_000
_LOST_CODES = THROTTLING | {"RequestTimeout", "RequestTimeoutException"}


@dataclass
class CallLog:
    """What has passed the door so far."""

    calls: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    """Changing calls that AWS has answered with yes."""
    in_flight: list[str] = field(default_factory=list)
    """The changing calls that have no answer yet, each as often as it was sent."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(IN_FLIGHT))
    guard: Callable[[], None] = lambda: None
    """Asked right before each sending of a changing call, the SDK's repetitions among them; asks nobody itself.

    It raises `NotYet` where the call must not be sent for now: what was sent before may have taken effect.
    """


def is_change(service: str, operation: str) -> bool:
    """Whether this call may change the stack in AWS."""
    return service not in _NOT_THE_STACK and not operation.startswith(_READS)


def guard_hook(traffic: CallLog) -> Callable[..., None]:
    """What is to be registered for botocore's ``before-send``: the guard of changing calls; the token becomes known."""

    def ask(event_name: str, request: Any, **_: Any) -> None:
        token = request.headers.get("X-Amz-Security-Token", "")
        hide(token.decode() if isinstance(token, bytes) else token)
        service, operation = event_name.split(".")[1:]
        if is_change(service, operation):
            traffic.guard()

    return ask


def refuse_page(response_dict: dict[str, Any], **_: Any) -> None:
    """Refuse a page of HTML as an answer, whatever its status: it is of a proxy, or of a network that wants a log-in.

    To be registered for botocore's ``before-parse``.
    """
    from botocore.parsers import ResponseParserError

    body = response_dict.get("body")
    if isinstance(body, bytes) and is_page(body):
        raise ResponseParserError


def is_page(body: bytes) -> bool:
    """True if the text begins as a page of HTML does; no answer of AWS's and no manifest begins so."""
    return body[:_PAGE_HEAD].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def to_tapctl_error(service: str, operation: str, error: Exception) -> AwsError | WrongTarget | ConfigError | None:
    """Translate an exception of botocore's; None for one that only a bug of ours explains."""
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    if isinstance(error, bc.ClientError):
        body = error.response.get("Error", {})
        meta = error.response.get("ResponseMetadata", {})
        code = str(body.get("Code") or "Unknown")
        status = int(meta.get("HTTPStatusCode") or 0)
        kind = AwsNoAnswer if code in _LOST_CODES or status >= _SERVER_ERROR else AwsRefused
        message = str(body.get("Message") or "no message")
        return kind(
            service,
            operation,
            code,
            message[:_LONGEST_MESSAGE],
            request_id=meta.get("RequestId") or None,
            status=status,
        )
    if isinstance(error, ResponseParserError):
        # Its own text is the whole page that came.
        return AwsNoAnswer(
            service, operation, type(error).__name__, "what came back is no answer of AWS (from a proxy?)"
        )
    if isinstance(error, bc.HTTPClientError | bc.ConnectionError | bc.IncompleteReadError | bc.FlexibleChecksumError):
        places = certificate_places() if isinstance(error, bc.SSLError | bc.ProxyConnectionError) else None
        return setup_error(error, f"{service}:{operation}") or AwsNoAnswer(
            service, operation, type(error).__name__, str(error), evidence=places
        )
    return setup_error(error, f"{service}:{operation}")


def client_base(traffic: CallLog) -> type:
    """A base class for every client that takes each of its calls through ``traffic``."""

    class _Door:
        def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
            service = cast("Any", self).meta.service_model.service_name
            action = f"{service}:{operation_name}"
            changing = is_change(service, operation_name)
            # The state store waits for nobody: a lease that is not renewed because ten calls hang is lost.
            with nullcontext() if service == "s3" else traffic.slots:
                with traffic.lock:
                    traffic.calls[action] += 1
                    if changing:
                        traffic.changes[action] += 1
                        traffic.in_flight.append(action)
                try:
                    answer = cast("Any", super())._make_api_call(operation_name, api_params)  # noqa: SLF001 -- it is ours
                except NotYet as unsure:
                    raise AwsNoAnswer(service, operation_name, "NotSent", unsure.reason) from None
                except Exception as error:
                    ours = to_tapctl_error(service, operation_name, error)
                    if ours is None:
                        raise
                    # Without "from": botocore's own text may hold what the request held.
                    raise ours from None
                finally:
                    with traffic.lock:
                        if changing:
                            traffic.in_flight.remove(action)
                with traffic.lock:
                    traffic.accepted += changing
                return answer

    return _Door
