"""The command line: parse, pick a screen, call a verb, exit. What to do is decided elsewhere."""

from __future__ import annotations

from typing import Any

import click

from tapctl.cli.options import (
    carry_global_flags,
    files_options,
    global_options,
    invocation_of,
    lock_timeout,
    open_one,
    target_options,
)


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
    from tapctl.commands.validate import validate

    return validate(*invocation_of(context, given))


@cli.command()
@click.option("--destroy", is_flag=True, help="Show what destroy would remove and keep.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where there is something to do.")
@target_options
@click.pass_context
def plan(context: click.Context, /, *, destroy: bool, detailed_exitcode: bool, **given: Any) -> int:
    """Show what apply would do, field by field."""
    from tapctl.commands.destroy import preview
    from tapctl.commands.plan import plan

    session = open_one(context, given)
    return (preview if destroy else plan)(session, detailed_exitcode=detailed_exitcode)


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
    from tapctl.commands.apply import apply

    return apply(open_one(context, given), adopted=adopted, allowed=allowed, reboot=reboot)


@cli.command()
@target_options
@click.pass_context
def drift(context: click.Context, /, **given: Any) -> int:
    """Compare the manifest with AWS now."""
    from tapctl.commands.drift import drift, drift_all
    from tapctl.session.session import open_session

    invocation, screen = invocation_of(context, given)
    if invocation.target_is_explicit:
        return drift(open_session(invocation, screen))
    return drift_all(invocation, screen)


@cli.command()
@click.argument("environments", nargs=-1)
@target_options
@click.pass_context
def parity(context: click.Context, /, *, environments: tuple[str, ...], **given: Any) -> int:
    """Compare the environments with each other: only allowed differences?"""
    from tapctl.commands.parity import parity

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
    from tapctl.commands.destroy import destroy

    return destroy(open_one(context, given), confirm=confirm)


@cli.command()
@target_options
@click.pass_context
def status(context: click.Context, /, **given: Any) -> int:
    """Show what is deployed, since when, by whom, and whether it is healthy."""
    from tapctl.commands.status import status

    return status(*invocation_of(context, given))


@cli.command()
@click.argument("name", required=False)
@target_options
@click.pass_context
def outputs(context: click.Context, /, *, name: str | None, **given: Any) -> int:
    """Print endpoints, ARNs and names, for scripts; one NAME prints the bare value."""
    from tapctl.commands.outputs import outputs

    return outputs(*invocation_of(context, given), name)


@cli.command()
@click.option("--format", "kind", type=click.Choice(("mermaid", "dot")), default="mermaid", show_default=True)
@target_options
@click.pass_context
def graph(context: click.Context, /, *, kind: str, **given: Any) -> int:
    """Print the stack as the source of a picture."""
    from tapctl.commands.graph import graph

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
    from tapctl.commands.manifest import show_manifest, show_version

    invocation, screen = invocation_of(context, given)
    if serial is not None:
        return show_version(invocation, screen, serial)
    return show_manifest(invocation, screen)


@manifest.command("history")
@target_options
@click.pass_context
def manifest_history(context: click.Context, /, **given: Any) -> int:
    """List the versions of the manifest: when, by whom, what changed."""
    from tapctl.commands.manifest import history

    return history(*invocation_of(context, given))


@manifest.command("unlock")
@click.option("--id", "lock_id", required=True, help="The lock's id, as its refusal tells it.")
@target_options
@click.pass_context
def manifest_unlock(context: click.Context, /, *, lock_id: str, **given: Any) -> int:
    """Take a lock in S3 away from its holder; that is recorded."""
    from tapctl.commands.manifest import unlock

    return unlock(*invocation_of(context, given), lock_id)


@cli.command()
@global_options
@click.pass_context
def schema(context: click.Context, /, **given: Any) -> int:
    """Print the JSON Schema of the environment files, for editors."""
    from tapctl.commands.validate import show_schema

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
    from tapctl.commands.sandbox import start

    return start(*invocation_of(context, given))


@sandbox.command("status")
@global_options
@click.pass_context
def sandbox_status(context: click.Context, /, **given: Any) -> int:
    """Say whether it runs, and where."""
    from tapctl.commands.sandbox import status

    return status(*invocation_of(context, given))


@sandbox.command("stop")
@global_options
@click.pass_context
def sandbox_stop(context: click.Context, /, **given: Any) -> int:
    """Stop it; its state is forgotten."""
    from tapctl.commands.sandbox import stop

    return stop(*invocation_of(context, given))
