"""A role's name is global: one suffix in two regions of one account means one name, and two stacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.diff import compare
from tapctl.engine.observe import is_ours
from tapctl.reconcilers.iam_role import REGION_TAG, IamRole, IamRoleSpec
from tests.reconcilers.cases import iam_role as case
from tests.reconcilers.driving import OURS, bring, look
from tests.reconcilers.test_iam_role import having

REC, ID = IamRole(), case.ID


def of(region: str) -> IamRoleSpec:
    return having(tags={**case.TAGS, REGION_TAG: region})


@pytest.fixture
def elsewhere(aws: Aws) -> Aws:
    """The same account, as a run in another region sees it."""
    door = Aws(replace(aws.target, region="eu-west-1"))
    door.identify(aws.account)
    return door


def test_a_role_of_another_region_is_somebody_elses_whether_it_is_recorded_or_not(aws: Aws, elsewhere: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))

    seen = look(REC, elsewhere, ID, of("eu-west-1"))

    assert seen.outputs is not None
    for recorded in (None, seen.outputs.model_dump()):
        assert not is_ours(seen, OURS, recorded=recorded, created_by_aws=False)
    assert seen.owner == replace(OURS, scope="us-east-1")


def test_each_region_finds_its_own_role(aws: Aws, elsewhere: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))
    assert list(REC.list_owned(aws, OURS)) == [ID]
    assert list(REC.list_owned(elsewhere, OURS)) == []


def test_a_role_that_tells_no_region_is_ours_and_drift(aws: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))
    aws.iam.untag_role(RoleName=ID, TagKeys=[REGION_TAG])

    seen = look(REC, aws, ID, of("us-east-1"))

    assert is_ours(seen, OURS, recorded=None, created_by_aws=False)
    assert compare(of("us-east-1"), seen.spec) == ("tags",)
    assert list(REC.list_owned(aws, OURS)) == [ID]
    assert bring(REC, aws, ID, of("us-east-1")).spec == of("us-east-1")
