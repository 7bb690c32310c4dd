"""drift of many copies of one environment: time as many times that of one copy, calls, memory."""

from __future__ import annotations

import io
import statistics
import sys
from contextlib import redirect_stderr, redirect_stdout

from tapctl.cli import run
from tapctl.sandbox.emulator import lambda_functions
from tapctl.sandbox.emulator.rds import catalog, event_subscriptions
from tests.bench.aws import Aws
from tests.bench.measuring import TAPCTL, Report, ran

ENV = "dev"
LATENCY_S = 0.2
"""Added to every call, as of a region that is far away."""
FLEETS = ((24, 6), (100, 12))
"""The number of copies, and how many times as long as one they may take."""


def fleet(report: Report, aws: Aws) -> None:
    """Copies of one environment in one account and region, on an AWS that nobody has used."""
    aws.renew(0)
    # Quotas that AWS raises on request.
    vars(event_subscriptions)["_MAX_SUBSCRIPTIONS"] = 1_000
    vars(lambda_functions)["CONCURRENCY"] = 10_000
    vars(catalog).update(QUOTAS=dict.fromkeys(catalog.QUOTAS, 1_000))
    made = 0
    for copies, most in FLEETS:
        aws.door.sandbox.latency_s = 0
        for number in range(made, copies):
            _apply(f"copy-{number:03}")
        made = copies
        aws.door.sandbox.latency_s = LATENCY_S
        one = [ran((*TAPCTL, "--json", "drift", "--env", ENV, "--suffix", "copy-000")) for _ in range(3)]
        one_s, one_calls = statistics.median(each.took_s for each in one), one[0].records[-1]["api_calls"]
        last = ran((*TAPCTL, "--json", "drift"))
        calls = last.records[-1]["api_calls"]
        report.begin(f"drift of {copies} copies of {ENV}", f", {LATENCY_S * 1000:g} ms a call: {last.took_s:.1f} s")
        report.limit(f"time, as one copy ({one_s:.1f} s)", last.took_s / one_s, most, " x")
        report.limit("calls", calls, copies * one_calls, "")
        report.limit("memory", last.peak_mb, 250, " MB")


def _apply(suffix: str) -> None:
    """Make one copy, in this process: a hundred starts of Python would take longer than the applies."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run(["apply", "--env", ENV, "--suffix", suffix, "--yes", "--quiet"])
    if code != 0:
        sys.exit(f"apply of {suffix} ended with {code}\n{out.getvalue()}{err.getvalue()}")
