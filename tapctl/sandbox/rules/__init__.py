"""The rules, by service. What each corrects is its docstring; the facts are AWS's API reference and user guides."""

from __future__ import annotations

from tapctl.sandbox.rules import (
    cloudwatch,
    ec2,
    ecr,
    iam,
    kms,
    lambda_,
    lambda_shown,
    logs,
    rds_catalog,
    rds_cluster_changes,
    rds_clusters,
    rds_instances,
    rds_parameters,
    rds_subnet_groups,
    secretsmanager,
    sns,
    tagging,
)

# Of rules for the same operation the first is outermost.
ALL = (
    cloudwatch.rules,
    ec2.rules,
    ecr.rules,
    iam.rules,
    kms.rules,
    lambda_shown.rules,
    lambda_.rules,
    logs.rules,
    rds_catalog.rules,
    rds_clusters.rules,
    rds_cluster_changes.rules,
    rds_instances.rules,
    rds_parameters.rules,
    rds_subnet_groups.rules,
    secretsmanager.rds_rules,
    secretsmanager.rules,
    sns.rules,
    tagging.rules,
)
