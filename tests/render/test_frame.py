from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.engine.events import Finished, Progress, Result, Started
from tapctl.render.live import live_frame, progress_bar
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


def test_the_picture_is_the_contracts() -> None:
    assert drawn(120, 24) == [
        "  … db-cluster        db-cluster-prod         creating    2:11    usual 3:05",
        "  … lambda-function   payment-processor-prod              0:08    waiting for the role to spread",
        "    db-instance       db-cluster-prod-0       waits for db-cluster-prod",
        "    cloudwatch-alarm  cpu-prod",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12",
    ]


def test_what_waits_is_dim() -> None:
    assert [style for style, _ in live_frame(tracker(), 132, width=120, height=24)] == ["", "", "dim", "dim", ""]


def test_a_narrow_terminal_loses_the_type_first_and_then_the_end() -> None:
    assert drawn(70, 24)[0] == "  … db-cluster-prod         creating    2:11    usual 3:05"
    assert drawn(40, 24) == [
        "  … db-cluster-prod         creating   …",
        "  … payment-processor-prod             …",
        "    db-cluster-prod-0       waits for d…",
        "    cpu-prod",
        "  [███░░░░░░░░░░░░░░] 1/5   elapsed 2:12",
    ]


def test_a_low_terminal_counts_what_it_cannot_show() -> None:
    assert drawn(120, 5)[1:] == [
        "  … lambda-function   payment-processor-prod              0:08    waiting for the role to spread",
        "    and 2 more to come",
        "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12",
    ]
    assert drawn(120, 3) == ["    and 2 more at work", "  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12"]
    assert drawn(120, 1) == ["  [████░░░░░░░░░░░░░░░░] 1/5   elapsed 2:12"]


def test_a_bar_of_nothing_to_do_is_empty() -> None:
    assert progress_bar(ProgressTracker([], {}, 0), 0, 80) == "  [░░░░░░░░░░░░░░░░░░░░] 0/0   elapsed 0:00"


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.lists(st.text(min_size=1), max_size=40), st.integers(0, 40))
def test_it_is_never_wider_nor_higher_than_the_terminal(width: int, height: int, ids: list[str], begun: int) -> None:
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
