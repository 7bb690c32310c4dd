"""Seconds as people read them."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600


def running_time(seconds: float) -> str:
    """A running time: ``0:08``, ``2:11``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes = whole // _HOUR, whole % _HOUR // _MINUTE
    return f"{hours}:{minutes:02}:{whole % _MINUTE:02}" if hours else f"{minutes}:{whole % _MINUTE:02}"


def duration(seconds: float) -> str:
    """A time that is over: ``0.6 s``, ``42.0 s``, ``11 m 02 s``, ``1 h 02 m``."""
    tenths = max(0, round(seconds * 10))
    if tenths < _MINUTE * 10:
        return f"{tenths / 10:.1f} s"
    whole = max(_MINUTE, round(seconds))
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} m"
