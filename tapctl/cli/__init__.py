"""The command line: `main` runs one line, and turns every exception and signal into an exit status."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from tapctl.cli.app import cli
from tapctl.cli.failures import COMMAND
from tapctl.cli.reporting import RECORDINGS, Recordings, leave_reports
from tapctl.execution.signals import ending_signals

_COMPLETE = "_TAPCTL_COMPLETE"
_RARELY = 200_000
"""New objects between two collections of garbage; Python's own number is 700."""


class Terminated(BaseException):
    """Raised at a SIGTERM, or a SIGHUP of a terminal that closes, while nothing is being changed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, by default the one of this process, and exit with its status.

    With ``_TAPCTL_COMPLETE`` (set by the shell's completion) the words that may follow are printed instead.
    """
    if instruction := os.environ.get(_COMPLETE):
        sys.exit(_complete(instruction))
    # What start-up makes stays: to look through it for what does not takes time.
    gc.set_threshold(_RARELY)
    # pydantic would look for plugins in every package that is installed, and none is to change how files are judged.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "true"
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def _complete(instruction: str) -> int:
    """Print the words that may follow, or the shell's script for it; 1, and not a word, where that cannot be done."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(cli, {}, "tapctl", _COMPLETE, instruction)
    except Exception:  # noqa: BLE001 -- a word of ours would stand in the middle of what somebody types
        return 1


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit status and never raises."""
    recordings: Recordings = []
    code = _run(arguments, recordings)
    leave_reports(recordings, code)
    return code


def _run(arguments: list[str], recordings: Recordings) -> int:
    """Run one command line; ``recordings`` gets that of the command, where there is one."""
    from tapctl.cli.failures import report_bug, report_error, report_interrupt, report_usage

    def terminated(number: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated(number)

    _reopen_closed_streams()
    previous = {number: signal.signal(number, terminated) for number in ending_signals()}
    context = click.Context(cli, info_name="tapctl")
    typed = shlex.join(["tapctl", *arguments])
    try:
        # A copy: click takes the words that it has parsed out of the list.
        with cli.make_context("tapctl", list(arguments)) as context:
            context.meta.update({COMMAND: typed, RECORDINGS: recordings})
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        return report_usage(error, _command_of(arguments), arguments, recordings)
    except (KeyboardInterrupt, click.Abort):
        return report_interrupt(context.meta, signal.SIGINT)
    except Terminated as ended:
        return report_interrupt(context.meta, ended.number)
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:  # noqa: BLE001 -- any exception but an error of ours is shown as a bug
        from tapctl.errors import TapctlError

        return report_error(context.meta, error) if isinstance(error, TapctlError) else report_bug(context.meta, error)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _command_of(arguments: Sequence[str]) -> str:
    """The command that this line begins with, as far as there is one: before it there are flags alone."""
    words, group = [], cli
    for word in arguments:
        command = group.commands.get(word)
        if command is not None:
            words.append(word)
        if not word.startswith("-") and not isinstance(command, click.Group):
            break
        group = command if isinstance(command, click.Group) else group
    return " ".join(words)


def _reopen_closed_streams() -> None:
    """Open a stream that was closed (``>&-``) on the null device: else the next file opened would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _broken_pipe() -> int:
    """End silently after the reader of our output has gone (``| head``): nobody wants a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
