"""The options that commands share, and the invocation, screen and session that they make."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from tapctl import __version__
from tapctl.cli.completion import complete_address, complete_environment, complete_suffix
from tapctl.cli.failures import COMMAND
from tapctl.cli.reporting import RECORDINGS, check_reports, recorded
from tapctl.errors import CONFIG, UsageError

if TYPE_CHECKING:
    from tapctl.planning.plan_file import PlanOut
    from tapctl.render.screen import Screen
    from tapctl.session.invocation import Invocation

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")

_GLOBAL = ("sandbox", "json", "no_color", "quiet", "verbose")


_EMPTY = "is empty; is a variable not set?"


class Place(click.Path):
    """A file or folder that is named: an empty word is not the current folder."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse an empty word."""
        if value == "":
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


class OrVariable(click.Option):
    """An option that stands in a variable where the line has none: an empty one is a slip, and means no default."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Refuse an empty variable, which a pipeline makes of one that it has not."""
        name = str(self.envvar)
        if os.environ.get(name) == "" and not ctx.resilient_parsing:
            raise click.UsageError(f"{name} is set and empty: give it a value, or take it out of the environment", ctx)
        return super().resolve_envvar_value(ctx)


def _named(_: click.Context, param: click.Parameter, value: str | None) -> str:
    """The name that was given, empty where none was: an empty word is no way to give none."""
    if value == "":
        raise click.BadParameter(_EMPTY, param=param)
    return value or ""


# -- the options -------------------------------------------------------------------------------------------------------


def global_options(command: F) -> F:
    """Add the options that stand before or after any command."""
    for option in (
        click.version_option(__version__, prog_name="tapctl"),
        click.option("--sandbox", is_flag=True, help="Use the embedded AWS; it is started when needed."),
        click.option("--json", "json", is_flag=True, help="Write JSON Lines to stdout."),
        click.option(
            "--report",
            "reports",
            multiple=True,
            metavar="FILE",
            help="Write the run there too: .md, .comment.md, .html, .sarif, .xml, .jsonl, .trace.json.",
        ),
        click.option("--no-color", is_flag=True, help="Write no escape sequences."),
        click.option("--quiet", is_flag=True, help="Write no progress."),
        click.option("--verbose", is_flag=True, help="Show all fields, and long values whole."),
    ):
        command = option(command)
    return command


_STATE = click.option(
    "--state",
    cls=OrVariable,
    envvar="TAPCTL_STATE",
    default="./manifests",
    show_default=True,
    help="Where manifests are: a folder, or s3://bucket/prefix.",
)
_CONFIG = click.option(
    "--config",
    "folder",
    cls=OrVariable,
    envvar="TAPCTL_CONFIG",
    default="environments",
    show_default=True,
    type=click.Path(),
    help="The folder of the environment files.",
)
_REGION = click.option("--region", help="Another region than the file's.")
_SUFFIX = click.option(
    "--suffix", shell_complete=complete_suffix, help="The suffix of every name; default: the environment's name."
)
_ENV = click.option(
    "--env", cls=OrVariable, envvar="TAPCTL_ENV", shell_complete=complete_environment, help="The environment."
)


def target_options(command: F) -> F:
    """Add the options of a command about one environment: which one, and where its files and records are."""
    return global_options(_ENV(_places(command)))


def places_options(command: F) -> F:
    """Add the options of a command that takes environments as arguments: where their files and records are."""
    return global_options(_places(command))


def _places(command: F) -> F:
    return _SUFFIX(_REGION(_CONFIG(_STATE(command))))


def files_options(command: F) -> F:
    """Add the options of a command about all environments: where their files are."""
    return global_options(_CONFIG(command))


def permit_options(command: F) -> F:
    """Add the options that let an apply do what it does not do by itself."""
    for option in (
        click.option("--empty", is_flag=True, help="Make a missing cluster without data."),
        click.option(
            "--restore",
            default=None,
            callback=_named,
            metavar="SNAPSHOT",
            help="Make a missing cluster from this snapshot.",
        ),
        click.option(
            "--reboot", is_flag=True, help="Reboot the instances whose parameters wait for it, readers first."
        ),
        click.option(
            "--allow",
            "allowed",
            multiple=True,
            metavar="ADDRESS",
            shell_complete=complete_address,
            help="Let this lose data, a boundary, or what cannot be undone.",
        ),
        click.option(
            "--adopt",
            "adopted",
            multiple=True,
            metavar="ADDRESS",
            shell_complete=complete_address,
            help="Take this over, which is not ours; or all.",
        ),
    ):
        command = option(command)
    return command


jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many environments are looked at side by side.",
)


def plan_file_options(command: F) -> F:
    """Add the options of a plan that is written as a file."""
    for option in (
        click.option("--expires", metavar="TIME", help="How long the file may be applied; default: 24h."),
        click.option(
            "--out",
            type=Place(dir_okay=False),
            metavar="FILE",
            help="Write the plan as a file to approve, for apply --plan.",
        ),
    ):
        command = option(command)
    return command


def approval_options(command: F) -> F:
    """Add the options of an apply that does what was approved or nothing."""
    for option in (
        click.option(
            "--expect", "expected", metavar="HASH", help="Exit 8 unless what would be done has this hash, as plan told."
        ),
        click.option(
            "--plan",
            "file",
            type=Place(),
            metavar="FILE",
            help="Make exactly what this file of plan --out says, or exit 8.",
        ),
    ):
        command = option(command)
    return command


lock_timeout = click.option(
    "--lock-timeout", default="0s", show_default=True, metavar="TIME", help="How long to wait in line for the lock."
)


def carry_global_flags(context: click.Context, given: dict[str, Any]) -> None:
    """Keep the global flags that stand before a command's name, of a group within a group too."""
    before = context.obj or {}
    context.obj = {name: given[name] or before.get(name, False) for name in _GLOBAL}
    context.obj["reports"] = (*before.get("reports", ()), *given["reports"])


# -- what becomes of them ----------------------------------------------------------------------------------------------


def with_invocation(command: Callable[Concatenate[Invocation, Screen, P], int]) -> Callable[..., int]:
    """Give a command its invocation and screen in place of the shared options."""

    @click.pass_context
    @wraps(command)
    def run(context: click.Context, /, *args: P.args, **given: P.kwargs) -> int:
        invocation, screen = invocation_of(context, given)
        return command(invocation, screen, *args, **given)

    return run


def invocation_of(context: click.Context, given: dict[str, Any]) -> tuple[Invocation, Screen]:
    """The invocation and the screen that the shared options ask for; these are taken out of ``given``.

    Raises:
        ConfigError: ``--config``, ``--suffix`` or ``--region`` cannot be one, or the suffix is another environment's.
        UsageError: ``--lock-timeout`` is no time.
    """
    from tapctl.config import check_folder
    from tapctl.render import choose_screen, is_interactive
    from tapctl.session.invocation import JOBS, STATE, Invocation

    flags = {name: given.pop(name) or context.obj[name] for name in _GLOBAL}
    sandbox, verb = flags.pop("sandbox"), verb_of(context)
    screen = choose_screen(sys.stdout, sys.stderr, os.environ, verb=verb, **flags)
    reports = (*context.obj["reports"], *given.pop("reports"))
    screen = recorded(context.meta[RECORDINGS], screen, verb, reports)
    env, suffix, folder = given.pop("env", None), given.pop("suffix", None), given.pop("folder", str(CONFIG))
    invocation = Invocation(
        verb=verb,
        env=env,
        suffix=suffix,
        target_is_explicit=env is not None or suffix is not None,
        region=given.pop("region", None),
        config=Path(folder),
        state=given.pop("state", STATE),
        sandbox=sandbox,
        yes=given.pop("yes", False),
        jobs=given.pop("jobs", JOBS),
        interactive=is_interactive(sys.stdin, os.environ),
        command=context.meta[COMMAND],
    )
    # A failure of the checks below is reported as this command's.
    context.meta.update(screen=screen, invocation=invocation)
    if invocation.target.suffix:
        screen.target(invocation.target)
    check_reports(reports)
    check_folder(folder)
    _check(invocation)
    return replace(invocation, lock_wait_s=parse_duration(given.pop("lock_timeout", "0s"))), screen


def verb_of(context: click.Context) -> str:
    """The command's words: ``plan``, ``manifest show``; empty for the program itself."""
    return context.command_path.partition(" ")[2]


def _check(invocation: Invocation) -> None:
    """Reject a wrong, or empty, ``--suffix`` or ``--region`` (an unset shell variable) for every command."""
    from tapctl.config import check_region, check_suffix, known_environments

    if invocation.region is not None:
        check_region(invocation.region)
    if invocation.suffix is not None:
        others = known_environments(invocation.config) if invocation.env is not None else ()
        check_suffix(invocation.suffix, invocation.env or invocation.suffix, others)


LONGEST_S = 24 * 3600
# A number needs a unit: without one, some would mean minutes.
_DURATION = re.compile(r"0|(?=.)(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")


_LONGEST_LASTING_S = 30 * 24 * 3600


def parse_duration(text: str) -> float:
    """Seconds of ``30s``, ``10m``, ``1h30m``; ``0`` needs no unit.

    Raises:
        UsageError: the text is none of these, or more than a day.
    """
    total = _seconds(text)
    if total is None or total > LONGEST_S:
        raise UsageError(f"{text!r} is no time to wait", hint="write it like 30s, 10m or 1h30m; a day at most")
    return total


def parse_plan_out(file: Path | None, expires: str | None) -> PlanOut | None:
    """The file that a plan is written to, and how long it lasts; None where none is asked for.

    Raises:
        UsageError: the time is none, or more than 30 days, or of no file; or the file would lie in no folder.
    """
    from tapctl.planning.plan_file import PlanOut

    if file is not None and not file.parent.is_dir():
        raise UsageError(f"--out {file}: {file.parent} is no folder", hint="name a file in a folder that is there")
    if expires is None:
        return None if file is None else PlanOut(file)
    if file is None:
        raise UsageError(f"--expires {expires} is of a file", hint="name it: --out FILE")
    lasts_s = _seconds(expires)
    if not lasts_s or lasts_s > _LONGEST_LASTING_S:
        raise UsageError(
            f"--expires {expires!r} is no time to last", hint="write it like 30m or 24h; 30 days (720h) at most"
        )
    return PlanOut(file, lasts_s)


def _seconds(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
