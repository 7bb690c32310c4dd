from __future__ import annotations

import getpass
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from tapctl import __version__
from tapctl.aws.client import Aws, Connection
from tapctl.aws.services import Clients
from tapctl.aws.transport import COUNTED_BY
from tapctl.errors import AwsNoAnswer, AwsRefused, WrongTarget
from tapctl.threads import in_background
from tests.conftest import ACCOUNT, CREDENTIALS, REGION
from tests.support.endpoint import Answer, Endpoint, endpoint, identity, refusal


def to(there: Endpoint, *, role_arn: str | None = None) -> Aws:
    return Aws(Connection(region=REGION, role_arn=role_arn, endpoint_url=there.url, credentials=CREDENTIALS))


# -- clients ---------------------------------------------------------------------------------------------------------


def test_making_the_client_imports_no_sdk() -> None:
    code = (
        "import sys; from tapctl.aws.client import Aws, Connection; Aws(Connection('us-east-1'));"
        "assert not {'boto3', 'botocore'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


SERVICES = {
    "lambda_": "lambda",
    "tagging": "resourcegroupstaggingapi",
    "kms_without_retries": "kms",
    "service_quotas": "service-quotas",
}


@pytest.mark.parametrize("name", [name for name in vars(Clients) if isinstance(vars(Clients)[name], property)])
def test_each_service_has_one_client_in_our_region(aws: Aws, name: str) -> None:
    client = getattr(aws, name)

    assert client.meta.service_model.service_name == SERVICES.get(name, name)
    assert client.meta.region_name == REGION
    assert getattr(aws, name) is client
    assert getattr(aws.memoized(), name) is client


def test_threads_that_ask_at_once_get_the_same_client(aws: Aws) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: id(aws.sns), range(8)))

    assert len(made) == 1


def test_the_sdk_repeats_a_failed_call_but_for_creates_that_must_not_double() -> None:
    with endpoint(lambda _: Answer(500, "{}")) as there:
        client = to(there)
        with pytest.raises(AwsNoAnswer):
            client.kms.create_key()
        often = len(there.heard)
        with pytest.raises(AwsNoAnswer):
            client.kms_without_retries.create_key()

    assert (often, len(there.heard) - often) == (4, 1)


# -- who we are ------------------------------------------------------------------------------------------------------


def test_identity_tells_account_and_partition() -> None:
    with endpoint(lambda _: identity(arn=f"arn:aws-us-gov:iam::{ACCOUNT}:user/ci")) as there:
        client = to(there)
        client.identify(ACCOUNT)

    assert (client.account, client.partition) == (ACCOUNT, "aws-us-gov")
    assert len(there.heard) == 1


def test_an_identity_without_an_arn_is_none() -> None:
    with (
        endpoint(lambda _: identity(arn="junk")) as there,
        pytest.raises(AwsNoAnswer, match=r"GetCallerIdentity.*Arn is no ARN"),
    ):
        to(there).identify(ACCOUNT)


@pytest.mark.parametrize("name", ["account", "partition"])
def test_nothing_is_known_of_the_account_before_it_was_asked_for(name: str) -> None:
    with pytest.raises(RuntimeError, match="identify"):
        getattr(Aws(Connection(region=REGION)), name)


def test_another_account_is_the_wrong_target_and_stays_unknown() -> None:
    with endpoint(lambda _: identity("210987654321")) as there:
        client = to(there)
        with pytest.raises(WrongTarget, match="210987654321") as raised:
            client.identify(ACCOUNT)

    assert raised.value.exit_code == 9
    assert ACCOUNT in raised.value.cause
    assert client.identity is None


def test_refused_credentials_are_the_wrong_target() -> None:
    says_no = endpoint(lambda _: refusal("InvalidClientTokenId", "The security token is invalid"))
    with says_no as there, pytest.raises(WrongTarget) as raised:
        to(there).identify(ACCOUNT)

    assert raised.value.exit_code == 9
    assert "InvalidClientTokenId on sts:GetCallerIdentity" in str(raised.value.evidence)


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "log in again"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "enable the region"),
        ("AuthFailure", "AWS was not able to validate the provided access credentials", "enable the region"),
        ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "the access key"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "the access key"),
        ("SignatureDoesNotMatch", "Signature expired: 20310506T0 is now earlier than 20310507T0", "clock"),
        ("InvalidSignatureException", "Signature not yet current: 2 is still later than 1", "clock"),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large", "clock"),
        ("RegionDisabledException", "STS is not activated in this region for account:1", "enable the region"),
        ("OptInRequired", "You are not subscribed to this service", "enable the region or the service"),
        ("AccessDenied", "not authorized to perform: sts:AssumeRole on resource: r", "allow sts:AssumeRole on r"),
    ],
)
def test_the_hint_goes_by_what_aws_says(code: str, message: str, hint: str) -> None:
    with endpoint(lambda _: refusal(code, message)) as there, pytest.raises(WrongTarget) as raised:
        to(there).identify(ACCOUNT)

    assert hint in str(raised.value.hint)
    assert message in str(raised.value.evidence)


@pytest.mark.parametrize("role_arn", [None, f"arn:aws:iam::{ACCOUNT}:role/deployer"])
def test_no_credentials_are_the_wrong_target(monkeypatch: pytest.MonkeyPatch, role_arn: str | None) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(WrongTarget, match="no usable AWS credentials"):
        Aws(Connection(region=REGION, role_arn=role_arn)).identify(ACCOUNT)


def test_an_unknown_profile_is_the_wrong_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(WrongTarget) as raised:
        Aws(Connection(region=REGION)).identify(ACCOUNT)
    assert "nobody" in str(raised.value.evidence)


def test_a_configuration_file_that_is_broken_is_the_wrong_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    broken.write_text("not a section")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))

    with pytest.raises(WrongTarget) as raised:
        Aws(Connection(region=REGION)).identify(ACCOUNT)
    assert str(broken) in str(raised.value.evidence)


def test_an_endpoint_that_refuses_connections_is_given_up_well_within_thirty_seconds() -> None:
    with endpoint(lambda _: identity()) as there:
        pass
    began = time.monotonic()

    with pytest.raises(AwsNoAnswer) as raised:
        to(there).identify(ACCOUNT)

    assert raised.value.exit_code == 1
    assert raised.value.aws_code == "EndpointConnectionError"
    assert time.monotonic() - began < 10


# -- an assumed role -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "user", "who"), [("dana o'neil", "", "dana-o-neil"), ("", "sam", "sam"), ("", None, str(os.getuid()))]
)
def test_a_role_is_assumed_for_everything_in_the_name_of_who_runs_what(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, actor: str, user: str | None, who: str
) -> None:
    def getuser() -> str:
        if user is None:
            raise KeyError("getpwuid(): uid not found")
        return user

    monkeypatch.setattr(getpass, "getuser", getuser)
    monkeypatch.setenv("GITHUB_ACTOR", actor)
    # The target's endpoint is the role's too.
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"

    door = Aws(Connection(REGION, role, aws.target.endpoint_url, CREDENTIALS))

    assert door.identify(ACCOUNT).arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/tapctl-{who}-{door.run[:12]}"


def test_a_role_that_must_not_be_assumed_is_the_wrong_target() -> None:
    says_no = endpoint(lambda _: refusal("AccessDenied", "not authorized to perform: sts:AssumeRole"))
    with says_no as there, pytest.raises(WrongTarget) as raised:
        to(there, role_arn=f"arn:aws:iam::{ACCOUNT}:role/deployer").identify(ACCOUNT)

    assert "sts:AssumeRole" in str(raised.value.evidence)
    assert all("Action=AssumeRole" in body for body in there.heard)


def test_a_trust_that_takes_no_source_identity_gets_none() -> None:
    def answer(body: str) -> Answer:
        if "SourceIdentity=tapctl-" in body:
            return refusal("AccessDenied", "not authorized to perform: sts:SetSourceIdentity")
        return refusal("RegionDisabledException", "the second question") if "AssumeRole" in body else identity()

    with endpoint(answer) as there, pytest.raises(WrongTarget, match="does not accept") as raised:
        to(there, role_arn=f"arn:aws:iam::{ACCOUNT}:role/deployer").identify(ACCOUNT)

    assert "the second question" in str(raised.value.evidence)
    assert ["SourceIdentity" in body for body in there.heard] == [True, False]


def test_a_role_that_cannot_be_assumed_at_all_is_asked_once() -> None:
    with endpoint(lambda _: refusal("RegionDisabledException", "no")) as there, pytest.raises(WrongTarget):
        to(there, role_arn=f"arn:aws:iam::{ACCOUNT}:role/deployer").identify(ACCOUNT)
    assert len(there.heard) == 1


def test_every_call_says_which_tapctl_and_which_run_it_is_of(aws: Aws) -> None:
    agents: list[str] = []
    aws.sts.meta.events.register(
        "before-send.sts", lambda request, **_: agents.append(str(request.headers["User-Agent"]))
    )
    aws.sts.get_caller_identity()
    assert f"tapctl/{__version__} run/{aws.run}" in agents[0]


# -- reading in rounds -----------------------------------------------------------------------------------------------


def test_in_a_round_the_same_read_is_made_once(aws: Aws) -> None:
    aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    view = aws.memoized()
    for _ in range(3):
        assert view.read(view.ec2.describe_vpcs)["Vpcs"]
        assert view.read(view.ec2.describe_vpcs, Filters=[{"Name": "state", "Values": ["available"]}])["Vpcs"]
        assert view.read(view.ec2.describe_subnets)
        assert view.pages(view.ec2.get_paginator("describe_security_groups"))
        assert view.pages(view.ec2.get_paginator("describe_security_groups"), MaxResults=5)

    seen = {call: count for call, count in aws.call_log.calls.items() if "Describe" in call}
    assert seen == {"ec2:DescribeVpcs": 2, "ec2:DescribeSubnets": 1, "ec2:DescribeSecurityGroups": 2}


def test_outside_a_round_and_in_another_one_every_read_is_made(aws: Aws) -> None:
    for view in (aws, aws, aws.memoized(), aws.memoized()):
        view.read(view.ec2.describe_vpcs)
        view.pages(view.ec2.get_paginator("describe_subnets"))

    assert aws.call_log.calls["ec2:DescribeVpcs"] == 4
    assert aws.call_log.calls["ec2:DescribeSubnets"] == 4


def test_readers_side_by_side_share_one_call_and_its_answer() -> None:
    def slow(_: str) -> Answer:
        time.sleep(0.05)
        return identity()

    with endpoint(slow) as there:
        view = to(there).memoized()
        together = threading.Barrier(6)

        def ask(_: int) -> str:
            client = view.sts
            together.wait()
            return view.read(client.get_caller_identity)["Account"]

        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(ask, range(6)))

    assert told == [ACCOUNT] * 6
    assert len(there.heard) == 1


def test_a_refusal_is_the_answer_to_everybody_who_asked_the_same(aws: Aws) -> None:
    view = aws.memoized()

    for _ in range(2):
        with pytest.raises(AwsRefused, match="NoSuchEntity"):
            view.read(view.iam.get_role, RoleName="nobody")
    assert aws.call_log.calls["iam:GetRole"] == 1


def test_in_a_round_a_read_is_made_anew_where_aws_was_busy_for_as_long_as_the_sdk_waits() -> None:
    with endpoint(lambda _: refusal("Throttling", status=400) if len(there.heard) <= 4 else identity()) as there:
        view = to(there).memoized()
        assert view.read(view.sts.get_caller_identity)["Account"] == ACCOUNT
    assert len(there.heard) == 5


def test_what_aws_answers_in_no_form_of_its_own_is_not_asked_for_again() -> None:
    with endpoint(lambda _: Answer(200, "<html>the proxy's page</html>")) as there:
        view = to(there).memoized()
        with pytest.raises(AwsNoAnswer):
            view.read(view.sts.get_caller_identity)
    assert len(there.heard) == 1


def test_batch_ids_are_those_of_the_round_and_the_own_one(aws: Aws) -> None:
    view = aws.memoized({"db-instance": ("b", "a")})

    assert view.batch_ids("db-instance", "a") == ("a", "b")
    assert view.batch_ids("db-instance", "c") == ("a", "b", "c")
    assert view.batch_ids("iam-role", "x") == ("x",)
    assert aws.batch_ids("db-instance", "a") == ("a",)


def test_a_mistake_of_ours_is_no_answer_of_aws(aws: Aws) -> None:
    with pytest.raises(ParamValidationError):
        aws.client("iam").get_role()


# -- many environments ----------------------------------------------------------------------------------------------


def test_views_of_many_environments_share_reads_and_count_their_own(aws: Aws) -> None:
    memo: dict[str, Future[Any]] = {}
    counted = []

    def look() -> None:
        view = aws.shared(memo, {})
        for each in (view.memoized(), view.memoized()):
            each.read(each.ec2.describe_vpcs)
        view.ec2.describe_subnets()
        counted.append(view.call_log.calls.total())

    for _ in range(2):
        in_background(look).result()
    assert sorted(counted) == [1, 2]
    assert aws.call_log.calls["ec2:DescribeVpcs"] == 0


def test_a_read_without_an_answer_is_made_again_for_the_next_environment() -> None:
    with endpoint(lambda _: refusal("Throttling", status=400) if len(there.heard) <= 8 else identity()) as there:
        view = to(there).shared({}, {})
        with pytest.raises(AwsNoAnswer):
            view.read(view.sts.get_caller_identity)
        assert view.read(view.sts.get_caller_identity)["Account"] == ACCOUNT
    COUNTED_BY.set(None)
