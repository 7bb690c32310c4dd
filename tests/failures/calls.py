"""The operations of AWS that each command makes on dev, so that each of them can go wrong once; and how many calls.

`test_denied.test_the_lists_of_calls_are_complete` keeps the lists whole, and `test_kill` the numbers of changing calls.
"""

from __future__ import annotations

from typing import Final

FIRST_APPLY_CHANGES: Final = 33
FIRST_APPLY_WRITES: Final = 45
"""Writes of the record and its lock to S3, about: those that meet are one write."""
EDIT_CHANGES: Final = 29
"""The changing calls of an apply after `test_denied.edit_all`."""
DESTROY_CHANGES: Final = 24

_LOOK: Final = """
cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups
iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies kms:DescribeKey kms:GetKeyPolicy
kms:GetKeyRotationStatus kms:ListResourceTags lambda:GetFunction lambda:GetPolicy logs:DescribeLogGroups
logs:ListTagsForResource rds:DescribeDBClusterParameterGroups rds:DescribeDBClusterParameters rds:DescribeDBClusters
rds:DescribeDBInstances rds:DescribeDBParameterGroups rds:DescribeDBParameters rds:DescribeDBSubnetGroups
rds:ListTagsForResource resourcegroupstaggingapi:GetResources secretsmanager:DescribeSecret sns:GetTopicAttributes
sns:ListTagsForResource sts:GetCallerIdentity
"""
_BEFORE: Final = """
cloudformation:DescribeStacks ec2:DescribeSubnets ec2:DescribeVpcAttribute ec2:DescribeVpcs ecr:DescribeImages
"""
_BY_TAGS: Final = "iam:ListRoleTags iam:ListRoles kms:ListAliases kms:ListKeys"

CREATES: Final = (
    "cloudwatch:PutMetricAlarm",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateSecurityGroup",
    "ec2:RevokeSecurityGroupEgress",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "kms:CreateAlias",
    "kms:CreateKey",
    "kms:EnableKeyRotation",
    "lambda:CreateFunction",
    "lambda:PutFunctionConcurrency",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
    "rds:CreateDBCluster",
    "rds:CreateDBClusterParameterGroup",
    "rds:CreateDBInstance",
    "rds:CreateDBParameterGroup",
    "rds:CreateDBSubnetGroup",
    "rds:ModifyDBClusterParameterGroup",
    "rds:ModifyDBParameterGroup",
    "secretsmanager:RotateSecret",
    "secretsmanager:TagResource",
    "sns:CreateTopic",
)
UPDATES: Final = (
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:TagResource",
    "ec2:CreateTags",
    "iam:TagRole",
    "kms:TagResource",
    "lambda:PutFunctionConcurrency",
    "lambda:TagResource",
    "lambda:UpdateFunctionConfiguration",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "rds:AddTagsToResource",
    "rds:ModifyDBCluster",
    "rds:ModifyDBClusterParameterGroup",
    "rds:ModifyDBInstance",
    "secretsmanager:RotateSecret",
    "secretsmanager:TagResource",
    "sns:TagResource",
)
DELETES: Final = (
    "cloudwatch:DeleteAlarms",
    "ec2:DeleteSecurityGroup",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "kms:DeleteAlias",
    "kms:ScheduleKeyDeletion",
    "lambda:DeleteFunction",
    "lambda:UpdateFunctionConfiguration",
    "logs:DeleteLogGroup",
    "rds:DeleteDBCluster",
    "rds:DeleteDBClusterParameterGroup",
    "rds:DeleteDBInstance",
    "rds:DeleteDBParameterGroup",
    "rds:DeleteDBSubnetGroup",
    "sns:DeleteTopic",
)
DRIFT: Final = tuple(_LOOK.split())
NOTHING_TO_DO: Final = (*DRIFT, *_BEFORE.split())
FIRST_APPLY: Final = (*NOTHING_TO_DO, "kms:ListAliases", "kms:ListKeys", *CREATES)
CHANGE: Final = (*NOTHING_TO_DO, *UPDATES)
DESTROY: Final = (
    *(one for one in DRIFT if not one.startswith("secretsmanager:")),
    *_BY_TAGS.split(),
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "rds:DescribeDBClusterSnapshots",
    *DELETES,
)
