"""Attackers who may write one thing alone: the state, tags, one environment's file, or a folder that others share.

Each forges all that such a one can, and runs the commands that a scheduled job would run, unchanged.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.policy import allow, as_json, policy
from tests.failures.trouble import deny, refuse
from tests.support.strides import strided
from tests.support.world import World

OURS = {"ManagedBy": "tapctl", "EnvironmentSuffix": "pr-42", "Environment": "dev"}
BOUNDARY = as_json(policy(allow("All", ["logs:*"], ["*"])))
VERBS = (("plan",), ("apply", "--yes"), ("destroy", "--yes"), ("plan", "--destroy"), ("drift",))


def listed(tags: dict[str, str], prefix: str = "") -> list[dict[str, str]]:
    return [{f"{prefix}Key": key, f"{prefix}Value": value} for key, value in tags.items()]


def forge(world: World, **entries: dict[str, Any]) -> None:
    """Write these entries into dev's record, by address."""
    record = world.manifest()
    record["entries"] |= entries
    world.path().write_text(json.dumps(record))


def entry(type_: str, id_: str, outputs: dict[str, str] | None = None, **spec: Any) -> dict[str, dict[str, Any]]:
    recorded: dict[str, Any] = {
        "type": type_,
        "id": id_,
        "needs": [],
        "phase": "made",
        "spec": spec,
        "outputs": outputs,
    }
    return {f"{type_}/{id_}": {**recorded, "kept_until": "", "kept_why": ""}}


# -- who may write the state -----------------------------------------------------------------------------------------


STOLEN: tuple[tuple[str, str], ...] = (
    ("iam-role", "billing"),
    ("log-group", "/aws/lambda/billing"),
    ("sns-topic", "billing"),
    ("cloudwatch-alarm", "billing"),
    ("security-group", "billing"),
    ("security-group-rules", "default"),
    ("db-cluster-parameter-group", "billing-pg16"),
    ("db-cluster", "billing"),
    ("db-instance", "db-cluster-dev-16"),
    ("kms-key", "alias/billing"),
)


@pytest.mark.parametrize(("type_", "id_"), strided(STOLEN, 10, 3))
def test_an_entry_that_is_no_name_of_ours_stops_every_verb(world: World, type_: str, id_: str) -> None:
    world.deploy()
    forge(world, **entry(type_, id_, {"arn": "x"}))
    for verb in VERBS:
        answer = world.tapctl(*verb, "--env", "dev")
        assert (answer.code, answer.changes) == (3, ()), verb
        assert f"{type_}/{id_}" in answer.err, verb


def test_of_many_forged_entries_the_first_are_named_and_all_are_counted(world: World) -> None:
    world.deploy()
    for type_, id_ in STOLEN:
        forge(world, **entry(type_, id_))
    for verb in ("apply --env dev --yes", "status", "status --env dev", "outputs --env dev", "parity"):
        answer = world.tapctl(*verb.split())
        assert (answer.code, answer.changes) == (3, ()), verb
        assert "holds 10 resources that dev cannot have" in answer.err
        assert "and 5 more" in answer.err


def test_a_forged_record_is_no_claim_on_a_strangers_resource_of_our_name(world: World) -> None:
    """The name is ours and the record says so; the resource is another than the recorded one."""
    world.deploy()
    group = world.client("ec2").create_security_group(GroupName="lambda-sg-pr-42", Description="theirs")["GroupId"]
    record = world.manifest()
    stolen = entry("security-group-rules", "lambda-sg-pr-42", {}) | entry("security-group", "lambda-sg-pr-42", {})
    record |= {"suffix": "pr-42", "entries": stolen}
    world.path("pr-42").write_text(json.dumps(record))
    answer = world.tapctl("destroy", "--env", "dev", "--suffix", "pr-42", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert group in str(world.client("ec2").describe_security_groups(GroupIds=[group]))


@pytest.mark.soak
def test_who_writes_the_state_or_tags_takes_no_alarm_that_ends_as_ours_do_and_no_subscription(world: World) -> None:
    """An alarm's name is the team's own, and a subscription has no tags: neither tells whose they are."""
    world.deploy()
    alarm, topic, queue = (
        "checkout-latency-dev",
        "arn:aws:sns:us-east-2:123456789012:alarms-dev",
        "arn:aws:sqs:us-east-2:123456789012:q",
    )
    arn = f"arn:aws:cloudwatch:us-east-2:123456789012:alarm:{alarm}"
    metric: dict[str, Any] = {"Namespace": "checkout", "MetricName": "Latency", "Statistic": "Sum", "Period": 60}
    world.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", **metric
    )
    world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    good = world.path().read_bytes()
    forge(world, **entry("cloudwatch-alarm", alarm, {"arn": arn}))
    forge(world, **entry("sns-subscription", f"alarms-dev/{queue}", {"topic_arn": topic}))
    for verb in VERBS[1:3]:
        answer = world.tapctl(*verb, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), verb
        assert alarm in answer.err, verb
    world.path().write_bytes(good)
    world.client("cloudwatch").tag_resource(ResourceARN=arn, Tags=listed({**OURS, "EnvironmentSuffix": "dev"}))
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 6
    assert alarm in gone.out
    assert world.client("cloudwatch").describe_alarms()["MetricAlarms"][0]["AlarmName"] == alarm


@pytest.mark.soak
def test_a_hole_that_the_record_tells_is_drift_all_the_same(world: World) -> None:
    world.deploy()
    (group,) = world.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])[
        "SecurityGroups"
    ]
    world.client("ec2").authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="0.0.0.0/0"
    )
    hole = {"direction": "ingress", "protocol": "tcp", "from_port": 5432, "to_port": 5432, "peer": "0.0.0.0/0"}
    record = world.manifest()
    record["entries"]["security-group-rules/db-sg-dev"]["spec"]["rules"].append({**hole, "description": ""})
    world.path().write_text(json.dumps(record))
    world.forget_fingerprint()
    found = world.drift()
    assert found.code == 2
    (finding,) = found.of_type("finding")
    assert (finding["address"], finding["field"]) == ("security-group-rules/db-sg-dev", "rules")
    assert (finding["live"], finding["recorded"], finding["severity"]) == ({**hole, "description": ""}, None, "high")
    assert "recorded otherwise than the files" in finding["note"]
    assert world.tapctl("status", "--env", "dev").code == 2
    world.applied("dev")
    assert world.drift().code == 0


def test_a_record_that_calls_everything_kept_hides_nothing(world: World) -> None:
    world.deploy()
    record = world.manifest()
    for each in record["entries"].values():
        each |= {"phase": "kept", "kept_until": "later", "kept_why": "trust me"}
    world.path().write_text(json.dumps(record))
    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=600)
    found = world.drift()
    assert found.code == 2
    findings = {(one["address"], one["field"]) for one in found.of_type("finding")}
    assert ("lambda-function/payment-processor-dev", "timeout_s") in findings
    assert ("lambda-function/payment-processor-dev", "phase") in findings
    for verb in ("drift", "status", "status --env dev"):
        assert world.tapctl(*verb.split()).code == 2, verb


def test_a_record_that_leaves_out_what_is_there_is_no_green(world: World) -> None:
    """Without its entry a resource would not be compared; without any, nothing would."""
    world.deploy()
    rules, key = "security-group-rules/db-sg-dev", "kms-key/alias/db-key-dev"
    whole = world.manifest()
    less = {address: each for address, each in whole["entries"].items() if address != rules}
    world.path().write_text(json.dumps({**whole, "entries": less}))
    world.forget_fingerprint()
    found = world.drift("dev", "--who")
    assert found.code == 7
    (finding,) = found.of_type("finding")
    assert (finding["address"], finding["field"], finding["state"]) == (rules, "*", "UNKNOWN")
    # The group itself is recorded.
    assert f"  ? {rules}    it is there, and the record does not hold it" in world.tapctl("drift", "--env", "dev").out
    assert world.tapctl("status", "--env", "dev").code == 7
    # Nor is it told as something that the files want beside.
    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=99)
    drifted = world.drift()
    assert drifted.code == 2
    assert rules not in json.dumps(drifted.of_type("verdict")[0].get("wanted"))
    kept = {key: {**whole["entries"][key], "phase": "kept"}}
    world.path().write_text(json.dumps({**whole, "entries": kept}))
    # Nor is it what a destroy has left, by a certificate of that very run: what it calls gone is there.
    own = {name: whole[name] for name in ("environment", "suffix", "account", "region", "run")}
    forged = {"format": 1, **own, "complete": False, "gone": ["sns-topic/alarms-dev"], "left": [rules]}
    world.path().with_name("dev.certificate.json").write_text(json.dumps(forged))
    for verb in ("drift", "drift --env dev", "status", "status --env dev"):
        destroyed = world.tapctl(*verb.split())
        assert (destroyed.code, "tapctl destroy" in destroyed.out) == (7, False), verb
        assert "OK" not in destroyed.verdict
        assert "healthy" not in destroyed.out.replace("0 healthy", "")
    world.applied("dev")
    assert world.drift().code == 0


@pytest.mark.soak
@pytest.mark.parametrize("denied", ["iam:GetRole", "logs:ListTagsForResource"])
def test_what_the_record_leaves_out_and_nobody_may_look_at_is_no_green(world: World, denied: str) -> None:
    """Neither the resource nor whose it is can be told."""
    world.deploy()
    type_ = "iam-role" if denied.startswith("iam") else "log-group"
    whole = world.manifest()
    less = {address: each for address, each in whole["entries"].items() if each["type"] != type_}
    world.path().write_text(json.dumps({**whole, "entries": less}))
    found = world.meeting(deny(denied), "drift", "--env", "dev", "--json")
    assert found.code == 7
    unknown = [one for one in found.of_type("finding") if one["address"].startswith(f"{type_}/")]
    assert unknown
    assert all(one["state"] == "UNKNOWN" and denied in one["note"] for one in unknown), unknown


@pytest.mark.soak
def test_a_record_alone_does_not_take_the_final_snapshot_away(world: World) -> None:
    world.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = true")
    world.applied("dev")
    record = world.manifest()
    record["entries"]["db-cluster/db-cluster-dev"]["spec"]["tags"]["tapctl:final-snapshot"] = "false"
    world.path().write_text(json.dumps(record))
    (cluster,) = world.client("rds").describe_db_clusters()["DBClusters"]
    world.client("rds").add_tags_to_resource(
        ResourceName=cluster["DBClusterArn"], Tags=listed({"tapctl:final-snapshot": "false"})
    )
    gone = world.tapctl("destroy", "--env", "dev", "--confirm", "dev", "--yes")
    assert gone.code == 0, gone.err
    (snapshot,) = world.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert snapshot["DBClusterSnapshotIdentifier"].startswith("db-cluster-dev-final-")


# -- who may tag -----------------------------------------------------------------------------------------------------


def _foreign_things(world: World) -> str:
    """Things of others, none under a name of pr-42, with the tags that the attacker has set; the key's id.

    The key bears the description of ours, too: its policy is what only its owners write.
    """
    key: str = world.client("kms").create_key(
        Description="Encrypts everything of payments in pr-42",
        Tags=listed({**OURS, "Name": "alias/db-key-pr-42"}, "Tag"),
    )["KeyMetadata"]["KeyId"]
    world.client("sns").create_topic(Name="billing", Tags=listed(OURS))
    world.client("logs").create_log_group(logGroupName="/billing", tags=OURS)
    world.client("rds").create_db_cluster(
        DBClusterIdentifier="billing",
        Engine="aurora-postgresql",
        EngineVersion="16.13",
        MasterUsername="theirs",
        MasterUserPassword="not-a-secret",
        Tags=listed({**OURS, "tapctl:final-snapshot": "false"}),
    )
    return key


def test_what_somebody_has_tagged_is_listed_and_left(world: World) -> None:
    key = _foreign_things(world)
    for verb in (("destroy", "--yes"), ("plan", "--destroy")):
        answer = world.tapctl(*verb, "--env", "dev", "--suffix", "pr-42")
        assert (answer.code, answer.changes) == (6, ()), answer.err
        for address in ("db-cluster/billing", f"kms-key/{key}", "log-group//billing", "sns-topic/billing"):
            assert address in answer.err
    made = world.applied("dev", "--suffix", "pr-42", "--json")
    assert made.of_type("verdict")[0]["exit"] == 0
    own = world.client("kms").describe_key(KeyId="alias/db-key-pr-42")["KeyMetadata"]["KeyId"]
    gone = world.tapctl("destroy", "--env", "dev", "--suffix", "pr-42", "--yes")
    assert gone.code == 6, gone.err
    assert "NOT DESTROYED" in gone.verdict
    clusters = world.client("rds").describe_db_clusters()["DBClusters"]
    assert [one["DBClusterIdentifier"] for one in clusters] == ["billing"], "pr-42's own is gone"
    states = {id_: world.client("kms").describe_key(KeyId=id_)["KeyMetadata"]["KeyState"] for id_ in (key, own)}
    assert states == {key: "Enabled", own: "PendingDeletion"}


@pytest.mark.soak
def test_a_tag_alone_shortens_nothing_and_takes_no_snapshot_away(world: World) -> None:
    world.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = true")
    world.applied("dev")
    (cluster,) = world.client("rds").describe_db_clusters()["DBClusters"]
    key = world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    world.client("rds").add_tags_to_resource(
        ResourceName=cluster["DBClusterArn"], Tags=listed({"tapctl:final-snapshot": "false"})
    )
    world.client("kms").tag_resource(KeyId=key, Tags=listed({"tapctl:deletion-window-days": "7"}, "Tag"))
    shown = world.tapctl("plan", "--destroy", "--env", "dev")
    assert "a final snapshot is taken, and kept" in shown.out
    assert "kept for the final snapshot" in shown.out
    gone = world.tapctl("destroy", "--env", "dev", "--confirm", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert len(world.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]) == 1


def test_a_tag_of_another_environment_is_refused_and_the_way_back_is_told(world: World) -> None:
    world.deploy()
    (topic,) = [one["TopicArn"] for one in world.client("sns").list_topics()["Topics"]]
    world.client("sns").tag_resource(ResourceArn=topic, Tags=listed({"Environment": "prod"}))
    for verb in (("apply", "--yes"), ("destroy", "--yes"), ("apply", "--yes", "--adopt", "sns-topic/alarms-dev")):
        answer = world.tapctl(*verb, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), verb
        assert "sns-topic/alarms-dev exists and is of another environment" in answer.err
        assert "set its tag Environment=dev, then run the same command again" in answer.err
    assert world.drift().code == 2


def test_tags_that_automation_has_overwritten_are_taken_back_by_one_word(world: World) -> None:
    world.deploy()
    (topic,) = [one["TopicArn"] for one in world.client("sns").list_topics()["Topics"]]
    world.client("sns").tag_resource(ResourceArn=topic, Tags=listed({"ManagedBy": "platform"}))
    function = world.client("lambda").get_function(FunctionName="payment-processor-dev")["Configuration"]["FunctionArn"]
    world.client("lambda").tag_resource(Resource=function, Tags={"ManagedBy": "platform"})
    named = [{"Name": "group-name", "Values": ["db-sg-dev"]}]
    (group,) = world.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
    world.client("ec2").create_tags(Resources=[group["GroupId"]], Tags=listed({"ManagedBy": "platform"}))
    # A resource that bears another suffix, too, is somebody's.
    role = {"RoleName": "lambda-role-dev"}
    url = world.client("lambda").create_function_url_config(FunctionName=function, AuthType="NONE")["FunctionUrl"]
    world.client("iam").tag_role(**role, Tags=listed({"ManagedBy": "platform", "EnvironmentSuffix": "theirs"}))
    findings = world.drift().of_type("finding")
    undoes = {one["address"].partition("/")[0]: (one["undo"], one["undo_note"]) for one in findings}
    assert undoes.pop("iam-role")[0] == "tapctl apply --env dev"
    back = "where automation has overwritten our tags, this takes all such resources back:"
    assert undoes == dict.fromkeys(undoes, ("tapctl apply --env dev --adopt all", back))
    assert undoes.keys() == {"sns-topic", "lambda-function", "security-group"}
    world.client("iam").tag_role(**role, Tags=listed({"ManagedBy": "tapctl", "EnvironmentSuffix": "dev"}))
    refused = world.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "apply with --adopt all" in refused.err
    asked = world.tapctl("apply", "--env", "dev", "--adopt", "all", typed="no\n")
    assert (asked.code, asked.changes) == (6, ())
    assert "Take over 4 resources, and apply this to dev?" in asked.err
    assert url[:50] in asked.out, "who else can use what is taken over is shown before the question"
    world.client("lambda").delete_function_url_config(FunctionName=function)
    world.applied("dev", "--adopt", "all")
    assert world.drift().code == 0


@pytest.mark.soak
def test_overwritten_tags_are_taken_back_by_one_word_where_the_record_is_lost_too(world: World) -> None:
    """The history tells of the rules and of the rotation, which show the tags of what they are on."""
    world.deploy()
    world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 512")
    world.applied("dev")
    theirs = listed({"ManagedBy": "platform"})
    named = [{"Name": "group-name", "Values": ["db-sg-dev"]}]
    (group,) = world.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
    world.client("ec2").create_tags(Resources=[group["GroupId"]], Tags=theirs)
    for secret in world.client("secretsmanager").list_secrets()["SecretList"]:
        world.client("secretsmanager").tag_resource(SecretId=secret["ARN"], Tags=theirs)
    world.path().unlink()
    assert world.tapctl("apply", "--env", "dev", "--yes").code == 6
    world.applied("dev", "--adopt", "all")
    assert world.drift().code == 0


def test_adopt_all_takes_no_stranger(world: World) -> None:
    world.client("sns").create_topic(Name="alarms-dev", Tags=listed({"ManagedBy": "x", "EnvironmentSuffix": "dev"}))
    answer = world.tapctl("apply", "--env", "dev", "--yes", "--adopt", "all")
    assert (answer.code, answer.changes) == (6, ())


# -- who may edit one environment's file -----------------------------------------------------------------------------


def test_the_files_of_one_environment_never_touch_another(world: World) -> None:
    """A checkout without prod.toml, dev.toml in prod's place, and another state."""
    world.deploy("prod")
    prod = (world.folder / "environments" / "prod.toml").read_text()
    (world.folder / "environments" / "prod.toml").unlink()
    (world.folder / "environments" / "dev.toml").write_text(
        prod.replace("protected = true", "protected = false").replace("final_snapshot = true", "final_snapshot = false")
    )
    for verb in (("apply", "--yes"), ("destroy", "--yes"), ("plan", "--destroy"), ("destroy", "--confirm", "prod")):
        answer = world.tapctl(*verb, "--env", "dev", "--suffix", "prod", "--state", "elsewhere")
        assert (answer.code, answer.changes) == (6, ()), (verb, answer.err)
        assert "db-cluster/db-cluster-prod exists and is of another environment" in answer.err
    (cluster,) = world.client("rds", "us-east-1").describe_db_clusters()["DBClusters"]
    assert cluster["DeletionProtection"]


def test_a_role_whose_region_somebody_has_untagged_is_removed_and_taken_over_in_no_other_region(world: World) -> None:
    """IAM has one name in all regions: there it is the role of a function that runs."""
    world.deploy()
    iam, role, place = world.client("iam"), "lambda-role-dev", "iam-role/lambda-role-dev"
    waived = ("waive", f"{place}.tags.tapctl:region", "--env", "dev", "--reason", "r", "--until", "30d")
    iam.untag_role(RoleName=role, TagKeys=["tapctl:region"])
    assert world.tapctl(*waived).code == 6
    there = ("--env", "dev", "--region", "us-west-2", "--state", "elsewhere")
    world.edit("dev.toml", 'region = "us-east-2"', 'region = "us-west-2"')
    answer = world.tapctl("destroy", "--yes", *there)
    assert (answer.code, answer.changes) == (6, ()), answer.out + answer.err
    assert f"{place} exists, and nothing tells that it is ours" in answer.err
    assert "set its tag tapctl:region=us-west-2" in answer.err
    world.edit("dev.toml", 'region = "us-west-2"', 'region = "us-east-2"')
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role
    # Where the record holds it, it is ours, and its tag drift.
    assert [one["field"] for one in world.drift().of_type("finding")] == ["tags.tapctl:region"]
    world.applied("dev")
    assert world.drift().code == 0


def test_a_role_that_somebody_has_tagged_as_of_another_region_is_removed_and_taken_over_in_none(world: World) -> None:
    """Who may only tag changes no policy: that one writes the function's log where the function is."""
    world.deploy()
    iam, role = world.client("iam"), "lambda-role-dev"
    iam.tag_role(RoleName=role, Tags=[{"Key": "tapctl:region", "Value": "us-west-2"}])
    there = ("--env", "dev", "--region", "us-west-2", "--state", "elsewhere")
    world.edit("dev.toml", 'region = "us-east-2"', 'region = "us-west-2"')
    for verb in (("destroy", "--yes"), ("plan", "--destroy")):
        answer = world.tapctl(*verb, *there)
        assert (answer.code, answer.changes) == (6, ()), answer.out + answer.err
        assert f"iam-role/{role} exists, and its tags alone tell that it is ours" in answer.err
        assert "but its policy writes logs in us-east-2" in answer.err
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role


UNREAD = [
    ("iam:GetRolePolicy",),
    pytest.param(("iam:ListRolePolicies", "iam:GetRolePolicy"), marks=pytest.mark.soak),
    pytest.param(("iam:ListAttachedRolePolicies",), marks=pytest.mark.soak),
]


LATER = pytest.param("iam:ListAttachedRolePolicies", marks=pytest.mark.soak)


@pytest.mark.parametrize("record", ["without the role", "of another role"])
@pytest.mark.parametrize("denied", UNREAD)
def test_a_role_with_our_tags_whose_policies_nobody_may_read_goes_and_is_taken_over_by_no_verb(
    world: World, denied: tuple[str, ...], record: str
) -> None:
    """Who may tag, and nothing else, gives a role of theirs our tags: its policies would tell whose it is."""
    world.deploy()
    iam, role = world.client("iam"), "lambda-role-dev"
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    (ours,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.delete_role_policy(RoleName=role, PolicyName=ours)
    iam.delete_role(RoleName=role)
    theirs = {"ManagedBy": "tapctl", "EnvironmentSuffix": "dev", "Environment": "dev", "tapctl:region": "us-east-2"}
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust), Tags=listed(theirs))
    reads = as_json(policy(allow("Read", ["s3:GetObject"], ["*"])))
    iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=reads)
    if record == "without the role":
        kept = world.manifest()
        del kept["entries"][f"iam-role/{role}"]
        world.path().write_text(json.dumps(kept))
        world.forget_fingerprint()
    unread = refuse(denied, "AccessDenied")
    for verb in (("destroy", "--yes"), ("plan", "--destroy"), ("plan",), ("apply", "--yes")):
        answer = world.meeting(unread, *verb, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), (verb, answer.out + answer.err)
        assert f"iam-role/{role} exists, and whose it is could not be read" in answer.err
        assert any(f"allow {one}, then run the same command again" in answer.err for one in denied), answer.err
    findings = world.meeting(unread, "drift", "--env", "dev", "--json")
    told = {one["state"] for one in findings.of_type("finding") if one["address"] == f"iam-role/{role}"}
    # What can be read of it is held against the record, or the files: their policy is none of them.
    hidden = record == "without the role" and "iam:GetRolePolicy" in denied
    assert (findings.code, told) == ((7, {"UNKNOWN"}) if hidden else (2, {"DRIFT", "UNKNOWN"}))
    assert iam.get_role(RoleName=role)["Role"]["RoleId"] == made["Role"]["RoleId"]


@pytest.mark.soak
@pytest.mark.parametrize("denied", ["iam:GetRolePolicy", LATER])
def test_a_role_that_the_record_holds_is_ours_though_nobody_may_read_its_policies(world: World, denied: str) -> None:
    world.deploy()
    unread = deny(denied)
    for verb in ("plan", "drift"):
        answer = world.meeting(unread, verb, "--env", "dev")
        assert (answer.code, "whose it is" in answer.err) == (7, False), answer.err
    gone = world.meeting(unread, "destroy", "--env", "dev", "--yes")
    assert "iam:DeleteRole" in gone.changes


@pytest.mark.soak
@pytest.mark.parametrize("denied", ["iam:GetRolePolicy", LATER])
def test_a_role_that_this_run_makes_is_ours_though_nobody_may_read_its_policies(world: World, denied: str) -> None:
    answer = world.meeting(deny(denied), "apply", "--env", "dev", "--yes")
    assert "iam:PutRolePolicy" in answer.changes
    assert "whose it is" not in answer.err


@pytest.mark.soak
def test_a_role_that_is_tagged_as_of_another_region_is_told_with_the_way_back(dev: World) -> None:
    iam, place = dev.client("iam"), "iam-role/lambda-role-dev"
    iam.tag_role(RoleName="lambda-role-dev", Tags=[{"Key": "tapctl:region", "Value": "us-west-2"}])
    (finding,) = dev.drift().of_type("finding")
    assert (finding["field"], finding["undo"]) == ("tags.tapctl:region", "tapctl apply --env dev")
    assert "set its tag tapctl:region back to us-east-2" in dev.tapctl("drift", "--env", "dev").out
    for verb in (("apply", "--yes"), ("plan", "--destroy"), ("apply", "--yes", "--adopt", place)):
        answer = dev.tapctl(*verb, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), verb
        assert "set its tag tapctl:region=us-east-2, then run the same command again" in answer.err
    iam.tag_role(RoleName="lambda-role-dev", Tags=[{"Key": "tapctl:region", "Value": "us-east-2"}])
    assert dev.applied("dev").code == 0
    assert dev.drift().code == 0


# -- who shares a folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    strided(
        [
            {"suffix": "dev", "region": "us-west-2"},
            {"suffix": "dev", "gone": ["db-cluster/billing"]},
            {"suffix": "staging"},
        ],
        3,
        1,
    ),
)
def test_a_forged_certificate_is_not_continued(world: World, forged: dict[str, Any]) -> None:
    world.deploy()
    path = world.folder / "manifests" / "dev.certificate.json"
    target = {"environment": "dev", "account": "123456789012", "region": "us-east-2"}
    theirs = {"format": 1, **target, "complete": False, "gone": ["sns-topic/alarms-dev"], **forged}
    path.write_text(json.dumps(theirs))
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert "none of dev: it is not continued" in gone.err
    written = json.loads(path.read_text())
    assert (written["suffix"], written["region"]) == ("dev", "us-east-2")
    assert "db-cluster/billing" not in written["gone"]


# -- the organisation's own limits -----------------------------------------------------------------------------------


def test_a_permissions_boundary_stays_until_its_role_is_named(world: World) -> None:
    world.deploy()
    boundary = world.client("iam").create_policy(PolicyName="boundary", PolicyDocument=BOUNDARY)
    arn = boundary["Policy"]["Arn"]
    world.client("iam").put_role_permissions_boundary(RoleName="lambda-role-dev", PermissionsBoundary=arn)

    def held() -> str | None:
        role = world.client("iam").get_role(RoleName="lambda-role-dev")["Role"]
        found: str | None = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return found

    shown = world.tapctl("plan", "--env", "dev")
    assert (shown.code, arn in shown.out) == (0, True)
    assert "it stays, unless --allow names its resource" in shown.out
    assert world.applied("dev").changes == ()
    drift = world.drift()
    (finding,) = drift.of_type("finding")
    assert (drift.code, finding["field"], finding["live"]) == (2, "permissions_boundary", arn)
    assert finding["undo"] == "tapctl apply --env dev --allow iam-role/lambda-role-dev"
    assert held() == arn
    world.applied("dev", "--allow", "iam-role/lambda-role-dev")
    assert held() is None
    assert world.drift().code == 0


@pytest.mark.soak
def test_a_key_that_others_still_use_is_kept_and_the_plan_names_them(world: World) -> None:
    world.deploy()
    key = world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["Arn"]
    world.client("secretsmanager").create_secret(Name="theirs", SecretString="x", KmsKeyId=key)
    world.client("sns").create_topic(Name="theirs", Attributes={"KmsMasterKeyId": "alias/db-key-dev"})
    shown = world.tapctl("plan", "--destroy", "--env", "dev")
    assert "kept until what uses it is gone: secret/theirs, sns-topic/theirs use it" in shown.out
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.err
    assert world.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


@pytest.mark.soak
def test_an_alias_that_was_moved_to_another_key_of_our_tags_takes_nothing_along(world: World) -> None:
    world.deploy()
    kms = world.client("kms")
    ours = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]
    policy_of_ours = kms.get_key_policy(KeyId=ours["KeyId"], PolicyName="default")["Policy"]
    tags = [one for one in kms.list_resource_tags(KeyId=ours["KeyId"])["Tags"] if not one["TagKey"].startswith("aws:")]
    twin = kms.create_key(Policy=policy_of_ours, Description=ours["Description"], Tags=tags)["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/db-key-dev", TargetKeyId=twin)
    back = f"aws kms update-alias --alias-name alias/db-key-dev --target-key-id {ours['KeyId']}"

    assert back in world.tapctl("drift", "--env", "dev").out
    for verb in (("plan",), ("revert", "--yes"), ("plan", "--destroy"), ("destroy", "--yes")):
        answer = world.tapctl(*verb, "--env", "dev")
        assert answer.code == 6, verb
        assert f"put the recorded one back: {back}" in " ".join((answer.out + answer.err).split()), verb
    assert {kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] for one in (ours["KeyId"], twin)} == {"Enabled"}

    kms.update_alias(AliasName="alias/db-key-dev", TargetKeyId=ours["KeyId"])
    assert f"{twin} → (remove)" in world.tapctl("plan", "--env", "dev").out
