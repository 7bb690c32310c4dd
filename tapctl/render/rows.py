"""One line about one resource, and the lines under it: what a plan and a drift report are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tapctl.render.clean import sanitize
from tapctl.render.paint import Palette
from tapctl.render.tables import pad, widest

VALUE_WIDTH: Final = 50
"""A value wider than this does not push what stands at its right away in the other lines."""


@dataclass(frozen=True)
class Detail:
    """One field of a resource: its path, its value or change, and a word at the right."""

    path: str
    value: str
    right: str = ""


@dataclass(frozen=True)
class Block:
    """One resource: symbol, type, id, a note at the right; a sentence and fields under it."""

    symbol: str
    type: str
    id: str
    note: str = ""
    sentence: str = ""
    details: tuple[Detail, ...] = ()


def block_lines(blocks: Sequence[Block], paint: Palette) -> list[str]:
    """All blocks, in columns that line up over all of them."""
    symbol = widest(one.symbol for one in blocks)
    type_ = widest(one.type for one in blocks)
    noted = widest(sanitize(one.id) for one in blocks if one.note)
    details = [detail for one in blocks for detail in one.details]
    path = widest(sanitize(one.path) for one in details)
    value = widest((one.value for one in details if one.right), most=VALUE_WIDTH)
    told = []
    for one in blocks:
        gap = " " * (symbol - widest([one.symbol]))
        head = f"  {paint.symbol(one.symbol)}{gap} {pad(one.type, type_)}  {pad(sanitize(one.id), noted)}"
        told.append(f"{head}  {sanitize(one.note)}".rstrip())
        if one.sentence:
            told.append(f"      {one.sentence}")
        for detail in one.details:
            line = f"      {pad(sanitize(detail.path), path)}  {pad(detail.value, value)}"
            told.append(f"{line}  {sanitize(detail.right)}".rstrip())
    return told
