"""How a command ends when it cannot go on: an error people can act on, a verdict, an exit status; never a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Any

import click

from tapctl.errors import AwsRefused, TapctlError, UsageError

Meta = Mapping[str, Any]
"""What the command line has learnt so far: ``screen`` and ``options``, if it came that far."""


def exit_of(error: TapctlError) -> int:
    """The exit status of an error before anything was changed: a missing permission is a refusal."""
    return 6 if isinstance(error, AwsRefused) and error.denied else error.exit_code


def usage(error: click.ClickException) -> int:
    """A wrong command line, in click's own words; click's exit status 2 means differences here."""
    error.show()
    return UsageError.exit_code


def failed(meta: Meta, error: TapctlError) -> int:
    """An error of ours that ended the command before anything was changed."""
    code = exit_of(error)
    if "screen" not in meta:
        print(f"error {error.code}: {error.cause}", file=sys.stderr)  # noqa: T201 -- there is no screen yet
        return code
    if isinstance(error, AwsRefused) and error.denied and error.hint is None:
        error.hint = f"allow {error.action}, then run the same command again"
    meta["screen"].error(error, "nothing was changed")
    _verdict(meta, "FAILED", code)
    return code


def bug(meta: Meta, error: Exception) -> int:
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
    return failed(meta, shown)


def interrupted(meta: Meta, number: signal.Signals) -> int:
    """Stopped by a signal while nothing was being changed."""
    code = 128 + number
    if "screen" in meta:
        meta["screen"].warn(f"stopped by {number.name}; nothing was being changed. To go on run the same command again")
        _verdict(meta, "STOPPED", code)
    return code


def _verdict(meta: Meta, status: str, code: int) -> None:
    from tapctl.render.screen import Verdict

    if "options" in meta:
        options = meta["options"]
        meta["screen"].verdict(Verdict(options.verb, options.suffix or options.env or "all", status, code))
