"""The writer changes its class last, and as a reader: whom it waits for, and who writes meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import NotYet, Patience
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tests.reconcilers.cases import db_instance as case
from tests.reconcilers.clusters import CLUSTER, add_member, described, instance, writer
from tests.reconcilers.driving import TAGS, look
from tests.reconcilers.scripted import answer, refuse

REC, ID = case.RECONCILER, case.ID
WANT = case.examples({})[0]
LARGER = "db.r6g.xlarge"

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


def with_(**changes: Any) -> DbInstanceSpec:
    return WANT.model_copy(update=changes)


def member(status: str) -> dict[str, object]:
    return {"DBInstanceIdentifier": ID, "IsClusterWriter": True, "DBClusterParameterGroupStatus": status}


def test_a_reader_changes_its_class_while_another_writes(aws: Aws) -> None:
    first, second = add_member(aws, 0), add_member(aws, 1)
    assert writer(aws) == first
    assert REC.update(aws, second, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_a_writer_changes_its_class_last_and_as_a_reader(aws: Aws) -> None:
    first, second, third = (add_member(aws, number, PromotionTier=3 - number) for number in range(3))
    want = with_(instance_class=LARGER)
    with pytest.raises(NotYet, match=r"is still db\.r6g\.large"):
        REC.update(aws, first, WANT, want)
    for name in (second, third):
        aws.rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass=LARGER, ApplyImmediately=True)
    assert REC.update(aws, first, WANT, want) == frozenset()
    assert writer(aws) == third
    assert look(REC, aws, first).spec.instance_class == "db.r6g.large"
    assert REC.update(aws, first, WANT, want) == {"instance_class"}
    assert look(REC, aws, first).spec.instance_class == LARGER


def test_a_writer_waits_for_no_reboot_of_the_others_which_never_comes_by_itself(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER)
    aws.rds.modify_db_instance(DBInstanceIdentifier=second, DBParameterGroupName=f"{case.GROUP}-other")
    assert look(REC, aws, second).pending["parameter_group"].until == "reboot"
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == frozenset()
    assert writer(aws) == second


def test_a_writer_waits_while_others_apply_their_parameters(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER)
    applying = {"DBInstanceIdentifier": second, "DBClusterParameterGroupStatus": "applying"}
    answer(aws.rds, "DescribeDBClusters", described(aws, DBClusterMembers=[member("in-sync"), applying]))
    with pytest.raises(NotYet, match="is applying its parameters"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def test_a_writer_waits_for_the_others_to_be_available(aws: Aws) -> None:
    first = add_member(aws, 0)
    busy = instance(
        aws,
        DBInstanceIdentifier=f"{CLUSTER}-1",
        DBInstanceClass=LARGER,
        DBInstanceStatus="modifying",
        TagList=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    answer(aws.rds, "DescribeDBInstances", busy)
    with pytest.raises(NotYet, match="is modifying"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def test_a_member_that_somebody_added_is_neither_waited_for_nor_made_the_writer(aws: Aws) -> None:
    first = add_member(aws, 0)
    add_member(aws, 7, tags={})
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}
    # AWS itself may hand over while it restarts.
    assert aws.call_log.calls["rds:FailoverDBCluster"] == 0


def test_a_failover_that_is_not_possible_yet_is_asked_again(aws: Aws) -> None:
    first = add_member(aws, 0)
    add_member(aws, 1, DBInstanceClass=LARGER)
    refuse(aws.rds, "FailoverDBCluster", "InvalidDBClusterStateFault")
    with pytest.raises(NotYet, match="InvalidDBClusterStateFault"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))
    answer(aws.rds, "DescribeDBClusters", described(aws, Status="failing-over"))
    with pytest.raises(NotYet, match=f"{CLUSTER} is failing-over"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def others(aws: Aws, *members: tuple[str, dict[str, Any]]) -> None:
    """What RDS tells of the members: by name, as the first one but for these changes."""
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    told = [
        instance(aws, DBInstanceIdentifier=name, TagList=tags, **changes)["DBInstances"][0] for name, changes in members
    ]
    answer(aws.rds, "DescribeDBInstances", {"DBInstances": told})


@pytest.mark.parametrize("status", ["failed", "incompatible-network", "stopped", "deleting"])
def test_a_writer_waits_for_none_that_aws_gave_up_on_and_hands_over_to_none(aws: Aws, status: str) -> None:
    first = add_member(aws, 0)
    others(aws, (f"{CLUSTER}-1", {"DBInstanceStatus": status}))
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}
    assert aws.call_log.calls["rds:FailoverDBCluster"] == 0


@pytest.mark.parametrize(
    ("changes", "cluster", "patience"),
    [
        ({}, "available", Patience.BUSY),
        ({"DBInstanceStatus": "modifying"}, "available", Patience.LONG),
        ({"PendingModifiedValues": {"DBInstanceClass": LARGER}}, "available", Patience.LONG),
        ({}, "backing-up", Patience.LONG),
    ],
)
def test_a_reader_on_which_aws_is_at_work_is_waited_for_long_and_an_idle_one_is_not(
    aws: Aws, changes: dict[str, Any], cluster: str, patience: Patience
) -> None:
    first = add_member(aws, 0)
    others(aws, (f"{CLUSTER}-1", changes))
    answer(aws.rds, "DescribeDBClusters", described(aws, DBClusterMembers=[member("in-sync")], Status=cluster))
    with pytest.raises(NotYet, match=r"is still db\.r6g\.large") as caught:
        REC.update(aws, first, WANT, with_(instance_class=LARGER))
    assert caught.value.patience is patience


def test_a_writer_waits_for_those_alone_that_stay_and_hands_over_to_one_of_them(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER, PromotionTier=9)
    add_member(aws, 2, PromotionTier=0)
    assert DbInstance((first, second)).update(aws, first, WANT, with_(instance_class=LARGER)) == frozenset()
    assert writer(aws) == second


def test_where_only_one_that_is_to_go_can_write_meanwhile_it_does(aws: Aws) -> None:
    first, second = add_member(aws, 0), add_member(aws, 1)
    only = DbInstance((first,))
    assert only.update(aws, first, WANT, with_(instance_class=LARGER)) == frozenset()
    assert writer(aws) == second
    assert only.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_one_that_is_to_go_and_is_busy_is_neither_waited_for_nor_made_the_writer(aws: Aws) -> None:
    first = add_member(aws, 0)
    others(aws, (f"{CLUSTER}-1", {"DBInstanceStatus": "modifying"}))
    assert DbInstance((first,)).update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_what_is_in_no_cluster_that_shows_just_changes(aws: Aws) -> None:
    first = add_member(aws, 0)
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": []})
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}
