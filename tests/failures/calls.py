"""The operations of AWS that each command makes on dev, so that each of them can go wrong once; and how many calls.

They are kept in ``calls.json``, which `test_calls` compares with what the commands do: `REWRITE` writes it anew, as
golden pages are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_suffix(".json")
REWRITE: Final = "WRITE_GOLDEN=1 .venv/bin/python -m pytest -q tests/failures/test_calls.py"

_READS: Final = ("Describe", "Get", "BatchGet", "List")
_CALLS: Final = json.loads(FILE.read_text())


PREFLIGHT: Final = (
    *("iam:SimulatePrincipalPolicy", "lambda:GetAccountSettings", "rds:DescribeAccountAttributes"),
    "service-quotas:GetServiceQuota",
)
"""What may not be asked before a change is said, and stops nothing."""
SPARED: Final = (
    *PREFLIGHT,
    *("ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcAttribute", "ecr:DescribeImages"),
    *("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy"),
    *("rds:DescribeOrderableDBInstanceOptions", "sns:ListSubscriptionsByTopic"),
)
"""Reads that an apply does without, any one of them."""
_TOLD: Final = ("sns:ListSubscriptionsByTopic", "logs:DescribeSubscriptionFilters", "kms:GetKeyLastUsage")
"""Reads that a destroy does without: what they tell of others is a warning, or stands beside the key."""


def _needed(command: str) -> tuple[str, ...]:
    return tuple(name for name in _CALLS[command]["operations"] if name not in SPARED)


def _changing(operations: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for one in operations if not one.partition(":")[2].startswith(_READS))


FIRST_APPLY_CHANGES: Final[int] = _CALLS["first apply"]["changing calls"]
FIRST_APPLY_WRITES: Final = FIRST_APPLY_CHANGES + 12
"""Writes of the record and its lock to S3, about: those that meet are one write."""
EDIT_CHANGES: Final[int] = _CALLS["change"]["changing calls"]
"""The changing calls of an apply after `test_denied.edit_all`."""
DESTROY_CHANGES: Final[int] = _CALLS["destroy"]["changing calls"]

DRIFT: Final = tuple(_CALLS["drift"]["operations"])
NOTHING_TO_DO: Final = _needed("nothing to do")
FIRST_APPLY: Final = _needed("first apply")
CHANGE: Final = _needed("change")
DESTROY: Final = tuple(name for name in _CALLS["destroy"]["operations"] if name not in _TOLD)
CREATES: Final = _changing(FIRST_APPLY)
UPDATES: Final = _changing(CHANGE)
DELETES: Final = _changing(DESTROY)
