"""The DB subnet group in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup, DbSubnetGroupSpec

RECONCILER = DbSubnetGroup()
ID = "db-subnet-test"
CREATE = ("rds", "CreateDBSubnetGroup")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("rds", "ListTagsForResource", "DBSubnetGroupNotFoundFault")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return {
        zone: aws.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{aws.region}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for at, zone in enumerate("abc")
    }


def examples(world: dict[str, str]) -> list[DbSubnetGroupSpec]:
    base = DbSubnetGroupSpec(
        description="Private subnets for db-cluster-test",
        subnet_ids=frozenset({world["a"], world["b"], world["c"]}),
        tags={**TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                "description": "Private subnets",
                "subnet_ids": frozenset({world["b"], world["c"]}),
                "tags": {**TAGS, "Service": "payments"},
            }
        ),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_db_subnet_group(
        DBSubnetGroupName=ID,
        DBSubnetGroupDescription="somebody else's",
        SubnetIds=[world["a"], world["b"]],
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
