"""Strangers in a group that databases are in, asked for before a destroy begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tapctl.engine.model import Observed
from tapctl.errors import AwsRefused, Refused
from tapctl.reconcilers import registry
from tapctl.reconcilers.database_groups import DatabaseGroups
from tapctl.reconcilers.iam_role import IamRoleOutputs
from tapctl.reconcilers.security_group import SecurityGroupOutputs
from tests.reconcilers.scripted_aws import refused, scripted

CLUSTER = {"DBClusterIdentifier": "copy", "Status": "available"}
MEMBER = {"DBInstanceIdentifier": "copy-0", "DBClusterIdentifier": "copy", "DBInstanceStatus": "available"}
SUBNETS, GROUP = "db-subnet-group", "security-group"
CLUSTER_PARAMETERS, PARAMETERS = "db-cluster-parameter-group", "db-parameter-group"


def refusal(type_: str, answers: Mapping[str, Any], *going: str) -> Refused | None:
    """Text of what stands against the removal of the group ``ours`` (to EC2: ``sg-1``), where these go with it."""
    group: Any = registry()[type_].removed_with(going)
    assert isinstance(group, DatabaseGroups)
    seen: Observed[Any, Any] = Observed(None, SecurityGroupOutputs(group_id="sg-1"))
    nothing: dict[str, Any] = {"describe_security_groups": {"SecurityGroups": []}}
    return group.removal_refusal(scripted({**nothing, **answers}), "ours", seen, None)


def clusters(**more: Any) -> dict[str, Any]:
    return {"describe_db_clusters": {"DBClusters": [CLUSTER | more]}}


def instances(**more: Any) -> dict[str, Any]:
    return {"describe_db_instances": {"DBInstances": [MEMBER | more]}}


def interfaces(**more: Any) -> dict[str, Any]:
    interface = {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}], **more}
    return {"describe_network_interfaces": {"NetworkInterfaces": [interface]}}


def vpcs(state: str) -> dict[str, Any]:
    association = {"GroupId": "sg-1", "VpcId": "vpc-2", "State": state}
    return {"describe_security_group_vpc_associations": {"SecurityGroupVpcAssociations": [association]}}


def functions(name: str, group: str = "sg-1", role: str = "") -> dict[str, Any]:
    function = {"FunctionName": name, "Role": role, "VpcConfig": {"SecurityGroupIds": [group]}}
    return {"list_functions": {"Functions": [{"FunctionName": "without a VPC"}, function]}}


@pytest.mark.parametrize(
    ("type_", "answers", "user"),
    [
        (SUBNETS, clusters(DBSubnetGroup="Ours"), "db-cluster/copy"),
        (SUBNETS, instances(DBSubnetGroup={"DBSubnetGroupName": "ours"}), "db-instance/copy-0"),
        (SUBNETS, clusters(DBSubnetGroup="theirs"), ""),
        (SUBNETS, clusters(DBSubnetGroup="ours", Status="deleting"), ""),
        (SUBNETS, instances(DBSubnetGroup={"DBSubnetGroupName": "ours"}, DBInstanceStatus="deleting"), ""),
        (CLUSTER_PARAMETERS, clusters(DBClusterParameterGroup="ours"), "db-cluster/copy"),
        (PARAMETERS, instances(DBParameterGroups=[{"DBParameterGroupName": "ours"}]), "db-instance/copy-0"),
        (GROUP, clusters(VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-1"}]), "db-cluster/copy"),
        (GROUP, instances(VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-1"}]), "db-instance/copy-0"),
        (GROUP, interfaces(Description="bastion"), "eni-1 (bastion)"),
        # Taken away by AWS, some time after the last user: a destroy waits for it.
        (GROUP, interfaces(Description="RDSNetworkInterface", RequesterManaged=True), ""),
        (GROUP, interfaces(Description="AWS Lambda VPC ENI-gone", InterfaceType="lambda"), ""),
        (GROUP, vpcs("associated"), "its use in vpc-2 (aws ec2 disassociate-security-group-vpc --group-id sg-1"),
        (GROUP, vpcs("disassociated"), ""),
        (
            GROUP,
            {
                "describe_security_group_vpc_associations": refused(
                    "ec2:DescribeSecurityGroupVpcAssociations", "InvalidAction"
                )
            },
            "",
        ),
        (GROUP, functions("report-tool"), "the function report-tool"),
        (GROUP, functions("report-tool", "sg-2"), ""),
        (GROUP, {"describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-2", "GroupName": "bi"}]}}, "bi"),
        (GROUP, {"describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "ours"}]}}, ""),
    ],
)
def test_who_else_is_in_a_group_stands_against_its_removal(type_: str, answers: dict[str, Any], user: str) -> None:
    told = refusal(type_, answers, "security-group/lambda-sg-dev")
    assert (told is not None) == bool(user)
    if told is not None:
        assert told.cause.startswith(f"{type_}/ours is used by what is not ours and is never removed: ")
        assert user in told.cause


def test_what_goes_with_the_group_does_not_stand_against_it() -> None:
    used = {"DBSubnetGroup": "ours"}
    assert refusal(SUBNETS, clusters(**used), "db-cluster/copy") is None
    # A member that somebody has added to our cluster is told with the cluster.
    members = instances(DBSubnetGroup={"DBSubnetGroupName": "ours"})
    assert refusal(SUBNETS, members, "db-cluster/copy") is None
    assert refusal(SUBNETS, members, "db-instance/copy-0") is None
    assert refusal(GROUP, functions("payments"), "lambda-function/payments") is None
    naming = {"describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-2", "GroupName": "lambda-sg-dev"}]}}
    assert refusal(GROUP, naming, "security-group/lambda-sg-dev") is None


def test_an_apply_asks_nobody() -> None:
    """Ours is moved to the group that takes its place before it goes."""
    aws = scripted(clusters(DBSubnetGroup="ours"))
    seen: Observed[Any, Any] = Observed(None, None)
    assert registry()[SUBNETS].removal_refusal(aws, "ours", seen, None) is None
    assert aws.calls == []


def test_where_nobody_may_ask_it_is_not_removed() -> None:
    denied = refused("rds:DescribeDBClusters", "AccessDenied")
    told = refusal(SUBNETS, {"describe_db_clusters": denied})
    assert told is not None
    assert (told.cause, told.hint) == (
        "db-subnet-group/ours: who else uses it could not be asked",
        "allow rds:DescribeDBClusters, then run the same command again",
    )
    with pytest.raises(AwsRefused):
        refusal(SUBNETS, {"describe_db_clusters": refused("rds:DescribeDBClusters", "Strange")})


def test_a_function_that_runs_as_our_role_stands_against_its_removal_and_ours_does_not() -> None:
    arn = "arn:aws:iam::123456789012:role/ours"
    seen: Observed[Any, Any] = Observed(None, IamRoleOutputs(arn=arn, role_id="AROA"))

    def told(answers: dict[str, Any], *going: str) -> Any:
        return registry()["iam-role"].removed_with(going).removal_refusal(scripted(answers), "ours", seen, None)

    against = told(functions("report-tool", role=arn))
    assert against.cause == "iam-role/ours is used by what is not ours and is never removed: the function report-tool"
    assert told(functions("report-tool", role=f"{arn}-2")) is None
    profile = {"list_instance_profiles_for_role": {"InstanceProfiles": [{"InstanceProfileName": "bastion"}]}}
    assert told(profile).cause.endswith(": the instance profile bastion")
    denied = told({"list_instance_profiles_for_role": refused("iam:ListInstanceProfilesForRole", "AccessDenied")})
    assert denied.hint == "allow iam:ListInstanceProfilesForRole, then run the same command again"
    assert told(functions("payments", role=arn), "lambda-function/payments") is None
    assert registry()["iam-role"].removal_refusal(scripted(functions("x", role=arn)), "ours", seen, None) is None
    denied = told({"list_functions": refused("lambda:ListFunctions", "AccessDeniedException")})
    assert denied.hint == "allow lambda:ListFunctions, then run the same command again"
