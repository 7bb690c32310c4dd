"""``tapctl sandbox``: the embedded AWS, by hand."""

from __future__ import annotations

from tapctl import sandbox
from tapctl.config import load_all
from tapctl.errors import SandboxError
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import SANDBOX_FOLDER, Invocation
from tapctl.session.target import announce_sandbox_start


def start(invocation: Invocation, screen: Screen) -> int:
    """Start it, with what every environment refers to; one that runs already is given what it lacks.

    An environment it cannot hold is named, and keeps no other one out.
    """
    screen.target(Target(invocation.verb, many=True))
    configs = load_all(invocation.config)
    announce_sandbox_start(screen)
    endpoint = sandbox.ensure(SANDBOX_FOLDER, [])
    held = []
    for name, config in sorted(configs.items()):
        try:
            sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(config, config.region)])
        except SandboxError as error:
            screen.warn(f"not for {name}: {error}: {error.evidence}")
        else:
            held.append(name)
    screen.output("endpoint", endpoint)
    screen.verdict(invocation.verdict("RUNNING", 0, {}, f"{endpoint} · for {', '.join(held) or 'none'}"))
    return 0


def status(invocation: Invocation, screen: Screen) -> int:
    """Say whether it runs, and where."""
    screen.target(Target(invocation.verb, many=True))
    endpoint = sandbox.status(SANDBOX_FOLDER)
    if endpoint is not None:
        screen.output("endpoint", endpoint)
    screen.verdict(invocation.verdict("RUNNING" if endpoint else "STOPPED", 0, {}, endpoint or ""))
    return 0


def stop(invocation: Invocation, screen: Screen) -> int:
    """Stop it; its state is forgotten."""
    screen.target(Target(invocation.verb, many=True))
    ended = sandbox.stop(SANDBOX_FOLDER)
    screen.verdict(invocation.verdict("STOPPED", 0, {}, "" if ended else "it was not running"))
    return 0
