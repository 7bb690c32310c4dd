"""Manifests, entries and holders that the tests share."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tapctl.engine.record import Entry, Phase
from tapctl.manifest.lock import LockHolder
from tapctl.manifest.manifest import Manifest

DANA = LockHolder(who="dana", host="laptop", pid=42, command="tapctl apply --env dev", since="2031-05-06T07:08:09Z")
SAM = LockHolder(who="sam", host="runner", pid=43, command="tapctl destroy --env dev", since="2031-05-06T07:09:00Z")


def entry(id: str = "alias/db-key-dev", phase: Phase = Phase.MADE, **spec: Any) -> Entry:
    outputs = {"arn": f"arn:aws:kms:us-east-2:123456789012:key/{id}", "key_id": id}
    return Entry(type="kms-key", id=id, phase=phase, spec=spec, outputs=outputs)


def manifest(*entries: Entry, serial: int = 3, run: str = "run-1", suffix: str = "dev") -> Manifest:
    return Manifest(
        environment="dev",
        suffix=suffix,
        account="123456789012",
        region="us-east-2",
        serial=serial,
        config_hash="9f3c",
        run=run,
        written_by="dana",
        written_at="2031-05-06T07:08:09Z",
        networking={"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]},
        entries={entry.address: entry for entry in entries},
    )


@contextmanager
def no_room() -> Iterator[None]:
    """A full disk: no file may grow beyond 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
