"""Places in the environment files: the line that decides what a finding or a problem is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tapctl.config.places import line_of
from tapctl.engine.drift import Finding
from tapctl.errors import ConfigError, Problem
from tapctl.render.screen import Place
from tapctl.session.session import Session
from tapctl.stack.provenance import Key, Provenance


def place_of(finding: Finding, session: Session, provenance: Provenance) -> Place:
    """The line of the key that decides the field; the environment's own file for a field that no key decides.

    Of several keys the environment's own comes first, then one that bears the name of the field.
    """
    folder, own = session.invocation.config, session.config.environment
    keys = sorted(provenance.keys(finding.address, finding.field), key=lambda key: _rank(key, own, finding.field))
    if not keys:
        return Place(str(folder / f"{own}.toml"), 1)
    key = keys[0]
    member = finding.field.partition(".")[2]
    path = folder / f"{key.file}.toml"
    return Place(str(path), line_of(path, f"{key.path}.{member}" if member else key.path), key.path)


def _rank(key: Key, own: str, field: str) -> tuple[bool, bool, str]:
    return key.file != own, key.path.rpartition(".")[2] != field.partition(".")[0], key.path


def locate(error: ConfigError) -> None:
    """Tell the problems of an error on which lines they are."""
    error.problems = tuple(map(_located, error.problems))


def _located(problem: Problem) -> Problem:
    path = Path(problem.file)
    return replace(problem, line=line_of(path, problem.key)) if path.suffix == ".toml" else problem
