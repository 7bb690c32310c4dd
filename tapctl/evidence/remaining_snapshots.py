"""Remaining snapshots after a destroy: the final one, earlier ones, and copies of the data under whatever key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tapctl.engine.model import Retained, address
from tapctl.errors import AwsError, add_default_hint
from tapctl.evidence.certificate import EarlierCertificate
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_snapshots import (
    SNAPSHOT,
    copies_under_other_keys,
    data_in,
    lasting_snapshots,
    snapshots_left,
)
from tapctl.reconcilers.kms_key import copies_named
from tapctl.session.session import Session

_UNDER_KEY: Final = "it is under the key that is kept"


@dataclass(frozen=True)
class Copies:
    """The copies of the data that are left beside its final snapshot, as a verdict counts them."""

    of_data: int = 0
    alike: int = 0
    """The number of snapshots that bear the cluster's name or tags, and may be copies."""
    unseen: bool = False
    """True if AWS did not let us look for them."""

    @property
    def counts(self) -> dict[str, int]:
        """The look that failed, for the counts of a verdict; empty where none did."""
        return {"copies_not_seen": 1} if self.unseen else {}

    @property
    def words(self) -> str:
        """The words for the verdict; empty where nothing is left."""
        if self.unseen:
            return " · copies of its data were not looked for"
        counted = (
            (self.of_data, "copy of its data is", "copies of its data are"),
            (self.alike, "snapshot of its name or tags is", "snapshots of its name or tags are"),
        )
        return "".join(f" · {count} {one if count == 1 else more} left" for count, one, more in counted if count)


def remaining_snapshots(
    session: Session,
    finished: Collection[str],
    undone: Collection[str],
    retained: Mapping[str, Retained],
    *,
    kept_key: str,
    earlier: EarlierCertificate | None,
) -> tuple[Mapping[str, Retained], Copies]:
    """The snapshots that the cluster's removal has left, where an earlier destroy did that, and copies of the data.

    With the number of copies, under whatever key. ``finished``: what this run is done with, by address; ``retained``:
    by this run; ``kept_key``: the ARN of the key among that, empty where none is. The reason for it names snapshots as
    far as it has room, and those beyond are listed each. Nothing but the certificate tells of copies that other keys
    encrypt, and ``earlier`` one of which data they are, where the snapshot itself is gone: that is told. Where AWS does
    not let us look, what that one has kept stays certified, as not seen.
    """
    cluster, left = f"{DbCluster.type}/{session.names.cluster}", dict[str, Retained]()
    try:
        if cluster not in undone and cluster not in finished:
            left |= snapshots_left(session.aws, session.names.cluster, session.owner)
        if cluster in undone:
            return left, Copies()
        kept = (place.partition("/") for place in (*left, *retained))
        final = {name for type_, _, name in kept if type_ == SNAPSHOT}
        names = final | {name for one in retained.values() for name in copies_named(one.why)}
        before = earlier.snapshots | earlier.decrypted if earlier is not None else frozenset()
        there = lasting_snapshots(session.aws)
        for name in sorted(before - there.keys()):
            session.screen.warn(f"{name} is gone, which an earlier destroy has kept: no destroy removes one")
        beyond = {name for name, one in there.items() if kept_key and one.kms_key_arn == kept_key} - names
        left |= {address(SNAPSHOT, name): Retained("you delete it", _UNDER_KEY) for name in beyond}
        kept_before = names | beyond | (before - there.keys())
        copies = dict(copies_under_other_keys(there, kept_before, session.names.cluster, session.owner))
        for place in sorted(copies.keys() - (earlier.kept.keys() if earlier is not None else set())):
            session.screen.warn(
                f"{place} is there: {copies[place].why}; it is certified now, and drift takes it for meant: if nobody "
                "means it, delete it"
            )
        left |= copies
        data = data_in(kept_before, there)
        of_data = {name for name, one in there.items() if name not in final and one.resource_id.lower() in data}
        alike = {name for _, _, name in (place.partition("/") for place in copies)} - of_data
    except AwsError as error:
        add_default_hint(error)
        session.screen.warn(
            f"the snapshots that are kept of {session.names.cluster} could not be seen: "
            f"{'; '.join(filter(None, (error.cause, error.hint)))}"
        )
        unseen = earlier.unseen_snapshots() if earlier is not None else {}
        return {**unseen, **left}, Copies(unseen=True)
    return left, Copies(len(of_data), len(alike))
