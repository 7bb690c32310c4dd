"""status, outputs, manifest show, parity: what is recorded, told to people and programs; dev and staging deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.world import World


@pytest.fixture(scope="module")
def two(shared: World) -> World:
    shared.deploy()
    shared.applied("staging")
    return shared


@pytest.fixture
def record(two: World) -> Iterator[World]:
    """dev's record may be spoilt."""
    before = two.path().read_bytes()
    yield two
    two.path().write_bytes(before)


def test_outputs_are_what_scripts_need(two: World) -> None:
    (cluster,) = two.client("rds").describe_db_clusters()["DBClusters"]
    groups = {
        one["GroupName"]: one["GroupId"] for one in two.client("ec2").describe_security_groups()["SecurityGroups"]
    }
    answer = two.tapctl("outputs", "--env", "dev")
    assert (answer.code, answer.err, answer.asked) == (0, "", ())
    assert dict(line.split("=", 1) for line in answer.out.splitlines()) == {
        "cluster_arn": cluster["DBClusterArn"],
        "cluster_endpoint": cluster["Endpoint"],
        "cluster_identifier": "db-cluster-dev",
        "cluster_reader_endpoint": cluster["ReaderEndpoint"],
        "cluster_resource_id": cluster["DbClusterResourceId"],
        "database_log_group": "/aws/rds/cluster/db-cluster-dev/postgresql",
        "db_security_group_id": groups["db-sg-dev"],
        "function_arn": "arn:aws:lambda:us-east-2:123456789012:function:payment-processor-dev",
        "function_log_group": "/aws/lambda/payment-processor-dev",
        "function_name": "payment-processor-dev",
        "key_alias": "alias/db-key-dev",
        "key_arn": cluster["KmsKeyId"],
        "lambda_security_group_id": groups["lambda-sg-dev"],
        "role_arn": "arn:aws:iam::123456789012:role/lambda-role-dev",
        "secret_arn": cluster["MasterUserSecret"]["SecretArn"],
        "topic_arn": "arn:aws:sns:us-east-2:123456789012:alarms-dev",
    }


def test_one_output_is_its_bare_value(two: World) -> None:
    answer = two.tapctl("outputs", "function_name", "--env", "staging")
    assert (answer.code, answer.out, answer.err) == (0, "payment-processor-staging\n", "")


def test_outputs_for_programs(two: World) -> None:
    told = two.tapctl("outputs", "--env", "dev", "--json").of_type("output")
    assert {"type": "output", "name": "function_name", "value": "payment-processor-dev"} in told
    (one,) = two.tapctl("outputs", "function_name", "--env", "dev", "--json").of_type("output")
    assert one == {"type": "output", "name": "function_name", "value": "payment-processor-dev"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense", "--env", "dev"], 64, ["no output nonsense", "cluster_endpoint"]),
        (["--env", "prod"], 3, ["no record of prod", "tapctl apply --env prod"]),
        (["--env", "dev", "--suffix", "pr-9"], 3, ["no record of pr-9", "tapctl apply --env dev --suffix pr-9"]),
        (["--env", "nowhere"], 3, ["nowhere", "is no environment", "dev, prod, staging"]),
        (["--env", "dev", "--suffix", "../../etc"], 3, ["--suffix"]),
    ],
)
def test_outputs_of_what_is_not_there(two: World, arguments: list[str], code: int, words: list[str]) -> None:
    answer = two.tapctl("outputs", *arguments)
    # A script that takes the answer gets nothing instead of it.
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.splitlines()[-1].endswith(": FAILED")
    for word in words:
        assert word in answer.err


def test_status_is_one_row_an_environment(two: World) -> None:
    answer = two.tapctl("status")
    assert (answer.code, answer.changes) == (0, ())
    head, *rows, verdict = answer.out.splitlines()
    columns = ["environment", "suffix", "account", "region", "resources", "since", "by", "config", "health"]
    assert head.split() == columns
    assert [row.split()[:5] for row in rows] == [
        ["dev", "dev", "123456789012", "us-east-2", str(len(two.stack("dev")))],
        ["staging", "staging", "123456789012", "us-west-2", str(len(two.stack("staging")))],
    ]
    assert all(row.split()[6:] == ["user/moto", "current", "healthy"] for row in rows)
    assert [row.split()[5] for row in rows] == [two.manifest(one)["written_at"] for one in ("dev", "staging")]
    assert verdict == "STATUS all: 2 deployed · 2 healthy"


def test_status_of_one(two: World) -> None:
    answer = two.tapctl("status", "--env", "staging")
    assert answer.verdict == "STATUS staging: 1 deployed · 1 healthy"
    assert two.tapctl("status", "--suffix", "staging").verdict == "STATUS staging: 1 deployed · 1 healthy"
    assert two.tapctl("status", "--env", "prod").verdict == "STATUS prod: 0 deployed · 0 healthy"
    assert two.tapctl("status", "--env", "nowhere").code == 3


def test_status_says_what_is_not_well(two: World) -> None:
    two.client("cloudwatch", "us-east-2").delete_alarms(AlarmNames=["db-cpu-0-dev"])
    two.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    answer = two.tapctl("status", "--json")
    two.edit("dev.toml", "memory_mb = 2048", "memory_mb = 1024")
    two.applied("dev")
    dev, staging = answer.of_type("status")
    assert dev["health"] == "cloudwatch-alarm/db-cpu-0-dev is missing"
    assert dev["config"] == "differs from the files"
    assert (staging["health"], staging["config"]) == ("healthy", "current")
    assert answer.records[-1]["counts"] == {"deployed": 2, "unhealthy": 1}


def test_status_tells_what_the_record_says_where_aws_cannot_be_asked(two: World) -> None:
    two.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1")
    answer = two.tapctl("status", "--json")
    two.edit("dev.toml", "memory_mb = 1", "memory_mb = 1024")
    dev, staging = answer.of_type("status")
    assert answer.code == 0
    assert (dev["health"], dev["resources"]) == ("unknown: the configuration is not valid", len(two.stack()))
    assert staging["health"] == "healthy"


def test_status_is_of_what_is_deployed(two: World) -> None:
    path = two.path("gone")
    record = two.manifest()
    kept = {name: {**entry, "phase": "kept"} for name, entry in record["entries"].items()}
    path.write_text(json.dumps({**record, "suffix": "gone", "entries": kept}))
    every, named = two.tapctl("status", "--json"), two.tapctl("status", "--suffix", "gone")
    path.unlink()
    # What was destroyed is not deployed.
    assert [one["suffix"] for one in every.of_type("status")] == ["dev", "staging"]
    assert named.verdict == "STATUS gone: 0 deployed · 0 healthy"


@pytest.mark.parametrize(
    ("here", "phase", "said"),
    [
        ("sns-topic/alarms-dev", "making", "was left half made: tapctl apply --env dev goes on"),
        ("sns-topic/alarms-dev", "leaving", "was left half removed: tapctl destroy --env dev goes on"),
        # No apply makes it any more: it was an apply that was removing it.
        ("sns-topic/alarms-old", "leaving", "was left half removed: tapctl apply --env dev goes on"),
    ],
)
def test_status_says_what_was_interrupted(record: World, here: str, phase: str, said: str) -> None:
    half = record.manifest()
    entry = half["entries"].pop("sns-topic/alarms-dev")
    half["entries"][here] = {**entry, "phase": phase, "id": here.partition("/")[2]}
    record.path().write_text(json.dumps(half))
    (dev,) = record.tapctl("status", "--env", "dev", "--json").of_type("status")
    assert dev["health"] == f"{here} {said}"


def test_manifest_show_is_the_record_itself(two: World) -> None:
    answer = two.tapctl("manifest", "show", "--env", "dev")
    assert (answer.code, answer.err, answer.asked) == (0, "", ())
    assert answer.out == two.path().read_text()
    (told,) = two.tapctl("manifest", "show", "--env", "dev", "--json").of_type("document")
    assert {name: value for name, value in told.items() if name != "type"} == json.loads(answer.out)


def test_parity_holds_with_only_allowed_differences(two: World) -> None:
    answer = two.tapctl("parity")
    assert (answer.code, answer.asked) == (0, ())
    assert answer.verdict.startswith("PARITY all: OK")
    assert "0 not allowed" in answer.verdict
    assert "compared 3 environments, 2 of them by their manifests too" in answer.verdict
    rows = two.tapctl("parity", "--json").of_type("difference")
    assert {row["verdict"] for row in rows} == {"allowed"}
    memory = next(row for row in rows if row["what"] == "processor.memory_mb")
    assert memory["values"] == {"dev": 1024, "prod": 4096, "staging": 2048}
    assert {row["where"] for row in rows} == {"files", "manifests"}


def test_parity_of_what_was_destroyed_is_that_of_its_file(record: World) -> None:
    gone = record.manifest()
    gone["entries"] = {name: {**entry, "phase": "kept"} for name, entry in gone["entries"].items()}
    record.path().write_text(json.dumps(gone))
    assert "compared 3 environments, 1 of them by their manifests too" in record.tapctl("parity").verdict


def test_parity_of_two(two: World) -> None:
    answer = two.tapctl("parity", "dev", "staging")
    assert answer.code == 0
    assert "compared 2 environments, 2 of them by their manifests too" in answer.verdict
    unknown = two.tapctl("parity", "dev", "nowhere")
    assert unknown.code == 3
    assert "nowhere" in unknown.err
    assert "dev, prod, staging" in unknown.err


def test_parity_shows_a_release_on_its_way(two: World) -> None:
    two.edit("prod.toml", '# image = { tag = "1.0.1" }', 'image = { tag = "1.0.1" }')
    answer = two.tapctl("parity", "--json")
    two.edit("prod.toml", 'image = { tag = "1.0.1" }', '# image = { tag = "1.0.1" }')
    (row,) = (one for one in answer.of_type("difference") if one["what"] == "processor.image.tag")
    assert (row["verdict"], row["values"]) == ("allowed", {"dev": "1.0.0", "prod": "1.0.1", "staging": "1.0.0"})


def test_parity_reports_a_recorded_difference_that_is_not_allowed(record: World) -> None:
    spoilt = record.manifest()
    spoilt["entries"]["db-cluster/db-cluster-dev"]["spec"]["backup_retention_days"] = 1
    record.path().write_text(json.dumps(spoilt))
    answer = record.tapctl("parity")
    assert answer.code == 2
    assert answer.verdict.startswith("PARITY all: DIFFERENT")
    (row,) = (line for line in answer.out.splitlines() if "NOT ALLOWED" in line)
    assert "backup_retention_days" in row
