"""``tapctl status``: what is deployed, since when, by whom, and what is not well; changes nothing."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tapctl.commands.fleet import environments_to_look_at, for_each_environment
from tapctl.engine.drift import Finding, FindingState, Reason
from tapctl.engine.model import REBOOT, Observed
from tapctl.engine.observe import Absent, Observation, Unreadable, unread_note
from tapctl.engine.record import Entry, Phase, is_deleted_with_parent
from tapctl.errors import AwsRefused, ConfigError, ExitCode, TapctlError, add_default_hint, exit_code_of, first_few
from tapctl.evidence.comparison import Compared, compare_between_readings
from tapctl.evidence.tag_bearers import Unasked, check_not_elsewhere
from tapctl.evidence.unrecorded import not_recorded_error
from tapctl.findings.waivers import waivers_for
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.planning.subscribers import tell_of_subscribers
from tapctl.reconcilers import kept_without_reason, reconciler_of
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, described_alarms
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tapctl.reconcilers.db_subnet_group import COMPLETE, DbSubnetGroup
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import INACTIVE
from tapctl.reconcilers.rds import SERVING
from tapctl.render.screen import Screen, Target
from tapctl.session.damaged_record import read_stored
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import (
    Files,
    check_manifest_target,
    check_names,
    is_deployed,
    known_suffixes,
    open_store_unidentified,
    resolve_recorded,
)

_COLUMNS: Final = ("environment", "suffix", "account", "region", "resources", "since", "by", "config", "health")
_NEXT: Final = "next"
"""The column that is there where anything is not well."""
_HEALTHY: Final = "healthy"
_IDLE: Final = f"{INACTIVE}: Idle"
_SHOWN: Final = 3
"""Problems of an environment that are named in its row; JSON has them all."""
_ALARMS_A_CALL: Final = 100
_SILENT: Final = ("OK", "INSUFFICIENT_DATA")
"""The states in which an alarm does not ring; ALARM is the only other one (MetricAlarm, CloudWatch API reference)."""
_KINDS: Final = {
    Reason.DESTROY_UNFINISHED: "destroy",
    Reason.DESTROY_LEFT: "destroy",
    Reason.NEVER_MADE: "not there",
    Reason.REMOVED: "not there",
    Reason.UNDER_WAY: "under way",
}
"""The reasons that are told apart from others of their state; of what a run is changing the run is told."""
_DRIFT: Final = (FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)


@dataclass(frozen=True)
class Problem:
    """A remark on an environment, and the exit status it asks for; OK where it is well, and to be known."""

    text: str
    code: ExitCode = ExitCode.DIFFERENT
    next: str = ""
    """The command to run next, or the task; empty where a drift tells that."""


def status(invocation: Invocation, screen: Screen) -> int:
    """Show one row an environment; a record that cannot be used is reported, and stops no other row.

    Returns the exit status: that of the worst problem.

    Raises:
        ManifestError: the state has no record.
    """
    by_suffix: dict[str, dict[str, Any] | None] = {}

    def add_row(part: Invocation, manifest: Manifest, own: Screen) -> int:
        by_suffix[manifest.suffix], code = _row(part, own, manifest)
        return code

    if invocation.target_is_explicit:
        named = _named(invocation, screen)
        codes = {suffix: add_row(invocation, manifest, screen) for suffix, manifest in named.items()}
        remark, unasked = "", Unasked()
        if not named:
            summary, unasked = _unrecorded(invocation, screen)
            remark = f" · {summary}"
        for record in named.values():
            row = by_suffix[record.suffix]
            if row is None or not (row["resources"] or row["problems"]):
                unasked = _unasked(invocation, screen, open_store_unidentified(invocation, screen), record)
        remark, unseen, places = f"{remark}{unasked.words}", unasked.code, dict(unasked.counts)
    else:
        screen.target(Target())
        fleet = environments_to_look_at(invocation, screen)
        codes = for_each_environment(invocation, screen, fleet.members, add_row, verdicts=False)
        remark, unseen, places = fleet.remark, fleet.code, dict(fleet.counts)
    rows = [row for _, row in sorted(by_suffix.items()) if row]
    columns = (*_COLUMNS, _NEXT) if any(row[_NEXT] for row in rows) else _COLUMNS
    screen.table(columns, [[str(row[column]) for column in columns] for row in rows], rows)
    unhealthy = sum(bool(row["problems"]) for row in rows)
    deployed = sum(bool(row["resources"]) for row in rows)
    counts = {"deployed": deployed, "unhealthy": unhealthy, **places}
    summary = f"{deployed} deployed · {len(rows) - unhealthy} healthy"
    if destroyed := len(rows) - deployed:
        summary += f" · {destroyed} destroyed by the record"
    if unusable := len(codes) - len(by_suffix):
        counts["unusable"] = unusable
        summary += f" · {unusable} whose record cannot be used"
    code = ExitCode.worst([*codes.values(), unseen])
    return invocation.finish(screen, None, code, counts, f"{summary}{remark}")


def _named(invocation: Invocation, screen: Screen) -> dict[str, Manifest]:
    """The record of the environment that is named, by its suffix, if there is one.

    Raises:
        ManifestError: the record cannot be used, is of another environment or suffix, or the state has none at all.
        WrongTarget: the record is of another account or region.
    """
    loaded, target = resolve_recorded(invocation, screen, Files.MAY_BE_GONE)
    config = None if isinstance(loaded, ConfigError) else loaded
    store = open_store_unidentified(invocation, screen, config, target.account)
    stored = read_stored(invocation, store, target.suffix)
    if stored is None:
        known_suffixes(invocation, store)
        return {}
    check_manifest_target(stored.manifest, store.location(target.suffix), target)
    check_names(stored.manifest, store.location(target.suffix))
    return {target.suffix: stored.manifest}


def _unrecorded(invocation: Invocation, screen: Screen) -> tuple[str, Unasked]:
    """The words for the named environment that has no record, where AWS has nothing of it: who may write may remove.

    And the places where that could not be asked.

    Raises:
        NotRecorded: AWS has, or does not show, what bears its names.
        ManifestError: its history is of another place, or it is there in another place.
    """
    session = open_session(invocation, screen, Files.MAY_BE_GONE)
    record, _ = session.load_manifest()
    error = not_recorded_error(session)
    if error.there:
        raise error
    return error.summary, _unasked(invocation, screen, session.store, record)


def _unasked(invocation: Invocation, screen: Screen, store: Store, record: Manifest) -> Unasked:
    """The places where a copy of which nothing is deployed could not be asked for, told.

    Raises:
        ManifestError: it is there in another place.
    """
    unasked = check_not_elsewhere(invocation, screen, store, record)
    unasked.tell(screen)
    return unasked


def _row(invocation: Invocation, screen: Screen, manifest: Manifest) -> tuple[dict[str, Any] | None, ExitCode]:
    """The row of one environment, from the record alone where AWS cannot be asked; and its exit status.

    There is no row where nothing is deployed by the record, nor by AWS.

    Raises:
        ManifestError: the record is of another environment or suffix.
        WrongTarget: the record is of another account or region.
    """
    try:
        # What was destroyed needs no file.
        session = open_session(invocation, screen, Files.MAY_BE_GONE if is_deployed(manifest) else Files.MAY_BE_WRONG)
    except TapctlError as error:
        return _row_of(invocation, manifest, "unknown", [_unknown(screen, manifest, error)])
    check_manifest_target(manifest, session.location, session.target)
    config = _config_state(session, manifest)
    under_way = session.run_under_way()
    try:
        # Anybody's bucket will do for the first look at a state; a record has to lie in one of its own account.
        session.load_manifest()
        # The version is for whoever writes.
        (manifest, _), compared, run = compare_between_readings(session, (manifest, ""), waivers_for(session))
        under_way = run or under_way
        if compared is None:
            return None, ExitCode.OK
        problems, not_compared = list(_problems(session, compared)), compared.report.not_compared
        tell_of_subscribers(session, manifest.entries)
    except TapctlError as error:
        problems, not_compared = [_unknown(screen, manifest, error)], ()
    return _row_of(invocation, manifest, config, problems, under_way=under_way, not_compared=not_compared)


def _config_state(session: Session, manifest: Manifest) -> str:
    if isinstance(session.loaded, ConfigError):
        return "has no file"
    if session.target.config_hash != manifest.config_hash:
        return "differs from the files"
    return "applied in part" if manifest.unfinished else "current"


def _unknown(screen: Screen, manifest: Manifest, error: TapctlError) -> Problem:
    """The problem for the row; the error itself is shown, with the call and the answer that it is about."""
    add_default_hint(error)
    screen.error(error, f"the row of {manifest.suffix} tells what its record does, and no more")
    reason = error.evidence if error.code == "config-invalid" else ""
    return Problem(f"unknown: {error.cause}{f' ({reason})' if reason else ''}", exit_code_of(error), error.hint or "")


def _row_of(
    invocation: Invocation,
    manifest: Manifest,
    config: str,
    problems: list[Problem],
    *,
    under_way: str = "",
    not_compared: Sequence[str] = (),
) -> tuple[dict[str, Any], ExitCode]:
    # Those that decide the exit status first: the row shows only some.
    worst_first = sorted(problems, key=lambda problem: [*ExitCode].index(problem.code))
    unwell = [problem for problem in worst_first if problem.code != ExitCode.OK]
    named = [problem.text for problem in unwell]
    look = invocation.command_line_for("drift", Target(manifest.environment, manifest.suffix))
    resting = [problem.text for problem in problems if problem.code == ExitCode.OK]
    health = "; ".join([*(first_few(named, _SHOWN) or [_HEALTHY]), *resting])
    row = {
        "type": "status",
        "env": manifest.environment,
        "environment": manifest.environment,
        "suffix": manifest.suffix,
        "account": manifest.account,
        "region": manifest.region,
        "resources": sum(
            entry.phase is not Phase.KEPT
            for entry in {**manifest.entries, **kept_without_reason(manifest.entries)}.values()
        ),
        "since": manifest.written_at,
        "by": manifest.written_by,
        "config": config,
        "health": f"{health}; a run is under way: {under_way}" if under_way else health,
        "problems": named,
        _NEXT: (unwell[0].next or look) if unwell else "",
        "not_compared": list(not_compared),
        "unseen": [problem.text for problem in problems if problem.code == ExitCode.INCOMPLETE],
        "under_way": under_way,
    }
    return row, ExitCode.worst(problem.code for problem in problems)


# -- what is not well --------------------------------------------------------------------------------------------------


def _problems(session: Session, compared: Compared) -> Iterator[Problem]:
    """Everything that is not well: states, drift, alarms that ring, reboots that are waited for."""
    named: dict[str, ExitCode] = {}
    if compared.written:
        again = session.command("status")
        yield Problem(f"a run is changing {_listed(set(compared.written))}", ExitCode.INCOMPLETE, again)
    for address, observation in sorted(compared.observed.items()):
        if address in compared.written:
            continue
        entry = compared.entries[address]
        problem = _interrupted(session, entry, compared) or _unhealthy(session, entry, observation, compared)
        if problem is not None:
            named[address] = problem.code
            yield problem
    if compared.report.unfinished and not compared.report.has_unfinished:
        if compared.is_at_work:
            yield Problem("an apply is at work", ExitCode.INCOMPLETE, session.command("status"))
        else:
            goes_on = f"an apply did not finish: {compared.goes_on} goes on"
            yield Problem(goes_on, ExitCode.INCOMPLETE, compared.goes_on)
    yield from _members(compared)
    yield from _ringing(session, compared.entries.values())
    yield from _findings(session, compared, named)


def _interrupted(session: Session, entry: Entry, compared: Compared) -> Problem | None:
    goes = entry.phase is Phase.LEAVING or is_deleted_with_parent(entry, compared.entries)
    if compared.is_at_work and (goes or entry.phase is Phase.MAKING):
        doing = f"a run is {'removing' if goes else 'making'} {entry.address}"
        return Problem(doing, ExitCode.INCOMPLETE, session.command("status"))
    if entry.phase is Phase.MAKING:
        goes_on = f"{entry.address} was left half made: {compared.goes_on} goes on"
        return Problem(goes_on, ExitCode.INCOMPLETE, compared.goes_on)
    if goes:
        command = _removing(session, compared)
        return Problem(f"{entry.address} was left half removed: {command} goes on", ExitCode.INCOMPLETE, command)
    return None


def _removing(session: Session, compared: Compared) -> str:
    """The command that goes on with what was removing resources when it was cut off."""
    return session.command("destroy") if compared.by_destroy else compared.goes_on


def _unhealthy(session: Session, entry: Entry, observation: Observation, compared: Compared) -> Problem | None:
    if isinstance(observation, Absent):
        by_itself = reconciler_of(entry).gone_by_itself(entry.claim)
        return Problem(f"{entry.address} is missing{f': {by_itself}' if by_itself else ''}")
    if isinstance(observation, Unreadable):
        why = unread_note(observation.action, observation.refusal)
        return Problem(f"{entry.address} cannot be read: {why}", ExitCode.INCOMPLETE)
    state = _state(entry, observation)
    if state.startswith(_IDLE):
        # Lambda lets it rest because nobody calls it.
        return Problem(f"{entry.address} is {state}; its next call fails, and wakes it", ExitCode.OK)
    if not (state or observation.status):
        return _unjudged(session, entry.address, "its state")
    code = ExitCode.INCOMPLETE if _is_worked_on(entry, observation, compared) else ExitCode.DIFFERENT
    return Problem(f"{entry.address} is {state}", code) if state else None


def _unjudged(session: Session, address: str, what: str) -> Problem:
    """The problem of a state that AWS leaves out of its answer: not seen is not healthy."""
    untold = f"{address} cannot be judged: AWS does not tell {what}"
    return Problem(untold, ExitCode.INCOMPLETE, session.command("status"))


def _is_worked_on(entry: Entry, observation: Observation, compared: Compared) -> bool:
    """True if AWS works on the resource, which needs one that a run of ours was changing: it may come of that."""
    if not isinstance(observation, Observed) or observation.settled or _gave_up(observation):
        return False
    return any(compared.entries[need].phase is Phase.MAKING for need in entry.needs if need in compared.entries)


def _state(entry: Entry, observed: Observed[Any, Any]) -> str:
    """AWS's word for a state that is not well, and the reason AWS gives; else empty, as where AWS tells no state."""
    status = observed.status
    reason = observed.failure or observed.update_failure or ""
    if reason:
        return reason if reason.startswith(status) else status if reason in status else f"{status}: {reason}"
    if entry.type == LambdaFunction.type and status.startswith(INACTIVE):
        return status
    if entry.type == DbSubnetGroup.type and status.casefold() != COMPLETE:
        return status
    return "" if not observed.deleting and _serves(observed) else status


def _serves(observed: Observed[Any, Any]) -> bool:
    """True if the resource is in use as it is, also where RDS works on something beside."""
    is_of_rds = isinstance(observed.spec, DbClusterSpec | DbInstanceSpec)
    return observed.settled or (is_of_rds and observed.status in SERVING)


def _members(compared: Compared) -> Iterator[Problem]:
    """The instances, where not one of them serves; nothing where one of them may not be looked at, which is told.

    Those that a run is changing, is making for the first time or is removing, or was, are left to it, as are those on
    which AWS works in its wake.
    """
    entries = (entry for entry in compared.entries.values() if entry.type == DbInstance.type)
    members = {one.address for one in entries if one.phase is not Phase.LEAVING and one.confirmed_spec is not None}
    seen = {address: compared.observed[address] for address in members - compared.written}
    worked_on = (address for address, each in seen.items() if _is_worked_on(compared.entries[address], each, compared))
    instances = [seen[address] for address in seen.keys() - {*worked_on}]
    if any(isinstance(each, Unreadable) for each in instances):
        return
    serving = sum(isinstance(each, Observed) and _serves(each) and not _gave_up(each) for each in instances)
    if instances and not serving:
        yield Problem(f"0 of {len(instances)} instances serve")


def _gave_up(observed: Observed[Any, Any]) -> bool:
    return observed.deleting or observed.failure is not None or observed.update_failure is not None


def _ringing(session: Session, entries: Iterable[Entry]) -> Iterator[Problem]:
    """The recorded alarms that ring, or that CloudWatch cannot evaluate. DescribeAlarms takes 100 names a call."""
    names = sorted(entry.id for entry in entries if entry.type == CloudwatchAlarm.type)
    for first in range(0, len(names), _ALARMS_A_CALL):
        try:
            described = described_alarms(session.aws, names[first : first + _ALARMS_A_CALL])
        except AwsRefused as error:
            if not error.is_denied:
                raise
            add_default_hint(error)
            session.screen.error(error, f"if alarms of {session.suffix} ring is not known")
            denied = f"alarms cannot be read: {error.iam_action} denied"
            yield Problem(denied, ExitCode.INCOMPLETE, error.hint or "")
            return
        for alarm in described:
            name = f"{CloudwatchAlarm.type}/{alarm['AlarmName']}"
            history = f"aws cloudwatch describe-alarm-history --alarm-name {shlex.quote(alarm['AlarmName'])}"
            why = session.aws.target.command(history)
            state = alarm.get("StateValue", "")
            if state == "ALARM":
                yield Problem(f"{name} rings", next=why)
            elif state not in _SILENT:
                yield _unjudged(session, name, f"if it rings{f' (state {state!r})' if state else ''}")
            # EVALUATION_ERROR, EVALUATION_FAILURE, PARTIAL_DATA ("MetricAlarm", CloudWatch API reference).
            if trouble := alarm.get("EvaluationState"):
                reason = alarm.get("StateReason", "")
                yield Problem(f"{name} is not evaluated as it should be: {trouble}: {reason}", next=why)


def _kind(finding: Finding) -> str:
    if finding.state in _DRIFT:
        return "DRIFT"
    if finding.reason is Reason.DEFERRED and finding.detail == REBOOT:
        return "reboot"
    return _KINDS.get(finding.reason, finding.state.value.lower())


def _findings(session: Session, compared: Compared, named: Mapping[str, ExitCode]) -> Iterator[Problem]:
    """Drift, reboots and waivers; of resources that are named already only what asks for another exit status."""
    groups: dict[str, set[str]] = defaultdict(set)
    waived: set[str] = set()
    for finding in compared.report.findings:
        if finding.waiver:
            waived.add(finding.address)
        code = named.get(finding.address, ExitCode.OK)
        told = code == ExitCode.DIFFERENT or (code == ExitCode.INCOMPLETE and finding.state not in _DRIFT)
        if told or finding.waiver:
            continue
        groups[_kind(finding)].add(finding.address)
    if drifted := groups["DRIFT"]:
        yield Problem(f"DRIFT: {len(drifted)} drifted ({_listed(drifted)})")
    for address in sorted(groups["reboot"]):
        yield Problem(f"{address} waits for a reboot")
    if lacking := groups["not there"]:
        goes_on = _removing(session, compared)
        yield Problem(f"not there: {_listed(lacking)}: {goes_on} goes on", ExitCode.INCOMPLETE, goes_on)
    if groups["destroy"]:
        goes_on = session.command("destroy")
        unfinished = f"by its certificate a destroy did not finish: {goes_on} goes on"
        yield Problem(unfinished, ExitCode.INCOMPLETE, goes_on)
    yield from _not_compared(compared, groups["unknown"], named)
    if waived:
        yield Problem(f"waived: {_listed(waived)}", ExitCode.OK)


def _not_compared(compared: Compared, unknown: Collection[str], named: Mapping[str, ExitCode]) -> Iterator[Problem]:
    """The problems of what drift counts as not compared."""
    if unknown:
        yield Problem(f"{len(unknown)} could not be compared whole: {_listed({*unknown})}", ExitCode.INCOMPLETE)
    if untold := {*compared.report.untold} - named.keys():
        yield Problem(f"not compared: {_listed(untold)}", ExitCode.INCOMPLETE)


def _listed(addresses: set[str]) -> str:
    return ", ".join(first_few(sorted(addresses), _SHOWN))
