"""A record held against the files that it is of, and AWS against what no files want: whoever wrote otherwise into it.

A record is evidence and no truth: who may write it may call it one of other files, or of a run that was cut off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from tapctl.engine.diff import Difference
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason, Report
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.record import Entry, Phase
from tapctl.engine.refs import KnownOutputs
from tapctl.errors import ConfigError
from tapctl.evidence.earlier_versions import since_a_whole
from tapctl.evidence.final_snapshot import snapshot_stays_due
from tapctl.evidence.forged import forged, forged_whatever_the_files
from tapctl.evidence.pending_changes import recorded_network
from tapctl.evidence.recorded_files import any_files
from tapctl.evidence.unfinished_destroy import is_gone_from_aws
from tapctl.evidence.unfinished_removal import is_default_group
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers.security_group import SecurityGroup, SecurityGroupOutputs
from tapctl.reconcilers.security_group_rules import OF_EVERY_NEW_GROUP, SecurityGroupRules
from tapctl.render.values import truncate
from tapctl.session.session import Session
from tapctl.stack.network import NetworkContract
from tapctl.stack.never_wanted import CONSTANT, SET_AFTER_CREATION, holds, let_in, never_wanted

_NO_NETWORK: Final = "the record does not tell the network of its resources, as every apply writes it there"
_NO_NETWORK_OF_THE_FILES: Final = "the record tells the network of {told}, and the files that it is of name {named}"
_OF_THE_NETWORK: Final = ("subnet_ids", "vpc_id")
"""Fields whose values are the network's own."""
_NOT_COMPARED: Final = "what the files want of it was not compared but for ways in"


def is_of_the_files(session: Session, manifest: Manifest) -> bool:
    """True if the record is of the files as they are, by its own word."""
    return manifest.config_hash == session.target.config_hash


def are_rules_being_made(address: str, entries: Mapping[str, Entry]) -> bool:
    """True if these are the rules of a group that a first apply has made, or was making, without finishing them.

    By the record: it holds the group, none of its rules was confirmed, and something is being made for the first time.
    """
    type_, _, id_ = address.partition("/")
    rules = entries.get(address)
    return (
        type_ == SecurityGroupRules.type
        and f"{SecurityGroupRules.parent_type}/{id_}" in entries
        and (rules is None or rules.confirmed_spec is None)
        and any(entry.confirmed_spec is None for entry in entries.values())
    )


def held_against_the_files(
    session: Session,
    manifest: Manifest,
    report: Report,
    entries: Mapping[str, Entry],
    observed: Observations,
    *,
    made_for: Sequence[KnownOutputs],
) -> Report:
    """The report with the values that the record tells and its files do not want.

    Of a record of other files, as it says of itself, or of a run that was cut off: values that no files can want. A
    record that does not tell its network leaves settings uncompared: every apply writes it there. So are files that
    cannot be used: what all files want stands in for them.
    """
    usable = not isinstance(session.loaded, ConfigError)
    config = session.config if usable else any_files(manifest.environment, session.names, entries)
    of_these = usable and is_of_the_files(session, manifest)
    network, unlike = None, f"{_NO_NETWORK}: {_NOT_COMPARED}"
    with suppress(ValidationError):
        # Ids that the present files name are no evidence on a record of other ones.
        network = recorded_network(manifest, config if of_these else None)
        named = str(config.networking)
        # Whoever writes another network into the record may leave the files' hash in it.
        if network.reference != named and of_these:
            unlike = _NO_NETWORK_OF_THE_FILES.format(told=truncate(network.reference), named=named)
            unlike += f": {_NOT_COMPARED}; see who has written that ({session.command('manifest history')})"
            network = None
    if usable and snapshot_stays_due(session, manifest.entries, observed):
        config = config.model_copy(update={"final_snapshot": True})
    written: Iterable[tuple[Entry, Difference | None]]
    if manifest.is_whole and of_these:
        written = forged(config, session.names, entries, network, made_for[0])
    else:
        cut_off = None if manifest.is_whole else observed
        held = partial(forged_whatever_the_files, config, session.names, entries, outputs=made_for, cut_off=cut_off)
        found = [*held(network=network)]
        if cut_off is not None and any(part.path in _OF_THE_NETWORK for _, part in found):
            # An apply records its network first: what it has not come to is still in the one before.
            for earlier in _networks(session, manifest):
                of_earlier = [*held(network=earlier)]
                found = [each for each in found if each in of_earlier]
        written = (
            (entry, part)
            for entry, part in found
            if not is_default_group(session, manifest, entry, part.path, part.have)
        )
    report = replace(report, findings=tuple(with_forged(report.findings, written, observed)))
    if network is not None or all(entry.phase is Phase.KEPT for entry in entries.values()):
        return report
    session.screen.warn(f"{unlike}; {session.command('apply')} writes it anew")
    return replace(
        report, fields=report.fields + 1, unchecked=report.unchecked + 1, missed=(*report.missed, "networking")
    )


def _networks(session: Session, manifest: Manifest) -> Iterator[NetworkContract]:
    """The networks of earlier versions of the record, as far back as an unfinished run may have left some in use."""
    for version in since_a_whole(session.store, manifest):
        with suppress(ValidationError):
            yield recorded_network(version, None)


def with_forged(
    findings: Iterable[Finding], written: Iterable[tuple[Entry, Difference | None]], observed: Observations
) -> Iterator[Finding]:
    """The findings, and those on what was written into the record; one that tells of that already gets its reason.

    A revert would put back what is recorded, and a waiver would cover it: neither is for what nobody has wanted.
    """
    told = list(findings)
    for entry, part in written:
        place = entry.address, entry.type
        if part is None:
            if not is_gone_from_aws(observed[entry.address]):
                told.append(Finding(*place, WHOLE_RESOURCE, Reason.FORGED, live=entry.id))
            continue
        # Of what is half made the value is AWS's, and no record's.
        reason = Reason.FORGED if entry.phase is Phase.MADE else Reason.NEVER_WANTED
        at = next((at for at, one in enumerate(told) if _tells_of(one, entry, part)), None)
        if at is None:
            told.append(Finding(*place, part.path, reason, part.want, part.have))
        else:
            told[at] = replace(told[at], reason=reason, waiver=None)
    yield from told


def _tells_of(one: Finding, entry: Entry, part: Difference) -> bool:
    """True if the finding tells that AWS has not what is recorded there, or of what is half made what AWS has.

    Of several items in a set, it has to tell of this one.
    """
    if (one.address, one.field) != (entry.address, part.path):
        return False
    if entry.phase is not Phase.MADE:
        return one.reason in (Reason.CHANGED, Reason.UNCONFIRMED) and bool(one.live == part.have)
    if one.reason is not Reason.CHANGED or one.recorded != part.have:
        return False
    return not part.item or part.have is not None or bool(one.live == part.want)


def never_wanted_findings(
    names: Names,
    report: Report,
    observed: Observations,
    entries: Mapping[str, Entry],
    *,
    outputs: Sequence[KnownOutputs] = (),
) -> Iterator[Finding]:
    """The findings on what the product can never want and the record does not tell as a difference.

    The rules that EC2 gives to every new group are none as long as an unfinished apply has not taken them away; nor is
    what a create cannot set, of a resource that was never finished, or what a removal of ours has unset.
    ``outputs``: as in `let_in`.
    """
    own = observed.get(f"{SecurityGroup.type}/{names.lambda_security_group}")
    group = own.outputs.group_id if isinstance(own, Observed) and isinstance(own.outputs, SecurityGroupOutputs) else ""
    for address, observation in sorted(observed.items()):
        if not isinstance(observation, Observed):
            continue
        type_, _, id_ = address.partition("/")
        passing = OF_EVERY_NEW_GROUP if are_rules_being_made(address, entries) else frozenset()
        told = [one for one in report.findings if one.address == address]
        unset = _unset_by_us(entries.get(address), observation)
        for field, item, reason in never_wanted(names, type_, id_, observation.spec, passing):
            unwaived = (one for one in told if one.waiver is None)
            passes = field in observation.unreadable or (type_, field) in unset
            if not passes and not _is_told(unwaived, field, item):
                yield Finding(address, type_, field, Reason.NEVER_WANTED, live=reason)
        for field, item in let_in(names, type_, id_, observation.spec, function_group=group, outputs=outputs):
            # A waiver may cover one, where it is told as a difference.
            if field not in observation.unreadable and not _is_told(told, field, item):
                yield Finding(address, type_, field, Reason.NEVER_WANTED, live=item)


def _unset_by_us(entry: Entry | None, seen: Observed[Any, Any]) -> Collection[tuple[str, str]]:
    """Types and fields that a run of ours, which did not finish, leaves at a value of AWS's own."""
    if entry is None:
        return ()
    if entry.phase is Phase.LEAVING and seen.deleting:
        # A key that waits for its deletion is disabled, and does not rotate.
        return CONSTANT
    unset = SET_AFTER_CREATION if entry.confirmed_spec is None else frozenset(CONSTANT)
    return unset & {(entry.type, name) for name in entry.unconfirmed}


def _is_told(findings: Iterable[Finding], field: str, item: Any) -> bool:
    """True if one of the findings tells of this very item: of another one in the same field is not enough."""
    return any(one.field.partition(".")[0] == field and holds(one.live, item) for one in findings)
