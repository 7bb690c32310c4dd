from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network

TAG: Any = [{"Key": "who", "Value": "me"}]


def found(aws: Aws, **how: Any) -> list[str]:
    pages = aws.tagging.get_paginator("get_resources").paginate(**how)
    return sorted(one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"])


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
    assert found(aws, TagFilters=[{"Key": "who", "Values": ["me"]}]) == groups
    assert found(aws, TagFilters=[{"Key": "who"}], ResourceTypeFilters=["rds"]) == groups
    assert found(aws, TagFilters=[{"Key": "who", "Values": ["you"]}]) == []
    assert found(aws, TagFilters=[{"Key": "other"}]) == []
    assert found(aws, ResourceTypeFilters=["rds:subgrp"]) == [one for one in groups if ":subgrp:" in one]
    assert found(aws, ResourceTypeFilters=["kms:key"]) == []
    assert found(aws, ResourceARNList=groups[:1]) == groups[:1]


def test_keys_are_found_though_they_are_going(aws: Aws) -> None:
    keys = [aws.kms.create_key(Tags=[{"TagKey": "who", "TagValue": "me"}])["KeyMetadata"]["Arn"] for _ in range(3)]
    aws.kms.schedule_key_deletion(KeyId=keys[0])
    assert found(aws, TagFilters=[{"Key": "who", "Values": ["me"]}], ResourcesPerPage=2) == sorted(keys)
