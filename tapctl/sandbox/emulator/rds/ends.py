"""What RDS gives up: the states nothing comes back from by itself, and the events that say why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Call, Proceed, Reply, Rules, kept

rules = Rules("rds")

ENDS: Final = {
    "failed": "The DB instance or cluster has failed and RDS cannot recover it.",
    "inaccessible-encryption-credentials": "Amazon RDS can't access the KMS encryption key for the DB cluster.",
    "incompatible-network": "The DB subnet group has no free IP address.",
    "incompatible-parameters": "Its parameters are not compatible with its engine version or instance class.",
}
"""A terminal state (Aurora user guide, "Viewing DB cluster status") → the event that comes with it. Texts are ours."""


def tell_event(call: Call, kind: str, name: str, message: str) -> None:
    """RDS tells this of a ``db-cluster`` or a ``db-instance``."""
    event = {"SourceIdentifier": name, "SourceType": kind, "Message": message, "Date": datetime.now(UTC)}
    kept(call.moto("rds")).setdefault("events", []).append(event)


@rules("DescribeEvents")
def events_are_told(call: Call, _: Proceed) -> Reply:
    """By whom they are about, the oldest first; moto knows only instances' and snapshots'."""
    events: list[dict[str, Any]] = kept(call.moto("rds")).get("events", [])
    asked = {name: call.params[name] for name in ("SourceIdentifier", "SourceType") if name in call.params}
    return {"Events": [one for one in events if asked.items() <= one.items()]}
