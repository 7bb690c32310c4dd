"""An environment whose file is gone and whose record is there: what needs the record alone works, the rest says so."""

from __future__ import annotations

import json

import pytest

from tests.support.world import World

HINT = "hint   put environments/dev.toml back"


@pytest.fixture
def gone(dev: World) -> World:
    """dev is deployed, and its file is not there any more."""
    (dev.folder / "environments" / "dev.toml").unlink()
    return dev


def test_what_the_record_tells_works_without_the_file(gone: World) -> None:
    last = f"manifest diff --from {gone.manifest()['serial']}"
    for verb in ("outputs function_name", "manifest show", "manifest history", last, "drift"):
        answer = gone.tapctl(*verb.split(), "--env", "dev")
        assert answer.code == 0, (verb, answer.err)
        assert "environments/dev.toml: is not there, and manifests/dev.json is the record" in answer.err
        assert "goes by the record: serial" in answer.err
    assert answer.verdict.startswith("DRIFT dev: OK")
    assert "what the files want beside what all files do" in answer.out, "nobody can tell what it should hold"
    assert gone.tapctl("drift").verdict.startswith("DRIFT all: OK"), "unnamed as well"
    status = gone.tapctl("status")
    assert (status.code, "has no file" in status.out) == (0, True)
    assert gone.tapctl("manifest", "unlock", "--env", "dev", "--id", "x").code == 0


@pytest.mark.parametrize("verb", ["plan", "apply", "graph"])
def test_what_needs_the_file_says_to_put_it_back_and_what_the_record_knows(gone: World, verb: str) -> None:
    answer = gone.tapctl(verb, "--env", "dev")
    assert (answer.code, answer.asked) == (3, ())
    assert HINT in answer.err
    for line in (
        'account_id = "123456789012"',
        'networking = "cloudformation:networking-dev"',
        "protected = false",
        "database.instance_count = 1",
        "processor.reserved_concurrency = 10",
    ):
        assert line in answer.err


def test_drift_without_the_file_names_no_command_that_needs_it(gone: World) -> None:
    gone.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=33)
    answer = gone.tapctl("drift", "--env", "dev")
    assert answer.code == 2
    assert "undo it:\n        tapctl revert --env dev lambda-function/payment-processor-dev.timeout_s\n" in answer.out
    assert "keep it:" not in answer.out
    assert "waive it:" not in answer.out


@pytest.mark.soak
def test_drift_does_not_ask_if_the_files_are_right(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", 'memory_mb = "much"')
    answer = dev.tapctl("drift", "--env", "dev")
    assert answer.code == 0
    assert "dev.toml: processor.memory_mb" in answer.err
    assert dev.tapctl("outputs", "--env", "dev").code == 3


def test_another_name_is_no_environment(gone: World) -> None:
    answer = gone.tapctl("outputs", "--env", "dve")
    assert answer.code == 3
    assert "is no environment" in answer.err


def test_destroy_by_the_record_takes_the_snapshot_that_nobody_gives_up(gone: World) -> None:
    gone.client("rds").remove_tags_from_resource(
        ResourceName="arn:aws:rds:us-east-2:123456789012:cluster:db-cluster-dev", TagKeys=["tapctl:final-snapshot"]
    )
    plan = gone.tapctl("plan", "--destroy", "--env", "dev")
    assert (plan.code, "a final snapshot is taken" in plan.out) == (0, True), plan.err
    asked = gone.tapctl("destroy", "--env", "dev", "--yes")
    assert (asked.code, asked.changes) == (64, ())
    assert "--confirm dev" in asked.err
    answer = gone.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev")
    assert answer.code == 0, answer.err
    assert "DESTROY dev: DESTROYED" in answer.verdict
    what_is_destroyed_needs_no_file(gone)


def what_is_destroyed_needs_no_file(gone: World) -> None:
    """AWS is asked for what all files want, and nothing is protected."""
    for verb in ("drift", "drift --env dev"):
        told = gone.tapctl(*verb.split())
        assert (told.code, "DESTROYED · nothing of it is deployed" in told.out) == (0, True), told.out
    assert gone.tapctl("status").code == 0
    rds = gone.client("rds")
    (shown,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    named = {"DBClusterSnapshotIdentifier": shown["DBClusterSnapshotIdentifier"]}
    rds.modify_db_cluster_snapshot_attribute(**named, AttributeName="restore", ValuesToAdd=["999999999999"])
    assert (gone.tapctl("drift").code, gone.tapctl("status").code) == (2, 2)
    rds.delete_db_cluster_snapshot(**named)
    again = gone.tapctl("destroy", "--env", "dev", "--yes")
    assert (again.code, again.changes) == (0, ("kms:DeleteAlias", "kms:ScheduleKeyDeletion")), again.err


def test_destroy_by_a_record_that_does_not_say_unprotected_is_refused(gone: World) -> None:
    record = gone.manifest()
    del record["entries"]["db-cluster/db-cluster-dev"]["spec"]["deletion_protection"]
    gone.path().write_text(json.dumps(record))
    for verb in ("destroy --yes", "plan --destroy"):
        answer = gone.tapctl(*verb.split(), "--env", "dev")
        assert (answer.code, answer.changes) == (6, ())
        assert "the record does not say that it was not protected" in answer.err
        assert "put dev.toml back with protected = false" in answer.err
