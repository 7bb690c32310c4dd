"""``tapctl accept``: the live values become the wanted ones, in the environment files; AWS is left as it is."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tapctl.commands.apply import confirm
from tapctl.commands.writing import alone, read_text, with_line_ends, write_file
from tapctl.config import Config, Edit, config_hash, known_environments, load
from tapctl.engine import refs
from tapctl.engine.diff import compare, details
from tapctl.engine.drift import Finding, Reason
from tapctl.errors import ConfigError, ExitCode, Refused, Status
from tapctl.findings.advice import edit_for, is_hidden
from tapctl.findings.examination import examine, finish_nothing
from tapctl.findings.selection import ALL, choose, place
from tapctl.notices import Notify, silent
from tapctl.planning.blockers import NOTHING_CHANGED
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_removal import FINAL_SNAPSHOT_TAG
from tapctl.session.session import Session
from tapctl.stack.definition import planned_stack
from tapctl.stack.provenance import Provenance, provenance_of

_UNSEEN: Final = "reports hide its value, so that nobody has seen it; if it is meant, write it into the files by hand"
_LIFTED: Final = "it takes a protection away: name it, if it is meant"
_SHOWN: Final = 10
"""Fields that are named of what an apply then changes too."""


@dataclass
class Acceptance:
    """The edits to write, and the findings without one."""

    edits: dict[tuple[str, tuple[str, ...]], Edit] = field(default_factory=dict)
    """By file and key."""
    accepted: list[Finding] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """The place of a finding to why no file can want its value."""


def accept(session: Session, targets: Sequence[str]) -> int:
    """Show the edits that make the live values the wanted ones, ask, and write them.

    Raises:
        UsageError: a target names nothing that drifted.
        ConfigError: the files, or the edited ones, break a rule.
        Refused: no file can want what a target names, or a file has changed meanwhile.
    """
    found = examine(session)
    chosen = choose(session, targets, found.report.findings if found else ())
    if not chosen:
        return finish_nothing(session, found)
    result = collect(session, chosen, unnamed=not targets or ALL in targets)
    for where, why in result.refused.items():
        session.screen.warn(f"{where} cannot be accepted: {why}")
    if not result.accepted or (targets and result.refused):
        raise Refused(
            f"{len(result.refused)} of {len(chosen)} findings cannot be accepted, and {NOTHING_CHANGED}",
            evidence="\n".join(f"{where}: {why}" for where, why in result.refused.items()),
            hint=f"what ends each one stands under it: {session.command('drift')}",
        )
    edits = list(result.edits.values())
    paths = sorted({session.invocation.config / f"{one.file}.toml" for one in edits})
    texts = {path: edited(path, edits) for path in paths}
    others, beside = other_environments(session, edits), changed_beside(session, edits, result.accepted)
    _show(session, texts, edits, others, beside)
    question = f"Write this into {', '.join(path.name for path in texts)}?"
    if others:
        question = f"{question} {', '.join(others)} will want it too."
    if not confirm(session, question, shown="the change"):
        return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
    write(texts, session.screen.note)
    counts = {"accepted": len(result.accepted), "refused": len(result.refused), "files": len(texts)}
    summary = f"{counts['accepted']} accepted · {counts['refused']} not · apply records it"
    code = ExitCode.DIFFERENT if result.refused else ExitCode.OK
    return session.finish(Status.ACCEPTED, code, counts, summary)


def collect(session: Session, chosen: Sequence[Finding], *, unnamed: bool = False) -> Acceptance:
    """The edits by which the files want these live values, and why the others have none.

    ``unnamed``: nobody named them one by one. A protection that is gone is not taken for meant then.

    Raises:
        Refused: an environment that is valid now would not be.
    """
    provenance = provenance_of(session.config, session.suffix)
    result = Acceptance()
    for finding in chosen:
        if unnamed and _lifts_protection(finding):
            result.refused[place(finding)] = _LIFTED
            continue
        edit = edit_for(finding, session, provenance) if finding.reason is Reason.CHANGED else None
        if edit is None:
            unseen = is_hidden(finding) and provenance.keys(finding.address, finding.field)
            result.refused[place(finding)] = _UNSEEN if unseen else "no key of the files may want this"
            continue
        known = result.edits.setdefault((edit.file, edit.key), edit)
        if known.value != edit.value:
            result.refused[place(finding)] = f"{edit.file}.toml: {'.'.join(edit.key)} gets another value already"
        else:
            result.accepted.append(finding)
    _check_together(session, result)
    return result


def _lifts_protection(finding: Finding) -> bool:
    """True if a protection is gone: deletion protection, or the tag by which a final snapshot is due."""
    known = registry().get(finding.type)
    protections = known.protection_fields if known is not None else frozenset()
    if finding.type == DbCluster.type:
        protections |= {f"tags.{FINAL_SNAPSHOT_TAG}"}
    return finding.field in protections and finding.live in (False, "false")


def _check_together(session: Session, result: Acceptance) -> None:
    """Make sure that all edits together are valid in every environment, and want what was accepted.

    Raises:
        Refused: an environment that is valid now would not be, or one value takes another's place.
    """
    edits, folder = list(result.edits.values()), session.invocation.config
    for environment in known_environments(folder):
        if _loaded(folder, environment) is None:
            continue
        try:
            load(folder, environment, *edits)
        except ConfigError as error:
            raise Refused(
                f"{environment} would not be valid with the live values, and {NOTHING_CHANGED}",
                evidence="\n".join(map(str, error.problems)),
                hint=f"accept fewer of them, or {session.command('revert')}",
            ) from None
    then = Provenance(load(folder, session.config.environment, *edits), session.suffix)
    lost = [place(one) for one in result.accepted if then.value(one.address, one.field) != one.live]
    if lost:
        raise Refused(
            f"{', '.join(lost)} would not be wanted beside the other values, and {NOTHING_CHANGED}",
            hint="accept one at a time, with an apply between",
        )


def _loaded(folder: Path, environment: str) -> Config | None:
    """The environment's configuration; None where its files break a rule already."""
    try:
        return load(folder, environment)
    except ConfigError:
        return None


def other_environments(session: Session, edits: Sequence[Edit]) -> list[str]:
    """The other environments whose configuration these edits change; of a copy, also the one that it is a copy of."""
    folder, own = session.invocation.config, session.config.environment
    now = {name: _loaded(folder, name) for name in known_environments(folder) if name != own}
    copied = [own] if session.suffix != own else []
    return copied + [
        name
        for name, config in now.items()
        if config is not None and config_hash(config) != config_hash(load(folder, name, *edits))
    ]


def changed_beside(session: Session, edits: Sequence[Edit], accepted: Sequence[Finding]) -> list[str]:
    """The fields of this environment, beside the accepted ones, that the edited files want otherwise."""
    config = load(session.invocation.config, session.config.environment, *edits)
    known = {(one.address, one.field) for one in accepted}
    return sorted(f"{address}.{path}" for address, path in _differing(session, config) if (address, path) not in known)


def _differing(session: Session, config: Config) -> Iterator[tuple[str, str]]:
    before = provenance_of(session.config, session.suffix).stack
    for resource in planned_stack(config, session.suffix):
        if resource.address in before:
            old = before[resource.address].spec
            for name in compare(resource.spec, old):
                for part in details(name, getattr(old, name), getattr(resource.spec, name)):
                    yield resource.address, part.path


def edited(path: Path, edits: Sequence[Edit]) -> tuple[str, str]:
    """The file as it is, and with the edits: its comments and its layout are kept.

    Raises:
        Refused: its layout takes no such edit.
    """
    import tomlkit

    before = read_text(path)
    document, plain = tomlkit.parse(before), tomllib.loads(before)
    for edit in edits:
        if edit.file == path.stem:
            edit.apply(document)
            edit.apply(plain)
    after = with_line_ends(tomlkit.dumps(document), before)
    is_right = False
    with suppress(tomllib.TOMLDecodeError):
        is_right = tomllib.loads(after) == plain
    if not is_right:
        # tomlkit mistakes the place of a new table between dotted keys (processor.memory_mb = 1024).
        keys = ", ".join(".".join(edit.key) for edit in edits if edit.file == path.stem)
        raise Refused(
            f"{path} is laid out in a way that tapctl cannot edit, and {NOTHING_CHANGED}",
            hint=f"write it there by hand ({keys}), or put its dotted keys into tables, then accept it again",
        )
    return before, after


def _show(
    session: Session,
    texts: Mapping[Path, tuple[str, str]],
    edits: Sequence[Edit],
    others: Sequence[str],
    beside: Sequence[str],
) -> None:
    lines: list[str] = []
    for path, (before, after) in texts.items():
        name = str(path)
        lines += difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=1)
        if before == after:
            lines.append(f"{name} wants it already: {session.command('apply')} records it")
    if others:
        own = session.config.environment
        files = [f"{own}.toml is {own}'s and every copy's"] if own in others else []
        files += ["common.toml is every environment's"] if {*others} - {own} else []
        lines.append(f"  wanted then in {', '.join(others)} too: {', '.join(files)}")
    if beside:
        more = f", and {len(beside) - _SHOWN} more" if len(beside) > _SHOWN else ""
        lines.append(f"  the same key decides {', '.join(beside[:_SHOWN])}{more}: an apply changes that too")
    record = {
        "edits": [
            {"file": f"{one.file}.toml", "key": ".".join(one.key), "value": refs.to_json(one.value)} for one in edits
        ],
        "diff": "\n".join(lines),
        "environments": list(others),
        "also": list(beside),
    }
    session.screen.document("\n".join(lines), record)


def write(texts: Mapping[Path, tuple[str, str]], notify: Notify = silent) -> None:
    """Write the files, or none if somebody has changed one since it was shown.

    ``texts``: the text of each before and after.

    Raises:
        Refused: one has been changed, or cannot be written.
        LockHeld: somebody keeps their folder locked.
    """
    with alone(next(iter(texts)).parent, notify):  # all are in one folder
        for path, (before, _) in texts.items():
            if not path.exists() or read_text(path) != before:
                raise Refused(f"{path} was changed meanwhile, and {NOTHING_CHANGED}", hint="run the same command again")
        for path, (_, after) in texts.items():
            write_file(path, after)
