"""``tapctl status``: what is deployed, since when, by whom, healthy or not; changes nothing."""

from __future__ import annotations

from typing import Any, Final

from tapctl.commands.fleet import for_each_environment
from tapctl.engine.observe import Absent, Observation, Unreadable, observe_all
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsError, ExitCode, TapctlError
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
    """Show one row an environment; a record that cannot be used is reported, and stops no other row."""
    rows: list[dict[str, Any]] = []

    def add_row(part: Invocation, manifest: Manifest) -> int:
        rows.append(_row(part, screen, manifest))
        return ExitCode.OK

    if invocation.target_is_explicit:
        named = _named(invocation, screen)
        codes = {suffix: add_row(invocation, manifest) for suffix, manifest in named.items()}
    else:
        screen.target(Target())
        if not state_exists(invocation):
            screen.warn(f"there is no folder of records: {invocation.state}")
        deployed = deployed_environments(invocation, screen)
        codes = for_each_environment(invocation, screen, deployed, add_row, verdicts=False)
    screen.table(_COLUMNS, [[str(row[column]) for column in _COLUMNS] for row in rows], rows)
    unhealthy = sum(row["health"] != _HEALTHY for row in rows)
    counts = {"deployed": len(rows), "unhealthy": unhealthy}
    summary = f"{len(rows)} deployed · {len(rows) - unhealthy} healthy"
    if unusable := len(codes) - len(rows):
        counts["unusable"] = unusable
        summary += f" · {unusable} whose record cannot be used"
    return invocation.finish(screen, None, ExitCode.worst(codes.values()), counts, summary)


def _named(invocation: Invocation, screen: Screen) -> dict[str, Manifest]:
    """The record of the environment that is named, by its suffix, if anything is deployed.

    Raises:
        ManifestError: the record cannot be used, or is of another environment or suffix.
        WrongTarget: the record is of another account or region.
    """
    config, target = resolve_target(invocation, screen)
    store = open_store_unidentified(invocation, screen, config)
    stored = store.read(target.suffix)
    if stored is None:
        return {}
    check_manifest_target(stored.manifest, store.location(target.suffix), target)
    return {target.suffix: stored.manifest} if is_deployed(stored.manifest) else {}


def _row(invocation: Invocation, screen: Screen, manifest: Manifest) -> dict[str, Any]:
    """The row of one environment; from the record alone where AWS cannot be asked.

    Raises:
        ManifestError: the record is of another environment or suffix.
        WrongTarget: the record is of another account or region.
    """
    try:
        session = open_session(invocation, screen)
    except TapctlError as error:
        return _row_of(manifest, "unknown", f"unknown: {error.cause}")
    check_manifest_target(manifest, session.location, session.target)
    config = "current" if session.target.config_hash == manifest.config_hash else "differs from the files"
    try:
        return _row_of(manifest, config, _health(session, manifest))
    except AwsError as error:
        return _row_of(manifest, config, f"unknown: {error.cause}")


def _row_of(manifest: Manifest, config: str, health: str) -> dict[str, Any]:
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
    """``healthy``, or the first resource that is not and why."""
    observations = observe_all(session.aws, observations_for(manifest.entries))
    for address, observation in sorted(observations.items()):
        why = _interrupted(session, manifest.entries[address]) or _unhealthy(observation)
        if why:
            return f"{address} {why}"
    return _HEALTHY


def _interrupted(session: Session, entry: Entry) -> str:
    if entry.phase is Phase.MAKING:
        return f"was left half made: {session.command('apply')} goes on"
    if entry.phase is Phase.LEAVING:
        # Only a destroy removes a resource that is still wanted.
        verb = "destroy" if entry.address in planned_addresses(session.config, session.suffix) else "apply"
        return f"was left half removed: {session.command(verb)} goes on"
    return ""


def _unhealthy(observation: Observation) -> str:
    if isinstance(observation, Absent):
        return "is missing"
    if isinstance(observation, Unreadable):
        return f"cannot be read: {observation.action} denied"
    healthy = observation.failure is None and observation.settled and not observation.deleting
    return "" if healthy else f"is {observation.status}"
