from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest

from tapctl import sandbox
from tapctl.errors import SandboxError
from tests.support.strangers import give_files_away


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / ".tapctl"
    sandbox.stop(tmp_path / ".tapctl")


@pytest.fixture
def broken_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own settings for AWS are of no use."""
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default")
    monkeypatch.setenv("HOME", str(tmp_path))


def record(folder: Path) -> dict[str, int]:
    kept: dict[str, int] = json.loads((folder / "sandbox.json").read_text())
    return kept


class _Deaf(BaseHTTPRequestHandler):
    """Answers to every token, says the pid it was told, and does not stop."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"pid": 1}')

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def deaf() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Deaf)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def pretend(folder: Path, port: int, pid: int = 1) -> None:
    folder.mkdir()
    (folder / "sandbox.json").write_text(json.dumps({"pid": pid, "port": port, "token": "t", "planted": []}))


def test_it_is_started_once_planted_once_and_stopped(folder: Path, broken_home: None) -> None:
    seed = sandbox.Seed("us-east-2", "networking-dev", ("repo", "1"))
    assert sandbox.status(folder) is None
    url = sandbox.ensure(folder, [seed])
    pid = record(folder)["pid"]
    assert os.getsid(pid) == pid != os.getsid(0)
    assert sandbox.ensure(folder, [seed]) == url == sandbox.status(folder)
    assert record(folder)["pid"] == pid
    stacks = boto3.client("cloudformation", region_name="us-east-2", endpoint_url=url).describe_stacks()["Stacks"]
    assert [one["StackName"] for one in stacks] == ["networking-dev"]
    sandbox.ensure(folder, [seed, sandbox.Seed("us-east-2", "networking-two", None)])
    stacks = boto3.client("cloudformation", region_name="us-east-2", endpoint_url=url).describe_stacks()["Stacks"]
    assert len(stacks) == 2
    dev = sandbox.Seed("us-east-2", "networking-dev", None, "dev")
    sandbox.ensure(folder, [dev])
    sandbox.ensure(folder, [replace(dev, stack="networking-misspelt"), replace(dev, region="us-east-1", stack="there")])
    stacks = boto3.client("cloudformation", region_name="us-east-2", endpoint_url=url).describe_stacks()["Stacks"]
    assert len(stacks) == 2, "an environment has one in a region"
    stacks = boto3.client("cloudformation", region_name="us-east-1", endpoint_url=url).describe_stacks()["Stacks"]
    assert len(stacks) == 1
    # Its file names another account, which the embedded AWS has, too.
    sandbox.ensure(folder, [replace(dev, account="210987654321")])
    id_, secret = sandbox.credentials_of("210987654321")
    moved = boto3.client(
        "cloudformation",
        region_name="us-east-2",
        endpoint_url=url,
        aws_access_key_id=id_,
        aws_secret_access_key=secret,
    ).describe_stacks()["Stacks"]
    assert [one["StackName"] for one in moved] == ["networking-dev"]
    iam = boto3.client("iam", region_name="us-east-1", endpoint_url=url)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument='{"Statement": []}')
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert sandbox.stop(folder) is True
    assert (sandbox.status(folder), sandbox.stop(folder)) == (None, False)


def test_what_it_makes_takes_a_moment(folder: Path) -> None:
    """Three of AWS's minutes are about a second of ours."""
    rds = boto3.client("rds", region_name="us-east-1", endpoint_url=sandbox.ensure(folder, []))
    made = rds.create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="owner", MasterUserPassword="12345678"
    )
    assert made["DBCluster"]["Status"] == "creating"
    deadline = time.monotonic() + 20
    while [one["Status"] for one in rds.describe_db_clusters()["DBClusters"]] != ["available"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many_at_once_start_one(folder: Path) -> None:
    script = f"from pathlib import Path; from tapctl import sandbox; print(sandbox.ensure(Path({str(folder)!r}), []))"
    started = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({one.communicate()[0] for one in started}) == 1
    assert [one.returncode for one in started] == [0, 0, 0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_record_is_no_server(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "sandbox.json").write_text(text)
    assert sandbox.status(folder) is None
    assert sandbox.stop(folder) is False


def test_a_port_that_nothing_or_something_else_has_is_no_server(folder: Path, deaf: int) -> None:
    pretend(folder, deaf, pid=2)
    assert sandbox.status(folder) is None
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (folder / "sandbox.json").write_text(json.dumps({"pid": 1, "port": port, "token": "t"}))
    assert sandbox.status(folder) is None


def test_a_server_that_says_nothing_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pretend(folder, silent.getsockname()[1])
        with pytest.raises(SandboxError, match="does not answer"):
            sandbox.status(folder, patience_s=0.01)


def test_a_server_that_does_not_stop_is_named(folder: Path, deaf: int) -> None:
    pretend(folder, deaf)
    with pytest.raises(SandboxError, match="does not stop") as caught:
        sandbox.stop(folder, patience_s=0.05)
    assert caught.value.hint == "end its process: kill 1"
    (folder / "sandbox.json").unlink()


def test_a_lock_that_another_tapctl_keeps_is_waited_for_and_no_longer_than_it_may_take(folder: Path) -> None:
    folder.mkdir()
    with (folder / "sandbox.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SandboxError, match="keeps the embedded AWS of") as refused:
            sandbox.stop(folder, patience_s=0.05)
        assert str(refused.value.hint).endswith(f"lsof {folder / 'sandbox.lock'}")
    assert sandbox.stop(folder) is False


def test_no_file_that_came_with_the_folder_is_followed_or_written(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o777)
    mine = {name: tmp_path / name for name in ("log", "json.new", "json")}
    for name, path in mine.items():
        path.write_text("mine")
        (folder / f"sandbox.{name}").symlink_to(path)
    sandbox.ensure(folder, [])
    assert {path.read_text() for path in mine.values()} == {"mine"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path.lstat().st_mode for path in folder.iterdir()]
    assert {(stat.S_ISREG(mode), stat.S_IMODE(mode)) for mode in files} == {(True, 0o600)}


def test_a_folder_that_another_user_has_placed_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    sandbox.stop(folder)  # in a folder that only its owner may write to, whose it is was chosen there
    tmp_path.chmod(0o777)
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(SandboxError, match=r"belongs to another user \(uid 4242\)") as refused:
        sandbox.ensure(folder, [])
    assert str(refused.value.hint).endswith(f"chmod go-w {tmp_path}")
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["", "sandbox.lock"])
def test_a_link_in_place_of_the_folder_or_the_lock_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "mine"
    if name:
        folder.mkdir()
        target.write_text("mine")
    else:
        target.mkdir(mode=0o755)
    (folder / name).symlink_to(target)
    with pytest.raises(SandboxError, match="cannot keep its files"):
        sandbox.ensure(folder, [])
    assert [path.name for path in tmp_path.rglob("sandbox.*")] == ([name] if name else [])
    (folder / name).unlink()


def test_the_server_has_neither_the_users_secrets_nor_its_token_where_others_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_JOB_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    sandbox.ensure(folder, [])
    process = Path("/proc", str(record(folder)["pid"]))
    assert b"secret" not in (process / "environ").read_bytes()
    assert str(record(folder)["token"]).encode() not in (process / "cmdline").read_bytes()


@pytest.mark.parametrize("package", ["moto", "flask"])
def test_without_moto_the_command_to_install_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SandboxError, match="not installed") as caught:
        sandbox.ensure(folder, [])
    assert caught.value.hint == "pip install 'tapctl[sandbox]'"


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_start_that_fails_shows_its_log(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", script(tmp_path / "python", "echo no such module; exit 3"))
    with pytest.raises(SandboxError, match="did not start") as caught:
        sandbox.ensure(folder, [])
    assert caught.value.evidence == "no such module\n"
    assert str(folder / "sandbox.log") in str(caught.value.hint)
    assert sandbox.status(folder) is None


def test_a_start_that_hangs_is_given_up(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", script(tmp_path / "python", "exec sleep 60"))
    with pytest.raises(SandboxError, match="did not start"):
        sandbox.ensure(folder, [], patience_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(record(folder)["pid"], 0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match="cannot keep its files"):
        sandbox.ensure(tmp_path / "file", [])
