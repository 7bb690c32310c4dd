from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest

from tapctl.sandbox import emulator
from tapctl.sandbox.emulator.rules import Service
from tapctl.sandbox.emulator.services import RULES, SERVICES

FOLDER = Path(emulator.__path__[0])


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_emulator_imports_nothing_else_of_tapctl(path: Path) -> None:
    ours = [name for name in imported(path) if name.split(".")[0] == "tapctl"]
    assert not [name for name in ours if not f"{name}.".startswith("tapctl.sandbox.emulator.")]


def test_every_service_is_listed() -> None:
    modules = (importlib.import_module(f"{emulator.__name__}.{found.name}") for found in pkgutil.iter_modules([FOLDER]))
    described = [module.SERVICE for module in modules if hasattr(module, "SERVICE")]
    assert [service for service in described if service not in SERVICES] == []
    assert len(described) > 10


def test_every_service_is_listed_once() -> None:
    names = [service.name for service in SERVICES]
    assert len({*names}) == len(names)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_operation_that_rules_name_is_one_of_the_service(service: Service) -> None:
    model = botocore.session.get_session().get_service_model(service.name)
    named = {operation for rules in RULES if rules.service == service.name for operation in rules.by_operation}
    assert named <= set(model.operation_names)
