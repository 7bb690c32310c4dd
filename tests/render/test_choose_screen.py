from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from tapctl.engine.events import Finished, Result, Started
from tapctl.errors import Status, TapctlError
from tapctl.render import choose_screen, is_interactive
from tapctl.render.screen import Screen, Verdict
from tests.render.examples import ADVICE, HEADER, PLAN, REPORT, Terminal


def perform(screen: Screen) -> None:
    """Everything a screen can say."""
    screen.target(HEADER)
    screen.note("reading")
    screen.warn("careful")
    screen.plan(PLAN)
    screen.begin(["kms-key/k"], {"kms-key/k": ["sns-topic/t"]})
    screen.event(Started("kms-key/k"))
    screen.event(Finished("kms-key/k", Result.CREATED, 1))
    screen.end()
    screen.drift(REPORT, {("lambda-function/processor", "timeout_s"): ADVICE})
    screen.table(["a"], [["1"]], [{"a": 1}])
    screen.output("a", "b")
    screen.document("a", {})
    screen.ask("Apply?", "yes")
    screen.error(TapctlError("no", hint="try"), "nothing was changed")
    screen.verdict(Verdict("apply", HEADER, Status.CONVERGED, 0))


def shown(
    env: dict[str, str], *, json: bool = False, no_color: bool = False, quiet: bool = False, terminal: bool = True
) -> tuple[str, str]:
    kind = Terminal if terminal else io.StringIO
    stdout, stderr = kind(), kind()
    perform(choose_screen(stdout, stderr, env, json=json, no_color=no_color, quiet=quiet, stdin=io.StringIO("no\n")))
    return stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_not_one_escape_byte_where_the_environment_wants_none(env: dict[str, str]) -> None:
    out, err = shown(env)
    assert "\x1b" not in out + err
    assert "  ✓ kms-key  k  created     1.0 s\n" in err


def test_not_one_escape_byte_with_the_flag_or_without_a_terminal() -> None:
    for out, err in (shown({}, no_color=True), shown({}, terminal=False)):
        assert "\x1b" not in out + err
        assert "  ✓ kms-key  k  created     1.0 s\n" in err


def test_plain_and_coloured_reports_say_the_same() -> None:
    assert re.sub(r"\x1b\[\d+m", "", shown({})[0]) == shown({}, terminal=False)[0]


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": ""}, {"CI": "false"}])
def test_a_terminal_is_drawn_on(env: dict[str, str]) -> None:
    out, err = shown(env)
    assert "\x1b[32m" in out
    assert "\x1b[2K" in err


def test_in_ci_a_terminal_gets_colour_and_lines() -> None:
    out, err = shown({"CI": "true"})
    assert "\x1b[32m" in out
    assert "\x1b[2K" not in err
    assert "  ✓ kms-key  k  created     1.0 s\n" in err


def test_quiet_shows_no_progress_and_the_same_answer() -> None:
    out, err = shown({}, quiet=True, terminal=False)
    assert out == shown({}, terminal=False)[0]
    assert err.splitlines()[:2] == ["warning: careful", "Apply? error error"]


def test_json_is_json_on_a_terminal_too() -> None:
    out, _ = shown({}, json=True)
    assert {line[:9] for line in out.splitlines()} == {'{"type":"'}


def test_verbose_reaches_the_reports() -> None:
    stdout = io.StringIO()
    choose_screen(stdout, io.StringIO(), {}, verbose=True).plan(PLAN)
    assert "      rotation        true\n" in stdout.getvalue()


@pytest.mark.parametrize(
    ("env", "answers"),
    [({}, True), ({"CI": "true"}, False), ({"CI": "1"}, False), ({"CI": "0"}, True), ({"CI": "False"}, True)],
)
def test_nobody_is_asked_in_ci(env: dict[str, str], answers: bool) -> None:
    assert is_interactive(Terminal(), env) is answers


def test_nobody_is_asked_without_a_terminal() -> None:
    closed = Terminal()
    closed.close()
    assert not is_interactive(io.StringIO(), {})
    assert not is_interactive(None, {})
    assert not is_interactive(closed, {})


@pytest.mark.parametrize(
    ("json", "absent"), [(True, ["rich", "tapctl.render.text"]), (False, ["rich", "tapctl.render.jsonl"])]
)
def test_only_the_screen_that_is_chosen_is_loaded(json: bool, absent: list[str]) -> None:
    script = (
        "import sys; from tapctl.render import choose_screen\n"
        f"choose_screen(sys.stdout, sys.stderr, {{}}, json={json})\n"
        f"sys.exit(any(name in sys.modules for name in {absent}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, stderr=subprocess.DEVNULL).returncode == 0
