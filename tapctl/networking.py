"""The networking stack, which tapctl uses and never changes: what it names is looked up and held to a contract.

The contract is checked before anything is created, and every broken clause is named at once: the stack is complete and
has its outputs; the VPC exists, is available, not of dedicated tenancy, with DNS support on; every private subnet
exists, is in that VPC, available and has addresses free for what is still to be created; they span at least two zones
and are not too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from tapctl.errors import NetworkingError
from tapctl.networking_file import read_pulumi, read_terraform
from tapctl.networking_source import NetworkIds, Reference, ids_from_outputs, read_cloudformation, read_ssm, shown

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef, VpcTypeDef

    from tapctl.aws import Aws

MIN_ZONES = 2
"""An RDS subnet group wants two zones (DBSubnetGroupDoesNotCoverEnoughAZs)."""
MAX_SUBNETS = 16
"""Lambda's VpcConfig takes no more."""
_LAMBDA_ADDRESSES = 2
"""One Hyperplane interface for this subnet and group, one that lingers up to 45 minutes after a change of groups."""


@dataclass(frozen=True)
class AddressDemand:
    """What is still to be created in the subnets; what is there has its addresses, which are not free any more."""

    function: bool = False
    instances: int = 0

    @property
    def addresses(self) -> int:
        """How many have to be free in each subnet: AWS may place all of it in one zone, and replaces a failed host."""
        wanted = self.instances + (_LAMBDA_ADDRESSES if self.function else 0)
        return wanted + 1 if wanted else 0

    def __str__(self) -> str:
        plural = "a database instance" if self.instances == 1 else "database instances"
        function = [f"{_LAMBDA_ADDRESSES} for Lambda"] if self.function else []
        return (
            ", ".join([*function, *([f"{self.instances} for {plural}"] if self.instances else [])]) + " and 1 to spare"
        )


_NOTHING = AddressDemand()


class NetworkContract(BaseModel):
    """What the networking stack gives us: resolved, checked, and recorded in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    """As in the environment's file: ``cloudformation:networking-prod``, ``static``."""
    vpc_id: str
    subnet_ids: tuple[str, ...]
    """The private subnets, sorted."""
    zones: tuple[str, ...]
    """Their availability zones, sorted."""


def resolve(
    aws: Aws, reference: Reference, *, folder: Path = Path(), arrivals: AddressDemand = _NOTHING
) -> NetworkContract:
    """Look up what ``reference`` names and check it; at most four calls to AWS.

    ``folder``: the folder of the environment files, where a relative path in them begins.

    Raises:
        NetworkingError: the contract is broken, with one line of evidence for each clause; or a file is unusable.
        AwsRefused: AWS refused for another reason, such as a missing permission.
    """
    found = _look_up(aws, reference, folder)
    vpc = _vpc(aws, found.vpc_id) if found.vpc_id else None
    subnets = _subnets(aws, found.subnet_ids) if 0 < len(found.subnet_ids) <= MAX_SUBNETS else {}
    broken = [
        *found.broken,
        *_broken_vpc(aws, found, vpc),
        *_broken_subnets(aws, found, subnets, arrivals),
    ]
    if broken:
        many = "1 clause" if len(broken) == 1 else f"{len(broken)} clauses"
        raise NetworkingError(
            f"the networking of {shown(reference)} does not hold its contract: {many} broken",
            evidence="\n".join(broken),
            hint="correct the networking stack, or the networking key of the environment's file, then run it again",
        )
    return NetworkContract(
        reference=shown(reference),
        vpc_id=found.vpc_id,
        subnet_ids=tuple(sorted(subnets)),
        zones=_zones(subnets),
    )


def _look_up(aws: Aws, reference: Reference, folder: Path) -> NetworkIds:
    match reference.kind:
        case "cloudformation":
            return read_cloudformation(aws, reference.target)
        case "ssm":
            return read_ssm(aws, reference.target)
        case "terraform":
            return read_terraform(folder / reference.target)
        case "pulumi":
            return read_pulumi(folder / reference.target)
        case _:
            return ids_from_outputs({"vpc_id": reference.vpc_id, "private_subnet_ids": reference.private_subnet_ids})


def _vpc(aws: Aws, vpc_id: str) -> VpcTypeDef | None:
    """By filter: asked for by id, a missing VPC would be an error."""
    vpcs = aws.read(aws.ec2.describe_vpcs, Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Vpcs"]
    return vpcs[0] if vpcs else None


def _subnets(aws: Aws, subnet_ids: tuple[str, ...]) -> dict[str, SubnetTypeDef]:
    """By filter: asked for by id, one missing subnet would hide the others."""
    answer = aws.read(aws.ec2.describe_subnets, Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}])
    return {subnet["SubnetId"]: subnet for subnet in answer["Subnets"]}


def _broken_vpc(aws: Aws, found: NetworkIds, vpc: VpcTypeDef | None) -> Iterator[str]:
    if not found.vpc_id:
        return
    if vpc is None:
        yield f"VPC: {found.vpc_id} does not exist in {aws.region}"
        return
    if vpc["State"] != "available":
        yield f"VPC: {found.vpc_id} is {vpc['State']}, not available"
    if vpc["InstanceTenancy"] == "dedicated":
        yield f"tenancy: {found.vpc_id} is of dedicated tenancy, which Lambda cannot attach to"
    if not _dns_support(aws, found.vpc_id):
        yield f"DNS: DNS support (enableDnsSupport) is off in {found.vpc_id}; the database's name would not resolve"


def _dns_support(aws: Aws, vpc_id: str) -> bool:
    answer = aws.read(aws.ec2.describe_vpc_attribute, VpcId=vpc_id, Attribute="enableDnsSupport")
    return answer["EnableDnsSupport"].get("Value", False)


def _broken_subnets(
    aws: Aws, found: NetworkIds, subnets: dict[str, SubnetTypeDef], arrivals: AddressDemand
) -> Iterator[str]:
    if not found.subnet_ids:
        return
    if len(found.subnet_ids) > MAX_SUBNETS:
        yield f"subnets: there are {len(found.subnet_ids)}, Lambda takes at most {MAX_SUBNETS}"
        return
    for subnet_id in found.subnet_ids:
        subnet = subnets.get(subnet_id)
        if subnet is None:
            yield f"subnet: {subnet_id} does not exist in {aws.region}"
            continue
        if found.vpc_id and subnet["VpcId"] != found.vpc_id:
            yield f"subnet: {subnet_id} is in {subnet['VpcId']}, not in {found.vpc_id}"
        if subnet["State"] != "available":
            yield f"subnet: {subnet_id} is {subnet['State']}, not available"
        free = subnet["AvailableIpAddressCount"]
        if free < arrivals.addresses:
            yield f"addresses: {subnet_id} has {free} free and {arrivals.addresses} are needed: {arrivals}"
    # A subnet elsewhere is no zone of ours.
    zones = _zones({id_: subnet for id_, subnet in subnets.items() if found.vpc_id in ("", subnet["VpcId"])})
    if len(zones) < MIN_ZONES:
        there = ", ".join(zones) or "none"
        yield f"zones: the private subnets are in {there}; Aurora needs at least {MIN_ZONES} availability zones"


def _zones(subnets: dict[str, SubnetTypeDef]) -> tuple[str, ...]:
    return tuple(sorted({subnet["AvailabilityZone"] for subnet in subnets.values()}))
