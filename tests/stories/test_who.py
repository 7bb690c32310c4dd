"""drift --who: who made the change behind a finding, from CloudTrail, the record and our own runs."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tapctl.aws import trail
from tapctl.manifest.manifest import now
from tests.stories.test_drift_access import put_policy
from tests.support.door import Proceed, Refusal, Served, Visit
from tests.support.world import Answer, World


@pytest.fixture(scope="module")
def there(shared: World) -> World:
    """dev, and seven changes by others."""
    shared.deploy()
    functions = shared.client("lambda")
    functions.update_function_configuration(FunctionName="payment-processor-dev", Timeout=44)
    arn = functions.get_function_configuration(FunctionName="payment-processor-dev")["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"Floor": "3"})
    put_policy(shared, "")
    shared.client("logs").put_retention_policy(logGroupName="/aws/lambda/payment-processor-dev", retentionInDays=5)
    key = shared.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="ci")
    credentials = key["Credentials"]
    boto3.client(
        "iam",
        region_name="us-east-2",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    ).update_role(RoleName="lambda-role-dev", Description="x", MaxSessionDuration=7200)
    return shared


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "PAUSE_S", 0)
    monkeypatch.setattr(trail, "BACKOFF_S", (0.0,))


def findings(answer: Answer) -> dict[str, dict[str, Any]]:
    return {f"{one['resource_type']} {one['field']}": one for one in answer.of_type("finding")}


def test_each_finding_tells_who_made_the_change_when_and_how(there: World) -> None:
    answer = there.drift("dev", "--who")
    found = findings(answer)
    timeout = found["lambda-function timeout_s"]
    assert timeout["cause"] == "person"
    assert timeout["who"] == {
        "principal": "user/moto",
        "at": timeout["who"]["at"],
        "via": "sdk",
        "event": "UpdateFunctionConfiguration20150331v2",
        "event_id": timeout["who"]["event_id"],
        "run": "",
        "note": "",
    }
    assert found["log-group retention_days"]["who"]["event"] == "PutRetentionPolicy"
    assert found["lambda-function tags.Floor"]["who"]["event"] == "TagResource20170331v2"
    assert found["lambda-function resource_policy"]["who"]["event"] == "PutResourcePolicy"
    role = found["iam-role max_session_duration_s"]
    assert (role["who"]["principal"], role["cause"]) == ("role/deploy (ci)", "automation")
    assert found["iam-role description"]["who"]["event"] == "UpdateRole"
    text = there.tapctl("drift", "--env", "dev", "--who")
    assert "who: automation · role/deploy (ci) at " in text.out
    assert "by sdk: UpdateRole (" in text.out


def test_without_who_nobody_is_asked(there: World) -> None:
    answer = there.drift()
    assert not [name for name in answer.asked if name.startswith("cloudtrail:")]
    assert {one["who"] for one in answer.of_type("finding")} == {None}


def test_a_denial_is_said_and_stops_nothing(there: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "cloudtrail:LookupEvents":
            raise Refusal("AccessDeniedException")
        return proceed()

    answer = there.meeting(trouble, "drift", "--json", "--env", "dev", "--who")
    assert answer.code == 2
    assert {one["who"]["note"] for one in answer.of_type("finding")} == {"cloudtrail:LookupEvents denied"}
    assert answer.err.count("cloudtrail:LookupEvents denied") == 2, "of the region, and of IAM's"


def test_what_is_too_often_asked_is_said(there: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "cloudtrail:LookupEvents":
            raise Refusal("ThrottlingException", status=400)
        return proceed()

    answer = there.meeting(trouble, "drift", "--json", "--env", "dev", "--who")
    notes = {one["who"]["note"] for one in answer.of_type("finding")}
    assert notes == {"CloudTrail gave no answer (ThrottlingException)"}


@pytest.mark.parametrize(
    ("written_at", "said"),
    [
        ("now", "not delivered yet: CloudTrail takes up to 15 minutes"),
        (
            "2099-01-01T00:00:00Z",
            "the record's own time is yet to come (2099-01-01T00:00:00Z): nothing can be younger",
        ),
        ("2020-01-01T00:00:00Z", "not delivered yet: CloudTrail takes up to 15 minutes; or older than 90 days"),
    ],
)
def test_what_no_event_tells_is_never_guessed(there: World, written_at: str, said: str) -> None:
    def nothing(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name != "cloudtrail:LookupEvents":
            return status, headers, body
        content = json.dumps({"Events": []}).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return status, [*kept, ("Content-Length", str(len(content)))], content

    record = there.path()
    before = record.read_text()
    record.write_text(json.dumps(json.loads(before) | {"written_at": written_at if written_at != "now" else now()}))
    answer = there.meeting(nothing, "drift", "--json", "--env", "dev", "--who")
    record.write_text(before)
    assert {one["who"]["note"] for one in answer.of_type("finding")} == {said}
    assert {one["cause"] for one in answer.of_type("finding")} == {None}


def test_older_events_are_no_explanation(there: World) -> None:
    """The apply that wrote the record has seen what was changed before."""
    record = there.path()
    before = record.read_text()
    record.write_text(json.dumps(json.loads(before) | {"written_at": "2099-01-01T00:00:00Z"}))
    answer = there.drift("dev", "--who")
    record.write_text(before)
    assert {one["who"]["event"] for one in answer.of_type("finding")} == {""}
