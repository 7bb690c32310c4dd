"""An EC2 security group, without its rules (`security_group_rules` owns those).

The id is the group's name, which EC2 keeps unique in a VPC whatever the case of its letters. EC2 models no error
shapes: refusals are told apart by code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.client import beside
from tapctl.aws.policy import when
from tapctl.aws.refusals import where_known
from tapctl.aws.rights import LISTS, OURS, TAGGED, Need, Right, arn
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Spec, Timing, address
from tapctl.engine.owner_tags import MANAGED_BY
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused
from tapctl.reconcilers.database_groups import ASKS_DATABASES, DatabaseGroups, databases_in
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.used_by_others import ASKS_FUNCTIONS, functions_that

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, SecurityGroupTypeDef

    from tapctl.aws.client import Aws

NOT_FOUND: Final = ("InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound")
RULES: Final = "security-group-rules"
"""The type of the subresource: it reads the same groups, in the same bulk read."""

_NAMED_HOLDERS: Final = 3
_PAGE: Final = 1000
_NAMES_A_CALL: Final = 200
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html"""
_UUID: Final = re.compile(r"[0-9a-f-]{36}")
_NOT_ASSOCIATED: Final = ("association-failed", "disassociating", "disassociated")
# Prefixes of the descriptions of the interfaces that Lambda and RDS make, and remove some time after the last user.
_OF_AWS: Final = ("AWS Lambda VPC ENI", "RDSNetworkInterface")


GROUPS: Final = arn("ec2", "security-group/*")
"""EC2 chooses the ids of groups: ours are those with our tags."""


class SecurityGroupSpec(Spec):
    """The fields that tapctl owns on a group: all but the rules."""

    description: str
    vpc_id: str
    strangers: frozenset[str] = frozenset()
    """Network interfaces in the group that are neither of RDS nor of our function, and may do what the group may:
    ``<interface id> (<description>)``. Wanted: none."""
    other_vpcs: frozenset[str] = frozenset()
    """Other VPCs in which the group can be used. Wanted: none."""
    tags: dict[str, str]


class SecurityGroupOutputs(Outputs):
    """The group's id, by which rules and functions refer to it."""

    group_id: str


class SecurityGroup(DatabaseGroups[SecurityGroupSpec, SecurityGroupOutputs]):
    """A security group without its rules."""

    type = "security-group"
    teardown_rank = 110
    # A name is one group's in each VPC (CreateSecurityGroup): in another one it may be anybody's.
    identity = "vpc_id"
    # Never replaced: the cluster and the function hold it, and they move to no other VPC.
    impacts: ClassVar[Mapping[str, Impact]] = {"description": Impact.REPLACE, "vpc_id": Impact.REPLACE}
    left_alone: ClassVar[Mapping[str, str]] = {
        "strangers": "aws ec2 describe-network-interfaces --network-interface-ids {value}",
        "other_vpcs": "aws ec2 disassociate-security-group-vpc --group-id {group_id} --vpc-id {value}",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        "strangers": "whoever owns it takes it out of the group; this shows it:",
    }
    never_compared = (
        "other databases in it",
        "functions that share our interfaces",
        "shares by RAM",
        "tags of its rules",
        "what else the prefix lists in them hold",
    )
    # As long as Lambda's interfaces, which hold the group after the function has left it (`lambda_function`).
    trail = Trail(
        "ec2",
        whole=("CreateSecurityGroup", "DeleteSecurityGroup"),
        fields={
            "strangers": ("CreateNetworkInterface", "ModifyNetworkInterfaceAttribute", "RunInstances"),
            "other_vpcs": ("AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc"),
            "tags": ("CreateTags", "DeleteTags"),
        },
    )
    timing = Timing(create_s=5, delete_s=1500, longest_s=90 * 60)
    actions = (
        Right(
            Need.OBSERVE | Need.CREATE | Need.UPDATE | Need.DELETE | Need.SWEEP,
            ("ec2:DescribeSecurityGroups",),
            why=LISTS,
        ),
        Right(
            Need.EXPOSURES,
            ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroupVpcAssociations"),
            why=LISTS,
        ),
        Right(Need.CREATE, ("ec2:CreateSecurityGroup",), (GROUPS,), TAGGED),
        Right(Need.CREATE, ("ec2:CreateSecurityGroup",), (arn("ec2", "vpc/*"),)),
        Right(
            Need.CREATE,
            ("ec2:CreateTags",),
            (GROUPS,),
            (*TAGGED, when("StringEquals", "ec2:CreateAction", "CreateSecurityGroup")),
        ),
        # One of the two owner tags is enough to put back the other.
        *(Right(Need.UPDATE, ("ec2:CreateTags",), (GROUPS,), (mark,), fields=frozenset({"tags"})) for mark in OURS),
        Right(Need.UPDATE, ("ec2:DeleteTags",), (GROUPS,), OURS, fields=frozenset({"tags"})),
        Right(Need.DELETE, ("ec2:DeleteSecurityGroup",), (GROUPS,), OURS),
        Right(Need.DELETE, ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroupVpcAssociations"), why=LISTS),
        ASKS_DATABASES,
        ASKS_FUNCTIONS,
    )

    def observe(
        self, aws: Aws, id: str, expected: SecurityGroupSpec | None
    ) -> Observed[SecurityGroupSpec, SecurityGroupOutputs] | None:
        """Read all groups of the round by one call."""
        group = find_group(aws, id, expected.vpc_id if expected else None)
        if group is None:
            return None
        live_tags = tags.as_dict(group.get("Tags", []))
        return Observed(
            spec=SecurityGroupSpec(
                description=group.get("Description", ""), vpc_id=group.get("VpcId", ""), tags=live_tags
            ),
            outputs=SecurityGroupOutputs(group_id=group["GroupId"]),
            owner=Owner.of(live_tags),
        )

    def observe_exposures(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SecurityGroupSpec, SecurityGroupOutputs],
        expected: SecurityGroupSpec | None,
    ) -> Observed[SecurityGroupSpec, SecurityGroupOutputs]:
        """Read the interfaces and the VPCs of all groups of the round: two calls for all."""
        assert seen.outputs is not None, "EC2 names every group that it shows"
        group_id = seen.outputs.group_id
        ids = sorted({group_id, *(group["GroupId"] for group in groups(aws, id))})
        reads = {
            "strangers": lambda: _strangers(aws, group_id, ids, partial(_is_of_ours, aws.round_ids("lambda-function"))),
            "other_vpcs": lambda: _other_vpcs(aws, group_id, ids),
        }
        return with_exposures(seen, reads)

    def create(self, aws: Aws, id: str, want: SecurityGroupSpec, owner: Owner) -> None:
        """Make the group. EC2 adds a rule that lets everything out, which the rules' own reconciler takes away."""
        all_tags = tags.as_list({**want.tags, **owner.tags})
        try:
            aws.ec2.create_security_group(
                GroupName=id,
                Description=want.description,
                VpcId=want.vpc_id,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": all_tags}],
            )
        except AwsRefused as error:
            if error.matches("InvalidGroup.Duplicate"):
                raise AlreadyExists(f"{want.vpc_id} has a group of that name, in whatever case: {id}") from error
            raise

    def update(self, aws: Aws, id: str, have: SecurityGroupSpec, want: SecurityGroupSpec) -> frozenset[str]:
        """Change tags: nothing else can change in place."""
        group_id = existing_id(aws, id, want.vpc_id)
        try:
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.ec2.create_tags(Resources=[group_id], Tags=tags.as_list(missing)),
                remove=lambda extra: aws.ec2.delete_tags(Resources=[group_id], Tags=[{"Key": key} for key in extra]),
            )
        except AwsRefused as error:
            if error.matches(*NOT_FOUND):
                raise _not_shown(id) from error
            raise

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SecurityGroupSpec, SecurityGroupOutputs],
        last: SecurityGroupSpec | None,
    ) -> None:
        """Delete the group; a refusal because it is in use names its users."""
        group_id = observed.outputs.group_id if observed.outputs else ""
        try:
            aws.ec2.delete_security_group(GroupId=group_id)
        except AwsRefused as error:
            if error.matches(*NOT_FOUND):
                return
            if error.matches("DependencyViolation", "InvalidGroup.InUse"):
                holders, passing = _holders(aws, group_id, observed.owner)
                patience = Patience.LONG if passing else Patience.BUSY
                raise NotYet(f"{id} is held by {holders or error.message}", patience) from error
            raise

    def removal_refusal(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SecurityGroupSpec, SecurityGroupOutputs],
        last: SecurityGroupSpec | None,
    ) -> Refused | None:
        """Look for who else uses the group; where no record tells its VPC, for another one of its name and tags."""
        same = [] if last is not None else [one for one in _of_name(aws, id) if owner_of(one) == observed.owner]
        if len(same) > 1:
            places = (f"{one['GroupId']} in {one.get('VpcId', '')}" for one in same)
            return Refused(
                f"there are {len(same)} groups {id} with our tags, and no record tells which is ours",
                evidence=", ".join(sorted(places)),
                hint="see whose each of them is, and take our tags off what is not ours; then run this again",
            )
        return super().removal_refusal(aws, id, observed, last)

    def _others(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SecurityGroupSpec, SecurityGroupOutputs],
        going: Collection[str],
    ) -> Iterator[str]:
        """Name databases, functions, interfaces that do not go by themselves, groups whose rules name it, and VPCs."""
        group_id = observed.outputs.group_id if observed.outputs else ""
        yield from databases_in(aws, group_id, going)
        yield from _strangers(aws, group_id, [group_id], _goes_by_itself)
        # Their interfaces are Lambda's, and go by themselves only once no function needs them.
        yield from functions_that(
            aws, lambda one: group_id in one.get("VpcConfig", {}).get("SecurityGroupIds", ()), going
        )
        for group in _naming(aws, group_id):
            if address(self.type, group.get("GroupName", "")) not in going:
                yield f"a rule of {group.get('GroupName', '')}"
        nowhere: frozenset[str] = frozenset()
        for vpc in sorted(where_known(lambda: _other_vpcs(aws, group_id, [group_id]), nowhere)):
            command = f"aws ec2 disassociate-security-group-vpc --group-id {group_id} --vpc-id {vpc}"
            yield f"its use in {vpc} ({aws.target.command(command)})"

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """Find the groups by the owner's tags, in every VPC of the region."""
        filters: list[FilterTypeDef] = [
            {"Name": f"tag:{key}", "Values": [value]} for key, value in owner.search_tags.items()
        ]
        return [group.get("GroupName", "") for group in _described(aws, filters)]


# -- shared with the rules ---------------------------------------------------------------------------------------------


def groups(aws: Aws, id: str) -> list[SecurityGroupTypeDef]:
    """List the region's groups that bear a name of the round: one read for groups and rules alike."""
    names = beside(id, (*aws.batch_ids(SecurityGroup.type, id), *aws.batch_ids(RULES, id)), _NAMES_A_CALL)
    return _described(aws, [{"Name": "group-name", "Values": list(names)}])


def find_group(aws: Aws, id: str, vpc_id: str | None) -> SecurityGroupTypeDef | None:
    """Choose the group of this name: ours, in whatever VPC (so that a VPC given up shows); else the one in ``vpc_id``.

    Without a ``vpc_id`` any group of that name will do, so that a foreign one is seen as foreign.
    """
    named = _of_name(aws, id)

    def preference(group: SecurityGroupTypeDef) -> tuple[bool, bool, str]:
        owner = owner_of(group)
        ours = owner is not None and owner.managed_by == MANAGED_BY
        return (not ours, group.get("VpcId") != vpc_id, group.get("GroupId", ""))

    best = min(named, key=preference, default=None)
    if best is not None and vpc_id is not None and preference(best)[:2] == (True, True):
        return None
    return best


def existing_id(aws: Aws, id: str, vpc_id: str) -> str:
    """Look up EC2's id of the group of this name in this very VPC, whatever its tags.

    Raises:
        NotYet: EC2 does not show the group.
    """
    ids = [group["GroupId"] for group in _of_name(aws, id) if group.get("VpcId") == vpc_id]
    if not ids:
        raise _not_shown(id)
    return ids[0]


def _of_name(aws: Aws, id: str) -> list[SecurityGroupTypeDef]:
    """List the groups of this very name, of which each VPC has one at most, whatever the case of its letters."""
    return [group for group in groups(aws, id) if group.get("GroupName", "").casefold() == id.casefold()]


def owner_of(group: SecurityGroupTypeDef) -> Owner | None:
    """Read the owner from the group's tags."""
    return Owner.of(tags.as_dict(group.get("Tags", [])))


def _not_shown(id: str) -> NotYet:
    """EC2 accepts a group before all of it knows the group (CreateSecurityGroup)."""
    return NotYet(f"EC2 does not show the security group {id} yet", Patience.PROPAGATION)


def _described(aws: Aws, filters: Sequence[FilterTypeDef]) -> list[SecurityGroupTypeDef]:
    pages = aws.pages(aws.ec2.get_paginator("describe_security_groups"), Filters=filters)
    return [group for page in pages for group in page["SecurityGroups"]]


def _strangers(
    aws: Aws, group_id: str, ids: Sequence[str], may_stay: Callable[[Mapping[str, Any]], bool]
) -> frozenset[str]:
    # Unpaginated, or without the hidden ones of AWS's services, the answer of a large account is none, or not all.
    pages: list[Any] = aws.pages(
        aws.ec2.get_paginator("describe_network_interfaces"),
        Filters=[{"Name": "group-id", "Values": list(ids)}],
        IncludeManagedResources=True,
        PaginationConfig={"PageSize": _PAGE},
    )
    return frozenset(
        f"{interface.get('NetworkInterfaceId', '')} ({interface.get('Description') or 'no description'})"
        for page in pages
        for interface in page.get("NetworkInterfaces", ())
        if any(group["GroupId"] == group_id for group in interface.get("Groups", ())) and not may_stay(interface)
    )


def _is_of_ours(functions: Sequence[str], interface: Mapping[str, Any]) -> bool:
    """True if RDS, or Lambda for our function, made the interface: anybody can write their words, not be their hand."""
    if interface.get("InterfaceType") == "lambda":
        text = str(interface.get("Description", ""))
        # A longer name may begin with ours: only a UUID may follow.
        return any(_UUID.fullmatch(text.removeprefix(f"AWS Lambda VPC ENI-{name}-")) for name in functions)
    return _goes_by_itself(interface)


def _goes_by_itself(interface: Mapping[str, Any]) -> bool:
    """True if RDS or Lambda made the interface, and takes it away some time after its last user."""
    by_rds = interface.get("Description") == "RDSNetworkInterface" and bool(interface.get("RequesterManaged"))
    return by_rds or interface.get("InterfaceType") == "lambda"


def _other_vpcs(aws: Aws, group_id: str, ids: Sequence[str]) -> frozenset[str]:
    client: Any = aws.ec2  # newer than the stubs
    pages: list[Any] = aws.pages(
        client.get_paginator("describe_security_group_vpc_associations"),
        Filters=[{"Name": "group-id", "Values": list(ids)}],
    )
    return frozenset(
        each["VpcId"]
        for page in pages
        for each in page.get("SecurityGroupVpcAssociations", ())
        if each["GroupId"] == group_id and each.get("State") not in _NOT_ASSOCIATED
    )


def _holders(aws: Aws, group_id: str, ours: Owner | None) -> tuple[str, bool]:
    """Name the users of the group, for a person to read; and tell if any of them goes by itself, or none is known.

    Lambda and RDS take their interfaces away, and our own groups' rules go with us. Anything else is for its owner to
    remove, and is named first. Empty where the users may not be read, or none shows.
    """
    filters: list[FilterTypeDef] = [{"Name": "group-id", "Values": [group_id]}]
    try:
        pages = aws.pages(
            aws.ec2.get_paginator("describe_network_interfaces"),
            Filters=filters,
            IncludeManagedResources=True,
            PaginationConfig={"PageSize": _PAGE},
        )
        described = [
            (interface.get("Description", ""), interface.get("NetworkInterfaceId", ""))
            for page in pages
            for interface in page["NetworkInterfaces"]
        ]
        interfaces = sorted(
            (text.startswith(_OF_AWS), f"{interface_id} ({text or 'no description'})")
            for text, interface_id in described
        )
        rules = [
            (ours is not None and owner_of(group) == ours, f"a rule of {group.get('GroupName', '')}")
            for group in _naming(aws, group_id)
        ]
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return "", True
    named = [text for _, text in interfaces]
    more = len(named) - _NAMED_HOLDERS
    named[_NAMED_HOLDERS:] = [f"{more} more network interfaces"] if more > 0 else []
    vpcs = [(False, f"its use in {vpc}") for vpc in _vpcs_or_none(aws, group_id)]
    holders = [*interfaces, *rules, *vpcs]
    passing = not holders or any(passes for passes, _ in holders)
    return ", ".join(dict.fromkeys([*named, *(text for _, text in (*rules, *vpcs))])), passing


def _naming(aws: Aws, group_id: str) -> Iterator[SecurityGroupTypeDef]:
    """List the other groups whose rules name this one, each once for either direction."""
    for name in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        for group in _described(aws, [{"Name": name, "Values": [group_id]}]):
            if group.get("GroupId") != group_id:
                yield group


def _vpcs_or_none(aws: Aws, group_id: str) -> list[str]:
    """List the other VPCs in which the group can be used; none where they may not be read, or EC2 knows no such use."""
    try:
        return sorted(_other_vpcs(aws, group_id, [group_id]))
    except AwsRefused:
        return []
