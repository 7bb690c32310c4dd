"""Commands about every environment that the state knows: one that fails does not silence the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tapctl.errors import ManifestError, TapctlError, add_default_hint, exit_code_of
from tapctl.manifest.manifest import Manifest
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation

_WORST_FIRST = (9, 3, 5, 6, 1, 4, 2, 7, 0)


def worst_exit_code(codes: Iterable[int]) -> int:
    """The exit status that tells of the worst of these."""
    return min(codes, key=_WORST_FIRST.index, default=0)


def for_each_environment(
    invocation: Invocation,
    screen: Screen,
    found: Mapping[str, Manifest | ManifestError],
    act: Callable[[Invocation, Manifest], int],
    *,
    verdicts: bool,
) -> dict[str, int]:
    """Act on each; what ends one is told, with ``verdicts`` by a last line too.

    Returns the exit statuses, by suffix.
    """
    codes: dict[str, int] = {}
    for suffix, one in sorted(found.items()):
        env = one.environment if isinstance(one, Manifest) else None
        part = replace(invocation, env=env, suffix=suffix, usage=invocation.usage.part())
        screen.target(Target(invocation.verb, env or "", suffix))
        try:
            if isinstance(one, ManifestError):
                raise one
            codes[suffix] = act(part, one)
        except TapctlError as error:
            add_default_hint(error)
            screen.error(error)
            codes[suffix] = exit_code_of(error)
            if verdicts:
                screen.verdict(part.verdict("FAILED", codes[suffix], summary=error.cause))
    return codes
