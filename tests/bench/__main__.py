"""The whole bench, in a folder of its own."""

from __future__ import annotations

import sys

from tests.bench.aws import served
from tests.bench.fleet import fleet
from tests.bench.living import living
from tests.bench.measuring import Report
from tests.bench.reading import reading
from tests.bench.starting import starting


def main() -> int:
    """1 where a limit is broken."""
    report = Report()
    with served() as aws:
        starting(report)
        reading(report, aws)
        living(report, aws)
        fleet(report, aws)
    report.say("\n".join(["broken:", *report.broken]) if report.broken else "every limit is kept")
    return 1 if report.broken else 0


sys.exit(main())
