"""``tapctl validate`` and ``tapctl schema``: the environment files alone, offline and quick."""

from __future__ import annotations

import json
import time

from tapctl.config import config_hash, load, load_all, schema
from tapctl.package import build, handler_of
from tapctl.render.screen import Header, Screen, Verdict
from tapctl.run import Options
from tapctl.verbs.answering import told


def validate(options: Options, screen: Screen) -> int:
    """Check the environment files, all of them or the one that is named, and the handler where they package it."""
    began = time.monotonic()
    env = options.env
    configs = load_all(options.config) if env is None else {env: load(options.config, env)}
    if any(config.processor.package == "zip" for config in configs.values()):
        build(handler_of(options.config))
    for each, config in sorted(configs.items()):
        screen.output(each, config_hash(config))
    summary = f"valid: {', '.join(sorted(configs))}"
    counts = {"environments": len(configs)}
    screen.verdict(Verdict("validate", env or "all", "OK", 0, counts, summary, time.monotonic() - began))
    return 0


def show_schema(screen: Screen) -> int:
    """Print the JSON Schema of both kinds of environment file."""
    made = schema()
    screen.header(Header("schema"))
    screen.document(json.dumps(made, indent=2), made)
    return told(screen, "schema")
