"""The live view: its frames, and what stays on the terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tapctl.engine.events import Failed, Finished, Progress, Result, Skipped, Started
from tapctl.errors import NotConverged
from tapctl.render.live import LiveView, live_frame, progress_bar, terminal
from tapctl.render.progress import ProgressTracker
from tapctl.render.terminal import cells

ADDRESSES = [
    "kms-key/alias/db-key-prod",
    "db-cluster/db-cluster-prod",
    "lambda-function/payment-processor-prod",
    "db-instance/db-cluster-prod-0",
    "cloudwatch-alarm/cpu-prod",
]
NEEDS = {"db-instance/db-cluster-prod-0": ["kms-key/alias/db-key-prod", "db-cluster/db-cluster-prod"]}


def tracker() -> ProgressTracker:
    made = ProgressTracker(ADDRESSES, NEEDS, 0)
    made.apply(Started(ADDRESSES[0]), 0)
    made.apply(Finished(ADDRESSES[0], Result.CREATED, 0.6), 1)
    made.apply(Started(ADDRESSES[1]), 1)
    made.apply(Progress(ADDRESSES[1], "creating", 1, usual_s=185), 2)
    made.apply(Started(ADDRESSES[2]), 124)
    made.apply(Progress(ADDRESSES[2], "", 8, "waiting for the role to spread"), 132)
    return made


def drawn(width: int, height: int) -> list[str]:
    return [text for _, text in live_frame(tracker(), 132, width=width, height=height)]


def test_a_frame_reads_as_the_contract_shows_it() -> None:
    assert drawn(120, 24) == [
        "  … db-cluster        db-cluster-prod         creating    2:11    usual 3:05",
        "  … lambda-function   payment-processor-prod              0:08    waiting for the role to spread",
        "    db-instance       db-cluster-prod-0       waits for db-cluster-prod",
        "    cloudwatch-alarm  cpu-prod",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12   about 0:54 more",
    ]


def test_what_waits_is_dim() -> None:
    assert [style for style, _ in live_frame(tracker(), 132, width=120, height=24)] == ["", "", "dim", "dim", ""]


def test_a_narrow_terminal_cuts_the_end_of_a_long_id_and_no_type() -> None:
    assert drawn(70, 24) == [
        "  … db-cluster db-cluster-prod          creating    2:11    usual 3:05",
        "  … lambda-function payment-processor…              0:08    waiting f…",
        "    db-instance db-cluster-prod-0       waits for db-cluster-prod",
        "    cloudwatch-alarm cpu-prod",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12   about 0:54 more",
    ]
    assert drawn(60, 24)[1] == "  … lambda-function payment-pro…              0:08    waiti…"


@pytest.mark.parametrize("width", range(60, 201, 7))
def test_from_60_columns_on_each_row_has_its_type_whole(width: int) -> None:
    for row, address in zip(drawn(width, 24), ADDRESSES[1:], strict=False):
        assert address.partition("/")[0] in row


def test_a_need_of_the_same_id_is_named_by_its_address() -> None:
    made = ProgressTracker(["secret-rotation/db", "db-cluster/db"], {"secret-rotation/db": ["db-cluster/db"]}, 0)
    assert made.waiting_line("secret-rotation/db", 120).endswith("waits for db-cluster/db")


def test_a_low_terminal_counts_what_it_cannot_show() -> None:
    assert drawn(120, 5)[1:] == [
        "  … lambda-function   payment-processor-prod              0:08    waiting for the role to spread",
        "    and 2 more to come",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12   about 0:54 more",
    ]
    assert drawn(120, 3) == [
        "    and 2 more at work",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12   about 0:54 more",
    ]
    assert drawn(120, 1) == ["  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12   about 0:54 more"]


def test_what_takes_longer_than_is_usual_is_told_and_coloured() -> None:
    made = tracker()
    late = live_frame(made, 400, width=120, height=24)
    assert late[0] == (
        "yellow",
        "  … db-cluster        db-cluster-prod         creating    6:39    usual 3:05, passed",
    )
    assert [style for style, _ in late[1:]] == ["", "dim", "dim", ""]
    assert late[-1][1].endswith("elapsed 6:40"), "nobody knows how much more it takes"
    assert live_frame(made, 132, width=50, height=24)[-1][1].endswith("elapsed 2:12"), "there is no room"


def test_a_bar_of_nothing_to_do_is_empty() -> None:
    assert progress_bar(ProgressTracker([], {}, 0), 0, 80) == "  [░░░░░░░░░░░░░░░░░░░░] 0/0   elapsed 0:00"


@given(st.integers(1, 200), st.integers(1, 40), st.lists(st.text(min_size=1), max_size=40), st.integers(0, 40))
def test_a_frame_is_never_wider_nor_higher_than_the_terminal(
    width: int, height: int, ids: list[str], begun: int
) -> None:
    made = ProgressTracker([f"kms-key/{one}" for one in ids], {}, 0)
    for one in made.addresses[:begun]:
        made.apply(Started(one), 1)
        made.apply(Progress(one, one, 1, one, 60), 2)
    rows = live_frame(made, 99, width=width, height=height)
    assert len(rows) <= max(1, height - 1)
    for _, text in rows:
        assert cells(text) <= width
        assert "\x1b" not in text
        assert text.splitlines() in ([text], [])


KEY, CLUSTER = "kms-key/alias/key", "db-cluster/db"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(width: int = 80, height: int = 24) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    made = Console(
        file=stream,
        force_terminal=True,
        color_system="standard",
        width=width,
        height=height,
        highlight=False,
        _environ={},
    )
    return made, stream


def seen(stream: io.StringIO) -> str:
    return _ESCAPES.sub("", stream.getvalue())


def test_what_has_ended_stays_and_what_runs_is_drawn_below_it() -> None:
    drawing, stream = console()
    view = LiveView(drawing, clock=lambda: 60.0)
    view.begin([KEY, CLUSTER], {})
    view.event(Started(KEY))
    view.event(Started(CLUSTER))
    view.event(Progress(CLUSTER, "creating", 5, usual_s=185))
    view.event(Finished(KEY, Result.CREATED, 0.6))
    view.end()
    assert "  ✓ kms-key     alias/key  created     0.6 s\n" in seen(stream)
    assert "  … db-cluster  db         creating    0:00    usual 3:05" in seen(stream)
    assert "  [██████████░░░░░░░░░░] 1/2   elapsed 0:00" in seen(stream)
    assert "\x1b[32m✓\x1b[0m kms-key" in stream.getvalue()


def test_a_killed_process_leaves_a_cursor() -> None:
    drawing, stream = console()
    view = LiveView(drawing)
    view.begin([KEY], {})
    shown, hidden = stream.getvalue().rfind("\x1b[?25h"), stream.getvalue().rfind("\x1b[?25l")
    view.end()
    assert shown > hidden


def test_time_goes_on_between_events() -> None:
    drawing, stream = console()
    now = [0.0]
    view = LiveView(drawing, clock=lambda: now[0])
    view.begin([KEY], {})
    view.event(Started(KEY))
    assert view.live is not None
    for now[0] in (0.0, 61.0):
        view.live.refresh()
    view.end()
    assert {"0:00", "1:01"} <= set(re.findall(r"elapsed (\d+:\d+)", seen(stream)))


def test_nothing_on_a_narrow_low_terminal_is_wider_or_higher_than_it() -> None:
    drawing, stream = console(width=40, height=6)
    addresses = [f"lambda-function/payment-processor-prod-{n}" for n in range(30)]
    view = LiveView(drawing, clock=lambda: 60.0)
    view.begin(addresses, {})
    for one in addresses:
        view.event(Started(one))
    view.end()
    last = stream.getvalue().rsplit("\x1b[?25h", 2)[1]
    lines = [line for line in _ESCAPES.sub("", last).replace("\r", "").split("\n") if line]
    assert lines[-2:] == ["    and 27 more at work", "  [░░░░░░░░░░░░░░░░] 0/30   elapsed 0:00"]
    assert len(lines) <= 6
    assert max(map(len, lines)) <= 40


def test_markup_and_escape_sequences_from_aws_are_shown_and_not_obeyed() -> None:
    drawing, stream = console(width=200)
    view = LiveView(drawing)
    hostile = "kms-key/[red]x[/red]:smile:\x1b[2J"
    view.begin([hostile], {})
    view.event(Started(hostile))
    view.event(Progress(hostile, "[bold]\x1b]0;title\x07", 1))
    view.event(Failed(hostile, NotConverged("[link=http://x]no\x1b[5m"), 1))
    view.end()
    assert "[red]x[/red]:smile:\\u001b[2J" in seen(stream)
    assert "[link=http://x]no\\u001b[5m" in seen(stream)
    assert not {"\x1b[2J", "\x1b[5m", "\x1b]0"} & set(re.findall(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\]0)", stream.getvalue()))


def test_the_end_counts_what_was_not_tried_and_may_come_twice() -> None:
    drawing, stream = console()
    view = LiveView(drawing)
    view.end()
    view.begin([KEY, CLUSTER], {})
    view.event(Skipped(CLUSTER, (KEY,)))
    view.end()
    view.end()
    assert seen(stream).count("  1 not tried; waiting for what failed: kms-key/alias/key\n") == 1


def test_a_line_of_its_own_is_wrapped_by_nobody_but_the_terminal() -> None:
    drawing, stream = console(width=20)
    LiveView(drawing).say("warning: " + "long " * 20)
    assert stream.getvalue() == "warning: " + "long " * 20 + "\n"


def test_a_terminal_is_believed_to_be_one() -> None:
    assert terminal(io.StringIO()).is_terminal
