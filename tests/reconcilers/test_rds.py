from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.engine.model import Owner, Reconciler
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.db_parameter_groups import DbParameterGroup
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup
from tapctl.reconcilers.rds import classify, cluster_of, how_to_start, last_event
from tapctl.reconcilers.rds_event_subscription import RdsEventSubscription
from tests.reconcilers.scripted import DENIED, answer, refuse
from tests.reconcilers.scripted_aws import scripted

WHEN = (("last", 28), ("first", 27))


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
        (
            "InvalidParameterValue",
            "Missing necessary credentials. Please check http://docs.aws.amazon.com/…/UsingWithRDS.IAM.ServiceLinkedRoles",
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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "InvalidDBClusterStateFault",
            "This cluster is a part of a global cluster, please remove it from globalcluster first",
        ),
        (
            "InvalidDBInstanceState",
            "Cannot delete the last instance of the master cluster. Delete the replica cluster before deleting it",
        ),
        ("InvalidDBClusterStateFault", "The cluster is the source of an integration"),
        ("InvalidDBClusterStateFault", "The cluster is part of a Blue/Green deployment"),
    ],
)
def test_a_busy_code_that_means_never_is_a_refusal(code: str, message: str) -> None:
    error = AwsRefused("rds", "DeleteDBCluster", code, message)
    assert classify(error) is error
    assert "take it out of the global cluster" in str(error.hint)


def test_what_makes_the_role_that_rds_needs_is_told_where_it_does_not_come() -> None:
    error = AwsRefused("rds", "CreateDBSubnetGroup", "InvalidParameterValue", "Missing necessary credentials.")
    classify(error)
    assert "aws iam create-service-linked-role --aws-service-name rds.amazonaws.com" in str(error.hint)


def test_a_cluster_that_was_not_asked_for_is_not_the_one(aws: Aws) -> None:
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": [{"DBClusterIdentifier": "other"}]})
    assert cluster_of(aws, "mine") is None


def test_a_cluster_that_may_not_be_read_is_not_absent(aws: Aws) -> None:
    refuse(aws.rds, "DescribeDBClusters", *DENIED)
    with pytest.raises(AwsRefused):
        cluster_of(aws, "mine")


def test_the_last_event_is_the_reason(aws: Aws) -> None:
    last, first = ({"Message": text, "Date": datetime(2026, 11, day, tzinfo=UTC)} for text, day in WHEN)
    answer(aws.rds, "DescribeEvents", {"Events": [last], "Marker": "m"}, times=1)
    answer(aws.rds, "DescribeEvents", {"Events": [first, {"Message": "undated"}]}, times=1)
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


@pytest.mark.parametrize(
    "rec", [DbCluster(), DbInstance(), DbSubnetGroup(), DbParameterGroup(), RdsEventSubscription()]
)
def test_what_is_ours_is_found_without_a_look_at_anything_else(
    rec: Reconciler[Any, Any],
) -> None:
    arns = ("subgrp:g-dev", "cluster:c-dev", "db:i-dev", "pg:p-dev", "cluster-pg:q-dev", "es:e-dev")
    told = [{"ResourceARN": f"arn:aws:rds:us-east-1:1:{arn}"} for arn in arns]
    aws = scripted({"get_resources": {"ResourceTagMappingList": told}})
    kinds = {"db-cluster": "c", "db-instance": "i", "db-subnet-group": "g", "db-parameter-group": "p"}
    assert list(rec.list_owned(aws, Owner.ours("dev", "dev"))) == [f"{kinds.get(rec.type, 'e')}-dev"]
    assert [name for name, _ in aws.calls] == ["get_resources"]
