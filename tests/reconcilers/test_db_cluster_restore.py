"""A cluster from a snapshot: one call, then brought to what is wanted; what cannot be is refused before."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused, NotYet
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_restore import restoration, restore_refusal
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_cluster_snapshots import snapshots_of
from tests.reconcilers.cases import db_cluster as case
from tests.reconcilers.driving import OURS, bring, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID
ADDRESS = f"db-cluster/{ID}"


@pytest.fixture
def want(aws: Aws) -> DbClusterSpec:
    return case.examples(case.prepare(aws))[0]


@pytest.fixture
def snapshot(aws: Aws, want: DbClusterSpec) -> str:
    bring(REC, aws, ID, want)
    delete_until_gone(REC, aws, ID, want)
    (name,) = snapshots_of(aws, ID)
    return name


def test_it_is_made_from_the_snapshot_in_one_call_and_becomes_what_is_wanted(
    aws: Aws, want: DbClusterSpec, snapshot: str
) -> None:
    restoring = DbCluster("db-instance-params-pg17-test", restore_from=snapshot)
    assert restore_refusal(aws, ADDRESS, snapshot, want) is None
    restoring.create(aws, ID, want, OURS)
    first = look(restoring, aws, ID, want)
    assert (first.spec.managed_secret, first.outputs, first.owner) == (False, None, OURS)
    assert aws.call_log.changes["rds:RestoreDBClusterFromSnapshot"] == 1
    assert bring(restoring, aws, ID, want).spec == want


def test_a_later_minor_of_the_snapshot_stays_and_an_earlier_one_is_upgraded(want: DbClusterSpec) -> None:
    assert restoration(ID, want, "16.13", [])["EngineVersion"] == "16.13"
    assert restoration(ID, want, "16.4", [])["EngineVersion"] == want.engine_version == "16.8"
    plain = want.model_copy(update={"kms_key_arn": "", "extended_support": True})
    parameters = restoration(ID, plain, "16.8", [])
    assert "KmsKeyId" not in parameters
    assert parameters["EngineLifecycleSupport"] == "open-source-rds-extended-support"
    assert not {"PreferredMaintenanceWindow", "ManageMasterUserPassword"} & parameters.keys()


def told(aws: Aws, want: DbClusterSpec, **snapshot: Any) -> str:
    known = {
        "DBClusterSnapshotIdentifier": "s",
        "Status": "available",
        "Engine": want.engine,
        "EngineVersion": want.engine_version,
        "MasterUsername": want.master_username,
        "StorageEncrypted": True,
    }
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [known | snapshot]})
    refused = restore_refusal(aws, ADDRESS, "s", want)
    return "" if refused is None else f"{refused.cause}\n{refused.evidence}"


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        ({}, ""),
        ({"EngineVersion": "16.13"}, ""),
        ({"EngineVersion": "15.10"}, ""),
        ({"EngineVersion": "17.4"}, "upgrades aurora-postgresql 17.4 to no 16.8"),
        ({"Status": "creating"}, "its status is creating, wanted is available"),
        ({"Engine": "aurora-mysql"}, "its engine is aurora-mysql, wanted is aurora-postgresql"),
        ({"MasterUsername": "root"}, "its master user is root, wanted is payments_admin"),
        ({"StorageEncrypted": False}, "its encryption is False, wanted is True"),
    ],
)
def test_what_the_snapshot_holds_decides_whether_it_can_be_restored(
    aws: Aws, want: DbClusterSpec, snapshot: dict[str, Any], said: str
) -> None:
    text = told(aws, want, **snapshot)
    assert (said in text) if said else text == ""


def test_a_snapshot_that_is_not_there_is_refused_with_those_that_are(
    aws: Aws, want: DbClusterSpec, snapshot: str
) -> None:
    refused = restore_refusal(aws, ADDRESS, "other", want)
    assert refused is not None
    assert refused.evidence == f"snapshots of it: {snapshot}"
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": []})
    refused = restore_refusal(aws, ADDRESS, "other", want)
    assert refused is not None
    assert refused.evidence == "snapshots of it: none"


def test_another_refusal_passes_and_a_snapshot_that_is_not_ready_is_waited_for(
    aws: Aws, want: DbClusterSpec, snapshot: str
) -> None:
    with refuse(aws.rds, "RestoreDBClusterFromSnapshot", "InvalidDBClusterSnapshotStateFault"), pytest.raises(NotYet):
        DbCluster(restore_from=snapshot).create(aws, ID, want, OURS)
    refuse(aws.rds, "DescribeDBClusterSnapshots", *DENIED)
    with pytest.raises(AwsRefused):
        restore_refusal(aws, ADDRESS, snapshot, want)
