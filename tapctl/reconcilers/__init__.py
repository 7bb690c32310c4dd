"""The AWS resource types, a module each. The folder is the registry: a module with a `Reconciler` adds its type."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from tapctl.engine.model import Impact, Reconciler, Spec
from tapctl.engine.observe import ObserveRequest
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError

_OTHERS: Final = (
    "account: what its other principals may do with ours; EventBridge rules and event subscriptions of others on ours",
    "named by waivers: what others' keys, roles, topics, code and members of the cluster hold, or are like, by now",
    "others of ours: what bears our names and tags, and neither record nor files hold; plan --destroy lists it",
)


@cache
def registry() -> Mapping[str, Reconciler[Any, Any]]:
    """Every type that tapctl has ever managed, by name: a resource that left the stack is still removed by its type."""
    reconcilers: dict[str, Reconciler[Any, Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        for _, kind in inspect.getmembers(importlib.import_module(f"{__name__}.{module.name}"), inspect.isclass):
            if issubclass(kind, Reconciler) and "type" in vars(kind) and kind.__module__.endswith(module.name):
                reconcilers[kind.type] = kind()
    return MappingProxyType(reconcilers)


def teardown_ranks() -> dict[str, int]:
    """The place of each type in a removal: lower ranks go first."""
    return {type_: reconciler.teardown_rank for type_, reconciler in registry().items()}


def never_compared(types: Iterable[str]) -> tuple[str, ...]:
    """List what AWS tells of resources of these types, and of others that may be ours, and a drift does not compare."""
    known = registry()
    return (*(f"{type_}: {what}" for type_ in sorted({*types}) for what in known[type_].never_compared), *_OTHERS)


def is_being_replaced(entry: Entry) -> bool:
    """True if a run was making this resource anew, which removes the earlier one before."""
    reconciler, confirmed = reconciler_of(entry), entry.confirmed
    return (
        entry.phase is Phase.MAKING
        and confirmed is not None
        and reconciler.replaceable
        and any(
            entry.spec.get(name) != confirmed.get(name)
            for name, impact in reconciler.impacts.items()
            if impact is Impact.REPLACE
        )
    )


def reconciler_of(entry: Entry) -> Reconciler[Any, Any]:
    """Look up the reconciler of a recorded resource.

    Raises:
        ManifestError: a newer tapctl has recorded a type that this one does not know.
    """
    try:
        return registry()[entry.type]
    except KeyError:
        raise ManifestError(
            f"the manifest records {entry.address}, a type this tapctl does not know",
            hint="upgrade tapctl: a newer one has written this manifest",
        ) from None


def recorded_spec(entry: Entry) -> Spec | None:
    """Read the recorded spec as a value; None if an older or newer tapctl recorded it in another form."""
    try:
        return reconciler_of(entry).spec.model_validate(entry.spec)
    except ValidationError:
        return None


def known_specs(entry: Entry | None) -> tuple[Spec, ...]:
    """Read the specs that the record tells: of what is half made the one asked for, and the one confirmed last."""
    told = (recorded_spec(one) for one in (entry, entry.as_made())) if entry is not None else ()
    return tuple(spec for spec in told if spec is not None)


def subresources_of(entry: Entry, entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """List the addresses of the recorded subresources that AWS deletes with this resource."""
    return tuple(address for address, other in entries.items() if other is not entry and _is_deleted_with(other, entry))


def _is_deleted_with(entry: Entry, parent: Entry) -> bool:
    reconciler = reconciler_of(entry)
    return (
        reconciler.deleted_with_parent
        and reconciler.parent_type == parent.type
        and reconciler.parent_id(entry.id) == parent.id
    )


def kept_without_reason(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries recorded as kept that no removal leaves so, as entries to be compared: their phase hides them.

    A removal keeps only what may be retained, and nothing that another recorded resource still needs.
    """
    needed = {need for entry in entries.values() if entry.phase is not Phase.KEPT for need in entry.needs}
    return {
        address: entry.as_made()
        for address, entry in entries.items()
        if entry.phase is Phase.KEPT and (address in needed or not reconciler_of(entry).retainable)
    }


def observations_for(entries: Mapping[str, Entry]) -> Iterator[ObserveRequest]:
    """List what to observe because it is recorded; of what is retained on purpose, what may be so no longer."""
    for entry in entries.values():
        if entry.phase is not Phase.KEPT or reconciler_of(entry).kept_while_pending:
            yield ObserveRequest(reconciler_of(entry).knowing(known_specs(entry)), entry.id, recorded_spec(entry))
