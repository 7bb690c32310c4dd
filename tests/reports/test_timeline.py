"""Timeline and picture: what waited for what, and where it stands."""

from __future__ import annotations

from tapctl.reports.picture import columns_of, picture
from tapctl.reports.run import run_of
from tapctl.reports.timeline import timeline
from tests.reports.examples import CLUSTER, FUNCTION, GROUP, KEY, result, run, span, stack, verdict, version


def test_the_critical_path_goes_back_to_what_was_waited_for_longest() -> None:
    made = run_of(
        [
            version("apply"),
            stack(**{KEY: [], GROUP: [], CLUSTER: [KEY, GROUP], FUNCTION: [CLUSTER]}),
            *(
                span(address, "x:Create", end - 0.1, end)
                for address, end in ((KEY, 3), (GROUP, 1), (CLUSTER, 9), (FUNCTION, 10))
            ),
            *(
                result(KEY, elapsed_s=3),
                result(GROUP, elapsed_s=1),
                result(CLUSTER, elapsed_s=6),
                result(FUNCTION, elapsed_s=1),
            ),
            verdict("apply"),
        ]
    )
    bars = timeline(made)
    assert [(bar.address, bar.start_s, bar.end_s, bar.critical) for bar in bars] == [
        (KEY, 0, 3, True),
        (GROUP, 0, 1, False),
        (CLUSTER, 3, 9, True),
        (FUNCTION, 9, 10, True),
    ]


def test_a_run_that_changed_nothing_has_the_time_of_its_calls() -> None:
    assert [(bar.address, round(bar.took_s, 1), bar.critical) for bar in timeline(run("drift"))] == [
        ("", 0.1, False),
        (KEY, 0.1, False),
    ]
    assert timeline(run("parity")) == []


def test_a_resource_stands_right_of_what_it_needs_whatever_the_order_and_a_circle_ends() -> None:
    assert columns_of({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}) == [["a"], ["b", "c"], ["d"]]
    assert columns_of({}) == []
    assert sorted(map(sorted, columns_of({"a": ["b"], "b": ["a"], "c": ["c", "x"]}))) == [["a"], ["b", "c"]]
    drawn = picture({"a/" + "x" * 50: ["gone"]}, lambda _: ("same", "", "as it was"))
    assert "x" * 27 + "…" in drawn


def test_a_forged_run_may_be_as_deep_and_as_dense_as_it_likes() -> None:
    deep = {str(at): [str(at + 1)] for at in range(3000)} | {"3000": []}
    assert columns_of(deep)[:2] == [["3000"], ["2999"]]
    dense = {str(at): [*map(str, range(300))] for at in range(300)}
    assert sum(map(len, columns_of(dense))) == 300
