"""Deletion of one resource: observe, one step, observe again, until it is gone and no leftover of it remains."""

from __future__ import annotations

from typing import Any, Final

from tapctl.engine import refs
from tapctl.engine.estimate import Operation
from tapctl.engine.events import Finished, Released, Result
from tapctl.engine.model import Leftovers, Observed, Reconciler, Retained
from tapctl.engine.observe import Observation
from tapctl.engine.ownership import other_identity, replaced_error
from tapctl.engine.polling import PROPAGATION_S, Emit, EngineContext, Poller, aws_failure, with_last_event
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Deletion
from tapctl.errors import NotConverged, Refused


def delete(deletion: Deletion, context: EngineContext, emit: Emit, *, replacing: bool = False) -> Finished:
    """Delete one resource and drop its record; the result tells where it was retained instead, and why.

    ``replacing``: True if the deletion is half of a replacement. The record stays then, and leftovers are not waited
    for, since the successor bears the same name.

    Raises:
        Cancelled: the run was asked to stop.
        Refused: the resource is not ours, or protected; it was left.
        NotConverged: AWS did not get there, or it would cost more than was planned.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _DeleteLoop(deletion, context, emit, replacing=replacing).run()
    except NotConverged as error:
        raise with_last_event(error, deletion.reconciler, context.aws, deletion.id) from None


def is_another(reconciler: Reconciler[Any, Any], before: Observation | None, now: Observation | None) -> bool:
    """True if two things of one name were seen, of which a plan has shown the first alone: the second is left.

    Of what AWS makes by itself, with no word to anybody, the second is the first one come back.
    """
    return (
        not reconciler.created_by_aws
        and isinstance(before, Observed)
        and isinstance(now, Observed)
        and before.outputs is not None
        and now.outputs is not None
        and now.outputs != before.outputs
    )


GONE_ALREADY: Final = "was gone already"
"""The note on what nobody had to remove."""


class _DeleteLoop:
    def __init__(self, deletion: Deletion, context: EngineContext, emit: Emit, *, replacing: bool) -> None:
        self.deletion, self.context, self.emit, self.replacing = deletion, context, emit, replacing
        self.address, self.id, self.reconciler = deletion.address, deletion.id, deletion.reconciler
        timing = self.reconciler.timing
        usual = context.durations.usual(self.reconciler.type, Operation.DELETE, timing)
        self.poller = Poller(self.address, context, emit, timing, usual.usual_s)
        self.last = deletion.last
        self.last_step_on: Observed[Any, Any] | None = None
        """The observation on which the last step was taken: the next one waits for another."""
        self.intended = False
        self.found = False
        """True once it was seen: what was gone before is removed by nobody here."""
        self.released = False
        self.leftovers: Leftovers | None = None
        """The things AWS still holds of a resource that is gone."""
        self.stranded_since: dict[str, float] = {}
        """When each of those that AWS seems to have left for good was first seen so. Seconds."""
        self.left_behind: tuple[tuple[str, Retained], ...] = ()

    def run(self) -> Finished:
        return self.poller.drive(self.observe, self.turn, absent="gone")

    def observe(self) -> Observed[Any, Any] | None:
        seen = self.reconciler.observe(self.context.aws, self.id, self.last)
        if is_another(self.reconciler, self.last_step_on, seen):
            # Nobody was shown that one: a sweep finds it, and the next plan tells of it.
            seen = None
        if seen is None:
            self.observe_leftovers()
        self.found = self.found or seen is not None
        return seen

    def observe_leftovers(self) -> None:
        # A successor of the same name needs no leftover to be gone.
        if self.replacing or (self.last is None and not self.reconciler.leftovers_need):
            return
        self.leftovers = self.reconciler.remaining_after_delete(self.context.aws, self.id, self.last)
        stranded = self.leftovers.stranded if self.leftovers else ()
        self.stranded_since = {one: self.stranded_since.get(one, self.poller.now) for one in sorted(stranded)}
        if self.leftovers is None and self.last is not None:
            # What a run that was cut off has made is recorded without its identity.
            removed = self.last_step_on.outputs if self.last_step_on is not None else None
            identity = removed.model_dump() if removed is not None else self.identity() or {}
            left = self.reconciler.retained_after_delete(self.context.aws, self.id, self.last, identity)
            self.left_behind = tuple(left)

    def turn(self, seen: Observed[Any, Any] | None) -> Finished | None:
        """Take at most one step; the result once the resource is gone or retained."""
        if seen is None:
            return self.finish_gone()
        ownership = self.context.claimant.judge(
            self.reconciler, self.id, seen, recorded=self.identity(), known=self.last is not None
        )
        if not ownership.ours:
            raise ownership.error()
        if self.last_step_on is None and (told := other_identity(self.reconciler, self.deletion.entry, seen)):
            raise replaced_error(
                self.reconciler, self.address, told, "run the same command again: it says what may be done"
            )
        if self.last is None:
            self.last = seen.spec
        if seen.retained is not None:
            return self.finish_retained(seen, seen.retained)
        if seen.deleting:
            if self.reconciler.outputs_known_early:
                self.release_dependents()
            self.poller.pause(f"AWS is at work: {seen.status}")
            return None
        blocker = self.reconciler.deletion_blocker(seen)
        if blocker:
            raise Refused(f"{self.address} must not be removed: {blocker}")
        if seen == self.last_step_on:
            self.wait_for_effect(seen)
            return None
        self.check_within_plan(seen)
        return self.step(seen)

    def check_within_plan(self, seen: Observed[Any, Any]) -> None:
        """Let a deletion through that costs no more than was planned: a reader may have become the writer since.

        Raises:
            NotConverged: it would cost more.
        """
        permitted, impact = self.deletion.permitted, seen.removal_impact
        if permitted is None or impact <= permitted:
            return
        raise NotConverged(
            f"{self.address} has changed since it was planned: its removal would now be with {impact.word}",
            evidence=f"planned: removal with {permitted.word}",
            hint="nothing was done with it; run the same command again to see and confirm the new plan",
        )

    def step(self, seen: Observed[Any, Any]) -> Finished | None:
        """Take the next step; the result if the reconciler retains the resource instead."""
        if self.last_step_on is not None and seen.failure is not None and seen.failure != self.last_step_on.failure:
            raise aws_failure(self.address, seen)
        self.before_call(seen)
        retained = self.delete(seen)
        if retained is not None:
            return self.finish_retained(seen, retained)
        self.last_step_on = seen
        self.poller.call_made()
        return None

    def identity(self) -> dict[str, str] | None:
        """Tell the outputs of this very resource, as recorded or as our own step saw them: tags may go before it."""
        if self.deletion.entry is not None:
            return self.deletion.entry.claim
        outputs = self.last_step_on.outputs if self.last_step_on is not None else None
        return outputs.model_dump() if outputs is not None else None

    def delete(self, seen: Observed[Any, Any]) -> Retained | None:
        if self.replacing:
            return self.reconciler.delete_for_replacement(self.context.aws, self.id, seen)
        return self.reconciler.delete(self.context.aws, self.id, seen, self.deletion.last)

    def wait_for_effect(self, seen: Observed[Any, Any]) -> None:
        """Wait for the last step to show."""
        if seen.settled and self.poller.now - self.poller.last_call_at > PROPAGATION_S:
            raise NotConverged(
                f"{self.address}: AWS accepted its removal and did not act on it",
                evidence=f"AWS's word: {seen.status}",
                hint="run the same command again",
            )
        self.poller.pause("waiting for AWS to act on it")

    def before_call(self, seen: Observed[Any, Any]) -> None:
        if not self.intended and not self.replacing:
            self.context.journal.put(self.record(Phase.LEAVING, seen))
        self.intended = True
        self.context.lease()
        self.poller.check()

    def finish_gone(self) -> Finished | None:
        self.release_dependents()
        if self.leftovers:
            self.poller.leftovers_remain()
            self.remove_stranded()
            self.poller.pause(self.leftovers.told)
            return None
        subresources = self.deletion.subresources
        if not self.replacing:
            self.context.journal.drop(self.address, *subresources)
        return Finished(
            self.address,
            Result.DELETED,
            self.poller.elapsed,
            note="" if self.found else GONE_ALREADY,
            subresources=subresources,
            left_behind=self.left_behind,
        )

    def remove_stranded(self) -> None:
        """Remove, each by a call, all that AWS has left for good; nobody but us would."""
        due = [one for one, since in self.stranded_since.items() if self.poller.now - since > PROPAGATION_S]
        for leftover in due if self.last is not None else ():
            self.context.lease()
            self.poller.check()
            self.reconciler.remove_leftover(self.context.aws, leftover)
            self.poller.call_made()
            # It may show for a moment after that.
            del self.stranded_since[leftover]

    def finish_retained(self, seen: Observed[Any, Any], retained: Retained) -> Finished:
        self.release_dependents()
        entry = self.record(Phase.KEPT, seen)
        self.context.journal.put(entry.model_copy(update={"kept_until": retained.until, "kept_why": retained.why}))
        return Finished(self.address, Result.KEPT, self.poller.elapsed, retained)

    def record(self, phase: Phase, seen: Observed[Any, Any]) -> Entry:
        if self.deletion.entry is not None:
            not_of_this_phase = {"kept_until": "", "kept_why": "", "carried": {}}
            return self.deletion.entry.model_copy(update={"phase": phase, **not_of_this_phase})
        return Entry(
            type=self.reconciler.type,
            id=self.id,
            needs=(),
            phase=phase,
            spec=refs.to_json(seen.spec),
            outputs=seen.outputs.model_dump() if seen.outputs is not None else None,
        )

    def release_dependents(self) -> None:
        """Release, once, the resources that wait for this one to be gone, or only to be going."""
        if not self.released:
            self.released = True
            self.emit(Released(self.address))
