"""``tapctl sandbox start``, ``status`` and ``stop``: the embedded AWS, by hand."""

from __future__ import annotations

from pathlib import Path

from tapctl import sandbox
from tapctl.config import load_all
from tapctl.errors import SandboxError, Status
from tapctl.manifest.local import LocalStore
from tapctl.manifest.manifest import AwsKind, Manifest
from tapctl.render.screen import Screen
from tapctl.session.invocation import SANDBOX_FOLDER, Invocation
from tapctl.session.target import announce_sandbox_start, is_deployed, read_manifests


def start(invocation: Invocation, screen: Screen) -> int:
    """Start the embedded AWS with the networking and images of every environment, or add those it lacks.

    An environment that cannot be added is named, and keeps no other one out.
    """
    configs = load_all(invocation.config)
    announce_sandbox_start(screen)
    endpoint = sandbox.ensure(SANDBOX_FOLDER, [])
    ready = []
    for name, config in sorted(configs.items()):
        try:
            sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(config, config.region)])
        except SandboxError as error:
            screen.warn(f"not for {name}: {error}: {error.evidence}")
        else:
            ready.append(name)
    screen.output("endpoint", endpoint)
    return invocation.finish(screen, Status.RUNNING, summary=f"{endpoint} · for {', '.join(ready) or 'none'}")


def status(invocation: Invocation, screen: Screen) -> int:
    """Say if the embedded AWS runs, and where."""
    endpoint = sandbox.status(SANDBOX_FOLDER)
    if endpoint is not None:
        screen.output("endpoint", endpoint)
    return invocation.finish(screen, Status.RUNNING if endpoint else Status.STOPPED, summary=endpoint or "")


def stop(invocation: Invocation, screen: Screen) -> int:
    """Stop the embedded AWS; its state is forgotten. Records of it in a folder stay, and are named."""
    was_running = sandbox.stop(SANDBOX_FOLDER)
    store = LocalStore(Path(invocation.state))
    for suffix, record in read_manifests(invocation, store).items():
        if isinstance(record, Manifest) and record.aws_kind is AwsKind.SANDBOX and is_deployed(record):
            where = store.location(suffix)
            screen.warn(f"{where} tells of what is forgotten: move it away before you apply {suffix} there anew")
    return invocation.finish(screen, Status.STOPPED, summary="" if was_running else "it was not running")
