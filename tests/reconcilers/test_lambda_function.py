from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.policy import PolicyDocument, allow, policy
from tapctl.engine.events import Result
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec
from tapctl.sandbox.emulator.app import Sandbox
from tests.reconcilers.cases.lambda_function import CONTENT, prepare
from tests.reconcilers.conformance import CASES, Bench
from tests.reconcilers.lambda_function_answers import ARN, DIGEST, KEY, NAME, OURS, WANT, ZIP, answer
from tests.reconcilers.scripted_aws import refused, scripted

NO_POLICY = refused("lambda:GetPolicy", "ResourceNotFoundException")
BUSY = "The operation cannot be performed at this time. "


def with_(**changes: Any) -> LambdaFunctionSpec:
    return WANT.model_copy(update=changes)


def look(aws: Any, expected: LambdaFunctionSpec | None = WANT) -> Any:
    seen = LambdaFunction().observe(aws, NAME, expected)
    assert seen is not None
    return seen


# -- seeing ----------------------------------------------------------------------------------------------------------


def test_it_is_seen_by_two_reads() -> None:
    aws = scripted({"get_function": answer(), "get_policy": NO_POLICY})

    assert look(aws).spec == WANT
    assert len(aws.calls) == 2


def test_a_foreign_permission_to_invoke_shows() -> None:
    text = json.dumps({"Statement": [{"Sid": "public", "Effect": "Allow", "Principal": "*", "Action": "lambda:*"}]})
    aws = scripted({"get_function": answer(), "get_policy": {"Policy": text}})

    seen = look(aws).spec.resource_policy
    assert [one.sid for one in seen.statements] == ["public"]


def test_a_policy_that_may_not_be_read_is_unknown() -> None:
    denied = refused("lambda:GetPolicy", "AccessDeniedException")
    aws = scripted({"get_function": answer(), "get_policy": denied})

    assert look(aws).unreadable == {"resource_policy": "lambda:GetPolicy"}
    assert look(aws, expected=None).spec.resource_policy is None


@pytest.mark.parametrize("read", ["get_function", "get_policy"])
def test_other_refusals_of_a_read_are_not_swallowed(read: str) -> None:
    no = refused("lambda:Read", "InvalidParameterValueException")

    with pytest.raises(AwsRefused):
        look(scripted({"get_function": answer(), "get_policy": NO_POLICY, read: no}))


# -- making ----------------------------------------------------------------------------------------------------------


def test_a_zip_is_made_with_its_bytes_and_its_concurrency_is_a_second_step(aws: Aws) -> None:
    world = prepare(aws)
    want = ZIP.model_copy(
        update={
            "role_arn": world["role_a"],
            "subnet_ids": frozenset({world["subnet_a"]}),
            "security_group_ids": frozenset({world["group_a"]}),
        }
    )
    made = LambdaFunction(CONTENT)

    made.create(aws, NAME, want, OURS)

    assert look(aws, want).spec == want.model_copy(update={"reserved_concurrency": None})
    assert made.update(aws, NAME, look(aws, want).spec, want) == {"reserved_concurrency"}
    assert look(aws, want).spec == want
    assert look(aws, want).owner == OURS
    with pytest.raises(AlreadyExists):
        made.create(aws, NAME, want, OURS)


def test_an_image_is_made_by_digest_without_what_only_a_zip_has() -> None:
    aws = scripted()

    LambdaFunction().create(aws, NAME, WANT, OURS)

    (asked,) = aws.asked("create_function")
    assert asked == {
        "FunctionName": NAME,
        "PackageType": "Image",
        "Code": {"ImageUri": DIGEST},
        "Architectures": ["x86_64"],
        "Role": WANT.role_arn,
        "MemorySize": 1024,
        "Timeout": 30,
        "Environment": {"Variables": {"DB_PORT": "5432"}},
        "KMSKeyArn": KEY,
        "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "TracingConfig": {"Mode": "Active"},
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
        "Tags": WANT.tags,
    }


@pytest.mark.parametrize("content", [None, b"another zip"])
def test_other_bytes_than_the_wanted_ones_never_reach_aws(content: bytes | None) -> None:
    aws = scripted()

    with pytest.raises(AssertionError, match="not the one that is wanted"):
        LambdaFunction(content).create(aws, NAME, ZIP, OURS)
    assert aws.calls == []


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        (
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            Patience.BUSY,
        ),
        (
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
            Patience.BUSY,
        ),
        (
            "InvalidParameterValueException",
            "Lambda was unable to configure access: the KMS key is invalid for CreateGrant. Check your settings.",
            Patience.BUSY,
        ),
        ("InvalidParameterValueException", "because the KMS key was not found. Please check", Patience.BUSY),
        (
            "InvalidParameterValueException",
            "Your request has been throttled by EC2, please make sure you have enough API rate limit.",
            Patience.LONG,
        ),
        (
            "ResourceConflictException",
            f"{BUSY}The function is currently in the following state: Pending",
            Patience.LONG,
        ),
        # It may be a move to other subnets, whose interfaces take minutes.
        ("ResourceConflictException", f"{BUSY}An update is in progress for resource: {ARN}", Patience.LONG),
        ("ResourceConflictException", BUSY, Patience.BUSY),
        (
            "InvalidParameterValueException",
            "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound.",
            Patience.PROPAGATION,
        ),
        (
            "InvalidParameterValueException",
            "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: no",
            Patience.PROPAGATION,
        ),
        ("ResourceNotFoundException", f"Function not found: {ARN}", Patience.PROPAGATION),
    ],
)
def test_what_only_has_to_wait_says_so(code: str, message: str, patience: Patience) -> None:
    no = refused("lambda:Change", code, message)
    aws = scripted({"get_function": answer(), "create_function": no, "update_function_configuration": no})

    with pytest.raises(NotYet) as creating:
        LambdaFunction().create(aws, NAME, WANT, OURS)
    with pytest.raises(NotYet) as updating:
        LambdaFunction().update(aws, NAME, with_(memory_mb=128), WANT)
    assert (creating.value.patience, updating.value.patience) == (patience, patience)


def test_an_image_that_is_not_there_is_a_refusal() -> None:
    no = refused(
        "lambda:CreateFunction", "InvalidParameterValueException", f"Source image {DIGEST} does not exist. Provide one."
    )

    with pytest.raises(AwsRefused, match="does not exist"):
        LambdaFunction().create(scripted({"create_function": no}), NAME, WANT, OURS)


# -- removing --------------------------------------------------------------------------------------------------------

IN_VPC: dict[str, Any] = {
    "get_policy": NO_POLICY,
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-default"}]},
}


def remove(*, answers: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """The changing calls of one step of its removal, by name."""
    aws = scripted({**IN_VPC, "get_function": answer(**changes), **(answers or {})})
    seen = look(aws)
    aws.calls.clear()
    LambdaFunction().delete(aws, NAME, seen, None)
    return [name for name, _ in aws.calls if not name.startswith(("describe", "get"))]


def test_it_leaves_its_groups_first_and_then_goes() -> None:
    left = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-default"]}

    assert remove() == ["update_function_configuration"]
    assert remove(VpcConfig=left) == ["delete_function"]


def test_outside_a_vpc_it_just_goes() -> None:
    assert remove(VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}) == ["delete_function"]


def test_a_function_that_aws_gave_up_takes_no_change_and_just_goes() -> None:
    assert remove(State="Failed") == ["delete_function"]


def test_a_function_whose_last_update_failed_is_moved_no_more() -> None:
    assert remove(LastUpdateStatus="Failed") == ["delete_function"]


def test_a_function_to_be_replaced_is_deleted_at_once() -> None:
    aws = scripted({**IN_VPC, "get_function": answer()})
    seen = look(aws)
    aws.calls.clear()

    LambdaFunction().delete_for_replacement(aws, NAME, seen)

    assert aws.calls == [("delete_function", {"FunctionName": NAME})]


def test_while_lambda_is_at_work_it_stays() -> None:
    with pytest.raises(NotYet) as told:
        remove(LastUpdateStatus="InProgress")
    assert told.value.patience is Patience.LONG


def test_removing_what_is_gone_is_no_error() -> None:
    gone = refused("lambda:DeleteFunction", "ResourceNotFoundException")

    assert remove(VpcConfig=None, answers={"delete_function": gone}) == ["delete_function"]


def test_a_removal_in_the_way_of_another_change_waits() -> None:
    busy = refused("lambda:DeleteFunction", "ResourceConflictException", f"{BUSY}An update is in progress")

    with pytest.raises(NotYet):
        remove(VpcConfig=None, answers={"delete_function": busy})


def test_a_function_that_vanishes_while_it_is_to_be_moved_is_looked_for_again() -> None:
    gone = refused("lambda:UpdateFunctionConfiguration", "ResourceNotFoundException")

    with pytest.raises(NotYet, match="does not show"):
        remove(answers={"update_function_configuration": gone})


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


def test_foreign_permissions_are_removed_one_statement_a_call() -> None:
    asked, call = update(with_(resource_policy=opened("b", "a")))
    assert (asked, call) == (frozenset(), ("remove_permission", {"FunctionName": NAME, "StatementId": "a"}))

    asked, call = update(with_(resource_policy=opened("b")))
    assert (asked, call) == ({"resource_policy"}, ("remove_permission", {"FunctionName": NAME, "StatementId": "b"}))


@pytest.mark.parametrize("sids", [(), ("",), ("", "a"), ("a b",), ("a" * 101,)])
def test_a_policy_that_cannot_be_removed_by_ids_is_removed_whole(sids: tuple[str, ...]) -> None:
    deleted = ("delete_resource_policy", {"ResourceArn": ARN})
    assert update(with_(resource_policy=opened(*sids))) == ({"resource_policy"}, deleted)


def test_a_permission_that_is_waived_or_not_named_by_a_revert_stays() -> None:
    have, want = with_(resource_policy=opened("b"), tags={"a": "b"}), with_(resource_policy=opened("b"))
    assert update(have, want)[1][0] == "tag_resource"


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


def test_a_new_account_s_bound_on_memory_is_told_as_one() -> None:
    text = (
        "1 validation error detected: Value '4096' at 'memorySize' failed to satisfy constraint: Member must have value"
    )
    no = refused("lambda:CreateFunction", "ValidationException", f"{text} less than or equal to 3008")
    with pytest.raises(AwsRefused) as told:
        LambdaFunction().create(scripted({"create_function": no}), NAME, WANT, OURS)
    assert "no more than 3008 MB" in str(told.value.hint)


def test_a_reservation_that_the_account_cannot_spare_says_what_to_do() -> None:
    message = (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [10]."
    )
    floor = refused("lambda:PutFunctionConcurrency", "InvalidParameterValueException", message)
    other = refused("lambda:PutFunctionConcurrency", "InvalidParameterValueException", "negative")

    def reserving(refusal: AwsRefused) -> Any:
        return scripted({"get_function": answer(), "put_function_concurrency": refusal})

    with pytest.raises(AwsRefused) as told:
        LambdaFunction().update(reserving(floor), NAME, with_(reserved_concurrency=None), WANT)
    assert "minimum value of [10]" in told.value.cause
    assert "processor.reserved_concurrency" in (told.value.hint or "")
    with pytest.raises(AwsRefused) as told:
        LambdaFunction().update(reserving(other), NAME, with_(reserved_concurrency=None), WANT)
    assert told.value.hint is None


@pytest.fixture
def bench(aws: Aws, sandbox_app: Sandbox) -> Iterator[Bench]:
    peace = sandbox_app.simulation
    yield Bench(aws, CASES["lambda_function"], sandbox_app, scale=1.0)
    sandbox_app.simulation = peace


def test_nothing_is_asked_for_while_it_is_being_made_or_changed(bench: Bench) -> None:
    first, second = bench.fresh()[:2]
    bench.converge(first)
    assert bench.aws.call_log.calls["lambda:PutFunctionConcurrency"] == 1
    bench.converge(second)
    asked = {
        name: bench.aws.call_log.calls[f"lambda:{name}"] for name in ("UpdateFunctionConfiguration", "TagResource")
    }
    # The tags in two steps: one more, one less.
    assert asked == {"UpdateFunctionConfiguration": 1, "TagResource": 1}


@pytest.mark.soak
def test_an_update_of_ours_that_lambda_gives_up_ends_with_its_reason_and_the_next_apply_asks_again(
    bench: Bench,
) -> None:
    first, second = bench.fresh()[:2]
    bench.converge(first)
    before = bench.clock.seconds
    bench.sandbox.simulation.script("lambda.update", "EniLimitExceeded")
    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        bench.converge(second)
    assert str(caught.value.evidence).startswith("AWS says: EniLimitExceeded: ")
    assert bench.clock.seconds - before < 100
    assert bench.converge(second).result is Result.UPDATED
    seen = bench.look(second)
    assert seen is not None
    assert (seen.spec, seen.update_failure) == (second, None)


def test_a_zone_that_lambda_does_not_serve_is_told_with_what_to_do(bench: Bench) -> None:
    first: Any = bench.fresh()[0]
    (subnet,) = bench.aws.ec2.describe_subnets(SubnetIds=[min(first.subnet_ids)])["Subnets"]
    bench.sandbox.simulation.script("lambda.zone", subnet["AvailabilityZoneId"])
    with pytest.raises(AwsRefused, match="availability zone Lambda doesn't support") as told:
        bench.converge(first)
    assert f"one of {', '.join(sorted(first.subnet_ids))} is in a zone without Lambda" in str(told.value.hint)


def test_an_image_that_lambda_cannot_read_is_no_other_image(bench: Bench) -> None:
    specs: list[Any] = bench.fresh()
    first = next(each for each in specs if each.image_uri)
    bench.converge(first)
    bench.sandbox.simulation.script("lambda.code", "AccessDeniedException")
    seen = bench.look(first)
    assert seen is not None
    assert (seen.spec, seen.unreadable) == (first, {"image_uri": "ecr:BatchGetImage"})


# -- the image's repository --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", ["Lambda does not have permission to access the ECR image. Check the ECR permissions.", ""]
)
def test_a_repository_that_does_not_let_lambda_in_is_told_as_that(message: str) -> None:
    aws = scripted({"create_function": refused("lambda:CreateFunction", "AccessDeniedException", message)})

    with pytest.raises(AwsRefused) as raised:
        LambdaFunction().create(aws, NAME, WANT, OURS)

    assert "let Lambda read the repository" in str(raised.value.hint)
    assert "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("message", "spec"),
    [
        ("User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:GetRepositoryPolicy", WANT),
        ("no", WANT),
        ("", ZIP),
    ],
)
def test_a_permission_that_we_lack_ourselves_is_told_as_ours(message: str, spec: LambdaFunctionSpec) -> None:
    aws = scripted({"create_function": refused("lambda:CreateFunction", "AccessDeniedException", message)})

    with pytest.raises(AwsRefused) as raised:
        LambdaFunction(CONTENT).create(aws, NAME, spec, OURS)

    assert raised.value.hint is None
