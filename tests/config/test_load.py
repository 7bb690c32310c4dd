from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.config import (
    NetworkingReference,
    check_region,
    check_suffix,
    environments,
    known_environments,
    load,
    load_all,
)
from tapctl.errors import ConfigError
from tests.support.config_folder import ENVIRONMENTS, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def test_a_folder_that_cannot_be_read_has_no_environment_that_is_known(tmp_path: Path) -> None:
    assert known_environments(tmp_path / "none") == ()


def test_every_environment_of_the_folder_is_loaded() -> None:
    configs = load_all(ENVIRONMENTS)
    sizes = {
        name: (
            config.region,
            str(config.networking),
            config.protected,
            config.final_snapshot,
            config.database.instance_class,
            config.database.instance_count,
            config.processor.memory_mb,
            config.processor.reserved_concurrency,
            config.alarms.error_threshold,
            config.alarms.latency_threshold_ms,
        )
        for name, config in configs.items()
    }
    assert sizes == {
        "dev": ("us-east-2", "cloudformation:networking-dev", False, False, "db.t4g.medium", 1, 1024, 10, 10, 5000),
        "staging": (
            "us-west-2",
            "cloudformation:networking-staging",
            False,
            False,
            "db.r6g.large",
            1,
            2048,
            50,
            5,
            3000,
        ),
        "prod": ("us-east-1", "cloudformation:networking-prod", True, True, "db.r6g.large", 2, 4096, 100, 3, 2000),
    }
    assert {config.account_id for config in configs.values()} == {"123456789012"}


def test_the_values_of_common_toml_are_in_every_environment() -> None:
    for name, config in load_all(ENVIRONMENTS).items():
        assert config.environment == name
        assert (config.service, config.tags) == ("payments", {"CostCenter": "payments"})
        assert (config.database.name, config.database.master_username) == ("payments", "payments_admin")
        assert (config.database.log_statement, config.database.log_min_duration_statement_ms) == ("ddl", 1000)
        assert (config.secrets.rotation_days, config.logs.retention_days) == (30, 30)
        assert (config.processor.package, config.processor.timeout_s) == ("image", 30)


def test_an_optional_key_has_its_default() -> None:
    config = load(ENVIRONMENTS, "dev")
    assert config.alarms.throttle_threshold == 1
    assert config.alarms.cpu_threshold_percent == 80
    assert config.alarms.connections_threshold_percent == 80
    assert config.processor.runtime == "nodejs22.x"
    assert config.role_arn is None


def test_no_tag_is_needed(folder: Folder) -> None:
    assert folder.drop("common", "tags").load()["dev"].tags == {}


def test_reserved_concurrency_may_be_left_out(folder: Folder) -> None:
    configs = folder.drop("dev", "processor.reserved_concurrency").load()
    assert configs["dev"].processor.reserved_concurrency is None


@pytest.mark.parametrize("version", ["15.19", "16.8", "17.11"])
def test_the_major_version_comes_from_the_engine_version(folder: Folder, version: str) -> None:
    config = folder.put("common", "database.engine_version", version).load()["dev"]
    assert config.database.engine_major == int(version[:2])


@pytest.mark.parametrize("protected", [True, False])
def test_a_final_snapshot_is_taken_of_what_is_protected_unless_said_otherwise(folder: Folder, protected: bool) -> None:
    folder.put("prod", "protected", protected).drop("prod", "final_snapshot")
    config = folder.load()["prod"]
    assert (config.final_snapshot, config.final_snapshot_is_written) == (protected, False)
    assert folder.put("prod", "final_snapshot", not protected).load()["prod"].final_snapshot is not protected


def test_an_environment_changes_the_tag_of_the_image_alone(folder: Folder) -> None:
    folder.put("common", "processor.image.registry", "210987654321").put("prod", "processor.image", {"tag": "1.0.1"})
    images = {name: config.processor.image for name, config in folder.load().items()}
    shown = {name: (image.registry, image.repository, image.tag) for name, image in images.items() if image}
    assert shown == {
        "dev": ("210987654321", "payment-processor", "1.0.0"),
        "prod": ("210987654321", "payment-processor", "1.0.1"),
        "staging": ("210987654321", "payment-processor", "1.0.0"),
    }


def test_a_zip_needs_no_image(folder: Folder) -> None:
    config = folder.put("common", "processor.package", "zip").drop("common", "processor.image").load()["dev"]
    assert config.processor.image is None


@pytest.mark.parametrize(
    ("key", "kind", "target"),
    [
        ("cloudformation:networking-dev", "cloudformation", "networking-dev"),
        ("ssm:/networking/dev", "ssm", "/networking/dev"),
        ("terraform:../net work/terraform.tfstate", "terraform", "../net work/terraform.tfstate"),
        ("pulumi:C:/state/dev.json", "pulumi", "C:/state/dev.json"),
    ],
)
def test_a_networking_reference_is_taken_apart(folder: Folder, key: str, kind: str, target: str) -> None:
    networking = folder.put("dev", "networking", key).load()["dev"].networking
    assert (networking.kind, networking.target, networking.vpc_id, networking.private_subnet_ids) == (
        kind,
        target,
        None,
        (),
    )
    assert str(networking) == key


def test_static_networking_has_its_ids_in_the_file(folder: Folder) -> None:
    subnets = ["subnet-0b00000000000002", "subnet-0a00000000000001"]
    folder.put("dev", "networking", "static")
    folder.put("dev", "network", {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": subnets})
    networking = folder.load()["dev"].networking
    assert networking == NetworkingReference(
        kind="static", vpc_id="vpc-0123456789abcdef0", private_subnet_ids=tuple(sorted(subnets))
    )
    assert str(networking) == "static"


def test_more_environments_are_added_as_files(folder: Folder) -> None:
    folder.tables["qa"] = folder.tables["dev"]
    assert set(folder.put("qa", "region", "eu-west-1").load()) == {"dev", "prod", "qa", "staging"}
    assert environments(folder.path) == ("dev", "prod", "qa", "staging")


def test_one_environment_does_not_need_the_others_to_be_right(folder: Folder) -> None:
    folder.put("prod", "region", "nowhere")
    assert load(folder.path, "dev").environment == "dev"
    with pytest.raises(ConfigError):
        load(folder.path, "prod")


@pytest.mark.parametrize("name", ["prdo", "common", "Prod", "../prod", "prod.toml", ""])
def test_an_unknown_environment_comes_with_the_existing_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="not valid") as caught:
        load(ENVIRONMENTS, name)
    (problem,) = caught.value.problems
    assert "there are dev, prod, staging" in problem.rule
    assert problem.value == f'"{name}"'
    assert ("did you mean prod?" in problem.rule) is (name in {"prdo", "Prod", "../prod", "prod.toml"})


def test_an_unknown_environment_in_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "dev")
    assert "there is none" in caught.value.problems[0].rule
    assert "--config" in str(caught.value.hint)


@pytest.mark.parametrize("suffix", ["dev", "pr-42", "a", "x" * 46])
def test_a_suffix_names_a_copy_of_the_environment(suffix: str) -> None:
    check_suffix(suffix, "dev", ("dev", "prod", "staging"))


@pytest.mark.parametrize("suffix", ["", "PR-42", "4pr", "-pr", "pr-", "pr--42", "pr_42", "pr 42", "pr\n", "prü"])
def test_a_suffix_of_another_form_is_refused(suffix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_suffix(suffix, "dev", ("dev",))
    assert "[a-z][a-z0-9-]*" in caught.value.problems[0].rule
    assert caught.value.problems[0].file == "--suffix"


def test_a_suffix_too_long_comes_with_the_name_it_would_break() -> None:
    with pytest.raises(ConfigError) as caught:
        check_suffix("x" * 47, "dev", ("dev",))
    rule = caught.value.problems[0].rule
    assert "at most 46 characters" in rule
    assert "the Lambda function payment-processor-xxx" in rule


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-2", "cn-north-1"])
def test_a_region_given_by_hand_may_be_any_that_is_well_formed(region: str) -> None:
    check_region(region)


@pytest.mark.parametrize("region", ["", "us-est-1", "us-east-1a", "us-east-1\n", "eu"])
def test_a_region_given_by_hand_that_is_malformed_is_refused(region: str) -> None:
    with pytest.raises(ConfigError, match="not valid") as caught:
        check_region(region)
    (problem,) = caught.value.problems
    assert (problem.file, problem.rule) == (
        "--region",
        "must be an AWS region, such as us-east-1 (of aws, aws-cn, aws-eusc, aws-us-gov)",
    )


def test_a_suffix_is_never_another_environments_name() -> None:
    with pytest.raises(ConfigError, match="not valid") as caught:
        check_suffix("prod", "dev", iter(("dev", "prod")))
    assert "name of another environment" in caught.value.problems[0].rule
