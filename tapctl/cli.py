"""The command line: parse, pick a screen, call a verb, exit. What to do is decided elsewhere."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from tapctl.failing import COMMAND
from tapctl.options import (
    carry_global_flags,
    files_options,
    global_options,
    invocation_of,
    lock_timeout,
    open_one,
    target_options,
)


class Terminated(BaseException):
    """SIGTERM while nothing is being changed."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@global_options
@click.pass_context
def cli(context: click.Context, /, **flags: Any) -> None:
    """Put one payments stack into every environment, and prove it is still what it was."""
    carry_global_flags(context, flags)


@cli.command()
@target_options
@click.pass_context
def validate(context: click.Context, /, **given: Any) -> int:
    """Check the environment files, offline."""
    from tapctl.verbs.validating import validate

    return validate(*invocation_of(context, given))


@cli.command()
@click.option("--destroy", is_flag=True, help="Show what destroy would remove and keep.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there is something to do.")
@target_options
@click.pass_context
def plan(context: click.Context, /, *, destroy: bool, detailed_exitcode: bool, **given: Any) -> int:
    """Show what apply would do, field by field."""
    from tapctl.verbs import destroying, planning

    run = open_one(context, given)
    if destroy:
        return destroying.preview(run, detailed_exitcode=detailed_exitcode)
    return planning.plan(run, detailed_exitcode=detailed_exitcode)


@cli.command()
@click.option("--adopt", "adopted", multiple=True, metavar="ADDRESS", help="Take this over, which is not ours.")
@click.option("--allow", "allowed", multiple=True, metavar="ADDRESS", help="Let it remove this, which holds data.")
@click.option("--reboot", is_flag=True, help="Reboot the instances whose parameters wait for it, readers first.")
@lock_timeout
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@click.pass_context
def apply(
    context: click.Context, /, *, adopted: tuple[str, ...], allowed: tuple[str, ...], reboot: bool, **given: Any
) -> int:
    """Show the plan, ask, make it so, read it back, write the manifest."""
    from tapctl.verbs.applying import apply

    return apply(open_one(context, given), adopted=adopted, allowed=allowed, reboot=reboot)


@cli.command()
@target_options
@click.pass_context
def drift(context: click.Context, /, **given: Any) -> int:
    """Compare the manifest with AWS now."""
    from tapctl.run import open_session
    from tapctl.verbs import drifting

    invocation, screen = invocation_of(context, given)
    if invocation.target_is_explicit:
        return drifting.drift(open_session(invocation, screen))
    return drifting.drift_all(invocation, screen)


@cli.command()
@click.argument("environments", nargs=-1)
@target_options
@click.pass_context
def parity(context: click.Context, /, *, environments: tuple[str, ...], **given: Any) -> int:
    """Compare the environments with each other: only allowed differences?"""
    from tapctl.verbs.comparing import parity

    # An --env names one of them, like an argument: the answer is about all that are compared.
    env = given.pop("env")
    return parity(*invocation_of(context, given), environments if env is None else (*environments, env))


@cli.command()
@click.option("--confirm", metavar="ENV", help="The environment's name, where a final snapshot is due.")
@lock_timeout
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@click.pass_context
def destroy(context: click.Context, /, *, confirm: str | None, **given: Any) -> int:
    """Show what goes and what is kept, ask, remove it, prove nothing is left."""
    from tapctl.verbs.destroying import destroy

    return destroy(open_one(context, given), confirm=confirm)


@cli.command()
@target_options
@click.pass_context
def status(context: click.Context, /, **given: Any) -> int:
    """Show what is deployed, since when, by whom, and whether it is healthy."""
    from tapctl.verbs.standing import status

    return status(*invocation_of(context, given))


@cli.command()
@click.argument("name", required=False)
@target_options
@click.pass_context
def outputs(context: click.Context, /, *, name: str | None, **given: Any) -> int:
    """Print endpoints, ARNs and names, for scripts; one NAME prints the bare value."""
    from tapctl.verbs.reporting import outputs

    return outputs(*invocation_of(context, given), name)


@cli.command()
@click.option("--format", "kind", type=click.Choice(("mermaid", "dot")), default="mermaid", show_default=True)
@target_options
@click.pass_context
def graph(context: click.Context, /, *, kind: str, **given: Any) -> int:
    """Print the stack as the source of a picture."""
    from tapctl.verbs.reporting import graph

    return graph(*invocation_of(context, given), kind=kind)


@cli.group()
@global_options
@click.pass_context
def manifest(context: click.Context, /, **flags: Any) -> None:
    """The record itself."""
    carry_global_flags(context, flags)


@manifest.command("show")
@click.option("--serial", type=click.IntRange(min=1), help="An earlier version, by its number.")
@target_options
@click.pass_context
def manifest_show(context: click.Context, /, *, serial: int | None, **given: Any) -> int:
    """Print the manifest of an environment."""
    from tapctl.verbs import history, reporting

    invocation, screen = invocation_of(context, given)
    if serial is not None:
        return history.show_version(invocation, screen, serial)
    return reporting.show_manifest(invocation, screen)


@manifest.command("history")
@target_options
@click.pass_context
def manifest_history(context: click.Context, /, **given: Any) -> int:
    """List the versions of the manifest: when, by whom, what changed."""
    from tapctl.verbs.history import history

    return history(*invocation_of(context, given))


@manifest.command("unlock")
@click.option("--id", "lock_id", required=True, help="The lock's id, as its refusal tells it.")
@target_options
@click.pass_context
def manifest_unlock(context: click.Context, /, *, lock_id: str, **given: Any) -> int:
    """Take a lock in S3 away from its holder; that is recorded."""
    from tapctl.verbs.history import unlock

    return unlock(*invocation_of(context, given), lock_id)


@cli.command()
@global_options
@click.pass_context
def schema(context: click.Context, /, **given: Any) -> int:
    """Print the JSON Schema of the environment files, for editors."""
    from tapctl.verbs.validating import show_schema

    return show_schema(*invocation_of(context, given))


@cli.group()
@global_options
@click.pass_context
def sandbox(context: click.Context, /, **flags: Any) -> None:
    """The embedded AWS."""
    carry_global_flags(context, flags)


@sandbox.command("start")
@files_options
@click.pass_context
def sandbox_start(context: click.Context, /, **given: Any) -> int:
    """Start it, with the networking stacks and images of all environments."""
    from tapctl.verbs.sandboxing import start

    return start(*invocation_of(context, given))


@sandbox.command("status")
@global_options
@click.pass_context
def sandbox_status(context: click.Context, /, **given: Any) -> int:
    """Say whether it runs, and where."""
    from tapctl.verbs.sandboxing import status

    return status(*invocation_of(context, given))


@sandbox.command("stop")
@global_options
@click.pass_context
def sandbox_stop(context: click.Context, /, **given: Any) -> int:
    """Stop it; its state is forgotten."""
    from tapctl.verbs.sandboxing import stop

    return stop(*invocation_of(context, given))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit status and never raises."""
    from tapctl.failing import report_bug, report_error, report_interrupt, report_usage

    def terminated(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated

    _reopen_closed_streams()
    before = signal.signal(signal.SIGTERM, terminated)
    context = click.Context(cli, info_name="tapctl")
    typed = shlex.join(["tapctl", *arguments])
    try:
        # A copy: click takes out of the list what it has understood.
        with cli.make_context("tapctl", list(arguments)) as context:
            context.meta[COMMAND] = typed
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return report_usage(error, _command_of(arguments), arguments)
    except (KeyboardInterrupt, click.Abort):
        return report_interrupt(context.meta, signal.SIGINT)
    except Terminated:
        return report_interrupt(context.meta, signal.SIGTERM)
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:  # noqa: BLE001 -- the last door: what is no error of ours is shown as a bug
        from tapctl.errors import TapctlError

        return report_error(context.meta, error) if isinstance(error, TapctlError) else report_bug(context.meta, error)
    finally:
        signal.signal(signal.SIGTERM, before)


def _command_of(arguments: Sequence[str]) -> str:
    """The command that this line begins with, as far as there is one: before it there are flags alone."""
    found, here = [], cli
    for word in arguments:
        command = here.commands.get(word)
        if command is not None:
            found.append(word)
        if not word.startswith("-") and not isinstance(command, click.Group):
            break
        here = command if isinstance(command, click.Group) else here
    return " ".join(found)


def _reopen_closed_streams() -> None:
    """Give a stream that was closed (``>&-``) a place to go: else the next file opened would have its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _broken_pipe() -> int:
    """Whoever read our output has gone (``| head``): nothing more can be said, and nobody wants a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
