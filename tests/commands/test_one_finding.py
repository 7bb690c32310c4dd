"""Accept, revert and waive, where no AWS is needed: what may be written, and what is refused."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tapctl.clock import today
from tapctl.commands.accept import changed_beside, collect, edited, other_environments, write
from tapctl.commands.revert import without_allow
from tapctl.commands.waive import add_waivers, ahead, parse_day, tables_of, with_waivers
from tapctl.commands.writing import write_file
from tapctl.config import Edit
from tapctl.config.waivers import path_of
from tapctl.engine.drift import Finding, Reason
from tapctl.engine.plan import Action, Change
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ConfigError, ConsentMissing, Refused, UsageError
from tapctl.findings.revertible import revertible
from tapctl.safety.files import replace_file
from tapctl.session.session import Session
from tapctl.stack.package import build as build_package
from tests.support.config_folder import ENVIRONMENTS, Folder
from tests.support.offline_session import offline_session
from tests.support.recorded import recorded

FUNCTION = "lambda-function/payment-processor-dev"
ALARM = "cloudwatch-alarm/payment-processor-errors-dev"
LOGS = "log-group//aws/lambda/payment-processor-dev"
RDS_LOGS = "log-group//aws/rds/cluster/db-cluster-dev/postgresql"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    return offline_session(tmp_path, monkeypatch)


def found(address: str, field: str, live: Any, reason: Reason = Reason.CHANGED) -> Finding:
    return Finding(address, address.partition("/")[0], field, reason, "as it was", live)


# -- revert -----------------------------------------------------------------------------------------------------------


def test_a_revert_that_would_lose_data_names_what_may_be_done_instead(session: Session) -> None:
    asked = Change(LOGS, "log-group", LOGS, Action.NOTHING, blocked=ConsentMissing("it loses data", hint="--allow it"))
    error = without_allow(session, asked)
    assert isinstance(error, Refused)
    assert error.cause == "it loses data"
    assert error.hint == (
        f"if that is meant, and the files want it: tapctl apply --env dev --allow {LOGS}; "
        f"to keep what is there: tapctl accept --env dev {LOGS}"
    )
    other = Refused("it is not ours")
    assert without_allow(session, replace(asked, blocked=other)) is other


HANDLER = "handlers/payment_processor"


@pytest.mark.parametrize(
    ("place", "there", "is_left"),
    [
        ("Zip.code_sha256", "recorded", False),
        ("Zip.code_sha256", "another", True),
        ("Zip.code_sha256", "nothing", True),
        ("Zip.timeout_s", "nothing", False),
        ("Image.update_failure", "nothing", False),
    ],
)
def test_a_zip_is_put_back_where_it_is_at_hand(
    session: Session, tmp_path: Path, place: str, there: str, is_left: bool
) -> None:
    package, _, field = place.partition(".")
    handler = tmp_path / HANDLER
    handler.mkdir(parents=True)
    (handler / "index.js").write_text("as recorded")
    sha = build_package(handler).sha256_base64
    if there == "nothing":
        (handler / "index.js").unlink()
    elif there == "another":
        (handler / "index.js").write_text("newer")
    if package == "Zip":
        folder = Folder(session.invocation.config)
        folder.put("common", "processor.package", "zip").drop("common", "processor.image")
        session.loaded = folder.put("common", "processor.runtime", "nodejs22.x").load()["dev"]
    entries = recorded(session.config, session.names)
    made = entries[FUNCTION].model_copy(update={"spec": {**entries[FUNCTION].spec, "code_sha256": sha}})
    part = revertible(session, {**entries, FUNCTION: made}, [found(FUNCTION, field, "x")], {})
    assert [*part.left] == ([f"{FUNCTION}.{field}"] if is_left else [])
    assert part.fields == {FUNCTION: set() if is_left else {field}}


# -- accept ------------------------------------------------------------------------------------------------------------


def test_one_key_that_decides_two_findings_gets_one_value(session: Session) -> None:
    same = collect(session, [found(LOGS, "retention_days", 60), found(RDS_LOGS, "retention_days", 60)])
    assert (len(same.accepted), len(same.edits), same.refused) == (2, 1, {})
    differing = collect(session, [found(LOGS, "retention_days", 60), found(RDS_LOGS, "retention_days", 90)])
    assert (len(differing.accepted), len(differing.refused)) == (1, 1)
    assert "gets another value already" in differing.refused[f"{RDS_LOGS}.retention_days"]


def test_what_no_key_decides_is_refused(session: Session) -> None:
    result = collect(session, [found(FUNCTION, "*", None, Reason.ABSENT), found(FUNCTION, "tracing", "PassThrough")])
    assert (result.accepted, len(result.refused)) == ([], 2)


def test_of_what_reports_hide_accept_says_that_nobody_has_seen_it(session: Session) -> None:
    unseen = [
        found(FUNCTION, "tags.ApiToken", "payments"),
        found(FUNCTION, "environment.NODE_OPTIONS", "(hidden)"),
        found(FUNCTION, "dead_letter", "token=hunter22"),
    ]
    result = collect(session, unseen)
    assert result.edits == {}
    why = "reports hide its value, so that nobody has seen it; if it is meant, write it into the files by hand"
    assert [*result.refused.values()] == [why, why, "no key of the files may want this"]
    (about,) = collect(session, [found(FUNCTION, "tags.TokenTeam", "payments")]).edits.values()
    assert (about.key, about.value) == (("tags", "TokenTeam"), "payments")


def test_an_edit_tells_which_environments_and_fields_want_it_too(session: Session) -> None:
    logs = collect(session, [found(LOGS, "retention_days", 60)])
    edits = list(logs.edits.values())
    assert other_environments(session, edits) == ["prod", "staging"]
    assert f"{RDS_LOGS}.retention_days" in changed_beside(session, edits, logs.accepted)
    memory = collect(session, [found(FUNCTION, "memory_mb", 2048)])
    assert other_environments(session, list(memory.edits.values())) == []
    assert changed_beside(session, list(memory.edits.values()), memory.accepted) == []


def test_values_that_are_right_alone_and_wrong_together_are_refused(session: Session) -> None:
    cluster = "db-cluster/db-cluster-dev"
    both = [found(cluster, "backup_window", "08:00-09:00"), found(cluster, "maintenance_window", "sun:08:00-sun:08:30")]
    assert [collect(session, [one]).refused for one in both] == [{}, {}]
    with pytest.raises(Refused, match="would not be valid with the live values"):
        collect(session, both)


def test_a_value_that_another_one_moves_is_accepted_alone(session: Session) -> None:
    with pytest.raises(Refused, match="would not be wanted beside the other values"):
        collect(
            session,
            [
                found("db-instance/db-cluster-dev-0", "instance_class", "db.r6g.large"),
                found("cloudwatch-alarm/db-connections-0-dev", "threshold", 200.0),
            ],
        )


def test_a_resource_that_an_edit_adds_is_no_changed_field(session: Session) -> None:
    beside = changed_beside(session, [Edit("dev", ("database", "instance_count"), 2)], [])
    assert not [one for one in beside if one.startswith("db-instance/db-cluster-dev-1")]


def test_an_environment_that_is_wrong_already_stops_nothing(session: Session) -> None:
    (session.invocation.config / "prod.toml").write_text("no toml")
    result = collect(session, [found(LOGS, "retention_days", 60)])
    assert other_environments(session, list(result.edits.values())) == ["staging"]


def test_comments_and_layout_are_kept_and_a_removed_key_is_gone(session: Session) -> None:
    for path in ENVIRONMENTS.glob("*.toml"):
        (session.invocation.config / path.name).write_text(path.read_text())
    file = session.invocation.config / "dev.toml"
    text = file.read_text().replace("memory_mb", "# as measured\nmemory_mb")
    file.write_text(text)
    edits = list(collect(session, [found(FUNCTION, "memory_mb", 2048)]).edits.values())
    before, after = edited(file, edits)
    assert (before, after) == (text, text.replace("memory_mb = 1024", "memory_mb = 2048"))
    write({file: (before, after)})
    other = session.invocation.config / "common.toml"
    common = other.read_text()
    with pytest.raises(Refused, match="was changed meanwhile, and nothing was changed"):
        write({other: (common, "no more"), file: (before, after)})
    assert other.read_text() == common
    file.unlink()
    with pytest.raises(Refused, match="was changed meanwhile"):
        write({file: (before, after)})


def test_the_ends_of_a_files_lines_are_kept(session: Session) -> None:
    file = session.invocation.config / "dev.toml"
    text = (ENVIRONMENTS / "dev.toml").read_text().replace("\n", "\r\n")
    file.write_bytes(text.encode())
    edits = list(collect(session, [found(FUNCTION, "memory_mb", 2048)]).edits.values())
    before, after = edited(file, edits)
    write({file: (before, after)})
    assert file.read_bytes().decode() == text.replace("memory_mb = 1024", "memory_mb = 2048")
    waivers = path_of(session.invocation.config)
    waivers.write_bytes(b"# ours\r\n")
    write_file(waivers, with_waivers(waivers, [row()], ("dev",)))
    assert waivers.read_bytes().count(b"\n") == waivers.read_bytes().count(b"\r\n") > 5


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_file(tmp_path / "folder", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o600)
    (tmp_path / "link").symlink_to("file")
    replace_file(tmp_path / "link", "new")
    assert ((tmp_path / "file").read_text(), (tmp_path / "file").stat().st_mode & 0o777) == ("new", 0o600)
    assert (tmp_path / "link").is_symlink()


# -- revert ------------------------------------------------------------------------------------------------------------


def test_what_is_half_made_is_finished_by_an_apply(session: Session) -> None:
    asked, confirmed = {"retention_days": 30}, {"retention_days": 7}
    half = Entry(type="log-group", id="x", phase=Phase.MAKING, spec=asked, confirmed=confirmed)
    part = revertible(session, {half.address: half}, [found(half.address, "retention_days", 1)], {})
    assert dict(part.fields) == {}
    assert part.left == {"log-group/x.retention_days": "an apply did not finish there: run it again"}


def test_what_another_tapctl_recorded_is_no_value_to_go_back_to_and_stops_no_other(session: Session) -> None:
    entries = recorded(session.config, session.names)
    older = entries[LOGS].model_copy(update={"spec": {"retention_days": 1}})
    findings = [found(LOGS, "retention_days", 1), found(FUNCTION, "timeout_s", 1)]
    part = revertible(session, {**entries, LOGS: older}, findings, {})
    assert part.fields == {FUNCTION: {"timeout_s"}}
    assert [*part.left] == [f"{LOGS}.retention_days"]
    assert "another version of tapctl recorded it" in part.left[f"{LOGS}.retention_days"]


# -- waive -------------------------------------------------------------------------------------------------------------


def test_a_day_is_a_date_or_so_many_days(session: Session) -> None:
    assert parse_day("30d") == today() + timedelta(days=30)
    assert parse_day("2999-12-31").year == 2999
    for text in ("soon", "2020-01-01"):
        with pytest.raises(UsageError):
            parse_day(text)


def test_a_waiver_may_be_written_ahead_of_the_difference(session: Session) -> None:
    assert ahead("lambda-function/*.tags.aws-backup:*", ()) == {
        "address": "lambda-function/*",
        "field": "tags.aws-backup:*",
    }
    known = ["sns-subscription/t/email:on.call@example.com"]
    assert ahead(f"{known[0]}.tags.x", known) == {"address": known[0], "field": "tags.x"}
    assert ahead("*/x.tags.y", ())["address"] == "*/x"
    with pytest.raises(Refused, match="tells whose the resource is, and is never waived"):
        ahead("*/x.tags.ManagedBy", ())
    owners = [found(FUNCTION, f"tags.{tag}", None) for tag in ("ManagedBy", "EnvironmentSuffix", "Environment")]
    assert list(tables_of(owners)) == []
    for target, why in (("lambda-function/f", "names no field"), ("lambda/f.timeout_s", "is no address")):
        with pytest.raises(UsageError, match=why):
            ahead(target, ())


def test_of_several_items_in_one_place_each_waiver_names_its_own(session: Session) -> None:
    members = {"address": "db-cluster/db-cluster-dev", "field": "members"}
    names = ("db-instance/a", "db-instance/b")
    strangers = [found(members["address"], members["field"], name, Reason.NOT_OURS) for name in names]
    assert list(tables_of([strangers[0]])) == [{**members, "live": "db-instance/a"}]
    assert [one["live"] for one in tables_of([*strangers, strangers[0]])] == ["db-instance/a", "db-instance/b"]
    places = [("layers", ("arn:x:1",), '["arn:x:1"]'), ("file_systems", "arn:f at /mnt/x", "arn:f at /mnt/x")]
    for field, live, named in places:
        assert [one["live"] for one in tables_of([found(FUNCTION, field, live)])] == [named]
    gone = replace(found(ALARM, "alarm_actions", None), item=True)
    assert [one["live"] for one in tables_of([gone])] == ["- as it was"]
    # A tag has a name, and no value of it does anything: another one later is the same difference.
    for field in ("tags.aws-backup:plan", "description"):
        assert list(tables_of([found(FUNCTION, field, "60")])) == [{"address": FUNCTION, "field": field}]


def row(**more: Any) -> dict[str, Any]:
    waiver = {"environment": "dev", "address": FUNCTION, "field": "tags.x", "owner": "dana", "reason": "the platform"}
    return {**waiver, "until": today() + timedelta(days=9), **more}


@pytest.mark.parametrize(
    ("address", "field", "named"),
    [
        ("iam-role/lambda-role-dev", "permissions_boundary", True),
        ("rds-event-subscription/db-cluster-events-dev", "topic_arn", True),
        (LOGS, "kms_key_arn", True),
        (LOGS, "retention_days", True),
        (FUNCTION, "memory_mb", True),
        (FUNCTION, "update_failure", True),
        ("db-cluster/db-cluster-dev", "engine_version", True),
        ("db-cluster/db-cluster-dev", "tags.tapctl:final-snapshot", True),
        ("db-cluster/db-cluster-dev", "tags.CostCenter", False),
    ],
)
def test_a_waiver_is_of_one_value_alone_but_of_a_tag_of_others(address: str, field: str, *, named: bool) -> None:
    (table,) = tables_of([found(address, field, "arn:aws:iam::123456789012:policy/payments-boundary")])
    assert ("live" in table) is named
    # That nothing is there is a value as any other.
    (gone,) = tables_of([found(address, field, "")])
    assert gone == {"address": address, "field": field} | ({"live": ""} if named else {})


def test_nothing_is_put_back_that_the_record_alone_calls_ours_or_no_files_want(session: Session) -> None:
    entries = recorded(session.config, session.names)
    subscription = Entry(
        type="sns-subscription",
        id="alarms-dev/arn:aws:sqs:us-east-2:123456789012:secops-pager",
        phase=Phase.MADE,
        spec={"topic_arn": "arn", "protocol": "sqs", "endpoint": "arn:aws:sqs:us-east-2:123456789012:secops-pager"},
        outputs={"topic_arn": "arn"},
    )
    alarm = entries["cloudwatch-alarm/db-cpu-0-dev"].model_copy(update={"id": "queue-depth-dev"})
    findings = [
        found(subscription.address, "filter_policy", ""),
        found(alarm.address, "actions_enabled", True),
        found(alarm.address, "description", "x"),
    ]
    more = {one.address: one for one in (subscription, alarm)}
    part = revertible(session, {**entries, **more}, findings, {})
    assert [*part.left] == [f"{subscription.address}.filter_policy", f"{alarm.address}.actions_enabled"]
    assert "nothing but the record says" in part.left[f"{subscription.address}.filter_policy"]
    assert part.fields[alarm.address] == {"description"}


def test_a_file_of_dotted_keys_that_would_be_spoilt_is_not_edited(session: Session) -> None:
    path = session.invocation.config / "dev.toml"
    path.write_text("processor.memory_mb = 1024\nalarms.error_threshold = 1\n")
    assert "memory_mb = 2048" in edited(path, [Edit("dev", ("processor", "memory_mb"), 2048)])[1]
    with pytest.raises(Refused, match="cannot edit") as refused:
        edited(path, [Edit("dev", ("processor", "image", "tag"), "2")])
    assert "processor.image.tag" in str(refused.value.hint)


def test_the_same_waiver_again_is_prolonged_and_comments_are_kept(session: Session) -> None:
    path = path_of(session.invocation.config)
    path.write_text(with_waivers(path, [row()], ("dev",)) + "# the end\n")
    longer = with_waivers(path, [row(until=today() + timedelta(days=19)), row(field="tags.y")], ("dev",))
    assert (longer.count("[[waiver]]"), "# the end" in longer) == (2, True)
    assert [longer.count(str(today() + timedelta(days=days))) for days in (9, 19)] == [1, 1]


@pytest.mark.parametrize(
    "layout",
    [
        *(
            "",
            "# nothing yet",
            "waiver = []",
            "waiver = [ # none\n]",
            "waiver = [{INLINE}]",
            "waiver = [\n {INLINE},\n]",
        ),
        *("[[waiver]]\nKEYS", "[[waiver]]\nKEYS # the end", "[[waiver]]\r\nKEYS\r\n", "[[waiver]]\r\nKEYS"),
    ],
)
def test_a_waiver_is_written_beside_the_others_however_the_file_is_laid_out(session: Session, layout: str) -> None:
    keys = [f"{name} = {value if name == 'until' else json.dumps(value)}" for name, value in row().items()]
    text = layout.replace("INLINE", ", ".join(keys)).replace("KEYS", ("\r\n" if "\r" in layout else "\n").join(keys))
    path = path_of(session.invocation.config)
    path.write_text(text, newline="")
    waivers = tomllib.loads(with_waivers(path, [row(field="tags.y")], ("dev",)))["waiver"]
    assert waivers == [*tomllib.loads(text).get("waiver", []), row(field="tags.y")]


def test_a_waiver_of_an_item_that_was_taken_away_takes_the_place_of_an_earlier_tapctls(session: Session) -> None:
    path = path_of(session.invocation.config)
    gone = {"address": "security-group-rules/lambda-sg-dev", "field": "rules"}
    others = [row(**gone, live="+ x"), row(**gone, live="null", environment="prod")]
    path.write_text(with_waivers(path, [row(**gone, live="null"), *others], ("dev", "prod")) + "# the end\n")
    now = with_waivers(path, [row(**gone, live="- egress 10.0.0.0/8 tcp/443")], ("dev", "prod"))
    waivers = tomllib.loads(now)["waiver"]
    assert [(one["environment"], one["live"]) for one in waivers] == [
        ("dev", "+ x"),
        ("prod", "null"),
        ("dev", "- egress 10.0.0.0/8 tcp/443"),
    ]
    assert "# the end" in now


@pytest.mark.parametrize("wrong", [{"until": today() + timedelta(days=91)}, {"reason": "…"}, {"field": "nothing"}])
def test_a_waiver_that_would_be_refused_is_not_written(session: Session, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        with_waivers(path_of(session.invocation.config), [row(**wrong)], ("dev",))


def test_a_waiver_is_written_beside_one_of_a_clock_of_tomorrow(session: Session) -> None:
    path = path_of(session.invocation.config)
    last = today() + timedelta(days=90)
    path.write_text(with_waivers(path, [row(until=last)], ("dev",)).replace(str(last), str(last + timedelta(days=1))))
    assert with_waivers(path, [row(field="tags.y")], ("dev",)).count("[[waiver]]") == 2


def at_once(count: int, work: Callable[[int], None]) -> list[Refused]:
    """Do this so often side by side; returns what was refused."""
    refused: list[Refused] = []
    ready = threading.Barrier(count)

    def one(number: int) -> None:
        ready.wait()
        try:
            work(number)
        except Refused as error:
            refused.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


def test_of_waivers_that_are_written_at_once_none_is_lost(session: Session) -> None:
    path = path_of(session.invocation.config)
    assert at_once(8, lambda number: add_waivers(path, [row(field=f"tags.A{number}")], ("dev",))) == []
    assert path.read_text().count("[[waiver]]") == 8


def test_of_edits_that_are_accepted_at_once_one_is_written_and_the_others_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "dev.toml"
    file.write_text("before")
    refused = at_once(4, lambda number: write({file: ("before", f"after {number}")}))
    assert [one.cause.partition(", and")[0] for one in refused] == [f"{file} was changed meanwhile"] * 3
    assert file.read_text().startswith("after")


def test_no_waiver_is_written_where_the_folder_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="file cannot be written"):
        add_waivers(tmp_path / "file" / "waivers.toml", [row()], ("dev",))


def test_a_file_of_waivers_that_cannot_be_read_is_not_overwritten(session: Session) -> None:
    path = path_of(session.invocation.config)
    path.write_text("no toml")
    with pytest.raises(ConfigError):
        with_waivers(path, [row()], ("dev",))


def test_a_file_gets_its_own_edits_alone(tmp_path: Path) -> None:
    file = tmp_path / "dev.toml"
    file.write_text("protected = false # for now\n")
    edits = [Edit("common", ("service",), "other"), Edit("dev", ("protected",), True)]
    assert edited(file, edits) == ("protected = false # for now\n", "protected = true # for now\n")


def test_a_waiver_writes_no_secret_into_a_file() -> None:
    finding = found("sns-topic/alarms-dev", "further", "DeliveryPolicy is token=hunter55hunter55")
    with pytest.raises(Refused, match="further holds what looks like a secret"):
        list(tables_of([finding]))
