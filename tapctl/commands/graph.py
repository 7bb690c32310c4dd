"""The stack as a picture's source: what there is, and what waits for what. Offline, from the configuration alone."""

from __future__ import annotations

from typing import Final

from tapctl.commands.answering import told
from tapctl.config import Config
from tapctl.engine.resources import AnyResource, Stack
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tapctl.session.target import resolve_target
from tapctl.stack.definition import planned_stack

FORMATS: Final = ("mermaid", "dot")


def render_graph(config: Config, suffix: str, kind: str) -> str:
    """The picture's source in this format."""
    stack = planned_stack(config, suffix)
    return _mermaid(stack) if kind == "mermaid" else _dot(stack)


def _mermaid(stack: Stack) -> str:
    """Mermaid: a dotted edge waits for the thing to be settled, a solid one for a value of it."""
    numbers = {one.address: f"n{number}" for number, one in enumerate(stack)}
    lines = ["flowchart LR"]
    lines += [f'  {numbers[one.address]}["{one.type}<br/>{one.id}"]' for one in stack]
    for one, need, value in _edges(stack):
        arrow = "-->" if value else "-.->"
        lines.append(f"  {numbers[need]} {arrow} {numbers[one.address]}")
    return "\n".join(lines)


def _dot(stack: Stack) -> str:
    """Graphviz: edges as in the mermaid form."""
    lines = ["digraph tapctl {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f'  "{one.address}" [label="{one.type}\\n{one.id}"];' for one in stack]
    for one, need, value in _edges(stack):
        style = "" if value else " [style=dotted]"
        lines.append(f'  "{need}" -> "{one.address}"{style};')
    return "\n".join([*lines, "}"])


def _edges(stack: Stack) -> list[tuple[AnyResource, str, bool]]:
    return [(one, need, need in one.values_from) for one in stack for need in sorted(one.needs)]


def graph(invocation: Invocation, screen: Screen, *, kind: str) -> int:
    """Print the stack as a picture's source; offline."""
    config, suffix = resolve_target(invocation, screen)
    text = render_graph(config, suffix, kind)
    screen.document(text, {"type": "graph", "format": kind, "text": text})
    return told(invocation, screen)
