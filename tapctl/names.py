"""The name of everything: ids, tags, and the ARNs that names, account and region determine.

Nothing here asks AWS. Every name holds the suffix, always after a hyphen, so that two suffixes never share a resource.
A name that AWS chooses (a secret's, a key's id) is not here: it is an output.

A role's name is global in its account: one suffix in two regions of one account shares ``lambda-role-<suffix>``, which
belongs to the region that its tag names (`tapctl.reconcilers.iam_role`) and is refused to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from tapctl.engine.owner_tags import ENVIRONMENT_TAG, MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.safety.redaction import hide_path

OUR_TAGS: Final = ("Name", ENVIRONMENT_TAG, SUFFIX_TAG, "Service", OWNER_TAG)
"""The keys of the tags that tapctl sets on every resource that takes tags."""

OUR_VARIABLES: Final = ("DB_ENDPOINT", "DB_NAME", "DB_PORT", "DB_SECRET_ARN", "ENVIRONMENT_NAME")
"""The names of the function's variables that the stack decides: nobody else's may have them."""

OUR_STATEMENTS: Final = (
    *("WriteLogs", "ReadDatabaseSecret", "DecryptDatabaseSecret", "DecryptEnvironment", "ConnectToDatabase", "Trace"),
    *("NetworkInterfaces", "NoNetworkInterfacesForTheCode"),
)
"""The ids of the statements that the function's policy has anyway."""

EXTRA_ALARM: Final = "[a-z][a-z0-9]*(-[a-z0-9]+)*"
"""The form of the name that a team gives an alarm of its own."""

MAX_ALARM_NAME: Final = 100
"""The greatest length of such a name: room is left for an instance's number and the suffix."""

TOKENS: Final = ("partition", "account_id", "region", "suffix")
"""The tokens, in braces, that `Names.fill` replaces in a text of common.toml, which is the same everywhere."""

MAX_INSTANCES: Final = 16
"""An Aurora cluster has at most one writer and 15 readers (Aurora quotas)."""

_MAJOR: Final = "(0|[1-9][0-9]{0,2})"
"""A major version of the engine, of which a group may be left: any."""

_SUFFIX = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")

F = TypeVar("F", bound=Callable[..., str])


@dataclass(frozen=True)
class Limit:
    """The names that a service takes: their greatest length and their form."""

    kind: str
    """``the DB cluster``: as an error names it."""
    longest: Callable[[Names], str]
    """The longest name of this kind that the stack can come to have."""
    max_length: int
    pattern: str


LIMITS: Final[list[Limit]] = []
"""Limits of every kind of name, by its service's API reference."""

_RDS: Final = "[a-z](-?[a-z0-9])*"
"""RDS lower-cases names, and forbids double and trailing hyphens."""
_IAM: Final = r"[\w+=,.@-]+"
_ALARM: Final = "[^\x00-\x1f]+"
_LAST: Final = MAX_INSTANCES - 1


def limit(kind: str, max_length: int, pattern: str, *longest: Any) -> Callable[[F], F]:
    """Note the limit of the decorated name; ``longest``: the arguments that make it longest."""

    def note(name: F) -> F:
        LIMITS.append(Limit(kind, lambda names: name(names, *longest), max_length, pattern))
        return name

    return note


@dataclass(frozen=True)
class Names:
    """The names of one copy of the stack. ``account``, ``region`` and ``partition`` matter to the ARNs alone."""

    suffix: str
    account: str
    region: str
    partition: str = "aws"

    @property
    @limit("the KMS alias", 256, "alias/(?!aws/)[a-zA-Z0-9/_-]+")
    def key_alias(self) -> str:
        """The KMS key's alias, by which it is found."""
        return f"alias/db-key-{self.suffix}"

    @property
    @limit("the security group", 255, r"(?!sg-)[a-zA-Z0-9 ._:/()#,@+=&;!$*-]+")
    def lambda_security_group(self) -> str:
        """The function's security group."""
        return f"lambda-sg-{self.suffix}"

    @property
    def db_security_group(self) -> str:
        """The cluster's security group."""
        return f"db-sg-{self.suffix}"

    @property
    @limit("the DB subnet group", 255, "[a-z][a-z0-9 ._-]*")
    def subnet_group(self) -> str:
        """The DB subnet group."""
        return f"db-subnet-{self.suffix}"

    def cluster_parameter_group(self, major: int) -> str:
        """The DB cluster parameter group for this major version: a new family is a new group."""
        return f"db-cluster-params-pg{major}-{self.suffix}"

    @limit("the DB parameter group", 255, _RDS, 17)
    def instance_parameter_group(self, major: int) -> str:
        """The DB parameter group for this major version."""
        return f"db-instance-params-pg{major}-{self.suffix}"

    @property
    @limit("the DB cluster", 63, _RDS)
    def cluster(self) -> str:
        """The Aurora cluster."""
        return f"db-cluster-{self.suffix}"

    @limit("the DB instance", 63, _RDS, _LAST)
    def instance(self, index: int) -> str:
        """The cluster's instance of this number, from 0. No name tells the writer: that role moves."""
        return f"{self.cluster}-{index}"

    @limit("the final snapshot", 255, _RDS, "0" * 32)
    def final_snapshot(self, token: str) -> str:
        """The snapshot taken when the cluster goes. ``token`` is stable for one destroy, so that a retry finds it."""
        return f"{self.cluster}-final-{token}"

    @property
    @limit("the IAM role", 64, _IAM)
    def role(self) -> str:
        """The function's execution role."""
        return f"lambda-role-{self.suffix}"

    @property
    @limit("the role's inline policy", 128, _IAM)
    def role_policy(self) -> str:
        """The role's one inline policy."""
        return f"lambda-policy-{self.suffix}"

    @property
    @limit("the Lambda function", 64, "[a-zA-Z0-9_-]+")
    def function(self) -> str:
        """The Lambda function."""
        return f"payment-processor-{self.suffix}"

    @property
    def function_log_group(self) -> str:
        """The log group of the function (``/aws/lambda/<function>``, chosen by Lambda)."""
        return f"/aws/lambda/{self.function}"

    @property
    @limit("the log group", 512, "(?!aws/)[a-zA-Z0-9._/#-]+")
    def database_log_group(self) -> str:
        """The log group of PostgreSQL (``/aws/rds/cluster/<cluster>/postgresql``, chosen by RDS)."""
        return f"/aws/rds/cluster/{self.cluster}/postgresql"

    @property
    @limit("the SNS topic", 256, "[a-zA-Z0-9_-]+")
    def topic(self) -> str:
        """The SNS topic that alarms go to."""
        return f"alarms-{self.suffix}"

    @property
    def cluster_events(self) -> str:
        """The event subscription to the cluster."""
        return f"db-cluster-events-{self.suffix}"

    @property
    def instance_events(self) -> str:
        """The event subscription to the cluster's instances."""
        return f"db-instance-events-{self.suffix}"

    @property
    @limit("the RDS event subscription", 254, _RDS)
    def parameter_group_events(self) -> str:
        """The event subscription to the instances' parameter group."""
        return f"db-parameter-group-events-{self.suffix}"

    @property
    def function_errors(self) -> str:
        """The alarm on the function's errors."""
        return f"payment-processor-errors-{self.suffix}"

    @property
    def function_duration(self) -> str:
        """The alarm on the function's p95 duration."""
        return f"payment-processor-duration-{self.suffix}"

    @property
    @limit("the alarm", 255, _ALARM)
    def function_throttles(self) -> str:
        """The alarm on the function's throttles."""
        return f"payment-processor-throttles-{self.suffix}"

    def instance_cpu(self, index: int) -> str:
        """The alarm on the CPU of the instance of this number."""
        return self._numbered_alarms(str(index))[0]

    @limit("the alarm", 255, _ALARM, _LAST)
    def instance_connections(self, index: int) -> str:
        """The alarm on the connections of the instance of this number."""
        return self._numbered_alarms(str(index))[1]

    @limit("the alarm", 255, _ALARM, "x" * MAX_ALARM_NAME, _LAST)
    def extra_alarm(self, name: str, index: int | None = None) -> str:
        """An alarm that the team adds; ``index``: on the instance of this number."""
        return self._extra_alarm(name, "" if index is None else str(index))

    def extra_alarm_patterns(self, name: str, *, numbered: bool) -> tuple[str, ...]:
        """Patterns of the ARNs of an alarm that the team adds, on each instance if numbered."""
        numbers = ("?", "??") if numbered else ("",)
        return tuple(self.alarm_arn(self._extra_alarm(name, number)) for number in numbers)

    def subscription(self, subscriber: str) -> str:
        """The subscription of this subscriber (``email:oncall@example.com``) to the topic.

        Of an address on the web it bears the host, and a digest of the rest, which may let somebody in.
        """
        return f"{self.topic}/{hide_path(subscriber)}"

    # -- every name there can be --------------------------------------------------------------------------------------

    def may_have(self, type_: str, id: str) -> bool:
        """True if a resource of this type and id is one that this suffix can have, now or from an earlier version.

        Nothing outside the answer is ever changed or removed, whatever tags or a record say. A type that is not here
        has no names.
        """
        if type_ == "db-cluster-parameter-group":
            return self._is_group(id, self.cluster_parameter_group)
        if type_ == "db-parameter-group":
            return self._is_group(id, self.instance_parameter_group)
        if type_ == "sns-subscription":
            return (
                re.fullmatch(f"{re.escape(self.topic)}/(email:|https://|arn:aws[a-z-]*:(sqs|lambda):)[!-~]+", id)
                is not None
            )
        return id in self._fixed_names.get(type_, ()) or (type_ == "cloudwatch-alarm" and self._is_extra_alarm(id))

    def is_chosen(self, type_: str, id: str, *, alarms: Collection[str], subscribers: Collection[str]) -> bool:
        """True if the name is one that people choose, and not one of ours now: anybody's thing may bear it by chance.

        Args:
            type_: the resource's type.
            id: its id.
            alarms: the names, without number and suffix, of the alarms that the configuration adds.
            subscribers: those that the configuration names, as it names them.
        """
        if type_ == "sns-subscription":
            return id not in {self.subscription(self.fill(subscriber)) for subscriber in subscribers}
        if type_ != "cloudwatch-alarm" or id in self._fixed_names[type_]:
            return False
        name = id.removesuffix(f"-{self.suffix}")
        return name not in alarms and re.sub("-[0-9]{1,2}$", "", name) not in alarms

    @cached_property
    def _fixed_names(self) -> Mapping[str, frozenset[str]]:
        """Type to its names, but for those that hold a version."""
        instances = range(MAX_INSTANCES)
        groups = frozenset({self.lambda_security_group, self.db_security_group})
        return {
            "kms-key": frozenset({self.key_alias}),
            "security-group": groups,
            "security-group-rules": groups,
            "db-subnet-group": frozenset({self.subnet_group}),
            "db-cluster": frozenset({self.cluster}),
            "secret-rotation": frozenset({self.cluster}),
            "db-instance": frozenset(self.instance(index) for index in instances),
            "iam-role": frozenset({self.role}),
            "lambda-function": frozenset({self.function}),
            "log-group": frozenset({self.function_log_group, self.database_log_group}),
            "sns-topic": frozenset({self.topic}),
            "rds-event-subscription": frozenset(
                {self.cluster_events, self.instance_events, self.parameter_group_events}
            ),
            "cloudwatch-alarm": frozenset(
                {
                    *(self.function_errors, self.function_duration, self.function_throttles),
                    *(name for index in instances for name in self._numbered_alarms(str(index))),
                }
            ),
        }

    def id_patterns(self, type_: str) -> tuple[str, ...]:
        """Patterns for a policy's ARNs: every id of this type that this suffix can have, and none of another's.

        A number is matched digit by digit, as in `alarm_arn_patterns`; a group's major version has two.
        """
        groups = {
            "db-cluster-parameter-group": self.cluster_parameter_group(0),
            "db-parameter-group": self.instance_parameter_group(0),
        }
        if type_ in groups:
            return (groups[type_].replace("pg0", "pg??", 1),)
        patterns = set()
        for name in self._fixed_names.get(type_, ()):
            before, _, after = name.partition(self.suffix)
            patterns.add(f"{_digits_matched(before)}{self.suffix}{_digits_matched(after)}")
        return tuple(sorted(patterns))

    def _is_extra_alarm(self, id: str) -> bool:
        name = id.removesuffix(f"-{self.suffix}")
        return name != id and re.fullmatch(EXTRA_ALARM, name) is not None and not is_our_alarm(name)

    @staticmethod
    def _is_group(id: str, name: Callable[[int], str]) -> bool:
        before, _, after = name(0).partition("0")
        version = re.fullmatch(f"{re.escape(before)}{_MAJOR}{re.escape(after)}", id)
        return version is not None and id == name(int(version[1]))

    # -- ARNs of what may not be there yet ----------------------------------------------------------------------------

    @property
    def function_arn(self) -> str:
        """The function's unqualified ARN."""
        return self._arn("lambda", f"function:{self.function}")

    @property
    def topic_arn(self) -> str:
        """The topic's ARN."""
        return self._arn("sns", self.topic)

    def log_group_arn(self, name: str) -> str:
        """A log group's ARN without ``:*``: the form that tags and KMS's encryption context want."""
        return self._arn("logs", f"log-group:{name}")

    def alarm_arn(self, name: str) -> str:
        """An alarm's ARN."""
        return self._arn("cloudwatch", f"alarm:{name}")

    @property
    def alarm_arn_patterns(self) -> tuple[str, ...]:
        """Patterns for ``ArnLike``: every alarm of this suffix, however many instances there are, and none of another.

        An instance's number is one digit or two, each matched by ``?``: a ``*`` would also match the alarms of a suffix
        that ends with this one (``db-cpu-0-pr-dev`` for ``dev``).
        """
        numbered = [name for length in (1, 2) for name in self._numbered_alarms("?" * length)]
        own = (self.function_errors, self.function_duration, self.function_throttles)
        return tuple(self.alarm_arn(name) for name in (*own, *numbered))

    @property
    def event_arn_patterns(self) -> tuple[str, ...]:
        """Patterns for ``ArnLike``: every event subscription of this suffix and every source of its events.

        Numbers are matched digit by digit, as in `alarm_arn_patterns`. Both kinds, since the Aurora user guide
        ("Granting permissions to publish notifications to an Amazon SNS topic") shows the source's ARN as RDS's
        ``aws:SourceArn``, and does not say that the first message of a subscription, which has no source, has it too.
        """
        subscriptions = (self.cluster_events, self.instance_events, self.parameter_group_events)
        sources = (f"cluster:{self.cluster}", f"db:{self.cluster}-?", f"db:{self.cluster}-??")
        groups = f"pg:db-instance-params-pg??-{self.suffix}"
        return tuple(self._arn("rds", name) for name in (*(f"es:{name}" for name in subscriptions), *sources, groups))

    def _numbered_alarms(self, number: str) -> tuple[str, str]:
        return f"db-cpu-{number}-{self.suffix}", f"db-connections-{number}-{self.suffix}"

    def _extra_alarm(self, name: str, number: str) -> str:
        return "-".join(filter(None, (name, number, self.suffix)))

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def fill(self, text: str) -> str:
        """Fill in the tokens of a text: ``arn:{partition}:sqs:{region}:{account_id}:events-{suffix}``."""
        values = (self.partition, self.account, self.region, self.suffix)
        for token, value in zip(TOKENS, values, strict=True):
            text = text.replace(f"{{{token}}}", value)
        return text

    # -- tags ---------------------------------------------------------------------------------------------------------

    def tags(self, name: str, *, environment: str, service: str, extra: Mapping[str, str]) -> dict[str, str]:
        """All tags of the resource of this name. ``extra``: those of common.toml, none of which has a key of ours."""
        return {
            **self.shared_tags(service, extra),
            "Name": name,
            ENVIRONMENT_TAG: environment,
            SUFFIX_TAG: self.suffix,
            OWNER_TAG: MANAGED_BY,
        }

    @staticmethod
    def shared_tags(service: str, extra: Mapping[str, str]) -> dict[str, str]:
        """The tags that tell neither owner nor name, the same on everything of the service."""
        return {**extra, "Service": service}


def _digits_matched(text: str) -> str:
    return re.sub("(?<=-)[0-9]+(?=-|$)", lambda number: "?" * len(number[0]), text)


def is_our_alarm(name: str) -> bool:
    """True if an alarm of this name, told before its suffix, would be one that every stack has, or look like one."""
    names = Names("", "", "")
    fixed = (names.function_errors, names.function_duration, names.function_throttles)
    numbered = (each.removesuffix("-") for each in names._numbered_alarms(""))  # noqa: SLF001 -- of this module
    return f"{name}-".startswith((*fixed, *numbered))


def longest_suffix() -> int:
    """The greatest length of a suffix."""
    return min(each.max_length - len(each.longest(Names("", "", ""))) for each in LIMITS)


def suffix_problem(suffix: str) -> str | None:
    """Name the rule that this suffix breaks; None if every name built from it is one that its service takes."""
    if not _SUFFIX.fullmatch(suffix):
        return "must be lower-case letters, digits and single hyphens ([a-z][a-z0-9-]*), not ending with a hyphen"
    names = Names(suffix, "", "")
    for each in sorted(LIMITS, key=lambda each: each.max_length - len(each.longest(names))):
        name = each.longest(names)
        if len(name) > each.max_length or not re.fullmatch(each.pattern, name):
            excess = f"{each.kind} {name} would have {len(name)}, and AWS takes {each.max_length}"
            return f"must have at most {longest_suffix()} characters: {excess}"
    return None
