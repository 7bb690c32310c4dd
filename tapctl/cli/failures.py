"""How a command ends when it cannot go on: an error people can act on, a verdict, an exit status; never a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tapctl.errors import (
    LockHeld,
    TapctlError,
    UsageError,
    add_default_hint,
    exit_code_of,
)

COMMAND = "tapctl.command"
"""Where a context keeps the command as it was typed."""

_HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What click 8.2 and newer raise for a command line with nothing on it: its message is the help."""

Meta = Mapping[str, Any]
"""What the command line has learnt: ``screen`` and ``options`` together, if it came that far."""


def report_usage(error: click.ClickException, verb: str, arguments: Sequence[str]) -> int:
    """A wrong command line, in click's words; its flags were not parsed, and click's exit status means another here."""
    if isinstance(error, _HELP):
        error.show()
        return UsageError.exit_code
    from tapctl.render import choose_screen
    from tapctl.render.screen import Target
    from tapctl.session.invocation import Invocation

    json, no_color, quiet = (flag in arguments for flag in ("--json", "--no-color", "--quiet"))
    screen = choose_screen(sys.stdout, sys.stderr, os.environ, json=json, no_color=no_color, quiet=quiet)
    screen.target(Target(verb))
    hint = f"see what there is: {' '.join(filter(None, ('tapctl', verb, '--help')))}"
    screen.error(UsageError(error.format_message(), hint=hint), _state(0))
    if verb or json:
        screen.verdict(Invocation(verb).verdict("FAILED", UsageError.exit_code))
    return UsageError.exit_code


def report_error(meta: Meta, error: TapctlError) -> int:
    """An error of ours that ended the command; returns the exit status."""
    changed = _changed(meta)
    return _show_error(meta, error, 4 if changed and not isinstance(error, LockHeld) else exit_code_of(error), changed)


def report_bug(meta: Meta, error: Exception) -> int:
    """Something nobody foresaw: where it happened, and that the record is right. Its message may hold secrets."""
    where, trace = [], error.__traceback__
    while trace is not None:
        where.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    state = meta["options"].state if "options" in meta else "./manifests"
    shown = TapctlError(
        f"unexpected {type(error).__name__}: this is a bug of tapctl",
        evidence=" > ".join(where[-5:]),
        hint=f"the manifest in {state} is right up to the last change; report this, then run the same command again",
    )
    try:
        return _show_error(meta, shown, shown.exit_code, _changed(meta))
    except Exception:  # noqa: BLE001 -- it may be the screen itself that does not work
        return _show_error({}, shown, shown.exit_code, 0)


def report_interrupt(meta: Meta, number: signal.Signals) -> int:
    """Stopped by a signal while no resource was being worked on."""
    code = 128 + number
    if "screen" in meta:
        meta["screen"].warn(f"stopped by {number.name}; {_state(_changed(meta))}. To go on: {meta[COMMAND]}")
        _verdict(meta, "STOPPED", code)
    return code


def _changed(meta: Meta) -> int:
    """How many changing calls AWS has accepted from this run."""
    return int(meta["options"].usage.accepted) if "options" in meta else 0


def _state(changed: int) -> str:
    return (
        f"AWS has accepted {changed} changing calls and the manifest is up to date"
        if changed
        else "nothing was changed"
    )


def _show_error(meta: Meta, error: TapctlError, code: int, changed: int) -> int:
    add_default_hint(error)
    if "screen" in meta:
        meta["screen"].error(error, _state(changed))
        _verdict(meta, "FAILED", code)
    else:
        from tapctl.render.reports import error_lines

        print(*error_lines(error), sep="\n", file=sys.stderr)  # noqa: T201 -- there is no screen
    return code


def _verdict(meta: Meta, status: str, code: int) -> None:
    meta["screen"].verdict(meta["options"].verdict(status, code))
