"""What everything is called: ids, tags, and the ARNs that names, account and region determine.

Nothing here asks AWS. Every name holds the suffix, always after a hyphen, so that two suffixes never share a thing. A
name that AWS chooses (a secret's, a key's id) is not here; it is an output.

A role's name is global in its account: one suffix in two regions of one account shares ``lambda-role-<suffix>``, which
is of the region that its tag tells (`tapctl.reconcilers.iam_role`) and refused to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tapctl.engine.model import MANAGED_BY, OWNER_TAG, SUFFIX_TAG

OUR_TAGS = ("Name", "Environment", SUFFIX_TAG, "Service", OWNER_TAG)
"""The keys of the tags that tapctl sets on all that can carry tags."""

MAX_INSTANCES = 16
"""An Aurora cluster has at most one writer and 15 readers (Aurora quotas)."""

_SUFFIX = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """The names of one copy of the stack. ``account`` and ``region`` matter to the ARNs alone."""

    suffix: str
    account: str
    region: str
    partition: str = "aws"

    @property
    def key_alias(self) -> str:
        """The KMS key's alias, by which it is found."""
        return f"alias/db-key-{self.suffix}"

    @property
    def lambda_security_group(self) -> str:
        """The function's security group."""
        return f"lambda-sg-{self.suffix}"

    @property
    def db_security_group(self) -> str:
        """The cluster's security group."""
        return f"db-sg-{self.suffix}"

    @property
    def subnet_group(self) -> str:
        """The DB subnet group."""
        return f"db-subnet-{self.suffix}"

    def cluster_parameter_group(self, major: int) -> str:
        """The DB cluster parameter group for this major version: a new family is a new group."""
        return f"db-cluster-params-pg{major}-{self.suffix}"

    def instance_parameter_group(self, major: int) -> str:
        """The DB parameter group for this major version."""
        return f"db-instance-params-pg{major}-{self.suffix}"

    @property
    def cluster(self) -> str:
        """The Aurora cluster."""
        return f"db-cluster-{self.suffix}"

    def instance(self, index: int) -> str:
        """The cluster's instance of this number, from 0. Which one writes is in no name: it moves."""
        return f"{self.cluster}-{index}"

    def final_snapshot(self, token: str) -> str:
        """The snapshot taken when the cluster goes. ``token`` is stable for one destroy, so that a retry finds it."""
        return f"{self.cluster}-final-{token}"

    @property
    def role(self) -> str:
        """The function's execution role."""
        return f"lambda-role-{self.suffix}"

    @property
    def role_policy(self) -> str:
        """The role's one inline policy."""
        return f"lambda-policy-{self.suffix}"

    @property
    def function(self) -> str:
        """The Lambda function."""
        return f"payment-processor-{self.suffix}"

    @property
    def function_log_group(self) -> str:
        """Where Lambda writes the function's logs (``/aws/lambda/<function>``, chosen by Lambda)."""
        return f"/aws/lambda/{self.function}"

    @property
    def database_log_group(self) -> str:
        """Where RDS exports PostgreSQL's logs (``/aws/rds/cluster/<cluster>/postgresql``, chosen by RDS)."""
        return f"/aws/rds/cluster/{self.cluster}/postgresql"

    @property
    def topic(self) -> str:
        """The SNS topic that alarms go to."""
        return f"alarms-{self.suffix}"

    @property
    def function_errors(self) -> str:
        """The alarm on the function's errors."""
        return f"payment-processor-errors-{self.suffix}"

    @property
    def function_duration(self) -> str:
        """The alarm on the function's p95 duration."""
        return f"payment-processor-duration-{self.suffix}"

    @property
    def function_throttles(self) -> str:
        """The alarm on the function's throttles."""
        return f"payment-processor-throttles-{self.suffix}"

    def instance_cpu(self, index: int) -> str:
        """The alarm on the CPU of the instance of this number."""
        return self._numbered_alarms(str(index))[0]

    def instance_connections(self, index: int) -> str:
        """The alarm on the connections of the instance of this number."""
        return self._numbered_alarms(str(index))[1]

    # -- ARNs of what may not be there yet ----------------------------------------------------------------------------

    @property
    def root_arn(self) -> str:
        """The account itself, as a policy's principal."""
        return f"arn:{self.partition}:iam::{self.account}:root"

    @property
    def role_arn(self) -> str:
        """The execution role's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

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
        """Match every alarm of this suffix in ``ArnLike``, however many instances there are, and none of another's.

        An instance's number is one digit or two, each matched by ``?``: a ``*`` would also match the alarms of a suffix
        that ends with this one (``db-cpu-0-pr-dev`` for ``dev``).
        """
        numbered = [name for length in (1, 2) for name in self._numbered_alarms("?" * length)]
        own = (self.function_errors, self.function_duration, self.function_throttles)
        return tuple(self.alarm_arn(name) for name in (*own, *numbered))

    def _numbered_alarms(self, number: str) -> tuple[str, str]:
        return f"db-cpu-{number}-{self.suffix}", f"db-connections-{number}-{self.suffix}"

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    # -- tags ---------------------------------------------------------------------------------------------------------

    def tags(self, name: str, *, environment: str, service: str, extra: Mapping[str, str]) -> dict[str, str]:
        """All tags of the thing of this name; ``extra`` are those of common.toml, which never hold one of ours."""
        return {
            **extra,
            "Name": name,
            "Environment": environment,
            SUFFIX_TAG: self.suffix,
            "Service": service,
            OWNER_TAG: MANAGED_BY,
        }


@dataclass(frozen=True)
class Limit:
    """What one service takes as a name: at most so many characters, of this form."""

    what: str
    longest: Callable[[Names], str]
    """The longest name of this kind that the stack can come to have."""
    max_length: int
    pattern: str


_RDS = "[a-z](-?[a-z0-9])*"
_LAST = MAX_INSTANCES - 1

LIMITS = (
    Limit("the KMS alias", lambda names: names.key_alias, 256, "alias/(?!aws/)[a-zA-Z0-9/_-]+"),
    Limit(
        "the security group", lambda names: names.lambda_security_group, 255, r"(?!sg-)[a-zA-Z0-9 ._:/()#,@+=&;!$*-]+"
    ),
    Limit("the DB subnet group", lambda names: names.subnet_group, 255, "[a-z][a-z0-9 ._-]*"),
    Limit("the DB parameter group", lambda names: names.instance_parameter_group(17), 255, _RDS),
    Limit("the DB cluster", lambda names: names.cluster, 63, _RDS),
    Limit("the DB instance", lambda names: names.instance(_LAST), 63, _RDS),
    Limit("the final snapshot", lambda names: names.final_snapshot("0" * 32), 255, _RDS),
    Limit("the IAM role", lambda names: names.role, 64, r"[\w+=,.@-]+"),
    Limit("the role's inline policy", lambda names: names.role_policy, 128, r"[\w+=,.@-]+"),
    Limit("the Lambda function", lambda names: names.function, 64, "[a-zA-Z0-9_-]+"),
    Limit("the log group", lambda names: names.database_log_group, 512, "(?!aws/)[a-zA-Z0-9._/#-]+"),
    Limit("the SNS topic", lambda names: names.topic, 256, "[a-zA-Z0-9_-]+"),
    Limit("the alarm", lambda names: names.function_throttles, 255, "[^\x00-\x1f]+"),
    Limit("the alarm", lambda names: names.instance_connections(_LAST), 255, "[^\x00-\x1f]+"),
)
"""Every kind of name by its service's API reference. RDS lower-cases names and forbids double and trailing hyphens."""


def longest_suffix() -> int:
    """The most characters that a suffix may have."""
    return min(limit.max_length - len(limit.longest(Names("", "", ""))) for limit in LIMITS)


def suffix_problem(suffix: str) -> str | None:
    """The rule that this suffix breaks, or None when every name built from it is one that its service takes."""
    if not _SUFFIX.fullmatch(suffix):
        return "must be lower-case letters, digits and single hyphens ([a-z][a-z0-9-]*), not ending with a hyphen"
    names = Names(suffix, "", "")
    for limit in sorted(LIMITS, key=lambda limit: limit.max_length - len(limit.longest(names))):
        name = limit.longest(names)
        if len(name) > limit.max_length or not re.fullmatch(limit.pattern, name):
            takes = f"{limit.what} {name} would have {len(name)}, and AWS takes {limit.max_length}"
            return f"must have at most {longest_suffix()} characters: {takes}"
    return None
