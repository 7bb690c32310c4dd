from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws import tags
from tapctl.errors import AwsNoAnswer
from tests.reconcilers.scripted_aws import scripted


def test_tags_are_one_mapping_whatever_their_shape_without_those_of_aws() -> None:
    assert tags.as_dict({"Name": "c", "aws:cloudformation:stack-name": "s"}) == {"Name": "c"}
    assert tags.as_dict([{"Key": "Name", "Value": "c"}, {"Key": "aws:x", "Value": "s"}]) == {"Name": "c"}
    assert tags.as_dict({"awsApplication": "arn:aws:resource-groups:…", "awsapplication": "mine"}) == {
        "awsapplication": "mine"
    }
    assert tags.as_dict([{"TagKey": "Name", "TagValue": "c"}], "Tag") == {"Name": "c"}


def test_a_list_of_tags_is_sorted() -> None:
    assert tags.as_list({"b": "2", "a": "1"}) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert tags.as_list({"a": "1"}, "Tag") == [{"TagKey": "a", "TagValue": "1"}]


def test_a_step_adds_and_overwrites_before_it_removes_and_says_when_it_is_the_last() -> None:
    calls: list[Any] = []

    def step(have: dict[str, str], want: dict[str, str]) -> frozenset[str]:
        return tags.step(have, want, add=calls.append, remove=calls.append)

    assert step({"a": "old", "extra": "1"}, {"a": "1", "b": "2"}) == frozenset()
    assert step({"a": "1"}, {"a": "1", "b": "2"}) == {"tags"}
    assert step({"a": "1", "y": "", "x": ""}, {"a": "1"}) == {"tags"}
    assert calls == [{"a": "1", "b": "2"}, {"b": "2"}, ["x", "y"]]


def test_where_there_may_be_no_room_for_both_a_step_removes_before_it_adds() -> None:
    """A resource takes 50 tags: two that are renamed on a full one would be the 51st and 52nd."""
    calls: list[Any] = []
    kept = {f"t{number}": "" for number in range(47)}
    for have, want in (({"old": ""}, {"new": ""}), ({}, {"new": ""})):
        tags.step({**kept, **have}, {**kept, **want}, add=calls.append, remove=calls.append)
    assert calls == [["old"], {"new": ""}]
    assert tags.step({**kept, "old": ""}, {**kept, "new": ""}, add=calls.append, remove=calls.append) == frozenset()


def test_the_search_answers_the_names_of_one_kind_of_one_service() -> None:
    arns = [
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f:*",
        "arn:aws:logs:us-east-1:123456789012:destination:d",
        "arn:aws:sns:us-east-1:123456789012:log-group:t",
    ]
    aws = scripted({"get_resources": {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]}})
    assert list(tags.find(aws, {"A": "1", "B": ["2", "3"]}, "logs", "log-group:", Limit=5)) == ["/aws/lambda/f:*"]
    filters = [{"Key": "A", "Values": ["1"]}, {"Key": "B", "Values": ["2", "3"]}]
    assert aws.calls == [("get_resources", {"TagFilters": filters, "Limit": 5})]


@pytest.mark.parametrize("arn", ["", "junk", "arn:aws:kms:us-east-1:123456789012"])
def test_the_search_cannot_use_what_is_no_arn(arn: str) -> None:
    aws = scripted({"get_resources": {"ResourceTagMappingList": [{"ResourceARN": arn}]}})
    with pytest.raises(AwsNoAnswer, match="ResourceARN is no ARN"):
        list(tags.find(aws, {"A": "1"}, "kms"))
