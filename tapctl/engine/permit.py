"""The guard of the plan: an apply may do less than was planned and confirmed, never more."""

from __future__ import annotations

from tapctl.engine.change import Action, Change
from tapctl.engine.model import Impact
from tapctl.errors import NotConverged


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
