"""AWS's own tags: they show among the others, and nobody else sets or removes them.

Every tag whose key begins with ``aws:`` is AWS's (Tagging AWS Resources user guide, "Tag naming limits and
requirements"); those here are what CloudFormation gives whatever it imports. How a service refuses them is in its API
reference; the texts are ours.
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

TAG: Final = ("aws:cloudformation:stack-name", "imported")

# Service → the operations that tell tags, and those that are given some.
_OPERATIONS: Final = {
    "cloudwatch": (("ListTagsForResource",), ("PutMetricAlarm", "TagResource", "UntagResource")),
    "ec2": (("DescribeSecurityGroups",), ("CreateSecurityGroup", "CreateTags", "DeleteTags")),
    "iam": (("GetRole", "ListRoleTags"), ("CreateRole", "TagRole", "UntagRole")),
    "kms": (("ListResourceTags",), ("CreateKey", "TagResource", "UntagResource")),
    "lambda": (("GetFunction", "ListTags"), ("CreateFunction", "TagResource", "UntagResource")),
    "logs": (("ListTagsForResource",), ("CreateLogGroup", "TagResource", "UntagResource")),
    "rds": (
        ("DescribeDBClusters", "DescribeDBInstances", "ListTagsForResource"),
        (
            *("CreateDBCluster", "CreateDBInstance", "CreateDBSubnetGroup"),
            *("CreateDBParameterGroup", "CreateDBClusterParameterGroup"),
            *("AddTagsToResource", "RemoveTagsFromResource"),
        ),
    ),
    "resourcegroupstaggingapi": (("GetResources",), ()),
    "secretsmanager": (("DescribeSecret",), ("TagResource", "UntagResource")),
    "sns": (("ListTagsForResource",), ("CreateTopic", "TagResource", "UntagResource")),
}
_REFUSED: Final = {
    "cloudwatch": "InvalidParameterValue",
    "ec2": "InvalidParameterValue",
    "iam": "InvalidInput",
    "kms": "TagException",
    "lambda": "InvalidParameterValueException",
    "logs": "InvalidParameterException",
    "rds": "InvalidParameterValue",
    "secretsmanager": "InvalidParameterException",
    "sns": "InvalidParameter",
}
_TAGS: Final = ("Tags", "TagList", "tags")
_KEYS: Final = ("TagKeys", "tagKeys")
_TAKEN: Final = {"rds": ("aws:", "rds:")}


def tags_of_aws_show_among_the_others(_: Call, proceed: Proceed) -> Reply:
    """Wherever any are told."""
    reply: Reply = _with_ours(proceed())
    return reply


def _with_ours(told: Any) -> Any:
    """A copy: what was told may be kept by another rule."""
    if isinstance(told, dict):
        return {name: _more(value) if name in _TAGS and value else _with_ours(value) for name, value in told.items()}
    return [_with_ours(one) for one in told] if isinstance(told, list) else told


def _more(tags: Any) -> Any:
    if isinstance(tags, dict):
        return {**tags, TAG[0]: TAG[1]}
    names = ("TagKey", "TagValue") if "TagKey" in tags[0] else ("Key", "Value")
    return [*tags, dict(zip(names, TAG, strict=True))]


def nobody_else_has_tags_of_aws(call: Call, proceed: Proceed) -> Reply:
    """They are neither given nor taken away."""
    taken = _TAKEN.get(call.service, ("aws:",))
    if any(key.startswith(taken) for key in _named(call.params)):
        raise Fault(_REFUSED[call.service], f"Tag keys that begin with {' or '.join(taken)} are reserved.")
    return proceed()


def _named(params: dict[str, Any]) -> list[str]:
    """The keys of all tags that a call names."""
    given = [params, *params.get("TagSpecifications", [])]
    keys = [key for one in given for name in _KEYS for key in one.get(name, [])]
    for tags in (one.get(name, []) for one in given for name in _TAGS):
        keys += tags if isinstance(tags, dict) else [one.get("Key") or one["TagKey"] for one in tags]
    return keys


def _of_service(service: str) -> Rules:
    tell, are_given = _OPERATIONS[service]
    rules = Rules(service)
    rules(*tell)(tags_of_aws_show_among_the_others)
    rules(*are_given)(nobody_else_has_tags_of_aws)
    return rules


RULES: Final = tuple(_of_service(service) for service in _OPERATIONS)
