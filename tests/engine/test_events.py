from __future__ import annotations

from tapctl.engine.events import Finished, Result
from tapctl.engine.model import Retained


def test_what_went_with_it_and_what_it_left_ended_too() -> None:
    snapshot = Retained("you delete it", "the data is in it")
    end = Finished("a", Result.DELETED, 2.5, subresources=("rules/a",), left_behind=(("snapshot/s", snapshot),))
    assert [(one.address, one.result, one.elapsed_s, one.remark) for one in end.accompanied_by] == [
        ("rules/a", Result.DELETED, 2.5, "with a"),
        ("snapshot/s", Result.KEPT, 2.5, "until you delete it: the data is in it"),
    ]
