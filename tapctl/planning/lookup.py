"""Lookup of the network, of the function's code, and of what common.toml names of AWS, before a stack is built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from tapctl.aws.client import Aws
from tapctl.config.types import did_you_mean
from tapctl.engine import model
from tapctl.engine.record import Phase
from tapctl.errors import (
    AwsRefused,
    ConfigError,
    Problem,
    TapctlError,
)
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.planning.blockers import NOTHING_CHANGED
from tapctl.planning.preflight import looked_up
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.db_parameter_groups import DbClusterParameterGroup, DbParameterGroup
from tapctl.reconcilers.iam_role import boundary_exists
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.open_rules import open_together, part_of
from tapctl.reconcilers.prefix_lists import NO_SUCH_LIST, blocks_in, is_prefix_list
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.safety.open_networks import HTTPS, open_networks
from tapctl.session.session import Session
from tapctl.stack.definition import ENGINE, Artifact
from tapctl.stack.image import resolve as resolve_image
from tapctl.stack.network import AddressDemand, NetworkContract
from tapctl.stack.network import resolve as resolve_network
from tapctl.stack.package import build as build_package
from tapctl.stack.package import handler_of
from tapctl.threads import in_background

T = TypeVar("T")
_OPEN_LIST: Final = (
    f'the whole internet, which no list stands for; to = "0.0.0.0/0" says so, for HTTPS (port {HTTPS}) alone'
)


def look_up(session: Session, manifest: Manifest, image_digest: str = "") -> tuple[NetworkContract, Artifact]:
    """Look up the network and the function's code, side by side, and what common.toml names of AWS.

    Raises:
        TapctlError: one of them is not there, or broken; where more are, the others have been shown.
    """
    unread: list[str] = []
    artifact = in_background(partial(resolve_artifact, session, manifest, image_digest, unread.append))
    demand = address_demand(manifest, session.names, session.config.database.instance_count)
    folder, asked = session.invocation.config, session.config.networking
    failed: dict[str, TapctlError] = {}
    _try("additions", partial(check_additions, session), failed)
    ask = partial(resolve_network, session.aws, asked, folder=folder, arrivals=demand, warn=session.screen.warn)
    network = _try("network", ask, failed)
    release = _try("image", artifact.result, failed)
    for text in unread:
        session.screen.warn(text)
    if failed:
        session.screen.preflight([looked_up(check, failed.get(check)) for check in ("network", "image")])
        *others, last = failed.values()
        for error in others:
            session.screen.error(error, NOTHING_CHANGED)
        raise last
    assert network is not None
    assert release is not None
    return network, release


def _try(check: str, call: Callable[[], T], failed: dict[str, TapctlError]) -> T | None:
    """Call; what fails is kept under the name of the check."""
    try:
        return call()
    except TapctlError as error:
        failed[check] = error
        return None


def check_additions(session: Session) -> None:
    """Make sure that AWS knows what common.toml names of it: else it would be refused after much had been made.

    Raises:
        ConfigError: there is no such permissions boundary, or no such parameter; or a prefix list is wide open.
    """
    organisation, db = session.config.organisation, session.config.database
    family = f"{ENGINE}{db.engine_major}"
    problems: list[tuple[str, str, str]] = []
    if written := organisation.permissions_boundary:
        arn = session.names.fill(written)
        if _ask(session, f"whether there is a policy {arn}", partial(boundary_exists, session.aws, arn)) is False:
            rule = f"there is no policy {arn}: make it, or correct the key"
            problems.append(("organisation.permissions_boundary", written, rule))
    for key, reconciler, parameters in (
        ("database.cluster_parameters", DbClusterParameterGroup(), db.cluster_parameters),
        ("database.instance_parameters", DbParameterGroup(), db.instance_parameters),
    ):
        ask = partial(reconciler.modifiable, session.aws, family)
        known = _ask(session, f"which parameters {family} has", ask) if parameters else None
        if known is None:
            continue
        for name, value in parameters.items():
            if name not in known:
                problems.append((f"{key}.{name}", value, f"is no parameter of {family}{did_you_mean(name, [*known])}"))
            elif not known[name]:
                problems.append((f"{key}.{name}", value, f"is a parameter of {family} that RDS lets nobody set"))
    egress = session.config.processor.egress
    lists = dict.fromkeys(each.to for each in egress if is_prefix_list(each.to))
    held = {each: _ask(session, f"what {each} holds", partial(_blocks_in, session.aws, each)) or () for each in lists}
    problems += [
        (f"processor.egress.{at}.to", each.to, f"holds {network}: {_OPEN_LIST}")
        for at, each in enumerate(egress)
        for network in open_networks(held.get(each.to, ()))
    ]
    rules = (Rule(direction="egress", protocol="tcp", from_port=e.port, to_port=e.port, peer=e.to) for e in egress)
    problems += [
        (f"processor.egress.{part.holder}.to", part.rule.peer, f"holds a part of {world.peer}, of {_OPEN_LIST}")
        for world, parts in open_together(part_of(str(at), rule, held) for at, rule in enumerate(rules))
        for part in parts
        if part.rule.peer in held
    ]
    if problems:
        file = str(session.invocation.config / "common.toml")
        hint = f"correct what is named, then run {session.command('plan')}: without AWS nobody sees this"
        raise ConfigError([Problem(file, key, value, rule) for key, value, rule in problems], hint=hint)


def _blocks_in(aws: Aws, prefix_list: str) -> list[str]:
    """As `blocks_in`; nothing of a list that is not there, which is told where a rule is to name it."""
    try:
        return blocks_in(aws, prefix_list)
    except AwsRefused as error:
        if not error.matches(NO_SUCH_LIST):
            raise
        return []


def _ask(session: Session, what: str, call: Callable[[], T]) -> T | None:
    """Ask AWS; None, which is said, where that is denied."""
    try:
        return call()
    except AwsRefused as error:
        if not error.is_denied:
            raise
        session.screen.warn(f"{what} could not be asked: {error.iam_action} denied")
        return None


def address_demand(manifest: Manifest, names: Names, instances: int) -> AddressDemand:
    """The resources that will take addresses in the subnets; those recorded as made have theirs already."""
    made = {address for address, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    members = {model.address(DbInstance.type, names.instance(index)) for index in range(instances)}
    return AddressDemand(model.address(LambdaFunction.type, names.function) not in made, len(members - made))


def resolve_artifact(
    session: Session, manifest: Manifest, image_digest: str, warn: Callable[[str], object]
) -> Artifact:
    """The code that the function is to run: the image by this digest, else its digest now, or our handler as a zip."""
    processor = session.config.processor
    if processor.package == "zip":
        return Artifact(package=build_package(handler_of(session.invocation.config)))
    assert processor.image is not None, "the configuration's rules want an image for package = image"
    image = processor.image.model_copy(update={"tag": image_digest}) if image_digest else processor.image
    entry = manifest.entries.get(model.address(LambdaFunction.type, session.names.function))
    deployed = entry.confirmed_spec if entry else None
    return Artifact(
        image_uri=resolve_image(
            session.aws,
            image,
            session.config.account_id,
            session.aws.region,
            deployed=str((deployed or {}).get("image_uri", "")),
            architecture=processor.architecture,
            warn=warn,
        )
    )


def network_summary(network: NetworkContract) -> str:
    """The networking stack in one line."""
    zones = f"{len(network.subnet_ids)} subnets in {len(network.zones)} zones"
    return f"{network.reference} · {network.vpc_id} · {zones}"
