"""The policies of the stack: of the key, of the function's role, and of the alarm topic."""

from __future__ import annotations

from collections.abc import Iterable

from tapctl.aws.policy import Condition, PolicyDocument, Statement, allow, policy, when
from tapctl.config.schema import ExtraAlarm, Permission
from tapctl.names import Names
from tapctl.regions import principal_of, via_service

_USE_KEY = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
_RDS_EVENTS = "events.rds"
# Lambda's own service manages the function's network interfaces with the function's role. AWS can scope none of these
# to a resource: the Describe actions take none, and Lambda checks the others on "*" before it creates the function.
_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
# X-Ray's write actions know no resources.
_TRACES = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")


def key_policy(names: Names, alarms: Iterable[ExtraAlarm] = ()) -> PolicyDocument:
    """The key's policy: the account decides by IAM, and the services that act as themselves are let in narrowly.

    CloudWatch Logs, CloudWatch and RDS's events are such services: each may do what its statement says, for our log
    groups, our alarms and our account alone. RDS itself, Secrets Manager and Lambda act with the caller's rights (and
    grants made from them). Their statements, told by kms:ViaService, have the account as their principal, as the first
    has: they delegate to IAM a part of what that one delegates already, and so add nothing and narrow nothing. They say
    in one place what uses the key. Source:
    KMS developer guide, "Key policies" and "Condition keys".
    """
    return policy(
        allow("AccountDecidesByIam", ["kms:*"], ["*"], to={"AWS": names.account}),
        *_via_service(names, "Database", "rds"),
        *_via_service(names, "DatabaseSecret", "secretsmanager"),
        *_via_service(names, "FunctionEnvironment", "lambda"),
        allow(
            "LogGroups",
            _USE_KEY,
            ["*"],
            to={"Service": principal_of("logs", names.region)},
            when=[
                when(
                    "ArnEquals",
                    "kms:EncryptionContext:aws:logs:arn",
                    names.log_group_arn(names.function_log_group),
                    names.log_group_arn(names.database_log_group),
                )
            ],
        ),
        allow(
            "AlarmTopic",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            ["*"],
            to={"Service": principal_of("cloudwatch", names.region)},
            when=_from_our_alarms(names, alarms),
        ),
        # By the account alone: of RDS's use of a key for a topic no aws:SourceArn is documented (SNS developer guide,
        # "Enable compatibility between event sources from AWS services and encrypted topics").
        allow(
            "DatabaseEvents",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            ["*"],
            to={"Service": principal_of(_RDS_EVENTS, names.region)},
            when=[_from_our_account(names)],
        ),
    )


def _via_service(names: Names, sid: str, service: str) -> tuple[Statement, Statement]:
    caller = (
        when("StringEquals", "kms:CallerAccount", names.account),
        when("StringEquals", "kms:ViaService", *via_service(service, names.region)),
    )
    to = {"AWS": names.account}
    return (
        allow(f"{sid}Use", _USE_KEY, ["*"], to=to, when=caller),
        allow(
            f"{sid}Grant",
            ["kms:CreateGrant"],
            ["*"],
            to=to,
            when=[*caller, when("Bool", "kms:GrantIsForAWSResource", "true")],
        ),
    )


def _from_our_account(names: Names) -> Condition:
    return when("StringEquals", "aws:SourceAccount", names.account)


def _from_our_alarms(names: Names, alarms: Iterable[ExtraAlarm]) -> list[Condition]:
    extra = [
        pattern
        for alarm in alarms
        for pattern in names.extra_alarm_patterns(alarm.name, numbered=alarm.of == "instance")
    ]
    return [
        _from_our_account(names),
        when("ArnLike", "aws:SourceArn", *names.alarm_arn_patterns, *extra),
    ]


def topic_policy(names: Names, alarms: Iterable[ExtraAlarm] = ()) -> PolicyDocument:
    """The topic's policy: only this environment's alarms and its database's events publish; people subscribe by IAM."""
    return policy(
        allow(
            "AlarmsPublish",
            ["sns:Publish"],
            [names.topic_arn],
            to={"Service": principal_of("cloudwatch", names.region)},
            when=_from_our_alarms(names, alarms),
        ),
        allow(
            "DatabaseEventsPublish",
            ["sns:Publish"],
            [names.topic_arn],
            to={"Service": principal_of(_RDS_EVENTS, names.region)},
            when=[_from_our_account(names), when("ArnLike", "aws:SourceArn", *names.event_arn_patterns)],
        ),
    )


def lambda_trust(names: Names) -> PolicyDocument:
    """The role's trust policy: only Lambda assumes the role, and for no other account where it says for which.

    AWS's own examples ask for aws:SourceAccount, and its documentation does not say that Lambda always sends the key:
    a request without it passes, since the function would not start otherwise.
    """
    account = when("StringEqualsIfExists", "aws:SourceAccount", names.account)
    to = {"Service": principal_of("lambda", names.region)}
    return policy(allow("Lambda", ["sts:AssumeRole"], to=to, when=[account]))


def function_policy(
    names: Names,
    *,
    key_arn: str,
    secret_arn: str,
    cluster_resource_id: str,
    database_user: str,
    more: Iterable[Permission] = (),
) -> PolicyDocument:
    """The role's policy: its logs, secret, database user and traces, and ``more`` that the team adds; nothing else.

    The rights on network interfaces are for Lambda's service alone: the function's own code is denied them by
    lambda:SourceFunctionArn, which is there only on calls made from inside the function. Source: Lambda developer
    guide, "Lambda execution role".
    """
    connect = (
        f"arn:{names.partition}:rds-db:{names.region}:{names.account}:dbuser:{cluster_resource_id}/{database_user}"
    )
    return policy(
        allow(
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"{names.log_group_arn(names.function_log_group)}:*"],
        ),
        allow("ReadDatabaseSecret", ["secretsmanager:GetSecretValue"], [secret_arn]),
        allow(
            "DecryptDatabaseSecret",
            ["kms:Decrypt"],
            [key_arn],
            when=[when("StringEquals", "kms:ViaService", *via_service("secretsmanager", names.region))],
        ),
        allow(
            "DecryptEnvironment",
            ["kms:Decrypt"],
            [key_arn],
            when=[when("StringEquals", "kms:EncryptionContext:aws:lambda:FunctionArn", names.function_arn)],
        ),
        allow("ConnectToDatabase", ["rds-db:connect"], [connect]),
        allow("Trace", _TRACES, ["*"]),
        allow("NetworkInterfaces", _INTERFACES, ["*"]),
        Statement(
            sid="NoNetworkInterfacesForTheCode",
            effect="Deny",
            actions=frozenset(_INTERFACES),
            resources=frozenset({"*"}),
            conditions=frozenset({when("ArnEquals", "lambda:SourceFunctionArn", names.function_arn)}),
        ),
        *(allow(added.sid, added.actions, map(names.fill, added.resources)) for added in more),
    )
