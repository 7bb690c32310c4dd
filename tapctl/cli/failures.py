"""Failures of a command: an exception becomes an error on the screen, a verdict, an exit status; never a traceback."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tapctl.cli.completion import known_environments
from tapctl.cli.reporting import Recordings, recorded, reports_among
from tapctl.errors import (
    ConfigError,
    ExitCode,
    LockHeld,
    Status,
    TapctlError,
    UsageError,
    add_default_hint,
    bug,
    exit_code_of,
)
from tapctl.execution.signals import exit_status

if TYPE_CHECKING:
    from tapctl.render.screen import Screen
    from tapctl.session.invocation import Invocation

COMMAND = "tapctl.command"
"""The key under which a context keeps the command as it was typed."""

_HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""Raised by click 8.2 and newer for an empty command line: its message is the help."""

Meta = Mapping[str, Any]
"""A context's notes: the command as typed; ``screen`` and ``invocation`` once the options are parsed."""


def report_usage(error: click.ClickException, verb: str, arguments: Sequence[str], recordings: Recordings) -> int:
    """Report a usage error of click with our exit status: click's own, 2, means "differences" here.

    The flags were not parsed: those that choose the screen are looked for among the words.
    """
    if isinstance(error, _HELP):
        error.show()
        return UsageError.exit_code
    from tapctl.render import choose_screen
    from tapctl.session.invocation import Invocation

    json, no_color, quiet = (flag in arguments for flag in ("--json", "--no-color", "--quiet"))
    screen = choose_screen(sys.stdout, sys.stderr, os.environ, verb=verb, json=json, no_color=no_color, quiet=quiet)
    if verb:
        screen = recorded(recordings, screen, verb, reports_among(arguments))
    hint = f"see what there is: {' '.join(filter(None, ('tapctl', verb, '--help')))}"
    meant = _with_environment(error, verb, arguments)
    screen.error(UsageError(error.format_message(), evidence=meant, hint=hint), _state(0))
    if verb or json:
        _finish(Invocation(verb), screen, Status.FAILED, UsageError.exit_code)
    return UsageError.exit_code


def _with_environment(error: click.ClickException, verb: str, arguments: Sequence[str]) -> str | None:
    """The same command with ``--env``, where one word too many is an environment: ``plan dev``.

    None where anything else is wrong too, or the word stands for something else: what is suggested can be run.
    """
    context = error.ctx if type(error) is click.UsageError else None
    options = {option for param in context.command.params for option in param.opts} if context is not None else ()
    if context is None or "--env" not in options or any(word.startswith("--env") for word in arguments):
        return None
    words = verb.split()
    rest = [word for word in arguments if word not in words]
    extra = context.command.make_context(words[-1], [*rest], parent=context.parent, resilient_parsing=True).args
    if len(extra) != 1 or rest.count(extra[0]) != 1 or extra[0] not in known_environments(os.environ):
        return None
    rest.remove(extra[0])
    return f"did you mean: {shlex.join(['tapctl', *words, '--env', *extra, *rest])}"


def report_error(meta: Meta, error: TapctlError) -> int:
    """Report an error of ours that ended the command; returns the exit status."""
    changes = _accepted_changes(meta)
    partial = changes and not isinstance(error, LockHeld)
    return _show_error(meta, error, ExitCode.NOT_CONVERGED if partial else exit_code_of(error), changes)


def report_bug(meta: Meta, error: Exception) -> int:
    """Report an exception that nobody foresaw."""
    if isinstance(error, OSError) and "screen" not in meta:
        # A help, or a version: nothing else is written without a screen.
        unwritten = TapctlError(
            "stdout cannot be written", evidence=str(error), hint="make room there, and run it again"
        )
        return _show_error(meta, unwritten, unwritten.exit_code, 0)
    state = meta["invocation"].state if "invocation" in meta else "./manifests"
    told = bug(error)
    told.hint = f"the manifest in {state} is right up to the last change; report this, then run the same command again"
    try:
        return _show_error(meta, told, told.exit_code, _accepted_changes(meta))
    except Exception:  # noqa: BLE001 -- it may be the screen itself that does not work
        return _show_error({}, told, told.exit_code, 0)


def report_interrupt(meta: Meta, number: signal.Signals) -> int:
    """Report a signal that came while no resource was being worked on; returns the exit status."""
    code = exit_status(number)
    if "screen" in meta:
        meta["screen"].warn(f"stopped by {number.name}; {_state(_accepted_changes(meta))}. To go on: {meta[COMMAND]}")
        _finish(meta["invocation"], meta["screen"], Status.STOPPED, code)
    return code


def _accepted_changes(meta: Meta) -> int:
    """The number of changing calls that AWS has accepted from this command."""
    return int(meta["invocation"].usage.accepted) if "invocation" in meta else 0


def _state(changes: int) -> str:
    return (
        f"AWS has accepted {changes} changing calls and the manifest is up to date"
        if changes
        else "nothing was changed"
    )


def _show_error(meta: Meta, error: TapctlError, code: int, changes: int) -> int:
    add_default_hint(error)
    if isinstance(error, ConfigError):
        from tapctl.findings.places import locate

        locate(error)
    if "screen" in meta:
        meta["screen"].error(error, _state(changes))
        _finish(meta["invocation"], meta["screen"], Status.FAILED, code)
    else:
        from tapctl.render.frame import error_lines

        print(*error_lines(error), sep="\n", file=sys.stderr)  # noqa: T201 -- there is no screen
    return code


def _finish(invocation: Invocation, screen: Screen, status: Status, code: int) -> None:
    """Show the verdict of a failure; where it cannot be written that is told, and what has failed before decides."""
    try:
        invocation.finish(screen, status, code)
    except TapctlError as unwritten:
        screen.warn(str(unwritten))
