"""``apply`` of a changed configuration or record: exactly its calls, then nothing to do and nothing drifted."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest

from tapctl.config import config_hash, load
from tests.failures.trouble import deny
from tests.support.door import Proceed, Served, Visit
from tests.support.world import Answer, World

FUNCTION = "payment-processor-dev"


def applied_for_good(world: World) -> Answer:
    """Apply; then nothing is left to do."""
    answer = world.applied("dev")
    assert world.tapctl("plan", "--env", "dev", "--detailed-exitcode").code == 0
    return answer


def function(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.client("lambda").get_function(FunctionName=FUNCTION)
    return found


KEYS = [
    ("dev.toml", "memory_mb = 1024", "memory_mb = 2048", ["lambda:UpdateFunctionConfiguration"]),
    ("common.toml", "timeout_s = 30", "timeout_s = 60", ["lambda:UpdateFunctionConfiguration"]),
    ("dev.toml", "reserved_concurrency = 10", "", ["lambda:DeleteFunctionConcurrency"]),
    (
        "dev.toml",
        "reserved_concurrency = 10",
        "reserved_concurrency = 20",
        ["lambda:PutFunctionConcurrency"],
    ),
    ("dev.toml", "error_threshold = 10", "error_threshold = 7", ["cloudwatch:PutMetricAlarm"]),
    ("dev.toml", "latency_threshold_ms = 5000", "latency_threshold_ms = 100", ["cloudwatch:PutMetricAlarm"]),
    ("common.toml", "retention_days = 30 #", "retention_days = 60 #", ["logs:PutRetentionPolicy"] * 2),
    ("common.toml", "rotation_days = 30", "rotation_days = 14", ["secretsmanager:RotateSecret"]),
    ("common.toml", 'log_statement = "ddl"', 'log_statement = "mod"', ["rds:ModifyDBClusterParameterGroup"]),
    ("common.toml", "backup_retention_days = 7", "backup_retention_days = 14", ["rds:ModifyDBCluster"]),
    ("common.toml", 'backup_window = "03:00-04:00"', 'backup_window = "02:00-03:00"', ["rds:ModifyDBCluster"]),
    (
        "common.toml",
        'maintenance_window = "sun:05:00-sun:06:00"',
        'maintenance_window = "mon:05:00-mon:06:00"',
        ["rds:ModifyDBCluster", "rds:ModifyDBInstance"],
    ),
    ("dev.toml", '"db.t4g.medium"', '"db.t4g.large"', ["cloudwatch:PutMetricAlarm", "rds:ModifyDBInstance"]),
]


FINGERPRINT = "kms:TagResource"
"""The last call of each run that has changed anything: the key bears the record's fingerprint."""


@pytest.mark.soak
@pytest.mark.parametrize(("file", "old", "new", "calls"), KEYS)
def test_one_edited_key_makes_exactly_its_calls(dev: World, file: str, old: str, new: str, calls: list[str]) -> None:
    dev.edit(file, old, new)
    *made, last = applied_for_good(dev).changes
    assert (sorted(made), last) == (calls, FINGERPRINT)


@pytest.mark.soak
def test_many_edited_keys_make_exactly_their_calls(dev: World) -> None:
    """Of the cluster's three keys in one call; and each alarm and function setting in as few as AWS takes."""
    for file, old, new, _ in KEYS:
        if new != "reserved_concurrency = 20":
            dev.edit(file, old, new)
    expected = {call for *_, calls in KEYS for call in calls} - {"lambda:PutFunctionConcurrency"}
    *made, last = applied_for_good(dev).changes
    assert (set(made), last) == (expected, FINGERPRINT)
    counts = {call: made.count(call) for call in expected}
    # An instance's window and its class, which may take a failover.
    several = {"cloudwatch:PutMetricAlarm": 3, "logs:PutRetentionPolicy": 2, "rds:ModifyDBInstance": 2}
    assert counts == dict.fromkeys(expected, 1) | several


@pytest.mark.soak
def test_reserved_concurrency_goes_and_comes_back(dev: World) -> None:
    dev.edit("dev.toml", "reserved_concurrency = 10", "")
    dev.applied("dev")
    assert "Concurrency" not in function(dev)
    assert dev.drift().code == 0
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1024\nreserved_concurrency = 5")
    applied_for_good(dev)
    assert function(dev)["Concurrency"]["ReservedConcurrentExecutions"] == 5


def test_instances_come_and_go_with_their_alarms(dev: World) -> None:
    dev.edit("dev.toml", "instance_count = 1", "instance_count = 2")
    more = applied_for_good(dev)
    assert "3 created · 1 updated" in more.verdict, "the subscription to the events of instances knows the new one"
    # At once with another class: the writer waits for none that is to go, but has it write meanwhile.
    dev.edit("dev.toml", "instance_count = 2", "instance_count = 1")
    dev.edit("dev.toml", '"db.t4g.medium"', '"db.t4g.large"')
    planned = dev.tapctl("plan", "--env", "dev")
    unchanged = len(dev.stack()) - 3
    assert planned.verdict == (
        f"PLAN dev: 0 to create · 3 to change · 3 to remove · {unchanged} unchanged · 2 fail over"
    )
    assert "- db-instance db-cluster-dev-1 failover" in " ".join(planned.out.split())
    less = applied_for_good(dev)
    assert sorted(less.changes) == [
        *("cloudwatch:DeleteAlarms", "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "kms:TagResource"),
        *("rds:DeleteDBInstance", "rds:FailoverDBCluster", "rds:ModifyDBInstance"),
        "rds:RemoveSourceIdentifierFromSubscription",
    ]
    assert "3 deleted" in less.verdict
    (instance,) = dev.client("rds").describe_db_instances()["DBInstances"]
    assert (instance["DBInstanceIdentifier"], instance["DBInstanceClass"]) == ("db-cluster-dev-0", "db.t4g.large")


@pytest.mark.soak
def test_an_instance_that_has_become_the_writer_since_the_plan_is_not_removed_unasked(dev: World) -> None:
    rds, second = dev.client("rds"), "db-cluster-dev-1"
    dev.edit("dev.toml", "instance_count = 1", "instance_count = 2")
    dev.applied("dev")
    dev.edit("dev.toml", "instance_count = 2", "instance_count = 1")

    def fail_over(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "cloudwatch:DeleteAlarms" and writer() != second:
            rds.failover_db_cluster(DBClusterIdentifier="db-cluster-dev", TargetDBInstanceIdentifier=second)
            while writer() != second:
                time.sleep(0.01)
        return proceed()

    def writer() -> str:
        (cluster,) = rds.describe_db_clusters()["DBClusters"]
        members = cluster["DBClusterMembers"]
        return next(str(one["DBInstanceIdentifier"]) for one in members if one["IsClusterWriter"])

    answer = dev.meeting(fail_over, "apply", "--env", "dev", "--yes")
    assert (answer.code, "rds:DeleteDBInstance" in answer.changes) == (4, False), answer.err
    assert (
        f"db-instance/{second} has changed since it was planned: its removal would now be with failover" in answer.err
    )
    asked = dev.tapctl("plan", "--env", "dev")
    assert asked.verdict.endswith("1 fails over")
    assert "rds:DeleteDBInstance" in applied_for_good(dev).changes
    assert len(dev.manifest()["entries"]) == len(dev.stack())


@pytest.mark.soak
def test_a_tag_is_added_everywhere_and_taken_away_everywhere(dev: World) -> None:
    dev.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "payments"\nTeam = "core"')
    added = applied_for_good(dev)
    tagged = sum("tags" in resource.reconciler.spec.model_fields for resource in dev.stack())
    assert f"{tagged} updated · {len(dev.stack()) - tagged} unchanged" in added.verdict
    assert function(dev)["Tags"]["Team"] == "core"
    dev.edit("common.toml", '\nTeam = "core"', "")
    taken = applied_for_good(dev)
    assert f"{tagged} updated · {len(dev.stack()) - tagged} unchanged" in taken.verdict
    assert "Team" not in function(dev)["Tags"]
    (cluster,) = dev.client("rds").describe_db_clusters()["DBClusters"]
    assert "Team" not in {one["Key"] for one in cluster["TagList"]}


def test_a_release_is_promoted_by_its_tag_and_deployed_by_its_digest(dev: World) -> None:
    ecr = dev.client("ecr")
    (image,) = ecr.batch_get_image(repositoryName="payment-processor", imageIds=[{"imageTag": "1.0.0"}])["images"]
    manifest = json.dumps({**json.loads(image["imageManifest"]), "annotations": {"release": "1.0.1"}})
    ecr.put_image(repositoryName="payment-processor", imageTag="1.0.1", imageManifest=manifest)
    dev.edit("dev.toml", "[processor]", '[processor]\nimage = { tag = "1.0.1" }')
    assert applied_for_good(dev).changes == ("lambda:UpdateFunctionCode", "kms:TagResource")
    digests = {
        tag: one["imageDigest"]
        for one in ecr.describe_images(repositoryName="payment-processor")["imageDetails"]
        for tag in one["imageTags"]
    }
    assert function(dev)["Code"]["ImageUri"].endswith(f"payment-processor@{digests['1.0.1']}")


def test_an_image_tag_that_was_never_pushed_stops_before_any_change(dev: World) -> None:
    dev.edit("dev.toml", "[processor]", '[processor]\nimage = { tag = "9.9.9" }')
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (3, ())
    assert "9.9.9" in refused.err


@pytest.mark.soak
def test_protection_is_switched_on_and_off(dev: World) -> None:
    """A protected environment has at least two instances."""
    dev.edit("dev.toml", "protected = false", "protected = true")
    dev.edit("dev.toml", "instance_count = 1", "instance_count = 2")
    applied_for_good(dev)
    rds = dev.client("rds")
    assert rds.describe_db_clusters()["DBClusters"][0]["DeletionProtection"] is True
    dev.edit("dev.toml", "protected = true", "protected = false")
    applied_for_good(dev)
    assert rds.describe_db_clusters()["DBClusters"][0]["DeletionProtection"] is False


def test_a_cluster_is_never_replaced(dev: World) -> None:
    dev.edit("common.toml", 'name = "payments"\nmaster', 'name = "other"\nmaster')
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "database_name cannot be changed in place" in refused.err
    assert refused.verdict.startswith("APPLY dev: BLOCKED")


@pytest.mark.soak
@pytest.mark.parametrize("major", ["17.9"])
def test_a_new_major_version_replaces_the_parameter_groups(world: World, major: str) -> None:
    world.deploy()
    world.edit("common.toml", 'engine_version = "16.13"', f'engine_version = "{major}"')
    world.applied("dev", "--allow", "db-cluster/db-cluster-dev")
    groups = world.client("rds").describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    ours = [one["DBClusterParameterGroupName"] for one in groups if one["DBClusterParameterGroupName"].endswith("-dev")]
    assert ours == ["db-cluster-params-pg17-dev"]
    (cluster,) = world.client("rds").describe_db_clusters()["DBClusters"]
    assert (cluster["EngineVersion"], cluster["DBClusterParameterGroup"]) == (major, "db-cluster-params-pg17-dev")
    again = world.tapctl("apply", "--env", "dev")
    assert (again.code, again.changes) == (0, ())


OURS = [
    {"Key": "ManagedBy", "Value": "tapctl"},
    {"Key": "EnvironmentSuffix", "Value": "dev"},
    {"Key": "Environment", "Value": "dev"},
]


def record(world: World, expected: str, id_: str, phase: str = "made") -> None:
    """Make the record say that an earlier tapctl has made this too, or a run of it was making it."""
    manifest = world.manifest()
    entry: dict[str, Any] = {**manifest["entries"][expected], "id": id_, "outputs": None, "needs": [], "phase": phase}
    manifest["entries"][f"{entry['type']}/{id_}"] = entry
    world.path().write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("db-cpu-1-dev", "made"),
        ("db-memory-0-dev", "making"),  # a team's: begun by a run that was cut off, and taken out of the files since
    ],
)
def test_an_alarm_that_left_the_stack_is_deleted(dev: World, name: str, phase: str) -> None:
    cloudwatch = dev.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["db-cpu-0-dev"])["MetricAlarms"]
    kept = {name: alarm[name] for name in ("MetricName", "Namespace", "Statistic", "Period", "EvaluationPeriods")}
    more = {"Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "Tags": OURS}
    cloudwatch.put_metric_alarm(AlarmName=name, **kept, **more)
    record(dev, "cloudwatch-alarm/db-cpu-0-dev", name, phase)
    assert "is not ours" not in dev.tapctl("plan", "--destroy", "--env", "dev").err
    planned = dev.tapctl("plan", "--env", "dev")
    assert f"- cloudwatch-alarm  {name}" in planned.out
    assert planned.verdict.startswith("PLAN dev: 0 to create · 0 to change · 1 to remove")
    assert dev.applied("dev").changes == ("cloudwatch:DeleteAlarms",)
    assert dev.applied("dev").changes == ()


@pytest.mark.soak
def test_an_image_becomes_a_zip_and_an_image_again(dev: World) -> None:
    client = dev.client("lambda")
    for old, new, package in (("image", "zip", "Zip"), ("zip", "image", "Image")):
        dev.edit("common.toml", f'package = "{old}"', f'package = "{new}"')
        planned = dev.tapctl("plan", "--env", "dev")
        assert "-/+ lambda-function" in planned.out
        answer = dev.applied("dev")
        assert "1 replaced" in answer.verdict
        assert "lambda:UpdateFunctionConfiguration" not in answer.changes, "nothing is moved out of its groups"
        found = client.get_function(FunctionName="payment-processor-dev")
        assert found["Configuration"]["PackageType"] == package
        assert found["Concurrency"]["ReservedConcurrentExecutions"] == 10
        assert dev.drift().code == 0
        if package == "Zip":
            wanted = found["Configuration"]["CodeSha256"]
            client.update_function_code(FunctionName="payment-processor-dev", ZipFile=zip_of("index.js", "evil"))
            handler = dev.folder / "handlers" / "payment_processor"
            handler.rename(handler.with_name("elsewhere"))
            refused = dev.tapctl("revert", "--env", "dev", "--yes")
            assert (refused.code, refused.changes) == (6, ())
            assert "code_sha256: the record knows the zip by its hash alone" in refused.err
            handler.with_name("elsewhere").rename(handler)
            put_back = dev.tapctl("revert", "--env", "dev", "--yes")
            assert (put_back.code, put_back.changes) == (0, ("lambda:UpdateFunctionCode",)), put_back.err
            assert client.get_function(FunctionName="payment-processor-dev")["Configuration"]["CodeSha256"] == wanted


ROLE = "lambda-role-dev"


def test_a_replacement_names_what_goes_with_the_old_one_and_waits_until_it_may(dev: World) -> None:
    iam, client = dev.client("iam"), dev.client("lambda")
    theirs = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    iam.put_role_policy(RoleName=ROLE, PolicyName="theirs", PolicyDocument=json.dumps(theirs))
    client.create_function_url_config(FunctionName=FUNCTION, AuthType="AWS_IAM")
    assert dev.tapctl("waive", "all", "--env", "dev", "--reason", "the auditors read", "--until", "30d").code == 0
    dev.edit("common.toml", "[processor]", '[organisation]\nrole_path = "/payments/"\n\n[processor]')
    dev.edit("common.toml", 'package = "image"', 'package = "zip"')

    planned = dev.tapctl("plan", "--env", "dev", "--verbose")
    assert planned.code == 6, planned.err
    for address, gone in ((f"iam-role/{ROLE}", "inline.theirs"), (f"lambda-function/{FUNCTION}", "urls")):
        assert f"goes with the old one, and is not made again: {gone}" in planned.out
        assert f"--allow {address}" in planned.err
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())

    allowed = ("--allow", f"iam-role/{ROLE}", "--allow", f"lambda-function/{FUNCTION}")
    assert dev.tapctl("apply", "--env", "dev", "--yes", *allowed).code == 0
    assert iam.list_role_policies(RoleName=ROLE)["PolicyNames"] == ["lambda-policy-dev"]
    assert client.list_function_url_configs(FunctionName=FUNCTION)["FunctionUrlConfigs"] == []


def test_a_role_that_somebody_has_put_into_an_instance_profile_is_not_replaced(dev: World) -> None:
    iam = dev.client("iam")
    iam.create_instance_profile(InstanceProfileName="theirs")
    iam.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=ROLE)
    dev.edit("common.toml", "[processor]", '[organisation]\nrole_path = "/payments/"\n\n[processor]')
    for verb in (("plan",), ("apply", "--yes", "--allow", f"iam-role/{ROLE}")):
        refused = dev.tapctl(*verb, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        way_out = f"aws iam remove-role-from-instance-profile --instance-profile-name theirs --role-name {ROLE}"
        assert way_out in " ".join(refused.err.split())


def zip_of(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, text)
    return content.getvalue()


def test_subnets_that_the_files_newly_leave_out_are_no_drift_before_an_apply(dev: World) -> None:
    recorded = dev.manifest()
    network = recorded["networking"]
    ids = f'vpc_id = "{network["vpc_id"]}"\nprivate_subnet_ids = {json.dumps(network["subnet_ids"][:2])}'
    dev.edit("dev.toml", "cloudformation:networking-dev", "static")
    dev.edit("dev.toml", "[database]", f"[network]\n{ids}\n[database]")
    told = dev.tapctl("drift", "--env", "dev")
    assert (told.code, "~ lambda-function  payment-processor-dev  none  subnet_ids" in told.out) == (0, True), told.out
    # Nor while an apply of them, which has recorded the network first, was cut off.
    applied = {"reference": "static", "subnet_ids": network["subnet_ids"][:2]}
    cut = {"config_hash": config_hash(load(dev.folder / "environments", "dev")), "unfinished": True}
    first, second = (
        recorded | {"networking": {**network, **applied}, **cut, "serial": recorded["serial"] + each, "run": "0" * 32}
        for each in (1, 2)
    )
    dev.path().write_text(json.dumps(second))
    notes = {one["note"].partition(":")[0] for one in dev.drift().of_type("finding")}
    assert notes == {"recorded otherwise than the files that were applied want it"}, "nothing tells of another network"
    history = dev.path().parent / "history" / "dev"
    history.mkdir(0o700, parents=True)
    for kept in (recorded, first):
        (history / f"{kept['serial']:08}-{kept['run']}.json").write_text(json.dumps(kept))
    cut_off = dev.drift()
    assert (cut_off.code, cut_off.of_type("finding")) == (7, [])


def test_a_subnet_that_an_instance_is_in_is_not_taken_from_the_group(dev: World) -> None:
    network, rds = dev.manifest()["networking"], dev.client("rds")
    (instance,) = rds.describe_db_instances()["DBInstances"]
    zones = {
        one["SubnetIdentifier"]: one["SubnetAvailabilityZone"]["Name"] for one in instance["DBSubnetGroup"]["Subnets"]
    }
    (own,) = (id_ for id_, zone in zones.items() if zone == instance["AvailabilityZone"])
    first, second = sorted(zones.keys() - {own})
    dev.edit("dev.toml", "cloudformation:networking-dev", "static")
    subnets = f'[network]\nvpc_id = "{network["vpc_id"]}"\nprivate_subnet_ids = ["{first}", "{own}"]'
    dev.edit("dev.toml", "[database]", f"{subnets}\n[database]")
    assert dev.tapctl("plan", "--env", "dev").code == 0
    dev.edit("dev.toml", f'"{own}"]', f'"{second}"]')
    for verb in (("plan",), ("apply", "--yes")):
        refused = dev.tapctl(*verb, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ()), refused.out
        told = f"RDS takes no subnet away that an instance is in: db-cluster-dev-0 in {instance['AvailabilityZone']}"
        assert told in refused.err
        assert "x network: db-subnet-group/db-subnet-dev" in refused.out
    look = dev.meeting(deny("rds:DescribeDBInstances"), "plan", "--env", "dev")
    assert (look.code, "rds:DescribeDBInstances denied" in look.out + look.err) == (6, True), look.out


@pytest.mark.soak
def test_the_subnets_change_in_place(dev: World) -> None:
    network = dev.manifest()["networking"]
    (instance,) = dev.client("rds").describe_db_instances()["DBInstances"]
    zones = {
        one["SubnetAvailabilityZone"]["Name"]: one["SubnetIdentifier"] for one in instance["DBSubnetGroup"]["Subnets"]
    }
    first = zones.pop(instance["AvailabilityZone"])
    second, third = zones.values()
    ids = f'vpc_id = "{network["vpc_id"]}"\nprivate_subnet_ids = ["{first}", "{second}"]'
    dev.edit("dev.toml", "cloudformation:networking-dev", "static")
    dev.edit("dev.toml", "[database]", f"[network]\n{ids}\n[database]")
    changed = dev.applied("dev")
    assert sorted(changed.changes) == [FINGERPRINT, "lambda:UpdateFunctionConfiguration", "rds:ModifyDBSubnetGroup"]
    (group,) = dev.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]
    assert {one["SubnetIdentifier"] for one in group["Subnets"]} == {first, second}
    assert third not in json.dumps(dev.manifest()["entries"])
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_minor_upgrade_is_one_call_and_a_restart(dev: World) -> None:
    dev.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "16.15"')
    planned = dev.tapctl("plan", "--env", "dev")
    (line,) = (one for one in planned.out.splitlines() if "engine_version" in one)
    assert line.split() == ["engine_version", "16.13", "→", "16.15", "restart"]
    assert dev.applied("dev").changes == ("rds:ModifyDBCluster", FINGERPRINT)
    assert dev.drift().code == 0
