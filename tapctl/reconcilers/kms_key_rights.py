"""The rights on the key: of tapctl's own calls, and of what other services do with the key as their caller."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tapctl.aws.policy import when
from tapctl.aws.rights import ANY, LISTS, OURS, TAGGED, Need, Right, arn

_KEYS: Final = arn("kms", "key/*")
"""KMS chooses the ids of keys: ours are those with our tags."""
_ALIAS: Final = arn("kms", "{kms-key}")
_NAMED: Final = when("ForAnyValue:StringEquals", "kms:ResourceAliases", "{kms-key}")
"""The condition that our alias names the key: then its tags may be put back, which prove everything else."""
_WINDOW: Final = "kms:ScheduleKeyDeletionPendingWindowInDays"

# The alias is put back before any tag.
_TAGGING: Final = Right(
    Need.UPDATE, ("kms:TagResource", "kms:UntagResource"), (_KEYS,), (_NAMED,), fields=frozenset({"tags"})
)
FINGERPRINT_RIGHT: Final = replace(_TAGGING, actions=("kms:TagResource",), fields=frozenset())
"""The right that every apply needs which changes the record: to leave its fingerprint."""
KEY_RIGHTS: Final = (
    # Whether any other key is ours too is asked of each.
    Right(
        Need.OBSERVE,
        ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
        (_KEYS,),
    ),
    Right(Need.OBSERVE, ("kms:ListAliases", "kms:ListKeys", "tag:GetResources"), why=LISTS),
    Right(Need.EXPOSURES | Need.UPDATE | Need.DELETE, ("kms:ListGrants",), (_KEYS,)),
    Right(Need.CREATE, ("kms:CreateKey",), conditions=TAGGED, why="the key is not there yet; by its tags"),
    Right(
        Need.CREATE,
        ("kms:TagResource",),
        (_KEYS,),
        (*TAGGED, when("Null", "aws:ResourceTag/EnvironmentSuffix", "true")),
    ),
    Right(Need.CREATE | Need.UPDATE, ("kms:CreateAlias",), (_ALIAS,)),
    Right(
        Need.CREATE | Need.UPDATE,
        ("kms:CancelKeyDeletion", "kms:CreateAlias", "kms:EnableKey", "kms:EnableKeyRotation"),
        (_KEYS,),
        OURS,
    ),
    Right(Need.UPDATE, ("kms:PutKeyPolicy", "kms:UpdateKeyDescription"), (_KEYS,), OURS),
    _TAGGING,
    Right(Need.DELETE, ("kms:UntagResource",), (_KEYS,), (_NAMED,), fields=frozenset({"tags"})),
    Right(Need.DELETE, ("kms:GetKeyLastUsage",), (_KEYS,)),
    Right(Need.DELETE, ("kms:DeleteAlias",), (_ALIAS,)),
    Right(Need.DELETE, ("kms:DeleteAlias",), (_KEYS,), OURS),
    Right(
        Need.UPDATE | Need.DELETE,
        ("kms:ScheduleKeyDeletion",),
        (_KEYS,),
        (*OURS, when("NumericGreaterThanEquals", _WINDOW, "{window}")),
    ),
    # What else is encrypted with the key is asked of each service before it goes, and before a second one does.
    *(
        Right(Need.UPDATE | Need.DELETE, actions, resources, fields=frozenset({"duplicates"}), why=why)
        for actions, resources, why in (
            (
                (
                    *("lambda:ListFunctions", "lambda:ListEventSourceMappings", "lambda:ListCapacityProviders"),
                    *("logs:DescribeLogGroups", "logs:ListScheduledQueries", "secretsmanager:ListSecrets"),
                    *("rds:DescribeExportTasks", "sns:ListTopics", "tag:GetResources"),
                    *("kms:ListAliases", "kms:ListKeys"),
                    *("ec2:DescribeSnapshots", "ec2:DescribeVolumes", "ssm:DescribeParameters"),
                ),
                ANY,
                LISTS,
            ),
            (("sns:GetTopicAttributes",), (arn("sns", "*"),), ""),
            (("rds:DescribeDBClusters",), (arn("rds", "cluster:*"),), ""),
            (("rds:DescribeDBInstances",), (arn("rds", "db:*"),), ""),
            (
                ("rds:DescribeDBClusterAutomatedBackups",),
                (arn("rds", "cluster-auto-backup:*"), arn("rds", "cluster:*")),
                "",
            ),
            (("rds:DescribeDBInstanceAutomatedBackups",), (arn("rds", "auto-backup:*"), arn("rds", "db:*")), ""),
            (("rds:DescribeDBClusterSnapshots",), (arn("rds", "cluster-snapshot:*"), arn("rds", "cluster:*")), ""),
            (("rds:DescribeDBSnapshots",), (arn("rds", "snapshot:*"), arn("rds", "db:*")), ""),
            (("rds:DescribeIntegrations",), (arn("rds", "integration:*"),), ""),
        )
    ),
)


def as_caller(need: Need, service: str, actions: tuple[str, ...]) -> tuple[Right, Right]:
    """The rights on the key that ``service`` uses in its caller's name, through the service alone.

    It makes grants for itself with them, which lets nobody else in.
    """
    via = when("StringEquals", "kms:ViaService", f"{service}.{{region}}.{{domain}}")
    return (
        Right(need, actions, (_KEYS,), (*OURS, via)),
        Right(need, ("kms:CreateGrant",), (_KEYS,), (*OURS, via, when("Bool", "kms:GrantIsForAWSResource", "true"))),
    )
