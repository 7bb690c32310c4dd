"""An IAM role with everything that decides what it may do: trust, inline policies, attached policies, boundary.

All inline and attached policies are owned whole: an extra one is access that somebody gave, shows, and is taken away.
IAM is global: the same suffix means the same role name in each region of an account, so a tag says which region's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.answers import unusable
from tapctl.aws.policy import PolicyDocument, as_json, from_answer, matches_template, when
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right
from tapctl.engine.model import ALLOW, Impact, Observed, Outputs, Owner, Spec, Timing, UnreadTags
from tapctl.engine.owner_tags import REGION_TAG
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, denial_hint
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.used_by_others import ASKS_FUNCTIONS, UsedByOthers, functions_that
from tapctl.threads import side_by_side

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_DEFAULT_SESSION_S: Final = 3600
_TRANSIENT: Final = (
    Transient(
        ("MalformedPolicyDocument",),
        "a principal that the role is to trust is not known to IAM yet",
        Patience.PROPAGATION,
        text="invalid principal",
    ),
    Transient(("NoSuchEntity",), "IAM has not taken in the last change yet: {error.message}", Patience.PROPAGATION),
    Transient(
        ("ConcurrentModification",), "IAM is busy with another change of the role: {error.message}", Patience.BUSY
    ),
)


_REGION_PART: Final = 3
"""The place of the region in an ARN."""
_ROLES_A_PAGE: Final = 1000
_MOST_ASKED: Final = 200
ROLE: Final = ("arn:{partition}:iam::{account}:role/{role-path}{iam-role}",)


class IamRoleSpec(Spec):
    """The fields that tapctl owns on a role."""

    trust: PolicyDocument
    inline: dict[str, PolicyDocument]
    """Inline policies by name."""
    attached: frozenset[str] = frozenset()
    """ARNs of attached policies. Wanted: none, so that one place says what the role may do."""
    permissions_boundary: str = ""
    """The ARN of the policy that bounds the role; empty where none does."""
    description: str
    path: str = "/"
    max_session_duration_s: int = _DEFAULT_SESSION_S
    instance_profiles: frozenset[str] = frozenset()
    """Instance profiles that hand the role to EC2 instances, as far as its trust lets them. Wanted: none."""
    tags: dict[str, str]


class IamRoleOutputs(Outputs):
    """``role_id`` tells a role from another of the same name: policies that named the old one do not name the new."""

    arn: str
    role_id: str


class IamRole(UsedByOthers[IamRoleSpec, IamRoleOutputs]):
    """A role; the id is its name."""

    type = "iam-role"
    teardown_rank = 120
    why_it_stays = "without the role no function runs, and IAM deletes none that a profile holds"
    replaceable = True
    unset_by_removal = frozenset({"attached", "inline"})
    impacts: ClassVar[Mapping[str, Impact]] = {"path": Impact.REPLACE}
    left_alone: ClassVar[Mapping[str, str]] = {
        "instance_profiles": "aws iam remove-role-from-instance-profile --instance-profile-name {value} "
        "--role-name {id}",
        "permissions_boundary": ALLOW,  # the organisation's own limit on the role
    }
    carried_over = frozenset({"permissions_boundary"})
    holds_it = frozenset({"instance_profiles"})
    ending_costs: ClassVar[Mapping[str, str]] = {
        "instance_profiles": "what runs with it on EC2 has no rights any more:",
    }
    never_compared = ("last use", "what its boundary allows", "others that run as it: functions, services")
    trail = Trail(
        "iam",
        whole=("CreateRole", "DeleteRole"),
        fields={
            "trust": ("UpdateAssumeRolePolicy",),
            "inline": ("PutRolePolicy", "DeleteRolePolicy"),
            "attached": ("AttachRolePolicy", "DetachRolePolicy"),
            "permissions_boundary": ("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
            "description": ("UpdateRole", "UpdateRoleDescription"),
            "max_session_duration_s": ("UpdateRole:maxSessionDuration",),
            "instance_profiles": ("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"),
            "tags": ("TagRole", "UntagRole"),
        },
        is_global=True,
    )
    timing = Timing(create_s=10, delete_s=5, longest_s=600)
    actions = (
        Right(
            Need.OBSERVE,
            ("iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"),
            ROLE,
        ),
        Right(Need.PLAN, ("iam:GetPolicy",), ("{boundary}",)),
        Right(Need.PLAN | Need.EXPOSURES | Need.DELETE, ("iam:ListInstanceProfilesForRole",), ROLE),
        Right(Need.CREATE, ("iam:CreateRole", "iam:TagRole", "iam:PutRolePolicy"), ROLE),
        Right(
            Need.CREATE | Need.UPDATE,
            ("iam:PutRolePermissionsBoundary",),
            ROLE,
            (when("StringEquals", "iam:PermissionsBoundary", "{boundary}"),),
            fields=frozenset({"permissions_boundary"}),
        ),
        Right(Need.UPDATE, ("iam:UpdateAssumeRolePolicy",), ROLE, fields=frozenset({"trust"})),
        Right(Need.UPDATE, ("iam:PutRolePolicy", "iam:DeleteRolePolicy"), ROLE, fields=frozenset({"inline"})),
        Right(Need.UPDATE, ("iam:DetachRolePolicy",), ROLE, fields=frozenset({"attached"})),
        Right(Need.UPDATE, ("iam:DeleteRolePermissionsBoundary",), ROLE, fields=frozenset({"permissions_boundary"})),
        Right(Need.UPDATE, ("iam:UpdateRole",), ROLE, fields=frozenset({"description", "max_session_duration_s"})),
        Right(Need.UPDATE, ("iam:TagRole", "iam:UntagRole"), ROLE, fields=frozenset({"tags"})),
        Right(Need.DELETE, ("iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"), ROLE),
        ASKS_FUNCTIONS,
        Right(Need.SWEEP, ("iam:ListRoles",), why=LISTS),
        Right(Need.SWEEP, ("iam:ListRoleTags",), ("arn:{partition}:iam::{account}:role/*",)),
    )

    def observe(self, aws: Aws, id: str, expected: IamRoleSpec | None) -> Observed[IamRoleSpec, IamRoleOutputs] | None:
        """Read GetRole, both lists of policies, and each inline policy: four calls with one of these."""
        try:
            role = aws.read(aws.iam.get_role, RoleName=id)["Role"]
            nothing: frozenset[str] = frozenset()
            unreadable = UnreadableFields()
            told = unreadable.read("inline", lambda: _inline(aws, id), None)
            inline = told or {}
            if told is None:
                # The wanted policies can still be read by name. Where those are as wanted, the others stay unknown.
                wanted = expected.inline if expected else {}
                told = unreadable.read("inline", lambda: _documents(aws, id, wanted), None)
                inline = wanted if told is None else told
            attached = unreadable.read(
                "attached", lambda: _attached(aws, id), expected.attached if expected else nothing
            )
            # Where it lets a function write its log is what tells whose it is, apart from its tags.
            denied = "" if _log_regions(told or {}) else next(iter(unreadable.actions.values()), "")
            if "inline" in unreadable.actions and not matches_template(inline, expected.inline if expected else {}):
                del unreadable.actions["inline"]
        except AwsRefused as error:
            if error.matches("NoSuchEntity"):
                return None
            raise
        live_tags = tags.as_dict(role.get("Tags", []))
        # Right after a creation IAM may answer the unique id (AROA...) in the ARN's place.
        has_arn = role["Arn"].startswith("arn:")
        trust: Any = role["AssumeRolePolicyDocument"]  # botocore has decoded the JSON
        return Observed(
            spec=IamRoleSpec(
                trust=from_answer(trust, "iam:GetRole"),
                inline=inline,
                attached=attached,
                permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
                description=role.get("Description", ""),
                path=role["Path"],
                max_session_duration_s=role.get("MaxSessionDuration", _DEFAULT_SESSION_S),
                tags=live_tags,
            ),
            outputs=IamRoleOutputs(arn=role["Arn"], role_id=role["RoleId"]) if has_arn else None,
            settled=has_arn,
            owner=_owner(live_tags, aws.region, told or {}),
            owner_unread=denied,
            unreadable=unreadable.actions,
        )

    def observe_exposures(
        self, aws: Aws, id: str, seen: Observed[IamRoleSpec, IamRoleOutputs], expected: IamRoleSpec | None
    ) -> Observed[IamRoleSpec, IamRoleOutputs]:
        """Read the instance profiles: one call."""
        return with_exposures(seen, {"instance_profiles": lambda: frozenset(_profiles(aws, id))})

    def create(self, aws: Aws, id: str, want: IamRoleSpec, owner: Owner) -> None:
        """Make the role with its trust and boundary, and without any permission: policies are updates."""
        boundary: Any = {"PermissionsBoundary": want.permissions_boundary} if want.permissions_boundary else {}
        try:
            aws.iam.create_role(
                RoleName=id,
                Path=want.path,
                AssumeRolePolicyDocument=as_json(want.trust),
                Description=want.description,
                MaxSessionDuration=want.max_session_duration_s,
                Tags=tags.as_list({**want.tags, **owner.tags}),
                **boundary,
            )
        except AwsRefused as error:
            if error.matches("EntityAlreadyExists"):
                raise AlreadyExists(f"the account has a role of that name, in whatever case and path: {id}") from error
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str]:
        """Change trust and boundary first, then what the role may do, then tags."""
        try:
            for change in (_change_bounds, _change_inline, _change_attached):
                fields = change(aws, id, have, want)
                if fields is not None:
                    return fields
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.iam.tag_role(RoleName=id, Tags=tags.as_list(missing)),
                remove=lambda extra: aws.iam.untag_role(RoleName=id, TagKeys=extra),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[IamRoleSpec, IamRoleOutputs], last: IamRoleSpec | None
    ) -> None:
        """Detach, then delete the inline policies, then the role: IAM deletes no role that has a policy."""
        try:
            if observed.spec.attached:
                aws.iam.detach_role_policy(RoleName=id, PolicyArn=min(observed.spec.attached))
            elif observed.spec.inline:
                aws.iam.delete_role_policy(RoleName=id, PolicyName=min(observed.spec.inline))
            else:
                aws.iam.delete_role(RoleName=id)
        except AwsRefused as error:
            if error.matches("DeleteConflict"):
                raise NotYet(
                    f"IAM still counts something as the role's: {_holders(aws, id, error)}", Patience.BUSY
                ) from error
            # Deleted already: the next observation shows it.
            if not error.matches("NoSuchEntity"):
                raise classify(error, _TRANSIENT) from error

    def _others(
        self, aws: Aws, id: str, observed: Observed[IamRoleSpec, IamRoleOutputs], going: Collection[str]
    ) -> Iterator[str]:
        """Name the functions of this region that run as it, and the instance profiles that hand it on."""
        arn = observed.outputs.arn if observed.outputs else ""
        yield from functions_that(aws, lambda one: one.get("Role") == arn, going)
        yield from (f"the instance profile {name}" for name in _profiles(aws, id))

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str | UnreadTags]:
        """Find the roles by the owner's tags, among those whose names end in the suffix.

        The tagging API knows no roles and ListRoles tells no tags: tags cost a call a role, an account has a thousand
        roles, and each name tapctl gives ends in the suffix.
        """
        end = f"-{owner.suffix}"
        pages = aws.pages(aws.iam.get_paginator("list_roles"), PaginationConfig={"PageSize": _ROLES_A_PAGE})
        listed = (role["RoleName"] for page in pages for role in page["Roles"])
        names = sorted(name for name in listed if name.endswith(end))
        asked, others = names[:_MOST_ASKED], names[_MOST_ASKED:]
        for name, told in zip(asked, side_by_side(partial(_tags, aws, name) for name in asked), strict=True):
            if isinstance(told, UnreadTags):
                yield told
            elif owner.finds(told) and told.get(REGION_TAG, aws.region) == aws.region:
                yield name
        many = f"the names of {len(names)} roles end in {end}, and {_MOST_ASKED} were asked"
        yield from (UnreadTags(name, many, f"aws iam list-role-tags --role-name {name}") for name in others)


def boundary_exists(aws: Aws, arn: str) -> bool:
    """True if there is such a policy: IAM makes no role with a boundary that it does not know. One call.

    Raises:
        AwsRefused: the read is denied.
    """
    try:
        aws.read(aws.iam.get_policy, PolicyArn=arn)
    except AwsRefused as error:
        if error.matches("NoSuchEntity", "InvalidInput"):
            return False
        raise
    return True


# -- reading -----------------------------------------------------------------------------------------------------------


def _inline(aws: Aws, id: str) -> dict[str, PolicyDocument]:
    """The role's inline policies, by name.

    Raises:
        AwsNoAnswer: IAM does not find one that it lists, and goes on to list it: what that permits is not known.
    """
    listed = _inline_names(aws, id)
    documents = _documents(aws, id, listed)
    missing = {*listed} - documents.keys()
    if missing and not missing.isdisjoint(_inline_names(aws.afresh(), id)):
        raise unusable("iam:GetRolePolicy", "an inline policy that the role has is not found")
    return documents


def _inline_names(aws: Aws, id: str) -> list[str]:
    pages = aws.pages(aws.iam.get_paginator("list_role_policies"), RoleName=id)
    return [name for page in pages for name in page["PolicyNames"]]


def _documents(aws: Aws, id: str, names: Iterable[str]) -> dict[str, PolicyDocument]:
    documents: dict[str, PolicyDocument] = {}
    for name in names:
        try:
            document: Any = aws.read(aws.iam.get_role_policy, RoleName=id, PolicyName=name)["PolicyDocument"]
        except AwsRefused as error:
            # Deleted since it was listed, or never put.
            if not error.matches("NoSuchEntity"):
                raise
        else:
            documents[name] = from_answer(document, "iam:GetRolePolicy")
    return documents


def _attached(aws: Aws, id: str) -> frozenset[str]:
    pages = aws.pages(aws.iam.get_paginator("list_attached_role_policies"), RoleName=id)
    return frozenset(policy.get("PolicyArn", "") for page in pages for policy in page["AttachedPolicies"])


def _tags(aws: Aws, id: str) -> dict[str, str] | UnreadTags:
    try:
        pages = aws.pages(aws.iam.get_paginator("list_role_tags"), RoleName=id)
    except AwsRefused as error:
        # Deleted since it was listed.
        if error.matches("NoSuchEntity"):
            return {}
        # An organisation's policy may forbid a look at somebody else's.
        if error.is_denied:
            return UnreadTags(id, f"{error.iam_action} denied", denial_hint(error))
        raise
    return tags.as_dict(tag for page in pages for tag in page["Tags"])


def _owner(live_tags: Mapping[str, str], region: str, inline: Mapping[str, PolicyDocument]) -> Owner | None:
    """Read the owner from the tags; the same suffix in another region is another owner, and may be where none is told.

    IAM has one name in all regions: who takes the region's tag off, or sets another, makes the role of one stack look
    like another's. But a function writes its log in its own region (Lambda developer guide, "Sending Lambda function
    logs to CloudWatch Logs"), and who may only tag changes no policy.
    """
    owner, home = Owner.of(live_tags), live_tags.get(REGION_TAG, "")
    if owner is None:
        return None
    if home != region:
        return replace(owner, scope=home, lacks=f"{REGION_TAG}={region}")
    logs_in = _log_regions(inline)
    elsewhere = logs_in and not logs_in & {region, "*"}
    return replace(owner, doubt=f"its policy writes logs in {', '.join(sorted(logs_in))}") if elsewhere else owner


def _log_regions(inline: Mapping[str, PolicyDocument]) -> frozenset[str]:
    """The regions in which these policies let a function write its log."""
    arns = (
        arn.split(":")
        for document in inline.values()
        for statement in document.statements
        if statement.effect == "Allow" and "logs:PutLogEvents" in statement.actions
        for arn in statement.resources
    )
    return frozenset(parts[_REGION_PART] for parts in arns if len(parts) > _REGION_PART)


def _holders(aws: Aws, id: str, conflict: AwsRefused) -> str:
    """Name what keeps the role: instance profiles, which tapctl never makes and so leaves to their maker."""
    try:
        profiles = _profiles(aws, id)
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return conflict.message
    return f"instance profile {', '.join(profiles)}" if profiles else conflict.message


def _profiles(aws: Aws, id: str) -> list[str]:
    pages = aws.pages(aws.iam.get_paginator("list_instance_profiles_for_role"), RoleName=id)
    return [profile["InstanceProfileName"] for page in pages for profile in page.get("InstanceProfiles", ())]


# -- changing: each function makes one call, or returns None where nothing differs -------------------------------------


def _change_bounds(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
    if have.trust != want.trust:
        aws.iam.update_assume_role_policy(RoleName=id, PolicyDocument=as_json(want.trust))
        return frozenset({"trust"})
    if have.permissions_boundary != want.permissions_boundary:
        if want.permissions_boundary:
            aws.iam.put_role_permissions_boundary(RoleName=id, PermissionsBoundary=want.permissions_boundary)
        else:
            aws.iam.delete_role_permissions_boundary(RoleName=id)
        return frozenset({"permissions_boundary"})
    fields = frozenset(
        name for name in ("description", "max_session_duration_s") if getattr(have, name) != getattr(want, name)
    )
    if fields:
        # Both in one call: a duration left out is set back to an hour (UpdateRole).
        aws.iam.update_role(RoleName=id, Description=want.description, MaxSessionDuration=want.max_session_duration_s)
        return fields
    return None


def _change_inline(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
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


def _change_attached(aws: Aws, id: str, have: IamRoleSpec, want: IamRoleSpec) -> frozenset[str] | None:
    missing = want.attached - have.attached
    extra = have.attached - want.attached
    if missing:
        aws.iam.attach_role_policy(RoleName=id, PolicyArn=min(missing))
    elif extra:
        aws.iam.detach_role_policy(RoleName=id, PolicyArn=min(extra))
    else:
        return None
    return frozenset({"attached"} if len(missing) + len(extra) == 1 else ())
