"""``tapctl validate`` and ``tapctl schema``: the environment files alone, offline and quick."""

from __future__ import annotations

import json

from tapctl.commands.answering import told
from tapctl.config import config_hash, load_all, schema
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import resolve_target
from tapctl.stack.package import build, handler_of


def validate(invocation: Invocation, screen: Screen) -> int:
    """Check the environment files, all of them or the one that is named, and the handler where they package it."""
    if invocation.env is None:
        screen.target(Target(invocation.verb, many=True))
        configs = load_all(invocation.config)
    else:
        configs = {invocation.env: resolve_target(invocation, screen)[0]}
    if any(config.processor.package == "zip" for config in configs.values()):
        build(handler_of(invocation.config))
    for each, config in sorted(configs.items()):
        screen.output(each, config_hash(config))
    summary = f"valid: {', '.join(sorted(configs))}"
    screen.verdict(invocation.verdict("OK", 0, {"environments": len(configs)}, summary))
    return 0


def show_schema(invocation: Invocation, screen: Screen) -> int:
    """Print the JSON Schema of both kinds of file."""
    made = schema()
    screen.target(Target(invocation.verb, many=True))
    screen.document(json.dumps(made, indent=2), made)
    return told(invocation, screen)
