"""A snapshot that has failed, under the name of a final one: no destroy calls it one, and no key is kept for it."""

from __future__ import annotations

import json
from typing import Any

from tests.support.door import Proceed, Served, Trouble, Visit
from tests.support.world import World

_DESTROY = ("destroy", "--env", "dev", "--yes", "--confirm", "dev")
_FAILED = "it has failed: nothing can be restored from it, and it is no final snapshot"
_END = "</DBClusterSnapshot>"


def failing(name: str) -> Trouble:
    """Let RDS say that this snapshot has failed."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name != "rds:DescribeDBClusterSnapshots":
            return status, headers, body
        told = [
            one.replace(">available<", ">failed<") if f">{name}<" in one else one for one in body.decode().split(_END)
        ]
        text = _END.join(told).encode()
        sized = [(key, str(len(text)) if key.lower() == "content-length" else value) for key, value in headers]
        return status, sized, text

    return trouble


def make_snapshot(world: World) -> str:
    """Take a snapshot under the name that the destroy would give its own, as a destroy that was cut off has."""
    rds = world.client("rds")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    token = cluster["DbClusterResourceId"].lower().removeprefix("cluster-")
    name = f"db-cluster-dev-final-{token}"
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier="db-cluster-dev")
    return name


def kept(world: World) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(world.path().with_name("dev.certificate.json").read_text())["kept"]
    return told


def test_a_failed_snapshot_beside_the_final_one_is_told_as_failed(world: World) -> None:
    file = world.folder / "environments" / "dev.toml"
    file.write_text(f"final_snapshot = true\n{file.read_text()}")
    world.applied("dev")
    name = make_snapshot(world)
    gone = world.meeting(failing(name), *_DESTROY)
    assert gone.code == 0, gone.err
    told = kept(world)
    assert told[f"db-cluster-snapshot/{name}"] == {"until": "you delete it", "why": _FAILED}
    assert told[f"db-cluster-snapshot/{name}-2"]["why"] == "the final snapshot: the database can be restored from it"
    assert told["kms-key/alias/db-key-dev"]["why"] == f"alias/db-key-dev decrypts {name}-2"
    # What has failed was never kept: it is neither missed by a look nor by the next destroy.
    for command in (("drift", "--env", "dev"), _DESTROY):
        again = world.meeting(failing(name), *command)
        assert (again.code, "gone" in again.err) == (0, False), again.err
    assert kept(world)[f"db-cluster-snapshot/{name}"]["why"] == _FAILED
    world.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
    for command in (("drift", "--env", "dev"), _DESTROY):
        again = world.tapctl(*command)
        assert (again.code, f"{name} is gone" in again.err) == (0, False), again.err
    assert f"db-cluster-snapshot/{name}" not in kept(world)


def test_no_key_is_kept_for_a_failed_snapshot_alone(dev: World) -> None:
    name = make_snapshot(dev)
    gone = dev.meeting(failing(name), *_DESTROY)
    assert gone.code == 0, gone.err
    told = kept(dev)
    assert told[f"db-cluster-snapshot/{name}"]["why"] == _FAILED
    assert "KMS deletes a key only after" in told["kms-key/alias/db-key-dev"]["why"]
