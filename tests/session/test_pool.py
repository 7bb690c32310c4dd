from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tapctl.aws.client import Connection
from tapctl.aws.transport import COUNTED_BY, IN_FLIGHT
from tapctl.session.pool import ClientPool
from tapctl.threads import in_background
from tests.conftest import ACCOUNT, CREDENTIALS
from tests.support.endpoint import Answer, endpoint, identity


@pytest.fixture(autouse=True)
def _counted_by_nobody() -> Iterator[None]:
    """A view counts the calls of its thread: here that of all tests."""
    token = COUNTED_BY.set(None)
    yield
    COUNTED_BY.reset(token)


def test_environments_share_a_client_and_one_look_at_our_identity_whatever_their_region() -> None:
    with endpoint(lambda _: identity()) as there:
        pool = ClientPool({}, jobs=2)
        places = [
            Connection(region, endpoint_url=there.url, credentials=CREDENTIALS) for region in ("us-east-1", "us-west-2")
        ]
        views = [pool.client(place, ACCOUNT) for place in places for _ in range(2)]
        assert {view.identify(ACCOUNT).account for view in views} == {ACCOUNT}
        assert len(there.heard) == 1
        assert views[0].sts is views[1].sts
        assert views[0].sts is not views[2].sts
        other = Connection("us-east-1", role_arn="arn:aws:iam::123456789012:role/x", endpoint_url=there.url)
        assert pool.client(other, ACCOUNT).target == other


def test_accounts_of_the_embedded_aws_share_no_answer() -> None:
    with endpoint(lambda _: identity()) as there:
        pool = ClientPool({}, jobs=2)
        for key in ("sandbox-123456789012", "sandbox-210987654321"):
            place = Connection("us-east-1", endpoint_url=there.url, credentials=(key, "sandbox"))
            pool.client(place, ACCOUNT).identify(ACCOUNT)
        assert len(there.heard) == 2


def test_bulk_reads_are_for_all_that_is_recorded_in_the_account_and_region() -> None:
    place = Connection("us-east-1", credentials=CREDENTIALS)
    pool = ClientPool({(ACCOUNT, "us-east-1"): {"log-group": ("a", "b", "c")}}, jobs=1)
    own = pool.client(place, ACCOUNT).memoized({"log-group": ("b", "new")})
    assert own.batch_ids("log-group", "b") == ("a", "b", "c")
    assert own.batch_ids("log-group", "c", most=2) == ("c",)
    assert own.batch_ids("log-group", "a", most=2) == ("a", "b")
    assert own.batch_ids("log-group", "new") == ("b", "new")
    assert own.round_ids("log-group") == ("b", "new")
    assert own.round_ids("sns-topic") == ()
    assert pool.client(place, "999999999999").batch_ids("log-group", "b") == ("b",)


def test_environments_side_by_side_send_as_many_calls_as_each_alone_and_each_tells_its_own() -> None:
    together = threading.Barrier(IN_FLIGHT + 2)

    def answer(_: str) -> Answer:
        together.wait(timeout=20)
        return identity()

    with endpoint(answer) as there:
        place = Connection("us-east-1", endpoint_url=there.url, credentials=CREDENTIALS)
        pool = ClientPool({}, jobs=2)

        def look() -> list[str]:
            view = pool.client(place, ACCOUNT)
            for each in [in_background(view.sts.get_caller_identity) for _ in range(IN_FLIGHT // 2 + 1)]:
                assert each.result()["Account"] == ACCOUNT
            return [call.action for call in view.call_log.over]

        assert [each.result() for each in [in_background(look) for _ in range(2)]] == [
            ["sts:GetCallerIdentity"] * (IN_FLIGHT // 2 + 1)
        ] * 2


@pytest.mark.parametrize(("jobs", "mode"), [(1, "standard"), (2, "adaptive")])
def test_calls_of_several_environments_slow_down_where_aws_takes_fewer(jobs: int, mode: str) -> None:
    view = ClientPool({}, jobs).client(Connection("us-east-1", credentials=CREDENTIALS), ACCOUNT)
    cloudwatch: Any = view.cloudwatch
    assert cloudwatch.meta.config.retries["mode"] == mode
