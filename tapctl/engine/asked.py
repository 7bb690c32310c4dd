"""What one resource was asked for, what of it AWS has put in force, and how long it may ignore the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from tapctl.engine.model import REBOOT, Observed
from tapctl.engine.tools import Poller, aws_failure
from tapctl.errors import NotConverged, NotYet, Patience

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
