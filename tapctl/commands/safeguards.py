"""Fields that guard data and resources, or tell whose these are: the record alone is no reason to weaken one."""

from __future__ import annotations

from typing import Final

from tapctl.engine.drift import Finding
from tapctl.names import OUR_TAGS
from tapctl.reconcilers import registry
from tapctl.render.severity import SETTING, kind_of

_TAGS: Final = "tags"
_OWN_TAGS: Final = "tapctl:"
"""The beginning of the keys of tags by which a removal knows what is to be kept, and for how long."""
_ANY_WITHIN_THE_RULES: Final = frozenset({("cloudwatch-alarm", "threshold")})
"""Types and fields of which every value that files may have guards as it should."""


def is_safeguard(type_: str, path: str) -> bool:
    """True if the field at this path, as `tapctl.engine.diff.details` names it, is more than a setting."""
    name, _, tag = path.partition(".")
    if name == _TAGS:
        return tag in OUR_TAGS or tag.startswith(_OWN_TAGS)
    return (type_, name) not in _ANY_WITHIN_THE_RULES and kind_of(type_, path, None, None) is not SETTING


def is_stronger(one: Finding) -> bool:
    """True if what is recorded guards more than what AWS has: it is on, or is kept for longer (0 is for ever)."""
    recorded, live = one.recorded, one.live
    if isinstance(recorded, bool):
        return recorded
    is_retention = one.field == registry()[one.type].retention_field
    return (
        is_retention and isinstance(recorded, int) and isinstance(live, int) and (recorded == 0 or 0 < live < recorded)
    )
