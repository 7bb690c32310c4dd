"""``destroy`` beside things whose tags nobody could read: what is ours goes, and nobody says that nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from tests.failures.trouble import deny
from tests.support.door import Proceed, Served, Trouble, Visit, denied
from tests.support.world import World

_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
_DESTROY = ("destroy", "--env", "dev", "--yes")
_OURS = "iam-role/restore-helper-dev"


def make_roles(world: World, names: Iterable[str], tags: list[dict[str, str]] | None = None) -> None:
    iam = world.client("iam")
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST, Tags=tags or [])


def make_ours(world: World) -> None:
    """A role that bears our tags, and no name of ours."""
    tags = world.client("iam").list_role_tags(RoleName="lambda-role-dev")["Tags"]
    make_roles(world, ["restore-helper-dev"], [tag for tag in tags if not tag["Key"].startswith("aws:")])


def deny_tags_of_others(visit: Visit, proceed: Proceed) -> Served:
    if visit.name == "iam:ListRoleTags" and visit.params["RoleName"] != "lambda-role-dev":
        raise denied(visit.name)
    return proceed()


def later(trouble: Trouble) -> Trouble:
    """Let that trouble begin after the first change."""
    changed = False

    def begun(visit: Visit, proceed: Proceed) -> Served:
        nonlocal changed
        changed = changed or bool(visit.nth_change)
        return trouble(visit, proceed) if changed else proceed()

    return begun


def not_read(world: World) -> tuple[bool, list[str]]:
    told = json.loads(world.path().with_name("dev.certificate.json").read_text())
    return told["complete"], told["not_read"]


@pytest.mark.soak
def test_a_role_with_our_tags_is_found_among_many_whose_names_end_as_ours_do(dev: World) -> None:
    make_ours(dev)
    make_roles(dev, (f"team{number}-dev" for number in range(30)))
    for command in (("plan", "--destroy", "--env", "dev"), _DESTROY):
        answer = dev.tapctl(*command)
        assert (answer.code, _OURS in answer.err) == (6, True), answer.err
    assert dev.client("iam").list_role_tags(RoleName="restore-helper-dev")["Tags"]


@pytest.mark.soak
def test_of_more_roles_than_are_asked_the_rest_is_counted(dev: World) -> None:
    names = [f"a{number:03}-dev" for number in range(200)]
    make_roles(dev, names)
    make_ours(dev)
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    assert planned.code == 7, planned.err
    assert planned.verdict.endswith(" · 0 kept already · the tags of 1 iam-role were not read")
    warning = (
        f"warning: the tags of {_OURS} were not read, so what of them bears those of dev is not seen: the names of 202 "
        "roles end in -dev, and 200 were asked; aws iam list-role-tags --role-name restore-helper-dev"
    )
    assert warning in planned.err.splitlines()
    gone = dev.tapctl(*_DESTROY)
    assert (gone.code, gone.err.splitlines().count(warning)) == (7, 1), gone.err
    assert gone.verdict.startswith("DESTROY dev: INCOMPLETE in ")
    assert gone.verdict.endswith(" · 1 kept · 0 left · the tags of 1 iam-role were not read")
    assert not_read(dev) == (True, [_OURS])
    # Fewer by one: it is asked.
    dev.client("iam").delete_role(RoleName=names[0])
    again = dev.tapctl(*_DESTROY)
    assert (again.code, _OURS in again.err, "not read" in again.verdict) == (6, True, False), again.err


@pytest.mark.soak
def test_a_denied_look_at_tags_is_told_and_what_is_ours_goes_all_the_same(dev: World) -> None:
    make_ours(dev)
    make_roles(dev, ["team-dev"])
    told = "the tags of iam-role/restore-helper-dev, iam-role/team-dev were not read"
    way = "iam:ListRoleTags denied; allow iam:ListRoleTags, and so for each"
    for command, code in ((("plan", "--destroy", "--env", "dev"), 7), (_DESTROY, 7)):
        answer = dev.meeting(deny_tags_of_others, *command, "--json")
        assert answer.code == code, answer.err
        (warning,) = (one["message"] for one in answer.of_type("warning") if told in one["message"])
        assert warning.endswith(way)
        (verdict,) = answer.of_type("verdict")
        assert verdict["counts"]["tags_not_read"] == 2
    assert verdict["status"] == "INCOMPLETE"
    assert not_read(dev) == (True, ["iam-role/restore-helper-dev", "iam-role/team-dev"])
    assert {role["RoleName"] for role in dev.client("iam").list_roles()["Roles"]} == {"restore-helper-dev", "team-dev"}
    assert dev.meeting(deny("iam:ListRoleTags"), *_DESTROY).code == 7
    dev.client("iam").delete_role(RoleName="restore-helper-dev")
    again = dev.tapctl(*_DESTROY)
    assert (again.code, again.verdict.endswith("nothing else of ours is left")) == (0, True), again.err
    assert not_read(dev) == (True, [])


@pytest.mark.soak
def test_the_tags_of_our_own_role_are_not_missed_where_its_name_tells_it(dev: World) -> None:
    gone = dev.meeting(deny("iam:ListRoleTags"), *_DESTROY)
    assert (gone.code, gone.verdict.endswith("nothing else of ours is left")) == (0, True), gone.err


@pytest.mark.soak
def test_tags_that_are_denied_only_at_the_last_look_are_told_too(dev: World) -> None:
    make_roles(dev, ["team-dev"])
    gone = dev.meeting(later(deny_tags_of_others), *_DESTROY)
    assert (gone.code, gone.err.count("the tags of iam-role/team-dev were not read")) == (7, 1), gone.err


def test_a_key_whose_tags_are_denied_is_told_where_no_index_shows_ours(world: World) -> None:
    key = world.client("kms").create_key()["KeyMetadata"]["KeyId"]
    gone = world.meeting(deny("kms:ListResourceTags"), *_DESTROY)
    assert (gone.code, gone.changes) == (7, ()), gone.err
    assert gone.verdict.endswith(" · the tags of 1 kms-key were not read")
    assert f"the tags of kms-key/{key} were not read" in gone.err
