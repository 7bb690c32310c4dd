"""Everything that an account holds of the types that tapctl makes, read with plain clients."""

from __future__ import annotations

from tests.support.world import World


def left(world: World, region: str = "us-east-2") -> set[str]:
    """``service:name`` of everything there is in this region but the networking; keys with their state."""
    rds, kms = world.client("rds", region), world.client("kms", region)
    logs, alarms = world.client("logs", region), world.client("cloudwatch", region)
    found = {f"cluster:{one['DBClusterIdentifier']}" for one in rds.describe_db_clusters()["DBClusters"]}
    found |= {f"instance:{one['DBInstanceIdentifier']}" for one in rds.describe_db_instances()["DBInstances"]}
    found |= {f"subnets:{one['DBSubnetGroupName']}" for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]}
    snapshots = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    found |= {f"snapshot:{one['DBClusterSnapshotIdentifier']}" for one in snapshots}
    for group in rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]:
        found.add(f"parameters:{group['DBClusterParameterGroupName']}")
    found |= {
        f"parameters:{one['DBParameterGroupName']}" for one in rds.describe_db_parameter_groups()["DBParameterGroups"]
    }
    found |= {
        f"events:{one['CustSubscriptionId']}" for one in rds.describe_event_subscriptions()["EventSubscriptionsList"]
    }
    found |= {
        f"group:{one['GroupName']}" for one in world.client("ec2", region).describe_security_groups()["SecurityGroups"]
    }
    found |= {f"role:{one['RoleName']}" for one in world.client("iam", region).list_roles()["Roles"]}
    found |= {f"function:{one['FunctionName']}" for one in world.client("lambda", region).list_functions()["Functions"]}
    found |= {f"logs:{one['logGroupName']}" for one in logs.describe_log_groups()["logGroups"]}
    found |= {f"topic:{one['TopicArn']}" for one in world.client("sns", region).list_topics()["Topics"]}
    found |= {f"alarm:{one['AlarmName']}" for one in alarms.describe_alarms()["MetricAlarms"]}
    found |= {f"secret:{one['Name']}" for one in world.client("secretsmanager", region).list_secrets()["SecretList"]}
    found |= {
        one["AliasName"] for one in kms.list_aliases()["Aliases"] if not one["AliasName"].startswith("alias/aws/")
    }
    for one in kms.list_keys()["Keys"]:
        found.add(f"key:{kms.describe_key(KeyId=one['KeyId'])['KeyMetadata']['KeyState']}")
    return {one for one in found if one != "group:default" and not one.startswith("parameters:default.")}
