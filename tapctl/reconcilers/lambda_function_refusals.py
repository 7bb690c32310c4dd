"""What Lambda's refusals mean: of those that call a value invalid many only mean "not yet".

Facts are from the Lambda API reference and developer guide (function states; VPC networking of functions), and what
hashicorp/terraform-provider-aws retries in internal/service/lambda/function.go.
"""

from __future__ import annotations

from typing import Final

from tapctl.errors import AwsRefused, NotYet, Patience

MISSING: Final = "ResourceNotFoundException"
INVALID: Final = "InvalidParameterValueException"
CONFLICT: Final = "ResourceConflictException"

# What is new in EC2 looks so to Lambda until EC2 has spread it; and what is gone for good.
NOT_IN_EC2: Final = {
    "invalidgroup.notfound": "EC2 does not show Lambda the security group yet",
    "invalidsubnetid.notfound": "EC2 does not show Lambda the subnets yet",
}
# What a new role, a changed policy or a new key's grant looks like to Lambda until IAM and KMS have spread it.
_SPREADING: Final = NOT_IN_EC2 | {
    "cannot be assumed by lambda": "Lambda cannot assume the role yet",
    "does not have permissions to call": "the role's policy has not reached Lambda yet",
    "key is invalid for creategrant": "Lambda may not use the KMS key yet",
}
# The first interface in a subnet takes minutes, for a new function as for one that moves; Lambda itself ends both.
_AT_WORK: Final = {
    "state: pending": "Lambda is still making the function",
    "in progress": "another update of this function is going on",
}


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches(INVALID, text="throttled by ec2"):
        return NotYet("EC2 is throttling Lambda", Patience.LONG)
    for code, texts, patience in ((INVALID, _SPREADING, Patience.PROPAGATION), (CONFLICT, _AT_WORK, Patience.LONG)):
        for text, reason in texts.items():
            if error.matches(code, text=text):
                return NotYet(reason, patience)
    if error.matches(CONFLICT):
        return NotYet(f"Lambda is busy with the function: {error.message}", Patience.BUSY)
    if error.matches(MISSING):
        return NotYet("Lambda does not show the function yet", Patience.PROPAGATION)
    return error
