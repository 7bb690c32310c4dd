from __future__ import annotations

import pytest

from tapctl.config import load
from tapctl.stack.provenance import COMMON_KEYS, ENVIRONMENT_KEYS, Key, Provenance
from tests.support.additions import add_all
from tests.support.config_folder import ENVIRONMENTS, Folder

FUNCTION, CLUSTER = "lambda-function/payment-processor-pr-42", "db-cluster/db-cluster-pr-42"
CONNECTIONS = "cloudwatch-alarm/db-connections-0-pr-42"


@pytest.fixture(scope="module")
def dev() -> Provenance:
    return Provenance(load(ENVIRONMENTS, "dev"), "pr-42")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Provenance:
    """With all that a team can add, and a package."""
    folder = add_all(Folder(tmp_path_factory.mktemp("config") / "environments"))
    folder.put("common", "processor.package", "zip").put("dev", "alarms.subscribers", ["email:oncall@example.com"])
    return Provenance(folder.load()["dev"], "pr-42")


def test_every_key_decides_a_field_but_those_that_say_where_the_stack_is(dev: Provenance, extended: Provenance) -> None:
    idle = {path for path in COMMON_KEYS | ENVIRONMENT_KEYS if not dev.decided_by(path) | extended.decided_by(path)}
    assert idle == {
        *("account_id", "region", "role_arn"),
        *("networking", "network.vpc_id", "network.private_subnet_ids"),
        # Another subscriber is another resource.
        "alarms.subscribers",
    }


def test_two_keys_decide_whom_the_function_may_reach(extended: Provenance) -> None:
    keys = extended.keys("security-group-rules/lambda-sg-pr-42", "rules")
    assert keys == (Key("common", "database.port"), Key("common", "processor.egress"))


@pytest.mark.parametrize(
    ("address", "field", "key"),
    [
        (FUNCTION, "environment.FEATURE_FLAGS", "processor.environment"),
        (FUNCTION, "architecture", "processor.architecture"),
        ("cloudwatch-alarm/db-freeable-memory-0-pr-42", "threshold", "alarms.extra"),
        (
            "db-parameter-group/db-instance-params-pg16-pr-42",
            "parameters.auto_explain.log_min_duration",
            "database.instance_parameters",
        ),
        (
            "db-cluster-parameter-group/db-cluster-params-pg16-pr-42",
            "parameters.log_lock_waits",
            "database.cluster_parameters",
        ),
        ("iam-role/lambda-role-pr-42", "path", "organisation.role_path"),
        ("iam-role/lambda-role-pr-42", "permissions_boundary", "organisation.permissions_boundary"),
    ],
)
def test_the_key_of_what_a_team_adds(extended: Provenance, address: str, field: str, key: str) -> None:
    assert list(extended.keys(address, field)) == [Key("common", key)]


@pytest.mark.parametrize(
    ("address", "field", "keys"),
    [
        (FUNCTION, "memory_mb", [Key("dev", "processor.memory_mb")]),
        (FUNCTION, "reserved_concurrency", [Key("dev", "processor.reserved_concurrency")]),
        (FUNCTION, "timeout_s", [Key("common", "processor.timeout_s")]),
        (FUNCTION, "environment.DB_NAME", [Key("common", "database.name")]),
        (FUNCTION, "environment.DB_PORT", [Key("common", "database.port")]),
        (FUNCTION, "tracing", []),
        (FUNCTION, "tags.CostCenter", [Key("common", "tags")]),
        (FUNCTION, "tags.Owner", [Key("common", "tags")]),
        (FUNCTION, "tags.Service", [Key("common", "service")]),
        (FUNCTION, "tags.Name", []),
        (CLUSTER, "deletion_protection", [Key("dev", "protected")]),
        (CLUSTER, "tags.tapctl:final-snapshot", [Key("dev", "final_snapshot")]),
        (
            CONNECTIONS,
            "threshold",
            [Key("common", "alarms.connections_threshold_percent"), Key("dev", "database.instance_class")],
        ),
        (CLUSTER, "status", []),
        ("rds-event-subscription/db-instance-events-pr-42", "source_ids", [Key("dev", "database.instance_count")]),
        ("queue/jobs-pr-42", "retention_days", []),
    ],
)
def test_the_keys_of_a_field(dev: Provenance, address: str, field: str, keys: list[Key]) -> None:
    assert list(dev.keys(address, field)) == keys


def test_an_image_is_made_up_by_three_keys_and_the_choice_of_an_image(dev: Provenance) -> None:
    image = ("processor.image.registry", "processor.image.repository", "processor.image.tag")
    assert [key.path for key in dev.keys(FUNCTION, "image_uri")] == [*image, "processor.package"]
    assert {key.file for key in dev.keys(FUNCTION, "image_uri")} == {"common"}, "the tag is a key of both files"


@pytest.mark.parametrize(("share", "allowed"), [(0.5, True), (2.0, True), (1e7, False)])
def test_of_a_number_that_several_keys_decide_one_of_them_has_to_make_it(
    dev: Provenance, share: float, *, allowed: bool
) -> None:
    """The double of the connections at which an alarm rings is that of a larger class."""
    threshold = dev.value(CONNECTIONS, "threshold")
    assert dev.may_be(CONNECTIONS, "threshold", threshold * share) is allowed
    assert dev.may_be(FUNCTION, "image_uri", "any"), "what is no number is none that is more or less"


def test_a_key_that_replaces_a_resource(dev: Provenance) -> None:
    assert {path for path in COMMON_KEYS | ENVIRONMENT_KEYS if dev.replaces(path)} == {
        *("database.name", "database.master_username", "processor.package", "organisation.role_path"),
    }


@pytest.mark.parametrize(
    ("address", "field", "value"),
    [
        (FUNCTION, "memory_mb", 1024),
        (FUNCTION, "tags.CostCenter", "payments"),
        (FUNCTION, "tags.Owner", None),
        (FUNCTION, "colour", None),
        ("queue/jobs-pr-42", "retention_days", None),
    ],
)
def test_the_planned_value_of_a_field(dev: Provenance, address: str, field: str, value: object) -> None:
    assert dev.value(address, field) == value
