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


ASK = b"Action=GetCallerIdentity&Version=2011-06-15"
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/sts/aws4_request, SignedHeaders=host",
}


def test_a_connection_is_kept_for_the_next_request(sandbox_url: str) -> None:
    connection = HTTPConnection(sandbox_url.removeprefix("http://"), timeout=20)
    for _ in range(2):
        connection.request("POST", "/", ASK, HEADERS)
        held = connection.sock
        answer = connection.getresponse()
        assert (answer.status, b"<Account>123456789012</Account>" in answer.read()) == (200, True)
        assert connection.sock is held
    connection.close()


def test_an_object_that_comes_in_chunks_is_stored(sandbox_url: str) -> None:
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=sandbox_url)
    client.create_bucket(Bucket="records")
    connection = HTTPConnection(sandbox_url.removeprefix("http://"), timeout=20)
    headers = {"Authorization": HEADERS["Authorization"].replace("/sts/", "/s3/")}
    connection.request("PUT", "/records/dev.json", iter([b"{", b"}"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert client.get_object(Bucket="records", Key="dev.json")["Body"].read() == b"{}"


def test_half_a_request_has_no_effect(sandbox_url: str) -> None:
    half = b"Action=CreateTopic&Name=half&Version=2010-03-31"
    headers = {**HEADERS, "Authorization": HEADERS["Authorization"].replace("/sts/", "/sns/")}
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(half) + 1)}.items()]
    host, _, port = sandbox_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall("\r\n".join(["POST / HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode() + half)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    client = boto3.client("sns", region_name="us-east-1", endpoint_url=sandbox_url)
    assert client.list_topics()["Topics"] == []
