"""The cost of changing one field of a resource, as it stands now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tapctl.engine.diff import is_downgrade, is_upgrade
from tapctl.engine.model import Impact, Observed, Reconciler, Spec


def impact_of(
    reconciler: Reconciler[Any, Any], name: str, want: Spec, seen: Observed[Any, Any], *, undoes: bool = False
) -> Impact:
    """Tell what changing this field from the observed to the wanted value costs.

    ``undoes``: True if the change takes back what somebody did outside tapctl, or nobody ever confirmed another value.
    Fewer days of retention lose nothing then where the resource is younger than they are.
    """
    have, wanted = getattr(seen.spec, name), getattr(want, name)
    if is_downgrade(type(want), name, wanted, have):
        return Impact.REPLACE
    if is_upgrade(type(want), name, wanted, have):
        return max(Impact.UPGRADE, _listed(reconciler, name, seen))
    if name == reconciler.retention_field and _keeps_less(wanted, have):
        since = seen.holds_data_since
        young = since is not None and since > datetime.now(UTC) - timedelta(days=wanted)
        return _listed(reconciler, name, seen) if undoes and young else Impact.DATA_LOSS
    if name in reconciler.protection_fields and have and not wanted:
        return max(Impact.PROTECTION, _listed(reconciler, name, seen))
    return _listed(reconciler, name, seen)


def _listed(reconciler: Reconciler[Any, Any], name: str, seen: Observed[Any, Any]) -> Impact:
    return seen.impacts.get(name, reconciler.impacts.get(name, Impact.NONE))


def _keeps_less(want: int, have: int) -> bool:
    """True if data is kept for fewer days than now; 0 is for ever."""
    return want != 0 and (have == 0 or want < have)
