"""The emulated AWS as an HTTP server on loopback, with a control path for its starter: its pid, and stop."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Simulation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

# AWS has no such path, other than a bucket of this name in S3.
CONTROL_PATH = "/tapctl-sandbox/"
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def http_server(app: WSGIApplication, fd: int | None = None) -> BaseWSGIServer:
    """Make a threaded server on loopback, on the listening socket ``fd`` or on a free port.

    Requests are not logged, and connections are kept, as AWS keeps them.
    """
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        disable_nagle_algorithm = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing: a line a request would fill the disk of whoever forgets a sandbox."""

        def run_wsgi(self) -> None:
            """Answer one request. werkzeug closes the connection, since it cannot know where the request's body ends.

            Here the body is read first; where its length is not told (chunks), werkzeug answers.
            """
            if "Transfer-Encoding" in self.headers:
                super().run_wsgi()
                return
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                # Whoever has sent half a request is gone.
                self.close_connection = True
                return
            environ = self.make_environ()
            environ["wsgi.input"] = io.BytesIO(body)
            try:
                status, headers, content = wire.answer_of(app, environ)
            except ConnectionError:
                self.close_connection = True
                return
            self._answer(status, headers, content)

        def _answer(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
            code, _, phrase = status.partition(" ")
            self.send_response(int(code), phrase)
            named = {name.lower() for name, _ in headers}
            # The answer to HEAD tells the length of what GET would return.
            length = [] if "content-length" in named else [("Content-Length", str(len(content)))]
            for name, value in (*headers, *length):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler, fd=fd)


class ControlApp:
    """The emulated AWS with a control path, ``/tapctl-sandbox/<token>``: GET returns the pid, DELETE ends it."""

    def __init__(self, sandbox: Sandbox, token: str) -> None:
        self._sandbox = sandbox
        self._path = f"{CONTROL_PATH}{token}"
        self.server: Any = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, unless a web page makes it."""
        if _is_of_a_page(environ):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"the embedded AWS answers programs of this machine, and no web page"]
        if not environ["PATH_INFO"].startswith(CONTROL_PATH):
            return self._sandbox(environ, start_response)
        if environ["PATH_INFO"] != self._path:
            start_response("404 Not Found", [])
            return []
        if environ["REQUEST_METHOD"] == "DELETE":
            # From another thread: the server waits for this one to answer.
            threading.Thread(target=self.server.shutdown).start()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"pid": os.getpid()}).encode()]


def _is_of_a_page(environ: WSGIEnvironment) -> bool:
    """True if a browser asks: for a page's script (``Origin``), or by a name that somebody points at this machine."""
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    local = host in _LOCAL_HOSTS or host.endswith(".localhost")
    return not local or "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none"


def _warm_up() -> None:
    """Import what moto imports at a service's first call, CloudFormation's two seconds above all."""
    from moto.backends import get_backend

    for service in ("cloudformation", "ecr", "rds", "resourcegroupstaggingapi"):
        get_backend(service)


def serve(fd: int, token: str, *, latency_s: float, scale: float) -> None:
    """Serve the emulated AWS on the listening socket ``fd`` until a DELETE of its control path."""
    app = ControlApp(Sandbox(latency_s=latency_s, simulation=Simulation(scale=scale)), token)
    app.server = http_server(app, fd)
    os.close(fd)  # the server has its own; with this one open the port would answer until the process is gone
    threading.Thread(target=_warm_up, daemon=True).start()
    app.server.serve_forever(poll_interval=0.05)
    app.server.server_close()
