"""A cluster that is not there although its final snapshot is: made from the snapshot, or empty, as the user says."""

from __future__ import annotations

from dataclasses import replace

from tapctl.commands.permits import Permits
from tapctl.engine.plan import Action, Change
from tapctl.errors import AwsRefused, Refused, UsageError
from tapctl.reconcilers.db_cluster import DbClusterSpec, final_snapshots, restore_refusal
from tapctl.session.session import Session


def check_restore_flags(permits: Permits) -> None:
    """Make sure that the user says one of the two.

    Raises:
        UsageError: both are asked for.
    """
    if permits.restore and permits.empty:
        raise UsageError(
            f"--restore {permits.restore} and --empty contradict each other",
            hint="--restore makes the cluster from the snapshot, --empty makes it without any data",
        )


def plan_restore(session: Session, permits: Permits, change: Change, want: DbClusterSpec) -> Change:
    """Say where the data of a cluster that is to be made comes from; block its creation where nobody has said so."""
    if change.blocked:
        return change
    if change.action is not Action.CREATE:
        if permits.restore:
            session.screen.warn(f"--restore {permits.restore}: {change.address} is there; nothing is restored")
        return change
    try:
        if permits.restore:
            refused = restore_refusal(session.aws, change.address, permits.restore, want)
            return replace(change, blocked=refused, note=_joined(change, f"restored from {permits.restore}"))
        taken = final_snapshots(session.aws, change.id)
    except AwsRefused as error:
        if not error.is_denied:
            raise
        refused = Refused(
            f"{change.address} is to be made, and whether there are snapshots of it could not be asked",
            evidence=str(error),
            hint=f"allow {error.permission}, then run the same command again",
        )
        return replace(change, blocked=refused)
    if not taken:
        return change
    if permits.empty:
        return replace(change, note=_joined(change, f"made empty; {taken[-1]} stays"))
    found = "its final snapshot is" if len(taken) == 1 else "final snapshots of it are"
    refused = Refused(
        f"{change.address} is not there, and {found}",
        evidence="\n".join(reversed(taken)),
        hint=f"{session.command('apply')} --restore {taken[-1]} makes it from that; "
        "--empty makes a new one without data",
    )
    return replace(change, blocked=refused)


def _joined(change: Change, note: str) -> str:
    return "; ".join(filter(None, (change.note, note)))
