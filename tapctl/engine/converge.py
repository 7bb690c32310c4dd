"""Convergence of one resource: one loop in place of waiters, retries, multi-step updates, readiness and read-back.

Each turn observes the resource and takes at most one step; a step is one changing call. By what a turn observes:

==================================  ==================================================================================
no answer from AWS                  observe again, for the propagation time
absent                              create, once; then wait for the propagation time until the resource shows
somebody else's                     fail; first wait for the propagation time if a create of ours may have made it
being deleted                       wait until it is gone; if it is only retained for later, bring it back by a create
failed                              replace it if it is replaceable, update it otherwise, fail if it holds data
failed after a call of ours         fail at once with AWS's reason
fields differ, not requested yet    update; replace where a field cannot change in place
fields differ, all are requested    wait; fail if a settled resource ignores the request for the propagation time
as wanted, a planned reboot is due  reboot, once
as wanted and settled               record it: done
==================================  ==================================================================================

The state is learnt by observing alone; a call's answer says only that AWS accepted the call. Right before every call
the plan must cover it, the intent must be on record, and the lock must be ours. A reconciler's NotYet postpones a step.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from tapctl.engine import refs
from tapctl.engine.delete import delete
from tapctl.engine.diff import carry_over, compare, details, leave, leave_parts
from tapctl.engine.estimate import operation_of
from tapctl.engine.events import Finished, Released, Result
from tapctl.engine.impact import impact_of
from tapctl.engine.model import REBOOT, UNSEEN, Impact, Observed, Spec
from tapctl.engine.ownership import Ownership
from tapctl.engine.plan import Action, Change
from tapctl.engine.planner import outputs_of, record_of
from tapctl.engine.polling import PROPAGATION_S, Cancelled, Emit, EngineContext, Poller, aws_failure, with_last_event
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import AnyResource, Deletion
from tapctl.errors import AlreadyExists, AwsNoAnswer, NotConverged, NotYet, Patience, Refused

_ASK_AGAIN_S: Final = 20.0
"""Seconds between two requests of an update that failed in a way that may pass."""
_SHOWN: Final = 200
"""Characters of a value that an error shows."""


@dataclass(frozen=True)
class Job:
    """A resource to converge: the change the plan permits, and the manifest's entry."""

    resource: AnyResource
    change: Change
    entry: Entry | None


def converge(job: Job, context: EngineContext, emit: Emit) -> Finished:
    """Bring one resource to what is wanted, and read it back.

    Raises:
        Cancelled: the run was asked to stop.
        Refused: the resource is not ours, or must not be changed or replaced.
        NotConverged: AWS did not get there, or more would have to be done than was planned.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _ConvergeLoop(job, context, emit).run()
    except NotConverged as error:
        raise with_last_event(error, job.resource.reconciler, context.aws, job.resource.id) from None


def _shown(value: Any) -> str:
    """The value as evidence, in one line of at most 200 characters."""
    text = "nothing" if value is None else json.dumps(refs.to_json(value), default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class RequestedFields:
    """The fields that were requested from AWS: none is requested twice, however late it shows."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.names: set[str] = set()
        self.rebooted = False
        self._in_force: set[str] = set()
        """Fields that did show as wanted at some time since they were requested."""
        self._ignored_since: float | None = None
        """The moment, in seconds, at which a settled resource first showed without what was requested."""
        self._parts_on: list[Spec] = []
        """The specs on which a part of a field was requested: seen again, the same part would be."""
        self._preparing_on: Spec | None = None
        """The spec on which the last call was one that never shows in it."""
        self._waited = False
        """True if the last turn waited after such a call."""
        self._update_failure: str | None = None
        """The update failure of the last observation."""
        self._failing_since: float | None = None
        """When an update first failed in a way that may pass. Seconds."""

    def outstanding(self, differing: Collection[str]) -> list[str]:
        """Select the fields that differ now and are still to be requested."""
        self._in_force |= self.names.difference(differing)
        return [name for name in differing if name not in self.names]

    def await_partial(self, seen: Observed[Any, Any], missing: Iterable[str]) -> None:
        """Let a partial change show before another part is requested: no part is requested twice.

        Raises:
            NotYet: the partial change is not visible yet. After a call that never shows in the spec (`UNSEEN`) raised
                every other turn only.
        """
        self._waited = seen.spec == self._preparing_on and not self._waited
        if self._waited or seen.spec in self._parts_on:
            patience = Patience.PROPAGATION if seen.settled else Patience.LONG
            raise NotYet(f"a part of {', '.join(missing)} was asked for and does not show", patience)

    def record_create(self, names: Collection[str]) -> None:
        """Note a create that was, or may have been, accepted; it requested these fields."""
        self.names |= set(names)

    def record_update(self, seen: Observed[Any, Any], names: Collection[str]) -> None:
        """Note an accepted update of what was seen; it requested these fields, or (none) only a part of one."""
        if names == UNSEEN:
            # The same call again is no progress, and begins no patience anew.
            if seen.spec != self._preparing_on:
                self.poller.call_made()
            self._preparing_on = seen.spec
            return
        self.names |= set(names)
        self._preparing_on = None
        if not names:
            self._parts_on.append(seen.spec)
        self.poller.call_made()

    def record_reboot(self) -> None:
        """Note an accepted reboot."""
        self.rebooted = True
        self.poller.call_made()

    def check_not_ignored(
        self, seen: Observed[Any, Any], want: Spec, differing: Collection[str], *, pending: bool
    ) -> None:
        """Note an observation on which nothing is left to be requested.

        Raises:
            NotConverged: a settled resource has ignored the request for the propagation time.
        """
        self.poller.reset_refusal()
        now = self.poller.now
        if pending or not (seen.settled or seen.deleting):
            self._ignored_since = None
            return
        if self._ignored_since is None:
            self._ignored_since = now
        if now - max(self._ignored_since, self.poller.last_call_at) <= PROPAGATION_S:
            return
        undone = sorted(self._in_force.intersection(differing))
        if seen.deleting:
            cause = "AWS did not bring it back"
        elif undone:
            cause = f"somebody else keeps changing {', '.join(undone)}"
        elif differing:
            cause = f"AWS did not take {', '.join(differing)}"
        else:
            cause = "AWS does not tell its identity"
        raise NotConverged(
            f"{self.poller.address}: {cause}",
            evidence="\n".join(
                [
                    f"asked for, and for {PROPAGATION_S:.0f} s not there; AWS's word: {seen.status}",
                    *(
                        f"{part.path}: asked for {_shown(part.want)}, there is {_shown(part.have)}"
                        for name in differing
                        for part in details(name, getattr(seen.spec, name), getattr(want, name))
                    ),
                ]
            ),
            hint="see who changes it, as a drift tells, then run the same command again",
        )

    def check_update_failure(self, seen: Observed[Any, Any]) -> None:
        """Tell a failed update of ours from one that AWS gave up before we began.

        The old failure may show for the propagation time after our request.

        Raises:
            NotConverged: AWS gave up on our update.
            NotYet: it is asked again in a moment.
        """
        before, self._update_failure = self._update_failure, seen.update_failure
        if seen.update_failure is None or not self.names:
            return
        if seen.failure_may_pass:
            self._ask_again(seen)
            return
        if seen.update_failure != before or self.poller.now - self.poller.last_call_at > PROPAGATION_S:
            raise aws_failure(self.poller.address, seen)

    def _ask_again(self, seen: Observed[Any, Any]) -> None:
        """Forget what was requested, so that it is again.

        Raises:
            NotYet: the last request is too fresh.
            NotConverged: it has failed for the propagation time.
        """
        now = self.poller.now
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since > PROPAGATION_S:
            raise aws_failure(self.poller.address, seen)
        if now - self.poller.last_call_at < _ASK_AGAIN_S:
            raise NotYet("a right may not have spread yet", Patience.PROPAGATION)
        self.names.clear()

    def awaits_reboot(self, seen: Observed[Any, Any]) -> bool:
        """True if the resource is to be rebooted now: a value waits for a reboot, and none was requested yet.

        Raises:
            NotYet: the reboot does not show, or the value it is planned for does not show as pending yet.
        """
        waiting = [name for name, pending in seen.pending.items() if pending.until == REBOOT]
        if self.rebooted:
            if waiting:
                raise NotYet(f"{', '.join(waiting)}: the reboot does not show yet", Patience.PROPAGATION)
            return False
        if not waiting and self.poller.elapsed < PROPAGATION_S:
            # A change of a moment ago may show late as pending; after the propagation time it needed no reboot.
            raise NotYet("waiting for what is to be put in force to show", Patience.BUSY)
        return bool(waiting)


@dataclass
class _Attempt:
    """The steps this loop has taken with the resource. Moments are seconds on the run's clock."""

    unconfirmed_create: bool
    """True if a create that must not be repeated may have been accepted: absence is not believed at once then."""
    intent: Entry | None = None
    """The intent to change the resource, once it is on record."""
    create_sent_at: float | None = None
    """The moment of the last create, whatever came of it."""
    created_at: float | None = None
    """The moment at which AWS accepted the create, or first said that the name is taken."""
    made: bool = False
    """True if the resource was made by this loop: not found, and not brought back."""
    unheard: bool = False
    """True if a change of ours may have been accepted without an answer: what shows then is this loop's work."""
    made_again: bool = False
    """True if what this loop had made failed in a way that may pass, and was deleted to be made once more."""
    brought_back: bool = False
    """True if the resource was there, to be deleted later: nobody has created it."""
    announced: bool = False
    """True once the outputs were announced early."""
    result: Result = Result.UNCHANGED


@dataclass
class _Sightings:
    """The states this loop has seen the resource in. Moments are seconds on the run's clock."""

    present: bool = False
    """True once the resource was seen, since the last replacement."""
    absent_since: float | None = None
    retained: bool = False
    """True once it was seen as what AWS deletes only later."""
    old_failure: str | None = None
    """The failure that AWS reported before our first request."""


class _ConvergeLoop:
    def __init__(self, job: Job, context: EngineContext, emit: Emit) -> None:
        self.resource, self.change, self.entry = job.resource, job.change, job.entry
        self.address, self.id, self.reconciler = job.resource.address, job.resource.id, job.resource.reconciler
        self.context, self.emit = context, emit
        # The plan resolved the spec with the outputs it observed; since then more are known, and some have moved.
        self.wanted: Spec = refs.resolve(self.resource.spec, context.outputs)
        """The spec that the configuration wants, and the record tells."""
        self.want = carry_over(
            self.reconciler, self.wanted, job.entry.carried if job.entry else {}, allowed=job.change.allowed
        )
        """The same but for what is left alone (`Reconciler.left_alone`, `Change.spares`), as it was seen last."""
        unresolved = refs.needs(self.want)
        if unresolved:
            raise AssertionError(f"an unresolved promise would reach AWS: {sorted(unresolved)}")
        timing = self.reconciler.timing
        usual = context.durations.usual(self.reconciler.type, operation_of(self.change), timing)
        self.poller = Poller(self.address, context, emit, timing, usual.usual_s)
        interrupted = self.entry is not None and self.entry.phase is Phase.MAKING
        self.attempt = _Attempt(unconfirmed_create=interrupted and not self.reconciler.create_is_repeatable)
        self.sightings = _Sightings()
        self.requested = RequestedFields(self.poller)
        self.unplanned: set[str] = set()
        """Paths that were to be changed, and are in no plan: somebody has changed them since it was made."""

    def run(self) -> Finished:
        return self.poller.drive(self.observe, self.step, absent="absent")

    def observe(self) -> Observed[Any, Any] | None:
        return self.reconciler.observe(self.context.aws, self.id, self.wanted)

    def step(self, seen: Observed[Any, Any] | None) -> Finished | None:
        try:
            return self.turn(seen)
        except AlreadyExists as answer:
            self.attempt.created_at = self.poller.now
            # The SDK asks again where an answer was lost, and meets what its first call has made.
            self.attempt.unheard = not self.change.adopts
            self.poller.pause(str(answer))
            return None
        except AwsNoAnswer as error:
            if not error.throttled:
                self.attempt.unheard = True
                self.attempt.unconfirmed_create |= not self.reconciler.create_is_repeatable
            raise

    def turn(self, seen: Observed[Any, Any] | None) -> Finished | None:
        """Take at most one step; the result once the resource is as wanted."""
        if seen is None:
            self.handle_absent()
            return None
        self.sightings.absent_since = None
        ownership = self.judge(seen)
        if not (ownership.ours or (self.change.adopts and ownership.adoptable)):
            self.refuse_foreign(ownership)
            return None
        if seen.deleting:
            self.wait_while_deleting(seen)
            return None
        self.sightings.present = True
        # First of all: what is removed to be made anew is seen no more.
        self.want = leave(self.reconciler, self.wanted, seen.spec, allowed=self.change.allowed)
        if self.change.action <= Action.UPDATE:  # of what is made anew, nothing live is anybody's wish
            self.want = leave_parts(self.want, seen.spec, partial(self.change.spares, self.address))
        if seen.failure is not None and self.replace_failed(seen, seen.failure):
            return None
        self.requested.check_update_failure(seen)
        differing = compare(self.want, seen.spec, unread=seen.unreadable)
        missing = self.requested.outstanding(differing)
        impact = max((self.impact_of(name, seen) for name in missing), default=Impact.NONE)
        if impact is not Impact.REPLACE:
            self.announce_outputs(seen)
        pending = any(name in self.requested.names and value.until != REBOOT for name, value in seen.pending.items())
        outputs = outputs_of(self.reconciler, seen, self.entry, compare(self.wanted, self.want))
        if not differing and not pending and seen.settled and outputs is not None and seen.failure is None:
            return None if self.reboot_if_due(seen) else self.finish(seen, outputs)
        if (seen.failure or seen.update_failure) is not None and not missing and not self.requested.names:
            raise aws_failure(self.address, seen)
        if missing:
            self.update(seen, missing, impact)
        else:
            self.wait_for_effect(seen, differing, pending=pending)
        return None

    def judge(self, seen: Observed[Any, Any]) -> Ownership:
        recorded = self.entry.claim if self.entry else None
        just_made = self.attempt.made and seen.owner is None
        return self.context.claimant.judge(
            self.reconciler,
            self.id,
            seen,
            recorded=recorded,
            just_made=just_made,
            known=self.attempt.result is not Result.UNCHANGED,
        )

    def impact_of(self, name: str, seen: Observed[Any, Any]) -> Impact:
        """Tell what changing this field costs now."""
        undoes = any(field.outside for field in self.change.fields if field.path.partition(".")[0] == name)
        unconfirmed = self.entry is None or self.entry.confirmed_spec is None
        return impact_of(self.reconciler, name, self.want, seen, undoes=undoes or unconfirmed)

    # -- absent, foreign or being deleted ----------------------------------------------------------------------------

    def handle_absent(self) -> None:
        """Create the resource, or wait where it may be there and does not show."""
        now, sightings = self.poller.now, self.sightings
        if sightings.absent_since is None:
            sightings.absent_since = now
        if self.attempt.created_at is not None or sightings.present:
            since = max(sightings.absent_since, self.attempt.created_at or 0)
            if now - since > PROPAGATION_S:
                cause = "does not show: its name may be held by something these credentials cannot see"
                if self.attempt.made or sightings.present:
                    cause = "was there and has vanished" if sightings.present else "was made and does not show"
                raise NotConverged(f"{self.address} {cause}", hint="run the same command again")
            self.poller.pause("waiting for AWS to show it")
        elif self.attempt.unconfirmed_create and now - sightings.absent_since <= PROPAGATION_S:
            self.poller.pause("an earlier create may have been accepted: looking before making another")
        else:
            self.create(anew=True)

    def refuse_foreign(self, ownership: Ownership) -> None:
        """Fail, unless our own create made the resource and its tags do not show yet."""
        seen = ownership.seen
        sent_at = self.attempt.create_sent_at
        if seen.owner is None and sent_at is not None and self.poller.now - sent_at <= PROPAGATION_S:
            self.poller.pause("waiting for its tags to show")
            return
        if self.attempt.intent is not None and self.attempt.result is Result.UNCHANGED:
            # The record must not say for ever that we were making what is somebody else's.
            self.withdraw_intent()
        raise ownership.error()

    def wait_while_deleting(self, seen: Observed[Any, Any]) -> None:
        """Wait until the resource is gone, or bring it back where AWS deletes it only later."""
        self.sightings.retained = seen.retained is not None
        if seen.retained is None:
            if not self.attempt.made:
                # The holder of the name is going: that the name was taken means nothing any more.
                self.attempt.created_at = None
            self.poller.pause("waiting for it to be gone before it is made again")
        elif self.attempt.created_at is not None:
            self.wait_for_effect(seen, ())
        else:
            self.create(anew=False)

    def create(self, *, anew: bool) -> None:
        """Create the resource ``anew``, or bring back what AWS has not deleted yet."""
        self.check_within_plan(Action.CREATE)
        self.before_call(anew=anew)
        self.attempt.create_sent_at = self.poller.now
        # A create requests every field that can never be changed in place: where one differs for a while, it is lag.
        fixed = {name for name, impact in self.reconciler.impacts.items() if anew and impact is Impact.REPLACE}
        try:
            self.reconciler.create(self.context.aws, self.id, self.want, self.context.claimant.owner)
        except AwsNoAnswer as error:
            if not error.throttled:
                # The effect of an unrepeatable create is looked for during the propagation time, counted from now.
                self.sightings.absent_since = None
                self.requested.record_create(fixed)
            raise
        self.requested.record_create(fixed)
        self.attempt.created_at, self.attempt.made = self.poller.now, anew
        if self.attempt.result is not Result.REPLACED:
            self.attempt.result = Result.CREATED if anew else Result.UPDATED
        self.attempt.brought_back = not anew
        self.poller.call_made()

    # -- present -----------------------------------------------------------------------------------------------------

    def replace_failed(self, seen: Observed[Any, Any], failure: str) -> bool:
        """Handle a resource that AWS gave up: True if it was deleted to be made anew, False if an update may mend it.

        Raises:
            NotConverged: AWS gave up after our request.
            NotYet: it is made once more in a moment.
            Refused: the resource holds data.
        """
        if self.requested.names or self.attempt.created_at is not None:
            # The failure from before our request may show for a while after it.
            if self.attempt.made and seen.failure_may_pass and not self.attempt.made_again:
                self.make_again(seen)
                return True
            if failure != self.sightings.old_failure or self.poller.now - self.poller.last_call_at > PROPAGATION_S:
                raise aws_failure(self.address, seen)
            return False
        self.sightings.old_failure = failure
        if self.reconciler.holds_data:
            raise Refused(
                f"{self.address} has failed and holds data: it is neither changed nor replaced",
                evidence=f"AWS says: {failure}",
            )
        if self.reconciler.replaceable:
            self.replace(seen)
        return self.reconciler.replaceable

    def make_again(self, seen: Observed[Any, Any]) -> None:
        """Delete what we have just made and AWS could not finish, to make it once more: a right may have spread now.

        Raises:
            NotYet: it was made a moment ago.
        """
        if self.poller.now - self.poller.last_call_at < _ASK_AGAIN_S:
            raise NotYet("a right may not have spread yet", Patience.PROPAGATION)
        self.attempt.made_again = True
        self.forget(seen)

    def forget(self, seen: Observed[Any, Any]) -> None:
        """Delete the resource until it is gone, and what is known of it."""
        deletion = Deletion(self.address, self.reconciler, self.id, seen.spec, self.entry)
        delete(deletion, self.context, self.emit, replacing=True)
        self.attempt.created_at, self.sightings.present = None, False
        self.requested = RequestedFields(self.poller)
        self.poller.call_made()

    def replace(self, seen: Observed[Any, Any]) -> None:
        """Delete the resource until it is gone; the next turn creates it anew."""
        self.check_within_plan(Action.REPLACE)
        if self.attempt.result is Result.REPLACED:
            raise NotConverged(
                f"{self.address} was replaced, and somebody else has made it again",
                hint="see who makes it, then run the same command again",
            )
        self.record_intent()
        self.forget(seen)
        self.attempt.result = Result.REPLACED

    def update(self, seen: Observed[Any, Any], missing: list[str], impact: Impact) -> None:
        """Request (a part of) the missing fields."""
        if impact is Impact.REPLACE:
            if not self.reconciler.replaceable or self.reconciler.holds_data:
                fields = ", ".join(missing)
                raise Refused(f"{self.address}: {fields} cannot be changed in place, and it is never replaced")
            self.replace(seen)
            return
        self.check_within_plan(Action.UPDATE, impact)
        self.requested.await_partial(seen, missing)
        self.note_unplanned(seen, missing)
        have = seen.spec.model_copy(update={name: getattr(self.want, name) for name in self.requested.names})
        self.before_call()
        names = self.reconciler.update(self.context.aws, self.id, have, self.want)
        self.mark_updated()
        self.requested.record_update(seen, names)

    def note_unplanned(self, seen: Observed[Any, Any], missing: Iterable[str]) -> None:
        """Note what differs now and did not when an update was planned; after a call of ours, whole fields only.

        What that call has moved within a planned field is nobody else's.
        """
        if self.change.action is not Action.UPDATE:
            return
        planned = {field.path.partition(".")[0] for field in self.change.fields}
        self.unplanned |= {name for name in missing if name not in planned}
        if self.attempt.intent is not None:
            return
        for name in planned.intersection(missing):
            for part in details(name, getattr(seen.spec, name), getattr(self.want, name)):
                if not any(field.is_of(part) for field in self.change.fields):
                    self.unplanned.add(part.path)

    def wait_for_effect(self, seen: Observed[Any, Any], differing: Collection[str], *, pending: bool = False) -> None:
        self.requested.check_not_ignored(seen, self.want, differing, pending=pending)
        self.poller.pause("" if seen.settled else f"AWS is at work: {seen.status}")

    def reboot_if_due(self, seen: Observed[Any, Any]) -> bool:
        """Reboot a resource that is as wanted, once, where the plan says so and a value waits for it; True if done."""
        if not self.change.reboots or not self.requested.awaits_reboot(seen):
            return False
        self.check_within_plan(Action.UPDATE, Impact.RESTART)
        self.before_call()
        self.reconciler.reboot(self.context.aws, self.id, self.want)
        self.mark_updated()
        self.requested.record_reboot()
        return True

    def mark_updated(self) -> None:
        if self.attempt.result is Result.UNCHANGED:
            self.attempt.result = Result.UPDATED

    def announce_outputs(self, seen: Observed[Any, Any]) -> None:
        """Release the dependants that need only the outputs of a resource that is still being made."""
        if self.reconciler.outputs_known_early and not self.attempt.announced and seen.outputs is not None:
            self.attempt.announced = True
            self.context.outputs[self.address] = seen.outputs.model_dump()
            self.emit(Released(self.address))

    def finish(self, seen: Observed[Any, Any], outputs: dict[str, str]) -> Finished:
        """Record the resource as made."""
        # A field of a resource that this loop has made is known without reading it; of one it found it is not.
        unread = () if self.attempt.made else tuple(seen.unreadable)
        record = record_of(self.resource, self.wanted, Phase.MADE, outputs, unread=unread, before=self.entry)
        self.context.journal.put(record)
        self.context.outputs[self.address] = outputs
        result = self.attempt.result
        if result is Result.UNCHANGED and self.attempt.unheard:
            result = Result.UPDATED
        if self.change.action is Action.CREATE and result is Result.UPDATED and not self.attempt.brought_back:
            # Planned as a create, and made: by changing its parent, or by a call whose answer was lost.
            result = Result.CREATED
        note = f"changed since it was planned, and put back too: {', '.join(sorted(self.unplanned))}"
        return Finished(
            self.address,
            result,
            self.poller.elapsed,
            note=note if self.unplanned else "",
            unreadable=tuple(sorted(seen.unreadable.values())),
        )

    # -- the guards of a step ----------------------------------------------------------------------------------------

    def check_within_plan(self, action: Action, impact: Impact = Impact.NONE) -> None:
        """Let an action through where the plan covers it.

        Raises:
            NotConverged: more would have to be done than was planned.
        """
        planned = self.change
        if action <= planned.action and (impact <= planned.impact or planned.action > Action.UPDATE):
            return
        done = "what was asked for before may be in force" if self.attempt.intent else "nothing was done with it"
        raise NotConverged(
            f"{self.address} has changed since it was planned: it would now have to be "
            f"{action.name.lower()}d{f' with {impact.name.lower()}' if impact else ''}",
            evidence=f"planned: {planned.action.name.lower()}",
            hint=f"{done}; run the same command again to see and confirm the new plan",
        )

    def record_intent(self, *, anew: bool = False) -> None:
        """Put the intent on record before the first changing call.

        What was confirmed last stays beside it, and its identity, but where the resource is made ``anew``: then nothing
        of it ever was. What a removal of ours may have unset is confirmed no more.
        """
        outputs = self.entry.outputs if self.entry and not anew else None
        confirmed = self.entry.confirmed_spec if self.entry and not anew else None
        if confirmed is not None and self.is_brought_back():
            confirmed = {name: confirmed[name] for name in confirmed.keys() - self.reconciler.unset_by_removal}
        if self.attempt.intent is None or anew:
            if anew and self.attempt.intent is None and self.entry is not None and self.entry.phase is Phase.MADE:
                # What was made is gone, and what comes in its place is not that one unfinished: the record tells so.
                self.context.journal.drop(self.address)
            intent = record_of(
                self.resource, self.wanted, Phase.MAKING, outputs, confirmed=confirmed, carried=self.carried()
            )
            if intent != self.attempt.intent:
                self.context.journal.put(intent)
            self.attempt.intent = intent

    def carried(self) -> dict[str, str]:
        """Tell what is left alone of the resource as it was seen last, and goes over to one made in its place."""
        names = self.reconciler.carried_over.intersection(compare(self.wanted, self.want))
        return {name: getattr(self.want, name) for name in names}

    def is_brought_back(self) -> bool:
        """True if a removal of ours had begun with the resource, or left it to be deleted later."""
        phase = self.entry.phase if self.entry else None
        return phase is Phase.LEAVING or (phase is Phase.KEPT and self.sightings.retained)

    def before_call(self, *, anew: bool = False) -> None:
        on_record = self.attempt.intent is not None
        self.record_intent(anew=anew)
        self.context.lease()
        try:
            self.poller.check()
        except Cancelled:
            if not on_record:
                # No call was made, and the next run must not look ten minutes for the effect of one.
                self.withdraw_intent()
            raise

    def withdraw_intent(self) -> None:
        """Put on record what stood there before the intent: no changing call was made."""
        if self.entry is None:
            self.context.journal.drop(self.address)
        else:
            self.context.journal.put(self.entry)
