"""What IAM checks of each call: actions, their resources and conditions, by the Service Authorization Reference.

Written from AWS's side: nothing here knows what tapctl declares. `Guard` stands in front of the emulated AWS and denies
what a policy does not allow.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moto.backends import get_backend

from tapctl.sandbox.emulator.policies import ALLOWED, decide
from tests.support.door import Proceed, Refusal, Served, Visit, denied

ACCOUNT: Final = "123456789012"


@dataclass(frozen=True)
class Check:
    """An action on a resource, and the values of the condition keys."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = field(default_factory=dict)


# Operation to the resources of the action of its name; {X} is the request's parameter, or * where it has none. What is
# not here takes no resource.
_RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "cloudformation:DescribeStacks": ("cloudformation:stack/{StackName}/*",),
    "cloudwatch:DeleteAlarms": ("cloudwatch:alarm:{AlarmNames}",),
    "cloudwatch:GetAlarmMuteRule": ("cloudwatch:alarm-mute-rule:*",),
    "cloudwatch:ListAlarmMuteRules": ("cloudwatch:alarm-mute-rule:*",),
    "cloudwatch:ListTagsForResource": ("{ResourceARN}",),
    "cloudwatch:PutMetricAlarm": ("cloudwatch:alarm:{AlarmName}",),
    "cloudwatch:TagResource": ("{ResourceARN}",),
    "cloudwatch:UntagResource": ("{ResourceARN}",),
    "ec2:AuthorizeSecurityGroupEgress": ("ec2:security-group/{GroupId}",),
    "ec2:AuthorizeSecurityGroupIngress": ("ec2:security-group/{GroupId}",),
    "ec2:CreateSecurityGroup": ("ec2:security-group/*", "ec2:vpc/{VpcId}"),
    "ec2:CreateTags": ("ec2:security-group/{Resources}",),
    "ec2:DeleteSecurityGroup": ("ec2:security-group/{GroupId}",),
    "ec2:DeleteTags": ("ec2:security-group/{Resources}",),
    "ec2:DescribeVpcAttribute": ("ec2:vpc/{VpcId}",),
    "ec2:RevokeSecurityGroupEgress": ("ec2:security-group/{GroupId}",),
    "ec2:RevokeSecurityGroupIngress": ("ec2:security-group/{GroupId}",),
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress": ("ec2:security-group/{GroupId}",),
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress": ("ec2:security-group/{GroupId}",),
    "ecr:BatchGetImage": ("ecr:repository/{repositoryName}",),
    "ecr:DescribeImages": ("ecr:repository/{repositoryName}",),
    "ecr:GetDownloadUrlForLayer": ("ecr:repository/{repositoryName}",),
    "ecr:GetRepositoryPolicy": ("ecr:repository/{repositoryName}",),
    "kms:CreateAlias": ("kms:{AliasName}", "kms:key/{TargetKeyId}"),
    "ec2:GetManagedPrefixListEntries": ("ec2:prefix-list/{PrefixListId}",),
    "kms:DeleteAlias": ("kms:{AliasName}", "kms:key/{AliasName}"),
    "logs:DescribeMetricFilters": ("logs:log-group:{logGroupName}:*",),
    "logs:DescribeSubscriptionFilters": ("logs:log-group:{logGroupName}:*",),
    "logs:ListTagsForResource": ("{resourceArn}",),
    "logs:TagResource": ("{resourceArn}",),
    "logs:UntagResource": ("{resourceArn}",),
    "rds:AddTagsToResource": ("{ResourceName}",),
    "rds:CreateDBCluster": (
        *("rds:cluster:{DBClusterIdentifier}", "rds:cluster-pg:{DBClusterParameterGroupName}"),
        *("rds:subgrp:{DBSubnetGroupName}", "rds:og:default:aurora-postgresql-17"),
    ),
    "rds:CreateDBInstance": (
        *("rds:db:{DBInstanceIdentifier}", "rds:cluster:{DBClusterIdentifier}", "rds:pg:{DBParameterGroupName}"),
    ),
    "rds:DeleteDBCluster": ("rds:cluster:{DBClusterIdentifier}",),
    "rds:DescribeDBClusterAutomatedBackups": ("rds:cluster-auto-backup:*", "rds:cluster:*"),
    "rds:DescribeDBClusterSnapshots": ("rds:cluster:{DBClusterIdentifier}", "rds:cluster-snapshot:*"),
    "rds:DescribeDBClusterSnapshotAttributes": ("rds:cluster-snapshot:{DBClusterSnapshotIdentifier}",),
    "rds:DescribeDBInstanceAutomatedBackups": ("rds:auto-backup:*", "rds:db:*"),
    "rds:DescribeDBSnapshots": ("rds:db:*", "rds:snapshot:*"),
    "rds:DescribeBlueGreenDeployments": ("rds:deployment:*",),
    "rds:DescribeIntegrations": ("rds:integration:*",),
    "rds:DisableHttpEndpoint": ("{ResourceArn}",),
    "rds:ListTagsForResource": ("{ResourceName}",),
    "rds:ModifyDBCluster": ("rds:cluster:{DBClusterIdentifier}",),
    "rds:ModifyDBInstance": ("rds:db:{DBInstanceIdentifier}",),
    "rds:RemoveTagsFromResource": ("{ResourceName}",),
    "rds:RestoreDBClusterFromSnapshot": (
        *("rds:cluster:{DBClusterIdentifier}", "rds:cluster-pg:{DBClusterParameterGroupName}"),
        *("rds:subgrp:{DBSubnetGroupName}", "rds:og:default:aurora-postgresql-17"),
        "rds:cluster-snapshot:{SnapshotIdentifier}",
    ),
    "lambda:DeleteResourcePolicy": ("{ResourceArn}",),
    "lambda:TagResource": ("{Resource}",),
    "lambda:UntagResource": ("{Resource}",),
    "sns:CreateTopic": ("sns:{Name}",),
    "ssm:GetParameters": ("ssm:parameter{Names}",),
}
_UNSCOPED: Final = frozenset(
    {
        *(
            "cloudwatch:DescribeAlarms",
            "ec2:DescribeManagedPrefixLists",
            "ec2:DescribeSnapshots",
            "ec2:DescribeVolumes",
            "ssm:DescribeParameters",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeRouteTables",
            "ec2:DescribeVpcEndpoints",
        ),
        *("ec2:DescribeSecurityGroupVpcAssociations", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
        *("ec2:DescribeVpcs", "iam:ListRoles", "kms:CreateKey", "kms:ListAliases", "kms:ListKeys"),
        *("lambda:GetAccountSettings", "lambda:ListCapacityProviders", "lambda:ListEventSourceMappings"),
        *("lambda:ListFunctions", "logs:DescribeLogGroups", "logs:ListScheduledQueries"),
        *("rds:DescribeAccountAttributes", "rds:DescribeDBEngineVersions", "rds:DescribeExportTasks"),
        *("rds:DescribeEvents", "rds:DescribeOrderableDBInstanceOptions", "secretsmanager:ListSecrets"),
        *("servicequotas:GetServiceQuota", "sns:ListTopics", "tag:GetResources"),
    }
)
# Everything else of these services is about the one thing that this parameter names.
_BY_PARAMETER: Final = (
    ("iam:SimulatePrincipalPolicy", "PolicySourceArn", "arn:aws:iam::123456789012:role/tapctl-change-dev"),
    ("iam:", "RoleName", "arn:aws:iam::123456789012:role/{}"),
    ("kms:", "KeyId", "kms:key/{}"),
    ("lambda:", "FunctionName", "lambda:function:{}"),
    ("logs:", "logGroupName", "logs:log-group:{}:*"),
    ("logs:", "logGroupIdentifier", "logs:log-group:{}:*"),
    ("secretsmanager:", "SecretId", "{}"),
    ("sns:", "TopicArn", "{}"),
    ("sns:", "ResourceArn", "{}"),
    ("rds:", "DBClusterParameterGroupName", "rds:cluster-pg:{}"),
    ("rds:", "DBParameterGroupName", "rds:pg:{}"),
    ("rds:", "DBSubnetGroupName", "rds:subgrp:{}"),
    ("rds:", "SubscriptionName", "rds:es:{}"),
    ("rds:", "DBInstanceIdentifier", "rds:db:{}"),
    ("rds:", "DBClusterIdentifier", "rds:cluster:{}"),
)
_KINDS: Final = {
    "rds:DescribeDBClusters": "cluster",
    "rds:DescribeDBInstances": "db",
    "rds:DescribeDBSubnetGroups": "subgrp",
    "rds:DescribeDBParameterGroups": "pg",
    "rds:DescribeDBClusterParameterGroups": "cluster-pg",
    "rds:DescribeEventSubscriptions": "es",
}
"""Lists that may be of one resource: its kind."""
_NAME: Final = re.compile(r"{(\w+)}")


def checks(visit: Visit) -> list[Check]:
    """What IAM checks of this call."""
    name = visit.name.replace("resourcegroupstaggingapi:", "tag:").replace("service-quotas:", "servicequotas:")
    if name == "sts:GetCallerIdentity":  # needs no permission
        return []
    assert visit.request is not None
    region, params = visit.request.region, visit.params
    own = _own_context(name, params)
    found = [Check(name, resource, own) for resource in _resources(name, region, params)]
    found += _further(name, region, params)
    return [Check(each.action, each.resource, {**_tags_of(each.resource), **each.context}) for each in found]


def _resources(name: str, region: str, params: Mapping[str, Any]) -> list[str]:
    if name in _UNSCOPED:
        return ["*"]
    if name in _RESOURCES:
        return [arn for template in _RESOURCES[name] for arn in _filled(template, region, params)]
    for prefix, parameter, template in _BY_PARAMETER:
        if name.startswith(prefix) and parameter in params:
            return _filled(template.replace("{}", f"{{{parameter}}}"), region, params)
    return [_arn(region, f"rds:{_KINDS[name]}:*")]


def _filled(template: str, region: str, params: Mapping[str, Any]) -> list[str]:
    named = _NAME.search(template)
    if named is None:
        return [_arn(region, template)]
    values = params.get(named[1], "*")
    return [
        _arn(region, template.replace(named[0], _key_id(region, value) if template.startswith("kms:key/") else value))
        for value in (values if isinstance(values, list) else [values])
    ]


def _arn(region: str, text: str) -> str:
    service, _, resource = text.partition(":")
    return text if service == "arn" else f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def _key_id(region: str, name: str) -> str:
    """The id of a key that a call names by id, ARN or alias."""
    keys = _state("kms", region)
    named: str | None = keys.get_key_id_from_alias(name) if name.startswith("alias/") else keys.get_key_id(name)
    return named or name


def _own_context(name: str, params: Mapping[str, Any]) -> dict[str, list[str]]:
    """The condition keys that the request itself has."""
    context = {f"aws:RequestTag/{key}": [value] for key, value in _request_tags(params).items()}
    if "PendingWindowInDays" in params:
        context["kms:ScheduleKeyDeletionPendingWindowInDays"] = [str(params["PendingWindowInDays"])]
    if name.startswith("iam:") and params.get("PermissionsBoundary"):
        context["iam:PermissionsBoundary"] = [params["PermissionsBoundary"]]
    return context


def _request_tags(params: Mapping[str, Any]) -> dict[str, str]:
    listed = params.get("Tags", params.get("tags", []))
    if isinstance(listed, dict):
        return listed
    listed = listed or [tag for each in params.get("TagSpecifications", []) for tag in each["Tags"]]
    return {tag.get("Key", tag.get("TagKey")): tag.get("Value", tag.get("TagValue", "")) for tag in listed}


def _further(name: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    """What AWS checks beside: what a call passes on, and what a service does as its caller."""
    for operations, find in _BESIDE.items():
        if name in operations.split():
            yield from find(name, region, params)
    for action, resource in _TAGGING.get(name, ()):
        context = _own_context(name, params)
        if context:
            for arn in _filled(resource, region, params):
                yield Check(action, arn, {**context, **_CREATED.get(name, {})})


# Creates with tags: the action and the resource of their tagging.
_TAGGING: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "rds:CreateDBCluster": (("rds:AddTagsToResource", "rds:cluster:{DBClusterIdentifier}"),),
    "rds:RestoreDBClusterFromSnapshot": (("rds:AddTagsToResource", "rds:cluster:{DBClusterIdentifier}"),),
    "rds:CreateDBInstance": (("rds:AddTagsToResource", "rds:db:{DBInstanceIdentifier}"),),
    "rds:CreateDBSubnetGroup": (("rds:AddTagsToResource", "rds:subgrp:{DBSubnetGroupName}"),),
    "rds:CreateDBParameterGroup": (("rds:AddTagsToResource", "rds:pg:{DBParameterGroupName}"),),
    "rds:CreateDBClusterParameterGroup": (("rds:AddTagsToResource", "rds:cluster-pg:{DBClusterParameterGroupName}"),),
    "rds:CreateEventSubscription": (("rds:AddTagsToResource", "rds:es:{SubscriptionName}"),),
    "lambda:CreateFunction": (("lambda:TagResource", "lambda:function:{FunctionName}"),),
    "logs:CreateLogGroup": (("logs:TagResource", "logs:log-group:{logGroupName}"),),
    "sns:CreateTopic": (("sns:TagResource", "sns:{Name}"),),
    "cloudwatch:PutMetricAlarm": (("cloudwatch:TagResource", "cloudwatch:alarm:{AlarmName}"),),
    "iam:CreateRole": (("iam:TagRole", "arn:aws:iam::123456789012:role/{RoleName}"),),
    "kms:CreateKey": (("kms:TagResource", "kms:key/new"),),
    "ec2:CreateSecurityGroup": (("ec2:CreateTags", "ec2:security-group/new"),),
}
_CREATED: Final = {"ec2:CreateSecurityGroup": {"ec2:CreateAction": ["CreateSecurityGroup"]}}


def _of_new_cluster(_: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    for service in ("rds", "secretsmanager"):
        yield from _as_caller(region, service, params["KmsKeyId"], "GenerateDataKey")
    secret = _arn(region, "secretsmanager:secret:rds!cluster-0f1e-AbCdEf")
    yield Check("secretsmanager:CreateSecret", secret)
    yield Check("secretsmanager:TagResource", secret)


def _of_first_use(_: str, __: str, ___: Mapping[str, Any]) -> Iterator[Check]:
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
    yield Check("iam:CreateServiceLinkedRole", linked, {"iam:AWSServiceName": ["rds.amazonaws.com"]})


def _of_groups(name: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    kinds = {"DBClusterParameterGroupName": "cluster-pg", "DBParameterGroupName": "pg"}
    kinds |= {"DBInstanceParameterGroupName": "pg"}
    for parameter in kinds.keys() & params.keys():
        yield Check(name, _arn(region, f"rds:{kinds[parameter]}:{params[parameter]}"))


def _of_final_snapshot(name: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    if snapshot := params.get("FinalDBSnapshotIdentifier"):
        taken = _arn(region, f"rds:cluster-snapshot:{snapshot}")
        cluster = _arn(region, f"rds:cluster:{params['DBClusterIdentifier']}")
        yield from (Check(action, taken) for action in (name, "rds:AddTagsToResource", "rds:CreateDBClusterSnapshot"))
        yield Check("rds:CreateDBClusterSnapshot", cluster)


def _of_tags_of_function(_: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    yield Check("lambda:ListTags", _arn(region, f"lambda:function:{params['FunctionName']}"))


def _of_function(_: str, region: str, params: Mapping[str, Any]) -> Iterator[Check]:
    if role := params.get("Role"):
        yield Check("iam:PassRole", role, {"iam:PassedToService": ["lambda.amazonaws.com"]})
    if "VpcConfig" in params:
        yield from (Check(f"ec2:Describe{what}", "*") for what in ("SecurityGroups", "Subnets", "Vpcs"))
    if params.get("KMSKeyArn"):
        yield from _as_caller(region, "lambda", params["KMSKeyArn"], "Encrypt")
    uri = params.get("ImageUri") or params.get("Code", {}).get("ImageUri")
    if uri:
        repository = uri.partition("/")[2].partition("@")[0]
        for action in ("BatchGetImage", "GetDownloadUrlForLayer", "GetRepositoryPolicy", "SetRepositoryPolicy"):
            yield Check(f"ecr:{action}", _arn(region, f"ecr:repository/{repository}"))


def _as_caller(region: str, service: str, key: str, use: str) -> Iterator[Check]:
    """The use of a key by a service in its caller's name."""
    via = {"kms:ViaService": [f"{service}.{region}.amazonaws.com"]}
    for action in ("Decrypt", "DescribeKey", use):
        yield Check(f"kms:{action}", key, via)
    yield Check("kms:CreateGrant", key, {**via, "kms:GrantIsForAWSResource": ["true"]})


_BESIDE: Final[Mapping[str, Callable[[str, str, Mapping[str, Any]], Iterator[Check]]]] = {
    "rds:CreateDBCluster rds:RestoreDBClusterFromSnapshot": _of_new_cluster,
    "rds:CreateDBSubnetGroup": _of_first_use,
    "rds:ModifyDBCluster rds:ModifyDBInstance": _of_groups,
    "rds:DeleteDBCluster": _of_final_snapshot,
    "lambda:CreateFunction lambda:UpdateFunctionConfiguration lambda:UpdateFunctionCode": _of_function,
    "lambda:GetFunction": _of_tags_of_function,
}


# -- the tags of what is there ----------------------------------------------------------------------------------------


def _state(service: str, region: str) -> Any:
    by_name: Any = get_backend  # moto types each name apart
    backends = by_name(service)
    return backends[ACCOUNT][region]


def _tags_of(arn: str) -> dict[str, list[str]]:
    """The condition keys that a key, a security group or a secret has."""
    parts = arn.split(":", 5)
    if arn == "*" or parts[2] not in ("kms", "ec2", "secretsmanager"):
        return {}
    state, kind = _state(parts[2], parts[3]), parts[5].partition("/")[0]
    tags: Mapping[str, str] = {}
    more: dict[str, list[str]] = {}
    if kind == "key" and (key := state.keys.get(parts[5].partition("/")[2])):
        tags = state.tagger.get_tag_dict_for_resource(key.id)
        more = {"kms:ResourceAliases": sorted(key.aliases)}
    if kind == "security-group" and (group := state.get_security_group_from_id(parts[5].partition("/")[2])):
        tags = {tag["key"]: tag["value"] for tag in group.get_tags()}
    if parts[2] == "secretsmanager" and (secret := state.secrets.get(arn)):
        tags = {tag["Key"]: tag["Value"] for tag in secret.tags or []}
    return {**more, **{f"aws:ResourceTag/{key}": [value] for key, value in tags.items()}}


class Guard:
    """Denies each call that the policy does not allow; remembers what was checked."""

    def __init__(self, policy: Mapping[str, Any]) -> None:
        self.policy = policy
        self.seen: dict[str, Check] = {}
        self._lock = threading.Lock()

    def __call__(self, visit: Visit, proceed: Proceed) -> Served:
        """Serve the call, or deny it as AWS does."""
        for check in checks(visit):
            if decide([self.policy], check.action, check.resource, check.context) != ALLOWED:
                service = visit.name.partition(":")[0]
                refusal = denied(visit.name)
                text = f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: {check.action}"
                raise Refusal(
                    refusal.code, f"{text} on resource: {check.resource} because no {service} policy allows it"
                )
            with self._lock:
                self.seen.setdefault(
                    json.dumps([check.action, check.resource, dict(check.context)], sort_keys=True), check
                )
        return proceed()


def unneeded(policy: Mapping[str, Any], seen: Iterable[Check]) -> list[tuple[str, str]]:
    """Sid and action of all that may be taken from the policy, and everything that was checked is still allowed."""
    checked = list(seen)
    found = []
    for statement in policy["Statement"]:
        if statement["Effect"] == "Deny":
            continue
        for action in statement["Action"]:
            left = [each for each in statement["Action"] if each != action]
            others = [each if each is not statement else {**each, "Action": left} for each in policy["Statement"]]
            smaller = {**policy, "Statement": others}
            if all(
                decide([smaller], check.action, check.resource, check.context) == ALLOWED
                for check in checked
                if check.action == action
            ):
                found.append((statement["Sid"], action))
    return found
