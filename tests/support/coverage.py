"""The coverage of `tapctl/` by a run of the tests: every line and branch is run, or the run fails.

Load it by ``-p tests.support.coverage``, so that it comes before any module of tapctl. SlipCover counts: what has been
run once is not counted again, so that it takes a tenth of a run's time where a trace function takes a third.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import slipcover
from slipcover.branch import preinstrument
from slipcover.importer import SlipcoverLoader

_SOURCE = Path(__file__).parents[2] / "tapctl"
# The body of an abstract method; what is for type checkers alone is left out by SlipCover itself.
_NO_CODE = r"^\s+\.\.\.$"
_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_HAS_WORKERS = not _IS_WORKER and "-n" in sys.argv
"""True in the process that hands the tests out: it runs none of them, and to count in it takes seconds."""
_RESULT = "coverage"
_RUNS_BEFORE_A_SWEEP = 3000
"""How often a counted line runs on before all counters that have counted are taken out: each time takes a moment."""
_COUNTED: list[dict[str, Any]] = []
"""What all workers that have ended have counted, as one; empty before the first has ended."""


def _counted_code(loader: SlipcoverLoader, _: str) -> CodeType:
    """The code that `runpy` runs, which SlipCover does not count by itself."""
    tree = preinstrument(ast.parse(loader.origin.read_bytes()))
    counted: CodeType = loader.sci.instrument(compile(tree, str(loader.origin), "exec"))
    return counted


SlipcoverLoader.get_code = _counted_code
_COUNTING = slipcover.Slipcover(
    branch=True, source=[str(_SOURCE)], exclude_also=[_NO_CODE], d_miss_threshold=_RUNS_BEFORE_A_SWEEP
)
if not _HAS_WORKERS:
    slipcover.ImportManager(_COUNTING, slipcover.FileMatcher(sources=[_SOURCE])).__enter__()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what this worker has counted; of the whole run, fail if anything was not run."""
    if _IS_WORKER:
        config: Any = session.config  # xdist's
        config.workeroutput[_RESULT] = json.dumps(_COUNTING.get_coverage())
        return
    if not _COUNTED:
        _COUNTED.append(_COUNTING.get_coverage())
    if session.exitstatus == pytest.ExitCode.OK and any(_missing(_COUNTED[0])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has counted."""
    told = getattr(node, "workeroutput", {}).get(_RESULT)
    if told is None:
        return
    if _COUNTED:
        slipcover.merge_coverage(_COUNTED[0], json.loads(told))
    else:
        _COUNTED.append(json.loads(told))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what no test has run, or that there is nothing such."""
    for counted in _COUNTED:
        summary = counted["summary"]
        lines = [f"not run: {place}" for place in _missing(counted)]
        if not lines:
            lines = [f"run: all {summary['covered_lines']} lines and {summary['covered_branches']} branches of tapctl/"]
        terminalreporter.section("coverage")
        for line in lines:
            terminalreporter.line(line)


def _missing(counted: dict[str, Any]) -> Iterator[str]:
    """The places that no test has run: a file and a line, or the two lines of a branch."""
    for name, found in sorted(counted["files"].items()):
        for line in found["missing_lines"]:
            yield f"{name}:{line}"
        for start, end in found["missing_branches"]:
            yield f"{name}:{start} -> {end or 'exit'}"
