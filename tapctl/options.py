"""The options that commands share, and what becomes of them: the screen they ask for and the run they open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tapctl import __version__
from tapctl.failing import COMMAND

if TYPE_CHECKING:
    from tapctl.render.screen import Screen
    from tapctl.run import Options, Run

F = TypeVar("F", bound=Callable[..., Any])

_GLOBAL = ("sandbox", "json", "no_color", "quiet", "verbose")


def global_options(command: F) -> F:
    """The options that stand before or after any command."""
    for option in (
        click.version_option(__version__, prog_name="tapctl"),
        click.option("--sandbox", is_flag=True, help="Use the embedded AWS; it is started when needed."),
        click.option("--json", "json", is_flag=True, help="Write JSON Lines to stdout."),
        click.option("--no-color", is_flag=True, help="Write no escape sequences."),
        click.option("--quiet", is_flag=True, help="Write no progress."),
        click.option("--verbose", is_flag=True, help="Show all fields, and long values whole."),
    ):
        command = option(command)
    return command


def target_options(command: F) -> F:
    """The options that say which environment, and where its files and records are."""
    for option in (
        click.option(
            "--state",
            envvar="TAPCTL_STATE",
            default="./manifests",
            show_default=True,
            help="Where manifests are: a folder, or s3://bucket/prefix.",
        ),
        click.option(
            "--config",
            "folder",
            envvar="TAPCTL_CONFIG",
            default="environments",
            show_default=True,
            type=click.Path(path_type=Path),
            help="The folder of the environment files.",
        ),
        click.option("--region", help="Another region than the file's."),
        click.option("--suffix", help="The suffix of every name; default: the environment's name."),
        click.option("--env", envvar="TAPCTL_ENV", help="The environment."),
    ):
        command = option(command)
    return global_options(command)


lock_timeout = click.option(
    "--lock-timeout", default="0s", show_default=True, metavar="TIME", help="How long to wait in line for the lock."
)


def screen_of(context: click.Context, given: dict[str, Any]) -> Screen:
    """The screen that the flags, the streams and the environment ask for."""
    from tapctl.render.terminal import choose

    flags = {name: given.pop(name) or context.obj[name] for name in _GLOBAL}
    context.meta["sandbox"] = flags.pop("sandbox")
    screen = choose(sys.stdout, sys.stderr, os.environ, **flags)
    context.meta["screen"] = screen
    return screen


def options_of(context: click.Context, given: dict[str, Any]) -> tuple[Options, Screen]:
    """The options all commands share, taken out of what was given, and the screen they ask for."""
    from tapctl.config import check_region, check_suffix
    from tapctl.manifest.duration import parse_duration
    from tapctl.render.screen import Header
    from tapctl.render.terminal import can_ask
    from tapctl.run import Options

    screen = screen_of(context, given)
    env, suffix = given.pop("env"), given.pop("suffix")
    options = Options(
        verb=str(context.info_name),
        env=env,
        suffix=suffix,
        named=env is not None or suffix is not None,
        region=given.pop("region"),
        config=given.pop("folder"),
        state=given.pop("state"),
        sandbox=context.meta["sandbox"],
        yes=given.pop("yes", False),
        lock_wait_s=parse_duration(given.pop("lock_timeout", "0s")),
        can_ask=can_ask(sys.stdin, os.environ),
        command=context.meta[COMMAND],
    )
    context.meta["options"] = options
    screen.header(Header(options.verb, env=env or "", suffix=suffix or env or ""))
    if options.region is not None:
        check_region(options.region)
    if suffix == "":
        # As from an unset variable: it must never mean "the environment itself".
        check_suffix(suffix, env or "", ())
    return options, screen


def open_one(context: click.Context, given: dict[str, Any]) -> Run:
    """A run on one environment, opened."""
    from tapctl.run import open_run

    options, screen = options_of(context, given)
    run = context.meta["run"] = open_run(options, screen)
    return run
