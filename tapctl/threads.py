"""Calls in daemon threads, side by side: an interrupt ends the command at once, slow call or not.

(`concurrent.futures.ThreadPoolExecutor` waits for its threads when it is left, and again when Python ends.)
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T]) -> Future[T]:
    """Begin this call now; the future gives its result, or raises its exception.

    Its thread bears the name of the caller's, which tells for whom calls of AWS are made.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 -- handed to the caller of result()
            future.set_exception(error)

    name = threading.current_thread().name
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True).start()
    return future


def side_by_side(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Make these calls at once, and return their results in order; the first in order that raises, raises here."""
    return [future.result() for future in [in_background(call) for call in calls]]


def as_they_end(
    calls: Mapping[str, Callable[[], T]], at_once: int, beat_s: float | None = None
) -> Iterator[tuple[str, Future[T]] | None]:
    """Make these calls, ``at_once`` side by side, and yield the name and the future of each when it has ended.

    None is yielded after every ``beat_s`` seconds in which none has.
    """
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[str, Future[T]]] = queue.SimpleQueue()
    for name in calls:
        todo.put(name)

    def begin_next() -> None:
        try:
            name = todo.get_nowait()
        except queue.Empty:
            return
        in_background(calls[name]).add_done_callback(lambda future: ended.put((name, future)))

    for _ in range(at_once):
        begin_next()
    left = len(calls)
    while left:
        try:
            one = ended.get(timeout=beat_s)
        except queue.Empty:
            yield None
            continue
        begin_next()
        left -= 1
        yield one


def with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """Make this call, and return its result or raise its exception.

    Raises:
        TimeoutError: the call takes longer; it goes on, and nobody waits for it.
    """
    return in_background(call).result(seconds)
