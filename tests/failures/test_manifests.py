"""A record that cannot be right: every command that reads it stops and names the file; it is never written over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.support.strides import strided
from tests.support.world import World

VERBS = (
    ("plan", "--env", "dev"),
    ("plan", "--destroy", "--env", "dev"),
    ("apply", "--env", "dev", "--yes"),
    ("drift", "--env", "dev"),
    ("drift",),
    ("destroy", "--env", "dev", "--yes"),
    ("destroy", "--confirm", "dev"),
    ("status", "--env", "dev"),
    ("status",),
    ("outputs", "--env", "dev"),
    ("outputs", "function_arn", "--env", "dev"),
    ("manifest", "show", "--env", "dev"),
    ("manifest", "show", "--serial", "1", "--env", "dev"),
    ("manifest", "history", "--env", "dev"),
    ("parity",),
    ("graph",),
)


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return damage


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _wrong_phase(record: dict[str, Any]) -> None:
    next(iter(record["entries"].values()))["phase"] = "done"


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b"\n \n"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "no JSON": lambda path: path.write_text("<<<<<<< HEAD\n"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "another JSON": lambda path: path.write_text("[]"),
    "a folder": _folder,
    "a link": _link,
    "a newer format": _edited(lambda record: record.update(format=2)),
    "no format": _edited(lambda record: record.pop("format")),
    "an unknown key": _edited(lambda record: record.update(extra=1)),
    "an unknown phase": _edited(_wrong_phase),
}
FOREIGN: dict[str, Callable[[Path], object]] = {
    "account": _edited(lambda record: record.update(account="210987654321")),
    "region": _edited(lambda record: record.update(region="eu-west-1")),
    "suffix": _edited(lambda record: record.update(suffix="pr-1")),
    "environment": _edited(lambda record: record.update(environment="prod")),
}


@pytest.fixture
def whole(dev: World) -> Iterator[World]:
    """Whatever is done to the record: afterwards it is whole again."""
    path = dev.path()
    before = path.read_bytes()
    yield dev
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(before)


def content(path: Path) -> object:
    return sorted(path.iterdir()) if path.is_dir() else path.read_bytes()


@pytest.mark.parametrize(("verb", "damage"), strided(list(product(VERBS, DAMAGES)), 5), ids=str)
def test_a_damaged_record(whole: World, verb: tuple[str, ...], damage: str) -> None:
    DAMAGES[damage](whole.path())
    before = content(whole.path())
    answer = whole.tapctl(*verb)
    assert (answer.code, answer.changes) == (3, ()), answer.err
    for told in ("error manifest-invalid", "dev.json", "hint"):
        assert told in answer.err
    assert "Traceback" not in answer.err
    assert content(whole.path()) == before


# A picture is drawn from the files, a record only tells of what. parity compares whatever region an environment was
# put into.
UNHELD = {("graph",): {"account", "region"}, ("parity",): {"region"}}


@pytest.mark.parametrize(
    ("verb", "what"),
    [(verb, what) for verb in VERBS for what in FOREIGN if what not in UNHELD.get(verb[:1], ())],
    ids=str,
)
def test_a_record_of_another_target(whole: World, verb: tuple[str, ...], what: str) -> None:
    FOREIGN[what](whole.path())
    before = content(whole.path())
    answer = whole.tapctl(*verb)
    assert answer.code == (9 if what in ("account", "region") else 3), answer.out + answer.err
    assert answer.changes == ()
    assert "dev.json" in answer.err
    assert "Traceback" not in answer.err
    assert content(whole.path()) == before


def test_a_type_that_only_a_newer_tapctl_knows(whole: World) -> None:
    def newer(record: dict[str, Any]) -> None:
        entry = dict(next(iter(record["entries"].values())), type="db-proxy", id="proxy-dev")
        record["entries"]["db-proxy/proxy-dev"] = entry

    _edited(newer)(whole.path())
    for verb in (("plan",), ("apply", "--yes"), ("drift",), ("destroy", "--yes")):
        answer = whole.tapctl(*verb, "--env", "dev")
        assert (answer.code, answer.changes) == (3, ()), verb
        assert "db-proxy/proxy-dev" in answer.err
        assert "upgrade tapctl" in answer.err


def test_a_state_folder_that_is_a_file(whole: World) -> None:
    (whole.folder / "records").write_text("")
    for verb, code in ((("plan",), 3), (("drift",), 3), (("apply", "--yes"), 4), (("destroy", "--yes"), 4)):
        answer = whole.tapctl(*verb, "--env", "dev", "--state", "records")
        assert (answer.code, answer.changes) == (code, ()), (verb, answer.err)
        assert "records" in answer.err
        assert "hint" in answer.err


@pytest.mark.parametrize(
    "state",
    [
        *("", "http://bucket/x", "s3://", "s3://UPPER/x", "gs://b/x", " s3://bucket/x", "s3:bucket", "s3//bucket/x"),
        *("arn:aws:s3:::bucket/x", "$BUCKET", "${{ vars.STATE }}", "./manifests "),
    ],
)
def test_a_state_that_is_no_place(whole: World, state: str) -> None:
    answer = whole.tapctl("plan", "--env", "dev", "--state", state)
    assert (answer.code, answer.changes) == (64, ())
    assert "s3://bucket/prefix" in answer.err


def test_an_unreadable_record_that_was_moved_away_is_made_anew(whole: World) -> None:
    """The error's hint works."""
    entries = whole.manifest()["entries"]
    whole.path().write_text("{")
    hint = "move it away; an apply then makes it anew from AWS: tapctl apply --env dev"
    assert hint in whole.tapctl("apply", "--env", "dev", "--yes").err
    whole.path().rename(whole.folder / "dev.json.broken")
    again = whole.tapctl("apply", "--env", "dev", "--yes")
    assert (again.code, again.changes) == (0, ())
    assert whole.manifest()["entries"] == entries
