"""The commands as click sees them: one stanza each, with its options and help. `tapctl.commands` does the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapctl.cli.completion import complete_address, complete_environment
from tapctl.cli.options import (
    OrVariable,
    Place,
    approval_options,
    carry_global_flags,
    files_options,
    global_options,
    jobs_option,
    lock_timeout,
    parse_plan_out,
    permit_options,
    places_options,
    plan_file_options,
    target_options,
    with_invocation,
)
from tapctl.reports import FORMATS

if TYPE_CHECKING:
    from tapctl.render.screen import Screen
    from tapctl.session.invocation import Invocation


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@global_options
@click.pass_context
def cli(context: click.Context, /, **flags: Any) -> None:
    """Put one payments stack into every environment, and prove it is still what it was."""
    carry_global_flags(context, flags)


@cli.command()
@target_options
@with_invocation
def validate(invocation: Invocation, screen: Screen) -> int:
    """Check the environment files, offline."""
    from tapctl.commands.validate import validate

    return validate(invocation, screen)


@cli.command()
@click.option("--destroy", is_flag=True, help="Show what destroy would remove and keep.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there is something to do.")
@click.option("--all", "all_of_them", is_flag=True, help="Every environment that has a file.")
@jobs_option
@plan_file_options
@permit_options
@target_options
@with_invocation
def plan(
    invocation: Invocation,
    screen: Screen,
    /,
    *,
    destroy: bool,
    detailed_exitcode: bool,
    all_of_them: bool,
    out: Path | None,
    expires: str | None,
    **permits: Any,
) -> int:
    """Show what apply would do, field by field."""
    from tapctl.commands.destroy import preview
    from tapctl.commands.plan import plan
    from tapctl.planning.permits import Permits
    from tapctl.session.session import open_session
    from tapctl.session.target import Files

    if all_of_them:
        from tapctl.commands.plan_all import plan_all

        alone = {"destroy": destroy, "out": out, "expires": expires, **permits}
        return plan_all(invocation, screen, alone, detailed_exitcode=detailed_exitcode)
    written = parse_plan_out(out, expires)
    session = open_session(invocation, screen, Files.MAY_BE_GONE if destroy else Files.NEEDED)
    if destroy:
        return preview(session, detailed_exitcode=detailed_exitcode, out=written)
    return plan(session, Permits(**permits), detailed_exitcode=detailed_exitcode, out=written)


@cli.command()
@permit_options
@approval_options
@lock_timeout
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@with_invocation
def apply(invocation: Invocation, screen: Screen, /, *, file: Path | None, expected: str | None, **permits: Any) -> int:
    """Show the plan, ask, make it so, read it back, write the manifest."""
    from tapctl.commands.apply import apply
    from tapctl.commands.destroy import destroy
    from tapctl.planning.approval import take_approval
    from tapctl.planning.permits import Permits
    from tapctl.session.session import open_session

    approval = take_approval(file, expected, Permits(**permits))
    session = open_session(approval.aim(invocation), screen, approval.files)
    return destroy(session, approval=approval) if approval.destroys else apply(session, approval)


@cli.command()
@click.option("--who", is_flag=True, help="Ask CloudTrail who made each change, when and how.")
@click.option("--new-since", metavar="RUN", help="A recorded run (JSON Lines): what it found is not shown again.")
@jobs_option
@target_options
@with_invocation
def drift(invocation: Invocation, screen: Screen, *, who: bool, new_since: str | None) -> int:
    """Compare the manifest with AWS now."""
    from tapctl.commands.drift import drift

    return drift(invocation, screen, who=who, new_since=new_since)


@cli.command()
@click.argument("targets", nargs=-1, metavar="[ADDRESS[.FIELD]|ID]...", shell_complete=complete_address)
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@with_invocation
def accept(invocation: Invocation, screen: Screen, *, targets: tuple[str, ...]) -> int:
    """Write live values into the environment files, so that they are wanted."""
    from tapctl.commands.accept import accept
    from tapctl.session.session import open_session
    from tapctl.session.target import Files

    return accept(open_session(invocation, screen, Files.NEEDED), targets)


@cli.command()
@click.argument("targets", nargs=-1, metavar="[ADDRESS[.FIELD]|ID]...", shell_complete=complete_address)
@lock_timeout
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@with_invocation
def revert(invocation: Invocation, screen: Screen, *, targets: tuple[str, ...]) -> int:
    """Put what drifted back to what is recorded, and nothing else."""
    from tapctl.commands.revert import revert
    from tapctl.session.session import open_session
    from tapctl.session.target import Files

    return revert(open_session(invocation, screen, Files.MAY_BE_WRONG), targets)


@cli.command()
@click.argument("targets", nargs=-1, metavar="ADDRESS[.FIELD]|ID...", shell_complete=complete_address)
@click.option("--reason", required=True, help="Why the difference may stay.")
@click.option("--until", required=True, metavar="DATE", help="The last day: 2026-12-31, or 30d; at most 90 days ahead.")
@target_options
@with_invocation
def waive(invocation: Invocation, screen: Screen, *, targets: tuple[str, ...], reason: str, until: str) -> int:
    """Answer for a difference until a day: it is shown, and no drift."""
    from tapctl.commands.waive import waive
    from tapctl.session.session import open_session
    from tapctl.session.target import Files

    return waive(open_session(invocation, screen, Files.MAY_BE_WRONG), targets, reason=reason, until=until)


@cli.command()
@click.argument("environments", nargs=-1, shell_complete=complete_environment)
@click.option(
    "--env",
    "another",
    cls=OrVariable,
    envvar="TAPCTL_ENV",
    shell_complete=complete_environment,
    help="One of them, like an argument.",
)
@click.option("--live", is_flag=True, help="Compare what is in AWS now, too.")
@jobs_option
@places_options
@with_invocation
def parity(
    invocation: Invocation, screen: Screen, *, environments: tuple[str, ...], another: str | None, live: bool
) -> int:
    """Compare the environments with each other: only allowed differences?"""
    from tapctl.commands.parity import parity
    from tapctl.commands.parity_live import parity_live

    compare = parity_live if live else parity
    return compare(invocation, screen, environments if another is None else (*environments, another))


@cli.command()
@click.option(
    "--confirm",
    metavar="ENV",
    help="The suffix (the environment's name unless --suffix is given), where a final snapshot is due.",
)
@lock_timeout
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
@with_invocation
def destroy(invocation: Invocation, screen: Screen, *, confirm: str | None) -> int:
    """Show what goes and what is kept, ask, remove it, prove nothing is left."""
    from tapctl.commands.destroy import destroy
    from tapctl.session.session import open_session
    from tapctl.session.target import Files

    return destroy(open_session(invocation, screen, Files.MAY_BE_GONE), confirm=confirm)


@cli.command()
@jobs_option
@target_options
@with_invocation
def status(invocation: Invocation, screen: Screen) -> int:
    """Show what is deployed, since when, by whom, and whether it is healthy."""
    from tapctl.commands.status import status

    return status(invocation, screen)


@cli.command()
@click.argument("name", required=False)
@target_options
@with_invocation
def outputs(invocation: Invocation, screen: Screen, *, name: str | None) -> int:
    """Print endpoints, ARNs and names, for scripts; one NAME prints the bare value."""
    from tapctl.commands.outputs import outputs

    return outputs(invocation, screen, name)


@cli.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice(("mermaid", "dot")),
    default="mermaid",
    show_default=True,
    help="The language of the picture's source.",
)
@target_options
@with_invocation
def graph(invocation: Invocation, screen: Screen, *, kind: str) -> int:
    """Print the stack as the source of a picture."""
    from tapctl.commands.graph import graph

    return graph(invocation, screen, kind)


@cli.command("iam-policy")
@click.option(
    "--for",
    "command",
    type=click.Choice(("plan", "drift", "apply", "destroy")),
    required=True,
    help="The command that is to be allowed.",
)
@click.option(
    "--out",
    type=Place(file_okay=False),
    metavar="DIR",
    help="Write it there, in files that IAM takes, with a page on the roles.",
)
@target_options
@with_invocation
def iam_policy(invocation: Invocation, screen: Screen, *, command: str, out: Path | None) -> int:
    """Print the least rights in AWS that a command needs."""
    from tapctl.commands.iam_policy import iam_policy

    return iam_policy(invocation, screen, command, out)


@cli.group()
@global_options
@click.pass_context
def manifest(context: click.Context, /, **flags: Any) -> None:
    """The record itself."""
    carry_global_flags(context, flags)


@manifest.command("show")
@click.option("--serial", type=click.IntRange(min=1), help="An earlier version, by its number.")
@target_options
@with_invocation
def manifest_show(invocation: Invocation, screen: Screen, *, serial: int | None) -> int:
    """Print the manifest of an environment."""
    from tapctl.commands.manifest import show

    return show(invocation, screen, serial)


@manifest.command("history")
@target_options
@with_invocation
def manifest_history(invocation: Invocation, screen: Screen) -> int:
    """List the runs that wrote the manifest: when, by whom, what changed."""
    from tapctl.commands.manifest import history

    return history(invocation, screen)


@manifest.command("diff")
@click.option("--from", "older", type=click.IntRange(min=1), required=True, help="The one version, by its number.")
@click.option("--to", "newer", type=click.IntRange(min=1), help="The other one; default: the record of now.")
@target_options
@with_invocation
def manifest_diff(invocation: Invocation, screen: Screen, *, older: int, newer: int | None) -> int:
    """Show what differs between two versions of the manifest, field by field."""
    from tapctl.commands.manifest import diff

    return diff(invocation, screen, older, newer)


@manifest.command("unlock")
@click.option("--id", "lock_id", required=True, help="The lock's id, as its refusal tells it.")
@target_options
@with_invocation
def manifest_unlock(invocation: Invocation, screen: Screen, *, lock_id: str) -> int:
    """Take a lock in S3 away from its holder; that is recorded."""
    from tapctl.commands.manifest import unlock

    return unlock(invocation, screen, lock_id)


@cli.command()
@click.argument("run", metavar="RUN")
@click.option("--as", "kind", type=click.Choice(FORMATS), required=True, help="The format.")
@global_options
@with_invocation
def render(invocation: Invocation, screen: Screen, *, run: str, kind: str) -> int:
    """Print a recorded RUN (JSON Lines; - for stdin) as a report, offline."""
    from tapctl.commands.render import render

    return render(invocation, screen, run, kind)


@cli.command()
@click.argument("document", required=False, type=click.Choice(("common", "environment", "waivers", "events", "plan")))
@global_options
@with_invocation
def schema(invocation: Invocation, screen: Screen, *, document: str | None) -> int:
    """Print the JSON Schema of a DOCUMENT; of both environment files without one, for editors."""
    from tapctl.commands.schema import schema

    return schema(invocation, screen, document)


@cli.group()
@global_options
@click.pass_context
def ci(context: click.Context, /, **flags: Any) -> None:
    """Pipelines."""
    carry_global_flags(context, flags)


@ci.command("init")
@click.argument("system", type=click.Choice(("github", "gitlab")))
@click.option("--yes", is_flag=True, help="Overwrite files that are there.")
@files_options
@with_invocation
def ci_init(invocation: Invocation, screen: Screen, *, system: str) -> int:
    """Write workflows: plan on a change request, apply on merge, drift at night."""
    from tapctl.commands.ci import init

    return init(invocation, screen, system)


@cli.group()
@global_options
@click.pass_context
def sandbox(context: click.Context, /, **flags: Any) -> None:
    """The embedded AWS."""
    carry_global_flags(context, flags)


@sandbox.command("start")
@files_options
@with_invocation
def sandbox_start(invocation: Invocation, screen: Screen) -> int:
    """Start it, with the networking stacks and images of all environments."""
    from tapctl.commands.sandbox import start

    return start(invocation, screen)


@sandbox.command("status")
@global_options
@with_invocation
def sandbox_status(invocation: Invocation, screen: Screen) -> int:
    """Say whether it runs, and where."""
    from tapctl.commands.sandbox import status

    return status(invocation, screen)


@sandbox.command("stop")
@global_options
@with_invocation
def sandbox_stop(invocation: Invocation, screen: Screen) -> int:
    """Stop it; its state is forgotten."""
    from tapctl.commands.sandbox import stop

    return stop(invocation, screen)


def _show_help_whole(group: click.Group) -> None:
    """Let each list of commands show their sentences whole: click cuts those that it takes from the docstrings."""
    for command in group.commands.values():
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        if isinstance(command, click.Group):
            _show_help_whole(command)


_show_help_whole(cli)
