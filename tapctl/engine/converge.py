"""Bringing one resource to what is wanted: one loop in place of waiters, retries, multi-step updates and read-back.

Each turn looks, compares, and takes at most one step, which is one changing call. What exists is learnt by looking
alone; a call's answer says only that it was accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from tapctl.engine import refs
from tapctl.engine.delete import Deletion, delete
from tapctl.engine.diff import compare
from tapctl.engine.events import Ending, Released, Result
from tapctl.engine.model import REBOOT, Impact, Observed, Spec
from tapctl.engine.observe import is_ours
from tapctl.engine.plan import Action, Change
from tapctl.engine.planner import foreign_error, record_of
from tapctl.engine.polling import Emit, EngineContext, Poller, aws_failure, with_last_event
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import AnyResource
from tapctl.errors import AlreadyExists, AwsNoAnswer, NotConverged, NotYet, Patience, Refused


def check_within_plan(planned: Change, action: Action, impact: Impact = Impact.NONE, *, begun: bool) -> None:
    """Let this action through where the plan covers it; ``begun``: something was asked for already.

    Raises:
        NotConverged: more would have to be done than was planned.
    """
    if action <= planned.action and (impact <= planned.impact or planned.action > Action.UPDATE):
        return
    done = "what was asked for before may be in force" if begun else "nothing was done with it"
    raise NotConverged(
        f"{planned.address} has changed since it was planned: it would now have to be "
        f"{action.name.lower()}d{f' with {impact.name.lower()}' if impact else ''}",
        evidence=f"planned: {planned.action.name.lower()}",
        hint=f"{done}; run the same command again to see and confirm the new plan",
    )


PROPAGATION_S: Final = float(Patience.PROPAGATION.value or 0)


class RequestedFields:
    """The fields that were asked for: none is asked for twice, however late it shows."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.fields: set[str] = set()
        self._in_force: set[str] = set()
        self._quiet_since: float | None = None
        self._partly_on: Observed[Any, Any] | None = None
        self._waited = False
        self._stuck: str | None = None
        self.rebooted = False

    def outstanding(self, differs: Collection[str]) -> list[str]:
        """Of the fields that differ now those that are still to be asked for."""
        self._in_force |= self.fields.difference(differs)
        return [name for name in differs if name not in self.fields]

    def await_partial(self, seen: Observed[Any, Any], missing: Iterable[str]) -> None:
        """Before a part of a field is asked for again, let the last one show.

        Raises:
            NotYet: it does not show. It may be nothing that shows (a failover), so that is said every other time.
        """
        self._waited = seen == self._partly_on and not self._waited
        if self._waited:
            raise NotYet(f"a part of {', '.join(missing)} was asked for and does not show", Patience.PROPAGATION)

    def record_call(self, seen: Observed[Any, Any], fields: Collection[str]) -> None:
        """A step on what was seen was accepted; it asked for these fields, or only for a part of one."""
        self.fields |= set(fields)
        # The same part again is no progress, and begins no patience anew.
        if fields or seen != self._partly_on:
            self.poller.call_made()
        self._partly_on = None if fields else seen

    def check_not_ignored(self, seen: Observed[Any, Any], differs: Collection[str], *, pending: bool) -> None:
        """A look at which there is nothing left to ask for.

        Raises:
            NotConverged: a settled thing has ignored us for the propagation time.
        """
        self.poller.reset_refusal()
        now = self.poller.now
        if pending or not (seen.settled or seen.deleting):
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = now
        if now - max(self._quiet_since, self.poller.last_call_at) <= PROPAGATION_S:
            return
        undone = sorted(self._in_force.intersection(differs))
        if seen.deleting:
            cause = "AWS did not bring it back"
        elif undone:
            cause = f"somebody else keeps changing {', '.join(undone)}"
        elif differs:
            cause = f"AWS did not take {', '.join(differs)}"
        else:
            cause = "AWS does not tell its identity"
        raise NotConverged(
            f"{self.poller.address}: {cause}",
            evidence=f"asked for, and for {PROPAGATION_S:.0f} s not there; AWS's word: {seen.status}",
            hint="see who changes it (tapctl drift), then run the same command again",
        )

    def check_update_failure(self, seen: Observed[Any, Any]) -> None:
        """What AWS gave up on before is asked for again, and may show for a while after that; our own ends the node."""
        before, self._stuck = self._stuck, seen.update_failure
        if seen.update_failure is None or not self.fields:
            return
        if seen.update_failure != before or self.poller.now - self.poller.last_call_at > PROPAGATION_S:
            raise aws_failure(self.poller.address, seen)

    def awaits_reboot(self, seen: Observed[Any, Any]) -> bool:
        """Whether it is to be rebooted now: it is planned, and was not asked for yet.

        Raises:
            NotYet: the reboot does not show, or what it is for has not come this far.
        """
        waiting = [name for name, one in seen.pending.items() if one.until == REBOOT]
        if self.rebooted:
            if waiting:
                raise NotYet(f"{', '.join(waiting)}: the reboot does not show yet", Patience.PROPAGATION)
            return False
        if not waiting and self.poller.elapsed < PROPAGATION_S:
            # What was changed for it a moment ago shows late; after that it did without.
            raise NotYet("waiting for what is to be put in force to show", Patience.BUSY)
        return bool(waiting)


@dataclass(frozen=True)
class Job:
    """One resource, what the plan permits to be done with it, and its record."""

    resource: AnyResource
    change: Change
    entry: Entry | None


def converge(job: Job, context: EngineContext, emit: Emit) -> Ending:
    """Make it so, and read it back. Returns what was done.

    Raises:
        Stopped: we were asked to stop.
        Refused: it is not ours, or more would have to be done than was planned.
        NotConverged: AWS did not get there.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _ConvergeLoop(job, context, emit).run()
    except NotConverged as error:
        raise with_last_event(error, job.resource.reconciler, context.aws, job.resource.id) from None


class _ConvergeLoop:
    def __init__(self, job: Job, context: EngineContext, emit: Emit) -> None:
        self.one, self.change, self.entry = job.resource, job.change, job.entry
        self.reconciler = self.one.reconciler
        self.context, self.emit = context, emit
        self.want: Spec = refs.resolve(self.one.spec, context.outputs)
        left = refs.needs(self.want)
        if left:
            raise AssertionError(f"a promise reached AWS's door: {sorted(left)}")
        self.poller = Poller(self.one.address, context, emit, self.reconciler.timing, self.reconciler.timing.create_s)
        self.intended = False
        self.published = False
        self.result = Result.UNCHANGED
        self.unreadable: tuple[str, ...] = ()
        self.sent_at: float | None = None
        self.created_at: float | None = None
        self.made = False
        self.was_seen = False
        self.absent_since: float | None = None
        self.gave_up: str | None = None
        self.asked = RequestedFields(self.poller)
        # A thing that a second create would double is not believed absent at once where a create may have been lost.
        self.doubtful = (
            not self.reconciler.create_is_repeatable and self.entry is not None and self.entry.phase is Phase.MAKING
        )

    def run(self) -> Ending:
        while True:
            self.poller.check()
            try:
                seen = self.reconciler.observe(self.context.aws, self.one.id, self.want)
            except AwsNoAnswer as error:
                self.poller.read_failed(error)
                continue
            self.poller.observed(seen, "absent")
            try:
                if self.turn(seen):
                    break
            except NotYet as answer:
                self.poller.not_yet(answer)
            except AlreadyExists as answer:
                self.created_at = self.poller.now if self.created_at is None else self.created_at
                self.poller.pause(str(answer))
            except AwsNoAnswer as error:
                self.doubtful = self.doubtful or not (self.reconciler.create_is_repeatable or error.throttled)
                self.poller.call_failed(error)
        # A facet planned as a create is made by changing its parent: to the user it was created.
        created = self.change.action is Action.CREATE and self.result is Result.UPDATED
        return Ending(Result.CREATED if created else self.result, unreadable=self.unreadable)

    def turn(self, seen: Observed[Any, Any] | None) -> bool:
        """One turn; True when it is there as wanted."""
        if seen is None:
            self.handle_absent()
            return False
        self.absent_since = None
        recorded = self.entry.outputs if self.entry else None
        # What this very loop has made shows its tags later than itself.
        made_by_aws = self.reconciler.created_by_aws or (self.made and seen.owner is None)
        if not self.change.adopts and not is_ours(
            seen, self.context.owner, recorded=recorded, created_by_aws=made_by_aws
        ):
            self.refuse_foreign(seen)
            return False
        if seen.deleting:
            self.wait_while_deleting(seen)
            return False
        self.was_seen = True
        if seen.failure is not None and not self.recover_failed(seen):
            return False
        self.asked.check_update_failure(seen)
        differs = compare(self.want, seen.spec, unread=seen.unreadable)
        missing = self.asked.outstanding(differs)
        costs = max((self.reconciler.impacts.get(name, Impact.NONE) for name in missing), default=Impact.NONE)
        if costs is not Impact.REPLACE:
            self.announce_outputs(seen)
        pending = any(name in self.asked.fields and waiting.until != REBOOT for name, waiting in seen.pending.items())
        if not differs and not pending and seen.settled and seen.outputs is not None and seen.failure is None:
            return self.reboot_if_due(seen) and self.finish(seen)
        if (seen.failure or seen.update_failure) is not None and not missing and not self.asked.fields:
            raise aws_failure(self.one.address, seen)
        if missing:
            self.update(seen, missing, costs)
        else:
            self.wait_for_effect(seen, differs, pending=pending)
        return False

    # -- absent ------------------------------------------------------------------------------------------------------

    def handle_absent(self) -> None:
        now = self.poller.now
        if self.absent_since is None:
            self.absent_since = now
        if self.created_at is not None or self.was_seen:
            since = max(self.absent_since, self.created_at or 0)
            if now - since > PROPAGATION_S:
                cause = "does not show: its name may be held by something these credentials cannot see"
                if self.made or self.was_seen:
                    cause = "was there and has vanished" if self.was_seen else "was made and does not show"
                raise NotConverged(f"{self.one.address} {cause}", hint="run the same command again")
            self.poller.pause("waiting for AWS to show it")
            return
        if self.doubtful and now - self.absent_since <= PROPAGATION_S:
            self.poller.pause("an earlier create may have been accepted: looking before making another")
            return
        self.check_within_plan(Action.CREATE)
        self.create(anew=True)

    def refuse_foreign(self, seen: Observed[Any, Any]) -> None:
        """Not ours, unless our own create made it and its tags do not show yet."""
        if seen.owner is None and self.sent_at is not None and self.poller.now - self.sent_at <= PROPAGATION_S:
            self.poller.pause("waiting for its tags to show")
            return
        if self.intended and self.result is Result.UNCHANGED:
            # The record must not say for ever that we were making what is somebody else's.
            if self.entry is None:
                self.context.journal.drop(self.one.address)
            else:
                self.context.journal.put(self.entry)
        raise foreign_error(self.one.address, seen)

    def wait_while_deleting(self, seen: Observed[Any, Any]) -> None:
        if seen.retained is None:
            if not self.made:
                # What held the name is going: that it was taken says nothing any more.
                self.created_at = None
            self.poller.pause("waiting for it to be gone before it is made again")
        elif self.created_at is not None:
            self.wait_for_effect(seen, ())
        else:
            self.check_within_plan(Action.CREATE)
            self.create(anew=False)

    def create(self, *, anew: bool) -> None:
        self.before_call()
        self.sent_at = self.poller.now
        # A create asks for all that can never be changed in place: where that differs for a while, it is lag.
        fixed = {name for name, impact in self.reconciler.impacts.items() if anew and impact is Impact.REPLACE}
        try:
            self.reconciler.create(self.context.aws, self.one.id, self.want, self.context.owner)
        except AwsNoAnswer as error:
            if not error.throttled:
                # What an unrepeatable create did is looked for during the propagation time, counted from now.
                self.absent_since = None
                self.asked.fields |= fixed
            raise
        self.asked.fields |= fixed
        self.created_at, self.made = self.poller.now, anew
        self.result = Result.REPLACED if self.result is Result.REPLACED else Result.CREATED
        self.poller.call_made()

    # -- there -------------------------------------------------------------------------------------------------------

    def recover_failed(self, seen: Observed[Any, Any]) -> bool:
        """What AWS gave up on: True when the turn may go on and ask it again, False when it was taken away."""
        if self.asked.fields or self.created_at is not None:
            # The failure it had before may show for a while after it was asked again.
            if seen.failure != self.gave_up or self.poller.now - self.poller.last_call_at > PROPAGATION_S:
                raise aws_failure(self.one.address, seen)
            return True
        self.gave_up = seen.failure
        if self.reconciler.holds_data:
            raise Refused(
                f"{self.one.address} has failed and holds data: it is neither changed nor replaced",
                evidence=f"AWS says: {seen.failure}",
            )
        if self.reconciler.replaceable:
            self.replace(seen)
            return False
        return True

    def replace(self, seen: Observed[Any, Any]) -> None:
        self.check_within_plan(Action.REPLACE)
        if self.result is Result.REPLACED:
            raise NotConverged(
                f"{self.one.address} was replaced, and somebody else has made it again",
                hint="see who makes it, then run the same command again",
            )
        self.record_intent()
        last = Deletion(self.one.address, self.reconciler, self.one.id, seen.spec, self.entry)
        delete(last, self.context, self.emit, forget=False)
        self.result = Result.REPLACED
        self.was_seen, self.created_at, self.asked = False, None, RequestedFields(self.poller)
        self.poller.call_made()

    def update(self, seen: Observed[Any, Any], missing: list[str], costs: Impact) -> None:
        if costs is Impact.REPLACE:
            if self.reconciler.replaceable and not self.reconciler.holds_data:
                self.replace(seen)
                return
            raise Refused(
                f"{self.one.address}: {', '.join(missing)} cannot be changed in place, and it is never replaced"
            )
        self.check_within_plan(Action.UPDATE, costs)
        self.asked.await_partial(seen, missing)
        have = seen.spec.model_copy(update={name: getattr(self.want, name) for name in self.asked.fields})
        self.before_call()
        fields = self.reconciler.update(self.context.aws, self.one.id, have, self.want)
        if self.result is Result.UNCHANGED:
            self.result = Result.UPDATED
        self.asked.record_call(seen, fields)

    def wait_for_effect(self, seen: Observed[Any, Any], differs: tuple[str, ...], *, pending: bool = False) -> None:
        self.asked.check_not_ignored(seen, differs, pending=pending)
        self.poller.pause("" if seen.settled else f"AWS is at work: {seen.status}")

    # -- the guards --------------------------------------------------------------------------------------------------

    def check_within_plan(self, action: Action, impact: Impact = Impact.NONE) -> None:
        check_within_plan(self.change, action, impact, begun=self.intended)

    def record_intent(self) -> None:
        """The intent is on disk before the first changing call."""
        if not self.intended:
            outputs = self.entry.outputs if self.entry else None
            self.context.journal.put(record_of(self.one, self.want, Phase.MAKING, outputs))
            self.intended = True

    def before_call(self) -> None:
        self.record_intent()
        self.context.lease()
        self.poller.check()

    def announce_outputs(self, seen: Observed[Any, Any]) -> None:
        if self.reconciler.outputs_known_early and not self.published and seen.outputs is not None:
            self.published = True
            self.context.outputs[self.one.address] = seen.outputs.model_dump()
            self.emit(Released(self.one.address))

    def reboot_if_due(self, seen: Observed[Any, Any]) -> bool:
        """Whether nothing waits for a reboot that it is to get; the reboot is the last step, and taken once."""
        if not self.change.reboots or not self.asked.awaits_reboot(seen):
            return True
        self.check_within_plan(Action.UPDATE, Impact.RESTART)
        self.before_call()
        self.reconciler.reboot(self.context.aws, self.one.id, self.want)
        self.asked.rebooted = True
        self.result = Result.UPDATED if self.result is Result.UNCHANGED else self.result
        self.poller.call_made()
        return False

    def finish(self, seen: Observed[Any, Any]) -> bool:
        outputs = seen.outputs.model_dump() if seen.outputs is not None else {}
        self.unreadable = tuple(sorted(seen.unreadable.values()))
        # What this loop has made is known without reading it; what it found there is not.
        unread = () if self.made else tuple(seen.unreadable)
        self.context.journal.put(record_of(self.one, self.want, Phase.MADE, outputs, unread=unread, before=self.entry))
        self.context.outputs[self.one.address] = outputs
        return True
