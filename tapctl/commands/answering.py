"""The end of a command whose answer stands alone (outputs, graph, schema): a shell gets nothing but the answer."""

from __future__ import annotations

from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation


def told(invocation: Invocation, screen: Screen) -> int:
    """Tell programs their last line; returns the exit status."""
    if isinstance(screen, JsonScreen):
        screen.verdict(invocation.verdict("OK", 0))
    return 0
