"""Calls in daemon threads, side by side: an interrupt ends the command at once, slow call or not.

(`concurrent.futures.ThreadPoolExecutor` waits for its threads when it is left, and again when Python ends.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T]) -> Future[T]:
    """Begin this call now; the future gives its result, or raises its exception."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 -- handed to the caller of result()
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """Make this call, and return its result or raise its exception.

    Raises:
        TimeoutError: the call takes longer; it goes on, and nobody waits for it.
    """
    return in_background(call).result(seconds)
