"""Changes that a plan must not make, and resources that leave because they are wanted no longer."""

from __future__ import annotations

import pytest

from tapctl.engine.model import Owner, Pending, Retained
from tapctl.engine.observe import Absent, Observation, Unreadable
from tapctl.engine.ownership import Claimant
from tapctl.engine.plan import Action, Change, LeftField
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import FieldUnreadable, Refused, TapctlError
from tests.engine.driving import entry
from tests.engine.kinds import LARGE, SMALL, Adopted, Data, Leaf, Needed, Plain, ThingOutputs, ThingSpec, Treasure
from tests.engine.test_planner import one, planned, recorded, seen, stack_of
from tests.engine.traits import refused
from tests.engine.world import OURS, THEIRS

DENIED = Unreadable("fake:Look", refused("AccessDenied"))


def why(change: Change | None) -> TapctlError:
    assert change is not None
    assert change.blocked is not None
    return change.blocked


def test_what_could_not_be_looked_at_is_refused_and_never_created() -> None:
    change = one(Plain(), SMALL, DENIED)
    assert change.action is Action.NOTHING
    assert change.unreadable == {"*": "fake:Look"}
    assert isinstance(why(change), Refused)
    assert "allow fake:Look" in str(why(change).hint)


@pytest.mark.parametrize("owner", [THEIRS, Owner("tapctl", "staging"), None])
def test_what_is_not_ours_is_refused(owner: Owner | None) -> None:
    change = one(Plain(), LARGE, seen(owner=owner))
    assert change.action is Action.NOTHING
    assert "is not ours" in str(why(change))


def test_the_refusal_of_a_stranger_tells_its_tags() -> None:
    assert why(one(Plain(), SMALL, seen(owner=THEIRS))).evidence == (
        "its tags say: ManagedBy=terraform, EnvironmentSuffix=shop"
    )
    assert why(one(Plain(), SMALL, seen(owner=None))).evidence == "its tags say: no owner tags"
    half = why(one(Plain(), SMALL, seen(owner=Owner("", "shop"))))
    assert half.evidence == "its tags say: ManagedBy=-, EnvironmentSuffix=shop"


@pytest.mark.parametrize(
    ("owner", "managed_by"),
    [
        (Owner("tapctl", "dev", scope="us-east-1"), "tapctl, for us-east-1, EnvironmentSuffix=dev"),
        (Owner("", "dev", scope="us-east-1"), ", for us-east-1, EnvironmentSuffix=dev"),
        (Owner("", "", scope="a member of other"), "(a member of other), EnvironmentSuffix=-"),
    ],
)
def test_the_refusal_of_a_resource_that_belongs_elsewhere_tells_where(owner: Owner, managed_by: str) -> None:
    assert why(one(Plain(), SMALL, seen(owner=owner))).evidence == f"its tags say: ManagedBy={managed_by}"


def test_a_resource_of_another_region_is_never_taken_over() -> None:
    there = seen(owner=Owner("tapctl", "dev", scope="us-east-1"))
    for adopted in ((), ("plain/a",)):
        stack = Stack()
        stack.add(Plain(), "a", SMALL)
        (change,) = planned(stack, {"plain/a": there}, adopted=adopted).changes
        assert "of the same suffix, for us-east-1" in str(why(change))
        assert why(change).hint == "use another --suffix here, or end what ties it to that"


def test_what_lost_its_tags_and_is_on_record_or_was_made_by_aws_is_ours() -> None:
    assert one(Plain(), LARGE, seen(owner=None), recorded()).action is Action.UPDATE
    assert one(Adopted(), LARGE, seen(owner=None)).action is Action.UPDATE


@pytest.mark.parametrize("phase", [Phase.MADE, Phase.MAKING])
def test_a_field_that_would_have_to_change_and_could_not_be_read_is_refused(phase: Phase) -> None:
    sight = seen(unreadable={"limit": "fake:GetLimit", "size": "fake:GetSize"})
    change = one(Plain(), ThingSpec(limit=9), sight, recorded(ThingSpec(limit=3), phase=phase))
    assert isinstance(why(change), FieldUnreadable)
    assert "limit would have to change" in str(why(change))
    assert why(change).evidence == "denied: fake:GetLimit"
    assert why(change).exit_code == 7


def test_data_that_aws_gave_up_on_is_refused() -> None:
    change = one(Data(), SMALL, seen(failure="inaccessible-encryption-credentials"))
    assert "holds data" in str(why(change))
    assert "inaccessible-encryption-credentials" in str(why(change).evidence)


@pytest.mark.parametrize(("kind", "reason"), [(Data(), "it holds data"), (Plain(), "what uses it holds it")])
def test_what_would_have_to_be_replaced_and_is_not_replaceable_is_refused(kind: Plain, reason: str) -> None:
    change = one(kind, ThingSpec(zone="b"), seen())
    assert f"zone cannot be changed in place, and it is never replaced because {reason}" in str(why(change))


def test_a_person_s_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Data, "by_hand", {"zone": "AWS itself can move it"})
    assert str(why(one(Data(), ThingSpec(zone="b"), seen())).hint).endswith("; AWS itself can move it")
    failed = why(one(Data(), SMALL, seen(failure="no key", remedy="start it first")))
    assert failed.hint == "start it first, then run this again"


def test_what_aws_takes_once_is_left_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plain, "fixed_once_set", frozenset({"size"}))
    stack = Stack()
    stack.add(Plain(), "a", ThingSpec(size="large"))
    other: dict[str, Observation] = {"plain/a": seen(ThingSpec(size="other"))}
    (left,), (named,) = (planned(stack, other, allowed=names).changes for names in ([], ["plain/a"]))
    assert (left.action, left.left) == (Action.NOTHING, (LeftField("size", "other", allow_ends=True),))
    assert named.action is Action.UPDATE


def test_a_resource_with_unreadable_tags_is_never_taken_over() -> None:
    """Unreadable tags show no difference: whose it is, they alone would tell."""
    stack = Stack()
    stack.add(Plain(), "a", SMALL)
    there = seen(owner=None, unreadable={"tags": "fake:ListTags"})
    (change,) = planned(stack, {"plain/a": there}, adopted=("plain/a",)).changes
    assert "whose it is could not be read" in str(why(change))
    assert why(change).hint == "allow fake:ListTags, then run the same command again"


def test_a_major_version_back_is_refused() -> None:
    change = one(Data(), ThingSpec(version="15.19"), seen(ThingSpec(version="16.13")))
    assert "version cannot be changed in place, and it is never replaced because it holds data" in str(why(change))


@pytest.mark.parametrize("failed", [None, "broken"])
def test_what_holds_data_is_never_replaced(failed: str | None) -> None:
    assert one(Treasure(), ThingSpec(zone="b"), seen(failure=failed)).blocked is not None


def test_data_in_the_place_of_ours_is_taken_for_it_only_where_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Data, "identity", "arn")
    sights: dict[str, Observation] = {"data/a": seen(outputs=ThingOutputs(arn="y"))}
    made = recorded(kind=Data())
    stack = stack_of(Stack(), Data(), SMALL)
    refused = why(planned(stack, sights, made).changes[0])
    assert refused.cause == "data/a was replaced outside tapctl: the one that is there holds other data"
    assert refused.evidence == "recorded → there: arn x → y"
    assert refused.hint == "if the one that is there is meant: apply with --adopt data/a"
    plan = planned(stack, sights, made, adopted=["data/a"])
    (change,) = plan.changes
    assert (change.blocked, change.adopts, change.note) == (None, True, "taken over as it is; arn x → y")
    assert [one.outputs for one in plan.confirmed] == [{"arn": "y"}]
    (going,) = planned(Stack(), sights, made, allowed=["data/a"]).changes
    assert why(going).cause == refused.cause
    assert str(why(going).hint).endswith("and apply with --adopt data/a")


def test_what_is_blocked_is_told_by_the_plan() -> None:
    stack = Stack()
    stack.add(Plain(), "a", SMALL)
    stack.add(Plain(), "b", SMALL)
    plan = planned(stack, {"plain/a": seen(owner=THEIRS), "plain/b": seen()})
    assert [change.address for change in plan.blocked] == ["plain/a"]


# -- wanted no longer ------------------------------------------------------------------------------------------------


def leaving(kind: Plain, sight: Observation, made: Entry | None = None, *, allow: bool = False) -> Change | None:
    """The removal of what is recorded and not wanted; None where its record is forgotten."""
    made = made or recorded(kind=kind)
    plan = planned(Stack(), {made.address: sight}, made, allowed=[made.address] if allow else [])
    assert plan.forgotten == (() if plan.changes else (made.address,))
    return plan.changes[0] if plan.changes else None


def test_what_is_wanted_no_longer_is_removed() -> None:
    change = leaving(Plain(), seen())
    assert change is not None
    assert (change.action, change.blocked) == (Action.DELETE, None)


def test_what_is_wanted_no_longer_and_gone_already_is_forgotten() -> None:
    assert leaving(Plain(), Absent()) is None


def test_what_is_kept_on_purpose_is_left_alone() -> None:
    kept = entry(Plain(), Phase.KEPT)
    assert planned(Stack(), {}, kept).changes == ()
    assert planned(Stack(), {}, kept).forgotten == ()


class Asking(Plain):
    """A removal can only keep it while somebody has yet to answer."""

    type = "plain"
    retainable = True
    kept_while_pending = "limit"


@pytest.mark.parametrize(
    ("sight", "changes", "forgotten"),
    [
        (seen(pending={"limit": Pending("later")}), 0, 0),
        (seen(), 1, 0),
        (DENIED, 1, 0),
        (Absent(), 0, 1),
    ],
)
def test_what_was_kept_until_somebody_answers_is_looked_at_again(
    sight: Observation, changes: int, forgotten: int
) -> None:
    kept = recorded(kind=Asking()).model_copy(update={"phase": Phase.KEPT})
    plan = make_plan(
        Stack(), {kept.address: kept}, {kept.address: sight}, Claimant(OURS, lambda _, __: True), {"plain": Asking()}
    )
    assert ([one.action for one in plan.changes], len(plan.forgotten)) == ([Action.DELETE] * changes, forgotten)
    unseen = make_plan(Stack(), {kept.address: kept}, {}, Claimant(OURS, lambda _, __: True), {"plain": Asking()})
    assert (unseen.changes, unseen.forgotten) == ((), ()), "nobody has looked"


def test_what_holds_data_leaves_only_when_its_address_is_named() -> None:
    assert "--allow data/a" in str(why(leaving(Data(), seen())).hint)
    allowed = leaving(Data(), seen(), allow=True)
    assert allowed is not None
    assert allowed.blocked is None


class Hanger(Plain):
    """A subresource, which shows its parent's tags."""

    type = "plain"
    parent_type = "leaf"


def test_what_only_the_record_claims_leaves_only_when_its_address_is_named() -> None:
    made = recorded(kind=Hanger())

    def change(*, allowed: tuple[str, ...] = (), chosen: bool = True, pending: bool = False) -> Change:
        claimant = Claimant(OURS, lambda _, __: True, lambda _, __: chosen)
        look = seen(pending={"limit": Pending("later")} if pending else {})
        kinds = {"plain": Hanger()}
        return make_plan(Stack(), {made.address: made}, {made.address: look}, claimant, kinds, allowed=allowed).changes[
            0
        ]

    assert "nothing but the record says" in str(why(change()))
    assert "--allow plain/a" in str(why(change()).hint)
    assert change(allowed=("plain/a",)).blocked is None
    assert change(chosen=False).blocked is None
    assert change(pending=True).blocked is None, "it goes by itself"


@pytest.mark.parametrize("kept", [None, Retained("2031-05-06", "pending deletion")])
def test_data_that_is_being_deleted_already_needs_no_permission(kept: Retained | None) -> None:
    spec = ThingSpec(mode="protected")
    change = leaving(Data(), seen(spec, deleting=True, retained=kept))
    assert change is not None
    assert (change.action, change.blocked) == (Action.DELETE, None)


def test_what_is_protected_is_not_removed() -> None:
    assert "must not be removed: it is protected" in str(why(leaving(Plain(), seen(ThingSpec(mode="protected")))))
    assert leaving(Leaf(), seen()) is not None


def test_what_could_not_be_looked_at_is_not_forgotten() -> None:
    change = leaving(Plain(), DENIED)
    assert "could not be read" in str(why(change))
    assert change is not None
    assert change.unreadable == {"*": "fake:Look"}


def test_what_is_not_ours_any_more_is_not_removed() -> None:
    assert "is not ours" in str(why(leaving(Plain(), seen(owner=THEIRS))))
    assert why(leaving(Needed(), seen(owner=THEIRS)))
