from __future__ import annotations

import json

import pytest

from tapctl.aws import Aws
from tapctl.errors import AwsLost, AwsRefused, LockHeld, ManifestError, Refused, StoreFailed
from tapctl.manifest.store import Store, open_store
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import SDK_ATTEMPTS, S3Script, lose, lose_answer, meanwhile, refuse

KEY = "team/dev.lock"


def there(aws: Aws) -> list[str]:
    return [one["Key"] for one in aws.s3.list_objects_v2(Bucket="records").get("Contents", ())]


def test_one_holds_it_and_the_other_is_told_who_and_where_to_look(store: Store) -> None:
    with store.lock("dev", DANA) as lease:
        with pytest.raises(LockHeld) as refused, store.lock("dev", SAM):
            pytest.fail("two hold the lock")
        lease.check()
    assert refused.value.evidence == f"s3://records/team/dev.lock: {DANA}"
    assert "aws s3 cp s3://records/team/dev.lock -" in str(refused.value.hint)


def test_given_back_it_is_gone(store: Store, aws: Aws) -> None:
    with store.lock("dev", DANA) as first:
        told = json.loads(aws.s3.get_object(Bucket="records", Key=KEY)["Body"].read())
        assert (told["id"], told["holder"]["who"]) == (first.id, "dana")
    assert there(aws) == []
    with store.lock("dev", DANA) as second:
        assert second.id != first.id


def test_it_is_given_back_after_an_error_too(store: Store, aws: Aws) -> None:
    with pytest.raises(ZeroDivisionError), store.lock("dev", DANA):
        _ = 1 / 0
    assert there(aws) == []


def test_each_suffix_has_its_own(store: Store) -> None:
    with store.lock("dev", DANA), store.lock("staging", SAM):
        assert store.suffixes() == []


def test_a_lock_that_nobody_can_read_is_still_held(store: Store, aws: Aws) -> None:
    aws.s3.put_object(Bucket="records", Key=KEY, Body=b"somebody")
    with pytest.raises(LockHeld) as refused, store.lock("dev", DANA):
        pytest.fail("two hold the lock")
    assert "has left no name" in str(refused.value.evidence)
    assert there(aws) == [KEY]


@pytest.mark.parametrize("attempts", [1, SDK_ATTEMPTS])
def test_a_lock_taken_without_an_answer_is_ours(store: Store, aws: Aws, script: S3Script, attempts: int) -> None:
    script.then("PutObject", lose_answer, *[lose] * (attempts - 1))
    with store.lock("dev", DANA) as lease:
        lease.check()
    assert there(aws) == []


def test_a_lock_given_back_right_then_is_asked_for_again(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("PutObject", refuse(412, "PreconditionFailed"), refuse(409, "ConditionalRequestConflict"))
    with store.lock("dev", DANA) as lease:
        lease.check()


def test_without_any_answer_nothing_is_locked(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[lose] * (4 * SDK_ATTEMPTS))
    with pytest.raises(AwsLost), store.lock("dev", DANA):
        pytest.fail("nothing is locked")


def test_requests_that_always_meet_end(store: Store, script: S3Script) -> None:
    script.then("PutObject", *[refuse(409, "ConditionalRequestConflict")] * 4)
    with pytest.raises(AwsRefused, match="ConditionalRequestConflict"), store.lock("dev", DANA):
        pytest.fail("nothing is locked")


def test_who_may_not_lock_is_told_what_to_allow(store: Store, script: S3Script) -> None:
    script.then("PutObject", refuse(403, "AccessDenied"))
    with pytest.raises(Refused, match="may not use s3://records/team/") as refused, store.lock("dev", DANA):
        pytest.fail("nothing is locked")
    assert refused.value.exit_code == 6
    assert script.asked == ["PutObject"]


def test_a_bucket_that_is_not_there_locks_nothing(aws: Aws) -> None:
    with pytest.raises(ManifestError, match="does not exist"), open_store("s3://vanished", aws).lock("dev", DANA):
        pytest.fail("nothing is locked")


def test_a_holder_whose_lock_was_removed_is_told_so(store: Store, aws: Aws) -> None:
    with store.lock("dev", DANA) as lease:
        aws.s3.delete_object(Bucket="records", Key=KEY)
        with pytest.raises(LockHeld, match="was taken away"):
            lease.check()


def test_a_holder_whose_lock_is_anothers_is_told_whose_and_leaves_it_there(store: Store, aws: Aws) -> None:
    with store.lock("dev", DANA) as lease:
        aws.s3.delete_object(Bucket="records", Key=KEY)
        other = open_store("s3://records/team", Aws(aws.target)).lock("dev", SAM)
        other.__enter__().check()
        with pytest.raises(LockHeld) as refused:
            lease.check()
    assert refused.value.evidence == str(SAM)
    assert there(aws) == [KEY]
    other.__exit__(None, None, None)
    assert there(aws) == []


def test_a_check_without_an_answer_takes_nothing_away(store: Store, script: S3Script) -> None:
    with store.lock("dev", DANA) as lease:
        script.then("GetObject", *[lose] * SDK_ATTEMPTS)
        lease.check()


def test_a_lock_given_back_without_an_answer_is_gone(store: Store, aws: Aws, script: S3Script) -> None:
    script.then("DeleteObject", lose_answer)
    with store.lock("dev", DANA):
        pass
    assert there(aws) == []


def test_a_lock_that_another_took_right_then_is_left(store: Store, aws: Aws, script: S3Script) -> None:
    theirs = meanwhile(lambda: Aws(aws.target).s3.put_object(Bucket="records", Key=KEY, Body=b"theirs"))
    script.then("DeleteObject", theirs)
    with store.lock("dev", DANA):
        pass
    assert there(aws) == [KEY]


def test_a_lock_that_stays_is_named_with_the_command_that_removes_it(store: Store, script: S3Script) -> None:
    script.then("DeleteObject", refuse(403, "AccessDenied"))
    with pytest.raises(StoreFailed, match="could not be removed") as refused, store.lock("dev", DANA):
        pass
    assert refused.value.hint == "remove it: aws s3 rm s3://records/team/dev.lock"


def test_a_lock_that_stays_does_not_hide_what_went_wrong(store: Store, script: S3Script) -> None:
    script.then("DeleteObject", *[lose] * SDK_ATTEMPTS)
    with pytest.raises(ZeroDivisionError) as failed, store.lock("dev", DANA):
        _ = 1 / 0
    assert "aws s3 rm s3://records/team/dev.lock" in failed.value.__notes__[0]
