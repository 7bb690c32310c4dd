from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.config_folder import Folder

ROLE = "arn:aws:iam::123456789012:role"
STACK = "arn:aws:cloudformation:us-east-2:123456789012:stack/networking-dev/0f0e0d0c-0b0a-4000-8000-000000000000"
ACCEPTED: list[tuple[str, str, Any]] = [
    *(("common", "service", name) for name in ("p", "card-payments-2", "a" * 64)),
    *(("common", "tags", tags) for tags in ({}, {"Team": ""}, {"Größe": "a b_.:/=+-@c"}, {"k" * 128: "v" * 256})),
    *(("common", "tags", tags) for tags in ({"k": "v"}, {"Cost Center": "x y"}, {"names": "x"}, {"awsx": "aws"})),
    ("common", "tags", {f"Tag{number}": "x" for number in range(44)}),
    *(
        ("dev", "region", region)
        for region in (
            "eu-central-2",
            "ap-southeast-7",
            "mx-central-1",
            "us-gov-west-1",
            "cn-northwest-1",
            "eusc-de-east-1",
        )
    ),
    *(("dev", "role_arn", f"{ROLE}/{name}") for name in ("deploy", "ci/deploy", "a+=,.@-_b")),
]


@pytest.mark.parametrize(("file", "key", "value"), ACCEPTED)
def test_what_aws_takes_is_accepted(tmp_path: Path, file: str, key: str, value: Any) -> None:
    assert getattr(Folder(tmp_path / "environments").put(file, key, value).load()["dev"], key) == value


@pytest.mark.parametrize(
    "reference",
    ["cloudformation:a", f"cloudformation:{STACK}", "ssm:networking", "ssm:/a/b.c/d_e-f/", "terraform:x", "pulumi:a b"],
)
def test_a_networking_reference_is_accepted(tmp_path: Path, reference: str) -> None:
    folder = Folder(tmp_path / "environments").put("dev", "networking", reference)
    assert str(folder.load()["dev"].networking) == reference


REFUSED: list[tuple[str, str, Any, str]] = [
    *(("common", "service", name, "at most 64 lower-case") for name in ("", "Payments", "1a", "a_b", "a" * 65, "a\n")),
    *(
        ("dev", "account_id", account, "a string of 12 digits")
        for account in ("", "1" * 11, "1" * 13, "1234-5678-9012", "\u0661" * 12)
    ),
    *(
        ("dev", "region", region, "an AWS region, such as us-east-1")
        for region in (
            *("", "us-est-1", "us-east-1a", "us-east", "US-EAST-1", "east-us-1", "us-east-0", "us-east-1\n"),
            *("us-isoz-east-1", "eusc-fr-east-1", "us-east-100"),
        )
    ),
    *(
        ("dev", "role_arn", arn, "must be the ARN of an IAM role")
        for arn in ("deploy", f"{ROLE}/", f"{ROLE}/a b", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::1:role/x")
    ),
    *(
        ("dev", "networking", reference, "must be cloudformation:<stack>, ssm:<path>, terraform:<state file>")
        for reference in (
            *("", "networking-dev", "cloudformation:", "cloudformation:1x", "cloudformation:a_b", "ssm:a b", "ssm://a"),
            *("ssm:", "terraform:", "terraform: x", "pulumi:a\nb", "static:vpc-1", f"cloudformation:{'a' * 129}"),
        )
    ),
    ("dev", "networking", "cloudfromation:networking-dev", "did you mean cloudformation?"),
    ("dev", "networking", "statik", "did you mean static?"),
]


@pytest.mark.parametrize(("file", "key", "value", "rule"), REFUSED)
def test_what_aws_does_not_take_is_refused(tmp_path: Path, file: str, key: str, value: Any, rule: str) -> None:
    problems = Folder(tmp_path / "environments").put(file, key, value).problems()
    assert [rule in each.rule for each in problems if each.key == key] == [True]


@pytest.mark.parametrize("key", ["Name", "Environment", "EnvironmentSuffix", "Service", "ManagedBy", "managedby"])
def test_a_tag_that_tapctl_sets_is_refused(tmp_path: Path, key: str) -> None:
    file, where, shown, rule = Folder(tmp_path / "environments").put("common", f"tags.{key}", "x").problem()
    assert (file, where, shown) == ("common.toml", f"tags.{key}", '"x"')
    assert rule.startswith("tapctl sets Name, Environment, EnvironmentSuffix, Service, ManagedBy itself")


@pytest.mark.parametrize(
    "key", ["", "aws:x", "AWS:x", "rds:x", "tapctl:x", "a*b", "k" * 129, "a\nb", " a", "a ", " ", "[key]"]
)
def test_a_tags_key_that_aws_does_not_take_is_refused(tmp_path: Path, key: str) -> None:
    _, where, shown, rule = Folder(tmp_path / "environments").put("common", "tags", {key: "x"}).problem()
    assert where.startswith("tags.")
    assert shown == '"x"', "the value, not the key once more"
    assert rule.startswith("a tag's key must be 1 to 128 letters")


@pytest.mark.parametrize("value", ["aws:x", "RDS:x", "v" * 257, "a;b", "a\tb", " a", "a ", " "])
def test_a_tags_value_that_aws_does_not_take_is_refused(tmp_path: Path, value: str) -> None:
    _, where, _, rule = Folder(tmp_path / "environments").put("common", "tags", {"Team": value}).problem()
    assert where == "tags.Team"
    assert rule.startswith("must be a string of at most 256 letters")


def test_a_tag_of_which_nothing_is_right_is_told_twice(tmp_path: Path) -> None:
    problems = Folder(tmp_path / "environments").put("common", "tags", {"[key]": 1}).problems()
    assert {(each.key, each.value) for each in problems} == {('tags."[key]"', "1")}
    assert len(problems) == 2


def test_more_tags_than_aws_leaves_room_for_are_refused(tmp_path: Path) -> None:
    tags = {f"Tag{number}": "x" for number in range(45)}
    _, where, shown, rule = Folder(tmp_path / "environments").put("common", "tags", tags).problem()
    assert (where, rule, len(shown)) == ("tags", "must be at most 44 tags, each value a string", 80)
