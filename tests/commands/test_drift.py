"""Drift: what the product can never want is told item by item, and a missing record is no empty one."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.aws.policy import PolicyDocument, parse
from tapctl.engine.diff import Difference
from tapctl.engine.drift import Finding, Reason, Report
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Absent, Observation
from tapctl.engine.plan import Action, Change, FieldChange
from tapctl.engine.record import Entry, Phase
from tapctl.engine.waiver import Waiver
from tapctl.errors import ConfigError, ManifestError, Problem
from tapctl.evidence.against_files import never_wanted_findings, with_forged
from tapctl.evidence.unfinished_upgrade import changes_with_upgrade, with_upgrade
from tapctl.findings.examination import examine
from tapctl.manifest import open_store
from tapctl.names import Names
from tapctl.reconcilers.iam_role import IamRoleSpec
from tapctl.reconcilers.kms_key import KmsKeySpec
from tapctl.reconcilers.log_group import LogGroupSpec
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import SecurityGroupRulesSpec
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.manifest import examples
from tests.reconcilers.cases import db_cluster

NAMES = Names("dev", "123456789012", "us-east-2")
LOGS = "log-group//aws/lambda/payment-processor-dev"
RULES = "security-group-rules/db-sg-dev"
ROLE = "iam-role/lambda-role-dev"
LAMBDA = "lambda.amazonaws.com"
WAIVER = Waiver("*", "*", "dana", "our SIEM", "2026-12-31")


def changed(address: str, field: str, live: object, reason: Reason = Reason.CHANGED) -> Finding:
    return Finding(address, address.partition("/")[0], field, reason, live=live)


def told(address: str, live: Spec, *findings: Finding, unreadable: str = "") -> list[tuple[str, object]]:
    """What is told of the resource beside these findings: field and live value."""
    seen: Observed[Any, Any] = Observed(live, None, unreadable={unreadable: "x:Get"} if unreadable else {})
    report = Report(findings, fields=1, unchecked=0, resources=1)
    return [(one.field, one.live) for one in never_wanted_findings(NAMES, report, {address: seen}, {})]


def test_what_a_create_cannot_set_is_drift_once_an_apply_has_finished_the_key() -> None:
    key, empty = "kms-key/alias/db-key-dev", Report((), fields=1, unchecked=0, resources=1)
    off: dict[str, Any] = {"rotation": False, "rotation_period_days": 0, "enabled": True}
    live = KmsKeySpec(alias="alias/db-key-dev", description="", policy=policy(), tags={}, **off)
    made = Entry(type="kms-key", id="alias/db-key-dev", phase=Phase.MADE, spec={"rotation": True})
    for entry, fields in ((made, ["rotation"]), (made.model_copy(update={"phase": Phase.MAKING}), [])):
        seen: Observed[Any, Any] = Observed(live, None)
        found = never_wanted_findings(NAMES, empty, {key: seen}, {key: entry})
        assert [one.field for one in found] == fields


def test_a_key_that_a_destroy_of_ours_has_scheduled_is_no_drift() -> None:
    key, empty = "kms-key/alias/db-key-dev", Report((), fields=1, unchecked=0, resources=1)
    off: dict[str, Any] = {"rotation": False, "rotation_period_days": 0, "enabled": False}
    live = KmsKeySpec(alias="alias/db-key-dev", description="", policy=policy(), tags={}, **off)
    entry = Entry(type="kms-key", id="alias/db-key-dev", phase=Phase.LEAVING, spec={"rotation": True})
    for deleting, fields in ((True, []), (False, ["rotation", "enabled"])):
        seen: Observed[Any, Any] = Observed(live, None, deleting=deleting)
        assert [one.field for one in never_wanted_findings(NAMES, empty, {key: seen}, {key: entry})] == fields


def test_what_a_restore_cannot_set_is_drift_once_an_apply_has_finished_the_cluster(aws: Aws) -> None:
    cluster, empty = f"db-cluster/{NAMES.cluster}", Report((), fields=1, unchecked=0, resources=1)
    live = db_cluster.examples(db_cluster.prepare(aws))[0].model_copy(update={"managed_secret": False})
    made = Entry(type="db-cluster", id=NAMES.cluster, phase=Phase.MADE, spec={"managed_secret": True})
    for entry, fields in ((made, ["managed_secret"]), (made.model_copy(update={"phase": Phase.MAKING}), [])):
        found = never_wanted_findings(NAMES, empty, {cluster: Observed(live, None)}, {cluster: entry})
        assert [one.field for one in found] == fields


def group(*subscriptions: str) -> LogGroupSpec:
    return LogGroupSpec(retention_days=30, kms_key_arn="k", subscriptions=frozenset(subscriptions), tags={})


def rule(peer: str) -> Rule:
    ends = {"direction": "ingress", "protocol": "tcp", "from_port": 5432, "to_port": 5432}
    return Rule.model_validate({**ends, "peer": peer})


def policy(*principals: str) -> PolicyDocument:
    statements = [
        {"Sid": f"S{at}", "Effect": "Allow", "Principal": {kind: one}, "Action": "sts:AssumeRole"}
        for at, one in enumerate(principals)
        for kind in ("Service" if one == LAMBDA else "AWS",)
    ]
    return parse(json.dumps({"Version": "2012-10-17", "Statement": statements}))


GROUPS = ("db-instance-params-pg16-dev", "db-instance-params-pg17-dev")


def upgrading(asked: str, phase: Phase = Phase.MAKING) -> Entry:
    """The cluster's entry, of 16.9 when it was last read back, while an apply asks for another version."""
    specs = {"spec": {"engine_version": asked}, "confirmed": {"engine_version": "16.9"}}
    return Entry(type="db-cluster", id=NAMES.cluster, phase=phase, **specs)


@pytest.mark.parametrize(
    ("entries", "live", "reason"),
    [
        ([upgrading("17.7")], GROUPS[1], Reason.UNCONFIRMED),
        ([upgrading("17.7")], "somebody-s", Reason.CHANGED),
        ([upgrading("16.11")], GROUPS[1], Reason.CHANGED),
        ([upgrading("17.7", Phase.LEAVING)], GROUPS[1], Reason.CHANGED),
        ([], GROUPS[1], Reason.CHANGED),
    ],
    ids=["upgrade", "another group", "minor", "leaving", "no cluster"],
)
def test_the_group_that_rds_gives_a_member_in_our_own_major_upgrade_is_what_that_apply_asked_for(
    entries: list[Entry], live: str, reason: Reason
) -> None:
    moved = Finding("db-instance/db-cluster-dev-0", "db-instance", "parameter_group", Reason.CHANGED, GROUPS[0], live)
    others = [replace(moved, field="instance_class"), changed(RULES, "parameter_group", live)]
    told, *rest = with_upgrade([moved, *others], NAMES, {entry.address: entry for entry in entries})
    assert (told.reason, told.recorded, told.live) == (reason, GROUPS[0], live)
    assert told.asked == (live if reason is Reason.UNCONFIRMED else None)
    assert rest == others
    # A plan that goes back to the old version tells the same: by us, or outside tapctl.
    fields = [FieldChange(name, live, GROUPS[0], outside=True) for name in ("parameter_group", "instance_class")]
    planned = [Change(f"{type_}/a", type_, "a", Action.UPDATE, tuple(fields)) for type_ in ("db-instance", RULES)]
    member, other = changes_with_upgrade(planned, NAMES, {entry.address: entry for entry in entries})
    assert [field.outside for field in member.fields] == [reason is Reason.CHANGED, True]
    assert other == planned[1]


@pytest.mark.parametrize("waiver", [None, WAIVER])
def test_one_exposure_that_is_told_hides_no_other_that_the_record_tells_of(waiver: Waiver | None) -> None:
    siem = replace(changed(LOGS, "subscriptions", "arn:x by siem"), waiver=waiver)
    assert told(LOGS, group("arn:x by siem"), siem) == []
    assert told(LOGS, group("arn:x by siem", "arn:y by evil"), siem) == [("subscriptions", "arn:y by evil")]
    assert told(LOGS, group("arn:y by evil")) == [("subscriptions", "arn:y by evil")]


def test_one_open_rule_that_is_told_hides_no_other() -> None:
    spec = SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset({rule("0.0.0.0/0"), rule("::/0"), rule("sg-1")}))
    other = ("rules", f"open to the world: {rule('::/0')}")
    assert told(RULES, spec, changed(RULES, "rules", rule("0.0.0.0/0"))) == [other]
    harmless = changed(RULES, "rules", rule("sg-1"))
    assert len(told(RULES, spec, harmless)) == 2
    covered = replace(changed(RULES, "rules", rule("::/0")), waiver=WAIVER)
    assert other in told(RULES, spec, covered), "no waiver covers an open door"
    # An unfinished apply that was to make it, by the record, is no reason to be silent.
    assert len(told(RULES, spec, changed(RULES, "rules", None, Reason.UNCONFIRMED))) == 2


def test_a_statement_is_told_by_itself_or_with_its_policy() -> None:
    trust = policy("*", LAMBDA)
    role = IamRoleSpec(trust=trust, inline={}, attached=frozenset({"a", "b"}), description="", tags={})
    everybody = ("trust", "S0 lets everybody in")
    attached = changed(ROLE, "attached", "a")
    other = ("attached", "tapctl never sets this: b")
    assert told(ROLE, role, attached) == [everybody, other]
    one, two = sorted(trust.statements, key=lambda each: each.sid)
    assert told(ROLE, role, attached, changed(ROLE, "trust.statements", one)) == [other]
    assert told(ROLE, role, attached, changed(ROLE, "trust", trust)) == [other]
    assert told(ROLE, role, attached, changed(ROLE, "trust.statements", two)) == [everybody, other]
    inline = role.model_copy(update={"inline": {"p": trust}, "attached": frozenset(), "trust": policy()})
    assert told(ROLE, inline, changed(ROLE, "inline", {"p": trust})) == []


def test_a_waiver_covers_who_else_was_let_in_and_no_other_beside() -> None:
    trust = policy(LAMBDA, "999999999999", "888888888888")
    role = IamRoleSpec(trust=trust, inline={}, description="", tags={})
    _, first, second = sorted(trust.statements, key=lambda each: each.sid)
    assert told(ROLE, role) == [("trust", first), ("trust", second)]
    covered = replace(changed(ROLE, "trust.statements", first), waiver=WAIVER)
    assert told(ROLE, role, covered) == [("trust", second)]


def written(
    part: Difference | None, *findings: Finding, live: Observation | None = None
) -> list[tuple[Reason, object, object]]:
    """What is told of the role where somebody has written this into the record: reason, recorded and live value."""
    entry = Entry(type="iam-role", id="lambda-role-dev", phase=Phase.MADE, spec={})
    found = with_forged(findings, [(entry, part)], {ROLE: live or Absent()})
    return [(one.reason, one.recorded, one.live) for one in found]


def test_what_was_written_into_a_record_is_told_once_and_never_waived() -> None:
    trust = "trust.statements"
    extra, lacking = Difference(trust, "evil", None, item=True), Difference(trust, None, "deny", item=True)
    assert written(extra) == [(Reason.FORGED, None, "evil")]
    assert written(lacking) == [(Reason.FORGED, "deny", None)]
    undone = Finding(ROLE, "iam-role", trust, Reason.CHANGED, recorded="evil", waiver=WAIVER)
    assert written(extra, undone) == [(Reason.FORGED, "evil", None)]
    added = Finding(ROLE, "iam-role", trust, Reason.CHANGED, live="deny")
    assert written(lacking, added) == [(Reason.FORGED, None, "deny")]
    other = replace(added, live="another")
    assert written(lacking, other) == [(Reason.CHANGED, None, "another"), (Reason.FORGED, "deny", None)]
    changed_again = Finding(ROLE, "iam-role", "role_arn", Reason.CHANGED, "evil", "worse")
    assert written(Difference("role_arn", "evil", "ours"), changed_again) == [(Reason.FORGED, "evil", "worse")]
    seen: Observed[Any, Any] = Observed(IamRoleSpec(trust=policy(), inline={}, description="", tags={}), None)
    assert written(None, live=seen) == [(Reason.FORGED, None, "lambda-role-dev")]
    assert written(None) == [], "what is not there is told as missing"


def test_of_what_could_not_be_read_nothing_is_told() -> None:
    assert told(LOGS, group("arn:y by evil"), unreadable="subscriptions") == []
    role = IamRoleSpec(trust=policy("*"), inline={}, description="", tags={})
    assert told(ROLE, role, unreadable="trust") == []


def test_of_a_lost_record_whose_history_cannot_be_used_nobody_can_tell_the_place(tmp_path: Path) -> None:
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    wrong = ConfigError([Problem("dev.toml", "", "", "is not TOML")])
    store = open_store(str(tmp_path), None)
    session = Session(
        Invocation("drift"), screen, wrong, Target("dev", "dev", "1", "us-east-2"), Aws(Connection("us-east-2")), store
    )
    last = examples.manifest(examples.entry(phase=Phase.KEPT))
    first = store.write(last, None)
    store.write(last.model_copy(update={"serial": 4}), first)
    (tmp_path / "dev.json").unlink()
    for version in (tmp_path / "history" / "dev").iterdir():
        version.write_text("[]")
    with pytest.raises(ManifestError, match="is no manifest of tapctl"):
        examine(session)  # of which place it was, nobody can tell
