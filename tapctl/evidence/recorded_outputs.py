"""Outputs that the recorded resources are made for: those in the record, and where a run was cut off others, too.

What was made anew since has not come to its users yet. But who may write the record may write its history: of what an
earlier version alone tells, nothing counts but what cannot be somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tapctl.engine.model import address
from tapctl.engine.observe import Observations, Unreadable, observed_outputs
from tapctl.engine.refs import KnownOutputs
from tapctl.errors import AwsRefused
from tapctl.evidence.earlier_versions import since_a_whole
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers.db_cluster import DbCluster, ids_of_others
from tapctl.reconcilers.db_cluster_settings import MANAGED, RESOURCE_ID
from tapctl.reconcilers.iam_role import IamRole
from tapctl.session.session import Session


def recorded_outputs(session: Session, manifest: Manifest, observed: Observations) -> tuple[KnownOutputs, ...]:
    """The outputs for some of which each resource is made: the record's, and AWS's of what is not recorded.

    Where a run was cut off: AWS's, and the record's of what AWS does not tell; and those of earlier clusters and roles,
    from the record's own back to those of the last version that an earlier run has finished.
    """
    recorded = {place: entry.outputs for place, entry in manifest.entries.items() if entry.outputs}
    # Of what nobody may look at there are none.
    unseen: KnownOutputs = {place: {} for place, seen in observed.items() if isinstance(seen, Unreadable)}
    live = {**unseen, **observed_outputs(observed)}
    if manifest.is_whole:
        return (_beside(live, recorded),)
    now = _beside(recorded, live)
    earlier = [each for each in _earlier(session, manifest) if _beside(now, each) != now]
    foreign = _ids_of_others(session) if earlier else frozenset()
    ours = (each for each in earlier if foreign is not None and foreign.isdisjoint(_values(each)))
    return (now, *(_beside(now, each) for each in ours))


def _earlier(session: Session, manifest: Manifest) -> Iterator[KnownOutputs]:
    """The outputs, by the record and earlier versions, that no living resource but one of ours can have.

    RDS names a cluster's id and secret anew, in a form of its own, which tells nothing of whose they are; an account
    has one role of a name, whatever its path.
    """
    names, place = session.names, re.escape(f"{manifest.region}:{manifest.account}:")
    forms = {
        address(DbCluster.type, names.cluster): {
            "secret_arn": rf"arn:{names.partition}:secretsmanager:{place}{MANAGED}",
            "resource_id": RESOURCE_ID,
        },
        address(IamRole.type, names.role): {
            "arn": rf"arn:{names.partition}:iam::{manifest.account}:role/(.+/)?{re.escape(names.role)}"
        },
    }
    for version in (manifest, *since_a_whole(session.store, manifest)):
        told = {at: entry.outputs or {} for at, entry in version.entries.items() if at in forms}
        yield {
            at: {name: one[name] for name, form in forms[at].items() if re.fullmatch(form, one.get(name, ""), re.ASCII)}
            for at, one in told.items()
        }


def _values(outputs: KnownOutputs) -> Iterator[str]:
    return (value for each in outputs.values() for value in each.values())


def _ids_of_others(session: Session) -> frozenset[str] | None:
    """As `ids_of_others`; None where that may not be asked."""
    try:
        return ids_of_others(session.aws, session.names.cluster)
    except AwsRefused:
        return None


def _beside(others: KnownOutputs, these: KnownOutputs) -> KnownOutputs:
    """These outputs, and of the others what these do not tell."""
    return {place: {**others.get(place, {}), **these.get(place, {})} for place in {*others, *these}}
