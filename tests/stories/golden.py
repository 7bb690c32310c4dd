"""Pages that commands print, kept word for word in ``golden/*.txt``. `REWRITE` writes them anew.

Ids, times and hashes are made up anew in each run and are filtered; progress lines of things made side by side come in
any order, and are sorted.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.world import Answer

FOLDER = Path(__file__).parent / "golden"
REWRITE = "WRITE_GOLDEN=1 .venv/bin/python -m pytest -q tests/stories/test_golden.py"

_FILTERS = (
    (r"\b(vpc|subnet|sg|sgr)-[0-9a-f]{8,17}\b", r"\1-<id>"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"\bcluster-[A-Z0-9]{20,}\b", "cluster-<id>"),
    (r"(?m)^usually .+$", "usually <n> s: <path>"),
    (r"\bconfig [0-9a-f]{8}\b", "config <hash>"),
    (r"\b(=|hash )[0-9a-f]{64}\b", r"\1<hash>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r"\b20\d\d-\d\d-\d\d\b", "<date>"),
    (r"\bin \d+(?:\.\d)? (?:s|m \d\d s)\b", "in <n> s"),
    (r"(?<=[a-z]) +\d+\.\d s\b", " <n> s"),
    (r"\b\d+ API calls\b", "<n> API calls"),
)
_DONE = re.compile(r"  [✓✗] ")
_WAITING = re.compile(r"  … .*|still waiting.*")


def golden(name: str, command: str, answer: Answer, folder: Path = FOLDER) -> None:
    """Compare a command's page with the file of this name.

    Raises:
        AssertionError: they differ, or there is no such file; the message is the difference, and how to rewrite it.
    """
    page = _page(command, answer)
    path = folder / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(page, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if page != expected:
        raise AssertionError(f"{_difference(path, expected, page)}\n\nif this is meant, rewrite and review: {REWRITE}")


def _difference(path: Path, expected: str, page: str) -> str:
    """The unified diff from the file to the page."""
    lines = difflib.unified_diff(
        expected.splitlines(), page.splitlines(), f"{path.parent.name}/{path.name}", "this run", lineterm=""
    )
    return "\n".join(lines)


def _page(command: str, answer: Answer) -> str:
    pages = [f"$ tapctl {command}", f"exit {answer.code}", "--- stdout", *_filtered(answer.out)]
    return "\n".join([*pages, "--- stderr", *_progress(_filtered(answer.err))]) + "\n"


def _filtered(text: str) -> list[str]:
    for pattern, instead in _FILTERS:
        text = re.sub(pattern, instead, text)
    return text.splitlines()


def _progress(lines: list[str]) -> Iterator[str]:
    done: list[str] = []
    for line in lines:
        if _DONE.match(line):
            done.append(line)
        elif not _WAITING.fullmatch(line):
            yield from sorted(done)
            done.clear()
            yield line
    yield from sorted(done)
