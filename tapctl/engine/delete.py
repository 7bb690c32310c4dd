"""Taking one resource away: look, one step, look again, until it is gone and nothing of it lingers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapctl.engine import refs
from tapctl.engine.events import Ending, Released, Result
from tapctl.engine.model import Observed, Reconciler, Retained, Spec
from tapctl.engine.observe import is_ours
from tapctl.engine.planner import foreign_error
from tapctl.engine.polling import Emit, EngineContext, Poller, aws_failure, with_last_event
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsNoAnswer, NotConverged, NotYet, Patience, Refused


@dataclass(frozen=True)
class Deletion:
    """One thing to remove. ``last``: the recorded spec, where there is a record that this tapctl can read."""

    address: str
    reconciler: Reconciler[Any, Any]
    id: str
    last: Spec | None
    entry: Entry | None
    subresources: tuple[str, ...] = ()
    """Recorded facets that die with it: forgotten when it is gone."""


def delete(one: Deletion, context: EngineContext, emit: Emit, *, forget: bool = True) -> Ending:
    """Remove it; ``forget`` its record then. Returns what was done, and why it was kept where it was.

    Not to ``forget`` it means that it is made anew at once.

    Raises:
        Stopped: we were asked to stop.
        Refused: it is not ours, or protected; it was left.
        NotConverged: AWS did not get there.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _DeleteLoop(one, context, emit, forget=forget).run()
    except NotConverged as error:
        raise with_last_event(error, one.reconciler, context.aws, one.id) from None


class _DeleteLoop:
    def __init__(self, one: Deletion, context: EngineContext, emit: Emit, *, forget: bool) -> None:
        self.one, self.context, self.emit, self.forget = one, context, emit, forget
        self.reconciler = one.reconciler
        self.poller = Poller(one.address, context, emit, self.reconciler.timing, self.reconciler.timing.delete_s)
        self.last = one.last
        self.stepped_on: Observed[Any, Any] | None = None
        self.leaving = False
        self.freed = False
        self.left_behind: tuple[tuple[str, Retained], ...] = ()

    def run(self) -> Ending:
        while True:
            self.poller.check()
            try:
                seen = self.reconciler.observe(self.context.aws, self.one.id, self.last)
                held = self.leftovers() if seen is None else None
            except AwsNoAnswer as error:
                self.poller.read_failed(error)
                continue
            self.poller.observed(seen, "gone")
            try:
                ended = self.finish(held) if seen is None else self.turn(seen)
            except NotYet as answer:
                self.poller.not_yet(answer)
            except AwsNoAnswer as error:
                self.poller.call_failed(error)
            else:
                if ended is not None:
                    return ended

    def leftovers(self) -> str | None:
        # What is made anew under the same name at once needs nothing of what lingers to be over.
        if self.last is None or not self.forget:
            return None
        lingering = self.reconciler.remaining_after_delete(self.context.aws, self.one.id, self.last)
        if lingering is None:
            self.left_behind = tuple(self.reconciler.retained_after_delete(self.context.aws, self.one.id, self.last))
        return lingering

    def finish(self, held: str | None) -> Ending | None:
        self.release_dependents()
        if held:
            self.poller.leftovers_remain()
            self.poller.pause(held)
            return None
        if self.forget:
            self.context.journal.drop(self.one.address, *self.one.subresources)
        return Ending(Result.DELETED, subresources=self.one.subresources, left_behind=self.left_behind)

    def turn(self, seen: Observed[Any, Any]) -> Ending | None:
        if not is_ours(
            seen, self.context.owner, recorded=self.identity(), created_by_aws=self.reconciler.created_by_aws
        ):
            raise foreign_error(self.one.address, seen)
        if self.last is None:
            self.last = seen.spec
        if seen.retained is not None:
            return self.retain(seen.retained, seen)
        if seen.deleting:
            if self.reconciler.outputs_known_early:
                self.release_dependents()
            self.poller.pause(f"AWS is at work: {seen.status}")
            return None
        why = self.reconciler.deletion_blocker(seen)
        if why:
            raise Refused(f"{self.one.address} must not be removed: {why}")
        if seen == self.stepped_on:
            self.wait_for_effect(seen)
            return None
        if self.stepped_on is not None and seen.failure is not None and seen.failure != self.stepped_on.failure:
            raise aws_failure(self.one.address, seen)
        self.before_call(seen)
        kept = self.delete(seen)
        if kept is not None:
            return self.retain(kept, seen)
        self.stepped_on = seen
        self.poller.call_made()
        return None

    def identity(self) -> dict[str, str] | None:
        """Of this very thing, as recorded or as our own call was about it: it may show longer than its tags do."""
        if self.one.entry is not None:
            return self.one.entry.outputs
        outputs = self.stepped_on.outputs if self.stepped_on is not None else None
        return outputs.model_dump() if outputs is not None else None

    def delete(self, seen: Observed[Any, Any]) -> Retained | None:
        if self.forget:
            return self.reconciler.delete(self.context.aws, self.one.id, seen, self.one.last)
        return self.reconciler.delete_for_replacement(self.context.aws, self.one.id, seen)

    def wait_for_effect(self, seen: Observed[Any, Any]) -> None:
        """The last step does not show yet: a new one is taken only when what is seen has changed."""
        if seen.settled and self.poller.now - self.poller.last_call_at > float(Patience.PROPAGATION.value or 0):
            raise NotConverged(
                f"{self.one.address}: AWS accepted its removal and did not act on it",
                evidence=f"AWS's word: {seen.status}",
                hint="run the same command again",
            )
        self.poller.pause("waiting for AWS to act on it")

    def before_call(self, seen: Observed[Any, Any]) -> None:
        if not self.leaving and self.forget:
            self.context.journal.put(self.record(Phase.LEAVING, seen))
        self.leaving = True
        self.context.lease()
        self.poller.check()

    def retain(self, kept: Retained, seen: Observed[Any, Any]) -> Ending:
        self.release_dependents()
        entry = self.record(Phase.KEPT, seen)
        self.context.journal.put(entry.model_copy(update={"kept_until": kept.until, "kept_why": kept.why}))
        return Ending(Result.KEPT, kept)

    def record(self, phase: Phase, seen: Observed[Any, Any]) -> Entry:
        if self.one.entry is not None:
            return self.one.entry.model_copy(update={"phase": phase})
        outputs = seen.outputs.model_dump() if seen.outputs is not None else None
        return Entry(
            type=self.reconciler.type,
            id=self.one.id,
            needs=(),
            phase=phase,
            spec=refs.to_json(seen.spec),
            outputs=outputs,
        )

    def release_dependents(self) -> None:
        """It is gone, or an early thing is going: what waits for no more than that need not wait any longer."""
        if not self.freed:
            self.freed = True
            self.emit(Released(self.one.address))
