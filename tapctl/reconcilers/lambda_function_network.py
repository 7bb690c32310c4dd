"""The network interfaces that Lambda makes for a function in a VPC, and keeps for a while after it.

They stay up to 45 minutes, nobody but Lambda can detach them, and it needs the function's role to remove them. Every
function with the same subnet and groups shares one, which is named after the first of them (Lambda developer guide,
"Lambda Hyperplane ENIs"; terraform-provider-aws, internal/service/ec2/vpc_network_interface.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function_refusals import INVALID, NOT_IN_EC2, classify

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, NetworkInterfaceTypeDef

    from tapctl.aws import Aws
    from tapctl.reconcilers.lambda_function_sight import LambdaFunctionSpec

# Lambda ends its interfaces' descriptions with one.
_UUID = re.compile(r"[0-9a-f-]{36}")


def leave_groups(aws: Aws, id: str, there: LambdaFunctionSpec) -> bool:
    """Move the function to its VPC's default group by one call, so that its interfaces hold no group of ours.

    False where it is there already, or where Lambda will not do it: its subnets, role or key may be gone by now.

    Raises:
        NotYet: Lambda will do it later.
    """
    try:
        # Told by Lambda: a subnet may be gone, and with it EC2's word of where it was.
        told = aws.read(aws.lambda_.get_function, FunctionName=id).get("Configuration", {}).get("VpcConfig", {})
        groups = _default_groups(aws, told.get("VpcId", ""))
        if not groups or there.security_group_ids == frozenset(groups):
            return False
        config: Any = {"SubnetIds": sorted(there.subnet_ids), "SecurityGroupIds": groups}
        aws.lambda_.update_function_configuration(FunctionName=id, VpcConfig=config)
    except AwsRefused as error:
        answer = classify(error)
        if error.matches(INVALID) and not _passes(aws, there, error, answer):
            return False
        raise answer from error
    return True


def _default_groups(aws: Aws, vpc_id: str) -> list[str]:
    filters: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    return [one["GroupId"] for one in aws.read(aws.ec2.describe_security_groups, Filters=filters)["SecurityGroups"]]


def _passes(aws: Aws, there: LambdaFunctionSpec, error: AwsRefused, answer: NotYet | AwsRefused) -> bool:
    """Whether this refusal ends by itself. What Lambda misses may be gone for good, and not on its way."""
    if isinstance(answer, AwsRefused) or answer.patience is Patience.LONG:
        return isinstance(answer, NotYet)
    if any(error.matches(INVALID, text=text) for text in NOT_IN_EC2):
        return False
    try:
        aws.read(aws.iam.get_role, RoleName=there.role_arn.rpartition("/")[2])
        if not there.kms_key_arn:
            return True
        return aws.read(aws.kms.describe_key, KeyId=there.kms_key_arn)["KeyMetadata"].get("KeyState") == "Enabled"
    except AwsRefused:
        return False


def lingering(aws: Aws, id: str) -> str | None:
    """What is left of a function that is gone, as a sentence."""
    start = f"AWS Lambda VPC ENI-{id}-"
    filters = [{"Name": "description", "Values": [f"{start}*"]}]
    pages = aws.pages(aws.ec2.get_paginator("describe_network_interfaces"), Filters=filters)
    # What follows is not always the UUID alone: another function's name may begin as this one's.
    named = [
        one
        for page in pages
        for one in page["NetworkInterfaces"]
        if _UUID.fullmatch(one.get("Description", "").removeprefix(start))
    ]
    left = sorted(one.get("NetworkInterfaceId", "") for one in _unused(aws, named))
    if not left:
        return None
    are = "interface" if len(left) == 1 else "interfaces"
    be = "is" if len(left) == 1 else "are"
    return f"network {are} {', '.join(left)} {be} still to be removed by Lambda, which may take 45 minutes"


def _unused(aws: Aws, interfaces: list[NetworkInterfaceTypeDef]) -> Iterable[NetworkInterfaceTypeDef]:
    """Those of them that no function uses any more; where functions may not be listed, all."""
    if not interfaces:
        return interfaces
    try:
        pages = aws.pages(aws.lambda_.get_paginator("list_functions"))
    except AwsRefused:
        return interfaces
    configs = [one.get("VpcConfig", {}) for page in pages for one in page["Functions"]]
    used = {
        (subnet, frozenset(config.get("SecurityGroupIds", ())))
        for config in configs
        for subnet in config.get("SubnetIds", ())
    }
    return [one for one in interfaces if _place(one) not in used]


def _place(interface: NetworkInterfaceTypeDef) -> tuple[str, frozenset[str]]:
    groups = frozenset(one.get("GroupId", "") for one in interface.get("Groups", ()))
    return interface.get("SubnetId", ""), groups
