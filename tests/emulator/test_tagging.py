from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import LONG_S, Build, Clock
from tests.emulator.test_cloudwatch import put

TAG: Any = [{"Key": "who", "Value": "me"}]


def find(aws: Aws, **how: Any) -> list[str]:
    pages = aws.tagging.get_paginator("get_resources").paginate(**how)
    return sorted(entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"])


@pytest.fixture
def groups(aws: Aws, network: Network) -> list[str]:
    family = {"DBParameterGroupFamily": "aurora-postgresql17", "Description": "d", "Tags": TAG}
    subnets = aws.rds.create_db_subnet_group(
        DBSubnetGroupName="s", DBSubnetGroupDescription="d", SubnetIds=network.subnet_ids, Tags=TAG
    )
    instances: Any = aws.rds.create_db_parameter_group(DBParameterGroupName="p", **family)
    clusters: Any = aws.rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="c", **family)
    aws.rds.create_db_parameter_group(
        DBParameterGroupName="untagged", DBParameterGroupFamily="aurora-postgresql17", Description="d"
    )
    return sorted(
        [
            subnets["DBSubnetGroup"]["DBSubnetGroupArn"],
            instances["DBParameterGroup"]["DBParameterGroupArn"],
            clusters["DBClusterParameterGroup"]["DBClusterParameterGroupArn"],
        ]
    )


def test_rds_groups_are_found_by_tag_type_and_arn(aws: Aws, groups: list[str]) -> None:
    assert find(aws, TagFilters=[{"Key": "who", "Values": ["me"]}]) == groups
    assert find(aws, TagFilters=[{"Key": "who"}], ResourceTypeFilters=["rds"]) == groups
    assert find(aws, TagFilters=[{"Key": "who", "Values": ["you"]}]) == []
    assert find(aws, TagFilters=[{"Key": "other"}]) == []
    assert find(aws, ResourceTypeFilters=["rds:subgrp"]) == [group for group in groups if ":subgrp:" in group]
    assert find(aws, ResourceTypeFilters=["kms:key"]) == []
    assert find(aws, ResourceARNList=groups[:1]) == groups[:1]


def test_keys_are_found_though_they_are_going(aws: Aws) -> None:
    keys = [aws.kms.create_key(Tags=[{"TagKey": "who", "TagValue": "me"}])["KeyMetadata"]["Arn"] for _ in range(3)]
    aws.kms.schedule_key_deletion(KeyId=keys[0])
    assert find(aws, TagFilters=[{"Key": "who", "Values": ["me"]}], ResourcesPerPage=2) == sorted(keys)


FILTERS: Any = [{"Key": "a", "Values": ["b"]}]
TAGS: Any = [{"TagKey": "a", "TagValue": "b"}]


def find_resources(aws: Aws, *kinds: str) -> list[str]:
    pages = aws.tagging.get_paginator("get_resources").paginate(
        TagFilters=FILTERS,
        ResourceTypeFilters=list(kinds),
    )
    return sorted(entry["ResourceARN"].split(":", 5)[5] for page in pages for entry in page["ResourceTagMappingList"])


def test_naive_code_looks_for_a_new_key_by_its_tags(aws: Aws, clock: Clock) -> None:
    key = aws.kms.create_key(Tags=TAGS)["KeyMetadata"]["KeyId"]
    assert find_resources(aws, "kms:key") == []
    clock.advance(19)
    assert find_resources(aws) == []
    clock.advance(2)
    assert find_resources(aws, "kms:key") == [f"key/{key}"]
    assert find_resources(aws, "logs") == []


@pytest.mark.parametrize("service", ["cloudwatch", "kms", "lambda", "logs", "sns"])
def test_naive_code_looks_for_what_it_has_just_tagged(
    aws: Aws, clock: Clock, make_function: Build, service: str
) -> None:
    if service == "cloudwatch":
        put(aws, Tags=[{"Key": "a", "Value": "b"}])
    elif service == "kms":
        aws.kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])
    elif service == "lambda":
        make_function(Tags={"a": "b"})
    elif service == "logs":
        aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    else:
        aws.sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])
    assert find_resources(aws) == []
    clock.advance(21)
    assert len(find_resources(aws)) == 1


def test_a_cluster_is_found_as_long_as_it_is_there(aws: Aws, clock: Clock) -> None:
    """Although nobody asks RDS meanwhile."""
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        MasterUsername="owner",
        MasterUserPassword="12345678",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    clock.advance(LONG_S)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    assert find_resources(aws) == ["cluster:c"]
    clock.advance(121)
    assert find_resources(aws) == []


def test_what_went_is_found_for_a_while_and_what_lost_its_tags_too(aws: Aws, clock: Clock) -> None:
    aws.logs.create_log_group(logGroupName="gone", tags={"a": "b"})
    aws.logs.create_log_group(logGroupName="stays", tags={"a": "b"})
    clock.advance(LONG_S)
    aws.logs.delete_log_group(logGroupName="gone")
    clock.advance(10)
    stays = aws.logs.describe_log_groups(logGroupNamePrefix="stays")["logGroups"][0]["logGroupArn"]
    aws.logs.untag_resource(resourceArn=stays, tagKeys=["a"])
    assert find_resources(aws, "logs") == ["log-group:gone", "log-group:stays"]
    clock.advance(12)
    assert find_resources(aws, "logs") == ["log-group:stays"]
    clock.advance(10)
    assert find_resources(aws, "logs") == []


def test_many_pages_are_all_behind(aws: Aws, clock: Clock) -> None:
    """A page holds 100 tags."""
    more = {str(at): "" for at in range(40)}
    for name in "wxyz":
        aws.logs.create_log_group(logGroupName=name, tags={"a": "b", **more})
    clock.advance(LONG_S)
    aws.logs.create_log_group(logGroupName="new", tags={"a": "b", **more})
    for kinds in ((), ("logs:log-group",)):
        assert find_resources(aws, *kinds) == [f"log-group:{name}" for name in "wxyz"]
    clock.advance(30)
    assert len(find_resources(aws)) == 5


def test_groups_of_rds_are_told_live(aws: Aws, clock: Clock) -> None:
    aws.logs.create_log_group(logGroupName="new", tags={"a": "b"})
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="p",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="d",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert find_resources(aws) == ["cluster-pg:p"]
