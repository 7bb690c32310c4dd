"""How long somebody wants to wait, as it is written on a command line."""

from __future__ import annotations

import re

from tapctl.errors import UsageError

LONGEST_S = 24 * 3600
# Not without a unit: some would mean minutes.
_WRITTEN = re.compile(r"0|(?=.)(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")


def parse_duration(text: str) -> float:
    """Seconds of ``30s``, ``10m``, ``1h30m``; ``0`` needs no unit.

    Raises:
        UsageError: it is none of these, or more than a day.
    """
    written = _WRITTEN.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in written.groups()) if written else (0, 0, LONGEST_S + 1)
    total = hours * 3600 + minutes * 60 + seconds
    if total > LONGEST_S:
        raise UsageError(f"{text!r} is no time to wait", hint="write it like 30s, 10m or 1h30m; a day at most")
    return float(total)
