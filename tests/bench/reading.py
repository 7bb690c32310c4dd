"""plan, drift and an apply with nothing to do: calls, changing calls, and time beyond Python and the SDK's clients."""

from __future__ import annotations

import sys
from pathlib import Path

from tapctl.config import load
from tapctl.stack.definition import planned_addresses
from tests.bench.aws import Aws
from tests.bench.measuring import TAPCTL, Report, beyond, ran

ROUNDS = 5
ENVIRONMENTS = ("dev", "prod")
CLIENTS = (
    *("sts", "cloudformation", "ec2", "ecr", "kms", "resourcegroupstaggingapi", "rds", "secretsmanager"),
    *("iam", "lambda", "logs", "sns", "cloudwatch"),
)
MADE = f"import boto3\ns = boto3.session.Session(region_name='us-east-1')\nfor n in {CLIENTS}: s.client(n)"
BASE = (sys.executable, "-c", MADE)
"""Python, the SDK and its clients, and nothing else."""


def reading(report: Report, aws: Aws) -> None:
    """Time the reading commands on an AWS in which everything stands."""
    aws.renew(0)
    for env in ENVIRONMENTS:
        ran((*TAPCTL, "apply", "--env", env, "--yes"))
    for env in ENVIRONMENTS:
        resources = len(planned_addresses(load(Path("environments"), env), env))
        for verb in (("plan",), ("drift",), ("apply", "--yes")):
            report.begin(f"{verb[0]} of {env}", ", where there is nothing to do")
            took, last = beyond((*TAPCTL, "--json", *verb, "--env", env), BASE, ROUNDS)
            verdict = last.records[-1]
            report.limit("calls", verdict["api_calls"], 2 * resources + (8 if verb[0] == "drift" else 5), "")
            report.limit("changing calls", verdict["changing_calls"], 0, "")
            report.limit("time beyond Python and the clients", took, 1.5, " s")
            report.limit("memory", last.peak_mb, 150, " MB")
