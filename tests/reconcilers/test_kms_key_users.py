"""Users of a key, as each service tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Retained
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.reconcilers.kms_key_users import ASKED, LISTINGS, key_users, last_use, topics_under
from tests.conftest import ACCOUNT
from tests.reconcilers.driving import OURS, delete_until_gone, look
from tests.reconcilers.keys import FIRST, ID, REC, make, ready, state
from tests.reconcilers.scripted import answer, refuse

ARN = "arn:aws:kms:us-east-1:123456789012:key/0a"


@pytest.mark.parametrize(
    ("service", "operation", "member", "item", "user"),
    [
        ("rds", "DescribeDBClusters", "DBClusters", {"DBClusterIdentifier": "c", "KmsKeyId": ARN}, "db-cluster/c"),
        (
            *("rds", "DescribeDBClusters", "DBClusters"),
            {"DBClusterIdentifier": "c", "MasterUserSecret": {"KmsKeyId": ARN}},
            "db-cluster/c",
        ),
        (
            *("rds", "DescribeDBInstances", "DBInstances"),
            {"DBInstanceIdentifier": "i", "PerformanceInsightsKMSKeyId": ARN},
            "db-instance/i",
        ),
        (
            *("rds", "DescribeDBInstances", "DBInstances"),
            {"DBInstanceIdentifier": "i", "KmsKeyId": ARN, "DBInstanceStatus": "deleting"},
            "",
        ),
        (
            *("rds", "DescribeDBClusterSnapshots", "DBClusterSnapshots"),
            {"DBClusterSnapshotIdentifier": "s", "KmsKeyId": ARN, "SnapshotType": "automated"},
            "",
        ),
        (
            *("rds", "DescribeDBClusterSnapshots", "DBClusterSnapshots"),
            {"DBClusterSnapshotIdentifier": "s", "KmsKeyId": ARN, "SnapshotType": "manual", "Status": "failed"},
            "",
        ),
        (
            *("rds", "DescribeDBSnapshots", "DBSnapshots"),
            {"DBSnapshotIdentifier": "s", "KmsKeyId": ARN, "SnapshotType": "awsbackup"},
            "db-snapshot/s",
        ),
        (
            *("rds", "DescribeDBClusterAutomatedBackups", "DBClusterAutomatedBackups"),
            {"DBClusterIdentifier": "c", "KmsKeyId": ARN, "Status": "retained"},
            "db-cluster-backup/c",
        ),
        (
            *("rds", "DescribeDBInstanceAutomatedBackups", "DBInstanceAutomatedBackups"),
            {"DBInstanceIdentifier": "i", "KmsKeyId": ARN, "Status": "active"},
            "",
        ),
        (
            *("rds", "DescribeDBInstanceAutomatedBackups", "DBInstanceAutomatedBackups"),
            {"DBInstanceIdentifier": "i", "KmsKeyId": ARN},
            "db-backup/i",
        ),
        ("logs", "DescribeLogGroups", "logGroups", {"logGroupName": "/g", "kmsKeyId": ARN}, "log-group//g"),
        ("secretsmanager", "ListSecrets", "SecretList", {"Name": "s", "KmsKeyId": "alias/k"}, "secret/s"),
        ("secretsmanager", "ListSecrets", "SecretList", {"Name": "s", "KmsKeyId": ARN, "OwningService": "rds"}, ""),
        ("lambda_", "ListFunctions", "Functions", {"FunctionName": "f", "KMSKeyArn": ARN}, "lambda-function/f"),
        ("lambda_", "ListFunctions", "Functions", {"FunctionName": "f"}, ""),
        (
            *("lambda_", "ListFunctions", "Functions"),
            {"FunctionName": "f", "DurableConfig": {"KMSKeyArn": ARN}},
            "lambda-function/f",
        ),
        (
            *("lambda_", "ListEventSourceMappings", "EventSourceMappings"),
            {"UUID": "u", "KMSKeyArn": ARN},
            "event-source-mapping/u",
        ),
        (
            *("lambda_", "ListCapacityProviders", "CapacityProviders"),
            {"CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:c", "KmsKeyArn": ARN},
            "capacity-provider/c",
        ),
        (
            *("rds", "DescribeDBInstances", "DBInstances"),
            {"DBInstanceIdentifier": "i", "ActivityStreamKmsKeyId": ARN},
            "db-instance/i",
        ),
        # The snapshot that it was made from may be gone: the files are there.
        (
            *("rds", "DescribeExportTasks", "ExportTasks"),
            {"ExportTaskIdentifier": "e", "KmsKeyId": ARN, "Status": "COMPLETE"},
            "db-export/e",
        ),
        (
            *("rds", "DescribeExportTasks", "ExportTasks"),
            {"ExportTaskIdentifier": "e", "KmsKeyId": ARN, "Status": "FAILED"},
            "",
        ),
        (
            *("rds", "DescribeIntegrations", "Integrations"),
            {"IntegrationName": "i", "KMSKeyId": ARN, "Status": "active"},
            "db-integration/i",
        ),
        (
            *("rds", "DescribeIntegrations", "Integrations"),
            {"IntegrationName": "i", "KMSKeyId": ARN, "Status": "deleting"},
            "",
        ),
        (
            *("logs", "ListScheduledQueries", "scheduledQueries"),
            {"name": "q", "destinationConfiguration": {"s3Configuration": {"kmsKeyId": ARN}}},
            "scheduled-query/q",
        ),
        ("ssm", "DescribeParameters", "Parameters", {"Name": "/team/x", "KeyId": "alias/k"}, "ssm-parameter//team/x"),
        ("ec2", "DescribeVolumes", "Volumes", {"VolumeId": "vol-1", "KmsKeyId": ARN}, "ebs-volume/vol-1"),
        ("ec2", "DescribeVolumes", "Volumes", {"VolumeId": "vol-1", "KmsKeyId": ARN, "State": "deleting"}, ""),
        ("ec2", "DescribeSnapshots", "Snapshots", {"SnapshotId": "snap-1", "KmsKeyId": ARN}, "ebs-snapshot/snap-1"),
    ],
)
def test_each_service_tells_its_users_of_the_key(  # noqa: PLR0917 -- as its cases
    aws: Aws, service: str, operation: str, member: str, item: dict[str, Any], user: str
) -> None:
    answer(getattr(aws, service), operation, {member: [item]})

    assert key_users(aws, ARN, "alias/k") == ({user} if user else set())


_NOT_ASKED = {
    # CloudWatch Logs uses the key itself for these, and the key's policy lets it in for our log groups alone.
    ("logs", "DescribeLookupTables"): {"kmsKeyId"},
    ("logs", "ListLogAnomalyDetectors"): {"kmsKeyId"},
    # Hundreds of RDS's own versions beside those that somebody has made for RDS Custom.
    ("rds", "DescribeDBEngineVersions"): {"KMSKeyId"},
    # Of RDS for Oracle; the password goes with its instance, and RDS makes another.
    ("rds", "DescribeTenantDatabases"): {"MasterUserSecret.KmsKeyId"},
    # Their snapshots and volumes are listed.
    ("ec2", "DescribeImages"): {"BlockDeviceMappings.Ebs.KmsKeyId"},
    ("ec2", "DescribeImportImageTasks"): {"KmsKeyId"},
    ("ec2", "DescribeImportSnapshotTasks"): {"SnapshotTaskDetail.KmsKeyId"},
    # A second way to what the snapshot's own key encrypts.
    ("ec2", "DescribeSnapshots"): {"AssociatedKmsKeys"},
    # Nothing is encrypted yet.
    ("ec2", "DescribeFleets"): {
        *(
            f"{of}.LaunchTemplateAndOverrides.Overrides.BlockDeviceMappings.Ebs.KmsKeyId"
            for of in ("Errors", "Instances")
        ),
        "LaunchTemplateConfigs.Overrides.BlockDeviceMappings.Ebs.KmsKeyId",
    },
    ("ec2", "DescribeLaunchTemplateVersions"): {"LaunchTemplateData.BlockDeviceMappings.Ebs.KmsKeyId"},
    ("ec2", "DescribeSpotFleetRequests"): {
        "SpotFleetRequestConfig.LaunchSpecifications.BlockDeviceMappings.Ebs.KmsKeyId"
    },
    ("ec2", "DescribeSpotInstanceRequests"): {"LaunchSpecification.BlockDeviceMappings.Ebs.KmsKeyId"},
    # Verified Access uses a key by a grant, and a grant keeps the key.
    **{
        ("ec2", f"DescribeVerifiedAccess{kind}"): {"SseSpecification.KmsKeyArn"}
        for kind in ("Endpoints", "Groups", "TrustProviders")
    },
    # Objects in S3.
    ("ssm", "ListResourceDataSync"): {"S3Destination.AWSKMSKeyARN"},
}
"""(service, operation) to the members that name a key and are not read."""


def _keys(shape: Any, path: str = "") -> Iterator[str]:
    """The paths of the members below that name a key, without a list's own."""
    if shape.type_name == "list":
        yield from _keys(shape.member, path)
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            if re.search("kms_?key", name, re.IGNORECASE):
                yield f"{path}{name}"
            else:
                yield from _keys(member, f"{path}{name}.")


def test_each_list_that_names_keys_is_asked_or_has_its_reason(aws: Aws) -> None:
    asked = {
        (one.service, aws.client(one.service).meta.method_to_api_mapping[one.operation]): {
            f"{one.member}.{key}" for key in one.keys
        }
        for one in LISTINGS
    }
    for service in {one.service for one in LISTINGS}:
        model = aws.client(service).meta.service_model
        for name in model.operation_names:
            operation = model.operation_model(name)
            is_list = name.startswith(("List", "Describe")) and not getattr(
                operation.input_shape, "required_members", ()
            )
            if not is_list or operation.output_shape is None:
                continue
            known = _NOT_ASKED.get((service, name), set())
            told = {path for path in _keys(operation.output_shape) if path.partition(".")[2] not in known}
            assert told <= asked.get((service, name), set()), name


def test_the_words_for_who_is_asked_name_each_service() -> None:
    words = {"ec2": "EBS", "lambda": "Lambda", "logs": "CloudWatch Logs", "rds": "RDS", "ssm": "SSM"}
    words |= {"secretsmanager": "Secrets Manager", "sns": "SNS"}
    asked = ASKED.partition(": ")[2].partition(";")[0].split(", ")
    assert sorted(asked) == sorted(words[service] for service in {"sns", *(one.service for one in LISTINGS)})


def test_when_the_key_was_last_used_is_told_as_far_as_kms_knows(aws: Aws) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    assert re.fullmatch(r"KMS knows of no use of it since 20\S+Z", last_use(aws, key))
    aws.kms.encrypt(KeyId=key, Plaintext=b"x")
    assert re.fullmatch(r"last used 20\S+Z by Encrypt", last_use(aws, key))
    answer(aws.kms, "GetKeyLastUsage", {"KeyId": key, "KeyLastUsage": {}}, times=1)
    assert last_use(aws, key) == "KMS knows of no use of it"
    west = timezone(timedelta(hours=-12))
    odd = {"KeyLastUsage": {}, "TrackingStartDate": datetime(9999, 12, 31, 23, tzinfo=west)}
    answer(aws.kms, "GetKeyLastUsage", {"KeyId": key, **odd}, times=1)
    assert last_use(aws, key) == "KMS knows of no use of it since a time that is none"
    for code, why in (("AccessDeniedException", "kms:GetKeyLastUsage denied"), ("UnknownOperationException",) * 2):
        with refuse(aws.kms, "GetKeyLastUsage", code):
            assert last_use(aws, key) == f"when it was last used is not known ({why})"


def test_a_region_without_an_operation_has_nothing_of_its_kind(aws: Aws) -> None:
    refuse(aws.lambda_, "ListCapacityProviders", "UnknownOperationException")
    assert key_users(aws, ARN) == set()
    refuse(aws.rds, "DescribeDBSnapshots", "InvalidAction")
    with pytest.raises(AwsRefused, match="InvalidAction"):
        key_users(aws, ARN)


def test_a_topic_names_its_key_in_any_form_and_one_that_is_gone_names_none(aws: Aws) -> None:
    for name, key in (("arn", ARN), ("id", "0a"), ("alias", "alias/k"), ("other", "alias/other"), ("none", "")):
        aws.sns.create_topic(Name=name, Attributes={"KmsMasterKeyId": key} if key else {})
    assert topics_under(aws, ARN, "alias/k") == {"sns-topic/arn", "sns-topic/id", "sns-topic/alias"}
    refuse(aws.sns, "GetTopicAttributes", "NotFound")
    assert topics_under(aws, ARN, "alias/k") == set()


def test_topics_are_asked_once_a_run_last_and_whether_an_alias_names_the_key_or_not(aws: Aws) -> None:
    aws.sns.create_topic(Name="theirs")
    for alias in (ID, ""):
        seen = ready(aws)
        if not alias:
            aws.kms.delete_alias(AliasName=ID)
        aws.learnt.clear()
        before = aws.call_log.calls["sns:GetTopicAttributes"]
        delete_until_gone(REC, aws, ID, FIRST)
        assert aws.call_log.calls["sns:GetTopicAttributes"] == before + 1
    seen = ready(aws)
    aws.learnt.clear()
    aws.kms.create_alias(AliasName="alias/theirs", TargetKeyId=seen.outputs.key_id if seen.outputs else "")
    assert isinstance(REC.delete(aws, ID, seen, FIRST), Retained)
    assert aws.call_log.calls["sns:GetTopicAttributes"] == before + 1, "it stays anyway"


def test_a_plan_names_the_topics_that_use_the_key_and_asks_none_of_many(aws: Aws) -> None:
    seen = ready(aws)
    aws.sns.create_topic(Name="theirs", Attributes={"KmsMasterKeyId": ID})
    assert REC.retained_because(aws, ID, seen) == Retained("what uses it is gone", "sns-topic/theirs uses it")
    for number in range(25):
        aws.sns.create_topic(Name=f"other-{number}")
    before = aws.call_log.calls["sns:GetTopicAttributes"]
    assert REC.retained_because(aws, ID, seen) is None
    assert aws.call_log.calls["sns:GetTopicAttributes"] == before
    assert REC.retained_because(aws, ID, replace(seen, outputs=None)) is None, "what is not known yet is not asked for"


def test_a_secret_keeps_the_key_for_as_long_as_its_deletion_can_be_taken_back(aws: Aws) -> None:
    seen = ready(aws)
    secret = aws.secretsmanager.create_secret(Name="theirs", SecretString="x", KmsKeyId=ID)["ARN"]
    kept = Retained("what uses it is gone", "secret/theirs uses it")
    assert REC.retained_because(aws, ID, seen) == kept
    aws.secretsmanager.delete_secret(SecretId=secret, RecoveryWindowInDays=30)
    assert REC.retained_because(aws, ID, seen) == kept


def test_a_topic_alone_keeps_the_key(aws: Aws) -> None:
    seen = ready(aws)
    aws.sns.create_topic(Name="theirs", Attributes={"KmsMasterKeyId": ID})
    kept = REC.delete(aws, ID, seen, FIRST)
    assert kept == Retained("what uses it is gone", f"sns-topic/theirs uses {ID}")
    aws.kms.delete_alias(AliasName=ID)
    without = look(REC, aws, ID, FIRST)
    assert isinstance(REC.delete(aws, ID, without, FIRST), Retained)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sns", "GetTopicAttributes"),
        ("logs", "DescribeLogGroups"),
        ("rds", "DescribeDBSnapshots"),
        ("rds", "DescribeExportTasks"),
        ("ssm", "DescribeParameters"),
        ("ec2", "DescribeVolumes"),
        ("ec2", "DescribeSnapshots"),
    ],
)
def test_a_service_that_may_not_be_asked_keeps_the_key(aws: Aws, service: str, operation: str) -> None:
    aws.sns.create_topic(Name="t")
    ready(aws)
    refuse(getattr(aws, service), operation, "AccessDenied")
    with pytest.raises(AwsRefused, match="AccessDenied"):
        delete_until_gone(REC, aws, ID, FIRST)
    assert look(REC, aws, ID, FIRST).spec == FIRST


def test_an_alias_of_somebody_else_keeps_the_key_and_ours_on_it(aws: Aws) -> None:
    seen = ready(aws)
    aws.kms.create_alias(AliasName="alias/theirs", TargetKeyId=seen.outputs.key_id if seen.outputs else "")
    kept = Retained("what uses it is gone", "kms-alias/alias/theirs uses it")

    assert REC.retained_because(aws, ID, seen) == kept
    assert isinstance(REC.delete(aws, ID, seen, FIRST), Retained)
    assert look(REC, aws, ID, FIRST).spec.alias == ID


def test_a_grant_of_a_service_or_to_a_role_that_is_gone_keeps_no_key(aws: Aws) -> None:
    seen = ready(aws)
    role = f"arn:aws:iam::{ACCOUNT}:role/lambda-role-dev"
    by_lambda = {
        "GrantId": "0a",
        "GranteePrincipal": role,
        "RetiringPrincipal": "lambda.us-east-1.amazonaws.com",
        "Operations": ["Decrypt"],
    }
    of_nobody = {"GrantId": "0b", "GranteePrincipal": "AROAEXAMPLE123456789", "Operations": ["Decrypt"]}
    answer(aws.kms, "ListGrants", {"Grants": [by_lambda, of_nobody]})
    going = REC.removed_with(["iam-role/lambda-role-dev"])
    assert going.retained_because(aws, ID, seen) is None
    kept = Retained("what uses it is gone", f"kms-grant/0a to {role} uses it")
    assert REC.retained_because(aws, ID, seen) == kept, "a role that stays may use it"


def test_a_grant_that_somebody_was_given_keeps_the_key_and_our_alias_on_it(aws: Aws) -> None:
    seen = ready(aws)
    key_id = seen.outputs.key_id if seen.outputs else ""
    team = f"arn:aws:iam::{ACCOUNT}:role/data-team"
    made = aws.kms.create_grant(KeyId=key_id, GranteePrincipal=team, Operations=["Decrypt"])
    kept = Retained("what uses it is gone", f"kms-grant/{made['GrantId']} to {team} uses it")
    assert REC.retained_because(aws, ID, seen) == kept
    assert isinstance(REC.delete(aws, ID, seen, FIRST), Retained)
    assert look(REC, aws, ID, FIRST).spec.alias == ID


def test_what_goes_with_the_key_is_waited_for_and_what_does_not_keeps_it(aws: Aws) -> None:
    seen = ready(aws)
    key = seen.outputs.arn if seen.outputs else ""
    answer(aws.logs, "DescribeLogGroups", {"logGroups": [{"logGroupName": "/g", "kmsKeyId": key}]})
    going = REC.removed_with(["log-group//g"])

    assert REC.retained_because(aws, ID, seen) == Retained("what uses it is gone", "log-group//g uses it")
    assert going.retained_because(aws, ID, seen) is None
    with pytest.raises(NotYet, match="log-group//g still uses it") as raised:
        going.delete(aws, ID, seen, FIRST)
    assert raised.value.patience is Patience.LONG
    assert look(REC, aws, ID, FIRST).spec == FIRST


# -- whose a key without an alias is ---------------------------------------------------------------------------------


def foreign_key(aws: Aws, description: str) -> str:
    """A key of others, on which somebody has set our tags and this description."""
    tags: Any = [{"TagKey": key, "TagValue": value} for key, value in FIRST.tags.items()]
    return aws.kms.create_key(Description=description, Tags=tags)["KeyMetadata"]["KeyId"]


@pytest.mark.parametrize("description", ["billing", FIRST.description])
def test_neither_tags_nor_a_description_make_a_key_ours(aws: Aws, description: str) -> None:
    theirs = foreign_key(aws, description)

    assert REC.observe(aws, ID, FIRST) is None
    assert REC.observe(aws, ID, None) is None
    assert list(REC.list_owned(aws, OURS)) == [theirs]
    ready(aws)
    assert look(REC, aws, ID, FIRST).spec.duplicates == frozenset()
    assert state(aws, theirs) == "Enabled"


def test_a_key_of_ours_that_another_alias_names_is_shown_as_somebody_elses(aws: Aws) -> None:
    make(aws, alias="alias/theirs", **FIRST.tags)

    owner = look(REC, aws, ID, FIRST).owner

    assert owner is not None
    assert owner.scope == "what alias/theirs names"
    assert list(REC.list_owned(aws, OURS)) == ["alias/theirs"]


def test_an_alias_of_ours_that_only_the_list_shows_yet_makes_nobody_elses_key(aws: Aws) -> None:
    make(aws, alias=ID, **FIRST.tags)
    refuse(aws.kms, "DescribeKey", "NotFoundException", times=1)

    owner = look(REC, aws, ID, FIRST).owner

    assert owner is not None
    assert owner.scope == ""


def test_the_window_that_a_plan_tells_is_the_longest_of_all(aws: Aws) -> None:
    seen = ready(aws)
    assert "30 days later" in KmsKey(7).removal_note(seen, snapshot_due=False)
