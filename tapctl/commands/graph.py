"""``tapctl graph``: the stack as the source of a picture. Offline, from the configuration alone."""

from __future__ import annotations

from tapctl.config import Config
from tapctl.engine.resources import AnyResource, Stack
from tapctl.errors import Status
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tapctl.session.target import resolve_target
from tapctl.stack.definition import planned_stack


def graph(invocation: Invocation, screen: Screen, kind: str) -> int:
    """Print the stack as ``mermaid`` or ``dot``."""
    config, target = resolve_target(invocation, screen)
    text = render_graph(config, target.suffix, kind)
    screen.document(text, {"type": "graph", "format": kind, "text": text})
    return invocation.finish(screen, Status.OK)


def render_graph(config: Config, suffix: str, kind: str) -> str:
    """The picture's source. A solid edge waits for a value of the other resource, a dotted one until it is settled."""
    stack = planned_stack(config, suffix)
    return _mermaid(stack) if kind == "mermaid" else _dot(stack)


def _mermaid(stack: Stack) -> str:
    numbers = {resource.address: f"n{number}" for number, resource in enumerate(stack)}
    lines = ["flowchart LR"]
    lines += [f'  {numbers[resource.address]}["{resource.type}<br/>{resource.id}"]' for resource in stack]
    for resource, need, for_value in _edges(stack):
        arrow = "-->" if for_value else "-.->"
        lines.append(f"  {numbers[need]} {arrow} {numbers[resource.address]}")
    return "\n".join(lines)


def _dot(stack: Stack) -> str:
    lines = ["digraph tapctl {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f'  "{resource.address}" [label="{resource.type}\\n{resource.id}"];' for resource in stack]
    for resource, need, for_value in _edges(stack):
        style = "" if for_value else " [style=dotted]"
        lines.append(f'  "{need}" -> "{resource.address}"{style};')
    return "\n".join([*lines, "}"])


def _edges(stack: Stack) -> list[tuple[AnyResource, str, bool]]:
    """Each resource with each address it needs; True if the resource waits for a value."""
    return [(resource, need, need in resource.values_from) for resource in stack for need in sorted(resource.needs)]
