"""The types of the values in the environment files, with the sets and bounds that AWS accepts.

A type's description is the rule a user reads, in the error ("must be …") and in the JSON Schema. Sets and bounds are
those of the services' API references and quotas pages as of 2026-11. A value that the service would refuse only after
minutes, or would accept and thereby make the stack unsafe, is refused here with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tapctl.config.instance_classes import INSTANCE_CLASSES
from tapctl.config.reserved_words import KEY_WORDS
from tapctl.names import MAX_INSTANCES, OUR_TAGS
from tapctl.regions import REGION, REGION_RULE, REGISTRY_HOST

_MAX_LISTED = 30
_LISTED_IN = "2026-11"
MAX_TAGS = 44
"""AWS takes 50 on a resource; tapctl sets five of its own on each, and a sixth (``tapctl:…``) on some. The fingerprint
of the record, a seventh on the key, is left where there is room."""


def rule_error(rule: str) -> PydanticCustomError:
    """Make the error of a value that breaks a rule, in the rule's own words."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


_LONGEST_WORD = 100


def did_you_mean(word: object, known: Mapping[str, str] | Iterable[str]) -> str:
    """``; did you mean x?``, or an empty text if no known word is close. A mapping has the text to show for a word."""
    shown = known if isinstance(known, Mapping) else {each: each for each in known}
    import difflib  # for a mistake alone

    # It takes the square of a word's length in time.
    close = difflib.get_close_matches(str(word), list(shown), n=1) if len(str(word)) <= _LONGEST_WORD else []
    return f"; did you mean {shown[close[0]]}?" if close else ""


@dataclass(frozen=True)
class OneOf:
    """Membership of an explicit set, with reasons (pattern, reason) for likely values that are not in the set.

    ``newer``: a pattern of values that came, or may come, after the set was written down: those are AWS's to judge.
    """

    description: str
    values: tuple[str, ...] | tuple[int, ...]
    reasons: tuple[tuple[str, str], ...] = ()
    newer: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed = {"enum": list(self.values)}
        return {**handler(schema), **({"anyOf": [listed, {"pattern": f"^({self.newer})$"}]} if self.newer else listed)}

    def _check(self, value: str | int) -> str | int:
        if value in self.values or (self.newer and re.fullmatch(self.newer, str(value))):
            return value
        for pattern, reason in self.reasons:
            if re.fullmatch(pattern, str(value)):
                raise rule_error(f"{reason}; must be {self.description}{self._listed()}")
        near = did_you_mean(value, map(str, self.values)) if isinstance(value, str) else ""
        raise rule_error(f"must be {self.description}{self._listed()}{near}")

    def _listed(self) -> str:
        listed = ": " + ", ".join(map(str, self.values)) if len(self.values) <= _MAX_LISTED else ""
        return f"{listed} (known in {_LISTED_IN}; of newer ones AWS is asked)" if self.newer else listed


# -- names and places -------------------------------------------------------------------------------------------------

ServiceName = Annotated[
    str,
    Field(
        pattern="^[a-z][a-z0-9-]*$",
        max_length=64,
        description="a name of at most 64 lower-case letters, digits and hyphens, a letter first",
    ),
]
ACCOUNT_ID = "^[0-9]{12}$"
AccountId = Annotated[str, Field(pattern=ACCOUNT_ID, description="an AWS account id: a string of 12 digits")]
Region = Annotated[str, Field(pattern=f"^{REGION}$", description=REGION_RULE)]
ROLE_ARN = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}$"
RoleArn = Annotated[
    str,
    Field(
        pattern=ROLE_ARN,
        description="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/deploy",
    ),
]
VpcId = Annotated[str, Field(pattern="^vpc-[0-9a-f]{8,17}$", description="the id of a VPC (vpc-…)")]
SubnetId = Annotated[str, Field(pattern="^subnet-[0-9a-f]{8,17}$", description="the id of a subnet (subnet-…)")]

_MIN_SUBNETS = 2
_MAX_SUBNETS = 16
_SUBNETS_RULE = f"an array of {_MIN_SUBNETS} to {_MAX_SUBNETS} different ids of subnets (subnet-…)"


def _subnets(ids: tuple[str, ...]) -> tuple[str, ...]:
    # A set: its order means nothing, to AWS and to the configuration's hash.
    different = tuple(sorted(set(ids)))
    if not _MIN_SUBNETS <= len(different) <= _MAX_SUBNETS:
        raise rule_error(f"must be {_SUBNETS_RULE}")
    return different


SubnetIds = Annotated[
    tuple[SubnetId, ...],
    Field(
        strict=False,  # TOML has arrays, no tuples
        description=_SUBNETS_RULE,
        json_schema_extra={"minItems": _MIN_SUBNETS, "maxItems": _MAX_SUBNETS, "uniqueItems": True},
    ),
    AfterValidator(_subnets),
]

_STACK_ARN = "arn:aws[a-z-]*:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z0-9/-]+"
_FILE = "[^\\x00-\\x20\\x7f]([^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f])?"
NETWORKING = {
    "cloudformation": f"([A-Za-z][A-Za-z0-9-]{{0,127}}|{_STACK_ARN})",
    "ssm": "/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?",
    "terraform": _FILE,
    "pulumi": _FILE,
}
"""Kind of networking reference to the pattern of its target, after the colon; ``static`` has none."""
_NETWORKING_RULE = "cloudformation:<stack>, ssm:<path>, terraform:<state file>, pulumi:<checkpoint file> or static"


def _networking(value: str) -> str:
    kind, _, target = value.partition(":")
    if value == "static" or (kind in NETWORKING and re.fullmatch(NETWORKING[kind], target)):
        return value
    near = "" if kind in NETWORKING else did_you_mean(kind, [*NETWORKING, "static"])
    raise rule_error(f"must be {_NETWORKING_RULE}{near}")


Networking = Annotated[
    str,
    Field(
        description=_NETWORKING_RULE,
        json_schema_extra={"pattern": f"^(static|{'|'.join(f'{kind}:{rest}' for kind, rest in NETWORKING.items())})$"},
    ),
    AfterValidator(_networking),
]

# -- tags -------------------------------------------------------------------------------------------------------------

_TAG_ENDS = r"[\w.:/=+@-]"
_TAG_TEXT = r"[\w .:/=+@-]"
# AWS cuts spaces off both ends, which would look like drift ever after.
_TAG_KEY = f"{_TAG_ENDS}({_TAG_TEXT}{{0,126}}{_TAG_ENDS})?"
_TAG_VALUE = f"({_TAG_ENDS}({_TAG_TEXT}{{0,254}}{_TAG_ENDS})?)?"
_TAKEN = ("aws:", "rds:", "tapctl:")
_TAG_CHARACTERS = "letters, digits, spaces (none first or last) and _.:/=+-@, not starting with aws:, rds: or tapctl:"
_TAG_VALUE_RULE = f"a string of at most 256 {_TAG_CHARACTERS}"


def _tag_key(key: str) -> str:
    if key.lower() in {ours.lower() for ours in OUR_TAGS}:
        raise rule_error(f"tapctl sets {', '.join(OUR_TAGS)} itself, and IAM does not tell upper from lower case")
    if not re.fullmatch(_TAG_KEY, key) or key.lower().startswith(_TAKEN):
        raise rule_error(f"a tag's key must be 1 to 128 {_TAG_CHARACTERS}")
    return key


def _tag_value(value: str) -> str:
    if not re.fullmatch(_TAG_VALUE, value) or value.lower().startswith(_TAKEN):
        raise rule_error(f"must be {_TAG_VALUE_RULE}")
    return value


def _any_case(words: Iterable[str]) -> str:
    """Make a pattern of these words in upper and lower case: JSON Schema's patterns have no flag for that."""
    return "|".join(re.sub("[A-Za-z]", lambda each: f"[{each[0].upper()}{each[0].lower()}]", word) for word in words)


_TAKEN_PATTERN = {"pattern": f"^({_any_case(_TAKEN)})"}

Tags = Annotated[
    dict[
        Annotated[str, AfterValidator(_tag_key)],
        Annotated[
            str,
            AfterValidator(_tag_value),
            Field(
                description=_TAG_VALUE_RULE,
                json_schema_extra={"pattern": f"^{_TAG_VALUE}$", "not": _TAKEN_PATTERN},
            ),
        ],
    ],
    Field(
        max_length=MAX_TAGS,
        description=f"at most {MAX_TAGS} tags, each value a string",
        json_schema_extra={
            "propertyNames": {
                "pattern": f"^{_TAG_KEY}$",
                "not": {"anyOf": [_TAKEN_PATTERN, {"pattern": f"^({_any_case(OUR_TAGS)})$"}]},
            },
        },
    ),
]


# -- database ---------------------------------------------------------------------------------------------------------

ENGINE_VERSIONS = (
    *("15.10", "15.12", "15.13", "15.14", "15.15", "15.17", "15.18", "15.19"),
    *("16.8", "16.9", "16.10", "16.11", "16.13", "16.14", "16.15"),
    *("17.4", "17.5", "17.6", "17.7", "17.9", "17.10", "17.11"),
)
"""The versions that Aurora PostgreSQL still creates (DescribeDBEngineVersions, 2026-11); missing numbers never were.

15.10, 16.8 and 17.7 have long-term support, and a cluster does not stay there: instances take minor upgrades by
themselves, which is no drift.
"""
_NEWER_VERSIONS = r"15\.[2-9][0-9]|16\.(1[6-9]|[2-9][0-9])|17\.(1[2-9]|[2-9][0-9])|(1[89]|[2-9][0-9])\.(0|[1-9][0-9]?)"
# Of any family a generation that none had, and of the small and the large ones the next generation of their own.
_NEWER_CLASSES = r"db\.([a-z](9|[1-9][0-9])|t[5-8]|x[3-8])[a-z]*\.(medium|large|([1-9][0-9]?)?xlarge)"

EngineVersion = Annotated[
    str,
    OneOf(
        "a full version that Aurora PostgreSQL still creates",
        ENGINE_VERSIONS,
        (
            ("[0-9]+", "a bare major version lets AWS choose the minor, and every environment gets another"),
            (".*limitless", "Aurora Limitless is another kind of cluster"),
            (r"(15|16|17)\..*", "Aurora PostgreSQL did not create this version in 2026-11"),
            (r"[0-9]+\..*", "the majors from 15 on are supported"),
        ),
        _NEWER_VERSIONS,
    ),
    Field(description="a full version that Aurora PostgreSQL still creates, such as 16.13"),
]
InstanceClass = Annotated[
    str,
    OneOf(
        "an instance class that Aurora PostgreSQL has, such as db.r6g.large",
        INSTANCE_CLASSES,
        (("db.serverless", "serverless capacity has no range in this configuration"),),
        _NEWER_CLASSES,
    ),
    Field(description="an instance class that Aurora PostgreSQL has, such as db.r6g.large"),
]
InstanceCount = Annotated[
    int,
    Field(ge=1, le=MAX_INSTANCES, description=f"a whole number from 1 to {MAX_INSTANCES}: one writer and its readers"),
]

# Roles that RDS makes in a cluster, or keeps for itself.
_OF_RDS = frozenset({"rdsadmin", "rdsrepladmin", "rdsproxyadmin", "rdstopmgr", "rdswriteforwarduser"})
_SYSTEM_DATABASES = frozenset({"postgres", "template0", "template1"})
APP_USER = "_app"
"""The end of the name of the function's database user (authenticated by IAM), after the database's name."""
_MAX_NAME = 63 - len(APP_USER)


def _not_reserved(name: str) -> str:
    if name in KEY_WORDS:
        raise rule_error("is a key word of SQL or PostgreSQL, which RDS takes for no name; choose another one")
    if name in _OF_RDS or f"{name}_".startswith(("pg_", "rds_")):
        raise rule_error("is reserved by PostgreSQL or RDS; choose another name")
    return name


def _database_name(name: str) -> str:
    if name in _SYSTEM_DATABASES:
        raise rule_error("is a database that every cluster has already; choose another name")
    return _not_reserved(name)


DatabaseName = Annotated[
    str,
    Field(
        pattern=f"^[a-z][a-z0-9_]{{0,{_MAX_NAME - 1}}}$",
        description=f"a name of at most {_MAX_NAME} lower-case letters, digits and underscores, a letter first "
        "(its user's name is <name>_app, and PostgreSQL's names have at most 63)",
    ),
    AfterValidator(_database_name),
]
MasterUsername = Annotated[
    str,
    Field(
        pattern="^[a-z][a-z0-9_]{0,15}$",
        description="a name of at most 16 lower-case letters, digits and underscores, a letter first",
    ),
    AfterValidator(_not_reserved),
]
Port = Annotated[int, Field(ge=1150, le=65535, description="a port from 1150 to 65535 (RDS's bounds for Aurora)")]
BackupRetentionDays = Annotated[
    int, Field(ge=7, le=35, description="a whole number of days from 7 to 35 (RDS keeps at most 35)")
]

_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"({'|'.join(_DAYS)})"
BACKUP_WINDOW = f"^{_CLOCK}-{_CLOCK}$"
MAINTENANCE_WINDOW = f"^{_DAY}:{_CLOCK}-{_DAY}:{_CLOCK}$"
DAY = 24 * 60
WEEK = 7 * DAY
_MIN_MINUTES = 30


def window(text: str) -> tuple[int, int]:
    """Begin and length of a window in minutes, of the week if days are named, else of the day; it may wrap round."""
    cycle = WEEK if text[0].isalpha() else DAY
    begin, end = (_minute(each) for each in text.split("-"))
    return begin, (end - begin) % cycle


def _minute(text: str) -> int:
    *day, hour, minute = text.split(":")
    return (_DAYS.index(day[0]) * DAY if day else 0) + int(hour) * 60 + int(minute)


def _window_length(text: str) -> str:
    length = window(text)[1]
    if not _MIN_MINUTES <= length <= DAY:
        raise rule_error(f"must be at least {_MIN_MINUTES} minutes and at most a day long; it is {length} minutes")
    return text


BackupWindow = Annotated[
    str,
    Field(pattern=BACKUP_WINDOW, description="a daily window in UTC, such as 03:00-04:00"),
    AfterValidator(_window_length),
]
MaintenanceWindow = Annotated[
    str,
    Field(pattern=MAINTENANCE_WINDOW, description="a weekly window in UTC, such as sun:05:00-sun:06:00"),
    AfterValidator(_window_length),
]

_CARD_DATA = "it would print every statement, and with them card data, into the logs"
LogStatement = Annotated[
    str,
    OneOf("one of", ("none", "ddl", "mod"), (("(?i)all", _CARD_DATA),)),
    Field(description='"none", "ddl" or "mod"'),
]


def _not_every_statement(milliseconds: int) -> int:
    if milliseconds == 0:
        raise rule_error(f"0 logs statements of any duration: {_CARD_DATA}; must be 1 or more, or -1 for none")
    return milliseconds


LogMinDuration = Annotated[
    int,
    Field(
        ge=-1,
        le=2**31 - 1,
        description="a whole number of milliseconds from 1 to 2147483647, or -1 for none",
        json_schema_extra={"not": {"const": 0}},
    ),
    AfterValidator(_not_every_statement),
]

# -- processor --------------------------------------------------------------------------------------------------------

_NAME = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
Repository = Annotated[
    str,
    Field(
        pattern=f"^{_NAME}(/{_NAME})*$",
        min_length=2,
        max_length=256,
        description="the name of an ECR repository: lower-case letters and digits, joined by . _ - or /",
    ),
]
ImageTag = Annotated[
    str,
    Field(
        pattern="^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64})$",
        description="an image's tag (at most 128 letters, digits and _.-) or its digest (sha256:…)",
    ),
]
Registry = Annotated[
    str,
    Field(
        pattern=f"^([0-9]{{12}}|{REGISTRY_HOST})$",
        description="an account id, or <account id>.dkr.ecr.<region>.amazonaws.com (in China ….amazonaws.com.cn)",
    ),
]
Package = Annotated[Literal["image", "zip"], Field(description='"image" or "zip"')]
Runtime = Annotated[
    str,
    OneOf(
        "a Node.js runtime that is not deprecated",
        ("nodejs22.x", "nodejs24.x"),
        ((r"nodejs(|4\.3|[68]\.(10|x)|1[02468]\.x|20\.x)", "AWS has deprecated this runtime"),),
        r"nodejs(2[5-9]|[3-9][0-9])\.x",
    ),
    Field(description="a Node.js runtime that is not deprecated"),
]
MAX_TIMEOUT_S = 900
"""Lambda's longest timeout for a synchronous call everywhere; its API takes 1800 by now (botocore's model 1.44.8)."""
Timeout = Annotated[
    int,
    Field(ge=1, le=MAX_TIMEOUT_S, description=f"a whole number of seconds from 1 to {MAX_TIMEOUT_S} (15 minutes)"),
]
Disk = Annotated[int, Field(ge=512, le=10240, description="a whole number of MB from 512 to 10240 (Lambda's bounds)")]
Memory = Annotated[int, Field(ge=128, le=10240, description="a whole number of MB from 128 to 10240 (Lambda's bounds)")]


def _not_zero(concurrency: int) -> int:
    if concurrency == 0:
        raise rule_error(
            "0 switches the function off: nothing would be processed; must be 1 or more, or absent for none"
        )
    return concurrency


_MAX_CONCURRENCY = 100_000
"""The API accepts any integer; AWS alone knows the account's own limit. The quota is 1000, and is raised to "tens of
thousands" at most (Lambda quotas, concurrent executions): a higher number is a slip.
"""
Concurrency = Annotated[
    int,
    # The lower bound is the validator's, for the sake of its reason.
    Field(
        ge=0,
        le=_MAX_CONCURRENCY,
        description=f"a whole number from 1 to {_MAX_CONCURRENCY} (Lambda's quota is raised to tens of thousands at "
        "most), or absent for none",
        json_schema_extra={"minimum": 1},
    ),
    AfterValidator(_not_zero),
]

# -- secrets, logs, alarms --------------------------------------------------------------------------------------------

RotationDays = Annotated[
    int, Field(ge=1, le=30, description="a whole number of days from 1 to 30: a secret lives no longer")
]
RetentionDays = Annotated[
    int,
    OneOf(
        "a retention that CloudWatch Logs has, of 30 days or more",
        (30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
        (("1|3|5|7|14", "the logs of payments are kept for 30 days or more"),),
    ),
    Field(description="a retention in days that CloudWatch Logs has, of 30 or more"),
]
Count = Annotated[int, Field(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
Latency = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_TIMEOUT_S * 1000,
        description=f"a whole number of milliseconds from 1 to {MAX_TIMEOUT_S * 1000} (the longest timeout here)",
    ),
]
Percent = Annotated[int, Field(ge=1, le=100, description="a whole number of percent from 1 to 100")]
