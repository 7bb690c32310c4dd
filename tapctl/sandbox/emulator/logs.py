"""CloudWatch Logs: retention of a set, keys that must allow it, protection, exact lookups; and one change at a time.

Keys are usable some seconds late, and late writers bring a deleted group back.
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.kms import POLICY_CHANGED, key_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("logs"), Rules("logs")
SERVICE: Final = Service(
    name="logs",
    timing=(timing,),
    contract=(contract,),
    throttling="ThrottlingException",
    stale_reads=("DescribeLogGroups", "ListTagsForResource"),
    changes=(
        *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
        *("AssociateKmsKey", "DisassociateKmsKey", "PutLogGroupDeletionProtection"),
        *("TagResource", "UntagResource"),
    ),
    tags=Tags(
        returned_by=("ListTagsForResource",),
        taken_by=("CreateLogGroup", "TagResource", "UntagResource"),
        refusal="InvalidParameterException",
    ),
    indexed=("CreateLogGroup", "DeleteLogGroup", "TagResource", "UntagResource"),
)

_RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096),
    *(1827, 2192, 2557, 2922, 3288, 3653),
)


def _name_in(reference: str) -> str:
    return reference.rpartition(":log-group:")[2]


def _group(request: Request, reference: str) -> Any:
    """Return the log group of a name or ARN, as moto's object."""
    group = request.backend("logs").groups.get(_name_in(reference))
    if group is None:
        raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
    return group


@contract("PutRetentionPolicy")
def retention_is_of_a_set(request: Request, proceed: Next) -> Reply:
    """Only certain numbers of days are taken."""
    days = request.params["retentionInDays"]
    if days not in _RETENTION:
        raise ServiceError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member "
            f"must satisfy enum value set: {list(_RETENTION)}",
        )
    return proceed()


@contract("CreateLogGroup")
def an_older_region_has_one_class(request: Request, proceed: Next) -> Reply:
    """A region without log classes refuses the parameter, whatever its value, if scripted."""
    if "logGroupClass" in request.params and request.simulation.next_outcome("logs.older"):
        raise ServiceError("InvalidParameterException", "Only Standard log class is supported.")
    return proceed()


def _check_key(request: Request, name: str, reference: str) -> None:
    key = key_of(request, reference)
    allowed = key is not None and key.key_state == "Enabled" and f"logs.{request.region}." in key.policy
    if not (reference.startswith("arn:") and allowed):
        arn = request.arn("logs", f"log-group:{name}")
        raise ServiceError(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )


@contract("CreateLogGroup")
def a_log_group_needs_a_key_that_allows_it(request: Request, proceed: Next) -> Reply:
    """The key is named by ARN, is enabled, and its policy lets CloudWatch Logs use it."""
    name = request.params["logGroupName"]
    if "kmsKeyId" in request.params and name not in request.backend("logs").groups:
        _check_key(request, name, request.params["kmsKeyId"])
    return proceed()


@contract("CreateLogGroup")
def protection_and_class_are_kept(request: Request, proceed: Next) -> Reply:
    """DeletionProtectionEnabled and logGroupClass, which moto ignores."""
    reply = proceed()
    notes = notes_on(_group(request, request.params["logGroupName"]))
    notes["protected"] = request.params.get("deletionProtectionEnabled", False)
    notes["class"] = request.params.get("logGroupClass", "STANDARD")
    return reply


@contract("PutLogGroupDeletionProtection")
def protection_is_changed(request: Request, _: Next) -> Reply:
    """Deletion protection is switched; moto has no PutLogGroupDeletionProtection."""
    notes_on(_group(request, request.params["logGroupIdentifier"]))["protected"] = request.params[
        "deletionProtectionEnabled"
    ]
    return {}


@contract("DeleteLogGroup")
def a_protected_log_group_stays(request: Request, proceed: Next) -> Reply:
    """A protected log group is not deleted; another one goes with its tags."""
    group = _group(request, request.params["logGroupName"])
    if notes_on(group).get("protected"):
        raise ServiceError(
            "ValidationException", "The log group cannot be deleted because deletion protection is enabled."
        )
    reply = proceed()
    request.backend("logs").tagger.delete_all_tags_for_resource(group.arn)
    return reply


@contract("AssociateKmsKey", "DisassociateKmsKey")
def a_key_is_associated(request: Request, _: Next) -> Reply:
    """A key is associated and disassociated; moto has neither operation."""
    group = _group(request, request.params.get("logGroupName") or request.params["resourceIdentifier"])
    if request.operation == "AssociateKmsKey":
        _check_key(request, group.name, request.params["kmsKeyId"])
    group.kms_key_id = request.params.get("kmsKeyId")
    return {}


@contract("PutDataProtectionPolicy", "GetDataProtectionPolicy", "DeleteDataProtectionPolicy")
def data_is_protected_by_a_policy(request: Request, _: Next) -> Reply:
    """Moto has none of these; a policy of the group audits data and masks it, in the class STANDARD alone.

    CloudWatch Logs user guide, "Help protect sensitive log data with masking" and "Log classes": a deleted policy
    leaves a status behind.
    """
    group = _group(request, request.params["logGroupIdentifier"].removesuffix(":*"))
    notes = notes_on(group)
    if request.operation == "PutDataProtectionPolicy":
        if notes.get("class", "STANDARD") != "STANDARD":
            raise ServiceError("InvalidParameterException", "The log class of the log group has no data protection.")
        notes["masking"] = request.params["policyDocument"]
    elif request.operation == "DeleteDataProtectionPolicy":
        notes["masking"] = ""
    text = notes.get("masking", "")
    return {"logGroupIdentifier": group.name, **({"policyDocument": text} if text else {})}


@contract("ListScheduledQueries")
def no_query_is_scheduled(request: Request, _: Next) -> Reply:  # noqa: ARG001 -- there is none in any account
    """Moto has no ListScheduledQueries; nobody has scheduled one."""
    return {"scheduledQueries": []}


@contract("PutBearerTokenAuthentication")
def events_are_put_with_a_token(request: Request, _: Next) -> Reply:
    """Moto has no PutBearerTokenAuthentication; events come with a token, in place of a signature, where it is on."""
    notes_on(_group(request, request.params["logGroupIdentifier"]))["tokens"] = request.params[
        "bearerTokenAuthenticationEnabled"
    ]
    return {}


@contract("DescribeLogGroups")
def log_groups_are_found_by_exact_name(request: Request, proceed: Next) -> Reply:
    """Groups are found by logGroupIdentifiers, which moto ignores, and returned with class, key and all protection.

    And with the number of their metric filters, which moto tells as 0 (DescribeLogGroups).
    """
    wanted = request.params.pop("logGroupIdentifiers", None)
    if wanted is None:
        reply = proceed()
    else:
        every = request.backend("logs").groups
        names = [_name_in(identifier) for identifier in wanted]
        replies = [request.call("DescribeLogGroups", logGroupNamePrefix=name) for name in names if name in every]
        # A prefix listing is sorted: the exact name comes first.
        reply = {"logGroups": [each["logGroups"][0] for each in replies]}
    for shown in reply["logGroups"]:
        notes = notes_on(_group(request, shown["logGroupName"]))
        filters = request.backend("logs").filters.get_matching_filters(None, shown["logGroupName"])
        shown["metricFilterCount"] = len(filters)
        shown["logGroupClass"] = notes.get("class", "STANDARD")
        shown["deletionProtectionEnabled"] = notes.get("protected", False)
        shown["bearerTokenAuthenticationEnabled"] = notes.get("tokens", False)
        if "masking" in notes:
            shown["dataProtectionStatus"] = "ACTIVATED" if notes["masking"] else "DELETED"
    return reply


@contract("ListTagsForResource", "TagResource", "UntagResource")
def tags_are_of_log_groups_that_exist(request: Request, proceed: Next) -> Reply:
    """A missing log group has no tags to list or change; its ARN is without ``:*``."""
    _group(request, request.params["resourceArn"])
    return proceed()


# -- timing ----------------------------------------------------------------------------------------------------------


_BUSY_S: Final = 0.5
_KEY_S: Final = 5.0
_LATE_WRITER_S: Final = 4.0
_FOREVER: Final = float("-inf")

_CHANGES: Final = (
    *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
    *("AssociateKmsKey", "DisassociateKmsKey", "PutLogGroupDeletionProtection"),
)


def _named_group(request: Request) -> str:
    params = request.params
    reference = params.get("logGroupName") or params.get("logGroupIdentifier") or params["resourceIdentifier"]
    return str(reference).rpartition(":log-group:")[2]


def _notes_by_name(request: Request, about: str) -> dict[str, Any]:
    """Return notes about log groups by their names: such notes outlive the group."""
    by_name: dict[str, Any] = notes_on(request.backend("logs")).setdefault(about, {})
    return by_name


@timing(*_CHANGES)
def a_log_group_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Another change within half a second is refused."""
    changed = _notes_by_name(request, "changed")
    if request.simulation.now() - changed.get(_named_group(request), _FOREVER) < _BUSY_S:
        raise ServiceError(
            "OperationAbortedException",
            "A conflicting operation is currently in progress against this resource. Please try again.",
        )
    reply = proceed()
    changed[_named_group(request)] = request.simulation.now()
    return reply


@timing("CreateLogGroup", "AssociateKmsKey")
def a_key_reaches_logs_late(request: Request, proceed: Next) -> Reply:
    """CloudWatch Logs may not use a key for 5 s after it was made or its policy changed."""
    reference = request.params.get("kmsKeyId")
    key = key_of(request, reference) if reference else None
    if key is not None and not request.simulation.elapsed(key, POLICY_CHANGED, _KEY_S):
        arn = request.arn("logs", f"log-group:{_named_group(request)}")
        raise ServiceError(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )
    return proceed()


@timing("DeleteLogGroup")
def a_late_writer_is_not_done(request: Request, proceed: Next) -> Reply:
    """A late writer (Lambda after an invocation, RDS after a cluster) is remembered, if scripted."""
    reply = proceed()
    if request.simulation.next_outcome("logs.late_writer"):
        _notes_by_name(request, "late_writers")[_named_group(request)] = request.simulation.now() + _LATE_WRITER_S
    return reply


@timing("DescribeLogGroups", "ListTagsForResource", *_CHANGES)
def a_late_writer_makes_its_group_again(request: Request, proceed: Next) -> Reply:
    """A late writer makes its deleted group again, without retention, key and tags."""
    late = _notes_by_name(request, "late_writers")
    for name, at in list(late.items()):
        if at <= request.simulation.now():
            del late[name]
            if name not in request.backend("logs").groups:
                request.call("CreateLogGroup", logGroupName=name)
    return proceed()
