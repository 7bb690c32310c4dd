"""The run as a comment on GitHub or GitLab: Markdown that both take, cut between rows."""

from __future__ import annotations

from typing import Final

from tapctl.reports import md
from tapctl.reports.run import Run

LIMIT: Final = 60_000
"""Bytes of a comment: GitHub takes 65,536 characters, of which a pipeline adds some."""


def render(run: Run) -> str:
    """The run in at most `LIMIT` bytes; what does not fit is counted."""
    return md.render(run, LIMIT)
