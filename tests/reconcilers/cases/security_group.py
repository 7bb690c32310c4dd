"""The security group for the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.engine.model import Spec
from tapctl.reconcilers.security_group import SecurityGroup, SecurityGroupSpec

RECONCILER = SecurityGroup()
ID = "lambda-sg-test"
CREATE = ("ec2", "CreateSecurityGroup")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {
        "vpc": aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"],
        "other_vpc": aws.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"],
    }


def examples(world: dict[str, str]) -> list[Spec]:
    first = SecurityGroupSpec(
        description="Payment processor of test", vpc_id=world["vpc"], tags={**TAGS, "Team": "payments"}
    )
    return [
        first,
        first.model_copy(update={"tags": {**TAGS, "CostCenter": "payments"}}),
        first.model_copy(update={"description": "Another"}),
        first.model_copy(update={"vpc_id": world["other_vpc"]}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.ec2.create_security_group(
        GroupName=ID,
        Description="theirs",
        VpcId=world["vpc"],
        TagSpecifications=[
            {"ResourceType": "security-group", "Tags": [{"Key": "ManagedBy", "Value": "terraform"}]},
        ],
    )
