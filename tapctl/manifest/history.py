"""The history of a manifest: each version that was replaced, and each lock that was taken away."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby, islice
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError, Refused, TapctlError, first_few
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import (
    MAX_BYTES,
    SKEW,
    TIME_FORMAT,
    Damaged,
    Manifest,
    check_serial,
    is_of_tomorrow,
    is_reached,
    parse,
)
from tapctl.manifest.store import Store
from tapctl.safety.json_errors import shape_problems

HISTORY = "history"
"""The folder, inside the store, of the histories of all suffixes."""
_VERSION = re.compile(r"([0-9]{8,})-[A-Za-z0-9-]*\.json")
"""The name of a version, as `version_name` makes it."""
_UNLOCK = re.compile(r"unlock-.*\.json")
_ROOM = 100_000
"""Serials that are left for the runs to come: a run writes some tens of versions."""
_PARALLEL_READS = 8
"""Versions that are read at once: each is an object of its own."""
_TRIED = 8
"""Newest versions that can be used, of which one tells that there is a later one."""
_LOOKED_AT = 64
"""Newest files that are looked at for those: whoever may write there may put many that cannot be used before them."""
_NOTES = 200
"""Newest notes of unlockings that are read: an unlocking has two."""
_READ_BYTES = 16 * 1024 * 1024
"""Bytes that one look reads: of a whole stack some 300 versions, of the largest record that a run can write a few."""
_NAMED = 5
"""Files that are named where more are meant."""

Place = tuple[str, str, str]
"""The environment, the account and the region that a record is of."""
Broken = Callable[[str, ManifestError], object]
"""Takes the name of a file of the history that cannot be used, and why: the others are read all the same."""


class Kept(NamedTuple):
    """A file of the history, as it is listed."""

    serial: int
    """By its name, as a version has it."""
    name: str
    size: int
    """In bytes."""


class OfAnotherPlace(ManifestError):
    """A version in the history is of another environment, account or region than the record."""

    def __init__(self, file: str, version: Manifest, place: Place) -> None:
        self.version = version
        self.where, own = (
            f"{env} in account {account}, {region}" for env, account, region in (place_of(version), place)
        )
        super().__init__(
            f"{file} is of {self.where}, and not of {own}",
            evidence=version.stamp,
            hint="no version of another place is to be put back here: move it away, then run the same command again",
        )


class Misplaced(ManifestError):
    """A file of the history is of another suffix, or another version, than its place and name say."""

    def __init__(self, cause: str, evidence: str) -> None:
        hint = "somebody has written there: move it away, then run the same command again"
        super().__init__(cause, evidence=evidence, hint=hint)


class SerialsUsedUp(ManifestError):
    """A version in the history bears a serial that no run has reached, and leaves none for the runs to come."""


class Unlock(BaseModel):
    """A lock that somebody has taken away, or has begun to."""

    model_config = ConfigDict(frozen=True)

    at: str
    """UTC, ISO 8601."""
    by: LockHolder
    lock: LockInfo
    done: bool

    @property
    def name(self) -> str:
        """The file's name in the history. Each unlocking has two, so that none is shown that did not happen."""
        return f"unlock-{_safe(self.at)}-{_safe(self.lock.id)}-{'done' if self.done else 'asked'}.json"

    def encode(self) -> bytes:
        """The text that is stored."""
        return self.model_dump_json(indent=2, by_alias=True).encode()


@dataclass(frozen=True)
class VersionDiff:
    """The addresses in which one version differs from an earlier one, each list sorted."""

    begun: list[str]
    """Resources whose making, changing or removal was begun."""
    made: list[str]
    changed: list[str]
    """Resources that the earlier version has as made, and that were changed, or read back anew."""
    removed: list[str]

    @property
    def lists(self) -> dict[str, list[str]]:
        """The four lists by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        parts = [f"{len(addresses)} {name}" for name, addresses in self.lists.items() if addresses]
        return " · ".join(parts) or "nothing made, changed or removed"


def history_folder(suffix: str) -> str:
    """The folder of this suffix's history inside the store, with a slash at its end."""
    return f"{HISTORY}/{suffix}/"


def version_name(manifest: Manifest) -> str:
    """The file's name of this version in the history."""
    return f"{manifest.serial:08}-{_safe(manifest.run)}.json"


def is_version(name: str) -> bool:
    """True if a file of the history bears the name of a version."""
    return _VERSION.fullmatch(name) is not None


def versions(
    store: Store,
    suffix: str,
    newest: int,
    current: Manifest | None,
    *,
    broken: Broken | None = None,
    place: Place | None = None,
) -> tuple[list[Manifest], int]:
    """Read the ``newest`` replaced versions, oldest first, before the ``current`` one; and count the older ones.

    ``current``: None where there is none, or it cannot be used. ``place``: the record's, where its versions of other
    places cannot be used.

    Raises:
        ManifestError: one of them is no manifest, and nobody takes what is ``broken``.
    """
    kept = newest_kept(store, suffix)
    if current is not None:
        # An interrupted write has archived a version that it then did not replace.
        kept = [each for each in kept if each.name != version_name(current)]
    selected = within_reach(kept, newest)
    replaced = _read_all(store, suffix, selected[::-1], broken, place)
    return [*replaced, *([current] if current else [])], len(kept) - len(selected)


def version(
    store: Store, suffix: str, serial: int, current: Manifest | None, place: Place | None = None
) -> Manifest | None:
    """Read the version with this serial, or take the ``current`` one; of several the one written last.

    There are several where an older manifest was put back.

    Raises:
        ManifestError: what bears its name is no manifest, or one of another ``place`` than the record's.
    """
    kept = [each for each in newest_kept(store, suffix) if each.serial == serial]
    reached = within_reach(kept)
    broken: list[ManifestError] = []
    candidates = _read_all(store, suffix, reached, lambda _, error: broken.append(error), place)
    unread = kept[len(reached) :]
    if current is not None and current.serial == serial:
        candidates.append(current)
    if (broken or unread) and not candidates:
        raise _none_usable_error(suffix, broken, unread, f" with serial {serial}")
    return max(candidates, key=lambda manifest: manifest.written_at, default=None)


def newest_kept(store: Store, suffix: str, since: int = 0) -> list[Kept]:
    """List the files of the kept versions with this serial and later ones, newest first."""
    listed = store.list_history(suffix, f"{since:08}" if since else "").items()
    matches = ((_VERSION.fullmatch(name), name, size) for name, size in listed)
    return sorted((Kept(int(match[1]), name, size) for match, name, size in matches if match), reverse=True)


def within_reach(newest_first: Iterable[Kept], most: int = _LOOKED_AT) -> list[Kept]:
    """The first of these files, so many as one look reads: at ``most``, and in all no more bytes than it may.

    Whoever may write to a history may put there what takes minutes to read. What is too large is not fetched.
    """
    reached, room = list[Kept](), _READ_BYTES
    for each in islice(newest_first, most):
        room -= each.size if each.size <= MAX_BYTES else 0
        if room < 0:
            break
        reached.append(each)
    return reached


def read_own(store: Store, manifest: Manifest, kept: Sequence[Kept], broken: Broken) -> list[Manifest]:
    """Read the versions in these files; those of another place than the record's are none of its own."""

    def pass_on(name: str, error: ManifestError) -> None:
        if not isinstance(error, OfAnotherPlace):
            broken(name, error)

    return _read_all(store, manifest.suffix, kept, pass_on, place_of(manifest))


def later_version(
    store: Store, suffix: str, manifest: Manifest, is_of_no_run: Callable[[Manifest], bool] = lambda _: False
) -> Manifest | None:
    """Read a kept version that is later than this one, which then is an old one that was put back; None if none is.

    The serial tells it, and, where somebody has written another one into it, run and time do; a record of tomorrow has
    no time that tells anything, nor has such a version. Of the versions with no higher serial the last one is read.
    Files that cannot be used, and versions of another place, which somebody has put there, hide none; nor do those that
    would be later and that no run has written (``is_of_no_run``).

    Raises:
        ManifestError: nobody can tell: what bears the highest serials cannot be used, or it is older by its time (or of
            tomorrow), or no version leads up to it. No run has written a lower serial than the history has: somebody
            has written one into the record, has put the version there, or has taken away what was before it.
    """
    of_tomorrow, listed = is_of_tomorrow(manifest), newest_kept(store, suffix)
    kept = [each for each in listed if each.name != version_name(manifest)]
    higher = [each for each in kept if each.serial > manifest.serial]
    lower = kept[len(higher) :]
    serials, broken, astray = {each.serial for each in listed}, list[str](), list[str]()
    above, below = (_usable(store, suffix, some, place_of(manifest), broken) for some in (higher, lower))
    for one in above:
        if is_of_no_run(one):
            continue
        is_younger = of_tomorrow or (one.written_at >= manifest.written_at and not is_of_tomorrow(one))
        if is_younger and one.serial - 1 in serials:
            return one
        astray.append(version_name(one))
    blind = astray or broken[:]
    newest = None
    for newest in (one for one in below if of_tomorrow or not is_of_tomorrow(one)):
        earlier = {_run_in(each.name) for each in kept if each.serial < newest.serial}
        if not _is_later(newest, manifest, earlier):
            break
        if not is_of_no_run(newest):
            return newest
    if doubtful := blind or (broken if newest is None else []):
        higher_serials = (
            f"the history of {suffix} has higher serials than the record, and nobody can tell which is newer"
        )
        raise ManifestError(
            higher_serials if astray else f"the newest files in the history of {suffix} cannot be used",
            evidence=", ".join([*doubtful[:_NAMED], *(["and more"] if len(doubtful) > _NAMED else [])]),
        )
    return None


def _is_later(kept: Manifest, manifest: Manifest, earlier: Collection[str]) -> bool:
    """True if the newest kept version, whose serial is no higher, is later than the record all the same.

    ``earlier``: the runs of the versions before it. Each version has the time of who wrote it, by that one's clock.
    """
    behind = _moment(manifest) - _moment(kept)
    if kept.run != manifest.run and _safe(manifest.run) in earlier:
        return behind <= SKEW  # no run goes on once another one has written
    if kept.run != manifest.run and kept.serial + 1 < manifest.serial:
        return behind <= timedelta()  # no version leads up to its serial
    return behind < -SKEW


def _moment(manifest: Manifest) -> datetime:
    """The time at which the manifest was written, by its own word; long ago where that is none."""
    with suppress(ValueError):
        return datetime.strptime(manifest.written_at, TIME_FORMAT).replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)


def highest_serial(store: Store, suffix: str) -> int:
    """Read the newest kept version for its serial, from which the next write goes on; 0: none is kept.

    A file that cannot be used has a name that somebody may have made up; so has one that no run can have reached.

    Raises:
        SerialsUsedUp: the next run would come to a serial that no record may have.
    """
    for each in within_reach(one for one in newest_kept(store, suffix) if is_reached(one.serial)):
        if _tried(store, suffix, each, lambda _, __: None) is None:
            continue
        if not is_reached(each.serial + _ROOM):
            raise SerialsUsedUp(
                f"the history of {suffix} has a version with a serial that no run has reached",
                evidence=f"{history_folder(suffix)}{each.name}",
                hint="no run of yours has written it: move it away, then run the same command again",
            )
        return each.serial
    return 0


def _usable(
    store: Store, suffix: str, kept: Sequence[Kept], place: Place, broken: list[str] | None = None
) -> Iterator[Manifest]:
    """Read the versions in the first of these files that can be used and are of this place.

    ``broken``: takes the names of those that cannot be used, and of those that are not read.
    """
    names = broken if broken is not None else []
    reached = within_reach(kept)
    for each in reached:
        found = _tried(store, suffix, each, lambda name, _: names.append(name))
        if found is not None and place_of(found) == place:
            yield found
    names += [each.name for each in kept[len(reached) :]]


def _run_in(name: str) -> str:
    """The run that the name of a version bears."""
    return name.partition("-")[2].removesuffix(".json")


def place_of(manifest: Manifest) -> Place:
    """The environment, the account and the region that this record is of."""
    return manifest.environment, manifest.account, manifest.region


def last_version(store: Store, suffix: str, place: Place | None = None) -> Manifest | None:
    """Read the newest kept version that can be used; None if no version is kept.

    Of several with one serial it is the one written last, as in `version`. ``place``: the only one that it may be of.

    Raises:
        ManifestError: there are versions, and none that can be used.
    """
    broken: list[ManifestError] = []
    kept = newest_kept(store, suffix)
    reached = within_reach(kept)
    for _, alike in groupby(reached, key=lambda each: each.serial):
        read = [_tried(store, suffix, each, lambda _, error: broken.append(error)) for each in alike]
        usable = [found for found in read if found is not None and place in (None, place_of(found))]
        if usable:
            return max(usable, key=lambda manifest: manifest.written_at)
    unread = kept[len(reached) :]
    if broken or unread:
        raise _none_usable_error(suffix, broken, unread)
    return None


def is_led_up_to(
    store: Store,
    suffix: str,
    one: Manifest,
    may_precede: Callable[[Manifest], bool],
    unread: Callable[[str, TapctlError], object],
) -> bool:
    """True if the kept version right before this one is one that ``may_precede`` it, or none is kept before it.

    Each write of a run takes the next serial. What leaves some out, or follows another record, no run has written. Of a
    version that is ``unread`` (in an archive, damaged, denied) nobody can tell: it takes the file's name, and why.
    """
    before = [each for each in newest_kept(store, suffix) if each.serial < one.serial]
    right_before = [each for each in before if each.serial == one.serial - 1]
    reached = within_reach(right_before)
    for each in reached:
        try:
            if may_precede(_own_version(_content(store, suffix, each), suffix, each.name)):
                return True
        except Misplaced:
            continue
        except (ManifestError, Refused) as error:
            unread(each.name, error)
    for each in right_before[len(reached) :]:
        unread(each.name, _unread_error(suffix, each))
    return not before


def ends_of_runs(store: Store, manifest: Manifest) -> Iterator[Manifest]:
    """Read the last kept version of each run, its own too, that is before this one, newest first; of the last few runs.

    Files that cannot be used, and versions of another place, are none.
    """
    last: dict[str, Kept] = {}
    for each in newest_kept(store, manifest.suffix):
        if each.serial < manifest.serial:
            last.setdefault(_run_in(each.name), each)
    yield from islice(_usable(store, manifest.suffix, [*last.values()], place_of(manifest)), _TRIED)


def unlocks(store: Store, suffix: str, broken: Broken | None = None) -> tuple[list[Unlock], int]:
    """Read who took a lock away, and when, oldest first, by the newest notes of that; and count the older notes.

    Raises:
        ManifestError: one of the files is broken, and nobody takes what is ``broken``.
    """
    listed = sorted(store.list_history(suffix).items(), reverse=True)
    notes = [Kept(0, name, size) for name, size in listed if _UNLOCK.fullmatch(name)]
    reached = within_reach(notes, _NOTES)
    found: list[Unlock] = []
    for note, content in zip(reached, _contents(store, suffix, reached), strict=True):
        try:
            found.append(_unlock_in(content, f"{history_folder(suffix)}{note.name}"))
        except ManifestError as error:
            _pass_on(note.name, error, broken)
    return sorted(found, key=lambda unlock: (unlock.at, unlock.done)), len(notes) - len(reached)


def diff_versions(before: Manifest | None, after: Manifest) -> VersionDiff:
    """List the resources that changed between two versions; ``before`` is None for the first."""
    old = before.entries if before else {}
    touched = {address for address, entry in after.entries.items() if not _is_same(entry, old.get(address))}
    return _sorted_out(touched | (old.keys() - after.entries), old, after.entries)


def diff_run(before: Manifest | None, written: Sequence[Manifest]) -> VersionDiff:
    """List the resources that a run has changed, as its last version has them; ``written``: its versions, in order.

    A value that was put back is one of them: the run has begun it, although its first and last version are the same.
    A resource that is recorded with other needs alone is none: nothing was done with it.
    """
    touched: set[str] = set()
    for earlier, later in zip([before, *written], written, strict=False):
        touched |= {address for addresses in diff_versions(earlier, later).lists.values() for address in addresses}
    old, new = before.entries if before else {}, written[-1].entries
    reordered = {
        address
        for address in touched & old.keys() & new.keys()
        if old[address].needs != new[address].needs and _is_same(new[address], old[address])
    }
    return _sorted_out(touched - reordered, old, new)


def _is_same(entry: Entry, before: Entry | None) -> bool:
    return entry == before or (before is not None and entry.state == before.state)


def _sorted_out(touched: set[str], old: Mapping[str, Entry], new: Mapping[str, Entry]) -> VersionDiff:
    there = [address for address in sorted(touched) if address in new]
    done = [address for address in there if new[address].phase is Phase.MADE]
    known = {address for address in done if address in old and old[address].confirmed_spec is not None}
    return VersionDiff(
        begun=[address for address in there if new[address].phase in (Phase.MAKING, Phase.LEAVING)],
        made=[address for address in done if address not in known],
        changed=[address for address in done if address in known],
        removed=sorted(touched - new.keys()),
    )


def _read_all(
    store: Store, suffix: str, kept: Sequence[Kept], broken: Broken | None, place: Place | None
) -> list[Manifest]:
    """The versions in these files; those that cannot be used, or are of another place, are passed on."""
    contents = zip(kept, _contents(store, suffix, kept), strict=True)
    read = (_parsed(content, suffix, each.name, broken, place) for each, content in contents)
    return [manifest for manifest in read if manifest is not None]


def _tried(store: Store, suffix: str, kept: Kept, broken: Broken) -> Manifest | None:
    """The version in this file; None where it cannot be used, which is passed on."""
    return _parsed(_fetched(store, suffix, kept), suffix, kept.name, broken)


def _contents(store: Store, suffix: str, kept: Sequence[Kept]) -> Iterator[bytes | ManifestError]:
    """The contents of these files, or why one is unread. Some are fetched at once, and none is parsed beside another.

    Parsed, one takes many times its size.
    """
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        yield from pool.map(partial(_fetched, store, suffix), kept)


def _fetched(store: Store, suffix: str, kept: Kept) -> bytes | ManifestError:
    try:
        return _content(store, suffix, kept)
    except ManifestError as error:
        return error


def _content(store: Store, suffix: str, kept: Kept) -> bytes:
    if kept.size > MAX_BYTES:
        raise ManifestError(
            f"{history_folder(suffix)}{kept.name} is too large",
            evidence=f"it has {kept.size:,} bytes, a file of a history has at most {MAX_BYTES:,}",
            hint="somebody has written there: move it away, then run the same command again",
        )
    return store.read_history(suffix, kept.name)


def _parsed(
    content: bytes | ManifestError, suffix: str, name: str, broken: Broken | None, place: Place | None = None
) -> Manifest | None:
    try:
        return _own_version(content, suffix, name, place)
    except ManifestError as error:
        _pass_on(name, error, broken)
        return None


def _pass_on(name: str, error: ManifestError, broken: Broken | None) -> None:
    if broken is None:
        raise error
    broken(name, error)


def _own_version(content: bytes | ManifestError, suffix: str, name: str, place: Place | None = None) -> Manifest:
    manifest = _version_in(content, suffix, name)
    if place is not None and place_of(manifest) != place:
        # Where a suffix was elsewhere before, the history is of two records, whose versions are none of each other's.
        raise OfAnotherPlace(f"{history_folder(suffix)}{name}", manifest, place)
    return manifest


def _version_in(content: bytes | ManifestError, suffix: str, name: str) -> Manifest:
    if isinstance(content, ManifestError):
        raise content
    try:
        manifest = parse(content, history_folder(suffix) + name)
    except Damaged as error:
        # Of a file of the history there is no earlier copy, and no apply makes it anew.
        error.hint = _move_away(suffix)
        raise
    if manifest.suffix != suffix:
        raise Misplaced(
            f"{history_folder(suffix)}{name} is of suffix {manifest.suffix}, not of {suffix}", manifest.stamp
        )
    if version_name(manifest) != name:
        # Two files for one version would hide each other, and nobody could be told which is meant.
        raise Misplaced(
            f"{history_folder(suffix)}{name} is not the version that its name says",
            f"it holds serial {manifest.serial} of run {manifest.run}",
        )
    check_serial(manifest, history_folder(suffix) + name)
    return manifest


def _unlock_in(content: bytes | ManifestError, where: str) -> Unlock:
    if isinstance(content, ManifestError):
        raise content
    try:
        return Unlock.model_validate_json(content)
    except ValidationError as error:
        raise ManifestError(f"{where} is no record of an unlocking", evidence=shape_problems(error)) from None


def _none_usable_error(
    suffix: str, broken: Sequence[ManifestError], unread: Sequence[Kept], which: str = ""
) -> ManifestError:
    """The error for files of which none can be used: all of them at once, for whoever has to move them away.

    ``unread``: those that are out of reach; ``which``: of which files it is.
    """
    all_errors = [*broken, *(_unread_error(suffix, each) for each in unread)]
    if len(all_errors) == 1:
        return all_errors[0]
    counts = {"cannot be used": len(broken), "were not read": len(unread)}
    told = ", and ".join(f"{count} {words}" for words, count in counts.items() if count)
    return ManifestError(
        f"of the files{which} in the history of {suffix} {told}",
        evidence="\n".join(first_few([error.cause for error in all_errors], _NAMED)),
        hint=_move_away(suffix),
    )


def _move_away(suffix: str) -> str:
    """Tell what to do about files that somebody else than tapctl has put into the history."""
    return (
        f"see who has written to {history_folder(suffix)}, and move away what no run of yours has, "
        "then run the same command again"
    )


def _unread_error(suffix: str, kept: Kept) -> ManifestError:
    """The error for a file that is out of reach, see `within_reach`."""
    return ManifestError(
        f"{history_folder(suffix)}{kept.name} was not read: there are too many files, or too large ones, before it",
        hint=_move_away(suffix),
    )


def _safe(text: str) -> str:
    """Drop all that may not stand in a file's name: a manifest edited by hand must not lead out of the folder."""
    return re.sub(r"[^A-Za-z0-9-]", "", text)
