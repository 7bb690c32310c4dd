"""Blockers of a plan: each change that must not, or cannot, be made, shown with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tapctl.engine.plan import Plan
from tapctl.errors import (
    ExitCode,
    TapctlError,
)
from tapctl.session.session import Session

NOTHING_CHANGED: Final = "nothing was changed"


def show_blockers(
    session: Session, plan: Plan, failed: Iterable[TapctlError] = (), *, state: str = NOTHING_CHANGED
) -> ExitCode:
    """Show all that must not, or cannot, be made, with its reason; returns the exit status. ``failed``: of checks."""
    errors = [*(change.blocked for change in plan.blocked if change.blocked is not None), *failed]
    for error in errors:
        session.screen.error(error, state)
    return ExitCode.worst(error.exit_code for error in errors)
