"""Looking at many resources at once: flat, parallel, by id."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tapctl.engine.model import Observed, Owner, Reconciler, Spec, address
from tapctl.errors import AwsRefused

WORKERS: Final = 10


@dataclass(frozen=True)
class Absent:
    """It is not there."""


@dataclass(frozen=True)
class Unreadable:
    """It could not be looked at: the denied action. Never taken for absent."""

    action: str
    error: AwsRefused


Observation = Observed[Any, Any] | Absent | Unreadable
Observations = Mapping[str, Observation]
"""Address to what was seen there."""


@dataclass(frozen=True)
class ObserveRequest:
    """One thing to look at; ``like`` is the wanted or recorded spec."""

    reconciler: Reconciler[Any, Any]
    id: str
    expected: Spec | None

    @property
    def address(self) -> str:
        """``type/id``."""
        return address(self.reconciler.type, self.id)


def observe_all(aws: Any, looks: Iterable[ObserveRequest]) -> dict[str, Observation]:
    """Look at all of them, at most `WORKERS` at a time, in one round.

    Raises:
        AwsError: a look got no answer, or a refusal that is no missing permission.
    """
    todo = list(looks)
    ids: dict[str, list[str]] = {}
    for one in todo:
        ids.setdefault(one.reconciler.type, []).append(one.id)
    view = aws.memoized({type_: tuple(many) for type_, many in ids.items()})
    work: queue.SimpleQueue[ObserveRequest] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Observation | BaseException]] = queue.SimpleQueue()
    for one in todo:
        work.put(one)

    def worker() -> None:
        while True:
            try:
                one = work.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((one.address, _observe_one(view, one)))
            except BaseException as error:  # noqa: BLE001 -- handed to the caller's thread, raised there
                done.put((one.address, error))

    # Daemon threads: a Ctrl-C must not wait for a slow read.
    for _ in range(min(WORKERS, len(todo))):
        threading.Thread(target=worker, daemon=True).start()
    seen: dict[str, Observation] = {}
    for _ in todo:
        here, sight = done.get()
        if isinstance(sight, BaseException):
            raise sight
        seen[here] = sight
    return seen


def _observe_one(aws: Any, one: ObserveRequest) -> Observation:
    try:
        return one.reconciler.observe(aws, one.id, one.expected) or Absent()
    except AwsRefused as error:
        if error.is_denied:
            return Unreadable(error.iam_action, error)
        raise


def is_ours(
    seen: Observed[Any, Any], owner: Owner, *, recorded: Mapping[str, str] | None, created_by_aws: bool
) -> bool:
    """Whether this thing is ours to change.

    The owner tags say so; or the record holds this very thing (the same identity), so that a removed tag is drift and
    not a stranger; or AWS makes it by itself under our name, and nobody has tagged it. Another owner's tag always
    refuses, and tags that could not be read may be another's.
    """
    if seen.owner is not None and seen.owner.excludes(owner):
        return False
    if seen.owner == owner or (created_by_aws and _is_untagged(seen)):
        return True
    return recorded is not None and seen.outputs is not None and dict(recorded) == seen.outputs.model_dump()


def _is_untagged(seen: Observed[Any, Any]) -> bool:
    """Whether nobody has tagged it, or what the owner tags say of it is us: AWS tags nothing."""
    return not owner_is_unreadable(seen) and (seen.owner is not None or not getattr(seen.spec, "tags", None))


def owner_is_unreadable(seen: Observed[Any, Any]) -> bool:
    """Whether its tags could not be read: nobody knows whose it is."""
    return seen.owner is None and "tags" in seen.unreadable
