"""``destroy`` that is not agreed to, or of resources that are not ours: nothing is touched."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.failures.trouble import deny, refuse
from tests.stories.leftovers import left
from tests.support.additions import ALARM
from tests.support.config_folder import Folder
from tests.support.door import Trouble
from tests.support.world import World


def test_destroy_asks(dev: World) -> None:
    before = left(dev)
    nobody = dev.tapctl("destroy", "--env", "dev")
    assert (nobody.code, nobody.changes) == (64, ())
    assert "tapctl destroy --env dev --yes" in nobody.err
    confirmed = dev.tapctl("destroy", "--env", "dev", "--confirm", "dev")
    assert (confirmed.code, confirmed.changes) == (64, ())
    assert "tapctl destroy --env dev --confirm dev --yes" in confirmed.err
    # At a terminal no flag but --yes stands for the name.
    for flags in ((), ("--confirm", "dev")):
        asked = dev.tapctl("destroy", "--env", "dev", *flags, typed="yes\n")
        assert (asked.code, asked.changes) == (6, ())
        assert "Destroy dev? Its data is lost. Type its name:" in asked.err
    no = dev.tapctl("destroy", "--env", "dev", typed="no\n")
    assert (no.code, no.changes) == (6, ())
    assert no.verdict.startswith("DESTROY dev: CANCELLED")
    other = dev.tapctl("destroy", "--env", "dev", "--confirm", "prod")
    assert (other.code, other.changes) == (64, ())
    # An environment that was not named wants to be.
    unnamed = dev.tapctl("destroy", "--yes")
    assert (unnamed.code, unnamed.changes) == (64, ())
    assert "--confirm dev" in unnamed.err
    typed = dev.tapctl("destroy", typed="yes\n")
    assert (typed.code, typed.changes) == (6, ())
    assert left(dev) == before


@pytest.mark.soak
def test_a_cluster_that_others_hang_on_stops_it_before_anything_is_begun(dev: World) -> None:
    rds = dev.client("rds")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    rds.create_global_cluster(GlobalClusterIdentifier="world", SourceDBClusterIdentifier=cluster["DBClusterArn"])
    rds.create_db_cluster(
        DBClusterIdentifier="replica",
        Engine=cluster["Engine"],
        DBSubnetGroupName=cluster["DBSubnetGroup"],
        MasterUsername="owner",
        MasterUserPassword="12345678",
        ReplicationSourceIdentifier=cluster["DBClusterArn"],
    )
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "global cluster world, its replica arn:aws:rds:us-east-2:123456789012:cluster:replica" in refused.err


@pytest.mark.soak
def test_what_others_use_stops_it_before_anything_is_begun(dev: World) -> None:
    """A copy that was restored beside ours: AWS keeps the groups that it is in, and all else would be gone by then."""
    rds, ec2 = dev.client("rds"), dev.client("ec2")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    (group,) = cluster["VpcSecurityGroups"]
    rds.create_db_cluster(
        DBClusterIdentifier="forensics",
        Engine=cluster["Engine"],
        EngineVersion=cluster["EngineVersion"],
        DBSubnetGroupName=cluster["DBSubnetGroup"],
        DBClusterParameterGroupName=cluster["DBClusterParameterGroup"],
        VpcSecurityGroupIds=[group["VpcSecurityGroupId"]],
        MasterUsername="owner",
        MasterUserPassword="12345678",
    )
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    used = "is used by what is not ours and is never removed: db-cluster/forensics"
    for name in (f"db-subnet-group/{cluster['DBSubnetGroup']}", "security-group/db-sg-dev", "db-cluster-parameter"):
        assert any(name in line and used in line for line in refused.err.splitlines()), refused.err
    assert dev.tapctl("plan", "--destroy", "--env", "dev").code == 6
    rds.delete_db_cluster(DBClusterIdentifier="forensics", SkipFinalSnapshot=True)
    (there,) = ec2.describe_security_groups(GroupIds=[group["VpcSecurityGroupId"]])["SecurityGroups"]
    other = ec2.create_security_group(GroupName="bi", Description="reports", VpcId=there["VpcId"])["GroupId"]
    pair = {"UserIdGroupPairs": [{"GroupId": there["GroupId"]}], "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[pair])
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "security-group/db-sg-dev is used by what is not ours and is never removed: a rule of bi" in refused.err


@pytest.mark.soak
def test_another_function_that_needs_our_role_and_group_stops_it_until_it_is_gone(dev: World) -> None:
    functions = dev.client("lambda")
    ours = functions.get_function_configuration(FunctionName="payment-processor-dev")
    functions.create_function(
        FunctionName="report-tool",
        Role=ours["Role"],
        Runtime="python3.13",
        Handler="x.y",
        Code={"ZipFile": b"x"},
        VpcConfig={name: ours["VpcConfig"][name] for name in ("SubnetIds", "SecurityGroupIds")},
    )
    for command in (("destroy", "--yes"), ("plan", "--destroy")):
        refused = dev.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        for name in ("iam-role/lambda-role-dev", "security-group/lambda-sg-dev"):
            said = f"{name} is used by what is not ours and is never removed: the function report-tool"
            assert said in refused.err
    functions.delete_function(FunctionName="report-tool")
    assert dev.tapctl("plan", "--destroy", "--env", "dev").code == 0


GROUP = "/aws/rds/cluster/db-cluster-orders/postgresql"


def test_a_log_group_under_a_name_of_a_copy_that_never_was_is_left_where_aws_does_not_make_such_a_one(
    dev: World,
) -> None:
    """Another team's audit log, which outlives their cluster: AWS makes groups without a retention or a key."""
    logs = dev.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3653)
    before = left(dev)
    for command in (("plan", "--destroy"), ("destroy", "--yes")):
        refused = dev.tapctl(*command, "--env", "dev", "--suffix", "orders")
        assert (refused.code, refused.changes) == (6, ()), refused.out + refused.err
        assert f"log-group/{GROUP}: it bears no tag, and AWS does not make one like that by itself" in refused.err
    applied = dev.tapctl("plan", "--env", "dev", "--suffix", "orders")
    assert (applied.code, f"log-group/{GROUP} exists and is not ours" in applied.err) == (6, True), applied.err
    assert left(dev) == before
    logs.delete_retention_policy(logGroupName=GROUP)
    # Nor one that somebody counts, or sends on.
    stream = "arn:aws:kinesis:us-east-2:123456789012:stream/siem"
    dev.client("kinesis").create_stream(StreamName="siem", ShardCount=1)
    counted = {"metricName": "fraud", "metricNamespace": "theirs", "metricValue": "1"}
    for kind, more in (
        ("metric", {"filterPattern": "fraud", "metricTransformations": [counted]}),
        ("subscription", {"filterPattern": "", "destinationArn": stream}),
    ):
        named = {"logGroupName": GROUP, "filterName": "f"}
        getattr(logs, f"put_{kind}_filter")(**named, **more)
        refused = dev.tapctl("destroy", "--yes", "--env", "dev", "--suffix", "orders")
        assert (refused.code, refused.changes) == (6, ()), refused.out + refused.err
        assert f"log-group/{GROUP}: it bears no tag, and AWS does not make one like that by itself" in refused.err
        getattr(logs, f"delete_{kind}_filter")(**named)
    gone = dev.tapctl("destroy", "--env", "dev", "--suffix", "orders", "--yes")
    assert (gone.code, "1 removed" in gone.verdict) == (0, True), "as AWS makes one for a writer that is gone"


COMPOSITE = "is used by what is not ours and is never removed: the composite alarm payments-are-red"


def test_a_composite_alarm_over_one_of_ours_stops_it_before_anything_is_begun(dev: World) -> None:
    """CloudWatch keeps the alarm as long as the other team's rule names it, and all else would be gone by then."""
    alarms = dev.client("cloudwatch")
    rule = 'ALARM("payment-processor-errors-dev") OR ALARM("checkout")'
    alarms.put_composite_alarm(AlarmName="payments-are-red", AlarmRule=rule)
    before = left(dev)
    for command in (("destroy", "--yes"), ("plan", "--destroy")):
        refused = dev.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        assert f"cloudwatch-alarm/payment-processor-errors-dev {COMPOSITE}" in refused.err
        assert "take the alarm out of that rule" in refused.err
    assert left(dev) == before
    assert dev.tapctl("plan", "--env", "dev").code == 0
    alarms.delete_alarms(AlarmNames=["payments-are-red"])
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0


@pytest.mark.soak
def test_a_composite_alarm_over_one_that_the_files_want_no_more_stops_an_apply_before_its_first_change(
    dev: World,
) -> None:
    common = dev.folder / "environments" / "common.toml"
    original = common.read_text()
    Folder(common.parent).put("common", "alarms.extra", [ALARM])
    dev.applied("dev")
    common.write_text(original.replace("timeout_s = 30", "timeout_s = 60"))
    alarms = dev.client("cloudwatch")
    alarms.put_composite_alarm(AlarmName="payments-are-red", AlarmRule="ALARM(db-freeable-memory-0-dev)")
    for command in (("apply", "--yes"), ("plan",)):
        refused = dev.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        assert f"cloudwatch-alarm/db-freeable-memory-0-dev {COMPOSITE}" in refused.err
    alarms.delete_alarms(AlarmNames=["payments-are-red"])
    assert dev.applied("dev").verdict.startswith("APPLY dev: CONVERGED")


def test_a_topic_tagged_as_another_owner_s_is_left_untouched(dev: World) -> None:
    arn = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    dev.client("sns").tag_resource(ResourceArn=arn, Tags=[{"Key": "EnvironmentSuffix", "Value": "theirs"}])
    before = left(dev)
    for verb in ("destroy", "apply"):
        refused = dev.tapctl(verb, "--env", "dev", "--yes")
        assert (refused.code, refused.changes) == (6, ())
        assert "sns-topic/alarms-dev exists and is not ours" in refused.err
    assert left(dev) == before
    assert "--adopt sns-topic/alarms-dev" in refused.err
    # A slip in what is named is no permission.
    slip = dev.tapctl("apply", "--env", "dev", "--yes", "--adopt", "sns-topic/alarm-dev")
    assert (slip.code, slip.changes) == (64, ())
    assert "did you mean sns-topic/alarms-dev?" in slip.err
    queue = "arn:aws:sqs:us-east-2:999999999999:theirs"
    dev.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    planned = dev.tapctl("plan", "--env", "dev", "--adopt", "sns-topic/alarms-dev")
    assert f"alarms-dev has subscribers that others have added, and keeps them: {queue}" in planned.err
    assert queue not in dev.tapctl("plan", "--env", "dev").err
    taken = dev.applied("dev", "--adopt", "sns-topic/alarms-dev")
    assert taken.changes == ("sns:TagResource",)
    assert "taken over; its tags say: ManagedBy=tapctl, EnvironmentSuffix=theirs" in taken.out
    assert dev.applied("dev").changes == ()


def test_a_member_that_is_not_ours_stops_it_before_anything_is_begun(dev: World) -> None:
    """RDS would take our members' removal, and refuse the cluster's for as long as the other is there."""
    rds = dev.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="analytics",
        DBClusterIdentifier="db-cluster-dev",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    for command in (["destroy", "--env", "dev", "--yes"], ["plan", "--destroy", "--env", "dev"]):
        refused = dev.tapctl(*command)
        assert (refused.code, refused.changes) == (6, ())
        assert (
            "db-cluster/db-cluster-dev holds what is not ours and is never removed: db-instance/analytics"
            in refused.err
        )
        assert "aws rds delete-db-instance --db-instance-identifier analytics" in refused.err


@pytest.mark.soak
def test_a_member_that_somebody_adds_meanwhile_is_named_and_not_waited_for(world: World) -> None:
    world.deploy()

    def add() -> None:
        world.door.after.clear()
        world.client("rds").create_db_instance(
            DBInstanceIdentifier="analytics",
            DBClusterIdentifier="db-cluster-dev",
            Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )

    world.door.after["rds:DeleteDBInstance"] = add
    left = world.tapctl("destroy", "--env", "dev", "--yes")
    assert left.code == 4
    assert "db-cluster/db-cluster-dev holds what is not ours and is never removed: db-instance/analytics" in left.err
    assert "aws rds delete-db-instance --db-instance-identifier analytics --region us-east-2" in left.err
    assert left.asked.count("rds:DeleteDBCluster") == 1


def test_a_cluster_protected_while_the_question_is_open_stays_whole(dev: World) -> None:
    def protect() -> None:
        dev.client("rds").modify_db_cluster(DBClusterIdentifier="db-cluster-dev", DeletionProtection=True)

    # The last look before the question is at what the key's snapshots are.
    dev.door.after["rds:DescribeDBClusterSnapshots"] = protect
    refused = dev.tapctl("destroy", "--env", "dev", typed="dev\n")
    dev.door.after.clear()
    assert (refused.code, [one for one in refused.changes if one != "rds:ModifyDBCluster"]) == (6, [])
    assert "deletion protection is on" in refused.err


def test_a_stopped_cluster_is_refused_as_stopped_not_as_protected(world: World) -> None:
    world.deploy()
    world.client("rds").stop_db_cluster(DBClusterIdentifier="db-cluster-dev")
    refused = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "db-cluster/db-cluster-dev cannot be removed now; nothing of it was begun" in refused.err
    assert "aws rds start-db-cluster --db-cluster-identifier db-cluster-dev" in refused.err
    assert "start it, as told above, then run this again" in refused.err
    assert "protected" not in refused.err


@pytest.mark.soak
def test_a_log_group_under_deletion_protection_is_refused_with_the_command_that_lifts_it(world: World) -> None:
    world.deploy()
    logs = world.client("logs")
    logs.put_log_group_deletion_protection(
        logGroupIdentifier="/aws/lambda/payment-processor-dev", deletionProtectionEnabled=True
    )
    refused = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "tapctl apply --env dev, which takes it back, then run this again" in refused.err
    assert world.applied("dev").code == 0
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0


ROLE = "lambda-role-dev"


@pytest.fixture
def moved(dev: World) -> World:
    """dev is deployed in us-east-2; its file names us-west-2 now, and there is no record. IAM has no regions."""
    dev.edit("dev.toml", 'region = "us-east-2"', 'region = "us-west-2"')
    dev.edit("dev.toml", "networking-dev", "networking-staging")
    shutil.rmtree(dev.folder / "manifests")
    return dev


@pytest.mark.soak
def test_another_regions_role_is_neither_rewritten_nor_removed(moved: World) -> None:
    refused = moved.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert f"iam-role/{ROLE} exists and is of the same suffix, for us-east-2; it was left untouched" in refused.err
    assert "ManagedBy=tapctl, for us-east-2" in refused.err

    gone = moved.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes) == (0, ())
    assert moved.client("iam").get_role(RoleName=ROLE)["Role"]["RoleName"] == ROLE


def namesake(world: World, suffix: str = "dev") -> str:
    """Another team's group of our function's group's name, in a VPC of theirs, with our tags on it; its id."""
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    theirs = ec2.create_security_group(GroupName=f"lambda-sg-{suffix}", Description="theirs, since 2019", VpcId=vpc)
    ours = {"ManagedBy": "tapctl", "EnvironmentSuffix": suffix, "Environment": "dev"}
    ec2.create_tags(Resources=[theirs["GroupId"]], Tags=[{"Key": key, "Value": ours[key]} for key in ours])
    return str(theirs["GroupId"])


@pytest.mark.soak
def test_our_tags_on_a_namesake_in_another_vpc_lead_no_verb_to_that(dev: World) -> None:
    """EC2's names are unique in one VPC alone: a recorded VPC is what tells ours."""
    theirs, ec2 = namesake(dev), dev.client("ec2")
    ours = dev.manifest()["entries"]["security-group/lambda-sg-dev"]["outputs"]["group_id"]
    ec2.delete_tags(Resources=[ours], Tags=[{"Key": "ManagedBy"}])
    for verb in (["plan"], ["plan", "--destroy"], ["apply", "--yes"], ["destroy", "--yes"]):
        refused = dev.tapctl(*verb, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ()), verb
        assert "security-group/lambda-sg-dev is another one than the recorded one" in refused.err
        assert "take them off the other" in refused.err
    assert dev.drift().code == 2
    for group in (theirs, ours):
        assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]


def test_of_a_copy_that_was_never_applied_no_group_goes_that_is_not_in_the_network_of_the_files(dev: World) -> None:
    theirs = namesake(dev, "pr-13")
    for verb in ("plan --destroy", "destroy --yes"):
        refused = dev.tapctl(*verb.split(), "--env", "dev", "--suffix", "pr-13")
        assert (refused.code, refused.changes) == (6, ()), verb
        assert "security-group/lambda-sg-pr-13: vpc_id " in refused.err
    assert dev.client("ec2").describe_security_groups(GroupIds=[theirs])["SecurityGroups"]


UNJUDGED = "bears our name and tags in vpc-"
ASKS = "cloudformation:DescribeStacks"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("trouble", "why", "hint"),
    [
        (deny(ASKS), f"on {ASKS}", f"allow {ASKS}, then run the same command again"),
        (refuse((ASKS,), "InternalFailure"), f"on {ASKS}", "run the same command again"),
    ],
    ids=["denied", "out of order"],
)
def test_without_a_record_nothing_goes_where_nobody_can_tell_which_network_is_ours(
    dev: World, trouble: Trouble, why: str, hint: str
) -> None:
    """What bears our name and tags may be ours, or a namesake in another VPC: neither is taken for the other."""
    dev.path().unlink()
    before = left(dev)
    for verb in ("plan --destroy", "destroy --yes"):
        refused = dev.meeting(trouble, *verb.split(), "--env", "dev")
        assert (refused.code, refused.changes, " BLOCKED" in refused.verdict) == (6, (), True), refused.err
        for group in ("lambda-sg-dev", "db-sg-dev"):
            assert f"security-group/{group} {UNJUDGED}" in refused.err
        assert f"security-group-rules/lambda-sg-dev {UNJUDGED}" not in refused.err
        for told in ("which VPC the files name could not be read; it was left untouched", why, hint):
            assert told in refused.err
    assert left(dev) == before


def test_of_a_copy_that_was_never_applied_no_group_goes_where_the_network_of_the_files_is_gone(dev: World) -> None:
    theirs = namesake(dev, "pr-13")
    dev.client("cloudformation").delete_stack(StackName="networking-dev")
    for verb in ("plan --destroy", "destroy --yes"):
        refused = dev.tapctl(*verb.split(), "--env", "dev", "--suffix", "pr-13")
        assert (refused.code, refused.changes, " BLOCKED" in refused.verdict) == (6, (), True), refused.err
        for told in (UNJUDGED, "stack: networking-dev does not exist in us-east-2", "correct the networking stack"):
            assert told in refused.err
    assert dev.client("ec2").describe_security_groups(GroupIds=[theirs])["SecurityGroups"]


@pytest.mark.soak
def test_a_broken_network_that_names_its_vpc_is_enough_for_a_destroy_without_a_record(dev: World) -> None:
    """Only where our groups are has to be known, and not if anything could run there."""
    dev.path().unlink()
    vpc = dev.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])
    dev.client("ec2").modify_vpc_attribute(VpcId=vpc["SecurityGroups"][0]["VpcId"], EnableDnsSupport={"Value": False})
    gone = dev.meeting(deny("ec2:DescribeSubnets"), "destroy", "--env", "dev", "--yes")
    assert (gone.code, "nothing else of ours is left" in gone.verdict) == (0, True), gone.err


def test_rules_whose_group_is_recorded_and_they_are_not_are_judged_by_the_network_too(dev: World) -> None:
    record = dev.manifest()
    del record["entries"]["security-group-rules/lambda-sg-dev"]
    dev.leave(record)
    refused = dev.meeting(deny(ASKS), "destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert f"security-group-rules/lambda-sg-dev {UNJUDGED}" in refused.err


def test_without_a_record_no_group_goes_where_two_bear_our_name_and_tags(dev: World) -> None:
    theirs = namesake(dev)
    ours = dev.manifest()["entries"]["security-group/lambda-sg-dev"]["outputs"]["group_id"]
    dev.path().unlink()
    refused = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    for group in (theirs, ours):
        assert dev.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]


def test_a_namesake_in_another_vpc_with_our_tags_was_in_no_plan_and_is_left(dev: World) -> None:
    ec2 = dev.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    ours = {"ManagedBy": "tapctl", "EnvironmentSuffix": "dev", "Environment": "dev"}
    tags = [{"Key": key, "Value": value} for key, value in ours.items()]
    specification = {"ResourceType": "security-group", "Tags": tags}
    ours_in = dev.manifest()["entries"]["security-group/db-sg-dev"]["spec"]["vpc_id"]
    made = ec2.create_security_group(
        GroupName="db-sg-dev", Description="d", VpcId=vpc, TagSpecifications=[specification]
    )["GroupId"]
    theirs = "2 resources bear a name of dev, and no run of tapctl has made that"
    told = "security-group/db-sg-dev: made, or tagged, since this run has looked"
    ended = dev.tapctl("destroy", "--env", "dev", "--yes")
    assert (ended.code, theirs in ended.err, told in ended.err) == (6, True, True), ended.err
    # The record holds it no more: its history tells which one was ours.
    for verb in ("plan --destroy", "destroy --yes"):
        again = dev.tapctl(*verb.split(), "--env", "dev")
        assert (again.code, again.changes, theirs in again.err) == (6, (), True), again.err
        assert f"security-group/db-sg-dev: vpc_id {ours_in} → {vpc}" in again.err
    untouched = [one for one in dev.drift().of_type("finding") if one["state"] != "DRIFT"]
    assert {one["address"] for one in untouched} == {"security-group/db-sg-dev", "security-group-rules/db-sg-dev"}
    (note,) = {one["note"] for one in untouched}
    assert note.endswith("the record does not hold it; by its certificate a destroy did not finish: run it again")
    assert {(one["state"], one["now"]) for one in untouched} == {("UNKNOWN", "tapctl destroy --env dev")}
    goes_on = "by its certificate a destroy did not finish: tapctl destroy --env dev goes on"
    assert goes_on in dev.tapctl("status", "--env", "dev").out
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])["SecurityGroups"]
    assert (group["GroupId"], len(group["IpPermissionsEgress"])) == (made, 1)


def test_a_cluster_in_the_place_of_the_recorded_one_goes_only_once_it_was_adopted(dev: World) -> None:
    rds, cluster = dev.client("rds"), "db-cluster/db-cluster-dev"
    record = dev.manifest()
    (there,) = rds.describe_db_clusters()["DBClusters"]
    record["entries"][cluster]["outputs"]["resource_id"] = "cluster-OTHER"
    dev.path().write_text(json.dumps(record))
    for refused in (dev.tapctl("plan", "--destroy", "--env", "dev"), dev.tapctl("destroy", "--env", "dev", "--yes")):
        assert (refused.code, refused.changes) == (6, ())
        assert f"{cluster} was replaced outside tapctl: the one that is there holds other data" in refused.err
        assert f"recorded → there: resource_id cluster-OTHER → {there['DbClusterResourceId']}" in refused.err
        assert f"tapctl apply --env dev --adopt {cluster}, then run this again" in refused.err
    dev.applied("dev", "--adopt", cluster)
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0


@pytest.mark.soak
def test_a_group_that_the_files_want_and_that_the_record_tells_otherwise_is_taken_over_by_name(dev: World) -> None:
    """The group that is there stands in the network of the files: an apply that names it ends what is told."""
    group, rules = "security-group/lambda-sg-dev", "security-group-rules/lambda-sg-dev"
    record = dev.manifest()
    for address in (group, rules):
        record["entries"][address]["spec"]["vpc_id"] = "vpc-0a1b2c3d"
    dev.path().write_text(json.dumps(record))
    for verb in (["plan"], ["apply", "--yes"]):
        refused = dev.tapctl(*verb, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ()), verb
        assert f"if the one that is there is meant: apply with --adopt {group}" in refused.err, refused.err
    dev.applied("dev", "--adopt", group, "--adopt", rules)
    assert dev.drift().code == 0
