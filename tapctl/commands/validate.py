"""``tapctl validate``: the environment files alone, offline and quick: only what the files ask for is imported."""

from __future__ import annotations

from typing import Final

from tapctl.clock import today
from tapctl.config import Config, config_hash, known_environments, load_all
from tapctl.config.waivers import path_of
from tapctl.errors import Status
from tapctl.render.screen import Screen, Target
from tapctl.safety.files import is_absent
from tapctl.session.invocation import Invocation

_COLUMNS: Final = ("environment", "account", "region", "networking", "protected", "config")
_HASH_SHOWN: Final = 8
_IN_A_FILE: Final = ("terraform", "pulumi")
"""Kinds of networking that a local file tells."""


def validate(invocation: Invocation, screen: Screen) -> int:
    """Check the environment files, all of them or the one that is named, and the local files that they name.

    Raises:
        ConfigError: the files break a rule.
        NetworkingError: a networking stack's file cannot be used.
    """
    if invocation.env is None:
        screen.target(Target())
        configs = load_all(invocation.config)
    else:
        from tapctl.session.target import resolve_target

        configs = {invocation.env: resolve_target(invocation, screen)[0]}
    for config in configs.values():
        if config.networking.kind in _IN_A_FILE:
            from tapctl.stack.network import check_local

            check_local(config.networking, invocation.config)
    if any(config.processor.package == "zip" for config in configs.values()):
        from tapctl.stack.package import build, handler_of

        build(handler_of(invocation.config))
    if not is_absent(path_of(invocation.config), follow=False):
        from tapctl.stack.waivers import waivers_of

        waivers_of(invocation.config, "", known_environments(invocation.config), today())
    listed = sorted(configs.items())
    records = [{"type": "output", "name": env, "value": config_hash(config)} for env, config in listed]
    screen.table(_COLUMNS, [_cells(config) for _, config in listed], records)
    summary = f"valid: {', '.join(sorted(configs))}"
    return invocation.finish(screen, Status.OK, counts={"environments": len(configs)}, summary=summary)


def _cells(config: Config) -> list[str]:
    protected = "yes" if config.protected else "no"
    account, networking = config.account_id, str(config.networking)
    return [config.environment, account, config.region, networking, protected, config_hash(config)[:_HASH_SHOWN]]
