from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsNoAnswer, LockHeld, ManifestError, Refused
from tapctl.manifest import open_store
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.manifest import TIME_FORMAT
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.s3_lock import LeaseTiming
from tapctl.manifest.store import Store
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import (
    SDK_ATTEMPTS,
    S3Script,
    Step,
    drop_answer,
    drop_request,
    interrupt_before_answer,
    meanwhile,
    refuse,
)

KEY = "team/dev.lock"


def keys(aws: Aws) -> list[str]:
    return [item["Key"] for item in aws.s3.list_objects_v2(Bucket="records").get("Contents", ())]


def test_a_held_lock_is_refused_with_its_holder_and_its_end(store: Store) -> None:
    before = datetime.now(UTC)
    with store.lock("dev", DANA) as lease:
        with pytest.raises(LockHeld) as refused, store.lock("dev", SAM):
            pytest.fail("two hold the lock")
        lease.ensure_held()
    who, until = str(refused.value.evidence).split("\n")
    assert who == f"s3://records/team/dev.lock: {DANA}"
    messages = re.fullmatch(f"lock {lease.id}; if its run has died, it is free at (.*)", until)
    assert messages is not None
    left = datetime.strptime(messages[1], TIME_FORMAT).replace(tzinfo=UTC) - before
    assert timedelta(seconds=55) < left < timedelta(seconds=65)
    assert "--lock-timeout" in str(refused.value.hint)
    assert refused.value.exit_code == 5


def test_a_released_lock_is_gone(store: Store, aws: Aws) -> None:
    with store.lock("dev", DANA) as first:
        messages = json.loads(aws.s3.get_object(Bucket="records", Key=KEY)["Body"].read())
        assert (messages["id"], messages["holder"]["who"]) == (first.id, "dana")
    assert keys(aws) == []
    with store.lock("dev", DANA) as second:
        assert second.id != first.id


def test_a_lock_that_nobody_can_read_is_still_held(store: Store, aws: Aws) -> None:
    aws.s3.put_object(Bucket="records", Key=KEY, Body=b"somebody")
    with pytest.raises(LockHeld) as refused, store.lock("dev", DANA):
        pytest.fail("two hold the lock")
    assert "nobody's name can be read in it" in str(refused.value.evidence)
    assert refused.value.cause == "this environment is locked", "by whom, and that it is changed, nobody can tell"
    assert "aws s3 rm s3://records/team/dev.lock" in str(refused.value.hint)
    assert keys(aws) == [KEY]


@pytest.mark.parametrize("attempts", [1, SDK_ATTEMPTS])
def test_a_lock_taken_without_an_answer_is_ours(store: Store, aws: Aws, script: S3Script, attempts: int) -> None:
    script.then("PutObject", drop_answer, *[drop_request] * (attempts - 1))
    with store.lock("dev", DANA) as lease:
        lease.ensure_held()
    assert keys(aws) == []


def test_a_lock_released_meanwhile_is_tried_again(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("PutObject", refuse(412, "PreconditionFailed"), refuse(409, "ConditionalRequestConflict"))
    with store.lock("dev", DANA) as lease:
        lease.ensure_held()


def test_without_any_answer_nothing_is_locked(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[drop_request] * (4 * SDK_ATTEMPTS))
    with pytest.raises(AwsNoAnswer), store.lock("dev", DANA):
        pytest.fail("nothing is locked")


def test_endless_conflicts_end(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[refuse(409, "ConditionalRequestConflict")] * 4)
    with pytest.raises(LockHeld) as refused, store.lock("dev", DANA):
        pytest.fail("nothing is locked")
    assert "others were always quicker" in str(refused.value.hint)


def test_a_denied_lock_says_what_to_allow(store: Store, script: S3Script) -> None:
    script.then("PutObject", refuse(403, "AccessDenied"))
    with pytest.raises(Refused, match="may not use s3://records/team/") as refused, store.lock("dev", DANA):
        pytest.fail("nothing is locked")
    assert refused.value.exit_code == 6
    assert script.operations == ["PutObject"]


def test_a_bucket_that_is_not_there_locks_nothing(aws: Aws) -> None:
    with pytest.raises(ManifestError, match="does not exist"), open_store("s3://vanished", aws).lock("dev", DANA):
        pytest.fail("nothing is locked")


def test_a_lock_released_without_an_answer_is_gone(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("DeleteObject", drop_answer)
    with store.lock("dev", DANA):
        pass
    assert keys(aws) == []


def test_a_lock_taken_by_another_meanwhile_is_left(store: Store, aws: Aws, script: S3Script) -> None:
    theirs = meanwhile(lambda: Aws(aws.target).s3.put_object(Bucket="records", Key=KEY, Body=b"theirs"))
    script.then("DeleteObject", theirs)
    with store.lock("dev", DANA):
        pass
    assert keys(aws) == [KEY]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([refuse(403, "AccessDenied")], "AccessDenied on s3:DeleteObject"),
        ([drop_request] * SDK_ATTEMPTS, "ConnectionClosedError on s3:DeleteObject"),
        ([refuse(409, "ConditionalRequestConflict")] * 4, "S3 does not remove the lock"),
    ],
)
def test_a_lock_that_cannot_be_released_is_reported_and_no_failure(
    store: Store, script: S3Script, steps: list[Step], why: str
) -> None:
    messages: list[str] = []
    script.then("DeleteObject", *steps)
    with store.lock("dev", DANA, notify=messages.append):
        pass
    assert len(messages) == 1
    assert messages[0].startswith("the lock could not be given back, it is free in 60 s: ")
    assert why in messages[0]


def test_a_lock_that_cannot_be_released_does_not_hide_the_error(store: Store, script: S3Script) -> None:
    script.then("DeleteObject", *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(ZeroDivisionError), store.lock("dev", DANA):
        _ = 1 / 0


def test_a_conflicting_release_is_tried_again(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("DeleteObject", refuse(409, "ConditionalRequestConflict"))
    with store.lock("dev", DANA):
        pass
    assert keys(aws) == []


def test_a_lock_acquired_during_an_interrupt_is_released(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("PutObject", interrupt_before_answer)
    with pytest.raises(KeyboardInterrupt), store.lock("dev", DANA):
        pytest.fail("the interrupt was lost")
    assert keys(aws) == []


def test_an_interrupt_leaves_the_lock_of_another(store: Store, aws: Aws, script: S3Script) -> None:
    with store.lock("dev", SAM):
        script.then("PutObject", interrupt_before_answer)
        with pytest.raises(KeyboardInterrupt), store.lock("dev", DANA):
            pytest.fail("the interrupt was lost")
        assert keys(aws) == [KEY]


def test_an_interrupt_without_a_network_is_still_an_interrupt(store: Store, script: S3Script) -> None:
    script.then("PutObject", interrupt_before_answer)
    script.then("GetObject", *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(KeyboardInterrupt), store.lock("dev", DANA):
        pytest.fail("the interrupt was lost")


# -- a bucket that hangs ---------------------------------------------------------------------------------------------


class Hang:
    """A request that is not answered before `end`; ``ended`` if its sender has waited for that."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self.ended = False

    def step(self) -> Step:
        return meanwhile(self._wait, drop_request)

    def _wait(self) -> None:
        self._end.wait(20)
        self.ended = True

    def end(self) -> None:
        self._end.set()


@pytest.fixture
def impatient(aws: Aws, script: S3Script) -> S3Store:
    """A store that gives up a release after 10 ms."""
    return S3Store(Bucket(aws, "records", "team/"), LeaseTiming(release_s=0.01), proved=True)


def test_a_bucket_that_hangs_does_not_delay_the_end(impatient: S3Store, script: S3Script) -> None:
    messages: list[str] = []
    hang = Hang()
    script.then("DeleteObject", hang.step())
    with impatient.lock("dev", DANA, notify=messages.append):
        pass
    assert not hang.ended
    hang.end()
    (message,) = messages
    assert message.startswith("the lock could not be given back, it is free in 60 s: ")
    assert message.endswith("S3 has not answered for 0.01 s")


def test_a_bucket_that_hangs_does_not_delay_an_interrupt(impatient: S3Store, script: S3Script) -> None:
    hang = Hang()
    script.then("PutObject", interrupt_before_answer)
    script.then("GetObject", hang.step())
    with pytest.raises(KeyboardInterrupt), impatient.lock("dev", DANA):
        pytest.fail("the interrupt was lost")
    assert not hang.ended
    hang.end()


def test_a_release_without_an_answer_is_tried_again(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("DeleteObject", drop_request, drop_answer)
    script.then("GetObject", drop_request)
    with store.lock("dev", DANA):
        script.operations.clear()
    assert keys(aws) == []
    assert script.operations[:2] == ["DeleteObject", "DeleteObject"]
