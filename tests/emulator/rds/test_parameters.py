from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tapctl.aws.client import Aws
from tests.emulator.conftest import OF_AWS, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterOutputTypeDef, ParameterTypeDef

Method = Literal["immediate", "pending-reboot"]
STATIC = "shared_preload_libraries"


@pytest.fixture(autouse=True)
def _groups(aws: Aws) -> None:
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="My-Group", DBParameterGroupFamily="aurora-postgresql17", Description="d"
    )
    aws.rds.create_db_parameter_group(
        DBParameterGroupName="My-Group", DBParameterGroupFamily="aurora-postgresql17", Description="d"
    )


def parameter(name: str, value: str, method: Method = "immediate") -> ParameterTypeDef:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}


def change(aws: Aws, *parameters: ParameterTypeDef) -> None:
    aws.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="my-group", Parameters=parameters)


def named(aws: Aws, name: str) -> ParameterOutputTypeDef:
    (one,) = aws.rds.describe_db_cluster_parameters(
        DBClusterParameterGroupName="my-group", Filters=[{"Name": "parameter-name", "Values": [name]}]
    )["Parameters"]
    return one


def by_source(aws: Aws, source: str) -> list[str]:
    found = aws.rds.describe_db_cluster_parameters(DBClusterParameterGroupName="my-group", Source=source)
    return [parameter["ParameterName"] for parameter in found["Parameters"]]


def test_names_are_lower_case_and_found_in_any(aws: Aws) -> None:
    (group,) = aws.rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="MY-group")[
        "DBClusterParameterGroups"
    ]
    assert group["DBClusterParameterGroupName"] == "my-group"
    assert len(aws.rds.describe_db_parameter_groups()["DBParameterGroups"]) == 1


def test_unknown_groups_are_not_found(aws: Aws, refused: Refused) -> None:
    with refused("DBParameterGroupNotFound"):
        aws.rds.describe_db_parameter_groups(DBParameterGroupName="none")
    with refused("DBParameterGroupNotFound"):
        aws.rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="none")
    with refused("DBParameterGroupNotFound"):
        aws.rds.describe_db_parameters(DBParameterGroupName="none")
    with refused("DBParameterGroupNotFound"):
        aws.rds.delete_db_parameter_group(DBParameterGroupName="none")
    with refused("DBParameterGroupAlreadyExists"):
        aws.rds.create_db_parameter_group(
            DBParameterGroupName="MY-GROUP", DBParameterGroupFamily="aurora-postgresql17", Description="d"
        )
    with refused("InvalidParameterValue", "oracle1"):
        aws.rds.create_db_parameter_group(DBParameterGroupName="x", DBParameterGroupFamily="oracle1", Description="d")


def test_a_new_group_shows_the_engines_defaults_in_pages(aws: Aws) -> None:
    first = aws.rds.describe_db_cluster_parameters(DBClusterParameterGroupName="my-group")
    rest = aws.rds.describe_db_cluster_parameters(DBClusterParameterGroupName="my-group", Marker=first["Marker"])
    assert len(first["Parameters"]) == 100
    names = [parameter["ParameterName"] for parameter in (*first["Parameters"], *rest["Parameters"])]
    assert len(set(names)) == len(names) > 100
    defaults = aws.rds.describe_engine_default_cluster_parameters(DBParameterGroupFamily="aurora-postgresql17")
    assert defaults["EngineDefaults"]["Parameters"] == first["Parameters"]
    instances = aws.rds.describe_db_parameters(DBParameterGroupName="my-group")
    assert instances["Parameters"] == first["Parameters"]


def test_what_a_user_set_has_its_source(aws: Aws) -> None:
    assert by_source(aws, "user") == []
    change(aws, parameter("log_statement", "ddl"), parameter("rds.force_ssl", "1"))
    assert by_source(aws, "user") == ["log_statement", "rds.force_ssl"]
    seen = named(aws, "log_statement")
    assert (seen["ParameterValue"], seen["Source"], seen["ApplyType"]) == ("ddl", "user", "dynamic")
    assert seen["ApplyMethod"] == "pending-reboot"


def test_what_is_set_to_its_default_looks_unset(aws: Aws) -> None:
    change(aws, parameter(STATIC, "pg_stat_statements", "pending-reboot"))
    assert by_source(aws, "user") == []
    assert (named(aws, STATIC)["ParameterValue"], named(aws, STATIC)["Source"]) == ("pg_stat_statements", "system")


def test_parameters_are_reset_by_name_or_all(aws: Aws) -> None:
    change(aws, parameter("log_statement", "ddl"), parameter("rds.force_ssl", "1"), parameter("work_mem", "64"))
    aws.rds.reset_db_cluster_parameter_group(
        DBClusterParameterGroupName="My-Group",
        Parameters=[{"ParameterName": "log_statement", "ApplyMethod": "immediate"}],
    )
    assert "ParameterValue" not in named(aws, "log_statement")
    assert by_source(aws, "user") == ["rds.force_ssl", "work_mem"]
    aws.rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName="my-group", ResetAllParameters=True)
    assert by_source(aws, "user") == []
    aws.rds.modify_db_parameter_group(DBParameterGroupName="my-group", Parameters=[parameter("work_mem", "64")])
    aws.rds.reset_db_parameter_group(DBParameterGroupName="my-group", ResetAllParameters=True)
    assert aws.rds.describe_db_parameters(DBParameterGroupName="my-group", Source="user")["Parameters"] == []


@pytest.mark.parametrize(
    ("name", "value", "method", "code", "text"),
    [
        ("nothing", "1", "immediate", "InvalidParameterValue", "Could not find parameter"),
        ("log_statement", "some", "immediate", "InvalidParameterValue", "none,ddl,mod,all"),
        ("log_min_duration_statement", "-2", "immediate", "InvalidParameterValue", "-1-2147483647"),
        ("log_min_duration_statement", "1s", "immediate", "InvalidParameterValue", "-1-2147483647"),
        ("server_version", "1", "immediate", "InvalidParameterValue", "cannot be modified"),
        (STATIC, "pg_cron", "immediate", "InvalidParameterCombination", "static"),
    ],
)
def test_bad_parameters_are_refused(
    *, aws: Aws, refused: Refused, name: str, value: str, method: Method, code: str, text: str
) -> None:
    with refused(code, text):
        change(aws, parameter(name, value, method))
    assert by_source(aws, "user") == []


def test_only_20_are_taken_at_once(aws: Aws, refused: Refused) -> None:
    with refused("InvalidParameterValue", "20"):
        change(aws, *(parameter("work_mem", str(at)) for at in range(21)))


def test_enums_are_taken_in_any_case(aws: Aws) -> None:
    change(aws, parameter("pg_stat_statements.track", "all"), parameter("log_min_duration_statement", "-1"))
    assert by_source(aws, "user") == ["log_min_duration_statement", "pg_stat_statements.track"]


def test_tags_are_listed_and_changed(aws: Aws) -> None:
    (one,) = aws.rds.describe_db_parameter_groups(DBParameterGroupName="my-group")["DBParameterGroups"]
    (other,) = aws.rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    for arn in (one["DBParameterGroupArn"], other["DBClusterParameterGroupArn"]):
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])
        assert aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "1"}, OF_AWS]
