"""Scripted answers of S3, for the troubles that moto does not have: one step for each time that a request is sent."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from tapctl.aws.client import Aws

Step = Callable[[AWSPreparedRequest], AWSResponse | None]

SDK_ATTEMPTS = 4


class S3Script:
    """Stands between the S3 client and its wire. An operation without steps left goes to the embedded AWS."""

    def __init__(self, aws: Aws) -> None:
        self._steps: dict[str, list[Step]] = {}
        self.operations: list[str] = []
        self.headers: list[dict[str, str]] = []
        for client in (aws.client("s3"), aws.client("s3", retries=False)):
            client.meta.events.register("before-send.s3", self._send)

    def then(self, operation: str, *steps: Step) -> None:
        self._steps.setdefault(operation, []).extend(steps)

    def clear_steps(self) -> None:
        """Drop all steps: from now on the embedded AWS answers."""
        self._steps.clear()

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.operations.append(operation)
        sent: Any = request.headers.items()  # bytes once they are signed, which the stubs do not know
        self.headers.append({name: value.decode() if isinstance(value, bytes) else value for name, value in sent})
        steps = self._steps.get(operation)
        return steps.pop(0)(request) if steps else None


def pass_through(_: AWSPreparedRequest) -> AWSResponse | None:
    """Let the embedded AWS answer."""
    return None


def drop_request(request: AWSPreparedRequest) -> AWSResponse | None:
    """Lose the request: nothing arrives at S3."""
    raise ConnectionClosedError(endpoint_url=str(request.url))


def interrupt_before_answer(request: AWSPreparedRequest) -> AWSResponse | None:
    """Let the request take effect, and press Ctrl-C before its answer."""
    URLLib3Session().send(request)
    raise KeyboardInterrupt


def with_headers(**headers: str | None) -> Step:
    """Let the embedded AWS answer with other headers; None: without this one."""

    def step(request: AWSPreparedRequest) -> AWSResponse | None:
        answered: AWSResponse = URLLib3Session().send(request)
        for name, value in headers.items():
            del answered.headers[name.replace("_", "-")]
            if value is not None:
                answered.headers[name.replace("_", "-")] = value
        return answered

    return step


def s3_times(age_s: float, *, skew_h: float = 0) -> dict[str, str]:
    """The headers of an object of this age, where S3's own clock is wrong by some hours."""
    date = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC) + timedelta(hours=skew_h)
    return {
        "Date": format_datetime(date, usegmt=True),
        "Last_Modified": format_datetime(date - timedelta(seconds=age_s), usegmt=True),
    }


def drop_answer(request: AWSPreparedRequest) -> AWSResponse | None:
    """Let the request take effect, and lose its answer."""
    URLLib3Session().send(request)
    raise ConnectionClosedError(endpoint_url=str(request.url))


def answer(status: int, body: str, *, length: int | None = None) -> Step:
    def step(request: AWSPreparedRequest) -> AWSResponse | None:
        content = body.encode()
        headers = HTTPHeaders.from_dict({"Content-Length": str(length or len(content)), "ETag": '"etag"'})
        raw = HTTPResponse(io.BytesIO(content), headers=dict(headers.items()), status=status, preload_content=False)
        return AWSResponse(str(request.url), status, headers, raw)

    return step


def refuse(status: int, code: str) -> Step:
    return answer(status, f"<Error><Code>{code}</Code><Message>because</Message></Error>")


def meanwhile(act: Callable[[], object], step: Step = pass_through) -> Step:
    """Act right before the request arrives, as somebody else would."""

    def acted(request: AWSPreparedRequest) -> AWSResponse | None:
        act()
        return step(request)

    return acted
