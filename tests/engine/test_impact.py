"""The cost of a change: what it would do to the resource as it stands, and what nobody is asked for in vain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from tapctl.engine.impact import impact_of
from tapctl.engine.model import Impact, Timing
from tapctl.engine.observe import Observation
from tapctl.engine.plan import Action, Change
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import NotConverged
from tests.engine.driving import bring
from tests.engine.kinds import SMALL, Leaf, Plain, ThingSpec, resource
from tests.engine.test_planner import recorded, seen, stack_of
from tests.engine.traits import Looks
from tests.engine.world import CLAIMANT, World


class Keeper(Plain):
    """Keeps data for ``limit`` days, 0 for ever; ``link`` protects it while it is not empty."""

    type = "keeper"
    retention_field = "limit"
    protection_fields = frozenset({"link"})
    impacts: ClassVar[Mapping[str, Impact]] = {"version": Impact.RESTART, "zone": Impact.REPLACE}
    timing = Timing(upgrade="an hour")


NOW = datetime.now(UTC)
YOUNG, OLD = NOW - timedelta(days=1), NOW - timedelta(days=300)


def cost(want: ThingSpec, have: ThingSpec, name: str, *, undoes: bool = False, **more: Any) -> Impact:
    return impact_of(Keeper(), name, want, seen(have, **more), undoes=undoes)


@pytest.mark.parametrize(
    ("have", "want", "impact"),
    [(90, 30, Impact.DATA_LOSS), (0, 30, Impact.DATA_LOSS), (30, 90, Impact.NONE), (30, 0, Impact.NONE)],
)
def test_fewer_days_of_retention_lose_data(have: int, want: int, impact: Impact) -> None:
    assert cost(ThingSpec(limit=want), ThingSpec(limit=have), "limit", holds_data_since=YOUNG) is impact


@pytest.mark.parametrize(("since", "impact"), [(YOUNG, Impact.NONE), (OLD, Impact.DATA_LOSS), (None, Impact.DATA_LOSS)])
def test_taking_back_more_days_loses_only_what_there_can_be(since: datetime | None, impact: Impact) -> None:
    want, have = ThingSpec(limit=30), ThingSpec(limit=365)
    assert cost(want, have, "limit", undoes=True, holds_data_since=since) is impact


def test_a_protection_that_is_lifted_is_told_and_one_that_is_set_costs_nothing() -> None:
    on, off = ThingSpec(link="on"), ThingSpec()
    assert (cost(off, on, "link"), cost(on, off, "link")) == (Impact.PROTECTION, Impact.NONE)


@pytest.mark.parametrize(
    ("want", "impact"), [("16.9", Impact.RESTART), ("17.1", Impact.UPGRADE), ("15.1", Impact.REPLACE)]
)
def test_a_new_major_version_is_no_restart(want: str, impact: Impact) -> None:
    assert cost(ThingSpec(version=want), ThingSpec(version="16.8"), "version") is impact


def test_what_is_seen_decides_before_what_the_type_says() -> None:
    assert cost(ThingSpec(version="16.9"), SMALL, "version", impacts={"version": Impact.OUTAGE}) is Impact.OUTAGE


# -- in a plan -------------------------------------------------------------------------------------------------------


def planned(want: ThingSpec, sight: Observation, made: Entry | None = None, allowed: Collection[str] = ()) -> Change:
    kind = Keeper()
    entries = {"keeper/a": made} if made else {}
    stack = stack_of(Stack(), kind, want)
    (change,) = make_plan(stack, entries, {"keeper/a": sight}, CLAIMANT, {kind.type: kind}, allowed=allowed).changes
    return change


def record_of(spec: ThingSpec, phase: Phase = Phase.MADE) -> Entry:
    return recorded(spec, Keeper(), phase)


WEEKS, MONTHS = ThingSpec(limit=30), ThingSpec(limit=90)


def test_an_update_that_loses_data_is_made_only_where_its_address_is_named() -> None:
    blocked = planned(WEEKS, seen(MONTHS, holds_data_since=YOUNG), record_of(MONTHS))
    assert (blocked.action, blocked.impact) == (Action.UPDATE, Impact.DATA_LOSS)
    assert blocked.blocked is not None
    assert blocked.blocked.cause == "keeper/a: limit would go from 90 to 30, and what is older than that is lost"
    hint = "if that is meant: --allow keeper/a; otherwise put {} into the configuration"
    assert blocked.blocked.hint == hint.format("the old value back")
    outside = planned(WEEKS, seen(MONTHS, holds_data_since=OLD), record_of(WEEKS)).blocked
    assert outside is not None
    assert outside.hint == hint.format("what is there")
    named = planned(WEEKS, seen(MONTHS), record_of(MONTHS), allowed=["keeper/a"])
    assert (named.action, named.impact, named.blocked) == (Action.UPDATE, Impact.DATA_LOSS, None)


def test_a_new_major_version_is_made_only_where_its_address_is_named_and_says_how_long_it_takes() -> None:
    want = ThingSpec(version="17.1")
    blocked = planned(want, seen(), record_of(SMALL))
    assert blocked.blocked is not None
    assert "nothing leads back" in blocked.blocked.cause
    named = planned(want, seen(), record_of(SMALL), allowed=["keeper/a"])
    assert (named.impact, named.blocked) == (Impact.UPGRADE, None)
    assert named.note == "a new major version cannot be undone; it usually takes an hour"


def test_how_long_it_takes_is_not_said_where_nobody_knows() -> None:
    kind = Plain()
    stack = stack_of(Stack(), kind, ThingSpec(version="17.1"))
    (change,) = make_plan(stack, {}, {"plain/a": seen()}, CLAIMANT, {}, allowed=["plain/a"]).changes
    assert change.note == "a new major version cannot be undone"


@pytest.mark.parametrize("made", [None, record_of(WEEKS), record_of(WEEKS, Phase.MAKING)])
def test_what_was_never_confirmed_otherwise_loses_nothing_while_it_is_young(made: Entry | None) -> None:
    forever = ThingSpec(limit=0)
    assert planned(WEEKS, seen(forever, holds_data_since=YOUNG), made).blocked is None
    assert planned(WEEKS, seen(forever, holds_data_since=OLD), made).blocked is not None


def test_what_can_only_be_replaced_is_told_as_that_beside_a_loss_of_data() -> None:
    change = planned(ThingSpec(limit=30, zone="b"), seen(MONTHS), record_of(MONTHS), allowed=["keeper/a"])
    assert change.impact is Impact.REPLACE
    assert change.blocked is not None
    assert "zone cannot be changed in place" in change.blocked.cause


def test_a_plan_counts_the_resources_by_what_happens_to_them() -> None:
    stack = stack_of(Stack(), Plain(), ThingSpec(mode="wild", version="16.9"))
    stack.add(Leaf(), "a", ThingSpec(zone="b"))
    stack.add(Keeper(), "a", WEEKS)
    sights: dict[str, Observation] = {"plain/a": seen(), "leaf/a": seen(), "keeper/a": seen(MONTHS)}
    plan = make_plan(stack, {}, sights, CLAIMANT, {})
    counted = {impact: count for impact, count in plan.impacts.items() if count}
    assert counted == {"replace": 1, "data_loss": 1, "failover": 1, "restart": 1}
    assert list(plan.impacts) == ["replace", "data_loss", "upgrade", "outage", "failover", "restart", "protection"]


def test_an_apply_makes_no_more_than_was_planned_where_somebody_takes_another_place_meanwhile() -> None:
    """A reader was planned to change at no cost; by now it writes."""
    world = World(Looks(range(1, 9), lambda sight: sight and replace(sight, impacts={"size": Impact.FAILOVER})))
    world.put(Plain(), "a", SMALL)
    with pytest.raises(NotConverged, match="with failover"):
        bring(world, resource(Plain(), ThingSpec(size="large")), Action.UPDATE)
    assert world.calls == []
