"""Eventually consistent reads: for 3 s after a change, reads alternate every 0.5 s between the old and the new answer.

KMS is known for it with policies, descriptions and rotations (terraform-provider-aws looks for five equal answers in a
row, internal/service/kms/key.go), and any service of AWS may do so: a new resource is missing, a deleted one is there,
a changed value shows and hides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

_LAG_S: Final = 3.0
_FLIP_S: Final = 0.5
_NEVER: Final = float("-inf")

Answer = Reply | ServiceError


@dataclass
class _History:
    """The times of a service's last changes, and its answers to each read with their times."""

    changes: list[float] = field(default_factory=list)
    answers: dict[str, list[tuple[float, Answer]]] = field(default_factory=dict)

    def add_change(self, now: float) -> None:
        """Add a change, and forget those before the last one that is older than the lag."""
        # That last one says how far back an answer is good.
        while len(self.changes) > 1 and self.changes[1] <= now - _LAG_S:
            del self.changes[0]
        self.changes.append(now)

    def add_answer(self, read: str, now: float, answer: Answer) -> None:
        """Add an answer, and forget those that are too old to be shown."""
        answers = self.answers.setdefault(read, [])
        while len(answers) > 1 and answers[1][0] <= now - _LAG_S:
            del answers[0]
        answers.append((now, answer))

    def answer_at(self, read: str, at: float) -> Answer | None:
        """Return the answer of that time, as far as somebody read it; else the first one after it."""
        answers = self.answers.get(read, [])
        earlier = [(when, answer) for when, answer in answers if when <= at]
        changed = max((change for change in self.changes if change <= at), default=_NEVER)
        if earlier and earlier[-1][0] >= changed:
            return earlier[-1][1]
        return next((answer for when, answer in answers if when > at), None)


def stale_read_rules(services: Iterable[Service]) -> tuple[Rules, ...]:
    """Make the rules for every service with reads that may be stale."""
    return tuple(_rules_for(service) for service in services if service.stale_reads)


def _rules_for(service: Service) -> Rules:
    rules = Rules(service.name)

    def history_of(request: Request) -> _History:
        # In moto's own state, so that it is lost when the account is reset.
        region = request.partition if service.is_global else None
        history: _History = notes_on(request.backend(service.name, region)).setdefault("history", _History())
        return history

    @rules(*service.stale_reads)
    def a_read_may_miss_the_last_change(request: Request, proceed: Next) -> Reply:
        """A read that was made before alternates between the answer of 3 s ago and the present one."""
        history, now = history_of(request), request.simulation.now()
        read = f"{request.operation} {json.dumps(request.params, sort_keys=True, default=str)}"
        since = now - max(history.changes, default=_NEVER)
        if since < _LAG_S and since % (2 * _FLIP_S) < _FLIP_S:
            before = history.answer_at(read, now - _LAG_S)
            if before is not None:
                return _given(before)
        try:
            answer: Answer = proceed()
        except ServiceError as refusal:
            answer = ServiceError(refusal.code, refusal.message)
        history.add_answer(read, now, answer)
        return _given(answer)

    @rules(*service.changes)
    def changes_are_noticed_late(request: Request, proceed: Next) -> Reply:
        """An accepted change begins the time in which reads may miss it."""
        reply = proceed()
        history_of(request).add_change(request.simulation.now())
        return reply

    return rules


def _given(answer: Answer) -> Reply:
    if isinstance(answer, ServiceError):
        raise ServiceError(answer.code, answer.message)
    return answer
