from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session

from tapctl.aws.answers import UNUSABLE, checked
from tapctl.errors import AwsNoAnswer, ExitCode, exit_code_of


def answered(answer: dict[str, Any], service: str = "rds", operation: str = "DescribeDBClusters") -> Any:
    model = Session().get_service_model(service).operation_model(operation)
    return checked(answer, model.output_shape, f"{service}:{operation}")


def cluster(**members: Any) -> Any:
    return answered({"DBClusters": [members]})["DBClusters"][0]


def unusable(error: pytest.ExceptionInfo[AwsNoAnswer], member: str) -> bool:
    told = error.value
    named = (told.aws_code, told.service, told.operation) == (UNUSABLE, "rds", "DescribeDBClusters")
    return named and member in str(told) and exit_code_of(told) == ExitCode.ERROR


def test_an_absent_list_is_empty() -> None:
    assert answered({})["DBClusters"] == []
    assert cluster()["DBClusterMembers"] == []


def test_an_absent_map_is_empty_and_one_without_an_entry_is_unusable() -> None:
    topic = answered({}, "sns", "GetTopicAttributes")
    assert topic["Attributes"] == {}
    with pytest.raises(AwsNoAnswer, match=r"no Attributes\.Policy is in it"):
        topic["Attributes"]["Policy"]


def test_anything_else_that_is_absent_and_needed_makes_the_answer_unusable() -> None:
    with pytest.raises(AwsNoAnswer) as error:
        cluster()["Status"]
    assert unusable(error, "no DBClusters[].Status is in it")
    with pytest.raises(AwsNoAnswer) as error:
        answered({})["DBClusters"][0]
    assert unusable(error, "no DBClusters[0] is in it")


def test_what_may_be_absent_is_asked_for_as_of_any_mapping() -> None:
    assert cluster().get("Status") is None
    assert "Status" not in cluster()


ODD: dict[str, list[Any]] = {
    "Engine": [1, {}, [], True],
    "Port": ["5432", 1.5, True, 2**63, float("inf")],
    "StorageEncrypted": ["yes", 1],
    "ClusterCreateTime": ["yesterday"],
    "TagList": ["x", {}, [1]],
    "ServerlessV2ScalingConfiguration": [{"MinCapacity": "1"}],
}


@pytest.mark.parametrize(("member", "value"), [(member, value) for member in ODD for value in ODD[member]])
def test_a_value_of_another_type_makes_the_answer_unusable(member: str, value: Any) -> None:
    with pytest.raises(AwsNoAnswer) as error:
        cluster(**{member: value})
    assert unusable(error, f"DBClusters[].{member}")


def test_values_of_the_model_s_types_are_taken_as_they_are() -> None:
    told = {
        "Port": 5432,
        "StorageEncrypted": True,
        "ClusterCreateTime": datetime.now(UTC),
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 1},
        "TagList": [{"Key": "a", "Value": ""}],
    }
    assert cluster(**told) == told
    assert copy.deepcopy(answered({"DBClusters": [told]})) == {"DBClusters": [told]}


def test_what_botocore_adds_is_kept() -> None:
    meta = {"ResponseMetadata": {"HTTPStatusCode": 200}, "Odd": 1}
    assert answered(dict(meta)) == meta
    assert answered(dict(meta), "kms", "EnableKey") == meta
    policy = {"Version": "2012-10-17", "Statement": []}
    assert answered({"PolicyDocument": policy}, "iam", "GetRolePolicy")["PolicyDocument"] is policy
    assert answered({"Body": b"x"}, "s3", "GetObject")["Body"] == b"x"
