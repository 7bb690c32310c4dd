"""Settings that a record tells of and the files that were applied never wanted: somebody has written into it.

A record of the files as they are holds what an apply of them has read back, and so what they want: only code, network
and outputs are AWS's to tell. Where it tells of another value, rule or way in, or of a resource that they want not, it
is no evidence that an apply made that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from pydantic import ValidationError

from tapctl.config import Config
from tapctl.engine import refs
from tapctl.engine.diff import Difference, details
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.engine.record import Entry, Phase, recorded_value
from tapctl.engine.resources import AnyResource, Stack
from tapctl.evidence.other_files import may_be_of_other_files
from tapctl.evidence.recorded_files import VERSION, recorded_configs
from tapctl.names import Names
from tapctl.reconcilers import is_being_replaced, reconciler_of, registry
from tapctl.reconcilers.db_parameter_groups import DbParameterGroup
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import SENDS_CODE
from tapctl.reconcilers.sns_subscription import SnsSubscription, SnsSubscriptionSpec
from tapctl.stack.definition import recorded_stack
from tapctl.stack.network import NetworkContract
from tapctl.stack.provenance import Provenance, provenance_of
from tapctl.stack.waivers import may_be_door

_DECIDED_BY_MORE: Final[Mapping[str, Collection[str]]] = {
    # Another kind of package comes with other keys, which its table has only then.
    LambdaFunction.type: SENDS_CODE | {"handler", "runtime"},
    # A parameter of the team's may bring a library along.
    DbParameterGroup.type: {"parameters.shared_preload_libraries"},
}
"""By type the fields whose value follows from several keys at once: that none alone decides one proves nothing."""


def forged(
    config: Config,
    names: Names,
    entries: Mapping[str, Entry],
    network: NetworkContract | None,
    outputs: refs.KnownOutputs,
) -> Iterator[tuple[Entry, Difference | None]]:
    """List what of these entries the configuration that they are of does not want; None: the whole entry.

    In a difference the recorded value is what one has, and that of the files what is wanted. Without exposures, which
    no files want. ``network``: the recorded one; without it only fields that may let others in are compared.
    ``outputs``: those that each resource is made for.
    """
    stack = _stack(config, names, entries, network)
    yield from _unlike(stack, entries, _all if network else may_be_door, outputs)


def _all(_type: str, _field: str) -> bool:
    return True


def _is_structured(part: Difference) -> bool:
    """True for an item of a set that is no plain text: a rule, a statement."""
    return part.item and not isinstance(part.want if part.have is None else part.have, str)


def unproven(
    config: Config,
    names: Names,
    entries: Mapping[str, Entry],
    observed: refs.KnownOutputs,
    *,
    guards: Callable[[str, str], bool],
    network: NetworkContract | None,
) -> Iterator[tuple[str, Difference]]:
    """List, by address, what opens or guards, and is not recorded as the files want it with these outputs.

    In a difference the recorded value is what one has, and that of the files what is wanted; of what no files like
    these want at all neither is told.

    What is made of another resource's outputs is held against AWS's, for who writes one of the two into the record may
    write both; where AWS does not tell them, it counts as different. So does what no files like these want at all.
    ``guards``: True for a type's path that guards. ``network``: the one that the networking stack tells.
    """
    held = {place: entry for place, entry in entries.items() if entry.phase is not Phase.KEPT}
    for likely in (config, *recorded_configs(config, entries)):
        stack = _stack(likely, names, entries, network)
        here = {place: held.pop(place) for place in held.keys() & {one.address for one in stack}}
        for entry, part in _unlike(stack, here, _all, observed, strictly=True):
            assert part is not None, "the stack has it"
            name = part.path.partition(".")[0]
            made = refs.needs(getattr(stack[entry.address].spec, name))
            if made or may_be_door(entry.type, name) or guards(entry.type, part.path):
                yield entry.address, part
    for place, entry in held.items():
        names_of = reconciler_of(entry).spec.model_fields
        unlike = (name for name in names_of if may_be_door(entry.type, name) or guards(entry.type, name))
        yield from ((place, Difference(name, None, None)) for name in unlike)


def forged_whatever_the_files(
    config: Config,
    names: Names,
    entries: Mapping[str, Entry],
    network: NetworkContract | None,
    outputs: Iterable[refs.KnownOutputs],
    *,
    cut_off: Observations | None = None,
) -> Iterator[tuple[Entry, Difference]]:
    """List what of these entries no files can want, whichever they are of: another value where no key decides one.

    So is a rule or a statement, of ours or not, that no team can have added and no key have changed.

    ``outputs``: for some of these each resource is made. ``cut_off``: AWS's answers, where a run did not finish; of a
    resource that is half made what AWS has is listed in the place of what is recorded.
    """
    known = [*outputs]
    compared = {place: entry for place, entry in entries.items() if entry.phase is Phase.MADE}
    compared.update(_half_made(entries, cut_off or {}))
    for likely in recorded_configs(config, entries):
        stack, provenance = _stack(likely, names, entries, network), provenance_of(likely, names.suffix)
        here = {place: compared.pop(place) for place in compared.keys() & {one.address for one in stack}}
        differences = _unlike_all(stack, here, _all if network else may_be_door, known)
        for one, part in differences:
            entry = entries[one.address]
            is_made = entry.phase is Phase.MADE
            if not is_made and not _is_begun(entry, part):
                continue
            if _is_structured(part):
                beside = (other for at, other in differences if (at, other.path) == (one, part.path))
                may_differ = not is_made or _may_differ(names, entry, part, beside)
            else:
                by_more = part.path in _DECIDED_BY_MORE.get(entry.type, ())
                may_differ = by_more or _may_be_decided(provenance, entry, part, whole=not cut_off)
            if not may_differ:
                yield entry, part
    yield from _unlike_any_subscription(one for one in compared.values() if one.type == SnsSubscription.type)


def _unlike_any_subscription(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Difference]]:
    """List what of these subscriptions is set otherwise than of every subscriber that files may name."""
    for entry in entries:
        for name, field in SnsSubscriptionSpec.model_fields.items():
            have = entry.spec.get(name, field.default)
            if not field.is_required() and have != field.default:
                yield entry, Difference(name, have, field.default)


def _half_made(entries: Mapping[str, Entry], observed: Observations) -> Iterator[tuple[str, Entry]]:
    """The entries that a run has left half done, as made, with what AWS has in the place of what is recorded."""
    for place, entry in entries.items():
        seen = observed.get(place)
        if entry.phase in (Phase.MAKING, Phase.LEAVING) and isinstance(seen, Observed) and not seen.deleting:
            spec = {name: value for name, value in refs.to_json(seen.spec).items() if name not in seen.unreadable}
            yield place, entry.model_copy(update={"phase": Phase.MADE, "spec": spec, "confirmed": None, "carried": {}})


def _is_begun(entry: Entry, part: Difference) -> bool:
    """True if the difference is none that a first apply has not come to yet, or a removal leaves on its way.

    A replacement begins with a removal.
    """
    lacks = part.have is None and is_being_replaced(entry)
    name = part.path.partition(".")[0]
    is_changed = entry.phase is Phase.MAKING and name not in entry.unconfirmed and not lacks
    return is_changed or (part.have is not None and may_be_door(entry.type, name))


def _may_be_decided(provenance: Provenance, entry: Entry, part: Difference, *, whole: bool) -> bool:
    """True if other files may want another value; ``whole``: a run got to its end, and left one version everywhere."""
    keys = {key.path for key in provenance.keys(entry.address, part.path)}
    follows_from_version = whole and keys == {VERSION} and part.path != "engine_version"
    if follows_from_version or provenance.is_constant(entry.address, part.path):
        return False
    # An item of a set by itself tells no value.
    return part.item or provenance.may_be(entry.address, part.path, part.have)


def _unlike_all(
    stack: Stack,
    entries: Mapping[str, Entry],
    compares: Callable[[str, str], bool],
    known: Iterable[refs.KnownOutputs],
) -> list[tuple[Entry, Difference]]:
    """List what of these entries, which the stack has, is as with none of the known outputs."""
    first, *others = (
        [(entry, part) for entry, part in _unlike(stack, entries, compares, each) if part is not None] for each in known
    )
    also = [{_shown(entry, part) for entry, part in other} for other in others]
    return [(entry, part) for entry, part in first if all(_shown(entry, part) in other for other in also)]


def _shown(entry: Entry, part: Difference) -> tuple[str, str, bool, str]:
    """The place of a difference, and the item or value that one has."""
    return entry.address, part.path, part.have is None, str(part.have)


def _may_differ(names: Names, entry: Entry, part: Difference, beside: Iterable[Difference]) -> bool:
    """True if other files may want this rule or statement, or not want it; ``beside``: all that differ in its set."""
    recorded = part.have is not None
    opposite = [other.want if recorded else other.have for other in beside]
    item = part.have if recorded else part.want
    return may_be_of_other_files(names, entry.type, entry.id, item, (each for each in opposite if each is not None))


def _stack(config: Config, names: Names, entries: Mapping[str, Entry], network: NetworkContract | None = None) -> Stack:
    function = entries.get(address(LambdaFunction.type, names.function))
    return recorded_stack(config, names, (function and function.confirmed_spec) or {}, network)


def _unlike(
    stack: Stack,
    entries: Mapping[str, Entry],
    compares: Callable[[str, str], bool],
    known: refs.KnownOutputs,
    *,
    strictly: bool = False,
) -> Iterator[tuple[Entry, Difference | None]]:
    """List what of these entries is not as in the stack; what is made for an output that is not known is not.

    But for what is made for a resource of which no outputs are ``known``: nobody may look at that one.
    ``strictly``: also where a removal takes what has that output before its user.
    """
    for place, entry in sorted(entries.items()):
        if entry.phase is Phase.KEPT:
            continue
        if place not in stack:
            yield entry, None
            continue
        fields = stack[place].reconciler.spec.model_fields.keys() - stack[place].reconciler.leaves(allowed=True)
        compared = [name for name in sorted(fields) if compares(entry.type, name)]
        parts = _differences(stack[place], entry, compared, known, strictly=strictly)
        yield from ((entry, part) for part in parts)


def _differences(
    resource: AnyResource, entry: Entry, fields: Iterable[str], known: refs.KnownOutputs, *, strictly: bool
) -> Iterator[Difference]:
    """The differences in these fields; what is not recorded, or in no known form, is told as that."""
    reconciler, recorded = resource.reconciler, entry.confirmed_spec or {}
    for name in fields:
        want = refs.resolve(getattr(resource.spec, name), known)
        try:
            have = recorded_value(reconciler.spec, name, recorded)
        except (KeyError, ValidationError):
            continue
        needed = refs.needs(want)
        ranks = (registry()[place.partition("/")[0]].teardown_rank for place in needed)
        is_there = needed.isdisjoint(known) and all(rank > reconciler.teardown_rank for rank in ranks)
        if strictly or is_there:
            yield from details(name, have, refs.in_words(want))
