"""Advice on a drifted field: where to edit if the live value is wanted, which command undoes it if it is not."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from tapctl.config import Edit, load
from tapctl.engine.drift import Finding, FindingState, Reason, Report, finding_id
from tapctl.engine.impact import impact_of
from tapctl.engine.model import ALLOW, REBOOT, Impact, Observed
from tapctl.engine.observe import Absent, Observation, Observations
from tapctl.engine.owner_tags import ENVIRONMENT_TAG, OWNER_TAG, REGION_TAG, SUFFIX_TAG
from tapctl.engine.ownership import Verdict, command_back
from tapctl.engine.record import Entry
from tapctl.engine.waiver import DETAILS, NEVER_WAIVED, live_text
from tapctl.errors import ConfigError
from tapctl.evidence.retained import way_back
from tapctl.evidence.unfinished_destroy import is_gone_from_aws
from tapctl.findings.places import place_of
from tapctl.findings.revertible import revertible
from tapctl.findings.selection import place
from tapctl.reconcilers import reconciler_of, registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.iam_role import IamRole
from tapctl.reconcilers.rds import how_to_close, how_to_delete
from tapctl.render.harmless import harmless
from tapctl.render.screen import Advice
from tapctl.render.terminal import sanitize
from tapctl.safety.hidden_values import is_stand_in
from tapctl.session.session import Session
from tapctl.session.target import is_gone
from tapctl.stack.provenance import Key, Provenance, provenance_of, value_at, values_as_written
from tapctl.stack.waivers import is_never_waived, opening_together, opens

ACCEPTED: Final = "the files want it already, and an apply records it"
_WHERE_FROM: Final = "with --restore SNAPSHOT or --empty, which says where its data comes from:"
_AGAIN: Final = "makes it again, where it is still wanted"
_KEEPS: Final = "keeps it, where it is still wanted"
_AGAIN_WITH_DATA: Final = (
    "makes it again; with --restore SNAPSHOT or --empty, which says where the cluster's data comes from:"
)
_THAT_ONE: Final = "where the one that is there is meant (nothing brings the other data back but a snapshot):"
_BACK: Final = "nothing but the recorded one reads what it has encrypted:"
_OTHERS_TAGS: Final = "it bears others' tags and not ours; where it is ours all the same:"
_ALL_BACK: Final = "where automation has overwritten our tags, this takes all such resources back:"
_LOSES: Final = {
    Impact.DATA_LOSS: "what is older than that is lost with it:",
    Impact.UPGRADE: "nothing leads back from a new major version:",
}
"""The impact of the way back to what it costs, where an apply asks for consent by name."""
_NO_WAY_BACK: Final = "nothing leads back: it cannot be changed in place, and what holds data is never replaced"
_NOT_OURS: Final = (
    "where whoever made it agrees: who connects to it is cut off, and if it is the writer, RDS fails over:"
)
_CLOSED: Final = "where whoever made it agrees:"
_GOES_ON: Final = {
    Reason.UNCONFIRMED: "apply",
    Reason.APPLY_INTERRUPTED: "apply",
    Reason.REVERT_INTERRUPTED: "revert",
    Reason.NEVER_MADE: "apply",
    Reason.DESTROY_UNFINISHED: "destroy",
    Reason.DESTROY_LEFT: "destroy",
    Reason.UNDER_WAY: "drift",
}
"""The reason of what a run of ours did not finish to the command that goes on with it; to drift where one is at it."""
_REMOVED: Final = frozenset({Reason.DELETE_INTERRUPTED, Reason.REMOVED})
NO_ENTRIES: Final[Mapping[str, Entry]] = MappingProxyType({})
NO_OBSERVATIONS: Final[Observations] = MappingProxyType({})


def advise(
    report: Report,
    session: Session,
    entries: Mapping[str, Entry] = NO_ENTRIES,
    *,
    observed: Observations = NO_OBSERVATIONS,
    more: bool = False,
    older: bool = False,
    goes_on: str = "",
    by_destroy: bool = False,
) -> dict[tuple[str, str], Advice]:
    """Advice on each finding, by address and field.

    ``entries``: the record, which knows the ids that AWS gave. ``observed``: what AWS has of them. ``more``: an apply
    would do more than undo the findings. ``older``: the record is older than AWS, so that no apply brings back what it
    tells. ``goes_on``: the command that goes on with an apply which did not finish. ``by_destroy``: what was cut off is
    a destroy.
    """
    exposed: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    # Several findings may be in one place: what is waived hides no advice on another one.
    findings = sorted(report.findings, key=lambda one: one.waiver is None)
    for finding in findings:
        is_told = finding.reason in (Reason.CHANGED, Reason.NEVER_WANTED, Reason.KEPT) and finding.waiver is None
        if is_told and _is_exposure(finding):
            exposed[finding.address, finding.field].append(finding)
    left = _left_by_revert(session, entries, findings, observed)
    costs = {place(one): _cost_of_way_back(one, entries, observed) for one in findings}
    several = _several(findings)
    theirs = {one.address: _taking_back(one, session, entries, observed) for one in report.findings if _is_theirs(one)}
    theirs |= _taken_by_others(session, entries, observed)
    replaced = {one.address: _bringing_back(one, session, entries, observed) for one in findings if _is_replaced(one)}
    removed = _removed(report, session, entries, observed, by_destroy=by_destroy)
    usable = not isinstance(session.loaded, ConfigError)
    provenance = provenance_of(session.config, session.suffix) if usable else None
    advice = {}
    for one in findings:
        # An edit that wants what somebody has written into the record is nothing to suggest.
        keys = None if one.reason in (Reason.FORGED, Reason.OF_BEFORE) else provenance
        told = replaced[one.address] if _is_replaced(one) else theirs.get(one.address)
        entry = entries.get(one.address)
        is_removed = one.reason in _REMOVED
        own = removed[one.address] if is_removed else _advice(one, session, keys, told, entry.claim if entry else {})
        own = _way_out(one, observed.get(one.address)) or own
        acting = _acting(own, one, session, left, cost=costs[place(one)], several=several)
        advice[one.address, one.field] = _undoing(acting, session, more=more, goes_on=goes_on)
    advice = {where: _consenting(told, session, findings, costs) for where, told in advice.items()}
    strangers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in findings:
        if one.reason is Reason.NOT_OURS and one.waiver is None:
            strangers[one.address, one.field].append(how_to_delete(session.aws, str(one.live).rpartition("/")[2]))
    advice |= {place: replace(advice[place], undo=" && ".join(commands)) for place, commands in strangers.items()}
    if older:
        undone = session.command("apply"), session.command("revert")
        advice = {place: Advice() if told.undo.startswith(undone) else told for place, told in advice.items()}
    for (address, field), findings in exposed.items():
        ending = Advice(undo=_ending(findings, session, entries), undo_note=_ending_note(findings[0]))
        advice[address, field] = _acting(ending, findings[0], session, left)
    if provenance is None:
        return advice
    places = {(one.address, one.field): place_of(one, session, provenance) for one in report.findings}
    return {found: replace(told, place=places[found]) for found, told in advice.items()}


def _removed(
    report: Report, session: Session, entries: Mapping[str, Entry], observed: Observations, *, by_destroy: bool
) -> dict[str, Advice]:
    """The advice on each resource that a run of ours has begun to remove, by address: an apply keeps it, or makes it.

    None is made again before somebody has said where the cluster's data comes from.
    """
    addresses = {one.address for one in report.findings if one.reason in _REMOVED}
    there = {address for address in addresses if not is_gone_from_aws(observed.get(address, Absent()))}
    no_cluster = by_destroy and all(entry.type != DbCluster.type for entry in entries.values())
    lost_data = no_cluster or any(address.startswith(f"{DbCluster.type}/") for address in addresses - there)
    again = _AGAIN_WITH_DATA if lost_data else _AGAIN
    notes = {address: _KEEPS if address in there else again for address in addresses}
    return {address: Advice(undo=session.command("apply"), undo_note=note) for address, note in notes.items()}


def _way_out(one: Finding, seen: Observation | None) -> Advice | None:
    """The command of a person that ends what somebody has done to the resource, where no apply does."""
    if one.reason is not Reason.OUT_OF_ORDER or not isinstance(seen, Observed):
        return None
    return Advice(undo=seen.way_out) if seen.way_out else None


def _undoing(advice: Advice, session: Session, *, more: bool, goes_on: str) -> Advice:
    """The advice with what an apply needs (usable files; a permit to go on with) or does beside."""
    if goes_on and advice.now == session.command("apply"):
        return replace(advice, now=goes_on)
    if not advice.undo.startswith(session.command("apply")):
        return advice
    if isinstance(session.loaded, ConfigError):
        file = session.loaded.problems[0].file
        gone = is_gone(session.invocation.config, session.target.env)
        first = f"put {file} back, then" if gone else "correct the environment files, then"
        return replace(advice, undo_note=first)
    if more and not advice.undo_note:
        return replace(advice, undo_note="with all else that the files want, see below:")
    return advice


def _left_by_revert(
    session: Session, entries: Mapping[str, Entry], findings: Sequence[Finding], observed: Observations
) -> frozenset[str]:
    """The places of those findings that a revert of them would leave, or refuse: none is offered there."""
    recorded = [one for one in findings if one.reason is Reason.CHANGED and one.address in entries]
    cut_off = {one.address for one in findings if one.reason is Reason.REVERT_INTERRUPTED}
    return frozenset(revertible(session, entries, recorded, observed, cut_off).left) if recorded else frozenset()


def _cost_of_way_back(one: Finding, entries: Mapping[str, Entry], observed: Observations) -> Impact:
    """The cost of putting the recorded value back in the place of what AWS has; nothing where nobody can tell."""
    seen, entry = observed.get(one.address), entries.get(one.address)
    if one.reason is not Reason.CHANGED or entry is None or not isinstance(seen, Observed):
        return Impact.NONE
    reconciler, name = reconciler_of(entry), _root(one.field)
    if name not in reconciler.spec.model_fields:
        return Impact.NONE
    try:
        recorded = reconciler.spec.model_validate(entry.spec)
    except ValidationError:
        return Impact.NONE
    cost = impact_of(reconciler, name, recorded, seen, undoes=True)
    replaced = reconciler.replaceable and not reconciler.holds_data
    return Impact.NONE if cost is Impact.REPLACE and replaced else cost


def _several(findings: Sequence[Finding]) -> frozenset[tuple[str, str]]:
    """The address and the text of each live rule that opens the world together with others: none is to be waived."""
    rules: dict[str, list[str]] = defaultdict(list)
    for one in findings:
        rules[one.address].append(live_text(one.live))
    return frozenset((address, text) for address, texts in rules.items() for text in opening_together(texts))


def _acting(
    advice: Advice,
    finding: Finding,
    session: Session,
    left: Collection[str],
    *,
    cost: Impact = Impact.NONE,
    several: Collection[tuple[str, str]] = (),
) -> Advice:
    """The advice with the commands that act on this finding alone: revert in place of apply, and waive.

    ``cost``: of the way back, where no verb makes it without being told to by name, or at all. ``several``: as
    `_several`.
    """
    if finding.waiver is not None:
        return Advice()
    if finding.reason not in (Reason.CHANGED, Reason.NOT_OURS) or _is_theirs(finding):
        return advice
    target = _target(finding, session)
    live = live_text(finding.live)
    unnamed = is_never_waived(finding.type, _root(finding.field)) or opens(live) or is_stand_in(live)
    unnamed = unnamed or finding.field in NEVER_WAIVED or (finding.address, live) in several
    if not unnamed and not isinstance(session.loaded, ConfigError):
        advice = replace(advice, waive=f"{session.command('waive')} {target} --reason '…' --until 30d")
    if advice.undo != session.command("apply") or advice.undo_note:
        return advice
    if cost is Impact.REPLACE:
        ways = [_NO_WAY_BACK, registry()[finding.type].by_hand.get(_root(finding.field), "")]
        return replace(advice, undo="", undo_note="; ".join(filter(None, ways)))
    if cost in _LOSES:
        return replace(advice, undo_note=_LOSES[cost])
    if place(finding) not in left:
        advice = replace(advice, undo=f"{session.command('revert')} {target}")
    return advice


def _consenting(advice: Advice, session: Session, findings: Sequence[Finding], costs: Mapping[str, Impact]) -> Advice:
    """The advice whose apply consents to all that the findings' ways back lose: it makes each of them, or none."""
    apply = session.command("apply")
    if not f"{advice.undo} ".startswith(f"{apply} "):
        return advice
    losing = sorted({one.address for one in findings if one.waiver is None and costs[place(one)] in _LOSES})
    return replace(advice, undo="".join([advice.undo, *(f" --allow {shlex.quote(one)}" for one in losing)]))


def _target(finding: Finding, session: Session) -> str:
    """The word that names the finding in a command; its id where the screen has to spell what is in the name."""
    name = place(finding)
    return shlex.quote(name) if sanitize(name) == name else finding_id(session.suffix, finding)


def _is_exposure(finding: Finding) -> bool:
    reconciler = registry().get(finding.type)
    return reconciler is not None and _root(finding.field) in reconciler.leaves(allowed=True)


def _root(path: str) -> str:
    return path.partition(".")[0]


def _ending_note(finding: Finding) -> str:
    """The words before the command: its cost, or that it only shows what others own."""
    reconciler, field = registry()[finding.type], _root(finding.field)
    if leads := reconciler.leads_there.get(field):
        return f"whoever owns it closes it, or what leads there goes out of {leads}; this shows it:"
    return reconciler.ending_costs.get(field, "")


def _ending(findings: Sequence[Finding], session: Session, entries: Mapping[str, Entry]) -> str:
    """The command, or commands, by which a person ends what was opened to others: an apply never does."""
    finding = findings[0]
    reconciler, (_, _, id_) = registry()[finding.type], finding.address.partition("/")
    recorded = (entries.get(f"{reconciler.parent_type}/{reconciler.parent_id(id_)}"), entries.get(finding.address))
    known = {"id": id_} | {name: value for entry in recorded if entry for name, value in (entry.outputs or {}).items()}
    commands = []
    for text in (str(each.live) for each in findings):
        value = text.partition(DETAILS)[0].partition(" ")[0]
        values = {
            **known,
            "value": value,
            "label": value.partition(".")[0],
            "name": text.partition(" by ")[2].partition(DETAILS)[0],
        }
        quoted = {name: shlex.quote(value) for name, value in values.items()}
        qualifier = text.partition(" for ")[2].partition(" ")[0]
        quoted["qualified"] = f" --qualifier {shlex.quote(qualifier)}" if qualifier else ""
        field = _root(finding.field)
        elsewhere = reconciler.ended_elsewhere if text.startswith("arn:") else {}
        commands.append(elsewhere.get(field, reconciler.left_alone[field]).format_map(quoted))
    return " && ".join(session.aws.target.command(command) for command in dict.fromkeys(commands))


def _is_theirs(one: Finding) -> bool:
    """True if the finding names another owner, which an apply refuses. A missing tag names nobody, and is put back.

    The region's tag tells an owner only of what has one name in all regions; on any other type it is a tag as any.
    """
    further = (REGION_TAG,) if one.type == IamRole.type else ()
    owners = tuple(f"tags.{tag}" for tag in (OWNER_TAG, SUFFIX_TAG, ENVIRONMENT_TAG, *further))
    return one.reason is Reason.CHANGED and one.field in owners and one.live is not None


def _taking_back(one: Finding, session: Session, entries: Mapping[str, Entry], observed: Observations) -> Advice:
    """The advice on a resource whose owner tag names another owner: an apply takes back what automation has tagged."""
    seen, apply = observed.get(one.address), session.command("apply")
    if isinstance(seen, Observed):
        known, id_ = registry()[one.type], one.address.partition("/")[2]
        if session.claimant.judge(known, id_, seen, recorded=entries[one.address].claim).overwritten:
            return Advice(undo=f"{apply} --adopt all", undo_note=_ALL_BACK)
    tag = one.field.removeprefix("tags.")
    ours = {**session.owner.tags, REGION_TAG: session.names.region}
    return Advice(undo=apply, undo_note=f"set its tag {tag} back to {ours[tag]}, then")


def _is_replaced(one: Finding) -> bool:
    """True if the finding tells that another resource, which holds other data, is in the place of the recorded one."""
    known = registry().get(one.type)
    return one.reason in (Reason.REPLACED, Reason.KEPT) and known is not None and one.field == known.identity


def _bringing_back(one: Finding, session: Session, entries: Mapping[str, Entry], observed: Observations) -> Advice:
    """The advice on a resource that is in the place of the recorded one."""
    entry = entries.get(one.address)
    recorded = (entry and entry.outputs) or {}
    back = command_back(registry()[one.type], one.address.partition("/")[2], recorded, observed.values())
    adopt = f"{session.command('apply')} --adopt {one.address}"
    return Advice(undo=session.aws.target.command(back) if back else adopt, undo_note=_BACK if back else _THAT_ONE)


def _taken_by_others(
    session: Session, entries: Mapping[str, Entry], observed: Observations
) -> Iterator[tuple[str, Advice]]:
    """The advice on each recorded resource that bears others' tags and not ours."""
    for address, seen in observed.items():
        type_, _, id_ = address.partition("/")
        if address not in entries or not isinstance(seen, Observed) or not registry()[type_].name_is_identity:
            continue
        ownership = session.claimant.judge(registry()[type_], id_, seen, recorded=entries[address].claim)
        if ownership.verdict is Verdict.NO_CLAIM:
            undo = f"{session.command('apply')} --adopt {shlex.quote(address)}"
            yield address, Advice(undo=undo, undo_note=_OTHERS_TAGS)


def _advice(
    one: Finding, session: Session, provenance: Provenance | None, theirs: Advice | None, outputs: Mapping[str, str]
) -> Advice:
    if one.reason is Reason.NOT_OURS:
        return Advice(undo=how_to_delete(session.aws, str(one.live).rpartition("/")[2]), undo_note=_NOT_OURS)
    if one.reason is Reason.OPENED:
        return Advice(undo=how_to_close(session.aws, one.address.partition("/")[2]), undo_note=_CLOSED)
    if one.reason in (Reason.KEPT, Reason.KEPT_NO_LONGER):
        return theirs or way_back(one, session)
    if one.reason is Reason.DEFERRED:
        return Advice(now=f"{session.command('apply')} --reboot") if one.detail == REBOOT else Advice()
    if one.reason in _GOES_ON:
        return Advice(now=session.command(_GOES_ON[one.reason]))
    if one.state is FindingState.UNKNOWN:
        return _reading(one, session)
    if theirs is not None:
        return theirs
    known = registry().get(one.type)
    by_name = known is not None and (known.left_alone.get(one.field) == ALLOW or one.field in known.fixed_once_set)
    if by_name and one.live:
        return Advice(undo=f"{session.command('apply')} --allow {one.address}")
    if provenance is not None and one.live is not None and one.live == provenance.value(one.address, one.field):
        return Advice(edit=ACCEPTED, accept=session.command("apply"), undo=session.command("apply"))
    edit, can_be_accepted = _edit(one, session, provenance) if provenance is not None else ("", False)
    accept = f"{session.command('accept')} {_target(one, session)}" if can_be_accepted else ""
    lost_data = one.type == DbCluster.type and one.reason in (Reason.ABSENT, Reason.DELETING)
    by_itself = known.gone_by_itself(outputs) if known is not None and one.reason is Reason.ABSENT else ""
    note = _WHERE_FROM if lost_data else f"{by_itself}; asks again:" if by_itself else ""
    return Advice(edit=edit, accept=accept, undo=session.command("apply"), undo_note=note)


def _reading(one: Finding, session: Session) -> Advice:
    """The advice on what was not compared."""
    if one.reason is Reason.DENIED:
        return Advice(read=session.command("drift"), read_note=f"allow {one.action}, then")
    if one.reason is Reason.REFUSED:
        return Advice(read=session.command("drift"), read_note="once AWS tells it,")
    if one.reason is Reason.FOREIGN:
        return Advice(read=session.command("plan"), read_note="tells whose it is, and what may be done:")
    if one.reason is Reason.ANOTHER_RECORD:
        return Advice(read=session.command("manifest history"), read_note="tells who has written it; see what changed:")
    return Advice(read=session.command("apply"), read_note="records it")


def _edit(finding: Finding, session: Session, provenance: Provenance) -> tuple[str, bool]:
    """Name the file and the key whose edit would make the live value the wanted one, and tell if one edit does.

    Of several keys in one table that make up a value together, the table is named, and the rest is the user's choice.
    """
    key, edit = next(_edits(finding, session, provenance), (None, None))
    keys = _editable(finding, provenance)
    tables = {key.path.rpartition(".")[0] for key in keys}
    if len(keys) > 1 and len(tables) == 1 and "" not in tables:
        return f"{keys[0].file}.toml: {tables.pop()}", edit is not None
    key = next(
        (key for key in keys if edit and edit.key[: key.path.count(".") + 1] == tuple(key.path.split("."))), None
    )
    return (f"{key.file}.toml: {key.path}", True) if key else ("", False)


def _editable(finding: Finding, provenance: Provenance) -> list[Key]:
    """The keys that decide the field, without those by which a resource would be replaced."""
    return [key for key in provenance.keys(finding.address, finding.field) if not provenance.replaces(key.path)]


def is_hidden(finding: Finding) -> bool:
    """True if reports do not show the live value, or a part of it: whoever accepts it has not seen it."""
    return is_stand_in(finding.live) or harmless(finding.field, finding.live) != finding.live


def edit_for(finding: Finding, session: Session, provenance: Provenance) -> Edit | None:
    """The edit of one key that makes the live value the wanted one; None where there is none."""
    return next((edit for _, edit in _edits(finding, session, provenance)), None)


def _edits(finding: Finding, session: Session, provenance: Provenance) -> Iterator[tuple[Key, Edit]]:
    """Edits that the files' rules accept, after which the stack wants the live value, and that replace nothing.

    What reports hide is written into no file.
    """
    if is_hidden(finding):
        return
    wanted = provenance.value(finding.address, finding.field)
    for key in _editable(finding, provenance):
        now = value_at(session.config, key.path)
        member = [finding.field.partition(".")[2]] if isinstance(now, Mapping) else []
        for value in values_as_written(finding.live, now, wanted):
            edit = Edit(key.file, (*key.path.split("."), *member), value)
            if _would_be_wanted(finding, session, edit):
                yield key, edit


def _would_be_wanted(finding: Finding, session: Session, edit: Edit) -> bool:
    """True if the edited files are valid and want the live value."""
    try:
        config = load(session.invocation.config, session.config.environment, edit)
    except ConfigError:
        return False
    return bool(Provenance(config, session.suffix).value(finding.address, finding.field) == finding.live)
