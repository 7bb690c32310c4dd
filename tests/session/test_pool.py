from __future__ import annotations

from collections.abc import Iterator

import pytest

from tapctl.aws.client import Connection
from tapctl.aws.transport import COUNTED_BY
from tapctl.session.pool import ClientPool
from tests.conftest import ACCOUNT, CREDENTIALS
from tests.support.endpoint import endpoint, identity


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
