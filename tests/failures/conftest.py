"""A user's folder with dev alone, in front of an embedded AWS with a gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tapctl.sandbox.emulator.app import Sandbox
from tests.failures.gate import Gate, peacefully
from tests.failures.scene import Scene, new_scene
from tests.support.served import served


@pytest.fixture(scope="session")
def gate(sandbox_app: Sandbox) -> Iterator[Gate]:
    gate = Gate(sandbox_app)
    with served(gate, lambda: gate.trouble is peacefully) as gate.url:
        yield gate


@pytest.fixture
def scene(gate: Gate, tmp_path: Path) -> Iterator[Scene]:
    """Nothing is made yet."""
    with pytest.MonkeyPatch.context() as patch:
        yield new_scene(gate, tmp_path, patch)
        gate.open()


@pytest.fixture(scope="module")
def _module_scene(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        made = new_scene(gate, tmp_path_factory.mktemp("scene"), patch)
        made.standing()
        yield made


@pytest.fixture
def dev(_module_scene: Scene) -> Iterator[Scene]:
    """dev is applied, for all tests of a module: none may leave it changed."""
    _module_scene.gate.open()
    yield _module_scene
    _module_scene.gate.open()
