"""Start-up time of commands, and the imports that they do without."""

from __future__ import annotations

import json
import sys

from tests.bench.measuring import TAPCTL, Report, ran, times

ROUNDS = 9
BARE = (sys.executable, "-c", "import click, pydantic")
HEAVY = ("boto3", "botocore", "moto", "rich.live")


def starting(report: Report) -> None:
    """``--help`` and ``validate`` against the two imports they cannot do without, and against those that they can."""
    report.begin("start-up")
    for verb, most in (("--help", 1), ("validate", 3)):
        report.limit(f"{verb}, as python -c 'import click, pydantic'", times((*TAPCTL, verb), BARE, ROUNDS), most, " x")
        taken = imported(verb)
        report.limit(f"{verb} imports of {', '.join(HEAVY)}: {', '.join(taken) or 'none'}", len(taken), 0, "")


def imported(verb: str) -> list[str]:
    """List the heavy modules that this command has imported."""
    look = (
        "import json, sys\n"
        "from tapctl.cli import run\n"
        f"code = run([{verb!r}])\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
        "sys.exit(code)"
    )
    told: list[str] = json.loads(ran((sys.executable, "-c", look)).out.splitlines()[-1])
    return told
