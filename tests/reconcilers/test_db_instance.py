from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Impact, Owner, Pending
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tests.reconcilers.cases import db_cluster
from tests.reconcilers.cases import db_instance as case
from tests.reconcilers.clusters import CLUSTER, add_member, described, instance
from tests.reconcilers.driving import OURS, TAGS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID
WANT = case.examples({})[0]
LARGER = "db.r6g.xlarge"


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


def with_(**changes: Any) -> DbInstanceSpec:
    return WANT.model_copy(update=changes)


@pytest.mark.usefixtures("world")
def test_all_members_of_a_round_are_seen_in_two_calls(aws: Aws) -> None:
    names = [add_member(aws, number) for number in range(3)]
    before = calls(aws)
    view = aws.memoized({"db-instance": tuple(names)})
    assert [look(REC, view, name).spec.cluster for name in names] == [CLUSTER] * 3
    db_cluster.RECONCILER.observe(view, CLUSTER, None)
    assert calls(aws) - before == 2


@pytest.mark.usefixtures("world")
def test_its_own_fields_are_read_and_its_clusters_are_not(aws: Aws) -> None:
    seen = bring(REC, aws, ID, WANT)
    assert (seen.spec, seen.owner, seen.settled, seen.status) == (WANT, OURS, True, "available")
    assert seen.outputs is not None
    assert seen.outputs.arn == f"arn:aws:rds:us-east-1:123456789012:db:{ID}"
    assert seen.outputs.resource_id.startswith("db-")
    assert not {"engine_version", "kms_key_arn", "performance_insights"} & DbInstanceSpec.model_fields.keys()


def test_what_is_not_there_is_absent(aws: Aws) -> None:
    assert REC.observe(aws, ID, WANT) is None
    refuse(aws.rds, "DescribeDBInstances", "DBInstanceNotFound", times=1)
    assert REC.observe(aws, ID, WANT) is None
    refuse(aws.rds, "DescribeDBInstances", *DENIED)
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, WANT)


@pytest.mark.usefixtures("world")
def test_an_instance_of_another_cluster_is_somebody_elses_whatever_its_tags_say(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    assert look(REC, aws, ID, with_(cluster="other")).owner == Owner("", "", f"a member of {CLUSTER}")


@pytest.mark.usefixtures("world")
def test_an_instance_in_no_cluster_is_somebody_elses_and_no_nameless_cluster_is_looked_for(aws: Aws) -> None:
    aws.rds.create_db_instance(
        DBInstanceIdentifier=ID, Engine="postgres", DBInstanceClass="db.r6g.large", AllocatedStorage=20
    )
    # As RDS answers a name that is none.
    refuse(aws.rds, "DescribeDBClusters", "InvalidParameterValue", "The parameter DBClusterIdentifier is not valid")
    assert look(REC, aws, ID, WANT).owner == Owner("", "", "a member of no cluster")


@pytest.mark.usefixtures("world")
def test_one_that_is_missing_hides_no_other(aws: Aws) -> None:
    add_member(aws, 0)
    refuse(aws.rds, "DescribeDBInstances", "DBInstanceNotFound", "DBInstance x not found", Value="db-cluster-test-1")
    view = aws.memoized({"db-instance": (ID, f"{CLUSTER}-1")})
    assert look(REC, view, ID).spec.cluster == CLUSTER
    assert REC.observe(view, f"{CLUSTER}-1", None) is None


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("own", "shared", "detail"),
    [
        ("pending-reboot", "in-sync", f"{case.GROUP}: pending-reboot"),
        ("in-sync", "pending-reboot", f"{db_cluster.GROUP}: pending-reboot"),
        ("failed-to-apply", "applying", f"{case.GROUP}: failed-to-apply"),
    ],
)
def test_parameters_that_wait_for_a_reboot_are_pending(aws: Aws, own: str, shared: str, detail: str) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBParameterGroups=[group(own)]))
    answer(aws.rds, "DescribeDBClusters", described(aws, DBClusterMembers=[member(shared)]))
    seen = look(REC, aws, ID, WANT)
    assert seen.pending == {"parameter_group": Pending("reboot", detail)}
    assert (seen.spec, seen.settled) == (WANT, shared != "applying")


def group(status: str) -> dict[str, str]:
    return {"DBParameterGroupName": case.GROUP, "ParameterApplyStatus": status}


def member(status: str) -> dict[str, object]:
    return {"DBInstanceIdentifier": ID, "IsClusterWriter": True, "DBClusterParameterGroupStatus": status}


@pytest.mark.usefixtures("world")
def test_parameters_that_are_being_applied_unsettle(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBParameterGroups=[group("applying")]))
    seen = look(REC, aws, ID, WANT)
    assert (seen.settled, seen.pending) == (False, {})


@pytest.mark.usefixtures("world")
def test_what_rds_does_not_tell_yet_is_empty(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": []})
    answer(aws.rds, "DescribeDBInstances", instance(aws, DbiResourceId="", DBParameterGroups=[]))
    seen = look(REC, aws, ID, WANT)
    assert (seen.outputs, seen.spec.parameter_group, seen.pending) == (None, "", {})


@pytest.mark.usefixtures("world")
def test_the_removal_of_a_writer_is_a_failover_to_another(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    assert look(REC, aws, ID, WANT).removal_impact is Impact.NONE, "there is no other"
    add_member(aws, 1)
    costs = {name: look(REC, aws, name, WANT).removal_impact for name in (ID, f"{CLUSTER}-1")}
    assert costs == {ID: Impact.FAILOVER, f"{CLUSTER}-1": Impact.NONE}


@pytest.mark.usefixtures("world")
def test_a_class_that_waits_for_the_window_counts_as_it_will_be_and_is_pending(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    aws.rds.modify_db_instance(DBInstanceIdentifier=ID, DBInstanceClass=LARGER)
    seen = look(REC, aws, ID, WANT)
    assert seen.spec.instance_class == LARGER
    assert seen.pending["instance_class"].detail == "now db.r6g.large"
    modifying = instance(aws, DBInstanceStatus="modifying", PendingModifiedValues={"DBInstanceClass": LARGER})
    answer(aws.rds, "DescribeDBInstances", modifying, times=1)
    seen = look(REC, aws, ID, WANT)
    assert seen.pending["instance_class"].until == "AWS is done", "it waits for no window"
    assert seen.spec.maintenance_window == WANT.maintenance_window
    seen = bring(REC, aws, ID, WANT)
    assert (seen.spec, seen.pending) == (WANT, {})


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("status", "settled", "going", "failed"),
    [
        ("available", True, False, None),
        ("storage-optimization", True, False, None),
        ("creating", False, False, None),
        ("a-new-word", False, False, None),
        ("deleting", False, True, None),
        ("incompatible-network", False, False, "incompatible-network: no free address"),
    ],
)
def test_its_state_is_told(aws: Aws, status: str, settled: bool, going: bool, failed: str | None) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.rds, "DescribeEvents", {"Events": [{"Message": "no free address"}]})
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus=status))
    seen = look(REC, aws, ID, WANT)
    assert (seen.settled, seen.deleting, seen.failure, seen.update_failure, seen.status) == (
        settled,
        going,
        failed,
        None,
        status,
    )


@pytest.mark.usefixtures("world")
def test_a_state_without_an_event_is_its_own_reason(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    answer(aws.rds, "DescribeEvents", {"Events": []})
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus="failed"))
    assert look(REC, aws, ID, WANT).failure == "failed"


START = f"start it first: aws rds start-db-cluster --db-cluster-identifier {CLUSTER} --region us-east-1"
"""In the embedded AWS its address follows: the real one must never hear of it."""


@pytest.mark.usefixtures("world")
def test_a_stopped_one_comes_back_by_nobody_but_who_starts_its_cluster(aws: Aws) -> None:
    seen = bring(REC, aws, ID, WANT)
    for operation in ("CreateDBInstance", "ModifyDBInstance", "DeleteDBInstance"):
        refuse(aws.rds, operation, "InvalidDBClusterStateFault", f"DB cluster {CLUSTER} is in stopped state")
    for step in (
        lambda: REC.create(aws, ID, WANT, OURS),
        lambda: REC.update(aws, ID, WANT, with_(promotion_tier=5)),
        lambda: REC.delete(aws, ID, seen, None),
    ):
        with pytest.raises(AwsRefused) as caught:
            step()
        assert caught.value.hint == f"{START} --endpoint-url {aws.target.endpoint_url}"
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus="stopped"))
    seen = look(REC, aws, ID, WANT)
    # It is not to be replaced for that.
    assert (seen.settled, seen.failure) == (False, None)
    assert str(seen.update_failure).startswith(f"it is stopped; {START}")


@pytest.mark.usefixtures("world")
def test_a_taken_name_is_looked_at_again_and_a_class_that_does_not_exist_is_refused(aws: Aws) -> None:
    with pytest.raises(AwsRefused, match=r"db\.m5\.large"):
        REC.create(aws, ID, with_(instance_class="db.m5.large"), OURS)
    REC.create(aws, ID, WANT, OURS)
    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, WANT, OURS)


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("InvalidDBClusterStateFault", Patience.LONG),
        ("DBClusterNotFoundFault", Patience.PROPAGATION),
        ("DBParameterGroupNotFound", Patience.PROPAGATION),
    ],
)
def test_it_waits_for_its_cluster(aws: Aws, code: str, patience: Patience) -> None:
    refuse(aws.rds, "CreateDBInstance", code)
    with pytest.raises(NotYet) as caught:
        REC.create(aws, ID, WANT, OURS)
    assert caught.value.patience is patience


@pytest.mark.usefixtures("world")
def test_the_class_of_the_only_instance_just_changes_after_all_else(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    want = with_(instance_class=LARGER, promotion_tier=0, tags={**TAGS, "Service": "payments"})
    assert REC.update(aws, ID, WANT, want) == {"promotion_tier"}
    assert REC.update(aws, ID, with_(promotion_tier=0), want) == {"instance_class"}
    assert bring(REC, aws, ID, want).spec == want


def test_a_change_of_what_does_not_show_yet_is_asked_again(aws: Aws) -> None:
    refuse(aws.rds, "ModifyDBInstance", "DBInstanceNotFound")
    with pytest.raises(NotYet) as caught:
        REC.update(aws, ID, WANT, with_(instance_class=LARGER))
    assert caught.value.patience is Patience.PROPAGATION


@pytest.mark.usefixtures("world")
def test_a_change_that_aws_refuses_is_refused(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    refuse(aws.rds, "ModifyDBInstance", *DENIED)
    with pytest.raises(AwsRefused):
        REC.update(aws, ID, WANT, with_(instance_class=LARGER))


@pytest.mark.usefixtures("world")
def test_it_goes_without_a_snapshot_and_only_once(aws: Aws) -> None:
    seen = bring(REC, aws, ID, WANT)
    delete_until_gone(REC, aws, ID, WANT)
    assert aws.rds.describe_db_snapshots()["DBSnapshots"] == []
    REC.delete(aws, ID, seen, None)
    refuse(aws.rds, "DeleteDBInstance", "InvalidDBInstanceState", "Instance x is already being deleted.")
    REC.delete(aws, ID, seen, None)


@pytest.mark.usefixtures("world")
def test_a_failed_one_goes_too(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    sent: list[Any] = []
    aws.rds.meta.events.register("provide-client-params.rds.DeleteDBInstance", lambda params, **_: sent.append(params))
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus="failed"), times=1)
    REC.delete(aws, ID, look(REC, aws, ID, WANT), None)
    # RDS deletes a failed one only when told to skip the snapshot (DeleteDBInstance).
    assert sent == [{"DBInstanceIdentifier": ID, "SkipFinalSnapshot": True}]


@pytest.mark.usefixtures("world")
def test_a_busy_one_is_waited_for(aws: Aws) -> None:
    seen = bring(REC, aws, ID, WANT)
    refuse(aws.rds, "DeleteDBInstance", "InvalidDBInstanceState", "not available")
    with pytest.raises(NotYet) as caught:
        REC.delete(aws, ID, seen, None)
    assert caught.value.patience is Patience.LONG


@pytest.mark.usefixtures("world")
def test_only_ours_are_found(aws: Aws) -> None:
    add_member(aws, 0)
    add_member(aws, 7, tags={"ManagedBy": "terraform"})
    assert list(DbInstance().list_owned(aws, OURS)) == [ID]
