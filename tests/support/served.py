"""The embedded AWS on loopback, and a short way to it for who is in the same process and asks nothing of the sockets.

A quarter of a run's time went into sockets and HTTP. What is sent and answered is the same either way.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.server import http_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_long_way: Any = URLLib3Session.send
_SHORT: dict[str, tuple[WSGIApplication, Callable[[], bool]]] = {}


@contextmanager
def served(app: WSGIApplication, short: Callable[[], bool] = lambda: True) -> Iterator[str]:
    """Serve it on a port the system chooses, and give its address; the way there is short while ``short`` says so."""
    server = http_server(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    here = f"127.0.0.1:{server.server_port}"
    _SHORT[here] = (app, short)
    yield f"http://{here}"
    del _SHORT[here]
    server.shutdown()
    thread.join()
    server.server_close()


class _Answered(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


class _NoSocket:
    def shutdown(self, _: int) -> None:
        """Whoever breaks the connection off raises after it."""


def _send(self: URLLib3Session, request: Any) -> Any:
    url = urlsplit(request.url)
    app, short = _SHORT.get(url.netloc, (None, bool))
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    if app is None or not short() or not isinstance(body, bytes | bytearray):
        return _long_way(self, request)
    environ = _environ(request, bytes(body))
    try:
        status, headers, content = wire.answer_of(app, environ)
    except ConnectionResetError as error:
        raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
    if request.method == "HEAD":
        content = b""
    stamped: Any = [("Date", formatdate(usegmt=True)), *headers]  # as the server does
    return AWSResponse(request.url, int(status.split()[0]), stamped, _Answered(content))


def _environ(request: Any, body: bytes) -> WSGIEnvironment:
    url = urlsplit(request.url)
    target = f"{url.path}?{url.query}" if url.query else url.path
    headers = {
        f"HTTP_{key.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else value
        for key, value in request.headers.items()
    }
    environ: WSGIEnvironment = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "werkzeug.socket": _NoSocket(),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        **headers,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers.pop("HTTP_CONTENT_TYPE", ""),
    }
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_TYPE", None)
    return environ


_SESSION: Any = URLLib3Session
_SESSION.send = _send  # see above
