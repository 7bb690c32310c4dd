"""CloudTrail: the event history of changes, which moto does not keep."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("cloudtrail")
SERVICE: Final = Service(name="cloudtrail", contract=(contract,), throttling="ThrottlingException")

DELIVERED_S: Final = 300
"""AWS: "typically delivers an event within an average of about 5 minutes" (CloudTrail user guide)."""
_KEPT: Final = 5_000
_PAGE: Final = 50
_READS: Final = ("Describe", "Get", "List", "Head", "Simulate", "Lookup", "Assume", "Batch")
_HOME: Final = "us-east-1"
_UNNAMED: Final = ("logs", "cloudwatch")
"""Services whose events name no resource."""
_SOURCES: Final = {"cloudwatch": "monitoring"}
_VERSIONS: Final = {
    **dict.fromkeys(("UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission"), "20150331v2"),
    "RemovePermission": "20150331v2",
    **dict.fromkeys(("CreateFunction", "DeleteFunction", "CreateAlias", "UpdateAlias", "DeleteAlias"), "20150331"),
    **dict.fromkeys(("PutFunctionConcurrency", "DeleteFunctionConcurrency"), "20171031"),
    **dict.fromkeys(("TagResource", "UntagResource"), "20170331v2"),
    **dict.fromkeys((f"{verb}EventSourceMapping" for verb in ("Create", "Update", "Delete")), "20150331"),
}
"""Versions after the names of Lambda's operations in events (Lambda's guide, "Logging API calls using CloudTrail")."""


def is_recorded(service: str, operation: str) -> bool:
    """Tell whether the event history has calls of this operation: changes of a stack."""
    return service not in ("s3", "sts") and not operation.startswith(_READS)


def record(request: Request, user_agent: str, access_key: str) -> None:
    """Write the event of a call that was accepted; IAM's is in the home region."""
    from moto.core.utils import get_service_model

    version = _VERSIONS.get(request.operation, "") if request.service == "lambda" else ""
    name, at = f"{request.operation}{version}", datetime.fromtimestamp(int(time.time()), UTC)
    identity = _identity(request, access_key)
    asked = get_service_model(request.service).operation_model(request.operation).input_shape
    event = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{_SOURCES.get(request.service, request.service)}.amazonaws.com",
        "eventName": name,
        "awsRegion": _HOME if request.service == "iam" else request.region,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": user_agent,
        "requestParameters": _as_told(request.params, asked) if asked else None,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": request.account,
    }
    resources = [] if request.service in _UNNAMED else [*_names(request.params)]
    _history(request, event["awsRegion"]).appendleft(
        {"event": event, "at": at, "resources": resources, "since": request.simulation.now()}
    )


def _history(request: Request, region: Any) -> deque[dict[str, Any]]:
    history: deque[dict[str, Any]] = notes_on(request.backend("cloudtrail", str(region))).setdefault(
        "history", deque(maxlen=_KEPT)
    )
    return history


def _identity(request: Request, access_key: str) -> dict[str, str]:
    sts = request.backend("sts", request.partition)
    role = sts.get_assumed_role_from_access_key(access_key)
    if role is not None:
        return {"type": "AssumedRole", "arn": role.arn, "accountId": request.account, "accessKeyId": access_key}
    user = request.backend("iam", request.partition).get_user_from_access_key_id(access_key)
    name, arn = (user.name, user.arn) if user else ("moto", f"arn:{request.partition}:iam::{request.account}:user/moto")
    return {"type": "IAMUser", "arn": arn, "accountId": request.account, "userName": name, "accessKeyId": access_key}


def _as_told(value: Any, shape: Any) -> Any:
    """The parameters as events have them: their names begin small, a map's keys are data, a binary has no content."""
    if shape.type_name == "structure":
        members = shape.members
        return {f"{key[:1].lower()}{key[1:]}": _as_told(inner, members[key]) for key, inner in value.items()}
    if shape.type_name == "map":
        return {key: _as_told(inner, shape.value) for key, inner in value.items()}
    if shape.type_name == "list":
        return [_as_told(inner, shape.member) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else ""


def _names(params: Mapping[str, Any]) -> Iterator[str]:
    for key, value in params.items():
        if isinstance(value, str) and key.endswith(("Name", "Identifier", "Arn", "ARN", "Id")):
            yield value


@contract("LookupEvents")
def changes_are_looked_up(request: Request, _: Next) -> Reply:
    """By one attribute, the newest first, 50 a page, and minutes after they were made."""
    attributes = request.params.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise ServiceError("InvalidLookupAttributesException", "Only one lookup attribute may be specified.")
    found = [
        one
        for one in _history(request, request.region)
        if request.simulation.now() - one["since"] >= DELIVERED_S and all(_has(one, each) for each in attributes)
    ]
    most = min(request.params.get("MaxResults", _PAGE), _PAGE)
    first = int(request.params.get("NextToken", "0"))
    reply: Reply = {"Events": [_told(one) for one in found[first : first + most]]}
    return reply | ({"NextToken": str(first + most)} if len(found) > first + most else {})


def _has(one: Mapping[str, Any], attribute: Mapping[str, str]) -> bool:
    key, value = attribute["AttributeKey"], attribute["AttributeValue"]
    if key == "ResourceName":
        return value in one["resources"]
    event = one["event"]
    told = {"EventName": "eventName", "EventId": "eventID", "EventSource": "eventSource"}
    return key in told and event[told[key]] == value


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    event = one["event"]
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "ReadOnly": "false",
        "EventTime": one["at"],
        "EventSource": event["eventSource"],
        "Resources": [{"ResourceName": name} for name in one["resources"]],
        "CloudTrailEvent": json.dumps(event),
    }
