"""``tapctl plan``, and the survey that ``apply`` starts with: read everything, change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tapctl.config.types import did_you_mean
from tapctl.engine.model import address
from tapctl.engine.observe import ObserveRequest, observe_all
from tapctl.engine.plan import Action, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Phase
from tapctl.engine.resources import Stack
from tapctl.errors import UsageError
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers import observations_for, registry
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.session.session import Session
from tapctl.stack.definition import Artifact, build, planned_addresses
from tapctl.stack.image import resolve as resolve_image
from tapctl.stack.network import AddressDemand, NetworkContract
from tapctl.stack.network import resolve as resolve_network
from tapctl.stack.package import build as build_package
from tapctl.stack.package import handler_of
from tapctl.threads import in_background


@dataclass(frozen=True)
class ApplySurvey:
    """What is wanted, recorded and seen, and the plan that follows."""

    stack: Stack
    network: NetworkContract
    manifest: Manifest
    version: str | None
    plan: Plan


def survey(
    session: Session, *, adopted: tuple[str, ...] = (), allowed: tuple[str, ...] = (), reboot: bool = False
) -> ApplySurvey:
    """Read everything, change nothing; see `make_plan` for what is allowed."""
    manifest, version = session.load_manifest()
    _check_allowed(session, allowed, manifest)
    released = in_background(partial(resolve_artifact, session))
    arrivals = address_demand(manifest, session.names, session.config.database.instance_count)
    network = resolve_network(
        session.aws, session.config.networking, folder=session.invocation.config, arrivals=arrivals
    )
    session.screen.target(session.header(network_summary(network)))
    stack = build(session.config, session.names, network, released.result())
    wanted = [ObserveRequest(one.reconciler, one.id, one.spec) for one in stack]
    leftover = {here: entry for here, entry in manifest.entries.items() if here not in stack}
    seen = observe_all(session.aws, [*wanted, *observations_for(leftover)])
    plan = make_plan(
        stack,
        manifest.entries,
        seen,
        session.owner,
        registry(),
        allowed=allowed,
        adopted=adopted,
        reboot=reboot,
    )
    return ApplySurvey(stack, network, manifest, version, plan)


def _check_allowed(session: Session, allowed: tuple[str, ...], manifest: Manifest) -> None:
    """Make sure that each address may be one of ours.

    One of a type of ours that is not there is a warning and no error: an earlier run of the same command, which was
    cut off, may have removed it already. Misspelt, it lets nothing be removed, and the plan says so.

    Raises:
        UsageError: it is no address of anything that tapctl manages.
    """
    there = {*manifest.entries, *planned_addresses(session.config, session.suffix)}
    for one in allowed:
        near = did_you_mean(one, sorted(there)) if one not in there else ""
        if one.partition("/")[0] not in registry():
            raise UsageError(
                f"--allow {one} names nothing that tapctl manages{near}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )
        if one not in there:
            session.screen.warn(f"--allow {one}: there is no such thing, or it is gone already{near}")


def address_demand(manifest: Manifest, names: Names, instances: int) -> AddressDemand:
    """What will take addresses in the subnets: an apply that was interrupted has recorded what took its own already."""
    made = {here for here, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    members = {address(DbInstance.type, names.instance(index)) for index in range(instances)}
    return AddressDemand(address(LambdaFunction.type, names.function) not in made, len(members - made))


def resolve_artifact(session: Session) -> Artifact:
    """What the function is to run: the image's digest now, or our handler as a zip."""
    processor = session.config.processor
    if processor.package == "zip":
        return Artifact(package=build_package(handler_of(session.invocation.config)))
    assert processor.image is not None, "the configuration's rules want an image for package = image"
    return Artifact(
        image_uri=resolve_image(session.aws, processor.image, session.config.account_id, session.aws.region)
    )


def network_summary(network: NetworkContract) -> str:
    """The networking stack in one line."""
    zones = f"{len(network.subnet_ids)} subnets in {len(network.zones)} zones"
    return f"{network.reference} · {network.vpc_id} · {zones}"


def plan(session: Session, *, detailed_exitcode: bool = False) -> int:
    """Show what an apply would do."""
    found = survey(session).plan
    session.screen.plan(found)
    code = 2 if detailed_exitcode and not found.is_empty else 0
    if found.blocked:
        code = show_blockers(session, found)
    elif code == 0 and any(one.unreadable for one in found.changes):
        code = 7
    counts = plan_counts(found)
    blocked = f" · {counts['blocked']} blocked" if found.blocked else ""
    summary = (
        f"{counts['create']} to create · {counts['change']} to change · {counts['remove']} to remove"
        f" · {counts['unchanged']} unchanged{blocked}"
    )
    return verdict(session, "BLOCKED" if found.blocked else "", code, counts, summary)


def show_blockers(session: Session, found: Plan) -> int:
    """Say what must not be done, each with its reason; returns the exit status."""
    errors = [one.blocked for one in found.blocked if one.blocked is not None]
    for error in errors:
        session.screen.error(error, "nothing was changed")
    return min(error.exit_code for error in errors)


def plan_counts(found: Plan) -> dict[str, int]:
    """How many resources the plan creates, changes, removes and leaves, and must not touch where there are such."""

    def many(*actions: Action) -> int:
        return sum(one.blocked is None for one in found.to(*actions))

    counts = {
        "create": many(Action.CREATE),
        "change": many(Action.UPDATE, Action.REPLACE),
        "remove": many(Action.DELETE),
        "unchanged": many(Action.NOTHING, Action.SETTLE),
    }
    return counts | ({"blocked": len(found.blocked)} if found.blocked else {})


def verdict(session: Session, status: str, code: int, counts: dict[str, int], summary: str) -> int:
    """Say the last line; returns the exit status."""
    session.screen.verdict(session.invocation.verdict(status, code, counts, summary))
    return code
