"""The architecture, read from the imports: who may know whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "tapctl"
MODULES = sorted(ROOT.rglob("*.py"))


def imported(path: Path, *, at_runtime: bool = False) -> Iterator[str]:
    """What this module imports; ``at_runtime``: only what is imported when the module is."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if at_runtime else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def in_folder(name: str) -> list[Path]:
    return [path for path in MODULES if path.is_relative_to(ROOT / name)]


def outside(path: Path, *allowed: str) -> list[str]:
    ours = [name for name in imported(path) if name.startswith("tapctl")]
    return [name for name in ours if not name.startswith(allowed)]


@pytest.mark.parametrize("path", in_folder("engine"), ids=str)
def test_the_engine_knows_neither_aws_nor_click_nor_rich(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] in ("boto3", "botocore", "click", "rich")]
    assert not outside(path, "tapctl.engine", "tapctl.errors", "tapctl.manifest.entry")


@pytest.mark.parametrize("path", in_folder("reconcilers"), ids=str)
def test_reconcilers_know_the_model_errors_names_policies_and_the_door(path: Path) -> None:
    allowed = (
        "tapctl.engine.model",
        "tapctl.errors",
        "tapctl.names",
        "tapctl.policy",
        "tapctl.aws",
        "tapctl.reconcilers",
    )
    assert not outside(path, *allowed)


@pytest.mark.parametrize("path", in_folder("render"), ids=str)
def test_renderers_do_not_execute(path: Path) -> None:
    assert "tapctl.engine.execute" not in set(imported(path))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_nothing_imports_the_command_line(path: Path) -> None:
    assert path == ROOT / "__main__.py" or "tapctl.cli" not in set(imported(path))


@pytest.mark.parametrize("path", [one for one in MODULES if not one.is_relative_to(ROOT / "sandbox")], ids=str)
def test_moto_is_the_sandbox_s_alone(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] == "moto"]


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--config", str(ROOT.parent / "environments")]])
def test_help_and_validate_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom tapctl.cli import run\ncode = run(sys.argv[1:])\n"
        "heavy = [n for n in ('boto3', 'botocore', 'rich.live', 'moto') if n in sys.modules]\n"
        "print(heavy, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip().endswith("[]")
