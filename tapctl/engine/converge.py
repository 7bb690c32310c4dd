"""Bringing one resource to what is wanted: one loop in place of waiters, retries, multi-step updates and read-back.

Each turn looks, compares, and takes at most one step, which is one changing call. What exists is learnt by looking
alone; a call's answer says only that it was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapctl.engine import refs
from tapctl.engine.asked import PROPAGATION_S, Asked
from tapctl.engine.change import Action, Change
from tapctl.engine.diff import compare
from tapctl.engine.events import Ending, Known, Result
from tapctl.engine.graph import AnyResource
from tapctl.engine.model import REBOOT, Impact, Observed, Spec
from tapctl.engine.observe import is_ours
from tapctl.engine.permit import permit
from tapctl.engine.plan import entry_for, not_ours
from tapctl.engine.remove import Leaving, remove
from tapctl.engine.tools import Tell, Tools, Wait, explained, given_up
from tapctl.errors import AlreadyExists, AwsLost, NotConverged, NotYet, Refused
from tapctl.manifest.entry import Entry, Phase


@dataclass(frozen=True)
class Job:
    """One resource, what the plan permits to be done with it, and its record."""

    resource: AnyResource
    change: Change
    entry: Entry | None


def converge(job: Job, tools: Tools, tell: Tell) -> Ending:
    """Make it so, and read it back. Returns what was done.

    Raises:
        Stopped: we were asked to stop.
        Refused: it is not ours, or more would have to be done than was planned.
        NotConverged: AWS did not get there.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _Converging(job, tools, tell).run()
    except NotConverged as error:
        raise explained(error, job.resource.reconciler, tools.aws, job.resource.id) from None


class _Converging:
    def __init__(self, job: Job, tools: Tools, tell: Tell) -> None:
        self.one, self.change, self.entry = job.resource, job.change, job.entry
        self.rec = self.one.reconciler
        self.tools, self.tell = tools, tell
        self.want: Spec = refs.resolve(self.one.spec, tools.known)
        left = refs.needs(self.want)
        if left:
            raise AssertionError(f"a promise reached AWS's door: {sorted(left)}")
        self.wait = Wait(self.one.address, tools, tell, self.rec.usual, self.rec.usual.creating)
        self.intended = False
        self.published = False
        self.result = Result.UNCHANGED
        self.unread: tuple[str, ...] = ()
        self.sent_at: float | None = None
        self.created_at: float | None = None
        self.made = False
        self.was_seen = False
        self.absent_since: float | None = None
        self.gave_up: str | None = None
        self.asked = Asked(self.wait)
        # A thing that a second create would double is not believed absent at once where a create may have been lost.
        self.doubtful = not self.rec.repeatable and self.entry is not None and self.entry.phase is Phase.MAKING

    def run(self) -> Ending:
        while True:
            self.wait.check()
            try:
                seen = self.rec.observe(self.tools.aws, self.one.id, self.want)
            except AwsLost as error:
                self.wait.lost(error)
                continue
            self.wait.looked(seen, "absent")
            try:
                if self.turn(seen):
                    break
            except NotYet as answer:
                self.wait.refused(answer)
            except AlreadyExists as answer:
                self.created_at = self.wait.now if self.created_at is None else self.created_at
                self.wait.pause(str(answer))
            except AwsLost as error:
                self.doubtful = self.doubtful or not (self.rec.repeatable or error.throttled)
                self.wait.unanswered(error)
        # A facet planned as a create is made by changing its parent: to the user it was created.
        created = self.change.action is Action.CREATE and self.result is Result.UPDATED
        return Ending(Result.CREATED if created else self.result, unread=self.unread)

    def turn(self, seen: Observed[Any, Any] | None) -> bool:
        """One turn; True when it is there as wanted."""
        if seen is None:
            self.absent()
            return False
        self.absent_since = None
        recorded = self.entry.outputs if self.entry else None
        # What this very loop has made shows its tags later than itself.
        made_by_aws = self.rec.made_by_aws or (self.made and seen.owner is None)
        if not self.change.adopts and not is_ours(seen, self.tools.owner, recorded=recorded, made_by_aws=made_by_aws):
            self.stranger(seen)
            return False
        if seen.going:
            self.going(seen)
            return False
        self.was_seen = True
        if seen.failed is not None and not self.heal(seen):
            return False
        self.asked.end_if_stuck(seen)
        differs = compare(self.want, seen.spec, unread=seen.unread)
        missing = self.asked.missing(differs)
        costs = max((self.rec.impacts.get(name, Impact.NONE) for name in missing), default=Impact.NONE)
        if costs is not Impact.REPLACE:
            self.publish(seen)
        pending = any(name in self.asked.fields and waiting.until != REBOOT for name, waiting in seen.pending.items())
        if not differs and not pending and seen.settled and seen.outputs is not None and seen.failed is None:
            return self.restarted(seen) and self.done(seen)
        if (seen.failed or seen.stuck) is not None and not missing and not self.asked.fields:
            raise given_up(self.one.address, seen)
        if missing:
            self.change_fields(seen, missing, costs)
        else:
            self.patiently(seen, differs, pending=pending)
        return False

    # -- absent ------------------------------------------------------------------------------------------------------

    def absent(self) -> None:
        now = self.wait.now
        if self.absent_since is None:
            self.absent_since = now
        if self.created_at is not None or self.was_seen:
            since = max(self.absent_since, self.created_at or 0)
            if now - since > PROPAGATION_S:
                cause = "does not show: its name may be held by something these credentials cannot see"
                if self.made or self.was_seen:
                    cause = "was there and has vanished" if self.was_seen else "was made and does not show"
                raise NotConverged(f"{self.one.address} {cause}", hint="run the same command again")
            self.wait.pause("waiting for AWS to show it")
            return
        if self.doubtful and now - self.absent_since <= PROPAGATION_S:
            self.wait.pause("an earlier create may have been accepted: looking before making another")
            return
        self.permit(Action.CREATE)
        self.create(anew=True)

    def stranger(self, seen: Observed[Any, Any]) -> None:
        """Not ours, unless our own create made it and its tags do not show yet."""
        if seen.owner is None and self.sent_at is not None and self.wait.now - self.sent_at <= PROPAGATION_S:
            self.wait.pause("waiting for its tags to show")
            return
        if self.intended and self.result is Result.UNCHANGED:
            # The record must not say for ever that we were making what is somebody else's.
            if self.entry is None:
                self.tools.journal.drop(self.one.address)
            else:
                self.tools.journal.put(self.entry)
        raise not_ours(self.one.address, seen)

    def going(self, seen: Observed[Any, Any]) -> None:
        if seen.kept is None:
            if not self.made:
                # What held the name is going: that it was taken says nothing any more.
                self.created_at = None
            self.wait.pause("waiting for it to be gone before it is made again")
        elif self.created_at is not None:
            self.patiently(seen, ())
        else:
            self.permit(Action.CREATE)
            self.create(anew=False)

    def create(self, *, anew: bool) -> None:
        self.before_step()
        self.sent_at = self.wait.now
        # A create asks for all that can never be changed in place: where that differs for a while, it is lag.
        fixed = {name for name, impact in self.rec.impacts.items() if anew and impact is Impact.REPLACE}
        try:
            self.rec.create(self.tools.aws, self.one.id, self.want, self.tools.owner)
        except AwsLost as error:
            if not error.throttled:
                # What an unrepeatable create did is looked for during the propagation time, counted from now.
                self.absent_since = None
                self.asked.fields |= fixed
            raise
        self.asked.fields |= fixed
        self.created_at, self.made = self.wait.now, anew
        self.result = Result.REPLACED if self.result is Result.REPLACED else Result.CREATED
        self.wait.stepped()

    # -- there -------------------------------------------------------------------------------------------------------

    def heal(self, seen: Observed[Any, Any]) -> bool:
        """What AWS gave up on: True when the turn may go on and ask it again, False when it was taken away."""
        if self.asked.fields or self.created_at is not None:
            # The failure it had before may show for a while after it was asked again.
            if seen.failed != self.gave_up or self.wait.now - self.wait.since_step > PROPAGATION_S:
                raise given_up(self.one.address, seen)
            return True
        self.gave_up = seen.failed
        if self.rec.holds_data:
            raise Refused(
                f"{self.one.address} has failed and holds data: it is neither changed nor replaced",
                evidence=f"AWS says: {seen.failed}",
            )
        if self.rec.replaceable:
            self.replace(seen)
            return False
        return True

    def replace(self, seen: Observed[Any, Any]) -> None:
        self.permit(Action.REPLACE)
        if self.result is Result.REPLACED:
            raise NotConverged(
                f"{self.one.address} was replaced, and somebody else has made it again",
                hint="see who makes it, then run the same command again",
            )
        self.intend()
        last = Leaving(self.one.address, self.rec, self.one.id, seen.spec, self.entry)
        remove(last, self.tools, self.tell, forget=False)
        self.result = Result.REPLACED
        self.was_seen, self.created_at, self.asked = False, None, Asked(self.wait)
        self.wait.stepped()

    def change_fields(self, seen: Observed[Any, Any], missing: list[str], costs: Impact) -> None:
        if costs is Impact.REPLACE:
            if self.rec.replaceable and not self.rec.holds_data:
                self.replace(seen)
                return
            raise Refused(
                f"{self.one.address}: {', '.join(missing)} cannot be changed in place, and it is never replaced"
            )
        self.permit(Action.UPDATE, costs)
        self.asked.give_time(seen, missing)
        have = seen.spec.model_copy(update={name: getattr(self.want, name) for name in self.asked.fields})
        self.before_step()
        fields = self.rec.update(self.tools.aws, self.one.id, have, self.want)
        if self.result is Result.UNCHANGED:
            self.result = Result.UPDATED
        self.asked.stepped(seen, fields)

    def patiently(self, seen: Observed[Any, Any], differs: tuple[str, ...], *, pending: bool = False) -> None:
        self.asked.ignored(seen, differs, pending=pending)
        self.wait.pause("" if seen.settled else f"AWS is at work: {seen.status}")

    # -- the guards --------------------------------------------------------------------------------------------------

    def permit(self, action: Action, impact: Impact = Impact.NONE) -> None:
        permit(self.change, action, impact, begun=self.intended)

    def intend(self) -> None:
        """The intent is on disk before the first changing call."""
        if not self.intended:
            outputs = self.entry.outputs if self.entry else None
            self.tools.journal.put(entry_for(self.one, self.want, Phase.MAKING, outputs))
            self.intended = True

    def before_step(self) -> None:
        self.intend()
        self.tools.lease()
        self.wait.check()

    def publish(self, seen: Observed[Any, Any]) -> None:
        if self.rec.early and not self.published and seen.outputs is not None:
            self.published = True
            self.tools.known[self.one.address] = seen.outputs.model_dump()
            self.tell(Known(self.one.address))

    def restarted(self, seen: Observed[Any, Any]) -> bool:
        """Whether nothing waits for a reboot that it is to get; the reboot is the last step, and taken once."""
        if not self.change.reboots or not self.asked.awaits_reboot(seen):
            return True
        self.permit(Action.UPDATE, Impact.RESTART)
        self.before_step()
        self.rec.restart(self.tools.aws, self.one.id, self.want)
        self.asked.rebooted = True
        self.result = Result.UPDATED if self.result is Result.UNCHANGED else self.result
        self.wait.stepped()
        return False

    def done(self, seen: Observed[Any, Any]) -> bool:
        outputs = seen.outputs.model_dump() if seen.outputs is not None else {}
        self.unread = tuple(sorted(seen.unread.values()))
        # What this loop has made is known without reading it; what it found there is not.
        unread = () if self.made else tuple(seen.unread)
        self.tools.journal.put(entry_for(self.one, self.want, Phase.MADE, outputs, unread=unread, before=self.entry))
        self.tools.known[self.one.address] = outputs
        return True
