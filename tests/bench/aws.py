"""The embedded AWS of the bench: in this process, so that what it is asked can be counted."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tapctl import sandbox
from tapctl.config import load_all
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.server import http_server
from tapctl.sandbox.emulator.simulation import Simulation
from tapctl.sandbox.seeding import load_seed
from tests.support.door import Door
from tests.support.world import copy_project

ROOT = Path(__file__).parents[2]
LATENCY_S = 0.05
"""Added to every call."""


@dataclass(frozen=True)
class Aws:
    """An AWS that nobody has used, with what the environments refer to."""

    door: Door

    def renew(self, scale: float) -> None:
        """Forget everything; from now on time passes by this scale (see `Life`), and 0 is none at all."""
        self.door.sandbox.simulation, self.door.sandbox.latency_s = Simulation(), 0.0
        self.door.sandbox.reset()
        shutil.rmtree("manifests", ignore_errors=True)
        for config in load_all(Path("environments")).values():
            load_seed(self.door.url, sandbox.seed_for(config, config.region))
        self.door.sandbox.simulation, self.door.sandbox.latency_s = Simulation(scale=scale), LATENCY_S

    def pass_by(self, scale: float) -> None:
        """Let time pass by this scale from now on; a smaller one than before, lest anything be younger than it was."""
        self.door.sandbox.simulation.scale = scale

    def calls(self) -> Counter[str]:
        """Count the calls since the last count, by service."""
        asked = Counter(name.partition(":")[0] for name in self.door.asked)
        self.door.asked.clear()
        return asked


@contextmanager
def served() -> Iterator[Aws]:
    """Serve it; the process works in a user's folder meanwhile, and what it starts takes it for AWS."""
    door = Door(Sandbox(latency_s=LATENCY_S))
    server = http_server(door)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    door.url = f"http://127.0.0.1:{server.server_port}"
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        os.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("AWS_", "TAPCTL_"))]:
            del os.environ[name]
        key, secret = sandbox.credentials_of("")
        os.environ.update(
            AWS_ENDPOINT_URL=door.url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, PYTHONPATH=str(ROOT)
        )
        try:
            yield Aws(door)
        finally:
            os.chdir(here)
            server.shutdown()
            server.server_close()
