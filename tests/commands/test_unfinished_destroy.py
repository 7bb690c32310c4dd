"""The findings on what a record does not hold, beside the certificate of a destroy that did not finish."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapctl.commands.certificate import EarlierCertificate
from tapctl.commands.unfinished_destroy import is_cut_off, with_destroy
from tapctl.config import load
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ConfigError, Problem
from tests.engine.kinds import SMALL
from tests.manifest.examples import manifest
from tests.support.config_folder import ENVIRONMENTS

GROUP, RULES, TOPIC = "security-group/db-sg-dev", "security-group-rules/db-sg-dev", "sns-topic/alarms-dev"
ALARM, LOGS = "cloudwatch-alarm/db-cpu-0-dev", "log-group//aws/lambda/payment-processor-dev"


def certificate(gone: set[str], left: set[str]) -> EarlierCertificate:
    target = {"environment": "dev", "suffix": "dev", "account": "1", "region": "us-east-2"}
    return EarlierCertificate(format=1, **target, complete=False, gone=frozenset(gone), left=frozenset(left))


@pytest.mark.parametrize(
    ("told", "by_destroy"),
    [
        (certificate({ALARM}, {GROUP}), {GROUP, RULES, ALARM}),
        # Nobody could look what else was left.
        (certificate({ALARM}, set()), {GROUP, RULES, TOPIC, ALARM}),
        # AWS makes a log group anew by itself.
        (certificate({ALARM, LOGS}, {TOPIC}), {TOPIC, ALARM}),
        (None, set()),
        # Nothing that it calls gone was to be there at all, or something of it is there.
        (certificate({"cloudwatch-alarm/other-dev"}, {GROUP}), set()),
        (certificate({ALARM, TOPIC}, {GROUP}), set()),
    ],
)
def test_a_destroy_explains_what_its_certificate_names_where_aws_bears_it_out(
    told: EarlierCertificate | None, by_destroy: set[str]
) -> None:
    places = [(each, each.partition("/")[0], WHOLE_RESOURCE) for each in (GROUP, RULES, TOPIC, LOGS)]
    strange = Finding("iam-role/lambda-role-dev", "iam-role", WHOLE_RESOURCE, Reason.FOREIGN)
    lacking = Finding(ALARM, "cloudwatch-alarm", WHOLE_RESOURCE, Reason.NEVER_MADE)
    findings = [*(Finding(*place, Reason.UNRECORDED) for place in places[:3]), lacking, strange]
    there = {GROUP, RULES, TOPIC, LOGS}
    after = list(with_destroy(findings, told, gone=[ALARM], there=there))
    changed = {one.address: one for one in after if one not in findings}
    assert changed.keys() == by_destroy
    assert all("by its certificate a destroy did not finish" in one.note for one in changed.values())
    # What is there was not compared, whatever somebody has written.
    assert {one.address for one in after if one.state is FindingState.PENDING} == {ALARM}


HERE: Observed[Any, Any] = Observed(SMALL, None)
OLD = "cloudwatch-alarm/db-cpu-5-dev"


@pytest.mark.parametrize(
    ("leaving", "seen", "lacking", "unfinished", "by_destroy"),
    [
        (TOPIC, Absent(), [], False, True),
        (TOPIC, replace(HERE, deleting=True), [], False, True),
        (TOPIC, HERE, [], False, False),  # the record's word alone
        (TOPIC, HERE, [ALARM], False, True),
        (TOPIC, Absent(), [ALARM], True, False),  # an apply was removing it
        (OLD, Absent(), [], False, False),  # so it was, by an earlier tapctl: nobody wants it
        (None, HERE, [ALARM], False, False),  # a tapctl before this one may never have made it
        (None, HERE, [], False, False),
    ],
)
def test_a_destroy_was_cut_off_where_something_is_gone_that_no_apply_was_removing(
    leaving: str | None, seen: Observation, lacking: list[str], unfinished: bool, by_destroy: bool
) -> None:
    address = leaving or TOPIC
    type_, _, id_ = address.partition("/")
    phase = Phase.LEAVING if leaving else Phase.MADE
    record = manifest(Entry(type=type_, id=id_, phase=phase, spec={})).model_copy(update={"unfinished": unfinished})
    assert is_cut_off(load(ENVIRONMENTS, "dev"), record, {address: seen}, lacking) is by_destroy
    no_file = ConfigError([Problem("dev.toml", "", "", "is not there")])
    begun = leaving is not None and seen is not HERE
    assert is_cut_off(no_file, record, {address: seen}, ()) is (begun and not unfinished)
