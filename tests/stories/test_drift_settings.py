"""Drift of settings: function, log groups, alarms, database, secret, tags. dev, one apply for all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.tampering import Case, all_are_found_and_undone, cases, drift_of, is_found_and_undone
from tests.support.config_folder import Folder
from tests.support.world import World

FUNCTION = "lambda-function/payment-processor-dev"
CLUSTER = "db-cluster/db-cluster-dev"
LOGS = "/aws/lambda/payment-processor-dev"
ERRORS = "cloudwatch-alarm/payment-processor-errors-dev"
PASSWORD = "hunter2-in-the-open"
ARN = "arn:aws:lambda:us-east-2:123456789012:function:payment-processor-dev"


def configure(world: World, **changes: Any) -> None:
    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", **changes)


def variables(world: World, **changes: str | None) -> None:
    client = world.client("lambda")
    found = client.get_function_configuration(FunctionName="payment-processor-dev")["Environment"]["Variables"]
    wanted = {name: value for name, value in {**found, **changes}.items() if value is not None}
    configure(world, Environment={"Variables": wanted})


def alarm(world: World, **changes: Any) -> None:
    client = world.client("cloudwatch")
    (found,) = client.describe_alarms(AlarmNames=["payment-processor-errors-dev"])["MetricAlarms"]
    kept = set(client.meta.service_model.operation_model("PutMetricAlarm").input_shape.members)
    client.put_metric_alarm(**{name: value for name, value in {**found, **changes}.items() if name in kept})


def cluster(world: World, **changes: Any) -> None:
    world.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", ApplyImmediately=True, **changes)


def parameter(world: World, kind: str, name: str, value: str) -> None:
    wanted = [{"ParameterName": name, "ParameterValue": value, "ApplyMethod": "immediate"}]
    rds = world.client("rds")
    if kind == "cluster":
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName="db-cluster-params-pg16-dev", Parameters=wanted
        )
    else:
        rds.modify_db_parameter_group(DBParameterGroupName="db-instance-params-pg16-dev", Parameters=wanted)


def secret(world: World) -> str:
    return str(world.client("rds").describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"])


def rotate(world: World, days: int) -> None:
    world.client("secretsmanager").rotate_secret(
        SecretId=secret(world), RotationRules={"AutomaticallyAfterDays": days}, RotateImmediately=False
    )


CASES = [
    Case(
        "a variable added",
        lambda world: variables(world, PASSWORD=PASSWORD),
        drift_of(FUNCTION, "environment.PASSWORD"),
        secret=PASSWORD,
    ),
    Case(
        "a variable changed",
        lambda world: variables(world, DB_NAME=PASSWORD),
        drift_of(FUNCTION, "environment.DB_NAME"),
        secret=PASSWORD,
    ),
    Case(
        "a variable removed",
        lambda world: variables(world, DB_PORT=None),
        drift_of(FUNCTION, "environment.DB_PORT"),
    ),
    Case(
        "the function's memory",
        lambda world: configure(world, MemorySize=512),
        drift_of(FUNCTION, "memory_mb"),
        edit="dev.toml: processor.memory_mb",
        live=512,
    ),
    Case(
        "the function's timeout",
        lambda world: configure(world, Timeout=5),
        drift_of(FUNCTION, "timeout_s"),
        edit="common.toml: processor.timeout_s",
    ),
    Case(
        "the function described",
        lambda world: configure(world, Description="mine"),
        drift_of(FUNCTION, "description"),
        live="mine",
    ),
    Case(
        "tracing off",
        lambda world: configure(world, TracingConfig={"Mode": "PassThrough"}),
        drift_of(FUNCTION, "tracing"),
    ),
    Case(
        "the environment's encryption lost",
        lambda world: configure(world, KMSKeyArn=""),
        drift_of(FUNCTION, "kms_key_arn"),
    ),
    Case(
        "reserved concurrency",
        lambda world: world.client("lambda").put_function_concurrency(
            FunctionName="payment-processor-dev", ReservedConcurrentExecutions=1
        ),
        drift_of(FUNCTION, "reserved_concurrency"),
        edit="dev.toml: processor.reserved_concurrency",
    ),
    Case(
        "reserved concurrency gone",
        lambda world: world.client("lambda").delete_function_concurrency(FunctionName="payment-processor-dev"),
        drift_of(FUNCTION, "reserved_concurrency"),
        edit="dev.toml: processor.reserved_concurrency",
    ),
    Case(
        "a tag added",
        lambda world: world.client("lambda").tag_resource(Resource=ARN, Tags={"Owner": "mallory"}),
        drift_of(FUNCTION, "tags.Owner"),
        edit="common.toml: tags",
    ),
    Case(
        "a tag changed",
        lambda world: world.client("lambda").tag_resource(Resource=ARN, Tags={"CostCenter": "x"}),
        drift_of(FUNCTION, "tags.CostCenter"),
        edit="common.toml: tags",
    ),
    Case(
        "an owner's tag removed",
        lambda world: world.client("lambda").untag_resource(Resource=ARN, TagKeys=["ManagedBy"]),
        drift_of(FUNCTION, "tags.ManagedBy"),
    ),
    Case(
        "retention changed",
        lambda world: world.client("logs").put_retention_policy(logGroupName=LOGS, retentionInDays=1),
        drift_of(f"log-group/{LOGS}", "retention_days"),
    ),
    Case(
        "retention removed",
        lambda world: world.client("logs").delete_retention_policy(logGroupName=LOGS),
        drift_of(f"log-group/{LOGS}", "retention_days"),
    ),
    Case(
        "a log group's encryption lost",
        lambda world: world.client("logs").disassociate_kms_key(logGroupName=LOGS),
        drift_of(f"log-group/{LOGS}", "kms_key_arn"),
    ),
    Case("an alarm's action removed", lambda world: alarm(world, AlarmActions=[]), drift_of(ERRORS, "alarm_actions")),
    Case(
        "an alarm's actions off",
        lambda world: world.client("cloudwatch").disable_alarm_actions(AlarmNames=["payment-processor-errors-dev"]),
        drift_of(ERRORS, "actions_enabled"),
    ),
    Case(
        "an alarm's threshold",
        lambda world: alarm(world, Threshold=1000),
        drift_of(ERRORS, "threshold"),
        edit="dev.toml: alarms.error_threshold",
    ),
    Case(
        "a cluster parameter",
        lambda world: parameter(world, "cluster", "log_statement", "none"),
        drift_of("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters.log_statement"),
        edit="common.toml: database.log_statement",
    ),
    Case(
        "an instance parameter",
        lambda world: parameter(world, "instance", "pg_stat_statements.track", "NONE"),
        drift_of("db-parameter-group/db-instance-params-pg16-dev", "parameters.pg_stat_statements.track"),
    ),
    Case(
        "a parameter nobody set",
        lambda world: parameter(world, "cluster", "log_hostname", "1"),
        drift_of("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters.log_hostname"),
        edit="common.toml: database.cluster_parameters",
    ),
    Case(
        "fewer days of backups",
        lambda world: cluster(world, BackupRetentionPeriod=1),
        drift_of(CLUSTER, "backup_retention_days"),
    ),
    Case(
        "deletion protection on",
        lambda world: cluster(world, DeletionProtection=True),
        drift_of(CLUSTER, "deletion_protection"),
    ),
    Case(
        "IAM authentication off",
        lambda world: cluster(world, EnableIAMDatabaseAuthentication=False),
        drift_of(CLUSTER, "iam_authentication"),
    ),
    Case(
        "the secret rotates later",
        lambda world: rotate(world, 90),
        drift_of("secret-rotation/db-cluster-dev", "rotation_days"),
    ),
    Case(
        "the secret rotates no more",
        lambda world: world.client("secretsmanager").cancel_rotate_secret(SecretId=secret(world)),
        drift_of("secret-rotation/db-cluster-dev", "enabled"),
    ),
    Case(
        "a queue for failed events",
        lambda world: configure(world, DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-2:123456789012:elsewhere"}),
        drift_of(FUNCTION, "dead_letter"),
    ),
    Case(
        "a file system",
        lambda world: configure(
            world,
            FileSystemConfigs=[
                {
                    "Arn": "arn:aws:elasticfilesystem:us-east-2:123456789012:access-point/fsap-0123456789abcdef0",
                    "LocalMountPath": "/mnt/out",
                }
            ],
        ),
        drift_of(FUNCTION, "file_systems"),
    ),
    Case(
        "a snapshot of the function's memory",
        lambda world: configure(world, SnapStart={"ApplyOn": "PublishedVersions"}),
        drift_of(FUNCTION, "snap_start"),
    ),
    Case(
        "an instance open to the internet",
        lambda world: world.client("rds").modify_db_instance(
            DBInstanceIdentifier="db-cluster-dev-0", PubliclyAccessible=True, ApplyImmediately=True
        ),
        drift_of("db-instance/db-cluster-dev-0", "publicly_accessible"),
    ),
    Case(
        "an instance's window",
        lambda world: world.client("rds").modify_db_instance(
            DBInstanceIdentifier="db-cluster-dev-0", PreferredMaintenanceWindow="Wed:22:00-Wed:23:00"
        ),
        drift_of("db-instance/db-cluster-dev-0", "maintenance_window"),
        edit="common.toml: database.maintenance_window",
        live="wed:22:00-wed:23:00",
    ),
]


@pytest.mark.parametrize("case", cases(CASES))
def test_each_change_by_hand_is_found_and_undone(dev: World, case: Case) -> None:
    is_found_and_undone(dev, case)


def test_all_changes_at_once_are_found_and_undone(dev: World) -> None:
    said = all_are_found_and_undone(dev, CASES)
    assert PASSWORD not in said


@pytest.mark.soak
def test_minor_upgrades_switched_off_for_one_instance_are_off_for_its_cluster_until_the_next_apply(dev: World) -> None:
    dev.client("rds").modify_db_instance(
        DBInstanceIdentifier="db-cluster-dev-0", AutoMinorVersionUpgrade=False, ApplyImmediately=True
    )
    found = dev.tapctl("drift", "--env", "dev", "--json").of_type("finding")
    assert sorted(one["address"] for one in found) == ["db-cluster/db-cluster-dev", "db-instance/db-cluster-dev-0"]
    assert dev.applied("dev").changes == ("rds:ModifyDBInstance",)
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_variable_whose_wanted_value_is_the_text_that_hides_values_is_compared_all_the_same(world: World) -> None:
    Folder(world.folder / "environments").put("common", "processor.environment", {"PARTNER_HOST": "({suffix})"})
    run = ("--env", "dev", "--suffix", "hidden")
    assert world.tapctl("apply", *run, "--yes").code == 0
    assert world.tapctl("drift", *run).code == 0

    name, client = "payment-processor-hidden", world.client("lambda")
    found = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": found | {"PARTNER_HOST": "evil.example"}}
    )
    answer = world.tapctl("drift", *run, "--json")
    (finding,) = answer.of_type("finding")
    assert (answer.code, finding["field"], finding["recorded"]) == (2, "environment.PARTNER_HOST", "(hidden)")
    assert "evil.example" not in answer.out + answer.err
    assert world.tapctl("plan", *run, "--detailed-exitcode").code == 2
