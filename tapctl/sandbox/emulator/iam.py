"""IAM: names in any case, and documents that are looked at."""

from __future__ import annotations

import json
import re
from typing import Any

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("iam")

_TRUST_CHARS, _INLINE_CHARS, _TAGS = 2048, 10240, 50


def _roles(call: Call) -> list[Any]:
    return list(call.moto("iam", call.partition).roles.values())


def documents(role: Any) -> list[Any]:
    """The documents of its inline and attached policies, as they are now."""
    attached = [one for policy in role.managed_policies.values() for one in policy.versions if one.is_default]
    texts = [*role.policies.values(), *(one.document for one in attached)]
    return [json.loads(text) if isinstance(text, str) else text for text in texts]


@rules("CreateRole")
def role_names_are_unique_in_any_case(call: Call, proceed: Proceed) -> Reply:
    """R and r are the same name."""
    name = call.params["RoleName"]
    if any(one.name.lower() == name.lower() for one in _roles(call)):
        raise Fault("EntityAlreadyExists", f"Role with name {name} already exists.")
    if len(call.params.get("Tags", [])) > _TAGS:
        raise Fault("InvalidInput", f"A role has at most {_TAGS} tags.")
    return proceed()


@rules("CreateRole", "UpdateAssumeRolePolicy")
def a_trust_policy_is_checked(call: Call, proceed: Proceed) -> Reply:
    """It is JSON, short enough, and names principals that exist."""
    text = call.params["AssumeRolePolicyDocument" if call.operation == "CreateRole" else "PolicyDocument"]
    if len(text) > _TRUST_CHARS:
        raise Fault("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {_TRUST_CHARS}")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise Fault("MalformedPolicyDocument", "This policy contains invalid Json") from None
    known = {one.arn for one in _roles(call)}
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal", {})
        named = principals.get("AWS", []) if isinstance(principals, dict) else []
        for name in named if isinstance(named, list) else [named]:
            if ":role/" in name and name not in known:
                raise Fault("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')
    return proceed()


@rules("PutRolePolicy")
def inline_policies_have_a_size(call: Call, proceed: Proceed) -> Reply:
    """All inline policies of a role together, without white space."""
    name = call.params["RoleName"]
    role = next((one for one in _roles(call) if one.name == name), None)
    texts = {**(role.policies if role is not None else {}), call.params["PolicyName"]: call.params["PolicyDocument"]}
    if sum(len(re.sub(r"\s", "", str(text))) for text in texts.values()) > _INLINE_CHARS:
        raise Fault("LimitExceeded", f"Maximum policy size of {_INLINE_CHARS} bytes exceeded for role {name}")
    return proceed()
