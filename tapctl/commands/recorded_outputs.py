"""Outputs that the recorded resources are made for: those in the record, and where a run was cut off others, too.

What was made anew since has not come to its users yet. But who may write the record may write its history: of what an
earlier version alone tells, nothing counts but what RDS names anew with each cluster, and no other cluster has now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tapctl.commands.unfinished_destroy import earlier_versions
from tapctl.engine.model import address
from tapctl.engine.observe import Observations, observed_outputs
from tapctl.engine.refs import KnownOutputs
from tapctl.errors import AwsRefused
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers.db_cluster import MANAGED, RESOURCE_ID, DbCluster, ids_of_others
from tapctl.session.session import Session

_VERSIONS: Final = 5
"""Versions of the record that are read at most where a run was cut off."""


def recorded_outputs(session: Session, manifest: Manifest, observed: Observations) -> tuple[KnownOutputs, ...]:
    """The outputs for some of which each resource is made: the record's, and AWS's of what is not recorded.

    Where a run was cut off: AWS's, and the record's of what AWS does not tell; and the ids of earlier clusters, from
    the record's own back to those of the last version that an earlier run has finished.
    """
    recorded = {place: entry.outputs for place, entry in manifest.entries.items() if entry.outputs}
    live = observed_outputs(observed)
    if manifest.is_whole:
        return (_beside(live, recorded),)
    now = _beside(recorded, live)
    place = address(DbCluster.type, session.names.cluster)
    cluster = now.get(place, {})
    lost = [each for each in _ids(session, manifest, place) if not each.items() <= cluster.items()]
    foreign = _ids_of_others(session) if lost else frozenset()
    earlier = (each for each in lost if foreign is not None and foreign.isdisjoint(each.values()))
    return (now, *({**now, place: {**cluster, **each}} for each in earlier))


def _ids(session: Session, manifest: Manifest, place: str) -> Iterator[dict[str, str]]:
    """The cluster's outputs that RDS names anew with each cluster, in its form, by the record and earlier versions."""
    prefix = re.escape(f"arn:{session.names.partition}:secretsmanager:{manifest.region}:{manifest.account}:")
    forms = {"secret_arn": f"{prefix}{MANAGED}", "resource_id": RESOURCE_ID}
    for version in (manifest, *islice(earlier_versions(session, manifest), _VERSIONS)):
        entry = version.entries.get(place)
        told = (entry and entry.outputs) or {}
        ids = {name: told[name] for name, form in forms.items() if re.fullmatch(form, told.get(name, ""), re.ASCII)}
        if ids:
            yield ids
        if version.is_whole and version.run != manifest.run:
            break


def _ids_of_others(session: Session) -> frozenset[str] | None:
    """As `ids_of_others`; None where that may not be asked."""
    try:
        return ids_of_others(session.aws, session.names.cluster)
    except AwsRefused:
        return None


def _beside(others: KnownOutputs, these: KnownOutputs) -> KnownOutputs:
    """These outputs, and of the others what these do not tell."""
    return {place: {**others.get(place, {}), **these.get(place, {})} for place in {*others, *these}}
