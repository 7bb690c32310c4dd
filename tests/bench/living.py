"""A first apply and a destroy where things take AWS's time: against the critical path, and against the plain way."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.aws import Aws
from tests.bench.critical import APPLY, DESTROY, Stage, longest
from tests.bench.measuring import TAPCTL, Ran, Report, ran
from tests.bench.reading import BASE

ENV = "dev"
SERIALLY = (sys.executable, "-m", "tests.bench.serially")
_MOST = 1.15
_SLOWEST = 6


@dataclass(frozen=True)
class Case:
    """A command to measure. ``scale``: the length of one of AWS's seconds.

    It is long enough that what takes as long at any scale does not decide (a look comes 0.25 s after the one before, a
    refused step is asked for again after one second, a call takes 50 ms), and short enough that somebody waits for it.
    """

    about: str
    verb: str
    stages: Mapping[str, Stage]
    scale: float

    @property
    def command(self) -> tuple[str, ...]:
        """Write the command line of tapctl."""
        return (self.verb, "--env", ENV, "--yes")

    @property
    def path_s(self) -> float:
        """The critical path, in our seconds."""
        return longest(self.stages)[0] * self.scale


CASES = (
    Case(f"first apply of {ENV}", "apply", APPLY, 1 / 10),
    Case(f"destroy of {ENV}", "destroy", DESTROY, 1 / 20),
)


def living(report: Report, aws: Aws) -> None:
    """Both ways, each on an AWS that nobody has used."""
    bare_s = statistics.median(ran(BASE).took_s for _ in range(3))
    plain = {}
    aws.renew(CASES[0].scale)
    for case in CASES:
        aws.pass_by(case.scale)
        plain[case.verb] = ran((*SERIALLY, *case.command)).took_s - bare_s
    aws.renew(CASES[0].scale)
    for case in CASES:
        aws.pass_by(case.scale)
        aws.calls()
        last = ran((*TAPCTL, "--json", *case.command))
        _tell(report, case, last, bare_s)
        report.say(f"      one after another: {plain[case.verb]:.1f} s, {plain[case.verb] / case.path_s:.2f} x")
        report.say(f"      calls: {', '.join(f'{service} {count}' for service, count in aws.calls().most_common())}")


def _tell(report: Report, case: Case, last: Ran, bare_s: float) -> None:
    took_s = last.took_s - bare_s
    report.begin(case.about, f": {took_s:.1f} s; one of AWS's minutes takes {60 * case.scale:g} s")
    report.say(f"      critical path: {case.path_s:.1f} s, {' → '.join(longest(case.stages)[1])}")
    report.limit("as long as the critical path", took_s / case.path_s, _MOST, " x")
    report.limit("memory", last.peak_mb, 150, " MB")
    waits = sorted((one for one in last.records if one["type"] == "resource"), key=lambda one: -one["elapsed_s"])
    for one in waits[:_SLOWEST]:
        report.say(f"      {one['elapsed_s']:6.1f} s  {one['address']}")
