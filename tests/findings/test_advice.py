from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.engine import refs
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason, Report
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.record import Entry, Phase
from tapctl.engine.waiver import Waiver
from tapctl.errors import ConfigError, Problem
from tapctl.findings.advice import ACCEPTED, advise
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.security_group import SecurityGroup, SecurityGroupOutputs
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.render.screen import Advice, Place
from tapctl.safety.hidden_values import HIDDEN
from tapctl.session.session import Session
from tests.engine.kinds import SMALL
from tests.support.config_folder import Folder
from tests.support.offline_session import offline_session
from tests.support.recorded import recorded

APPLY = "tapctl apply --env dev"
FUNCTION = "lambda-function/payment-processor-dev"
GROUP = "db-cluster-parameter-group/db-cluster-params-pg16-dev"
WAYS_OUT = "security-group-rules/lambda-sg-dev"
TOPIC = "sns-topic/alarms-dev"
CLUSTER = "db-cluster/db-cluster-dev"
LOGS = "log-group//aws/lambda/payment-processor-dev"
TABLES = ("common.toml: processor.image", "common.toml: tags")
THROTTLES = "cloudwatch-alarm/payment-processor-throttles-dev"
NO_WAY_BACK = "nothing leads back: it cannot be changed in place, and what holds data is never replaced"
DURATION = "common.toml: database.log_min_duration_statement_ms"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    return offline_session(tmp_path, monkeypatch)


def found(address: str, field: str, live: Any, reason: Reason = Reason.CHANGED, **more: Any) -> Finding:
    return Finding(address, address.partition("/")[0], field, reason, "as it was", live, **more)


def advice(run: Session, *findings: Finding) -> list[Advice]:
    told = advise(Report(findings, 10, 0, 1), run)
    return [told[(one.address, one.field)] for one in findings]


@pytest.mark.parametrize(
    ("finding", "edit"),
    [
        (found(FUNCTION, "timeout_s", 60), "common.toml: processor.timeout_s"),
        (found(FUNCTION, "timeout_s", 9999), ""),
        (found(FUNCTION, "memory_mb", 2048), "dev.toml: processor.memory_mb"),
        (found(FUNCTION, "image_uri", "elsewhere@sha256:0"), "common.toml: processor.image"),
        (found(FUNCTION, "tracing", "PassThrough"), ""),
        (found(GROUP, "parameters.log_statement", "mod"), "common.toml: database.log_statement"),
        (found(GROUP, "parameters.log_statement", "all"), ""),
        # RDS tells numbers as text.
        *(
            (found(GROUP, "parameters.log_min_duration_statement", live), edit)
            for live, edit in (("500", DURATION), ("-1", DURATION), ("0", ""), ("soon", ""))
        ),
        (found(LOGS, "retention_days", 60), "common.toml: logs.retention_days"),
        (found(LOGS, "retention_days", 1), ""),
        (found(LOGS, "retention_days", None), ""),
        (found(CLUSTER, "backup_window", "02:00-03:00"), "common.toml: database.backup_window"),
        # Windows may not overlap: a rule that joins two keys.
        (found(CLUSTER, "maintenance_window", "sun:03:00-sun:03:30"), ""),
        (found(CLUSTER, "engine_version", "16.14"), "common.toml: database.engine_version"),
        # Another value of the key would replace the cluster.
        (found(CLUSTER, "master_username", "somebody"), ""),
        (found(FUNCTION, "environment.DB_NAME", "other"), ""),
        (found("db-instance/db-cluster-dev-0", "instance_class", "db.r6g.large"), "dev.toml: database.instance_class"),
        (found(FUNCTION, "reserved_concurrency", None), "dev.toml: processor.reserved_concurrency"),
        (found(FUNCTION, "reserved_concurrency", 5), "dev.toml: processor.reserved_concurrency"),
        (found("secret-rotation/db-cluster-dev", "rotation_days", 90), ""),
        # A protected environment has two instances.
        (found(CLUSTER, "deletion_protection", True), ""),
        (found(FUNCTION, "tags.Owner", "dana"), "common.toml: tags"),
        (found(FUNCTION, "tags.Owner", "500"), "common.toml: tags"),
        (found(FUNCTION, "tags.a.b", "x"), "common.toml: tags"),
        (found(FUNCTION, "tags.CostCenter", None), "common.toml: tags"),
        (found(FUNCTION, "tags.tapctl:mark", "x"), ""),
        (found(FUNCTION, "tags.Owner", "a\tb"), ""),
        (found(FUNCTION, "tags.Service", "cards"), "common.toml: service"),
        (found(FUNCTION, "tags.Service", "No Name"), ""),
        (found(FUNCTION, "tags.Service", None), ""),
        (found(FUNCTION, "tags.Name", "x"), ""),
        (found(CLUSTER, "tags.tapctl:final-snapshot", "true"), "dev.toml: final_snapshot"),
        (found(CLUSTER, "tags.tapctl:final-snapshot", None), ""),
        (found("kms-key/alias/db-key-dev", "tags.tapctl:deletion-window-days", "30"), ""),
        (found("cloudwatch-alarm/payment-processor-errors-dev", "threshold", 20.0), "dev.toml: alarms.error_threshold"),
        (found("cloudwatch-alarm/payment-processor-errors-dev", "description", "who cares"), ""),
        (found(THROTTLES, "threshold", 5.0), "common.toml: alarms.throttle_threshold"),
        (found(THROTTLES, "threshold", 0.5), ""),
        (found("cloudwatch-alarm/db-cpu-0-dev", "threshold", 90.0), "common.toml: alarms.cpu_threshold_percent"),
        (found("cloudwatch-alarm/db-cpu-0-dev", "threshold", 900.0), ""),
        # db.t4g.medium takes 400 connections: 200 are 50 %, 401 are more than all.
        (
            found("cloudwatch-alarm/db-connections-0-dev", "threshold", 200.0),
            "common.toml: alarms.connections_threshold_percent",
        ),
        (found("cloudwatch-alarm/db-connections-0-dev", "threshold", 401.0), ""),
        # What the stack has not: recorded by another tapctl, or of more instances than are wanted now.
        (found("cloudwatch-alarm/queue-depth-dev", "threshold", 1.0), ""),
        (found("cloudwatch-alarm/db-cpu-1-dev", "threshold", 90.0), ""),
        (found("queue/jobs-dev", "retention_days", 1), ""),
        (found(CLUSTER, "status", "failed"), ""),
    ],
)
def test_a_live_value_can_be_kept_where_its_file_may_say_it(run: Session, finding: Finding, edit: str) -> None:
    before = {path: path.read_bytes() for path in run.invocation.config.iterdir()}
    (told,) = advice(run, finding)
    place = shlex.quote(f"{finding.address}.{finding.field}")
    assert (told.edit, told.undo) == (edit, f"tapctl revert --env dev {place}")
    assert told.waive == f"tapctl waive --env dev {place} --reason '…' --until 30d"
    # Of a table of several keys, a person has to say which.
    assert told.accept in ({f"tapctl accept --env dev {place}"} if edit else {""}) | ({""} if edit in TABLES else set())
    assert {path: path.read_bytes() for path in run.invocation.config.iterdir()} == before


def test_a_value_that_the_files_want_already_is_recorded_by_an_apply(run: Session) -> None:
    (told,) = advice(run, found(FUNCTION, "timeout_s", 30))
    assert (told.edit, told.accept) == (ACCEPTED, "tapctl apply --env dev")
    assert told.undo == f"tapctl revert --env dev {FUNCTION}.timeout_s"


@pytest.mark.parametrize("file", ["common", "dev"])
def test_no_edit_of_a_file_that_is_gone_meanwhile(run: Session, file: str) -> None:
    (run.invocation.config / f"{file}.toml").unlink()
    (told,) = advice(run, found(LOGS, "retention_days", 60))
    assert (told.edit, told.accept) == ("", "")


@pytest.mark.parametrize(
    ("address", "field", "file", "key"),
    [
        ("lambda-function/payment-processor-dev", "timeout_s", "common", "processor.timeout_s"),
        ("lambda-function/payment-processor-dev", "memory_mb", "dev", "processor.memory_mb"),
        ("lambda-function/payment-processor-dev", "tags.CostCenter", "common", "tags"),
        ("lambda-function/payment-processor-dev", "tags.ManagedBy", "dev", ""),
        ("sns-topic/alarms-dev", "*", "dev", ""),
    ],
)
def test_a_finding_points_at_the_line_that_decides_its_field(
    run: Session, address: str, field: str, file: str, key: str
) -> None:
    (told,) = advice(run, found(address, field, "x"))
    path = run.invocation.config / f"{file}.toml"
    table = json.dumps(key.partition(".")[0])
    lines = path.read_text().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if text.startswith(table)) if key else 1
    assert told.place == Place(str(path), line, key)


def test_an_environment_with_two_instances_may_be_protected(run: Session) -> None:
    Folder(run.invocation.config).put("dev", "database.instance_count", 2)
    assert advice(run, found(CLUSTER, "deletion_protection", True))[0].edit == "dev.toml: protected"


@pytest.mark.parametrize(("tag", "ours"), [("ManagedBy", "tapctl"), ("EnvironmentSuffix", "dev")])
def test_a_tag_that_names_another_owner_has_to_be_set_back_first(run: Session, tag: str, ours: str) -> None:
    theirs, also, other = advice(
        run,
        found(TOPIC, f"tags.{tag}", "terraform"),
        found(TOPIC, "tags.Owner", "dana"),
        found(FUNCTION, "timeout_s", 60),
    )
    assert theirs == Advice(undo=APPLY, undo_note=f"set its tag {tag} back to {ours}, then")
    assert (also.undo, also.undo_note) == (theirs.undo, theirs.undo_note)
    assert other.undo == f"tapctl revert --env dev {FUNCTION}.timeout_s"


@pytest.mark.parametrize("tag", ["ManagedBy", "EnvironmentSuffix"])
def test_an_owner_s_tag_that_is_gone_is_put_back(run: Session, tag: str) -> None:
    (told,) = advice(run, found(TOPIC, f"tags.{tag}", None))
    assert told.undo == f"tapctl revert --env dev {TOPIC}.tags.{tag}"


def test_a_field_that_could_not_be_read_is_not_undone(run: Session) -> None:
    denied = found(FUNCTION, WHOLE_RESOURCE, None, Reason.DENIED, action="lambda:GetFunction")
    older = found(TOPIC, "policy", None, Reason.NOT_RECORDED)
    foreign = found(LOGS, WHOLE_RESOURCE, None, Reason.FOREIGN)
    assert advice(run, denied, older, foreign) == [
        Advice(read="tapctl drift --env dev", read_note="allow lambda:GetFunction, then"),
        Advice(read=APPLY, read_note="records it"),
        Advice(read="tapctl plan --env dev", read_note="tells whose it is, and what may be done:"),
    ]


def test_a_pending_change_with_a_date_needs_nothing(run: Session) -> None:
    waiting = found("db-cluster/db-cluster-dev", "engine_version", "x", Reason.DEFERRED, detail="sun:04:00-sun:04:30")
    assert advice(run, waiting) == [Advice()]


def test_a_change_that_waits_for_a_reboot_may_have_it_now(run: Session) -> None:
    waiting = found("db-instance/db-cluster-dev-0", "parameters", "x", Reason.DEFERRED, detail="reboot")
    assert advice(run, waiting) == [Advice(now=f"{APPLY} --reboot")]


@pytest.mark.parametrize("reason", [Reason.UNCONFIRMED, Reason.APPLY_INTERRUPTED])
def test_an_unfinished_apply_is_finished_by_an_apply(run: Session, reason: Reason) -> None:
    assert advice(run, found(FUNCTION, "timeout_s", 15, reason)) == [Advice(now=APPLY)]


def test_a_resource_whose_removal_was_interrupted_is_made_again_by_an_apply(run: Session) -> None:
    logs, cluster = (found(address, WHOLE_RESOURCE, None, Reason.DELETE_INTERRUPTED) for address in (LOGS, CLUSTER))
    assert advice(run, logs) == [Advice(undo=APPLY, undo_note="makes it again, where it is still wanted")]
    # Such an apply is blocked until it is told where the data of the cluster comes from.
    note = "makes it again; with --restore SNAPSHOT or --empty, which says where the cluster's data comes from:"
    assert advice(run, logs, cluster) == [Advice(undo=APPLY, undo_note=note)] * 2
    here = advise(
        Report((logs, cluster), fields=1, unchecked=0, resources=2), run, observed={CLUSTER: Observed(SMALL, None)}
    )
    assert [one.undo_note for one in here.values()] == [
        "makes it again, where it is still wanted",
        "keeps it, where it is still wanted",
    ]
    # So it is after a destroy that has dropped the cluster's entry already, and of what it has removed whole.
    lacking = found(FUNCTION, WHOLE_RESOURCE, None, Reason.REMOVED)
    report = Report((logs, lacking), fields=1, unchecked=0, resources=1)
    assert [*advise(report, run, by_destroy=True).values()] == [Advice(undo=APPLY, undo_note=note)] * 2
    entries = {CLUSTER: Entry(type="db-cluster", id="db-cluster-dev", phase=Phase.MADE, spec={})}
    (there, _) = advise(report, run, entries, by_destroy=True).values()
    assert there.undo_note == "makes it again, where it is still wanted"


@pytest.mark.parametrize("reason", [Reason.ABSENT, Reason.DELETING])
def test_a_cluster_that_is_gone_comes_back_only_with_a_word_on_its_data(run: Session, reason: Reason) -> None:
    cluster, logs = (found(address, WHOLE_RESOURCE, None, reason) for address in (CLUSTER, LOGS))
    assert [(told.undo, "--empty" in told.undo_note) for told in advice(run, cluster, logs)] == [
        (APPLY, True),
        (APPLY, False),
    ]


def test_another_cluster_in_the_place_of_ours_is_taken_only_where_that_is_named(run: Session) -> None:
    swapped = [found(CLUSTER, name, "other", Reason.REPLACED) for name in ("resource_id", "endpoint")]
    assert [told.undo for told in advice(run, *swapped)] == [f"{APPLY} --adopt {CLUSTER}", APPLY]


def test_what_is_an_alias_s_is_ended_by_its_name_and_what_is_the_function_s_own_without_one(run: Session) -> None:
    function = "lambda-function/payment-processor-dev"
    urls = [found(function, "urls", f"https://x.on.aws/{of} (AWS_IAM)") for of in ("", " for a")]
    lost = [found(function, "destinations", text) for text in ("60 s of age", "arn:q on OnFailure for 3")]
    told = advise(Report((*urls, *lost), 10, 0, 1), run, {})
    url, asynchronous = (
        f"aws lambda delete-function-{what}-config --function-name payment-processor-dev"
        for what in ("url", "event-invoke")
    )
    region = "--region us-east-2"
    assert {field: said.undo for (_, field), said in told.items()} == {
        "urls": f"{url} {region} && {url} --qualifier a {region}",
        "destinations": f"{asynchronous} {region} && {asynchronous} --qualifier 3 {region}",
    }


def test_who_else_was_let_in_is_put_out_by_hand(run: Session) -> None:
    key, secret = "kms-key/alias/db-key-dev", "secret-rotation/db-cluster-dev"
    findings = [
        found(key, "grants", "1 to arn:x (Decrypt)"),
        found(key, "grants", "2 to arn:y (Decrypt)"),
        found(LOGS, "subscriptions", 'arn:z by to the \'SIEM\': {"filterPattern": "a by b"}'),
        found(secret, "replicas", 'eu-west-1: {"KmsKeyId": "alias/aws/secretsmanager"}'),
        found(secret, "replicas", "arn:copy"),
        found(CLUSTER, "custom_endpoints", "reports.cluster-custom-x.us-east-2.rds.amazonaws.com"),
    ]
    entries = {
        key: Entry(type="kms-key", id="alias/db-key-dev", phase=Phase.MADE, spec={}, outputs={"key_id": "k-1"}),
        CLUSTER: Entry(
            type="db-cluster", id="db-cluster-dev", phase=Phase.MADE, spec={}, outputs={"secret_arn": "arn:s"}
        ),
        secret: Entry(type="secret-rotation", id="db-cluster-dev", phase=Phase.MADE, spec={}, outputs=None),
    }
    told = advise(Report(tuple(findings), 10, 0, 1), run, entries)
    revoke = "aws kms revoke-grant --key-id k-1 --grant-id"
    assert {place: said.undo for place, said in told.items()} == {
        (key, "grants"): f"{revoke} 1 --region us-east-2 && {revoke} 2 --region us-east-2",
        (LOGS, "subscriptions"): "aws logs delete-subscription-filter "
        "--log-group-name /aws/lambda/payment-processor-dev "
        """--filter-name 'to the '"'"'SIEM'"'"'' --region us-east-2""",
        (secret, "replicas"): "aws secretsmanager remove-regions-from-replication --secret-id arn:s "
        "--remove-replica-regions eu-west-1 --region us-east-2 "
        "&& aws secretsmanager disassociate-cross-account-replica --secret-id arn:s "
        "--cross-account-replica-arn arn:copy --region us-east-2",
        (CLUSTER, "custom_endpoints"): "aws rds delete-db-cluster-endpoint --db-cluster-endpoint-identifier reports "
        "--region us-east-2",
    }


def test_what_reports_hide_is_accepted_into_no_file(run: Session) -> None:
    seen, hidden = advice(
        run,
        found(FUNCTION, "tags.CostCenter", "cards"),
        found("kms-key/alias/db-key-dev", "tags.CostCenter", "password=hunter22hunter22"),
    )
    assert seen.accept.startswith("tapctl accept --env dev ")
    assert (hidden.accept, "hunter22" in str(hidden)) == ("", False)


def test_a_subscription_that_nobody_confirmed_may_have_gone_by_itself(run: Session) -> None:
    gone = found("sns-subscription/alarms-dev/email:oncall@example.com", "*", None, Reason.ABSENT)
    (told,) = advice(run, gone)
    assert told.undo == "tapctl apply --env dev"
    assert told.undo_note.startswith("SNS drops by itself, without an event, what its receiver has not confirmed")


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:5000"])
def test_a_foreign_member_is_removed_by_hand(run: Session, endpoint: str | None) -> None:
    run.aws = Aws(Connection("us-east-2", endpoint_url=endpoint))
    stranger = found("db-cluster/db-cluster-dev", "members", "db-instance/analytics", Reason.NOT_OURS)
    command = "aws rds delete-db-instance --db-instance-identifier analytics --region us-east-2"
    (told,) = advice(run, stranger)
    assert told.undo == (command if endpoint is None else f"{command} --endpoint-url {endpoint}")
    assert told.waive == "tapctl waive --env dev db-cluster/db-cluster-dev.members --reason '…' --until 30d"


def test_members_in_one_zone_are_parted_by_a_command_that_tells_its_cost(run: Session) -> None:
    (told,) = advice(run, found("db-instance/db-cluster-dev-1", "shared_zone", "us-east-2a"))
    assert told.undo == "aws rds delete-db-instance --db-instance-identifier db-cluster-dev-1 --region us-east-2"
    assert told.undo_note == "the reader is away for some minutes, and an apply makes it again in another zone:"


def test_what_is_the_whole_account_s_or_another_team_s_is_shown_and_not_removed(run: Session) -> None:
    alarm = "cloudwatch-alarm/payment-processor-errors-dev"
    cut, muted, copied = advice(
        run,
        found(LOGS, "retention_cut", "14 by organisation-default"),
        found(alarm, "muted_by", 'muted by team x: {"Duration": "PT2H"}'),
        found(CLUSTER, "replicas", "arn:aws:rds:us-east-2:1:cluster:copy"),
    )
    assert cut.undo == (
        "aws logs describe-account-policies --policy-type RETENTION_POLICY --policy-name organisation-default "
        "--region us-east-2"
    )
    assert cut.undo_note == (
        "it is the account's, for the log groups of every team in the region: whoever owns it changes it, or leaves "
        "these out; this shows it:"
    )
    assert muted.undo == ("aws cloudwatch get-alarm-mute-rule --alarm-mute-rule-name 'team x' --region us-east-2")
    assert muted.undo_note == (
        "a rule may mute other teams' alarms, too: whoever owns it takes this one out; this shows which:"
    )
    assert copied.undo_note == "a cluster of its own: whoever owns it promotes or deletes it; this shows it:"


@pytest.mark.parametrize(
    ("address", "field", "live", "cost"),
    [
        (CLUSTER, "global_cluster", "world", "nothing is copied from or to the clusters of other regions any more:"),
        (CLUSTER, "replicates", "arn:source", "it copies nothing from its source any more, for good:"),
        (CLUSTER, "activity_stream", "started", "whoever watches the database by the stream sees no more of it:"),
        (CLUSTER, "custom_endpoints", "reports.x", "whoever connects by it is cut off:"),
        (CLUSTER, "internet_gateway", "True", "changes that wait for the maintenance window may be made with it:"),
        ("iam-role/lambda-role-dev", "instance_profiles", "p", "what runs with it on EC2 has no rights any more:"),
        (
            "secret-rotation/db-cluster-dev",
            "rotated_by",
            "arn:f",
            "it switches rotation off, and an apply switches it on again:",
        ),
        ("security-group/db-sg-dev", "strangers", "eni-1", "whoever owns it takes it out of the group; this shows it:"),
        (CLUSTER, "members", "db-instance/analytics", "who connects to it is cut off, and if it is the writer, RDS"),
    ],
)
def test_a_command_that_takes_more_with_it_says_so(
    run: Session, address: str, field: str, live: str, cost: str
) -> None:
    outputs = {"arn": "arn:c", "secret_arn": "arn:s", "group_id": "sg-1"}
    reason = Reason.NOT_OURS if field == "members" else Reason.CHANGED
    report = Report((found(address, field, live, reason),), 10, 0, 1)
    entries = {
        one: Entry(type=one.partition("/")[0], id="i", phase=Phase.MADE, spec={}, outputs=outputs)
        for one in (CLUSTER, address)
    }
    (told,) = advise(report, run, entries).values()
    assert cost in told.undo_note


def test_a_waiver_of_one_item_hides_no_advice_on_another(run: Session) -> None:
    waiver = Waiver("*", "*", "dana", "why", "2099-12-31")
    names = ("analytics", "evil", "more")
    strangers = [found(CLUSTER, "members", f"db-instance/{name}", Reason.NOT_OURS) for name in names]
    rules = [found("security-group-rules/db-sg-dev", "rules", f"ingress 10.{n}.0.0/16 tcp/5432") for n in (8, 9)]
    waived = [replace(one, waiver=waiver) for one in (strangers[0], rules[1])]
    members, _, _, put_back, _ = advice(run, *strangers[1:], waived[0], rules[0], waived[1])
    delete = "aws rds delete-db-instance --db-instance-identifier"
    assert members.undo == f"{delete} evil --region us-east-2 && {delete} more --region us-east-2"
    assert put_back.undo == "tapctl revert --env dev security-group-rules/db-sg-dev.rules"


def test_where_an_apply_would_do_more_what_only_an_apply_undoes_says_so(run: Session) -> None:
    missing = Finding(FUNCTION, "lambda-function", WHOLE_RESOURCE, Reason.ABSENT)
    report = Report((found(FUNCTION, "timeout_s", 60), missing), 10, 0, 1)
    told = advise(report, run, more=True)
    assert told[FUNCTION, "*"].undo_note == "with all else that the files want, see below:"
    assert told[FUNCTION, "timeout_s"].undo == f"tapctl revert --env dev {FUNCTION}.timeout_s"


@pytest.mark.parametrize(
    ("there", "first"), [(True, "correct the environment files, then"), (False, "put dev.toml back, then")]
)
def test_an_apply_needs_usable_files_first(run: Session, there: bool, first: str) -> None:
    run.loaded = ConfigError([Problem("dev.toml", "", "", "is wrong")])
    if not there:
        (run.invocation.config / "dev.toml").unlink()
    (told,) = advice(run, Finding(FUNCTION, "lambda-function", WHOLE_RESOURCE, Reason.ABSENT))
    assert (told.undo, told.undo_note) == (APPLY, first)


def test_a_waived_difference_needs_nothing(run: Session) -> None:
    waiver = Waiver("*", "*", "dana", "why", "2099-12-31")
    waived = found(FUNCTION, "timeout_s", 60, waiver=waiver)
    let_in = found(LOGS, "subscriptions", "arn:z by siem", waiver=waiver)
    assert advice(run, waived, let_in) == [Advice(), Advice()]


@pytest.mark.parametrize(
    "finding",
    [
        found("db-instance/db-cluster-dev-0", "publicly_accessible", live=True),
        found("security-group-rules/db-sg-dev", "rules", "ingress 0.0.0.0/0 tcp/5432"),
        found(FUNCTION, "environment.DB_ENDPOINT", HIDDEN),
    ],
)
def test_an_open_door_or_a_value_that_is_not_shown_is_offered_no_waiver(run: Session, finding: Finding) -> None:
    (told,) = advice(run, finding)
    assert (told.waive, told.undo[:21]) == ("", "tapctl revert --env d")


def test_an_old_record_is_undone_by_no_apply(run: Session) -> None:
    denied = found(FUNCTION, "policy", None, Reason.DENIED, action="lambda:GetPolicy")
    refused = found(FUNCTION, "policy", None, Reason.REFUSED, action="lambda:GetPolicy", detail="Invalid: no")
    assert advice(run, refused) == [Advice(read="tapctl drift --env dev", read_note="once AWS tells it,")]
    told = advise(Report((found(FUNCTION, "timeout_s", 60), denied), 10, 0, 1), run, older=True)
    assert told[FUNCTION, "timeout_s"] == Advice()
    assert told[FUNCTION, "policy"].read == "tapctl drift --env dev"


def rule(peer: str, port: int = 443, direction: str = "egress") -> Rule:
    return Rule(direction=direction, protocol="tcp", from_port=port, to_port=port, peer=peer, description="")


def undo(run: Session, entries: dict[str, Entry], finding: Finding) -> str:
    """The command that is offered to undo this finding of such a record, whose groups AWS has as they are recorded."""
    groups = [one for one in entries.values() if one.type == SecurityGroup.type]
    observed: Observations = {
        one.address: Observed(
            SecurityGroup.spec.model_validate(one.spec), SecurityGroupOutputs.model_validate(one.outputs)
        )
        for one in groups
    }
    report = Report((finding,), 10, 0, 1)
    return advise(report, run, entries, observed=observed)[finding.address, finding.field].undo


def test_a_revert_is_offered_of_a_way_to_the_world_that_the_files_want(run: Session) -> None:
    entries = recorded(run.config, run.names)
    # The function's own way out: revert goes by the files, whatever the rule looks like.
    gone = Finding(WAYS_OUT, "security-group-rules", "rules", Reason.CHANGED, rule("0.0.0.0/0"), None, item=True)
    assert undo(run, entries, gone) == f"tapctl revert --env dev {WAYS_OUT}.rules"
    # Without files nobody can tell that they want it.
    run.loaded = ConfigError([Problem("dev.toml", "", "", "is wrong")])
    assert undo(run, entries, gone) == APPLY
    assert undo(run, entries, found(FUNCTION, "timeout_s", 60)) == f"tapctl revert --env dev {FUNCTION}.timeout_s"


ROLE = "iam-role/lambda-role-dev"
KEY, TLS = "kms-key/alias/db-key-dev", "db-cluster-parameter-group/db-cluster-params-pg16-dev"
WINDOW, SNAPSHOT = "tags.tapctl:deletion-window-days", "tags.tapctl:final-snapshot"


@pytest.mark.parametrize(
    ("address", "field", "recorded_value", "live"),
    [
        (CLUSTER, "deletion_protection", False, True),
        (CLUSTER, SNAPSHOT, "false", "true"),
        (KEY, WINDOW, "7", "30"),
        (LOGS, "retention_days", 30, 60),
        (LOGS, "kms_key_arn", "", "arn:aws:kms:us-east-2:123456789012:key/k"),
        (CLUSTER, "tags.Environment", "prod", "dev"),
        (TLS, "parameters.log_statement", "all", "ddl"),
        (TLS, "parameters.rds.force_ssl", "0", "1"),
        (TLS, "parameters.log_min_duration_statement", "-1", "1000"),
        (TLS, "parameters.log_lock_waits", None, "1"),
        (TLS, "parameters.pgaudit.log", "none", "ddl"),
        ("secret-rotation/db-cluster-dev", "rotation_days", 29, 15),
        ("kms-key/alias/db-key-dev", "rotation_period_days", 2560, 365),
        (FUNCTION, "reserved_concurrency", 1, 5),
        (FUNCTION, "reserved_concurrency", None, 10),
        (FUNCTION, "reserved_concurrency", 1000, 10),
        (TLS, "parameters.log_min_duration_statement", "1", "1000"),
        ("rds-event-subscription/db-cluster-events-dev", "enabled", False, True),
        (ROLE, "permissions_boundary", "arn:aws:iam::aws:policy/AdministratorAccess", ""),
        (ROLE, "tags.access", "admin", None),
    ],
)
def test_a_record_alone_takes_no_safeguard_and_no_owner_away(
    run: Session, address: str, field: str, recorded_value: Any, live: Any
) -> None:
    folder = Folder(run.invocation.config).put("dev", "database.instance_count", 2)
    run.loaded = folder.put("dev", "protected", True).put("common", "logs.retention_days", 90).load()["dev"]
    entries = recorded(run.config, run.names)
    name, _, member = field.partition(".")
    spec = entries[address].spec
    value = {**spec[name], member: recorded_value} if member else recorded_value
    forged = {**entries, address: entries[address].model_copy(update={"spec": {**spec, name: value}})}
    finding = Finding(address, address.partition("/")[0], field, Reason.CHANGED, recorded_value, live)
    assert undo(run, forged, finding) == APPLY
    run.loaded = ConfigError([Problem("dev.toml", "", "", "is wrong")])
    assert undo(run, forged, finding) == APPLY, "nobody can tell that the files want it"


@pytest.mark.parametrize(
    ("address", "field", "recorded_value", "live"),
    [
        (CLUSTER, "deletion_protection", True, False),
        (LOGS, "retention_days", 400, 1),
        (LOGS, "retention_days", 0, 1),
        (FUNCTION, "timeout_s", 31, 60),
        ("cloudwatch-alarm/db-cpu-0-dev", "threshold", 75.0, 99.0),
        (CLUSTER, "backup_window", "02:00-02:30", "12:00-13:00"),
        (FUNCTION, "reserved_concurrency", 10, 0),
        (FUNCTION, "reserved_concurrency", None, 0),
        ("secret-rotation/db-cluster-dev", "rotation_days", 29, 365),
        (TLS, "parameters.log_statement", "mod", "ddl"),
        (TLS, "parameters.log_statement", "mod", None),
        (TLS, "parameters.log_min_duration_statement", "2000", "-1"),
        (TLS, "parameters.log_min_duration_statement", "2000", None),
        (TLS, "parameters.log_lock_waits", "1", "off"),
        (TLS, "parameters.log_lock_waits", "1", None),
    ],
)
def test_what_guards_more_or_is_a_setting_goes_back_whatever_the_files_want_by_now(
    run: Session, address: str, field: str, recorded_value: Any, live: Any
) -> None:
    entries = recorded(run.config, run.names)
    name, _, member = field.partition(".")
    spec = entries[address].spec
    value = {**spec[name], member: recorded_value} if member else recorded_value
    pending = {**entries, address: entries[address].model_copy(update={"spec": {**spec, name: value}})}
    finding = Finding(address, address.partition("/")[0], field, Reason.CHANGED, recorded_value, live)
    back = f"tapctl revert --env dev {address}.{field}"
    assert undo(run, pending, finding) == back
    run.loaded = ConfigError([Problem("dev.toml", "", "", "is wrong")])
    assert undo(run, pending, finding) == back


def test_no_revert_is_offered_that_would_be_refused(run: Session) -> None:
    entries = recorded(run.config, run.names)

    def written(address: str, **fields: Any) -> dict[str, Entry]:
        spec = entries[address].spec
        return {**entries, address: entries[address].model_copy(update={"spec": {**spec, **fields}})}

    rules = refs.to_json(frozenset({rule("0.0.0.0/0", 5432)}))
    moved = Finding(WAYS_OUT, "security-group-rules", "rules", Reason.CHANGED, None, rule("10.9.0.0/16"), item=True)
    # Never wanted, not what the files want, half made, recorded in no form that this tapctl knows.
    assert undo(run, written(WAYS_OUT, rules=rules), moved) == APPLY
    role = found(FUNCTION, "role_arn", "arn:aws:iam::123456789012:role/x")
    assert undo(run, written(FUNCTION, role_arn="arn:aws:iam::123456789012:role/other"), role) == APPLY
    half = entries[LOGS].model_copy(update={"phase": Phase.MAKING})
    assert undo(run, {**entries, LOGS: half}, found(LOGS, "retention_days", 60)) == APPLY
    older = entries[LOGS].model_copy(update={"spec": {"retention_days": 30}})
    assert undo(run, {**entries, LOGS: older}, found(LOGS, "retention_days", 60)) == APPLY
    assert undo(run, entries, found(LOGS, "retention_days", 60)) == f"tapctl revert --env dev {LOGS}.retention_days"


def test_no_waiver_is_offered_of_a_tag_that_tells_whose_a_resource_is(run: Session) -> None:
    for tag, offered in (("ManagedBy", False), ("Environment", False), ("Name", True)):
        (told,) = advice(run, found(TOPIC, f"tags.{tag}", None))
        assert bool(told.waive) is offered, tag


@pytest.mark.parametrize(
    ("field", "live", "way_back"),
    [
        ("backup_retention_days", 35, (f"{APPLY} --allow {CLUSTER}", "what is older than that is lost with it:")),
        ("backup_retention_days", 1, (f"tapctl revert --env dev {CLUSTER}.backup_retention_days", "")),
        ("engine_version", "15.8", (f"{APPLY} --allow {CLUSTER}", "nothing leads back from a new major version:")),
        ("engine_version", "17.5", ("", NO_WAY_BACK)),
        ("subnet_group", "theirs", ("", f"{NO_WAY_BACK}; {DbCluster.by_hand['subnet_group']}")),
    ],
)
def test_a_way_back_that_an_apply_refuses_says_what_it_takes(
    run: Session, field: str, live: Any, way_back: tuple[str, str]
) -> None:
    entries = recorded(run.config, run.names)
    spec = DbCluster.spec.model_validate(entries[CLUSTER].spec)
    old = datetime(2020, 1, 1, tzinfo=UTC)
    seen: Any = Observed(spec.model_copy(update={field: live}), None, holds_data_since=old)
    report = Report((found(CLUSTER, field, live), found(CLUSTER, "status", "odd")), 10, 0, 1)
    advised = advise(report, run, entries, observed={CLUSTER: seen})
    told = advised[CLUSTER, field]
    assert (told.undo, told.undo_note) == way_back
    assert advised[CLUSTER, "status"].undo == f"tapctl revert --env dev {CLUSTER}.status"
    spoilt = entries[CLUSTER].model_copy(update={"spec": {"of": "another form"}})
    told = advise(report, run, {**entries, CLUSTER: spoilt}, observed={CLUSTER: seen})[CLUSTER, field]
    assert told.undo == APPLY


def test_each_apply_that_is_advised_consents_to_what_the_others_lose(run: Session) -> None:
    """An apply makes all of it, or is refused."""
    entries, old = recorded(run.config, run.names), datetime(2020, 1, 1, tzinfo=UTC)
    raised = {CLUSTER: {"backup_retention_days": 35}, LOGS: {"retention_days": 365}}
    observed: Any = {
        place: Observed(
            registry()[entries[place].type].spec.model_validate({**entries[place].spec, **live}),
            None,
            holds_data_since=old,
        )
        for place, live in raised.items()
    }
    gone = Finding(FUNCTION, "lambda-function", "*", Reason.ABSENT)
    findings = *(found(place, *live.popitem()) for place, live in raised.items()), gone
    told = advise(Report(findings, 10, 0, 1), run, entries, observed=observed)
    for one in told.values():
        assert one.undo.startswith(APPLY)
        assert one.undo.endswith(f" --allow {CLUSTER} --allow {LOGS}")
