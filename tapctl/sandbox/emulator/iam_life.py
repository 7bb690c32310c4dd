"""IAM as it spreads: what it has just taken in, others (Lambda above all) learn seconds later.

Times are AWS's usual ones, from what terraform-provider-aws retries (internal/service/iam/role.go, lambda/function.go).
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.iam import documents
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("iam")

ASSUMABLE_S: Final = 8.0
POLICY_S: Final = 6.0
STILL_COUNTED_S: Final = 2.0

_POLICIES: Final = ("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy")
_FOREVER: Final = float("-inf")


def _role(call: Call) -> Any:
    """The role a call names, as moto keeps it; None when there is none."""
    roles = call.moto("iam", call.partition).roles.values()
    return next((one for one in roles if one.name == call.params["RoleName"]), None)


def was_there(role: Any, at: float) -> bool:
    """Whether a role that something still refers to was there at that time."""
    return bool(at < kept(role).get("gone_at", float("inf")))


def documents_at(role: Any, at: float) -> list[Any]:
    """The documents of the policies that it had at that time."""
    past: list[tuple[float, list[Any]]] = kept(role).get("past", [(_FOREVER, documents(role))])
    return [known for since, known in past if since <= at][-1]


@rules("CreateRole")
def a_role_has_a_birthday(call: Call, proceed: Proceed) -> Reply:
    """Who asks for it within seconds may not get it: see Lambda's rules."""
    reply = proceed()
    role = _role(call)
    call.life.begin(role, "made")
    kept(role)["past"] = [(_FOREVER, [])]
    return reply


@rules("GetRole")
def a_new_role_may_tell_its_unique_id(call: Call, proceed: Proceed) -> Reply:
    """In place of its ARN, once (terraform-provider-aws waits for the ARN to be one)."""
    reply = proceed()
    role = _role(call)
    if not call.life.after(role, "made", ASSUMABLE_S) and not kept(role).get("told"):
        kept(role)["told"] = True
        reply["Role"]["Arn"] = reply["Role"]["RoleId"]
    return reply


@rules(*_POLICIES)
def policies_have_a_past(call: Call, proceed: Proceed) -> Reply:
    """What a role may do is learnt by others as it was seconds ago."""
    role = _role(call)
    before = documents(role) if role is not None else []
    reply = proceed()
    past = kept(role).setdefault("past", [(_FOREVER, before)])
    past.append((call.life.now(), documents(role)))
    if call.operation.startswith(("Delete", "Detach")):
        call.life.begin(role, "policy taken away")
    return reply


@rules("DeleteRole")
def a_policy_just_taken_away_still_counts(call: Call, proceed: Proceed) -> Reply:
    """DeleteRole is refused for a moment after its last policy went."""
    role = _role(call)
    if role is not None and not call.life.after(role, "policy taken away", STILL_COUNTED_S):
        raise Fault("DeleteConflict", "Cannot delete entity, must delete policies first.")
    reply = proceed()
    kept(role)["gone_at"] = call.life.now()
    return reply
