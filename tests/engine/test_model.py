from __future__ import annotations

from typing import Generic, TypeVar

import pytest
from pydantic import ValidationError

from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Retained, Spec, address
from tests.engine.kinds import SMALL, Plain, ThingOutputs, ThingSpec
from tests.engine.world import OURS, THEIRS, World

T = TypeVar("T")


class Bare(Reconciler[ThingSpec, ThingOutputs]):
    """A type that says nothing of itself."""

    type = "bare"
    spec = ThingSpec
    outputs = ThingOutputs

    def observe(self, aws: World, id: str, expected: ThingSpec | None) -> Observed[ThingSpec, ThingOutputs] | None:
        return None

    def create(self, aws: World, id: str, want: ThingSpec, owner: Owner) -> None:
        return

    def update(self, aws: World, id: str, have: ThingSpec, want: ThingSpec) -> frozenset[str]:
        return frozenset()

    def delete(
        self, aws: World, id: str, seen: Observed[ThingSpec, ThingOutputs], last: ThingSpec | None
    ) -> Retained | None:
        return None

    def list_owned(self, aws: World, owner: Owner) -> list[str]:
        return []


def test_the_hooks_of_a_type_have_neutral_defaults() -> None:
    assert Bare().deletion_blocker(Observed(SMALL, None)) is None
    assert not Bare().is_protection(Observed(SMALL, None))
    assert Bare().remaining_after_delete(World(), "a", SMALL) is None
    assert list(Bare().retained_after_delete(World(), "a", SMALL, {})) == []
    Bare().remove_leftover(World(), "a")
    assert Bare().last_event(World(), "a") == ""
    assert [Bare.holds_data, Bare.replaceable, Bare.outputs_known_early, Bare.created_by_aws] == [False] * 4
    assert Bare.create_is_repeatable


def test_a_type_s_spec_is_found_beside_other_generic_bases() -> None:
    class Box(Generic[T]):
        pass

    class Boxed(Box[int], Plain, Reconciler[ThingSpec, ThingOutputs]):
        pass

    assert (Boxed.spec, Boxed.outputs) == (ThingSpec, ThingOutputs)


def test_a_replacement_deletes_as_a_removal_does_by_default() -> None:
    world = World()
    world.put(Plain(), "a", SMALL)
    seen = Plain().observe(world, "a", None)
    assert seen is not None
    assert Plain().delete_for_replacement(world, "a", seen) is None
    assert world.calls == ["delete plain/a"]


def test_observations_that_differ_in_members_alone_are_equal() -> None:
    assert Observed(SMALL, None, members=frozenset({"leaf/a"})) == Observed(SMALL, None)


def test_a_spec_and_outputs_are_closed_and_frozen() -> None:
    for closed in (Spec, Outputs):
        with pytest.raises(ValidationError):
            closed.model_validate({"colour": "red"})
    with pytest.raises(ValidationError):
        setattr(SMALL, "size", "large")  # noqa: B010 -- frozen, which is the point


def test_the_severity_of_impacts_is_in_order() -> None:
    assert Impact.NONE < Impact.RESTART < Impact.FAILOVER < Impact.REPLACE


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, None),
        ({"Name": "x"}, None),
        ({"ManagedBy": "tapctl", "EnvironmentSuffix": "dev", "Environment": "dev"}, OURS),
        ({"ManagedBy": "tapctl"}, Owner("tapctl", "")),
        ({"EnvironmentSuffix": "dev"}, Owner("", "dev")),
        ({"Environment": "prod"}, Owner("", "", "prod")),
    ],
)
def test_tags_name_an_owner(tags: dict[str, str], owner: Owner | None) -> None:
    assert Owner.of(tags) == owner


def test_an_owner_is_its_two_tags() -> None:
    assert OURS.tags == {"ManagedBy": "tapctl", "EnvironmentSuffix": "dev", "Environment": "dev"}
    assert OURS.search_tags == {"ManagedBy": "tapctl", "EnvironmentSuffix": "dev"}
    assert OURS.finds({**OURS.search_tags, "Environment": "prod", "Name": "a"})
    assert not OURS.finds({"ManagedBy": "tapctl"})
    assert THEIRS.excludes(OURS)
    assert not Owner("", "").excludes(OURS)
    assert Owner("", "", scope="us-east-1").excludes(OURS)


def test_an_address_is_type_and_id() -> None:
    assert address("kms-key", "alias/db-key-dev") == "kms-key/alias/db-key-dev"
