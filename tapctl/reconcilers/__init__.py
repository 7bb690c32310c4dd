"""One file per AWS type: how it is seen and changed. The folder is the registry."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tapctl.engine.model import Reconciler, Spec
from tapctl.engine.observe import ObserveRequest
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError
from tapctl.manifest.manifest import Manifest


def registry() -> dict[str, Reconciler[Any, Any]]:
    """Every type that tapctl has ever managed, by name: what left the stack is still removed by its reconciler."""
    found: dict[str, Reconciler[Any, Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        for _, kind in inspect.getmembers(importlib.import_module(f"{__name__}.{module.name}"), inspect.isclass):
            if issubclass(kind, Reconciler) and not inspect.isabstract(kind) and kind.__module__.endswith(module.name):
                found[kind.type] = kind()
    return found


Registry = Mapping[str, Reconciler[Any, Any]]


def reconciler_of(entry: Entry, reconcilers: Registry) -> Reconciler[Any, Any]:
    """The reconciler of a recorded thing.

    Raises:
        ManifestError: a newer tapctl has recorded a type that this one does not know.
    """
    try:
        return reconcilers[entry.type]
    except KeyError:
        raise ManifestError(
            f"the manifest records {entry.address}, a type this tapctl does not know",
            hint="upgrade tapctl: a newer one has written this manifest",
        ) from None


def recorded_spec(entry: Entry, reconciler: Reconciler[Any, Any]) -> Spec | None:
    """The recorded spec as a value; None where an older or newer tapctl recorded it in another form."""
    try:
        return reconciler.spec.model_validate(entry.spec)
    except ValidationError:
        return None


def subresources_of(entry: Entry, manifest: Manifest, reconcilers: Registry) -> tuple[str, ...]:
    """The recorded facets that die with this thing: of its id, and of a type that goes with its parent."""
    return tuple(
        here
        for here, other in manifest.entries.items()
        if other.id == entry.id and other is not entry and reconciler_of(other, reconcilers).deleted_with_parent
    )


def observations_for(entries: Mapping[str, Entry], reconcilers: Registry) -> Iterator[ObserveRequest]:
    """What to look at because it is recorded; what is kept on purpose is not."""
    for entry in entries.values():
        if entry.phase is not Phase.KEPT:
            reconciler = reconciler_of(entry, reconcilers)
            yield ObserveRequest(reconciler, entry.id, recorded_spec(entry, reconciler))
