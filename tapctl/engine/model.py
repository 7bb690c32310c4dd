"""The values the engine works on, and what a reconciler has to offer.

A Spec is closed: it lists every field tapctl owns on a resource, in our words. What is wanted and what is seen are
the same frozen type, so a difference is an inequality and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Final, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict


class Impact(IntEnum):
    """What changing a field costs, by severity."""

    NONE = 0
    RESTART = 1
    FAILOVER = 2
    REPLACE = 3
    DATA_LOSS = 4

    @property
    def word(self) -> str:
        """As plans say it."""
        return self.name.lower().replace("_", " ")


class Spec(BaseModel):
    """Everything tapctl owns on one resource. Sets are owned whole; nothing is ever "left to AWS"."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outputs(BaseModel):
    """Identity that only AWS can tell. Every field is a ``str``; nothing that moves belongs here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoOutputs(Outputs):
    """For what AWS tells nothing of that anybody needs."""


@dataclass(frozen=True)
class AtLeastMinor:
    """A field's policy: a higher minor of the same major is no difference (``16.8`` wanted, ``16.13`` seen).

    A bare major (``16``) is satisfied by every minor of it.
    """


AT_LEAST_MINOR = AtLeastMinor()

OWNER_TAG = "ManagedBy"
SUFFIX_TAG = "EnvironmentSuffix"
MANAGED_BY = "tapctl"


@dataclass(frozen=True)
class Owner:
    """Who made a thing, as its tags tell."""

    managed_by: str
    suffix: str

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Owner | None:
        """The owner that these tags name; None when they name nobody."""
        if OWNER_TAG not in tags and SUFFIX_TAG not in tags:
            return None
        return cls(tags.get(OWNER_TAG, ""), tags.get(SUFFIX_TAG, ""))

    @classmethod
    def ours(cls, suffix: str) -> Owner:
        """The tags tapctl sets for this suffix."""
        return cls(MANAGED_BY, suffix)

    @property
    def tags(self) -> dict[str, str]:
        """The two tags that say so."""
        return {OWNER_TAG: self.managed_by, SUFFIX_TAG: self.suffix}

    def excludes(self, other: Owner) -> bool:
        """Whether these tags name somebody who is not ``other``; a missing half names nobody."""
        return self.managed_by not in ("", other.managed_by) or self.suffix not in ("", other.suffix)


REBOOT: Final = "reboot"
"""What a pending value may wait for, that never comes by itself."""


@dataclass(frozen=True)
class Pending:
    """A value that AWS has accepted and that is not in force yet."""

    until: str
    """What it waits for, in AWS's words or as a time: ``reboot``, ``sun:05:00-sun:06:00``."""
    detail: str = ""


@dataclass(frozen=True)
class Retained:
    """What a removal left on purpose: how long, and why."""

    until: str
    why: str


S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- the letter the design uses


@dataclass(frozen=True)
class Observed(Generic[S, O]):
    """One look at one resource."""

    spec: S
    outputs: O | None
    """None until AWS has told all of them."""
    settled: bool = True
    """False while AWS is still working on it; never depends on a dependant."""
    deleting: bool = False
    """Being deleted, or a key pending deletion: a plan treats it as absent."""
    failure: str | None = None
    """AWS's own reason, when it gave up on it."""
    update_failure: str | None = None
    """AWS's own reason, when it gave up on a change of it or does no more about it, and it is none to be replaced for
    that: a gap when the loop begins, the end after a step of ours."""
    status: str = "active"
    """AWS's own word, shown to the user."""
    owner: Owner | None = None
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """Field to what was accepted for it and is not in force."""
    deferred_until: Mapping[str, str] = field(default_factory=dict)
    """Path of a part of a field (``parameters.x``) to what a change of it waits for: `REBOOT`."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Field to the denied action. Unknown is never "in sync", never a difference to act on."""
    retained: Retained | None = None
    """Going, and AWS lets it go only at a later date (a key pending deletion): nothing more can be done now."""
    remedy: str = ""
    """What a person has to do before AWS does anything more with this resource (start a stopped cluster)."""
    removal_impact: Impact = field(default=Impact.NONE, compare=False)
    """What its removal would cost the rest, now: another member takes over from a cluster's writer."""
    members: frozenset[str] = field(default=frozenset(), compare=False)
    """Addresses of what lives inside it; those not ours are reported and never touched. They come and go by
    themselves: two looks that differ in them alone are the same."""


SpecType = type[Spec]
OutputsType = type[Outputs]


@dataclass(frozen=True)
class Timing:
    """How long AWS usually takes, in seconds, and how long it may."""

    create_s: float = 5
    delete_s: float = 5
    longest_s: float = 600


class Reconciler(ABC, Generic[S, O]):
    """How one AWS type is seen and changed. Stateless; never sleeps, never loops, never waits.

    ``aws`` is the door (`tapctl.aws.Aws`); the engine only hands it through.
    """

    type: ClassVar[str]
    """The type's name: a contract, it keys the manifest and every report."""
    spec: ClassVar[SpecType]
    outputs: ClassVar[OutputsType]
    holds_data: ClassVar[bool] = False
    """Never replaced; removed by an apply only when its address is named."""
    replaceable: ClassVar[bool] = False
    """May be deleted and made anew where a field cannot change in place."""
    outputs_known_early: ClassVar[bool] = False
    """Its outputs are known once its create is accepted; its going frees what it needs."""
    created_by_aws: ClassVar[bool] = False
    """AWS makes it by itself under our name: without anybody's tags it is still ours."""
    leftovers_need: ClassVar[frozenset[str]] = frozenset()
    """Types that what lingers of it still needs: they go only once nothing lingers, all others once it is gone."""
    create_is_repeatable: ClassVar[bool] = True
    """False: a second create makes a second thing, so absence after a lost answer is not believed at once."""
    deleted_with_parent: ClassVar[bool] = False
    """A facet that goes when its parent goes; it is not removed by itself."""
    applies_deferred: ClassVar[bool] = False
    """What is deferred until a reboot on something that it needs is put in force by its `restart`."""
    teardown_rank: ClassVar[int]
    """The place of the type in a removal: lower ranks go first, where resources are related or no record says so."""
    parent_type: ClassVar[str] = ""
    """The type of the resource that this one lives on and shares id and owner with; its create is an update there."""
    impacts: ClassVar[Mapping[str, Impact]] = {}
    """Field to what changing it costs; absent means in place, at no cost."""
    timing: ClassVar[Timing] = Timing()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take `spec` and `outputs` from the generic arguments: ``class Topic(Reconciler[TopicSpec, TopicOutputs])``."""
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            if get_origin(base) is Reconciler:
                cls.spec, cls.outputs = get_args(base)

    @property
    def subresource(self) -> bool:
        """True if this type lives on another resource."""
        return bool(self.parent_type)

    @abstractmethod
    def observe(self, aws: Any, id: str, expected: S | None) -> Observed[S, O] | None:
        """Look at it; None when it is not there.

        ``like`` (the wanted or recorded spec) says which parameters to read by name and where to look, and stands in
        for a field that is named in ``unread``. It may still hold unresolved tokens.
        """

    @abstractmethod
    def create(self, aws: Any, id: str, want: S, owner: Owner) -> None:
        """Make it: exactly one changing call, with the owner's tags in it.

        Raises:
            NotYet: nothing was changed, ask again.
            AwsRefused: AWS said no. "Already exists" included: the engine then looks again.
        """

    @abstractmethod
    def update(self, aws: Any, id: str, have: S, want: S) -> frozenset[str]:
        """Change it by exactly one changing call; returns the fields that call asked for."""

    def reboot(self, aws: Any, id: str, want: S) -> None:
        """Put in force what waits for a reboot, by exactly one changing call. Only where there can be such a thing.

        Raises:
            NotYet: others have to go first.
        """
        raise NotImplementedError(f"nothing of a {self.type} waits for a reboot")

    @abstractmethod
    def delete(self, aws: Any, id: str, seen: Observed[S, O], last: S | None) -> Retained | None:
        """Go one step towards its removal by exactly one changing call, or make none and say why it is kept.

        The engine looks again after each step and asks for the next one, until it is gone. ``last`` is the recorded
        spec, where there is a record.
        """

    def delete_for_replacement(self, aws: Any, id: str, seen: Observed[S, O]) -> Retained | None:
        """One step towards its removal where it is made anew at once, under the same name, by what it needs and needed.

        The default is `delete`'s; a type overrides it where that takes pains that only an end needs.
        """
        return self.delete(aws, id, seen, seen.spec)

    @abstractmethod
    def list_owned(self, aws: Any, owner: Owner) -> Iterable[str]:
        """Every id of this type that carries these owner tags. A facet has none of its own."""

    def deletion_blocker(self, seen: Observed[S, O]) -> str | None:  # noqa: ARG002 -- the default answer needs no look
        """Why it must not be removed now (deletion protection); pure."""
        return None

    def is_protection(self, observed: Observed[S, O]) -> bool:  # noqa: ARG002 -- the default answer needs no look
        """True if `deletion_blocker`'s reason is the protection that ``protected = true`` sets."""
        return False

    def takes_final_snapshot(self, observed: Observed[S, O], last: S | None) -> bool:  # noqa: ARG002 -- the default: never
        """True if `delete` keeps the data in a final snapshot; ``last``: the recorded spec, where there is one."""
        return False

    def removal_note(self, observed: Observed[S, O], *, snapshot_due: bool) -> str:  # noqa: ARG002 -- the default: nothing
        """What becomes of it in a destroy, as a plan says it; ``snapshot_due``: a final snapshot is taken there."""
        return ""

    def retained_because(self, aws: Any, id: str, observed: Observed[S, O]) -> Retained | None:  # noqa: ARG002 -- the default: never
        """Why a removal would leave it as it is, until when; reads only."""
        return None

    def recreated_by(self, id: str) -> str | None:  # noqa: ARG002 -- the default: nothing
        """The address of the resource for which AWS makes this one by itself (a log group's writer)."""
        return None

    def last_event(self, aws: Any, id: str) -> str:  # noqa: ARG002 -- the default answer needs no look
        """What AWS last told of it, where it did not get there: an upgrade that was given up is only an event."""
        return ""

    def remaining_after_delete(self, aws: Any, id: str, last: S) -> str | None:  # noqa: ARG002 -- the default answer needs no look
        """What AWS still holds once it is gone (network interfaces)."""
        return None

    def retained_after_delete(self, aws: Any, id: str, last: S) -> Iterable[tuple[str, Retained]]:  # noqa: ARG002 -- the default: nothing
        """What it leaves on purpose once it is gone (a final snapshot), by address, until when and why."""
        return ()


def address(type_: str, id_: str) -> str:
    """The one name of a resource in manifest, plan and reports."""
    return f"{type_}/{id_}"
