"""Where the ids of the network come from: a CloudFormation stack or SSM parameters (files: `tapctl.networking_file`).

A source finds what it can and says what is broken on its own side; `tapctl.networking` holds the ids against AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from tapctl.aws import Aws

VPC_NAMES = ("VpcId", "vpc_id", "vpcId")
SUBNETS_NAMES = ("PrivateSubnetIds", "private_subnet_ids", "privateSubnetIds")

_VPC_ID = re.compile(r"vpc-[0-9a-f]+")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]+")
# CloudFormation's stack states. After a rolled-back update the stack is whole again, as before; after a rolled-back
# creation it is empty. UPDATE_COMPLETE_CLEANUP_IN_PROGRESS still removes what the update replaced.
_COMPLETE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)


class Reference(Protocol):
    """The ``networking`` key of an environment's file."""

    @property
    def kind(self) -> str:
        """``cloudformation``, ``ssm``, ``terraform``, ``pulumi`` or ``static``."""

    @property
    def target(self) -> str:
        """The stack's name, the parameters' path or the file; empty for ``static``."""

    @property
    def vpc_id(self) -> str | None:
        """For ``static`` alone."""

    @property
    def private_subnet_ids(self) -> tuple[str, ...]:
        """For ``static`` alone."""


def shown(reference: Reference) -> str:
    """The reference as its file has it."""
    return "static" if reference.kind == "static" else f"{reference.kind}:{reference.target}"


@dataclass(frozen=True)
class NetworkIds:
    """What a source told. An id that is not there is empty, and said in ``broken``."""

    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def ids_from_outputs(outputs: Mapping[str, object], *broken: str, root: str = "") -> NetworkIds:
    """The ids among a source's outputs. Values that are no ids are never shown: they may be anything.

    ``root``: what stands before the names where they are looked for.
    """
    vpc_id = _first(outputs, VPC_NAMES)
    listed = _first(outputs, SUBNETS_NAMES)
    subnet_ids = listed.split(",") if isinstance(listed, str) else listed
    wrong = list(broken)
    if not vpc_id:
        wrong.append(f"outputs: {root}{VPC_NAMES[0]} is missing")
    elif not _is_id(vpc_id, _VPC_ID):
        wrong.append(f"outputs: {VPC_NAMES[0]} is not the id of a VPC (vpc-…)")
        vpc_id = ""
    if not listed:
        wrong.append(f"outputs: {root}{SUBNETS_NAMES[0]} is missing")
        subnet_ids = ()
    elif not isinstance(subnet_ids, list | tuple) or not all(_is_id(each, _SUBNET_ID) for each in subnet_ids):
        wrong.append(f"outputs: {SUBNETS_NAMES[0]} is not a list of ids of subnets (subnet-…)")
        subnet_ids = ()
    return NetworkIds(
        str(vpc_id or "").strip(), tuple(sorted({str(each).strip() for each in subnet_ids})), tuple(wrong)
    )


def _first(outputs: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((outputs[name] for name in names if outputs.get(name)), None)


def _is_id(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value.strip()) is not None


def read_cloudformation(aws: Aws, stack: str) -> NetworkIds:
    """The outputs of a stack, by name or ARN. One call."""
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
    """The parameters ``<path>/VpcId`` and ``<path>/PrivateSubnetIds``, in any of their spellings. One call."""
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
