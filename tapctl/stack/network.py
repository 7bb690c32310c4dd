"""The networking stack's contract: where the ids of VPC and subnets are found, and what AWS must say about them.

A source (a CloudFormation stack, SSM parameters, a Terraform or Pulumi file, or the environment's file itself) yields
the ids, and names what is broken on its own side. `resolve` then checks the ids against AWS, and reports every broken
clause at once.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.config import NetworkingReference
from tapctl.errors import AwsRefused, NetworkingError
from tapctl.safety.files import read_file
from tapctl.safety.json_errors import decoding_problem, json_problem
from tapctl.stack.routes import Findings, check_routes, read_routes
from tapctl.threads import in_background

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef, VpcTypeDef

    from tapctl.aws.client import Aws

MIN_ZONES: Final = 2
"""An RDS subnet group wants two zones (DBSubnetGroupDoesNotCoverEnoughAZs)."""
MAX_SUBNETS: Final = 16
"""Lambda's VpcConfig takes no more."""
_WITHOUT_LAMBDA: Final = frozenset({"use1-az3"})
"""Zones, by the id that is the same in every account, that CreateFunction is known to refuse ("The provided subnets
contain availability zone Lambda doesn't support"). AWS publishes no list.
"""
_LAMBDA_ADDRESSES: Final = 2
"""The addresses that Lambda may take in a subnet: one for its group, and one that lingers up to 45 minutes after a
change of groups."""


class NetworkContract(BaseModel):
    """The networking stack's ids: resolved, checked, and recorded in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    """The reference as the environment's file has it: ``cloudformation:networking-prod``, ``static``."""
    vpc_id: str
    subnet_ids: tuple[str, ...]
    """The private subnets, sorted."""
    zones: tuple[str, ...]
    """Their availability zones, sorted."""


@dataclass(frozen=True)
class AddressDemand:
    """The part of the stack still to be created in the subnets: all else has its addresses already."""

    function: bool = False
    instances: int = 0

    @property
    def addresses(self) -> int:
        """The addresses that each subnet must have free: AWS may use one zone for all, and replaces a failed host."""
        demand = self.instances + (_LAMBDA_ADDRESSES if self.function else 0)
        return demand + 1 if demand else 0

    def __str__(self) -> str:
        plural = "a database instance" if self.instances == 1 else "database instances"
        function = [f"{_LAMBDA_ADDRESSES} for Lambda"] if self.function else []
        instances = [f"{self.instances} for {plural}"] if self.instances else []
        return ", ".join([*function, *instances]) + " and 1 to spare"


_NO_DEMAND: Final = AddressDemand()
_NOBODY: Final[Callable[[str], object]] = str
"""Nobody is told: a callable that forgets its argument."""


def resolve(
    aws: Aws,
    reference: NetworkingReference,
    *,
    folder: Path = Path(),
    arrivals: AddressDemand = _NO_DEMAND,
    warn: Callable[[str], object] = _NOBODY,
) -> NetworkContract:
    """Look up the ids that ``reference`` names and check them; at most six calls to AWS, all but the first together.

    ``folder``: the folder of the environment files, where a relative path in them begins. ``arrivals``: what needs
    addresses of its own. ``warn`` is told what may not be looked at: that is no broken clause.

    Raises:
        NetworkingError: the contract is broken, with one line of evidence for each clause; or a file is unusable.
        AwsRefused: AWS refused for another reason, such as a missing permission.
    """
    ids = _look_up(aws, reference, folder)
    findings = Findings()
    vpc = in_background(partial(_look_at_vpc, aws, ids.vpc_id, findings))
    routes = in_background(partial(read_routes, aws, ids.vpc_id, findings)) if ids.vpc_id else None
    subnets = _describe_subnets(aws, ids.subnet_ids) if 0 < len(ids.subnet_ids) <= MAX_SUBNETS else {}
    broken = [*ids.broken, *vpc.result(), *_broken_subnets(aws, ids, subnets, arrivals)]
    if routes is not None:
        ours = {id_: subnet for id_, subnet in subnets.items() if subnet["VpcId"] == ids.vpc_id}
        check_routes(routes.result(), ours, ids.vpc_id, aws.region, findings)
    broken += findings.broken
    for line in sorted(findings.unseen):
        warn(f"not checked in the networking of {reference}: {line}")
    if broken:
        raise _contract_error(reference, broken)
    return NetworkContract(
        reference=str(reference), vpc_id=ids.vpc_id, subnet_ids=tuple(sorted(subnets)), zones=_zones(subnets)
    )


def named_vpc(aws: Aws, reference: NetworkingReference, folder: Path) -> str:
    """Look up the VPC that ``reference`` names, and check nothing of it; at most one call to AWS. ``folder``: as above.

    Raises:
        NetworkingError: it names none; or a file is unusable.
        AwsRefused: AWS refused for another reason, such as a missing permission.
    """
    ids = _look_up(aws, reference, folder)
    if not ids.vpc_id:
        raise _contract_error(reference, ids.broken)
    return ids.vpc_id


def _contract_error(reference: NetworkingReference, broken: Sequence[str]) -> NetworkingError:
    count = "1 clause" if len(broken) == 1 else f"{len(broken)} clauses"
    return NetworkingError(
        f"the networking of {reference} does not hold its contract: {count} broken",
        evidence="\n".join(broken),
        hint="correct the networking stack, or the networking key of the environment's file, then run it again",
    )


def check_local(reference: NetworkingReference, folder: Path) -> None:
    """Make sure that a reference to a local file (Terraform's or Pulumi's) names one that can be used.

    Raises:
        NetworkingError: it cannot.
    """
    if reference.kind == "terraform":
        read_terraform(folder / reference.target)
    else:
        read_pulumi(folder / reference.target)


def _look_up(aws: Aws, reference: NetworkingReference, folder: Path) -> NetworkIds:
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


NETWORK_RIGHTS: Final = (
    Right(Need.PLAN, ("ec2:DescribeSubnets", "ec2:DescribeVpcs"), why=LISTS),
    Right(Need.PLAN, ("ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints"), why=LISTS),
    Right(Need.PLAN, ("ec2:DescribeVpcAttribute",), (arn("ec2", "vpc/*"),)),
    # A destroy asks which VPC is ours, where no record tells that of a security group.
    Right(
        Need.PLAN | Need.SWEEP, ("cloudformation:DescribeStacks",), (arn("cloudformation", "stack/{network-stack}/*"),)
    ),
    Right(Need.PLAN | Need.SWEEP, ("ssm:GetParameters",), (arn("ssm", "parameter/{network-parameters}/*"),)),
)
"""The rights to read what a networking reference names, and to check it."""


# -- the sources ------------------------------------------------------------------------------------------------------

VPC_NAMES: Final = ("VpcId", "vpc_id", "vpcId")
SUBNETS_NAMES: Final = ("PrivateSubnetIds", "private_subnet_ids", "privateSubnetIds")
_VPC_ID = re.compile(r"vpc-[0-9a-f]+")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]+")

_COMPLETE: Final = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
"""The states of a whole CloudFormation stack. After a rolled-back update the stack is as before; after a rolled-back
creation it is empty. UPDATE_COMPLETE_CLEANUP_IN_PROGRESS still removes what the update replaced.
"""
_TERRAFORM_VERSION: Final = 4
_PULUMI_STACK: Final = "pulumi:pulumi:Stack"
_PULUMI_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_PULUMI_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 -- the mark of one
_ENCRYPTED: Final = object()
_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 20


@dataclass(frozen=True)
class NetworkIds:
    """The ids that a source yields. A missing id is empty, and has a line in ``broken``."""

    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def read_cloudformation(aws: Aws, stack: str) -> NetworkIds:
    """Read the outputs of a stack, by name or ARN. One call."""
    try:
        answer = aws.read(aws.cloudformation.describe_stacks, StackName=stack)
    except AwsRefused as error:
        # DescribeStacks has no code of its own for a missing stack.
        if error.matches("ValidationError", text="does not exist"):
            return NetworkIds(broken=(f"stack: {stack} does not exist in {aws.region}",))
        raise
    described = answer["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    status = described["StackStatus"]
    if status in _COMPLETE:
        return ids_from_outputs(outputs)
    why = f" ({reason})" if (reason := described.get("StackStatusReason")) else ""
    return ids_from_outputs(outputs, f"stack: {stack} is {status}{why}, not complete")


def read_ssm(aws: Aws, path: str) -> NetworkIds:
    """Read the parameters ``<path>/VpcId`` and ``<path>/PrivateSubnetIds``, in any of their spellings. One call."""
    # A name with a slash in it has to begin with one.
    root = f"/{path.strip('/')}"
    names = [f"{root}/{name}" for name in (*VPC_NAMES, *SUBNETS_NAMES)]
    # GetParameters leaves out what is missing, where GetParameter would refuse.
    answer = aws.read(aws.ssm.get_parameters, Names=names)
    outputs: dict[str, object] = {}
    broken = []
    for parameter in answer["Parameters"]:
        if parameter["Type"] == "SecureString":
            broken.append(
                f"outputs: the parameter {parameter['Name']} is a SecureString; ids go into String or StringList"
            )
        outputs[parameter["Name"].removeprefix(f"{root}/")] = parameter["Value"]
    return ids_from_outputs(outputs, *broken, root=f"{root}/")


def read_terraform(path: Path) -> NetworkIds:
    """Read the outputs of a Terraform state of format 4 (Terraform 0.12 and later, OpenTofu).

    Raises:
        NetworkingError: the file cannot be read, or is no such state.
    """
    state = _load_json(path, "terraform state pull")
    outputs = state.get("outputs")
    if _is_encrypted_state(state):
        raise NetworkingError(
            f"the networking file {path.absolute()} cannot be used: it is an encrypted OpenTofu state",
            hint=f"write its outputs in the clear: tofu state pull > {_quoted(path)}; or refer to the network as "
            "cloudformation:…, ssm:…, or by its ids (static)",
        )
    if state.get("version") != _TERRAFORM_VERSION or not isinstance(outputs, dict):
        raise _unusable(path, "it is not a Terraform state of format 4", "terraform state pull")
    return ids_from_outputs({name: each.get("value") for name, each in outputs.items() if isinstance(each, dict)})


def read_pulumi(path: Path) -> NetworkIds:
    """Read the outputs of the stack in a Pulumi checkpoint, or in what ``pulumi stack export`` writes.

    Raises:
        NetworkingError: the file cannot be read, or is neither.
    """
    state = _load_json(path, "pulumi stack export")
    checkpoint = state.get("checkpoint")
    latest = checkpoint.get("latest") if isinstance(checkpoint, dict) else state.get("deployment")
    resources = latest.get("resources") if isinstance(latest, dict) else None
    if not isinstance(latest, dict) or not isinstance(resources, list):
        raise _unusable(path, "it is neither a Pulumi checkpoint nor an export", "pulumi stack export")
    stacks = [each for each in resources if isinstance(each, dict) and each.get("type") == _PULUMI_STACK]
    outputs = stacks[0].get("outputs") if stacks else None
    interrupted = ("stack: the last pulumi update was interrupted (pending operations)",)
    broken = interrupted if latest.get("pending_operations") else ()
    revealed = {name: _revealed(value) for name, value in (outputs if isinstance(outputs, dict) else {}).items()}
    if any(revealed.get(name) is _ENCRYPTED for name in (*VPC_NAMES, *SUBNETS_NAMES)):
        raise NetworkingError(
            f"the networking file {path.absolute()} cannot be used: its outputs are encrypted secrets of Pulumi",
            hint=f"write it anew: pulumi stack export --show-secrets > {_quoted(path)}; or refer to the network as "
            "cloudformation:…, ssm:…, or by its ids (static)",
        )
    return ids_from_outputs(revealed, *broken)


def ids_from_outputs(outputs: Mapping[str, object], *broken: str, root: str = "") -> NetworkIds:
    """Pick the ids from a source's outputs. Other values are never shown: they may be secrets.

    ``broken``: what the source found broken. ``root``: the path of the names, for the message that one is missing.
    """
    vpc_id = _first(outputs, VPC_NAMES)
    listed = _first(outputs, SUBNETS_NAMES)
    subnet_ids = listed.split(",") if isinstance(listed, str) else listed
    problems = list(broken)
    if not vpc_id:
        problems.append(f"outputs: {root}{VPC_NAMES[0]} is missing")
    elif not _is_id(vpc_id, _VPC_ID):
        problems.append(f"outputs: {VPC_NAMES[0]} is not the id of a VPC (vpc-…)")
        vpc_id = ""
    if not listed:
        problems.append(f"outputs: {root}{SUBNETS_NAMES[0]} is missing")
        subnet_ids = ()
    elif not isinstance(subnet_ids, list | tuple) or not all(_is_id(each, _SUBNET_ID) for each in subnet_ids):
        problems.append(f"outputs: {SUBNETS_NAMES[0]} is not a list of ids of subnets (subnet-…)")
        subnet_ids = ()
    return NetworkIds(
        str(vpc_id or "").strip(), tuple(sorted({str(each).strip() for each in subnet_ids})), tuple(problems)
    )


def _first(outputs: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((outputs[name] for name in names if outputs.get(name)), None)


def _is_id(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value.strip()) is not None


def _load_json(path: Path, writer: str) -> dict[str, Any]:
    try:
        text = read_file(path, _MAX_BYTES)
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {error.strerror}", writer) from error
    if undecodable := decoding_problem(text):
        raise _unusable(path, undecodable, writer)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Without "from": the JSON error carries the whole document.
        raise _unusable(path, f"it is not JSON: {json_problem(error)}", writer) from None
    if not isinstance(content, dict):
        raise _unusable(path, "it is not a JSON object", writer)
    return content


def _is_encrypted_state(state: Mapping[str, Any]) -> bool:
    """True for an OpenTofu state or plan with state encryption: it has a key provider's data and one opaque text."""
    # https://opentofu.org/docs/language/state/encryption/
    return "encrypted_data" in state or "encryption_version" in state


def _revealed(value: object, depth: int = 0) -> object:
    """The value of a Pulumi output: secrets that were exported in the clear are unwrapped, in lists and objects too.

    Returns `_ENCRYPTED` where any part of it is a secret that is still encrypted.
    """
    # https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig.go
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict) and value.get(_PULUMI_SIGNATURE) == _PULUMI_SECRET:
        if "plaintext" not in value:
            return _ENCRYPTED if "ciphertext" in value else _revealed(value.get("value"), depth + 1)
        try:
            return _revealed(json.loads(str(value["plaintext"])), depth + 1)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list):
        items = [_revealed(item, depth + 1) for item in value]
        return _ENCRYPTED if _ENCRYPTED in items else items
    return value


def _quoted(path: Path) -> str:
    """The path as a shell takes it: the reference may be anybody's who may edit the file."""
    return shlex.quote(str(path.absolute()))


def _unusable(path: Path, why: str, writer: str) -> NetworkingError:
    where = path.absolute()
    return NetworkingError(
        f"the networking file {where} cannot be used: {why}",
        hint=f"write it anew: {writer} > {_quoted(path)}; or correct the networking key: a relative path in it begins "
        "at the folder of the environment's file",
    )


# -- the check --------------------------------------------------------------------------------------------------------


def _describe_vpc(aws: Aws, vpc_id: str) -> VpcTypeDef | None:
    """Read the VPC by filter: asked for by id, a missing one would be an error."""
    vpcs = aws.read(aws.ec2.describe_vpcs, Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Vpcs"]
    return vpcs[0] if vpcs else None


def _describe_subnets(aws: Aws, subnet_ids: tuple[str, ...]) -> dict[str, SubnetTypeDef]:
    """Read the subnets by filter: asked for by id, one missing subnet would hide the others."""
    answer = aws.read(aws.ec2.describe_subnets, Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}])
    return {subnet["SubnetId"]: subnet for subnet in answer["Subnets"]}


def _look_at_vpc(aws: Aws, vpc_id: str, findings: Findings) -> list[str]:
    """Read the VPC, and list the clauses that it breaks."""
    if not vpc_id:
        return []
    vpc = _describe_vpc(aws, vpc_id)
    return [f"VPC: {vpc_id} does not exist in {aws.region}"] if vpc is None else list(_broken_vpc(aws, vpc, findings))


def _broken_vpc(aws: Aws, vpc: VpcTypeDef, findings: Findings) -> Iterator[str]:
    vpc_id = vpc["VpcId"]
    if vpc["State"] != "available":
        yield f"VPC: {vpc_id} is {vpc['State']}, not available"
    if vpc["InstanceTenancy"] == "dedicated":
        yield f"tenancy: {vpc_id} is of dedicated tenancy, which Lambda cannot attach to"
    # An account that the VPC is shared with may be denied this one.
    has_dns = findings.read(partial(_has_dns_support, aws, vpc_id), "whether DNS support (enableDnsSupport) is on")
    if has_dns is False:
        yield f"DNS: DNS support (enableDnsSupport) is off in {vpc_id}; the database's name would not resolve"


def _has_dns_support(aws: Aws, vpc_id: str) -> bool:
    answer = aws.read(aws.ec2.describe_vpc_attribute, VpcId=vpc_id, Attribute="enableDnsSupport")
    return answer.get("EnableDnsSupport", {}).get("Value", False)


def _broken_subnets(
    aws: Aws, ids: NetworkIds, subnets: dict[str, SubnetTypeDef], arrivals: AddressDemand
) -> Iterator[str]:
    if not ids.subnet_ids:
        return
    if len(ids.subnet_ids) > MAX_SUBNETS:
        yield f"subnets: there are {len(ids.subnet_ids)}, Lambda takes at most {MAX_SUBNETS}"
        return
    for subnet_id in ids.subnet_ids:
        subnet = subnets.get(subnet_id)
        if subnet is None:
            yield f"subnet: {subnet_id} does not exist in {aws.region}"
            continue
        if ids.vpc_id and subnet["VpcId"] != ids.vpc_id:
            yield f"subnet: {subnet_id} is in {subnet['VpcId']}, not in {ids.vpc_id}"
        if subnet["State"] != "available":
            yield f"subnet: {subnet_id} is {subnet['State']}, not available"
        yield from _broken_place(subnet, aws.region)
        free = subnet["AvailableIpAddressCount"]
        if free < arrivals.addresses:
            yield f"addresses: {subnet_id} has {free} free and {arrivals.addresses} are needed: {arrivals}"
    # A subnet elsewhere is no zone of ours.
    zones = _zones({id_: subnet for id_, subnet in subnets.items() if ids.vpc_id in ("", subnet["VpcId"])})
    if len(zones) < MIN_ZONES:
        listed = ", ".join(zones) or "none"
        yield f"zones: the private subnets are in {listed}; Aurora needs at least {MIN_ZONES} availability zones"


def _broken_place(subnet: SubnetTypeDef, region: str) -> Iterator[str]:
    """Name where Lambda and Aurora cannot be."""
    id_, zone, zone_id = subnet["SubnetId"], subnet["AvailabilityZone"], subnet.get("AvailabilityZoneId", "")
    if zone_id in _WITHOUT_LAMBDA:
        yield f"zone: {id_} is in {zone} ({zone_id}), which Lambda does not serve"
    elif not re.fullmatch(f"{re.escape(region)}[a-z]", zone):
        yield f"zone: {id_} is in {zone}, no availability zone of {region} (a Local or Wavelength Zone has no Aurora)"
    if subnet.get("OutpostArn"):
        yield f"zone: {id_} is on an Outpost, where Lambda cannot attach"
    if subnet.get("Ipv6Native"):
        yield f"addresses: {id_} has IPv6 alone; Lambda and Aurora need IPv4"


def _zones(subnets: dict[str, SubnetTypeDef]) -> tuple[str, ...]:
    return tuple(sorted({subnet["AvailabilityZone"] for subnet in subnets.values()}))
