"""The final snapshot of the cluster: due until the file keeps it or gives it up, by the record or the cluster's tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tapctl.aws.tags import as_dict
from tapctl.engine.model import Impact, Observed, address
from tapctl.engine.observe import Absent, Observations
from tapctl.engine.plan import Action, Change
from tapctl.engine.record import Entry
from tapctl.errors import AwsRefused
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_removal import FINAL_SNAPSHOT_TAG
from tapctl.reconcilers.db_cluster_snapshots import snapshot_of
from tapctl.session.session import Session


def snapshot_stays_due(
    session: Session, entries: Mapping[str, Entry], observed: Observations, restore: str = ""
) -> bool:
    """True if a final snapshot is due by the record or the cluster's tag, and the file neither keeps nor gives it up.

    The snapshot of a protected environment is due by default. Protection that is lifted must not give it up with it,
    nor may who writes the record, or the tag, alone. ``restore``: the snapshot that a cluster which is not there is
    made from; its data had one due, unless the snapshot's tag says otherwise.
    """
    if session.config.final_snapshot or session.config.final_snapshot_is_written:
        return False
    cluster = address(DbCluster.type, session.names.cluster)
    entry, seen = entries.get(cluster), observed.get(cluster)
    if entry is not None:
        tags = (entry.confirmed_spec or entry.spec).get("tags")
        if not isinstance(tags, Mapping) or tags.get(FINAL_SNAPSHOT_TAG) != "false":
            return True
    if restore and (isinstance(seen, Absent) or (isinstance(seen, Observed) and seen.deleting)):
        return _is_due_of(session, restore)
    if not isinstance(seen, Observed) or "tags" in seen.unreadable:
        return False
    return bool(seen.spec.tags.get(FINAL_SNAPSHOT_TAG, "false") != "false")


def _is_due_of(session: Session, snapshot: str) -> bool:
    try:
        told = snapshot_of(session.aws, snapshot).get("TagList", [])
    except AwsRefused:
        return True  # the plan tells why it cannot be restored
    return as_dict(told).get(FINAL_SNAPSHOT_TAG) != "false"


def tell_of_snapshot(change: Change, *, stays: bool) -> Change:
    """Say at the cluster that its final snapshot stays due, or that it is given up: a protection less."""
    if change.type != DbCluster.type or change.action is Action.DELETE:
        return change
    given_up = [
        field.path == f"tags.{FINAL_SNAPSHOT_TAG}" and field.have != "false" and field.want == "false"
        for field in change.fields
    ]
    if change.action is Action.UPDATE and any(given_up):
        fields = tuple(
            replace(field, impact=Impact.PROTECTION) if gone else field
            for field, gone in zip(change.fields, given_up, strict=True)
        )
        change = replace(change, fields=fields, impact=max(change.impact, Impact.PROTECTION))
        note = "no final snapshot will be taken of it any more"
    else:
        note = "its final snapshot stays due until final_snapshot = false is written" if stays else ""
    return replace(change, note="; ".join(filter(None, (change.note, note))))
