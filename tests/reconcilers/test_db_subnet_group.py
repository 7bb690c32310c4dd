from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tests.reconcilers.cases import db_subnet_group as case
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


def test_it_is_seen_in_two_calls_and_told_by_its_arn(aws: Aws, world: dict[str, str]) -> None:
    want = case.examples(world)[0]
    bring(REC, aws, ID, want)
    before = calls(aws)
    seen = look(REC, aws, ID, want)
    assert calls(aws) - before == 2
    assert seen.outputs is not None
    assert seen.outputs.arn == f"arn:aws:rds:us-east-1:123456789012:subgrp:{ID}"
    assert (seen.spec, seen.owner, seen.settled, seen.status) == (want, OURS, True, "Complete")


def test_the_whole_new_list_of_subnets_is_sent(aws: Aws, world: dict[str, str]) -> None:
    first, second = case.examples(world)
    bring(REC, aws, ID, first)
    assert REC.update(aws, ID, first, second) == {"description", "subnet_ids"}
    assert look(REC, aws, ID).spec.subnet_ids == second.subnet_ids


def test_a_group_that_may_not_be_read_is_not_absent(aws: Aws) -> None:
    refuse(aws.rds, "DescribeDBSubnetGroups", *DENIED)
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, None)


def test_a_group_that_was_not_asked_for_is_not_the_one(aws: Aws) -> None:
    answer(aws.rds, "DescribeDBSubnetGroups", {"DBSubnetGroups": [{"DBSubnetGroupName": "other"}]})
    assert REC.observe(aws, ID, None) is None


def test_a_taken_name_is_looked_at_again_and_a_bad_subnet_is_refused(aws: Aws, world: dict[str, str]) -> None:
    want = case.examples(world)[0]
    with pytest.raises(AwsRefused, match="InvalidSubnet"):
        REC.create(aws, ID, want.model_copy(update={"subnet_ids": frozenset({"subnet-none"})}), OURS)
    bring(REC, aws, ID, want)
    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, want, OURS)


def test_a_change_of_what_does_not_show_yet_is_asked_again(aws: Aws, world: dict[str, str]) -> None:
    first, second = case.examples(world)
    with pytest.raises(NotYet) as caught:
        REC.update(aws, ID, first, second)
    assert caught.value.patience is Patience.PROPAGATION


def test_a_group_in_use_is_waited_for(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, case.examples(world)[0])
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        EngineVersion="16",
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=ID,
    )
    with pytest.raises(NotYet, match="database cluster: c") as caught:
        REC.delete(aws, ID, look(REC, aws, ID), None)
    assert caught.value.patience is Patience.LONG
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    seen = look(REC, aws, ID)
    delete_until_gone(REC, aws, ID)
    REC.delete(aws, ID, seen, None)


def test_a_removal_that_is_not_allowed_is_refused(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, case.examples(world)[0])
    refuse(aws.rds, "DeleteDBSubnetGroup", *DENIED)
    with pytest.raises(AwsRefused):
        REC.delete(aws, ID, look(REC, aws, ID), None)
