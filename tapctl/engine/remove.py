"""Taking one resource away: look, one step, look again, until it is gone and nothing of it lingers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapctl.engine import refs
from tapctl.engine.events import Ending, Known, Result
from tapctl.engine.model import Kept, Observed, Reconciler, Spec
from tapctl.engine.observe import is_ours
from tapctl.engine.plan import not_ours
from tapctl.engine.tools import Tell, Tools, Wait, explained, given_up
from tapctl.errors import AwsLost, NotConverged, NotYet, Patience, Refused
from tapctl.manifest.entry import Entry, Phase


@dataclass(frozen=True)
class Leaving:
    """One thing to remove. ``last``: the recorded spec, where there is a record that this tapctl can read."""

    address: str
    reconciler: Reconciler[Any, Any]
    id: str
    last: Spec | None
    entry: Entry | None
    facets: tuple[str, ...] = ()
    """Recorded facets that die with it: forgotten when it is gone."""


def remove(one: Leaving, tools: Tools, tell: Tell, *, forget: bool = True) -> Ending:
    """Remove it; ``forget`` its record then. Returns what was done, and why it was kept where it was.

    Not to ``forget`` it means that it is made anew at once.

    Raises:
        Stopped: we were asked to stop.
        Refused: it is not ours, or protected; it was left.
        NotConverged: AWS did not get there.
        AwsError: AWS said no, or no answer came for the propagation time.
    """
    try:
        return _Removing(one, tools, tell, forget=forget).run()
    except NotConverged as error:
        raise explained(error, one.reconciler, tools.aws, one.id) from None


class _Removing:
    def __init__(self, one: Leaving, tools: Tools, tell: Tell, *, forget: bool) -> None:
        self.one, self.tools, self.tell, self.forget = one, tools, tell, forget
        self.rec = one.reconciler
        self.wait = Wait(one.address, tools, tell, self.rec.usual, self.rec.usual.deleting)
        self.last = one.last
        self.stepped_on: Observed[Any, Any] | None = None
        self.leaving = False
        self.freed = False
        self.leaves: tuple[tuple[str, Kept], ...] = ()

    def run(self) -> Ending:
        while True:
            self.wait.check()
            try:
                seen = self.rec.observe(self.tools.aws, self.one.id, self.last)
                held = self.held() if seen is None else None
            except AwsLost as error:
                self.wait.lost(error)
                continue
            self.wait.looked(seen, "gone")
            try:
                ended = self.gone(held) if seen is None else self.turn(seen)
            except NotYet as answer:
                self.wait.refused(answer)
            except AwsLost as error:
                self.wait.unanswered(error)
            else:
                if ended is not None:
                    return ended

    def held(self) -> str | None:
        # What is made anew under the same name at once needs nothing of what lingers to be over.
        if self.last is None or not self.forget:
            return None
        lingering = self.rec.lingers(self.tools.aws, self.one.id, self.last)
        if lingering is None:
            self.leaves = tuple(self.rec.leaves(self.tools.aws, self.one.id, self.last))
        return lingering

    def gone(self, held: str | None) -> Ending | None:
        self.free()
        if held:
            self.wait.lingers()
            self.wait.pause(held)
            return None
        if self.forget:
            self.tools.journal.drop(self.one.address, *self.one.facets)
        return Ending(Result.DELETED, facets=self.one.facets, leaves=self.leaves)

    def turn(self, seen: Observed[Any, Any]) -> Ending | None:
        if not is_ours(seen, self.tools.owner, recorded=self.identity(), made_by_aws=self.rec.made_by_aws):
            raise not_ours(self.one.address, seen)
        if self.last is None:
            self.last = seen.spec
        if seen.kept is not None:
            return self.keep(seen.kept, seen)
        if seen.going:
            if self.rec.early:
                self.free()
            self.wait.pause(f"AWS is at work: {seen.status}")
            return None
        why = self.rec.refuses(seen)
        if why:
            raise Refused(f"{self.one.address} must not be removed: {why}")
        if seen == self.stepped_on:
            self.again(seen)
            return None
        if self.stepped_on is not None and seen.failed is not None and seen.failed != self.stepped_on.failed:
            raise given_up(self.one.address, seen)
        self.before_step(seen)
        kept = self.step(seen)
        if kept is not None:
            return self.keep(kept, seen)
        self.stepped_on = seen
        self.wait.stepped()
        return None

    def identity(self) -> dict[str, str] | None:
        """Of this very thing, as recorded or as our own call was about it: it may show longer than its tags do."""
        if self.one.entry is not None:
            return self.one.entry.outputs
        outputs = self.stepped_on.outputs if self.stepped_on is not None else None
        return outputs.model_dump() if outputs is not None else None

    def step(self, seen: Observed[Any, Any]) -> Kept | None:
        if self.forget:
            return self.rec.delete(self.tools.aws, self.one.id, seen, self.one.last)
        return self.rec.take_away(self.tools.aws, self.one.id, seen)

    def again(self, seen: Observed[Any, Any]) -> None:
        """The last step does not show yet: a new one is taken only when what is seen has changed."""
        if seen.settled and self.wait.now - self.wait.since_step > float(Patience.PROPAGATION.value or 0):
            raise NotConverged(
                f"{self.one.address}: AWS accepted its removal and did not act on it",
                evidence=f"AWS's word: {seen.status}",
                hint="run the same command again",
            )
        self.wait.pause("waiting for AWS to act on it")

    def before_step(self, seen: Observed[Any, Any]) -> None:
        if not self.leaving and self.forget:
            self.tools.journal.put(self.record(Phase.LEAVING, seen))
        self.leaving = True
        self.tools.lease()
        self.wait.check()

    def keep(self, kept: Kept, seen: Observed[Any, Any]) -> Ending:
        self.free()
        entry = self.record(Phase.KEPT, seen)
        self.tools.journal.put(entry.model_copy(update={"kept_until": kept.until, "kept_why": kept.why}))
        return Ending(Result.KEPT, kept)

    def record(self, phase: Phase, seen: Observed[Any, Any]) -> Entry:
        if self.one.entry is not None:
            return self.one.entry.model_copy(update={"phase": phase})
        outputs = seen.outputs.model_dump() if seen.outputs is not None else None
        return Entry(
            type=self.rec.type, id=self.one.id, needs=(), phase=phase, spec=refs.plain(seen.spec), outputs=outputs
        )

    def free(self) -> None:
        """It is gone, or an early thing is going: what waits for no more than that need not wait any longer."""
        if not self.freed:
            self.freed = True
            self.tell(Known(self.one.address))
