"""Exposures, that is who else was let in, show in a drift and a plan, and are left alone by an apply."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.events import Result
from tapctl.engine.model import Observed
from tapctl.engine.waiver import DETAILS
from tapctl.errors import AwsNoAnswer, AwsRefused
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster_snapshots import restorers_of
from tapctl.reconcilers.exposures import with_details
from tapctl.render.harmless import harmless
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers.conformance import CASES, Bench
from tests.reconcilers.scripted import DENIED, answer, refuse

ACCOUNT = "123456789012"
COPY = "arn:aws:secretsmanager:us-east-1:999999999999:secret:copy-AbCdEf"
STREAM = "AWS does not tell it: a stream without a name"
STRANGER = "arn:aws:iam::999999999999:role/reader"
Expose = Callable[[Bench], None]


@dataclass(frozen=True)
class Exposure:
    """A way in or out, opened by hand, and how the field shows it; ``read``: the call that reads it alone."""

    case: str
    field: str
    expose: Expose
    shown: str
    read: tuple[str, str] | None = None


def _key(bench: Bench) -> str:
    return bench.aws.kms.describe_key(KeyId=bench.id)["KeyMetadata"]["KeyId"]


def _grant(bench: Bench) -> None:
    bench.aws.kms.create_grant(KeyId=_key(bench), GranteePrincipal=STRANGER, Operations=["Encrypt", "Decrypt"])


def _subscribe(bench: Bench) -> None:
    function = bench.aws.lambda_
    role = bench.aws.iam.create_role(
        RoleName="shipper",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.mjs", "")
    made = function.create_function(
        FunctionName="shipper",
        Role=role,
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    bench.aws.logs.put_subscription_filter(
        logGroupName=bench.id, filterName="to the SIEM", filterPattern="", destinationArn=made["FunctionArn"]
    )


def _cluster(**more: Any) -> Expose:
    def expose(bench: Bench) -> None:
        reply: Any = bench.aws.rds.describe_db_clusters()
        answer(bench.aws.rds, "DescribeDBClusters", {"DBClusters": [{**each, **more} for each in reply["DBClusters"]]})

    return expose


def _modified(**more: Any) -> Expose:
    def expose(bench: Bench) -> None:
        bench.aws.rds.modify_db_cluster(DBClusterIdentifier=bench.id, ApplyImmediately=True, **more)

    return expose


def _renamed_in_the_window(bench: Bench) -> None:
    bench.aws.rds.modify_db_cluster(DBClusterIdentifier=bench.id, NewDBClusterIdentifier="mallorys")


def _member_renamed_in_the_window(bench: Bench) -> None:
    bench.aws.rds.modify_db_instance(DBInstanceIdentifier=bench.id, NewDBInstanceIdentifier="mallorys-0")


def _gateway(bench: Bench) -> None:
    assert bench.sandbox is not None
    bench.sandbox.simulation.script("rds.internet-gateway", "yes")


def _global_member(bench: Bench) -> None:
    (cluster,) = bench.aws.rds.describe_db_clusters()["DBClusters"]
    bench.aws.rds.create_global_cluster(
        GlobalClusterIdentifier="world", SourceDBClusterIdentifier=cluster["DBClusterArn"]
    )


def _global_forwarding(bench: Bench) -> None:
    _global_member(bench)
    _modified(EnableGlobalWriteForwarding=True)(bench)


def _replica(bench: Bench) -> None:
    (cluster,) = bench.aws.rds.describe_db_clusters()["DBClusters"]
    bench.aws.rds.create_db_cluster(
        DBClusterIdentifier="replica",
        Engine=cluster["Engine"],
        DBSubnetGroupName=cluster["DBSubnetGroup"],
        MasterUsername="owner",
        MasterUserPassword="12345678",
        ReplicationSourceIdentifier=cluster["DBClusterArn"],
    )


def _endpoint(bench: Bench) -> None:
    bench.aws.rds.create_db_cluster_endpoint(
        DBClusterIdentifier=bench.id, DBClusterEndpointIdentifier="reports", EndpointType="ANY"
    )


def _activity_stream(bench: Bench) -> None:
    (cluster,) = bench.aws.rds.describe_db_clusters()["DBClusters"]
    bench.aws.rds.start_activity_stream(ResourceArn=cluster["DBClusterArn"], Mode="async", KmsKeyId="k")


def _same_zone(bench: Bench) -> None:
    reply: Any = bench.aws.rds.describe_db_instances()
    other = {**reply["DBInstances"][0], "DBInstanceIdentifier": "db-cluster-test"}
    answer(bench.aws.rds, "DescribeDBInstances", {"DBInstances": [*reply["DBInstances"], other]})
    (cluster,) = bench.aws.rds.describe_db_clusters()["DBClusters"]
    readers: list[Any] = [{**member, "IsClusterWriter": False} for member in cluster["DBClusterMembers"]]
    answer(bench.aws.rds, "DescribeDBClusters", {"DBClusters": [{**cluster, "DBClusterMembers": readers}]})


def _mask(bench: Bench) -> None:
    bench.aws.logs.put_data_protection_policy(logGroupIdentifier=bench.id, policyDocument="{}")


def _tokens(bench: Bench) -> None:
    logs: Any = bench.aws.logs
    logs.put_bearer_token_authentication(logGroupIdentifier=bench.id, bearerTokenAuthenticationEnabled=True)


def _decree(bench: Bench) -> None:
    reply: Any = bench.aws.logs.describe_log_groups(logGroupNamePrefix=bench.id)
    group = {**reply["logGroups"][0], "retentionInDays": 1, "retentionPolicyName": "central"}
    answer(bench.aws.logs, "DescribeLogGroups", {"logGroups": [group]})


def _secret_arn(bench: Bench) -> str:
    return str(bench.aws.rds.describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"])


def _secret(**more: Any) -> Expose:
    def expose(bench: Bench) -> None:
        reply: Any = bench.aws.secretsmanager.describe_secret(SecretId=_secret_arn(bench))
        answer(bench.aws.secretsmanager, "DescribeSecret", {**reply, **more})

    return expose


def _other_region(bench: Bench) -> None:
    bench.aws.secretsmanager.replicate_secret_to_regions(
        SecretId=_secret_arn(bench), AddReplicaRegions=[{"Region": "eu-west-1"}]
    )


def _other_account(bench: Bench) -> None:
    secrets: Any = bench.aws.secretsmanager
    secrets.associate_cross_account_replica(SecretId=_secret_arn(bench), CrossAccountReplicaARN=COPY)


def _open_secret(bench: Bench) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": "secretsmanager:*", "Resource": "*"}
    bench.aws.secretsmanager.put_resource_policy(
        SecretId=_secret_arn(bench), ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def _url(bench: Bench) -> None:
    bench.aws.lambda_.create_function_url_config(FunctionName=bench.id, AuthType="NONE")


def _function(**more: Any) -> Expose:
    def expose(bench: Bench) -> None:
        reply: Any = bench.aws.lambda_.get_function(FunctionName=bench.id)
        reply["Configuration"] |= more
        answer(bench.aws.lambda_, "GetFunction", reply)

    return expose


def _event_source(bench: Bench, function: str = "") -> None:
    bench.aws.client("sqs").create_queue(QueueName="orders")
    role = bench.aws.lambda_.get_function_configuration(FunctionName=bench.id)["Role"].rpartition("/")[2]
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bench.aws.iam.put_role_policy(RoleName=role, PolicyName="queue", PolicyDocument=document)
    bench.aws.lambda_.create_event_source_mapping(
        FunctionName=function or bench.id, EventSourceArn=bench.aws.arn("sqs", "orders")
    )


def _event_source_of_version(bench: Bench) -> None:
    _event_source(bench, bench.aws.lambda_.publish_version(FunctionName=bench.id)["FunctionArn"])


def _destination(bench: Bench) -> None:
    topic = bench.aws.arn("sns", "elsewhere")
    bench.aws.lambda_.put_function_event_invoke_config(
        FunctionName=bench.id, DestinationConfig={"OnSuccess": {"Destination": topic}}
    )


def _losing_events(bench: Bench) -> None:
    bench.aws.lambda_.put_function_event_invoke_config(
        FunctionName=bench.id,
        MaximumRetryAttempts=0,
        MaximumEventAgeInSeconds=21_600,
        DestinationConfig={"OnSuccess": {}, "OnFailure": {}},  # as AWS answers where there are none
    )


def _alias(bench: Bench) -> None:
    version = bench.aws.lambda_.publish_version(FunctionName=bench.id)["Version"]
    bench.aws.lambda_.create_alias(FunctionName=bench.id, Name="live", FunctionVersion=version)


def _ipv6(bench: Bench) -> None:
    config = bench.aws.lambda_.get_function_configuration(FunctionName=bench.id)["VpcConfig"]
    network: Any = {"SubnetIds": config["SubnetIds"], "SecurityGroupIds": config["SecurityGroupIds"]}
    bench.aws.lambda_.update_function_configuration(
        FunctionName=bench.id, VpcConfig=network | {"Ipv6AllowedForDualStack": True}
    )


def _group_id(bench: Bench) -> str:
    filters: Any = [{"Name": "group-name", "Values": [bench.id]}]
    return str(bench.aws.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])


def _stranger(bench: Bench) -> None:
    vpc = bench.world["vpc"]
    subnet = bench.aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    # Their words alone do not make an interface one of RDS's.
    bench.aws.ec2.create_network_interface(
        SubnetId=subnet, Groups=[_group_id(bench)], Description="RDSNetworkInterface"
    )


def _other_vpc(bench: Bench) -> None:
    ec2: Any = bench.aws.ec2
    ec2.associate_security_group_vpc(GroupId=_group_id(bench), VpcId=bench.world["other_vpc"])


def _open_list(bench: Bench) -> None:
    halves: Any = [{"Cidr": "0.0.0.0/1"}, {"Cidr": "128.0.0.0/1"}]
    bench.aws.ec2.modify_managed_prefix_list(PrefixListId=bench.world["list"], CurrentVersion=1, AddEntries=halves)


def _reached(bench: Bench) -> None:
    inner: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    rules: Any = [{**inner, "IpRanges": [{"CidrIp": cidr}]} for cidr in ("10.0.0.0/8", "0.0.0.0/0")]
    bench.aws.ec2.authorize_security_group_ingress(GroupId=bench.world["sg_one"], IpPermissions=rules)


def _reached_by_list(bench: Bench) -> None:
    halves: Any = [{"Cidr": "0.0.0.0/1"}, {"Cidr": "128.0.0.0/1"}]
    made = bench.aws.ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=9, AddressFamily="IPv4", Entries=halves
    )
    peers = [{"PrefixListId": made["PrefixList"]["PrefixListId"]}]
    rule: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "PrefixListIds": peers}
    bench.aws.ec2.authorize_security_group_ingress(GroupId=bench.world["sg_one"], IpPermissions=[rule])


def _let_out(bench: Bench) -> None:
    web = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port} for port in (80, 443)]
    rules: Any = [{**one, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]} for one in web]
    bench.aws.ec2.authorize_security_group_egress(GroupId=bench.world["group_a"], IpPermissions=rules)


def _instance_profile(bench: Bench) -> None:
    bench.aws.iam.create_instance_profile(InstanceProfileName="bastion")
    bench.aws.iam.add_role_to_instance_profile(InstanceProfileName="bastion", RoleName=bench.id)


def _share(bench: Bench) -> None:
    bench.aws.rds.create_db_cluster_snapshot(DBClusterIdentifier=bench.id, DBClusterSnapshotIdentifier="copy")
    bench.aws.rds.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="copy", AttributeName="restore", ValuesToAdd=["999999999999"]
    )


def _mute(bench: Bench) -> None:
    cloudwatch: Any = bench.aws.cloudwatch
    schedule = {"Schedule": {"Expression": "cron(0 2 * * *)", "Duration": "PT2H"}}
    cloudwatch.put_alarm_mute_rule(Name="of others", Rule=schedule, MuteTargets={"AlarmNames": ["another"]})
    cloudwatch.put_alarm_mute_rule(Name="by night", Rule=schedule, MuteTargets={"AlarmNames": [bench.id]})


def _deliver(bench: Bench) -> None:
    arn = bench.aws.arn("sns", bench.id)
    bench.aws.sns.set_topic_attributes(
        TopicArn=arn, AttributeName="LambdaSuccessFeedbackRoleArn", AttributeValue=STRANGER
    )


EXPOSURES = [
    Exposure("kms_key", "grants", _grant, f" to {STRANGER} (Decrypt, Encrypt)", ("kms", "ListGrants")),
    Exposure(
        "kms_key",
        "further_aliases",
        lambda bench: bench.aws.kms.create_alias(AliasName="alias/mine", TargetKeyId=_key(bench)) and None,
        "alias/mine",
        ("kms", "ListAliases"),
    ),
    Exposure(
        "log_group", "subscriptions", _subscribe, ":shipper by to the SIEM", ("logs", "DescribeSubscriptionFilters")
    ),
    Exposure("log_group", "data_protection", _mask, "ACTIVATED"),
    Exposure("log_group", "bearer_tokens", _tokens, "True"),
    Exposure("log_group", "retention_cut", _decree, "1 by central"),
    Exposure("secret_rotation", "resource_policy", _open_secret, STRANGER, ("secretsmanager", "GetResourcePolicy")),
    Exposure("secret_rotation", "replicas", _other_region, "eu-west-1"),
    Exposure(
        "secret_rotation",
        "replicas",
        _secret(ReplicationStatus=[{"Region": "eu-west-1", "Status": "InSync", "KmsKeyId": "arn:theirs"}]),
        'eu-west-1: {"KmsKeyId": "arn:theirs"}',
    ),
    Exposure("secret_rotation", "replicas", _other_account, COPY),
    Exposure("secret_rotation", "rotated_by", _secret(RotationLambdaARN="arn:aws:lambda:x"), "arn:aws:lambda:x"),
    Exposure("secret_rotation", "deleted_on", _secret(DeletedDate=datetime(2031, 5, 6, tzinfo=UTC)), "2031-05-06"),
    Exposure("lambda_function", "further_settings", _function(DurableConfig={"ExecutionTimeout": 9}), "DurableConfig"),
    Exposure("lambda_function", "urls", _url, "(NONE)", ("lambda_", "ListFunctionUrlConfigs")),
    Exposure(
        "lambda_function",
        "event_sources",
        _event_source,
        f" from arn:aws:sqs:us-east-1:{ACCOUNT}:orders",
        ("lambda_", "ListEventSourceMappings"),
    ),
    Exposure("lambda_function", "event_sources", _event_source_of_version, ":orders for 1"),
    Exposure(
        "lambda_function",
        "destinations",
        _destination,
        "elsewhere on OnSuccess",
        ("lambda_", "ListFunctionEventInvokeConfigs"),
    ),
    Exposure("lambda_function", "destinations", _losing_events, "0 retries"),
    Exposure("lambda_function", "aliases", _alias, "live of version 1", ("lambda_", "ListAliases")),
    Exposure("lambda_function", "ipv6", _ipv6, "True"),
    Exposure("security_group", "strangers", _stranger, "(RDSNetworkInterface)", ("ec2", "DescribeNetworkInterfaces")),
    Exposure("security_group", "other_vpcs", _other_vpc, "vpc-", ("ec2", "DescribeSecurityGroupVpcAssociations")),
    Exposure(
        "security_group_rules", "open_lists", _open_list, " holds 0.0.0.0/0", ("ec2", "GetManagedPrefixListEntries")
    ),
    Exposure("db_cluster", "open_groups", _reached, " ingress 0.0.0.0/0 tcp/5432", ("ec2", "DescribeSecurityGroups")),
    Exposure("db_cluster", "open_groups", _reached_by_list, " tcp/5432 holds 0.0.0.0/0"),
    Exposure("lambda_function", "open_groups", _let_out, " egress ::/0 tcp/80", ("ec2", "DescribeSecurityGroups")),
    Exposure("iam_role", "instance_profiles", _instance_profile, "bastion", ("iam", "ListInstanceProfilesForRole")),
    Exposure("db_cluster", "auto_minor_version_upgrade", _modified(AutoMinorVersionUpgrade=False), "False"),
    Exposure("db_cluster", "activity_stream", _activity_stream, "aws-rds-das-"),
    Exposure("db_cluster", "activity_stream", _cluster(ActivityStreamStatus="starting"), STREAM),
    Exposure("db_cluster", "activity_stream", _cluster(ActivityStreamKinesisStreamName="theirs"), "theirs"),
    Exposure("db_cluster", "activity_stream", _cluster(ActivityStreamMode="async"), STREAM),
    Exposure(
        "db_cluster",
        "activity_stream",
        _cluster(ActivityStreamKinesisStreamName="s", ActivityStreamKmsKeyId="arn:theirs", ActivityStreamMode="sync"),
        's: {"ActivityStreamKmsKeyId": "arn:theirs", "ActivityStreamMode": "sync"}',
    ),
    Exposure("db_cluster", "internet_gateway", _gateway, "True"),
    Exposure("db_cluster", "global_cluster", _global_member, "world"),
    Exposure("db_cluster", "replicas", _replica, "cluster:replica"),
    Exposure("db_cluster", "replicates", _cluster(ReplicationSourceIdentifier="arn:s"), "arn:s"),
    Exposure("db_cluster", "write_forwarding", _modified(EnableLocalWriteForwarding=True), "local"),
    Exposure("db_cluster", "write_forwarding", _global_forwarding, "global"),
    Exposure("db_cluster", "write_forwarding", _cluster(LocalWriteForwardingStatus="of tomorrow"), "local"),
    Exposure("db_cluster", "write_forwarding", _cluster(GlobalWriteForwardingStatus="unknown"), "global"),
    Exposure("db_cluster", "write_forwarding", _cluster(GlobalWriteForwardingRequested=True), "global"),
    Exposure("db_cluster", "custom_endpoints", _endpoint, "reports.cluster-custom-"),
    Exposure("db_cluster", "directories", _modified(Domain="d-1", DomainIAMRoleName="finder"), "d-1"),
    Exposure("db_cluster", "directories", _cluster(DomainMemberships=[{"FQDN": "corp.example"}]), "corp.example"),
    Exposure(
        "db_cluster",
        "directories",
        _cluster(
            DomainMemberships=[{"Domain": "d-1", "Status": "joined", "IAMRoleName": "r", "DnsIps": ["192.0.2.1"]}]
        ),
        'd-1: {"DnsIps": ["192.0.2.1"], "IAMRoleName": "r"}',
    ),
    Exposure(
        "db_cluster",
        "directories",
        _cluster(DomainMemberships=[{}]),
        "AWS does not tell it: a directory without a name",
    ),
    Exposure("db_cluster", "shared_snapshots", _share, "copy by 999999999999", ("rds", "DescribeDBClusterSnapshots")),
    Exposure("db_cluster", "put_off", _renamed_in_the_window, "DBClusterIdentifier mallorys"),
    Exposure("db_instance", "shared_zone", _same_zone, "us-east-1a"),
    Exposure("db_instance", "put_off", _member_renamed_in_the_window, "DBInstanceIdentifier mallorys-0"),
    Exposure("cloudwatch_alarm", "muted_by", _mute, "muted by by night", ("cloudwatch", "ListAlarmMuteRules")),
    Exposure("sns_topic", "further", _deliver, f"LambdaSuccessFeedbackRoleArn is {STRANGER}"),
]
GONE = {
    "ec2": "InvalidGroup.NotFound",
    "iam": "NoSuchEntity",
    "kms": "NotFoundException",
    "rds": "DBClusterNotFoundFault",
}
NO_SUCH_OPERATION = {
    "ec2": ("UnsupportedOperation", "The functionality you requested is not available in this region."),
    "lambda_": ("AccessDeniedException", "Unable to determine service/operation name to be authorized"),
    **dict.fromkeys(("iam", "rds"), ("InvalidAction", "no")),
}
LACKED = {"DescribeSecurityGroupVpcAssociations", "ListAlarmMuteRules", "ListFunctionUrlConfigs"}
"""The operations that a region may lack."""
READS = [exposure for exposure in EXPOSURES if exposure.read]


def bench_of(aws: Aws, app: Sandbox, exposure: Exposure) -> Bench:
    """A bench on which the first example was made."""
    bench = Bench(aws, CASES[exposure.case], app)
    bench.converge(bench.fresh()[0])
    return bench


def exposed(bench: Bench) -> Observed[Any, Any]:
    seen = bench.look(bench.case.examples(bench.world)[0])
    assert seen is not None
    return bench.reconciler.observe_exposures(bench.aws, bench.id, seen, None)


def name(exposure: Exposure) -> str:
    return f"{exposure.case}.{exposure.field}"


def test_every_exposure_is_shown_below_and_is_not_wanted() -> None:
    shown = {(CASES[each.case].RECONCILER.type, each.field) for each in EXPOSURES}
    assert shown == {
        (type_, field) for type_, reconciler in registry().items() for field in reconciler.leaves(allowed=True)
    }
    for type_, field in shown:
        assert not registry()[type_].spec.model_fields[field].is_required()


@pytest.mark.parametrize("exposure", EXPOSURES, ids=name)
def test_it_shows_and_an_apply_leaves_it(aws: Aws, sandbox_app: Sandbox, exposure: Exposure) -> None:
    bench = bench_of(aws, sandbox_app, exposure)
    default = bench.reconciler.spec.model_fields[exposure.field].default
    assert getattr(exposed(bench).spec, exposure.field) == default

    exposure.expose(bench)

    seen = exposed(bench)
    live = getattr(seen.spec, exposure.field)
    assert live != default
    assert any(exposure.shown in str(item) for item in (live if isinstance(live, frozenset) else {live}))
    assert not seen.unreadable
    calls = bench.changing_calls()
    assert bench.converge(bench.case.examples(bench.world)[0]).result is Result.UNCHANGED
    assert bench.changing_calls() == calls


@pytest.mark.parametrize("exposure", READS, ids=name)
def test_one_that_may_not_be_read_or_is_not_told_is_unknown(aws: Aws, sandbox_app: Sandbox, exposure: Exposure) -> None:
    bench = bench_of(aws, sandbox_app, exposure)
    client, operation = exposure.read or ("", "")

    with refuse(getattr(aws, client), operation, *DENIED):
        assert list(exposed(bench).unreadable) == [exposure.field]
    # Codes that say nothing of who was let in, though some are said of an operation or a resource that is not there.
    for code in (
        "InvalidRequest",
        "UnsupportedOperation",
        GONE.get(client, "ResourceNotFoundException"),
        "LimitExceeded",
    ):
        with refuse(getattr(aws, client), operation, code, "not now"):
            seen = exposed(bench)
        assert seen.refusals == {exposure.field: f"refused: {code}: not now"}
        assert ([*seen.unreadable], [*seen.not_offered]) == ([exposure.field], [])
    with refuse(getattr(aws, client), operation, *NO_SUCH_OPERATION.get(client, ("UnknownOperationException",))):
        seen = exposed(bench)
    assert (operation in LACKED) == (exposure.field in seen.not_offered) == (exposure.field not in seen.unreadable)
    for code, error in (("ExpiredToken", AwsRefused), ("ThrottlingException", AwsNoAnswer)):
        with refuse(getattr(aws, client), operation, code), pytest.raises(error):
            exposed(bench)


@pytest.mark.parametrize("exposure", READS, ids=name)
def test_it_is_read_of_what_aws_is_at_work_on_too(aws: Aws, sandbox_app: Sandbox, exposure: Exposure) -> None:
    bench = bench_of(aws, sandbox_app, exposure)
    exposure.expose(bench)
    seen = bench.look(None)
    assert seen is not None

    busy = bench.reconciler.observe_exposures(aws.memoized(), bench.id, replace(seen, settled=False), None)

    live = getattr(busy.spec, exposure.field)
    assert any(exposure.shown in str(item) for item in (live if isinstance(live, frozenset) else {live}))


# -- what AWS's services do for us is no exposure ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grant", "is_shown"),
    [
        ({"GranteePrincipal": "rds.us-east-1.amazonaws.com"}, False),
        ({"GranteePrincipal": "lambda.amazonaws.com"}, False),
        ({"GranteePrincipal": "ec2.us-east-1.amazonaws.com"}, True),
        ({"GranteeServicePrincipal": "rds.amazonaws.com"}, True),
        ({"GranteePrincipal": STRANGER, "RetiringPrincipal": "lambda.us-east-1.amazonaws.com"}, True),
        ({"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/r"}, True),
        (
            {
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/r",
                "RetiringPrincipal": "lambda.us-east-1.amazonaws.com",
            },
            False,
        ),
        (
            {
                "GranteePrincipal": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/f",
                "Constraints": {"EncryptionContextEquals": {"aws:lambda:FunctionArn": "arn:f"}},
            },
            False,
        ),
        (
            {
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/payments/r",
                "Constraints": {"EncryptionContextSubset": {"aws:lambda:FunctionArn": "arn:f"}},
            },
            False,
        ),
        (
            {
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/r",
                "RetiringPrincipal": "lambda.us-east-1.amazonaws.com",
                "Operations": ["Decrypt", "CreateGrant"],
            },
            True,
        ),
        (
            {
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/r",
                "Constraints": {"EncryptionContextSubset": {"aws:rds:dbc-id": "cluster-1"}},
            },
            True,
        ),
        *(
            ({"GranteePrincipal": who, **claim}, True)
            for who in (
                f"arn:aws:iam::{ACCOUNT}:user/r",
                f"arn:aws:iam::{ACCOUNT}:role/other",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/other/r",
                "arn:aws:iam::999999999999:role/r",
            )
            for claim in (
                {"RetiringPrincipal": "lambda.us-east-1.amazonaws.com"},
                {"Constraints": {"EncryptionContextEquals": {"aws:lambda:FunctionArn": "arn:f"}}},
                {"Constraints": {"EncryptionContextSubset": {"aws:rds:db-id": "db-1"}}},
            )
        ),
    ],
)
def test_a_grant_of_a_service_for_what_the_key_encrypts_is_none(
    aws: Aws, sandbox_app: Sandbox, grant: dict[str, Any], is_shown: bool
) -> None:
    bench = bench_of(aws, sandbox_app, EXPOSURES[0])
    answer(aws.kms, "ListGrants", {"Grants": [{"GrantId": "1", **grant}]})
    seen = bench.look(None)
    assert seen is not None

    view = aws.memoized({"iam-role": ("r",)})
    assert bool(bench.reconciler.observe_exposures(view, bench.id, seen, None).spec.grants) is is_shown


@pytest.mark.parametrize(
    ("interface", "is_shown"),
    [
        ({"Description": "RDSNetworkInterface", "RequesterManaged": True}, False),
        ({"Description": "RDSNetworkInterface"}, True),
        ({"InterfaceType": "lambda", "Description": f"AWS Lambda VPC ENI-ours-{'0' * 36}"}, False),
        ({"InterfaceType": "lambda", "Description": f"AWS Lambda VPC ENI-ours-too-{'0' * 36}"}, True),
        ({"Description": f"AWS Lambda VPC ENI-ours-{'0' * 36}"}, True),
        ({"Groups": [{"GroupId": "sg-another"}]}, False),
    ],
)
def test_an_interface_of_rds_or_of_our_function_is_no_stranger(
    aws: Aws, sandbox_app: Sandbox, interface: dict[str, Any], is_shown: bool
) -> None:
    bench = Bench(aws, CASES["security_group"], sandbox_app)
    bench.converge(bench.fresh()[0])
    seen = bench.look(None)
    assert seen is not None
    told = {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": _group_id(bench)}], **interface}
    answer(aws.ec2, "DescribeNetworkInterfaces", {"NetworkInterfaces": [told]})

    view = aws.memoized({"lambda-function": ("ours",)})
    strangers = bench.reconciler.observe_exposures(view, bench.id, seen, None).spec.strangers

    assert strangers == (frozenset({f"eni-1 ({interface.get('Description')})"}) if is_shown else frozenset())


# -- an exposure that grows is another item than the one that somebody has waived --------------------------------------


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({}, "it"),
        ({"RoutingConfig": {}, "FilterCriteria": {"Filters": []}, "Names": [], "On": False}, "it"),
        ({"filterPattern": "ERROR"}, 'it: {"filterPattern": "ERROR"}'),
        (
            {"At": datetime(2031, 5, 6, 2, tzinfo=timezone(timedelta(hours=2)))},
            'it: {"At": "2031-05-06T00:00:00+00:00"}',
        ),
    ],
)
def test_an_item_tells_what_decides_how_much_it_opens(details: dict[str, Any], shown: str) -> None:
    assert with_details("it", details) == shown


@pytest.mark.parametrize("text", ["password=hunter22", "x" * 1000])
def test_details_that_hide_or_fill_a_report_are_told_by_their_digest(text: str) -> None:
    shown = {with_details("it", {"filterPattern": text + end}) for end in ("", "y")}
    assert len(shown) == 2
    for one in shown:
        assert re.fullmatch("it: filterPattern of SHA-256 [0-9a-f]{16}", one)
        assert harmless("subscriptions", one) == one


@dataclass(frozen=True)
class Growth:
    """An exposure as AWS answers, and the members by which it opens more, or less."""

    case: str
    field: str
    read: tuple[str, str]
    listed: str
    item: dict[str, Any]
    members: tuple[dict[str, Any], ...]


_FUNCTION = f"arn:aws:lambda:us-east-1:1:function:{CASES['lambda_function'].ID}"
GROWTHS = [
    Growth(
        "lambda_function",
        "aliases",
        ("lambda_", "ListAliases"),
        "Aliases",
        {"Name": "live", "FunctionVersion": "1"},
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.99}}},),
    ),
    Growth(
        "lambda_function",
        "event_sources",
        ("lambda_", "ListEventSourceMappings"),
        "EventSourceMappings",
        {"UUID": "1", "FunctionArn": _FUNCTION, "State": "Enabled", "DestinationConfig": {"OnFailure": {}}},
        (
            {"State": "Disabling"},
            {"FunctionArn": f"{_FUNCTION}:live"},
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:away"}}},
            {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
        ),
    ),
    Growth(
        "log_group",
        "subscriptions",
        ("logs", "DescribeSubscriptionFilters"),
        "subscriptionFilters",
        {"filterName": "f", "destinationArn": "arn:d", "filterPattern": "", "applyOnTransformedLogs": False},
        ({"filterPattern": "ERROR"}, {"fieldSelectionCriteria": "x"}, {"emitSystemFields": ["@a"]}),
    ),
]


@pytest.mark.parametrize("growth", GROWTHS, ids=lambda growth: growth.field)
def test_what_opens_more_or_less_is_another_item(aws: Aws, sandbox_app: Sandbox, growth: Growth) -> None:
    bench = Bench(aws, CASES[growth.case], sandbox_app)
    seen: Observed[Any, Any] = Observed(bench.fresh()[0], None)
    client, operation = growth.read
    items = []
    for members in ({}, *growth.members):
        answer(getattr(aws, client), operation, {growth.listed: [growth.item | members]}, times=1)
        shown = bench.reconciler.observe_exposures(aws.memoized(), bench.id, seen, None).spec
        items.extend(getattr(shown, growth.field))
    assert len(set(items)) == len(items) == 1 + len(growth.members)
    assert DETAILS not in items[0]


def test_a_mute_rule_is_told_with_its_times(aws: Aws, sandbox_app: Sandbox) -> None:
    bench = bench_of(aws, sandbox_app, next(one for one in EXPOSURES if one.field == "muted_by"))
    _mute(bench)
    assert exposed(bench).spec.muted_by == {'muted by by night: {"Duration": "PT2H", "Expression": "cron(0 2 * * *)"}'}
    with refuse(aws.cloudwatch, "GetAlarmMuteRule", *DENIED):
        assert dict(exposed(bench).unreadable) == {"muted_by": "cloudwatch:GetAlarmMuteRule"}
    with refuse(aws.cloudwatch, "GetAlarmMuteRule", "ResourceNotFoundException"):
        assert exposed(bench).spec.muted_by == {"muted by by night"}
    with refuse(aws.cloudwatch, "GetAlarmMuteRule", "InvalidParameterValue"):
        assert dict(exposed(bench).refusals) == {"muted_by": "refused: InvalidParameterValue: no"}


def test_a_mute_rule_that_has_expired_mutes_nothing(aws: Aws, sandbox_app: Sandbox) -> None:
    bench = Bench(aws, CASES["cloudwatch_alarm"], sandbox_app)
    bench.converge(bench.fresh()[0])
    summary = {"AlarmMuteRuleArn": aws.arn("cloudwatch", "alarm-mute-rule:old"), "Status": "EXPIRED"}
    answer(aws.cloudwatch, "ListAlarmMuteRules", {"AlarmMuteRuleSummaries": [summary]})

    assert exposed(bench).spec.muted_by == frozenset()


@pytest.mark.parametrize("state", ["associated", "of tomorrow", None])
def test_a_vpc_that_has_not_left_a_group_uses_it(aws: Aws, sandbox_app: Sandbox, state: str | None) -> None:
    bench = Bench(aws, CASES["security_group"], sandbox_app)
    bench.converge(bench.fresh()[0])
    used = {"GroupId": _group_id(bench), "VpcId": "vpc-9"} | ({"State": state} if state else {})
    answer(aws.ec2, "DescribeSecurityGroupVpcAssociations", {"SecurityGroupVpcAssociations": [used]})

    assert exposed(bench).spec.other_vpcs == {"vpc-9"}


@pytest.mark.parametrize("state", ["association-failed", "disassociating", "disassociated"])
def test_a_vpc_that_has_left_a_group_uses_it_no_more(aws: Aws, sandbox_app: Sandbox, state: str) -> None:
    bench = Bench(aws, CASES["security_group"], sandbox_app)
    bench.converge(bench.fresh()[0])
    used = {"GroupId": _group_id(bench), "VpcId": "vpc-9", "State": state}
    answer(aws.ec2, "DescribeSecurityGroupVpcAssociations", {"SecurityGroupVpcAssociations": [used]})

    assert exposed(bench).spec.other_vpcs == frozenset()


@pytest.mark.parametrize("case", ["db_cluster", "security_group_rules"])
def test_rules_that_do_not_tell_whom_they_let_through_leave_open_what_they_open(
    aws: Aws, sandbox_app: Sandbox, case: str
) -> None:
    bench = Bench(aws, CASES[case], sandbox_app)
    bench.converge(bench.fresh()[0])
    groups: list[Any] = [*aws.ec2.describe_security_groups()["SecurityGroups"]]
    for group in groups:
        group["IpPermissions"] = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{}]}]
    answer(aws.ec2, "DescribeSecurityGroups", {"SecurityGroups": groups})

    field = "open_groups" if case == "db_cluster" else "open_lists"
    assert "a rule does not tell whom it lets through" in exposed(bench).refusals[field]


@pytest.mark.parametrize("case", ["db_cluster", "lambda_function"])
def test_a_group_of_others_that_an_answer_leaves_out_may_be_open(aws: Aws, sandbox_app: Sandbox, case: str) -> None:
    bench = Bench(aws, CASES[case], sandbox_app)
    bench.converge(bench.fresh()[0])
    answer(aws.ec2, "DescribeSecurityGroups", {"SecurityGroups": []})

    assert "is left out" in exposed(bench).refusals["open_groups"]


def test_a_snapshot_that_went_since_it_was_listed_is_shared_with_nobody(aws: Aws, sandbox_app: Sandbox) -> None:
    bench = Bench(aws, CASES["db_cluster"], sandbox_app)
    bench.converge(bench.fresh()[0])
    _share(bench)
    code = "DBClusterSnapshotNotFoundFault"
    with refuse(aws.rds, "DescribeDBClusterSnapshotAttributes", code):
        # It is there: not found is no word on who may restore it.
        assert exposed(bench).refusals.keys() == {"shared_snapshots"}
        with refuse(aws.rds, "DescribeDBClusterSnapshots", "InternalFailure"), pytest.raises(AwsRefused):
            restorers_of(aws, "copy")
    listed: Any = aws.rds.describe_db_cluster_snapshots(SnapshotType="manual")
    for snapshot in listed["DBClusterSnapshots"]:
        aws.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot["DBClusterSnapshotIdentifier"])
    answer(aws.rds, "DescribeDBClusterSnapshots", listed, times=1)
    assert exposed(bench).spec.shared_snapshots == frozenset()
    _share(bench)
    with refuse(aws.rds, "DescribeDBClusterSnapshotAttributes", "InternalFailure"):
        assert exposed(bench).refusals.keys() == {"shared_snapshots"}


def test_an_attribute_of_a_snapshot_that_lets_nobody_restore_it_is_none(aws: Aws, sandbox_app: Sandbox) -> None:
    bench = Bench(aws, CASES["db_cluster"], sandbox_app)
    bench.converge(bench.fresh()[0])
    _share(bench)
    attributes = [{"AttributeName": "other", "AttributeValues": ["all"]}]
    answer(
        aws.rds,
        "DescribeDBClusterSnapshotAttributes",
        {"DBClusterSnapshotAttributesResult": {"DBClusterSnapshotAttributes": attributes}},
    )

    assert exposed(bench).spec.shared_snapshots == frozenset()


@pytest.mark.parametrize("source", [{"UUID": "1"}, {"UUID": "1", "FunctionArn": ""}])
def test_an_event_source_that_does_not_tell_whom_it_calls_may_call_ours(
    aws: Aws, sandbox_app: Sandbox, source: dict[str, str]
) -> None:
    bench = Bench(aws, CASES["lambda_function"], sandbox_app)
    bench.converge(bench.fresh()[0])
    answer(aws.lambda_, "ListEventSourceMappings", {"EventSourceMappings": [source]})
    seen = exposed(bench)
    assert dict(seen.unreadable) == {"event_sources": "lambda:ListEventSourceMappings"}
    assert "the answer cannot be used" in seen.refusals["event_sources"]
