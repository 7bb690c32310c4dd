from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.policy import PolicyDocument, allow, policy
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function import LambdaFunction, LambdaFunctionSpec
from tests.reconcilers.cases.lambda_function import CONTENT
from tests.reconcilers.lambda_function_answers import ARN, DIGEST, KEY, NAME, WANT, ZIP, answer
from tests.reconcilers.scripted_aws import refused, scripted


def with_(**changes: Any) -> LambdaFunctionSpec:
    return WANT.model_copy(update=changes)


def opened(*sids: str) -> PolicyDocument:
    return policy(*(allow(sid, ["lambda:InvokeFunction"], [ARN], to={"AWS": "999999999999"}) for sid in sids))


def update(have: LambdaFunctionSpec, want: LambdaFunctionSpec = WANT, content: bytes | None = None) -> Any:
    """The fields that one step asks for, and the one changing call it makes after a look."""
    aws = scripted({"get_function": answer()})
    asked = LambdaFunction(content).update(aws, NAME, have, want)
    first, call = aws.calls
    assert first[0] == "get_function"
    return asked, call


@pytest.mark.parametrize(
    ("state", "doing"),
    [
        ({"State": "Pending"}, "Pending"),
        ({"State": "Deactivating"}, "Deactivating"),
        ({"LastUpdateStatus": "InProgress"}, "update InProgress"),
    ],
)
def test_while_lambda_is_at_work_on_it_no_change_is_asked_for(state: dict[str, Any], doing: str) -> None:
    aws = scripted({"get_function": answer(**state)})

    with pytest.raises(NotYet, match=f"at work on the function: {doing}$") as caught:
        LambdaFunction().update(aws, NAME, with_(reserved_concurrency=None), WANT)
    assert caught.value.patience is Patience.LONG
    assert len(aws.calls) == 1


@pytest.mark.parametrize(
    ("have", "sent"),
    [
        ({"role_arn": "old"}, {"Role": WANT.role_arn}),
        ({"memory_mb": 128, "timeout_s": 3}, {"MemorySize": 1024, "Timeout": 30}),
        ({"environment": {"X": "(hidden)"}}, {"Environment": {"Variables": {"DB_PORT": "5432"}}}),
        ({"kms_key_arn": ""}, {"KMSKeyArn": KEY, "Environment": {"Variables": {"DB_PORT": "5432"}}}),
        (
            {"security_group_ids": frozenset()},
            {"VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}},
        ),
        ({"tracing": "PassThrough"}, {"TracingConfig": {"Mode": "Active"}}),
        ({"ephemeral_storage_mb": 1024}, {"EphemeralStorage": {"Size": 512}}),
        ({"log_format": "JSON"}, {"LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"}}),
        ({"image_config": "(hidden)"}, {"ImageConfig": {}}),
        ({"description": "by hand"}, {"Description": ""}),
    ],
)
def test_configuration_changes_by_one_call_that_sends_what_differs(have: dict[str, Any], sent: dict[str, Any]) -> None:
    asked, call = update(with_(**have))

    assert asked == set(have)
    assert call == ("update_function_configuration", {"FunctionName": NAME, **sent})


def test_the_runtime_of_a_zip_is_configuration() -> None:
    _, (_, sent) = update(ZIP.model_copy(update={"runtime": "nodejs20.x", "layers": ("layer:1",)}), ZIP)

    assert sent == {"FunctionName": NAME, "Runtime": "nodejs22.x", "Layers": []}


def test_one_step_after_another_in_their_order() -> None:
    have = with_(memory_mb=128, image_uri="old", reserved_concurrency=None, resource_policy=opened("public"), tags={})

    for field in ("memory_mb", "image_uri", "reserved_concurrency", "resource_policy", "tags"):
        assert update(have)[0] == {field}
        have = have.model_copy(update={field: getattr(WANT, field)})
    assert have == WANT


def test_whoever_else_may_invoke_it_is_shut_out_one_statement_a_call() -> None:
    asked, call = update(with_(resource_policy=opened("b", "a")))
    assert (asked, call) == (frozenset(), ("remove_permission", {"FunctionName": NAME, "StatementId": "a"}))

    asked, call = update(with_(resource_policy=opened("b")))
    assert (asked, call) == ({"resource_policy"}, ("remove_permission", {"FunctionName": NAME, "StatementId": "b"}))


def test_tags_are_added_or_overwritten_before_others_are_removed() -> None:
    extra = {"Extra": "1", **WANT.tags}

    assert update(with_(tags={**extra, "Name": "old"})) == (
        frozenset(),
        ("tag_resource", {"Resource": ARN, "Tags": {"Name": NAME}}),
    )
    assert update(with_(tags=extra)) == ({"tags"}, ("untag_resource", {"Resource": ARN, "TagKeys": ["Extra"]}))
    assert update(with_(tags={})) == ({"tags"}, ("tag_resource", {"Resource": ARN, "Tags": WANT.tags}))


def test_code_and_architecture_go_together() -> None:
    code = {"FunctionName": NAME, "Architectures": ["x86_64"]}

    assert update(with_(architecture="arm64")) == (
        {"architecture"},
        ("update_function_code", {**code, "ImageUri": DIGEST}),
    )
    assert update(ZIP.model_copy(update={"code_sha256": "old"}), ZIP, CONTENT) == (
        {"code_sha256"},
        ("update_function_code", {**code, "ZipFile": CONTENT}),
    )


def test_a_failed_update_is_asked_again_whole() -> None:
    asked, (operation, sent) = update(with_(update_failure="EniLimitExceeded: too many", timeout_s=3))
    assert asked == {"update_failure", "timeout_s"}
    assert operation == "update_function_configuration"
    assert {"Role", "Environment", "KMSKeyArn", "VpcConfig", "ImageConfig"} <= sent.keys()

    asked, (operation, _) = update(with_(update_failure="ImageDeleted: it is gone", timeout_s=3))
    assert (asked, operation) == ({"update_failure"}, "update_function_code")


def test_reserved_concurrency_is_put_or_taken_away() -> None:
    assert update(with_(reserved_concurrency=None), with_(reserved_concurrency=0))[1] == (
        "put_function_concurrency",
        {"FunctionName": NAME, "ReservedConcurrentExecutions": 0},
    )
    assert update(WANT, with_(reserved_concurrency=None))[1] == (
        "delete_function_concurrency",
        {"FunctionName": NAME},
    )


def test_a_reservation_that_the_account_cannot_spare_says_what_to_do() -> None:
    message = (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [10]."
    )
    floor = refused("lambda:PutFunctionConcurrency", "InvalidParameterValueException", message)
    other = refused("lambda:PutFunctionConcurrency", "InvalidParameterValueException", "negative")

    with pytest.raises(AwsRefused) as told:
        LambdaFunction().update(
            scripted({"put_function_concurrency": floor}), NAME, with_(reserved_concurrency=None), WANT
        )
    assert "minimum value of [10]" in told.value.cause
    assert "processor.reserved_concurrency" in (told.value.hint or "")
    with pytest.raises(AwsRefused) as told:
        LambdaFunction().update(
            scripted({"put_function_concurrency": other}), NAME, with_(reserved_concurrency=None), WANT
        )
    assert told.value.hint is None
