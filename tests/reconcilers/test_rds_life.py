"""The database's reconcilers where AWS gives up, and where one of them needs what another waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.events import Result
from tapctl.errors import NotConverged, Refused
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers.cases import db_cluster, db_instance
from tests.reconcilers.clusters import add_member, writer
from tests.reconcilers.conformance import CASES, Bench

Living = Callable[[str], Bench]


@pytest.fixture
def living(aws: Aws, sandbox_app: Sandbox) -> Iterator[Living]:
    """A reconciler of the database, in a world that takes its time."""
    peace = sandbox_app.simulation
    yield lambda name: Bench(aws, CASES[name], sandbox_app, scale=1.0)
    sandbox_app.simulation = peace


@pytest.mark.parametrize(
    ("end", "event"), [("incompatible-network", "no free IP address"), ("failed", "cannot recover it")]
)
def test_a_cluster_that_aws_gives_up_ends_the_apply_with_aws_own_reason_and_is_kept(
    living: Living, end: str, event: str
) -> None:
    bench = living("db_cluster")
    want = bench.fresh()[0]
    bench.sandbox.simulation.script("rds.cluster", end)
    with pytest.raises(NotConverged) as caught:
        bench.converge(want)
    assert str(caught.value.evidence).startswith(f"AWS says: {end}: ")
    assert event in str(caught.value.evidence)
    assert bench.clock.seconds < 200
    with pytest.raises(Refused, match="holds data"):
        bench.converge(want)


@pytest.mark.soak
def test_a_cluster_that_loses_its_key_during_a_change_ends_the_apply(living: Living) -> None:
    bench = living("db_cluster")
    have, want = bench.fresh()[:2]
    bench.converge(have)
    bench.sandbox.simulation.script("rds.cluster.change", "inaccessible-encryption-credentials")
    with pytest.raises(NotConverged) as caught:
        bench.converge(want)
    assert "can't access the KMS encryption key" in str(caught.value.evidence)


@pytest.mark.soak
def test_an_instance_that_aws_gives_up_ends_the_apply_and_the_next_one_replaces_it(living: Living) -> None:
    bench = living("db_instance")
    want = bench.fresh()[0]
    bench.sandbox.simulation.script("rds.instance", "failed")
    with pytest.raises(NotConverged) as caught:
        bench.converge(want)
    assert "AWS says: failed: " in str(caught.value.evidence)
    # A hundred times as fast: the rest is as in any other life.
    bench.sandbox.simulation.scale = 0.01
    assert bench.converge(want).result is Result.REPLACED
    seen = bench.look(want)
    assert seen is not None
    assert (seen.spec, seen.failure) == (want, None)


@pytest.fixture
def rotation(living: Living) -> Bench:
    """The rotation of the secret of a cluster that has no instance."""
    members, found = living("db_instance"), living("secret_rotation")
    members.fresh()
    found.clock = members.clock
    return found


@pytest.mark.soak
def test_an_impaired_secret_is_told_as_one(rotation: Bench) -> None:
    rotation.sandbox.simulation.script("rds.secret", "impaired")
    add_member(rotation.aws, 0)
    rotation.clock.seconds += 500
    with pytest.raises(NotConverged) as caught:
        rotation.converge(rotation.case.examples({})[0])
    assert "impaired" in str(caught.value.evidence)


@pytest.mark.soak
def test_the_rotation_waits_for_the_secret_which_waits_for_the_first_instance(rotation: Bench) -> None:
    want = rotation.case.examples({})[0]
    add_member(rotation.aws, 0)
    rotation.converge(want)
    assert 450 <= rotation.clock.seconds < 500
    assert rotation.converge(want).result is Result.UNCHANGED


@pytest.mark.soak
def test_a_writer_changes_its_class_as_a_reader_although_the_other_awaits_a_reboot(living: Living) -> None:
    bench = living("db_instance")
    have = bench.fresh()[0]
    bench.sandbox.simulation.scale = 0.0
    add_member(bench.aws, 0)
    other = add_member(bench.aws, 1, DBInstanceClass="db.r6g.xlarge")
    bench.aws.rds.modify_db_instance(DBInstanceIdentifier=other, DBParameterGroupName=f"{db_instance.GROUP}-other")
    bench.sandbox.simulation.scale = 1.0
    assert writer(bench.aws) == bench.id
    bench.converge(have.model_copy(update={"instance_class": "db.r6g.xlarge", "tags": db_instance.TAGS}))
    assert writer(bench.aws) == other
    told = bench.aws.rds.describe_events(SourceIdentifier=db_cluster.ID, SourceType="db-cluster")["Events"]
    assert [one["Message"] for one in told].count(f"Completed failover to DB instance: {other}") == 1
    assert bench.clock.seconds < 600


def make_groups(aws: Aws, major: str) -> None:
    """Both parameter groups of this major, but for the cluster's that the case has made."""
    family = f"aurora-postgresql{major}"
    aws.rds.create_db_parameter_group(
        DBParameterGroupName=f"db-instance-params-pg{major}-test", DBParameterGroupFamily=family, Description="d"
    )
    if f"-pg{major}-" not in db_cluster.GROUP:
        aws.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=f"db-cluster-params-pg{major}-test",
            DBParameterGroupFamily=family,
            Description="d",
        )


@pytest.mark.parametrize(("version", "longest_s"), [("16.15", 700), pytest.param("17.4", 2600, marks=pytest.mark.soak)])
def test_an_upgrade_takes_its_members_along(living: Living, version: str, longest_s: float) -> None:
    bench = living("db_cluster")
    have, major = bench.fresh()[0], version[:2]
    bench.sandbox.simulation.scale = 0.0
    for one in {"16", major}:
        make_groups(bench.aws, one)
    bench.converge(have)
    add_member(bench.aws, 0)
    bench.sandbox.simulation.scale = 1.0
    before = bench.clock.seconds
    group = f"db-cluster-params-pg{major}-test"
    bench.converge(have.model_copy(update={"engine_version": version, "cluster_parameter_group": group}))
    assert bench.clock.seconds - before < longest_s
    (member,) = bench.aws.rds.describe_db_instances()["DBInstances"]
    assert (member["DBInstanceStatus"], member["EngineVersion"]) == ("available", version)
    assert member["DBParameterGroups"][0]["DBParameterGroupName"] == f"db-instance-params-pg{major}-test"
