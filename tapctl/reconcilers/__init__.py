"""One file per AWS type: how it is seen and changed. The folder is the registry."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

from tapctl.engine.model import Reconciler


def registry() -> dict[str, Reconciler[Any, Any]]:
    """Every type that tapctl has ever managed, by name: what left the stack is still removed by its reconciler."""
    found: dict[str, Reconciler[Any, Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        for _, kind in inspect.getmembers(importlib.import_module(f"{__name__}.{module.name}"), inspect.isclass):
            if issubclass(kind, Reconciler) and not inspect.isabstract(kind) and kind.__module__.endswith(module.name):
                found[kind.type] = kind()
    return found
