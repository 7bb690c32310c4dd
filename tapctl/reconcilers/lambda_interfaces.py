"""Network interfaces that Lambda makes for a function in a VPC, and leaves behind for up to 45 minutes.

Nobody but Lambda can remove one while it is attached, and Lambda still needs the function's role for that. AWS's facts
are from the Lambda developer guide (VPC networking of functions) and the EC2 API reference (DescribeNetworkInterfaces).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.refusals import classify
from tapctl.engine.model import Leftovers
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec
from tapctl.reconcilers.lambda_refusals import INVALID, NOT_IN_EC2, TRANSIENT

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, NetworkInterfaceTypeDef

    from tapctl.aws.client import Aws

INTERFACES_LONGEST_S: Final = 90 * 60
"""Seconds for which Lambda's network interfaces may stay, and hold their groups, before we give up."""
INTERFACES_A_PAGE: Final = 1000
# The end of an interface's description.
_UUID: Final = re.compile(r"[0-9a-f-]{36}")


def default_groups(aws: Aws, vpc_id: str) -> list[str]:
    """The id of the VPC's default group, into which a function goes that leaves; none where EC2 knows no such VPC."""
    filters: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    answer = aws.read(aws.ec2.describe_security_groups, Filters=filters)
    return [group["GroupId"] for group in answer["SecurityGroups"]]


def leave_groups(aws: Aws, id: str, live: LambdaFunctionSpec) -> bool:
    """Move the function to its VPC's default group by one call, so that its interfaces hold no group of ours.

    Returns False where the function is there already, or cannot be moved: subnets, role or key may be gone by now.

    Raises:
        NotYet: Lambda will move the function later.
    """
    try:
        # The VPC as Lambda shows it: a subnet may be gone, and EC2 with it no longer knows the VPC.
        vpc = aws.read(aws.lambda_.get_function, FunctionName=id).get("Configuration", {}).get("VpcConfig", {})
        groups = default_groups(aws, vpc.get("VpcId", ""))
        if not groups or live.security_group_ids == frozenset(groups):
            return False
        config: Any = {"SubnetIds": sorted(live.subnet_ids), "SecurityGroupIds": groups}
        aws.lambda_.update_function_configuration(FunctionName=id, VpcConfig=config)
    except AwsRefused as error:
        meaning = classify(error, TRANSIENT)
        if error.matches(INVALID) and not _passes(aws, live, error, meaning):
            return False
        raise meaning from error
    return True


def _passes(aws: Aws, live: LambdaFunctionSpec, error: AwsRefused, meaning: NotYet | AwsRefused) -> bool:
    """True if this refusal ends by itself: a role or key that Lambda misses may also be gone for good."""
    if isinstance(meaning, AwsRefused) or meaning.patience is Patience.LONG:
        return isinstance(meaning, NotYet)
    if any(error.matches(INVALID, text=text) for text in NOT_IN_EC2):
        return False
    try:
        aws.read(aws.iam.get_role, RoleName=live.role_arn.rpartition("/")[2])
        if not live.kms_key_arn:
            return True
        return aws.read(aws.kms.describe_key, KeyId=live.kms_key_arn)["KeyMetadata"].get("KeyState") == "Enabled"
    except AwsRefused:
        return False


def remaining_interfaces(aws: Aws, id: str, subnets: Collection[str]) -> list[NetworkInterfaceTypeDef]:
    """List the interfaces that a deleted function left, by id. ``subnets``: those it was in; none if nobody knows.

    By subnet and in pages: in a large account EC2 refuses anything else. With those of AWS's services, which an account
    may hide (DescribeNetworkInterfaces).
    """
    start = f"AWS Lambda VPC ENI-{id}-"
    filters = [{"Name": "description", "Values": [f"{start}*"]}]
    filters += [{"Name": "subnet-id", "Values": sorted(subnets)}] if subnets else []
    pages = aws.pages(
        aws.ec2.get_paginator("describe_network_interfaces"),
        Filters=filters,
        IncludeManagedResources=True,
        PaginationConfig={"PageSize": INTERFACES_A_PAGE},
    )
    # A longer name may begin with this one: only a UUID may follow.
    named = [
        interface
        for page in pages
        for interface in page["NetworkInterfaces"]
        if _UUID.fullmatch(interface.get("Description", "").removeprefix(start))
    ]
    return sorted(_unused(aws, id, named), key=lambda interface: interface.get("NetworkInterfaceId", ""))


def leftovers(interfaces: Sequence[NetworkInterfaceTypeDef]) -> Leftovers | None:
    """Tell which of these are still to be removed, and by whom; None if there are none."""
    stranded = [one.get("NetworkInterfaceId", "") for one in interfaces if _is_stranded(one)]
    busy = [one.get("NetworkInterfaceId", "") for one in interfaces if not _is_stranded(one)]
    parts = [
        f"network {'interface' if len(ids) == 1 else 'interfaces'} {', '.join(ids)} "
        f"{'is' if len(ids) == 1 else 'are'} {what}"
        for ids, what in (
            (busy, "still to be removed by Lambda, which usually takes 20 to 45 minutes, and sometimes more"),
            (stranded, "left behind by Lambda, and removed by us if so for two minutes"),
        )
        if ids
    ]
    return Leftovers("; ".join(parts), frozenset(stranded)) if parts else None


def _is_stranded(interface: NetworkInterfaceTypeDef) -> bool:
    """True if Lambda has detached its interface and did not delete it: its role was gone, or had lost the right."""
    return interface.get("Status") == "available" and interface.get("InterfaceType") == "lambda"


def _unused(aws: Aws, id: str, interfaces: list[NetworkInterfaceTypeDef]) -> list[NetworkInterfaceTypeDef]:
    """Choose the interfaces that no other function uses; all, where functions may not be listed."""
    if not interfaces:
        return interfaces
    try:
        pages = aws.pages(aws.lambda_.get_paginator("list_functions"))
    except AwsRefused:
        return interfaces
    # The function itself may be listed for a moment after its deletion.
    configs = [
        function.get("VpcConfig", {})
        for page in pages
        for function in page["Functions"]
        if function.get("FunctionName") != id
    ]
    used = {
        (subnet, frozenset(config.get("SecurityGroupIds", ())))
        for config in configs
        for subnet in config.get("SubnetIds", ())
    }
    return [interface for interface in interfaces if _place(interface) not in used]


def _place(interface: NetworkInterfaceTypeDef) -> tuple[str, frozenset[str]]:
    groups = frozenset(group.get("GroupId", "") for group in interface.get("Groups", ()))
    return interface.get("SubnetId", ""), groups
