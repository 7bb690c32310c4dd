"""A cluster that is to be made: blocked where it, or a snapshot of it, tells of data that it would not have."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.engine.observe import Absent
from tapctl.engine.plan import Action, Change
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsRefused
from tapctl.evidence.unfinished_apply import continuing
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest, empty
from tapctl.planning.permits import NO_PERMITS, Permits
from tapctl.planning.restore import plan_restore
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.reconcilers.cases import db_cluster as case
from tests.reconcilers.scripted import DENIED, answer, refuse
from tests.support.config_folder import Folder

ID = "db-cluster-dev"
ADDRESS = f"db-cluster/{ID}"
HELD = {"Engine": "aurora-postgresql", "MasterUsername": "payments_admin", "StorageEncrypted": True}
OURS = [{"Key": key, "Value": value} for key, value in Owner.ours("dev", "dev").tags.items()]
KEYS = ("key_one", "key_two", "sg_one", "sg_two", "subnets_one", "subnets_two")
WANT = case.examples(dict.fromkeys(KEYS, "x"))[0]
"""The wanted cluster, where nothing is restored."""
CREATION = Change(ADDRESS, "db-cluster", ID, Action.CREATE)


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, aws: Aws, said: io.StringIO) -> Session:
    folder = Folder(tmp_path / "environments")
    screen = choose_screen(io.StringIO(), said, {"TERM": "dumb"})
    store = open_store(str(tmp_path / "manifests"), None)
    return Session(Invocation("plan"), screen, folder.load()["dev"], Target("dev", "dev"), aws, store)


def snapshot(name: str, day: int, cluster: str = ID, status: str = "available") -> dict[str, Any]:
    taken = datetime(2026, 11, day, tzinfo=UTC)
    named: dict[str, Any] = {
        "DBClusterSnapshotIdentifier": name,
        "DBClusterIdentifier": cluster,
        "Status": status,
        "TagList": OURS,
    }
    named |= HELD
    return {**named, "ClusterCreateTime": datetime(2026, 10, 1, tzinfo=UTC), "SnapshotCreateTime": taken}


def entry(phase: Phase, confirmed: dict[str, Any] | None = None) -> Entry:
    return Entry(type="db-cluster", id=ID, phase=phase, spec={}, confirmed=confirmed)


def record(entry: Entry | None = None, restoring: str = "") -> Manifest:
    base = empty(environment="dev", suffix="dev", account="123456789012", region="us-east-2")
    return base.model_copy(update={"entries": {ADDRESS: entry} if entry else {}, "restoring": restoring})


def planned(session: Session, *snapshots: Any, entry: Entry | None = None, permits: Permits = NO_PERMITS) -> Change:
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [*snapshots]})
    return plan_restore(session, permits, CREATION, WANT, record(entry))


TAKEN = [snapshot(f"by-dana-{day}", day) for day in range(1, 8)]
OTHERS = [snapshot(f"{ID}-final-x", 20, "of-somebody-else"), snapshot("broken", 21, status="failed")]


def test_any_snapshot_of_this_very_cluster_blocks_an_empty_one(session: Session) -> None:
    blocked = planned(session, *TAKEN, *OTHERS).blocked
    assert blocked is not None
    assert (blocked.exit_code, blocked.cause) == (
        6,
        f"{ADDRESS} is not there, and snapshots of its name are: what is made now would be empty",
    )
    assert str(blocked.evidence).splitlines() == [*(f"by-dana-{day}" for day in range(7, 2, -1)), "and 2 older"]
    assert "--restore by-dana-7 makes it from that; --empty makes a new one" in str(blocked.hint)
    allowed = planned(session, permits=Permits(empty=True))
    assert (allowed.blocked, allowed.note) == (None, "made empty; by-dana-7 stays")


EVIL = snapshot("evil", 25) | {"MasterUsername": "mallory", "StorageEncrypted": False, "TagList": []}
FITTING = snapshot("odd", 24) | {"TagList": []}


def test_no_snapshot_of_somebody_else_s_cluster_of_our_name_is_advised(session: Session) -> None:
    blocked = planned(session, *TAKEN[:1], FITTING, EVIL).blocked
    assert blocked is not None
    first, *others = str(blocked.evidence).splitlines()
    untagged = "it does not bear the tags of dev"
    misfits = "its master user is mallory, wanted is payments_admin; its encryption is False, wanted is True"
    assert first == f"evil: {misfits}; {untagged}"
    assert others == [f"odd: {untagged}", "by-dana-1"]
    assert "--restore by-dana-1 makes it from that; --empty" in str(blocked.hint)


TOKEN = "5hdoraiu94npppx9hw65gqaa0w"
FINAL = snapshot(f"{ID}-final-{TOKEN}", 20) | {"DbClusterResourceId": f"cluster-{TOKEN.upper()}"}
KEPT_KEY = Entry(type="kms-key", id="alias/db-key-dev", phase=Phase.KEPT, spec={})


def test_no_snapshot_that_no_destroy_can_have_left_is_advised_as_a_final_one(session: Session) -> None:
    """Anybody may make a cluster of our name, copy our tags, and choose the name of a snapshot."""
    named = (
        snapshot(f"{ID}-final-zz1", 25),
        snapshot(f"{ID}-final-{TOKEN}-2", 24) | {"DbClusterResourceId": "cluster-X"},
    )
    blocked = planned(session, FINAL, *reversed(named)).blocked
    assert blocked is not None
    assert str(blocked.evidence).splitlines() == [
        f"{ID}-final-zz1: it is named like a final snapshot, without the id of a cluster in its name",
        f"{ID}-final-{TOKEN}-2: it is named like a final snapshot, of another cluster",
        f"{ID}-final-{TOKEN}",
    ]
    assert f"--restore {ID}-final-{TOKEN} makes it from that" in str(blocked.hint)


@pytest.mark.parametrize("deployed", [False, True])
def test_where_a_destroy_has_left_snapshots_no_later_one_is_advised_before_something_is_deployed_again(
    session: Session, *, deployed: bool
) -> None:
    later = snapshot("later", 25)
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [FINAL, later]})
    key = KEPT_KEY.model_copy(update={"kept_why": f"it decrypts {ID}-final-{TOKEN}"})
    entries = {key.address: key} | ({ADDRESS: entry(Phase.MADE)} if deployed else {})
    destroyed = record().model_copy(update={"entries": entries})
    blocked = plan_restore(session, NO_PERMITS, CREATION, WANT, destroyed).blocked
    assert blocked is not None
    doubt = "" if deployed else ": no destroy has left it, by certificate and record"
    assert str(blocked.evidence).splitlines()[0] == f"later{doubt}"
    advised = "later" if deployed else f"{ID}-final-{TOKEN}"
    assert f"--restore {advised} makes it from that" in str(blocked.hint)


def test_no_snapshot_that_rds_upgrades_to_no_wanted_version_is_advised(session: Session) -> None:
    known = {"EngineVersion": "14.3", "ValidUpgradeTarget": [{"EngineVersion": "15.9"}]}
    answer(session.aws.rds, "DescribeDBEngineVersions", {"DBEngineVersions": [known]})
    old, older = (snapshot(name, day) | {"EngineVersion": "14.3"} for name, day in (("old", 26), ("older", 23)))
    blocked = planned(session, *TAKEN[:1], old, older).blocked
    assert blocked is not None
    refused = f"RDS upgrades aurora-postgresql 14.3 to no {WANT.engine_version}"
    assert str(blocked.evidence).splitlines() == [f"old: {refused}", f"older: {refused}", "by-dana-1"]
    assert "--restore by-dana-1 makes it from that" in str(blocked.hint)


def test_where_all_snapshots_are_doubtful_none_is_advised(session: Session) -> None:
    blocked = planned(session, EVIL, FITTING).blocked
    assert blocked is not None
    assert str(blocked.hint).startswith(
        "see whose they are: --restore makes it from one that fits; --empty makes a new"
    )


def test_a_plan_tells_that_the_snapshot_it_restores_does_not_bear_our_tags(
    session: Session, want: DbClusterSpec
) -> None:
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [FITTING | {"EngineVersion": "16.8"}]})
    restoring = plan_restore(session, Permits(restore="s"), CREATION, want, record())
    assert restoring.note == (
        "restored from s, which does not bear the tags of dev and has to hold the database payments"
    )


def test_a_plan_tells_that_the_snapshot_it_restores_is_none_that_a_destroy_has_left(
    session: Session, want: DbClusterSpec
) -> None:
    named = snapshot(f"{ID}-final-zz1", 25) | {"EngineVersion": "16.8"}
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [named]})
    restoring = plan_restore(session, Permits(restore=f"{ID}-final-zz1"), CREATION, want, record())
    why = "it is named like a final snapshot, without the id of a cluster in its name"
    assert restoring.note == (f"restored from {ID}-final-zz1, which has to hold the database payments ({why})")


def test_data_of_another_cluster_under_the_name_of_a_final_snapshot_is_not_restored(
    session: Session, want: DbClusterSpec
) -> None:
    """Who asks for that name means the one that a destroy has left; anybody may have deleted it, and made another."""
    theirs = FINAL | {"DbClusterResourceId": "cluster-X", "DBClusterIdentifier": "their-db", "EngineVersion": "16.8"}
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [theirs]})
    blocked = plan_restore(session, Permits(restore=f"{ID}-final-{TOKEN}"), CREATION, want, record()).blocked
    assert blocked is not None
    assert blocked.cause == f"{ID}-final-{TOKEN} is another one than the final snapshot of that name"
    assert blocked.evidence == f"it holds the data of cluster-X, and by its name that of cluster-{TOKEN.upper()}"
    assert f"--source-db-cluster-snapshot-identifier {ID}-final-{TOKEN} --target" in str(blocked.hint)


def test_a_snapshot_of_another_cluster_or_one_that_failed_blocks_nothing(session: Session) -> None:
    assert planned(session, *OTHERS) == CREATION


@pytest.mark.parametrize(
    ("recorded", "lost"),
    [
        (entry(Phase.MADE), True),
        (entry(Phase.MAKING, {"port": 5432}), True),
        (entry(Phase.KEPT), True),  # no removal keeps a cluster: somebody has written into the record
        (entry(Phase.MAKING), False),  # the first apply, which was cut off
        (entry(Phase.LEAVING), False),  # a destroy, which was cut off: its plan told what becomes of the data
        (None, False),
    ],
)
def test_one_that_was_made_and_is_gone_wants_a_word_though_no_snapshot_is_left(
    session: Session, recorded: Entry | None, *, lost: bool
) -> None:
    blocked = planned(session, entry=recorded).blocked
    assert (blocked is not None) is lost
    if blocked is not None:
        assert "was made, and removed outside tapctl with its data: what is made now would be empty" in blocked.cause
        assert "tapctl apply --env dev --empty makes a new one" in str(blocked.hint)
        assert "aws rds describe-db-cluster-automated-backups --region" in str(blocked.hint)
    allowed = planned(session, entry=recorded, permits=Permits(empty=True))
    assert (allowed.blocked, allowed.note) == (None, "made empty" if lost else "")


@pytest.mark.parametrize("recorded", [None, entry(Phase.MAKING)])
def test_what_was_to_be_restored_by_an_apply_that_was_cut_off_is_not_made_empty(
    session: Session, want: DbClusterSpec, recorded: Entry | None
) -> None:
    of_a_copy = [{"Key": key, "Value": value} for key, value in Owner.ours("pr-7", "dev").tags.items()]
    taken = snapshot("of-monday", 1, "db-cluster-pr-7") | {"TagList": of_a_copy}
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [taken]})
    unfinished = record(recorded, restoring="of-monday")
    blocked = plan_restore(session, NO_PERMITS, CREATION, want, unfinished).blocked
    assert blocked is not None
    assert blocked.cause == f"{ADDRESS} was to be made from of-monday, by an apply that did not finish"
    assert blocked.hint == ("tapctl apply --env dev --restore of-monday goes on; --empty makes it without data")
    assert plan_restore(session, Permits(empty=True), CREATION, want, unfinished).blocked is None


@pytest.mark.parametrize(
    ("taken", "doubt"),
    [
        (
            snapshot("s", 1, "db-cluster-x") | {"TagList": []},
            "it is of db-cluster-x, and does not bear the tags of dev",
        ),
        (
            snapshot("s", 1) | {"TagList": [{"Key": "Environment", "Value": "prod"}]},
            f"it is of {ID}, and does not bear the tags of dev",
        ),
        (None, "RDS does not show it"),
    ],
)
def test_no_snapshot_is_advised_that_the_record_alone_names(
    session: Session, want: DbClusterSpec, taken: dict[str, Any] | None, doubt: str
) -> None:
    """Whoever writes the record may name any: that one's data would be ours."""
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [taken] if taken else []})
    unfinished = record(None, restoring="s")
    assert continuing(session, unfinished) == "tapctl apply --env dev"
    blocked = plan_restore(session, NO_PERMITS, CREATION, want, unfinished).blocked
    assert blocked is not None
    assert blocked.cause == f"by its record {ADDRESS} was to be made from s, by an apply that did not finish"
    assert doubt in str(blocked.evidence)
    assert blocked.hint == "see whose it is: --restore makes it from the one that is meant, --empty without data"


OTHER_KEY = "arn:aws:kms:us-east-2:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def want(aws: Aws) -> DbClusterSpec:
    return case.examples(case.prepare(aws))[0]


def restored(
    session: Session,
    want: DbClusterSpec,
    cluster: str = ID,
    key: str = "",
    *,
    healed: tuple[str, ...] = (),
    version: str = "",
) -> Change:
    """The plan of a cluster that is made from a snapshot of this one, under this key, and of this version."""
    version = version or want.engine_version
    held = {"Engine": want.engine, "EngineVersion": version, "MasterUsername": want.master_username}
    taken = snapshot("s", 1, cluster) | held | {"StorageEncrypted": True} | ({"KmsKeyId": key} if key else {})
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [taken]})
    return plan_restore(session, Permits(restore="s"), CREATION, want, record(), healed=healed)


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (ID, ", which has to hold the database payments"),
        ("db-cluster-prod", ", which is of db-cluster-prod and has to hold the database payments"),
    ],
)
def test_a_plan_tells_whose_data_a_snapshot_of_another_cluster_holds(
    session: Session, want: DbClusterSpec, cluster: str, told: str
) -> None:
    planned = restored(session, want, cluster)
    assert (planned.blocked, planned.note) == (None, f"restored from s{told}")


def test_a_snapshot_whose_key_rests_is_refused_before_anything_is_made(
    session: Session, aws: Aws, want: DbClusterSpec
) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    assert restored(session, want, key=key).blocked is None
    aws.kms.disable_key(KeyId=key)
    blocked = restored(session, want, key=key).blocked
    assert (blocked and blocked.exit_code, blocked and blocked.evidence) == (6, f"its key {key} is Disabled")
    assert restored(session, want, key=key, healed=(key,)).blocked is None, "it is ours, and comes back first"


def test_a_snapshot_whose_key_is_gone_is_refused(session: Session, want: DbClusterSpec) -> None:
    gone = restored(session, want, key=OTHER_KEY).blocked
    assert gone is not None
    assert gone.evidence == f"its key {OTHER_KEY} is not there"


def test_a_key_that_may_not_be_asked_for_stops_no_restore_and_is_told(
    session: Session, want: DbClusterSpec, said: io.StringIO
) -> None:
    with refuse(session.aws.kms, "DescribeKey", *DENIED):
        assert restored(session, want, key=OTHER_KEY).blocked is None
    assert (
        f"whether the snapshot's key {OTHER_KEY} can be used was not asked: kms:DescribeKey denied" in said.getvalue()
    )
    with refuse(session.aws.kms, "DescribeKey", "InvalidArnException"), pytest.raises(AwsRefused):
        restored(session, want, key=OTHER_KEY)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("16.9", ", and upgraded from 16.9 to 17.9"),
        ("17.9", ""),
        ("17.11", ""),
        ("17.7", ", and upgraded from 17.7 to 17.9"),
    ],
)
def test_a_plan_tells_that_the_data_of_a_snapshot_is_upgraded(
    session: Session, want: DbClusterSpec, version: str, told: str
) -> None:
    known = {"EngineVersion": version, "ValidUpgradeTarget": [{"EngineVersion": "17.9"}]}
    answer(session.aws.rds, "DescribeDBEngineVersions", {"DBEngineVersions": [known]})
    planned = restored(session, want.model_copy(update={"engine_version": "17.9"}), version=version)
    assert (planned.blocked, planned.note) == (None, f"restored from s, which has to hold the database payments{told}")


def test_the_version_of_the_snapshot_itself_is_one_that_may_be_chosen(session: Session, want: DbClusterSpec) -> None:
    known = {"EngineVersion": "17.9", "ValidUpgradeTarget": [{"EngineVersion": "17.10"}]}
    answer(session.aws.rds, "DescribeDBEngineVersions", {"DBEngineVersions": [known]})
    blocked = restored(session, want.model_copy(update={"engine_version": "16.13"}), version="17.9").blocked
    assert blocked is not None
    assert "choose one of them as database.engine_version, or 17.9, which needs no upgrade" in str(blocked.hint)


@pytest.mark.parametrize(
    ("before", "held"),
    [
        ([], False),  # a first apply goes on
        ([[entry(Phase.MADE)], [entry(Phase.LEAVING)], []], False),  # a destroy got to its end, and an apply began
        ([[entry(Phase.MADE)], [entry(Phase.LEAVING)]], False),  # a destroy, which was cut off after that
        ([[entry(Phase.MADE)]], True),
    ],
)
def test_none_is_made_empty_unasked_unless_the_history_bears_out_that_there_is_no_data(
    session: Session, *, before: list[list[Entry]], held: bool
) -> None:
    topic = Entry(type="sns-topic", id="alarms-dev", phase=Phase.MADE, spec={})
    now = record().model_copy(update={"entries": {topic.address: topic}, "serial": len(before) + 1})
    version = None
    for serial, entries in enumerate(before, 1):
        earlier = {one.address: one for one in ([*entries, topic] if entries else [])}
        version = session.store.write(now.model_copy(update={"entries": earlier, "serial": serial}), version)
    session.store.write(now, version)
    answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": []})
    blocked = plan_restore(session, NO_PERMITS, CREATION, WANT, now, observed={ADDRESS: Absent()}).blocked
    assert (blocked is not None) is held
    allowed = plan_restore(session, Permits(empty=True), CREATION, WANT, now, observed={ADDRESS: Absent()})
    assert allowed.blocked is None


OLD, NEW = "cluster-OLD", "cluster-NEW"


@pytest.fixture
def copied(session: Session, want: DbClusterSpec) -> Callable[[str, str], tuple[Change, Change]]:
    """Plan a restore of a copy, and one of no snapshot that is named: by its cluster's id in AWS, and what is wanted.

    The first cluster had the database ``payments``; the second, which was there when the copy was made, ``paydb``.
    """
    version = None
    for serial, (id_, name, at) in enumerate([(OLD, "payments", "2026-11-01"), (NEW, "paydb", "2026-11-10")], 1):
        told = {"spec": {"database_name": name}, "outputs": {"resource_id": id_}}
        made = record(entry(Phase.MADE).model_copy(update=told))
        made = made.model_copy(update={"serial": serial, "written_at": f"{at}T00:00:00Z"})
        version = session.store.write(made, version)
    now = record().model_copy(update={"serial": 3, "written_at": "2026-11-25T00:00:00Z"})
    session.store.write(now, version)
    held = {"Engine": want.engine, "EngineVersion": want.engine_version, "MasterUsername": want.master_username}

    def planned(told_by_aws: str, name: str) -> tuple[Change, Change]:
        taken = snapshot("copy", 20) | held | ({"DbClusterResourceId": told_by_aws} if told_by_aws else {})
        answer(session.aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [taken]})
        wants = want.model_copy(update={"database_name": name})
        permits = Permits(restore="copy"), NO_PERMITS
        given, advised = (plan_restore(session, each, CREATION, wants, now) for each in permits)
        return given, advised

    return planned


@pytest.mark.parametrize(
    ("told_by_aws", "wanted", "misfit"),
    [
        (OLD, "paydb", "its database is payments, by the record of its cluster (serial 1"),
        (NEW, "payments", "its database is paydb, by the record of its cluster (serial 2"),
        ("", "payments", "its database is paydb, by the record of that time (serial 2"),
    ],
)
def test_data_is_restored_from_no_copy_whose_very_cluster_had_a_database_of_another_name(
    copied: Callable[[str, str], tuple[Change, Change]], told_by_aws: str, wanted: str, misfit: str
) -> None:
    """A copy of a snapshot has the time of its copying."""
    given, advised = copied(told_by_aws, wanted)
    assert [misfit in str(one.blocked and one.blocked.evidence) for one in (given, advised)] == [True, True]


@pytest.mark.parametrize(
    ("told_by_aws", "wanted", "note"),
    [
        (OLD, "payments", "restored from copy"),
        (NEW, "paydb", "restored from copy"),
        ("cluster-OF-NO-RECORD", "paydb", "restored from copy, which has to hold the database paydb"),
    ],
)
def test_a_copy_is_judged_by_the_record_of_its_very_cluster_alone(
    copied: Callable[[str, str], tuple[Change, Change]], told_by_aws: str, wanted: str, note: str
) -> None:
    given, advised = copied(told_by_aws, wanted)
    assert (given.blocked, given.note) == (None, note)
    assert "--restore copy makes it from that" in str(advised.blocked and advised.blocked.hint)
