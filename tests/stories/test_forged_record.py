"""A record that somebody has written into: it hides nothing that is open, and opens nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.failures.trouble import deny
from tests.support.door import Proceed, Served, Visit, denied, no_trouble
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"
FUNCTION = "lambda-function/payment-processor-dev"
RULES = "security-group-rules/db-sg-dev"
ROLE = "iam-role/lambda-role-dev"
TOPIC = "sns-topic/alarms-dev"
CLUSTER, INSTANCE = "db-cluster/db-cluster-dev", "db-instance/db-cluster-dev-0"
ROTATION = "secret-rotation/db-cluster-dev"
QUEUE = "arn:aws:sqs:us-east-2:123456789012:listens"
STRANGER = "arn:aws:iam::999999999999:role/reader"


@pytest.fixture(scope="module")
def exposed(shared: World) -> World:
    """A stranger has a grant of the key, and anybody may call the function by its URL."""
    shared.deploy()
    kms = shared.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    kms.create_grant(KeyId=key, GranteePrincipal=STRANGER, Operations=["Decrypt"])
    shared.client("lambda").create_function_url_config(FunctionName="payment-processor-dev", AuthType="NONE")
    return shared


def forge(world: World, change: Callable[[dict[str, Any]], object]) -> None:
    """Write into the record; what these tests tell holds also where no run has left a fingerprint of it."""
    forged = world.manifest()
    change(forged["entries"])
    world.path().write_text(json.dumps(forged))
    world.forget_fingerprint()


def test_status_is_not_healthy_where_others_were_let_in(exposed: World) -> None:
    told = exposed.tapctl("status", "--env", "dev", "--json")
    (row,) = told.of_type("status")
    assert (told.code, row["problems"]) == (2, [f"DRIFT: 2 drifted ({KEY}, {FUNCTION})"])


def test_parity_tells_what_was_changed_in_the_only_environment_that_is_deployed(exposed: World) -> None:
    told = exposed.tapctl("parity", "--live", "--json")
    (grant, url) = sorted(
        (one for one in told.of_type("difference") if one["where"] == "aws"), key=lambda one: one["what"]
    )
    assert (grant["verdict"], grant["causes"]) == ("CHANGED OUTSIDE", {"dev": "outside"})
    assert url["what"].endswith(" urls")
    assert (told.code, told.of_type("verdict")[-1]["counts"]["outside"]) == (2, 2)


@pytest.mark.soak
def test_what_others_were_let_in_by_is_drift_whatever_is_recorded(exposed: World) -> None:
    honest = exposed.drift()
    live = {(one["address"], one["field"]): one["live"] for one in honest.of_type("finding")}
    assert {*live} == {(KEY, "grants"), (FUNCTION, "urls")}

    def record_them(entries: dict[str, Any]) -> None:
        for (address, field), value in live.items():
            entries[address]["spec"][field] = [value]

    forge(exposed, record_them)
    told = exposed.drift()
    assert (told.code, told.records[-1]["counts"]["drifted"]) == (2, 2)
    for one in told.of_type("finding"):
        assert (one["live"], one["note"]) == (live[one["address"], one["field"]], "never wanted, whatever is recorded")
        assert one["undo"].startswith(("aws kms revoke-grant", "aws lambda delete-function-url-config"))
    refused = exposed.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())


def test_a_revert_opens_no_door_that_is_recorded(exposed: World) -> None:
    door = {"description": "", "direction": "ingress", "from_port": 5432, "peer": "0.0.0.0/0", "protocol": "tcp"}
    everybody = {"kind": "AWS", "name": "*"}

    def open_doors(entries: dict[str, Any]) -> None:
        entries[RULES]["spec"]["rules"].append({**door, "to_port": 5432})
        entries["db-instance/db-cluster-dev-0"]["spec"]["publicly_accessible"] = True
        entries[KEY]["spec"]["policy"]["statements"][0]["principals"].append(everybody)
        entries[FUNCTION]["spec"]["timeout_s"] = 31

    forge(exposed, open_doors)
    exposed.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048)
    (rules,) = [one for one in exposed.drift().of_type("finding") if one["address"] == RULES]
    assert rules["undo"] == "tapctl apply --env dev"
    answer = exposed.tapctl("revert", "--env", "dev", "--yes")
    assert (answer.code, answer.verdict.partition(" · ")[2]) == (2, "1 put back as recorded · 6 left"), answer.err
    assert {*answer.changes} == {"lambda:UpdateFunctionConfiguration"}
    function = exposed.client("lambda").get_function_configuration(FunctionName="payment-processor-dev")
    assert (function["MemorySize"], function["Timeout"]) == (1024, 30)
    public = "db-instance/db-cluster-dev-0.publicly_accessible"
    for place in (f"{RULES}.rules", f"{KEY}.policy.statements", f"{FUNCTION}.timeout_s", public):
        assert f"{place} is not put back: the files want something else there" in answer.err
    exposed.applied("dev")


def test_a_record_that_calls_itself_one_of_other_files_hides_nothing_that_no_files_want(dev: World) -> None:
    ec2, lambda_ = dev.client("ec2"), dev.client("lambda")
    of_database = [{"Name": "group-name", "Values": ["db-sg-dev"]}]
    (group,) = ec2.describe_security_groups(Filters=of_database)["SecurityGroups"]
    theirs = ec2.create_security_group(GroupName="theirs", Description="-", VpcId=group["VpcId"])["GroupId"]
    pair = {"GroupId": theirs, "Description": "PostgreSQL"}
    door = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[door])
    untraced = {"TracingConfig": {"Mode": "PassThrough"}}
    lambda_.update_function_configuration(FunctionName="payment-processor-dev", MemorySize=2048, **untraced)
    iam, named = dev.client("iam"), {"RoleName": "lambda-role-dev", "PolicyName": "lambda-policy-dev"}
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    iam.put_role_policy(**named, PolicyDocument=json.dumps(policy))
    forged = dev.manifest()
    own = forged["entries"][ROLE]["spec"]["inline"]["lambda-policy-dev"]
    own["statements"] = [one for one in own["statements"] if one["effect"] == "Allow"]
    rules = forged["entries"][RULES]["spec"]["rules"]
    rules.append({**rules[0], "peer": theirs})
    forged["entries"][FUNCTION]["spec"].update(memory_mb=2048, tracing="PassThrough")
    dev.path().write_text(json.dumps({**forged, "config_hash": "0" * 64}))
    dev.forget_fingerprint()
    told = dev.drift()
    found = {(one["address"], one["field"]): one["live"] for one in told.of_type("finding")}
    denied = (ROLE, "inline.lambda-policy-dev.statements")
    assert {*found} == {(RULES, "rules"), (FUNCTION, "tracing"), denied}
    assert (told.code, found[RULES, "rules"]["peer"], found[denied]) == (2, theirs, None)
    assert FUNCTION in told.records[-1]["wanted"]["changes"], (
        "files may have wanted that once: it is told, and no drift"
    )


def test_no_word_of_the_record_turns_its_comparison_with_the_files_off_and_is_green(dev: World) -> None:
    """Who may write it may leave out its network, or call an entry half made."""
    function = {"FunctionName": "payment-processor-dev"}
    dev.client("lambda").update_function_configuration(**function, TracingConfig={"Mode": "PassThrough"})
    forge(dev, lambda entries: entries[FUNCTION]["spec"].update(tracing="PassThrough"))
    forged = dev.manifest()
    dev.path().write_text(json.dumps({**forged, "networking": {}}))
    told = dev.drift()
    assert (told.code, told.records[-1]["not_compared"][0]) == (7, "networking")
    assert "the record does not tell the network" in told.err
    status = dev.tapctl("status", "--env", "dev")
    assert (status.code, "not compared: networking" in status.out) == (7, True)
    live = dev.tapctl("parity", "--live", "--json")
    assert (live.code, live.records[-1]["counts"]["unknown"]) == (7, 1)
    dev.path().write_text(json.dumps({**forged, "networking": {**forged["networking"], "reference": "static"}}))
    told = dev.drift()
    elsewhere = (
        "the record tells the network of static, and the files that it is of name cloudformation:networking-dev: "
    )
    assert (told.code, told.records[-1]["not_compared"][0]) == (7, "networking")
    assert f"{elsewhere}what the files want of it was not compared but for ways in; see who has written" in told.err
    topic = forged["entries"][TOPIC]
    half = {**topic, "phase": "making", "confirmed": topic["spec"]}
    dev.path().write_text(json.dumps({**forged, "entries": {**forged["entries"], TOPIC: half}}))
    told = dev.drift()
    found = {(one["address"], one["field"], one["note"]) for one in told.of_type("finding")}
    assert {(TOPIC, "phase", "an apply did not finish")} < found
    assert (told.code, {field for _, field, _ in found}) == (2, {"phase", "tracing"})
    assert dev.applied("dev").changes == ("lambda:UpdateFunctionConfiguration", "kms:TagResource")
    assert dev.manifest()["networking"] == forged["networking"]


def test_what_every_file_wants_is_missed_whichever_files_the_record_is_of(dev: World) -> None:
    lost = ("cloudwatch-alarm/payment-processor-errors-dev", "rds-event-subscription/db-cluster-events-dev")
    dev.client("cloudwatch").delete_alarms(AlarmNames=["payment-processor-errors-dev"])
    dev.client("rds").delete_event_subscription(SubscriptionName="db-cluster-events-dev")
    forged = dev.manifest()
    for place in lost:
        del forged["entries"][place]
    dev.path().write_text(json.dumps({**forged, "config_hash": "0" * 64}))
    dev.forget_fingerprint()
    dev.edit("dev.toml", "instance_count = 1", "instance_count = 2")
    told = dev.drift()
    assert (told.code, {one["address"] for one in told.of_type("finding")}) == (7, {*lost})
    status = dev.tapctl("status", "--env", "dev")
    assert (status.code, lost[0] in status.out) == (7, True)


@pytest.mark.soak
def test_no_word_of_a_cut_off_run_hides_what_is_made_of_an_output(dev: World) -> None:
    """A run that was cut off may leave what was made for another cluster, but nothing for neither of the two."""
    lambda_, iam = dev.client("lambda"), dev.client("iam")
    named = {"RoleName": "lambda-role-dev", "PolicyName": "lambda-policy-dev"}
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    (secret,) = [one for one in policy["Statement"] if one["Sid"] == "ReadDatabaseSecret"]
    secret["Resource"] = ["*"]
    iam.put_role_policy(**named, PolicyDocument=json.dumps(policy))
    variables = lambda_.get_function_configuration(FunctionName="payment-processor-dev")["Environment"]["Variables"]
    variables = {**variables, "DB_ENDPOINT": "db.evil.example.com"}
    lambda_.update_function_configuration(FunctionName="payment-processor-dev", Environment={"Variables": variables})
    forged = dev.manifest()
    honest = json.loads(json.dumps(forged["entries"][FUNCTION]["spec"]))
    (own,) = [
        one
        for one in forged["entries"][ROLE]["spec"]["inline"]["lambda-policy-dev"]["statements"]
        if one["sid"] == "ReadDatabaseSecret"
    ]
    own["resources"] = ["*"]
    forged["entries"][FUNCTION]["spec"]["environment"]["DB_ENDPOINT"] = "db.evil.example.com"

    def found() -> dict[tuple[str, str], str]:
        told = dev.drift()
        assert told.code == 2
        return {(one["address"], one["field"]): one["note"] for one in told.of_type("finding")}

    endpoint, statement = (FUNCTION, "environment.DB_ENDPOINT"), (ROLE, "inline.lambda-policy-dev.statements")
    dev.path().write_text(json.dumps({**forged, "unfinished": True}))
    notes = {place: note.partition(":")[0] for place, note in found().items()}
    assert notes == dict.fromkeys((endpoint, statement), "recorded otherwise than the files that were applied want it")
    forged["entries"][FUNCTION].update(phase="making", confirmed=honest)
    dev.path().write_text(json.dumps(forged))
    assert found()[endpoint] == "never wanted, whatever is recorded"
    forged["entries"][FUNCTION].update(phase="leaving")
    dev.path().write_text(json.dumps(forged))
    assert found()[endpoint] == "never wanted, whatever is recorded"


def test_a_version_of_the_history_makes_nothing_ours_that_another_cluster_has(dev: World) -> None:
    """The history can be written with the record."""
    rds, iam, before = dev.client("rds"), dev.client("iam"), dev.path().read_text()
    group = dev.client("ec2").create_security_group(
        GroupName="open", Description="-", VpcId=dev.manifest()["networking"]["vpc_id"]
    )["GroupId"]
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", VpcSecurityGroupIds=[group])
    theirs = rds.create_db_cluster(
        DBClusterIdentifier="theirs", Engine="aurora-postgresql", MasterUsername="x", ManageMasterUserPassword=True
    )["DBCluster"]
    named = {"RoleName": "lambda-role-dev", "PolicyName": "lambda-policy-dev"}
    policy = json.dumps(iam.get_role_policy(**named)["PolicyDocument"])
    outputs = dev.manifest()["entries"][CLUSTER]["outputs"]
    secret, id_ = outputs["secret_arn"], outputs["resource_id"]

    def told(other_secret: str, other_id: str) -> set[tuple[str, str]]:
        """The findings on a record and a role that are for this other cluster, as an earlier version tells."""
        record = dev.manifest() | json.loads(before)
        earlier = json.loads(before) | {"serial": record["serial"] - 2, "run": "r", "unfinished": True}
        earlier["entries"][CLUSTER]["outputs"] |= {"secret_arn": other_secret, "resource_id": other_id}
        earlier["entries"]["security-group/db-sg-dev"]["outputs"]["group_id"] = group
        anew = json.loads(before) | {"serial": record["serial"] - 1, "run": "s", "unfinished": True}
        for place in (CLUSTER, "security-group/db-sg-dev"):
            anew["entries"][place] |= {"phase": "making", "outputs": None}
        for version in (earlier, anew):
            kept = dev.path().with_name("history") / "dev" / f"{version['serial']:08}-{version['run']}.json"
            kept.parent.mkdir(0o700, parents=True, exist_ok=True)
            kept.write_text(json.dumps(version))

        def of_other(text: str) -> str:
            return text.replace(secret, other_secret).replace(id_, other_id)

        iam.put_role_policy(**named, PolicyDocument=of_other(policy))
        record["entries"][ROLE] = json.loads(of_other(json.dumps(record["entries"][ROLE])))
        record["entries"][CLUSTER]["spec"]["security_group_ids"] = [group]
        dev.path().write_text(json.dumps(record | {"unfinished": True}))
        return {(one["address"], one["field"]) for one in dev.drift().of_type("finding")}

    groups, statements = (CLUSTER, "security_group_ids"), (ROLE, "inline.lambda-policy-dev.statements")
    assert told(theirs["MasterUserSecret"]["SecretArn"], theirs["DbClusterResourceId"]) == {groups, statements}
    assert told(secret, "cluster-*") == {groups, statements}, "no id of RDS's"
    assert told(f"{secret[:-6]}EARLY1", "cluster-EARLY1") == {groups}, "it was made anew, and the role comes later"

    def may_not_list(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "rds:DescribeDBClusters" and not visit.params:
            raise denied(visit.name)
        return proceed()

    unseen = dev.meeting(may_not_list, "drift", "--env", "dev", "--json")
    assert {(one["address"], one["field"]) for one in unseen.of_type("finding")} == {groups, statements}
    # What a half made entry tells by itself makes nothing ours either.
    record = dev.manifest()
    record["entries"]["security-group/db-sg-dev"] |= {"phase": "making", "confirmed": None}
    record["entries"]["security-group/db-sg-dev"]["outputs"]["group_id"] = group
    dev.path().write_text(json.dumps(record))
    assert groups in {(one["address"], one["field"]) for one in dev.drift().of_type("finding")}


@pytest.mark.soak
@pytest.mark.parametrize("lacks", ["entry", "outputs"])
def test_what_is_made_for_an_output_that_the_record_lacks_is_held_against_aws(dev: World, lacks: str) -> None:
    group = dev.client("ec2").create_security_group(
        GroupName="open", Description="-", VpcId=dev.manifest()["networking"]["vpc_id"]
    )["GroupId"]
    dev.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", VpcSecurityGroupIds=[group])

    def written(entries: dict[str, Any]) -> None:
        entries[CLUSTER]["spec"]["security_group_ids"] = [group]
        if lacks == "entry":
            del entries["security-group/db-sg-dev"]
        else:
            entries["security-group/db-sg-dev"]["outputs"] = {}

    forge(dev, written)
    told = dev.drift()
    found = {(one["live"], one["state"]) for one in told.of_type("finding") if one["field"] == "security_group_ids"}
    assert (told.code, (group, "DRIFT") in found) == (2, True), found


def test_a_revert_holds_what_is_made_of_an_output_against_aws(dev: World) -> None:
    """Who writes another group's id into the record may write it where it is used, too."""
    ec2 = dev.client("ec2")
    theirs = ec2.create_security_group(
        GroupName="theirs", Description="-", VpcId=dev.manifest()["networking"]["vpc_id"]
    )
    group = "security-group/lambda-sg-dev"

    def give_away(entries: dict[str, Any]) -> None:
        own = entries[group]["outputs"]["group_id"]
        entries[group]["outputs"]["group_id"] = theirs["GroupId"]
        rules = entries[RULES]["spec"]["rules"]
        entries[RULES]["spec"]["rules"] = json.loads(json.dumps(rules).replace(own, theirs["GroupId"]))

    forge(dev, give_away)
    told = dev.drift()
    (rules, *_) = [one for one in told.of_type("finding") if one["address"] == RULES]
    assert (told.code, "revert" in rules["undo"]) == (2, False)
    answer = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ()), answer.out + answer.err


@pytest.mark.soak
def test_a_revert_sends_nothing_to_where_the_record_alone_says_in_an_unfinished_one_too(dev: World) -> None:
    alarm, events = "cloudwatch-alarm/db-cpu-0-dev", "rds-event-subscription/db-cluster-events-dev"
    evil, key = "arn:aws:sns:us-east-2:999999999999:evil", "arn:aws:kms:us-east-2:999999999999:key/theirs"
    honest = dev.path().read_text()

    def lead_away(entries: dict[str, Any]) -> None:
        entries[alarm]["spec"]["alarm_actions"] = [evil]
        entries[events]["spec"]["topic_arn"] = evil
        for place in (TOPIC, FUNCTION, "log-group//aws/lambda/payment-processor-dev"):
            entries[place]["spec"]["kms_key_arn"] = key

    forge(dev, lead_away)
    dev.path().write_text(json.dumps({**dev.manifest(), "unfinished": True}))
    told = dev.drift()
    assert (told.code, {"revert" in one["undo"] for one in told.of_type("finding")}) == (2, {False})
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ()), refused.err
    dev.path().write_text(honest)
    cloudwatch = dev.client("cloudwatch")
    (live,) = cloudwatch.describe_alarms(AlarmNames=["db-cpu-0-dev"])["MetricAlarms"]
    known = (
        *("AlarmName", "MetricName", "Namespace", "Statistic", "Dimensions", "Period", "EvaluationPeriods"),
        *("Threshold", "ComparisonOperator", "TreatMissingData", "AlarmDescription"),
    )
    cloudwatch.put_metric_alarm(**{name: live[name] for name in known if name in live})
    back = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (back.code, back.changes) == (0, ("cloudwatch:PutMetricAlarm",)), back.err


def test_a_revert_moves_and_upgrades_nothing_by_the_records_word_alone(dev: World) -> None:
    network, group = dev.manifest()["networking"], "db-subnet-group/db-subnet-dev"
    lambda_, few = dev.client("lambda"), network["subnet_ids"][:2]
    (own,) = dev.manifest()["entries"][FUNCTION]["spec"]["security_group_ids"]
    moved = {"SubnetIds": few, "SecurityGroupIds": [own]}
    lambda_.update_function_configuration(FunctionName="payment-processor-dev", VpcConfig=moved)
    back = dev.tapctl("revert", "--env", "dev", f"{FUNCTION}.subnet_ids", "--yes")
    assert (back.code, back.changes) == (0, ("lambda:UpdateFunctionConfiguration",)), back.err
    record = dev.manifest()
    record["networking"]["subnet_ids"] = few
    for place in (FUNCTION, group):
        record["entries"][place]["spec"]["subnet_ids"] = few
    # An upgrade has no way back either.
    version = record["entries"][CLUSTER]["spec"]["engine_version"]
    record["entries"][CLUSTER]["spec"]["engine_version"] = f"{version.partition('.')[0]}.99"
    dev.path().write_text(json.dumps(record | {"config_hash": "0" * 64}))
    dev.forget_fingerprint()
    shutil.rmtree(dev.path().with_name("history"))
    told = dev.drift()
    drifted = {(one["address"], "revert" in one["undo"]) for one in told.of_type("finding")}
    assert drifted == {(FUNCTION, False), (group, False), (CLUSTER, False)}
    unread = "the network of the files could not be read (UnauthorizedOperation on ec2:DescribeSubnets"
    for trouble, why, way in (
        (no_trouble, "the files want something else there than is recorded", "drift tells what puts it in order"),
        (deny("ec2:DescribeSubnets"), unread, "allow ec2:DescribeSubnets, then run the same command again"),
    ):
        refused = dev.meeting(trouble, "revert", "--env", "dev", "--yes")
        assert (refused.code, refused.changes) == (6, ()), refused.out
        for place in (FUNCTION, group):
            (line,) = [one for one in refused.err.splitlines() if f"{place}.subnet_ids is not put back" in one]
            assert (why in line, line.endswith(way)) == (True, True), line


@pytest.mark.soak
def test_no_key_is_put_under_our_alias_that_the_record_alone_names(dev: World) -> None:
    theirs = dev.client("kms").create_key(Description="crown jewels of another team")["KeyMetadata"]
    outputs = {"key_id": theirs["KeyId"], "arn": theirs["Arn"]}
    forge(dev, lambda entries: entries[KEY].update(outputs=outputs))
    told = dev.drift()
    (found,) = [
        one for one in told.of_type("finding") if one["note"] == "replaced outside" and one["field"] == "key_id"
    ]
    assert (told.code, found["undo"]) == (2, f"tapctl apply --env dev --adopt {KEY}")
    for verb in (("plan",), ("plan", "--destroy")):
        answer = dev.tapctl(*verb, "--env", "dev")
        assert (answer.code, "update-alias" in answer.out + answer.err) == (6, False), verb
    # What is taken over nobody has looked at before: who else uses it is asked, as a drift asks it.
    kms, principal = dev.client("kms"), "arn:aws:iam::999999999999:root"
    there = {"KeyId": kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]}
    granted = kms.create_grant(**there, GranteePrincipal=principal, Operations=["Decrypt"])
    planned = dev.tapctl("plan", "--env", "dev", "--adopt", KEY)
    assert (planned.code, f"to {principal} (Decrypt)" in planned.out) == (0, True), planned.out
    kms.revoke_grant(**there, GrantId=granted["GrantId"])
    dev.applied("dev", "--adopt", KEY)
    assert dev.drift().code == 0
    dev.client("kms").update_alias(AliasName="alias/db-key-dev", TargetKeyId=theirs["KeyId"])
    ours = dev.manifest()["entries"][KEY]["outputs"]["key_id"]
    back = f"aws kms update-alias --alias-name alias/db-key-dev --target-key-id {ours}"
    assert back in dev.tapctl("drift", "--env", "dev").out, "by the recorded one the cluster is encrypted"


def test_who_was_let_in_by_a_policy_or_subscribed_is_drift_whatever_is_recorded(dev: World) -> None:
    iam, sns = dev.client("iam"), dev.client("sns")
    stranger = {"Sid": "X", "Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}
    trust = iam.get_role(RoleName="lambda-role-dev")["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"].append(stranger)
    iam.update_assume_role_policy(RoleName="lambda-role-dev", PolicyDocument=json.dumps(trust))
    more = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
    iam.put_role_policy(RoleName="lambda-role-dev", PolicyName="more", PolicyDocument=json.dumps(more))
    topic = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]
    honest = dev.drift()
    found = {one["field"]: one["live"] for one in honest.of_type("finding")}
    assert {*found} == {"trust.statements", "inline.more"}

    def record_them(entries: dict[str, Any]) -> None:
        entries[ROLE]["spec"]["trust"]["statements"].append(found["trust.statements"])
        entries[ROLE]["spec"]["inline"]["more"] = found["inline.more"]
        listens = {"type": "sns-subscription", "id": f"alarms-dev/{QUEUE}", "phase": "made", "needs": [TOPIC]}
        unset = dict.fromkeys(("filter_policy", "raw_delivery", "redrive_policy", "delivery_policy"), "")
        spec = {"topic_arn": topic, "protocol": "sqs", "endpoint": QUEUE, **unset}
        entries[f"{listens['type']}/{listens['id']}"] = {
            **listens,
            "spec": spec,
            "outputs": {"topic_arn": topic, "confirmed": arn},
        }

    forge(dev, record_them)
    told = dev.drift()
    live = {(one["address"], one["field"]): one["live"] for one in told.of_type("finding")}
    subscription = (f"sns-subscription/alarms-dev/{QUEUE}", "*")
    assert live.pop(subscription) == f"alarms-dev/{QUEUE}"
    assert (told.code, live) == (2, {(ROLE, field): value for field, value in found.items()})
    for one in told.of_type("finding"):
        assert one["note"].startswith("recorded otherwise than the files that were applied want it"), one
        assert (one["undo"], one["edit"], one["waive"]) == ("tapctl apply --env dev", "", "")
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    # Who hides it by another hash, too, is told of what no files at all can want.
    dev.path().write_text(json.dumps(dev.manifest() | {"config_hash": "0" * 64}))
    assert {one["field"] for one in dev.drift().of_type("finding")} == {"trust.statements", "inline.more"}


def test_no_door_is_put_back_that_the_record_alone_tells_of_whatever_files_it_says_it_is_of(dev: World) -> None:
    def open_doors(entries: dict[str, Any]) -> None:
        spec = entries[FUNCTION]["spec"]
        spec["role_arn"] = STRANGER
        spec["environment"]["DB_ENDPOINT"] = "db.evil.example"
        spec["timeout_s"] = 31

    forge(dev, open_doors)
    dev.path().write_text(json.dumps(dev.manifest() | {"config_hash": "0" * 64}))
    answer = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (answer.code, answer.verdict.partition(" · ")[2]) == (2, "1 put back as recorded · 2 left"), answer.err
    for path in ("role_arn", "environment.DB_ENDPOINT"):
        assert f"{FUNCTION}.{path} is not put back: the files want something else there than is recorded" in answer.err
    live = dev.client("lambda").get_function_configuration(FunctionName="payment-processor-dev")
    assert (live["Role"], live["Timeout"]) == ("arn:aws:iam::123456789012:role/lambda-role-dev", 31)
    assert live["Environment"]["Variables"]["DB_ENDPOINT"] != "db.evil.example"


@pytest.mark.soak
def test_a_slip_in_the_files_lets_no_record_take_a_safeguard_away(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 12")
    forged = {
        ("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters", "rds.force_ssl"): "0",
        ("cloudwatch-alarm/db-cpu-0-dev", "actions_enabled", ""): False,
        ("rds-event-subscription/db-cluster-events-dev", "enabled", ""): False,
        (TOPIC, "signature_version", ""): "1",
        (TOPIC, "kms_key_arn", ""): "",
        ("db-cluster/db-cluster-dev", "tags", "Environment"): "prod",
    }

    def weaken(entries: dict[str, Any]) -> None:
        for (address, field, member), value in forged.items():
            spec = entries[address]["spec"]
            spec[field] = {**spec[field], member: value} if member else value

    forge(dev, weaken)
    told = dev.drift()
    found = {(one["address"], one["field"]): one["note"] for one in told.of_type("finding")}
    assert {*found} == {(address, f"{field}.{member}" if member else field) for address, field, member in forged}
    assert all(note.startswith("recorded otherwise than the files") for note in found.values()), found
    answer = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ()), answer.err


def test_an_emptied_record_is_no_ok_of_a_live_parity_nor_of_a_drift_without_the_file(dev: World) -> None:
    forge(dev, lambda entries: entries.clear())
    destroyed = dev.manifest() | {"environment": "staging", "suffix": "staging", "region": "us-west-2"}
    dev.path().with_name("staging.json").write_text(json.dumps(destroyed))
    # A destroy may leave what AWS makes by itself; what somebody has tagged it has not left.
    logs, group = dev.client("logs", "us-west-2"), "/aws/lambda/payment-processor-staging"
    logs.create_log_group(logGroupName=group)
    assert dev.tapctl("drift", "--env", "staging").verdict == "DRIFT staging: DESTROYED · nothing of it is deployed"
    logs.tag_log_group(logGroupName=group, tags={"ManagedBy": "platform"})
    assert dev.tapctl("drift", "--env", "staging").code == 7
    logs.delete_log_group(logGroupName=group)
    told = dev.tapctl("parity", "--live", "--json")
    rows = [one for one in told.of_type("difference") if one["where"] == "aws"]
    assert (told.code, {one["verdict"] for one in rows}) == (7, {"UNKNOWN"})
    assert {"dev": "not recorded"} in [one["values"] for one in rows]
    (dev.folder / "environments" / "dev.toml").unlink()
    without_file = dev.drift("dev")
    assert without_file.code == 7
    there = {one["address"] for one in without_file.of_type("finding") if "does not hold it" in one["note"]}
    assert {"db-cluster/db-cluster-dev", FUNCTION, KEY} <= there, "all files want them"
    for verb in ("status", "status --env dev"):
        short = dev.tapctl(*verb.split())
        assert (short.code, "22 could not be compared whole" in short.out) == (7, True), verb


def test_a_kept_that_hides_what_is_deployed_is_no_ok_though_nothing_says_that_it_needs_it(dev: World) -> None:
    def hide(entries: dict[str, Any]) -> None:
        for entry in entries.values():
            entry["needs"] = []
        entries[KEY]["phase"] = "kept"

    forge(dev, hide)
    told = dev.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["state"]) == (7, KEY, "UNKNOWN")
    assert KEY in told.records[-1]["not_compared"]
    assert dev.tapctl("status", "--env", "dev").code == 7


@pytest.mark.parametrize("state", ["nowhere", "s3://misspelt/tapctl"])
def test_a_live_parity_without_a_record_is_not_ok(shared: World, state: str) -> None:
    told = shared.tapctl("parity", "--live", "--state", state)
    assert (told.code, "PARITY all: FAILED" in told.verdict) == (3, True), told.err


@pytest.mark.parametrize("verb", ["accept", "revert"])
def test_nothing_has_drifted_is_no_word_on_what_was_not_compared(dev: World, verb: str) -> None:
    forge(dev, lambda entries: entries[FUNCTION].update(spec={}))
    nothing = dev.tapctl(verb, "--env", "dev", "--yes")
    assert (nothing.code, "NOTHING" in nothing.verdict, "of what was compared" in nothing.verdict) == (7, True, True)


@pytest.mark.soak
def test_what_is_under_our_name_and_neither_recorded_nor_tagged_as_ours_is_told(dev: World) -> None:
    role, iam = "iam-role/lambda-role-dev", dev.client("iam")
    forge(dev, lambda entries: entries.pop(role))
    iam.tag_role(RoleName="lambda-role-dev", Tags=[{"Key": "ManagedBy", "Value": "platform"}])
    unknown = dev.drift()
    (finding,) = unknown.of_type("finding")
    assert (unknown.code, finding["address"], finding["state"]) == (7, role, "UNKNOWN")
    theirs = "ManagedBy=platform, EnvironmentSuffix=dev, Environment=dev"
    assert finding["note"] == f"it is there under our name, and neither the record nor its tags call it ours ({theirs})"
    assert finding["read"] == "tapctl plan --env dev"
    assert dev.tapctl("status", "--env", "dev").code == 7
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    policy = iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(everything))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="lambda-role-dev", PolicyArn=policy)
    told = dev.drift()
    live = [one["live"] for one in told.of_type("finding") if one["field"] == "attached"]
    assert (told.code, live) == (2, [f"tapctl never sets this: {policy}"])
    assert "to create" not in dev.tapctl("drift", "--env", "dev").out


@pytest.mark.parametrize("verb", ["drift", "status"])
def test_a_record_of_tomorrow_is_told_as_that(dev: World, verb: str) -> None:
    dev.path().write_text(json.dumps(dev.manifest() | {"written_at": "2099-01-01T00:00:00Z"}))
    told = dev.tapctl(verb, "--env", "dev")
    assert "the record says that it was written at 2099-01-01T00:00:00Z, yet to come" in told.err


def test_a_record_that_was_removed_is_told_from_an_environment_that_was_never_made(dev: World) -> None:
    record = dev.manifest()
    dev.path().unlink()
    lost = dev.drift()
    (error,) = lost.of_type("error")
    assert (lost.code, lost.records[-1]["counts"]["there"]) == (3, len(dev.stack())), error
    assert error["message"] == "there is no record of dev"
    assert "AWS has, or does not show, what bears its names: " in error["why"]
    anew = "tapctl apply --env dev writes it anew from AWS, with what it finds"
    assert error["hint"] == anew
    # Else somebody's cluster in the place of ours is as good as ours.
    version = dev.path().parent / "history" / "dev" / f"{record['serial']:08}-{record['run']}.json"
    version.parent.mkdir(0o700, parents=True, exist_ok=True)
    version.write_text(json.dumps(record))
    (error,) = dev.drift().of_type("error")
    assert error["hint"] == f"put the newest version of its history back, which tells what was made; or {anew}"
    never = dev.drift("staging")
    (error,) = never.of_type("error")
    assert (never.code, never.records[-1]["counts"]) == (3, {"there": 0})
    assert "AWS has nothing under its names" in error["why"]


@pytest.mark.parametrize(
    ("gone", "forge"),
    [
        ("", lambda entries: [entries.pop(each) for each in (CLUSTER, INSTANCE, ROTATION)]),
        ("", lambda entries: [entries[each].update(phase="leaving") for each in (CLUSTER, INSTANCE, ROTATION)]),
        ("", lambda entries: entries[CLUSTER].update(phase="making", confirmed=None)),
        ("variable", lambda entries: [entries.pop(each) for each in (CLUSTER, INSTANCE, ROTATION, FUNCTION)]),
        ("function", lambda entries: entries.pop(CLUSTER)),
        ("function", lambda entries: [entries.pop(each) for each in (CLUSTER, INSTANCE, ROTATION, FUNCTION)]),
        ("function", lambda entries: [entries[each].update(phase="leaving") for each in (CLUSTER, INSTANCE, FUNCTION)]),
    ],
)
def test_a_cluster_that_no_run_of_ours_has_removed_is_lost_whatever_the_record_says(
    dev: World, gone: str, forge: Callable[[dict[str, Any]], object]
) -> None:
    rds, function = dev.client("rds"), {"FunctionName": "payment-processor-dev"}
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", SkipFinalSnapshot=True)
    if gone == "variable":
        dev.client("lambda").update_function_configuration(**function, Environment={"Variables": {}})
    elif gone:
        dev.client("lambda").delete_function(**function)
    forged = json.loads(dev.keep_version().read_bytes())
    forge(forged["entries"])
    dev.path().write_text(json.dumps(forged | {"serial": forged["serial"] + 1}))
    told = dev.drift()
    states = {one["address"]: one["state"] for one in told.of_type("finding") if one["field"] == "*"}
    assert (told.code, states[CLUSTER]) == (2, "MISSING"), told.err
    assert "tapctl destroy" not in told.err
    planned = dev.tapctl("plan", "--env", "dev")
    assert (planned.code, "removed outside tapctl with its data" in planned.err) == (6, True), planned.out


def test_a_destroy_bears_a_change_to_the_entry_of_what_goes_with_another_one(dev: World) -> None:
    dev.keep_version()
    forged = dev.manifest()
    forged["entries"][ROTATION]["spec"]["rotation_days"] += 1
    dev.path().write_text(json.dumps(forged))
    planned = dev.tapctl("plan", "--destroy", "--env", "dev")
    assert (planned.code, "secret-rotation" in planned.out) == (0, True), planned.err


@pytest.mark.soak
def test_where_nobody_can_tell_if_a_cluster_was_made_none_is_made_empty_unasked(dev: World) -> None:
    rds = dev.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", SkipFinalSnapshot=True)
    dev.client("lambda").delete_function(FunctionName="payment-processor-dev")
    version, forged = dev.keep_version(), dev.manifest()
    before = version.read_text()
    for each in (CLUSTER, INSTANCE, ROTATION, FUNCTION):
        del forged["entries"][each]

    def is_refused(told: str = "") -> None:
        refused = dev.tapctl("plan", "--env", "dev")
        assert (refused.code, told in refused.err) == (6, True), refused.out
        assert "with its data: what is made now would be empty" in refused.err
        assert refused.err.count("what was made, or removed, before this version nobody can tell") <= 1, "said once"

    dev.path().write_text(json.dumps(forged | {"serial": 1}))
    is_refused()
    dev.path().write_text(json.dumps(forged | {"serial": forged["serial"] + 1}))
    for number in range(100):
        version.with_name(f"{forged['serial']:08}-zz{number}.json").write_text("{}")
    is_refused(f"in the history of dev these cannot be used: {forged['serial']:08}-zz")
    for path in version.parent.iterdir():
        path.unlink()
    is_refused(f"the history of dev holds no version before serial {forged['serial'] + 1}; ")
    told = dev.drift()
    states = {one["address"]: one["state"] for one in told.of_type("finding") if one["field"] == "*"}
    assert (told.code, states[CLUSTER]) == (2, "MISSING"), told.err
    dev.path().write_text(json.dumps(forged | {"serial": 1}))
    is_refused()
    assert "made empty" in dev.tapctl("plan", "--env", "dev", "--empty").out
    version.write_text(before)
    dev.path().unlink()
    is_refused()


@pytest.mark.soak
def test_an_entry_whose_removal_is_said_to_have_begun_hides_nothing(dev: World) -> None:
    """A removal of ours changes nothing of what it has not yet removed, but what has to go first."""
    lambda_, iam = dev.client("lambda"), dev.client("iam")
    function, named = {"FunctionName": "payment-processor-dev"}, {"RoleName": "lambda-role-dev"}
    variables = lambda_.get_function_configuration(**function)["Environment"]["Variables"]
    variables["NODE_OPTIONS"] = "--require /evil.js"
    lambda_.update_function_configuration(**function, Timeout=1, Environment={"Variables": variables})
    named["PolicyName"] = "lambda-policy-dev"
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    iam.put_role_policy(**named, PolicyDocument=json.dumps(policy))
    dev.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", BackupRetentionPeriod=1)
    honest = dev.drift()
    forge(dev, lambda entries: [entries[each].update(phase="leaving") for each in (FUNCTION, ROLE, CLUSTER)])
    told = dev.drift()
    drifted, pending = (
        [one for one in told.of_type("finding") if one["state"] == state] for state in ("DRIFT", "PENDING")
    )
    assert (told.code, honest.code) == (2, 2)
    assert {(one["address"], one["field"]) for one in drifted} == {
        (one["address"], one["field"]) for one in honest.of_type("finding")
    }
    assert {one["undo_note"] for one in pending} == {"keeps it, where it is still wanted"}
    refused = dev.tapctl("revert", "--env", "dev", f"{FUNCTION}.timeout_s", "--yes")
    assert (refused.code, "its removal did not finish: run that again, or apply" in refused.err) == (6, True)
    dev.applied("dev")
    assert dev.drift().code == 0


@pytest.mark.soak
def test_an_entry_that_was_taken_out_hides_no_change_of_what_is_there(dev: World) -> None:
    """The versions before tell of it, unless a run of ours has taken it out; so they do without a fingerprint."""
    dev.forget_fingerprint()
    record, version = dev.manifest(), dev.keep_version()
    left = {place: record["entries"][place] for place in (FUNCTION, "security-group/lambda-sg-dev")}
    dev.path().write_text(json.dumps(record | {"entries": left, "serial": record["serial"] + 1}))
    quiet = dev.drift()
    assert (quiet.code, {one["state"] for one in quiet.of_type("finding")}) == (7, {"UNKNOWN"})
    dev.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", BackupRetentionPeriod=1)
    dev.client("logs").delete_log_group(logGroupName="/aws/lambda/payment-processor-dev")
    dev.client("logs").create_log_group(logGroupName="/aws/lambda/payment-processor-dev", tags=tags_of(dev, FUNCTION))
    told = dev.drift()
    drifted = {(one["address"], one["field"]): one for one in told.of_type("finding") if one["state"] == "DRIFT"}
    cluster, logs = (CLUSTER, "backup_retention_days"), "log-group//aws/lambda/payment-processor-dev"
    assert told.code == 2
    assert {field for place, field in drifted if place == logs} >= {"created", "retention_days"}
    assert (drifted[cluster]["recorded"], drifted[cluster]["live"], drifted[cluster]["undo"]) == (
        7,
        1,
        "tapctl apply --env dev",
    )
    refused = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (refused.code, "the record does not hold it: an apply puts in order" in refused.err) == (6, True)
    version.unlink()
    assert dev.drift().code == 7


def tags_of(world: World, place: str) -> dict[str, str]:
    found: dict[str, str] = world.manifest()["entries"].get(place, {}).get("spec", {}).get("tags", {})
    return found


def test_what_is_written_into_the_record_while_others_look_is_no_run_s_work(dev: World) -> None:
    """Nor does it say that files want what they want not."""
    logs = "log-group//aws/lambda/payment-processor-dev"
    dev.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=1)
    record, looks = dev.manifest(), 0

    def writing(visit: Visit, proceed: Proceed) -> Served:
        nonlocal looks
        if visit.name == "logs:DescribeLogGroups":
            looks += 1
            if looks == 2:
                record["entries"][logs]["spec"]["retention_days"] = 1
            dev.path().write_text(json.dumps(record | {"serial": record["serial"] + looks}))
        return proceed()

    told = dev.meeting(writing, "drift", "--env", "dev", "--json")
    (found,) = [one for one in told.of_type("finding") if one["address"] == logs]
    assert (told.code, looks, found["state"], found["live"]) == (2, 2, "DRIFT", 1)


def test_another_cluster_is_not_ours_by_the_record_s_word_alone(dev: World) -> None:
    """Every version before tells of the one that somebody has deleted, and none of a run that has made another."""
    rds, record, _ = dev.client("rds"), dev.manifest(), dev.keep_version()
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", SkipFinalSnapshot=True)
    theirs = dev.tapctl("apply", "--env", "dev", "--state", "theirs", "--empty", "--yes")
    assert theirs.code == 0, theirs.err
    forged = json.loads((dev.folder / "theirs" / "dev.json").read_text())
    forged["serial"] = record["serial"] + 1
    for word in ("made", "making"):
        for each in (CLUSTER, INSTANCE, ROTATION) if word == "making" else ():
            forged["entries"][each] |= {"phase": "making", "confirmed": None, "outputs": None}
        dev.path().write_text(json.dumps(forged))
        told = dev.drift()
        found = {(one["address"], one["field"]): one["note"] for one in told.of_type("finding")}
        assert (told.code, found[CLUSTER, "resource_id"]) == (2, "replaced outside")
        for command in (["plan"], ["destroy", "--yes"]):
            refused = dev.tapctl(*command, "--env", "dev")
            assert (refused.code, refused.changes) == (6, ()), refused.out
            assert "the one that is there holds other data" in refused.err
    out = {place: entry for place, entry in forged["entries"].items() if place not in (CLUSTER, INSTANCE, ROTATION)}
    dev.path().write_text(json.dumps(forged | {"entries": out}))
    drifted = {(one["address"], one["field"]) for one in dev.drift().of_type("finding") if one["state"] == "DRIFT"}
    assert (CLUSTER, "resource_id") in drifted
    for _ in ("an entry that was taken out", "a record that was removed"):
        refused = dev.tapctl("apply", "--env", "dev", "--yes")
        assert (refused.code, "the one that is there holds other data" in refused.err) == (6, True)
        dev.path().unlink(missing_ok=True)
    dev.applied("dev", "--adopt", CLUSTER)
    after = dev.drift()
    assert after.code == 0, after.out


@pytest.mark.soak
def test_a_thing_that_the_record_alone_takes_for_the_recorded_one_is_told_until_an_apply_takes_it(dev: World) -> None:
    logs, record, _ = "log-group//aws/lambda/payment-processor-dev", dev.manifest(), dev.keep_version()
    spec = record["entries"][logs]["spec"]
    named = {"logGroupName": "/aws/lambda/payment-processor-dev"}
    dev.client("logs").delete_log_group(**named)
    dev.client("logs").create_log_group(**named, kmsKeyId=spec["kms_key_arn"], tags=spec["tags"])
    dev.client("logs").put_retention_policy(**named, retentionInDays=spec["retention_days"])
    (honest,) = dev.drift().of_type("finding")
    forged = json.loads(json.dumps(record | {"serial": record["serial"] + 1}))
    forged["entries"][logs]["outputs"]["created"] = honest["live"]
    half = forged["entries"] | {logs: forged["entries"][logs] | {"phase": "making", "confirmed": spec}}
    for word in ({}, {"unfinished": True}, {"entries": half}):
        dev.path().write_text(json.dumps(forged | word))
        told = dev.drift()
        notes = [one["note"] for one in told.of_type("finding") if one["address"] == logs]
        assert (told.code, notes[0]) == (2, "replaced outside"), word
    dev.applied("dev")
    assert dev.drift().code == 0


@pytest.mark.parametrize("serial", ["next", "later"])
def test_a_version_of_another_place_that_no_version_leads_up_to_is_never_advised(dev: World, serial: str) -> None:
    """Whoever may write the state may put any version there; who puts that one back has its account in the record."""
    history = dev.folder / "manifests" / "history" / "dev"
    dev.keep_version()
    newest = max(int(path.name[:8]) for path in history.glob("[0-9]*.json"))
    number = newest + {"next": 1, "later": 57}[serial]
    forged = json.loads(dev.path().read_text()) | {"serial": number, "run": "ghost", "region": "us-west-2"}
    path = history / f"{number:08}-ghost.json"
    path.write_text(json.dumps(forged))
    for command in ("destroy --yes --env dev", "outputs topic_arn --env dev"):
        answer = dev.tapctl(*command.split())
        assert (answer.code, answer.changes) == (3, ()), answer.out + answer.err
        assert "where no version leads up to it" in answer.err
        assert f"and move it away: {path.name}" in answer.err
        assert "put that version back" not in answer.err
    path.unlink()
    assert dev.tapctl("outputs", "topic_arn", "--env", "dev").code == 0
