"""Whatever somebody has written into the files that tapctl reads: an exit code of the table, and no changing call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.support.strides import examples
from tests.support.world import World

CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64}
VERBS = (("plan",), ("drift",), ("status",), ("outputs",), ("manifest", "show"), ("manifest", "history"), ("parity",))
BOUNDED = examples(3, 12, suppress_health_check=[HealthCheck.function_scoped_fixture])

_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            None,
            True,
            -1,
            0,
            1.5,
            10**30,
            1e300,
            "",
            " ",
            "\x1b[2J",
            "::stop-commands::x",
            "##vso[task.x]",
            "junk",
            "../..",
            "a" * 300,
        ),
        *([], {}, [[]], {"a": None}, ["arn:"], "arn:aws:kms:us-east-2:1:key/x", "⟦x⟧", "\u202e", "١٢٣", "-9" * 50),
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[int, str, Any]]:
    """Some places of a document, by number, and what is done to each."""
    return draw(
        st.lists(
            st.tuples(st.integers(0, 10_000), st.sampled_from(["set", "drop", "nest", "double"]), _ODD),
            min_size=1,
            max_size=3,
        )
    )


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of the document with each of its keys."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inner):
        yield value, key
        yield from places(item)


def mutated(document: Any, changes: list[tuple[int, str, Any]]) -> str:
    changed = json.loads(json.dumps(document))
    for number, kind, value in json.loads(json.dumps(changes)):
        found = list(places(changed))
        if not found:
            break
        container, key = found[number % len(found)]
        if kind == "drop":
            del container[key]
        else:
            container[key] = {"set": value, "nest": {"x": container[key]}, "double": [container[key], value]}[kind]
    return json.dumps(changed)


def harmless(world: World, *command: str) -> None:
    answer = world.tapctl(*command)
    assert answer.code in CODES, (command, answer.err)
    assert answer.changes == (), command
    assert "Traceback" not in answer.err
    assert "bug of tapctl" not in answer.err, (command, answer.err)


@pytest.fixture
def whole(dev: World) -> Iterator[World]:
    """Whatever is done to the record and to the files: afterwards they are whole again."""
    kept = {path: path.read_bytes() for path in (dev.path(), *(dev.folder / "environments").glob("*.toml"))}
    yield dev
    for path, content in kept.items():
        path.write_bytes(content)


@BOUNDED
@given(changes=mutations(), verb=st.sampled_from(VERBS))
def test_a_manifest(whole: World, changes: list[tuple[int, str, Any]], verb: tuple[str, ...]) -> None:
    before = whole.path().read_bytes()
    try:
        whole.path().write_text(mutated(json.loads(before), changes))
        harmless(whole, *verb, *(("--env", "dev") if verb != ("parity",) else ()))
    finally:
        whole.path().write_bytes(before)


@BOUNDED
@given(
    changes=mutations(),
    kind=st.sampled_from(["terraform", "opentofu", "pulumi"]),
)
def test_a_networking_file(whole: World, changes: list[tuple[int, str, Any]], kind: str) -> None:
    outputs = {"vpcId": "vpc-0a", "privateSubnetIds": ["subnet-0a", "subnet-0b"]}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": outputs}
    document: Any = {
        "terraform": {"version": 4, "outputs": {name: {"value": value} for name, value in outputs.items()}},
        "opentofu": {"version": 4, "encrypted_data": "x", "outputs": {}},
        "pulumi": {"deployment": {"resources": [stack], "pending_operations": []}},
    }[kind]
    source = "pulumi" if kind == "pulumi" else "terraform"
    file = whole.folder / "environments" / "dev.toml"
    before = file.read_text()
    (whole.folder / "network.json").write_text(mutated(document, changes))
    try:
        whole.edit("dev.toml", '"cloudformation:networking-dev"', f'"{source}:../network.json"')
        harmless(whole, "plan", "--env", "dev")
    finally:
        file.write_text(before)


_LINES = st.sampled_from(
    [
        *(
            "x = 1",
            "[x]",
            "[[x]]",
            "a.b.c = 1",
            "= 1",
            "[",
            '"\\u0000" = 1',
            "region = 1",
            "account_id = 1979-05-27",
            "[database]",
        ),
        *(
            'x = """',
            "protected = nan",
            "protected = inf",
            "[tags]\na = '::warning::'",
            "\x00",
            "\ufeff",
            "x = 9" + "9" * 400,
        ),
    ]
)


@BOUNDED
@given(at=st.integers(0, 100), lines=st.lists(_LINES, min_size=1, max_size=3), file=st.sampled_from(["dev", "common"]))
def test_an_environment_file(whole: World, at: int, lines: list[str], file: str) -> None:
    path = whole.folder / "environments" / f"{file}.toml"
    before = path.read_text()
    try:
        there = before.split("\n")
        path.write_text("\n".join([*there[: at % len(there)], *lines, *there[at % len(there) :]]))
        harmless(whole, "validate")
        harmless(whole, "plan", "--env", "dev")
    finally:
        path.write_text(before)


@pytest.mark.soak
@BOUNDED
@given(changes=mutations())
def test_a_lock_and_a_certificate(whole: World, changes: list[tuple[int, str, Any]]) -> None:
    holder = {"who": "x", "host": "h", "pid": 1, "command": "c", "since": "s", "ci": ""}
    lock = {"id": "i", "holder": holder, "phase": "", "lease_s": 60, "beat": 1}
    folder: Path = whole.path().parent
    try:
        (folder / "dev.lock").write_text(mutated(lock, changes))
        (folder / "dev.certificate.json").write_text(
            mutated({"complete": False, "gone": ["a/b"], "format": 1}, changes)
        )
        harmless(whole, "apply", "--env", "dev", "--yes")
        harmless(whole, "status")
    finally:
        (folder / "dev.certificate.json").unlink(missing_ok=True)
