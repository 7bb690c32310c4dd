"""Plan files: canonical, sealed, read with suspicion, and compared to the field."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.engine.model import Impact, Retained
from tapctl.engine.plan import Action, Change, FieldChange
from tapctl.errors import PlanInvalid, PlanOutdated, PlanUnwritten
from tapctl.planning.permits import Permits
from tapctl.planning.plan_file import (
    MAX_BYTES,
    PlanFile,
    PlanOut,
    continues,
    differences,
    publish,
    read_plan,
    schema,
    write_plan,
)
from tapctl.session.session import Session
from tests.manifest.examples import manifest
from tests.planning.sealing import IMAGE, NETWORKING, edited, sealed, session
from tests.render.examples import change

jsonschema: Any = importlib.import_module("jsonschema")

FUNCTION = "lambda-function/payment-processor-dev"
WRITER = "db-instance/db-cluster-dev-0"
TIMEOUT = FieldChange("timeout_s", 15, 30)
CLASS = FieldChange("instance_class", "db.t4g.medium", "db.r6g.large", Impact.FAILOVER)


@pytest.fixture
def run(tmp_path: Path) -> Session:
    return session(tmp_path / "manifests")


def update(*fields: FieldChange, address: str = FUNCTION) -> Change:
    return change(address, Action.UPDATE, *fields)


def sha256(values: dict[str, Any], *without: str) -> str:
    """Hash as a reader of the contract would."""
    rest = {key: value for key, value in values.items() if key not in without}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_a_file_is_one_canonical_document_with_its_hash_for_its_owner_alone(run: Session, tmp_path: Path) -> None:
    path = tmp_path / "dev.plan"
    path.write_text('{"plan_hash": "an older one"}')
    path.chmod(0o644)
    file = sealed(run, update(TIMEOUT), out=PlanOut(path, 3600))
    write_plan(path, file)
    text = path.read_text()
    values = json.loads(text)
    assert text == json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert values["hash"] == sha256(values, "hash")
    assert values["plan_hash"] == sha256(values, "hash", "plan_hash", "created", "expires", "state")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["dev.plan"]
    assert read_plan(path) == file
    assert (values["networking"], values["image"], values["serial"]) == (NETWORKING, IMAGE, manifest().serial)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(values)


def test_two_plans_of_the_same_state_have_the_same_hash_whenever_they_are_made(tmp_path: Path) -> None:
    one = sealed(session(tmp_path / "here"), update(TIMEOUT), out=PlanOut(tmp_path, 60))
    other = sealed(session(tmp_path / "there"), update(TIMEOUT), out=PlanOut(tmp_path, 7200))
    assert one.plan_hash == other.plan_hash
    assert one.hash != other.hash


def test_what_needs_no_call_is_no_part_of_a_plan(run: Session) -> None:
    waiting, nothing = change(WRITER, Action.SETTLE), change("sns-topic/alarms-dev", Action.NOTHING)
    assert sealed(run, waiting, nothing).plan_hash == sealed(run).plan_hash


def test_no_secret_is_in_a_file_whatever_aws_told(run: Session) -> None:
    arn = "arn:aws:secretsmanager:us-east-2:123456789012:secret:rds!cluster-1"
    tags = FieldChange("tags", {"note": "password=hunter2", "at": arn, "all": ("AKIAABCDEFGHIJKLMNOP", 1)}, None)
    (planned,) = sealed(run, update(tags)).changes
    assert planned.fields[0].have == {"note": "***", "at": arn, "all": ["***", 1]}


def test_a_plan_that_is_blocked_is_not_written_and_another_is(run: Session, tmp_path: Path) -> None:
    out = PlanOut(tmp_path / "dev.plan")
    file = sealed(run, update(TIMEOUT))
    publish(run, file, out, blocked=True)
    assert not out.path.exists()
    publish(run, file, out, blocked=False)
    assert read_plan(out.path).plan_hash == file.plan_hash == run.invocation.usage.plan_hash


def test_a_file_that_cannot_be_written_leaves_what_was_there(run: Session, tmp_path: Path) -> None:
    with pytest.raises(PlanUnwritten, match="could not be written"):
        write_plan(tmp_path / "nowhere" / "dev.plan", sealed(run))
    (tmp_path / "dev.plan").mkdir()
    with pytest.raises(PlanUnwritten):
        write_plan(tmp_path / "dev.plan", sealed(run))
    assert [each.name for each in tmp_path.iterdir()] == ["dev.plan"]


@pytest.mark.parametrize(
    "there",
    ["protected = true\n", '{"entries": {}, "format": 1, "suffix": "dev"}', '["plan_hash"]', "[" * 100_000],
    ids=["a configuration", "a record", "a list", "deep"],
)
def test_a_plan_takes_the_place_of_no_other_file(run: Session, tmp_path: Path, there: str) -> None:
    path = tmp_path / "dev.toml"
    path.write_text(there)
    with pytest.raises(PlanUnwritten, match="is no plan file"):
        write_plan(path, sealed(run))
    assert path.read_text() == there
    assert [each.name for each in tmp_path.iterdir()] == ["dev.toml"]


def test_a_plan_takes_the_place_of_an_empty_file_and_of_no_pipe(run: Session, tmp_path: Path) -> None:
    empty, pipe = tmp_path / "dev.plan", tmp_path / "pipe"
    file = sealed(run)
    empty.touch()
    write_plan(empty, file)
    assert read_plan(empty) == file
    os.mkfifo(pipe)
    with pytest.raises(PlanUnwritten, match="could not be written") as raised:
        write_plan(pipe, file)
    assert raised.value.evidence == "it is a pipe, no plain file"
    assert pipe.is_fifo()


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "was cut off"),
    "cut": (lambda text: text[: len(text) // 2], "was cut off"),
    "deep": (lambda _: b"[" * 100_000, "was cut off"),
    "binary": (lambda _: b"\xff\xfe\x00", "is not UTF-8 text"),
    "a key twice": (lambda text: text.replace(b"{", b'{"format":1,', 1), "was cut off"),
    "huge": (lambda _: b" " * (MAX_BYTES + 1), "cannot be read"),
    "a list": (lambda _: b"[1]", "is no plan file"),
    "a manifest": (lambda _: b'{"format":1,"entries":{}}', "is no plan file"),
    "newer": (lambda text: text.replace(b'"format":1', b'"format":2'), "written by a newer tapctl"),
    "odd": (lambda text: text.replace(b'"format":1', b'"format":"1"'), "is no plan file"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_is_no_plan_is_told(run: Session, tmp_path: Path, how: str) -> None:
    path = tmp_path / "dev.plan"
    write_plan(path, sealed(run, update(TIMEOUT)))
    spoil, why = SPOILT[how]
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(PlanInvalid, match=why) as raised:
        read_plan(path)
    assert raised.value.exit_code == 3


def test_a_plan_of_another_user_is_none_where_others_may_write(
    run: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "dev.plan", tmp_path / "latest.plan"
    write_plan(path, sealed(run, update(TIMEOUT)))
    link.symlink_to(path)
    assert read_plan(link) == read_plan(path)
    monkeypatch.setattr(os, "geteuid", lambda: 77)
    status = [*path.stat()]
    status[stat.ST_UID] = 4_242
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(status))
    assert read_plan(path).suffix == "dev", "its owner alone may write to the folder"
    tmp_path.chmod(0o777)
    told = (
        (path, "it belongs to another user (uid 4242)", f"chmod go-w {tmp_path}"),
        (link, "it is a symbolic link", "name a file"),
    )
    for place, why, hint in told:
        with pytest.raises(PlanInvalid, match="cannot be read") as raised:
            read_plan(place)
        assert why in str(raised.value.evidence)
        assert hint in str(raised.value.hint)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid, match="cannot be read"):
        read_plan(tmp_path / "dev.plan")


@pytest.mark.parametrize("values", [{"expires": "2999-01-01T00:00:00Z"}, {"changes": []}, {"hash": "0" * 64}])
def test_an_edited_file_is_refused(run: Session, tmp_path: Path, values: dict[str, Any]) -> None:
    path = tmp_path / "dev.plan"
    write_plan(path, sealed(run, update(TIMEOUT)))
    edited(path, **values)
    with pytest.raises(PlanOutdated, match="was edited") as raised:
        read_plan(path)
    assert raised.value.exit_code == 8


# -- what has changed since --------------------------------------------------------------------------------------------


def otherwise(file: PlanFile, **values: Any) -> PlanFile:
    return file.model_copy(update=values)


def test_what_has_changed_since_is_told_by_its_place(run: Session) -> None:
    then = sealed(run, update(TIMEOUT, FieldChange("memory_mb", 1024, 2048)))
    today = sealed(
        run,
        update(replace(TIMEOUT, have=20), FieldChange("memory_mb", 1024, 4096)),
        permits=Permits(reboot=True),
        networking=NETWORKING | {"vpc_id": "vpc-2"},
        image="",
    )
    today = otherwise(today, tapctl="9.0", config_hash="d" * 64, serial=99)
    assert [*differences(then, today)] == [
        f"in tapctl: {then.tapctl} → 9.0",
        "in the files: config cccccccc → dddddddd",
        "in the flags: those that permit a step",
        f"in the record: serial {then.serial} → 99",
        "in AWS: networking vpc_id: vpc-1 → vpc-2",
        f"in AWS: image {IMAGE} → (none)",
        f"in AWS: {FUNCTION} timeout_s: 15 → 30 was approved, now 20 → 30",
        f"in the files: {FUNCTION} memory_mb: 1024 → 2048 was approved, now 1024 → 4096",
    ]


@pytest.mark.parametrize(
    ("then", "today", "told"),
    [
        (update(TIMEOUT), None, f"in AWS: {FUNCTION}: the approved update is not needed any more"),
        (None, update(TIMEOUT), f"in AWS: {FUNCTION}: update was not approved (timeout_s: 15 → 30)"),
        (None, change(WRITER, Action.DELETE), f"in AWS: {WRITER}: delete was not approved"),
        (
            update(TIMEOUT),
            change(FUNCTION, Action.CREATE),
            f"in AWS: {FUNCTION}: update was approved, now it is create",
        ),
        (
            update(TIMEOUT, FieldChange("tags.a", None, "x" * 99)),
            update(TIMEOUT),
            f"in AWS: {FUNCTION} tags.a: (none) → {'x' * 59}… was approved, now no change",
        ),
        (
            update(CLASS, address=WRITER),
            update(replace(CLASS, impact=Impact.OUTAGE), address=WRITER),
            f"in AWS: {WRITER} instance_class: failover was approved, now outage",
        ),
        (
            change(WRITER, Action.DELETE),
            replace(change(WRITER, Action.DELETE), impact=Impact.DATA_LOSS),
            f"in AWS: {WRITER}: none was approved, now data_loss",
        ),
    ],
)
def test_a_change_that_is_another_is_told(run: Session, then: Change | None, today: Change | None, told: str) -> None:
    before, after = (sealed(run, *filter(None, [each])) for each in (then, today))
    assert [*differences(before, after)] == [told]


def test_what_was_to_go_and_is_kept_now_is_told_as_kept(run: Session) -> None:
    before, after = sealed(run, change(WRITER, Action.DELETE), destroy=True), sealed(run, destroy=True)
    kept = {WRITER: Retained("you free it", "somebody uses it")}
    assert [*differences(before, after, kept)] == [
        f"in AWS: {WRITER}: delete was approved, now it is kept: somebody uses it"
    ]


def test_a_newer_tapctl_that_wants_otherwise_is_told_apart_from_the_files(run: Session) -> None:
    then, today = sealed(run, update(TIMEOUT)), sealed(run, update(replace(TIMEOUT, want=60)))
    assert [*differences(then, otherwise(today, tapctl="9.0"))][1:] == [
        f"in tapctl: {FUNCTION} timeout_s: 15 → 30 was approved, now 15 → 60"
    ]


# -- what an apply that was cut off has left ---------------------------------------------------------------------------

MADE = change(WRITER, Action.CREATE, CLASS)


@pytest.mark.parametrize(
    ("today", "is_rest"),
    [
        ((), True),
        ((update(TIMEOUT), MADE), True),
        ((update(CLASS, address=WRITER),), True),  # a create permits all of it
        ((update(FieldChange("tags.a", 1, 2)),), True),
        ((update(FieldChange("memory_mb", 1, 2)),), False),
        ((update(replace(TIMEOUT, impact=Impact.RESTART)),), False),
        ((change(FUNCTION, Action.REPLACE),), False),
        ((update(TIMEOUT, address="sns-topic/alarms-dev"),), False),
    ],
)
def test_the_rest_of_a_plan_wants_the_same_and_costs_no_more(
    run: Session, today: tuple[Change, ...], is_rest: bool
) -> None:
    then = sealed(run, update(TIMEOUT, FieldChange("tags.a", None, 2)), MADE)
    assert continues(then, sealed(run, *today)) is is_rest


@pytest.mark.parametrize(("code", "is_rest"), [("approved", True), ("other", False)])
@pytest.mark.parametrize("today", [Action.CREATE, Action.UPDATE])
def test_another_package_is_never_the_rest_of_a_plan(run: Session, today: Action, code: str, is_rest: bool) -> None:
    def made(action: Action, want: str) -> Change:
        return change("lambda-function/f", action, FieldChange("code_sha256", None, want))

    assert continues(sealed(run, made(Action.CREATE, "approved")), sealed(run, made(today, code))) is is_rest


@pytest.mark.parametrize(("today", "is_rest"), [(["a"], True), ([], True), (["a", "c"], False)])
def test_the_rest_of_a_destroy_ends_no_more_subscriptions(run: Session, today: list[str], is_rest: bool) -> None:
    then = sealed(run, MADE, destroy=True, ends=["a", "b"])
    assert continues(then, sealed(run, MADE, destroy=True, ends=today)) is is_rest


def test_with_other_files_nothing_is_the_rest_of_a_plan(run: Session) -> None:
    then = sealed(run, update(TIMEOUT))
    assert not continues(then, otherwise(then, config_hash="d" * 64))
