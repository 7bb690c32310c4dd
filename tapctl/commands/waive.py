"""``tapctl waive``: somebody answers for a difference until a day; written into waivers.toml, AWS is left as it is."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from tapctl.clock import today
from tapctl.commands.writing import alone, read_text, with_line_ends, write_file
from tapctl.config import known_environments
from tapctl.config.problems import read
from tapctl.config.waivers import GRACE, MAX_DAYS, check, path_of
from tapctl.engine.drift import Finding, Reason, finding_id
from tapctl.engine.waiver import NEVER_WAIVED, REMOVED, Waiver, live_text, matches
from tapctl.errors import ConfigError, ManifestError, Problem, Refused, Status, UsageError
from tapctl.findings.examination import examine
from tapctl.findings.selection import ALL, DRIFTED, choose, is_named, place
from tapctl.findings.waivers import may_be_unnamed
from tapctl.notices import Notify, silent
from tapctl.reconcilers import registry
from tapctl.render.harmless import harmless
from tapctl.safety.files import is_absent
from tapctl.session.session import Session
from tapctl.stack.definition import planned_addresses
from tapctl.stack.waivers import any_value_is_harmless
from tapctl.stack.waivers import check as check_doors

_HEADER: Final = (
    "# Differences that somebody answers for until a day: tapctl drift shows them, tapctl apply leaves them.\n"
)
_HINT: Final = (
    "the file is as it was, since this would stand there: give what it may hold (--reason, --until, the target)"
)
_NEVER: Final = "tells whose the resource is, and is never waived"
_DAYS: Final = re.compile("([0-9]{1,3})d")
_IDENTITY: Final = ("environment", "address", "field", "live")
"""The keys that say what is waived; the others say by whom, why and until when."""


def waive(session: Session, targets: Sequence[str], *, reason: str, until: str) -> int:
    """Write a waiver of each difference that is named; one that is there already is prolonged.

    Raises:
        ConfigError: the file, or a waiver, breaks a rule.
        UsageError: no target, no such target, or ``until`` is no day to come.
        Refused: what is named cannot be waived.
    """
    last = parse_day(until)
    if not targets:
        raise UsageError("waive what? name an address, a field or a finding's id, or all")
    found = examine(session)
    if found is None:
        raise ManifestError(f"nothing of {session.suffix} is deployed")
    drifted = [one for one in found.report.findings if one.state in DRIFTED or one.waiver]
    patterns = (one for one in targets if "/" in one or one.startswith("*."))
    meant = [one for one in patterns if not _names_any(session, one, drifted)]
    named = [one for one in drifted if any(target == ALL or is_named(session, target, one) for target in targets)]
    if len(meant) < len(targets):
        named = named or choose(session, [one for one in targets if one not in meant], drifted)
    for one in named:
        if one.field in NEVER_WAIVED:
            session.screen.warn(f"{place(one)} {_NEVER}")
    early = {target: ahead(target, found.entries) for target in meant}
    tables = [*tables_of(named), *early.values()]
    if not tables:
        raise Refused(
            "none of this can be waived",
            hint="only a setting that differs can be: what is missing is made again, and how a state ends drift tells",
        )
    common = {"environment": session.target.env}
    answer = {"owner": session.target.identity, "reason": reason, "until": last}
    path = path_of(session.invocation.config)
    rows = [common | table | answer for table in tables]
    environments = known_environments(session.invocation.config)
    try:
        add_waivers(path, rows, environments, session.screen.note)
    except ConfigError as error:
        closed = [one for one in named if not _may_stand(path, [common | row | answer for row in tables_of([one])])]
        others = [one for one in named if one not in closed and [*tables_of([one])]]
        if not (closed and others):
            raise
        options = f"--reason {shlex.quote(reason)} --until {shlex.quote(until)}"
        rest = " ".join(shlex.quote(each) for each in _targets(session, others, closed))
        hint = f"nothing was waived, because of {', '.join(dict.fromkeys(place(one) for one in closed))}; "
        hint += f"waive the others: {session.command('waive')} {rest} {options}"
        raise ConfigError([*error.problems], hint=hint) from None
    for target, table in early.items():
        _warn_of_reach(session, target, table, drifted, answer)
    shown = [f"  {row['address']}.{row['field']}  until {last}" for row in rows]
    record = [{key: str(value) for key, value in row.items()} for row in rows]
    text = "\n".join(shown)
    session.screen.document(text, {"file": str(path), "waivers": record, "text": text})
    summary = f"{len(rows)} until {last} · written to {path}"
    return session.finish(Status.WAIVED, counts={"waived": len(rows)}, summary=summary)


def _may_stand(path: Path, rows: Sequence[Mapping[str, Any]]) -> bool:
    """True if these waivers break no rule by themselves."""
    try:
        check_doors(path, check(path, {"waiver": rows}, tuple({one["environment"] for one in rows}), today()), today())
    except ConfigError:
        return False
    return True


def _targets(session: Session, findings: Sequence[Finding], closed: Sequence[Finding]) -> Iterator[str]:
    """Name each finding by its field, or by its id where one that is not meant stands in the same field."""
    taken = {place(one) for one in closed}
    names = (finding_id(session.suffix, one) if place(one) in taken else place(one) for one in findings)
    yield from dict.fromkeys(names)


def _warn_of_reach(
    session: Session, target: str, table: Mapping[str, Any], drifted: Sequence[Finding], answer: Mapping[str, Any]
) -> None:
    """Say that a waiver which was written ahead covers nothing now, or, of a copy, something of its parent as well.

    ``answer``: who answers for it, why, and until when.
    """
    words = table["address"], table["field"], answer["owner"], answer["reason"], answer["until"].isoformat()
    written = Waiver(*words, may_be=may_be_unnamed(session))
    if not any(written.covers(one.address, one.field, one.to_waive) for one in drifted):
        session.screen.warn(f"{target} matches nothing now")
    beside = [one for one in _of_parent(session) if matches(table["address"], one)]
    if session.suffix != session.target.env and beside:
        session.screen.warn(f"{target} is waived in {session.target.env} and its other copies, too: {beside[0]}")


def _of_parent(session: Session) -> list[str]:
    """The addresses of the environment that this one is a copy of; none without its file."""
    if isinstance(session.loaded, ConfigError):
        return []
    return sorted(planned_addresses(session.loaded, session.target.env))


def parse_day(text: str) -> date:
    """The last day: ``2026-12-31``, or ``30d`` from today.

    Raises:
        UsageError: it is neither, or is over.
    """
    if days := _DAYS.fullmatch(text):
        return today() + timedelta(days=int(days[1]))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day", hint="write it like 2026-12-31, or 30d for 30 days") from None
    if day < today():
        raise UsageError(f"{day} is over", hint="write a day to come, or 30d for 30 days")
    return day


def _names_any(session: Session, target: str, findings: Sequence[Finding]) -> bool:
    return target == ALL or any(is_named(session, target, one) for one in findings)


def tables_of(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """The waived part of each finding: the field, and this value alone where another one could do harm.

    Raises:
        Refused: that value looks like a secret.
    """
    seen: list[dict[str, Any]] = []
    for one in findings:
        if one.reason not in (Reason.CHANGED, Reason.NOT_OURS) or one.field in NEVER_WAIVED:
            continue
        table = {"address": one.address, "field": one.field}
        if not any_value_is_harmless(one.field):
            table["live"] = live_text(one.to_waive)
            if harmless(one.field, table["live"]) != table["live"]:
                raise Refused(
                    f"{place(one)} holds what looks like a secret, and a waiver would write it into a file",
                    hint="take it out of there, or name only other findings",
                )
        if table not in seen:
            seen.append(table)
            yield table


def ahead(target: str, addresses: Any) -> dict[str, Any]:
    """The part to waive before it is there, or in many places (``*``): the longest recorded address, and a field."""
    known = sorted((one for one in addresses if target.startswith(f"{one}.")), key=len)
    address = known[-1] if known else target.partition(".")[0]
    field = target.removeprefix(address).removeprefix(".")
    if not field:
        raise UsageError(
            f"{target} names no field, and nothing there has drifted", hint=f"name one: {target}.tags.Owner"
        )
    if field in NEVER_WAIVED:
        raise Refused(f"{target} {_NEVER}")
    if address.partition("/")[0] in registry() or "*" in address.partition("/")[0]:
        return {"address": address, "field": field}
    raise UsageError(f"{target} is no address: type/id.field, as drift shows them")


def add_waivers(
    path: Path, rows: Sequence[dict[str, Any]], environments: tuple[str, ...], notify: Notify = silent
) -> None:
    """Write these waivers beside those that are there, also those that somebody writes at the same time.

    Raises:
        ConfigError: the file, or a waiver, breaks a rule.
        Refused: it cannot be written.
        LockHeld: somebody keeps its folder locked.
    """
    with alone(path.parent, notify):
        write_file(path, with_waivers(path, rows, environments))


def with_waivers(path: Path, rows: Sequence[dict[str, Any]], environments: tuple[str, ...]) -> str:
    """The file with these waivers: comments and layout are kept.

    Raises:
        ConfigError: the file, or a waiver, breaks a rule.
    """
    import tomlkit
    from tomlkit.items import Array

    text = _HEADER
    if not is_absent(path, follow=False):
        raw = read(path)
        if isinstance(raw, Problem):
            raise ConfigError([raw], folder=path.parent)
        text = read_text(path)
    # What comes after a last line without an end would stand in that line.
    before, document = text, tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    for row in rows:
        _take_out_earlier(document, row)
        present = [one for one in document.get("waiver", ()) if _identity(one) == _identity(row)]
        if present:
            present[0].update(row)
            continue
        tables = document.setdefault("waiver", tomlkit.aot())
        table = tomlkit.inline_table() if isinstance(tables, Array) else tomlkit.table()
        table.update(row)
        tables.append(table)
    text = with_line_ends(tomlkit.dumps(document), before)
    # What stands there already may have been written by a clock that is ahead.
    grace = timedelta() if any(row["until"] > today() + timedelta(days=MAX_DAYS) for row in rows) else GRACE
    try:
        check_doors(path, check(path, tomllib.loads(text), environments, today(), grace=grace), today())
    except ConfigError as error:
        # No such place is in the file yet, which was read without a fault before.
        raise ConfigError([*error.problems], hint=_HINT) from None
    return text


def _take_out_earlier(document: Any, row: Mapping[str, Any]) -> None:
    """Take out the waiver of an item that was taken away as an earlier tapctl has written it: it covers nothing."""
    if not str(row.get("live", "")).startswith(REMOVED):
        return
    earlier = _identity({**row, "live": live_text(None)})
    waivers = document.get("waiver", [])
    for at in reversed(range(len(waivers))):
        if _identity(waivers[at]) == earlier:
            del waivers[at]


def _identity(row: Any) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in _IDENTITY)
