from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.policy import PolicyDocument
from tapctl.engine.model import Owner, Retained, UnreadTags
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey, KmsKeySpec, copies_named
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.keys import FIRST, ID, REC, SECOND, STILL, make, ready, state
from tests.reconcilers.scripted import DENIED, answer, refuse


def step(aws: Aws, have: KmsKeySpec, want: KmsKeySpec) -> frozenset[str]:
    return REC.update(aws, ID, have, want)


# -- what could not be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "fields", "action"),
    [
        ("kms", "GetKeyPolicy", {"policy"}, "kms:GetKeyPolicy"),
        ("kms", "GetKeyRotationStatus", {"rotation", "rotation_period_days"}, "kms:GetKeyRotationStatus"),
        ("kms", "ListResourceTags", {"tags"}, "kms:ListResourceTags"),
        ("tagging", "GetResources", {"duplicates"}, "tag:GetResources"),
    ],
)
def test_a_denied_read_leaves_its_fields_unknown(
    aws: Aws, service: str, operation: str, fields: set[str], action: str
) -> None:
    ready(aws)
    refuse(getattr(aws, service), operation, *DENIED)

    seen = look(REC, aws, ID, FIRST)

    assert dict(seen.unreadable) == dict.fromkeys(fields, action)
    assert seen.spec == FIRST
    assert dict(look(REC, aws, ID).unreadable) == dict(seen.unreadable)


@pytest.mark.parametrize("operation", ["GetKeyPolicy", "ListResourceTags"])
def test_a_read_that_is_refused_for_another_reason_is_an_error(aws: Aws, operation: str) -> None:
    ready(aws)
    refuse(aws.kms, operation, "InvalidArnException")

    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, FIRST)


def test_a_rotation_without_a_period_is_the_yearly_one(aws: Aws) -> None:
    ready(aws)
    answer(aws.kms, "GetKeyRotationStatus", {"KeyRotationEnabled": True})

    assert look(REC, aws, ID, FIRST).spec.rotation_period_days == 365


def test_a_period_without_rotation_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="exactly where rotation is off"):
        KmsKeySpec(alias=ID, description="", policy=FIRST.policy, rotation=False, enabled=True, tags={})


# -- making and changing ---------------------------------------------------------------------------------------------


def test_a_key_is_made_with_its_policy_and_tags_in_one_call_and_without_sdk_retries(aws: Aws) -> None:
    refuse(aws.kms, "CreateKey", "ThisClientRetries")

    REC.create(aws, ID, FIRST, OURS)

    seen = look(REC, aws, ID, FIRST)
    assert seen.spec.model_copy(update={"alias": ID, "rotation": True, "rotation_period_days": 365}) == FIRST


def test_a_key_that_is_there_is_not_made_again(aws: Aws) -> None:
    make(aws, **FIRST.tags)

    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, FIRST, OURS)


@pytest.mark.parametrize("field", ["description", "policy", "tags"])
def test_what_somebody_changed_is_put_back_in_one_step(aws: Aws, field: str) -> None:
    bring(REC, aws, ID, FIRST.model_copy(update={field: getattr(SECOND, field)}))

    assert bring(REC, aws, ID, FIRST).spec == FIRST


def test_rotation_is_switched_off_and_on_and_given_another_period(aws: Aws) -> None:
    for want in (FIRST, STILL, SECOND, FIRST):
        assert bring(REC, aws, ID, want).spec.rotation_period_days == want.rotation_period_days


def test_a_step_names_exactly_the_fields_it_asked_for(aws: Aws) -> None:
    ready(aws)

    assert step(aws, FIRST, FIRST.model_copy(update={"rotation_period_days": 90})) == {"rotation_period_days"}
    assert step(aws, FIRST, STILL) == {"rotation", "rotation_period_days"}
    # Tags take two calls where some come and some go: only the last one asks for the whole field.
    assert step(aws, FIRST, FIRST.model_copy(update={"tags": SECOND.tags})) == frozenset()
    both = FIRST.model_copy(update={"tags": {**FIRST.tags, "CostCenter": "payments"}})
    assert step(aws, both, FIRST) == {"tags"}
    assert step(aws, FIRST, both) == {"tags"}


def test_a_disabled_key_is_enabled_before_anything_else(aws: Aws) -> None:
    key_id = make(aws, **{**FIRST.tags, "Extra": "1"})
    aws.kms.disable_key(KeyId=key_id)
    seen = look(REC, aws, ID, FIRST)

    assert not seen.spec.enabled
    assert REC.update(aws, ID, seen.spec, FIRST) == {"enabled"}
    assert state(aws, key_id) == "Enabled"


def test_tags_that_may_not_be_set_are_a_refusal_and_cost_the_key_no_fingerprint(aws: Aws) -> None:
    have = ready(aws).spec
    refuse(aws.kms, "TagResource", *DENIED)
    with pytest.raises(AwsRefused, match="AccessDenied"):
        REC.update(aws, ID, have, have.model_copy(update={"tags": {**have.tags, "Squad": "a"}}))


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        ("NotFoundException", "not there", Patience.PROPAGATION),
        ("DisabledException", "is disabled", Patience.PROPAGATION),
        ("KMSInvalidStateException", "is creating", Patience.BUSY),
        (
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
            Patience.PROPAGATION,
        ),
    ],
)
def test_what_kms_refuses_for_now_is_not_yet(aws: Aws, code: str, message: str, patience: Patience) -> None:
    ready(aws)
    refuse(aws.kms, "PutKeyPolicy", code, message)

    with pytest.raises(NotYet) as raised:
        REC.update(aws, ID, FIRST, FIRST.model_copy(update={"policy": SECOND.policy}))
    assert raised.value.patience is patience


def test_a_policy_that_is_wrong_is_an_error_at_once(aws: Aws) -> None:
    locked_out = FIRST.model_copy(update={"policy": PolicyDocument(statements=frozenset())})

    with pytest.raises(AwsRefused) as raised:
        REC.create(aws, ID, locked_out, OURS)
    assert raised.value.aws_code == "MalformedPolicyDocumentException"


def test_a_new_principal_is_waited_for_when_the_key_is_made(aws: Aws) -> None:
    refuse(aws.kms_without_retries, "CreateKey", "MalformedPolicyDocumentException", "one or more invalid principals")

    with pytest.raises(NotYet):
        REC.create(aws, ID, FIRST, OURS)


def test_an_alias_that_is_taken_and_does_not_show_is_not_yet(aws: Aws) -> None:
    make(aws, **FIRST.tags)
    refuse(aws.kms, "CreateAlias", "AlreadyExistsException")

    with pytest.raises(NotYet):
        REC.update(aws, ID, look(REC, aws, ID, FIRST).spec, FIRST)


def test_a_change_waits_for_a_key_that_does_not_show(aws: Aws) -> None:
    with pytest.raises(NotYet):
        REC.update(aws, ID, FIRST, SECOND)


def test_a_key_being_made_is_not_settled(aws: Aws) -> None:
    ready(aws)
    about: Any = dict(aws.kms.describe_key(KeyId=ID)["KeyMetadata"]) | {"KeyState": "Creating"}
    answer(aws.kms, "DescribeKey", {"KeyMetadata": about})

    seen = look(REC, aws, ID, FIRST)

    assert not seen.settled
    assert seen.spec.enabled


# -- going and coming back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "recorded", "days"),
    [("7", "", 7), ("7", "12", 12), ("", "12", 30), ("31", "", 30), ("soon", "", 30), ("", "", 30), ("14", "7", 14)],
)
def test_a_removed_key_loses_its_alias_and_waits_as_long_as_any_says(
    aws: Aws, live: str, recorded: str, days: int
) -> None:
    def tagged(window: str) -> KmsKeySpec:
        more = {"tapctl:deletion-window-days": window} if window else {}
        return FIRST.model_copy(update={"tags": {**FIRST.tags, **more}})

    make(aws, alias=ID, **tagged(live).tags)

    kept = delete_until_gone(KmsKey(7), aws, ID, tagged(recorded) if recorded else None)

    until = (datetime.now(UTC) + timedelta(days=days)).date()
    assert kept is not None
    assert abs((datetime.fromisoformat(kept.until).date() - until).days) <= 1
    with pytest.raises(AwsRefused, match="NotFoundException"):
        aws.kms.describe_key(KeyId=ID)
    assert list(REC.list_owned(aws, OURS)) == [ID]


def test_a_key_pending_deletion_is_brought_back_whole(aws: Aws) -> None:
    before = ready(aws)
    delete_until_gone(REC, aws, ID, FIRST)
    assert look(REC, aws, ID, FIRST).deleting

    after = bring(REC, aws, ID, FIRST)

    assert after.outputs == before.outputs
    assert after.spec == FIRST


def test_a_strangers_key_pending_deletion_is_not_brought_back(aws: Aws) -> None:
    theirs = make(aws, alias=ID, ManagedBy="terraform")
    aws.kms.schedule_key_deletion(KeyId=theirs)

    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, FIRST, OURS)
    assert state(aws, theirs) == "PendingDeletion"


def test_duplicates_go_with_the_key(aws: Aws) -> None:
    keys = [make(aws, **FIRST.tags) for _ in range(2)]

    delete_until_gone(REC, aws, ID)

    assert [state(aws, key_id) for key_id in keys] == ["PendingDeletion"] * 2


def test_a_key_whose_replicas_go_first_is_going_too(aws: Aws) -> None:
    ready(aws)
    about: Any = dict(aws.kms.describe_key(KeyId=ID)["KeyMetadata"]) | {"KeyState": "PendingReplicaDeletion"}
    answer(aws.kms, "DescribeKey", {"KeyMetadata": about})

    seen = look(REC, aws, ID, FIRST)

    assert seen.deleting
    assert seen.retained is not None
    assert "replicas" in seen.retained.until


def test_a_key_that_snapshots_need_is_kept_without_a_call(aws: Aws) -> None:
    seen = ready(aws)
    assert seen.outputs is not None
    snapshots = [
        {"DBClusterSnapshotIdentifier": name, "KmsKeyId": arn, "SnapshotType": kind}
        for name, arn, kind in (
            ("final", seen.outputs.arn, "manual"),
            ("rds:daily", seen.outputs.arn, "automated"),
            ("elsewhere", "arn:aws:kms:us-east-1:123456789012:key/other", "manual"),
        )
    ]
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": snapshots})
    of_instance = {"DBSnapshotIdentifier": "other", "KmsKeyId": seen.outputs.arn, "SnapshotType": "manual"}
    answer(aws.rds, "DescribeDBSnapshots", {"DBSnapshots": [of_instance]})

    why = "decrypts db-snapshot/other, final"
    assert REC.retained_because(aws, ID, seen) == Retained("its snapshots are deleted", f"it {why}")
    kept = delete_until_gone(REC, aws, ID, FIRST)

    assert kept == Retained(until="its snapshots are deleted", why=f"{ID} {why}")
    for written in (kept.why, f"{kept.why}; sns-topic/t uses {ID}"):
        assert copies_named(written) == {"final"}
    assert copies_named(f"sns-topic/t uses {ID}") == frozenset()
    assert look(REC, aws, ID, FIRST).spec == FIRST


def test_where_snapshots_cannot_be_read_the_key_stays(aws: Aws) -> None:
    ready(aws)
    refuse(aws.rds, "DescribeDBClusterSnapshots", "AccessDenied")

    with pytest.raises(AwsRefused):
        delete_until_gone(REC, aws, ID, FIRST)
    assert look(REC, aws, ID, FIRST).spec == FIRST


@pytest.mark.parametrize("code", ["NotFoundException", "KMSInvalidStateException"])
def test_a_removal_that_has_happened_is_no_error(aws: Aws, code: str) -> None:
    seen = ready(aws)
    refuse(aws.kms, "DeleteAlias", code)

    assert REC.delete(aws, ID, seen, FIRST) is None


def test_a_removal_that_is_refused_is_an_error(aws: Aws) -> None:
    seen = ready(aws)
    refuse(aws.kms, "DeleteAlias", *DENIED)

    with pytest.raises(AwsRefused):
        REC.delete(aws, ID, seen, FIRST)


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


def test_a_key_whose_material_is_not_of_kms_does_not_rotate(aws: Aws) -> None:
    ready(aws)
    refuse(
        aws.kms, "GetKeyRotationStatus", "UnsupportedOperationException", "origin is AWS_CLOUDHSM which is not valid"
    )
    seen = look(REC, aws, ID, FIRST)
    assert (seen.spec.rotation, seen.spec.rotation_period_days, seen.unreadable) == (False, 0, {})


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
    code, text = DENIED
    refuse(aws.kms, "ListResourceTags", code, f"{text} because no resource-based policy allows it", KeyId=locked)
    make(aws, Name="another team's")
    assert REC.observe(aws, ID, FIRST) is None
    key_id = make(aws, **FIRST.tags)

    seen = look(REC, aws, ID, FIRST)

    assert seen.outputs is not None
    assert seen.outputs.key_id == key_id
    assert list(REC.list_owned(aws, OURS)) == [ID]


def test_a_key_whose_tags_are_refused_otherwise_than_by_its_own_policy_may_be_ours(aws: Aws) -> None:
    key_id = make(aws)
    answer(aws.tagging, "GetResources", {"ResourceTagMappingList": []})
    with refuse(aws.kms, "ListResourceTags", *DENIED):
        (told,) = REC.list_owned(aws, OURS)
    assert isinstance(told, UnreadTags)
    assert (told.id, told.why, told.hint) == (key_id, "kms:ListResourceTags denied", "allow kms:ListResourceTags")
    refuse(aws.kms, "ListResourceTags", "InvalidArnException")
    with pytest.raises(AwsRefused):
        list(REC.list_owned(aws, OURS))


def test_a_strangers_key_with_our_tags_does_not_hide_one_that_the_tagging_api_does_not_know_yet(aws: Aws) -> None:
    theirs = make(aws, alias="alias/theirs", **{**FIRST.tags, "Name": "whatever"})
    indexed = {"ResourceARN": aws.arn("kms", f"key/{theirs}"), "Tags": []}
    answer(aws.tagging, "GetResources", {"ResourceTagMappingList": [indexed]})
    make(aws, **FIRST.tags)
    assert {*REC.list_owned(aws, OURS)} == {ID, "alias/theirs"}


def test_keys_of_others_that_an_index_knows_are_not_asked_for_their_tags(aws: Aws) -> None:
    for name in range(3):
        make(aws, Name=f"theirs-{name}")
    for look_for in (lambda: REC.observe(aws, ID, FIRST), lambda: list(REC.list_owned(aws, OURS))):
        assert not look_for()
    assert aws.call_log.calls["kms:ListResourceTags"] == 0


def test_a_plan_does_not_search_all_keys_for_one_that_no_index_shows(aws: Aws) -> None:
    assert REC.observe(aws.cursory(), ID, FIRST) is None
    assert aws.call_log.calls["kms:ListKeys"] == 0


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


def test_a_duplicate_that_is_waived_is_not_retired_in_place_of_another(aws: Aws) -> None:
    ready(aws)
    waived, other = sorted(make(aws, **FIRST.tags) for _ in range(2))
    live = look(REC, aws, ID, FIRST).spec
    assert REC.update(aws, ID, live, live.model_copy(update={"duplicates": frozenset({waived})})) == {"duplicates"}
    assert (state(aws, waived), state(aws, other)) == ("Enabled", "PendingDeletion")


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

    assert {*REC.list_owned(aws, OURS)} == {"alias/other", bare}
    delete_until_gone(REC, aws, bare)

    assert (state(aws, bare), state(aws, named)) == ("PendingDeletion", "Enabled")


def test_a_destroy_s_plan_says_how_long_the_key_can_come_back(aws: Aws) -> None:
    seen = ready(aws)
    assert REC.removal_note(seen, snapshot_due=True) == "kept for the final snapshot"
    assert REC.removal_note(seen, snapshot_due=False).startswith("KMS deletes it 30 days later")
    spec = seen.spec.model_copy(update={"tags": {**seen.spec.tags, WINDOW_TAG: "7"}})
    assert (
        KmsKey(7).removal_note(replace(seen, spec=spec), snapshot_due=False).startswith("KMS deletes it 7 days later")
    )
