"""The fleet: a command on every environment that the state knows, where one that fails does not silence the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tapctl.errors import ManifestError, Status, TapctlError, add_default_hint, exit_code_of
from tapctl.manifest.manifest import Manifest
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation


def for_each_environment(
    invocation: Invocation,
    screen: Screen,
    deployed: Mapping[str, Manifest | ManifestError],
    act: Callable[[Invocation, Manifest], int],
    *,
    verdicts: bool,
) -> dict[str, int]:
    """Act on each environment, and show the error that ends one, with ``verdicts`` a verdict too.

    ``deployed``: suffix to record, or to why the record cannot be used. Returns the exit statuses by suffix.
    """
    codes: dict[str, int] = {}
    for suffix, record in sorted(deployed.items()):
        env = record.environment if isinstance(record, Manifest) else None
        part = replace(invocation, env=env, suffix=suffix, usage=invocation.usage.part())
        screen.target(part.target)
        try:
            if isinstance(record, ManifestError):
                raise record
            codes[suffix] = act(part, record)
        except TapctlError as error:
            add_default_hint(error)
            screen.error(error)
            codes[suffix] = exit_code_of(error)
            if verdicts:
                part.finish(screen, Status.FAILED, codes[suffix], summary=error.cause)
    return codes
