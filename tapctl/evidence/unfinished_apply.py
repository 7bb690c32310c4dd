"""An apply that did not finish: the command that goes on with it."""

from __future__ import annotations

import shlex

from tapctl.aws.tags import as_dict
from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers.db_cluster_snapshots import snapshot_of
from tapctl.session.session import Session


def continuing(session: Session, manifest: Manifest) -> str:
    """The command that goes on with an apply which did not finish: from its snapshot, if that is the environment's."""
    is_known = bool(manifest.restoring) and not doubt_of_snapshot(session, manifest.restoring)
    restore = f" --restore {shlex.quote(manifest.restoring)}" if is_known else ""
    return f"{session.command('apply')}{restore}"


def doubt_of_snapshot(session: Session, name: str) -> str:
    """Tell why the snapshot that the record names is not advised: whoever may write there may name anybody's.

    A copy may be made from a snapshot of another one of its environment.
    """
    try:
        snapshot = snapshot_of(session.aws, name)
    except AwsRefused as error:
        return f"RDS does not show it: {error.cause}"
    owner = Owner.of(as_dict(snapshot.get("TagList", [])))
    if owner is not None and owner == Owner.ours(owner.suffix, session.target.env):
        return ""
    return f"it is of {snapshot.get('DBClusterIdentifier', '')}, and does not bear the tags of {session.target.env}"
