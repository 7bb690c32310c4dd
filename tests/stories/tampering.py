"""Changes by hand: drift finds exactly them, and apply undoes exactly them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from tests.support.world import World

Tamper = Callable[[World], object]
Told = set[tuple[str, str, str]]


@dataclass(frozen=True)
class Case:
    """A thing done by hand. ``found``: address, field and state of every finding, and nothing else is found.

    ``calls``: how many changing calls undo it. ``edit``: the file and key that are advised, where there is one.
    """

    name: str
    tamper: Tamper
    found: Told
    calls: int = 1
    edit: str = ""
    secret: str = ""
    live: Any = field(default=...)


def told(records: list[dict[str, Any]]) -> Told:
    """Address, field and state of each finding."""
    return {(one["address"], one["field"], one["state"]) for one in records if one["type"] == "finding"}


def is_found_and_undone(world: World, case: Case) -> None:
    """Tamper; the finding and nothing but it; apply undoes it and nothing but it; then there is no drift."""
    case.tamper(world)
    answer = world.drift()
    try:
        assert told(answer.records) == case.found
        assert answer.code == 2
        assert answer.changes == ()
        findings = answer.of_type("finding")
        assert {one["edit"] for one in findings} == {case.edit}
        for one in findings:
            alone = f"tapctl revert --env dev {shlex.quote(one['address'] + '.' + one['field'])}"
            assert one["undo"] in (alone, "tapctl apply --env dev")
        if case.live is not ...:
            assert case.live in [one["live"] for one in findings]
    finally:
        repaired = world.tapctl("apply", "--env", "dev", "--yes", "--json")
    assert repaired.code == 0, repaired.out + repaired.err
    assert len(repaired.changes) == case.calls, repaired.changes
    after = world.drift()
    assert (after.code, told(after.records)) == (0, set())
    if case.secret:
        for said in (answer, repaired, after):
            assert case.secret not in said.out + said.err
        assert case.secret not in world.path().read_text()


def all_are_found_and_undone(world: World, cases: Sequence[Case]) -> str:
    """Everything at once: no finding hides another. Returns all that was said."""
    for case in cases:
        case.tamper(world)
    answer = world.drift()
    repaired = world.tapctl("apply", "--env", "dev", "--yes", "--json")
    found = told(answer.records)
    expected = set().union(*(case.found for case in cases))
    assert found == expected, (found - expected, expected - found)
    assert answer.code == 2
    assert repaired.code == 0, repaired.out + repaired.err
    after = world.drift()
    assert (after.code, told(after.records)) == (0, set())
    return answer.out + answer.err + repaired.out + repaired.err


def cases(cases: Sequence[Case]) -> list[ParameterSet]:
    """Each case alone, for the soak run: all of them together are tried always."""
    return [pytest.param(one, id=one.name, marks=pytest.mark.soak) for one in cases]


def drift_of(address: str, *fields: str, state: str = "DRIFT") -> Told:
    """Findings on one resource."""
    return {(address, each, state) for each in fields}
