"""What S3 answers where moto would be kind: one scripted step for each time that a request is sent."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from tapctl.aws import Aws

Step = Callable[[AWSPreparedRequest], AWSResponse | None]

SDK_ATTEMPTS = 4


class S3Script:
    """Stands between the S3 client and its wire. An operation without steps left goes to the embedded AWS."""

    def __init__(self, aws: Aws) -> None:
        self._steps: dict[str, list[Step]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        events: Any = aws.s3.meta.events  # the stubs know no handler that answers
        events.register("before-send.s3", self._send)

    def then(self, operation: str, *steps: Step) -> None:
        self._steps.setdefault(operation, []).extend(steps)

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.asked.append(operation)
        sent: Any = request.headers.items()  # bytes once they are signed, which the stubs do not know
        self.headers.append({name: value.decode() if isinstance(value, bytes) else value for name, value in sent})
        steps = self._steps.get(operation)
        return steps.pop(0)(request) if steps else None


def through(_: AWSPreparedRequest) -> AWSResponse | None:
    """The embedded AWS answers."""
    return None


def lose(request: AWSPreparedRequest) -> AWSResponse | None:
    """Nothing arrives there."""
    raise ConnectionClosedError(endpoint_url=str(request.url))


def lose_answer(request: AWSPreparedRequest) -> AWSResponse | None:
    """It takes effect, and the answer is lost."""
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


def meanwhile(act: Callable[[], object], step: Step = through) -> Step:
    """Somebody acts right before the request arrives."""

    def acted(request: AWSPreparedRequest) -> AWSResponse | None:
        act()
        return step(request)

    return acted
