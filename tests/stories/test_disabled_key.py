"""Our key is disabled: it is enabled before anything that needs it is judged, and what AWS wants then is told."""

from __future__ import annotations

import pytest

from tests.support.door import Proceed, Served, Visit, denied
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"


@pytest.fixture
def stuck(dev: World) -> World:
    """The key is disabled, and the cluster that lost it stands still."""
    kms = dev.client("kms")
    kms.disable_key(KeyId=kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])
    dev.door.sandbox.simulation.script("rds.key", "looked for")
    (cluster,) = dev.client("rds").describe_db_clusters()["DBClusters"]
    assert cluster["Status"] == "inaccessible-encryption-credentials-recoverable"
    return dev


def test_the_key_is_enabled_first_and_the_rest_is_judged_after(stuck: World) -> None:
    plan = stuck.tapctl("plan", "--env", "dev")
    assert (plan.code, plan.changes) == (6, ())
    assert f"{KEY} goes first: an apply makes that change, and judges the rest after it" in plan.err
    assert "aws rds start-db-cluster --db-cluster-identifier db-cluster-dev" in plan.err
    no = stuck.tapctl("apply", "--env", "dev", typed="no\n")
    assert (no.code, no.changes) == (6, ())
    answer = stuck.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (4, ("kms:EnableKey",))
    assert answer.verdict.startswith("APPLY dev: NOT CONVERGED")
    assert "then start it first: aws rds start-db-cluster" in answer.err
    assert "  state  what stands above was put in order, and nothing else changed\n" in answer.err
    assert "nothing was changed" not in answer.err
    again = stuck.tapctl("plan", "--env", "dev")
    assert (again.code, "goes first" in again.err) == (6, False), "as any other plan of a cluster that stands still"
    stuck.client("rds").start_db_cluster(DBClusterIdentifier="db-cluster-dev")
    assert stuck.tapctl("plan", "--env", "dev", "--detailed-exitcode").code == 0


def test_a_key_that_cannot_be_enabled_ends_the_apply(stuck: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "kms:EnableKey":
            raise denied(visit.name)
        return proceed()

    answer = stuck.meeting(trouble, "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ("kms:EnableKey",))
    assert "not authorized to perform kms:EnableKey" in answer.err


@pytest.mark.soak
def test_a_key_is_not_brought_back_for_what_does_not_wait_for_it(dev: World) -> None:
    """A slip in --restore blocks a cluster that is not there: with the key, too, it would be judged no otherwise."""
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    command = ("--env", "dev", "--restore", "no-such-snapshot")
    for refused in (dev.tapctl("plan", *command), dev.tapctl("apply", *command, "--yes")):
        assert (refused.code, refused.changes) == (6, ())
        assert "goes first" not in refused.err
    dev.applied("dev", "--empty")
