"""A user's folder in front of an embedded AWS with a gate, and what is there after something went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.engine.model import Owner
from tapctl.reconcilers import registry
from tests.failures.gate import Gate, Trouble
from tests.stories.world import Answer, World, furnish

REGION = "us-east-2"
MADE = Counter(
    {
        "cloudwatch-alarm": 5,
        "db-cluster": 1,
        "db-cluster-parameter-group": 1,
        "db-instance": 1,
        "db-parameter-group": 1,
        "db-subnet-group": 1,
        "iam-role": 1,
        "kms-key": 1,
        "lambda-function": 1,
        "log-group": 2,
        "security-group": 2,
        "sns-topic": 1,
    }
)
"""How many of each type dev is made of."""


@dataclass(frozen=True)
class Scene(World):
    """A world whose door is a gate."""

    gate: Gate

    def meeting(self, trouble: Trouble, *arguments: str, typed: str | None = None) -> Answer:
        """Run one command in this trouble; there is peace again after it."""
        self.gate.open()
        self.gate.trouble = trouble
        try:
            return self.tapctl(*arguments, typed=typed)
        finally:
            self.gate.open()

    def ours(self) -> Counter[str]:
        """How many of each type carry our tags: asked of AWS itself, record or not."""
        door = Aws(Connection(REGION, endpoint_url=self.gate.url, credentials=("testing", "testing")))
        door.identify("123456789012")
        types = [one for one in registry().values() if not one.subresource]
        return Counter(one.type for one in types for _ in set(one.list_owned(door, Owner.ours("dev"))))


def new_scene(gate: Gate, folder: Path, patch: pytest.MonkeyPatch) -> Scene:
    """A scene that nobody has used."""
    gate.open()
    furnish(gate, folder, patch)
    gate.open()
    return Scene(folder, gate, patch, gate)
