"""The end of a command whose answer stands alone (outputs, graph, schema): a shell gets nothing but the answer."""

from __future__ import annotations

from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Screen, Verdict


def told(screen: Screen, verb: str, env: str = "", where: str = "") -> int:
    """Tell programs their last line; returns the exit status."""
    if isinstance(screen, JsonScreen):
        screen.verdict(Verdict(verb, env, "OK", 0, manifest=where))
    return 0
