from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapctl.engine.drift import Report
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError
from tapctl.manifest.manifest import Manifest, empty
from tapctl.planning.deletions import planned_deletions
from tapctl.reconcilers import (
    kept_without_reason,
    never_compared,
    observations_for,
    recorded_spec,
    registry,
    subresources_of,
    teardown_ranks,
)
from tapctl.render.reports import drift_lines

CLUSTER, ROTATION = "db-cluster/db-cluster-dev", "secret-rotation/db-cluster-dev"
RULES, GROUP = "security-group-rules/db-sg-dev", "security-group/db-sg-dev"


def recorded(*addresses: str, **spec: Any) -> Manifest:
    base = empty(environment="dev", suffix="dev", account="123456789012", region="us-east-2")
    entries = {
        here: Entry(type=here.partition("/")[0], id=here.partition("/")[2], phase=Phase.MADE, spec=spec)
        for here in addresses
    }
    return base.model_copy(update={"entries": entries})


def test_a_spec_recorded_in_another_form_is_unknown() -> None:
    group = registry()["security-group"]
    spec = {"description": "d", "vpc_id": "vpc-1", "tags": {}}
    known = recorded(GROUP, **spec).entries[GROUP]
    assert recorded_spec(known) == group.spec(**spec)
    assert recorded_spec(recorded(GROUP, **spec, colour="red").entries[GROUP]) is None


def test_subresources_deleted_with_their_parent_are_listed() -> None:
    manifest = recorded(CLUSTER, ROTATION, RULES, GROUP)
    assert subresources_of(manifest.entries[CLUSTER], manifest.entries) == (ROTATION,)
    assert subresources_of(manifest.entries[GROUP], manifest.entries) == (), "rules are removed by themselves"


def test_a_resource_deleted_with_another_has_no_step_of_its_own() -> None:
    deletions = planned_deletions([CLUSTER, ROTATION, RULES], recorded(CLUSTER, ROTATION, RULES, GROUP))
    assert set(deletions) == {CLUSTER, RULES}
    assert deletions[CLUSTER].subresources == (ROTATION,)
    # Without its parent it goes by itself.
    assert set(planned_deletions([ROTATION], recorded(ROTATION))) == {ROTATION}


def test_a_retained_resource_is_not_observed() -> None:
    entries = recorded(CLUSTER, GROUP).entries
    kept = {**entries, GROUP: entries[GROUP].model_copy(update={"phase": Phase.KEPT})}
    assert [one.address for one in observations_for(kept)] == [CLUSTER]


def test_what_is_wrongly_recorded_as_kept_is_compared_by_the_one_spec_that_was_confirmed() -> None:
    entry = recorded(CLUSTER).entries[CLUSTER]
    kept = entry.model_copy(update={"phase": Phase.KEPT, "spec": {"port": 1}, "confirmed": {"port": 5432}})
    again = kept_without_reason({CLUSTER: kept})[CLUSTER]
    assert (again.phase, again.spec, again.confirmed) == (Phase.MADE, {"port": 5432}, None)


def test_a_type_of_a_newer_tapctl_is_an_error() -> None:
    manifest = recorded(CLUSTER, "db-proxy/db-cluster-dev")
    with pytest.raises(ManifestError, match="db-proxy/db-cluster-dev"):
        subresources_of(manifest.entries[CLUSTER], manifest.entries)


def test_every_type_has_a_place_of_its_own_in_a_removal() -> None:
    ranks = teardown_ranks()
    assert set(ranks) == set(registry())
    assert len(set(ranks.values())) == len(ranks)


def test_a_type_that_is_recorded_by_nothing_but_its_arn_says_that_the_name_is_its_identity() -> None:
    for name, reconciler in registry().items():
        # The time of its creation tells a log group made again, and no owner.
        told = reconciler.outputs.model_fields.keys() - {"created"}
        assert reconciler.name_is_identity is (told == {"arn"}), name


def test_a_subresource_s_parent_is_a_type() -> None:
    parents = {reconciler.parent_type for reconciler in registry().values() if reconciler.subresource}
    assert parents <= set(registry())


def test_the_readme_lists_what_is_not_compared_as_a_drift_does() -> None:
    report = Report((), 1, 0, 1, never_compared=never_compared(registry()))
    listed = "\n".join(drift_lines(report, {})[1:])
    assert listed in (Path(__file__).parents[2] / "README.md").read_text()
