"""What the files want beside the record: a plan against recorded state, without a call to AWS."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.aws.policy import allow, policy
from tapctl.engine import refs
from tapctl.engine.model import Observed, Pending, Spec
from tapctl.engine.observe import Absent
from tapctl.engine.plan import FieldChange
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.final_snapshot import snapshot_stays_due
from tapctl.evidence.pending_changes import is_there, pending_changes, recorded_network
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import registry
from tapctl.reconcilers.iam_role import IamRoleSpec
from tapctl.render import choose_screen
from tapctl.render.reports import wanted_lines
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tapctl.stack.definition import Artifact, build
from tapctl.stack.network import NetworkContract
from tapctl.stack.package import Package
from tests.manifest.examples import manifest
from tests.support.additions import BOUNDARY
from tests.support.config_folder import Folder

URI = "123456789012.dkr.ecr.us-east-2.amazonaws.com/payment-processor@sha256:" + "a" * 64
STATEMENT, OTHER = allow("S", ["s3:GetObject"], ["*"]), allow("T", ["s3:GetObject"], ["*"])
NETWORK = NetworkContract(reference="cloudformation:networking-dev", vpc_id="vpc-1", subnet_ids=("s-1",), zones=("a",))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def session(folder: Folder) -> Session:
    aws = Aws(Connection("us-east-2"))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    target = Target("dev", "dev", account="123456789012", region="us-east-2")
    return Session(
        Invocation("drift", config=folder.path),
        screen,
        folder.load()["dev"],
        target,
        aws,
        open_store(str(folder.path / "state"), None),
    )


def recorded(run: Session) -> Manifest:
    """The record of an apply of these files."""
    known: dict[str, dict[str, str]] = {}
    entries = []
    code = Artifact(image_uri=URI)
    if run.config.processor.package == "zip":
        code = Artifact(package=Package("handler.zip", "sha", b"zip"))
    for resource in build(run.config, run.names, NETWORK, code):
        known[resource.address] = dict.fromkeys(registry()[resource.type].outputs.model_fields, "x")
        spec = refs.to_json(refs.resolve(resource.spec, known))
        made = Entry(type=resource.type, id=resource.id, phase=Phase.MADE, spec=spec, outputs=known[resource.address])
        entries.append(made.model_copy(update={"needs": tuple(sorted(resource.needs))}))
    return manifest(*entries).model_copy(update={"networking": NETWORK.model_dump(mode="json")})


def _subscribed(run: Session, phase: Phase) -> tuple[Manifest, Entry]:
    """The record with a subscriber besides, whom the files do not name."""
    outputs = {"topic_arn": "x", "confirmed": ""}
    spec = {"topic_arn": "x", "protocol": "email", "endpoint": "a@example.com"}
    entry = Entry(type="sns-subscription", id="alarms-dev/email:a@example.com", phase=phase, spec=spec, outputs=outputs)
    made = recorded(run)
    return made.model_copy(update={"entries": {**made.entries, entry.address: entry}}), entry


@pytest.mark.parametrize(
    ("phase", "pending", "told"),
    [
        (Phase.MADE, True, "0 to create · 0 to change · 1 to remove"),
        (Phase.MADE, False, "0 to create · 0 to change · 0 to remove · 1 blocked"),
        (Phase.KEPT, True, None),
        (Phase.KEPT, False, "0 to create · 0 to change · 0 to remove · 1 blocked"),
        (Phase.KEPT, None, None),
    ],
)
def test_a_subscriber_who_is_named_no_longer_is_counted_as_by_a_plan(
    folder: Folder, phase: Phase, pending: bool | None, told: str | None
) -> None:
    run = session(folder)
    made, entry = _subscribed(run, phase)
    spec = registry()[entry.type].spec.model_validate(entry.spec)
    outputs = registry()[entry.type].outputs.model_validate(entry.outputs)
    later = {"endpoint": Pending("its receiver confirms it", "")} if pending else {}
    live: Any = Observed(spec, outputs, owner=run.owner, pending=later) if pending is not None else Absent()
    wanted = pending_changes(run, made, {entry.address: live})
    assert (wanted and wanted.summary) == told


def test_what_was_applied_wants_nothing_more(folder: Folder) -> None:
    run = session(folder)
    assert pending_changes(run, recorded(run), {}) is None


def test_each_kind_of_change_is_counted(folder: Folder) -> None:
    record = recorded(session(folder))
    for name in ("cloudwatch-alarm/payment-processor-throttles-dev", "sns-topic/alarms-dev"):
        record.entries.pop(name)
    superseded = Entry(type="db-parameter-group", id="db-instance-params-pg15-dev", phase=Phase.MADE, spec={})
    gone = {"type": "log-group", "id": "/aws/lambda/payment-processor-dev", "phase": Phase.LEAVING}
    left = {
        superseded.address: superseded,
        "log-group//aws/lambda/payment-processor-dev": Entry.model_validate({**gone, "spec": {}}),
    }
    record = record.model_copy(update={"entries": {**record.entries, **left}})
    run = session(folder.put("dev", "processor.memory_mb", 2048))
    wanted = pending_changes(run, record, {})
    assert wanted is not None
    assert wanted.summary.startswith("2 to create · 1 to change · 0 to remove")
    assert wanted.command.startswith("tapctl plan --env dev")


def test_what_an_apply_leaves_or_refuses_unless_it_is_allowed_is_not_told_as_done(folder: Folder) -> None:
    folder.put("common", "organisation", {"permissions_boundary": BOUNDARY}).put("common", "logs.retention_days", 90)
    record = recorded(session(folder))
    folder.drop("common", "organisation")
    run = session(folder)
    assert pending_changes(run, record, {}) is None
    everything = pending_changes(run, record, {}, all_allowed=True)
    assert everything is not None
    assert [change.type for change in everything.plan.work] == ["iam-role"]
    run = session(folder.put("common", "logs.retention_days", 30))
    refused = pending_changes(run, record, {})
    assert refused is not None
    assert refused.summary == "0 to create · 0 to change · 0 to remove · 2 blocked · 2 lose data"
    assert wanted_lines(refused)[0] == f"  the files want more than the record: {refused.summary}"


def test_another_image_is_seen_where_the_record_cannot_be_of_it(folder: Folder) -> None:
    record = recorded(session(folder))
    run = session(folder.put("common", "processor.image.repository", "another"))
    wanted = pending_changes(run, record, {})
    assert wanted is not None
    assert [change.type for change in wanted.plan.work] == ["lambda-function"]


def test_a_final_snapshot_that_stays_due_is_no_change(folder: Folder) -> None:
    run = session(folder)
    record = recorded(run)
    record.entries["db-cluster/db-cluster-dev"].spec["tags"]["tapctl:final-snapshot"] = "true"
    wanted = pending_changes(run, record, {})
    # The key's tag alone follows: it has the longer window where a snapshot is due.
    assert wanted is not None
    assert [change.type for change in wanted.plan.work] == ["kms-key"]


@pytest.mark.parametrize(
    ("record", "tag", "due"),
    [
        ("false", "true", True),  # somebody has written into the record
        ("true", "false", True),  # somebody has set the tag
        ("false", "any word", True),
        ("", "false", True),  # the record lacks it
        (None, "true", True),  # there is no record of it
        (None, None, False),
        ("false", "false", False),
        ("false", "", False),
        ("false", None, False),
    ],
)
def test_a_final_snapshot_stays_due_by_the_record_or_by_the_tag(
    folder: Folder, record: str | None, tag: str | None, due: bool
) -> None:
    run, cluster, name = session(folder), "db-cluster/db-cluster-dev", "tapctl:final-snapshot"
    told = recorded(run)
    known = told.entries[cluster]
    if record is None:
        told.entries.pop(cluster)
    else:
        known.spec["tags"] = {name: record} if record else {}
    live = registry()["db-cluster"].spec.model_validate({**known.spec, "tags": {name: tag} if tag else {}})
    seen: Observed[Any, Any] = Observed(live, None)
    observed = {cluster: Absent() if tag is None else seen}
    assert snapshot_stays_due(run, told.entries, observed) is due
    if tag == "true":
        unread = replace(seen, unreadable={"tags": "rds:ListTagsForResource"})
        assert not snapshot_stays_due(run, told.entries, {cluster: unread}), "what stands in for it is no word of AWS's"
        written = session(folder.put("dev", "final_snapshot", False))
        assert not snapshot_stays_due(written, told.entries, observed)


def test_where_nobody_can_tell_nothing_is_told(folder: Folder) -> None:
    run = session(folder)
    assert pending_changes(run, recorded(run).model_copy(update={"networking": {}}), {}) is None


def test_a_zip_that_cannot_be_made_here_counts_as_recorded_and_hides_nothing_else(folder: Folder) -> None:
    folder.put("common", "processor.package", "zip").drop("common", "processor.image")
    run = session(folder.put("common", "processor.runtime", "nodejs22.x"))
    record = recorded(run)
    assert pending_changes(run, record, {}) is None, "there is no handler beside these files"
    (function,) = [one for one in record.entries.values() if one.type == "lambda-function"]
    function.spec["timeout_s"] = 31
    wanted = pending_changes(run, record, {})
    assert wanted is not None
    assert [(one.address, [field.path for field in one.fields]) for one in wanted.plan.work] == [
        (function.address, ["timeout_s"])
    ]


def test_the_files_own_ids_are_the_network_that_they_want(folder: Folder) -> None:
    ids = {
        "vpc_id": "vpc-0123456789abcdef0",
        "private_subnet_ids": ["subnet-0000000000000000a", "subnet-0000000000000000b"],
    }
    folder.put("dev", "networking", "static").put("dev", "network", ids)
    forged = manifest().model_copy(update={"networking": NETWORK.model_dump(mode="json")})
    told = recorded_network(forged, folder.load()["dev"])
    assert (told.vpc_id, list(told.subnet_ids)) == (ids["vpc_id"], ids["private_subnet_ids"])


class Closed(Spec):
    """A spec with a value, members and a set."""

    days: int
    tags: Mapping[str, str]
    rules: frozenset[str]


@pytest.mark.parametrize(
    ("field", "there"),
    [
        (FieldChange("days", 30, 60), True),
        (FieldChange("days", 60, 30), False),
        (FieldChange("tags.Team", None, "blue"), True),
        (FieldChange("tags.Team", None, "red"), False),
        (FieldChange("tags.Gone", "x", None), True),
        (FieldChange("rules", None, "a"), True),
        (FieldChange("rules", None, "b"), False),
        (FieldChange("rules", "b", None), True),
        (FieldChange("rules", "a", None), False),
    ],
)
def test_what_is_there_already_is_no_change_that_an_apply_makes(field: FieldChange, there: bool) -> None:
    spec = Closed(days=60, tags={"Team": "blue"}, rules=frozenset({"a"}))
    assert is_there(field, Observed(spec, None)) is there
    assert not is_there(field, Absent())


@pytest.mark.parametrize(
    ("field", "there"),
    [
        (FieldChange("inline.p.statements", STATEMENT, None), False),
        (FieldChange("inline.p.statements", None, STATEMENT), True),
        (FieldChange("inline.p.statements", OTHER, None), True),
        (FieldChange("inline.p.statements", None, OTHER), False),
        (FieldChange("inline.q.statements", None, OTHER), False),
        (FieldChange("inline.q.statements", OTHER, None), True),
    ],
)
def test_a_statement_that_is_to_go_is_there_until_it_has_gone(field: FieldChange, there: bool) -> None:
    role = IamRoleSpec(trust=policy(), inline={"p": policy(STATEMENT)}, description="", tags={})
    assert is_there(field, Observed(role, None)) is there
