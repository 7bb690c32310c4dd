"""Refusals of AWS that are no failure: a read that is not permitted, and a change that will be possible later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tapctl.errors import AwsRefused, NotYet, Patience

T = TypeVar("T")
# The reading operations that a region, or a partition, may lack: what they list is not there then, either. Every region
# has all others, so that a refusal of one of these tells nothing of what is there.
_LACKED_SOMEWHERE: Final = frozenset(
    {
        # Eleven regions have no function URLs (Lambda developer guide, "Creating and managing Lambda function URLs").
        "lambda:ListFunctionUrlConfigs",
        # Of late 2025, and not in every region.
        "lambda:ListCapacityProviders",
        "logs:ListScheduledQueries",
        # Of February 2026; AWS lists no regions for them.
        "cloudwatch:ListAlarmMuteRules",
        # Of late 2024; China's regions have lacked such news of EC2 before (terraform-provider-aws#33474).
        "ec2:DescribeSecurityGroupVpcAssociations",
        # By region and engine (Aurora user guide, "Supported Regions and Aurora DB engines for" each).
        "rds:DescribeBlueGreenDeployments",
        "rds:DescribeIntegrations",
    }
)
# The words of each service for an operation that it does not have: its code, and a part of its message where the code
# is said of other requests, too.
_NO_SUCH_OPERATION: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # Its front's words for a path that it does not know (zappa/Zappa#1425), and those of its protocol.
    "lambda": (
        ("AccessDeniedException", "unable to determine service/operation name"),
        ("UnknownOperationException", ""),
    ),
    "logs": (("UnknownOperationException", ""),),
    # Of its two protocols (CloudWatch API reference, "Common Errors").
    "cloudwatch": (("UnknownOperationException", ""), ("InvalidAction", "")),
    # "Error codes for the Amazon EC2 API", and as terraform-provider-aws#33474 has met it.
    "ec2": (("InvalidAction", ""), ("UnsupportedOperation", "not available in this region")),
    # RDS API reference, "Common Errors".
    "rds": (("InvalidAction", ""),),
}


def is_not_offered(error: AwsRefused) -> bool:
    """True if the region does not have the operation that was refused, which is one that a region may lack."""
    words = _NO_SUCH_OPERATION.get(error.service, ()) if error.iam_action in _LACKED_SOMEWHERE else ()
    return any(error.matches(code, text=text) for code, text in words)


def where_known(call: Callable[[], T], otherwise: T) -> T:
    """Answer as the call does; ``otherwise`` where the region has no such operation, and so nothing of its kind.

    Raises:
        AwsRefused: AWS refused for any other reason.
    """
    try:
        return call()
    except AwsRefused as error:
        if not is_not_offered(error):
            raise
        return otherwise


@dataclass(frozen=True)
class UnreadableFields:
    """The fields of one resource that could not be read, each with the denied action."""

    actions: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, call: Callable[[], T], stand_in: T) -> T:
        """Read the field ``name``; where a permission is missing, note the denied action and answer ``stand_in``.

        Raises:
            AwsRefused: AWS refused for any other reason.
        """
        try:
            return call()
        except AwsRefused as error:
            if not error.is_denied:
                raise
            self.actions[name] = error.iam_action
            return stand_in


@dataclass(frozen=True)
class Transient:
    """A refusal of a change that ends by itself, told by AWS's code and a part of its message (in any case)."""

    codes: tuple[str, ...]
    reason: str
    """The refusal as a person reads it; ``{error.message}`` stands for AWS's own words."""
    patience: Patience
    text: str = ""


def classify(error: AwsRefused, transients: Iterable[Transient]) -> NotYet | AwsRefused:
    """The exception that a refused change is to raise: `NotYet` by the first that fits, or the refusal itself."""
    for transient in transients:
        if error.matches(*transient.codes, text=transient.text):
            return NotYet(transient.reason.format(error=error), transient.patience)
    return error
