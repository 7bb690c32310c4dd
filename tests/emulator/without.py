"""A plugin of pytest: each test that ``proofs.txt`` names runs without the rule that it proves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rules import RuleBook, Rules
from tapctl.sandbox.emulator.services import RULES

_FOLDER = Path(__file__).parent
PROOFS = dict(line.split(" ", 1) for line in (_FOLDER / "proofs.txt").read_text().splitlines())
"""Rule to the test that fails without it, by its file in this folder."""


def rules_without(*names: str) -> RuleBook:
    """All rules but these."""
    kept = [
        Rules(
            rules.service,
            {
                operation: [(name, rule) for name, rule in named if name not in names]
                for operation, named in rules.by_operation.items()
            },
        )
        for rules in RULES
    ]
    return RuleBook(kept)


def rounds() -> list[dict[str, str]]:
    """Test to rule, each test once in each round."""
    proved: defaultdict[str, list[str]] = defaultdict(list)
    for rule, proof in PROOFS.items():
        proved[proof].append(rule)
    most = max(map(len, proved.values()))
    return [{proof: of[at] for proof, of in proved.items() if at < len(of)} for at in range(most)]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-round", type=int, required=True)


@pytest.fixture(autouse=True)
def _without(request: pytest.FixtureRequest, sandbox_app: Sandbox) -> Iterator[None]:
    plan = rounds()[request.config.getoption("--without-round")]
    file, _, name = request.node.nodeid.partition("::")
    rule = plan[f"{Path(file).relative_to('tests/emulator')}::{name}"]
    whole, sandbox_app.rule_book = sandbox_app.rule_book, rules_without(rule)
    yield
    sandbox_app.rule_book = whole
