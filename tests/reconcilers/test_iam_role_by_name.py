"""A role whose inline policies may not be listed: those that are wanted are still asked for by name."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.policy import allow, policy
from tapctl.reconcilers.iam_role import IamRole
from tests.reconcilers.cases import iam_role as case
from tests.reconcilers.driving import bring, delete_until_gone, look
from tests.reconcilers.scripted import refuse
from tests.reconcilers.test_iam_role import WANT, having

REC, ID = IamRole(), case.ID


@pytest.fixture
def unlisted(aws: Aws) -> Aws:
    refuse(aws.iam, "ListRolePolicies", "AccessDenied")
    return aws


def test_a_role_is_made_with_its_policy(unlisted: Aws) -> None:
    seen = bring(REC, unlisted, ID, WANT)
    assert unlisted.call_log.changes["iam:PutRolePolicy"] == 1
    # There may be others.
    assert (seen.spec, dict(seen.unreadable)) == (WANT, {"inline": "iam:ListRolePolicies"})


def test_a_policy_that_is_missing_or_differs_is_no_unknown(unlisted: Aws) -> None:
    bring(REC, unlisted, ID, WANT)
    more = WANT.model_copy(update={"inline": {"policy": policy(allow("Traces", ["xray:PutTraceSegments"], ["*"]))}})
    seen = look(REC, unlisted, ID, more)
    assert (seen.spec.inline, dict(seen.unreadable)) == (WANT.inline, {})
    unlisted.iam.delete_role_policy(RoleName=ID, PolicyName="policy")
    seen = look(REC, unlisted, ID, WANT)
    assert (dict(seen.spec.inline), dict(seen.unreadable)) == ({}, {})


def test_what_is_promised_in_a_policy_may_be_anything_and_the_rest_may_not(unlisted: Aws) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-1-AbCdEf"
    read = ["secretsmanager:GetSecretValue"]
    bring(REC, unlisted, ID, having(inline={"policy": policy(allow("Read", read, [secret]))}))

    planned = having(inline={"policy": policy(allow("Read", read, ["⟦db-cluster/c.secret_arn⟧"]))})
    assert dict(look(REC, unlisted, ID, planned).unreadable) == {"inline": "iam:ListRolePolicies"}
    other = having(inline={"policy": policy(allow("Write", read, ["⟦db-cluster/c.secret_arn⟧"]))})
    assert dict(look(REC, unlisted, ID, other).unreadable) == {}


def test_its_recorded_policy_is_removed_with_it(unlisted: Aws) -> None:
    bring(REC, unlisted, ID, WANT)
    assert delete_until_gone(REC, unlisted, ID, WANT) is None
