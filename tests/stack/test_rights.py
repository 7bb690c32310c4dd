"""Rights that are declared become policies: filled in, put together, and none of them twice."""

from __future__ import annotations

import json

import pytest

from tapctl.aws.policy import when
from tapctl.aws.rights import ANY, Need, Right
from tapctl.config import Config, load
from tapctl.manifest import state_rights
from tapctl.names import Names
from tapctl.reconcilers import registry
from tapctl.stack.rights import Declared, declared, document, statements_for, values_of
from tests.support.config_folder import ENVIRONMENTS


def config() -> Config:
    return load(ENVIRONMENTS, "dev")


def names(region: str = "us-east-2", suffix: str = "dev") -> Names:
    return Names(suffix, config().account_id, region)


def text(command: str, config: Config, names: Names, *more: Right) -> str:
    return document(statements_for(command, values_of(config, names), [Declared("state", right) for right in more]))


def test_every_type_declares_its_rights() -> None:
    assert [type_ for type_, reconciler in registry().items() if not reconciler.actions] == []


def test_each_star_has_its_reason() -> None:
    assert [each for each in declared() if (each.right.resources == ANY) != bool(each.right.why)] == []


@pytest.mark.parametrize(
    ("reference", "resource"),
    [
        ("cloudformation:network", "stack/network/*"),
        ("cloudformation:arn:aws:cloudformation:us-east-2:123456789012:stack/network/0f", "stack/network/*"),
        ("ssm:/network/dev", "parameter/network/dev/*"),
    ],
)
def test_the_network_is_read_where_the_reference_says(reference: str, resource: str) -> None:
    kind, _, target = reference.partition(":")
    network = config().networking.model_copy(update={"kind": kind, "target": target})
    printed = text("plan", config().model_copy(update={"networking": network}), names())
    assert resource in printed
    assert ("cloudformation:" in printed, "ssm:" in printed) == (kind == "cloudformation", kind == "ssm")


def test_a_zip_needs_no_registry_and_another_account_s_gets_no_policy() -> None:
    processor = config().processor
    assert processor.image is not None
    zipped = config().model_copy(update={"processor": processor.model_copy(update={"package": "zip"})})
    assert "ecr:" not in text("apply", zipped, names())
    image = processor.image.model_copy(update={"registry": "210987654321"})
    foreign = config().model_copy(update={"processor": processor.model_copy(update={"image": image})})
    printed = text("apply", foreign, names())
    assert "ecr:us-east-2:210987654321:repository/" in printed
    assert "ecr:BatchGetImage" in printed
    assert "ecr:SetRepositoryPolicy" not in printed


def test_in_china_services_have_names_of_both_ends() -> None:
    printed = text("apply", config(), names("cn-north-1"))
    assert "arn:aws-cn:rds:cn-north-1" in printed
    assert '"rds.cn-north-1.amazonaws.com"' in printed
    assert '"rds.cn-north-1.amazonaws.com.cn"' in printed


def test_a_key_that_is_kept_longer_is_not_scheduled_sooner() -> None:
    assert '"kms:ScheduleKeyDeletionPendingWindowInDays": [\n            "7"' in text("destroy", config(), names())
    prod = load(ENVIRONMENTS, "prod")
    printed = text("destroy", prod, Names("prod", prod.account_id, prod.region))
    assert '"kms:ScheduleKeyDeletionPendingWindowInDays": [\n            "30"' in printed


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("alias/records", ":key/*"),
        ("0f-1e", ":key/0f-1e"),
        ("arn:aws:kms:eu-west-1:1:key/0f", "kms:eu-west-1:1:key/0f"),
    ],
)
def test_a_key_of_the_records_is_used_through_s3_alone(key: str, resource: str) -> None:
    rights = state_rights(f"s3://records?sse=aws:kms&key={key}")
    policy = json.loads(text("apply", config(), names(), *rights))
    (used,) = (
        each for each in policy["Statement"] if "kms:GenerateDataKey" in each["Action"] and "State" in each["Sid"]
    )
    assert used["Resource"][0].endswith(resource)
    assert used["Condition"]["StringEquals"]["kms:ViaService"] == ["s3.us-east-2.amazonaws.com"]
    assert ("ForAnyValue:StringEquals" in used["Condition"]) == key.startswith("alias/")
    assert "kms:GenerateDataKey" not in text("plan", config(), names(), *rights)


def test_the_objects_of_another_suffix_are_not_ours() -> None:
    _, objects, _ = state_rights("s3://records/tapctl")
    assert objects.filled({"partition": ("aws",), "suffix": ("pr-4",)}).resources == (
        "arn:aws:s3:::records/tapctl/pr-4.*",
        "arn:aws:s3:::records/tapctl/history/pr-4/*",
    )


def test_what_a_wider_right_allows_is_said_once() -> None:
    wide = Right(Need.OBSERVE, ("s3:GetObject",), ("arn:aws:s3:::b/*",))
    narrow = Right(Need.OBSERVE, ("s3:GetObject", "s3:PutObject"), ("arn:aws:s3:::b/x",))
    bound = Right(
        Need.OBSERVE, ("s3:GetObject",), ("arn:aws:s3:::b/*",), (when("Bool", "aws:SecureTransport", "true"),)
    )
    assert narrow.actions_beyond([wide, narrow, bound]) == {"s3:PutObject"}
    assert bound.actions_beyond([wide, bound]) == set()
    assert wide.actions_beyond([wide, narrow, bound]) == {"s3:GetObject"}


def test_ids_are_patterns_of_this_suffix_alone() -> None:
    assert names(suffix="pr-4").id_patterns("db-instance") == ("db-cluster-pr-4-?", "db-cluster-pr-4-??")
    assert names(suffix="pr-4").id_patterns("db-parameter-group") == ("db-instance-params-pg??-pr-4",)
    assert "db-cpu-??-pr-4" in names(suffix="pr-4").id_patterns("cloudwatch-alarm")
    assert names().id_patterns("unknown") == ()


def test_the_organisation_s_path_and_boundary_are_in_the_role_s_rights() -> None:
    boundary = "arn:{partition}:iam::{account_id}:policy/bound"
    organisation = config().organisation.model_copy(
        update={"role_path": "/payments/", "permissions_boundary": boundary}
    )
    printed = text("apply", config().model_copy(update={"organisation": organisation}), names())
    assert "role/payments/lambda-role-dev" in printed
    assert "iam:PutRolePermissionsBoundary" in printed
    assert "iam:PutRolePermissionsBoundary" not in text("apply", config(), names())


def test_a_type_that_the_stack_cannot_have_needs_no_rights() -> None:
    assert "sns:Subscribe" not in text("apply", config(), names())
