"""GitHub Actions: a job summary, step outputs, and annotations on the lines that findings and errors are about.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tapctl.reports.run import Run

MOST: Final = 10
"""Annotations of one kind that GitHub shows of a step."""
_KINDS: Final = {"high": "error", "medium": "warning", "low": "notice"}
"""Severity of a finding to the kind of its annotation."""
Annotation = tuple[str, str, int, str, str]
"""Kind, file, line (0: none), title and message."""


def is_github(env: Mapping[str, str]) -> bool:
    """True if GitHub Actions says that it runs us."""
    return env.get("GITHUB_ACTIONS") == "true"


def tell_github(run: Run | None, code: int, env: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Tell GitHub what came of the run; does nothing elsewhere. A file that cannot be written is told."""
    if run is None or not is_github(env):
        return
    for name, make in (("GITHUB_STEP_SUMMARY", _summary), ("GITHUB_OUTPUT", _outputs)):
        if path := env.get(name):
            try:
                with open(path, "a", encoding="utf-8", opener=_waiting_for_nobody) as file:
                    file.write(make(run, code, file.tell()))
            except OSError as error:
                warn(f"{name} could not be written: {error.strerror}")
    # A command is heard on stderr too, and stdout is for the answer alone.
    sys.stderr.write("".join(f"{line}\n" for line in annotation_lines(run, env)))


def _waiting_for_nobody(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody reads is an error: it would wait for ever."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def annotation_lines(run: Run, env: Mapping[str, str]) -> list[str]:
    """The annotations as workflow commands: at most `MOST` a kind, the last of which counts those left out."""
    by_kind: dict[str, list[Annotation]] = {}
    for each in _annotations(run):
        by_kind.setdefault(each[0], []).append(each)
    lines = []
    for kind, found in by_kind.items():
        shown = found if len(found) <= MOST else found[: MOST - 1]
        lines += [_command(annotation, env) for annotation in shown]
        if left := len(found) - len(shown):
            lines.append(f"::{kind} title=tapctl::and {left} more")
    return lines


def _annotations(run: Run) -> Iterator[Annotation]:
    from tapctl.errors import is_file
    from tapctl.reports.values import field_name, finding_text

    for error in run.errors:
        title, told = f"tapctl {error.code}", f"{error.message}{f'; {error.hint}' if error.hint else ''}"
        if not error.problems:
            yield "error", "", 0, title, told
        for problem in error.problems:
            # What stands in no file of the checkout is named in the message.
            file, key = (problem.file, problem.key) if is_file(problem.file) else ("", problem.file or problem.key)
            where = " ".join(filter(None, (key, problem.value and f"= {problem.value}")))
            yield "error", file, problem.line, title, ": ".join(filter(None, (where, problem.rule)))
    for finding in run.findings:
        if finding.state != "WAIVED":
            place = finding.config
            text = f"{finding.address} {field_name(finding)}: {finding_text(finding)}"
            where_ = (place.file, place.line) if place else ("", 0)
            yield _KINDS[finding.severity], *where_, f"tapctl {finding.state} ({finding.severity})", text


def _command(annotation: Annotation, env: Mapping[str, str]) -> str:
    """The workflow command of one annotation; what others wrote is escaped as GitHub unescapes it."""
    from tapctl.render.terminal import one_line

    kind, file, line, title, message = annotation
    told = {"file": _in_workspace(file, env), "line": str(line or ""), "title": title}
    parts = ",".join(f"{name}={_escaped(value, property_=True)}" for name, value in told.items() if value)
    return f"::{kind} {parts}::{_escaped(one_line(message))}"


def _escaped(text: str, *, property_: bool = False) -> str:
    # https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_ else text


def _in_workspace(file: str, env: Mapping[str, str]) -> str:
    """The path from the root of the checkout, which annotations are reckoned from."""
    root = env.get("GITHUB_WORKSPACE")
    if not root or not file:
        return file
    whole = Path(os.path.abspath(file))  # noqa: PTH100 -- a link stays the name that the checkout has
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else file


def _summary(run: Run, _code: int, taken: int) -> str:
    from tapctl.reports.md import LIMIT, render

    return render(run, max(0, LIMIT - taken - 1)) + "\n"


def _outputs(run: Run, code: int, _taken: int) -> str:
    """Lines of ``name=value``: no value has a line's end."""
    from tapctl.render.terminal import one_line

    verdict = run.verdict
    values = {
        "verdict": verdict.status if verdict else "CUT OFF",
        "exit": str(code),
        "plan_hash": (verdict.plan_hash or "") if verdict else "",
        "findings": str(sum(finding.state != "WAIVED" for finding in run.findings)),
        "summary": run.headline,
    }
    return "".join(f"{name}={one_line(value)}\n" for name, value in values.items())
