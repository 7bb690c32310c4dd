"""The network interfaces that Lambda makes for a function in a VPC, and keeps for a while after it.

They stay up to 45 minutes, nobody but Lambda can detach them, and it needs the function's role to remove them (Lambda
developer guide, "Lambda Hyperplane ENIs"; terraform-provider-aws, internal/service/ec2/vpc_network_interface.go).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

    from tapctl.aws import Aws
    from tapctl.reconcilers.lambda_function_sight import LambdaFunctionSpec

# Lambda ends its interfaces' descriptions with one.
_UUID = re.compile(r"[0-9a-f-]{36}")


def leave_groups(aws: Aws, id: str, there: LambdaFunctionSpec) -> bool:
    """Move the function to its VPC's default group by one call, so that its interfaces hold no group of ours.

    False where it is there already, or where Lambda will not do it: its role or key may be gone by now.
    """
    subnets = sorted(there.subnet_ids)
    vpc_id = aws.read(aws.ec2.describe_subnets, SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    default: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    groups = [one["GroupId"] for one in aws.read(aws.ec2.describe_security_groups, Filters=default)["SecurityGroups"]]
    if there.security_group_ids == frozenset(groups):
        return False
    try:
        aws.lambda_.update_function_configuration(
            FunctionName=id, VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": groups}
        )
    except AwsRefused as error:
        if error.says("InvalidParameterValueException"):
            return False
        raise
    return True


def lingering(aws: Aws, id: str) -> str | None:
    """What is left of a function that is gone, as a sentence."""
    start = f"AWS Lambda VPC ENI-{id}-"
    filters = [{"Name": "description", "Values": [f"{start}*"]}]
    pages = aws.pages(aws.ec2.get_paginator("describe_network_interfaces"), Filters=filters)
    texts = [one.get("Description", "") for page in pages for one in page["NetworkInterfaces"]]
    # What follows is not always the UUID alone: another function's name may begin as this one's.
    left = sum(1 for text in texts if _UUID.fullmatch(text.removeprefix(start)))
    if not left:
        return None
    are = "interface is" if left == 1 else "interfaces are"
    return f"{left} network {are} still to be removed by Lambda, which may take 45 minutes"
