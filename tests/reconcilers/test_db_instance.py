from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import REBOOT, UNSEEN, Impact, Owner, Pending
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tests.reconcilers.cases import db_cluster
from tests.reconcilers.cases import db_instance as case
from tests.reconcilers.clusters import CLUSTER, add_member, described, instance, writer
from tests.reconcilers.driving import OURS, TAGS, bring, calls, changes, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID
WANT = case.examples({})[0]
LARGER = "db.r6g.xlarge"
GIVEN_UP = (
    *("incompatible-network", "incompatible-create", "incompatible-credentials"),
    *("modify-failed", "upgrade-failed"),
)


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


@pytest.mark.usefixtures("world")
def test_an_instance_of_another_cluster_is_somebody_elses_whatever_its_tags_say(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    assert look(REC, aws, ID, with_(cluster="other")).owner == Owner("", "", scope=f"a member of {CLUSTER}")


@pytest.mark.usefixtures("world")
def test_an_instance_in_no_cluster_is_somebody_elses_and_no_nameless_cluster_is_looked_for(aws: Aws) -> None:
    asked: dict[str, Any] = {"Engine": "postgres", "DBInstanceClass": "db.r6g.large", "AllocatedStorage": 20}
    # moto tells only what it was told, RDS always.
    aws.rds.create_db_instance(DBInstanceIdentifier=ID, PubliclyAccessible=False, **asked)
    # As RDS answers a name that is none.
    refuse(aws.rds, "DescribeDBClusters", "InvalidParameterValue", "The parameter DBClusterIdentifier is not valid")
    assert look(REC, aws, ID, WANT).owner == Owner("", "", scope="a member of no cluster")


@pytest.mark.usefixtures("world")
def test_a_missing_instance_does_not_hide_the_others(aws: Aws) -> None:
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
    # The only one goes only once another is made.
    assert look(REC, aws, ID, WANT).removal_impact is Impact.FAILOVER
    add_member(aws, 1)
    costs = {name: look(REC, aws, name, WANT).removal_impact for name in (ID, f"{CLUSTER}-1")}
    assert costs == {ID: Impact.FAILOVER, f"{CLUSTER}-1": Impact.NONE}


@pytest.mark.usefixtures("world")
def test_another_class_is_an_outage_of_the_only_member_a_failover_of_a_writer_and_nothing_of_a_reader(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    assert look(REC, aws, ID, WANT).impacts == {"instance_class": Impact.OUTAGE}
    add_member(aws, 1)
    costs = {name: look(REC, aws, name, WANT).impacts["instance_class"] for name in (ID, f"{CLUSTER}-1")}
    assert costs == {ID: Impact.FAILOVER, f"{CLUSTER}-1": Impact.NONE}


@pytest.mark.parametrize("status", ["failed", "deleting"])
def test_another_class_of_a_writer_whose_fellow_cannot_write_is_an_outage(aws: Aws, status: str) -> None:
    first = add_member(aws, 0)
    add_member(aws, 1)
    others(aws, (first, {}), (f"{CLUSTER}-1", {"DBInstanceStatus": status}))
    seen = look(REC, aws, first, WANT)
    assert (seen.impacts, seen.hands_over_to) == ({"instance_class": Impact.OUTAGE}, "")


def test_a_writer_hands_over_to_one_that_stays_or_to_the_first_of_those_that_go(aws: Aws) -> None:
    first, second, third = (add_member(aws, number, PromotionTier=3 - number) for number in range(3))

    def taker(id: str, *staying: str) -> str:
        return look(DbInstance(staying), aws, id, WANT).hands_over_to

    assert taker(first, first, second) == f"db-instance/{second}"
    assert taker(first, first) == f"db-instance/{third}"
    assert taker(second, first, second) == ""


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
def test_what_waits_for_the_window_is_told_by_rds_own_name_and_what_is_the_clusters_is_pending(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    values = {"DBInstanceIdentifier": "mallorys-0", "Port": 3306, "MasterUserPassword": "****", "EngineVersion": "16.9"}
    answer(aws.rds, "DescribeDBInstances", instance(aws, PendingModifiedValues=values), times=1)
    seen = look(REC, aws, ID, WANT)
    assert seen.spec.put_off == {"DBInstanceIdentifier mallorys-0", "Port 3306"}
    until = Pending(WANT.maintenance_window, "EngineVersion 16.9, MasterUserPassword ****")
    assert seen.pending == {"put_off": until}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("status", "settled", "going", "failed"),
    [
        ("available", True, False, None),
        ("storage-optimization", True, False, None),
        ("creating", False, False, None),
        ("a-new-word", False, False, None),
        ("deleting", False, True, None),
        ("delete-precheck", False, True, None),
        *((state, False, False, f"{state}: no free address") for state in GIVEN_UP),
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
"""The address in the embedded AWS follows here: the real one must never hear of it."""


@pytest.mark.usefixtures("world")
def test_a_stopped_instance_needs_its_cluster_started(aws: Aws) -> None:
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
def test_an_instance_whose_key_was_out_of_reach_is_not_replaced(aws: Aws) -> None:
    bring(REC, aws, ID, WANT)
    recoverable = "inaccessible-encryption-credentials-recoverable"
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus=recoverable))
    seen = look(REC, aws, ID, WANT)
    assert seen.failure is None
    assert f"it is {recoverable}; enable its key, then {START}" in str(seen.update_failure)


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
def test_a_failed_instance_is_deleted_too(aws: Aws) -> None:
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


MEMBERS = (f"{CLUSTER}-0", f"{CLUSTER}-1", f"{CLUSTER}-2")


@pytest.fixture
def rebooting(aws: Aws) -> Aws:
    """Three members, all of which wait for a reboot."""
    for number in range(3):
        add_member(aws, number)
    parameter: Any = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    aws.rds.modify_db_parameter_group(DBParameterGroupName=case.GROUP, Parameters=[parameter])
    assert all(pending(aws, one) for one in MEMBERS)
    return aws


def pending(aws: Aws, name: str) -> bool:
    waiting = look(DbInstance(), aws, name, WANT).pending.get("parameter_group")
    return waiting is not None and waiting.until == REBOOT


def test_the_writer_waits_for_the_readers_and_they_for_nobody(rebooting: Aws) -> None:
    first = writer(rebooting)
    readers = [one for one in MEMBERS if one != first]
    for reader in readers:
        with pytest.raises(
            NotYet, match=f"{first} writes and is rebooted last: {CLUSTER}-. waits for its own"
        ) as answer:
            DbInstance().reboot(rebooting, first, WANT)
        assert answer.value.patience is Patience.LONG
        before = changes(rebooting)
        DbInstance().reboot(rebooting, reader, WANT)
        assert changes(rebooting) == before + 1
        assert not pending(rebooting, reader)
    DbInstance().reboot(rebooting, first, WANT)
    assert not any(pending(rebooting, one) for one in MEMBERS)
    assert writer(rebooting) == first


def test_only_those_that_stay_are_waited_for(rebooting: Aws) -> None:
    first = writer(rebooting)
    DbInstance(staying={first}).reboot(rebooting, first, WANT)
    assert not pending(rebooting, first)


def test_a_refusal_that_passes_is_asked_again_and_any_other_is_told(rebooting: Aws) -> None:
    refuse(rebooting.rds, "RebootDBInstance", "InvalidDBInstanceState", "Instance is not in available state", times=1)
    reader = next(one for one in MEMBERS if one != writer(rebooting))
    with pytest.raises(NotYet):
        DbInstance().reboot(rebooting, reader, WANT)
    refuse(rebooting.rds, "RebootDBInstance", "AccessDenied", times=1)
    with pytest.raises(AwsRefused):
        DbInstance().reboot(rebooting, reader, WANT)


def test_a_cluster_that_does_not_show_has_no_writer_to_wait(rebooting: Aws) -> None:
    refuse(rebooting.rds, "DescribeDBClusters", "DBClusterNotFoundFault")
    DbInstance().reboot(rebooting, MEMBERS[1], WANT)


pytestmark = pytest.mark.usefixtures("world")


def test_a_reader_changes_its_class_while_another_writes(aws: Aws) -> None:
    first, second = add_member(aws, 0), add_member(aws, 1)
    assert writer(aws) == first
    assert REC.update(aws, second, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_a_writer_changes_its_class_last_and_as_a_reader(aws: Aws) -> None:
    first, second, third = (add_member(aws, number, PromotionTier=3 - number) for number in range(3))
    want = with_(instance_class=LARGER)
    with pytest.raises(NotYet, match=r"is still db\.r6g\.large"):
        REC.update(aws, first, WANT, want)
    for name in (second, third):
        aws.rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass=LARGER, ApplyImmediately=True)
    assert REC.update(aws, first, WANT, want) == UNSEEN
    assert writer(aws) == third
    assert look(REC, aws, first).spec.instance_class == "db.r6g.large"
    assert REC.update(aws, first, WANT, want) == {"instance_class"}
    assert look(REC, aws, first).spec.instance_class == LARGER


def test_a_writer_waits_for_no_reboot_of_the_others_which_never_comes_by_itself(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER)
    aws.rds.modify_db_instance(DBInstanceIdentifier=second, DBParameterGroupName=f"{case.GROUP}-other")
    assert look(REC, aws, second).pending["parameter_group"].until == "reboot"
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == UNSEEN
    assert writer(aws) == second


def test_a_writer_waits_while_others_apply_their_parameters(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER)
    applying = {"DBInstanceIdentifier": second, "DBClusterParameterGroupStatus": "applying"}
    answer(aws.rds, "DescribeDBClusters", described(aws, DBClusterMembers=[member("in-sync"), applying]))
    with pytest.raises(NotYet, match="is applying its parameters"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def test_a_writer_waits_for_the_others_to_be_available(aws: Aws) -> None:
    first = add_member(aws, 0)
    busy = instance(
        aws,
        DBInstanceIdentifier=f"{CLUSTER}-1",
        DBInstanceClass=LARGER,
        DBInstanceStatus="modifying",
        TagList=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    answer(aws.rds, "DescribeDBInstances", busy)
    with pytest.raises(NotYet, match="is modifying"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def test_a_member_that_somebody_added_is_neither_waited_for_nor_made_the_writer(aws: Aws) -> None:
    first = add_member(aws, 0)
    add_member(aws, 7, tags={})
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}
    # AWS itself may hand over while it restarts.
    assert aws.call_log.calls["rds:FailoverDBCluster"] == 0


def test_a_failover_that_is_not_possible_yet_is_asked_again(aws: Aws) -> None:
    first = add_member(aws, 0)
    add_member(aws, 1, DBInstanceClass=LARGER)
    refuse(aws.rds, "FailoverDBCluster", "InvalidDBClusterStateFault")
    with pytest.raises(NotYet, match="InvalidDBClusterStateFault"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))
    answer(aws.rds, "DescribeDBClusters", described(aws, Status="failing-over"))
    with pytest.raises(NotYet, match=f"{CLUSTER} is failing-over"):
        REC.update(aws, first, WANT, with_(instance_class=LARGER))


def others(aws: Aws, *members: tuple[str, dict[str, Any]]) -> None:
    """RDS's answer for the members: by name, as the first one but for these changes."""
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    told = [
        instance(aws, DBInstanceIdentifier=name, TagList=tags, **changes)["DBInstances"][0] for name, changes in members
    ]
    answer(aws.rds, "DescribeDBInstances", {"DBInstances": told})


@pytest.mark.parametrize("status", ["failed", "incompatible-network", "stopped", "deleting"])
def test_a_writer_waits_for_none_that_aws_gave_up_on_and_hands_over_to_none(aws: Aws, status: str) -> None:
    first = add_member(aws, 0)
    others(aws, (f"{CLUSTER}-1", {"DBInstanceStatus": status}))
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}
    assert aws.call_log.calls["rds:FailoverDBCluster"] == 0


@pytest.mark.parametrize(
    ("changes", "cluster", "patience"),
    [
        ({}, "available", Patience.BUSY),
        ({"DBInstanceStatus": "modifying"}, "available", Patience.LONG),
        ({"PendingModifiedValues": {"DBInstanceClass": LARGER}}, "available", Patience.LONG),
        ({}, "backing-up", Patience.LONG),
    ],
)
def test_a_reader_on_which_aws_is_at_work_is_waited_for_long_and_an_idle_one_is_not(
    aws: Aws, changes: dict[str, Any], cluster: str, patience: Patience
) -> None:
    first = add_member(aws, 0)
    others(aws, (f"{CLUSTER}-1", changes))
    answer(aws.rds, "DescribeDBClusters", described(aws, DBClusterMembers=[member("in-sync")], Status=cluster))
    with pytest.raises(NotYet, match=r"is still db\.r6g\.large") as caught:
        REC.update(aws, first, WANT, with_(instance_class=LARGER))
    assert caught.value.patience is patience


def test_a_writer_waits_for_those_alone_that_stay_and_hands_over_to_one_of_them(aws: Aws) -> None:
    first = add_member(aws, 0)
    second = add_member(aws, 1, DBInstanceClass=LARGER, PromotionTier=9)
    add_member(aws, 2, PromotionTier=0)
    assert DbInstance((first, second)).update(aws, first, WANT, with_(instance_class=LARGER)) == UNSEEN
    assert writer(aws) == second


def test_where_only_one_that_is_to_go_can_write_meanwhile_it_does(aws: Aws) -> None:
    first, second = add_member(aws, 0), add_member(aws, 1)
    only = DbInstance((first,))
    assert only.update(aws, first, WANT, with_(instance_class=LARGER)) == UNSEEN
    assert writer(aws) == second
    assert only.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_a_busy_member_to_be_removed_is_waited_for_only_where_no_other_can_write(aws: Aws) -> None:
    first, second = add_member(aws, 0), add_member(aws, 1, DBInstanceClass=LARGER)
    busy = f"{CLUSTER}-2", {"DBInstanceStatus": "modifying"}
    others(aws, (second, {"DBInstanceClass": LARGER, "PromotionTier": 9}), busy)
    with pytest.raises(NotYet, match=f"{CLUSTER}-2 is modifying"):
        DbInstance((first,)).update(aws, first, WANT, with_(instance_class=LARGER))
    assert DbInstance((first, second)).update(aws, first, WANT, with_(instance_class=LARGER)) == UNSEEN
    assert writer(aws) == second


def test_what_is_in_no_cluster_that_shows_just_changes(aws: Aws) -> None:
    first = add_member(aws, 0)
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": []})
    assert REC.update(aws, first, WANT, with_(instance_class=LARGER)) == {"instance_class"}


def test_an_absent_instance_is_none_and_instances_that_may_not_be_read_are_not_absent(aws: Aws) -> None:
    refuse(aws.rds, "DescribeDBInstances", "DBInstanceNotFound", times=1)
    assert REC.observe(aws, "absent", WANT) is None
    refuse(aws.rds, "DescribeDBInstances", *DENIED)
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, WANT)


# -- zones -------------------------------------------------------------------------------------------------------------

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
PLACED = [f"{CLUSTER}-{number}" for number in range(4)]


def zones(aws: Aws) -> dict[str, str]:
    members = aws.rds.describe_db_instances()["DBInstances"]
    return {each["DBInstanceIdentifier"]: each["AvailabilityZone"] for each in members}


def make(aws: Aws, at: int, among: tuple[str, ...] = ZONES) -> str:
    """Make a member as an apply does; the zone that was asked for."""
    DbInstance(PLACED, among).create(aws, PLACED[at], WANT, OURS)
    return zones(aws)[PLACED[at]]


@pytest.mark.usefixtures("world")
def test_members_are_spread_over_the_zones_in_their_order(aws: Aws) -> None:
    assert [make(aws, at)[-1] for at in range(4)] == ["a", "b", "c", "a"]


@pytest.mark.usefixtures("world")
def test_members_that_are_made_together_take_three_zones_in_whatever_order_they_come(aws: Aws) -> None:
    assert {make(aws, at)[-1] for at in (3, 1, 2, 0)} == {"a", "b", "c"}


@pytest.mark.usefixtures("world")
def test_a_new_member_goes_where_the_fewest_are(aws: Aws) -> None:
    add_member(aws, 0, AvailabilityZone="us-east-1b")
    assert make(aws, 1, ("us-east-1b", "us-east-1c")) == "us-east-1c"


@pytest.mark.usefixtures("world")
def test_a_member_that_goes_takes_no_zone(aws: Aws) -> None:
    add_member(aws, 0, AvailabilityZone="us-east-1a")
    answer(aws.rds, "DescribeDBInstances", instance(aws, DBInstanceStatus="deleting"), times=1)
    assert make(aws, 1, ("us-east-1a", "us-east-1b")) == "us-east-1b"


@pytest.mark.usefixtures("world")
def test_a_zone_without_the_class_is_left_out_where_that_may_be_asked(aws: Aws) -> None:
    options = [{"AvailabilityZones": [{"Name": "us-east-1c"}, {"Name": "us-east-1d"}]}]
    answer(aws.rds, "DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": options}, times=1)
    assert make(aws, 0) == "us-east-1c"
    refuse(aws.rds, "DescribeOrderableDBInstanceOptions", *DENIED, times=1)
    assert make(aws, 1) == "us-east-1a"
    refuse(aws.rds, "DescribeOrderableDBInstanceOptions", "InternalFailure", times=1)
    with pytest.raises(AwsRefused):
        make(aws, 2)


@pytest.mark.usefixtures("world")
def test_without_zones_rds_chooses(aws: Aws) -> None:
    before = calls(aws)
    make(aws, 0, ())
    assert calls(aws) - before == 2, "the create, and the test's own look"


@pytest.mark.usefixtures("world")
def test_members_that_were_not_asked_for_together_are_held_against_each_other_all_the_same(aws: Aws) -> None:
    """Of more than 100 recorded ones, where one of them is gone, and where one is nobody's."""
    first, second = (add_member(aws, at, AvailabilityZone="us-east-1a") for at in range(2))
    alone = aws.memoized({"db-instance": (second,)})
    assert look(REC, alone, second).spec.shared_zone == "us-east-1a"
    together = aws.memoized({"db-instance": (first, second)})
    before = calls(aws)
    assert look(REC, together, second).spec.shared_zone == "us-east-1a"
    assert calls(aws) - before == 2, "one for all members, one for their cluster"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("placed", "writer", "told"),
    [
        ("aa", 0, ["", "us-east-1a"]),
        ("aa", 1, ["us-east-1a", ""]),
        ("aaa", 2, ["", "us-east-1a", ""]),
        ("ab", 0, ["", ""]),
        ("aab", 0, ["", "", ""]),
        ("a", 0, [""]),
        ("a", None, [""]),
    ],
)
def test_of_members_that_are_all_in_one_zone_one_is_told_that_does_not_write(
    aws: Aws, placed: str, writer: int | None, told: list[str]
) -> None:
    names = [add_member(aws, at, AvailabilityZone=f"us-east-1{zone}") for at, zone in enumerate(placed)]
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    members = [
        {**member, "IsClusterWriter": names.index(member["DBInstanceIdentifier"]) == writer}
        for member in cluster["DBClusterMembers"]
    ]
    answer(aws.rds, "DescribeDBClusters", {"DBClusters": [{**cluster, "DBClusterMembers": members}]})
    view = aws.memoized({"db-instance": tuple(names)})
    assert [look(REC, view, name).spec.shared_zone for name in names] == told
