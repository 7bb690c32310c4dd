from __future__ import annotations

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.rds import NO_SUBNET_GROUP, classify, cluster_of, how_to_start, last_event, owned_names
from tests.reconcilers.scripted import DENIED, answer, refuse


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        ("DBClusterParameterGroupNotFound", "not found", Patience.PROPAGATION),
        ("KMSKeyNotAccessibleFault", "key [null] does not exist", Patience.PROPAGATION),
        ("InvalidParameterValue", "Invalid security group , groupId= sg-1, groupName=.", Patience.PROPAGATION),
        (
            "InvalidParameterValue",
            "Verify that you have permission to create service linked role. Otherwise wait and try again later",
            Patience.PROPAGATION,
        ),
        ("InvalidDBParameterGroupState", "has pending changes", Patience.BUSY),
        ("InvalidDBClusterStateFault", "not available for modification with status creating", Patience.LONG),
        ("InvalidDBInstanceState", "not available", Patience.LONG),
    ],
)
def test_a_refusal_that_passes_by_itself_is_asked_again(code: str, message: str, patience: Patience) -> None:
    means = classify(AwsRefused("rds", "ModifyDBCluster", code, message))
    assert isinstance(means, NotYet)
    assert means.patience is patience
    assert code in means.reason
    assert message in means.reason


@pytest.mark.parametrize("code", ["InvalidParameterValue", "InvalidParameterCombination", "AccessDenied"])
def test_any_other_refusal_is_a_refusal(code: str) -> None:
    error = AwsRefused("rds", "ModifyDBCluster", code, "no")
    assert classify(error) is error


@pytest.mark.parametrize("code", ["InvalidDBClusterStateFault", "InvalidDBInstanceState"])
def test_a_stopped_cluster_is_not_waited_for(code: str) -> None:
    error = AwsRefused("rds", "ModifyDBCluster", code, "Cluster c is in Stopped state")
    start = how_to_start(Aws(Connection(region="eu-west-1")), "c")
    assert classify(error, start) is error
    assert error.hint == "start it first: aws rds start-db-cluster --db-cluster-identifier c --region eu-west-1"


def test_a_cluster_that_was_not_asked_for_is_not_the_one(aws: Aws) -> None:
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": [{"DBClusterIdentifier": "other"}]})
    assert cluster_of(aws, "mine") is None


def test_a_cluster_that_may_not_be_read_is_not_absent(aws: Aws) -> None:
    refuse(aws.rds, "DescribeDBClusters", *DENIED)
    with pytest.raises(AwsRefused):
        cluster_of(aws, "mine")


def test_the_last_event_is_the_reason(aws: Aws) -> None:
    answer(aws.rds, "DescribeEvents", {"Events": [{"Message": "first"}, {"Message": "last"}]}, times=1)
    assert last_event(aws, "db-cluster", "c") == "last"
    answer(aws.rds, "DescribeEvents", {"Events": []}, times=1)
    assert last_event(aws, "db-cluster", "c") == ""
    refuse(aws.rds, "DescribeEvents", *DENIED)
    assert last_event(aws, "db-cluster", "c") == ""


@pytest.mark.parametrize(("rec", "kind"), [(DbCluster(), "db-cluster"), (DbInstance(), "db-instance")])
def test_the_last_event_explains_what_did_not_converge(aws: Aws, rec: DbCluster | DbInstance, kind: str) -> None:
    answer(aws.rds, "DescribeEvents", {"Events": [{"Message": "Unable to upgrade"}]})
    asked: list[str] = []
    aws.rds.meta.events.register(
        "provide-client-params.rds.DescribeEvents", lambda params, **_: asked.append(params["SourceType"])
    )
    assert rec.last_event(aws, "c") == "Unable to upgrade"
    assert asked == [kind]


def test_a_group_that_went_meanwhile_is_not_found_and_one_that_may_not_be_read_is_told(aws: Aws) -> None:
    arns = {"gone": "arn:aws:rds:us-east-1:1:subgrp:gone"}
    refuse(aws.rds, "ListTagsForResource", NO_SUBNET_GROUP, times=1)
    assert list(owned_names(aws, Owner.ours("test"), NO_SUBNET_GROUP, arns)) == []
    refuse(aws.rds, "ListTagsForResource", *DENIED)
    with pytest.raises(AwsRefused):
        list(owned_names(aws, Owner.ours("test"), NO_SUBNET_GROUP, arns))
