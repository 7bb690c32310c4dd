"""What a removal could only keep, looked at again."""

from __future__ import annotations

import pytest

from tapctl.engine.drift import WHOLE_RESOURCE, Reason, Report
from tapctl.engine.model import Observed, Pending
from tapctl.engine.observe import Absent, Observation, Unreadable
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsRefused
from tapctl.evidence.retained import with_kept_no_longer
from tapctl.reconcilers.sns_subscription import SnsSubscriptionOutputs, SnsSubscriptionSpec

SPEC = SnsSubscriptionSpec(topic_arn="t", protocol="email", endpoint="a@example.com")
ENTRY = Entry(
    type="sns-subscription", id="alarms-dev/email:a@example.com", phase=Phase.KEPT, spec=SPEC.model_dump(mode="json")
)
NOTHING = Report((), 5, 0, 1)
CONFIRMED = Observed(SPEC, SnsSubscriptionOutputs(topic_arn="t", confirmed="arn"), owner=None, status="confirmed")
PENDING: Observed[SnsSubscriptionSpec, SnsSubscriptionOutputs] = Observed(
    SPEC, None, owner=None, pending={"endpoint": Pending("he confirms it", "")}
)
DENIED = Unreadable("sns:ListSubscriptionsByTopic", AwsRefused("sns", "ListSubscriptionsByTopic", "AccessDenied", ""))


def looked(seen: Observation | None, wanted: tuple[str, ...] = ()) -> Report:
    return with_kept_no_longer(NOTHING, {ENTRY.address: ENTRY}, {ENTRY.address: seen} if seen else {}, wanted)


@pytest.mark.parametrize("seen", [PENDING, Absent(), None])
def test_what_is_kept_still_or_gone_as_was_promised_is_no_finding(seen: Observation | None) -> None:
    assert looked(seen) == NOTHING


def test_one_that_can_go_by_now_is_unexpected() -> None:
    report = looked(CONFIRMED)
    (finding,) = report.findings
    assert (finding.reason, finding.field, finding.live) == (Reason.KEPT_NO_LONGER, "endpoint", "a@example.com")
    assert (report.fields, report.resources, report.is_complete, report.drifted) == (6, 2, True, True)
    assert looked(CONFIRMED, (ENTRY.address,)) == NOTHING, "the files want it again"


def test_one_that_could_not_be_read_is_never_taken_for_gone() -> None:
    report = looked(DENIED)
    (finding,) = report.findings
    assert (finding.reason, finding.field, finding.action) == (Reason.DENIED, WHOLE_RESOURCE, DENIED.action)
    assert not report.is_complete
