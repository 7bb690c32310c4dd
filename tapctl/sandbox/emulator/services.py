"""The rules, by service. What each corrects is its docstring; the facts are AWS's API reference and user guides."""

from __future__ import annotations

from tapctl.sandbox.emulator import aws_tags as system_tags
from tapctl.sandbox.emulator import (
    cloudwatch,
    cloudwatch_life,
    ec2,
    ec2_life,
    ecr,
    iam,
    iam_life,
    kms,
    kms_life,
    lambda_interfaces,
    lambda_life,
    lambda_shown,
    logs,
    logs_life,
    secretsmanager,
    sns,
    sns_life,
    tagging,
    tagging_life,
)
from tapctl.sandbox.emulator import lambda_functions as lambda_
from tapctl.sandbox.emulator import stale_reads as looks
from tapctl.sandbox.emulator.rds import catalog as rds_catalog
from tapctl.sandbox.emulator.rds import cluster_changes as rds_cluster_changes
from tapctl.sandbox.emulator.rds import cluster_timing as rds_life_clusters
from tapctl.sandbox.emulator.rds import clusters as rds_clusters
from tapctl.sandbox.emulator.rds import ends as rds_ends
from tapctl.sandbox.emulator.rds import group_timing as rds_life_groups
from tapctl.sandbox.emulator.rds import instances as rds_instances
from tapctl.sandbox.emulator.rds import instances_life as rds_life_instances
from tapctl.sandbox.emulator.rds import lifecycle as rds_course
from tapctl.sandbox.emulator.rds import parameters as rds_parameters
from tapctl.sandbox.emulator.rds import reboots as rds_life_reboots
from tapctl.sandbox.emulator.rds import secrets as rds_life_secrets
from tapctl.sandbox.emulator.rds import stops as rds_life_stops
from tapctl.sandbox.emulator.rds import subnet_groups as rds_subnet_groups

# Of rules for the same operation the first is outermost.
ALL = (
    *system_tags.RULES,
    *rds_course.RULES,
    *looks.RULES,
    *tagging_life.RULES,
    cloudwatch_life.rules,
    cloudwatch.rules,
    ec2_life.rules,
    lambda_interfaces.ec2_rules,
    ec2.rules,
    ecr.rules,
    iam_life.rules,
    iam.rules,
    kms_life.rules,
    kms.rules,
    lambda_life.rules,
    lambda_interfaces.rules,
    lambda_shown.rules,
    lambda_.rules,
    logs_life.rules,
    logs.rules,
    rds_catalog.rules,
    rds_ends.rules,
    rds_life_stops.refusals,
    rds_life_clusters.rules,
    rds_life_instances.rules,
    rds_life_reboots.rules,
    rds_life_groups.rules,
    rds_life_secrets.rds_rules,
    rds_life_secrets.rules,
    rds_clusters.rules,
    rds_cluster_changes.rules,
    rds_life_stops.rules,
    rds_instances.rules,
    rds_parameters.rules,
    rds_subnet_groups.rules,
    secretsmanager.rds_rules,
    secretsmanager.rules,
    sns_life.rules,
    sns.rules,
    tagging.rules,
)
