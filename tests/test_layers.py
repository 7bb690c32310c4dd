"""The architecture, read from the imports: packages import one way, and no file imports in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.config_folder import ENVIRONMENTS

ROOT = Path(__file__).parent.parent / "tapctl"
MODULES = sorted(ROOT.rglob("*.py"))

# Package (or flat module) to what it may import of ours, beside itself. What stands in no line is no package of tapctl.
LAYERS = {
    "threads": (),
    "regions": (),
    "notices": (),
    "safety": (),
    "errors": ("safety",),
    "clock": (),
    "aws": ("safety", "errors", "threads", "regions", "notices"),
    "engine": ("errors", "clock"),
    "names": ("safety", "errors", "regions", "engine"),
    "reconcilers": ("safety", "errors", "threads", "regions", "engine", "aws"),
    "config": ("safety", "errors", "regions", "names"),
    "manifest": ("safety", "errors", "clock", "threads", "notices", "engine", "aws"),
    "render": ("safety", "errors", "clock", "engine"),
    "reports": ("safety", "errors", "render"),
    "stack": ("safety", "errors", "threads", "regions", "names", "aws", "engine", "reconcilers", "config"),
    "sandbox": ("safety", "errors", "regions", "aws", "config"),
    "session": (
        *("safety", "errors", "regions", "names", "aws", "engine", "reconcilers", "config", "manifest", "render"),
        *("sandbox", "notices"),
    ),
    "evidence": (
        *("errors", "clock", "regions", "names", "aws", "engine", "reconcilers", "config", "manifest", "render"),
        *("stack", "session", "notices"),
    ),
    "findings": (
        *("safety", "errors", "clock", "names", "aws", "engine", "reconcilers", "config", "manifest", "render"),
        *("stack", "session", "evidence"),
    ),
    "execution": ("errors", "clock", "engine", "manifest", "reconcilers", "render", "session"),
    "planning": (
        *("safety", "errors", "threads", "names", "aws", "engine", "reconcilers", "config", "manifest", "render"),
        *("stack", "session", "evidence", "findings", "notices"),
    ),
    "commands": (
        *("safety", "errors", "clock", "threads", "regions", "names", "aws", "engine", "reconcilers", "config"),
        *("manifest", "render", "reports", "stack", "sandbox", "session", "evidence", "findings", "execution"),
        *("planning", "notices"),
    ),
    "cli": (
        *("errors", "render", "reports", "session", "findings", "execution", "planning", "commands", "config", "clock"),
    ),
}
FLAT = {"errors", "names", "regions", "notices", "clock", "threads", "__init__", "__main__"}


def package(module: Path) -> str:
    return module.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[str]:
    """The modules that this one imports, at its head or inside a function, for types or for use."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide who imports whom"
            for alias in node.names:
                within = ROOT.parent.joinpath(*str(node.module).split("."), f"{alias.name}.py")
                yield f"{node.module}.{alias.name}" if within.exists() else str(node.module)


def ours(module: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(module) if name.startswith("tapctl.")}


def test_at_most_eight_modules_lie_flat() -> None:
    flat = {module.stem for module in ROOT.glob("*.py")}
    assert flat <= FLAT
    assert len(flat) <= 8


@pytest.mark.parametrize("name", sorted({package(module) for module in MODULES} - {"__init__", "__main__"}))
def test_a_package_imports_only_what_lies_below_it(name: str) -> None:
    modules = [module for module in MODULES if package(module) == name]
    above = {str(module.relative_to(ROOT)): ours(module) - {name, *LAYERS[name]} for module in modules}
    assert {module: names for module, names in above.items() if names} == {}


def test_the_layers_make_no_circle() -> None:
    assert list(TopologicalSorter(LAYERS).static_order())


def test_no_file_imports_in_a_circle() -> None:
    def name(module: Path) -> str:
        return ".".join(module.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")

    def at_the_head(module: Path) -> set[str]:
        return set(imported(module)) - {name(module)}

    TopologicalSorter({name(module): at_the_head(module) for module in MODULES}).prepare()


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("engine", {"boto3", "botocore", "click", "rich"}),
        ("reconcilers", {"boto3", "click", "rich"}),
        ("render", {"boto3", "botocore", "click"}),
        ("config", {"boto3", "botocore", "click", "rich"}),
    ],
)
def test_a_package_knows_no_foreign_library_that_is_another_s(name: str, forbidden: set[str]) -> None:
    modules = [module for module in MODULES if package(module) == name]
    assert not {library.split(".")[0] for module in modules for library in imported(module)} & forbidden


def test_moto_is_the_sandbox_s_alone() -> None:
    users = {package(module) for module in MODULES if "moto" in {name.split(".")[0] for name in imported(module)}}
    assert users <= {"sandbox"}


def test_renderers_do_not_execute() -> None:
    for module in MODULES:
        assert package(module) != "render" or "tapctl.engine.execute" not in set(imported(module))


_SLOW = "boto3 botocore moto rich tapctl.aws tapctl.engine.model tapctl.manifest tapctl.reconcilers tapctl.stack"


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--config", str(ENVIRONMENTS)]])
def test_help_and_validate_import_nothing_that_they_do_not_need(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom tapctl.cli import run\ncode = run(sys.argv[1:])\n"
        f"print([name for name in {_SLOW.split()} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.strip().endswith("[]")
