"""Reports: a recorded run as text, Markdown, HTML, SARIF, JUnit or a trace.

Each is a function of the run's records alone, so that `tapctl render` gives offline what the command itself has
written, to the byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tapctl.reports.run import Run

ENDINGS: Final = {
    ".comment.md": "comment",
    ".md": "md",
    ".html": "html",
    ".sarif": "sarif",
    ".xml": "junit",
    ".trace.json": "trace",
    ".jsonl": "jsonl",
}
"""Ending of a report's file to its format, the longer one first; ``jsonl`` is the run itself."""
FORMATS: Final = ("text", "md", "comment", "html", "sarif", "junit", "trace")


def format_of(path: str) -> str | None:
    """The format of a report's file, by its ending; None for another ending."""
    return next((format_ for ending, format_ in ENDINGS.items() if path.endswith(ending)), None)


def render(run: Run, format_: str) -> str:
    """The run in one of the `FORMATS`, as lines that neither move a cursor nor speak to a CI system."""
    from importlib import import_module

    from tapctl.render.terminal import sanitize_lines

    text = import_module(f"tapctl.reports.{format_}").render(run)
    return "".join(f"{line}\n" for line in sanitize_lines(text))
