"""A plan in numbers: the resources that it changes, and those on which each impact falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tapctl.engine.plan import Action, Plan

_CONSEQUENCES: Final[Mapping[str, tuple[str, str]]] = {
    "replace": ("is replaced", "are replaced"),
    "data_loss": ("loses data", "lose data"),
    "upgrade": ("cannot be undone", "cannot be undone"),
    "outage": ("has an outage", "have an outage"),
    "failover": ("fails over", "fail over"),
    "restart": ("restarts", "restart"),
    "protection": ("loses its protection", "lose their protection"),
}
"""Impact to what happens to one resource, and to several."""


def consequences(plan: Plan) -> list[str]:
    """Tell on how many resources each impact falls, the worst first: ``1 loses data``, ``2 fail over``."""
    return [f"{count} {_CONSEQUENCES[impact][count > 1]}" for impact, count in plan.impacts.items() if count]


def plan_counts(plan: Plan) -> dict[str, int]:
    """The numbers of resources that the plan creates, changes, removes and leaves, and of those blocked, if any."""

    def count(*actions: Action) -> int:
        return sum(change.blocked is None for change in plan.to(*actions))

    counts = {
        "create": count(Action.CREATE),
        "change": count(Action.UPDATE, Action.REPLACE),
        "remove": count(Action.DELETE),
        "unchanged": count(Action.NOTHING, Action.SETTLE),
    }
    return counts | ({"blocked": len(plan.blocked)} if plan.blocked else {})
