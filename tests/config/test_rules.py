from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tapctl.config.rules import common_rules, environment_rules, joint_rules
from tests.support.additions import add_all
from tests.support.config_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_protected_environment_has_somewhere_to_fail_over_to(folder: Folder, count: int) -> None:
    folder.put("prod", "database.instance_count", count)
    refused = [
        ("prod.toml", "database.instance_count", "1", "must be at least 2 where protected = true: one to fail over to")
    ]
    assert [folder.problem()] == refused if count == 1 else folder.problems() == []


@pytest.mark.parametrize(
    ("backup", "maintenance", "overlap"),
    [
        ("03:00-04:00", "sun:04:00-sun:05:00", False),
        ("03:00-04:00", "sun:02:30-sun:03:00", False),
        ("03:00-04:00", "sun:02:30-sun:03:01", True),
        ("03:00-04:00", "wed:03:59-wed:05:00", True),
        ("03:00-04:00", "wed:03:10-wed:03:40", True),
        ("03:00-04:00", "mon:02:00-mon:06:00", True),
        ("03:00-04:00", "sat:22:00-sun:03:30", True),
        ("23:30-00:30", "sun:00:00-sun:00:30", True),
        ("23:30-00:30", "mon:00:00-mon:00:30", True),
        ("23:30-00:30", "sun:23:45-mon:00:15", True),
        ("23:30-00:30", "sun:00:30-sun:23:30", False),
        ("00:10-00:40", "sun:23:30-mon:00:10", False),
        ("00:00-00:30", "sun:23:30-mon:00:01", True),
    ],
)
def test_the_windows_do_not_overlap(folder: Folder, backup: str, maintenance: str, overlap: bool) -> None:
    folder.put("common", "database.backup_window", backup).put("common", "database.maintenance_window", maintenance)
    refused = ("common.toml", "database.maintenance_window", f'"{maintenance}"')
    assert [problem[:3] for problem in [folder.problem()]] == [refused] if overlap else folder.problems() == []


@pytest.mark.parametrize(("key", "value"), [("backup_window", "3-4"), ("maintenance_window", 7)])
def test_an_invalid_window_is_not_compared_with_the_other(folder: Folder, key: str, value: Any) -> None:
    assert folder.put("common", f"database.{key}", value).problem()[1] == f"database.{key}"


def test_an_image_needs_to_be_named(folder: Folder) -> None:
    _, key, _, rule = folder.drop("common", "processor.image").problem()
    assert (key, rule) == ("processor.package", 'needs processor.image = { repository = "…", tag = "…" }')


def test_an_environment_cannot_change_an_image_that_common_toml_lacks(folder: Folder) -> None:
    folder.put("common", "processor.package", "zip").drop("common", "processor.image")
    name, key, shown, rule = folder.put("dev", "processor.image", {"tag": "2"}).problem()
    assert (name, key, shown) == ("dev.toml", "processor.image", '{"tag": "2"}')
    assert rule == "changes the image of common.toml, which has none"


def test_a_protected_environment_runs_no_image_under_a_tag_that_moves(folder: Folder) -> None:
    folder.put("common", "processor.image", {"repository": "payments", "tag": "latest"})
    told = folder.problem()
    assert told[:3] == ("prod.toml", "protected", "true")
    assert "processor.image.tag in common.toml, latest, is a tag that moves" in told[3]
    folder.put("prod", "processor.image", {"tag": "1.0.1"})
    assert folder.problems() == []
    folder.put("prod", "processor.image", {"tag": "main"})
    assert folder.problem()[:3] == ("prod.toml", "processor.image.tag", '"main"')
    folder.put("common", "processor.package", "zip")
    assert folder.problems() == []


@pytest.mark.parametrize("file", ["common", "prod"])
@pytest.mark.parametrize(("value", "what"), [(["latest"], "an array"), ({"a": 1}, "a table"), (1, "an integer")])
def test_a_tag_of_an_image_of_another_kind_is_one_problem(folder: Folder, file: str, value: Any, what: str) -> None:
    folder.put(file, "processor.image", {"tag": value} | ({"repository": "payments"} if file == "common" else {}))
    name, key, _, rule = folder.problem()
    assert (name, key) == (f"{file}.toml", "processor.image.tag")
    assert rule.startswith("must be an image's tag")
    assert rule.endswith(f"; this is {what}")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in tables and arrays: what it is in, and its key there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("value", [[], ["x"], {}, {"a": ["x"]}, "", "x", -1, 2.5, True, date(2026, 11, 28)], ids=repr)
def test_no_rule_fails_on_a_value_of_another_kind(folder: Folder, value: Any) -> None:
    tables = add_all(folder).put("prod", "processor.image", {"tag": "1.0.1"}).tables
    common, prod = tables["common"], tables["prod"]
    for within, key in [*places(common), *places(prod)]:
        before, within[key] = within[key], value
        broken = [*common_rules(common), *environment_rules(prod), *joint_rules(common, prod)]
        assert all(rule for _, _, rule in broken), (key, value)
        within[key] = before


def test_a_rule_of_two_keys_repeats_no_value_that_is_wrong_in_itself(folder: Folder) -> None:
    wrong = "arn:password=hunter2hunter2:" + "x" * 2000
    permission = {"sid": "A", "actions": ["sqs:SendMessage"], "resources": [f"{wrong}:{wrong}"]}
    folder.put("common", "processor.permissions", [permission]).put("prod", "account_id", wrong)
    folder.put("prod", "role_arn", "arn:aws:iam::123456789012:role/deploy")
    told = folder.problems()
    assert [each.key for each in told] == ["processor.permissions.0.resources.0", "account_id"]
    assert max(len(str(each)) for each in told) < 1000
    assert "hunter2" not in "".join(map(str, told))


def test_tags_that_differ_in_case_alone_are_refused(folder: Folder) -> None:
    _, key, shown, rule = folder.put("common", "tags", {"Team": "a", "TEAM": "b"}).problem()
    assert (key, shown) == ("tags", '"team"')
    assert "IAM does not tell upper from lower case" in rule


def test_static_networking_needs_its_ids(folder: Folder) -> None:
    _, key, _, rule = folder.put("dev", "networking", "static").problem()
    assert (key, rule) == ("networking", "needs the ids in a table [network]: vpc_id and private_subnet_ids")


def test_ids_are_for_static_networking_alone(folder: Folder) -> None:
    network = {"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001", "subnet-00000002"]}
    _, key, _, rule = folder.put("dev", "network", network).problem()
    assert (key, rule) == ("network", 'is for networking = "static" alone')


@pytest.mark.parametrize(
    ("network", "key"),
    [
        ({"vpc_id": "vpc-1", "private_subnet_ids": ["subnet-00000001", "subnet-00000002"]}, "network.vpc_id"),
        ({"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001", "x"]}, "network.private_subnet_ids.1"),
        ({"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001"]}, "network.private_subnet_ids"),
        ({"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001"] * 2}, "network.private_subnet_ids"),
        ({"vpc_id": "vpc-00000001", "private_subnet_ids": "subnet-00000001"}, "network.private_subnet_ids"),
        ({"vpc_id": "vpc-00000001"}, "network.private_subnet_ids"),
    ],
)
def test_the_ids_of_static_networking_are_ids(folder: Folder, network: Any, key: str) -> None:
    assert folder.put("dev", "networking", "static").put("dev", "network", network).problem()[1] == key


def test_the_role_is_in_the_environments_own_account(folder: Folder) -> None:
    _, key, _, rule = folder.put("dev", "role_arn", "arn:aws:iam::210987654321:role/deploy").problem()
    assert (key, rule) == ("role_arn", "must be a role in this environment's account 123456789012")


def test_the_role_is_in_the_environments_own_partition(folder: Folder) -> None:
    _, key, _, rule = folder.put("dev", "role_arn", "arn:aws-cn:iam::123456789012:role/deploy").problem()
    assert (key, rule) == ("role_arn", "must be in the partition of us-east-2: arn:aws:…")


def test_a_role_is_not_compared_with_an_invalid_account_or_region(folder: Folder) -> None:
    folder.put("dev", "role_arn", "arn:aws:iam::123456789012:role/deploy").put("dev", "account_id", 12)
    assert {each.key for each in folder.put("dev", "region", 1).problems()} == {"account_id", "region"}


def test_the_image_is_in_the_functions_region(folder: Folder) -> None:
    folder.put("common", "processor.image.registry", "123456789012.dkr.ecr.us-east-2.amazonaws.com")
    wrong = {(Path(each.file).name, each.key) for each in folder.problems()}
    assert wrong == {("prod.toml", "region"), ("staging.toml", "region")}
    assert {"or name the registry in common.toml by its account id" in each.rule for each in folder.problems()} == {
        True
    }
    assert folder.put("common", "processor.image.registry", "123456789012").problems() == []


def test_an_alarm_on_a_duration_that_no_call_can_last_is_refused(folder: Folder) -> None:
    assert folder.put("dev", "alarms.latency_threshold_ms", 30_000).problems() == []
    file, key, shown, rule = folder.put("dev", "alarms.latency_threshold_ms", 30_001).problem()
    assert (file, key, shown) == ("dev.toml", "alarms.latency_threshold_ms", "30001")
    assert rule == (
        "must be at most the function's timeout, 30 s (processor.timeout_s in common.toml): "
        "no call lasts longer, and the alarm could never go off"
    )
    assert folder.put("common", "processor.timeout_s", 31).problems() == []


@pytest.mark.parametrize("timeout", ["30", True, 0])
def test_a_latency_is_not_compared_with_an_invalid_timeout(folder: Folder, timeout: Any) -> None:
    folder.put("dev", "alarms.latency_threshold_ms", 800_000).put("common", "processor.timeout_s", timeout)
    assert folder.problem()[1] == "processor.timeout_s"


def test_an_invalid_latency_is_not_compared_with_the_timeout(folder: Folder) -> None:
    assert folder.put("dev", "alarms.latency_threshold_ms", "40000").problem()[3].endswith("this is a string")


def test_the_master_user_is_not_the_one_that_the_function_connects_as(folder: Folder) -> None:
    _, key, shown, rule = folder.put("common", "database.master_username", "payments_app").problem()
    assert (key, shown) == ("database.master_username", '"payments_app"')
    assert rule == "is the user that the function connects as, <database.name>_app: it would be the master user"
