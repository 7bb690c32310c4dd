from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapctl.commands.parity_live import LiveEnvironment, _as_observed, _covers, _live_rows, _unread
from tapctl.config import Config
from tapctl.engine.drift import WHOLE_RESOURCE
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation, Unreadable
from tapctl.engine.record import recorded_value
from tapctl.engine.waiver import Waiver, spares_of
from tapctl.errors import AwsRefused
from tapctl.manifest.manifest import Manifest, empty
from tapctl.names import Names
from tapctl.reconcilers import reconciler_of
from tests.manifest.examples import entry, manifest
from tests.support.config_folder import Folder
from tests.support.recorded import recorded


@pytest.mark.parametrize(
    ("place", "row", "covered"),
    [
        (("a/b", "tags"), ("a/b", "tags.Owner"), True),
        (("a/b", "tags.Owner"), ("a/b", "tags"), True),
        (("a/b", "tags.Owner"), ("a/b", "tags.Owner2"), False),
        (("a/c", "tags"), ("a/b", "tags"), False),
        (("a/b", WHOLE_RESOURCE), ("a/b", "tags"), True),
        (("a/b", WHOLE_RESOURCE), ("a/b", ""), True),
        (("a/b", "tags"), ("a/b", ""), False),
    ],
)
def test_a_cause_is_of_a_difference_within_it(place: tuple[str, str], row: tuple[str, str], *, covered: bool) -> None:
    assert _covers(place, row) is covered


def test_what_is_gone_is_absent_and_what_could_not_be_read_is_as_recorded() -> None:
    gone, hidden = entry("gone"), entry("hidden", description="x")
    refused = AwsRefused("kms", "DescribeKey", "AccessDeniedException", "no")
    observed: dict[str, Observation] = {gone.address: Absent(), hidden.address: Unreadable("kms:DescribeKey", refused)}
    assert dict(_as_observed(manifest(gone, hidden), observed).entries) == {hidden.address: hidden}
    assert dict(_unread(observed)) == {(hidden.address, WHOLE_RESOURCE): "kms:DescribeKey denied"}


# -- what is waived ---------------------------------------------------------------------------------------------------

FUNCTION = "lambda-function/payment-processor"
TIMEOUT, TAG = f"{FUNCTION}-<name> timeout_s", f"{FUNCTION}-<name> tags.Team"
OFFICE = Waiver("*", "timeout_s", "dana", "the office, slow", "2099-12-31")


@pytest.fixture
def configs(tmp_path: Path) -> dict[str, Config]:
    """The environments that are in AWS."""
    files = Folder(tmp_path / "environments").load()
    return {env: files[env] for env in ("dev", "staging")}


def record(config: Config) -> Manifest:
    """The record as an apply leaves it."""
    env, account, region = config.environment, config.account_id, config.region
    made = recorded(config, Names(env, account, region))
    return empty(environment=env, suffix=env, account=account, region=region).model_copy(update={"entries": made})


def looked_at(recorded: Manifest, waiver: Waiver | None, **fields: Any) -> LiveEnvironment:
    """An environment whose function has these values in AWS. ``waiver``: it covers those that it names."""
    address = f"{FUNCTION}-{recorded.suffix}"
    made = recorded.entries[address]
    spec = reconciler_of(made).spec
    values = {name: recorded_value(spec, name, made.spec) for name in spec.model_fields} | fields
    seen: dict[str, Observation] = {
        name: Observed(reconciler_of(one).spec.model_validate(one.spec), None) for name, one in recorded.entries.items()
    }
    seen[address] = Observed(spec.model_validate(values, strict=False), None)
    waived = {name for name in fields if waiver is not None and waiver.covers(address, name, fields[name])}
    return LiveEnvironment(
        _as_observed(recorded, seen),
        {(address, name) for name in fields.keys() - waived},
        (),
        (),
        {},
        (),
        {(address, name): [waiver] for name in waived if waiver},
        _as_observed(recorded, seen, spares_of([waiver])) if waiver else None,
    )


def verdicts(read: dict[str, LiveEnvironment], configs: dict[str, Config]) -> dict[str, tuple[str, dict[str, str]]]:
    return {row["what"]: (row["verdict"], row["causes"]) for row in _live_rows(read, configs) if row["causes"]}


def test_a_difference_that_somebody_answers_for_is_waived_and_says_by_whom(configs: dict[str, Config]) -> None:
    dev, staging = (record(config) for config in configs.values())
    read = {"dev": looked_at(dev, OFFICE, timeout_s=90), "staging": looked_at(staging, None)}
    (row,) = [row for row in _live_rows(read, configs) if row["causes"]]
    assert (row["what"], row["verdict"], row["causes"]) == (TIMEOUT, "waived", {"dev": "waived"})
    assert row["values"] == {"dev": 90, "staging": 30}
    assert row["waivers"] == [{"owner": "dana", "reason": "the office, slow", "until": "2099-12-31"}]
    assert verdicts(read | {"dev": looked_at(dev, None, timeout_s=90)}, configs) == {
        TIMEOUT: ("CHANGED OUTSIDE", {"dev": "outside"})
    }
    # In one environment alone there is nothing that it differs from.
    alone = {"dev": read["dev"]}
    assert verdicts(alone, configs) == {TIMEOUT: ("waived", {"dev": "waived"})}


def test_a_waiver_hides_nothing_that_others_have_changed_or_that_is_not_allowed(configs: dict[str, Config]) -> None:
    dev, staging = (record(config) for config in configs.values())
    changed = looked_at(staging, None, timeout_s=60)
    waived = looked_at(dev, OFFICE, timeout_s=90)
    assert verdicts({"dev": waived, "staging": changed}, configs) == {
        TIMEOUT: ("CHANGED OUTSIDE", {"dev": "waived", "staging": "outside"})
    }
    # The record of staging has another value than dev's, for which nobody answers.
    made = staging.entries[f"{FUNCTION}-staging"]
    other = made.model_copy(update={"spec": {**made.spec, "timeout_s": 60}})
    another = looked_at(staging.model_copy(update={"entries": {**staging.entries, made.address: other}}), None)
    assert verdicts({"dev": waived, "staging": another}, configs) == {TIMEOUT: ("NOT ALLOWED", {"dev": "waived"})}


def test_of_what_a_destroy_has_kept_its_changes_are_told_and_nothing_lacks_of_it(configs: dict[str, Config]) -> None:
    dev, staging = (record(config) for config in configs.values())
    key = "kms-key/alias/db-key-staging"
    kept = staging.model_copy(update={"entries": {key: staging.entries[key]}})
    shared = ("db-cluster-snapshot/db-cluster-staging-final-x", "restorable_by")
    destroyed = LiveEnvironment(kept, {shared}, (), (), {}, (), is_deployed=False)
    told = {"dev": looked_at(dev, None), "staging": destroyed}
    assert [(row["what"], row["verdict"]) for row in _live_rows(told, configs)] == [
        ("db-cluster-snapshot/db-cluster-staging-final-x restorable_by", "CHANGED OUTSIDE")
    ]


def test_what_is_recorded_in_another_form_is_as_it_is_live(configs: dict[str, Config]) -> None:
    dev = record(configs["dev"])
    address = f"{FUNCTION}-dev"
    seen: dict[str, Observation] = {
        name: Observed(reconciler_of(one).spec.model_validate(one.spec), None) for name, one in dev.entries.items()
    }
    older = dev.entries[address].model_copy(update={"spec": {"timeout_s": 30}})
    told = _as_observed(dev.model_copy(update={"entries": {**dev.entries, address: older}}), seen, spares_of([OFFICE]))
    assert told.entries[address].spec == dev.entries[address].spec
