"""The changes that an apply would make beside undoing drift: the files against the record, with no call of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from tapctl.config import Config
from tapctl.engine import refs
from tapctl.engine.diff import same
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Absent, Observation, Observations
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import ConfigError
from tapctl.evidence.final_snapshot import snapshot_stays_due
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import reconciler_of, registry
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.render.plan_counts import consequences, plan_counts
from tapctl.render.screen import Wanted
from tapctl.session.session import Session
from tapctl.stack.definition import Artifact, build
from tapctl.stack.image import may_be
from tapctl.stack.network import NetworkContract
from tapctl.stack.package import Package, handler_of
from tapctl.stack.package import build as build_package


def pending_changes(
    session: Session,
    manifest: Manifest,
    observed: Observations,
    looked_up: tuple[NetworkContract, Artifact] | None = None,
    *,
    waived: Collection[tuple[str, str]] = (),
    all_allowed: bool = False,
) -> Wanted | None:
    """The changes that the files want of what is recorded, as if nothing had drifted; None where nobody can tell.

    Planned as an apply plans, with the recorded state in place of the observed one. Files that cannot be used want
    nothing. ``looked_up``: the network and the code that the files name now. Without them, which a verdict must not
    depend on, both count as recorded: an image that its tag no longer names, or another network, is no change.
    ``waived``: the addresses and fields that an apply leaves as they are. ``all_allowed``: with what it leaves, or
    refuses, but for an ``--allow``.
    """
    try:
        stack = _stack(session, manifest, observed, looked_up)
    except (ConfigError, ValidationError):
        return None
    entries = manifest.entries
    addresses = {*(resource.address for resource in stack), *entries}
    known = {address: dict(entry.outputs or {}) for address, entry in entries.items()}
    wants: dict[str, Spec] = {resource.address: refs.resolve(resource.spec, known) for resource in stack}
    recorded = {
        address: _as_recorded(session, entries.get(address), observed.get(address), wants.get(address))
        for address in addresses
    }
    allowed = addresses if all_allowed else ()
    plan = make_plan(stack, entries, recorded, session.claimant, registry(), allowed=allowed)
    plan = replace(plan, changes=tuple(_known(plan, entries, observed, waived)))
    if plan.is_empty:
        return None
    counts = plan_counts(plan)
    summary = f"{counts['create']} to create · {counts['change']} to change · {counts['remove']} to remove"
    blocked = [f"{counts['blocked']} blocked"] if plan.blocked else []
    return Wanted(plan, " · ".join([summary, *blocked, *consequences(plan)]), session.command("plan"))


def _stack(
    session: Session,
    manifest: Manifest,
    observed: Observations,
    looked_up: tuple[NetworkContract, Artifact] | None,
) -> Stack:
    """The stack that the files want, in the network that was looked up, else in the recorded one.

    Raises:
        ConfigError: the files or the handler cannot be used.
        ValidationError: no network is recorded.
    """
    config = session.config
    network, artifact = looked_up or (
        recorded_network(manifest, config),
        _artifact(session, config, manifest),
    )
    if snapshot_stays_due(session, manifest.entries, observed):
        config = config.model_copy(update={"final_snapshot": True})
    return build(config, session.names, network, artifact)


def recorded_network(manifest: Manifest, config: Config | None) -> NetworkContract:
    """The network that the stack was put into, by the record; where its files name one by its ids, with those.

    Raises:
        ValidationError: none is recorded.
    """
    recorded = NetworkContract.model_validate({**manifest.networking}, strict=False)
    if config is None or config.networking.kind != "static":
        return recorded
    named = config.networking
    ids = {"vpc_id": named.vpc_id, "subnet_ids": tuple(sorted(named.private_subnet_ids))}
    return recorded.model_copy(update=ids)


def _artifact(session: Session, config: Config, manifest: Manifest) -> Artifact:
    """The function's code: the zip as it is now; the recorded image as long as it may be the one that is wanted.

    A zip that cannot be made here counts as the recorded one: that decides nothing of all else.
    """
    image = config.processor.image
    entry = manifest.entries.get(f"{LambdaFunction.type}/{session.names.function}")
    spec = entry.spec if entry else {}
    if config.processor.package == "zip" or image is None:
        with suppress(ConfigError):
            return Artifact(package=build_package(handler_of(session.invocation.config)))
        return Artifact(package=Package("", str(spec.get("code_sha256", "")), b""))
    uri = str(spec.get("image_uri", ""))
    same = may_be(uri, image, session.names.account, session.names.region)
    return Artifact(image_uri=uri if same else f"{image.repository}:{image.tag}")


def _as_recorded(session: Session, entry: Entry | None, live: Observation | None, want: Spec | None) -> Observation:
    """The observation of a resource that is as recorded: what an unfinished apply has asked for counts as made.

    Not so what nobody wants any more and AWS has not done: there the value counts that was confirmed last.
    """
    if entry is None:
        return Absent()
    reconciler = reconciler_of(entry)
    if entry.phase is Phase.KEPT:
        return live if reconciler.kept_while_pending and want is None and live is not None else Absent()
    try:
        spec = reconciler.spec.model_validate(entry.spec)
        if want is not None and isinstance(live, Observed) and entry.phase is Phase.MAKING and entry.confirmed:
            confirmed = reconciler.spec.model_validate(entry.confirmed)
            spec = spec.model_copy(update=_not_begun(spec, confirmed, live.spec, want))
        outputs = reconciler.outputs.model_validate(entry.outputs)
    except ValidationError:
        return Absent()
    if isinstance(live, Observed):  # its costs depend on what is seen: the class of a writer
        impacts: dict[str, Any] = {"impacts": live.impacts, "deferred_until": live.deferred_until}
    else:
        impacts = {}
    if isinstance(live, Observed) and want is None:
        # What is pending decides whether a removal has to be allowed.
        impacts["pending"] = live.pending
    return Observed(spec, outputs, owner=session.owner, **impacts)


def _not_begun(asked: Spec, confirmed: Spec, live: Spec, want: Spec) -> dict[str, Any]:
    """The confirmed values of the fields that AWS has as confirmed, and of which the files want another than asked."""
    spec = type(asked)
    return {
        name: getattr(confirmed, name)
        for name in spec.model_fields
        if getattr(want, name) != getattr(asked, name)
        and same(spec, name, getattr(confirmed, name), getattr(live, name))
    }


def _known(
    plan: Plan, entries: Mapping[str, Entry], observed: Observations, waived: Collection[tuple[str, str]]
) -> Iterator[Change]:
    """The changes of what is recorded whole, or not at all: what a run left half done is told by its finding.

    So is what is there and not recorded. A value that is there already, since somebody has accepted it, is recorded and
    not changed.
    """
    for change in plan.changes:
        entry = entries.get(change.address)
        if entry is not None and (entry.phase is Phase.LEAVING or change.action is Action.CREATE):
            continue
        live = observed.get(change.address)
        if entry is None and live is not None:
            continue
        fields = tuple(
            field
            for field in change.fields
            if field.want != AFTER_APPLY
            and not is_there(field, live)
            and not ((change.address, field.path) in waived and not _is_in_set(field, live))
        )
        if fields or change.action is not Action.UPDATE:
            yield replace(change, fields=fields)


def is_there(field: FieldChange, live: Observation | None) -> bool:
    """True if AWS has the wanted value, or of a set the wanted member."""
    if not isinstance(live, Observed):
        return False
    value = _at(live.spec, field.path)
    if isinstance(value, frozenset):
        return field.want in value or (field.want is None and field.have not in value)
    return bool(value == field.want)


def _is_in_set(field: FieldChange, live: Observation | None) -> bool:
    """True if the change is of an item among others, each of which is waived for itself."""
    return isinstance(live, Observed) and isinstance(_at(live.spec, field.path), frozenset)


def _at(value: Any, path: str) -> Any:
    """The value at this path, as `tapctl.engine.diff.details` names it; None where nothing is. A key may have dots."""
    if not path:
        return value
    if not isinstance(value, Mapping):
        name, _, rest = path.partition(".")
        return _at(getattr(value, name, None), rest)
    if path in value:
        return value[path]
    return next((_at(value[key], path[len(key) + 1 :]) for key in value if path.startswith(f"{key}.")), None)
