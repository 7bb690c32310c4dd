"""What to do about a drifted field: where to edit if the live value is wanted, which command undoes it if it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tapctl.config import Edit, load
from tapctl.engine.drift import Finding, FindingState, Reason, Report
from tapctl.engine.model import OWNER_TAG, REBOOT, SUFFIX_TAG
from tapctl.errors import ConfigError
from tapctl.render.screen import Advice
from tapctl.session.session import Session
from tapctl.stack.provenance import Provenance, value_at


def advise(report: Report, session: Session) -> dict[tuple[str, str], Advice]:
    """Advice on each finding, by address and field."""
    theirs = {one.address: one.field.removeprefix("tags.") for one in report.findings if _is_theirs(one)}
    provenance = Provenance(session.config, session.suffix)
    return {
        (one.address, one.field): _advice(one, session, provenance, theirs.get(one.address)) for one in report.findings
    }


def _is_theirs(one: Finding) -> bool:
    """Whether this names another owner: an apply refuses that. A tag that is gone names nobody, and is put back."""
    owners = (f"tags.{OWNER_TAG}", f"tags.{SUFFIX_TAG}")
    return one.reason is Reason.CHANGED and one.field in owners and one.live is not None


def _advice(one: Finding, session: Session, provenance: Provenance, theirs: str | None) -> Advice:
    if one.reason is Reason.NOT_OURS:
        return Advice(undo=delete_member(str(one.live).rpartition("/")[2], session))
    if one.reason is Reason.DEFERRED:
        return Advice(now=f"{session.command('apply')} --reboot") if one.detail == REBOOT else Advice()
    if one.reason in (Reason.UNCONFIRMED, Reason.APPLY_INTERRUPTED):
        return Advice(now=session.command("apply"))
    if one.reason is Reason.DELETE_INTERRUPTED:
        return Advice(undo=session.command("apply"), undo_note="makes it again, where it is still wanted")
    if one.reason is Reason.DENIED:
        return Advice(read=session.command("drift"), read_note=f"allow {one.action}, then")
    if one.state is FindingState.UNKNOWN:
        return Advice(read=session.command("apply"), read_note="records it")
    if theirs is not None:
        ours = session.owner.tags[theirs]
        return Advice(undo=session.command("apply"), undo_note=f"set its tag {theirs} back to {ours}, then")
    return Advice(edit=_edit(one, session, provenance), undo=session.command("apply"))


def delete_member(identifier: str, session: Session) -> str:
    """The command that removes a cluster's member which is not ours: tapctl never does."""
    target = session.aws.target
    command = f"aws rds delete-db-instance --db-instance-identifier {identifier} --region {target.region}"
    # The embedded AWS: the real one must never hear of it.
    return f"{command} --endpoint-url {target.endpoint_url}" if target.endpoint_url else command


def _edit(finding: Finding, session: Session, provenance: Provenance) -> str:
    """Name the file and the key whose edit would make the live value the wanted one; empty where there is none.

    Offered is what the files' rules accept, what the stack of the edited files shows, and what replaces nothing. Of
    several keys in one table that make up a value together, the table is named, and the rest is the user's choice.
    """
    deciding = provenance.keys(finding.address, finding.field)
    keys = [key for key in deciding if not provenance.replaces(key.path)]
    tables = {key.path.rpartition(".")[0] for key in keys}
    if len(keys) > 1 and len(tables) == 1 and "" not in tables:
        return f"{keys[0].file}.toml: {tables.pop()}"
    wanted = provenance.value(finding.address, finding.field)
    for key in keys:
        now = value_at(session.config, key.path)
        member = [finding.field.partition(".")[2]] if isinstance(now, Mapping) else []
        for value in _as_written(finding.live, now, wanted):
            edit = Edit(key.file, (*key.path.split("."), *member), value)
            if _would_be_wanted(finding, session, edit):
                return f"{key.file}.toml: {key.path}"
    return ""


def _would_be_wanted(finding: Finding, session: Session, edit: Edit) -> bool:
    """True if the edited files are valid and want the live value."""
    try:
        config = load(session.invocation.config, session.config.environment, edit)
    except ConfigError:
        return False
    return bool(Provenance(config, session.suffix).value(finding.address, finding.field) == finding.live)


def _as_written(live: Any, now: Any, wanted: Any) -> Iterator[Any]:
    """Values of a key that may lead to the live one: AWS tells numbers as text or fraction, and truth as text.

    ``now`` is the key's value, ``wanted`` what the stack makes of it: a share of something, for a threshold.
    """
    yield live
    if isinstance(now, bool):
        yield live == "true"
    elif isinstance(now, int) and re.fullmatch("-?[0-9]+([.]0)?", str(live)):
        number = int(float(live))
        yield number
        if isinstance(wanted, float) and wanted:
            yield round(now * number / wanted)
