"""The values that may stand in an environment's files, one type each: what AWS takes, by set and by bound.

A type's description is the rule a user reads, in the error ("must be …") and in the JSON Schema. Sets and bounds are
those of the services' API references and quotas pages as of 2026-11. What the service would refuse only after minutes,
or would take and make unsafe, is refused here with its reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tapctl.names import OUR_TAGS
from tapctl.regions import REGION, REGION_RULE

_SHOWN = 30
MAX_TAGS = 44
"""AWS takes 50 on a resource; tapctl sets five of its own on each, and a sixth (``tapctl:…``) on some."""


def rule_error(rule: str) -> PydanticCustomError:
    """A value that breaks a rule which is told in its own words."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def did_you_mean(word: object, known: Mapping[str, str] | Iterable[str]) -> str:
    """``; did you mean x?``, or nothing where no known word is close. A mapping tells how a word is shown."""
    shown = known if isinstance(known, Mapping) else {each: each for each in known}
    close = difflib.get_close_matches(str(word), list(shown), n=1)
    return f"; did you mean {shown[close[0]]}?" if close else ""


@dataclass(frozen=True)
class OneOf:
    """Membership of an explicit set, with a reason for what somebody might well try and is not in it."""

    description: str
    values: tuple[str, ...] | tuple[int, ...]
    reasons: tuple[tuple[str, str], ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.values)}

    def _check(self, value: str | int) -> str | int:
        if value in self.values:
            return value
        for pattern, reason in self.reasons:
            if re.fullmatch(pattern, str(value)):
                raise rule_error(f"{reason}; must be {self.description}{self._listed()}")
        near = did_you_mean(value, map(str, self.values)) if isinstance(value, str) else ""
        raise rule_error(f"must be {self.description}{self._listed()}{near}")

    def _listed(self) -> str:
        return ": " + ", ".join(map(str, self.values)) if len(self.values) <= _SHOWN else ""


# -- names and places -------------------------------------------------------------------------------------------------

ServiceName = Annotated[
    str,
    Field(
        pattern="^[a-z][a-z0-9-]*$",
        max_length=64,
        description="a name of at most 64 lower-case letters, digits and hyphens, a letter first",
    ),
]
AccountId = Annotated[str, Field(pattern="^[0-9]{12}$", description="an AWS account id: a string of 12 digits")]
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

_LEAST_SUBNETS = 2
_MOST_SUBNETS = 16
_SUBNETS_RULE = f"an array of {_LEAST_SUBNETS} to {_MOST_SUBNETS} different ids of subnets (subnet-…)"


def _subnets(ids: tuple[str, ...]) -> tuple[str, ...]:
    # A set: its order means nothing, to AWS and to the configuration's hash.
    different = tuple(sorted(set(ids)))
    if not _LEAST_SUBNETS <= len(different) <= _MOST_SUBNETS:
        raise rule_error(f"must be {_SUBNETS_RULE}")
    return different


SubnetIds = Annotated[
    tuple[SubnetId, ...],
    Field(
        strict=False,  # TOML has arrays, no tuples
        description=_SUBNETS_RULE,
        json_schema_extra={"minItems": _LEAST_SUBNETS, "maxItems": _MOST_SUBNETS, "uniqueItems": True},
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
"""Kind of networking reference to what may stand after its colon; ``static`` has nothing after it."""
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
    """A pattern for these words in upper and lower case: JSON Schema's patterns have no flag for it."""
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
