"""The kinds of trouble that a call to AWS may meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from tests.support.door import Proceed, Refusal, Served, Silence, Trouble, Visit, denied


def deny(name: str) -> Trouble:
    """Deny this operation, always."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == name:
            raise denied(name)
        return proceed()

    return trouble


def refuse(names: tuple[str, ...], code: str, *, after_changes: int = 0) -> Trouble:
    """Refuse these operations (none: all) with this code, once so many changes have come."""
    changes = 0

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        nonlocal changes
        if changes >= after_changes and (not names or visit.name in names):
            raise Refusal(code)
        changes += visit.changes
        return proceed()

    return trouble


def at_change(nth: int, act: Callable[[], None], *, after: bool = False) -> Trouble:
    """Do this once, right before (or after) the nth changing call takes effect."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.nth_change != nth:
            return proceed()
        if after:
            served = proceed()
            act()
            return served
        act()
        return proceed()

    return trouble


def cut_off(nth: int, requests: int) -> Trouble:
    """Leave so many requests without an answer, from the nth changing call on."""
    lost: list[str] = []

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if (lost or visit.nth_change == nth) and len(lost) < requests:
            lost.append(visit.name)
            raise Silence
        return proceed()

    return trouble


_SORRY: Final = partial(Refusal, "InternalFailure", "We are sorry", 500)
HICCUPS: Final[Mapping[str, tuple[Callable[[], Exception], bool]]] = {
    "throttled": (partial(Refusal, "ThrottlingException", "Rate exceeded", 400), False),
    "broken": (_SORRY, False),
    "unheard": (Silence, False),
    "unanswered": (Silence, True),
    "broken after it was done": (_SORRY, True),
}
"""Kind to what is raised, and whether the call was done before."""


def hiccup(name: str, kind: str, times: int = 1) -> Trouble:
    """The first calls of this operation meet this trouble. As many as the SDK asks (4): the engine has to see it."""
    error, done = HICCUPS[kind]

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name != name or visit.nth > times:
            return proceed()
        if done:
            proceed()
        raise error()

    return trouble
