"""The screen for programs on streams of its own."""

from __future__ import annotations

import io
import json
from typing import Any

from tapctl.render.jsonl import JsonScreen
from tapctl.render.terminal import OutputStream


class Shown:
    """A screen for programs, and its lines after the first."""

    def __init__(self, answer: str = "") -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.screen = JsonScreen(
            io.StringIO(answer), OutputStream(self.stdout, "stdout"), OutputStream(self.stderr, "stderr"), verb="plan"
        )

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.getvalue().splitlines()]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.all[1:]
