"""The values the engine works on, and the interface of a reconciler.

A Spec is closed: it lists every field tapctl owns on a resource, in our words. The wanted and the seen state are the
same frozen type, so a difference is an inequality and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Final, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from tapctl.engine.owner_tags import ENVIRONMENT_TAG, MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.engine.trail import Trail
from tapctl.errors import TapctlError


class Impact(IntEnum):
    """The cost of changing a field, by severity."""

    NONE = 0
    PROTECTION = 1
    """A protection is lifted: nothing happens now, and something may from now on."""
    RESTART = 2
    FAILOVER = 3
    OUTAGE = 4
    """The resource does not serve while AWS is at work: nothing takes over."""
    UPGRADE = 5
    """A new major version: it takes long, and nothing leads back."""
    DATA_LOSS = 6
    REPLACE = 7

    @property
    def word(self) -> str:
        """The word plans print: ``failover``, ``data loss``."""
        return self.key.replace("_", " ")

    @property
    def key(self) -> str:
        """The word programs get: ``failover``, ``data_loss``."""
        return self.name.lower()

    @property
    def needs_consent(self) -> bool:
        """True if an apply does it only where the address is named (``--allow``): it cannot be undone."""
        return self in (Impact.UPGRADE, Impact.DATA_LOSS)


class Spec(BaseModel):
    """Everything tapctl owns on one resource. Sets are owned whole; nothing is ever "left to AWS"."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outputs(BaseModel):
    """The identity that AWS alone can tell: ARNs, endpoints. Every field is a ``str``; nothing here ever moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    told_later: ClassVar[frozenset[str]] = frozenset()
    """Fields that are empty until somebody else has done a part; from then on they move no more than the others."""

    def changed_from(self, recorded: Mapping[str, str]) -> tuple[str, ...]:
        """Name the recorded outputs that are others now. One that was yet to come when it was recorded is none."""
        live = self.model_dump()
        yet_to_come = {name for name in self.told_later if not recorded.get(name)}
        return tuple(sorted(name for name in recorded.keys() - yet_to_come if live.get(name) != recorded[name]))


@dataclass(frozen=True)
class AtLeastMinor:
    """A field's policy: a higher minor of the same major is no difference (``16.8`` wanted, ``16.13`` seen).

    A bare major (``16``) is satisfied by every minor of it.
    """


AT_LEAST_MINOR = AtLeastMinor()


@dataclass(frozen=True)
class Owner:
    """The owner of a resource, as its tags tell. An empty part names nobody."""

    managed_by: str
    suffix: str
    environment: str = ""
    scope: str = ""
    """The place of a resource that belongs elsewhere: another region (``us-east-2``), another parent (``a member of
    other-cluster``). Empty for everything of this stack. A scope of its own excludes every other owner."""
    lacks: str = ""
    """The further tag, ``key=value``, without which these tell no stack of ours from another one; empty where they do,
    or name nobody. Such tags are no claim, and exclude nobody."""
    doubt: str = ""
    """The words on what else the resource tells against its tags (``its policy is for us-west-2``); empty where nothing
    does. Such tags are no claim, and exclude nobody."""

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Owner | None:
        """Read the owner from these tags; None when they name nobody."""
        if not tags.keys() & {OWNER_TAG, SUFFIX_TAG, ENVIRONMENT_TAG}:
            return None
        return cls(tags.get(OWNER_TAG, ""), tags.get(SUFFIX_TAG, ""), tags.get(ENVIRONMENT_TAG, ""))

    @classmethod
    def ours(cls, suffix: str, environment: str) -> Owner:
        """The owner of everything tapctl makes for this suffix of this environment."""
        return cls(MANAGED_BY, suffix, environment)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that name this owner."""
        return {**self.search_tags, ENVIRONMENT_TAG: self.environment}

    @property
    def search_tags(self) -> dict[str, str]:
        """The tags by which a sweep searches: also what bears our suffix and names another environment is found."""
        return {OWNER_TAG: self.managed_by, SUFFIX_TAG: self.suffix}

    def finds(self, tags: Mapping[str, str]) -> bool:
        """True if a search by `search_tags` finds what bears these tags."""
        return self.search_tags.items() <= tags.items()

    def excludes(self, other: Owner) -> bool:
        """True if the tags name somebody who is not ``other``; an empty part names nobody."""
        return (
            self.managed_by not in ("", other.managed_by)
            or self.suffix not in ("", other.suffix)
            or self.is_of_another_environment(other)
            or self.scope not in ("", other.scope)
        )

    def is_of_another_environment(self, other: Owner) -> bool:
        """True if the tags name an environment that is not that of ``other``."""
        return self.environment not in ("", other.environment)


REBOOT: Final = "reboot"
"""The one event a pending value may wait for that never comes by itself."""
ALLOW: Final = "--allow"
"""Ends what an apply leaves alone: an apply that names the resource with this option (`Reconciler.left_alone`)."""
UNSEEN: Final = frozenset({"*"})
"""The answer of an update whose call only prepares the next one and never shows in the spec: a failover."""


@dataclass(frozen=True)
class Pending:
    """A value that AWS has accepted and that is not in force yet."""

    until: str
    """The event the value waits for, in AWS's words or as a time: ``reboot``, ``sun:05:00-sun:06:00``."""
    detail: str = ""


@dataclass(frozen=True)
class Retained:
    """A resource that a removal left on purpose: until when, and why."""

    until: str
    why: str


S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- O as in outputs, beside S as in spec; nobody takes it for a zero


@dataclass(frozen=True)
class Observed(Generic[S, O]):
    """A resource as one read of AWS shows it."""

    spec: S
    outputs: O | None
    """None until AWS has told all of them."""
    settled: bool = True
    """False while AWS is still working on the resource; never depends on a dependant."""
    deleting: bool = False
    """True while AWS deletes the resource, or for a key pending deletion: a plan treats the resource as absent."""
    failure: str | None = None
    """AWS's reason for a failed *resource*. A failure seen before our first call is a gap to close (by another update,
    or a replacement); after a call of ours it ends the work."""
    is_default: bool = True
    """False if somebody has set what AWS sets on none that it makes by itself (`Reconciler.created_by_aws`)."""
    update_failure: str | None = None
    """AWS's reason for a failed *update* (or a stopped resource). The resource itself is intact, so it is not replaced:
    a failure seen before our first call is a gap to close, after a call of ours it ends the work."""
    failed_by_others: bool = False
    """True if somebody has brought that ``failure`` about (a stop, the removal of what is used), and not AWS."""
    way_out: str = ""
    """The command by which a person ends that failure, where no apply does."""
    failure_may_pass: bool = False
    """True if the failure may be AWS's own delay (a right that has not spread): then it is asked again for a while."""
    status: str = "active"
    """AWS's own word for the state, shown to the user; empty where AWS does not tell it."""
    owner: Owner | None = None
    """The owner its tags name; None when they name nobody, or could not be read (``tags`` is in `unreadable`)."""
    owner_unread: str = ""
    """The denied IAM action by which the resource would tell more of its owner than its tags; empty where none lacks.
    Until then tags alone are no claim."""
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """Field to the value that was accepted for the field and is not in force."""
    deferred_until: Mapping[str, str] = field(default_factory=dict)
    """Path of a part of a field (``parameters.x``) to the event that a change of the part waits for: `REBOOT`."""
    defaults: frozenset[str] = field(default=frozenset(), compare=False)
    """Paths of parts of a field that show AWS's own value: nobody has set it where the record holds none."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Field to the IAM action that was denied (``kms:GetKeyPolicy``). Such a field is never "in sync", and never a
    difference to act on."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Field of `unreadable` to why it was not read, where no permission is missing: ``refused:`` and AWS's word."""
    not_offered: Mapping[str, str] = field(default_factory=dict)
    """Field to the IAM action by which it would be read, and which the region does not have: nothing of its kind is
    there, which nobody has seen. Such a field is not compared, and told."""
    retained: Retained | None = None
    """Set while AWS deletes the resource only at a later date (a key pending deletion): no call helps now."""
    remedy: str = ""
    """The task of a person before AWS does anything more with this resource (start a stopped cluster)."""
    removal_impact: Impact = field(default=Impact.NONE, compare=False)
    """The cost of removing the resource now to the rest of the stack: a cluster's writer going is a failover."""
    impacts: Mapping[str, Impact] = field(default_factory=dict, compare=False)
    """Field to the cost of changing it now, where that depends on what is seen: the class of an only instance."""
    hands_over_to: str = field(default="", compare=False)
    """Address of the resource that serves in its place while a change of it is made by a `Impact.FAILOVER`; empty where
    it is none of ours. If that one is to be removed then, its removal is one more."""
    holds_data_since: datetime | None = field(default=None, compare=False)
    """The time before which the resource can hold nothing; None if nobody knows."""
    record: str = field(default="", compare=False)
    """The fingerprint of the record that the last run has left, on the one resource that bears it; empty elsewhere."""
    members: frozenset[str] = field(default=frozenset(), compare=False)
    """Addresses of the resources that live inside this one; those not ours are reported and never touched. Members come
    and go by themselves: two observations that differ in them alone are equal."""


@dataclass(frozen=True)
class Leftovers:
    """The things that AWS still holds of a resource that is gone."""

    told: str
    """The sentence to be shown: which things these are, and what becomes of them."""
    stranded: frozenset[str] = frozenset()
    """The ids of those that AWS has left for good, as it seems: they are removed where that is so for a while."""


@dataclass(frozen=True)
class UnreadTags:
    """A resource whose tags were not read, and which may so be the owner's under another name than ours."""

    id: str
    why: str
    hint: str
    """The way to get at the tags."""


SpecType = type[Spec]
OutputsType = type[Outputs]


@dataclass(frozen=True)
class Timing:
    """The usual durations of a type in AWS, and the longest one allowed. Seconds."""

    create_s: float = 5
    delete_s: float = 5
    first_look_s: float = 0.25
    """The first pause before AWS is asked again: longer where reads are throttled for the whole account (RDS)."""
    update_s: float = 5
    """Of a change in place that interrupts nothing."""
    restart_s: float = 0
    """Of a change that restarts it or makes it fail over; 0: as any other."""
    upgrade_s: float = 0
    """Of a new major version; 0: as any other change."""
    longest_s: float = 600
    """The longest time AWS may work on one accepted call before the engine gives up."""
    upgrade: str = ""
    """The usual duration of a new major version, in words."""


class Reconciler(ABC, Generic[S, O]):
    """The interface of one AWS type: how its resources are read, created, changed and deleted.

    A reconciler is stateless and never sleeps, loops, retries or waits. The engine (`tapctl.engine.converge`,
    `tapctl.engine.delete`) turns its methods into a loop: observe, compare, take at most one step, observe again. So
    the engine does all waiting, retrying, multi-step changes, reading back and recording; a reconciler only knows
    AWS's words.

    Rules for the methods that change something (`create`, `update`, `delete`, `delete_for_replacement`, `reboot`):

    - *Exactly one changing call.* The intent is on disk and the lock was checked right before the step; a second call
      in the same step would be covered by neither. Reading as often as needed is fine.
    - *Nothing is returned or believed about the result.* The answer of a call says only that AWS accepted it. The state
      is learnt in one place, `observe`.
    - *`NotYet` may be raised instead of a call*, and means: nothing was changed, ask again later. The engine asks again
      for as long as the patience lasts: PROPAGATION (2 min, AWS does not see yet what was just made), BUSY (5 min, AWS
      is at work on something that refuses this call), LONG (`Timing.longest_s`, another resource has to finish first).
      Raise ``NotYet(...) from refusal`` where AWS's own refusal was taken for "not yet": should the patience (other
      than LONG) end, the user is shown that refusal instead of a time-out.
    - *Every other refusal is final*: let `AwsRefused` pass. `AwsNoAnswer` passes too; the engine looks whether the call
      took effect.

    Methods are called from several threads at once. ``aws`` is the client (`tapctl.aws.client.Aws`); the engine only
    hands it through.
    """

    type: ClassVar[str]
    """The type's name: a contract, it keys the manifest and every report."""
    spec: ClassVar[SpecType]
    outputs: ClassVar[OutputsType]
    holds_data: ClassVar[bool] = False
    """True if the resource is never replaced, and removed by an apply only when its address is named."""
    replaceable: ClassVar[bool] = False
    """True if the resource may be deleted and made anew where a field cannot change in place."""
    outputs_known_early: ClassVar[bool] = False
    """True if the outputs are known once the create is accepted, long before the resource is settled: dependants that
    need only its outputs start then. Works backwards too: once such a resource is being deleted, resources of such
    types that it needs may be deleted (an Aurora instance and its cluster)."""
    retainable: ClassVar[bool] = False
    """True if a removal may leave the resource on purpose: only such a one is ever recorded as kept."""
    kept_while_pending: ClassVar[str] = ""
    """The field that somebody else puts in force: while it is pending a removal can only keep the resource. Each run
    looks again at one that was kept so. Empty: there is none."""
    created_by_aws: ClassVar[bool] = False
    """True if AWS makes the resource by itself under our name: a resource without anybody's tags is still ours."""
    identity: ClassVar[str] = ""
    """The output, or the field of the spec, by which another resource of the same name is known for another one, where
    that holds other data, or may be somebody else's, in another place: an apply takes it for ours only where it is
    named, and nothing removes it. Empty: another one is told, and taken as it is."""
    name_is_identity: ClassVar[bool] = False
    """True if the outputs are made of the name alone, or hold no id beside it: whatever bears the name has them, and
    the record, which tells them, proves nothing against the tags of others."""
    outputs_need: ClassVar[frozenset[str]] = frozenset()
    """Fields without whose wanted value AWS does not tell all outputs. These count as recorded where such a field is
    left as it is: another field of a cluster is put back, whose managed secret somebody has ended."""
    puts_back: ClassVar[str] = ""
    """The command that puts the resource with the recorded `identity` back under its name: ``{id}``, ``{recorded}``.
    Empty: none does."""
    leftovers_need: ClassVar[frozenset[str]] = frozenset()
    """Types that AWS still needs while leftovers of this one are being cleaned up (Lambda needs its role to remove its
    network interfaces). They are deleted last; everything else waits only for the resource itself."""
    create_is_repeatable: ClassVar[bool] = True
    """False if a second create makes a second resource (a key has no name of its own). The engine then looks for the
    propagation time before it creates again after a lost answer or an interrupted run."""
    deleted_with_parent: ClassVar[bool] = False
    """True for a subresource that AWS deletes with its parent; it is not removed by itself."""
    applies_deferred: ClassVar[bool] = False
    """True if this type's `reboot` applies the parameter changes that a dependency deferred until a reboot."""
    teardown_rank: ClassVar[int]
    """The place of the type in a removal: lower ranks go first, where resources are related or no record says so."""
    parent_type: ClassVar[str] = ""
    """The type of the resource that this one lives on (a security group's rules), empty for most: a subresource has the
    owner of its parent and its id, or one that holds it (`parent_id`); it is observed through the parent, and its
    create is an update of the parent."""
    impacts: ClassVar[Mapping[str, Impact]] = {}
    """Field to the cost of changing the field; a field not listed changes in place at no cost."""
    by_hand: ClassVar[Mapping[str, str]] = {}
    """Field that tapctl never changes in place to what a person can do about the field."""
    fixed_once_set: ClassVar[frozenset[str]] = frozenset()
    """Fields that AWS may take only once: an apply leaves another value that is there, unless the user names the
    resource (`ALLOW`)."""
    retention_field: ClassVar[str] = ""
    """The field with the days for which the resource keeps data, 0 for ever: fewer of them lose data."""
    healing_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields without which nothing that uses the resource can be judged: put right first (a key that is disabled)."""
    healing_reads: ClassVar[frozenset[str]] = frozenset()
    """Actions that are denied, whoever asks, until those fields are put right: parts of what uses the resource."""
    protection_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are True while the resource is protected."""
    unset_by_removal: ClassVar[frozenset[str]] = frozenset()
    """Fields that the steps of a removal change while the resource is still there: no change from outside, where that
    removal, or an apply that brings the resource back, is cut off."""
    left_alone: ClassVar[Mapping[str, str]] = {}
    """Field that an apply leaves as it is, since somebody may live by it, to what ends it: `ALLOW`, or the command of a
    person. Wanted is the field's default: nothing. Plan and drift report a difference. In the command ``{value}`` is
    the item's first word, ``{label}`` what of it is before a dot, ``{name}`` all after the item's first `` by ``,
    ``{qualified}`` is `` --qualifier`` and the word after the item's first `` for ``, or nothing, ``{id}`` the id, and
    any other word an output, of the resource or of its parent. Such a field that tells who else was let in, or what
    leads out, is an *exposure*."""
    carried_over: ClassVar[frozenset[str]] = frozenset()
    """Texts of `left_alone` that `create` puts on: what is made in the place of another one gets them as it had them.
    """
    ending_costs: ClassVar[Mapping[str, str]] = {}
    """Field of `left_alone` to what the command that ends it costs beyond that, and what is to follow; or, where the
    thing is not ours alone, to whose it is: the command only shows it then."""
    ended_elsewhere: ClassVar[Mapping[str, str]] = {}
    """Field of `left_alone` to the command that ends an item whose value is an ARN, where that is another one."""
    leads_there: ClassVar[Mapping[str, str]] = {}
    """Field of `left_alone` that tells what is open behind an item of another field, to that one: it goes with that
    item, or whoever owns what is behind it closes that. The command only shows it."""
    ends_with_it: ClassVar[frozenset[str]] = frozenset()
    """Fields of `left_alone` that a replacement ends, as a removal does: nothing makes them again."""
    holds_it: ClassVar[frozenset[str]] = frozenset()
    """Fields of `left_alone` for which AWS refuses the removal, and so the replacement, as long as there are any."""
    never_compared: ClassVar[tuple[str, ...]] = ()
    """Facts that AWS tells of such a resource, or beside it, and no field compares, each in a few words, for drift."""
    timing: ClassVar[Timing] = Timing()
    trail: ClassVar[Trail] = Trail("", (), {})
    """The events of AWS's audit log that tell who changed which field."""
    actions: ClassVar[tuple[Any, ...]] = ()
    """The rights that the type's calls need (`tapctl.aws.rights.Right`); the engine only hands them through."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take `spec` and `outputs` from the generic arguments of ``class Topic(Reconciler[TopicSpec, …])``.

        Or of a base that several types share, and that has its own from a type.
        """
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            if Reconciler in getattr(get_origin(base), "__mro__", ()):
                cls.spec, cls.outputs = get_args(base)

    @property
    def subresource(self) -> bool:
        """True if this type lives on another resource."""
        return bool(self.parent_type)

    def parent_id(self, id: str) -> str:
        """The id of the resource that a subresource lives on: by default its own."""
        return id

    @abstractmethod
    def observe(self, aws: Any, id: str, expected: S | None) -> Observed[S, O] | None:
        """Read the resource; None when there is no such resource.

        ``expected`` is the wanted spec (plan, apply) or the recorded one (drift, destroy); None where neither is known.
        The spec returned tells what AWS has, never what is expected. ``expected`` serves only two purposes: it says
        which parameters to read by name and where to look, and it stands in for a field that could not be read (name
        such a field with the denied action in `Observed.unreadable`). Its strings may still hold unresolved tokens.

        Raises:
            AwsRefused: AWS refused the read as a whole. A denied one is reported as unreadable, never as absent.
            AwsNoAnswer: no answer came; the engine reads again for the propagation time.
        """

    def observe_exposures(self, aws: Any, id: str, seen: Observed[S, O], expected: S | None) -> Observed[S, O]:  # noqa: ARG002 -- the default needs no read
        """Read the exposures (`left_alone`) that take calls of their own, and return ``seen`` with them.

        Called once for a drift, and for a plan only of what it takes over or replaces. The loops leave exposures alone:
        `observe` answers the default for them. All are read whatever AWS is at work on; a refused one is named in
        `Observed.unreadable`.
        """
        return seen

    @classmethod
    def leaves(cls, *, allowed: bool) -> frozenset[str]:
        """Name the fields of `left_alone` that an apply leaves; ``allowed``: it is given `ALLOW` for the resource."""
        return frozenset(name for name, ending in cls.left_alone.items() if not (allowed and ending == ALLOW))

    @abstractmethod
    def create(self, aws: Any, id: str, want: S, owner: Owner) -> None:
        """Create the resource by exactly one changing call, with the owner's tags in that call.

        The call should ask for as much of ``want`` as AWS takes at once, and must ask for every field whose impact is
        REPLACE; the rest follows by `update`. Also called for a resource that is retained (a key pending deletion):
        create brings it back then.

        Raises:
            NotYet: nothing was changed, ask again.
            AlreadyExists: the name is taken, perhaps by our own create whose answer was lost: the engine looks again.
            AwsRefused: AWS refused the call.
        """

    @abstractmethod
    def update(self, aws: Any, id: str, have: S, want: S) -> frozenset[str]:
        """Change the resource by exactly one changing call, and return the fields that the call asked for.

        ``have`` is *not* what AWS shows. It is the observed spec with every field that this run has requested already
        set to its wanted value, so that a field which shows late is never asked for twice: compare ``have`` with
        ``want``, pick one call, and look at nothing else. The engine calls only while at least one field differs.

        Returns:
            The fields that are requested completely by now; the engine requests them no more and waits until they show.
            The empty set if the call asked for only a part of a field (one tag, one rule, one policy of several): the
            engine calls again with what is left once that part shows, and never where it does not. `UNSEEN` if nothing
            of the call will ever show in the spec, and another call follows it.

        Raises:
            NotYet: nothing was changed, ask again.
            AwsRefused: AWS refused the call.
        """

    def reboot(self, aws: Any, id: str, want: S) -> None:
        """Put in force the values that are pending until a reboot, by exactly one changing call.

        Called as the last step, at most once a run, and only where the plan says so.

        Raises:
            NotYet: other resources have to be rebooted first.
            NotImplementedError: the type has no value that waits for a reboot.
        """
        raise NotImplementedError(f"nothing of a {self.type} waits for a reboot")

    @abstractmethod
    def delete(self, aws: Any, id: str, seen: Observed[S, O], last: S | None) -> Retained | None:
        """Go one step towards the removal by exactly one changing call, or make no call and return why it is retained.

        The engine observes after each step and asks for the next one when what it sees has changed, until the resource
        is gone. ``last`` is the recorded spec, None where there is no record.

        Raises:
            NotYet: nothing was changed, ask again.
            AwsRefused: AWS refused the call.
        """

    def delete_for_replacement(self, aws: Any, id: str, seen: Observed[S, O]) -> Retained | None:
        """Go one step towards the removal of a resource that is made anew at once under the same name.

        By default the same as `delete`. A type overrides it where a final clean-up (leaving the security groups) is
        unnecessary because the successor uses the same things.
        """
        return self.delete(aws, id, seen, seen.spec)

    @abstractmethod
    def list_owned(self, aws: Any, owner: Owner) -> Iterable[str | UnreadTags]:
        """List the ids of the resources of this type with these owner tags, and what may have them and was not read.

        A subresource has no tags of its own.
        """

    def removed_with(self, going: Collection[str]) -> Reconciler[S, O]:  # noqa: ARG002 -- the default needs no addresses
        """Give the reconciler that knows what is removed together with its resource; ``going``: addresses."""
        return self

    def knowing(self, recorded: Sequence[S]) -> Reconciler[S, O]:  # noqa: ARG002 -- the default hides no value
        """Give the reconciler that shows values which are as in these recorded specs, and would else hide them."""
        return self

    def deletion_blocker(self, seen: Observed[S, O]) -> str | None:  # noqa: ARG002 -- the default needs no observation
        """Tell why the resource must not be removed now (deletion protection); None if it may be. Pure."""
        return None

    def removal_refusal(self, aws: Any, id: str, observed: Observed[S, O], last: S | None) -> TapctlError | None:  # noqa: ARG002 -- the default needs no read
        """Ask AWS what would make it refuse the removal half way (a quota); None if nothing. Only reads."""
        return None

    def is_protection(self, observed: Observed[S, O]) -> bool:  # noqa: ARG002 -- the default needs no observation
        """True if `deletion_blocker` names the protection that the configuration's ``protected = true`` sets."""
        return False

    def takes_final_snapshot(self, observed: Observed[S, O], last: S | None) -> bool:  # noqa: ARG002 -- the default needs no observation
        """True if `delete` keeps the data in a final snapshot. ``last``: the recorded spec, where there is a record."""
        return False

    def removal_note(self, observed: Observed[S, O], *, snapshot_due: bool) -> str:  # noqa: ARG002 -- the default needs no observation
        """Tell in a destroy's plan what a removal does beyond deleting; ``snapshot_due``: it takes a final snapshot."""
        return ""

    def known_use(self, aws: Any, observed: Observed[S, O]) -> str:  # noqa: ARG002 -- the default needs no read
        """Tell in a destroy's plan and certificate what is known of others' use of the resource. Only reads."""
        return ""

    def retained_because(self, aws: Any, id: str, observed: Observed[S, O]) -> Retained | None:  # noqa: ARG002 -- the default needs no read
        """Tell why `delete` would leave the resource as it is; None if it would not. Only reads."""
        return None

    def gone_by_itself(self, recorded: Mapping[str, str]) -> str:  # noqa: ARG002 -- the default needs no outputs
        """Tell in which case AWS has removed such a resource by itself, without an event; empty where it never does.

        ``recorded``: its outputs.
        """
        return ""

    def recreated_by(self, id: str) -> str | None:  # noqa: ARG002 -- the default needs no name
        """The address of the resource that makes AWS create this one (a log group's writer); None if there is none."""
        return None

    def last_event(self, aws: Any, id: str) -> str:  # noqa: ARG002 -- the default needs no read
        """Read AWS's last event about a resource that did not converge: an upgrade given up shows nowhere else."""
        return ""

    def remaining_after_delete(self, aws: Any, id: str, last: S | None) -> Leftovers | None:  # noqa: ARG002 -- the default needs no read
        """Tell what AWS still holds of the resource after it is gone (network interfaces); None if nothing.

        ``last``: the spec it had; None where nobody knows, which only types with `leftovers_need` are asked.
        """
        return None

    def remove_leftover(self, aws: Any, leftover: str) -> None:
        """Remove, by one call, what AWS has left for good; asked where it was `Leftovers.stranded` for two minutes."""

    def retained_after_delete(
        self,
        aws: Any,  # noqa: ARG002 -- the default needs no read
        id: str,  # noqa: ARG002 -- as above
        last: S,  # noqa: ARG002 -- as above
        identity: Mapping[str, str],  # noqa: ARG002 -- as above
    ) -> Iterable[tuple[str, Retained]]:
        """List what the resource leaves on purpose after it is gone (a final snapshot), by address.

        ``identity``: the outputs of the very resource that was removed; empty where nobody knows them.
        """
        return ()


def address(type_: str, id_: str) -> str:
    """The name of a resource in manifest, plan and reports: ``type/id``."""
    return f"{type_}/{id_}"


def shared_ids(addresses: Iterable[str]) -> frozenset[str]:
    """The ids that several of these addresses have, of different types: there an id alone names none of them."""
    counted = Counter(each.partition("/")[2] for each in addresses)
    return frozenset(id_ for id_, count in counted.items() if count > 1)
