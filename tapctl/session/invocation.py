"""The parsed command line of one command, and the counters of the calls it has made."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tapctl.errors import CONFIG, ExitCode, Status
from tapctl.render.screen import Comparison, Screen, Span, Target, Verdict

if TYPE_CHECKING:
    from tapctl.aws.client import Aws
    from tapctl.session.pool import ClientPool

SANDBOX_FOLDER: Final = Path(".tapctl")
STATE: Final = "./manifests"
JOBS: Final = 8
ANY_ENVIRONMENT: Final = "ENV"
"""The word in a hint for an environment that nobody knows: no name is in upper case."""
ANY_SUFFIX: Final = "SUFFIX"
"""As `ANY_ENVIRONMENT`, for the suffix."""

_CHANGING: Final = ("apply", "destroy", "revert")
_PRINTING_DATA: Final = ("outputs", "graph", "manifest show", "schema", "render", "iam-policy")
"""Commands whose stdout is for ``$(…)`` and files."""
NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass
class Usage:
    """The calls and the time of a command, and its target and record as soon as they are known."""

    started: float = field(default_factory=time.monotonic)
    clients: list[Aws] = field(default_factory=list)
    """Every client of AWS that was opened."""
    parts: list[Usage] = field(default_factory=list)
    """The usage of each environment, of a command about many."""
    target: Target | None = None
    """The environment that the command is about; None while the files have not been read."""
    manifest: str = ""
    """The place of the record; empty while it is not known."""
    comparison: Comparison | None = None
    """The part that a drift has compared; None for other commands, and while nothing was compared."""
    impacts: Mapping[str, int] | None = None
    """The number of resources by the impact of their change; None while nothing is planned."""

    plan_hash: str = ""
    """The hash of what would be done; empty while nothing is planned."""

    def part(self) -> Usage:
        """The usage of one of many environments; its calls count here too."""
        part = Usage()
        self.parts.append(part)
        return part

    def spans(self) -> list[Span]:
        """The calls that are over, in order; those of one of many environments are its own usage's to tell.

        A thread that works on a resource bears its address.
        """
        calls = sorted(
            (call for client in self.clients for call in client.call_log.over),
            key=lambda call: (call.began, call.ended),
        )
        return [
            Span(
                call.thread if "/" in call.thread else "",
                call.action,
                call.began - self.started,
                call.ended - self.started,
            )
            for call in calls
        ]

    @property
    def calls(self) -> int:
        """The number of calls to AWS."""
        return sum(client.call_log.calls.total() for client in self._all_clients())

    @property
    def changes(self) -> int:
        """The number of those calls that may have changed the stack."""
        return sum(client.call_log.changes.total() for client in self._all_clients())

    @property
    def accepted(self) -> int:
        """The number of changing calls that AWS has accepted."""
        return sum(client.call_log.accepted for client in self._all_clients())

    def _all_clients(self) -> list[Aws]:
        return [*self.clients, *(client for part in self.parts for client in part.clients)]


def target_options(target: Target) -> tuple[str, ...]:
    """The options that name this target."""
    copy = () if target.suffix == target.env else ("--suffix", target.suffix)
    return "--env", target.env, *copy


@dataclass(frozen=True)
class Invocation:
    """The parsed command line; ``env`` and ``suffix`` may be left open."""

    verb: str
    """The command: ``plan``, ``manifest show``."""
    env: str | None = None
    suffix: str | None = None
    region: str | None = None
    config: Path = CONFIG
    """The folder of the environment files."""
    state: str = STATE
    """The place of the records: a folder, or ``s3://bucket/prefix``."""
    sandbox: bool = False
    target_is_explicit: bool = True
    """True if the command line names the environment; else the state knows only one."""
    yes: bool = False
    lock_wait_s: float = 0
    """Seconds to wait in line for the lock."""
    interactive: bool = False
    """True if somebody is there to answer a question."""
    command: str = "tapctl"
    """The command as typed, for hints and the lock."""
    jobs: int = JOBS
    """The number of environments that are worked on side by side, of a command about many."""
    usage: Usage = field(default_factory=Usage, compare=False)
    pool: ClientPool | None = field(default=None, compare=False)
    """The clients that this environment shares with others, of a command about many."""

    @property
    def target(self) -> Target:
        """The target, as far as the files or else the command line have named it."""
        return self.usage.target or Target(self.env or "", self.suffix or self.env or "")

    def command_line_for(self, verb: str, target: Target) -> str:
        """Another command for this target: a hint that can be run as it is, and never hits another AWS."""
        parts = ["tapctl", *verb.split(), *target_options(target), *self._places()]
        return shlex.join([*parts, "--sandbox"] if self.sandbox else parts)

    def same_command(self, *more: str) -> str:
        """The same command with more words: a hint that keeps all that was typed, and writes out what variables say."""
        words = shlex.split(self.command)
        end = words.index("--") if "--" in words else len(words)
        return shlex.join([*words[:end], *more, *self._places(words[:end]), *words[end:]])

    def _places(self, typed: Sequence[str] = ()) -> Iterator[str]:
        """The options for where the files, the records and the AWS are, but for those that were typed."""
        given = {
            "--region": self.region or "",
            "--config": "" if self.config == CONFIG else str(self.config),
            "--state": "" if self.state == STATE else self.state,
        }
        for flag, value in given.items():
            if value and not any(word == flag or word.startswith(f"{flag}=") for word in typed):
                yield from (flag, value)

    def verdict(
        self, status: Status | None, code: int, counts: Mapping[str, int] = NO_COUNTS, summary: str = ""
    ) -> Verdict:
        """The last line of this command, with the calls and the time it took."""
        return Verdict(
            verb=self.verb,
            target=self.target,
            status=status,
            exit=code,
            counts=counts,
            summary=summary,
            elapsed_s=time.monotonic() - self.usage.started,
            api_calls=self.usage.calls,
            changing_calls=self.usage.changes,
            manifest=self.usage.manifest,
            comparison=self.usage.comparison,
            impacts=self.usage.impacts,
            plan_hash=self.usage.plan_hash,
            timed=self.verb in _CHANGING,
            stdout_is_data=self.verb in _PRINTING_DATA,
        )

    def finish(
        self,
        screen: Screen,
        status: Status | None,
        code: int = ExitCode.OK,
        counts: Mapping[str, int] = NO_COUNTS,
        summary: str = "",
    ) -> int:
        """Show the verdict; returns the exit status."""
        verdict = self.verdict(status, code, counts, summary)
        screen.spans(self.usage.spans())
        # A person's time at the question is not the command's.
        screen.verdict(replace(verdict, elapsed_s=max(0.0, verdict.elapsed_s - screen.asked_s)))
        return code
