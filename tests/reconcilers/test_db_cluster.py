from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Impact
from tapctl.errors import AlreadyExists, AwsError, AwsRefused, NotYet, Patience, Refused
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_removal import final_snapshot_due
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rds.catalog import QUOTAS
from tests.reconcilers.cases import db_cluster as case
from tests.reconcilers.cases import db_instance
from tests.reconcilers.clusters import add_member, described
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse
from tests.reconcilers.scripted_aws import scripted

REC, ID = case.RECONCILER, case.ID
DUE, NOT_DUE = {"tapctl:final-snapshot": "true"}, {"tapctl:final-snapshot": "false"}


@pytest.fixture
def want(aws: Aws) -> DbClusterSpec:
    return case.examples(case.prepare(aws))[0]


def with_tags(want: DbClusterSpec, tags: dict[str, str]) -> DbClusterSpec:
    return want.model_copy(update={"tags": {**case.TAGS, **tags}})


def snapshots(aws: Aws) -> dict[str, Any]:
    found = aws.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return {one["DBClusterSnapshotIdentifier"]: one for one in found}


def final_name(aws: Aws) -> str:
    resource_id: str = described(aws)["DBClusters"][0]["DbClusterResourceId"]
    return f"{ID}-final-{resource_id.removeprefix('cluster-').lower()}"


def test_it_is_seen_in_one_call(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    before = calls(aws)
    seen = look(REC, aws, ID, want)
    assert calls(aws) - before == 1
    assert (seen.spec, seen.owner, seen.settled) == (want, OURS, True)


def test_its_identity_is_known_before_there_is_an_instance(aws: Aws, want: DbClusterSpec) -> None:
    REC.create(aws, ID, want, OURS)
    outputs = look(REC, aws, ID, want).outputs
    assert outputs is not None
    assert outputs.resource_id.startswith("cluster-")
    assert outputs.secret_arn.startswith("arn:aws:secretsmanager:")
    assert REC.outputs_known_early


def test_its_members_live_inside_it(aws: Aws) -> None:
    db_instance.prepare(aws)
    add_member(aws, 0)
    add_member(aws, 7, tags={})
    assert look(REC, aws, ID, None).members == {f"db-instance/{ID}-0", f"db-instance/{ID}-7"}


def test_why_it_was_given_up_is_told(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    answer(aws.rds, "DescribeEvents", {"Events": [{"Message": "RDS cannot access the KMS key"}]})
    answer(aws.rds, "DescribeDBClusters", described(aws, Status="inaccessible-encryption-credentials"))
    assert look(REC, aws, ID, want).failure == "inaccessible-encryption-credentials: RDS cannot access the KMS key"


def test_a_service_that_does_not_change_extended_support_yet_is_told_as_one(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    refuse(aws.rds, "ModifyDBCluster", "InvalidParameterCombination", "EngineLifecycleSupport cannot be modified")
    have = want.model_copy(update={"extended_support": True})
    with pytest.raises(AwsRefused) as caught:
        REC.update(aws, ID, have, want)
    assert "AWS Support" in str(caught.value.hint)


def test_a_cluster_whose_key_was_out_of_reach_says_what_brings_it_back_and_until_when(
    aws: Aws, want: DbClusterSpec, sandbox_app: Sandbox
) -> None:
    bring(REC, aws, ID, want)
    aws.kms.disable_key(KeyId=want.kms_key_arn)
    sandbox_app.simulation.script("rds.key", "looked for")
    seen = look(REC, aws, ID, want)
    assert (seen.settled, seen.status) == (False, "inaccessible-encryption-credentials-recoverable")
    remedy = seen.remedy
    assert f"aws rds start-db-cluster --db-cluster-identifier {ID} --region" in remedy
    assert "within 7 days" in remedy


def test_a_taken_name_is_looked_at_again(aws: Aws, want: DbClusterSpec) -> None:
    REC.create(aws, ID, want, OURS)
    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, want, OURS)


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("KMSKeyNotAccessibleFault", Patience.PROPAGATION),
        ("DBClusterParameterGroupNotFound", Patience.PROPAGATION),
        ("InvalidDBClusterStateFault", Patience.LONG),
    ],
)
def test_a_create_that_is_not_possible_yet_is_asked_again(
    aws: Aws, want: DbClusterSpec, code: str, patience: Patience
) -> None:
    refuse(aws.rds, "CreateDBCluster", code)
    with pytest.raises(NotYet) as caught:
        REC.create(aws, ID, want, OURS)
    assert caught.value.patience is patience


def test_a_version_that_cannot_be_made_is_refused(aws: Aws, want: DbClusterSpec) -> None:
    with pytest.raises(AwsRefused, match="Cannot find version"):
        REC.create(aws, ID, want.model_copy(update={"engine_version": "16.1"}), OURS)


def test_a_change_waits_for_a_busy_cluster_and_for_one_that_does_not_show(aws: Aws, want: DbClusterSpec) -> None:
    changed = want.model_copy(update={"port": 5433})
    with pytest.raises(NotYet) as caught:
        REC.update(aws, ID, want, changed)
    assert caught.value.patience is Patience.PROPAGATION
    refuse(aws.rds, "ModifyDBCluster", "InvalidDBClusterStateFault", "not available for modification")
    with pytest.raises(NotYet) as caught:
        REC.update(aws, ID, want, changed)
    assert caught.value.patience is Patience.LONG


def test_a_change_that_aws_refuses_is_refused(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    refuse(aws.rds, "AddTagsToResource", *DENIED)
    with pytest.raises(AwsRefused):
        REC.update(aws, ID, want, with_tags(want, {"Service": "payments"}))


def test_settings_change_in_one_call_and_at_once(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    other = want.model_copy(update={"backup_retention_days": 14, "iam_authentication": False, "engine_version": "16.9"})
    assert REC.update(aws, ID, want, other) == {"backup_retention_days", "iam_authentication", "engine_version"}
    seen = look(REC, aws, ID, other)
    assert (seen.spec, seen.pending) == (other, {})


def test_what_was_put_off_to_the_window_by_hand_is_called_back(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    aws.rds.modify_db_cluster(DBClusterIdentifier=ID, EnableIAMDatabaseAuthentication=False)
    seen = look(REC, aws, ID, want)
    assert not seen.spec.iam_authentication
    assert seen.pending["iam_authentication"].until == want.maintenance_window
    seen = bring(REC, aws, ID, want)
    assert (seen.spec, seen.pending) == (want, {})


def test_a_new_major_version_moves_with_its_groups(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="db-cluster-params-pg17-test",
        DBParameterGroupFamily="aurora-postgresql17",
        Description="d",
    )
    aws.rds.create_db_parameter_group(
        DBParameterGroupName="db-instance-params-pg17-test",
        DBParameterGroupFamily="aurora-postgresql17",
        Description="d",
    )
    newer = want.model_copy(
        update={"engine_version": "17.4", "cluster_parameter_group": "db-cluster-params-pg17-test", "port": 5433}
    )
    assert bring(REC, aws, ID, newer).spec == newer
    assert REC.impacts["engine_version"] is Impact.RESTART


def test_foreign_access_is_removed(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    aws.rds.enable_http_endpoint(ResourceArn=f"arn:aws:rds:us-east-1:123456789012:cluster:{ID}")
    role = "arn:aws:iam::123456789012:role/export"
    aws.rds.add_role_to_db_cluster(DBClusterIdentifier=ID, RoleArn=role, FeatureName="s3Export")
    aws.rds.add_role_to_db_cluster(DBClusterIdentifier=ID, RoleArn=f"{role}-other")
    seen = look(REC, aws, ID, want)
    assert seen.spec.http_endpoint
    assert seen.spec.associated_roles == {f"{role} for s3Export", f"{role}-other"}
    assert bring(REC, aws, ID, want).spec == want


@pytest.mark.parametrize("data_api", [True, False])
def test_a_waived_access_stays_while_another_is_removed(want: DbClusterSpec, *, data_api: bool) -> None:
    first, second = "arn:aws:iam::123456789012:role/a for s3Import", "arn:aws:iam::123456789012:role/b"
    waived = want.model_copy(update={"http_endpoint": data_api, "associated_roles": frozenset({first})})
    live = waived.model_copy(update={"associated_roles": frozenset({first, second})})
    aws = scripted()
    assert DbCluster().update(aws, case.ID, live, waived) == {"associated_roles"}
    removed = {"DBClusterIdentifier": case.ID, "RoleArn": "arn:aws:iam::123456789012:role/b"}
    assert aws.calls == [("remove_role_from_db_cluster", removed)]


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("ResourceNotFoundFault", Patience.PROPAGATION),
        ("InvalidResourceStateFault", Patience.LONG),
    ],
)
def test_access_that_cannot_be_removed_yet_is_tried_again(
    aws: Aws, want: DbClusterSpec, code: str, patience: Patience
) -> None:
    refuse(aws.rds, "DisableHttpEndpoint", code)
    with pytest.raises(NotYet) as caught:
        REC.update(aws, ID, want.model_copy(update={"http_endpoint": True}), want)
    assert caught.value.patience is patience


def test_a_stopped_cluster_blocks_its_deletion(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    answer(aws.rds, "DescribeDBClusters", described(aws, Status="stopped"))
    seen = look(REC, aws, ID, want)
    start = f"start it first: aws rds start-db-cluster --db-cluster-identifier {ID} --region us-east-1"
    assert str(seen.failure).startswith(f"stopped: {start}")
    assert str(REC.deletion_blocker(seen)).startswith(
        f"it is stopped: RDS deletes no member of a stopped cluster; {start}"
    )
    for operation in ("ModifyDBCluster", "DeleteDBCluster"):
        refuse(aws.rds, operation, "InvalidDBClusterStateFault", f"DbCluster {ID} is in stopped state")
    with pytest.raises(AwsRefused) as caught:
        REC.update(aws, ID, want, want.model_copy(update={"port": 5433}))
    assert str(caught.value.hint).startswith(start)
    with pytest.raises(AwsRefused) as caught:
        REC.delete(aws, ID, seen, want)
    assert str(caught.value.hint).startswith(start)


def test_a_protected_cluster_blocks_its_deletion(aws: Aws, want: DbClusterSpec) -> None:
    protected = want.model_copy(update={"deletion_protection": True})
    seen = bring(REC, aws, ID, protected)
    assert (REC.deletion_blocker(seen), REC.is_protection(seen)) == ("its deletion protection is on", True)
    seen = bring(REC, aws, ID, want)
    assert (REC.deletion_blocker(seen), REC.is_protection(seen)) == (None, False)


@pytest.mark.parametrize(
    ("live", "last", "configured", "due"),
    [
        (DUE, DUE, True, True),
        (NOT_DUE, NOT_DUE, None, False),
        (NOT_DUE, NOT_DUE, False, False),
        (NOT_DUE, NOT_DUE, True, True),
        (NOT_DUE, None, None, True),
        (NOT_DUE, None, False, False),
        (NOT_DUE, DUE, False, True),
        (DUE, NOT_DUE, False, True),
        ({}, NOT_DUE, None, True),
        ({}, NOT_DUE, False, False),
        ({}, None, False, True),
    ],
)
def test_a_final_snapshot_is_due_unless_two_of_three_say_no_and_none_says_otherwise(  # noqa: PLR0917 -- as its cases
    aws: Aws,
    want: DbClusterSpec,
    live: dict[str, str],
    last: dict[str, str] | None,
    configured: bool | None,
    due: bool,
) -> None:
    recorded = None if last is None else with_tags(want, last)
    assert final_snapshot_due(with_tags(want, live), recorded, configured) == due
    cluster = DbCluster(final_snapshot=configured)
    seen = bring(REC, aws, ID, with_tags(want, live))
    assert cluster.takes_final_snapshot(seen, recorded) == due
    assert not cluster.takes_final_snapshot(replace(seen, deleting=True), recorded)
    assert ("no final snapshot is due" in cluster.removal_note(seen, snapshot_due=due)) == (not due)
    delete_until_gone(cluster, aws, ID, recorded)
    assert bool(snapshots(aws)) == due


def test_the_final_snapshot_bears_the_clusters_identity_and_tags(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    expected = final_name(aws)
    delete_until_gone(REC, aws, ID, want)
    ((name, snapshot),) = snapshots(aws).items()
    assert name == expected
    assert {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]} == want.tags
    assert REC.remaining_after_delete(aws, ID, want) is None


def test_a_snapshot_of_a_removal_that_did_not_end_is_not_the_final_one(aws: Aws, want: DbClusterSpec) -> None:
    bring(REC, aws, ID, want)
    name = final_name(aws)
    for taken in (name, f"{name}-2", f"{ID}-final-of-another-cluster"):
        aws.rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=taken, DBClusterIdentifier=ID)
    delete_until_gone(REC, aws, ID, want)
    assert f"{name}-3" in snapshots(aws)


def test_a_snapshot_that_was_taken_just_now_is_seen_at_the_next_step(aws: Aws, want: DbClusterSpec) -> None:
    seen = bring(REC, aws, ID, want)
    refuse(aws.rds, "DeleteDBCluster", "DBClusterSnapshotAlreadyExistsFault", times=1)
    with pytest.raises(NotYet) as caught:
        REC.delete(aws, ID, seen, want)
    assert caught.value.patience is Patience.PROPAGATION


def test_a_cluster_that_goes_between_the_read_and_the_delete_is_gone(aws: Aws, want: DbClusterSpec) -> None:
    seen = bring(REC, aws, ID, want)
    refuse(aws.rds, "DeleteDBCluster", "DBClusterNotFoundFault", times=1)
    REC.delete(aws, ID, seen, want)
    assert look(REC, aws, ID, want).settled


def test_it_goes_once_every_member_is_going(aws: Aws) -> None:
    db_instance.prepare(aws)
    member = add_member(aws, 0)
    seen = look(REC, aws, ID, None)
    with pytest.raises(NotYet, match="non-deleting state") as caught:
        REC.delete(aws, ID, seen, None)
    assert caught.value.patience is Patience.LONG
    aws.rds.delete_db_instance(DBInstanceIdentifier=member)
    delete_until_gone(REC, aws, ID)


def test_members_that_somebody_added_are_named_and_not_waited_for(aws: Aws) -> None:
    db_instance.prepare(aws)
    add_member(aws, 0)
    for number in (7, 8):
        add_member(aws, number, tags={})
    seen = look(REC, aws, ID, None)
    members = f"db-instance/{ID}-7, db-instance/{ID}-8"
    with pytest.raises(Refused, match=f"holds what is not ours and is never removed: {members}$"):
        REC.delete(aws, ID, seen, None)
    # Without knowing whose they are.
    refuse(aws.rds, "DescribeDBInstances", *DENIED)
    with pytest.raises(NotYet, match="non-deleting state") as caught:
        REC.delete(aws, ID, seen, None)
    assert caught.value.patience is Patience.LONG


@pytest.mark.parametrize("tags", [DUE, NOT_DUE])
def test_what_is_gone_is_not_removed_again(aws: Aws, want: DbClusterSpec, tags: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, with_tags(want, tags))
    delete_until_gone(REC, aws, ID, want)
    REC.delete(aws, ID, seen, None)


# -- what stands against a removal -----------------------------------------------------------------------------------


def stands_against(aws: Aws, want: DbClusterSpec) -> Refused | None:
    cluster = DbCluster(final_snapshot=False)
    return cluster.removal_refusal(aws, ID, bring(cluster, aws, ID, want), None)


@pytest.mark.parametrize(
    ("answer_of_aws", "told"),
    [
        ({"GlobalClusterIdentifier": "world"}, "global cluster world"),
        ({"ReplicationSourceIdentifier": "arn:source"}, "its source arn:source"),
        ({"ReadReplicaIdentifiers": ["one", "two"]}, "its replica one, its replica two"),
    ],
)
def test_what_hangs_on_the_cluster_stands_against_its_removal(
    aws: Aws, want: DbClusterSpec, answer_of_aws: dict[str, Any], told: str
) -> None:
    assert stands_against(aws, want) is None
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=ID)["DBClusters"]
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": [{**cluster, **answer_of_aws}]})
    refused = stands_against(aws, want)
    assert refused is not None
    assert refused.cause.endswith(told)


@pytest.mark.parametrize(
    ("operation", "answer_of_aws", "told"),
    [
        (
            "DescribeIntegrations",
            {"Integrations": [{"IntegrationName": "dwh", "SourceArn": "OURS", "Status": "active"}]},
            ": its integration dwh",
        ),
        (
            "DescribeIntegrations",
            {"Integrations": [{"IntegrationName": "dwh", "SourceArn": "OURS", "Status": "deleting"}]},
            "",
        ),
        (
            "DescribeIntegrations",
            {"Integrations": [{"IntegrationName": "theirs", "SourceArn": "OURS-2", "Status": "active"}]},
            "",
        ),
        (
            "DescribeBlueGreenDeployments",
            {"BlueGreenDeployments": [{"BlueGreenDeploymentName": "bg", "Source": "OURS", "Status": "AVAILABLE"}]},
            ": its blue/green deployment bg",
        ),
        (
            "DescribeBlueGreenDeployments",
            {"BlueGreenDeployments": [{"Source": "OURS", "Status": "SWITCHOVER_COMPLETED"}]},
            "",
        ),
    ],
)
def test_what_has_the_cluster_for_its_source_stands_against_its_removal(
    aws: Aws, want: DbClusterSpec, operation: str, answer_of_aws: dict[str, Any], told: str
) -> None:
    ours = aws.arn("rds", f"cluster:{ID}")
    answer(aws.rds, operation, json.loads(json.dumps(answer_of_aws).replace("OURS", ours)))
    refused = stands_against(aws, want)
    assert (refused is not None) == bool(told)
    if refused is not None:
        assert refused.cause.endswith(told)


@pytest.mark.parametrize(("tags", "room"), [(DUE, False), (NOT_DUE, True)])
def test_a_final_snapshot_needs_room(
    aws: Aws, want: DbClusterSpec, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str], room: bool
) -> None:
    monkeypatch.setitem(QUOTAS, "ManualClusterSnapshots", 0)
    refused = stands_against(aws, with_tags(want, tags))
    assert (refused is None) == room
    if refused is not None:
        assert "there is no room for one" in refused.cause
        # Too late to be told of it: the members would be gone.
        with pytest.raises(AwsRefused, match="SnapshotQuotaExceeded"):
            REC.delete(aws, ID, look(REC, aws, ID, want), None)


def test_a_quota_that_is_not_told_leaves_room(aws: Aws, want: DbClusterSpec) -> None:
    answer(aws.rds, "DescribeAccountAttributes", {"AccountQuotas": [{"AccountQuotaName": "DBClusters", "Used": 40}]})
    assert stands_against(aws, with_tags(want, DUE)) is None


def test_a_snapshot_of_somebody_else_s_is_waited_for(aws: Aws, want: DbClusterSpec, sandbox_app: Sandbox) -> None:
    seen = bring(REC, aws, ID, want)
    sandbox_app.simulation.scale = 1.0
    aws.rds.create_db_cluster_snapshot(DBClusterIdentifier=ID, DBClusterSnapshotIdentifier="theirs")
    with pytest.raises(NotYet) as caught:
        REC.delete(aws, ID, seen, None)
    sandbox_app.simulation.scale = 0.0
    assert caught.value.patience is Patience.LONG


def test_room_that_may_not_be_asked_for_stands_against_a_removal(aws: Aws, want: DbClusterSpec) -> None:
    refuse(aws.rds, "DescribeAccountAttributes", *DENIED)
    refused = stands_against(aws, want)
    assert refused is not None
    assert "allow rds:DescribeAccountAttributes" in (refused.hint or "")


def test_any_other_refusal_of_the_question_passes(aws: Aws, want: DbClusterSpec) -> None:
    refuse(aws.rds, "DescribeAccountAttributes", "InternalFailure")
    with pytest.raises(AwsError):
        stands_against(aws, want)
