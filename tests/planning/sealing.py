"""A session without AWS, and plan files that it seals."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.engine.plan import Change
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest
from tapctl.planning.permits import NO_PERMITS, Permits
from tapctl.planning.plan_file import PlanFile, PlanOut, seal
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.manifest.examples import manifest
from tests.render.examples import plan
from tests.support.config_folder import ENVIRONMENTS

IMAGE = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/payment-processor@sha256:{'a' * 64}"
NETWORKING = {"reference": "static", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "zones": ["us-east-2a"]}


def session(folder: Path, **of: str) -> Session:
    """A session on dev, with its record in this folder. ``of``: where its target is another one."""
    aws = Aws(Connection("us-east-2"))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    target = {"env": "dev", "suffix": "dev", "account": "123456789012", "region": "us-east-2", "config_hash": "c" * 64}
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    store = open_store(str(folder), None)
    return Session(Invocation("apply"), screen, load(ENVIRONMENTS, "dev"), Target(**target | of), aws, store)


def sealed(
    run: Session,
    *changes: Change,
    record: Manifest | None = None,
    permits: Permits = NO_PERMITS,
    out: PlanOut | None = None,
    **other: Any,
) -> PlanFile:
    """Seal these changes of dev. ``other``: of the networking, the image, and whether it is a destroy."""
    values: dict[str, Any] = {"networking": NETWORKING, "image": IMAGE} | other
    return seal(run, plan(*changes), record or manifest(), permits=permits, out=out, **values)


def edited(path: Path, **values: Any) -> None:
    """Write a plan file with other values, and the hashes that it had."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
