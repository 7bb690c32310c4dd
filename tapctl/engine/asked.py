"""What one resource was asked for, what of it AWS has put in force, and how long it may ignore the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from tapctl.engine.model import REBOOT, Observed
from tapctl.engine.tools import Wait, given_up
from tapctl.errors import NotConverged, NotYet, Patience

PROPAGATION_S: Final = float(Patience.PROPAGATION.value or 0)


class Asked:
    """The fields that were asked for: none is asked for twice, however late it shows."""

    def __init__(self, wait: Wait) -> None:
        self.wait = wait
        self.fields: set[str] = set()
        self._in_force: set[str] = set()
        self._quiet_since: float | None = None
        self._partly_on: Observed[Any, Any] | None = None
        self._waited = False
        self._stuck: str | None = None
        self.rebooted = False

    def missing(self, differs: Collection[str]) -> list[str]:
        """Of the fields that differ now those that are still to be asked for."""
        self._in_force |= self.fields.difference(differs)
        return [name for name in differs if name not in self.fields]

    def give_time(self, seen: Observed[Any, Any], missing: Iterable[str]) -> None:
        """Before a part of a field is asked for again, let the last one show.

        Raises:
            NotYet: it does not show. It may be nothing that shows (a failover), so that is said every other time.
        """
        self._waited = seen == self._partly_on and not self._waited
        if self._waited:
            raise NotYet(f"a part of {', '.join(missing)} was asked for and does not show", Patience.PROPAGATION)

    def stepped(self, seen: Observed[Any, Any], fields: Collection[str]) -> None:
        """A step on what was seen was accepted; it asked for these fields, or only for a part of one."""
        self.fields |= set(fields)
        # The same part again is no progress, and begins no patience anew.
        if fields or seen != self._partly_on:
            self.wait.stepped()
        self._partly_on = None if fields else seen

    def ignored(self, seen: Observed[Any, Any], differs: Collection[str], *, pending: bool) -> None:
        """A look at which there is nothing left to ask for.

        Raises:
            NotConverged: a settled thing has ignored us for the propagation time.
        """
        self.wait.idle()
        now = self.wait.now
        if pending or not (seen.settled or seen.going):
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = now
        if now - max(self._quiet_since, self.wait.since_step) <= PROPAGATION_S:
            return
        undone = sorted(self._in_force.intersection(differs))
        if seen.going:
            cause = "AWS did not bring it back"
        elif undone:
            cause = f"somebody else keeps changing {', '.join(undone)}"
        elif differs:
            cause = f"AWS did not take {', '.join(differs)}"
        else:
            cause = "AWS does not tell its identity"
        raise NotConverged(
            f"{self.wait.address}: {cause}",
            evidence=f"asked for, and for {PROPAGATION_S:.0f} s not there; AWS's word: {seen.status}",
            hint="see who changes it (tapctl drift), then run the same command again",
        )

    def end_if_stuck(self, seen: Observed[Any, Any]) -> None:
        """What AWS gave up on before is asked for again, and may show for a while after that; our own ends the node."""
        before, self._stuck = self._stuck, seen.stuck
        if seen.stuck is None or not self.fields:
            return
        if seen.stuck != before or self.wait.now - self.wait.since_step > PROPAGATION_S:
            raise given_up(self.wait.address, seen)

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
        if not waiting and self.wait.elapsed < PROPAGATION_S:
            # What was changed for it a moment ago shows late; after that it did without.
            raise NotYet("waiting for what is to be put in force to show", Patience.BUSY)
        return bool(waiting)
