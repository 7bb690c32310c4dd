"""The signals, other than Ctrl-C, that ask a command to end."""

from __future__ import annotations

import signal


def ending_signals() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP (the terminal closes) unless it is ignored already, as under ``nohup``."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


def exit_status(number: int) -> int:
    """Compute the exit status of a command that this signal ended: 128 plus its number, SIGHUP's as SIGTERM's."""
    return 128 + (signal.SIGTERM if number == signal.SIGHUP else number)
