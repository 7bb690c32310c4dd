"""The lines that frame a report for people: the header above, the verdict or the error below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tapctl.errors import ExitCode, TapctlError
from tapctl.render.screen import Target, Verdict
from tapctl.render.terminal import PLAIN, Palette, duration, one_line, sanitize, sanitize_lines

_ACCOUNT_DIGITS: Final = 12
_HASH_SHOWN: Final = 8
_ALL: Final = "all"
_VERDICT_STYLES: Final[Mapping[int, str]] = {ExitCode.OK: "good", ExitCode.DIFFERENT: "change"}


def header_lines(target: Target, paint: Palette = PLAIN) -> list[str]:
    """The target: ``prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c1a7e``, and its networking."""
    parts = [
        target.env,
        f"suffix {target.suffix}" if target.suffix not in ("", target.env) else "",
        account(target.account),
        target.region,
        target.identity,
        f"config {target.config_hash[:_HASH_SHOWN]}" if target.config_hash else "",
    ]
    named = [one_line(part) for part in parts if part]
    lines = [" · ".join([paint("bold", named[0]), *named[1:]])] if named else []
    return [*lines, f"networking {one_line(target.networking)}"] if target.networking else lines


def account(number: str) -> str:
    """The account's number in groups of four, which can be compared at a glance."""
    if len(number) != _ACCOUNT_DIGITS:
        return number
    return "-".join(number[at : at + 4] for at in range(0, _ACCOUNT_DIGITS, 4))


def verdict_line(verdict: Verdict, paint: Palette = PLAIN) -> str:
    """The last line: ``APPLY prod: CONVERGED in 11 m 02 s · 23 created``; without a status the counts alone."""
    verb = verdict.verb.partition(" ")[0].upper()
    who = f"{verb} {one_line(verdict.target.suffix or _ALL)}"
    status = paint(_VERDICT_STYLES.get(verdict.exit, "bad"), verdict.status or "")
    if status and verdict.timed:
        status += f" in {duration(verdict.elapsed_s)}"
    counted = " · ".join(f"{count} {sanitize(word.replace('_', ' '))}" for word, count in verdict.counts.items())
    rest = " · ".join(part for part in (status, one_line(verdict.summary) or counted) if part)
    return f"{paint('bold', f'{who}:')} {rest}".rstrip()


_CROSS: Final = "\N{MULTIPLICATION SIGN}"


def error_lines(error: TapctlError, state: str = "", paint: Palette = PLAIN) -> list[str]:
    """The error, one thing a line; evidence of several lines is a tree."""
    lines = [f"{paint('bad', 'error')} {sanitize(error.code)}", f"  {paint('bad', _CROSS)} {one_line(error.cause)}"]
    lines += evidence_lines(error.evidence)
    if state:
        lines.append(f"  {paint('dim', 'state')}  {one_line(state)}")
    if error.hint:
        lines.append(f"  {paint('dim', 'hint')}   {one_line(error.hint)}")
    return lines


def evidence_lines(evidence: str | None) -> list[str]:
    """The lines of the evidence, each as a branch."""
    shown = [line for line in sanitize_lines(evidence or "") if line]
    return [f"  {'╰─' if at == len(shown) else '├─'} {line}" for at, line in enumerate(shown, 1)]
