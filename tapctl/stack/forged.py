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
from tapctl.engine.model import address
from tapctl.engine.record import Entry, Phase, recorded_value
from tapctl.engine.resources import AnyResource, Stack
from tapctl.names import Names
from tapctl.reconcilers.db_parameter_groups import DbParameterGroup
from tapctl.reconcilers.lambda_function import SENDS_CODE, LambdaFunction
from tapctl.stack.definition import recorded_stack
from tapctl.stack.network import NetworkContract
from tapctl.stack.other_files import may_be_of_other_files
from tapctl.stack.provenance import provenance_of
from tapctl.stack.waivers import may_be_door

_DECIDED_BY_MORE: Final[Mapping[str, Collection[str]]] = {
    # Another kind of package comes with other keys, which its table has only then.
    LambdaFunction.type: SENDS_CODE | {"handler"},
    # A parameter of the team's may bring a library along.
    DbParameterGroup.type: {"parameters.shared_preload_libraries"},
}
"""By type the fields whose value follows from several keys at once: that none alone decides one proves nothing."""


def forged(
    config: Config, names: Names, entries: Mapping[str, Entry], network: NetworkContract | None = None
) -> Iterator[tuple[Entry, Difference | None]]:
    """List what of these entries the configuration that they are of does not want; None: the whole entry.

    In a difference the recorded value is what one has, and that of the files what is wanted. Without exposures, which
    no files want. ``network``: the recorded one; without it only fields that may let others in are compared.
    """
    known = {place: entry.outputs or {} for place, entry in entries.items()}
    stack = _stack(config, names, entries, network)
    yield from _unlike(stack, entries, _all if network else may_be_door, known)


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
    compares: Callable[[str, str], bool],
) -> Iterator[tuple[Entry, Difference | None]]:
    """List, as `forged` does, what is not as the files want it with these observed outputs, in some fields.

    What is made of another resource's outputs is held against AWS's, for who writes one of the two into the record may
    write both; where AWS does not tell them, it counts as different. ``compares``: True for a type's field to compare.
    """
    yield from _unlike(_stack(config, names, entries), entries, compares, observed, strictly=True)


def forged_whatever_the_files(
    config: Config, names: Names, entries: Mapping[str, Entry], network: NetworkContract | None, *, finished: bool
) -> Iterator[tuple[Entry, Difference]]:
    """List what of these entries no files can want, whichever they are of: another value where no key decides one.

    So is a rule or a statement, of ours or not, that no team can have added and no key have changed.
    ``finished``: False where a run was cut off; what is made may then be made for another resource that was replaced.
    """
    provenance = provenance_of(config, names.suffix)
    made = {place: entry for place, entry in entries.items() if entry.phase is Phase.MADE}
    known = {place: entry.outputs or {} for place, entry in made.items()} if finished else {}
    unlike = _unlike(_stack(config, names, made, network), made, _all if network else may_be_door, known)
    differences = [(entry, part) for entry, part in unlike if part is not None]
    for entry, part in differences:
        if _is_structured(part):
            beside = (other for at, other in differences if (at, other.path) == (entry, part.path))
            may_differ = _may_differ(names, entry, part, beside)
        else:
            by_more = part.path in _DECIDED_BY_MORE.get(entry.type, ())
            may_differ = by_more or not provenance.is_constant(entry.address, part.path)
        if not may_differ:
            yield entry, part


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
    """List what of these entries is not as in the stack.

    ``strictly``: with the fields that wait for outputs which are not known.
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
        if strictly or not refs.needs(want):
            yield from details(name, have, want)
