"""A cluster that is not there although its data was: made from a snapshot, or empty, as the user says."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tapctl.aws.tags import as_dict
from tapctl.engine.diff import same
from tapctl.engine.model import Owner
from tapctl.engine.observe import Observation, Observations
from tapctl.engine.plan import Action, Change
from tapctl.engine.record import Phase
from tapctl.errors import AwsRefused, Refused, UsageError
from tapctl.evidence.certificate import is_certified_by_its_run, kept_snapshots
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.lost_cluster import is_cluster_lost
from tapctl.evidence.restored_database import database_in
from tapctl.evidence.unfinished_apply import continuing, doubt_of_snapshot
from tapctl.manifest.manifest import Manifest
from tapctl.notices import silent
from tapctl.planning.permits import Permits
from tapctl.reconcilers.db_cluster_removal import FINAL_SNAPSHOT_TAG
from tapctl.reconcilers.db_cluster_restore import misfits, restore_refusal
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_cluster_snapshots import (
    cluster_in_name,
    is_of_another_cluster,
    misnamed,
    snapshot_of,
    snapshots_of,
)
from tapctl.reconcilers.upgrade import check_upgrade
from tapctl.render.values import truncate
from tapctl.session.session import Session
from tapctl.session.target import is_deployed

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef

    from tapctl.aws.client import Aws

_USABLE: Final = "Enabled"
_NAMED: Final = 5
"""Snapshots that are named, the newest."""
_READ: Final = 500
"""Versions of the record that are read at most: as many as a folder keeps."""
_NOTHING_OBSERVED: Final[Mapping[str, Observation]] = MappingProxyType({})


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


def plan_restore(
    session: Session,
    permits: Permits,
    change: Change,
    want: DbClusterSpec,
    manifest: Manifest,
    *,
    healed: Collection[str] = (),
    observed: Observations = _NOTHING_OBSERVED,
) -> Change:
    """Say where the data of a cluster that is to be made comes from; block its creation where nobody has said so.

    One that was made had data, whether or not a snapshot of it is there: none is made without, unless all that is kept
    of the record proves that a run of ours has removed it, or that there was none. And one that an apply which did not
    finish was to make from a snapshot is made from no other before somebody says so.
    ``healed``: the ARNs of the keys that this very plan puts in order first. ``observed``: what AWS has, which
    may tell that one was made, whatever the record says.
    """
    if change.blocked:
        return change
    if change.action is not Action.CREATE:
        if permits.restore:
            session.screen.warn(f"--restore {permits.restore}: {change.address} is there; nothing is restored")
        return change
    if manifest.restoring and not permits.restore and not permits.empty:
        return replace(change, blocked=_unfinished_restore(session, change.address, manifest))
    # The plan has warned of what it could not read; more is evidence of the refusal.
    history = EarlierVersions(session.store, manifest, silent, newest=_READ)
    try:
        if permits.restore:
            return _plan_from(session, permits.restore, change, want, history, healed=healed)
        taken = snapshots_of(session.aws, change.id)
    except AwsRefused as error:
        refused = error.unasked(f"{change.address} is to be made, and whether there are snapshots of it")
        return replace(change, blocked=refused)
    # What a destroy has kept tells nothing of the snapshots of what was deployed since.
    kept = frozenset() if is_deployed(manifest) else kept_snapshots(session.store, manifest)
    gone, doubt = ("", "") if taken else _told_as_gone(session, change.address, history, observed, kept)
    if not taken and not gone:
        return change
    if permits.empty:
        stays = f"; {[*taken][-1]} stays" if taken else ""
        return replace(change, note=_joined(change, f"made empty{stays}"))
    if not taken:
        backups = session.aws.target.command("aws rds describe-db-cluster-automated-backups")
        refused = Refused(
            f"{change.address} {gone} with its data: what is made now would be empty",
            evidence="\n".join(filter(None, ("no manual snapshot of it is there", doubt))),
            hint=f"{session.command('apply')} --empty makes a new one without data; "
            f"backups that RDS may have kept are told by: {backups}",
        )
        return replace(change, blocked=refused)
    found = "a snapshot of its name is" if len(taken) == 1 else "snapshots of its name are"
    view = session.aws.memoized()
    doubts = {
        name: _doubt_of_origin(change.id, name, snapshot, kept)
        or _doubts(session, view, change, snapshot, want, history=history)
        for name, snapshot in taken.items()
    }
    named = [f"{name}{f': {doubts[name]}' if doubts[name] else ''}" for name in reversed(taken)]
    more = [f"and {len(taken) - _NAMED} older"] if len(taken) > _NAMED else []
    ours = [name for name in taken if not doubts[name]]
    restoring = (
        f"{session.command('apply')} --restore {ours[-1]} makes it from that"
        if ours
        else "see whose they are: --restore makes it from one that fits"
    )
    refused = Refused(
        f"{change.address} is not there, and {found}: what is made now would be empty",
        evidence="\n".join([*named[:_NAMED], *more]),
        hint=f"{restoring}; --empty makes a new one without data",
    )
    return replace(change, blocked=refused)


def _told_as_gone(
    session: Session, address: str, history: EarlierVersions, observed: Observations, snapshots: Collection[str]
) -> tuple[str, str]:
    """Tell how a cluster went that may have had data, and why nobody can tell for sure; each is empty where none is.

    Both are where a run of ours has removed the cluster and has kept none of these ``snapshots`` of it, or none was
    made.
    """
    if snapshots:
        return f"was destroyed, and what was kept of it ({', '.join(sorted(snapshots)[:_NAMED])}) is gone", ""
    manifest = history.manifest
    entry = manifest.entries.get(address)
    was_made = entry is not None and entry.phase is not Phase.LEAVING and entry.confirmed_spec is not None
    if not was_made and not is_cluster_lost(session, manifest, observed, history):
        last = history.last_made(address)
        was_due = last is not None and last.spec.get("tags", {}).get(FINAL_SNAPSHOT_TAG) == "true"
        # A destroy that got to its end has told what it has kept.
        if was_due and not is_certified_by_its_run(session.store, manifest):
            return "was removed by a destroy that was cut off, and its final snapshot is gone", ""
        return "", ""
    how = "may have been made, and be gone" if history.doubt else "was made, and removed outside tapctl"
    return how, history.doubt


def _unfinished_restore(session: Session, address: str, manifest: Manifest) -> Refused:
    """Refuse to make empty what an apply that did not finish was to make from a snapshot."""
    made = f"{address} was to be made from {manifest.restoring}, by an apply that did not finish"
    if doubt := doubt_of_snapshot(session, manifest.restoring):
        return Refused(
            f"by its record {made}",
            evidence=f"{doubt}; what is made now would be empty",
            hint="see whose it is: --restore makes it from the one that is meant, --empty without data",
        )
    return Refused(
        made,
        evidence="what is made now would be empty",
        hint=f"{continuing(session, manifest)} goes on; --empty makes it without data",
    )


def _doubt_of_origin(id: str, name: str, snapshot: DBClusterSnapshotTypeDef, kept: Collection[str]) -> str:
    """Tell why a destroy can have left no such snapshot; ``kept``: the names of those that one has left, where known.

    Anybody may make a cluster of our name, copy our tags, and choose the name of a snapshot.
    """
    if name.startswith(f"{id}-final-") and (but := misnamed(name, snapshot)):
        return f"it is named like a final snapshot, {but}"
    return "no destroy has left it, by certificate and record" if kept and name not in kept else ""


def _doubts(
    session: Session,
    view: Aws,
    change: Change,
    snapshot: DBClusterSnapshotTypeDef,
    want: DbClusterSpec,
    *,
    history: EarlierVersions,
) -> str:
    """Tell why this one should not be advised: anybody may make a cluster of our name, and a snapshot of it.

    ``view``: asks of the upgrade from one version once.
    """
    odd = [*misfits(snapshot, want), *_misfit_of_database(database_in(snapshot, change.address, history), want)]
    if not _is_tagged_ours(session, snapshot):
        odd.append(f"it does not bear the tags of {session.suffix}")
    version = snapshot.get("EngineVersion", "")
    if not odd and version and not same(DbClusterSpec, "engine_version", want.engine_version, version):
        refused = check_upgrade(view, want.engine, version, want.engine_version, address=change.address, classes=())
        odd += [refused.cause.removeprefix(f"{change.address}: ")] if refused else []
    return "; ".join(odd)


def _is_tagged_ours(session: Session, snapshot: DBClusterSnapshotTypeDef) -> bool:
    """True if the snapshot has its tags from our cluster."""
    return Owner.of(as_dict(snapshot.get("TagList", []))) == session.owner


def _plan_from(
    session: Session,
    name: str,
    change: Change,
    want: DbClusterSpec,
    history: EarlierVersions,
    *,
    healed: Collection[str],
) -> Change:
    """Plan the cluster from this snapshot, and say whose data that is, and of which version, where it is another one.

    The change is blocked where RDS would refuse it, and where the data is another cluster's than the name says, or not
    in the database that is wanted.
    """
    view = session.aws.memoized()
    note = f"restored from {name}"
    refused = restore_refusal(view, change.address, name, want)
    if refused is None:
        snapshot = snapshot_of(view, name)
        source, key = snapshot.get("DBClusterIdentifier", ""), snapshot.get("KmsKeyId", "")
        is_of_it = source in ("", change.id)
        database = database_in(snapshot, change.address, history) if is_of_it else ("", "")
        refused = _refusal_of_data(session, name, change, snapshot) or _refusal_of_database(
            name, change, database, want
        )
        known = [] if is_of_it else [f"is of {source}"]
        if is_of_it and not _is_tagged_ours(session, snapshot):
            known += [f"does not bear the tags of {session.suffix}"]
        known += [f"has to hold the database {want.database_name}"] if database == ("", "") else []
        note += f", which {' and '.join(known)}" if known else ""
        doubt = _doubt_of_origin(change.id, name, snapshot, ())
        note += f" ({doubt})" if doubt else ""
        version, wanted = snapshot.get("EngineVersion", ""), want.engine_version
        upgrades = not same(DbClusterSpec, "engine_version", wanted, version)
        note += f", and upgraded from {version} to {wanted}" if upgrades else ""
        state = "" if key in healed else _state_of(session, key)
        if refused is None and state not in ("", _USABLE):
            refused = Refused(
                f"{change.address} cannot be made from {name}",
                evidence=f"its key {key} is {state}",
                hint="bring that key back, or choose another snapshot",
            )
    return replace(change, blocked=refused, note=_joined(change, note))


def _refusal_of_data(session: Session, name: str, change: Change, snapshot: DBClusterSnapshotTypeDef) -> Refused | None:
    """Tell that another cluster's data bears the name of a final snapshot of ours: who asks for that one means ours."""
    bare, data = snapshot.get("DBClusterSnapshotIdentifier", name), snapshot.get("DbClusterResourceId", "")
    if not bare.startswith(f"{change.id}-final-") or not is_of_another_cluster(bare, data):
        return None
    copying = f"aws rds copy-db-cluster-snapshot --source-db-cluster-snapshot-identifier {shlex.quote(bare)}"
    command = session.aws.target.command(f"{copying} --target-db-cluster-snapshot-identifier NAME")
    return Refused(
        f"{bare} is another one than the final snapshot of that name",
        evidence=f"it holds the data of {data}, and by its name that of {cluster_in_name(bare)}",
        hint=f"see who has put it there; where its data is meant, restore a copy that bears another name: {command}",
    )


def _refusal_of_database(name: str, change: Change, told: tuple[str, str], want: DbClusterSpec) -> Refused | None:
    """Tell that no restore of this snapshot gives the database that is wanted; ``told``: as `database_in` tells it."""
    for misfit in _misfit_of_database(told, want):
        return Refused(
            f"{change.address} cannot be made from {name}",
            evidence=misfit,
            hint="no restore renames a database: write its name into database.name, or choose another snapshot",
        )
    return None


def _misfit_of_database(told: tuple[str, str], want: DbClusterSpec) -> list[str]:
    """Tell that the data is in a database of another name than is wanted, which the function would miss."""
    name, by = told
    odd = name not in ("", want.database_name)
    return [f"its database is {truncate(name)}, by {by}; wanted is {want.database_name}"] if odd else []


def _state_of(session: Session, key: str) -> str:
    """KMS's word for the state of a key; empty where there is none, or it may not be asked, which is told."""
    if not key:
        return ""
    try:
        return session.aws.read(session.aws.kms.describe_key, KeyId=key)["KeyMetadata"].get("KeyState", "")
    except AwsRefused as error:
        if error.matches("NotFoundException"):
            return "not there"
        if not error.is_denied:
            raise
        session.screen.warn(f"whether the snapshot's key {key} can be used was not asked: {error.permission} denied")
        return ""


def _joined(change: Change, note: str) -> str:
    return "; ".join(filter(None, (change.note, note)))
