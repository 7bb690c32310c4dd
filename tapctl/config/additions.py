"""The types of what an organisation prescribes and a team adds: all of it but the subscribers equal everywhere.

Texts that name something in AWS may hold the tokens of `tapctl.names.TOKENS`, which the stack fills in. Bounds are
those of the services' API references and quotas pages as of 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from tapctl.config.types import did_you_mean, rule_error
from tapctl.names import EXTRA_ALARM, MAX_ALARM_NAME, OUR_STATEMENTS, OUR_VARIABLES, TOKENS
from tapctl.safety.hidden_values import HIDDEN_TEXT
from tapctl.safety.identities import BECOMES_ROOT, IDENTITY_SERVICES, READING
from tapctl.safety.redaction import hide_path, is_secret

_TOKENS_RULE: Final = ", ".join(f"{{{token}}}" for token in TOKENS)
_TOKEN: Final = re.compile(r"(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


def known_tokens(text: str) -> str:
    """Make sure that each ``{name}`` in the text is a token."""
    return _known_tokens(text, ())


def _known_tokens(text: str, of_aws: tuple[str, ...]) -> str:
    for dollar, token in _TOKEN.findall(text):
        if token in of_aws:
            continue
        if token not in TOKENS:
            near = did_you_mean(token, {each: f"{{{each}}}" for each in TOKENS})
            raise rule_error(f"{{{token}}} is no token; filled in are {_TOKENS_RULE}{near}")
        if dollar:
            raise rule_error(f"${{{token}}} is no token; write {{{token}}}, without the $")
    return text


def array(count: int, what: str) -> Any:
    """Describe an array of at most ``count``; TOML has arrays, no tuples."""
    return Field(strict=False, max_length=count, description=f"an array of at most {count} {what}")


def sorted_by(*keys: str) -> AfterValidator:
    """Sort tables whose order means nothing by these keys: to AWS it is all the same, and so to the hash."""
    return AfterValidator(lambda items: tuple(sorted(items, key=attrgetter(*keys))))


def _different(items: tuple[str, ...]) -> tuple[str, ...]:
    """Sort texts whose order means nothing; one that is there twice was meant to be another."""
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        raise rule_error(f"has {hide_path(twice[0])} more than once")
    return tuple(sorted(items))


def _some(count: int, what: str) -> tuple[Any, AfterValidator]:
    """Describe an array of 1 to ``count`` texts. A lower bound of pydantic's would also count those that are wrong."""
    rule = f"an array of 1 to {count} {what}"

    def check(items: tuple[str, ...]) -> tuple[str, ...]:
        if not items:
            raise rule_error(f"must be {rule}")
        return _different(items)

    field = Field(strict=False, max_length=count, description=rule, json_schema_extra={"minItems": 1})
    return field, AfterValidator(check)


_OF_WHY: Final = r"a-zA-Z0-9._:/()#,@\[\]+=&;{}!$*"
Why = Annotated[
    str,
    Field(
        pattern=f"^[{_OF_WHY}-]([{_OF_WHY} -]{{0,198}}[{_OF_WHY}-])?$",
        description="the reason, in 1 to 200 letters, digits, spaces (none first or last) and ._-:/()#,@[]+=&;{}!$*",
    ),
]
"""Of these letters EC2 makes a rule's description, which is the narrowest place that a reason goes to."""

# -- the organisation -------------------------------------------------------------------------------------------------

_BRACED: Final = r"\{[A-Za-z_]+\}"
_PARTITION: Final = rf"(aws[a-z-]*|{_BRACED})"
_ACCOUNT: Final = rf"[0-9]{{12}}|{_BRACED}"
BOUNDARY_ARN: Final = rf"^arn:{_PARTITION}:iam::({_ACCOUNT}|aws):policy/[A-Za-z0-9_+=,.@/{{}}-]{{1,500}}$"
PermissionsBoundary = Annotated[
    str,
    Field(
        pattern=BOUNDARY_ARN,
        description="the ARN of an IAM policy, such as arn:{partition}:iam::{account_id}:policy/payments-boundary",
    ),
    AfterValidator(known_tokens),
]
_PATHS_OF_AWS: Final = ("/aws-reserved/", "/aws-service-role/")


def _role_path(path: str) -> str:
    if path.startswith(_PATHS_OF_AWS):
        raise rule_error(f"begins with a path that IAM keeps for itself: {', '.join(_PATHS_OF_AWS)}")
    return known_tokens(path)


RolePath = Annotated[
    str,
    Field(
        pattern="^/([A-Za-z0-9.,+@=_{}-]+/)*$",
        max_length=512,
        description="an IAM path of at most 512 letters, digits and .,+@=_-/, such as / or /payments/",
        json_schema_extra={"not": {"pattern": f"^({'|'.join(_PATHS_OF_AWS)})"}},
    ),
    AfterValidator(_role_path),
]

# -- the function -----------------------------------------------------------------------------------------------------

Architecture = Annotated[Literal["x86_64", "arm64"], Field(description='"x86_64" or "arm64"')]

# Lambda developer guide, "Defined runtime environment variables": the reserved ones.
_OF_LAMBDA: Final = (
    *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API"),
    *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API"),
    "AWS_LAMBDA_METADATA_TOKEN",
)
_VARIABLE: Final = "[a-zA-Z][a-zA-Z0-9_]{1,127}"
_ONE_LINE: Final = r"^[^\x00-\x1f\x7f]+$"
"""Without the longest length, which the field has: a pattern with a bound in the thousands takes 7 ms to compile."""
_VALUE_RULE: Final = "a string of 1 to 2048 characters on one line"
_MAX_VARIABLES: Final = 50
_MAX_VARIABLES_BYTES: Final = 3072
"""Of the 4 KB that Lambda takes for all variables of a function together (Lambda quotas); the rest is for ours."""


def _variable(name: str) -> str:
    if name in OUR_VARIABLES:
        raise rule_error(f"tapctl sets {', '.join(OUR_VARIABLES)} itself; choose another name")
    if name in _OF_LAMBDA:
        raise rule_error("is a variable that Lambda sets itself; choose another name")
    if not re.fullmatch(_VARIABLE, name):
        raise rule_error("a variable's name must be 2 to 128 letters, digits and underscores, a letter first")
    return name


def _value_itself(value: str) -> str:
    if re.fullmatch(HIDDEN_TEXT, value):
        raise rule_error("is what reports show in place of a value that may be a secret; write the value itself")
    return known_tokens(value)


def _variables(variables: dict[str, str]) -> dict[str, str]:
    size = sum(len(text.encode()) for pair in variables.items() for text in pair)
    if size > _MAX_VARIABLES_BYTES:
        raise rule_error(f"has {size} bytes of names and values, and Lambda has room for {_MAX_VARIABLES_BYTES}")
    return variables


Variables = Annotated[
    dict[
        Annotated[str, AfterValidator(_variable)],
        Annotated[
            str,
            Field(
                pattern=_ONE_LINE,
                max_length=2048,
                description=_VALUE_RULE,
                json_schema_extra={"not": {"pattern": f"^{HIDDEN_TEXT}$"}},
            ),
            AfterValidator(_value_itself),
        ],
    ],
    Field(
        max_length=_MAX_VARIABLES,
        description=f"at most {_MAX_VARIABLES} variables, each value {_VALUE_RULE}",
        json_schema_extra={
            "propertyNames": {"pattern": f"^{_VARIABLE}$", "not": {"enum": [*OUR_VARIABLES, *_OF_LAMBDA]}},
        },
    ),
    AfterValidator(_variables),
]

MAX_STATEMENTS: Final = 20
MAX_POLICY_CHARS: Final = 6000
"""Of the 10,240 that IAM takes of a role's inline policies together (IAM quotas); the rest is for ours."""


def _statement_id(sid: str) -> str:
    if sid in OUR_STATEMENTS:
        raise rule_error(f"is a statement that the policy has anyway ({', '.join(OUR_STATEMENTS)}); choose another id")
    return sid


StatementId = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9]{1,64}$",
        description="a statement's id of 1 to 64 letters and digits",
        json_schema_extra={"not": {"enum": [*OUR_STATEMENTS]}},
    ),
    AfterValidator(_statement_id),
]
_ACTION: Final = "[a-z0-9-]{1,64}:[A-Za-z0-9]{1,128}"


def _any_case(text: str) -> str:
    """A pattern for the text in upper and lower case: IAM tells no difference, and a JSON Schema knows no flag."""
    return "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in text)


_RAISES: Final = (
    # Who may use a thing is written by its own policy, or by a grant.
    *("kms:PutKeyPolicy", "kms:CreateGrant", "secretsmanager:PutResourcePolicy", "lambda:AddPermission"),
    *("lambda:AddLayerVersionPermission", "s3:PutBucketPolicy", "s3:PutBucketAcl", "s3:PutAccessPointPolicy"),
    *("sns:AddPermission", "sqs:AddPermission", "ecr:SetRepositoryPolicy", "dynamodb:PutResourcePolicy"),
    BECOMES_ROOT,
    # What runs as somebody else is given other code.
    *("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "cloudformation:UpdateStack"),
    *("cloudformation:CreateStack", "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"),
    *("codebuild:StartBuild", "codebuild:UpdateProject", "glue:UpdateDevEndpoint", "ssm:SendCommand"),
    *("ssm:StartSession", "ecs:ExecuteCommand", "ec2-instance-connect:SendSSHPublicKey"),
)
"""Actions of other services by which the function could get rights that its role has not (a known list, no proof)."""
_IDENTITY: Final = (
    f"({'|'.join(_any_case(each) for each in IDENTITY_SERVICES)}):(?!({'|'.join(_any_case(each) for each in READING)}))"
)
_REFUSED: Final = f"{_IDENTITY}.*|({'|'.join(_any_case(each) for each in _RAISES)})"
ASSUMES: Final = re.compile(_any_case("sts:AssumeRole"))
"""The action that makes the function somebody else."""
_HANDS_OUT: Final = _any_case("iam:PassRole")
_ACTION_RULE: Final = "an IAM action without a wildcard, such as sqs:SendMessage"


def _action(action: str) -> str:
    if re.search("[*?]", action):
        raise rule_error(f"is a wildcard: it allows what nobody has read; must be {_ACTION_RULE}")
    if re.fullmatch(_HANDS_OUT, action):
        raise rule_error("would let the function hand out roles: it is never allowed")
    if re.fullmatch(_REFUSED, action):
        raise rule_error("would let the function raise its own rights, or others': it is never allowed")
    if not re.fullmatch(_ACTION, action):
        raise rule_error(f"must be {_ACTION_RULE}")
    return action


Action = Annotated[
    str,
    AfterValidator(_action),
    Field(
        description=_ACTION_RULE, json_schema_extra={"pattern": f"^{_ACTION}$", "not": {"pattern": f"^({_REFUSED})$"}}
    ),
]
# A policy's variable, such as ${aws:username}, is IAM's own.
RESOURCE: Final = rf"^(\*|arn:{_PARTITION}:[a-z0-9-]+:[a-z0-9*{{}}_-]*:({_ACCOUNT}|aws|\*)?:[!#-\[\]-~]{{1,500}})$"
StatementResource = Annotated[
    str,
    Field(
        pattern=RESOURCE,
        description="an ARN, such as arn:{partition}:sqs:{region}:{account_id}:payments-events-{suffix}; or *",
    ),
    AfterValidator(known_tokens),
]
Actions = Annotated[tuple[Action, ...], *_some(50, "actions")]
Resources = Annotated[tuple[StatementResource, ...], *_some(20, "ARNs")]
_EVERYTHING: Final = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:[*?/]+")


def is_everything(resource: str) -> bool:
    """True if the resource is ``*``, or everything that a service has."""
    return _EVERYTHING.fullmatch(resource) is not None


Port = Annotated[int, Field(ge=1, le=65535, description="a port: a whole number from 1 to 65535")]
_PEER_RULE: Final = "a CIDR block (10.20.0.0/16, 2001:db8::/32), a prefix list (pl-…) or a security group (sg-…)"


def _peer(peer: str) -> str:
    if re.fullmatch("(pl|sg)-[0-9a-f]{8,17}", peer):
        return peer
    try:
        canonical = str(ip_network(peer, strict=False)) if "/" in peer else ""
    except ValueError:
        canonical = ""
    if not canonical or canonical != peer:
        raise rule_error(f"must be {_PEER_RULE}{f'; did you mean {canonical}?' if canonical else ''}")
    return peer


Peer = Annotated[
    str,
    Field(
        description=_PEER_RULE,
        json_schema_extra={"pattern": "^((pl|sg)-[0-9a-f]{8,17}|[0-9a-f.:]+/[0-9]{1,3})$"},
    ),
    AfterValidator(_peer),
]
MAX_EGRESS: Final = 50
"""EC2 takes 60 rules of a group each way by default (Amazon VPC quotas)."""

# -- the database -----------------------------------------------------------------------------------------------------

_PARAMETER: Final = "[a-z][a-z0-9_]{0,62}([.][a-z][a-z0-9_]{0,62})?"
_PARAMETER_VALUE_RULE: Final = "a string of 1 to 1000 characters on one line, as RDS takes it"
_MAX_PARAMETERS: Final = 100
OUR_PARAMETERS: Final[Mapping[str, str]] = {
    "log_statement": "it is database.log_statement",
    "log_min_duration_statement": "it is database.log_min_duration_statement_ms",
    "log_connections": "every connection is logged",
    "log_disconnections": "every connection's end is logged",
    "rds.force_ssl": "no connection goes without TLS",
    "shared_preload_libraries": "it follows from the parameters that are set (auto_explain.…, pgaudit.…)",
    "pg_stat_statements.track": "every statement's statistics are kept",
}
"""The parameters that the stack sets, each with its reason."""
# RDS user guide, "Specifying DB parameters": the variables of its formulas.
_OF_RDS: Final = ("AllocatedStorage", "DBInstanceClassMemory", "DBInstanceVCPU", "EndPointPort", "TrueIfReplica")


def _parameter(name: str) -> str:
    if name in OUR_PARAMETERS:
        raise rule_error(f"tapctl sets it: {OUR_PARAMETERS[name]}")
    if not re.fullmatch(_PARAMETER, name):
        raise rule_error("a parameter's name must be lower-case letters, digits and underscores, with at most one dot")
    return name


Parameters = Annotated[
    dict[
        Annotated[str, AfterValidator(_parameter)],
        Annotated[
            str,
            Field(pattern=_ONE_LINE, max_length=1000, description=_PARAMETER_VALUE_RULE),
            AfterValidator(lambda value: _known_tokens(value, _OF_RDS)),
        ],
    ],
    Field(
        max_length=_MAX_PARAMETERS,
        description=f"at most {_MAX_PARAMETERS} parameters, each value {_PARAMETER_VALUE_RULE}",
        json_schema_extra={
            "propertyNames": {"pattern": f"^{_PARAMETER}$", "not": {"enum": [*OUR_PARAMETERS]}},
        },
    ),
]

# -- alarms -----------------------------------------------------------------------------------------------------------

MAX_EXTRA_ALARMS: Final = 20
AlarmName = Annotated[
    str,
    Field(
        pattern=f"^{EXTRA_ALARM}$",
        max_length=MAX_ALARM_NAME,
        description=f"a name of at most {MAX_ALARM_NAME} lower-case letters, digits and single hyphens, a letter first",
    ),
]
AlarmOf = Annotated[
    Literal["function", "cluster", "instance", "custom"],
    Field(description='"function", "cluster", "instance", or "custom" with a namespace and dimensions'),
]
Metric = Annotated[
    str, Field(pattern=r"^[!-~]([ -~]{0,253}[!-~])?$", description="a metric's name of 1 to 255 characters of ASCII")
]
Namespace = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9._/#-][A-Za-z0-9 ._/#-]{0,254}$",
        description="a namespace of 1 to 255 letters, digits, spaces and ._/#-, such as AWS/SQS",
    ),
]
_DIMENSION_RULE: Final = "a string of 1 to 1024 characters of ASCII"
Dimensions = Annotated[
    dict[
        Annotated[str, Field(pattern="^[!-9;-~]([ -~]{0,253}[!-~])?$")],
        Annotated[
            str,
            Field(pattern="^[!-~]([ -~]{0,1022}[!-~])?$", description=_DIMENSION_RULE),
            AfterValidator(known_tokens),
        ],
    ],
    Field(min_length=1, max_length=30, description=f"1 to 30 dimensions, each value {_DIMENSION_RULE}"),
]
STATISTICS: Final = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
Statistic = Annotated[
    str,
    Field(
        pattern=f"^({'|'.join(STATISTICS)}|IQM|(p|tm|tc|ts|wm)([0-9]|[1-9][0-9])([.][0-9]{{1,2}})?|p100)$",
        description=f"{', '.join(STATISTICS)}, or a percentile such as p95 (also tm95, tc95, ts95, wm95, IQM)",
    ),
]
Comparison = Annotated[Literal["<", "<=", ">", ">="], Field(description='"<", "<=", ">" or ">="')]
Threshold = Annotated[
    float,
    Field(ge=-(2**53), le=2**53, allow_inf_nan=False, description="a number from -2^53 to 2^53, in the metric's unit"),
]
MINUTE_S: Final = 60
_DAY_S: Final = 86_400
_HOUR_S: Final = 3600


def _period(seconds: int) -> int:
    if seconds not in (10, 20, 30) and seconds % MINUTE_S:
        raise rule_error(f"must be {_PERIOD_RULE}")
    return seconds


_PERIOD_RULE: Final = f"a whole number of seconds: 10, 20, 30, or whole minutes up to a day ({_DAY_S})"
Period = Annotated[
    int,
    Field(
        ge=10,
        le=_DAY_S,
        description=_PERIOD_RULE,
        json_schema_extra={"anyOf": [{"enum": [10, 20, 30]}, {"multipleOf": MINUTE_S}]},
    ),
    AfterValidator(_period),
]
Periods = Annotated[int, Field(ge=1, le=1440, description="a whole number of periods from 1 to 1440")]


def longest_window_s(period_s: int) -> int:
    """The longest time that an alarm looks back: a day, or a week of periods of an hour or more (PutMetricAlarm)."""
    return 7 * _DAY_S if period_s >= _HOUR_S else _DAY_S


# -- subscribers ------------------------------------------------------------------------------------------------------

MAX_SUBSCRIBERS: Final = 50
_PORT: Final = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # up to 65535
_PATH: Final = rf"([A-Za-z0-9_.+=,@:/-]|{_BRACED})"
SUBSCRIBER: Final = (
    r"(email:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}"
    rf"|https://[A-Za-z0-9-]{{1,63}}(\.[A-Za-z0-9-]{{1,63}}){{1,8}}(:{_PORT})?(/{_PATH}{{0,200}})?"
    rf"|arn:{_PARTITION}:(sqs|lambda):([a-z0-9-]{{5,30}}|{_BRACED}):({_ACCOUNT}):([A-Za-z0-9_.:-]|{_BRACED}){{1,170}})"
)
_SUBSCRIBER_RULE: Final = (
    '"email:…", "https://…" (of letters, digits and _.+=,@:/- alone), or the ARN of an SQS queue or a Lambda function'
)


def _subscriber(subscriber: str) -> str:
    if subscriber.startswith("http://"):
        raise rule_error(f"would send alarms in the clear; must be {_SUBSCRIBER_RULE}")
    if is_secret(subscriber) or re.match("https://[^/]*@", subscriber):
        raise rule_error(f"holds what looks like a secret; must be {_SUBSCRIBER_RULE}")
    if not re.fullmatch(SUBSCRIBER, subscriber):
        raise rule_error(f"must be {_SUBSCRIBER_RULE}")
    return known_tokens(subscriber)


Subscriber = Annotated[
    str,
    Field(description=_SUBSCRIBER_RULE, json_schema_extra={"pattern": f"^{SUBSCRIBER}$"}),
    AfterValidator(_subscriber),
]
Subscribers = Annotated[
    tuple[Subscriber, ...],
    array(MAX_SUBSCRIBERS, f"subscribers, each {_SUBSCRIBER_RULE}"),
    AfterValidator(_different),
]
