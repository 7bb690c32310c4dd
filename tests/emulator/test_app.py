from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib import request as http
from urllib.error import HTTPError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tapctl.aws.client import Aws, Connection
from tapctl.errors import AwsNoAnswer
from tapctl.sandbox.emulator import app, wire
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rules import Next, Reply, Request, RuleBook, Rules
from tapctl.sandbox.emulator.simulation import Simulation
from tapctl.sandbox.seeding import credentials_of
from tests.conftest import ACCOUNT, CREDENTIALS, Network
from tests.emulator.conftest import Refused
from tests.emulator.without import rules_without
from tests.support import served as serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def served(application: WSGIApplication) -> AbstractContextManager[str]:
    return serving.served(application, lambda: False)


def test_it_is_an_aws_account(aws: Aws) -> None:
    assert aws.account == "123456789012"
    assert aws.kms.list_keys()["Keys"] == []


@pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")])
def test_a_region_is_of_its_partition(sandbox_url: str, region: str, partition: str) -> None:
    there = Aws(Connection(region, endpoint_url=sandbox_url, credentials=CREDENTIALS))
    assert there.identify(ACCOUNT).partition == partition
    there.iam.create_role(RoleName="r", AssumeRolePolicyDocument='{"Statement": []}')
    arn = there.iam.get_role(RoleName="r")["Role"]["Arn"]
    assert arn == f"arn:{partition}:iam::{ACCOUNT}:role/r"
    users = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Decrypt", "Resource": "*"}
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:{partition}:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    there.kms.create_key(Policy=json.dumps({"Statement": [users, root]}))


def test_naive_code_blames_the_credentials_for_a_region_that_is_off(
    aws: Aws, simulation: Simulation, refused: Refused
) -> None:
    simulation.script("sts.region", "off")
    sts: Any = aws.client("sts")
    with refused("InvalidClientTokenId", "security token"):
        sts.get_caller_identity()
    assert sts.get_caller_identity()["Account"] == ACCOUNT


def test_the_network_fixture_spans_three_zones(aws: Aws, network: Network) -> None:
    found = aws.ec2.describe_subnets(SubnetIds=list(network.subnet_ids))["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in found}) == 3
    assert {subnet["VpcId"] for subnet in found} == {network.vpc_id}


def test_nothing_but_loopback_can_be_reached() -> None:
    with pytest.raises(Exception, match="loopback"):
        boto3.client("sts", region_name="us-east-1", endpoint_url="http://192.0.2.1").get_caller_identity()


def test_a_key_that_names_an_account_is_of_that_account(sandbox_url: str) -> None:
    key, secret = credentials_of("210987654321")
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=sandbox_url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )
    assert sts.get_caller_identity()["Account"] == "210987654321"


def test_what_moto_has_not_is_a_refusal_of_its_own_and_is_not_asked_again(aws: Aws) -> None:
    with pytest.raises(AwsNoAnswer, match=r"NotImplemented on kms:ConnectCustomKeyStore.*cannot do this"):
        aws.kms.connect_custom_key_store(CustomKeyStoreId="x")


def test_a_failure_inside_is_a_servers_fault_and_is_told_in_the_log(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """moto knows no subnet group of that name and fails; only the rule left out here says so properly."""
    sandbox = Sandbox()
    sandbox.rule_book = rules_without("rds.a_subnet_group_is_changed_in_place")
    with served(sandbox) as url:
        once = Config(retries={"total_max_attempts": 1})
        rds = boto3.client("rds", region_name="us-east-1", endpoint_url=url, config=once)
        with pytest.raises(ClientError, match=r"InternalFailure.*KeyError") as caught:
            rds.modify_db_subnet_group(DBSubnetGroupName="none", SubnetIds=network.subnet_ids)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "Traceback" in capsys.readouterr().err


def test_s3_is_passed_through(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="bucket")
    aws.s3.put_object(Bucket="bucket", Key="k/n", Body=b"1", IfNoneMatch="*")
    assert aws.s3.get_object(Bucket="bucket", Key="k/n")["Body"].read() == b"1"
    with pytest.raises(Exception, match="PreconditionFailed"):
        aws.s3.put_object(Bucket="bucket", Key="k/n", Body=b"2", IfNoneMatch="*")


def test_rules_wrap_each_other_the_first_outermost() -> None:
    rules, heard = Rules("s"), []

    @rules("Op")
    def outer(_: Request, proceed: Next) -> Reply:
        heard.append("outer")
        return {**proceed(), "outer": True}

    @rules("Op")
    def inner(_: Request, proceed: Next) -> Reply:
        heard.append("inner")
        return {**proceed(), "inner": True}

    request = Request("s", "Op", {}, "us-east-1", "1", lambda *_: {"moto": True}, Simulation())
    assert RuleBook([rules]).answer(request) == {"moto": True, "inner": True, "outer": True}
    assert heard == ["outer", "inner"]
    assert RuleBook([rules]).concerns("s", "Op")
    assert not RuleBook([rules]).concerns("s", "Another")


def test_latency_is_waited_side_by_side(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    all_of_them = Barrier(4)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        all_of_them.wait(timeout=20)

    monkeypatch.setattr(app, "time", SimpleNamespace(sleep=sleep))
    with served(Sandbox(latency_s=0.2)) as url:
        sts = boto3.client("sts", region_name="us-east-1", endpoint_url=url)
        callers = [Thread(target=sts.get_caller_identity) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert slept == [0.2] * 4


def test_who_asks_first_what_a_request_is_about_takes_nothing_from_it(sandbox_app: Sandbox) -> None:
    def curious(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service, region = wire.service_of(environ) or ("", "")
        parsed.append(wire.parse_request(environ, service, region))
        return sandbox_app(environ, start_response)

    parsed: list[wire.ParsedRequest | None] = []
    sandbox_app.reset()
    with served(curious) as url:
        sns = boto3.client("sns", region_name="us-east-1", endpoint_url=url)
        assert sns.create_topic(Name="topic")["TopicArn"].endswith(":topic")
    (request,) = parsed
    assert request is not None
    assert request.operation.name == "CreateTopic"


def test_services_without_rules_are_motos(sandbox_url: str) -> None:
    assert boto3.client("sqs", region_name="us-east-1").list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize(("service", "status"), [("nosuchservice", 500), ("rds", 404)])
def test_what_is_no_call_of_aws_gets_an_answer(sandbox_url: str, service: str, status: int) -> None:
    signature = f"AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{service}/aws4_request, SignedHeaders=, Signature="
    request = http.Request(sandbox_url, headers={"Authorization": signature}, data=b"x")  # noqa: S310  # loopback
    with pytest.raises(HTTPError) as caught:
        http.urlopen(request)  # noqa: S310  # as above
    assert caught.value.code == status
    caught.value.close()
