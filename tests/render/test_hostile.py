"""Text that others wrote, in every text position of every report: no CI system obeys it, nothing moves the cursor."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest

from tapctl.engine.drift import Finding, Reason, Report
from tapctl.engine.events import Detached, Failed, Finished, Progress, Result, Skipped, Started
from tapctl.engine.model import Impact, Pending, Retained
from tapctl.engine.plan import Action, Change, FieldChange
from tapctl.errors import AwsRefused, ConfigError, Problem, Refused, Status, TapctlError
from tapctl.render.jsonl import JsonScreen
from tapctl.render.live import LiveView, terminal
from tapctl.render.progress import LinesView, ProgressView
from tapctl.render.screen import Advice, Screen, Target, Verdict
from tapctl.render.terminal import OutputStream, sanitize, sanitize_json
from tapctl.render.text import TextScreen
from tests.render.examples import plan

HOSTILE = (
    "##vso[task.setvariable variable=PATH]/tmp",
    "seen ##[section]x",
    "###teamcity[buildStop]",
    "::stop-commands::t0ken",
    " \t ::error file=a.py,line=1::x",
    "\r::add-mask::x",
    "\n::set-output name=a::b",
    "\u00a0::debug::x",
    "a ::warning::b",
    "\x1b[2J\x1b[H\x9b31m",
    "txt.\u202egpj",
)
_OBEYED = re.compile(r"##\w*\[|(?:^|\s)::[A-Za-z][\w-]*(?:\s|::)")


def poisoned(value: Any, text: str) -> Any:
    """The same value with this text in place of every text within it; what the program decides itself stays."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return text
    if isinstance(value, TapctlError):
        return _poisoned_error(value, text)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: poisoned(getattr(value, field.name), text) for field in fields(value)})
    if isinstance(value, Mapping):
        return {poisoned(key, text): poisoned(inner, text) for key, inner in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return type(value)(poisoned(inner, text) for inner in value)
    return value


def _poisoned_error(error: TapctlError, text: str) -> TapctlError:
    if isinstance(error, AwsRefused):
        return AwsRefused(text, text, text, text, request_id=text, hint=text)
    if isinstance(error, ConfigError):
        return ConfigError([Problem(text, text, text, text)], hint=text)
    return Refused(text, evidence=f"{text}\n{text}", hint=text)


VALUE = {"k": ["v", {"k": "v"}], "s": frozenset({"v"}), "t": ("v",)}
CHANGES = tuple(
    Change(
        "a/b",
        "a",
        "b",
        action,
        (FieldChange("p", "v", VALUE, Impact.NONE, outside), FieldChange("p", VALUE, None, until="u")),
        Impact.REPLACE,
        pending={"p": Pending("u", "d")},
        unreadable={"p": "a"},
        foreign_members=("m",),
        note="n",
        removed_outside=outside,
        blocked=blocked,
    )
    for action in Action
    for outside in (False, True)
    for blocked in (None, Refused("r"))
)
FINDINGS = tuple(
    Finding("a/b", "a", "f", reason, recorded, live, "n", "a")
    for reason in Reason
    for recorded, live in (("v", VALUE), (VALUE, None), (None, "v"))
)
ADVICE = Advice("e", "u", "r", "n", "o", "d")
ERRORS = (Refused("c", evidence="e"), AwsRefused("s", "o", "c", "m"), ConfigError([Problem("f", "k", "v", "r")]))
EVENTS = (
    Started("a/b"),
    Progress("a/b", "s", 1, "w", 2),
    Finished("a/b", Result.KEPT, 1, Retained("u", "w"), "n"),
    Finished("a/b", Result.CREATED, 1, note="n"),
    *(Failed("a/b", error, 1, "s") for error in ERRORS),
    Detached("a/b", "s"),
    Skipped("a/b", ("c",)),
    Skipped("a/b", ()),
)


def show_everything(screen: Screen, text: str) -> None:
    """Every report of a screen, with this text in every text position."""
    target = poisoned(Target("e", "s", "a", "r", "i", "c", "n"), text)
    screen.target(target)
    screen.note(text)
    screen.warn(text)
    screen.plan(poisoned(plan(*CHANGES), text))
    for event in EVENTS:
        ours = poisoned(event, text)
        screen.begin([ours.address, f"x/{text}"], {f"x/{text}": [ours.address]})
        screen.event(poisoned(Started("a/b"), text))
        screen.event(ours)
        screen.end()
    report = Report(poisoned(FINDINGS, text), 2, 1, 1)
    screen.drift(report, {(finding.address, finding.field): poisoned(ADVICE, text) for finding in report.findings})
    screen.table(["where", text], [[text, text]], [{"what": text, "values": {text: [text]}}])
    screen.output(text, text)
    screen.document(f"{text}\n{text}", {"text": text})
    screen.ask(text, "yes")
    for error in ERRORS:
        screen.target(target)
        screen.error(poisoned(error, text), text)
    for data in (False, True):
        verdict = Verdict("status", target, Status.FAILED, 1, {text: 1}, text, manifest=text, stdout_is_data=data)
        screen.verdict(verdict)
        screen.verdict(replace(verdict, summary=""))


def check_harmless(written: str) -> None:
    """Each line is visible text that no CI system obeys."""
    assert written
    for line in written.split("\n"):
        assert line.replace("\N{NO-BREAK SPACE}", " ").isprintable(), line
        assert not _OBEYED.search(line), line


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("verbose", [False, True])
def test_no_report_for_people_speaks_to_anybody_else(text: str, *, verbose: bool) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    out, err = OutputStream(stdout, "stdout"), OutputStream(stderr, "stderr")
    screen = TextScreen(io.StringIO(), out, err, lambda: LinesView(err), verbose=verbose, quiet=False, colour=False)
    show_everything(screen, text)
    check_harmless(stdout.getvalue())
    check_harmless(stderr.getvalue())


@pytest.mark.parametrize("text", HOSTILE)
def test_no_live_view_does(text: str) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    out, err = OutputStream(stdout, "stdout"), OutputStream(stderr, "stderr")
    live: ProgressView = LiveView(terminal(stderr))
    show_everything(TextScreen(io.StringIO(), out, err, lambda: live, verbose=False, quiet=False, colour=False), text)
    # rich moves the cursor itself: those sequences are ours.
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", stderr.getvalue())
    check_harmless(drawn)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_for_programs_does_and_each_says_the_text_as_it_is(text: str) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    out, err = OutputStream(stdout, "stdout"), OutputStream(stderr, "stderr")
    show_everything(JsonScreen(io.StringIO(), out, err), text)
    check_harmless(stdout.getvalue())
    check_harmless(stderr.getvalue())
    assert stdout.getvalue().isascii()
    records = [json.loads(line) for line in stdout.getvalue().splitlines()]
    assert {"type": "output", "name": text, "value": text} in records


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("##vso[x]", "# #vso[x]"),
        ("##[x]", "# #[x]"),
        ("::error::x", ": :error::x"),
        ("a ::error file=b::x", "a : :error file=b::x"),
        ("::/0 tcp/5432", "::/0 tcp/5432"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"),
        ("arn:aws:iam::aws:policy/x", "arn:aws:iam::aws:policy/x"),
        ("## heading [x]", "## heading [x]"),
        ("std::vector", "std::vector"),
    ],
)
def test_only_a_command_is_broken_up_and_by_one_space(text: str, shown: str) -> None:
    assert sanitize(text) == shown
    assert sanitize(shown) == shown
    document = json.dumps([text, {text: text}])
    assert json.loads(sanitize_json(document)) == json.loads(document)
