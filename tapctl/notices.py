"""Notices to the user while something is waited for, from where no screen is known."""

from __future__ import annotations

from collections.abc import Callable

Notify = Callable[[str], None]
"""A function that shows the user one sentence."""


def silent(_: str) -> None:
    """Show nothing: the `Notify` where nobody watches."""
