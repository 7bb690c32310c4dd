"""The Aurora cluster in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec

RECONCILER = DbCluster("db-instance-params-pg17-test")
ID = "db-cluster-test"
CREATE = ("rds", "CreateDBCluster")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
FIXED = frozenset({"engine", "managed_secret", "http_endpoint", "associated_roles"})
"""Fields never wanted otherwise: the engine, the password that RDS manages, the ways in and out."""

GROUP = "db-cluster-params-pg16-test"


def prepare(aws: Aws) -> dict[str, str]:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        aws.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{aws.region}{zone}")["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate("ab")
    ]
    world = {"vpc": vpc}
    for which in ("one", "two"):
        world[f"key_{which}"] = aws.kms.create_key()["KeyMetadata"]["Arn"]
        world[f"sg_{which}"] = aws.ec2.create_security_group(GroupName=which, Description="d", VpcId=vpc)["GroupId"]
        world[f"subnets_{which}"] = f"db-subnet-{which}"
        aws.rds.create_db_subnet_group(
            DBSubnetGroupName=f"db-subnet-{which}", DBSubnetGroupDescription="d", SubnetIds=subnets
        )
    for group in (GROUP, f"{GROUP}-other"):
        aws.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=group, DBParameterGroupFamily="aurora-postgresql16", Description="d"
        )
    return world


def examples(world: dict[str, str]) -> list[DbClusterSpec]:
    base = DbClusterSpec(
        engine="aurora-postgresql",
        engine_version="16.8",
        database_name="payments",
        master_username="payments_admin",
        port=5432,
        subnet_group=world["subnets_one"],
        cluster_parameter_group=GROUP,
        security_group_ids=frozenset({world["sg_one"]}),
        kms_key_arn=world["key_one"],
        secret_kms_key_arn=world["key_one"],
        backup_retention_days=7,
        backup_window="03:00-03:30",
        maintenance_window="sun:04:00-sun:04:30",
        performance_insights_kms_key_arn=world["key_one"],
        deletion_protection=False,
        tags={**TAGS, "CostCenter": "payments", "tapctl:final-snapshot": "true"},
    )
    return [
        base,
        base.model_copy(
            update={
                "engine_version": "16.9",
                "port": 5433,
                "cluster_parameter_group": f"{GROUP}-other",
                "security_group_ids": frozenset({world["sg_one"], world["sg_two"]}),
                "storage_type": "aurora-iopt1",
                "iam_authentication": False,
                "backup_retention_days": 14,
                "backup_window": "05:00-05:30",
                "maintenance_window": "mon:06:00-mon:06:30",
                "log_exports": frozenset({"instance", "iam-db-auth-error"}),
                "copy_tags_to_snapshot": False,
                "insights_mode": "advanced",
                "performance_insights_retention_days": 465,
                "deletion_protection": True,
                "extended_support": True,
                "tags": {**TAGS, "Service": "payments", "tapctl:final-snapshot": "false"},
            }
        ),
        base.model_copy(
            update={
                "performance_insights": False,
                "performance_insights_kms_key_arn": "",
                "performance_insights_retention_days": 0,
            }
        ),
        # Nothing of this could be changed in place.
        base.model_copy(
            update={
                "database_name": "ledger",
                "master_username": "ledger_admin",
                "subnet_group": world["subnets_two"],
                "kms_key_arn": world["key_two"],
            }
        ),
        base.model_copy(update={"storage_encrypted": False, "kms_key_arn": ""}),
        base.model_copy(update={"secret_kms_key_arn": world["key_two"]}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_db_cluster(
        DBClusterIdentifier=ID,
        Engine="aurora-postgresql",
        EngineVersion="16.8",
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=world["subnets_one"],
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
