"""Each rule has a test that fails without it: ``proofs.txt`` says which one for which rule."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tapctl.sandbox.emulator.services import RULES
from tests.emulator.without import PROOFS, rounds

HERE = Path(__file__).parent


@cache
def defined_in(file: str) -> set[str]:
    """The names of the tests in this file."""
    tree = ast.parse((HERE / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_for_every_rule_a_test_is_named_and_for_nothing_else() -> None:
    known = {name for rules in RULES for named in rules.by_operation.values() for name, _ in named}
    assert set(PROOFS) == known


def test_every_test_that_is_named_is_there() -> None:
    named = {tuple(proof.partition("[")[0].split("::")) for proof in PROOFS.values()}
    assert {(file, name) for file, name in named if name not in defined_in(file)} == set()


def test_every_proof_has_its_round() -> None:
    assert Counter(rule for round_ in rounds() for rule in round_.values()) == Counter(list(PROOFS))


@pytest.mark.soak
@pytest.mark.parametrize("number", range(len(rounds())))
def test_without_its_rule_each_of_them_fails(number: int) -> None:
    plan = rounds()[number]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=no", "-rpfE", "-p", "no:cacheprovider"),
            *("-p", "tests.emulator.without", f"--without-round={number}"),
            *(f"{HERE / proof}" for proof in plan),
        ],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not [line for line in done.stdout.splitlines() if line.startswith("PASSED")]
    # One, and nothing that could not be collected: each has failed.
    assert done.returncode == 1, done.stdout + done.stderr
    assert sum(line.startswith(("FAILED", "ERROR")) for line in done.stdout.splitlines()) == len(plan)
