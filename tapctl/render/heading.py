"""The first lines and the last one: which target this is about, and how it ended."""

from __future__ import annotations

from typing import Final

from tapctl.render.clean import one_line
from tapctl.render.elapsed import duration
from tapctl.render.paint import PLAIN, Palette
from tapctl.render.screen import Target, Verdict

_ACCOUNT_DIGITS: Final = 12
_HASH_SHOWN: Final = 8
_TIMED: Final = ("apply", "destroy")
"""Verbs whose duration people are told; programs are told every one's."""
ANSWERS: Final = ("outputs", "graph", "manifest show", "schema")
"""Verbs whose answer stands alone, for ``$(…)`` and files: people get a verdict only where there is no answer."""
_STYLES: Final = {0: "good", 2: "change"}


def header_lines(header: Target, paint: Palette = PLAIN) -> list[str]:
    """The target: ``prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c1a7e``, and its networking."""
    parts = [
        header.env,
        f"suffix {header.suffix}" if header.suffix not in ("", header.env) else "",
        account(header.account),
        header.region,
        header.identity,
        f"config {header.config_hash[:_HASH_SHOWN]}" if header.config_hash else "",
    ]
    first, *others = [one_line(part) for part in parts if part] or [""]
    target = " · ".join([paint("bold", first), *others])
    return [target] * bool(target) + [f"networking {one_line(header.networking)}"] * bool(header.networking)


def account(number: str) -> str:
    """An account's number in groups of four, which can be compared at a glance."""
    if len(number) != _ACCOUNT_DIGITS:
        return number
    return "-".join(number[at : at + 4] for at in range(0, _ACCOUNT_DIGITS, 4))


def verdict_line(verdict: Verdict, paint: Palette = PLAIN) -> str:
    """The last line: ``APPLY prod: CONVERGED in 11 m 02 s · 23 created``; without a status the counts alone."""
    verb = verdict.verb.partition(" ")[0].upper()
    who = f"{verb} {one_line(verdict.suffix or verdict.env)}".rstrip()
    status = paint(_STYLES.get(verdict.exit, "bad"), verdict.status)
    if status and verdict.verb in _TIMED:
        status += f" in {duration(verdict.elapsed_s)}"
    counted = " · ".join(f"{count} {word.replace('_', ' ')}" for word, count in verdict.counts.items())
    rest = " · ".join(part for part in (status, one_line(verdict.summary) or counted) if part)
    return f"{paint('bold', f'{who}:')} {rest}".rstrip()
