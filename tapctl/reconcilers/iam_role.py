"""An IAM role with everything that decides what it may do: trust, inline policies, attached policies, boundary.

All inline and attached policies are owned whole: an extra one is access that somebody gave, shows, and is taken away.
IAM is global: in each region of an account the same suffix means the same role name, so a role tells whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from tapctl.aws.policy import PolicyDocument, as_json, matches_template, parse
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import TagTypeDef

    from tapctl.aws.client import Aws

T = TypeVar("T")

BUSY: Final = Patience.BUSY
REGION_TAG: Final = "tapctl:region"
"""Which region's stack it is of. One without the tag is of any: a tag to be put back."""
_DEFAULT_SESSION_S: Final = 3600


class IamRoleSpec(Spec):
    """What tapctl owns on a role."""

    trust: PolicyDocument
    inline: dict[str, PolicyDocument]
    """Inline policies by name."""
    attached: frozenset[str] = frozenset()
    """ARNs of attached policies. Wanted: none, what a role may do is said in one place."""
    permissions_boundary: str = ""
    """The ARN of the policy that bounds it; empty where none does."""
    description: str
    path: str = "/"
    max_session_duration_s: int = _DEFAULT_SESSION_S
    tags: dict[str, str]


class IamRoleOutputs(Outputs):
    """``role_id`` tells a role from another of the same name: policies that named the old one do not name the new."""

    arn: str
    role_id: str


class IamRole(Reconciler[IamRoleSpec, IamRoleOutputs]):
    """Sees and changes one role."""

    type = "iam-role"
    spec = IamRoleSpec
    outputs = IamRoleOutputs
    replaceable = True
    impacts: ClassVar[Mapping[str, Impact]] = {"path": Impact.REPLACE}
    timing = Timing(create_s=10, delete_s=5, longest_s=600)

    def observe(self, aws: Aws, id: str, expected: IamRoleSpec | None) -> Observed[IamRoleSpec, IamRoleOutputs] | None:
        """Four reads with one inline policy, and one for each further one: GetRole, both lists, and each policy."""
        try:
            role = aws.read(aws.iam.get_role, RoleName=id)["Role"]
            unread: dict[str, str] = {}

            def read(field: str, call: Callable[[], T], otherwise: T) -> T:
                try:
                    return call()
                except AwsRefused as error:
                    if not error.is_denied:
                        raise
                    unread[field] = error.iam_action
                    return otherwise

            nothing: frozenset[str] = frozenset()
            inline = read("inline", lambda: _inline(aws, id), None)
            if inline is None:
                # What is wanted can still be asked for by name. Where that is all there, the others stay unknown.
                wanted = expected.inline if expected else {}
                inline = read("inline", lambda: _documents(aws, id, wanted), wanted)
                if not matches_template(inline, wanted):
                    del unread["inline"]
            attached = read("attached", lambda: _attached(aws, id), expected.attached if expected else nothing)
        except AwsRefused as error:
            if error.matches("NoSuchEntity"):
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", []) if not tag["Key"].startswith("aws:")}
        # Right after its creation IAM may answer the unique id (AROA...) in the ARN's place.
        told = role["Arn"].startswith("arn:")
        trust: Any = role.get("AssumeRolePolicyDocument", {})  # botocore has decoded the JSON
        return Observed(
            spec=IamRoleSpec(
                trust=parse(trust),
                inline=inline,
                attached=attached,
                permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
                description=role.get("Description", ""),
                path=role["Path"],
                max_session_duration_s=role.get("MaxSessionDuration", _DEFAULT_SESSION_S),
                tags=tags,
            ),
            outputs=IamRoleOutputs(arn=role["Arn"], role_id=role["RoleId"]) if told else None,
            settled=told,
            owner=_owner(tags, aws.region),
            unreadable=unread,
        )

    def create(self, aws: Aws, id: str, want: IamRoleSpec, owner: Owner) -> None:
        """Make it, trusting whom it is to trust, and not yet allowed anything."""
        bounded: Any = {"PermissionsBoundary": want.permissions_boundary} if want.permissions_boundary else {}
        try:
            aws.iam.create_role(
                RoleName=id,
                Path=want.path,
                AssumeRolePolicyDocument=as_json(want.trust),
                Description=want.description,
                MaxSessionDuration=want.max_session_duration_s,
                Tags=_tag_list({**want.tags, **owner.tags}),
                **bounded,
            )
        except AwsRefused as error:
            if error.matches("EntityAlreadyExists"):
                raise AlreadyExists(f"the account has a role of that name, in whatever case and path: {id}") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str]:
        """Who may take it and what bounds it, then what it may do, then the rest."""
        try:
            for step in (_bounds, _inline_step, _attached_step):
                asked = step(aws, id, have, want)
                if asked is not None:
                    return asked
            return _tags_step(aws, id, have, want)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[IamRoleSpec, IamRoleOutputs],
        last: IamRoleSpec | None,  # noqa: ARG002 -- what is seen says enough
    ) -> None:
        """Detach, then delete the inline policies, then the role: IAM deletes none that has any."""
        try:
            if seen.spec.attached:
                aws.iam.detach_role_policy(RoleName=id, PolicyArn=min(seen.spec.attached))
            elif seen.spec.inline:
                aws.iam.delete_role_policy(RoleName=id, PolicyName=min(seen.spec.inline))
            else:
                aws.iam.delete_role(RoleName=id)
        except AwsRefused as error:
            if error.matches("DeleteConflict"):
                raise NotYet(f"IAM still counts something as the role's: {_holders(aws, id, error)}", BUSY) from error
            # What is to go is gone: the next look tells.
            if not error.matches("NoSuchEntity"):
                raise classify(error) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """By tags, of the roles whose names end in our suffix.

        The tagging API knows no roles and ListRoles tells no tags: tags cost a call a role, an account has a thousand
        roles, and each name tapctl gives ends in the suffix.
        """
        for page in aws.pages(aws.iam.get_paginator("list_roles")):
            for role in page["Roles"]:
                name = role["RoleName"]
                if name.endswith(f"-{owner.suffix}") and _owner(_tags(aws, name), aws.region) == owner:
                    yield name


# -- looking ---------------------------------------------------------------------------------------------------------


def _inline(aws: Aws, id: str) -> dict[str, PolicyDocument] | None:
    pages = aws.pages(aws.iam.get_paginator("list_role_policies"), RoleName=id)
    return _documents(aws, id, [name for page in pages for name in page["PolicyNames"]])


def _documents(aws: Aws, id: str, names: Iterable[str]) -> dict[str, PolicyDocument]:
    found: dict[str, PolicyDocument] = {}
    for name in names:
        try:
            document: Any = aws.read(aws.iam.get_role_policy, RoleName=id, PolicyName=name)["PolicyDocument"]
        except AwsRefused as error:
            # Deleted since it was listed, or never put.
            if not error.matches("NoSuchEntity"):
                raise
        else:
            found[name] = parse(document)
    return found


def _attached(aws: Aws, id: str) -> frozenset[str]:
    pages = aws.pages(aws.iam.get_paginator("list_attached_role_policies"), RoleName=id)
    return frozenset(one.get("PolicyArn", "") for page in pages for one in page["AttachedPolicies"])


def _tags(aws: Aws, id: str) -> dict[str, str]:
    try:
        pages = aws.pages(aws.iam.get_paginator("list_role_tags"), RoleName=id)
    except AwsRefused as error:
        # Deleted since it was listed.
        if error.matches("NoSuchEntity"):
            return {}
        raise
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _owner(tags: Mapping[str, str], region: str) -> Owner | None:
    """Read the owner from the tags; the same suffix in another region is somebody else's."""
    owner, home = Owner.of(tags), tags.get(REGION_TAG, region)
    return owner if owner is None or home == region else replace(owner, scope=home)


def _holders(aws: Aws, id: str, conflict: AwsRefused) -> str:
    """What keeps the role: instance profiles, which tapctl never makes and so leaves to whoever did."""
    try:
        pages = aws.pages(aws.iam.get_paginator("list_instance_profiles_for_role"), RoleName=id)
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return conflict.message
    profiles = [one["InstanceProfileName"] for page in pages for one in page["InstanceProfiles"]]
    return f"instance profile {', '.join(profiles)}" if profiles else conflict.message


# -- changing: each makes one call, or answers None where it has nothing to do ---------------------------------------


def _bounds(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
    if have.trust != want.trust:
        aws.iam.update_assume_role_policy(RoleName=id, PolicyDocument=as_json(want.trust))
        return frozenset({"trust"})
    if have.permissions_boundary != want.permissions_boundary:
        if want.permissions_boundary:
            aws.iam.put_role_permissions_boundary(RoleName=id, PermissionsBoundary=want.permissions_boundary)
        else:
            aws.iam.delete_role_permissions_boundary(RoleName=id)
        return frozenset({"permissions_boundary"})
    told = frozenset(
        name for name in ("description", "max_session_duration_s") if getattr(have, name) != getattr(want, name)
    )
    if told:
        # Both at once: a duration left out is set back to an hour (UpdateRole).
        aws.iam.update_role(RoleName=id, Description=want.description, MaxSessionDuration=want.max_session_duration_s)
        return told
    return None


def _inline_step(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
    differing = [name for name, document in want.inline.items() if have.inline.get(name) != document]
    extra = have.inline.keys() - want.inline.keys()
    if differing:
        name = min(differing)
        aws.iam.put_role_policy(RoleName=id, PolicyName=name, PolicyDocument=as_json(want.inline[name]))
    elif extra:
        aws.iam.delete_role_policy(RoleName=id, PolicyName=min(extra))
    else:
        return None
    return frozenset({"inline"} if len(differing) + len(extra) == 1 else ())


def _attached_step(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
    missing = want.attached - have.attached
    extra = have.attached - want.attached
    if missing:
        aws.iam.attach_role_policy(RoleName=id, PolicyArn=min(missing))
    elif extra:
        aws.iam.detach_role_policy(RoleName=id, PolicyArn=min(extra))
    else:
        return None
    return frozenset({"attached"} if len(missing) + len(extra) == 1 else ())


def _tags_step(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str]:
    added = {key: value for key, value in want.tags.items() if have.tags.get(key) != value}
    removed = sorted(have.tags.keys() - want.tags.keys())
    if added:
        aws.iam.tag_role(RoleName=id, Tags=_tag_list(added))
        return frozenset(() if removed else {"tags"})
    aws.iam.untag_role(RoleName=id, TagKeys=removed)
    return frozenset({"tags"})


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def classify(error: AwsRefused) -> Exception:
    """What IAM's refusal of a change means: "not yet" where that is known, itself otherwise."""
    if error.matches("MalformedPolicyDocument", text="invalid principal"):
        return NotYet("a principal that the role is to trust is not known to IAM yet", Patience.PROPAGATION)
    if error.matches("NoSuchEntity"):
        return NotYet(f"IAM has not taken in the last change yet: {error.message}", Patience.PROPAGATION)
    if error.matches("ConcurrentModification"):
        return NotYet(f"IAM is busy with another change of the role: {error.message}", BUSY)
    return error
