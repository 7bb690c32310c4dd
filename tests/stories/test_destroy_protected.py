"""``destroy`` of prod: refused while protected; then only by its name, with a last snapshot and its key."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.failures.trouble import deny
from tests.stories.leftovers import left
from tests.support.door import Proceed, Served, Visit, denied, without_length
from tests.support.world import Answer, World

REGION = "us-east-1"


@pytest.fixture(scope="module")
def prod(shared: World) -> World:
    shared.deploy("prod")
    return shared


@pytest.fixture(scope="module")
def untouched(prod: World) -> set[str]:
    return left(prod, REGION)


@pytest.fixture(scope="module")
def unprotected(prod: World, untouched: set[str]) -> World:
    prod.edit("prod.toml", "protected = true ", "protected = false ")
    return prod


@pytest.fixture(scope="module")
def applied(unprotected: World) -> World:
    unprotected.applied("prod")
    return unprotected


@pytest.fixture(scope="module")
def gone(applied: World) -> Answer:
    answer = applied.tapctl("destroy", "--env", "prod", "--yes", "--confirm", "prod")
    assert answer.code == 0, answer.err
    return answer


@pytest.mark.parametrize("how", [["--yes", "--confirm", "prod"], []])
def test_a_protected_environment_is_refused_before_any_question(
    prod: World, untouched: set[str], how: list[str]
) -> None:
    refused = prod.tapctl("destroy", "--env", "prod", *how, typed="yes\n")
    assert (refused.code, refused.changes) == (6, ())
    assert "Type" not in refused.err
    assert "protected = false in prod.toml" in refused.err
    assert left(prod, REGION) == untouched


def test_a_preview_says_that_it_would_be_refused(prod: World) -> None:
    planned = prod.tapctl("plan", "--destroy", "--env", "prod")
    assert (planned.code, planned.changes) == (6, ())
    assert "protected = false in prod.toml" in planned.err
    assert planned.verdict.startswith("PLAN prod: BLOCKED")


def test_protection_off_in_the_file_alone_is_refused_until_applied(unprotected: World, untouched: set[str]) -> None:
    refused = unprotected.tapctl("destroy", "--env", "prod", "--yes", "--confirm", "prod")
    assert (refused.code, refused.changes) == (6, ())
    assert "deletion protection is on" in refused.err
    assert left(unprotected, REGION) == untouched


def test_protection_that_somebody_else_has_lifted_is_refused_until_applied(unprotected: World) -> None:
    rds = unprotected.client("rds", REGION)
    for is_on in (False, True):
        rds.modify_db_cluster(DBClusterIdentifier="db-cluster-prod", DeletionProtection=is_on, ApplyImmediately=True)
        refused = unprotected.tapctl("destroy", "--env", "prod", "--yes", "--confirm", "prod")
        assert (refused.code, refused.changes) == (6, ())
        assert ("by the record its deletion protection is on, and no apply has lifted it" in refused.err) != is_on


def test_a_destroy_with_a_final_snapshot_due_wants_the_name(applied: World, untouched: set[str]) -> None:
    for typed in ("yes\n", None):
        refused = applied.tapctl("destroy", "--env", "prod", "--yes", typed=typed)
        assert (refused.code, refused.changes) == (64, ())
        assert "--confirm prod" in refused.err
    asked = applied.tapctl("destroy", "--env", "prod", "--confirm", "prod", typed="yes\n")
    assert (asked.code, asked.changes) == (6, ())
    assert "Type its name:" in asked.err
    assert left(applied, REGION) == untouched
    planned = applied.tapctl("plan", "--destroy", "--env", "prod")
    assert (planned.code, planned.changes) == (0, ())
    assert "final snapshot" in planned.out


@pytest.mark.soak
def test_protection_lifted_does_not_give_up_the_final_snapshot_that_was_due_with_it(
    applied: World, untouched: set[str]
) -> None:
    applied.edit("prod.toml", "final_snapshot = true", "# final_snapshot = true")
    planned = applied.tapctl("plan", "--env", "prod", "--detailed-exitcode")
    assert (planned.code, planned.changes) == (0, ())
    assert "a final snapshot stays due: prod.toml does not say final_snapshot = false" in planned.err
    applied.applied("prod")
    assert applied.drift("prod").code == 0
    # The record may be lost, or somebody has written into it: AWS knows it too.
    record = applied.path("prod").read_bytes()
    forged = record.replace(b'"tapctl:final-snapshot": "true"', b'"tapctl:final-snapshot": "false"')
    assert forged != record
    applied.path("prod").write_bytes(forged)
    planned = applied.tapctl("plan", "--env", "prod")
    assert ("a final snapshot stays due" in planned.err, "1 loses its protection" in planned.verdict) == (True, False)
    applied.path("prod").unlink()
    assert "a final snapshot stays due" in applied.tapctl("plan", "--env", "prod").err
    applied.path("prod").write_bytes(record)
    applied.edit("prod.toml", "# final_snapshot = true", "final_snapshot = false")
    given_up = applied.tapctl("plan", "--env", "prod")
    assert "no final snapshot will be taken of it any more" in given_up.out
    assert given_up.verdict.endswith("1 loses its protection")
    applied.edit("prod.toml", "final_snapshot = false", "final_snapshot = true")
    assert left(applied, REGION) == untouched


@pytest.mark.soak
def test_a_final_snapshot_that_finds_no_room_stops_it_before_anything_is_begun(applied: World) -> None:
    def full(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name == "rds:DescribeAccountAttributes":
            headers, body = without_length(headers), body.replace(b"<Used>0</Used>", b"<Used>100</Used>")
        return status, headers, body

    for command in (["destroy", "--yes", "--confirm", "prod"], ["plan", "--destroy"]):
        refused = applied.meeting(full, *command, "--env", "prod")
        assert (refused.code, refused.changes) == (6, ())
        assert "ManualClusterSnapshots, 100 of 100 used" in refused.err


def test_the_snapshot_is_taken_and_the_key_is_kept_for_it(applied: World, gone: Answer) -> None:
    rds = applied.client("rds", REGION)
    (snapshot,) = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert snapshot["DBClusterSnapshotIdentifier"].startswith("db-cluster-prod-final-")
    kms = applied.client("kms", REGION)
    key = kms.describe_key(KeyId="alias/db-key-prod")["KeyMetadata"]
    assert (key["KeyState"], snapshot["KmsKeyId"]) == ("Enabled", key["Arn"])
    assert left(applied, REGION) == {
        f"snapshot:{snapshot['DBClusterSnapshotIdentifier']}",
        "alias/db-key-prod",
        "key:Enabled",
    }
    name = snapshot["DBClusterSnapshotIdentifier"]
    snapshots, keys = sorted(line for line in gone.out.splitlines() if line.startswith("kept "))
    assert snapshots.split()[:3] == ["kept", "db-cluster-snapshot", name]
    assert "you delete it" in snapshots
    assert "its snapshots are deleted" in keys
    assert name in keys
    assert "2 kept" in gone.verdict


def test_a_second_destroy_removes_nothing(applied: World, gone: Answer) -> None:
    again = applied.tapctl("destroy", "--env", "prod")
    assert (again.code, again.changes) == (0, ())
    # The snapshot stands in its certificate, too, although an earlier destroy has taken it.
    (snapshot,) = [line for line in again.out.splitlines() if line.startswith("kept") and "db-cluster-snapshot" in line]
    assert "the final snapshot, by its name and tags: the database can be restored from it" in snapshot
    last = again.asked.count("rds:DescribeDBClusterSnapshots")

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "rds:DescribeDBClusterSnapshots" and visit.nth == last:
            raise denied(visit.name)
        return proceed()

    told = applied.meeting(trouble, "destroy", "--env", "prod", "--json").of_type("verdict")[0]
    assert (told["status"], told["exit"], told["counts"]["copies_not_seen"]) == ("INCOMPLETE", 7, 1)
    unseen = applied.meeting(trouble, "destroy", "--env", "prod")
    assert (unseen.code, unseen.changes) == (7, ()), unseen.err
    assert "could not be seen: AccessDenied" in unseen.err
    assert "; allow rds:DescribeDBClusterSnapshots" in unseen.err
    assert unseen.verdict.startswith("DESTROY prod: INCOMPLETE")
    assert unseen.verdict.endswith(" · 2 kept · 0 left · copies of its data were not looked for")
    # Where the preview looks at copies, for it has to know if the key is kept, it ends as a failed look does.
    blind = applied.meeting(deny("rds:DescribeDBClusterSnapshots"), "plan", "--destroy", "--env", "prod")
    assert (blind.code, blind.verdict) == (6, "PLAN prod: FAILED"), blind.err
    planned = applied.tapctl("plan", "--destroy", "--env", "prod", "--detailed-exitcode")
    assert (planned.code, planned.changes) == (0, ())
    assert planned.verdict == "PLAN prod: 0 to remove · 1 kept already"
    assert "kept until its snapshots are deleted: it decrypts db-cluster-prod-final-" in planned.out


def test_once_the_snapshot_is_gone_the_key_goes_after_its_longest_window(applied: World, gone: Answer) -> None:
    rds, kms = applied.client("rds", REGION), applied.client("kms", REGION)
    (snapshot,) = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot["DBClusterSnapshotIdentifier"])
    scheduled = applied.tapctl("destroy", "--env", "prod", "--yes")
    assert (scheduled.code, scheduled.changes) == (0, ("kms:DeleteAlias", "kms:ScheduleKeyDeletion"))
    (key,) = kms.list_keys()["Keys"]
    goes = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["DeletionDate"]
    assert round((goes - datetime.now(UTC)).total_seconds() / 86400) == 30


@pytest.mark.soak
def test_the_next_apply_uses_the_same_key(world: World) -> None:
    world.deploy("prod")
    world.edit("prod.toml", "protected = true ", "protected = false ")
    world.applied("prod")
    assert world.tapctl("destroy", "--env", "prod", "--yes", "--confirm", "prod").code == 0
    kms = world.client("kms", REGION)
    (before,) = [one["KeyId"] for one in kms.list_keys()["Keys"]]
    back = world.applied("prod", "--empty")
    assert "kms:CreateKey" not in back.changes
    assert kms.describe_key(KeyId="alias/db-key-prod")["KeyMetadata"]["KeyId"] == before
    # The key was kept for its snapshot and has all that is wanted of it.
    assert f"{len(world.stack('prod')) - 1} created · 1 unchanged" in back.verdict
