from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.policy import allow, policy
from tapctl.engine.diff import compare
from tapctl.engine.model import UnreadTags
from tapctl.engine.owner_tags import REGION_TAG
from tapctl.engine.ownership import Claimant
from tapctl.errors import AlreadyExists, AwsNoAnswer, AwsRefused, NotYet, Patience
from tapctl.reconcilers.iam_role import IamRole, IamRoleSpec, boundary_exists
from tests.reconcilers.cases import iam_role as case
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import answer, refuse
from tests.reconcilers.scripted_aws import refused, scripted

REC, ID = IamRole(), case.ID
LOGS = policy(allow("Logs", ["logs:PutLogEvents"], ["arn:aws:logs:us-east-1:123456789012:log-group:/x:*"]))
TRACES = policy(allow("Traces", ["xray:PutTraceSegments"], ["*"]))
WANT = IamRoleSpec(
    trust=policy(allow("Lambda", ["sts:AssumeRole"], to={"Service": "lambda.amazonaws.com"})),
    inline={"policy": LOGS},
    description="What the function may do",
    tags=case.TAGS,
)
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def having(**changes: Any) -> IamRoleSpec:
    return WANT.model_copy(update=changes)


def admin(aws: Aws, name: str = "admin") -> str:
    """A managed policy that allows everything; its ARN."""
    return aws.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(ADMIN))["Policy"]["Arn"]


def role_told(aws: Aws) -> dict[str, Any]:
    """The role as IAM sends it, before botocore has decoded its policy."""
    role: Any = aws.iam.get_role(RoleName=ID)["Role"]
    return {**role, "AssumeRolePolicyDocument": json.dumps(role["AssumeRolePolicyDocument"])}


# -- looking ---------------------------------------------------------------------------------------------------------


def test_a_look_takes_four_calls_and_one_more_for_each_further_inline_policy(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    before = calls(aws)
    look(REC, aws, ID, WANT)
    assert calls(aws) - before == 4

    bring(REC, aws, ID, having(inline={"policy": LOGS, "other": TRACES}))
    before = calls(aws)
    look(REC, aws, ID, WANT)
    assert calls(aws) - before == 5


def test_a_role_is_told_with_its_identity_and_owner(aws: Aws) -> None:
    seen = bring(REC, aws, ID, WANT)

    role = aws.iam.get_role(RoleName=ID)["Role"]
    assert seen.outputs is not None
    assert (seen.outputs.arn, seen.outputs.role_id) == (role["Arn"], role["RoleId"])
    assert (seen.owner, seen.settled) == (OURS, True)


def test_the_identity_of_a_new_role_is_awaited_until_it_is_an_arn(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    role = role_told(aws)
    answer(aws.iam, "GetRole", {"Role": role | {"Arn": role["RoleId"]}}, times=1)

    early = look(REC, aws, ID, WANT)
    later = look(REC, aws, ID, WANT)

    assert (early.outputs, early.settled) == (None, False)
    assert later.outputs is not None


def test_access_that_somebody_gave_shows(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    arn = admin(aws)
    aws.iam.attach_role_policy(RoleName=ID, PolicyArn=arn)
    aws.iam.put_role_policy(RoleName=ID, PolicyName="extra", PolicyDocument=json.dumps(ADMIN))

    spec = look(REC, aws, ID, WANT).spec

    assert spec.attached == {arn}
    assert spec.inline.keys() == {"policy", "extra"}


def test_a_trusted_role_that_was_deleted_shows_as_its_unique_id(aws: Aws) -> None:
    aws.iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(ADMIN))
    trusting = having(trust=policy(allow("R", ["sts:AssumeRole"], to={"AWS": "arn:aws:iam::123456789012:role/x"})))
    bring(REC, aws, ID, trusting)
    role = role_told(aws)
    told = role["AssumeRolePolicyDocument"].replace("arn:aws:iam::123456789012:role/x", "AROAEXAMPLEEXAMPLE")
    answer(aws.iam, "GetRole", {"Role": role | {"AssumeRolePolicyDocument": told}})

    assert look(REC, aws, ID, trusting).spec.trust != trusting.trust


def test_a_role_of_which_no_trust_is_told_is_an_answer_that_cannot_be_used(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    role = role_told(aws)
    del role["AssumeRolePolicyDocument"]
    answer(aws.iam, "GetRole", {"Role": role})

    with pytest.raises(AwsNoAnswer, match="AssumeRolePolicyDocument"):
        look(REC, aws, ID, WANT)


DENIABLE = [("ListRolePolicies", "inline"), ("GetRolePolicy", "inline"), ("ListAttachedRolePolicies", "attached")]


@pytest.mark.parametrize(("operation", "field"), DENIABLE)
def test_a_denied_read_leaves_its_field_unknown(aws: Aws, operation: str, field: str) -> None:
    bring(REC, aws, ID, WANT)
    refuse(aws.iam, operation, "AccessDenied")

    seen = look(REC, aws, ID, WANT)

    assert dict(seen.unreadable) == {field: f"iam:{operation}"}
    assert seen.spec == WANT
    assert dict(look(REC, aws, ID).unreadable) == dict(seen.unreadable)


@pytest.mark.parametrize("operation", ["GetRole", "ListAttachedRolePolicies", "GetRolePolicy"])
def test_a_look_that_is_refused_is_an_error(aws: Aws, operation: str) -> None:
    bring(REC, aws, ID, WANT)
    refuse(aws.iam, operation, "InvalidInput")
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, WANT)


def test_a_role_that_goes_while_it_is_looked_at_is_absent(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    refuse(aws.iam, "ListAttachedRolePolicies", "NoSuchEntity")
    assert REC.observe(aws, ID, WANT) is None


def test_an_inline_policy_that_goes_while_it_is_looked_at_is_no_missing_role(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.iam, "ListRolePolicies", {"PolicyNames": [*WANT.inline, "gone"], "IsTruncated": False}, times=1)
    assert look(REC, aws, ID, WANT).spec == WANT


def test_an_inline_policy_that_is_listed_and_not_found_is_not_known(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    refuse(aws.iam, "GetRolePolicy", "NoSuchEntity")
    with pytest.raises(AwsNoAnswer, match="is not found"):
        REC.observe(aws, ID, WANT)


# -- making and changing ---------------------------------------------------------------------------------------------


def test_a_boundary_is_a_policy_that_is_there(aws: Aws) -> None:
    arn = admin(aws)
    assert boundary_exists(aws, arn)
    assert not boundary_exists(aws, f"{arn}-of-another-name")


def test_a_role_is_made_with_its_owner_and_boundary_at_once(aws: Aws) -> None:
    arn = admin(aws)

    REC.create(aws, ID, having(permissions_boundary=arn), OURS)

    assert look(REC, aws, ID, WANT).spec == having(inline={}, permissions_boundary=arn)


@pytest.mark.parametrize(
    "change",
    [
        {"trust": policy(allow("Edge", ["sts:AssumeRole"], to={"Service": "edgelambda.amazonaws.com"}))},
        {"inline": {"policy": TRACES}},
        {"inline": {"policy": LOGS, "extra": TRACES}},
        {"inline": {}},
        {"description": ""},
        {"max_session_duration_s": 7200},
        {"tags": {**case.TAGS, "Extra": "1"}},
        {"tags": {"ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}},
    ],
)
def test_what_somebody_changed_is_put_back_by_one_call(aws: Aws, change: dict[str, Any]) -> None:
    bring(REC, aws, ID, having(**change))

    assert REC.update(aws, ID, having(**change), WANT) == change.keys()
    assert look(REC, aws, ID, WANT).spec == WANT


def test_policies_are_attached_and_detached_and_a_boundary_set_and_removed(aws: Aws) -> None:
    arn = admin(aws)
    both = having(attached=frozenset({arn}), permissions_boundary=arn)

    for want in (WANT, both, WANT):
        assert bring(REC, aws, ID, want).spec == want


def test_what_takes_two_calls_is_asked_for_as_a_whole_only_by_the_second(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    one, other = admin(aws, "one"), admin(aws, "other")
    both = having(attached=frozenset({one, other}))

    assert REC.update(aws, ID, WANT, both) == frozenset()
    assert REC.update(aws, ID, having(attached=frozenset({one})), both) == {"attached"}
    assert REC.update(aws, ID, both, WANT) == frozenset()
    assert REC.update(aws, ID, having(attached=frozenset({other})), WANT) == {"attached"}
    assert REC.update(aws, ID, WANT, having(inline={"new": LOGS})) == frozenset()
    assert REC.update(aws, ID, having(inline={"new": LOGS, "policy": LOGS}), having(inline={"new": LOGS})) == {"inline"}
    assert REC.update(aws, ID, WANT, having(tags={"Another": "1"})) == frozenset()


def test_description_and_session_share_a_call_so_that_neither_is_reset(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    want = having(description="Another", max_session_duration_s=7200)
    assert REC.update(aws, ID, WANT, want) == {"description", "max_session_duration_s"}
    assert look(REC, aws, ID, want).spec == want


def test_a_name_that_is_taken_is_looked_at_again(aws: Aws) -> None:
    REC.create(aws, ID, WANT, OURS)
    with pytest.raises(AlreadyExists, match=ID):
        REC.create(aws, ID, WANT, OURS)


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        ("MalformedPolicyDocument", 'Invalid principal in policy: "AWS":"arn:x"', Patience.PROPAGATION),
        ("ConcurrentModification", "try again", Patience.BUSY),
        ("NoSuchEntity", "The role with name x cannot be found.", Patience.PROPAGATION),
    ],
)
def test_what_iam_refuses_for_now_is_not_yet(aws: Aws, code: str, message: str, patience: Patience) -> None:
    refuse(aws.iam, "CreateRole", code, message)
    refuse(aws.iam, "PutRolePolicy", code, message)

    for change in (
        lambda: REC.create(aws, ID, WANT, OURS),
        lambda: REC.update(aws, ID, having(inline={}), WANT),
    ):
        with pytest.raises(NotYet) as raised:
            change()
        assert raised.value.patience is patience


def test_a_policy_that_is_wrong_is_an_error_at_once(aws: Aws) -> None:
    refuse(aws.iam, "CreateRole", "MalformedPolicyDocument", "Syntax errors in policy.")
    with pytest.raises(AwsRefused, match="Syntax"):
        REC.create(aws, ID, WANT, OURS)


def test_a_role_goes_with_all_that_is_attached_to_it(aws: Aws) -> None:
    arn = admin(aws)
    seen = bring(REC, aws, ID, having(attached=frozenset({arn}), inline={"policy": LOGS, "other": TRACES}))

    delete_until_gone(REC, aws, ID)
    REC.delete(aws, ID, seen, None)

    assert REC.observe(aws, ID, WANT) is None
    assert aws.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def test_an_instance_profile_that_holds_the_role_is_named_and_left(aws: Aws) -> None:
    seen = bring(REC, aws, ID, having(inline={}))
    aws.iam.create_instance_profile(InstanceProfileName="theirs")
    aws.iam.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=ID)
    refuse(aws.iam, "DeleteRole", "DeleteConflict", "Cannot delete entity, must remove roles from instance profile")

    with pytest.raises(NotYet, match="instance profile theirs") as raised:
        REC.delete(aws, ID, seen, None)
    assert raised.value.patience is Patience.BUSY


@pytest.mark.parametrize("denied", [True, False])
def test_where_nothing_shows_that_holds_the_role_iam_itself_is_quoted(aws: Aws, denied: bool) -> None:
    seen = bring(REC, aws, ID, having(inline={}))
    refuse(aws.iam, "DeleteRole", "DeleteConflict", "must delete policies first")
    if denied:
        refuse(aws.iam, "ListInstanceProfilesForRole", "AccessDenied")

    with pytest.raises(NotYet, match="must delete policies first"):
        REC.delete(aws, ID, seen, None)


@pytest.mark.parametrize(("code", "kind"), [("ConcurrentModification", NotYet), ("UnmodifiableEntity", AwsRefused)])
def test_a_removal_that_is_refused_waits_or_ends(aws: Aws, code: str, kind: type[Exception]) -> None:
    seen = bring(REC, aws, ID, WANT)
    refuse(aws.iam, "DeleteRolePolicy", code)

    with pytest.raises(kind):
        REC.delete(aws, ID, seen, None)


def test_a_role_that_nobody_has_tagged_names_no_owner(aws: Aws) -> None:
    aws.iam.create_role(RoleName=ID, AssumeRolePolicyDocument=json.dumps(ADMIN))
    assert look(REC, aws, ID, WANT).owner is None


def test_the_sweep_asks_only_roles_with_our_suffix_for_their_tags(aws: Aws) -> None:
    for name, suffix in ((ID, "test"), ("theirs-test", "other"), ("some-role", "test")):
        owner = {"ManagedBy": "tapctl", "EnvironmentSuffix": suffix, REGION_TAG: "us-east-1"}
        tags = [{"Key": key, "Value": value} for key, value in owner.items()]
        iam: Any = aws.iam
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ADMIN), Tags=tags)

    assert list(REC.list_owned(aws, OURS)) == [ID]
    assert aws.call_log.calls["iam:ListRoleTags"] == 2


def test_the_sweep_passes_over_a_role_that_goes_and_over_nothing_else(aws: Aws) -> None:
    REC.create(aws, ID, WANT, OURS)
    with refuse(aws.iam, "ListRoleTags", "NoSuchEntity"):
        assert list(REC.list_owned(aws, OURS)) == []
    refuse(aws.iam, "ListRoleTags", "InvalidInput")
    with pytest.raises(AwsRefused):
        list(REC.list_owned(aws, OURS))


@pytest.fixture
def unlisted(aws: Aws) -> Aws:
    refuse(aws.iam, "ListRolePolicies", "AccessDenied")
    return aws


def test_a_role_is_made_with_its_policy(unlisted: Aws) -> None:
    seen = bring(REC, unlisted, ID, WANT)
    assert unlisted.call_log.changes["iam:PutRolePolicy"] == 1
    # There may be others.
    assert (seen.spec, dict(seen.unreadable)) == (WANT, {"inline": "iam:ListRolePolicies"})


def test_a_policy_that_is_missing_or_differs_is_no_unknown(unlisted: Aws) -> None:
    bring(REC, unlisted, ID, WANT)
    more = WANT.model_copy(update={"inline": {"policy": policy(allow("Traces", ["xray:PutTraceSegments"], ["*"]))}})
    seen = look(REC, unlisted, ID, more)
    assert (seen.spec.inline, dict(seen.unreadable)) == (WANT.inline, {})
    unlisted.iam.delete_role_policy(RoleName=ID, PolicyName="policy")
    seen = look(REC, unlisted, ID, WANT)
    assert (dict(seen.spec.inline), dict(seen.unreadable)) == ({}, {})


def test_what_is_promised_in_a_policy_may_be_anything_and_the_rest_may_not(unlisted: Aws) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-1-AbCdEf"
    read = ["secretsmanager:GetSecretValue"]
    bring(REC, unlisted, ID, having(inline={"policy": policy(allow("Read", read, [secret]))}))

    planned = having(inline={"policy": policy(allow("Read", read, ["⟦db-cluster/c.secret_arn⟧"]))})
    assert dict(look(REC, unlisted, ID, planned).unreadable) == {"inline": "iam:ListRolePolicies"}
    other = having(inline={"policy": policy(allow("Write", read, ["⟦db-cluster/c.secret_arn⟧"]))})
    assert dict(look(REC, unlisted, ID, other).unreadable) == {}


def test_its_recorded_policy_is_removed_with_it(unlisted: Aws) -> None:
    bring(REC, unlisted, ID, WANT)
    assert delete_until_gone(REC, unlisted, ID, WANT) is None


def of(region: str) -> IamRoleSpec:
    return having(tags={**case.TAGS, REGION_TAG: region})


@pytest.fixture
def elsewhere(aws: Aws) -> Aws:
    """The same account, as a run in another region sees it."""
    door = Aws(replace(aws.target, region="eu-west-1"))
    door.identify(aws.account)
    return door


def test_a_role_of_another_region_is_somebody_elses_whether_it_is_recorded_or_not(aws: Aws, elsewhere: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))

    seen = look(REC, elsewhere, ID, of("eu-west-1"))

    assert seen.outputs is not None
    for recorded in (None, seen.outputs.model_dump()):
        assert not Claimant(OURS, lambda _, __: True).judge(REC, ID, seen, recorded=recorded).ours
    assert seen.owner == replace(OURS, scope="us-east-1", lacks="tapctl:region=eu-west-1")


def test_each_region_finds_its_own_role(aws: Aws, elsewhere: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))
    assert list(REC.list_owned(aws, OURS)) == [ID]
    assert list(REC.list_owned(elsewhere, OURS)) == []


def test_a_role_that_tells_no_region_is_ours_by_the_record_alone_and_drift(aws: Aws) -> None:
    bring(REC, aws, ID, of("us-east-1"))
    aws.iam.untag_role(RoleName=ID, TagKeys=[REGION_TAG])

    seen = look(REC, aws, ID, of("us-east-1"))

    assert seen.outputs is not None
    claimant = Claimant(OURS, lambda _, __: True)
    assert claimant.judge(REC, ID, seen, recorded=seen.outputs.model_dump()).ours
    unrecorded = claimant.judge(REC, ID, seen, recorded=None)
    assert not unrecorded.ours
    assert "set its tag tapctl:region=us-east-1" in str(unrecorded.error().hint)
    assert compare(of("us-east-1"), seen.spec) == ("tags",)
    assert list(REC.list_owned(aws, OURS)) == [ID], "a destroy tells of it"
    assert bring(REC, aws, ID, of("us-east-1")).spec == of("us-east-1")


@pytest.mark.parametrize(
    ("resource", "doubt"),
    [
        ("arn:aws:logs:eu-west-1:1:log-group:/x:*", ""),
        ("arn:aws:logs:*:1:log-group:/x:*", ""),
        ("*", ""),
        ("arn:aws:logs:us-east-1:1:log-group:/x:*", "its policy writes logs in us-east-1"),
    ],
)
def test_a_role_that_writes_its_log_in_another_region_is_ours_by_the_record_alone(
    elsewhere: Aws, resource: str, doubt: str
) -> None:
    """Who may only tag may name any region in its tag."""
    writes = {"lambda-policy-test": policy(allow("Logs", ["logs:PutLogEvents"], [resource]))}
    seen = bring(REC, elsewhere, ID, having(tags=of("eu-west-1").tags, inline=writes))
    claimant = Claimant(OURS, lambda _, __: True)
    assert (seen.owner and seen.owner.doubt, seen.outputs is None) == (doubt, False)
    assert claimant.judge(REC, ID, seen, recorded=seen.outputs and seen.outputs.model_dump()).ours
    assert claimant.judge(REC, ID, seen, recorded=None).ours is (not doubt)


def named(*roles: str, **answers: Any) -> Any:
    """An account with these roles, all of which bear our tags."""
    told_tags = {**OURS.tags, REGION_TAG: "us-east-1"}
    tags = [{"Key": key, "Value": value} for key, value in told_tags.items()]
    told = {"list_roles": {"Roles": [{"RoleName": role} for role in roles]}, "list_role_tags": {"Tags": tags}}
    return scripted({**told, **answers})


def test_a_role_whose_tags_the_organisation_hides_is_not_taken_for_ours_and_told() -> None:
    assert list(REC.list_owned(named("a-test", "b"), OURS)) == ["a-test"]
    hidden = refused("iam:ListRoleTags", "AccessDenied", "with an explicit deny in a service control policy")
    (told,) = REC.list_owned(named("a-test", list_role_tags=hidden), OURS)
    assert isinstance(told, UnreadTags)
    assert (told.id, told.why) == ("a-test", "iam:ListRoleTags denied")
    assert told.hint.endswith("lifted from the service control policy; an allow does not help")


def test_of_hundreds_of_roles_the_first_are_asked_and_the_others_told() -> None:
    names = [f"{number:03}-test" for number in range(202)]
    aws = named(*names)
    found = list(REC.list_owned(aws, OURS))
    assert found[:200] == names[:200]
    assert [one.id for one in found if isinstance(one, UnreadTags)] == names[200:]
    assert len(aws.asked("list_role_tags")) == 200
