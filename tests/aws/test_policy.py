from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.policy import (
    UNREAD,
    PolicyDocument,
    Principal,
    Statement,
    allow,
    as_json,
    from_answer,
    parse,
    policy,
    when,
)
from tapctl.errors import AwsNoAnswer

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def document(**element: Any) -> dict[str, Any]:
    """A policy of one statement."""
    plain = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [plain | element]}


# -- what AWS may answer for the same policy -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Action": "s3:GetObject"}, {"Action": ["s3:GetObject"]}),
        ({"Action": ["a:B", "c:D"]}, {"Action": ["c:D", "a:B"]}),
        ({"Resource": ["x", "y"]}, {"Resource": ["y", "x", "x"]}),
        ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"AWS": [ROOT]}}),
        ({"Principal": {"AWS": ACCOUNT}}, {"Principal": {"AWS": ROOT.replace(":aws:", ":aws-us-gov:")}}),
        ({"Principal": "*"}, {"Principal": {"AWS": ["*"]}}),
        ({"Condition": {"Bool": {"k": True}}}, {"Condition": {"Bool": {"k": "true"}}}),
        ({"Condition": {"Bool": {"k": [False]}}}, {"Condition": {"Bool": {"k": "false"}}}),
        ({"Condition": {"NumericLessThan": {"k": 5}}}, {"Condition": {"NumericLessThan": {"k": ["5"]}}}),
        ({"Sid": ""}, {}),
        ({"Principal": {"AWS": ACCOUNT}}, {"principal": {"AWS": ACCOUNT}}),
    ],
)
def test_two_forms_of_one_policy_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert parse(document(**one)) == parse(json.dumps(document(**other)))


def test_the_order_of_statements_and_a_single_one_without_a_list_mean_nothing() -> None:
    first, second = document(Sid="a")["Statement"][0], document(Sid="b")["Statement"][0]

    def of(statements: Any) -> PolicyDocument:
        return parse({"Version": "2012-10-17", "Statement": statements})

    assert of([first, second]) == of([second, first])
    assert of(first) == of([first])


def test_a_policy_without_statements_is_empty() -> None:
    assert parse({"Version": "2012-10-17"}) == policy()


# -- what is another policy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "element",
    [
        {"Effect": "Deny"},
        {"Sid": "Other"},
        {"Action": "s3:*"},
        {"Resource": "arn:aws:s3:::x"},
        {"Principal": "*"},
        {"NotAction": "s3:DeleteObject"},
        {"NotPrincipal": {"AWS": ACCOUNT}},
        {"NotResource": "arn:aws:s3:::x"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ],
)
def test_whatever_is_widened_or_narrowed_shows(element: dict[str, Any]) -> None:
    assert parse(document(**element)) != parse(document())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A role that was deleted is told by its unique id: that is somebody else.
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}, {"AWS": "AROAEXAMPLEEXAMPLE"}),
        ({"AWS": ROOT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:user/root"}),
        ({"AWS": ACCOUNT}, {"AWS": "210987654321"}),
        ({"Service": "lambda.amazonaws.com"}, {"Federated": "lambda.amazonaws.com"}),
        ({"Federated": ROOT}, {"Federated": ACCOUNT}),
    ],
)
def test_other_principals_are_other_policies(one: dict[str, str], other: dict[str, str]) -> None:
    assert parse(document(Principal=one)) != parse(document(Principal=other))


def test_an_older_version_is_another_policy() -> None:
    older = document() | {"Version": "2008-10-17"}
    unsaid = {"Statement": document()["Statement"]}

    assert parse(older) == parse(unsaid)
    assert parse(older) != parse(document())


# -- writing ---------------------------------------------------------------------------------------------------------

EVERYTHING = policy(
    allow("Root", ["kms:*"], ["*"], to={"AWS": ROOT}),
    allow(
        "Service",
        ["kms:Decrypt", "kms:GenerateDataKey*"],
        ["*"],
        to={"Service": "cloudwatch.amazonaws.com", "AWS": "*"},
        when=[
            when("StringEquals", "aws:SourceAccount", ACCOUNT),
            when("StringEquals", "aws:PrincipalOrgID", "o-1", "o-2"),
            when("Bool", "kms:GrantIsForAWSResource", "true"),
        ],
    ),
    Statement(effect="Deny", actions=frozenset({"s3:*"}), resources=frozenset({"*"})),
)


def test_what_is_written_is_read_back_equal() -> None:
    assert parse(as_json(EVERYTHING)) == EVERYTHING


def test_a_policy_is_written_as_aws_takes_it() -> None:
    statements = json.loads(as_json(EVERYTHING))["Statement"]

    assert json.loads(as_json(EVERYTHING))["Version"] == "2012-10-17"
    by_sid = {one.get("Sid"): one for one in statements}
    assert by_sid["Root"]["Principal"] == {"AWS": [ACCOUNT]}
    assert by_sid["Service"]["Principal"] == {"AWS": ["*"], "Service": ["cloudwatch.amazonaws.com"]}
    assert by_sid["Service"]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": [ACCOUNT], "aws:PrincipalOrgID": ["o-1", "o-2"]},
        "Bool": {"kms:GrantIsForAWSResource": ["true"]},
    }
    assert by_sid[None] == {"Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]}


@pytest.mark.parametrize(
    "element",
    [
        {"Sid": "z", "Effect": "Allow", "NotAction": "iam:*", "Resource": ["*"]},
        {"Effect": "Deny", "NotAction": ["s3:*", "kms:*"], "NotResource": "*"},
        {"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": ["sns:Publish"], "Resource": ["*"]},
    ],
)
def test_what_tapctl_never_writes_itself_is_written_back_as_it_was_read(element: dict[str, Any]) -> None:
    written = {"Version": "2012-10-17", "Statement": [element]}
    assert json.loads(as_json(parse(written))) == written


@pytest.mark.parametrize(
    "odd",
    [
        *("junk", "[1]", '"x"', "{"),
        # An order in the shape of a refusal: what judges a statement reads its own effect.
        '{"Effect": "Allow", "Action": "*", "Resource": "*"}',
        '{"action": "*", "NotResource": "x"}',
        '{"Principal": "*"}',
        '{"Sid": "x"}',
        '{"Condition": {}}',
    ],
)
def test_a_recorded_statement_whose_other_elements_are_none_is_in_no_known_form(odd: str) -> None:
    with pytest.raises(ValueError, match="other"):
        Statement(effect="Deny", actions=frozenset({"s3:*"}), other=odd)


def test_a_trust_policy_has_no_resource() -> None:
    trust = policy(allow("Lambda", ["sts:AssumeRole"], to={"Service": "lambda.amazonaws.com"}))

    assert "Resource" not in json.loads(as_json(trust))["Statement"][0]


def test_the_same_policy_is_the_same_text() -> None:
    again = policy(*sorted(EVERYTHING.statements, key=lambda one: one.sid, reverse=True))

    assert as_json(again) == as_json(EVERYTHING)


def test_the_root_of_an_account_and_its_id_are_one_principal() -> None:
    assert Principal(kind="AWS", name=ROOT) == Principal(kind="AWS", name=ACCOUNT)


def test_two_conditions_that_json_has_one_place_for_are_refused() -> None:
    with pytest.raises(ValueError, match="tests a key once"):
        allow("x", ["s3:*"], when=[when("StringEquals", "k", "a"), when("StringEquals", "k", "b")])


@pytest.mark.parametrize(
    "odd", ["", "junk", "[]", '"x"', "[" * 10_000, [], 1, {"Statement": [1]}, {"Statement": [], "statement": []}]
)
def test_an_answer_that_is_no_policy_cannot_be_used(odd: object) -> None:
    with pytest.raises(AwsNoAnswer, match="UnusableAnswer on kms:GetKeyPolicy: the answer cannot be used: its policy"):
        from_answer(odd, "kms:GetKeyPolicy")


@pytest.mark.parametrize(
    "odd",
    [{"Principal": "*", "principal": {"AWS": ACCOUNT}}, {"Effect": "allow"}, {"Principal": 1}, {"Condition": ["x"]}],
)
def test_a_statement_that_no_field_can_hold_is_told_as_it_was_written_and_hides_no_other(odd: dict[str, Any]) -> None:
    (ours,), (raw,) = document(Sid="ours")["Statement"], document(**odd)["Statement"]
    read = from_answer({"Version": "2012-10-17", "Statement": [ours, raw]}, "kms:GetKeyPolicy").statements
    (told,) = (one for one in read if one.sid != "ours")
    assert (len(read), json.loads(told.other)) == (2, {UNREAD: raw})


def test_a_policy_whose_own_parts_are_in_lower_case_is_no_empty_one() -> None:
    lower = {name.lower(): value for name, value in document().items()}
    assert parse(lower) == parse(document())


def test_an_answer_that_is_a_policy_is_one() -> None:
    assert from_answer(as_json(EVERYTHING), "kms:GetKeyPolicy") == EVERYTHING
