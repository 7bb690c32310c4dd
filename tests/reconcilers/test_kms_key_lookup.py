from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Refused
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.keys import FIRST, ID, REC, make, ready, state
from tests.reconcilers.scripted import DENIED, answer, refuse

# -- which key is meant ----------------------------------------------------------------------------------------------


def test_a_look_at_a_good_key_takes_five_calls(aws: Aws) -> None:
    ready(aws)
    before = calls(aws)

    look(REC, aws, ID, FIRST)

    assert calls(aws) - before == 5


def test_a_key_is_told_with_its_identity_and_owner(aws: Aws) -> None:
    seen = ready(aws)

    about = aws.kms.describe_key(KeyId=ID)["KeyMetadata"]
    assert seen.outputs is not None
    assert (seen.outputs.key_id, seen.outputs.arn) == (about["KeyId"], about["Arn"])
    assert (seen.owner, seen.status, seen.settled, seen.deleting) == (OURS, "Enabled", True, False)


def test_a_key_that_kms_shows_half_gone_is_going(aws: Aws) -> None:
    """DescribeKey was a moment behind: the rotation of a key pending deletion is not told."""
    ready(aws)
    refuse(aws.kms, "GetKeyRotationStatus", "KMSInvalidStateException", "is pending deletion")

    seen = look(REC, aws, ID, FIRST)

    assert (seen.deleting, seen.retained, seen.spec.rotation) == (True, None, False)


def test_a_key_made_before_its_alias_is_found_by_its_tags(aws: Aws) -> None:
    key_id = make(aws, **FIRST.tags)

    assert look(REC, aws, ID, FIRST).spec.alias == ""
    assert look(REC, aws, ID).spec.alias == ""
    bring(REC, aws, ID, FIRST)

    assert aws.kms.describe_key(KeyId=ID)["KeyMetadata"]["KeyId"] == key_id


def test_a_name_tag_may_leave_the_alias_prefix_out(aws: Aws) -> None:
    make(aws, **{**FIRST.tags, "Name": "db-key-test"})

    assert look(REC, aws, ID, FIRST).owner == OURS
    assert list(REC.list_owned(aws, OURS)) == [ID]


def test_a_key_that_the_tagging_api_does_not_know_yet_is_found_among_those_without_alias(aws: Aws) -> None:
    answer(aws.tagging, "GetResources", {"ResourceTagMappingList": []})
    make(aws, alias="alias/theirs", **FIRST.tags)
    locked = make(aws)
    refuse(aws.kms, "ListResourceTags", *DENIED, KeyId=locked)
    assert REC.observe(aws, ID, FIRST) is None
    key_id = make(aws, **FIRST.tags)

    seen = look(REC, aws, ID, FIRST)

    assert seen.outputs is not None
    assert seen.outputs.key_id == key_id
    assert list(REC.list_owned(aws, OURS)) == [ID]


def test_where_the_tags_of_our_own_key_are_denied_nothing_is_taken_for_absent(aws: Aws) -> None:
    make(aws, **FIRST.tags)
    refuse(aws.kms, "ListResourceTags", *DENIED)

    with pytest.raises(AwsRefused) as raised:
        REC.observe(aws, ID, FIRST)
    assert raised.value.iam_action == "kms:ListResourceTags"
    with pytest.raises(AwsRefused):
        list(REC.list_owned(aws, OURS))


@pytest.mark.parametrize(
    "tags",
    [
        {"Name": ID, "ManagedBy": "terraform", "EnvironmentSuffix": "test"},
        {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "other"},
        {"Name": "alias/db-key-other", "ManagedBy": "tapctl", "EnvironmentSuffix": "test"},
        {},
    ],
)
def test_a_key_that_is_not_provably_ours_is_not_found_by_tag(aws: Aws, tags: dict[str, str]) -> None:
    make(aws, **tags)

    assert REC.observe(aws, ID, FIRST) is None


def test_what_the_tagging_api_still_tells_of_a_key_that_is_gone_is_passed_over(aws: Aws) -> None:
    gone = {"ResourceARN": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000", "Tags": []}
    answer(aws.tagging, "GetResources", {"ResourceTagMappingList": [gone]})

    assert REC.observe(aws, ID, FIRST) is None
    assert list(REC.list_owned(aws, OURS)) == []


def test_an_alias_at_a_strangers_key_shows_the_stranger_even_where_ours_exists(aws: Aws) -> None:
    make(aws, alias=ID, ManagedBy="terraform")
    make(aws, **FIRST.tags)

    assert look(REC, aws, ID, FIRST).owner == Owner("terraform", "")
    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, FIRST, OURS)


def test_of_two_keys_without_the_alias_the_older_is_meant_and_the_other_is_a_duplicate(aws: Aws) -> None:
    first, second = make(aws, **FIRST.tags), make(aws, **FIRST.tags)

    seen = look(REC, aws, ID, FIRST)

    assert seen.outputs is not None
    assert seen.outputs.key_id == first
    assert seen.spec.duplicates == {second}


def test_a_key_that_went_between_two_reads_is_absent(aws: Aws) -> None:
    ready(aws)
    refuse(aws.kms, "GetKeyPolicy", "NotFoundException")

    assert REC.observe(aws, ID, FIRST) is None


def test_a_refused_look_is_no_absence(aws: Aws) -> None:
    refuse(aws.kms, "DescribeKey", *DENIED)

    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, FIRST)


# -- duplicates ------------------------------------------------------------------------------------------------------


def test_a_key_made_twice_heals_itself_and_can_still_be_brought_back_for_a_month(aws: Aws) -> None:
    first, *rest = (make(aws, **FIRST.tags) for _ in range(3))

    bring(REC, aws, ID, FIRST)

    assert state(aws, first) == "Enabled"
    for key_id in rest:
        assert state(aws, key_id) == "PendingDeletion"
        date = aws.kms.describe_key(KeyId=key_id)["KeyMetadata"]["DeletionDate"]
        assert date - datetime.now(UTC) > timedelta(days=29)


@pytest.mark.parametrize("use", ["a grant", "an alias"])
def test_a_duplicate_that_is_in_use_is_left_for_a_person_to_decide(aws: Aws, use: str) -> None:
    ready(aws)
    second = make(aws, **FIRST.tags)
    if use == "a grant":
        aws.kms.create_grant(KeyId=second, GranteePrincipal="arn:aws:iam::123456789012:role/x", Operations=["Decrypt"])
    else:
        aws.kms.create_alias(AliasName="alias/other", TargetKeyId=second)

    with pytest.raises(Refused, match="in use too"):
        REC.update(aws, ID, look(REC, aws, ID, FIRST).spec, FIRST)
    assert state(aws, second) == "Enabled"


def test_the_key_in_use_is_never_retired_as_a_duplicate(aws: Aws) -> None:
    seen = ready(aws)
    assert seen.outputs is not None
    stale = FIRST.model_copy(update={"duplicates": frozenset({seen.outputs.key_id})})

    with pytest.raises(NotYet):
        REC.update(aws, ID, stale, FIRST)
    assert state(aws, seen.outputs.key_id) == "Enabled"


# -- the sweep -------------------------------------------------------------------------------------------------------


def test_a_key_of_ours_without_its_name_is_found_by_any_alias_or_its_own_id(aws: Aws) -> None:
    named = make(aws, alias="alias/other", **OURS.tags)
    bare = make(aws, **OURS.tags)
    make(aws, ManagedBy="tapctl", EnvironmentSuffix="other")

    assert sorted(REC.list_owned(aws, OURS)) == sorted(["alias/other", bare])
    delete_until_gone(REC, aws, bare)

    assert (state(aws, bare), state(aws, named)) == ("PendingDeletion", "Enabled")
