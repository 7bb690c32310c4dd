"""Approvals: of which place, for how long, how often, and of what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tapctl.engine.plan import Action, FieldChange
from tapctl.errors import ManifestError, PlanOutdated, StoreFailed, UsageError
from tapctl.planning.approval import NO_APPROVAL, USED, Approval, take_approval
from tapctl.planning.permits import NO_PERMITS, Permits
from tapctl.planning.plan_file import PlanOut, read_plan, write_plan
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tapctl.session.target import Files
from tests.manifest.examples import manifest
from tests.planning.sealing import sealed, session
from tests.render.examples import change

UPDATE = change("lambda-function/payment-processor-dev", Action.UPDATE, FieldChange("timeout_s", 15, 30))
OTHER = change("sns-topic/alarms-dev", Action.CREATE)


@pytest.fixture
def run(tmp_path: Path) -> Session:
    return session(tmp_path / "manifests")


@pytest.fixture
def path(run: Session, tmp_path: Path) -> Path:
    """A plan file of one change."""
    path = tmp_path / "dev.plan"
    write_plan(path, sealed(run, UPDATE))
    return path


def approved(path: Path) -> Approval:
    return take_approval(path, None, NO_PERMITS)


def test_without_an_approval_everything_is_as_asked(run: Session) -> None:
    given = Permits(reboot=True)
    approval = take_approval(None, None, given)
    assert (approval.permits, approval.binds, approval.destroys, approval.image_digest) == (given, False, False, "")
    assert (approval.suffix, approval.files, approval.aim(run.invocation)) == ("", Files.NEEDED, run.invocation)
    approval.check_target(run)
    approval.check(run, sealed(run), manifest())
    approval.begin(run)
    assert approval.end(run, 4) == 4
    assert run.store.get_sidecar("dev", USED) is None


def test_a_file_brings_its_own_permits_and_its_environment(run: Session, tmp_path: Path) -> None:
    file = sealed(run, UPDATE, permits=Permits(allowed=("a/b",), restore="snap"), destroy=True)
    approval = Approval(file)
    assert approval.permits == Permits(allowed=("a/b",), restore="snap")
    assert (approval.binds, approval.files, approval.suffix) == (True, Files.MAY_BE_GONE, "dev")
    assert approval.image_digest == f"sha256:{'a' * 64}"
    assert approval.aim(Invocation("apply")).target.suffix == "dev"
    assert approval.aim(Invocation("apply", env="prod")).env == "prod"
    copy = Approval(sealed(session(tmp_path, suffix="pr-1"), UPDATE)).aim(Invocation("apply"))
    assert (copy.env, copy.suffix) == ("dev", "pr-1")


@pytest.mark.parametrize("hash", ["", "abc", "A" * 64, "g" * 64])
def test_a_hash_that_is_none_is_a_usage_error(hash: str) -> None:
    with pytest.raises(UsageError, match="is no hash"):
        take_approval(None, hash, NO_PERMITS)


def test_no_step_is_permitted_beside_a_file(path: Path) -> None:
    with pytest.raises(UsageError, match="the steps that the plan was made with"):
        take_approval(path, None, Permits(empty=True))


def test_a_file_with_a_hash_has_to_be_that_one(path: Path) -> None:
    file = approved(path).file
    assert file is not None
    for expected in (file.hash, file.plan_hash):
        assert take_approval(path, expected, NO_PERMITS).file == file
    with pytest.raises(PlanOutdated, match="is not the one that was approved"):
        take_approval(path, "0" * 64, NO_PERMITS)


@pytest.mark.parametrize("name", ["env", "suffix", "account", "region"])
def test_a_file_of_another_place_is_refused(path: Path, tmp_path: Path, name: str) -> None:
    elsewhere = session(tmp_path / "manifests", **{name: "other"})
    with pytest.raises(PlanOutdated, match="is of another place") as raised:
        approved(path).check_target(elsewhere)
    assert "here it is other" in str(raised.value.evidence)


def test_a_file_of_another_state_or_another_aws_is_refused(
    path: Path, run: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlanOutdated, match="is of another place"):
        approved(path).check_target(session(tmp_path / "others"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(PlanOutdated) as raised:
        approved(path).check_target(run)
    assert raised.value.evidence == "aws: the plan's is real, here it is endpoint"


@pytest.mark.parametrize("destroy", [False, True])
def test_a_file_whose_time_is_over_is_refused(run: Session, path: Path, destroy: bool) -> None:
    write_plan(path, sealed(run, UPDATE, out=PlanOut(path, -1), destroy=destroy))
    with pytest.raises(PlanOutdated, match="has expired") as raised:
        approved(path).check_target(run)
    verb = "plan --destroy" if destroy else "plan"
    assert str(raised.value.hint).endswith(f"tapctl {verb} --env dev --out {path}")


def test_a_file_is_used_once(run: Session, path: Path) -> None:
    approval = approved(path)
    approval.check_target(run)
    approval.begin(run)
    approval.check_target(run)
    assert approval.end(run, 0) == 0
    with pytest.raises(PlanOutdated, match="was applied already") as raised:
        approval.check_target(run)
    assert run.id in str(raised.value.evidence)
    write_plan(path, sealed(run, UPDATE, out=PlanOut(path, 7200)))
    approved(path).check_target(run)  # another approval of the same plan


def test_a_file_that_is_another_s_is_refused_with_what_has_changed(run: Session, path: Path) -> None:
    approval = approved(path)
    approval.check(run, sealed(run, UPDATE), manifest())
    with pytest.raises(PlanOutdated, match="is not what would be done now") as raised:
        approval.check(run, sealed(run, UPDATE, OTHER), manifest())
    assert raised.value.evidence == "in AWS: sns-topic/alarms-dev: create was not approved"
    many = [replace(OTHER, address=f"sns-topic/{at}") for at in range(50)]
    with pytest.raises(PlanOutdated) as raised:
        approval.check(run, sealed(run, UPDATE, *many), manifest())
    assert str(raised.value.evidence).endswith("\nand 10 more")


def test_an_apply_that_was_cut_off_goes_on_where_nobody_else_was(run: Session, path: Path) -> None:
    write_plan(path, sealed(run, UPDATE, OTHER))
    approval = approved(path)
    approval.begin(run)
    assert approval.end(run, 4) == 4
    rest, record = sealed(run, OTHER), manifest()
    approval.check(run, rest, record.model_copy(update={"run": run.id}))
    with pytest.raises(PlanOutdated):
        approval.check(run, rest, record.model_copy(update={"run": "another"}))


def test_a_hash_has_to_be_that_of_the_plan_of_now(run: Session) -> None:
    today = sealed(run, UPDATE)
    take_approval(None, today.plan_hash, NO_PERMITS).check(run, today, manifest())
    assert run.invocation.usage.plan_hash == today.plan_hash
    with pytest.raises(PlanOutdated, match="is not what was approved"):
        take_approval(None, "0" * 64, NO_PERMITS).check(run, today, manifest())


def test_a_plan_that_has_to_be_made_anew_is_made_with_the_same_permits(run: Session, tmp_path: Path) -> None:
    given = Permits(adopted=("a/b",), allowed=("c/d", "e/f g"), reboot=True, restore="snap", empty=True)
    options = "--adopt a/b --allow c/d --allow 'e/f g' --reboot --restore snap --empty"
    with pytest.raises(PlanOutdated) as raised:
        take_approval(None, "0" * 64, given).check(run, sealed(run, UPDATE), manifest())
    assert str(raised.value.hint).endswith(f": tapctl plan --env dev {options}")
    path = tmp_path / "dev.plan of today"
    write_plan(path, sealed(run, UPDATE, out=PlanOut(path, -1), permits=given))
    with pytest.raises(PlanOutdated) as raised:
        approved(path).check_target(run)
    assert str(raised.value.hint).endswith(f": tapctl plan --env dev {options} --out '{path}'")


@pytest.mark.parametrize("runs", [None, []])
def test_what_keeps_the_plans_that_were_applied_is_read_with_suspicion(
    run: Session, path: Path, runs: list[str] | None
) -> None:
    use = {"hash": read_plan(path).hash, "runs": runs, "by": "x", "at": "x", "done": True}
    run.store.put_sidecar("dev", USED, json.dumps({"format": 1, "plans": [use]}).encode())
    with pytest.raises(ManifestError, match="keeps which plans were applied cannot be used"):
        approved(path).check_target(run)


def test_a_file_whose_use_cannot_be_recorded_is_not_applied(run: Session, path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / f".dev.{USED}.json.tmp").mkdir()
    with pytest.raises(StoreFailed):
        approved(path).begin(run)
    assert approved(path).end(run, 0) == 0  # all is made: a warning


def test_no_approval_is_an_approval_of_nothing_in_particular() -> None:
    assert not NO_APPROVAL.binds
