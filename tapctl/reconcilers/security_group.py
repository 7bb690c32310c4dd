"""An EC2 security group, without its rules (`security_group_rules` owns those).

Its id is its name, which EC2 keeps unique in a VPC whatever the case of its letters. EC2 models no error shapes: its
refusals are told apart by code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from tapctl.engine.model import MANAGED_BY, Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, SecurityGroupTypeDef, TagTypeDef

    from tapctl.aws.client import Aws

NOT_FOUND: Final = ("InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound")
RULES: Final = "security-group-rules"
"""The facet's type: it looks at the same groups, in the same bulk read."""

_NAMED_HOLDERS: Final = 3
_OF_AWS: Final = ("AWS Lambda VPC ENI", "RDSNetworkInterface")
"""How the descriptions of the interfaces begin that Lambda and RDS make, and remove some time after their last user."""


class SecurityGroupSpec(Spec):
    """What tapctl owns on a group: all but its rules."""

    description: str
    vpc_id: str
    tags: dict[str, str]


class SecurityGroupOutputs(Outputs):
    """What rules and functions refer to."""

    group_id: str


class SecurityGroup(Reconciler[SecurityGroupSpec, SecurityGroupOutputs]):
    """Sees and changes one group."""

    type = "security-group"
    spec = SecurityGroupSpec
    outputs = SecurityGroupOutputs
    # Never replaced: the cluster and the function hold it, and they move to no other VPC.
    impacts: ClassVar[Mapping[str, Impact]] = {"description": Impact.REPLACE, "vpc_id": Impact.REPLACE}
    # Lambda's interfaces hold a group for 20 to 45 minutes after the function has left it.
    timing = Timing(create_s=5, delete_s=60, longest_s=45 * 60)

    def observe(
        self, aws: Aws, id: str, expected: SecurityGroupSpec | None
    ) -> Observed[SecurityGroupSpec, SecurityGroupOutputs] | None:
        """One read for all groups of the round."""
        group = chosen(aws, id, expected.vpc_id if expected else None)
        if group is None:
            return None
        tags = tags_of(group)
        return Observed(
            spec=SecurityGroupSpec(description=group.get("Description", ""), vpc_id=group.get("VpcId", ""), tags=tags),
            outputs=SecurityGroupOutputs(group_id=group.get("GroupId", "")),
            owner=Owner.of(tags),
        )

    def create(self, aws: Aws, id: str, want: SecurityGroupSpec, owner: Owner) -> None:
        """Make it. EC2 gives it a rule that lets everything out, which the rules' own reconciler takes away."""
        tags = _tag_list({**want.tags, **owner.tags})
        try:
            aws.ec2.create_security_group(
                GroupName=id,
                Description=want.description,
                VpcId=want.vpc_id,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            )
        except AwsRefused as error:
            if error.matches("InvalidGroup.Duplicate"):
                raise AlreadyExists(f"{want.vpc_id} has a group of that name, in whatever case: {id}") from error
            raise

    def update(self, aws: Aws, id: str, have: SecurityGroupSpec, want: SecurityGroupSpec) -> frozenset[str]:
        """Tags: nothing else can change in place."""
        group_id = existing(aws, id, want.vpc_id)
        added = {key: value for key, value in want.tags.items() if have.tags.get(key) != value}
        removed = sorted(have.tags.keys() - want.tags.keys())
        try:
            if added:
                aws.ec2.create_tags(Resources=[group_id], Tags=_tag_list(added))
                return frozenset(() if removed else {"tags"})
            aws.ec2.delete_tags(Resources=[group_id], Tags=[{"Key": key} for key in removed])
        except AwsRefused as error:
            if error.matches(*NOT_FOUND):
                raise not_shown(id) from error
            raise
        return frozenset({"tags"})

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SecurityGroupSpec, SecurityGroupOutputs],
        last: SecurityGroupSpec | None,  # noqa: ARG002 -- what is seen says enough
    ) -> None:
        """Delete it; where something holds it, say what."""
        group_id = seen.outputs.group_id if seen.outputs else ""
        try:
            aws.ec2.delete_security_group(GroupId=group_id)
        except AwsRefused as error:
            if error.matches(*NOT_FOUND):
                return
            if error.matches("DependencyViolation", "InvalidGroup.InUse"):
                holders, leaving = _holders(aws, group_id, seen.owner)
                patience = Patience.LONG if leaving else Patience.BUSY
                raise NotYet(f"{id} is held by {holders or error.message}", patience) from error
            raise

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """By tags, in every VPC of the region."""
        filters: list[FilterTypeDef] = [{"Name": f"tag:{key}", "Values": [value]} for key, value in owner.tags.items()]
        return [group.get("GroupName", "") for group in _described(aws, filters)]


# -- for the rules too -----------------------------------------------------------------------------------------------


def groups(aws: Aws, id: str) -> list[SecurityGroupTypeDef]:
    """All groups of the region that bear a name the round looks at: one read for groups and rules alike."""
    names = sorted({*aws.batch_ids(SecurityGroup.type, id), *aws.batch_ids(RULES, id)})
    return _described(aws, [{"Name": "group-name", "Values": names}])


def chosen(aws: Aws, id: str, vpc_id: str | None) -> SecurityGroupTypeDef | None:
    """The group that is meant: ours, in whatever VPC (so that a VPC given up shows); else the one in ``vpc_id``.

    Without a ``vpc_id`` it is any of that name, so that a stranger's is seen as one.
    """
    named = [group for group in groups(aws, id) if group.get("GroupName", "").casefold() == id.casefold()]

    def preference(group: SecurityGroupTypeDef) -> tuple[bool, bool, str]:
        owner = Owner.of(tags_of(group))
        ours = owner is not None and owner.managed_by == MANAGED_BY
        return (not ours, group.get("VpcId") != vpc_id, group.get("GroupId", ""))

    best = min(named, key=preference, default=None)
    if best is not None and vpc_id is not None and preference(best)[:2] == (True, True):
        return None
    return best


def existing(aws: Aws, id: str, vpc_id: str) -> str:
    """The id of the group that is meant.

    Raises:
        NotYet: it does not show.
    """
    group = chosen(aws, id, vpc_id)
    if group is None:
        raise not_shown(id)
    return group.get("GroupId", "")


def not_shown(id: str) -> NotYet:
    """EC2 accepts a group before all of it knows the group (CreateSecurityGroup)."""
    return NotYet(f"EC2 does not show the security group {id} yet", Patience.PROPAGATION)


def tags_of(group: SecurityGroupTypeDef) -> dict[str, str]:
    """Its tags, but for those of AWS itself."""
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in group.get("Tags", [])}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _described(aws: Aws, filters: Sequence[FilterTypeDef]) -> list[SecurityGroupTypeDef]:
    pages = aws.pages(aws.ec2.get_paginator("describe_security_groups"), Filters=filters)
    return [group for page in pages for group in page["SecurityGroups"]]


def _holders(aws: Aws, group_id: str, ours: Owner | None) -> tuple[str, bool]:
    """What holds the group, for a person to read; and whether any of it, or what cannot be told, goes by itself.

    Lambda and RDS take their interfaces away, and our own groups' rules go with us. Anything else is for its owner,
    and is named first. Empty where that may not be read, or nothing shows.
    """
    filters: list[FilterTypeDef] = [{"Name": "group-id", "Values": [group_id]}]
    try:
        pages = aws.pages(aws.ec2.get_paginator("describe_network_interfaces"), Filters=filters)
        told = [
            (one.get("Description", ""), one.get("NetworkInterfaceId", ""))
            for page in pages
            for one in page["NetworkInterfaces"]
        ]
        interfaces = sorted((text.startswith(_OF_AWS), f"{id_} ({text or 'no description'})") for text, id_ in told)
        rules = [
            (ours is not None and Owner.of(tags_of(one)) == ours, f"a rule of {one.get('GroupName', '')}")
            for name in ("ip-permission.group-id", "egress.ip-permission.group-id")
            for one in _described(aws, [{"Name": name, "Values": [group_id]}])
            if one.get("GroupId") != group_id
        ]
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return "", True
    named = [text for _, text in interfaces]
    more = len(named) - _NAMED_HOLDERS
    named[_NAMED_HOLDERS:] = [f"{more} more network interfaces"] if more > 0 else []
    found = [*interfaces, *rules]
    return ", ".join(dict.fromkeys([*named, *(text for _, text in rules)])), not found or any(goes for goes, _ in found)


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
