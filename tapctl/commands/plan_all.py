"""``tapctl plan --all``: what an apply of each environment would do, of every one that has a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from tapctl.commands.fleet import for_each_environment
from tapctl.commands.plan import plan
from tapctl.config import environments
from tapctl.errors import ExitCode, ManifestError, Status, TapctlError, UsageError
from tapctl.manifest.manifest import Manifest, empty
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import open_session
from tapctl.session.target import deployed_environments

_FLAGS: Final = {"adopted": "--adopt", "allowed": "--allow"}


def plan_all(invocation: Invocation, screen: Screen, others: Mapping[str, object], *, detailed_exitcode: bool) -> int:
    """Plan every environment, each under its own name; returns the worst of their exit statuses.

    ``others``: the options that are for one environment, by the name of their parameter.

    Raises:
        UsageError: one of these is given, or an environment is named.
        ConfigError: the folder of the environment files cannot be read.
    """
    given = [_FLAGS.get(name, f"--{name}") for name, value in others.items() if value]
    if given or invocation.target_is_explicit:
        raise UsageError(
            f"--all is for every environment, {given[0] if given else '--env or --suffix'} for one",
            hint="leave one of them out",
        )
    screen.target(Target())
    names = environments(invocation.config)
    recorded: Mapping[str, Manifest | ManifestError] = {}
    with suppress(TapctlError):  # each plan meets what is the matter with the state, and tells it
        recorded = deployed_environments(invocation, screen)
    members = {name: _record(name, recorded.get(name)) for name in names}
    codes = for_each_environment(
        invocation,
        screen,
        members,
        lambda part, record, own: plan(
            open_session(part, own), detailed_exitcode=detailed_exitcode, since=record if record.run else None
        ),
        verdicts=True,
    )
    code = ExitCode.worst(codes.values())
    planned = sum(each in (ExitCode.OK, ExitCode.DIFFERENT, ExitCode.INCOMPLETE) for each in codes.values())
    counts = {"environments": len(codes), "planned": planned}
    summary = f"{planned} of {len(codes)} environments are planned"
    return invocation.finish(screen, Status.OK if code == ExitCode.OK else None, code, counts, summary)


def _record(name: str, known: Manifest | ManifestError | None) -> Manifest:
    """The record whose resources are read together with others; an empty one where there is none."""
    return known if isinstance(known, Manifest) else empty(environment=name, suffix=name, account="", region="")
