from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import ACCOUNT, Network
from tests.emulator.conftest import OF_AWS, Build, Refused

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef
from tapctl.sandbox.emulator.simulation import Simulation
from tests.emulator.conftest import LONG_S, Clock, Place
from tests.emulator.lambda_helpers import INTERFACES, allow, trust, zipped

REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"


def push(aws: Aws, config: str, tag: str = "1") -> str:
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"digest": config, "size": 1},
            "layers": [{"digest": "sha256:same", "size": 1}],
        }
    )
    aws.ecr.put_image(repositoryName="repo", imageManifest=manifest, imageTag=tag)
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


@pytest.fixture
def role(aws: Aws) -> str:
    return aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust())["Role"]["Arn"]


@pytest.fixture
def image(aws: Aws) -> str:
    aws.ecr.create_repository(repositoryName="repo")
    return push(aws, "a")


@pytest.fixture
def make(aws: Aws, role: str) -> Build:
    def create(**more: Any) -> None:
        package = {"Code": {"ZipFile": zipped()}, "Runtime": "nodejs22.x", "Handler": "index.handler"}
        aws.lambda_.create_function(**{"FunctionName": "f", "Role": role, **package, **more})

    return create


@pytest.fixture
def make_image(aws: Aws, role: str, image: str) -> Build:
    def create(uri: str = f"{REGISTRY}/repo:1", **more: Any) -> None:
        aws.lambda_.create_function(
            **{"FunctionName": "f", "Role": role, "PackageType": "Image", "Code": {"ImageUri": uri}, **more}
        )

    return create


def describe(aws: Aws) -> FunctionConfigurationTypeDef:
    return aws.lambda_.get_function(FunctionName="f")["Configuration"]


def test_a_zip_is_known_by_its_hash(aws: Aws, make: Build, refused: Refused) -> None:
    make()
    assert describe(aws)["CodeSha256"] == base64.b64encode(hashlib.sha256(zipped()).digest()).decode()
    assert describe(aws)["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
    assert "VpcConfig" not in describe(aws)
    assert aws.lambda_.get_function_configuration(FunctionName=describe(aws)["FunctionArn"])["State"] == "Active"
    with refused("ResourceConflictException", "already exist"):
        make()
    with refused("ResourceNotFoundException"):
        aws.lambda_.get_policy(FunctionName="f")
    aws.lambda_.delete_function(FunctionName="f")
    with refused("ResourceNotFoundException"):
        aws.lambda_.get_function(FunctionName="f")
    with refused("ResourceNotFoundException"):
        aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5)


def test_naive_code_may_not_remove_tags_of_aws_s_own(aws: Aws, make: Build, refused: Refused) -> None:
    make(Tags={"Name": "mine"})
    told = aws.lambda_.get_function(FunctionName="f")["Tags"]
    assert told == {"Name": "mine", OF_AWS["Key"]: OF_AWS["Value"]}
    arn = describe(aws)["FunctionArn"]
    assert aws.lambda_.list_tags(Resource=arn)["Tags"] == told
    with refused("InvalidParameterValueException", "aws:"):
        aws.lambda_.untag_resource(Resource=arn, TagKeys=[key for key in told if key != "Name"])
    with refused("InvalidParameterValueException", "aws:"):
        aws.lambda_.tag_resource(Resource=arn, Tags={"aws:mine": "x"})


def test_naive_code_takes_an_application_s_tag_away_for_ever(aws: Aws, make: Build) -> None:
    make(Tags={"Name": "mine", "awsApplication": "arn", "more": "x"})
    arn = describe(aws)["FunctionArn"]
    aws.lambda_.untag_resource(Resource=arn, TagKeys=["awsApplication"])
    aws.lambda_.untag_resource(Resource=arn, TagKeys=["awsApplication", "more"])
    assert {*aws.lambda_.list_tags(Resource=arn)["Tags"]} == {"Name", "awsApplication", OF_AWS["Key"]}


def test_a_resource_policy_is_put_shown_and_deleted_whole(aws: Aws, make: Build, refused: Refused) -> None:
    make()
    arn = describe(aws)["FunctionArn"]
    aws.lambda_.add_permission(
        FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    opened = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn}
    put = aws.lambda_.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Statement": opened}))
    shown = aws.lambda_.get_resource_policy(ResourceArn=arn)
    assert put["Policy"] == shown["Policy"] == aws.lambda_.get_policy(FunctionName="f")["Policy"]
    assert json.loads(shown["Policy"])["Statement"] == [opened], "what AddPermission gave is overwritten"
    aws.lambda_.delete_resource_policy(ResourceArn=arn)
    for ask in (aws.lambda_.get_resource_policy, aws.lambda_.delete_resource_policy):
        with refused("ResourceNotFoundException"):
            ask(ResourceArn=arn)
    with refused("ResourceNotFoundException"):
        aws.lambda_.get_policy(FunctionName="f")


def test_the_role_must_be_lambdas(aws: Aws, make: Build, refused: Refused) -> None:
    with refused("InvalidParameterValueException", "cannot be assumed by Lambda"):
        make(Role=f"arn:aws:iam::{ACCOUNT}:role/none")
    other = aws.iam.create_role(RoleName="o", AssumeRolePolicyDocument=trust("ecs"))["Role"]["Arn"]
    with refused("InvalidParameterValueException", "cannot be assumed by Lambda"):
        make(Role=other)


def test_a_vpc_needs_its_network_and_the_right_to_it(aws: Aws, network: Network, make: Build, refused: Refused) -> None:
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=network.vpc_id)["GroupId"]
    wanted = {"SubnetIds": list(network.subnet_ids), "SecurityGroupIds": [group]}
    with refused("InvalidParameterValueException", "CreateNetworkInterface"):
        make(VpcConfig=wanted)
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
    with refused("InvalidParameterValueException", "InvalidGroup.NotFound"):
        make(VpcConfig={**wanted, "SecurityGroupIds": ["sg-1"]})
    with refused("InvalidParameterValueException", "InvalidSubnetID.NotFound"):
        make(VpcConfig={**wanted, "SubnetIds": ["subnet-1"]})
    vpc = aws.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    foreign = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    with refused("InvalidParameterValueException", "same VPC"):
        make(VpcConfig={**wanted, "SecurityGroupIds": [foreign]})
    make(VpcConfig=wanted)
    shown = describe(aws)["VpcConfig"]
    assert (shown["VpcId"], shown["SecurityGroupIds"]) == (network.vpc_id, [group])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    aws.lambda_.update_function_configuration(
        FunctionName="f", VpcConfig={"SubnetIds": list(network.subnet_ids[:1]), "SecurityGroupIds": [group]}
    )
    assert describe(aws)["VpcConfig"]["SubnetIds"] == list(network.subnet_ids[:1])
    aws.lambda_.update_function_configuration(FunctionName="f", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    assert "VpcConfig" not in describe(aws)
    aws.ec2.delete_security_group(GroupId=group)


def test_a_managed_policy_gives_the_right_too(aws: Aws, network: Network, make: Build) -> None:
    arn = aws.iam.create_policy(PolicyName="p", PolicyDocument=allow("ec2:*"))["Policy"]["Arn"]
    aws.iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=network.vpc_id)["GroupId"]
    make(VpcConfig={"SubnetIds": [network.subnet_ids[0]], "SecurityGroupIds": [group]})


def test_the_key_must_be_usable(aws: Aws, make: Build, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    aws.kms.disable_key(KeyId=key)
    with refused("InvalidParameterValueException", "invalid for CreateGrant"):
        make(KMSKeyArn=key)
    aws.kms.enable_key(KeyId=key)
    make(KMSKeyArn=key, Environment={"Variables": {"A": "1"}})
    assert describe(aws)["KMSKeyArn"] == key


def test_an_image_is_deployed_by_its_digest(aws: Aws, make_image: Build, image: str) -> None:
    make_image()
    code = aws.lambda_.get_function(FunctionName="f")["Code"]
    assert (code["ImageUri"], code["ResolvedImageUri"]) == (f"{REGISTRY}/repo:1", f"{REGISTRY}/repo@{image}")
    newer = push(aws, "b")
    assert newer != image
    assert aws.lambda_.get_function(FunctionName="f")["Code"]["ResolvedImageUri"] == f"{REGISTRY}/repo@{image}"
    aws.lambda_.update_function_code(FunctionName="f", ImageUri=f"{REGISTRY}/repo@{newer}")
    code = aws.lambda_.get_function(FunctionName="f")["Code"]
    assert code["ImageUri"] == code["ResolvedImageUri"] == f"{REGISTRY}/repo@{newer}"
    assert describe(aws)["CodeSha256"] == newer.removeprefix("sha256:")
    aws.lambda_.update_function_code(FunctionName="f", ImageUri=f"{REGISTRY}/repo@{image}")


@pytest.mark.parametrize("uri", [f"{REGISTRY}/repo:2", f"{REGISTRY}/none:1", f"{REGISTRY}/repo@sha256:{'0' * 64}"])
def test_an_image_must_exist(make_image: Build, refused: Refused, uri: str) -> None:
    with refused("InvalidParameterValueException", "does not exist"):
        make_image(uri)


def test_an_image_of_another_region_does_not_exist(make_image: Build, refused: Refused) -> None:
    with refused("InvalidParameterValueException", "does not exist"):
        make_image(f"{REGISTRY}/repo:1".replace("us-east-1", "us-east-2"))


def test_an_image_in_another_account_needs_that_repository_s_policy(
    aws: Aws, make_image: Build, refused: Refused
) -> None:
    there: Any = {"repositoryName": "theirs", "registryId": "210987654321"}
    aws.ecr.create_repository(**there)
    media = "application/vnd.docker.distribution.manifest.v2+json"
    aws.ecr.put_image(imageManifest="{}", imageManifestMediaType=media, imageTag="1", **there)
    uri = f"{REGISTRY}/theirs:1".replace("123456789012", there["registryId"])
    with refused("AccessDeniedException", "Lambda does not have permission to access the ECR image"):
        make_image(uri)
    aws.ecr.set_repository_policy(policyText=allow("ecr:BatchGetImage"), **there)
    make_image(uri)
    assert aws.lambda_.get_function(FunctionName="f")["Code"]["ImageUri"] == uri


def test_a_package_type_stays(aws: Aws, make: Build, image: str, refused: Refused) -> None:
    make()
    with refused("InvalidParameterValueException", "package type is Zip"):
        aws.lambda_.update_function_code(FunctionName="f", ImageUri=f"{REGISTRY}/repo:1")
    aws.lambda_.update_function_code(FunctionName="f", ZipFile=zipped(), Architectures=["arm64"])
    assert describe(aws)["Architectures"] == ["arm64"]


def test_a_change_is_kept_whole(aws: Aws, make_image: Build) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    make_image(Environment={"Variables": {"A": "1"}})
    aws.lambda_.update_function_configuration(
        FunctionName="f",
        KMSKeyArn=key,
        TracingConfig={"Mode": "Active"},
        EphemeralStorage={"Size": 1024},
        ImageConfig={"Command": ["a.b"], "WorkingDirectory": "/x"},
        LoggingConfig={"LogFormat": "JSON"},
        Environment={},
    )
    shown = describe(aws)
    assert (shown["KMSKeyArn"], shown["TracingConfig"]["Mode"]) == (key, "Active")
    assert shown["EphemeralStorage"]["Size"] == 1024
    assert shown["ImageConfigResponse"]["ImageConfig"] == {
        "Command": ["a.b"],
        "EntryPoint": [],
        "WorkingDirectory": "/x",
    }
    assert (shown["LoggingConfig"]["LogFormat"], shown["LoggingConfig"]["SystemLogLevel"]) == ("JSON", "INFO")
    assert "Environment" not in shown
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn="")
    assert "KMSKeyArn" not in describe(aws)


def test_what_is_attached_is_kept_until_it_is_taken_away(aws: Aws, make: Build) -> None:
    make()
    queue, system = (
        f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
        f"arn:aws:elasticfilesystem:us-east-1:{ACCOUNT}:access-point/fsap-0",
    )
    client: Any = aws.lambda_
    client.update_function_configuration(
        FunctionName="f",
        DeadLetterConfig={"TargetArn": queue},
        FileSystemConfigs=[{"Arn": system, "LocalMountPath": "/mnt/x"}],
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    kept: Any = describe(aws)
    assert kept["DeadLetterConfig"] == {"TargetArn": queue}
    assert kept["FileSystemConfigs"] == [{"Arn": system, "LocalMountPath": "/mnt/x"}]
    assert kept["SnapStart"]["ApplyOn"] == "PublishedVersions"
    client.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": ""}, FileSystemConfigs=[])
    assert not {"DeadLetterConfig", "FileSystemConfigs"} & describe(aws).keys()


def test_a_url_is_listed(aws: Aws, make: Build) -> None:
    make()
    assert aws.lambda_.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []
    aws.lambda_.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    (url,) = aws.lambda_.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
    assert url["AuthType"] == "AWS_IAM"


def test_a_change_is_of_a_revision(aws: Aws, make: Build, refused: Refused) -> None:
    make()
    first = describe(aws)["RevisionId"]
    assert describe(aws)["RevisionId"] == first
    changed = aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5, RevisionId=first)
    assert changed["RevisionId"] == describe(aws)["RevisionId"] != first
    with refused("PreconditionFailedException"):
        aws.lambda_.update_function_configuration(FunctionName="f", Timeout=6, RevisionId=first)
    assert describe(aws)["Timeout"] == 5


def test_concurrency_is_reserved_down_to_nothing(aws: Aws, make: Build, refused: Refused) -> None:
    make()
    aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert aws.lambda_.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=100)
    assert aws.lambda_.list_capacity_providers()["CapacityProviders"] == []
    settings = aws.lambda_.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 900
    assert settings["AccountUsage"]["FunctionCount"] == 1
    with refused("InvalidParameterValueException", "[100]"):
        aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=901)
    aws.lambda_.delete_function_concurrency(FunctionName="f")
    assert "Concurrency" not in aws.lambda_.get_function(FunctionName="f")


BUSY = "ResourceConflictException"


def state(aws: Aws) -> tuple[str, str]:
    shown = aws.lambda_.get_function(FunctionName="f")["Configuration"]
    return shown.get("State", ""), shown.get("LastUpdateStatus", "")


def test_naive_code_changes_a_function_that_is_still_being_made(
    aws: Aws, clock: Clock, make_function: Build, place: Place, refused: Refused
) -> None:
    make_function(VpcConfig=place.config())
    for seconds in (0, 60):
        clock.advance(seconds)
        assert state(aws)[0] == "Pending"
        with refused(BUSY, "state: Pending"):
            aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5)
        with refused(BUSY, "state: Pending"):
            aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    clock.advance(20)
    assert state(aws) == ("Active", "Successful")
    aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5)


def test_only_the_first_function_of_a_place_waits_long(
    aws: Aws, clock: Clock, lambda_role: str, make_function: Build, place: Place
) -> None:
    make_function(VpcConfig=place.config())
    clock.advance(LONG_S)
    make_function(FunctionName="second", VpcConfig=place.config())
    clock.advance(10)
    assert aws.lambda_.get_function(FunctionName="second")["Configuration"].get("State") == "Active"


def test_naive_code_makes_the_second_update_while_the_first_goes_on(
    aws: Aws, clock: Clock, make_function: Build, refused: Refused
) -> None:
    make_function()
    clock.advance(LONG_S)
    answer = aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    assert answer["LastUpdateStatus"] == "InProgress"
    with refused(BUSY, "An update is in progress for resource: arn:"):
        aws.lambda_.update_function_code(FunctionName="f", ZipFile=zipped())
    assert state(aws) == ("Active", "InProgress")
    clock.advance(11)
    assert state(aws) == ("Active", "Successful")
    aws.lambda_.update_function_code(FunctionName="f", ZipFile=zipped())


@pytest.mark.parametrize("zone", ["e", "a"])
def test_naive_code_puts_a_function_into_a_zone_that_lambda_does_not_serve(
    *, aws: Aws, clock: Clock, place: Place, make_function: Build, refused: Refused, zone: str
) -> None:
    subnet = place.subnet
    if zone == "e":
        subnet = aws.ec2.create_subnet(VpcId=place.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-east-1e")[
            "Subnet"
        ]["SubnetId"]
    else:
        clock.simulation.script("lambda.zone", "use1-az6")
    config: Any = {**place.config(), "SubnetIds": [subnet]}
    with refused("InvalidParameterValueException", "availability zone Lambda doesn't support"):
        make_function(VpcConfig=config)
    make_function()
    clock.advance(LONG_S)
    with refused("InvalidParameterValueException", "availability zone Lambda doesn't support"):
        aws.lambda_.update_function_configuration(FunctionName="f", VpcConfig=config)


def test_a_create_may_fail(aws: Aws, clock: Clock, simulation: Simulation, make_function: Build) -> None:
    simulation.script("lambda.create", "SubnetOutOfIPAddresses")
    make_function()
    clock.advance(LONG_S)
    shown = aws.lambda_.get_function(FunctionName="f")["Configuration"]
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "SubnetOutOfIPAddresses")


def test_naive_code_takes_a_function_that_is_there_for_one_that_works(
    aws: Aws, clock: Clock, simulation: Simulation, make_function: Build
) -> None:
    make_function()
    clock.advance(LONG_S)
    simulation.script("lambda.rest", "Idle")
    for _ in range(2):
        shown = aws.lambda_.get_function(FunctionName="f")["Configuration"]
        assert (shown["State"], shown["StateReasonCode"]) == ("Inactive", "Idle")


def test_naive_code_takes_an_image_that_lambda_cannot_read_for_another_one(
    aws: Aws, simulation: Simulation, make_function: Build
) -> None:
    make_function()
    simulation.script("lambda.code", "AccessDeniedException")
    for _ in range(2):
        code = aws.lambda_.get_function(FunctionName="f")["Code"]
        assert "ResolvedImageUri" not in code
        assert code["Error"]["ErrorCode"] == "AccessDeniedException"


def test_naive_code_takes_a_new_account_for_any_other(
    aws: Aws, clock: Clock, simulation: Simulation, make_function: Build, refused: Refused
) -> None:
    simulation.script("lambda.account", "new")
    with refused("ValidationException", "less than or equal to 3008"):
        make_function(MemorySize=4096)
    make_function(MemorySize=3008)
    clock.advance(LONG_S)
    assert aws.lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 10
    with refused("InvalidParameterValueException", "below its minimum value of [10]"):
        aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)


def test_naive_code_takes_the_values_of_a_failed_update_for_what_is_in_force(
    aws: Aws, clock: Clock, simulation: Simulation, make_function: Build
) -> None:
    make_function()
    clock.advance(LONG_S)
    simulation.script("lambda.update", "EniLimitExceeded")
    aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    clock.advance(LONG_S)
    shown = aws.lambda_.get_function_configuration(FunctionName="f")
    assert shown["MemorySize"] == 256
    assert (shown["LastUpdateStatus"], shown["LastUpdateStatusReasonCode"]) == ("Failed", "EniLimitExceeded")
    aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    clock.advance(LONG_S)
    assert state(aws) == ("Active", "Successful")


@pytest.mark.parametrize("changed", [False, True])
def test_naive_code_gives_a_function_a_key_that_was_just_made_or_changed(
    aws: Aws, clock: Clock, make_function: Build, refused: Refused, *, changed: bool
) -> None:
    key = aws.kms.create_key()["KeyMetadata"]
    if changed:
        clock.advance(LONG_S)
        policy = aws.kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
        aws.kms.put_key_policy(KeyId=key["KeyId"], Policy=policy)
    for seconds, why in ((0, "KMS key was not found"), (3, "KMS key is invalid for CreateGrant")):
        clock.advance(seconds)
        with refused("InvalidParameterValueException", why):
            make_function(KMSKeyArn=key["Arn"])
    clock.advance(6)
    make_function(KMSKeyArn=key["Arn"])


def test_a_key_in_use_shows_it_by_a_grant(aws: Aws, clock: Clock, make_function: Build, lambda_role: str) -> None:
    first, second = (aws.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    clock.advance(LONG_S)

    def grantees(key: str) -> list[str]:
        return [grant["GranteePrincipal"] for grant in aws.kms.list_grants(KeyId=key)["Grants"]]

    make_function(KMSKeyArn=first)
    assert grantees(first) == [lambda_role]
    clock.advance(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn=second)
    assert (grantees(first), grantees(second)) == ([], [lambda_role])
    clock.advance(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", Timeout=9)
    assert grantees(second) == [lambda_role]
    clock.advance(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn="")
    assert grantees(second) == []
    clock.advance(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn=first)
    aws.lambda_.delete_function(FunctionName="f")
    assert grantees(first) == []


def test_traffic_leaves_by_ipv6_where_it_is_allowed(aws: Aws, place: Place, make_function: Build, clock: Clock) -> None:
    def ipv6() -> bool:
        clock.advance(LONG_S)
        return aws.lambda_.get_function_configuration(FunctionName="f")["VpcConfig"]["Ipv6AllowedForDualStack"]

    make_function(VpcConfig=place.config())
    assert ipv6() is False
    for allowed in (True, False):
        config = place.config() | {"Ipv6AllowedForDualStack": allowed}
        aws.lambda_.update_function_configuration(FunctionName="f", VpcConfig=config)
        assert ipv6() is allowed


@pytest.fixture
def queue(aws: Aws) -> str:
    sqs: Any = aws.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def test_naive_code_lets_a_queue_feed_a_function_that_may_not_read_it(
    aws: Aws, queue: str, make_function: Build, refused: Refused
) -> None:
    make_function()
    for given, missing in (([], "ReceiveMessage"), (["sqs:ReceiveMessage"], "DeleteMessage")):
        aws.iam.put_role_policy(RoleName="r", PolicyName="queue", PolicyDocument=allow(given or "sqs:SendMessage"))
        with refused("InvalidParameterValueException", f"permissions to call {missing} on SQS"):
            aws.lambda_.create_event_source_mapping(FunctionName="f", EventSourceArn=queue)
    aws.iam.put_role_policy(RoleName="r", PolicyName="queue", PolicyDocument=allow("sqs:*"))
    aws.lambda_.create_event_source_mapping(FunctionName="f", EventSourceArn=queue)


def test_naive_code_takes_the_mappings_for_gone_with_their_function(
    aws: Aws, queue: str, make_function: Build, refused: Refused
) -> None:
    make_function()
    aws.iam.put_role_policy(RoleName="r", PolicyName="queue", PolicyDocument=allow("sqs:*"))
    arn = aws.lambda_.get_function_configuration(FunctionName="f")["FunctionArn"]
    made = [
        aws.lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=queue)["UUID"] for name in ("f", arn)
    ]

    def listed(**which: str) -> list[str]:
        pages = aws.lambda_.get_paginator("list_event_source_mappings").paginate(
            **which, PaginationConfig={"PageSize": 1}
        )
        return [mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]]

    assert listed(FunctionName="f") == listed(FunctionName=arn) == listed() == made
    assert listed(FunctionName="g") == []
    aws.lambda_.delete_function(FunctionName="f")
    assert listed(FunctionName="f") == made
