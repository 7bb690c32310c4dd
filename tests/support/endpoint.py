"""An endpoint on loopback that answers as a test says: what the embedded AWS never does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """A status and a body; status 0 breaks the connection off."""

    status: int
    body: str = ""


@dataclass
class Endpoint:
    """The endpoint's address, and the bodies that came."""

    url: str
    heard: list[str] = field(default_factory=list)


@contextmanager
def endpoint(answer: Callable[[str], Answer]) -> Iterator[Endpoint]:
    """An endpoint whose answer to each body is ``answer``'s."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            there.heard.append(body)
            told = answer(body)
            if told.status:
                self.send_response(told.status)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body.encode())
            else:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Endpoint(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def identity(account: str = "123456789012", arn: str = "") -> Answer:
    """STS saying who we are."""
    who = arn or f"arn:aws:iam::{account}:user/ci"
    inner = f"<Arn>{who}</Arn><UserId>U</UserId><Account>{account}</Account>"
    return Answer(
        200,
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult>{inner}</GetCallerIdentityResult></GetCallerIdentityResponse>",
    )


def refusal(code: str, message: str = "no", status: int = 403) -> Answer:
    """A query service saying no."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, f"<ErrorResponse>{error}<RequestId>r-1</RequestId></ErrorResponse>")
