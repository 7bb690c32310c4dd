from __future__ import annotations

from typing import Any

import pytest

from tapctl.commands.apply import planned_deletions
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError
from tapctl.manifest.manifest import Manifest, empty
from tapctl.reconcilers import observations_for, recorded_spec, registry, subresources_of

CLUSTER, ROTATION = "db-cluster/db-cluster-dev", "secret-rotation/db-cluster-dev"
RULES, GROUP = "security-group-rules/db-sg-dev", "security-group/db-sg-dev"


def recorded(*addresses: str, **spec: Any) -> Manifest:
    base = empty(environment="dev", suffix="dev", account="123456789012", region="us-east-2")
    entries = {
        here: Entry(type=here.partition("/")[0], id=here.partition("/")[2], phase=Phase.MADE, spec=spec)
        for here in addresses
    }
    return base.model_copy(update={"entries": entries})


def test_a_record_in_another_form_than_this_tapctls_is_like_nothing() -> None:
    group = registry()["security-group"]
    spec = {"description": "d", "vpc_id": "vpc-1", "tags": {}}
    known = recorded(GROUP, **spec).entries[GROUP]
    assert recorded_spec(known, group) == group.spec(**spec)
    assert recorded_spec(recorded(GROUP, **spec, colour="red").entries[GROUP], group) is None


def test_what_dies_with_its_parent_is_forgotten_with_it() -> None:
    manifest = recorded(CLUSTER, ROTATION, RULES, GROUP)
    assert subresources_of(manifest.entries[CLUSTER], manifest, registry()) == (ROTATION,)
    assert subresources_of(manifest.entries[GROUP], manifest, registry()) == (), "rules are removed by themselves"


def test_what_goes_with_another_has_no_step_of_its_own() -> None:
    deletions = planned_deletions([CLUSTER, ROTATION, RULES], recorded(CLUSTER, ROTATION, RULES, GROUP))
    assert set(deletions) == {CLUSTER, RULES}
    assert deletions[CLUSTER].subresources == (ROTATION,)
    # Without its parent it goes by itself.
    assert set(planned_deletions([ROTATION], recorded(ROTATION))) == {ROTATION}


def test_what_is_kept_on_purpose_is_not_looked_at() -> None:
    entries = recorded(CLUSTER, GROUP).entries
    kept = {**entries, GROUP: entries[GROUP].model_copy(update={"phase": Phase.KEPT})}
    assert [one.address for one in observations_for(kept, registry())] == [CLUSTER]


def test_what_only_a_newer_tapctl_knows_is_told_as_that() -> None:
    manifest = recorded(CLUSTER, "db-proxy/db-cluster-dev")
    with pytest.raises(ManifestError, match="db-proxy/db-cluster-dev"):
        subresources_of(manifest.entries[CLUSTER], manifest, registry())
