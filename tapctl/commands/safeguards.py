"""Fields that guard data and resources, or tell whose these are: the record alone is no reason to weaken one."""

from __future__ import annotations

from typing import Final

from tapctl.engine.drift import Finding
from tapctl.reconcilers import registry
from tapctl.render.severity import SETTING, kind_of

_TAGS: Final = "tags"
"""Tags tell whose a resource is, what a removal keeps, and to many an organisation's policies who may do what."""
PLACES: Final = frozenset({"subnet_ids", "vpc_id"})
"""Fields that the networking stack tells, and no record: a resource in another subnet may be reached from elsewhere."""
_UPGRADE: Final = "engine_version"
"""An upgrade has no way back."""
_ANY_WITHIN_THE_RULES: Final = frozenset({("cloudwatch-alarm", "threshold")})
"""Types and fields of which every value that files may have guards as it should."""


def guards(type_: str, path: str) -> bool:
    """True if the field at this path, as `tapctl.engine.diff.details` names it, is more than a setting."""
    return kind_of(type_, path, None, None) is not SETTING


def is_safeguard(type_: str, path: str) -> bool:
    """True if the field guards something, or is a tag, and files may have values of it that guard less."""
    name = path.partition(".")[0]
    named = name in (_TAGS, _UPGRADE, *PLACES) or guards(type_, path)
    return named and (type_, name) not in _ANY_WITHIN_THE_RULES


def is_stronger(one: Finding) -> bool:
    """True if what is recorded guards more than what AWS has: it is on, or is kept for longer (0 is for ever)."""
    recorded, live = one.recorded, one.live
    if isinstance(recorded, bool):
        return recorded
    is_retention = one.field == registry()[one.type].retention_field
    return (
        is_retention and isinstance(recorded, int) and isinstance(live, int) and (recorded == 0 or 0 < live < recorded)
    )
