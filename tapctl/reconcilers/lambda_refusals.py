"""Refusals of Lambda's changing calls: which pass by themselves, and what a person has to do about the others.

AWS's facts are from the Lambda API reference and developer guide.
"""

from __future__ import annotations

from typing import Final

from tapctl.aws.refusals import Transient, classify
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec

MISSING: Final = "ResourceNotFoundException"
INVALID: Final = "InvalidParameterValueException"
_BOUND: Final = "ValidationException"
CONFLICT: Final = "ResourceConflictException"
# Texts of refusals for a group or subnet that EC2 has not spread to Lambda yet, or that is gone for good.
NOT_IN_EC2: Final = {
    "invalidgroup.notfound": "EC2 does not show Lambda the security group yet",
    "invalidsubnetid.notfound": "EC2 does not show Lambda the subnets yet",
}
# Texts of refusals for a new role, a changed policy or a new key's grant that IAM or KMS has not spread yet, which may
# take five minutes (terraform-provider-aws, lambda/function.go).
_SPREADING: Final = {
    "cannot be assumed by lambda": "Lambda cannot assume the role yet",
    "does not have permissions to call": "the role's policy has not reached Lambda yet",
    "key is invalid for creategrant": "Lambda may not use the KMS key yet",
    "kms key was not found": "KMS does not show Lambda the key yet",
}
TRANSIENT: Final = (
    Transient((INVALID,), "EC2 is throttling Lambda", Patience.LONG, text="throttled by ec2"),
    *(Transient((INVALID,), reason, Patience.PROPAGATION, text=text) for text, reason in NOT_IN_EC2.items()),
    *(Transient((INVALID,), reason, Patience.BUSY, text=text) for text, reason in _SPREADING.items()),
    # The first interface in a subnet takes minutes, for a new function as for one that moves; Lambda itself ends both.
    Transient((CONFLICT,), "Lambda is still making the function", Patience.LONG, text="state: pending"),
    Transient((CONFLICT,), "another update of this function is going on", Patience.LONG, text="in progress"),
    Transient((CONFLICT,), "Lambda is busy with the function: {error.message}", Patience.BUSY),
    Transient((MISSING,), "Lambda does not show the function yet", Patience.PROPAGATION),
)


def change_error(error: AwsRefused, want: LambdaFunctionSpec) -> NotYet | AwsRefused:
    """Translate a refused change; a repository that does not let Lambda in, or a new account's bound, is told as that.

    Lambda's answer to it is an AccessDeniedException that names no action, at times without any text
    (github.com/aws-controllers-k8s/community/issues/1590 and 1886).
    """
    of_ecr = "ecr" in error.message.lower() or not error.message.strip()
    if want.package_type == "Image" and error.is_denied and of_ecr and "not authorized" not in error.message:
        repository = want.image_uri.partition("@")[0]
        error.hint = (
            f"let Lambda read the repository {repository}: its policy has to allow lambda.amazonaws.com "
            "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer (aws:SourceArn: the function's); or allow yourself "
            "ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy, with which Lambda writes that by itself; then run "
            "the same command again: it continues from here"
        )
        return error
    if error.matches(_BOUND, INVALID, text="memorysize"):
        # Nothing tells it beforehand (awslabs/genai-bedrock-agent-chatbot#4).
        error.hint = (
            "a new account may give a function no more than 3008 MB: have AWS Support raise that, or set "
            "processor.memory_mb to 3008 or less; then run the same command again"
        )
    if error.matches(INVALID, text="availability zone lambda doesn't support"):
        error.hint = (
            f"one of {', '.join(sorted(want.subnet_ids))} is in a zone without Lambda: have the networking name "
            "private subnets in other zones, then run the same command again: it continues from here"
        )
    return classify(error, TRANSIENT)
