"""Everybody is let in by the star, and by a provider of identities that has one for all."""

from __future__ import annotations

from string import ascii_lowercase, digits
from typing import Any

import pytest

from tapctl.aws.everybody import everybodys
from tapctl.aws.policy import parse

GOOGLE_HOST = "accounts.google.com"
GOOGLE = {"Federated": GOOGLE_HOST}
COGNITO = {"Federated": "cognito-identity.amazonaws.com"}
HOST = "token.actions.githubusercontent.com"
GITHUB = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST}"}
SAML = {"Federated": "arn:aws:iam::123456789012:saml-provider/staff"}


def condition(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: [*values]}}}


@pytest.mark.parametrize(
    ("principal", "more", "everybody"),
    [
        *((one, {}, True) for one in (GOOGLE, COGNITO, GITHUB, SAML, {"federated": "accounts.google.com"})),
        *(({kind: "*"}, {}, True) for kind in ("AWS", "Federated", "Service", "CanonicalUser")),
        *(({"AWS": f"arn:aws:iam::{each}"}, {}, True) for each in ("*:root", "999999999999:role/*")),
        ({"Service": "*.amazonaws.com"}, {}, True),
        *(({kind: "1"}, {}, False) for kind in ("AWS", "Service", "CanonicalUser")),
        (GITHUB, condition("StringEquals", f"{HOST}:aud", "sts.amazonaws.com"), True),
        (GITHUB, condition("StringEquals", f"{HOST}:sub", "repo:ours/payments:ref:refs/heads/main"), False),
        (GITHUB, condition("stringlike", f"{HOST}:SUB", "repo:ours/*"), False),
        (GITHUB, condition("ForAnyValue:StringLike", f"{HOST}:sub", "repo:ours/*"), False),
        *((GITHUB, condition("StringLike", f"{HOST}:sub", "repo:ours/*", each), True) for each in ("*", "r?po:*")),
        (GITHUB, condition("StringLike", f"{HOST}:sub", "repo:*"), True),
        *((GITHUB, condition("StringLike", f"{HOST}:sub", f"repo:{each}*"), True) for each in ("o", "ours", "/", "?/")),
        (GITHUB, condition("StringLike", f"{HOST}:sub", *(f"repo:{each}*" for each in ascii_lowercase + digits)), True),
        *(
            (GITHUB, condition("StringLike", f"{HOST}:sub", each), False)
            for each in ("organization:ours:*", "org/1234/*", "repo:ours/?:ref:*", "repo:ours/x")
        ),
        # A policy variable is what the request says it is.
        *(
            (GITHUB, condition(operator, f"{HOST}:sub", "repo:ours/x", each), True)
            for operator in ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ForAnyValue:StringEquals")
            for each in (f"${{{HOST}:sub}}", f"repo:ours/${{{HOST}:sub}}", "${aws:x, 'repo:ours/x'}")
        ),
        (GOOGLE, condition("StringEquals", f"{GOOGLE_HOST}:email", f"${{{GOOGLE_HOST}:email}}"), True),
        (GOOGLE, condition("StringEquals", f"{GOOGLE_HOST}:email", "somebody@ours.example"), False),
        *((GOOGLE, condition("StringLike", f"{GOOGLE_HOST}:sub", f"{each}*"), True) for each in ("1", "a:b")),
        (GITHUB, condition("StringEquals", f"{HOST}:sub", "repo:ours/*"), False),
        (GITHUB, condition("StringEquals", f"{HOST}:sub"), True),
        *(
            (GITHUB, condition(operator, f"{HOST}:sub", "repo:ours/x"), True)
            for operator in ("StringNotEquals", "StringLikeIfExists", "ForAllValues:StringEquals", "Null")
        ),
        (GOOGLE, condition("StringEquals", "accounts.google.com:aud", "1234.apps.example"), False),
        (GOOGLE, condition("StringEquals", "aws:RequestedRegion", "us-east-2"), True),
        (COGNITO, condition("StringEquals", "cognito-identity.amazonaws.com:aud", "us-east-2:1"), False),
        (COGNITO, condition("StringLike", "cognito-identity.amazonaws.com:amr", "x:authenticated"), True),
        (SAML, condition("StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml"), False),
    ],
)
def test_who_is_everybody(principal: dict[str, str], more: dict[str, Any], *, everybody: bool) -> None:
    document = parse({"Statement": [{"Effect": "Allow", "Principal": principal, **more}]})
    (statement,) = document.statements
    assert everybodys(statement) == (statement.principals if everybody else frozenset())
