"""IAM roles: names in any case, documents that are checked, and changes that others learn of seconds later.

Times are AWS's usual ones, from what terraform-provider-aws retries (internal/service/iam/role.go, lambda/function.go).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tapctl.sandbox.emulator.policies import ALLOWED, IMPLICIT_DENY, decide
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("iam"), Rules("iam")
SERVICE: Final = Service(
    name="iam",
    timing=(timing,),
    contract=(contract,),
    is_global=True,
    stale_reads=(
        *("GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies", "ListRoleTags", "ListRoles"),
    ),
    changes=(
        *("CreateRole", "UpdateRole", "UpdateAssumeRolePolicy", "DeleteRole", "TagRole", "UntagRole"),
        *("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy"),
        *("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
    ),
    tags=Tags(
        returned_by=("GetRole", "ListRoleTags"), taken_by=("CreateRole", "TagRole", "UntagRole"), refusal="InvalidInput"
    ),
)

_MAX_TRUST_CHARS, _MAX_INLINE_CHARS, _MAX_TAGS = 2048, 10240, 50


def _roles(request: Request) -> list[Any]:
    return list(request.backend("iam", request.partition).roles.values())


def policy_documents(role: Any) -> list[Any]:
    """Return the documents of a role's inline and attached policies, as they are now."""
    attached = [
        version for policy in role.managed_policies.values() for version in policy.versions if version.is_default
    ]
    texts = [*role.policies.values(), *(version.document for version in attached)]
    return [json.loads(text) if isinstance(text, str) else text for text in texts]


@contract("CreateRole")
def role_names_are_unique_in_any_case(request: Request, proceed: Next) -> Reply:
    """Role names R and r are the same name."""
    name = request.params["RoleName"]
    if any(role.name.lower() == name.lower() for role in _roles(request)):
        raise ServiceError("EntityAlreadyExists", f"Role with name {name} already exists.")
    if len(request.params.get("Tags", [])) > _MAX_TAGS:
        raise ServiceError("InvalidInput", f"A role has at most {_MAX_TAGS} tags.")
    return proceed()


@contract("CreateRole", "UpdateAssumeRolePolicy")
def a_trust_policy_is_checked(request: Request, proceed: Next) -> Reply:
    """A trust policy is JSON, short enough, and names principals that exist."""
    text = request.params["AssumeRolePolicyDocument" if request.operation == "CreateRole" else "PolicyDocument"]
    if len(text) > _MAX_TRUST_CHARS:
        raise ServiceError("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {_MAX_TRUST_CHARS}")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise ServiceError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    known = {role.arn for role in _roles(request)}
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal", {})
        named = principals.get("AWS", []) if isinstance(principals, dict) else []
        for name in named if isinstance(named, list) else [named]:
            if ":role/" in name and name not in known:
                raise ServiceError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')
    return proceed()


@contract("CreateRole", "PutRolePermissionsBoundary")
def a_boundary_is_a_policy_that_exists(request: Request, proceed: Next) -> Reply:
    """A permissions boundary is a policy of the account or of AWS (IAM API reference, CreateRole: NoSuchEntity)."""
    arn = request.params.get("PermissionsBoundary")
    if arn and arn not in request.backend("iam", request.partition).managed_policies:
        raise ServiceError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")
    return proceed()


@contract("PutRolePolicy")
def inline_policies_have_a_size(request: Request, proceed: Next) -> Reply:
    """The inline policies of a role have a maximum size together, without white space."""
    name = request.params["RoleName"]
    role = next((role for role in _roles(request) if role.name == name), None)
    texts = {
        **(role.policies if role is not None else {}),
        request.params["PolicyName"]: request.params["PolicyDocument"],
    }
    if sum(len(re.sub(r"\s", "", str(text))) for text in texts.values()) > _MAX_INLINE_CHARS:
        raise ServiceError(
            "LimitExceeded", f"Maximum policy size of {_MAX_INLINE_CHARS} bytes exceeded for role {name}"
        )
    return proceed()


@contract("PutRolePolicy", "CreatePolicy")
def resources_are_of_the_partition(request: Request, proceed: Next) -> Reply:
    """A policy names resources of its own partition (aws/chalice#777, in China); moto takes those of any."""
    try:
        statements = json.loads(request.params["PolicyDocument"])["Statement"]
    except (ValueError, KeyError):  # moto refuses it
        statements = []
    for statement in statements if isinstance(statements, list) else [statements]:
        named = statement.get("Resource", [])
        for resource in named if isinstance(named, list) else [named]:
            partition = resource.split(":")[1] if resource.startswith("arn:") else "*"
            if partition not in ("*", request.partition):
                raise ServiceError(
                    "MalformedPolicyDocument", f'Partition "{partition}" is not valid for resource "{resource}".'
                )
    return proceed()


@contract("SimulatePrincipalPolicy")
def rights_are_simulated(request: Request, _: Next) -> Reply:
    """Moto has no SimulatePrincipalPolicy; the caller of the embedded AWS, who is nobody in IAM, may do everything."""
    backend, arn = request.backend("iam", request.partition), request.params["PolicySourceArn"]
    role = next((role for role in _roles(request) if role.arn == arn), None)
    user = next((user for user in backend.users.values() if user.arn == arn), None)
    if role is None and (user is not None or not arn.endswith(f":user/{_NOBODY}")):
        raise ServiceError("NoSuchEntity", f"The principal with ARN {arn} cannot be found.")
    boundary = (role.permissions_boundary_arn if role is not None else None) or ""
    bounds = [json.loads(backend.get_policy(boundary).versions[-1].document)] if boundary else []
    documents = [_EVERYTHING] if role is None else policy_documents(role)
    context = {each["ContextKeyName"]: each["ContextKeyValues"] for each in request.params.get("ContextEntries", [])}
    results = []
    for action in request.params["ActionNames"]:
        for resource in request.params.get("ResourceArns", ["*"]):
            bounded = not bounds or decide(bounds, action, resource, context) == ALLOWED
            decision = decide(documents, action, resource, context)
            results.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": decision if bounded else IMPLICIT_DENY,
                    **(
                        {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": bounded}}
                        if bounds
                        else {}
                    ),
                }
            )
    return {"EvaluationResults": results, "IsTruncated": False}


_NOBODY: Final = "moto"
_EVERYTHING: Final = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


# -- timing ----------------------------------------------------------------------------------------------------------


ASSUMABLE_S: Final = 8.0
POLICY_S: Final = 6.0
STILL_COUNTED_S: Final = 2.0

_POLICIES: Final = ("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy")
_FOREVER: Final = float("-inf")


def _role(request: Request) -> Any:
    """Return the role that a request names, as moto's object; None if it is missing."""
    roles = request.backend("iam", request.partition).roles.values()
    return next((role for role in roles if role.name == request.params["RoleName"]), None)


def existed_at(role: Any, at: float) -> bool:
    """Tell whether a role that something still refers to existed at that time."""
    return bool(at < notes_on(role).get("gone_at", float("inf")))


def policy_documents_at(role: Any, at: float) -> list[Any]:
    """Return the documents of the policies that a role had at that time."""
    past: list[tuple[float, list[Any]]] = notes_on(role).get("past", [(_FOREVER, policy_documents(role))])
    return [known for since, known in past if since <= at][-1]


@timing("CreateRole")
def a_role_has_a_birthday(request: Request, proceed: Next) -> Reply:
    """A new role's age is counted: for some seconds others cannot use it (see Lambda's rules)."""
    reply = proceed()
    role = _role(request)
    request.simulation.mark(role, "made")
    notes_on(role)["past"] = [(_FOREVER, [])]
    return reply


@timing("GetRole")
def a_new_role_may_tell_its_unique_id(request: Request, proceed: Next) -> Reply:
    """A new role's ARN is once its unique id (terraform-provider-aws waits for the ARN to be one)."""
    reply = proceed()
    role = _role(request)
    if not request.simulation.elapsed(role, "made", ASSUMABLE_S) and not notes_on(role).get("told"):
        notes_on(role)["told"] = True
        reply["Role"]["Arn"] = reply["Role"]["RoleId"]
    return reply


@timing(*_POLICIES)
def policies_have_a_past(request: Request, proceed: Next) -> Reply:
    """A role's former policies are remembered: others go by those of seconds ago."""
    role = _role(request)
    before = policy_documents(role) if role is not None else []
    reply = proceed()
    past = notes_on(role).setdefault("past", [(_FOREVER, before)])
    past.append((request.simulation.now(), policy_documents(role)))
    if request.operation.startswith(("Delete", "Detach")):
        request.simulation.mark(role, "policy taken away")
    return reply


@timing("DeleteRole")
def a_policy_just_taken_away_still_counts(request: Request, proceed: Next) -> Reply:
    """A role is not deleted for a moment after its last policy went."""
    role = _role(request)
    if role is not None and not request.simulation.elapsed(role, "policy taken away", STILL_COUNTED_S):
        raise ServiceError("DeleteConflict", "Cannot delete entity, must delete policies first.")
    reply = proceed()
    notes_on(role)["gone_at"] = request.simulation.now()
    return reply
