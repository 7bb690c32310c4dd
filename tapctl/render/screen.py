"""What a verb can say, whoever shows it: people at a terminal, a log, or a program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from tapctl.engine.drift import Report
from tapctl.engine.events import Event
from tapctl.engine.plan import Plan
from tapctl.errors import TapctlError


@dataclass(frozen=True)
class Target:
    """Which target this is about: nobody acts on the wrong one."""

    verb: str
    env: str = ""
    suffix: str = ""
    account: str = ""
    region: str = ""
    identity: str = ""
    """Who we are to AWS, in short: ``sso:dana``, ``role/deploy``."""
    config_hash: str = ""
    networking: str = ""
    """One line on the networking stack: its reference, VPC, subnets and zones."""
    many: bool = False
    """Whether it is about all environments there are, or about none."""


@dataclass(frozen=True)
class Verdict:
    """The last line. ``status`` is one fixed word, or empty where the counts say it all."""

    verb: str
    env: str
    """The environment, or ``all``."""
    status: str
    exit: int
    counts: Mapping[str, int] = field(default_factory=dict)
    summary: str = ""
    """The rest of the line for people: ``2 to create · 0 to change · 0 to remove · 19 unchanged``."""
    elapsed_s: float = 0
    api_calls: int = 0
    changing_calls: int = 0
    """Those of them that may have changed the stack."""
    manifest: str = ""
    """Where the record is."""
    suffix: str = ""
    """What people are told it is about; empty: the environment."""


@dataclass(frozen=True)
class Advice:
    """What to do about one finding: where to edit if the live value is wanted, what undoes it if not."""

    edit: str = ""
    undo: str = ""
    read: str = ""
    """How it can be told next time, where it could not be read."""
    now: str = ""
    """What puts it in force, where it waits for that."""


class Screen(Protocol):
    """Shows what a verb says. stdout is the answer, stderr everything else."""

    def target(self, header: Target) -> None:
        """Before the first report; called again with more when more is known."""

    def note(self, text: str) -> None:
        """One sentence on what is being done (stderr); silent when quiet."""

    def warn(self, text: str) -> None:
        """One sentence that should be read (stderr)."""

    def plan(self, plan: Plan, *, removing: bool = False) -> None:
        """What would be done, field by field."""

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]] = MappingProxyType({})) -> None:
        """Work on these resources begins; events follow. ``needs``: what each waits for, as far as it is known."""

    def event(self, event: Event) -> None:
        """One event of the execution."""

    def end(self) -> None:
        """No more events."""

    def drift(self, report: Report, advice: Mapping[tuple[str, str], Advice]) -> None:
        """The findings; advice by (address, field)."""

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], records: Sequence[Mapping[str, object]]
    ) -> None:
        """A small table for people; the same as records for programs."""

    def output(self, name: str, value: str) -> None:
        """One output."""

    def document(self, text: str, record: Mapping[str, object]) -> None:
        """A text that is the answer as it is (graph, schema, manifest); as one record for programs."""

    def ask(self, question: str, expected: str) -> bool:
        """Ask, and whether the answer was ``expected``; the caller has made sure that somebody can answer."""

    def error(self, error: TapctlError, state: str = "") -> None:
        """An error, and what state things are in."""

    def verdict(self, verdict: Verdict) -> None:
        """The last line."""
