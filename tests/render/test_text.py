from __future__ import annotations

import errno
import io

import pytest

from tapctl.engine.estimate import Estimate
from tapctl.engine.events import Finished, Result
from tapctl.errors import Status, TapctlError, UsageError
from tapctl.render.progress import LinesView
from tapctl.render.screen import Target, Verdict
from tapctl.render.terminal import OutputStream
from tapctl.render.text import TextScreen
from tests.render.examples import CROSS, HEADER, PLAN, PROD, REPORT, Terminal

TARGET = "prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c"


class Shown:
    """A screen on two streams of its own."""

    def __init__(self, *, quiet: bool = False, colour: bool = False, answer: str = "") -> None:
        self.stdout, self.stderr = Terminal(), io.StringIO()
        out, err = OutputStream(self.stdout, "stdout"), OutputStream(self.stderr, "stderr")
        self.screen = TextScreen(
            io.StringIO(answer), out, err, lambda: LinesView(err), verbose=False, quiet=quiet, colour=colour
        )

    @property
    def out(self) -> list[str]:
        return self.stdout.getvalue().splitlines()

    @property
    def err(self) -> list[str]:
        return self.stderr.getvalue().splitlines()


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_plan_stands_under_its_header_and_the_verdict_is_the_last_line(shown: Shown) -> None:
    shown.screen.target(HEADER)
    shown.screen.plan(PLAN)
    shown.screen.verdict(Verdict("plan", PROD, None, 0, summary="1 to create"))
    assert shown.out == [
        TARGET,
        "",
        "  + kms-key      alias/db-key-prod",
        "  ~ db-instance  db-cluster-prod-0  failover",
        "      instance_class  db.r6g.large → db.r6g.xlarge  failover",
        "  x iam-role     theirs",
        "      iam-role/theirs exists and is not ours",
        "PLAN prod: 1 to create",
    ]
    assert shown.err == []


def test_a_target_alone_says_nothing(shown: Shown) -> None:
    shown.screen.target(Target("prod", region="us-east-1"))
    shown.screen.target(HEADER)
    assert (shown.out, shown.err) == ([], [])


def test_where_stdout_is_data_a_verdict_is_shown_only_on_stderr_and_only_of_a_failure(shown: Shown) -> None:
    shown.screen.verdict(Verdict("graph", PROD, Status.OK, 0, stdout_is_data=True))
    assert (shown.out, shown.err) == ([], [])
    shown.screen.verdict(Verdict("manifest show", PROD, Status.FAILED, 3, stdout_is_data=True))
    assert (shown.out, shown.err) == ([], ["MANIFEST prod: FAILED"])


def test_every_report_has_its_header_once(shown: Shown) -> None:
    for env in ("dev", "prod"):
        shown.screen.target(Target(env))
        shown.screen.drift(REPORT, {})
        shown.screen.error(TapctlError("then this"))
    assert [line for line in shown.out if not line.startswith(" ")] == ["dev", "", "prod", ""]
    assert shown.err == ["error error", f"  {CROSS} then this"] * 2


def test_an_error_before_any_report_says_which_target_it_is_about(shown: Shown) -> None:
    shown.screen.target(HEADER)
    shown.screen.error(TapctlError("no", hint="try"), "nothing was changed")
    assert shown.err == [TARGET, "", "error error", f"  {CROSS} no", "  state  nothing was changed", "  hint   try"]
    assert shown.out == []


def test_an_error_where_no_target_is_known_has_no_header(shown: Shown) -> None:
    shown.screen.error(UsageError("no such command"))
    assert shown.err == ["error usage", f"  {CROSS} no such command"]


def test_the_answers_go_to_stdout_alone(shown: Shown) -> None:
    shown.screen.target(HEADER)
    shown.screen.table(["suffix", "by"], [["prod", "dana"]], [])
    shown.screen.output("cluster_endpoint", "db.example\x1b")
    shown.screen.document("graph LR\n  a --> b  \n", {})
    assert shown.out == ["suffix  by", "prod    dana", "cluster_endpoint=db.example\\u001b", "graph LR", "  a --> b"]
    assert shown.err == []


def test_the_hash_of_a_plan_and_its_file_stand_under_it(shown: Shown) -> None:
    shown.screen.plan_hash("ab", "", "")
    shown.screen.plan_hash("cd", "dev\x1b.plan", "2026-01-02T03:04:05Z")
    assert shown.out == ["hash ab", "hash cd", "file dev\\u001b.plan, to be applied until 2026-01-02T03:04:05Z"]


def test_what_is_usual_stands_under_a_plan(shown: Shown) -> None:
    shown.screen.estimate(Estimate(670, 335, 1340, ("kms-key/k", "db-cluster/db")))
    assert shown.out == ["usually 11 m 10 s (5 m 35 s to 22 m 20 s): kms-key/k → db-cluster/db"]


def test_progress_notes_and_warnings_go_to_stderr(shown: Shown) -> None:
    shown.screen.note("reading\n23 resources")
    shown.screen.warn("not the region of prod\x1b")
    shown.screen.begin(["kms-key/k"])
    shown.screen.event(Finished("kms-key/k", Result.CREATED, 1))
    shown.screen.end()
    assert shown.err == [
        "reading 23 resources",
        "warning: not the region of prod\\u001b",
        "  ✓ kms-key  k  created     1.0 s",
    ]
    assert shown.out == []


def test_quiet_keeps_warnings() -> None:
    shown = Shown(quiet=True)
    shown.screen.target(Target("prod", region="us-east-1"))
    shown.screen.note("reading")
    shown.screen.warn("careful")
    assert shown.err == ["warning: careful"]


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [("yes\n", True), (" yes \n", True), ("y\n", False), ("\n", False), ("", False), ("yes", True)],
)
def test_only_the_expected_answer_is_a_yes(answer: str, agreed: bool) -> None:
    shown = Shown(answer=answer)
    assert shown.screen.ask("Apply this to prod? Type yes:", "yes") is agreed
    shown.screen.warn("after")
    end = "" if answer.endswith("\n") else "\n"
    told = "" if agreed else f"{answer.strip() or 'no answer'} is taken for no: to go on, type yes in full\n"
    assert shown.stderr.getvalue() == f"Apply this to prod? Type yes: {end}{told}warning: after\n"
    assert shown.out == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_whoever_stops_at_the_question_is_told_on_a_line_of_its_own(stop: type[BaseException]) -> None:
    class Interrupted(io.StringIO):
        def read_line(self, *_: int | None) -> str:
            raise stop

    shown, terminal = Shown(), Interrupted()
    setattr(terminal, "readline", terminal.read_line)  # noqa: B010 -- typeshed's one is of bytes and of text
    shown.screen.stdin = terminal
    with pytest.raises(stop):
        shown.screen.ask("Type yes:", "yes")
    shown.screen.warn("stopped by SIGINT")
    assert shown.err == ["Type yes: ", "warning: stopped by SIGINT"]


def test_colour_is_on_the_stream_that_is_a_terminal() -> None:
    shown = Shown(colour=True)
    shown.screen.plan(PLAN)
    shown.screen.error(TapctlError("no"))
    assert "\x1b[32m+\x1b[0m" in shown.stdout.getvalue()
    assert "\x1b" not in shown.stderr.getvalue()


@pytest.mark.parametrize("stdout_is_data", [False, True])
def test_an_answer_that_could_not_be_written_is_an_error(stdout_is_data: bool) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    err = OutputStream(io.StringIO(), "stderr")
    screen = TextScreen(
        io.StringIO(),
        OutputStream(Full(), "stdout"),
        err,
        lambda: LinesView(err),
        verbose=False,
        quiet=False,
        colour=False,
    )
    screen.plan(PLAN)
    with pytest.raises(TapctlError, match="could not be written to stdout"):
        screen.verdict(Verdict("plan", PROD, None, 0, stdout_is_data=stdout_is_data))
