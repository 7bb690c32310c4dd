from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import exceptions as bc
from botocore.eventstream import ChecksumMismatch
from botocore.parsers import ResponseParserError

from tapctl.aws.answers import UNUSABLE
from tapctl.aws.client import Aws, Connection
from tapctl.aws.transport import IN_FLIGHT, is_change, to_tapctl_error
from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, LockHeld, NotYet, Patience, WrongTarget
from tests.conftest import CREDENTIALS, REGION
from tests.support.endpoint import Answer, Endpoint, endpoint, identity, refusal


def to(there: Endpoint) -> Aws:
    return Aws(Connection(region=REGION, endpoint_url=there.url, credentials=CREDENTIALS))


# -- bounded and counted ---------------------------------------------------------------------------------------------


def test_no_more_than_ten_calls_are_in_flight() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def slow(_: str) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return identity()

    with endpoint(slow) as there:
        sts = to(there).sts
        with ThreadPoolExecutor(3 * IN_FLIGHT) as pool:
            list(pool.map(lambda _: sts.get_caller_identity(), range(3 * IN_FLIGHT)))

    assert 1 < most <= IN_FLIGHT


def test_the_state_store_waits_for_nobody() -> None:
    """A lease is renewed, and the record is written, whatever hangs."""
    came, go_on = threading.Semaphore(0), threading.Event()

    def hang(body: str) -> Answer:
        if "GetCallerIdentity" not in body:
            return Answer(200, "<DeleteResult/>")
        came.release()
        go_on.wait(20)
        return identity()

    with endpoint(hang) as there:
        client = to(there)
        callers = [threading.Thread(target=client.sts.get_caller_identity) for _ in range(IN_FLIGHT)]
        for one in callers:
            one.start()
        assert all(came.acquire(timeout=20) for _ in callers)
        try:
            client.s3.delete_objects(Bucket="records", Delete={"Objects": [{"Key": "a"}]})
        finally:
            assert not go_on.is_set()
            go_on.set()
            for one in callers:
                one.join()

    assert client.call_log.calls["s3:DeleteObjects"] == 1


# -- the guard -------------------------------------------------------------------------------------------------------


def test_a_guard_is_asked_right_before_each_sending_of_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    asked: list[int] = []
    with endpoint(lambda _: refusal("InternalFailure", status=500)) as there:
        client = to(there)
        client.call_log.guard = lambda: asked.append(len(there.heard))
        with pytest.raises(AwsNoAnswer):
            client.sns.create_topic(Name="a")
        with pytest.raises(AwsNoAnswer):
            client.sns.list_topics()
        with pytest.raises(AwsNoAnswer):
            client.sts.get_caller_identity()

    # Before each of the SDK's four attempts, and for nothing that changes nothing.
    assert asked == [0, 1, 2, 3]


def test_a_change_the_guard_is_not_sure_of_is_not_sent_and_may_have_been_done_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)

    def unsure() -> None:
        if there.heard:
            raise NotYet("the lock could not be renewed for 50 s", Patience.PROPAGATION)

    with endpoint(lambda _: refusal("InternalFailure", status=500)) as there:
        client = to(there)
        client.call_log.guard = unsure
        with pytest.raises(AwsNoAnswer, match="NotSent on sns:CreateTopic: the lock could not be renewed for 50 s"):
            client.sns.create_topic(Name="a")

    assert len(there.heard) == 1
    assert client.call_log.in_flight == []


def test_a_change_the_guard_refuses_is_not_sent() -> None:
    def lost() -> None:
        raise LockHeld("the lock was taken away from this run")

    with endpoint(lambda _: Answer(200, "{}")) as there:
        client = to(there)
        client.call_log.guard = lost
        with pytest.raises(LockHeld, match="taken away"):
            client.kms_without_retries.create_key()

    assert there.heard == []


def test_calls_changes_and_what_was_accepted_are_counted(aws: Aws) -> None:
    aws.call_log.calls.clear()
    aws.ec2.describe_vpcs()
    aws.sns.create_topic(Name="a")
    aws.s3.create_bucket(Bucket="records")
    with pytest.raises(AwsRefused):
        aws.iam.delete_role(RoleName="nobody")

    assert dict(aws.call_log.calls) == {
        "ec2:DescribeVpcs": 1,
        "sns:CreateTopic": 1,
        "s3:CreateBucket": 1,
        "iam:DeleteRole": 1,
    }
    assert dict(aws.call_log.changes) == {"sns:CreateTopic": 1, "iam:DeleteRole": 1}
    assert aws.call_log.accepted == 1


def test_every_page_is_a_call(aws: Aws) -> None:
    for name in ("a", "b", "c"):
        aws.ssm.put_parameter(Name=f"/x/{name}", Value="1", Type="String")

    pages = aws.pages(aws.ssm.get_paginator("get_parameters_by_path"), Path="/x", PaginationConfig={"PageSize": 1})

    assert aws.call_log.calls["ssm:GetParametersByPath"] == len(pages) > 1


@pytest.mark.parametrize(
    ("service", "operation", "changes"),
    [
        ("rds", "DescribeDBClusters", False),
        ("kms", "GetKeyPolicy", False),
        ("iam", "ListRoles", False),
        ("iam", "SimulatePrincipalPolicy", False),
        ("s3", "PutObject", False),
        ("sts", "AssumeRole", False),
        ("cloudtrail", "LookupEvents", False),
        ("kms", "CancelKeyDeletion", True),
        ("ec2", "AuthorizeSecurityGroupEgress", True),
        ("lambda", "TagResource", True),
    ],
)
def test_what_changes_the_stack_is_told_from_what_does_not(service: str, operation: str, changes: bool) -> None:
    assert is_change(service, operation) is changes


# -- translated ------------------------------------------------------------------------------------------------------


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning)


def client_error(code: str | None, status: int, message: str | None = "no") -> bc.ClientError:
    # AWS leaves out what it likes.
    error = {key: value for key, value in (("Code", code), ("Message", message)) if value is not None}
    told: Any = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"}}
    return bc.ClientError(told, "CreateKey")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 400, AwsRefused),
        ("LimitExceededException", 400, AwsRefused),
        ("ExpiredToken", 403, AwsRefused),
        ("ThrottlingException", 400, AwsNoAnswer),
        ("Throttling", 400, AwsNoAnswer),
        ("RequestLimitExceeded", 503, AwsNoAnswer),
        ("TooManyRequestsException", 429, AwsNoAnswer),
        ("InternalFailure", 500, AwsNoAnswer),
        ("ServiceUnavailable", 503, AwsNoAnswer),
        ("RequestTimeout", 400, AwsNoAnswer),
    ],
)
def test_an_error_is_a_refusal_or_no_answer(code: str, status: int, kind: type[AwsError]) -> None:
    ours = to_tapctl_error("kms", "CreateKey", client_error(code, status))

    assert type(ours) is kind
    assert str(ours) == f"{code} on kms:CreateKey: no (request r-1)"


def test_an_answer_that_says_nothing_is_still_one() -> None:
    for error in (client_error(None, 400, None), bc.ClientError({}, "CreateKey")):
        ours = to_tapctl_error("kms", "CreateKey", error)
        assert isinstance(ours, AwsRefused)
        assert (ours.aws_code, ours.message) == ("Unknown", "no message")


@pytest.mark.parametrize(
    "error",
    [
        bc.EndpointConnectionError(endpoint_url="http://x"),
        bc.ConnectTimeoutError(endpoint_url="http://x"),
        bc.ReadTimeoutError(endpoint_url="http://x"),
        bc.ConnectionClosedError(endpoint_url="http://x"),
        bc.ProxyConnectionError(proxy_url="http://x"),
        bc.SSLError(endpoint_url="http://x", error=OSError("bad")),
        bc.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        bc.FlexibleChecksumError(error_msg="x"),
        bc.ChecksumError(checksum_type="x", expected_checksum="1", actual_checksum="2"),
        bc.CapacityNotAvailableError(),
        bc.WaiterError(name="x", reason="y", last_response={}),
        bc.ResponseStreamingError(error="x"),
        ChecksumMismatch(1, 2),
        ResponseParserError("html"),
    ],
)
def test_a_broken_conversation_is_no_answer(error: Exception) -> None:
    ours = to_tapctl_error("rds", "DescribeDBClusters", error)

    assert isinstance(ours, AwsNoAnswer)
    assert ours.aws_code == type(error).__name__


@pytest.mark.parametrize(
    "error",
    [
        bc.NoCredentialsError(),
        bc.PartialCredentialsError(provider="env", cred_var="x"),
        bc.CredentialRetrievalError(provider="process", error_msg="x"),
        bc.TokenRetrievalError(provider="sso", error_msg="x"),
        bc.MetadataRetrievalError(error_msg="x"),
        bc.UnauthorizedSSOTokenError(),
        bc.SSOTokenLoadError(error_msg="x"),
        bc.LoginRefreshRequired(),
        bc.ProfileNotFound(profile="x"),
        bc.ConfigParseError(path="x", error="y"),
        bc.InvalidConfigError(error_msg="x"),
        bc.UnknownCredentialError(name="x"),
    ],
)
def test_missing_credentials_are_the_wrong_target(error: Exception) -> None:
    ours = to_tapctl_error("sts", "GetCallerIdentity", error)

    assert isinstance(ours, WrongTarget)
    assert type(error).__name__ in str(ours.evidence)


_OURS = (
    *("ParamValidationError", "DataNotFoundError", "UnknownServiceError", "OperationNotPageableError"),
    *("PaginationError", "UndefinedModelAttributeError", "MissingServiceIdError"),
)
"""What botocore says of a call that no user, and no answer, can bring about; of pages without an end, `pages` tells."""


@pytest.mark.parametrize("name", sorted(name for name, kind in vars(bc).items() if _is_error(kind)))
def test_only_a_mistake_of_ours_is_called_one(name: str) -> None:
    kind = getattr(bc, name)
    error = kind.__new__(kind)
    Exception.__init__(error, "x")
    vars(error).update(kwargs={"profile": "x", "report": "x"}, response={})

    assert (to_tapctl_error("rds", "DescribeDBClusters", error) is None) is (name in _OURS)


def test_a_bug_of_ours_is_not_translated() -> None:
    for report in ("x", "Invalid length for parameter RoleName, value: 0, valid min length: 1\nUnknown parameter"):
        assert to_tapctl_error("iam", "GetRole", bc.ParamValidationError(report=report)) is None
    assert to_tapctl_error("iam", "GetRole", KeyError("x")) is None


def test_what_botocore_raised_does_not_travel_along() -> None:
    with endpoint(lambda _: refusal("ValidationError")) as there, pytest.raises(AwsRefused) as raised:
        to(there).iam.create_user(UserName="x")

    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
    assert raised.value.request_id == "r-1"


_PAGE = "\n<!DOCTYPE html><html><body>Welcome to the hotel</body></html>"


@pytest.mark.parametrize("told", [Answer(0), Answer(200, "<html>"), Answer(200, _PAGE)])
def test_an_answer_that_breaks_off_or_is_no_answer_is_lost(told: Answer) -> None:
    with endpoint(lambda _: told) as there, pytest.raises(AwsNoAnswer):
        to(there).client("iam", retries=False).list_users()


@pytest.mark.parametrize("status", [200, 403, 511])
@pytest.mark.parametrize("service", ["kms", "sts", "sns"])
def test_a_page_of_html_is_no_answer_of_aws(service: str, status: int) -> None:
    calls = {"kms": "list_keys", "sts": "get_caller_identity", "sns": "list_topics"}
    with endpoint(lambda _: Answer(status, _PAGE)) as there, pytest.raises(AwsNoAnswer) as raised:
        getattr(to(there).client(service, retries=False), calls[service])()

    assert "what came back is no answer of AWS" in raised.value.cause
    assert "hotel" not in f"{raised.value.cause} {raised.value.evidence}"


@pytest.mark.parametrize(
    "call", ["logs.describe_log_groups", "cloudwatch.describe_alarms", "secretsmanager.list_secrets"]
)
def test_nothing_is_no_answer_to_a_read(call: str) -> None:
    service, _, operation = call.partition(".")
    with endpoint(lambda _: Answer(200)) as there:
        client = to(there).client(service, retries=False)
        with pytest.raises(AwsNoAnswer, match="what came back is no answer of AWS"):
            getattr(client, operation)()


def _in_xml(*names: str) -> str:
    """The last one as text, within elements of the others' names."""
    inside = names[-1]
    for name in reversed(("Response", *names[:-1])):
        inside = f"<{name}>{inside}</{name}>"
    return inside


_CLUSTER = ("DescribeDBClustersResult", "DBClusters", "DBCluster", "Port")


@pytest.mark.parametrize(
    ("service", "call", "body"),
    [
        ("kms", "list_keys", "[]"),
        ("kms", "list_keys", "1"),
        ("kms", "list_keys", '{"Keys": 1}'),
        ("kms", "list_keys", '{"Keys": [{"KeyId": {}}]}'),
        ("iam", "list_users", _in_xml("ListUsersResult", "Users", "member", "CreateDate", "yesterday")),
        ("rds", "describe_db_clusters", _in_xml(*_CLUSTER, "9" * 5_000)),
        ("rds", "describe_db_clusters", _in_xml(*_CLUSTER, "9" * 20)),
    ],
)
def test_an_answer_of_another_form_than_the_model_says_cannot_be_used(service: str, call: str, body: str) -> None:
    with endpoint(lambda _: Answer(200, body)) as there, pytest.raises(AwsNoAnswer) as raised:
        getattr(to(there).client(service, retries=False), call)()

    operation = {"list_keys": "ListKeys", "list_users": "ListUsers", "describe_db_clusters": "DescribeDBClusters"}[call]
    assert str(raised.value).startswith(f"{UNUSABLE} on {service}:{operation}: the answer cannot be used: ")


def test_an_odd_refusal_cannot_be_used_either() -> None:
    with endpoint(lambda _: Answer(400, "[]")) as there, pytest.raises(AwsNoAnswer, match="cannot be used"):
        to(there).client("kms", retries=False).list_keys()


def test_the_token_of_a_request_is_shown_by_no_error() -> None:
    with endpoint(lambda _: refusal("ValidationError", "token-of-an-assumed-role")) as there:
        door = to(there)
        client = door.client("iam")
        client.meta.events.register_first(
            "before-send",
            lambda request, **_: request.headers.update({"X-Amz-Security-Token": b"token-of-an-assumed-role"}),
        )
        with pytest.raises(AwsRefused) as raised:
            client.list_users()

    assert "token-of" not in str(raised.value)
