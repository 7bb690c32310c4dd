"""The critical path of the embedded AWS: how long the longest chain of its own times is, in its seconds.

A chain is of what has to follow what, whoever does it; everything else is beside it. The times are those that the rules
of the embedded AWS go by, and no others: no call, no look and no computing is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

from tapctl.sandbox.emulator import ec2, iam, kms, lambda_functions, lambda_interfaces
from tapctl.sandbox.emulator.rds import lifecycle as rds


@dataclass(frozen=True)
class Stage:
    """A stage for which AWS takes this many seconds, once others are through."""

    seconds: float
    after: tuple[str, ...] = ()


APPLY: Final[Mapping[str, Stage]] = {
    "key": Stage(kms.UNKNOWN_S),
    "security groups": Stage(ec2.UNKNOWN_S),
    "subnet and parameter groups": Stage(max(rds.UNSEEN_S, *rds.FLAPS_S)),
    "cluster": Stage(rds.CLUSTER_CREATING_S, ("key", "security groups", "subnet and parameter groups")),
    "instances, side by side": Stage(
        rds.INSTANCE_CREATING_S + rds.INSTANCE_CONFIGURING_S + rds.INSTANCE_BACKING_UP_S, ("cluster",)
    ),
    "rotation of the secret": Stage(rds.SECRET_READY_S, ("instances, side by side",)),
    # The cluster's name and secret are known as soon as it is accepted.
    "role": Stage(iam.ASSUMABLE_S, ("key", "security groups", "subnet and parameter groups")),
    "function": Stage(lambda_functions.NETWORK_S, ("role",)),
}
DESTROY: Final[Mapping[str, Stage]] = {
    "function leaves its groups": Stage(lambda_functions.NETWORK_S),
    "its network interfaces": Stage(lambda_interfaces.LINGERS_S, ("function leaves its groups",)),
    "role, which outlives them": Stage(iam.STILL_COUNTED_S, ("its network interfaces",)),
    "instances, side by side": Stage(rds.INSTANCE_DELETING_S),
    "cluster": Stage(rds.CLUSTER_GOES_S, ("instances, side by side",)),
    "subnet and parameter groups": Stage(rds.HELD_S + rds.GROUP_GOES_S, ("cluster",)),
}


def longest(stages: Mapping[str, Stage]) -> tuple[float, tuple[str, ...]]:
    """The longest chain: its seconds, and its stages in order."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name in TopologicalSorter({name: stage.after for name, stage in stages.items()}).static_order():
        before, chain = max((best[one] for one in stages[name].after), default=(0.0, ()))
        best[name] = (before + stages[name].seconds, (*chain, name))
    return max(best.values())
