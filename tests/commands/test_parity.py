from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tapctl.commands.parity import Parity, RecordedSpecs, compare, compare_manifests, show
from tapctl.config import Config, load_all
from tapctl.engine import refs
from tapctl.names import MAX_INSTANCES
from tapctl.render import choose_screen
from tapctl.stack.definition import planned_stack
from tests.support.additions import add_all
from tests.support.config_folder import ENVIRONMENTS, Folder

# -- configurations ---------------------------------------------------------------------------------------------------


def test_environments_differ_only_in_the_keys_of_their_own_files() -> None:
    parity = compare(load_all(ENVIRONMENTS))
    assert parity.holds
    assert parity.environments == ("dev", "prod", "staging")
    assert parity.disallowed == {}
    assert parity.allowed["database.instance_class"] == {
        "dev": "db.t4g.medium",
        "prod": "db.r6g.large",
        "staging": "db.r6g.large",
    }
    assert parity.allowed["protected"] == {"dev": False, "prod": True, "staging": False}
    assert parity.allowed["networking"]["dev"] == "cloudformation:networking-dev"
    assert "account_id" not in parity.allowed, "what is the same is no difference"


def test_the_path_of_a_receiver_on_the_web_is_shown_as_its_digest(tmp_path: Path) -> None:
    receivers = ["https://events.example.com/k3yk3yk3y/enqueue", "email:oncall@example.com"]
    folder = Folder(tmp_path / "environments").put("dev", "alarms.subscribers", receivers)
    (mail, web) = compare(folder.load()).allowed["alarms.subscribers"]["dev"]
    assert (mail, web.startswith("https://events.example.com/#")) == ("email:oncall@example.com", True)


def test_an_image_that_is_promoted_and_other_ids_are_shown(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("prod", "processor.image", {"tag": "1.0.1"})
    subnets = ["subnet-00000001", "subnet-00000002"]
    folder.put("dev", "network", {"vpc_id": "vpc-00000001", "private_subnet_ids": subnets})
    parity = compare(folder.put("dev", "networking", "static").load())
    assert parity.holds
    assert parity.allowed["processor.image.tag"] == {"dev": "1.0.0", "prod": "1.0.1", "staging": "1.0.0"}
    assert parity.allowed["networking"]["dev"] == "static vpc-00000001 subnet-00000001 subnet-00000002"


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("database", "engine_version", "15.19"),
        ("database", "backup_window", "01:00-02:00"),
        ("processor", "timeout_s", 31),
        ("secrets", "rotation_days", 7),
        ("alarms", "cpu_threshold_percent", 90),
    ],
)
def test_a_difference_in_a_common_key_is_not_allowed(table: str, field: str, value: Any) -> None:
    configs = load_all(ENVIRONMENTS)
    changed = getattr(configs["dev"], table).model_copy(update={field: value})
    configs["dev"] = configs["dev"].model_copy(update={table: changed})
    parity = compare(configs)
    assert not parity.holds
    assert f"{table}.{field}" in parity.disallowed
    assert parity.disallowed[f"{table}.{field}"]["dev"] == value


def test_a_tag_of_one_environment_alone_is_not_allowed() -> None:
    configs = load_all(ENVIRONMENTS)
    configs["dev"] = configs["dev"].model_copy(update={"tags": {"CostCenter": "payments", "Team": "x"}})
    assert compare(configs).disallowed == {"tags.Team": {"dev": "x", "prod": None, "staging": None}}


# -- records ----------------------------------------------------------------------------------------------------------

KEY = "0a1b2c3d-0000-4000-8000-00000000000"


def recorded(
    environment: str, *, suffix: str = "", account: str = "123456789012", region: str = "us-east-1", instances: int = 1
) -> RecordedSpecs:
    """A small stack as it is recorded. Everything AWS numbers differs from one environment to the next."""
    suffix = suffix or environment
    digit = len(environment)
    partition = "aws-cn" if region.startswith("cn-") else "aws"
    arn = f"{region}:{account}"
    topic = f"arn:{partition}:sns:{arn}:alarms-{suffix}"
    key = f"arn:{partition}:kms:{arn}:key/{KEY}{digit}"
    cluster = f"db-cluster-{suffix}"
    tags = {"Environment": environment, "EnvironmentSuffix": suffix}
    user = f"arn:{partition}:rds-db:{arn}:dbuser:cluster-{'A' * 25}{digit}/app"
    log_group = f"arn:{partition}:logs:{arn}:log-group:/aws/lambda/payment-processor-{suffix}:*"
    statements = [
        {"actions": ["rds-db:connect"], "resources": [user]},
        {"actions": ["logs:CreateLogStream", "logs:PutLogEvents"], "resources": [log_group]},
        {"actions": ["kms:Decrypt"], "resources": sorted([key, topic, f"arn:{partition}:rds:{arn}:db:{cluster}-??"])},
    ]
    specs: dict[str, dict[str, Any]] = {
        f"lambda-function/payment-processor-{suffix}": {
            "memory_mb": 1024 * digit,
            "timeout_s": 30,
            "reserved_concurrency": digit,
            "image_uri": f"{account}.dkr.ecr.{region}.amazonaws.com/payment-processor@sha256:{digit:064}",
            "environment": {
                "ENVIRONMENT_NAME": environment,
                "DB_ENDPOINT": f"{cluster}.cluster-abc{digit}xyz.{region}.rds.amazonaws.com",
                "DB_SECRET_ARN": f"arn:{partition}:secretsmanager:{arn}:secret:rds!cluster-{KEY}{digit}-AbCd{digit:02}",
            },
            "subnet_ids": [f"subnet-{number:08x}" for number in range(digit)],
            "security_group_ids": [f"sg-{digit:017x}"],
            "kms_key_arn": key,
            "tags": {"Name": f"payment-processor-{suffix}", **tags},
        },
        f"iam-role/lambda-role-{suffix}": {
            "inline": {f"lambda-policy-{suffix}": {"statements": sorted(statements, key=str)}},
            "description": f"What payment-processor-{suffix} may do in {suffix}",
        },
        f"db-cluster/{cluster}": {
            "deletion_protection": environment == "prod",
            "tags": {"tapctl:final-snapshot": str(environment == "prod").lower(), **tags},
        },
        f"kms-key/alias/db-key-{suffix}": {"tags": {"tapctl:deletion-window-days": "30" if digit > 3 else "7"}},
        f"cloudwatch-alarm/payment-processor-errors-{suffix}": {"threshold": digit, "description": f"{digit} errors"},
        f"log-group//aws/lambda/payment-processor-{suffix}": {"retention_days": 30, "kms_key_arn": key},
    }
    for index in range(instances):
        specs[f"db-instance/{cluster}-{index}"] = {"instance_class": f"db.r{digit}.large", "cluster": cluster}
        specs[f"cloudwatch-alarm/db-cpu-{index}-{suffix}"] = {
            "threshold": 80,
            "dimensions": {"DBInstanceIdentifier": f"{cluster}-{index}"},
            "alarm_actions": [topic],
        }
    return RecordedSpecs(environment, suffix, account, region, specs)


def compared(records: dict[str, RecordedSpecs]) -> Parity:
    return compare_manifests(records, load_all(ENVIRONMENTS).values())


def three() -> dict[str, RecordedSpecs]:
    return {
        "dev": recorded("dev", region="us-east-2"),
        "staging": recorded("staging", account="210987654321", region="us-west-2"),
        "prod": recorded("prod", instances=2),
    }


def test_records_differ_only_in_what_the_environments_own_keys_decide() -> None:
    parity = compared(three())
    assert parity.disallowed == {}
    assert parity.holds
    assert set(parity.allowed) == {
        "cloudwatch-alarm/db-cpu-1-<name>",
        "cloudwatch-alarm/payment-processor-errors-<name> description",
        "cloudwatch-alarm/payment-processor-errors-<name> threshold",
        "db-cluster/db-cluster-<name> deletion_protection",
        "db-cluster/db-cluster-<name> tags.tapctl:final-snapshot",
        "db-instance/db-cluster-<name>-0 instance_class",
        "db-instance/db-cluster-<name>-1",
        "kms-key/alias/db-key-<name> tags.tapctl:deletion-window-days",
        "lambda-function/payment-processor-<name> image_uri",
        "lambda-function/payment-processor-<name> memory_mb",
        "lambda-function/payment-processor-<name> reserved_concurrency",
    }
    assert parity.allowed["db-instance/db-cluster-<name>-1"] == {"dev": None, "staging": None, "prod": "there"}


@pytest.mark.parametrize("suffix", ["pr-42", "db", "cluster", "processor", "a-dev", "dev-a", "us", "id", "account"])
def test_a_copy_under_any_suffix_is_the_same(suffix: str) -> None:
    parity = compared({"dev": recorded("dev"), "copy": recorded("dev", suffix=suffix)})
    assert (parity.allowed, parity.disallowed) == ({}, {})


def test_another_partition_is_no_difference() -> None:
    parity = compared({"dev": recorded("dev"), "china": recorded("dev", region="cn-north-1")})
    assert (parity.allowed, parity.disallowed) == ({}, {})


def test_addresses_may_come_without_their_suffix() -> None:
    records = {
        name: RecordedSpecs(name, name, "1" * 12, "us-east-1", {"log-group/x": {"retention_days": 30}}) for name in "ab"
    }
    assert compared(records).holds


LAMBDA, CLUSTER = "lambda-function/payment-processor-dev", "db-cluster/db-cluster-dev"


@pytest.mark.parametrize(
    ("address", "field", "value", "told"),
    [
        (LAMBDA, "timeout_s", 15, "timeout_s"),
        (LAMBDA, "kms_key_arn", "", "kms_key_arn"),
        (LAMBDA, "environment", {"EXTRA": "1"}, "environment.EXTRA"),
        (LAMBDA, "security_group_ids", ["sg-00000000000000001", "0.0.0.0/0"], "security_group_ids"),
        (LAMBDA, "tags", {"Environment": "prod"}, "tags.Environment"),
        (LAMBDA, "layers", ["arn:aws:lambda:us-east-1:210987654321:layer:x:1"], "layers"),
        ("iam-role/lambda-role-dev", "inline", {"other": ["*"]}, "inline.other"),
        (
            "iam-role/lambda-role-dev",
            "inline",
            {"lambda-policy-dev": {"statements": [{"actions": ["*"], "resources": ["*"]}]}},
            "inline.lambda-policy-<name>.statements",
        ),
        ("log-group//aws/lambda/payment-processor-dev", "retention_days", 60, "retention_days"),
        ("cloudwatch-alarm/db-cpu-0-dev", "threshold", 90, "threshold"),
        (CLUSTER, "tags", {"tapctl:other": "x"}, "tags.tapctl:other"),
    ],
)
def test_a_difference_in_any_other_field_is_not_allowed(address: str, field: str, value: Any, told: str) -> None:
    records = three()
    specs = {**records["dev"].specs, address: {**records["dev"].specs[address], field: value}}
    records["dev"] = RecordedSpecs("dev", "dev", "123456789012", "us-east-2", specs)
    parity = compared(records)
    assert not parity.holds
    assert f"{address.removesuffix('dev')}<name> {told}" in parity.disallowed


def test_a_resource_that_one_environment_lacks_is_not_allowed() -> None:
    records = three()
    specs = {address: spec for address, spec in records["dev"].specs.items() if address != CLUSTER}
    records["dev"] = RecordedSpecs("dev", "dev", "123456789012", "us-east-2", specs)
    missing = {"dev": None, "staging": "there", "prod": "there"}
    assert compared(records).disallowed == {"db-cluster/db-cluster-<name>": missing}


def test_any_number_of_instances_is_allowed() -> None:
    parity = compared({"dev": recorded("dev"), "prod": recorded("prod", instances=MAX_INSTANCES)})
    assert parity.holds
    assert f"db-instance/db-cluster-<name>-{MAX_INSTANCES - 1}" in parity.allowed


def test_no_instance_at_all_is_not_allowed() -> None:
    parity = compared({"dev": recorded("dev"), "prod": recorded("prod", instances=0)})
    assert set(parity.disallowed) == {"cloudwatch-alarm/db-cpu-0-<name>", "db-instance/db-cluster-<name>-0"}


def test_an_instance_without_its_alarm_is_no_allowed_difference() -> None:
    records = three()
    specs = {here: spec for here, spec in records["prod"].specs.items() if "db-cpu-1" not in here}
    records["prod"] = RecordedSpecs("prod", "prod", "123456789012", "us-east-1", specs)
    assert set(compared(records).disallowed) == set(), "no environment has that alarm"
    records["staging"] = recorded("staging", account="210987654321", region="us-west-2", instances=2)
    assert set(compared(records).disallowed) == {"cloudwatch-alarm/db-cpu-1-<name>"}


def test_a_difference_is_shown_as_it_is_recorded() -> None:
    records = {"dev": recorded("dev"), "prod": recorded("prod")}
    address = "log-group//aws/lambda/payment-processor-dev"
    specs = {**records["dev"].specs, address: {"retention_days": 30, "kms_key_arn": ""}}
    records["dev"] = RecordedSpecs("dev", "dev", "123456789012", "us-east-1", specs)
    told = compared(records).disallowed["log-group//aws/lambda/payment-processor-<name> kms_key_arn"]
    assert told == {"dev": "", "prod": f"arn:aws:kms:us-east-1:123456789012:key/{KEY}4"}


def test_one_environment_alone_has_nothing_to_differ_from() -> None:
    parity = compared({"dev": recorded("dev")})
    assert (parity.environments, parity.allowed, parity.disallowed) == (("dev",), {}, {})


# -- what a team adds -------------------------------------------------------------------------------------------------


def planned(config: Config) -> RecordedSpecs:
    """The stack as it is planned, in place of a record, without what AWS alone tells."""
    stack = planned_stack(config, config.environment)
    texts = {each.address: json.dumps(refs.to_json(each.spec), ensure_ascii=False) for each in stack}
    specs = {address: json.loads(re.sub("⟦.*?⟧", "told", text)) for address, text in texts.items()}
    return RecordedSpecs(config.environment, config.environment, config.account_id, config.region, specs)


def test_additions_are_the_same_wherever_the_suffix_stands_in_them_and_subscribers_may_differ(tmp_path: Path) -> None:
    folder = add_all(Folder(tmp_path / "environments"))
    folder.put("common", "processor.environment", {"BUCKET": "payments-{suffix}-events_{region}x{account_id}"})
    folder.put("dev", "alarms.subscribers", ["email:dev@example.com", "https://example.com/{suffix}"])
    configs = folder.put("prod", "alarms.subscribers", ["email:oncall@example.com"]).load()
    parity = compare_manifests({name: planned(config) for name, config in configs.items()}, configs.values())
    assert parity.disallowed == {}
    assert "sns-subscription/alarms-<name>/email:oncall@example.com" in parity.allowed
    folder.put("common", "alarms.extra", [])
    other = {**configs, "dev": folder.load()["dev"]}
    parity = compare_manifests({name: planned(config) for name, config in other.items()}, configs.values())
    assert "cloudwatch-alarm/db-freeable-memory-0-<name>" in parity.disallowed


def test_values_are_shown_as_words_and_a_cause_that_stands_for_a_value_once() -> None:
    row: dict[str, Any] = {"where": "aws", "verdict": "CHANGED OUTSIDE"}
    rules = {"what": "rules", "values": {"dev": [{"port": 5432}], "qa": None}, "causes": {"dev": "outside"}}
    changed = {"what": "tags", "values": {"dev": "outside", "qa": True}, "causes": {"dev": "outside"}}
    told = io.StringIO()
    show(choose_screen(told, io.StringIO(), {"TERM": "dumb"}), ("dev", "qa"), [row | rules, row | changed])
    _, first, second = (re.split(" {2,}", line) for line in told.getvalue().splitlines())
    assert first == ["aws", "rules", "{port=5432} (outside)", "-", "CHANGED OUTSIDE"]
    assert second == ["aws", "tags", "outside", "true", "CHANGED OUTSIDE"]
