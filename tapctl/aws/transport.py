"""The way of every call to AWS: bounded, counted, guarded, and with errors of our own.

Every call of every client passes ``_make_api_call`` of `client_base`, which turns botocore's exceptions into
`AwsRefused` (AWS answered no) or `AwsNoAnswer` (no usable answer).
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from tapctl.aws.answers import checked, unusable
from tapctl.aws.setup_errors import broke_off, certificate_places, setup_error
from tapctl.errors import SERVER_ERROR, THROTTLING, AwsError, AwsNoAnswer, AwsRefused, ConfigError, NotYet, WrongTarget
from tapctl.safety.redaction import hide

if TYPE_CHECKING:
    from botocore.model import OperationModel

IN_FLIGHT = 10
_READS = ("Describe", "Get", "BatchGet", "List", "Head", "Simulate", "Assume", "Lookup")
# The state store is not the stack: writing the manifest is no change of the stack.
_NOT_THE_STACK = frozenset({"s3", "sts"})
_OK = 200
_PAGE_HEAD = 512
_LONGEST_MESSAGE = 4_000
_TOO_SMALL = r"(?:Invalid (?:length|range) for parameter .*\n?)+"
"""The words of botocore where no more is wrong with a call than a value that is empty, or too low."""
_LOST_CODES = THROTTLING | {"RequestTimeout", "RequestTimeoutException"}


@dataclass(frozen=True)
class Call:
    """A call that is over: ``service:Operation``, the name of its thread, begin and end on `time.monotonic`."""

    action: str
    thread: str
    began: float
    ended: float


@dataclass
class CallLog:
    """The calls made so far, and those still in flight."""

    calls: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    """Number of changing calls that AWS has accepted."""
    accepted_of: Counter[str] = field(default_factory=Counter)
    """Those calls by the name of their thread."""
    in_flight: list[str] = field(default_factory=list)
    """Changing calls (``service:Operation``) without an answer yet, each as often as it was sent."""
    over: list[Call] = field(default_factory=list)
    """The calls that have ended, well or not."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(IN_FLIGHT))
    heard: threading.local = field(default_factory=threading.local)
    """``answer`` is True in a thread whose call has got an answer, which botocore then reads."""
    guard: Callable[[], None] = lambda: None
    """Called right before each sending of a changing call, the SDK's repetitions among them; makes no call itself.

    The guard raises `NotYet` where the call must not be sent for now; an earlier sending may have taken effect.
    """


COUNTED_BY: ContextVar[CallLog | None] = ContextVar("COUNTED_BY", default=None)
"""The log that counts the calls of this thread, and of those that it begins, where others share its clients."""


def is_change(service: str, operation: str) -> bool:
    """True if this call may change the stack in AWS."""
    return service not in _NOT_THE_STACK and not operation.startswith(_READS)


def guard_hook(log: CallLog) -> Callable[..., None]:
    """The handler of botocore's ``before-send`` event: hides the token, and runs the guard before changing calls."""

    def run_guard(event_name: str, request: Any, **_: Any) -> None:
        token = request.headers.get("X-Amz-Security-Token", "")
        hide(token.decode() if isinstance(token, bytes) else token)
        service, operation = event_name.split(".")[1:]
        if is_change(service, operation):
            log.guard()

    return run_guard


def parse_hook(log: CallLog) -> Callable[..., None]:
    """The handler of botocore's ``before-parse`` event: notes that an answer came, and refuses what is none of AWS's.

    A page of HTML is of a proxy, or of a network that wants a log-in, whatever its status. Nothing at all in answer to
    a read is, too: as JSON or CBOR, AWS says ``{}`` at least, and botocore would take nothing for "there is none".
    """

    def look(response_dict: dict[str, Any], operation_model: OperationModel, **_: Any) -> None:
        from botocore.parsers import ResponseParserError

        log.heard.answer = True
        body = response_dict.get("body")
        if isinstance(body, bytes) and (
            is_page(body) or (not body and response_dict["status_code"] == _OK and _tells(operation_model))
        ):
            raise ResponseParserError

    return look


def _tells(operation: OperationModel) -> bool:
    """True of a read whose answer has a body; S3's may have all in its headers."""
    return operation.service_model.service_name != "s3" and operation.name.startswith(_READS)


def is_page(body: bytes) -> bool:
    """True if the text begins as a page of HTML does; no answer of AWS's and no manifest begins so."""
    return body[:_PAGE_HEAD].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def to_tapctl_error(service: str, operation: str, error: Exception) -> AwsError | WrongTarget | ConfigError | None:
    """Translate a botocore exception; None for one that only a bug of ours explains."""
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    if isinstance(error, bc.ClientError):
        body = error.response.get("Error", {})
        meta = error.response.get("ResponseMetadata", {})
        code = str(body.get("Code") or "Unknown")
        status = int(meta.get("HTTPStatusCode") or 0)
        kind = AwsNoAnswer if code in _LOST_CODES or status >= SERVER_ERROR else AwsRefused
        message = str(body.get("Message") or "no message")
        return kind(
            service,
            operation,
            code,
            message[:_LONGEST_MESSAGE],
            request_id=meta.get("RequestId") or None,
            status=status,
        )
    if isinstance(error, bc.ParamValidationError) and re.fullmatch(_TOO_SMALL, error.kwargs["report"]):
        # Names and ids that we send are AWS's own, of an answer before, or those of a record or a file.
        return AwsRefused(service, operation, "NotSent", error.kwargs["report"])
    if isinstance(error, ResponseParserError):
        # The error's own text is the whole page that came.
        return AwsNoAnswer(
            service, operation, type(error).__name__, "what came back is no answer of AWS (from a proxy?)"
        )
    if broke_off(error):
        places = certificate_places() if isinstance(error, bc.SSLError | bc.ProxyConnectionError) else None
        return setup_error(error, f"{service}:{operation}") or AwsNoAnswer(
            service, operation, type(error).__name__, str(error), evidence=places
        )
    return setup_error(error, f"{service}:{operation}")


def _translate(
    service: str, operation: str, error: Exception, *, answered: bool
) -> AwsError | WrongTarget | ConfigError | None:
    """Translate what a call has raised; ``answered``: an answer came, and botocore was reading it."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, AwsNoAnswer):
        return error
    if answered and not isinstance(error, BotoCoreError | ClientError | ResponseParserError):
        # It trips over values of other types than the model says.
        return unusable(f"{service}:{operation}", f"its form is not AWS's ({type(error).__name__})")
    return to_tapctl_error(service, operation, error)


def client_base(log: CallLog) -> type:
    """The base class of every client: passes each call through ``log``, and makes each paginator once."""

    class _LoggedClient:
        def get_paginator(self, operation_name: str) -> Any:
            # botocore writes a class and its documentation for each that is asked for: a twentieth of a drift.
            made = vars(self).setdefault("_paginators", {})
            if operation_name not in made:
                made[operation_name] = cast("Any", super()).get_paginator(operation_name)
            return made[operation_name]

        def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
            service = cast("Any", self).meta.service_model.service_name
            action = f"{service}:{operation_name}"
            changing = is_change(service, operation_name)
            counts = COUNTED_BY.get() or log
            # The state store waits for no slot: a lease that is not renewed because ten calls hang is lost.
            with nullcontext() if service == "s3" else log.slots:
                with counts.lock:
                    counts.calls[action] += 1
                    if changing:
                        counts.changes[action] += 1
                        counts.in_flight.append(action)
                began = time.monotonic()
                log.heard.answer = False
                try:
                    told = cast("Any", super())._make_api_call(operation_name, api_params)  # noqa: SLF001 -- it is ours
                    model = cast("Any", self).meta.service_model.operation_model(operation_name)
                    answer = checked(told, model.output_shape, action)
                except NotYet as refusal:
                    raise AwsNoAnswer(service, operation_name, "NotSent", refusal.reason) from None
                except Exception as error:
                    translated = _translate(service, operation_name, error, answered=log.heard.answer)
                    if translated is None:
                        raise
                    # Without the cause: botocore's own text may hold parts of the request.
                    raise translated from None
                finally:
                    with counts.lock:
                        counts.over.append(Call(action, threading.current_thread().name, began, time.monotonic()))
                        if changing:
                            counts.in_flight.remove(action)
                with counts.lock:
                    counts.accepted += changing
                    counts.accepted_of[threading.current_thread().name] += changing
                return answer

    return _LoggedClient
