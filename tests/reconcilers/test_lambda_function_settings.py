from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.refusals import UnreadableFields
from tapctl.engine.model import Observed
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionOutputs, LambdaFunctionSpec, observed_function
from tapctl.safety.hidden_values import HIDDEN
from tests.reconcilers import scripted as scripts
from tests.reconcilers.lambda_function_answers import ARN, DIGEST, OURS, WANT, answer


def see(given: Any, expected: LambdaFunctionSpec | None = WANT) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
    return observed_function(given, None, UnreadableFields(), expected)


def environment(live: dict[str, str], expected: dict[str, str] | None) -> dict[str, str]:
    wanted = WANT.model_copy(update={"environment": expected}) if expected is not None else None
    return see(answer(Environment={"Variables": live}), wanted).spec.environment


def test_a_function_as_wanted_is_seen_as_wanted() -> None:
    seen = see(answer())

    assert seen.spec == WANT
    assert seen.outputs == LambdaFunctionOutputs(arn=ARN)
    assert seen.owner == OURS
    assert (seen.settled, seen.deleting, seen.failure, seen.status) == (True, False, None, "Active")
    assert seen.unreadable == {}


def test_a_zip_is_compared_by_its_hash_and_an_image_by_its_digest() -> None:
    zipped = answer(
        code={"RepositoryType": "S3", "Location": "https://presigned"},
        PackageType="Zip",
        CodeSha256="base64=",
        Runtime="nodejs22.x",
        Handler="index.handler",
        Layers=[{"Arn": "layer:2", "CodeSize": 1}, {"Arn": "layer:1", "CodeSize": 1}],
    )

    spec = see(zipped).spec
    assert (spec.package_type, spec.code_sha256, spec.image_uri) == ("Zip", "base64=", "")
    assert (spec.runtime, spec.handler, spec.layers) == ("nodejs22.x", "index.handler", ("layer:2", "layer:1"))
    assert (see(answer()).spec.code_sha256, see(answer()).spec.image_uri) == ("", DIGEST)


def test_what_aws_leaves_out_is_its_default() -> None:
    bare = answer(
        Environment=None,
        KMSKeyArn=None,
        VpcConfig=None,
        TracingConfig=None,
        Architectures=None,
        EphemeralStorage=None,
        LoggingConfig=None,
    )
    del bare["Tags"], bare["Concurrency"]

    seen = see(bare)
    assert seen.spec == WANT.model_copy(
        update={
            "environment": {},
            "kms_key_arn": "",
            "subnet_ids": frozenset(),
            "security_group_ids": frozenset(),
            "tracing": "PassThrough",
            "reserved_concurrency": None,
            "tags": {},
        }
    )
    assert seen.settled
    assert seen.owner is None


def test_a_function_that_is_switched_off_is_not_one_without_a_reservation() -> None:
    off = answer(beside={"Concurrency": {"ReservedConcurrentExecutions": 0}})

    assert see(off).spec.reserved_concurrency == 0


# -- what must not be shown ----------------------------------------------------------------------------------------


def test_a_value_that_is_as_wanted_is_shown_and_every_other_is_hidden() -> None:
    live = {"DB_PORT": "5432", "DB_NAME": "hunter2", "API_TOKEN": "tok-4711"}

    assert environment(live, {"DB_PORT": "5432", "DB_NAME": "payments"}) == {
        "DB_PORT": "5432",
        "DB_NAME": HIDDEN,
        "API_TOKEN": HIDDEN,
    }
    assert set(environment(live, None).values()) == {HIDDEN}
    # Of several specs that are known a value of any is shown.
    known = [WANT.model_copy(update={"environment": one}) for one in ({}, {"API_TOKEN": live["API_TOKEN"]})]
    seen = observed_function(answer(Environment={"Variables": live}), None, UnreadableFields(), None, known)
    assert {name for name, value in seen.spec.environment.items() if value != HIDDEN} == {"API_TOKEN"}


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-1f2e-AbCdEf",
        "db-cluster-test.cluster-abc123.us-east-1.rds.amazonaws.com",
        "db-cluster-test.cluster-abc123.rds.cn-north-1.amazonaws.com.cn",
        "db-cluster-test.cluster-abc123.rds.eusc-de-east-1.amazonaws.eu",
    ],
)
def test_what_may_be_the_promised_value_is_shown_so_that_a_plan_can_compare_it(value: str) -> None:
    assert environment({"IT": value}, {"IT": "⟦db-cluster/db-cluster-test#endpoint⟧"}) == {"IT": value}
    assert environment({"IT": f"db={value}"}, {"IT": "db=⟦db-cluster/db-cluster-test#endpoint⟧"}) == {
        "IT": f"db={value}"
    }


@pytest.mark.parametrize("value", ["hunter2", "", "arn of nothing", "pass word.amazonaws.com", "x\narn:aws:s3:::b"])
def test_what_cannot_be_the_promised_value_is_hidden(value: str) -> None:
    assert environment({"IT": value}, {"IT": "⟦db-cluster/db-cluster-test#endpoint⟧"}) == {"IT": HIDDEN}


def test_a_command_that_overrides_the_image_is_shown_only_where_it_is_wanted() -> None:
    given = answer(ImageConfigResponse={"ImageConfig": {"Command": ["sh", "-c", "secret"], "EntryPoint": []}})
    text = json.dumps({"Command": ["sh", "-c", "secret"]})

    assert see(given).spec.image_config == HIDDEN
    assert see(given, None).spec.image_config == HIDDEN
    assert see(given, WANT.model_copy(update={"image_config": text})).spec.image_config == text
    assert see(answer(ImageConfigResponse={"ImageConfig": {}})).spec.image_config == ""


def test_a_hidden_value_is_another_one_than_the_expected_even_where_that_is_the_stand_in_s_text() -> None:
    expected = WANT.model_copy(update={"environment": {"HOST": HIDDEN}, "image_config": HIDDEN})
    given = answer(
        Environment={"Variables": {"HOST": "evil.example"}},
        ImageConfigResponse={"ImageConfig": {"Command": ["sh", "-c", "secret"]}},
    )
    for seen in (see(given, expected), observed_function(given, None, UnreadableFields(), WANT, [expected])):
        assert seen.spec.environment["HOST"] != HIDDEN
        assert seen.spec.image_config != HIDDEN
        assert "evil" not in str(seen.spec)
        assert "secret" not in seen.spec.image_config
    assert environment({"HOST": HIDDEN}, {"HOST": HIDDEN}) == {"HOST": HIDDEN}


# -- what could not be read ------------------------------------------------------------------------------------------


def test_an_environment_that_cannot_be_decrypted_is_unknown_and_no_difference() -> None:
    denied = answer(Environment={"Error": {"ErrorCode": "AccessDeniedException", "Message": "no"}})

    seen = see(denied)
    assert seen.unreadable == {"environment": "kms:Decrypt"}
    assert seen.spec == WANT
    assert see(denied, None).spec.environment == {}


def test_tags_that_may_not_be_listed_are_unknown_and_name_no_owner() -> None:
    denied = answer(beside={"TagsError": {"ErrorCode": "AccessDeniedException", "Message": "no"}})
    del denied["Tags"]

    seen = see(denied)
    assert seen.unreadable == {"tags": "lambda:ListTags"}
    assert seen.spec == WANT
    assert seen.owner is None
    assert see(denied, None).spec.tags == {}


def test_an_image_that_lambda_may_not_look_up_is_unknown_and_no_other_image() -> None:
    denied = answer()
    denied["Code"] = {"ImageUri": "r:tag", "Error": {"ErrorCode": "AccessDeniedException", "Message": "no"}}
    seen = see(denied)
    assert (seen.spec, seen.unreadable) == (WANT, {"image_uri": "ecr:BatchGetImage"})
    assert see(denied, None).spec.image_uri == ""


def test_overrides_that_lambda_itself_cannot_read_are_a_difference_in_its_words() -> None:
    broken = answer(ImageConfigResponse={"Error": {"ErrorCode": "InvalidImageConfig", "Message": "no"}})
    told = see(broken, WANT).spec.image_config
    assert (told, WANT.image_config) == ("AWS does not tell it: InvalidImageConfig: no", "")


@pytest.mark.parametrize(("code", "may_pass"), [("KMSKeyAccessDenied", True), ("InvalidImage", False)])
def test_a_failure_for_a_right_may_pass(code: str, may_pass: bool) -> None:
    assert see(answer(State="Failed", StateReasonCode=code)).failure_may_pass == may_pass
    assert see(answer(LastUpdateStatus="Failed", LastUpdateStatusReasonCode=code)).failure_may_pass == may_pass


# -- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "settled", "status"),
    [
        ({"State": "Pending", "StateReasonCode": "Creating"}, False, "Pending"),
        ({"State": "Pending", "LastUpdateStatus": None}, False, "Pending"),
        ({"State": "Inactive", "StateReasonCode": "Idle", "StateReason": "idle"}, True, "Inactive: Idle: idle"),
        ({"State": "Deactivating"}, False, "Deactivating"),
        ({"LastUpdateStatus": "InProgress"}, False, "Active, update InProgress"),
    ],
)
def test_it_is_settled_when_aws_is_done_with_it(changes: dict[str, Any], settled: bool, status: str) -> None:
    seen = see(answer(**changes))

    assert (seen.settled, seen.status, seen.failure, seen.update_failure) == (settled, status, None, None)


def test_a_function_that_is_being_deleted_is_going() -> None:
    assert see(answer(State="Deleting")).deleting


def test_a_function_that_aws_gave_up_has_failed_with_its_reason() -> None:
    seen = see(answer(State="Failed", StateReasonCode="SubnetOutOfIPAddresses", StateReason="no free addresses"))

    assert seen.failure == "SubnetOutOfIPAddresses: no free addresses"
    assert seen.spec.update_failure == ""
    assert see(answer(State="Failed", LastUpdateStatus=None)).failure == "Unknown: AWS gives no reason"


def test_a_failed_update_is_a_difference_and_no_failed_function() -> None:
    seen = see(
        answer(
            LastUpdateStatus="Failed",
            LastUpdateStatusReasonCode="ImageAccessDenied",
            LastUpdateStatusReason="Lambda may not read it",
        )
    )

    assert seen.failure is None
    assert seen.spec == WANT.model_copy(update={"update_failure": "ImageAccessDenied: Lambda may not read it"})
    assert seen.update_failure == seen.spec.update_failure
    assert seen.settled
    assert seen.status == "Active, update Failed ImageAccessDenied: Lambda may not read it"


def test_what_is_set_on_an_alias_or_a_version_is_told_with_its_name_and_the_function_s_own_without_one(
    aws: Aws,
) -> None:
    def of(qualifier: str, **more: Any) -> dict[str, Any]:
        return {"FunctionArn": f"{ARN}:{qualifier}" if qualifier else ARN, **more}

    lost = {"DestinationConfig": {"OnFailure": {"Destination": "arn:q"}}}
    urls = [of(one, FunctionUrl=f"https://{one}x", AuthType="NONE") for one in ("", "a")]
    configs = [of("$LATEST", **lost), of("a", **lost), of("3", MaximumEventAgeInSeconds=60)]
    scripts.answer(aws.lambda_, "ListFunctionUrlConfigs", {"FunctionUrlConfigs": urls})
    scripts.answer(aws.lambda_, "ListFunctionEventInvokeConfigs", {"FunctionEventInvokeConfigs": configs})
    scripts.answer(aws.lambda_, "ListEventSourceMappings", {"EventSourceMappings": []})
    scripts.answer(aws.lambda_, "ListAliases", {"Aliases": []})
    seen = LambdaFunction().observe_exposures(aws, "f", see(answer()), None)
    assert seen.spec.urls == {"https://x (NONE)", "https://ax for a (NONE)"}
    assert seen.spec.destinations == {"arn:q on OnFailure", "arn:q on OnFailure for a", "60 s of age for 3"}


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ({"CapacityProviderConfig": {"b": 1, "a": {}}}, {}, 'CapacityProviderConfig {"a": {}, "b": 1}'),
        ({"MasterArn": "arn:x"}, {}, 'MasterArn "arn:x"'),
        ({}, {"SourceKMSKeyArn": "arn:k"}, 'SourceKMSKeyArn "arn:k"'),
        ({"TenancyConfig": {}, "AcceleratorConfig": None}, {}, ""),
    ],
)
def test_where_else_it_runs_and_whose_key_its_code_has_is_seen(
    more: dict[str, Any], code: dict[str, Any], told: str
) -> None:
    given = answer(**more)
    given["Code"] |= code
    assert see(given).spec.further_settings == ({told} if told else set())
