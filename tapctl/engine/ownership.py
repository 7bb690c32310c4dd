"""Ownership: the one answer to whether a resource may be changed or removed.

Every path asks here: plan, convergence, removal, sweep, replacement, adoption, subresources and keys. It takes three
agreements, since a record, a tag or a name alone can be written by somebody who may write nothing else:

- **the name**: (type, id) is one that this suffix can have, whatever a record or tags say;
- **the owner tags** (``ManagedBy``, ``EnvironmentSuffix``, ``Environment``) name nobody else;
- **a claim**: the tags name us; or the record holds this very resource (the same outputs), so that a removed tag is
  drift and no stranger; or AWS makes it by itself under our name, and nobody has tagged it. Where people choose the
  name and the configuration does not have it, the name tells nothing: tags and record have to agree. Where the outputs
  are made of the name (a topic, a function), whatever bears it is what the record holds: with tags on it, and neither
  the owner's nor all the others that ours have, it is theirs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, address
from tapctl.engine.owner_tags import MANAGED_BY
from tapctl.engine.record import Entry
from tapctl.errors import ManifestError, Refused, first_few

_SHOWN_TAGS: Final = 5
_SHOWN_TAG: Final = 80
_SHOWN_ENTRIES: Final = 5


class Verdict(StrEnum):
    """The answer: `OURS`, or the agreement that is missing."""

    OURS = "ours"
    NOT_A_NAME = "not a name"
    OTHER_OWNER = "other owner"
    OTHER_ENVIRONMENT = "other environment"
    NO_CLAIM = "no claim"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Ownership:
    """The verdict on one resource, with its evidence."""

    verdict: Verdict
    address: str
    owner: Owner
    """Ours."""
    seen: Observed[Any, Any]
    recorded: bool
    """True if the record holds this very resource."""

    @property
    def ours(self) -> bool:
        """True if the resource may be changed and removed."""
        return self.verdict is Verdict.OURS

    @property
    def untagged(self) -> bool:
        """True if the resource is ours without anybody's tags or a record: AWS made it under our name."""
        return self.ours and self.seen.owner != self.owner and not self.recorded

    @property
    def adoptable(self) -> bool:
        """True if ``--adopt ADDRESS`` may take the resource over: never from another stack of tapctl."""
        if self.verdict not in (Verdict.OTHER_OWNER, Verdict.OTHER_ENVIRONMENT, Verdict.NO_CLAIM):
            return False
        theirs = self.seen.owner
        elsewhere = self.verdict is Verdict.OTHER_ENVIRONMENT or (theirs is not None and theirs.scope != "")
        return not (elsewhere and theirs is not None and _is_of_tapctl(theirs, self.owner))

    @property
    def overwritten(self) -> bool:
        """True if automation has overwritten our tags: the record's identity and the suffix's tag still say ours."""
        theirs = self.seen.owner
        return (
            self.verdict is Verdict.OTHER_OWNER
            and self.recorded
            and theirs is not None
            and (theirs.suffix, theirs.scope) == (self.owner.suffix, "")
            and not theirs.is_of_another_environment(self.owner)
        )

    @property
    def evidence(self) -> str:
        """The tags that the resource has: ``its tags say: ManagedBy=terraform, EnvironmentSuffix=shop``."""
        but = f", but {self._doubt}" if self._doubt else ""
        return f"its tags say: {self.tags}{f', without {self._lacks}' if self._lacks else ''}{but}"

    @property
    def tags(self) -> str:
        """The owner tags first, then the others, as far as they are shown: one line, whatever breaks are in them."""
        live: Mapping[str, str] = getattr(self.seen.spec, "tags", {})
        others = [
            f"{key}={value}"[:_SHOWN_TAG]
            for key, value in sorted(live.items())
            if key not in {*self.owner.tags, "Name"} and self.seen.owner is None
        ]
        more = [f"{len(others) - _SHOWN_TAGS} more"] if len(others) > _SHOWN_TAGS else []
        return " ".join(", ".join([self.owner_tags, *others[:_SHOWN_TAGS], *more]).splitlines())

    @property
    def owner_tags(self) -> str:
        """The tags that tell an owner: ``ManagedBy=terraform, EnvironmentSuffix=shop``."""
        return " ".join(_owner_tags(self.seen.owner).splitlines())

    @property
    def _unwanted_hint(self) -> str:
        if self.seen.owner == self.owner:
            known = f"put {self.address} into the configuration, apply, and take it out again"
            return f"the record tells of another one: {known}"
        tags = [*(f"{key}={value}" for key, value in self.owner.tags.items()), *filter(None, [self._lacks])]
        return (
            f"if it is ours, set its tags {', '.join(tags)}; if it is not, take its entry out of the record; "
            "then run the same command again"
        )

    @property
    def _tags_to_set(self) -> str:
        """The sentence that names the tags which stop us: those that differ, or lack where no record holds it."""
        theirs = self.seen.owner or Owner("", "")
        tags = [
            f"{key}={ours}"
            for (key, ours), live in zip(self.owner.tags.items(), theirs.tags.values(), strict=True)
            if live != ours and (live or not self.recorded)
        ]
        tags += [theirs.lacks] if theirs.lacks and (theirs.scope or not self.recorded) else []
        return f"set its tag{'s' if len(tags) > 1 else ''} {', '.join(tags)}, then run the same command again"

    @property
    def _lacks(self) -> str:
        """The further tag without which the others tell no stack of ours; empty where nothing lacks."""
        return self.seen.owner.lacks if self.seen.owner else ""

    @property
    def _doubt(self) -> str:
        """The words on what else the resource tells against its tags; empty where nothing does."""
        return self.seen.owner.doubt if self.seen.owner else ""

    def error(self, *, wanted: bool = True) -> Refused:
        """Make the refusal of a resource that is not ours, or may be somebody else's.

        ``wanted``: True if the configuration has the resource: an apply can take over no other.
        """
        left = "it was left untouched"
        if self.verdict is Verdict.UNREADABLE:
            denied = self.seen.unreadable.get("tags") or self.seen.owner_unread
            return Refused(
                f"{self.address} exists, and whose it is could not be read; {left}",
                evidence=f"denied: {denied}",
                hint=f"allow {denied}, then run the same command again",
            )
        if self.verdict is Verdict.NOT_A_NAME:
            return Refused(
                f"{self.address} is no name that {self.owner.suffix} can have; {left}",
                evidence=self.evidence,
                hint="nothing outside those names is ever touched, whatever its tags or the record say",
            )
        if self.verdict is Verdict.OTHER_ENVIRONMENT and not self.adoptable:
            return Refused(
                f"{self.address} exists and is of another environment; {left}",
                evidence=self.evidence,
                hint=self._tags_to_set
                if self.recorded
                else "name that environment with --env, or use another --suffix",
            )
        if not self.adoptable:
            scope = self.seen.owner.scope if self.seen.owner else ""
            own = "use another --suffix here, or end what ties it to that"
            return Refused(
                f"{self.address} exists and is of the same suffix, for {scope}; {left}",
                evidence=self.evidence,
                hint=self._tags_to_set if self.recorded and self._lacks else own,
            )
        if self.verdict is Verdict.NO_CLAIM and self._doubt:
            return Refused(
                f"{self.address} exists, and its tags alone tell that it is ours; {left}",
                evidence=self.evidence,
                hint="see whose it is, and set its tags back; use another --suffix here",
            )
        if self.verdict is Verdict.NO_CLAIM and self._lacks:
            return Refused(
                f"{self.address} exists, and nothing tells that it is ours; {left}",
                evidence=self.evidence,
                hint=f"if it is: {self._tags_to_set}; if not, use another --suffix here",
            )
        if not wanted:
            return Refused(
                f"{self.address} exists and is not ours; {left}", evidence=self.evidence, hint=self._unwanted_hint
            )
        if self.overwritten:
            return Refused(
                f"{self.address} exists and is not ours; {left}",
                evidence=f"{self.evidence}; the record and the tag of the suffix say that it was ours",
                hint="where automation has overwritten our tags, take all such resources back: apply with --adopt all",
            )
        return Refused(
            f"{self.address} exists and is not ours; {left}",
            evidence=self.evidence,
            hint=f"use another --suffix, rename that resource, or take it over: apply with --adopt {self.address}",
        )


@dataclass(frozen=True)
class Claimant:
    """The one who claims resources: this stack, by its owner tags and by the names that it can have."""

    owner: Owner
    may_have_name: Callable[[str, str], bool]
    """True if a resource of this type and id is one that the suffix can have."""
    chosen_name: Callable[[str, str], bool] = lambda _, __: False
    """True if such a name is one that people choose, and that the configuration does not have."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags that the configuration sets beside those of the owner and ``Name``; none where it cannot be used."""

    def judge(
        self,
        reconciler: Reconciler[Any, Any],
        id: str,
        seen: Observed[Any, Any],
        *,
        recorded: Mapping[str, str] | None,
        just_made: bool = False,
        known: bool = False,
    ) -> Ownership:
        """Tell whose the resource is.

        Args:
            reconciler: its type.
            id: its id.
            seen: its observation.
            recorded: the outputs of the record's entry (`Entry.claim`); None where there is no entry.
            just_made: True if this run has made the resource: its tags show later than itself.
            known: True if this run has judged the resource of this name ours before, and has made or changed it.
        """
        same = recorded is not None and seen.outputs is not None and _are_same(seen.outputs, recorded)
        if reconciler.name_is_identity and self._is_tagged_by_others(seen):
            same = False
        # A bare name proves nothing of what AWS does not make like that: somebody has set it up.
        is_told = seen.owner is not None or known or recorded is not None
        untagged_is_ours = just_made or (reconciler.created_by_aws and (seen.is_default or is_told))
        held = same or recorded == {}
        verdict = self._verdict(reconciler, id, seen, same=same, held=held, untagged_is_ours=untagged_is_ours)
        if verdict is Verdict.OURS and seen.owner_unread and not (held or known):
            verdict = Verdict.UNREADABLE
        return Ownership(verdict, address(reconciler.type, id), self.owner, seen, same)

    def _verdict(
        self,
        reconciler: Reconciler[Any, Any],
        id: str,
        seen: Observed[Any, Any],
        *,
        same: bool,
        held: bool,
        untagged_is_ours: bool,
    ) -> Verdict:
        theirs = seen.owner
        if not self.may_have_name(reconciler.type, id):
            return Verdict.NOT_A_NAME
        if theirs is not None and theirs.excludes(self.owner):
            may_be_of_tapctl = not theirs.managed_by or _is_of_tapctl(theirs, self.owner)
            elsewhere = may_be_of_tapctl and theirs.is_of_another_environment(self.owner)
            return Verdict.OTHER_ENVIRONMENT if elsewhere else Verdict.OTHER_OWNER
        tagged = theirs == self.owner
        # What a run has begun and not read back is recorded without outputs: beside our tags that is the record's word.
        claimed = tagged and held if self.chosen_name(reconciler.type, id) else tagged or same
        if claimed or (untagged_is_ours and self._is_untagged(seen)):
            return Verdict.OURS
        return Verdict.UNREADABLE if owner_is_unreadable(seen) else Verdict.NO_CLAIM

    def _is_tagged_by_others(self, seen: Observed[Any, Any]) -> bool:
        """True if the resource bears tags, none that name an owner, and not those that ours have beside them."""
        unnamed = seen.owner is None or not (seen.owner.managed_by or seen.owner.suffix)
        return unnamed and "tags" not in seen.unreadable and self._bears_tags_of_others(seen)

    def _bears_tags_of_others(self, seen: Observed[Any, Any]) -> bool:
        """True if the resource bears tags beside the owner's and the name's, and not all of those that ours have.

        Each of them alone may be anybody's: an organisation sets its cost centre on the things of many teams.
        """
        live: Mapping[str, str] = getattr(seen.spec, "tags", {})
        bears_ours = bool(self.tags) and self.tags.items() <= live.items()
        return bool(live.keys() - {*self.owner.tags, "Name"}) and not bears_ours

    def _is_untagged(self, seen: Observed[Any, Any]) -> bool:
        """True if nobody else has tagged the resource: it bears no tags, or the owner's in part, beside none of others.

        AWS itself tags nothing.
        """
        if seen.owner is not None:
            return bool(seen.owner.managed_by or seen.owner.suffix) and not self._bears_tags_of_others(seen)
        return not owner_is_unreadable(seen) and not getattr(seen.spec, "tags", None)

    def check_entries(self, entries: Iterable[Entry], where: str) -> None:
        """Make sure that each recorded resource bears a name that this suffix can have; ``where``: the record's place.

        Raises:
            ManifestError: an entry does not. Nothing of such a record is acted upon.
        """
        foreign = sorted(entry.address for entry in entries if not self.may_have_name(entry.type, entry.id))
        if not foreign:
            return
        named = foreign[0] if len(foreign) == 1 else f"{len(foreign)} resources"
        raise ManifestError(
            f"the record of {self.owner.suffix} holds {named} that {self.owner.suffix} cannot have",
            evidence="\n".join([f"{where} records", *first_few(foreign, _SHOWN_ENTRIES)]),
            hint="somebody has written into the record: put an earlier version of it back, or take these entries out; "
            "if a newer tapctl has written it: upgrade tapctl",
        )


def _is_of_tapctl(theirs: Owner, ours: Owner) -> bool:
    """True if the tags are those of tapctl, though automation may have overwritten the one that names it."""
    return theirs.managed_by == MANAGED_BY or theirs.suffix == ours.suffix


def _are_same(outputs: Outputs, recorded: Mapping[str, str]) -> bool:
    told = type(outputs).model_fields.keys()
    return bool(told) and recorded.keys() == told and not outputs.changed_from(recorded)


def other_identity(reconciler: Reconciler[Any, Any], entry: Entry | None, seen: Observed[Any, Any]) -> str:
    """Tell the two identities where the resource is another one than is recorded, by `Reconciler.identity`; else empty.

    A record without outputs, or of what was never read back, tells of none.
    """
    spec = entry.confirmed_spec if entry is not None else None
    recorded = {} if entry is None or spec is None else {**spec, **(entry.outputs or {})}
    name = reconciler.identity
    if seen.outputs is None or seen.deleting or name not in recorded:
        return ""
    live = {**dict(seen.spec), **seen.outputs.model_dump()}[name]
    return f"{name} {recorded[name]} → {live}" if live != recorded[name] else ""


def command_back(
    reconciler: Reconciler[Any, Any], id: str, recorded: Mapping[str, str], observations: Iterable[Any]
) -> str:
    """The command that puts the resource with these recorded outputs back under its name; empty where none does.

    ``observations``: all there are. Who may write the record may name anybody's resource there; the real one is what
    AWS tells that others of ours are made with, or that is told as a second one of ours.
    """
    values = [value for one in observations if isinstance(one, Observed) for value in dict(one.spec).values()]
    used = {text for value in values for text in ((value,) if isinstance(value, str) else _texts(value))}
    if not reconciler.puts_back or used.isdisjoint(recorded.values()):
        return ""
    return reconciler.puts_back.format(id=shlex.quote(id), recorded=shlex.quote(recorded[reconciler.identity]))


def _texts(value: object) -> Iterable[str]:
    return (item for item in value if isinstance(item, str)) if isinstance(value, frozenset) else ()


def stand_in_error(
    reconciler: Reconciler[Any, Any],
    id: str,
    entry: Entry | None,
    seen: Observed[Any, Any],
    observations: Iterable[Any],
) -> Refused | None:
    """The refusal of what bears the name while the recorded resource is there beside it; None where that is not so.

    No consent sets it aside: one command puts the recorded one back. ``observations``: all there are.
    """
    told = other_identity(reconciler, entry, seen)
    recorded = (entry.outputs or {}) if entry is not None else {}
    back = command_back(reconciler, id, recorded, observations) if told else ""
    return replaced_error(reconciler, address(reconciler.type, id), told, "", back=back) if back else None


def replaced_error(reconciler: Reconciler[Any, Any], address: str, told: str, hint: str, *, back: str = "") -> Refused:
    """The refusal of a resource that somebody has put in the place of the recorded one; ``told``: `other_identity`.

    ``hint``: what leads on where the one that is there is meant; empty where nothing does. ``back``: the command that
    puts the recorded one back (`command_back`).
    """
    if not reconciler.holds_data:
        tags = "see whose each of them is: put our tags back on the one that is ours, and take them off the other"
        return Refused(
            f"{address} is another one than the recorded one, though it bears our tags; it was left untouched",
            evidence=f"recorded → there: {told}",
            hint="; ".join(filter(None, (tags, hint))),
        )
    hint = "; ".join(filter(None, (f"put the recorded one back: {back}" if back else "", hint)))
    return Refused(
        f"{address} was replaced outside tapctl: the one that is there holds other data",
        evidence=f"recorded → there: {told}",
        hint=hint,
    )


def owner_is_unreadable(seen: Observed[Any, Any]) -> bool:
    """True if the tags could not be read: nobody knows whose the resource is."""
    return seen.owner is None and "tags" in seen.unreadable


def _owner_tags(owner: Owner | None) -> str:
    if owner is None:
        return "no owner tags"
    managed_by = owner.managed_by or "-"
    if owner.scope:
        named = owner.managed_by or owner.suffix
        managed_by = f"{owner.managed_by}, for {owner.scope}" if named else f"({owner.scope})"
    environment = f", Environment={owner.environment}" if owner.environment else ""
    return f"ManagedBy={managed_by}, EnvironmentSuffix={owner.suffix or '-'}{environment}"
