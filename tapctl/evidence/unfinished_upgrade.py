"""Our own major upgrade that was cut off: what RDS has done to the instances in it is no change of somebody else's.

RDS moves every member to the new version's parameter group in the one call that upgrades the cluster, also where the
apply is cut off after it: that member's entry knows nothing of it yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tapctl.engine.diff import is_upgrade
from tapctl.engine.drift import Finding, Reason
from tapctl.engine.plan import Change
from tapctl.engine.record import Entry, Phase
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_instance import DbInstance

_MOVED = (DbInstance.type, "parameter_group")


def with_upgrade(findings: Iterable[Finding], names: Names, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings, where a member's parameter group that comes with our own major upgrade is pending, and no drift.

    A revert would put a group of the old family on it.
    """
    group = _group_of_upgrade(names, entries)
    for one in findings:
        by_us = one.reason is Reason.CHANGED and _is_moved(one.type, one.field, one.live, group)
        yield replace(one, reason=Reason.UNCONFIRMED, asked=one.live, waiver=None) if by_us else one


def changes_with_upgrade(changes: Iterable[Change], names: Names, entries: Mapping[str, Entry]) -> Iterator[Change]:
    """The planned changes, where that group is none that was put there outside tapctl."""
    group = _group_of_upgrade(names, entries)
    for change in changes:
        fields = tuple(
            replace(field, outside=False) if _is_moved(change.type, field.path, field.have, group) else field
            for field in change.fields
        )
        yield replace(change, fields=fields)


def _is_moved(type_: str, field: str, live: Any, group: str) -> bool:
    return (type_, field) == _MOVED and live == group


def _group_of_upgrade(names: Names, entries: Mapping[str, Entry]) -> str:
    """The parameter group that an unfinished major upgrade of ours gives each member; empty where there is none."""
    cluster = entries.get(f"{DbCluster.type}/{names.cluster}")
    if cluster is None or cluster.phase is not Phase.MAKING:
        return ""
    have, asked = (str((spec or {}).get("engine_version", "")) for spec in (cluster.confirmed, cluster.spec))
    upgrades = is_upgrade(DbClusterSpec, "engine_version", asked, have)
    return names.instance_parameter_group(int(asked.partition(".")[0])) if upgrades else ""
