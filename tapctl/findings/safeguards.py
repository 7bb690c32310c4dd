"""Fields that guard data and resources, or tell whose these are: the record alone is no reason to weaken one."""

from __future__ import annotations

import math
from typing import Any, Final

from tapctl.engine.drift import Finding
from tapctl.reconcilers import registry
from tapctl.render.severity import SETTING, kind_of
from tapctl.safety.card_data import prints_card_data

_TAGS: Final = "tags"
"""Tags tell whose a resource is, what a removal keeps, and to many an organisation's policies who may do what."""
PLACES: Final = frozenset({"subnet_ids", "vpc_id"})
"""Fields that the networking stack tells, and no record: a resource in another subnet may be reached from elsewhere."""
_UPGRADE: Final = "engine_version"
"""The field of an upgrade, which has no way back."""
_ANY_WITHIN_THE_RULES: Final = frozenset({("cloudwatch-alarm", "threshold"), ("db-cluster", "backup_window")})
"""Types and fields of which every value that files may have guards as it should."""
_LEVELS: Final = ("none", "ddl", "mod")
"""PostgreSQL's ``log_statement``, the least first; ``all`` prints card data."""
_PERIODS: Final = frozenset({"rotation_days", "rotation_period_days"})
_UNSET: Final = {"log_statement": "none", "log_min_duration_statement": "-1"}
"""PostgreSQL's own values of the parameters that are no switches."""
_SWITCHES: Final = {"0": 0.0, "off": 0.0, "1": 1.0, "on": 1.0}
"""The values of a parameter that is on or off."""


def is_safeguard(type_: str, path: str) -> bool:
    """True if the field guards something, or is a tag, and files may have values of it that guard less."""
    name = path.partition(".")[0]
    named = name in (_TAGS, _UPGRADE, *PLACES) or kind_of(type_, path, None, None) is not SETTING
    return named and (type_, name) not in _ANY_WITHIN_THE_RULES


def is_stronger(one: Finding) -> bool:
    """True if what is recorded guards more than what AWS has, where one of the two is known to."""
    recorded, live = (_strength(one.type, one.field, value) for value in (one.recorded, one.live))
    return recorded is not None and live is not None and recorded > live


def _strength(type_: str, path: str, value: Any) -> float | None:
    """The value as a number that is higher where it guards more; None where nobody can tell."""
    table, _, name = path.partition(".")
    if table == "parameters":
        return _strength_of_parameter(name, value)
    if isinstance(value, bool):
        return float(value)
    if (type_, path) == ("lambda-function", "reserved_concurrency"):
        # A limit guards the database, and a reservation the payments: nobody can tell which of two guards more.
        return float(value != 0)
    if not isinstance(value, int):
        return None
    if path == registry()[type_].retention_field:
        return value or math.inf
    return -value if path in _PERIODS else None


def _strength_of_parameter(name: str, value: Any) -> float | None:
    """The same of a parameter of the database; what nobody has set counts as off."""
    text = _UNSET.get(name, "0") if value is None else str(value).strip().lower()
    if prints_card_data(name, text):
        return None
    if name == "log_statement":
        return _LEVELS.index(text)
    if name == "log_min_duration_statement":
        # The shorter, the more is told of the statements, and of what is in them.
        return float(text != "-1")
    return _SWITCHES.get(text) if name.startswith("log_") or name == "rds.force_ssl" else None
