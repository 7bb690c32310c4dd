"""No report holds what looks like a secret, wherever somebody has written it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tapctl.aws.policy import allow, policy, when
from tapctl.commands.parity import show
from tapctl.engine.drift import Finding, Reason, Report, finding_id
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action, Change, FieldChange, LeftField, Plan
from tapctl.render import choose_screen
from tapctl.render.harmless import harmless
from tapctl.render.jsonl import change_record, finding_record
from tapctl.render.reports import drift_lines, plan_lines

TOKEN = "token=hunter44hunter44"
SECRET_ARN = "arn:aws:secretsmanager:us-east-2:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("tags.DB_PASSWORD", "hunter22hunter22", "***"),
        ("dimensions.password", "hunter22", "***"),
        ("tags", {"DB_PASSWORD": "hunter22hunter22", "Team": "cards"}, {"DB_PASSWORD": "***", "Team": "cards"}),
        ("description", f"see {TOKEN}", "***"),
        ("further", frozenset({f"DeliveryPolicy is {TOKEN}", "x"}), frozenset({"***", "x"})),
        ("layers", (TOKEN,), ("***",)),
        ("parameters.password_encryption", "scram-sha-256", "scram-sha-256"),
        ("replicas", SECRET_ARN, SECRET_ARN),
        ("grants", f"1 to {SECRET_ARN} (Decrypt)", f"1 to {SECRET_ARN} (Decrypt)"),
        ("tags.DB_PASSWORD", "", ""),
        ("timeout_s", 60, 60),
        ("description", None, None),
    ],
)
def test_what_looks_like_a_secret_is_not_shown(path: str, value: Any, shown: Any) -> None:
    assert harmless(path, value) == shown


def test_of_a_statement_only_the_text_that_looks_like_one_is_hidden() -> None:
    one = allow("x", ["s3:*"], ["*"], when=[when("StringEquals", "aws:Referer", TOKEN)])
    shown = allow("x", ["s3:*"], ["*"], when=[when("StringEquals", "aws:Referer", "***")])
    assert harmless("policy", policy(one)) == policy(shown)
    assert harmless("policy.statements", one) == shown


def test_neither_a_drift_nor_a_plan_shows_one_in_any_form() -> None:
    finding = Finding("kms-key/k", "kms-key", "description", Reason.CHANGED, "ours", TOKEN, asked=TOKEN)
    record = finding_record(finding, None, "dev")
    assert (record["live"], record["asked"], record["id"]) == ("***", "***", finding_id("dev", finding))
    change = Change(
        "kms-key/k",
        "kms-key",
        "k",
        Action.UPDATE,
        fields=(FieldChange("description", TOKEN, "ours", Impact.NONE), FieldChange("tags.API_KEY", "hunter55", None)),
        left=(LeftField("further", f"x is {TOKEN}", allow_ends=False),),
    )
    texts = [
        *drift_lines(Report((finding,), 1, 0, 1), {}, verbose=True),
        *plan_lines(Plan((change,), {}, (), ()), verbose=True),
        str(record),
        str(change_record(change)),
    ]
    assert not [text for text in texts if "hunter" in text]
    assert len([text for text in texts if "***" in text]) == len(["finding", "field", "tag", "left", "json", "json"])


def test_a_parity_shows_none_either() -> None:
    said = io.StringIO()
    screen = choose_screen(said, io.StringIO(), {"TERM": "dumb"})
    values = {"dev": "hunter22hunter22", "prod": None}
    row = {"type": "difference", "where": "aws", "what": "kms-key/k tags.API_KEY", "values": values, "verdict": "x"}
    show(screen, ("dev", "prod"), [row, {**row, "values": "no mapping", "what": "other"}])
    assert "***" in said.getvalue()
    assert "hunter" not in said.getvalue()
