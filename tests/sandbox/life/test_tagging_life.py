from __future__ import annotations

from collections.abc import Callable

import pytest

from tapctl.aws.client import Aws
from tests.sandbox.life.conftest import LONG_S, Clock
from tests.sandbox.test_cloudwatch import put

FILTERS = [{"Key": "a", "Values": ["b"]}]
TAGS = [{"TagKey": "a", "TagValue": "b"}]


def found(aws: Aws, *kinds: str) -> list[str]:
    pages = aws.tagging.get_paginator("get_resources").paginate(
        TagFilters=FILTERS,  # type: ignore[arg-type]  # a list of plain mappings
        ResourceTypeFilters=list(kinds),
    )
    return sorted(one["ResourceARN"].split(":", 5)[5] for page in pages for one in page["ResourceTagMappingList"])


def test_naive_code_looks_for_a_new_key_by_its_tags(aws: Aws, clock: Clock) -> None:
    key = aws.kms.create_key(Tags=TAGS)["KeyMetadata"]["KeyId"]  # type: ignore[arg-type]  # as above
    assert found(aws, "kms:key") == []
    clock.after(19)
    assert found(aws) == []
    clock.after(2)
    assert found(aws, "kms:key") == [f"key/{key}"]
    assert found(aws, "logs") == []


@pytest.mark.parametrize("service", ["cloudwatch", "kms", "lambda", "logs", "sns"])
def test_naive_code_looks_for_what_it_has_just_tagged(
    aws: Aws, clock: Clock, make: Callable[..., None], service: str
) -> None:
    if service == "cloudwatch":
        put(aws, Tags=[{"Key": "a", "Value": "b"}])
    elif service == "kms":
        aws.kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])
    elif service == "lambda":
        make(Tags={"a": "b"})
    elif service == "logs":
        aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    else:
        aws.sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])
    assert found(aws) == []
    clock.after(21)
    assert len(found(aws)) == 1


def test_a_cluster_is_found_as_long_as_it_is_there(aws: Aws, clock: Clock) -> None:
    """Although nobody asks RDS meanwhile."""
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        MasterUsername="owner",
        MasterUserPassword="12345678",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    clock.after(LONG_S)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    assert found(aws) == ["cluster:c"]
    clock.after(121)
    assert found(aws) == []


def test_what_went_is_found_for_a_while_and_what_lost_its_tags_too(aws: Aws, clock: Clock) -> None:
    aws.logs.create_log_group(logGroupName="gone", tags={"a": "b"})
    aws.logs.create_log_group(logGroupName="stays", tags={"a": "b"})
    clock.after(LONG_S)
    aws.logs.delete_log_group(logGroupName="gone")
    clock.after(10)
    stays = aws.logs.describe_log_groups(logGroupNamePrefix="stays")["logGroups"][0]["logGroupArn"]
    aws.logs.untag_resource(resourceArn=stays, tagKeys=["a"])
    assert found(aws, "logs") == ["log-group:gone", "log-group:stays"]
    clock.after(12)
    assert found(aws, "logs") == ["log-group:stays"]
    clock.after(10)
    assert found(aws, "logs") == []


def test_many_pages_are_all_behind(aws: Aws, clock: Clock) -> None:
    """A page holds 100 tags."""
    more = {str(at): "" for at in range(40)}
    for name in "wxyz":
        aws.logs.create_log_group(logGroupName=name, tags={"a": "b", **more})
    clock.after(LONG_S)
    aws.logs.create_log_group(logGroupName="new", tags={"a": "b", **more})
    for kinds in ((), ("logs:log-group",)):
        assert found(aws, *kinds) == [f"log-group:{name}" for name in "wxyz"]
    clock.after(30)
    assert len(found(aws)) == 5


def test_groups_of_rds_are_told_live(aws: Aws, clock: Clock) -> None:
    aws.logs.create_log_group(logGroupName="new", tags={"a": "b"})
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="p",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="d",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert found(aws) == ["cluster-pg:p"]
