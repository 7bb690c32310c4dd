"""``tapctl validate``: the environment files alone, offline and quick."""

from __future__ import annotations

from tapctl.config import config_hash, load_all
from tapctl.errors import Status
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import resolve_target
from tapctl.stack.package import build, handler_of


def validate(invocation: Invocation, screen: Screen) -> int:
    """Check the environment files, all of them or the one that is named, and the handler where they package one."""
    if invocation.env is None:
        screen.target(Target())
        configs = load_all(invocation.config)
    else:
        configs = {invocation.env: resolve_target(invocation, screen)[0]}
    if any(config.processor.package == "zip" for config in configs.values()):
        build(handler_of(invocation.config))
    for env, config in sorted(configs.items()):
        screen.output(env, config_hash(config))
    summary = f"valid: {', '.join(sorted(configs))}"
    return invocation.finish(screen, Status.OK, counts={"environments": len(configs)}, summary=summary)
