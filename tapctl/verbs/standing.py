"""``tapctl status``: what is deployed, since when, by whom, healthy or not; changes nothing."""

from __future__ import annotations

from typing import Any, Final

from tapctl.command import Options
from tapctl.engine.observe import Absent, Sight, Unreadable, look
from tapctl.errors import AwsError, TapctlError
from tapctl.graphing import addresses
from tapctl.manifest.entry import Entry, Manifest, Phase
from tapctl.reconcilers import registry
from tapctl.records import looks_of
from tapctl.render.screen import Header, Screen
from tapctl.run import Run, open_run
from tapctl.verbs.every import each, worst
from tapctl.which import bare_store, check_target, is_deployed, is_there, known, which

_COLUMNS: Final = ("environment", "suffix", "account", "region", "resources", "since", "by", "config", "health")
_HEALTHY: Final = "healthy"


def status(options: Options, screen: Screen) -> int:
    """One row an environment; a record that cannot be used is told, and stops no other row."""
    rows: list[dict[str, Any]] = []

    def one(part: Options, manifest: Manifest) -> int:
        rows.append(_row(part, screen, manifest))
        return 0

    if options.named:
        found = _named(options, screen)
        codes = {suffix: one(options, manifest) for suffix, manifest in found.items()}
    else:
        screen.header(Header(options.verb, many=True))
        if not is_there(options):
            screen.warn(f"there is no folder of records: {options.state}")
        codes = each(options, screen, known(options, screen), one, verdicts=False)
    screen.table(_COLUMNS, [[str(row[one]) for one in _COLUMNS] for row in rows], rows)
    sick = sum(row["health"] != _HEALTHY for row in rows)
    counts = {"deployed": len(rows), "unhealthy": sick}
    summary = f"{len(rows)} deployed · {len(rows) - sick} healthy"
    if unusable := len(codes) - len(rows):
        counts["unusable"] = unusable
        summary += f" · {unusable} whose record cannot be used"
    code = worst(codes.values())
    screen.verdict(options.verdict("", code, counts, summary))
    return code


def _named(options: Options, screen: Screen) -> dict[str, Manifest]:
    """The record of the environment that is named, if it is deployed.

    Raises:
        ManifestError: it cannot be used, or is of another environment or suffix.
        WrongTarget: it is of another account or region.
    """
    config, suffix = which(options, screen)
    store = bare_store(options, screen, config)
    stored = store.read(suffix)
    if stored is None:
        return {}
    check_target(options, stored.manifest, store.location(suffix), config, suffix)
    return {suffix: stored.manifest} if is_deployed(stored.manifest) else {}


def _row(options: Options, screen: Screen, manifest: Manifest) -> dict[str, Any]:
    """One environment; where AWS cannot be asked, what the record tells.

    Raises:
        ManifestError: it is of another environment or suffix.
        WrongTarget: it is of another account or region.
    """
    try:
        run = open_run(options, screen)
    except TapctlError as error:
        return _told(manifest, "unknown", f"unknown: {error.cause}")
    check_target(options, manifest, run.location, run.config, run.suffix)
    config = "current" if run.hash == manifest.config_hash else "differs from the files"
    try:
        return _told(manifest, config, _health(run, manifest))
    except AwsError as error:
        return _told(manifest, config, f"unknown: {error.cause}")


def _told(manifest: Manifest, config: str, health: str) -> dict[str, Any]:
    return {
        "type": "status",
        "env": manifest.environment,
        "environment": manifest.environment,
        "suffix": manifest.suffix,
        "account": manifest.account,
        "region": manifest.region,
        "resources": sum(entry.phase is not Phase.KEPT for entry in manifest.entries.values()),
        "since": manifest.written_at,
        "by": manifest.written_by,
        "config": config,
        "health": health,
    }


def _health(run: Run, manifest: Manifest) -> str:
    """``healthy``, or the first thing that is not and why."""
    seen = look(run.aws, looks_of(manifest.entries, registry()))
    for here, sight in sorted(seen.items()):
        why = _interrupted(run, manifest.entries[here]) or _sick(sight)
        if why:
            return f"{here} {why}"
    return _HEALTHY


def _interrupted(run: Run, entry: Entry) -> str:
    if entry.phase is Phase.MAKING:
        return f"was left half made: {run.command('apply')} goes on"
    if entry.phase is Phase.LEAVING:
        # What is still wanted is removed by nothing but a destroy.
        verb = "destroy" if entry.address in addresses(run.config, run.suffix) else "apply"
        return f"was left half removed: {run.command(verb)} goes on"
    return ""


def _sick(sight: Sight) -> str:
    if isinstance(sight, Absent):
        return "is missing"
    if isinstance(sight, Unreadable):
        return f"cannot be read: {sight.action} denied"
    return f"is {sight.status}" if sight.failed is not None or not sight.settled or sight.going else ""
