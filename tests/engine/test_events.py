from __future__ import annotations

from tapctl.engine.events import Finished, Result
from tapctl.engine.model import Kept


def test_what_went_with_it_and_what_it_left_ended_too() -> None:
    snapshot = Kept("you delete it", "the data is in it")
    end = Finished("a", Result.DELETED, 2.5, facets=("rules/a",), leaves=(("snapshot/s", snapshot),))
    assert [(one.address, one.result, one.elapsed_s, one.said) for one in end.also] == [
        ("rules/a", Result.DELETED, 2.5, "with a"),
        ("snapshot/s", Result.KEPT, 2.5, "until you delete it: the data is in it"),
    ]
