"""``apply`` and ``plan``: nothing twice, what is undone is said, and the record can be lost."""

from __future__ import annotations

import json

import pytest

from tests.support.world import World


def test_a_plan_changes_nothing_and_says_what_apply_would_do(shared: World) -> None:
    planned = shared.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    assert (planned.code, planned.changes) == (2, ())
    assert planned.verdict == f"PLAN dev: {len(shared.stack())} to create · 0 to change · 0 to remove · 0 unchanged"
    assert not shared.path().exists()
    assert shared.tapctl("plan", "--env", "dev").code == 0


def test_a_second_apply_makes_no_changing_call(dev: World) -> None:
    again = dev.tapctl("apply", "--env", "dev")
    assert (again.code, again.changes) == (0, ())
    assert again.out.splitlines()[-2] == "  nothing to do"
    fields = dev.applied_field_count()
    assert f"{len(dev.stack())} unchanged · {fields}/{fields} fields read back" in again.verdict


def test_an_apply_that_changed_nothing_leaves_the_record_as_it_is(dev: World) -> None:
    before = dev.manifest()
    dev.applied("dev")
    after = dev.manifest()
    assert after["entries"] == before["entries"]


def test_a_plan_after_an_apply_is_empty(dev: World) -> None:
    planned = dev.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    assert (planned.code, planned.changes) == (0, ())
    assert planned.verdict == f"PLAN dev: 0 to create · 0 to change · 0 to remove · {len(dev.stack())} unchanged"


def test_reads_are_at_most_two_a_resource_and_a_few(dev: World) -> None:
    for verb, few in (("plan", 5), ("drift", 8), ("apply", 5)):
        answer = dev.tapctl(verb, "--env", "dev")
        assert len(answer.asked) <= 2 * len(dev.stack()) + few, (verb, answer.asked)


@pytest.mark.soak
def test_a_plan_says_what_it_would_undo(dev: World) -> None:
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=99)
    planned = dev.tapctl("plan", "--env", "dev")
    assert "! lambda-function  payment-processor-dev" in planned.out
    assert "changed outside tapctl; apply will undo it" in planned.out
    assert "99 → 30" in planned.out
    records = dev.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    (field,) = records[0]["fields"]
    told = {
        "path": "timeout_s",
        "have": 99,
        "want": 30,
        "impact": "none",
        "outside": True,
        "until": "",
        "text": "99 → 30",
    }
    assert field == told
    assert dev.applied("dev").changes == ("lambda:UpdateFunctionConfiguration",)


def test_a_variable_that_the_files_newly_want_is_no_change_from_outside(dev: World) -> None:
    """The value before stands in the record, so it is no secret; one that somebody has set may be."""
    dev.edit("common.toml", "[database]", "[database]\nport = 5433")
    variable = "environment.DB_PORT"

    def planned() -> dict[str, tuple[str, bool]]:
        answer = dev.tapctl("plan", "--env", "dev", "--json")
        (change,) = [one for one in answer.of_type("planned_change") if one["resource_type"] == "lambda-function"]
        return {field["path"]: (field["text"], field["outside"]) for field in change["fields"]}

    assert planned()[variable] == ("5432 → 5433", False)
    client, name = dev.client("lambda"), "payment-processor-dev"
    live = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": live | {"DB_PORT": "1"}})
    assert planned()[variable] == ("(hidden) → 5433", True)


def test_a_change_of_the_configuration_is_no_change_from_outside(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1536")
    planned = dev.tapctl("plan", "--env", "dev")
    dev.edit("dev.toml", "memory_mb = 1536", "memory_mb = 1024")
    assert "~ lambda-function  payment-processor-dev" in planned.out
    assert "outside" not in planned.out
    assert "1024 → 1536" in planned.out


def test_a_deleted_record_is_written_anew_without_a_change(dev: World) -> None:
    before = dev.manifest()
    dev.path().unlink()
    again = dev.tapctl("apply", "--env", "dev")
    assert (again.code, again.changes) == (0, ())
    found = len(dev.stack())
    assert f"there is no record at manifests/dev.json: apply writes it anew, with {found} resources found" in again.err
    after = dev.manifest()
    differing = {name for name in before if before[name] != after.get(name)}
    assert differing <= {"serial", "written_at", "run"}
    assert set(before) == set(after)


def test_the_record_is_of_the_contract_s_shape(dev: World) -> None:
    record = dev.manifest()
    assert set(record) == {
        "format",
        "environment",
        "suffix",
        "account",
        "region",
        "serial",
        "config_hash",
        "run",
        "written_by",
        "written_at",
        "networking",
        "entries",
        "aws",  # of the real AWS, it is left out
    }
    assert record["aws"] == "endpoint"
    for here, entry in record["entries"].items():
        assert here == f"{entry['type']}/{entry['id']}"
        assert entry["phase"] == "made"
        assert set(entry) >= {"type", "id", "needs", "phase", "spec", "outputs"}
        assert "⟦" not in json.dumps(entry, ensure_ascii=False)


@pytest.mark.parametrize(
    ("typed", "code", "word"), [("yes\n", 0, "CONVERGED"), ("no\n", 6, "CANCELLED"), ("", 6, "CANCELLED")]
)
def test_an_apply_at_a_terminal_asks(dev: World, typed: str, code: int, word: str) -> None:
    dev.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=60)
    answer = dev.tapctl("apply", "--env", "dev", typed=typed)
    assert (answer.code, bool(answer.changes)) == (code, code == 0)
    assert word in answer.verdict
    assert "Apply this to dev? Type yes:" in answer.err


@pytest.mark.parametrize("ci", [None, "true"])
def test_without_anybody_to_ask_nothing_is_changed(dev: World, ci: str | None) -> None:
    dev.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=60)
    with pytest.MonkeyPatch.context() as patch:
        if ci is not None:
            patch.setenv("CI", ci)
        answer = dev.tapctl("apply", "--env", "dev", typed="yes\n" if ci else None)
    assert (answer.code, answer.changes) == (64, ())
    assert "--yes" in answer.err


def test_a_minor_upgrade_by_aws_is_neither_drift_nor_undone(dev: World) -> None:
    """A minor upgrade forward is neither drift nor planned away."""
    (cluster,) = dev.client("rds").describe_db_clusters()["DBClusters"]
    assert cluster["EngineVersion"] == "16.13"
    dev.client("rds").modify_db_cluster(
        DBClusterIdentifier="db-cluster-dev", EngineVersion="16.15", ApplyImmediately=True
    )
    assert dev.drift().code == 0
    again = dev.tapctl("apply", "--env", "dev")
    assert (again.code, again.changes) == (0, ())


@pytest.mark.soak
@pytest.mark.parametrize("env", ["dev", "staging"])
def test_an_environment_from_nothing_to_nothing(world: World, env: str) -> None:
    assert world.tapctl("plan", "--env", env, "--detailed-exitcode").code == 2
    made = world.tapctl("apply", "--env", env, "--yes")
    assert made.code == 0, made.err
    assert made.verdict.startswith(f"APPLY {env}: CONVERGED")
    count, fields = len(world.stack(env)), world.applied_field_count(env)
    assert f"{count} created" in made.verdict
    assert f"{fields}/{fields} fields read back" in made.verdict
    again = world.tapctl("apply", "--env", env)
    assert again.code == 0
    assert f"{count} unchanged" in again.verdict
    assert world.tapctl("plan", "--env", env, "--detailed-exitcode").code == 0
    assert world.tapctl("drift", "--env", env).verdict.startswith(f"DRIFT {env}: OK")
    gone = world.tapctl("destroy", "--env", env, "--yes")
    assert gone.code == 0, gone.err
    assert gone.verdict.startswith(f"DESTROY {env}: DESTROYED")
    assert world.tapctl("destroy", "--env", env, "--yes").code == 0
    back = world.tapctl("apply", "--env", env, "--yes")
    assert back.code == 0, back.err
