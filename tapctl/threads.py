"""Calls beside each other in threads that nobody waits for: an interrupt ends the command at once, slow call or not.

(`concurrent.futures.ThreadPoolExecutor` waits for its threads when it is left, and again when Python ends.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T]) -> Future[T]:
    """Begin this call now; its result, or what it raised, is the future's."""
    ended: Future[T] = Future()

    def work() -> None:
        try:
            ended.set_result(call())
        except Exception as error:  # noqa: BLE001 -- handed to whoever asks for the result
            ended.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return ended


def with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """The result of this call, or what it raised.

    Raises:
        TimeoutError: it takes longer; it goes on, and nobody waits for it.
    """
    return in_background(call).result(seconds)
