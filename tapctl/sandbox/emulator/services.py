"""All emulated services, and all rules in their order."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator import (
    cloudtrail,
    cloudwatch,
    ec2,
    ecr,
    iam,
    kms,
    lambda_functions,
    lambda_interfaces,
    logs,
    rds,
    s3,
    secretsmanager,
    service_quotas,
    sns,
    sts,
    tagging,
)
from tapctl.sandbox.emulator.aws_tags import aws_tag_rules
from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rules import Rules, Service
from tapctl.sandbox.emulator.stale_reads import stale_read_rules
from tapctl.sandbox.emulator.tagging import index_rules

SERVICES: Final[tuple[Service, ...]] = (
    cloudtrail.SERVICE,
    cloudwatch.SERVICE,
    ec2.SERVICE,
    ecr.SERVICE,
    iam.SERVICE,
    kms.SERVICE,
    lambda_functions.SERVICE,
    logs.SERVICE,
    rds.SERVICE,
    s3.SERVICE,
    secretsmanager.SERVICE,
    service_quotas.SERVICE,
    sns.SERVICE,
    # moto's alone: no rule corrects Systems Manager.
    Service(name="ssm", throttling="ThrottlingException"),
    sts.SERVICE,
    tagging.SERVICE,
)

# Of rules for the same operation the first is outermost.
RULES: Final[tuple[Rules, ...]] = (
    *aws_tag_rules(SERVICES),
    *lifecycle.DELETION,
    *stale_read_rules(SERVICES),
    *index_rules(SERVICES),
    *(rules for service in SERVICES for rules in service.timing),
    *lambda_interfaces.TIMING,
    *(rules for service in SERVICES for rules in service.contract),
)
