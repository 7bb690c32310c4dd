"""What did not get there ends with what AWS last told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.engine.plan import Action
from tapctl.errors import NotConverged
from tests.engine.driving import bring, delete_until_gone, there
from tests.engine.kinds import LARGE, Plain, resource
from tests.engine.traits import Deaf, lost
from tests.engine.world import World

EVENT = "Unable to upgrade DB cluster: an extension is too old"


class Telling(Plain):
    def last_event(self, aws: Any, id: str) -> str:
        return EVENT


class Mute(Plain):
    def last_event(self, aws: Any, id: str) -> str:
        raise lost()


def evidence(rec: Plain, world: World) -> str:
    with pytest.raises(NotConverged) as caught:
        bring(world, resource(rec, LARGE), Action.UPDATE)
    return str(caught.value.evidence)


def test_a_change_that_aws_gives_up_without_a_word_ends_with_its_last_event() -> None:
    told = evidence(Telling(), there(Telling(), Deaf("update")))
    assert told.splitlines()[-1] == f"AWS's last event: {EVENT}"


def test_so_does_a_removal() -> None:
    with pytest.raises(NotConverged) as caught:
        delete_until_gone(there(Telling(), Deaf("delete")), Telling())
    assert EVENT in str(caught.value.evidence)


@pytest.mark.parametrize("rec", [Plain(), Mute()], ids=["there is none", "it cannot be asked"])
def test_where_there_is_no_event_the_rest_is_told(rec: Plain) -> None:
    told = evidence(rec, there(rec, Deaf("update")))
    assert "AWS's last event" not in told
    assert "asked for, and for 120 s not there" in told


def test_what_is_quoted_already_is_not_said_twice() -> None:
    class Failed(Telling):
        def observe(self, aws: World, id: str, expected: Any) -> Any:
            aws.things[f"{self.type}/{id}"].failed = EVENT
            return super().observe(aws, id, expected)

    rec = Failed()
    told = evidence(rec, there(rec))
    assert told.count(EVENT) == 1
