"""A reboot puts static parameters in force: the readers go first, the writer when they run with them."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import REBOOT
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_instance import DbInstance
from tests.reconcilers.cases import db_instance as case
from tests.reconcilers.clusters import CLUSTER, add_member, writer
from tests.reconcilers.driving import changes, look
from tests.reconcilers.scripted import refuse

WANT = case.examples({})[0]
MEMBERS = (f"{CLUSTER}-0", f"{CLUSTER}-1", f"{CLUSTER}-2")


@pytest.fixture
def rebooting(aws: Aws) -> Aws:
    """Three members, all of which wait for a reboot."""
    case.prepare(aws)
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
