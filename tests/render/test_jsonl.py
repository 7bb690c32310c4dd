"""The screen for programs: its records, and which target its lines are about."""

from __future__ import annotations

import errno
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl import __version__
from tapctl.aws.policy import allow, policy
from tapctl.engine.drift import Finding, Reason, finding_id
from tapctl.engine.estimate import Estimate
from tapctl.engine.events import Detached, Failed, Finished, Progress, Released, Result, Skipped, Started
from tapctl.engine.plan import Action, Change, FieldChange, LeftField
from tapctl.errors import (
    AwsNoAnswer,
    AwsRefused,
    ConfigError,
    LockHeld,
    NotConverged,
    Problem,
    Refused,
    Status,
    StoreFailed,
    TapctlError,
)
from tapctl.render.jsonl import JsonScreen, finding_record
from tapctl.render.screen import Check, Comparison, Span, Target, Verdict
from tapctl.render.terminal import OutputStream
from tests.render.examples import ADVICE, ALL, CROSS, HEADER, PLAN, PROD, REPORT, change, pending, plan
from tests.render.jsonl import Shown

KEY, CLUSTER = "kms-key/alias/key", "db-cluster/db"


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_planned_change_has_its_fields(shown: Shown) -> None:
    shown.screen.plan(PLAN)
    made, changed, blocked = shown.lines
    assert (made["type"], made["address"], made["resource_type"]) == (
        "planned_change",
        "kms-key/alias/db-key-prod",
        "kms-key",
    )
    assert (made["action"], made["blocked"]) == ("create", None)
    field = {"path": "rotation", "have": None, "want": True, "impact": "none", "outside": False, "until": ""}
    field["text"] = "(none) → true"
    assert made["fields"] == [field]
    assert [one["impact"] for one in (*changed["fields"], changed)] == ["failover", "failover"]
    assert blocked["action"] == "nothing"
    assert blocked["blocked"] == {"code": "refused", "message": "iam-role/theirs exists and is not ours", "hint": None}


def test_unread_pending_and_foreign_parts_of_a_plan_are_in_its_records(shown: Shown) -> None:
    odd = Change(
        "db-cluster/c", "db-cluster", "c", Action.NOTHING, unreadable={"tags": "rds:List"}, foreign_members=("x/y",)
    )
    shown.screen.plan(plan(odd, pending("db-instance/i", "parameters", "preload")), removing=True)
    first, second = shown.lines
    assert (first["unread"], first["unexpected"], first["pending"]) == ({"tags": "rds:List"}, ["x/y"], {})
    assert second["pending"] == {"parameters": {"until": "reboot", "detail": "preload"}}


def test_who_else_was_let_in_is_in_the_record(shown: Shown) -> None:
    left = LeftField("grants", "1234 to arn:x", allow_ends=False), LeftField("boundary", "arn:y", allow_ends=True)
    shown.screen.plan(plan(Change("kms-key/k", "kms-key", "k", Action.NOTHING, left=left)))
    assert shown.lines[0]["exposures"] == [{"path": "grants", "have": "1234 to arn:x"}]
    assert shown.lines[0]["spared"] == {"boundary": "arn:y"}


def test_what_was_not_compared_is_in_the_verdict(shown: Shown) -> None:
    shown.screen.verdict(Verdict("drift", PROD, Status.OK, 0, comparison=Comparison(1, ("iam-role: last use",))))
    assert shown.lines[-1]["not_compared"] == ["iam-role: last use"]


def test_typed_values_are_plain_json(shown: Shown) -> None:
    want = policy(allow("Keys", ["kms:Encrypt", "kms:Decrypt"], ["*"]))
    shown.screen.plan(plan(change("kms-key/k", Action.UPDATE, FieldChange("policy", frozenset({"b", "a"}), want))))
    (field,) = shown.lines[0]["fields"]
    assert field["have"] == ["a", "b"]
    assert field["want"]["statements"][0]["actions"] == ["kms:Decrypt", "kms:Encrypt"]


def test_progress_is_told_at_a_change_of_state_and_every_half_minute(shown: Shown) -> None:
    for status, at in (
        ("creating", 0),
        ("creating", 29.9),
        ("creating", 30.1234),
        ("modifying", 31),
        ("modifying", 60),
    ):
        shown.screen.event(Progress(CLUSTER, status, at, "the key", 185))
    assert [(one["status"], one["elapsed_s"]) for one in shown.lines] == [
        ("creating", 0),
        ("creating", 30.123),
        ("modifying", 31),
    ]
    assert shown.lines[0] == {
        "type": "progress",
        "address": CLUSTER,
        "status": "creating",
        "elapsed_s": 0,
        "awaiting": "the key",
        "usual_s": 185,
    }


def test_every_resource_of_an_execution_has_one_line_unchanged_ones_too(shown: Shown) -> None:
    shown.screen.plan(
        plan(change("sns-topic/t", Action.NOTHING), change("iam-role/r", Action.NOTHING, blocked=Refused("x")))
    )
    shown.screen.begin([KEY, CLUSTER])
    shown.screen.event(Started(KEY))
    shown.screen.event(Released(KEY))
    shown.screen.event(Finished(KEY, Result.CREATED, 0.61, note="a note"))
    shown.screen.event(Progress(CLUSTER, "creating", 5))
    shown.screen.event(Detached(CLUSTER, "creating"))
    shown.screen.event(Detached("db-instance/i", ""))
    shown.screen.event(Failed("log-group/l", NotConverged("no"), 2))
    shown.screen.event(Skipped("sns-topic/a", ("log-group/l",)))
    shown.screen.event(Skipped("sns-topic/b", ()))
    shown.screen.end()
    shown.screen.verdict(Verdict("apply", PROD, Status.NOT_CONVERGED, 4, timed=True))
    shown.screen.verdict(Verdict("apply", PROD, Status.NOT_CONVERGED, 4, timed=True))
    told = [
        (one["address"], one["id"], one["result"], one["elapsed_s"], one["note"])
        for one in shown.lines
        if one["type"] == "resource"
    ]
    assert told == [
        (KEY, "alias/key", "created", 0.61, "a note"),
        (CLUSTER, "db", "failed", 5, "left while AWS goes on with it: creating"),
        ("db-instance/i", "i", "failed", 0, "left while AWS goes on with it"),
        ("log-group/l", "l", "failed", 2, "no"),
        ("sns-topic/a", "a", "skipped", 0, "waiting for what failed: log-group/l"),
        ("sns-topic/b", "b", "skipped", 0, "asked to stop"),
        ("sns-topic/t", "t", "unchanged", 0, ""),
    ]


def test_a_plan_alone_lists_no_results(shown: Shown) -> None:
    shown.screen.plan(plan(change("sns-topic/t", Action.NOTHING)))
    shown.screen.verdict(Verdict("plan", PROD, None, 0))
    assert [one["type"] for one in shown.lines] == ["verdict"]


def test_a_finding_has_both_values_and_the_advice(shown: Shown) -> None:
    shown.screen.drift(REPORT, {("lambda-function/processor", "timeout_s"): ADVICE})
    assert {key: value for key, value in shown.lines[0].items() if key != "fingerprint"} == {
        "type": "finding",
        "id": finding_id("", REPORT.findings[0]),
        "accept": "",
        "waive": "",
        "waiver": None,
        "address": "lambda-function/processor",
        "resource_type": "lambda-function",
        "field": "timeout_s",
        "state": "DRIFT",
        "recorded": 15,
        "live": 30,
        "asked": None,
        "text": "15 → 30",
        "note": "",
        "cause": None,
        "who": None,
        "edit": "common.toml: processor.timeout_s",
        "undo": "tapctl apply --env prod",
        "undo_note": "",
        "read_note": "",
        "read": "",
        "now": "",
        "config": None,
        "severity": "low",
        "env": "",
        "suffix": "",
    }
    assert (shown.lines[1]["state"], shown.lines[1]["live"], shown.lines[1]["undo"]) == ("UNKNOWN", None, "")


def test_a_finding_has_an_id_for_its_place_and_a_fingerprint_for_its_values() -> None:
    def told(field: str, recorded: object, live: object, suffix: str = "dev") -> tuple[str, str]:
        finding = Finding("sns-topic/t", "sns-topic", field, Reason.CHANGED, recorded, live)
        record = finding_record(finding, None, suffix)
        return record["id"], record["fingerprint"]

    first, other_value, other_place = told("a", 1, 2), told("a", 1, 3), told("b", 1, 2)
    assert first == told("a", 1, 2)
    assert first[0] == other_value[0] != other_place[0]
    assert len({first[1], other_value[1], other_place[1]}) == 3
    # Members of one set that came: a place each.
    assert told("rules", None, "10.0.0.0/8")[0] != told("rules", None, "10.0.0.0/9")[0]
    assert first[0] != told("a", 1, 2, "pr-1")[0]


def test_graph_calls_and_waits_are_lines(shown: Shown) -> None:
    shown.screen.stack({"a/b": {"c/d", "a/a"}})
    shown.screen.spans([Span("a/b", "creating", 0.12345, 1, 0)])
    assert shown.lines == [
        {"type": "stack", "resources": [{"address": "a/b", "needs": ["a/a", "c/d"]}]},
        {
            "type": "span",
            "address": "a/b",
            "phase": "creating",
            "start_s": 0.123,
            "end_s": 1,
            "calls": 0,
            "env": "",
            "suffix": "",
        },
    ]


def test_outputs_records_and_documents_are_lines(shown: Shown) -> None:
    shown.screen.output("endpoint", "db.example")
    shown.screen.table(["a"], [["1"]], [{"type": "status", "a": 1}, {"a": 2}])
    shown.screen.document("graph", {"format": "dot"})
    assert shown.lines == [
        {"type": "output", "name": "endpoint", "value": "db.example"},
        {"type": "status", "a": 1},
        {"type": "row", "a": 2},
        {"type": "document", "format": "dot"},
    ]


def test_the_hash_of_a_plan_and_its_file_are_a_line(shown: Shown) -> None:
    shown.screen.plan_hash("ab", "dev.plan", "2026-01-02T03:04:05Z")
    (line,) = shown.lines
    assert {**line, "type": "plan", "hash": "ab", "path": "dev.plan", "expires": "2026-01-02T03:04:05Z"} == line


def test_an_estimate_is_a_line(shown: Shown) -> None:
    shown.screen.estimate(Estimate(670.00049, 335, 1340, ("kms-key/k", "db-cluster/db")))
    (line,) = shown.lines
    path = ["kms-key/k", "db-cluster/db"]
    assert {**line, "type": "estimate", "usual_s": 670, "low_s": 335, "high_s": 1340, "critical_path": path} == line


def test_an_error_of_aws_names_the_call(shown: Shown) -> None:
    error = AwsRefused("kms", "CreateKey", "LimitExceeded", "too many", request_id="4f1c", hint="ask for more")
    shown.screen.error(error, "nothing was changed")
    assert shown.lines == [
        {
            "type": "error",
            "code": "aws-refused",
            "message": "LimitExceeded on kms:CreateKey: too many (request 4f1c)",
            "why": None,
            "hint": "ask for more",
            "aws": {"service": "kms", "operation": "CreateKey", "code": "LimitExceeded", "request_id": "4f1c"},
            "retry_safe": False,
            "state": "nothing was changed",
            "env": "",
            "suffix": "",
        }
    ]


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        (NotConverged("c"), True),
        (LockHeld("c"), True),
        (StoreFailed("c"), True),
        (AwsNoAnswer("kms", "CreateKey", "Throttling", "slow down"), True),
        (Refused("c"), False),
        (TapctlError("c", evidence="e"), False),
    ],
)
def test_a_program_is_told_whether_the_same_command_may_succeed(shown: Shown, error: TapctlError, safe: bool) -> None:
    shown.screen.error(error)
    assert (shown.lines[0]["retry_safe"], shown.lines[0]["why"]) == (safe, error.evidence)


def test_configuration_errors_come_one_by_one(shown: Shown) -> None:
    shown.screen.error(ConfigError([Problem("dev.toml", "a.b", "5", "unknown key")]))
    (problem,) = shown.lines[0]["problems"]
    assert problem == {"file": "dev.toml", "key": "a.b", "value": "5", "rule": "unknown key", "line": 0}
    assert shown.lines[0]["aws"] is None


def test_the_verdict_is_the_last_line(shown: Shown) -> None:
    shown.screen.verdict(
        Verdict("drift", PROD, None, 2, {"drifted": 2}, "2 drifted", 1.23456, 42, 7, "manifests/prod.json")
    )
    assert shown.lines == [
        {
            "type": "verdict",
            "verb": "drift",
            "env": "prod",
            "suffix": "prod",
            "status": "DIFFERENT",
            "exit": 2,
            "counts": {"drifted": 2},
            "elapsed_s": 1.235,
            "api_calls": 42,
            "changing_calls": 7,
            "manifest": "manifests/prod.json",
            "summary": "2 drifted",
        }
    ]


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (None, 0, "OK"),
        (None, 2, "DIFFERENT"),
        (None, 7, "INCOMPLETE"),
        (None, 9, "FAILED"),
        (Status.BLOCKED, 6, "BLOCKED"),
    ],
)
def test_every_verdict_has_a_word(shown: Shown, status: Status | None, code: int, word: str) -> None:
    shown.screen.verdict(Verdict("plan", PROD, status, code))
    assert shown.lines[0]["status"] == word


def test_stdout_holds_json_and_nothing_else() -> None:
    shown = Shown(answer="yes\n")
    shown.screen.note("reading")
    shown.screen.warn("careful")
    assert shown.screen.ask("Apply?", "yes")
    assert (shown.stdout.getvalue(), shown.stderr.getvalue()) == ("", "reading\nwarning: careful\nApply? ")


def test_a_warning_is_a_line_too_and_never_before_the_first(shown: Shown) -> None:
    shown.screen.warn("the region is another")
    assert shown.all == []
    shown.screen.target(replace(PROD, identity="sso:dana"))
    shown.screen.warn("nobody is\ntold")
    first, second, third = shown.all
    whose = {"env": "prod", "suffix": "prod"}
    assert first["type"] == "version"
    assert second == {"type": "warning", "message": "the region is another", **whose}
    assert third == {"type": "warning", "message": "nobody is told", **whose}


def test_a_quiet_screen_writes_no_notes() -> None:
    stderr = io.StringIO()
    screen = JsonScreen(
        io.StringIO(), OutputStream(io.StringIO(), "stdout"), OutputStream(stderr, "stderr"), quiet=True
    )
    screen.note("reading")
    screen.warn("careful")
    assert stderr.getvalue() == "warning: careful\n"


def test_an_error_nobody_can_read_on_stdout_is_told_on_stderr() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    stderr = io.StringIO()
    screen = JsonScreen(io.StringIO(), OutputStream(Full(), "stdout"), OutputStream(stderr, "stderr"))
    screen.error(TapctlError("no"))
    assert stderr.getvalue() == f"error error\n  {CROSS} no\n"
    with pytest.raises(TapctlError, match="could not be written to stdout"):
        screen.verdict(Verdict("plan", PROD, None, 0))


@given(st.text(), st.text())
def test_no_value_breaks_a_line_or_hides_in_one(name: str, value: str) -> None:
    shown = Shown()
    shown.screen.output(name, value)
    assert shown.stdout.getvalue().isascii()
    assert shown.lines == [{"type": "output", "name": name, "value": value}]


def test_the_first_line_names_version_and_target_once_we_know_who_we_are(shown: Shown) -> None:
    shown.screen.target(Target("prod", region="us-east-1"))
    assert shown.all == []
    shown.screen.target(HEADER)
    shown.screen.target(HEADER)
    assert shown.stdout.getvalue() == (
        f'{{"type":"version","ui":"1.0","tapctl":"{__version__}","verb":"plan","env":"prod","suffix":"prod",'
        '"account":"421077550192","region":"us-east-1","config_hash":"9f3c","identity":"sso:dana"}\n'
    )


def test_the_version_is_written_before_any_other_line_whatever_is_known(shown: Shown) -> None:
    shown.screen.target(Target("prod"))
    shown.screen.error(TapctlError("no"))
    assert [(one["type"], one["env"]) for one in shown.all] == [("version", "prod"), ("error", "prod")]


def test_the_version_of_a_command_about_all_environments_is_written_at_once(shown: Shown) -> None:
    shown.screen.target(ALL)
    shown.screen.target(HEADER)
    assert [(one["verb"], one["env"]) for one in shown.all] == [("plan", "")]


def test_the_version_of_a_command_about_one_environment_waits_until_that_is_known(shown: Shown) -> None:
    target = Target(env="dev", suffix="pr-42", account="123456789012")
    shown.screen.target(Target(suffix="pr-42"))
    assert shown.all == []
    shown.screen.target(target)
    shown.screen.verdict(Verdict("plan", target, Status.FAILED, 1))
    version, verdict = shown.all
    assert (version["env"], version["suffix"], version["account"]) == ("dev", "pr-42", "123456789012")
    assert (verdict["env"], verdict["suffix"]) == ("dev", "pr-42")


def test_of_many_environments_each_finding_and_error_says_whose_it_is(shown: Shown) -> None:
    shown.screen.target(ALL)
    for suffix in ("dev", "pr-42"):
        shown.screen.target(Target(env="dev", suffix=suffix))
        shown.screen.drift(REPORT, {})
        shown.screen.error(TapctlError("no"))
    told = [(one["env"], one["suffix"]) for one in shown.lines]
    assert told == [("dev", "dev")] * (len(told) // 2) + [("dev", "pr-42")] * (len(told) // 2)


def test_each_check_before_the_first_change_is_a_line(shown: Shown) -> None:
    shown.screen.preflight(
        [
            Check("quotas", ok=True, detail="room"),
            Check("permissions", ok=False, detail="no", action="a:B", resource="r"),
        ]
    )
    assert [{name: value for name, value in each.items() if name != "type"} for each in shown.lines[-2:]] == [
        {"check": "quotas", "ok": True, "detail": "room"},
        {"check": "permissions", "ok": False, "detail": "no", "action": "a:B", "resource": "r"},
    ]
