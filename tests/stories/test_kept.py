"""The key and the final snapshot that a destroy has kept: whoever changes them is told of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.failures.test_answers import answering
from tests.failures.trouble import deny
from tests.support.door import Proceed, Served, Visit, denied
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"
LOOK = "rds:DescribeDBClusterSnapshots"
STRANGER = "999999999999"


@pytest.fixture(scope="module")
def destroyed(shared: World) -> World:
    """Nothing is deployed, a final snapshot is kept, and the key for it."""
    file = shared.folder / "environments" / "dev.toml"
    file.write_text(f"final_snapshot = true\n{file.read_text()}")
    shared.applied("dev")
    assert shared.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev").code == 0
    told = shared.drift()
    assert (told.code, told.records[-1]["summary"]) == (0, "nothing of it is deployed")
    return shared


@pytest.fixture(scope="module")
def evil(destroyed: World) -> str:
    """Somebody else's cluster."""
    login = {"MasterUsername": "evil", "MasterUserPassword": "12345678"}
    destroyed.client("rds").create_db_cluster(DBClusterIdentifier="evil", Engine="aurora-postgresql", **login)
    return "evil"


def told_of(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    told = world.drift()
    found = {(one["address"], one["field"]): one for one in told.of_type("finding")}
    assert told.code == (2 if found else 0)
    assert all(one["note"].startswith("a destroy has kept it otherwise") for one in found.values())
    return found


def snapshot_of(world: World) -> str:
    shown = world.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    (name,) = (name for one in shown if "-final-" in (name := one["DBClusterSnapshotIdentifier"]))
    return str(name)


def key_of(world: World) -> str:
    return str(world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])


def is_left_by_all(world: World, finding: dict[str, Any]) -> None:
    """No verb that acts on findings acts on this one."""
    waive = ("waive", "all", "--reason", "theirs", "--until", "9d")
    for words in (("revert", "--yes"), ("revert", finding["id"], "--yes"), ("accept", "--yes"), waive):
        left = world.tapctl(*words, "--env", "dev")
        assert (left.code, left.changes, "refused" in left.err) == (6, (), True), left.err


def open_key(world: World) -> Callable[[], None]:
    """Let everybody and a stranger use the kept key; returns what takes that back."""
    kms, key = world.client("kms"), key_of(world)
    was = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    everybody = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    statements = [*json.loads(was)["Statement"], everybody]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({**json.loads(was), "Statement": statements}))
    stranger = f"arn:aws:iam::{STRANGER}:root"
    grant = kms.create_grant(KeyId=key, GranteePrincipal=stranger, Operations=["Decrypt"])["GrantId"]

    def shut() -> None:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=was)
        kms.revoke_grant(KeyId=key, GrantId=grant)

    return shut


def test_whom_the_kept_snapshot_is_shared_with_is_told_with_the_command_that_ends_it(destroyed: World) -> None:
    rds, snapshot = destroyed.client("rds"), snapshot_of(destroyed)
    named = {"DBClusterSnapshotIdentifier": snapshot, "AttributeName": "restore"}
    rds.modify_db_cluster_snapshot_attribute(**named, ValuesToAdd=[STRANGER])
    (finding,) = told_of(destroyed).values()
    assert (finding["address"], finding["live"]) == (f"db-cluster-snapshot/{snapshot}", STRANGER)
    assert f"--attribute-name restore --values-to-remove {STRANGER} " in finding["undo"]
    told = destroyed.tapctl("drift", "--env", "dev").out
    assert "the files want more" not in told, "it was destroyed on purpose"
    status = destroyed.tapctl("status", "--env", "dev")
    assert (status.code, "DRIFT: 1 drifted" in status.out) == (2, True)
    is_left_by_all(destroyed, finding)
    assert finding["severity"] == "high"
    (asked,) = destroyed.drift("dev", "--who").of_type("finding")
    assert (asked["who"]["event"], asked["cause"]) == ("ModifyDBClusterSnapshotAttribute", "person")
    alike = destroyed.tapctl("parity", "--live", "--json").of_type("verdict")[-1]
    assert (alike["counts"]["outside"], alike["counts"]["not_applied"]) == (1, 0)
    assert "0 of them in AWS" in alike["summary"]
    rds.modify_db_cluster_snapshot_attribute(**named, ValuesToRemove=[STRANGER])
    assert told_of(destroyed) == {}


@pytest.mark.parametrize("member", ["AttributeName", "DBClusterSnapshotAttributesResult", "DbClusterResourceId"])
def test_what_aws_leaves_out_of_its_answer_on_the_kept_snapshot_is_not_taken_for_granted(
    destroyed: World, member: str
) -> None:
    snapshots = "rds:DescribeDBClusterSnapshots"
    operation = snapshots if member == "DbClusterResourceId" else "rds:DescribeDBClusterSnapshotAttributes"

    def leave_out(answer: Any) -> None:
        result = answer.get("DBClusterSnapshotAttributesResult", {})
        for one in (answer, *answer.get("DBClusterSnapshots", ()), *result.get("DBClusterSnapshotAttributes", ())):
            one.pop(member, None)

    with answering(operation, leave_out):
        found = destroyed.drift()
    (finding,) = found.of_type("finding")
    assert (found.code, finding["state"], operation in finding["note"]) == (7, "UNKNOWN", True)
    assert "answered, but" in finding["note"]


def test_another_clusters_snapshot_in_the_place_of_the_kept_one_is_told(destroyed: World, evil: str) -> None:
    """Its name bears the id of its cluster, which no other cluster has: nobody's word is needed."""
    rds, snapshot = destroyed.client("rds"), snapshot_of(destroyed)
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=snapshot, TargetDBClusterSnapshotIdentifier="saved", CopyTags=True
    )
    copied = told_of(destroyed)
    (copy,) = copied.values()
    assert (copy["address"], copy["live"]) == ("db-cluster-snapshot/saved", "a copy, made since")
    assert (copy["undo"], "where it is meant" in copy["undo_note"]) == ("tapctl destroy --env dev", True)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot, DBClusterIdentifier=evil)
    other = rds.describe_db_clusters(DBClusterIdentifier=evil)["DBClusters"][0]["DbClusterResourceId"]
    (finding,) = (one for place, one in told_of(destroyed).items() if place not in copied)
    assert (finding["address"], finding["field"]) == (f"db-cluster-snapshot/{snapshot}", "resource_id")
    own = f"cluster-{snapshot.rpartition('-')[2].upper()}"
    assert (finding["recorded"], finding["live"], finding["severity"]) == (own, other, "medium")
    assert finding["undo"] == "", "no verb brings it back, nor takes a stranger's away"
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier="saved", TargetDBClusterSnapshotIdentifier=snapshot, CopyTags=True
    )
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="saved")
    assert told_of(destroyed) == {}


def test_whom_a_copy_of_the_kept_snapshot_under_another_key_is_shared_with_is_told(destroyed: World) -> None:
    """RDS shares none across accounts but under a key of one's own; it copies no tags unless that is said."""
    rds, kms = destroyed.client("rds"), destroyed.client("kms")
    copy, arn = {"DBClusterSnapshotIdentifier": "leak"}, kms.create_key()["KeyMetadata"]["Arn"]
    made = rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=snapshot_of(destroyed), TargetDBClusterSnapshotIdentifier="leak", KmsKeyId=arn
    )["DBClusterSnapshot"]["DBClusterSnapshotArn"]
    tags = rds.list_tags_for_resource(ResourceName=made)["TagList"]
    rds.remove_tags_from_resource(ResourceName=made, TagKeys=[tag["Key"] for tag in tags if ":" not in tag["Key"]])
    rds.modify_db_cluster_snapshot_attribute(**copy, AttributeName="restore", ValuesToAdd=[STRANGER])
    found = told_of(destroyed)
    rds.delete_db_cluster_snapshot(**copy)
    assert ("db-cluster-snapshot/leak", "restorable_by") in found
    assert told_of(destroyed) == {}


@pytest.mark.soak
def test_a_copy_of_the_kept_data_under_another_key_is_told_until_a_destroy_certifies_that(destroyed: World) -> None:
    """Who may use that key reads the data, and no policy of ours is asked."""
    rds, kms = destroyed.client("rds"), destroyed.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=snapshot_of(destroyed),
        TargetDBClusterSnapshotIdentifier="quarterly-report",
        KmsKeyId=arn,
    )
    place = "db-cluster-snapshot/quarterly-report"
    finding = told_of(destroyed)[place, "kept_until"]
    assert (finding["live"], finding["undo"]) == ("a copy, made since", "tapctl destroy --env dev")
    warned = f"warning: {place} is there: a copy of the data, under {arn}; it is certified now"
    first, again = (destroyed.tapctl("destroy", "--env", "dev", "--yes") for _ in range(2))
    assert [(one.code, warned in one.err) for one in (first, again)] == [(0, True), (0, False)], first.err
    # Whoever reads the verdict as a proof is not to take what is left of the data for nothing.
    ends = " · 1 copy of its data is left · nothing else of ours is left"
    assert [one.verdict.endswith(ends) for one in (first, again)] == [True, True], first.verdict
    source = {"SourceDBClusterSnapshotIdentifier": snapshot_of(destroyed), "CopyTags": False}
    rds.copy_db_cluster_snapshot(**source, TargetDBClusterSnapshotIdentifier="under-our-key")
    more = destroyed.tapctl("destroy", "--env", "dev", "--yes")
    assert (more.code, " · 2 copies of its data are left · " in more.verdict) == (0, True), more.verdict
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="under-our-key")
    assert destroyed.tapctl("destroy", "--env", "dev", "--yes").verdict.endswith(ends)
    assert told_of(destroyed) == {}
    certificate = json.loads((destroyed.path().parent / "dev.certificate.json").read_text())
    assert certificate["kept"][place]["why"] == f"a copy of the data, under {arn}"
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="quarterly-report")
    assert told_of(destroyed)[place, "kept_until"]["live"] == "it is gone"
    assert destroyed.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert told_of(destroyed) == {}


@pytest.mark.soak
def test_who_is_let_to_the_kept_key_is_told(destroyed: World) -> None:
    shut = open_key(destroyed)
    found = told_of(destroyed)
    assert {*found} == {(KEY, "policy.statements"), (KEY, "grants")}
    assert "aws kms revoke-grant" in found[KEY, "grants"]["undo"]
    assert found[KEY, "policy.statements"]["undo"] == ""
    left = destroyed.tapctl("revert", "--env", "dev", "--yes")
    assert "a destroy has kept it, and no verb changes what is kept" in left.err
    shut()
    assert told_of(destroyed) == {}


def test_the_way_back_of_our_alias_from_another_teams_key_is_named_by_every_verb(destroyed: World) -> None:
    kms, ours = destroyed.client("kms"), key_of(destroyed)
    theirs = kms.create_key(Description="theirs")["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/db-key-dev", TargetKeyId=theirs)
    back = f"aws kms update-alias --alias-name alias/db-key-dev --target-key-id {ours}"
    found = told_of(destroyed)
    assert {place for place, _ in found} == {KEY}, "nobody has touched a snapshot"
    assert back in found[KEY, "key_id"]["undo"]
    snapshot = snapshot_of(destroyed)
    for verb in ("destroy --yes", f"plan --restore {snapshot}", f"apply --restore {snapshot} --adopt {KEY} --yes"):
        refused = destroyed.tapctl(*verb.split(), "--env", "dev")
        assert (refused.code, refused.changes) == (6, ()), verb
        assert f"put the recorded one back: {back}" in " ".join((refused.out + refused.err).split()), verb
        assert "--adopt" not in refused.err, verb
    kms.update_alias(AliasName="alias/db-key-dev", TargetKeyId=ours)
    assert told_of(destroyed) == {}


def test_a_key_that_is_to_go_though_it_was_kept_for_the_snapshot_is_told(destroyed: World) -> None:
    kms, key = destroyed.client("kms"), key_of(destroyed)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    (finding,) = told_of(destroyed).values()
    assert (finding["address"], finding["field"]) == (KEY, "kept_until")
    assert finding["recorded"] == "its snapshots are deleted"
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert told_of(destroyed) == {}


def test_what_the_record_says_of_what_is_kept_hides_nothing(destroyed: World) -> None:
    """The certificate can be written with it; what no files want, and what AWS tells, is no word of either."""
    shut = open_key(destroyed)
    honest, path = destroyed.manifest(), destroyed.path()
    certificate = path.parent / "dev.certificate.json"
    certified = certificate.read_text()
    forged = json.loads(json.dumps(honest))
    for one in told_of(destroyed).values():
        spec = forged["entries"][KEY]["spec"]
        place = spec["policy"]["statements"] if one["field"] == "policy.statements" else spec["grants"]
        place.append(one["live"])
    path.write_text(json.dumps(forged))
    assert {*told_of(destroyed)} == {(KEY, "policy.statements"), (KEY, "grants")}
    shut()

    kms, key = destroyed.client("kms"), key_of(destroyed)
    day = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"].date().isoformat()
    forged = json.loads(json.dumps(honest))
    forged["entries"][KEY]["kept_until"] = day
    path.write_text(json.dumps(forged))
    (finding,) = told_of(destroyed).values()
    assert (finding["address"], finding["live"], "is deleted" in finding["recorded"]) == (KEY, day, True)
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    path.write_text(json.dumps(honest))

    rds, snapshot = destroyed.client("rds"), snapshot_of(destroyed)
    shown = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=snapshot)["DBClusterSnapshots"]
    arn = shown[0]["DBClusterSnapshotArn"]
    tags = [tag for tag in rds.list_tags_for_resource(ResourceName=arn)["TagList"] if ":" not in tag["Key"]]
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[tag["Key"] for tag in tags])
    named = {"DBClusterSnapshotIdentifier": snapshot, "AttributeName": "restore"}
    rds.modify_db_cluster_snapshot_attribute(**named, ValuesToAdd=[STRANGER])
    certificate.unlink()
    assert [one["live"] for one in told_of(destroyed).values()] == [STRANGER]
    # Where the record has been emptied, the key itself is told as not recorded.
    path.write_text(json.dumps(honest | {"entries": {}}))
    emptied = destroyed.drift()
    assert emptied.code == 2
    assert STRANGER in [one["live"] for one in emptied.of_type("finding")]
    path.write_text(json.dumps(honest))
    rds.modify_db_cluster_snapshot_attribute(**named, ValuesToRemove=[STRANGER])
    rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
    assert told_of(destroyed) == {}
    certificate.write_text(certified)


def test_what_nobody_may_look_at_is_no_ok(destroyed: World) -> None:
    for operation in ("rds:DescribeDBClusterSnapshots", "kms:DescribeKey"):
        told = destroyed.meeting(deny(operation), "drift", "--env", "dev", "--json")
        (finding,) = told.of_type("finding")
        assert (told.code, finding["state"], f"{operation} denied" in finding["note"]) == (7, "UNKNOWN", True)


@pytest.mark.soak
def test_what_a_destroy_may_not_look_at_stays_in_its_certificate(destroyed: World) -> None:
    """Nothing else tells which snapshots were kept: a look that is denied is no word of AWS that they are gone."""
    certificate, place = (
        destroyed.path().with_name("dev.certificate.json"),
        f"db-cluster-snapshot/{snapshot_of(destroyed)}",
    )
    before = json.loads(certificate.read_text())
    again = ("destroy", "--env", "dev", "--yes", "--confirm", "dev", "--json")
    looks = destroyed.tapctl(*again).asked.count(LOOK)

    def deny_the_last_looks(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == LOOK and visit.nth > looks - 2:
            raise denied(LOOK)
        return proceed()

    for _ in range(2):
        told = destroyed.meeting(deny_the_last_looks, *again)
        kept = {one["address"]: one for one in told.of_type("certificate") if one["state"] == "kept"}
        assert (told.code, {*kept}) == (7, {KEY, place}), told.out
        assert (kept[place]["until"], kept[place]["why"]) == (
            "you delete it",
            f"{before['kept'][place]['why']}; not seen this time",
        )
        assert told.records[-1]["counts"]["kept"] == 2
        assert json.loads(certificate.read_text())["kept"].keys() == before["kept"].keys()
    assert told_of(destroyed) == {}


@pytest.mark.parametrize("junk", ["{}", "folder"])
def test_a_certificate_that_cannot_be_used_is_no_ok(destroyed: World, junk: str) -> None:
    """What was kept stands in it: whoever may write there may have taken that out."""
    certificate = destroyed.path().with_name("dev.certificate.json")
    was = certificate.read_bytes()
    certificate.unlink()
    certificate.mkdir() if junk == "folder" else certificate.write_text(junk)
    told = destroyed.drift()
    certificate.rmdir() if junk == "folder" else certificate.unlink()
    certificate.write_bytes(was)
    (finding,) = told.of_type("finding")
    assert (told.code, finding["state"], "certificate" in finding["note"]) == (7, "UNKNOWN", True)


def test_a_kept_snapshot_that_is_deleted_is_told_until_a_destroy_certifies_that(destroyed: World, evil: str) -> None:
    snapshot, kms, key = snapshot_of(destroyed), destroyed.client("kms"), key_of(destroyed)
    rds = destroyed.client("rds")
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=snapshot, TargetDBClusterSnapshotIdentifier="archive"
    )
    assert [one["live"] for one in told_of(destroyed).values()] == ["a copy, made since"]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)
    finding = told_of(destroyed)[f"db-cluster-snapshot/{snapshot}", "kept_until"]
    assert finding["live"] == "it is gone"
    is_left_by_all(destroyed, finding)
    assert finding["undo"] == "tapctl destroy --env dev"
    assert finding["undo_note"] == "nothing brings it back; this certifies what is left:"
    assert destroyed.tapctl("destroy", "--env", "dev", "--yes").code == 0
    certificate = json.loads((destroyed.path().parent / "dev.certificate.json").read_text())
    assert ("db-cluster/db-cluster-dev" in certificate["gone"], {*certificate["kept"]}) == (True, {KEY})
    assert told_of(destroyed) == {}

    # The key is kept for what it decrypts, whatever its name.
    assert certificate["kept"][KEY]["why"].endswith(" decrypts archive")
    named = {"DBClusterSnapshotIdentifier": "archive", "AttributeName": "restore"}
    rds.modify_db_cluster_snapshot_attribute(**named, ValuesToAdd=[STRANGER])
    (finding,) = told_of(destroyed).values()
    assert (finding["address"], finding["live"]) == ("db-cluster-snapshot/archive", STRANGER)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="archive")
    (finding,) = told_of(destroyed).values()
    assert (finding["address"], finding["live"]) == ("db-cluster-snapshot/archive", "it is gone")

    # Nobody has said that the data may be done without.
    for verb in (["plan"], ["apply", "--yes"]):
        refused = destroyed.tapctl(*verb, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        assert "was destroyed, and what was kept of it (archive) is gone with its data" in refused.err
    assert destroyed.tapctl("plan", "--env", "dev", "--empty").code == 0
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="archive", DBClusterIdentifier=evil)
    (finding,) = told_of(destroyed).values()
    assert (finding["field"], finding["recorded"].endswith(key)) == ("kms_key_arn", True)
    assert destroyed.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert told_of(destroyed) == {}
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    (finding,) = told_of(destroyed).values()
    assert (finding["field"], finding["live"], finding["undo"]) == ("kept_until", "no end", "tapctl destroy --env dev")

    # KMS deletes the key, and AWS tells of none any more.
    kms.disable_key(KeyId=key)
    kms.untag_resource(KeyId=key, TagKeys=["ManagedBy", "EnvironmentSuffix", "Environment"])
    (finding,) = told_of(destroyed).values()
    assert (finding["field"], finding["live"]) == ("kept_until", "it is gone")
    record = destroyed.manifest()
    record["entries"][KEY]["kept_until"] = "2020-01-01"
    destroyed.path().write_text(json.dumps(record))
    assert told_of(destroyed) == {}, "its day has come"


def test_a_destroy_tells_of_a_kept_snapshot_that_is_gone_and_certifies_the_copy_that_is_left(world: World) -> None:
    """Somebody with rights on snapshots, and a key of his own, has moved the data under that."""
    file = world.folder / "environments" / "dev.toml"
    file.write_text(f"final_snapshot = true\n{file.read_text()}")
    world.applied("dev")
    assert world.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev").code == 0
    rds, kms, snapshot = world.client("rds"), world.client("kms"), snapshot_of(world)
    arn = kms.create_key()["KeyMetadata"]["Arn"]

    def move(source: str, target: str) -> None:
        names = {"SourceDBClusterSnapshotIdentifier": source, "TargetDBClusterSnapshotIdentifier": target}
        rds.copy_db_cluster_snapshot(**names, KmsKeyId=arn, CopyTags=True)
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=source)

    move(snapshot, "quarterly-report")
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, f"{snapshot} is gone, which an earlier destroy has kept" in answer.err) == (0, True), (
        answer.err
    )
    assert " · 1 copy of its data is left · " in answer.verdict
    certificate = world.path().parent / "dev.certificate.json"
    place = "db-cluster-snapshot/quarterly-report"
    assert json.loads(certificate.read_text())["kept"][place]["why"] == f"a copy of the data, under {arn}"
    assert told_of(world) == {}
    # Whatever its name: it is of our cluster, and bears our tags.
    move("quarterly-report", "monthly-report")
    found = told_of(world)
    assert found[place, "kept_until"]["live"] == "it is gone"
    assert found["db-cluster-snapshot/monthly-report", "kept_until"]["live"] == "a copy, made since"
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, "quarterly-report is gone, which an earlier destroy has kept" in answer.err) == (0, True)
    kept = json.loads(certificate.read_text())["kept"]
    assert "of a cluster of this name, or with its tags, under " in kept["db-cluster-snapshot/monthly-report"]["why"]
    assert " · 1 snapshot of its name or tags is left · " in answer.verdict
    assert told_of(world) == {}


@pytest.mark.soak
@pytest.mark.parametrize("verb", ["destroy --yes", "plan", "plan --destroy", "drift", "status", "manifest history"])
def test_a_command_on_a_copy_that_never_was_leaves_nothing_in_the_state(dev: World, verb: str) -> None:
    before = sorted(dev.path().parent.rglob("*"))
    dev.tapctl(*verb.split(), "--env", "dev", "--suffix", "pr-1")
    assert sorted(dev.path().parent.rglob("*")) == before


@pytest.mark.soak
def test_a_key_that_is_kept_for_many_users_leaves_a_record_that_can_be_read(dev: World) -> None:
    ssm = dev.client("ssm")
    for number in range(20):
        name = f"/team-payments/prod/service-{number:02}/{'of-a-long-name/' * 60}password"
        ssm.put_parameter(Name=name, Type="SecureString", KeyId="alias/db-key-dev", Value="v")
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, " 1 kept " in gone.verdict) == (0, True), gone.err
    why = dev.manifest()["entries"]["kms-key/alias/db-key-dev"]["kept_why"]
    assert (500 < len(why) < 100_000, "service-00" in why, " more use " in why) == (True, True, False)
    assert dev.tapctl("drift", "--env", "dev").code == 0
    for number in range(20, 40):
        name = f"/team-payments/prod/service-{number:02}/{'of-a-long-name/' * 60}password"
        ssm.put_parameter(Name=name, Type="SecureString", KeyId="alias/db-key-dev", Value="v")
    again = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (again.code, re.search(r", and [0-9]+ more use alias/db-key-dev", again.out) is not None) == (0, True)
    assert dev.tapctl("manifest", "show", "--env", "dev").code == 0


def test_snapshots_for_which_the_reason_of_a_key_has_no_room_are_certified_one_by_one(dev: World) -> None:
    rds = dev.client("rds")
    names = [f"manual-{number:02}-{'x' * 240}" for number in range(82)]
    for name in names:
        rds.create_db_cluster_snapshot(DBClusterIdentifier="db-cluster-dev", DBClusterSnapshotIdentifier=name)
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, " · 82 copies of its data are left · " in gone.verdict) == (0, True), gone.err
    kept = json.loads((dev.path().parent / "dev.certificate.json").read_text())["kept"]
    assert f"db-cluster-snapshot/{names[-1]}" in kept
    assert told_of(dev) == {}
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert told_of(dev) == {}
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=names[-1])
    assert told_of(dev)[f"db-cluster-snapshot/{names[-1]}", "kept_until"]["live"] == "it is gone"
