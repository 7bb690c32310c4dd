"""The screen that commands write to, and the values they hand it: target, verdict, advice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from tapctl.errors import Status, TapctlError

if TYPE_CHECKING:
    from tapctl.engine.drift import Report
    from tapctl.engine.estimate import Estimate
    from tapctl.engine.events import Event
    from tapctl.engine.plan import Plan


@dataclass(frozen=True)
class Target:
    """The environment that a command is about, as far as it is known. Empty: all environments there are, or none."""

    env: str = ""
    suffix: str = ""
    account: str = ""
    region: str = ""
    identity: str = ""
    """Our identity in AWS, in short: ``sso:dana``, ``role/deploy``."""
    config_hash: str = ""
    """The SHA-256 of the configuration, in hex."""
    networking: str = ""
    """A line on the networking stack: its reference, VPC, subnets and zones."""


@dataclass(frozen=True)
class Wanted:
    """The changes that an apply would make beside undoing what drifted."""

    plan: Plan
    summary: str
    """The counts in words: ``1 to change · 1 fails over``."""
    command: str
    """The command that shows all of it."""


@dataclass(frozen=True)
class Comparison:
    """The part of the record that a drift has compared with AWS."""

    compared: int
    """The number of fields that were compared."""
    not_compared: tuple[str, ...] = ()
    """``type/id.field`` of each field that was not, ``type/id`` for all of a resource's, and in a few words what
    no field of a type compares."""
    wanted: Wanted | None = None
    """The changes that an apply would make beside undoing what drifted; None where there are none."""
    older: str = ""
    """Evidence that the record is older than AWS; empty where there is none."""


@dataclass(frozen=True)
class Check:
    """A check before the first change."""

    check: str
    """``permissions``, ``quotas``, ``upgrade``, ``network``, ``name``, ``image``, ``credentials``."""
    ok: bool | None
    """None where nobody may ask."""
    detail: str
    action: str = ""
    """The IAM action that is denied."""
    resource: str = ""
    """The resource on which the action is denied, or that has a quota."""


@dataclass(frozen=True)
class Verdict:
    """The last line of a command."""

    verb: str
    target: Target
    status: Status | None
    """A fixed word; None where the counts say all."""
    exit: int
    """The exit status."""
    counts: Mapping[str, int] = field(default_factory=dict)
    summary: str = ""
    """The rest of the line for people: ``2 to create · 0 to change · 0 to remove · 19 unchanged``."""
    elapsed_s: float = 0
    api_calls: int = 0
    changing_calls: int = 0
    """The calls that may have changed the stack."""
    manifest: str = ""
    """The place of the record."""
    comparison: Comparison | None = None
    """The part that was compared, of a command that compares."""
    impacts: Mapping[str, int] | None = None
    """The number of resources by the impact of their change, of a command that plans: ``failover``, ``data_loss``."""
    plan_hash: str = ""
    """The hash of what would be done, of a command that plans."""
    timed: bool = False
    """True if the command changes resources: people are told its time, programs each resource left unchanged."""
    stdout_is_data: bool = False
    """True if stdout is for the answer alone: people get a verdict on stderr, and only where there is no answer."""


@dataclass(frozen=True)
class Span:
    """A call to AWS, or a wait, of one resource. Times are seconds since the command began."""

    address: str
    """Empty for a call that is no resource's."""
    phase: str
    """``service:Operation`` of a call; of a wait, what was awaited."""
    start_s: float
    end_s: float
    calls: int = 1


@dataclass(frozen=True)
class Place:
    """The line of a file that decides a field."""

    file: str
    line: int
    key: str = ""
    """Dotted; empty where no key decides it, and the file is that of the environment."""


@dataclass(frozen=True)
class Advice:
    """The user's choices about one finding; each is empty where it does not apply."""

    edit: str = ""
    """The place to edit if the live value is wanted: ``common.toml: processor.timeout_s``."""
    undo: str = ""
    """The command that brings the recorded value back."""
    read: str = ""
    """The command that reads, or records, a field that could not be compared."""
    undo_note: str = ""
    """A few words on undoing: what to do first, or what the command does."""
    read_note: str = ""
    """A few words on having the field read: what to do first, or what the command does."""
    accept: str = ""
    """The command that writes the live value into the place to edit."""
    waive: str = ""
    """The command that waives the difference."""
    now: str = ""
    """The command that puts a pending change in force."""
    place: Place | None = field(default=None, compare=False)
    """The line that decides the field; advice that is the same is said once, wherever its places are."""


class Screen(Protocol):
    """The place where a command shows its reports. stdout is the answer, stderr everything else."""

    @property
    def asked_s(self) -> float:
        """Seconds in which the command waited for somebody to answer."""

    def target(self, target: Target) -> None:
        """Keep the target, to be shown with the first report; called again with more when more is known.

        An empty target says that the command is about all environments.
        """

    def note(self, text: str) -> None:
        """Write one sentence on what is being done (stderr); nothing when quiet."""

    def warn(self, text: str) -> None:
        """Write one sentence that should be read (stderr)."""

    def plan(self, plan: Plan, *, removing: bool = False, by: str = "apply") -> None:
        """Show what would be done, field by field; ``by``: the command that does it."""

    def stack(self, needs: Mapping[str, Collection[str]]) -> None:
        """Keep the stack as a graph: each address with those that it needs."""

    def spans(self, spans: Sequence[Span]) -> None:
        """Keep calls and waits that are over."""

    def preflight(self, checks: Sequence[Check]) -> None:
        """Show what was checked before the first change."""

    def estimate(self, estimate: Estimate) -> None:
        """Show how long what is planned usually takes, and which resources decide that."""

    def plan_hash(self, hash: str, path: str, expires: str) -> None:
        """Show the plan's hash, and where it was written and until when it may be applied; both empty: nowhere."""

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]] = MappingProxyType({}),
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Begin to show work on these resources.

        ``needs``: the addresses each one waits for, as far as known; ``to_end_s``: the seconds that it usually takes
        from the begin of each one to the end of what waits for it.
        """

    def event(self, event: Event) -> None:
        """Show one event of the execution."""

    def end(self) -> None:
        """End the progress: no more events come."""

    def drift(self, report: Report, advice: Mapping[tuple[str, str], Advice], wanted: Wanted | None = None) -> None:
        """Show the findings; ``advice`` is by (address, field), ``wanted``: what an apply would do beside."""

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], records: Sequence[Mapping[str, object]]
    ) -> None:
        """Show a small table: ``rows`` of one cell a column for people, ``records`` of the same for programs."""

    def output(self, name: str, value: str) -> None:
        """Show one of several values by its name."""

    def document(self, text: str, record: Mapping[str, object]) -> None:
        """Show a text that is the answer as it is (graph, schema, manifest); programs get the record."""

    def ask(self, question: str, expected: str) -> bool:
        """Ask; True if the answer was ``expected``. The caller has made sure that somebody can answer."""

    def error(self, error: TapctlError, state: str = "") -> None:
        """Show an error; ``state``: one sentence on what was changed so far."""

    def verdict(self, verdict: Verdict) -> None:
        """Show the last line.

        Raises:
            TapctlError: something on stdout could not be written.
        """
