"""Did someone touch it? Every recorded field ends as it was, drifted, pending or unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason, detect_drift
from tapctl.engine.model import REBOOT, Pending, Retained
from tapctl.engine.observe import Absent, Observation, Unreadable
from tapctl.engine.record import Entry, Phase
from tests.engine.driving import entry
from tests.engine.kinds import SMALL, Plain, ThingOutputs, ThingSpec
from tests.engine.test_planner import recorded, seen
from tests.engine.traits import refused
from tests.engine.world import THEIRS

FIELDS = len(ThingSpec.model_fields)


def found(sight: Observation, made: Entry | None = None, *others: Entry) -> list[Finding]:
    made = made or recorded()
    sights: dict[str, Observation] = {one.address: seen() for one in others}
    report = detect_drift({one.address: one for one in (made, *others)}, sights | {made.address: sight})
    return list(report.findings)


def told(sight: Observation, made: Entry | None = None) -> list[tuple[str, FindingState, Any, Any]]:
    return [(one.field, one.state, one.recorded, one.live) for one in found(sight, made)]


def test_what_is_as_recorded_has_no_finding() -> None:
    assert found(seen()) == []


def test_each_item_that_was_changed_is_told_with_what_is_recorded_and_what_is_live() -> None:
    made = recorded(ThingSpec(tags={"a": "1"}, items=frozenset("pq")))
    live = seen(ThingSpec(size="large", tags={"a": "2", "b": "3"}, items=frozenset("qr")))
    assert told(live, made) == [
        ("size", FindingState.DRIFT, "small", "large"),
        ("tags.a", FindingState.DRIFT, "1", "2"),
        ("tags.b", FindingState.DRIFT, None, "3"),
        ("items", FindingState.DRIFT, "p", None),
        ("items", FindingState.DRIFT, None, "r"),
    ]


def test_the_engines_own_minor_upgrade_forward_is_no_drift_and_backward_is() -> None:
    assert told(seen(ThingSpec(version="16.13"))) == []
    assert told(seen(ThingSpec(version="16.4"))) == [("version", FindingState.DRIFT, "16.8", "16.4")]


def test_a_changed_identity_was_replaced_outside() -> None:
    (one,) = found(seen(outputs=ThingOutputs(arn="y")))
    assert (one.field, one.state, one.recorded, one.live, one.note) == (
        "arn",
        FindingState.DRIFT,
        "x",
        "y",
        "replaced outside",
    )


@pytest.mark.parametrize("settled", [True, False])
def test_recorded_identity_that_aws_does_not_tell_is_unknown(settled: bool) -> None:
    live = replace(seen(outputs=None), settled=settled)
    (finding,) = found(live, recorded())
    assert (finding.field, finding.state) == ("outputs", FindingState.UNKNOWN)
    report = detect_drift({"plain/a": recorded()}, {"plain/a": live})
    assert (report.compared, report.is_complete) == (report.fields - 1, False)


@pytest.mark.parametrize("outputs", [None, {}])
def test_identity_that_the_record_does_not_hold_is_unknown(outputs: dict[str, str] | None) -> None:
    made = recorded().model_copy(update={"outputs": outputs})
    for settled in (True, False):
        (finding,) = found(replace(seen(), settled=settled), made)
        assert (finding.field, finding.state, finding.reason) == ("outputs", FindingState.UNKNOWN, Reason.NOT_RECORDED)
    report = detect_drift({"plain/a": made}, {"plain/a": seen()})
    assert (report.compared, report.is_complete) == (report.fields - 1, False)


def test_identity_that_was_never_recorded_is_no_finding() -> None:
    assert found(seen(outputs=None), recorded().model_copy(update={"outputs": None})) == []


@pytest.mark.parametrize(
    ("sight", "reason", "note"),
    [
        (Absent(), Reason.ABSENT, "it is not there"),
        (seen(deleting=True, status="deleting"), Reason.DELETING, "it is deleting"),
        (
            seen(deleting=True, retained=Retained("May", "waits"), status="PendingDeletion"),
            Reason.DELETING,
            "it is PendingDeletion",
        ),
    ],
)
def test_what_is_gone_or_going_is_missing(sight: Observation, reason: Reason, note: str) -> None:
    (one,) = found(sight)
    assert (one.field, one.state, one.reason, one.note) == (WHOLE_RESOURCE, FindingState.MISSING, reason, note)


def test_what_aws_gave_up_on_is_drift_with_its_reason() -> None:
    (one,) = found(seen(failure="no key", status="inaccessible"))
    assert (one.field, one.state, one.live) == ("status", FindingState.DRIFT, "inaccessible")
    assert one.note == "AWS gave it up: no key"


def test_what_somebody_has_put_out_of_order_is_no_work_of_aws() -> None:
    (one,) = found(seen(failure="stopped", status="stopped", failed_by_others=True))
    assert (one.field, one.state, one.note) == (
        "status",
        FindingState.DRIFT,
        "somebody has put it out of order: stopped",
    )


def test_what_is_accepted_and_not_in_force_is_pending() -> None:
    (one,) = found(seen(pending={"mode": Pending("reboot", "shared_preload_libraries")}))
    assert (one.field, one.state, one.live, one.note) == (
        "mode",
        FindingState.PENDING,
        "shared_preload_libraries",
        "until reboot",
    )


def test_a_field_that_could_not_be_read_is_unknown_and_never_drift() -> None:
    (one,) = found(seen(ThingSpec(limit=9), unreadable={"limit": "fake:GetLimit"}))
    assert (one.field, one.state, one.note) == ("limit", FindingState.UNKNOWN, "fake:GetLimit denied")
    assert (one.reason, one.action) == (Reason.DENIED, "fake:GetLimit")
    (one,) = found(seen(unreadable={"limit": "fake:GetLimit"}, refusals={"limit": "refused: InvalidState: no"}))
    assert (one.reason, one.note) == (Reason.REFUSED, "fake:GetLimit refused: InvalidState: no")


def test_what_could_not_be_looked_at_is_unknown_and_never_missing() -> None:
    (one,) = found(Unreadable("fake:Look", refused("AccessDenied")))
    assert (one.field, one.state, one.note) == (WHOLE_RESOURCE, FindingState.UNKNOWN, "fake:Look denied")
    (one,) = found(Unreadable("fake:Look", refused("InvalidState")))
    assert (one.state, one.note) == (FindingState.UNKNOWN, "fake:Look refused: InvalidState: no")


def test_a_field_that_an_older_tapctl_did_not_record_is_unknown() -> None:
    old = {name: value for name, value in recorded().spec.items() if name != "limit"}
    (one,) = found(seen(ThingSpec(limit=9)), recorded().model_copy(update={"spec": old}))
    assert (one.field, one.state) == ("limit", FindingState.UNKNOWN)
    assert "apply records it" in one.note


def test_a_field_recorded_in_another_form_is_unknown() -> None:
    new = recorded().spec | {"items": {"all": True}}
    (one,) = found(seen(), recorded().model_copy(update={"spec": new}))
    assert (one.field, one.state) == ("items", FindingState.UNKNOWN)
    assert "a form this tapctl does not know" in one.note


def test_a_field_that_this_tapctl_does_not_know_any_more_is_unknown() -> None:
    newer = recorded().model_copy(update={"spec": recorded().spec | {"colour": "red"}})
    report = detect_drift({"plain/a": newer}, {"plain/a": seen()})
    assert [(one.field, one.reason) for one in report.findings] == [("colour", Reason.UNKNOWN_FORM)]
    assert (report.fields, report.compared, report.missed) == (FIELDS + 1, FIELDS, ("plain/a.colour",))


LARGE = ThingSpec(size="large")


@pytest.mark.parametrize(
    ("phase", "sight", "note"),
    [
        (Phase.MAKING, seen(LARGE), "an apply did not finish; run it again"),
        (Phase.MAKING, Absent(), "an apply did not finish; run it again"),
        (Phase.LEAVING, seen(), "its removal was interrupted; run the same command again"),
        (Phase.LEAVING, seen(LARGE, deleting=True), "its removal was interrupted; run the same command again"),
        (Phase.LEAVING, Absent(), "its removal was interrupted; run the same command again"),
    ],
)
def test_what_an_interrupted_run_has_left_is_pending(sight: Observation, phase: Phase, note: str) -> None:
    (one,) = found(sight, recorded(phase=phase))
    assert (one.field, one.state, one.note) == (WHOLE_RESOURCE, FindingState.PENDING, note)


def test_what_is_to_go_and_is_there_is_compared() -> None:
    sight = seen(LARGE, outputs=ThingOutputs(arn="y"), pending={"items": Pending(REBOOT, "x")})
    assert [(one.field, one.reason, one.live) for one in found(sight, recorded(phase=Phase.LEAVING))] == [
        (WHOLE_RESOURCE, Reason.DELETE_INTERRUPTED, None),
        ("arn", Reason.REPLACED, "y"),
        ("size", Reason.CHANGED, "large"),
    ]


def test_what_lives_on_a_thing_whose_removal_was_interrupted_is_pending_with_it() -> None:
    parent = recorded(phase=Phase.LEAVING)
    rules = Entry(type="rules", id="a", needs=("plain/a",), phase=Phase.MADE, spec={"size": "small"}, outputs={})
    entries, gone = {"plain/a": parent, "rules/a": rules}, {"plain/a": Absent(), "rules/a": Absent()}
    states = [(one.address, one.state) for one in detect_drift(entries, gone).findings]
    assert states == [("plain/a", FindingState.PENDING), ("rules/a", FindingState.PENDING)]
    standing = {**entries, "plain/a": recorded()}
    assert {one.state for one in detect_drift(standing, gone).findings} == {FindingState.MISSING}


def test_a_stranger_is_told_also_where_a_removal_was_interrupted() -> None:
    findings = found(seen(members=frozenset({"plain/extra"})), recorded(phase=Phase.LEAVING))
    assert [(one.field, one.state) for one in findings] == [
        (WHOLE_RESOURCE, FindingState.PENDING),
        ("members", FindingState.UNEXPECTED),
    ]


@pytest.mark.parametrize("phase", [Phase.MAKING, Phase.LEAVING])
def test_of_what_was_never_confirmed_or_is_half_gone_no_field_counts_as_compared(phase: Phase) -> None:
    report = detect_drift({"plain/a": recorded(phase=phase)}, {"plain/a": seen()})
    assert (report.fields, report.unchecked, report.missed) == (FIELDS, FIELDS, ("plain/a",))
    assert not report.is_complete


BEFORE = ThingSpec(tags={"a": "1", "b": "1"}, items=frozenset("pq"))
ASKED = ThingSpec(size="large", tags={"a": "1", "b": "2", "c": "3"}, items=frozenset("qr"))
PENDING = [
    ("size", FindingState.PENDING, "small", "large"),
    ("tags.b", FindingState.PENDING, "1", "2"),
    ("tags.c", FindingState.PENDING, None, "3"),
    ("items", FindingState.PENDING, None, "r"),
    ("items", FindingState.PENDING, "p", None),
]
"""The values that a half-made entry was confirmed with, and those that were asked for since."""


def half_made(before: ThingSpec = BEFORE, asked: ThingSpec = ASKED) -> Entry:
    made = recorded(asked, phase=Phase.MAKING)
    return made.model_copy(update={"confirmed": recorded(before).spec})


def asked(sight: Observation, made: Entry) -> list[tuple[str, FindingState, Any, Any]]:
    findings = found(sight, made)
    return [
        (one.field, one.state, one.recorded, one.asked if one.state is FindingState.PENDING else one.live)
        for one in findings
    ]


@pytest.mark.parametrize("live", [BEFORE, ASKED, BEFORE.model_copy(update={"size": "large"})])
def test_what_an_unfinished_apply_asked_for_is_pending_whether_it_is_in_force_or_not(live: ThingSpec) -> None:
    assert sorted(asked(seen(live), half_made()), key=str) == sorted(PENDING, key=str)
    report = detect_drift({"plain/a": half_made()}, {"plain/a": seen(live)})
    assert (report.drifted, report.compared, report.is_complete) == (0, FIELDS, False)
    assert {one.note for one in report.findings} == {"an apply did not finish"}


def test_what_is_neither_confirmed_nor_asked_for_is_drift() -> None:
    live = ThingSpec(size="huge", mode="wild", tags={"b": "9", "c": "9", "d": "4"}, items=frozenset("qz"))
    findings = asked(seen(live), half_made())
    assert [one for one in findings if one[1] is FindingState.DRIFT] == [
        ("size", FindingState.DRIFT, "small", "huge"),
        ("mode", FindingState.DRIFT, "calm", "wild"),
        ("tags.a", FindingState.DRIFT, "1", None),
        ("tags.b", FindingState.DRIFT, "1", "9"),
        ("tags.c", FindingState.DRIFT, None, "9"),
        ("tags.d", FindingState.DRIFT, None, "4"),
        ("items", FindingState.DRIFT, None, "z"),
    ]
    assert len([one for one in findings if one[1] is FindingState.PENDING]) == len(PENDING)


def test_what_a_removal_of_ours_has_unset_is_pending_while_an_apply_takes_it_back() -> None:
    made = half_made(before=ASKED)
    confirmed = {name: value for name, value in made.spec.items() if name not in ("size", "items")}
    back = made.model_copy(update={"confirmed": confirmed})
    live = ASKED.model_copy(update={"size": "", "mode": "wild", "items": frozenset("qz")})
    assert [(one.field, one.state, one.recorded, one.live, one.asked) for one in found(seen(live), back)] == [
        ("size", FindingState.PENDING, None, "", "large"),
        ("mode", FindingState.DRIFT, "calm", "wild", None),
        ("items", FindingState.PENDING, None, None, "r"),
        ("items", FindingState.DRIFT, None, "z", None),
    ]
    later = seen(deleting=True, retained=Retained("May", "waits"), status="PendingDeletion")
    assert [(one.field, one.state) for one in found(later, back)] == [(WHOLE_RESOURCE, FindingState.PENDING)]
    assert [(one.field, one.state) for one in found(later, made)] == [(WHOLE_RESOURCE, FindingState.MISSING)]


def test_what_is_gone_since_it_was_confirmed_is_missing_whatever_an_apply_asked_for() -> None:
    (one,) = found(Absent(), half_made())
    assert (one.field, one.state) == (WHOLE_RESOURCE, FindingState.MISSING)


def test_what_was_asked_for_in_a_form_this_tapctl_does_not_know_is_unknown() -> None:
    made = half_made()
    for spec in (made.spec | {"limit": [1]}, {name: value for name, value in made.spec.items() if name != "limit"}):
        findings = found(seen(BEFORE), made.model_copy(update={"spec": spec}))
        assert ("limit", FindingState.UNKNOWN) in [(one.field, one.state) for one in findings]


def test_a_retained_resource_is_not_observed() -> None:
    report = detect_drift({"plain/a": entry(Plain(), Phase.KEPT)}, {})
    assert (report.findings, report.resources) == ((), 0)


def test_a_stranger_in_it_is_unexpected_and_what_is_recorded_is_not() -> None:
    residents = frozenset({"plain/member", "plain/extra"})
    findings = found(seen(members=residents), None, recorded().model_copy(update={"id": "member"}))
    assert findings == [Finding("plain/a", "plain", "members", Reason.NOT_OURS, None, "plain/extra")]
    assert (findings[0].state, findings[0].note) == (FindingState.UNEXPECTED, "not ours; it is never removed")


def test_changed_owner_tags_do_not_hide_what_else_was_changed() -> None:
    assert told(seen(ThingSpec(size="large"), owner=THEIRS)) == [("size", FindingState.DRIFT, "small", "large")]


def test_the_report_counts_resources_fields_and_what_could_not_be_told() -> None:
    def made(id_: str) -> Entry:
        return recorded().model_copy(update={"id": id_})

    entries = {one.address: one for one in map(made, "abcde")}
    sights: dict[str, Observation] = {
        "plain/a": seen(),
        "plain/b": seen(ThingSpec(size="large", mode="wild")),
        "plain/c": Absent(),
        "plain/d": Unreadable("fake:Look", refused("AccessDenied")),
        "plain/e": seen(SMALL, unreadable={"limit": "fake:GetLimit"}, members=frozenset({"plain/x"})),
    }

    report = detect_drift(entries, sights)

    assert (report.resources, report.fields, report.unchecked) == (5, 5 * FIELDS, 2 * FIELDS + 1)
    assert report.drifted == 3
    assert report.count(FindingState.UNKNOWN) == 2
    assert report.count(FindingState.PENDING) == 0
