"""The part of what drifted that a revert puts back, and why the rest stays: `revert` goes by it, and drift's advice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from tapctl.engine.diff import Difference, details
from tapctl.engine.drift import Finding, Reason
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Observation, Observations, observed_outputs
from tapctl.engine.ownership import other_identity
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import ConfigError, TapctlError
from tapctl.evidence.final_snapshot import snapshot_stays_due
from tapctl.evidence.forged import unproven
from tapctl.evidence.network_of_files import network_of_files, way_out, why_unknown
from tapctl.evidence.recorded_files import any_files
from tapctl.findings.safeguards import PLACES, is_safeguard, is_stronger
from tapctl.findings.selection import place
from tapctl.names import Names
from tapctl.reconcilers import reconciler_of
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import SENDS_CODE, LambdaFunctionSpec
from tapctl.session.session import Session
from tapctl.stack.never_wanted import let_in, never_wanted
from tapctl.stack.package import build as build_package
from tapctl.stack.package import handler_of
from tapctl.stack.waivers import may_be_door

_NO_REVERT: Mapping[Reason, str] = {
    Reason.ABSENT: "it is missing: an apply makes it again",
    Reason.DELETING: "it is being deleted: an apply makes it again",
    Reason.NOT_OURS: "it is not ours, and is never removed",
    Reason.OPENED: "it is not ours, and is never changed",
    Reason.GAVE_UP: "AWS gave it up: an apply mends it, where it can be mended",
    Reason.OUT_OF_ORDER: "it is no setting: drift tells what puts it in order",
    Reason.REPLACED: "it is another resource of that name: an apply takes it back, where it is ours",
    Reason.NEVER_WANTED: "tapctl never wants what is recorded: drift tells what ends it",
    Reason.FORGED: "the files want something else there than is recorded: drift tells what puts it in order",
    Reason.KEPT: "a destroy has kept it, and no verb changes what is kept",
    Reason.KEPT_NO_LONGER: "nobody wants it: drift tells what removes it",
    Reason.OF_BEFORE: "the record does not hold it: an apply puts in order what the files want otherwise",
    Reason.WRONG_PHASE: "the record itself was changed: an apply writes it anew",
}
"""The reason of a finding to why there is nothing to put back."""
_NO_CODE: Final = (
    "the record knows the zip by its hash alone, and handlers/ packages another one: put those files there, or apply"
)

_UNFINISHED: Final = (
    "an apply did not finish there: run it again",
    "its removal did not finish: run that again, or apply",
)
"""By whether the resource was being removed."""
_NO_FILES: Final = "the environment's files cannot be used, and nobody can tell that they want it"
_OTHER_FORM: Final = "another version of tapctl recorded it, which knew other fields: an apply puts it in order"


@dataclass(frozen=True)
class Revertible:
    """The fields that a revert of these findings puts back."""

    stack: Stack
    """Their resources, as they are recorded."""
    fields: Mapping[str, set[str]]
    """The paths to put back, by address."""
    left: dict[str, str]
    """The place of every other finding, with why it stays."""


def revertible(
    session: Session,
    entries: Mapping[str, Entry],
    chosen: Sequence[Finding],
    observed: Observations,
    cut_off: Collection[str] = (),
) -> Revertible:
    """Tell what of these findings goes back to what these entries record; ``observed``: what AWS has of them.

    ``cut_off``: the addresses of what a revert has begun that was cut off.
    """
    fields, left = _fields_of(session, entries, chosen, observed, cut_off)
    stack, other_form = _as_recorded(entries, fields)
    left |= dict.fromkeys(other_form, _OTHER_FORM)
    left |= dict.fromkeys(_never_put_back(session.names, stack, fields), _NO_REVERT[Reason.NEVER_WANTED])
    left |= _not_of_the_files(session, entries, chosen, fields, stack=stack, observed=observed)
    left |= dict.fromkeys(_give_code(session, entries, stack, fields), _NO_CODE)
    return Revertible(stack, fields, left)


def _fields_of(
    session: Session,
    entries: Mapping[str, Entry],
    chosen: Sequence[Finding],
    observed: Observations,
    cut_off: Collection[str],
) -> tuple[dict[str, set[str]], dict[str, str]]:
    """The paths to put back, by address; and the place of every other finding, with why it stays."""
    fields: dict[str, set[str]] = defaultdict(set)
    left: dict[str, str] = {}
    for one in chosen:
        if one.reason is Reason.REVERT_INTERRUPTED:
            # Its fields, where some are left to put back, have findings of their own.
            fields[one.address].update()
        elif one.reason is not Reason.CHANGED:
            left[place(one)] = _NO_REVERT[one.reason]
        elif entries[one.address].phase is not Phase.MADE and one.address not in cut_off:
            left[place(one)] = _UNFINISHED[entries[one.address].phase is Phase.LEAVING]
        elif reconciler_of(entries[one.address]).subresource and session.claimant.chosen_name(
            one.type, entries[one.address].id
        ):
            # It shows its parent's tags, which say nothing of who made it.
            left[place(one)] = "nothing but the record says that tapctl has made it"
        elif _is_replaced(entries[one.address], observed.get(one.address)):
            left[place(one)] = _NO_REVERT[Reason.REPLACED]
        else:
            fields[one.address].add(one.field)
    return fields, left


def _is_replaced(entry: Entry, seen: Observation | None) -> bool:
    """True if what bears the name is another resource than the recorded one: what it lost, no value brings back.

    A run that read it back would record it in the place of ours, and nobody would be told any more. One that holds
    other data is left to the plan, which refuses it and tells what brings the recorded one back.
    """
    if not isinstance(seen, Observed) or seen.outputs is None or other_identity(reconciler_of(entry), entry, seen):
        return False
    return bool(seen.outputs.changed_from(entry.claim))


def _as_recorded(entries: Mapping[str, Entry], fields: dict[str, set[str]]) -> tuple[Stack, list[str]]:
    """The resources as they are recorded: outputs are known, so there is nothing to wait for among them.

    Those in another form than this tapctl's are taken out of ``fields``; returns the places of that, too.
    """
    stack, taken = Stack(), []
    for address in [*fields]:
        entry = entries[address]
        reconciler = reconciler_of(entry)
        try:
            stack.add_recorded(reconciler, entry, reconciler.spec.model_validate(entry.spec))
        except ValidationError:
            taken += [f"{address}.{path}" for path in sorted(fields.pop(address))]
    return stack, taken


def _never_put_back(names: Names, stack: Stack, fields: dict[str, set[str]]) -> list[str]:
    """Take out of ``fields`` those whose recorded value the product can never want, and name their places.

    A record is evidence, and no order: whoever may write it would else have doors opened by our hand.
    """
    roots = {}
    for address in fields:
        recorded = (stack[address].type, stack[address].id, stack[address].spec)
        roots[address] = {name for name, *_ in (*never_wanted(names, *recorded), *let_in(names, *recorded))}
    return _taken(fields, lambda address, path: path.partition(".")[0] in roots[address])


def _give_code(session: Session, entries: Mapping[str, Entry], stack: Stack, fields: dict[str, set[str]]) -> list[str]:
    """Give each function whose zip is put back the zip as it is packaged now, where that is the recorded one.

    Where it is another, what sends the code is taken out of ``fields``; returns the places of that.
    """
    taken = []
    for address, paths in fields.items():
        spec, sending = stack[address].spec, sorted(paths & SENDS_CODE)
        if not sending or not isinstance(spec, LambdaFunctionSpec) or spec.package_type != "Zip":
            continue
        content = _packaged(session, spec.code_sha256)
        if content is None:
            paths.difference_update(sending)
            taken += [f"{address}.{path}" for path in sending]
        else:
            stack.add_recorded(LambdaFunction(content), entries[address], spec)
    return taken


def _packaged(session: Session, sha256: str) -> bytes | None:
    """The handler's zip; None where it has another hash, or cannot be made."""
    try:
        package = build_package(handler_of(session.invocation.config))
    except ConfigError:
        return None
    return package.content if package.sha256_base64 == sha256 else None


def _not_of_the_files(
    session: Session,
    entries: Mapping[str, Entry],
    chosen: Sequence[Finding],
    fields: dict[str, set[str]],
    *,
    stack: Stack,
    observed: Observations,
) -> dict[str, str]:
    """Take out of ``fields`` what opens or guards and is not recorded as the files want it now; name places and why.

    That the record alone tells of, and it gives no right to open a door or to take a safeguard away. Where no files can
    be used, nobody can tell that they want it. What an item of a set is like stops no other item's way back.
    """
    stronger = {(one.address, one.field) for one in chosen if one.address in fields and is_stronger(one)}
    live = observed_outputs(observed)
    usable = not isinstance(session.loaded, ConfigError)
    config = session.config if usable else any_files(session.target.env, session.names, entries)
    if usable and snapshot_stays_due(session, entries, observed):
        config = config.model_copy(update={"final_snapshot": True})
    others: dict[str, list[Difference]] = defaultdict(list)
    network = network_of_files(session) if any(PLACES.intersection(paths) for paths in fields.values()) else None
    left: dict[str, str] = {}
    if isinstance(network, TapctlError):
        unread = f"the network of the files could not be read ({why_unknown(network)}): {way_out(network)}"
        places = _taken(fields, lambda _, path: path in PLACES)
        left, network = dict.fromkeys(places, unread if usable else _NO_FILES), None
    for address, part in unproven(config, session.names, entries, live, guards=is_safeguard, network=network):
        others[address].append(part)

    def refuses(address: str, path: str) -> bool:
        type_, root = entries[address].type, path.partition(".")[0]
        if (address, path) in stronger:
            return False
        if not usable and (may_be_door(type_, root) or is_safeguard(type_, path)):
            return True
        unlike = [part for part in others[address] if _overlap(path, part.path)]
        seen = observed.get(address)
        if not unlike or not isinstance(seen, Observed):
            return bool(unlike)
        steps = [*_steps(stack[address].spec, seen, path)]
        return not all(_stays(part, steps) for part in unlike)

    return left | dict.fromkeys(_taken(fields, refuses), _NO_REVERT[Reason.FORGED] if usable else _NO_FILES)


def _steps(recorded: Spec, seen: Observed[Any, Any], path: str) -> Iterator[Difference]:
    """The changes that putting this path back makes: what AWS has, and what it is to have."""
    root = path.partition(".")[0]
    steps = details(root, getattr(seen.spec, root), getattr(recorded, root))
    return (step for step in steps if _overlap(step.path, path))


def _stays(part: Difference, steps: Sequence[Difference]) -> bool:
    """True if none of the steps adds the recorded item that the files do not want, or takes one away that they want.

    In ``part`` the recorded item is what one has, and that of the files what is wanted.
    """
    if not part.item or not all(step.item for step in steps):
        return False
    if part.have is not None:
        return all(step.want != part.have for step in steps)
    return all(step.have != part.want for step in steps)


def _taken(fields: Mapping[str, set[str]], refuses: Callable[[str, str], bool]) -> list[str]:
    """Take out of ``fields`` what is refused, by address and path, and name the places."""
    taken = []
    for address, paths in fields.items():
        refused = sorted(path for path in paths if refuses(address, path))
        paths.difference_update(refused)
        taken += [f"{address}.{path}" for path in refused]
    return taken


def _overlap(path: str, other: str) -> bool:
    """True if one of the paths is the other, or leads to it."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")
