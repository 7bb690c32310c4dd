"""Members of the cluster that are not ours and that a waiver covers: its owner may give one a public address later.

A waiver names a member, and covers no open door. A member that RDS names in the cluster, and not among its instances,
has not been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tapctl.aws.client import Aws
from tapctl.engine.drift import Finding, Reason, Report, unread_finding
from tapctl.engine.observe import Absent, ObserveRequest, Unreadable, observe_all
from tapctl.engine.waiver import Waiver
from tapctl.reconcilers.db_instance import DbInstance

_PUBLIC: Final = "publicly_accessible"


def with_public_members(aws: Aws, report: Report) -> Report:
    """The report, with a finding on each waived member that has a public address, or of which that cannot be read.

    Raises:
        AwsError: as `observe_all`.
    """
    waived = {str(one.live): one.waiver for one in report.findings if one.reason is Reason.NOT_OURS and one.waiver}
    if not waived:
        return report
    findings = [*_findings(aws, waived)]
    missed = [f"{one.address}.{one.field}" for one in findings if one.reason is not Reason.OPENED]
    return replace(
        report,
        findings=(*report.findings, *findings),
        fields=report.fields + len(waived),
        unchecked=report.unchecked + len(missed),
        missed=(*report.missed, *missed),
    )


def _findings(aws: Aws, waived: dict[str, Waiver]) -> Iterator[Finding]:
    requests = [ObserveRequest(DbInstance(), member.partition("/")[2], None) for member in waived]
    for member, seen in sorted(observe_all(aws, requests).items()):
        place = member, DbInstance.type, _PUBLIC
        if isinstance(seen, Unreadable):
            yield unread_finding(*place, seen.action, seen.refusal)
        elif isinstance(seen, Absent):
            yield unread_finding(*place, "rds:DescribeDBInstances", "leaves out this member of the cluster")
        elif seen.spec.publicly_accessible:
            yield Finding(*place, Reason.OPENED, live=True, detail=str(waived[member]))
