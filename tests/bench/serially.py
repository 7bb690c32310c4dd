"""tapctl, the plain way: the same steps by the same engine, but each begun when the one before it has ended.

``python -m tests.bench.serially <arguments of tapctl>``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from typing import Any

from tapctl.cli import run
from tapctl.engine.events import Event
from tapctl.engine.execute import Work, execute
from tapctl.engine.resources import Node
from tapctl.execution import runner as execution


def one_after_another(steps: Iterable[Node], work: Work, stop: threading.Event) -> Iterator[Event]:
    """Execute as `execute` does, serially: what a step needs has ended when its turn comes."""
    needs = {step.address: step.after_outputs | step.after_settled for step in steps}
    for here in TopologicalSorter(needs).static_order():
        yield from execute([Node(here, frozenset(), frozenset())], work, stop)


if __name__ == "__main__":
    replaced: Any = execution
    replaced.execute = one_after_another
    sys.exit(run(sys.argv[1:]))
