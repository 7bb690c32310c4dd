"""``tapctl status``: what is deployed, since when, by whom, healthy or not; changes nothing."""

from __future__ import annotations

from typing import Any, Final

from tapctl.commands.fleet import for_each_environment, worst_exit_code
from tapctl.engine.observe import Absent, Observation, Unreadable, observe_all
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsError, TapctlError
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import observations_for
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import (
    check_manifest_target,
    deployed_environments,
    is_deployed,
    open_store_unidentified,
    resolve_target,
    state_exists,
)
from tapctl.stack.definition import planned_addresses

_COLUMNS: Final = ("environment", "suffix", "account", "region", "resources", "since", "by", "config", "health")
_HEALTHY: Final = "healthy"


def status(invocation: Invocation, screen: Screen) -> int:
    """One row an environment; a record that cannot be used is told, and stops no other row."""
    rows: list[dict[str, Any]] = []

    def one(part: Invocation, manifest: Manifest) -> int:
        rows.append(_row(part, screen, manifest))
        return 0

    if invocation.target_is_explicit:
        found = _named(invocation, screen)
        codes = {suffix: one(invocation, manifest) for suffix, manifest in found.items()}
    else:
        screen.target(Target(invocation.verb, many=True))
        if not state_exists(invocation):
            screen.warn(f"there is no folder of records: {invocation.state}")
        codes = for_each_environment(invocation, screen, deployed_environments(invocation, screen), one, verdicts=False)
    screen.table(_COLUMNS, [[str(row[one]) for one in _COLUMNS] for row in rows], rows)
    sick = sum(row["health"] != _HEALTHY for row in rows)
    counts = {"deployed": len(rows), "unhealthy": sick}
    summary = f"{len(rows)} deployed · {len(rows) - sick} healthy"
    if unusable := len(codes) - len(rows):
        counts["unusable"] = unusable
        summary += f" · {unusable} whose record cannot be used"
    code = worst_exit_code(codes.values())
    screen.verdict(invocation.verdict("", code, counts, summary))
    return code


def _named(invocation: Invocation, screen: Screen) -> dict[str, Manifest]:
    """The record of the environment that is named, if it is deployed.

    Raises:
        ManifestError: it cannot be used, or is of another environment or suffix.
        WrongTarget: it is of another account or region.
    """
    config, suffix = resolve_target(invocation, screen)
    store = open_store_unidentified(invocation, screen, config)
    stored = store.read(suffix)
    if stored is None:
        return {}
    check_manifest_target(invocation, stored.manifest, store.location(suffix), config, suffix)
    return {suffix: stored.manifest} if is_deployed(stored.manifest) else {}


def _row(invocation: Invocation, screen: Screen, manifest: Manifest) -> dict[str, Any]:
    """One environment; where AWS cannot be asked, what the record tells.

    Raises:
        ManifestError: it is of another environment or suffix.
        WrongTarget: it is of another account or region.
    """
    try:
        session = open_session(invocation, screen)
    except TapctlError as error:
        return _told(manifest, "unknown", f"unknown: {error.cause}")
    check_manifest_target(invocation, manifest, session.location, session.config, session.suffix)
    config = "current" if session.config_hash == manifest.config_hash else "differs from the files"
    try:
        return _told(manifest, config, _health(session, manifest))
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


def _health(session: Session, manifest: Manifest) -> str:
    """``healthy``, or the first thing that is not and why."""
    seen = observe_all(session.aws, observations_for(manifest.entries))
    for here, sight in sorted(seen.items()):
        why = _interrupted(session, manifest.entries[here]) or _sick(sight)
        if why:
            return f"{here} {why}"
    return _HEALTHY


def _interrupted(session: Session, entry: Entry) -> str:
    if entry.phase is Phase.MAKING:
        return f"was left half made: {session.command('apply')} goes on"
    if entry.phase is Phase.LEAVING:
        # What is still wanted is removed by nothing but a destroy.
        verb = "destroy" if entry.address in planned_addresses(session.config, session.suffix) else "apply"
        return f"was left half removed: {session.command(verb)} goes on"
    return ""


def _sick(sight: Observation) -> str:
    if isinstance(sight, Absent):
        return "is missing"
    if isinstance(sight, Unreadable):
        return f"cannot be read: {sight.action} denied"
    return f"is {sight.status}" if sight.failure is not None or not sight.settled or sight.deleting else ""
