"""Observation of many resources at once: flat, parallel, by id."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tapctl.engine.model import Observed, Reconciler, Spec, address
from tapctl.errors import AwsRefused

WORKERS: Final = 10


@dataclass(frozen=True)
class Absent:
    """The resource is not there."""


@dataclass(frozen=True)
class Unreadable:
    """The resource could not be read: the IAM action that was denied, or refused. Never taken for absent."""

    action: str
    error: AwsRefused

    @property
    def refusal(self) -> str:
        """AWS's word, after ``refused``, where no permission is missing; else empty."""
        return self.error.refusal


def unread_note(action: str, refusal: str) -> str:
    """The reason why something was not read: ``kms:GetKeyPolicy denied``."""
    return f"{action} {refusal or 'denied'}"


def not_offered_note(action: str) -> str:
    """The reason why nothing could be read: ``this region has no lambda:ListFunctionUrlConfigs``."""
    return f"this region has no {action}"


Observation = Observed[Any, Any] | Absent | Unreadable
Observations = Mapping[str, Observation]
"""Address to observation."""


def observed_outputs(observed: Observations) -> dict[str, dict[str, str]]:
    """The outputs that AWS tells, by address; of what has none to tell yet there are none."""
    return {
        place: seen.outputs.model_dump()
        for place, seen in observed.items()
        if isinstance(seen, Observed) and seen.outputs is not None
    }


@dataclass(frozen=True)
class ObserveRequest:
    """A resource to observe; ``expected`` is the wanted or recorded spec (see `Reconciler.observe`)."""

    reconciler: Reconciler[Any, Any]
    id: str
    expected: Spec | None

    @property
    def address(self) -> str:
        """``type/id``."""
        return address(self.reconciler.type, self.id)


def observe_all(
    aws: Any,
    requests: Iterable[ObserveRequest],
    *,
    exposures: bool = False,
    ours: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> dict[str, Observation]:
    """Observe all of these resources, at most `WORKERS` at a time, through one memoized view of AWS.

    ``exposures``: read those too that take calls of their own, which an apply would not act on. Nothing is changed by
    who asks so: what AWS refuses to tell of one resource, for whatever reason, ends no look at the others. ``ours``: by
    type, ids that count as the round's whether they are observed or not: who uses a resource of ours may be one of
    them.

    Raises:
        AwsError: a read got no answer, or a refusal that is no missing permission; with ``exposures``, where that is
            said of every resource, or of who asks.
    """
    todo = list(requests)
    ids: dict[str, dict[str, None]] = {type_: dict.fromkeys(type_ids) for type_, type_ids in ours.items()}
    for request in todo:
        ids.setdefault(request.reconciler.type, {})[request.id] = None
    view = aws.memoized({type_: tuple(type_ids) for type_, type_ids in ids.items()})
    work: queue.SimpleQueue[ObserveRequest] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Observation | BaseException]] = queue.SimpleQueue()
    for request in todo:
        work.put(request)

    def worker() -> None:
        while True:
            try:
                request = work.get_nowait()
            except queue.Empty:
                return
            threading.current_thread().name = request.address  # as in an execution: tells whose calls these are
            try:
                done.put((request.address, _observe_one(view, request, exposures=exposures)))
            except BaseException as error:  # noqa: BLE001 -- handed to the caller's thread, raised there
                done.put((request.address, error))

    # Daemon threads: a Ctrl-C must not wait for a slow read.
    for _ in range(min(WORKERS, len(todo))):
        threading.Thread(target=contextvars.copy_context().run, args=(worker,), daemon=True).start()
    observations: dict[str, Observation] = {}
    for _ in todo:
        observed_address, result = done.get()
        if isinstance(result, BaseException):
            raise result
        observations[observed_address] = result
    _check_anything_was_read(observations)
    return observations


def _check_anything_was_read(observations: Observations) -> None:
    refused = [one.error for one in observations.values() if isinstance(one, Unreadable) and one.refusal]
    if refused and len(refused) == len(observations):
        raise refused[0]


def _observe_one(aws: Any, request: ObserveRequest, *, exposures: bool) -> Observation:
    reconciler, id_, expected = request.reconciler, request.id, request.expected
    try:
        seen = reconciler.observe(aws, id_, expected)
        if seen is None or seen.deleting or not exposures:
            return seen or Absent()
        told = reconciler.observe_exposures(aws, id_, seen, expected)
        if not told.refusals:
            return told
        # A refusal may mean that the resource went after it was seen. Where it is there, it was never "none".
        again = reconciler.observe(aws.afresh(), id_, expected)
        return told if again is not None and not again.deleting else again or Absent()
    except AwsRefused as error:
        if error.is_denied or (exposures and not error.is_bad_credentials):
            return Unreadable(error.iam_action, error)
        raise
