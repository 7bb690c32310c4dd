"""The stack as a picture: an SVG of boxes in columns, each right of all that it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from html import escape
from typing import Final

from tapctl.render.terminal import one_line
from tapctl.render.values import counted

_WIDTH: Final = 208
"""Units of a box; about a character of an id takes seven of them."""
_HEIGHT: Final = 40
_ACROSS: Final = _WIDTH + 40
_DOWN: Final = _HEIGHT + 14
_LONGEST: Final = 28
Needs = Mapping[str, Collection[str]]


def columns_of(needs: Needs) -> list[list[str]]:
    """The addresses by column; those that are needed by the same ones stand at about the same height.

    A need that is no address here, and one that closes a circle, are passed over.
    """
    depth: dict[str, int] = {}
    for root in needs:
        # No recursion: a recorded run may be anybody's, and as deep as it likes.
        path = {} if root in depth else {root: iter(needs[root])}
        while path:
            address = next(reversed(path))
            inner = next(
                (need for need in path[address] if need in needs and need not in path and need not in depth), None
            )
            if inner is not None:
                path[inner] = iter(needs[inner])
                continue
            del path[address]
            depth[address] = max((depth[need] + 1 for need in needs[address] if need in depth), default=0)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for address in needs:
        columns[depth[address]].append(address)
    rows: dict[str, float] = {}
    for column in columns:
        column.sort(key=lambda address: (_mean([rows[need] for need in needs[address] if need in rows]), address))
        rows.update({address: row - len(column) / 2 for row, address in enumerate(column)})
    return columns


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0


def picture(needs: Needs, look: Callable[[str], tuple[str, str, str]]) -> str:
    """The SVG. ``look``: address to the name of its style, its symbol, and its state in words."""
    columns = columns_of(needs)
    tallest = max(map(len, columns), default=0)
    places = {
        address: (8 + at * _ACROSS, 8 + (row + (tallest - len(column)) / 2) * _DOWN)
        for at, column in enumerate(columns)
        for row, address in enumerate(column)
    }
    width, height = len(columns) * _ACROSS - _ACROSS + _WIDTH + 16, tallest * _DOWN + 4
    lines = [*_edges(needs, places), *_boxes(places, look)]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg {size} role="img" aria-labelledby="stack-told">'
    what = f"{counted(len(needs), 'resource')} and what each needs; the table below says the same"
    told = f'<title id="stack-told">{what}</title>'
    return "\n".join([head, told, *lines, "</svg>"])


def _edges(needs: Needs, places: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for address, wanted in needs.items():
        x, y = places[address]
        for need in sorted(wanted):
            if need in places:
                from_x, from_y = places[need][0] + _WIDTH, places[need][1] + _HEIGHT / 2
                bend = max(24, (x - from_x) / 2)
                curve = f"C{from_x + bend:g} {from_y:g} {x - bend:g} {y + _HEIGHT / 2:g} {x:g} {y + _HEIGHT / 2:g}"
                yield f'<path class="edge" d="M{from_x:g} {from_y:g}{curve}"/>'


def _boxes(places: Mapping[str, tuple[float, float]], look: Callable[[str], tuple[str, str, str]]) -> Iterator[str]:
    for address, (x, y) in places.items():
        style, symbol, state = look(address)
        type_, _, id_ = one_line(address).partition("/")
        yield f'<g class="box {style}"><title>{escape(one_line(f"{address}: {state}"))}</title>'
        yield f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        yield f'<text x="{x + 10:g}" y="{y + 16:g}" class="type">{escape(f"{symbol} {type_}".strip())}</text>'
        yield f'<text x="{x + 10:g}" y="{y + 32:g}">{escape(_short(id_))}</text></g>'


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
