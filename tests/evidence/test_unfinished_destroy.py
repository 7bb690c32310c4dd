"""The findings on what a record does not hold, beside the certificate of a destroy that did not finish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.config import load
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ConfigError, Problem
from tapctl.evidence.certificate import EarlierCertificate
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.unfinished_destroy import removed_by_destroy, with_destroy
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.notices import silent
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
    (cut_off,) = with_destroy([lacking], None, gone=[ALARM], there=there, removed=[ALARM])
    assert (cut_off.reason, cut_off.state) == (Reason.REMOVED, FindingState.PENDING)
    assert all("by its certificate a destroy did not finish" in one.note for one in changed.values())
    # What is there was not compared, whatever somebody has written.
    assert {one.address for one in after if one.state is FindingState.PENDING} == {ALARM}


HERE: Observed[Any, Any] = Observed(SMALL, None)
OLD, NEW = "cloudwatch-alarm/db-cpu-5-dev", "cloudwatch-alarm/db-memory-0-dev"
TAKEN = "cloudwatch-alarm/db-connections-0-dev"


def record(serial: int, *, unfinished: bool = False, **phases: tuple[str, ...]) -> Manifest:
    """A record with these addresses in each phase."""
    places = [(phase, *each.partition("/")) for phase, addresses in phases.items() for each in addresses]
    entries = [Entry(type=type_, id=id_, phase=Phase(phase), spec={}) for phase, type_, _, id_ in places]
    return manifest(*entries, serial=serial).model_copy(update={"unfinished": unfinished})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), None)


@pytest.mark.parametrize(
    ("leaving", "seen", "lacking", "unfinished", "removed"),
    [
        (TOPIC, Absent(), [], False, {TOPIC}),
        (TOPIC, replace(HERE, deleting=True), [], False, {TOPIC}),
        (TOPIC, HERE, [], False, set()),  # the record's word alone
        (TOPIC, HERE, [ALARM], False, {ALARM}),
        (TOPIC, Absent(), [ALARM], True, set()),  # an apply was removing it
        (OLD, Absent(), [], False, set()),  # so it was, by an earlier tapctl: nobody wants it
        (None, HERE, [ALARM], False, {ALARM}),  # cut off between two
        (None, HERE, [RULES], False, {RULES}),  # it goes with its group
        (None, HERE, [TAKEN], False, set()),  # no run has removed it
        (None, HERE, [NEW], False, set()),  # a tapctl before this one may never have made it
        (TOPIC, HERE, [NEW], False, set()),
        (None, HERE, [], False, set()),
    ],
)
def test_a_destroy_was_cut_off_where_something_is_gone_that_an_earlier_version_removes(
    store: Store,
    tmp_path: Path,
    *,
    leaving: str | None,
    seen: Observation,
    lacking: list[str],
    unfinished: bool,
    removed: set[str],
) -> None:
    address = leaving or TOPIC
    rules = Entry(type="security-group-rules", id="db-sg-dev", phase=Phase.MADE, spec={}, needs=(GROUP,))
    removing = record(2, leaving=(TOPIC, OLD, ALARM, GROUP), made=(TAKEN,))
    now = record(4, unfinished=unfinished, **{"leaving" if leaving else "made": (address,)})
    version = None
    for each in (
        record(1, made=(TOPIC, OLD, ALARM, TAKEN)),
        removing.model_copy(update={"entries": {**removing.entries, RULES: rules}}),
        record(3, making=(NEW,)),
        now,
    ):
        version = store.write(each, version)
    config, observed = load(ENVIRONMENTS, "dev"), {address: seen}
    elsewhere = open_store(str(tmp_path / "elsewhere"), None)
    assert removed_by_destroy(config, now, observed, lacking, EarlierVersions(store, now, silent)) == removed
    assert removed_by_destroy(config, now, observed, lacking, EarlierVersions(elsewhere, now, silent)) == set(), (
        "nobody tells"
    )
    no_file = ConfigError([Problem("dev.toml", "", "", "is not there")])
    begun = {address} if leaving is not None and seen is not HERE and not unfinished else set()
    assert removed_by_destroy(no_file, now, observed, (), EarlierVersions(store, now, silent)) == begun
