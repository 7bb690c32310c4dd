"""The sandbox's server process: started once, in the background, and found again.

``<folder>/sandbox.json`` names the process, its address, a token that only this server answers to, and the seeds
loaded into it; ``<folder>/sandbox.log`` is its output. A pid or a port that another process has by now is recognised by
the token. Starting, seeding and stopping hold a lock of the operating system, which dies with its holder. The folder is
the user's alone. What lies in it may have come with a checkout: no link is followed, no file is written in its place.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapctl.errors import SandboxError
from tapctl.safety.files import ForeignFile, check_place, open_fresh, read_file, try_lock
from tapctl.sandbox.emulator.simulation import DEFAULT_SCALE

if TYPE_CHECKING:
    from tapctl.sandbox.seeding import Seed

# As in `tapctl.sandbox.emulator.server`, which takes too long to import for every command.
_CONTROL_PATH = "/tapctl-sandbox/"
TOKEN_VARIABLE = "TAPCTL_SANDBOX_TOKEN"  # noqa: S105  # a name
"""Tells the server its token: arguments can be read by every user of the machine, an environment by its own alone."""
_STARTS = 4
"""Starts, each as long as it may take, for which others that hold the lock are waited for."""
_TAIL_CHARS = 2000
_MAX_BYTES = 1 << 20
# Of the environment the server needs these. All others are the user's, or a CI's, and may be secrets.
_INHERITED = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
_INHERITED_KINDS = ("LC_", "PYTHON")


@dataclass
class _Record:
    pid: int
    port: int
    token: str
    planted: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def ensure(
    folder: Path,
    seeds: Sequence[Seed],
    *,
    latency_s: float = 0.0,
    scale: float = DEFAULT_SCALE,
    patience_s: float = 30.0,
) -> str:
    """Return the address of the emulated AWS of ``folder``, started if need be, with all ``seeds`` in it.

    In a server started here ``latency_s`` is added to every call, and time passes by ``scale`` (see `Simulation`).

    Raises:
        SandboxError: moto is not installed, or the server did not answer within ``patience_s``.
    """
    with _locked(folder, patience_s):
        record = _running(folder, patience_s) or _start(folder, patience_s, latency_s=latency_s, scale=scale)
        missing = [seed for seed in seeds if _as_json(seed) not in record.planted]
        if missing:
            from tapctl.sandbox.seeding import load_seed

            for seed in missing:
                load_seed(record.url, _without_a_second_stack(seed, record.planted))
                record.planted.append(_as_json(seed))
                _write(folder, record)
        return record.url


def status(folder: Path, *, patience_s: float = 30.0) -> str | None:
    """Return the address of the emulated AWS of ``folder`` if it runs.

    Raises:
        SandboxError: its process is there but does not answer.
    """
    record = _running(folder, patience_s)
    return record.url if record else None


def stop(folder: Path, *, patience_s: float = 30.0) -> bool:
    """End the emulated AWS of ``folder``, and no other process; False if it does not run.

    Raises:
        SandboxError: it does not end.
    """
    with _locked(folder, patience_s):
        record = _running(folder, patience_s)
        if record is not None:
            _ask_for_pid(record, "DELETE", patience_s)
            deadline = time.monotonic() + patience_s
            while _ask_for_pid(record, "GET", patience_s) is not None:
                if time.monotonic() > deadline:
                    raise SandboxError("the embedded AWS does not stop", hint=f"end its process: kill {record.pid}")
                time.sleep(0.01)
        (folder / "sandbox.json").unlink(missing_ok=True)
        return record is not None


@contextmanager
def _locked(folder: Path, patience_s: float) -> Iterator[None]:
    try:
        _make_private(folder)
        lock = os.open(folder / "sandbox.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SandboxError(
            f"the embedded AWS cannot keep its files in {folder}: {error.strerror}",
            hint=error.cure
            if isinstance(error, ForeignFile)
            else "use a folder you can write to, without links to other places",
        ) from None
    try:
        _wait_for(lock, folder, patience_s * _STARTS)
        yield
    finally:
        os.close(lock)


def _wait_for(lock: int, folder: Path, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while not try_lock(lock):
        if time.monotonic() >= deadline:
            raise SandboxError(
                f"another tapctl keeps the embedded AWS of {folder} locked",
                hint=f"end that one, which may be stopped: {shlex.join(['lsof', str(folder / 'sandbox.lock')])}",
            )
        time.sleep(0.05)


def _make_private(folder: Path) -> None:
    """Make the folder, or one of earlier days, the user's alone.

    Raises:
        OSError: it cannot be, or it is a link, or another user's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_place(folder)  # to root, another user's is no obstacle
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _as_json(seed: Seed) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(seed)))
    return plain


def _without_a_second_stack(seed: Seed, planted: Sequence[Mapping[str, Any]]) -> Seed:
    place = (seed.environment, seed.region, seed.account)
    mine = [one for one in planted if (one.get("environment"), one["region"], one.get("account", "")) == place]
    return replace(seed, stack=None) if seed.environment and any(other["stack"] for other in mine) else seed


def _write(folder: Path, record: _Record) -> None:
    fresh = folder / "sandbox.json.new"
    with os.fdopen(open_fresh(fresh), "w") as file:
        json.dump(asdict(record), file)
    fresh.replace(folder / "sandbox.json")


def _running(folder: Path, patience_s: float) -> _Record | None:
    try:
        record = _Record(**json.loads(read_file(folder / "sandbox.json", _MAX_BYTES, guarded=True)))
    except (OSError, ValueError, TypeError):
        return None
    return record if _ask_for_pid(record, "GET", patience_s) == record.pid else None


def _ask_for_pid(record: _Record, method: str, patience_s: float) -> int | None:
    """Ask the server with this record's token for its pid; None if there is none.

    Raises:
        SandboxError: something listens there and says nothing.
    """
    connection = HTTPConnection("127.0.0.1", record.port, timeout=patience_s)
    try:
        connection.request(method, f"{_CONTROL_PATH}{record.token}")
        answer = connection.getresponse()
        pid: int = json.loads(answer.read())["pid"]
    except TimeoutError:
        raise SandboxError(
            "the embedded AWS does not answer", hint=f"if process {record.pid} is python -m tapctl.sandbox, end it"
        ) from None
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return pid


def _start(folder: Path, patience_s: float, *, latency_s: float, scale: float) -> _Record:
    if find_spec("moto") is None or find_spec("flask") is None:
        raise SandboxError("the embedded AWS is not installed", hint="pip install 'tapctl[sandbox]'")
    log, token = folder / "sandbox.log", secrets.token_hex(16)
    # The socket is opened here and handed over: the port is known at once, and a first request waits in its queue.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening, os.fdopen(open_fresh(log), "w") as output:
        fd = listening.fileno()
        # A session of its own: Ctrl-C in the terminal is not for it. It holds no directory and none of the user's
        # AWS settings.
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "tapctl.sandbox", str(fd), str(latency_s), str(scale)],
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={**_environment(), TOKEN_VARIABLE: token},
            start_new_session=True,
        )
        record = _Record(process.pid, listening.getsockname()[1], token)
    _write(folder, record)
    _wait_until_up(process, record, log, patience_s)
    process.returncode = 0  # it outlives us on purpose: subprocess need not warn of it
    return record


def _environment() -> dict[str, str]:
    ours = str(Path(__file__).parents[2])
    path = os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    inherited = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_KINDS)
    }
    no_file = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return {**inherited, **no_file, "PYTHONPATH": path}


def _wait_until_up(process: subprocess.Popen[bytes], record: _Record, log: Path, patience_s: float) -> None:
    """Wait for the server's first answer.

    Raises:
        SandboxError: the process ended, or does not answer.
    """
    deadline = time.monotonic() + patience_s
    while not _is_up(record):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise SandboxError(
                "the embedded AWS did not start", evidence=log.read_text()[-_TAIL_CHARS:], hint=f"its log is {log}"
            )


def _is_up(record: _Record) -> bool:
    try:
        return _ask_for_pid(record, "GET", 0.2) == record.pid
    except SandboxError:
        return False  # its socket is open, the server behind it still loads
