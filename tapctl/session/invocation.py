"""One command: what its line says, and what it has found out and spent so far."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tapctl.aws.client import Aws
from tapctl.render.screen import Verdict

SANDBOX_FOLDER = Path(".tapctl")
CONFIG = Path("environments")
STATE = "./manifests"


@dataclass
class Usage:
    """What a command has found out and spent: its last line tells it, however it ends."""

    started: float = field(default_factory=time.monotonic)
    clients: list[Aws] = field(default_factory=list)
    """Every door to AWS that was opened."""
    parts: list[Usage] = field(default_factory=list)
    """Of a command about many environments: one for each."""
    env: str = ""
    suffix: str = ""
    manifest: str = ""
    """Where the record is; like the environment and its suffix empty as long as it is not known."""

    def part(self) -> Usage:
        """The tally of one of many environments; what it spends is spent here too."""
        made = Usage()
        self.parts.append(made)
        return made

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return sum(door.call_log.calls.total() for door in self._all())

    @property
    def changes(self) -> int:
        """How many of them may have changed the stack."""
        return sum(door.call_log.changes.total() for door in self._all())

    @property
    def accepted(self) -> int:
        """How many of those AWS has answered with yes."""
        return sum(door.call_log.accepted for door in self._all())

    def _all(self) -> list[Aws]:
        return [*self.clients, *(door for part in self.parts for door in part.clients)]


@dataclass(frozen=True)
class Invocation:
    """What the command line says; ``env`` and ``suffix`` may be left open."""

    verb: str
    """The command: ``plan``, ``manifest show``."""
    env: str | None = None
    suffix: str | None = None
    region: str | None = None
    config: Path = CONFIG
    state: str = STATE
    sandbox: bool = False
    target_is_explicit: bool = True
    """Whether the command line names the environment, or the state knows only one."""
    yes: bool = False
    lock_wait_s: float = 0
    """Seconds to wait in line for the lock."""
    interactive: bool = False
    command: str = "tapctl"
    """The command as typed, for hints and the lock."""
    usage: Usage = field(default_factory=Usage, compare=False)

    def command_line_for(self, verb: str, env: str, suffix: str) -> str:
        """Another command for the same target: a hint that can be run as it is, and never hits another AWS."""
        parts = ["tapctl", *verb.split(), "--env", env]
        given = {
            "--suffix": "" if suffix == env else suffix,
            "--region": self.region or "",
            "--config": "" if self.config == CONFIG else str(self.config),
            "--state": "" if self.state == STATE else self.state,
        }
        parts += [part for flag, value in given.items() if value for part in (flag, value)]
        return shlex.join([*parts, "--sandbox"] if self.sandbox else parts)

    def verdict(
        self, status: str, code: int, counts: Mapping[str, int] = MappingProxyType({}), summary: str = ""
    ) -> Verdict:
        """The last line, with what was spent; about the environment that is known or named, or about all."""
        usage = self.usage
        env = usage.env or self.env or ""
        suffix = usage.suffix or self.suffix or env
        return Verdict(
            verb=self.verb,
            env=env if suffix else "all",
            suffix=suffix,
            status=status,
            exit=code,
            counts=counts,
            summary=summary,
            elapsed_s=time.monotonic() - usage.started,
            api_calls=usage.calls,
            changing_calls=usage.changes,
            manifest=usage.manifest,
        )
