"""Changes that are on their way, as a run that is stopped tells them."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext, suppress

import pytest

from tapctl.errors import AwsRefused
from tests.aws.test_transport import to
from tests.support.endpoint import Answer, endpoint, refusal


def test_the_end_of_one_is_not_the_end_of_another_of_the_same_name() -> None:
    first, second = threading.Event(), threading.Event()

    def slowly(body: str) -> Answer:
        (first if "RoleName=one" in body else second).wait(10)
        return Answer(200, "<DeleteRoleResponse/>")

    with endpoint(slowly) as there:
        client = to(there)
        calls = {
            name: threading.Thread(target=client.iam.delete_role, kwargs={"RoleName": name}) for name in ("one", "two")
        }
        for one in calls.values():
            one.start()
        while len(client.call_log.in_flight) < len(calls):
            time.sleep(0.01)
        first.set()
        calls["one"].join()
        assert client.call_log.in_flight == ["iam:DeleteRole"]
        second.set()
        calls["two"].join()
    assert client.call_log.in_flight == []


@pytest.mark.parametrize("refused", [False, True])
def test_a_change_is_named_while_it_is_in_flight_and_no_longer(refused: bool) -> None:
    during: list[set[str]] = []

    def note(body: str) -> Answer:
        during.append(set(client.call_log.in_flight))
        return refusal("NoSuchEntity") if refused or "GetRole" in body else Answer(200, "<DeleteRoleResponse/>")

    with endpoint(note) as there:
        client = to(there)
        with pytest.raises(AwsRefused) if refused else nullcontext():
            client.iam.delete_role(RoleName="x")
        with suppress(AwsRefused):
            client.iam.get_role(RoleName="x")

    assert during == [{"iam:DeleteRole"}, set()]
    assert client.call_log.in_flight == []
