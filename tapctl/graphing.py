"""The stack as a picture's source: what there is, and what waits for what. Offline, from the configuration alone."""

from __future__ import annotations

from typing import Final

from tapctl.config import Config
from tapctl.engine.graph import AnyResource, Stack
from tapctl.names import Names
from tapctl.networking import NetworkContract
from tapctl.stack import Artifact, build

FORMATS: Final = ("mermaid", "dot")


def render_graph(config: Config, suffix: str, kind: str) -> str:
    """The picture's source in this format."""
    stack = _stack(config, suffix)
    return _mermaid(stack) if kind == "mermaid" else _dot(stack)


def planned_addresses(config: Config, suffix: str) -> frozenset[str]:
    """The addresses of all that an apply makes."""
    return frozenset(one.address for one in _stack(config, suffix))


def _stack(config: Config, suffix: str) -> Stack:
    """The stack, without what only AWS can tell of the networking and the image."""
    names = Names(suffix, config.account_id, config.region)
    network = NetworkContract(reference=str(config.networking), vpc_id="vpc", subnet_ids=(), zones=())
    return build(config, names, network, Artifact(image_uri="image"))


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
