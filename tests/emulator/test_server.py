from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import threading
from http.client import HTTPConnection

import boto3
import pytest

TOKEN = "0123456789abcdef"


def ask(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_process_serves_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        fd = os.dup(listening.fileno())
    monkeypatch.setattr(sys, "argv", ["tapctl.sandbox", str(fd), "0.0", "0.0"])
    monkeypatch.setenv("TAPCTL_SANDBOX_TOKEN", TOKEN)
    # What the process sets for itself would last: a thousand policies of AWS, at each reset of all tests to come.
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    before = {*threading.enumerate()}
    main = threading.Thread(target=lambda: runpy.run_module("tapctl.sandbox", run_name="__main__"))
    main.start()
    path = f"/tapctl-sandbox/{TOKEN}"
    try:
        assert ask(port, "GET", path) == (200, json.dumps({"pid": os.getpid()}).encode())
        assert ask(port, "DELETE", "/tapctl-sandbox/another")[0] == 404
        for page in (
            {"Host": f"evil.example:{port}"},
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert ask(port, "GET", path, page)[0] == 403
            assert ask(port, "OPTIONS", "/", page)[0] == 403
        assert ask(port, "GET", path, {"Host": f"localhost:{port}"})[0] == 200
        client = boto3.client("sts", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}")
        assert client.get_caller_identity()["Account"] == "123456789012"
        client.close()
    finally:
        assert ask(port, "DELETE", path)[0] == 200
        main.join(20)
    assert not main.is_alive()
    # The warm-up imports modules, which must not disturb the next tests.
    for thread in {*threading.enumerate()} - before:
        thread.join(60)
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", path)
