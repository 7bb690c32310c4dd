"""KMS as it spreads: a new key that not all of it knows, a policy that services have not heard of.

Times are AWS's usual ones, from what terraform-provider-aws retries (internal/service/kms/key.go, alias.go).
"""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("kms")

UNKNOWN_S: Final = 3.0
SPREADS: Final = "policy changed"
"""The event of a key since which services have to hear who may use it."""

# What a part of KMS is asked that learns of a key a little later.
_LATE: Final = ("EnableKey", "EnableKeyRotation", "PutKeyPolicy", "TagResource", "UntagResource", "ListResourceTags")


@rules("CreateKey")
def a_key_has_a_birthday(call: Call, proceed: Proceed) -> Reply:
    """Its answer is true at once; who else asks may not know the key."""
    reply = proceed()
    key = key_of(call, reply["KeyMetadata"]["KeyId"])
    call.life.begin(key, "made")
    call.life.begin(key, SPREADS)
    return reply


@rules("CreateAlias", *_LATE)
def a_new_key_is_not_known_everywhere(call: Call, proceed: Proceed) -> Reply:
    """For 3 s after it was made."""
    key = key_of(call, call.params.get("TargetKeyId") or call.params["KeyId"])
    if key is not None and not call.life.after(key, "made", UNKNOWN_S):
        raise Fault("NotFoundException", f"Key '{key.arn}' does not exist")
    return proceed()


@rules("PutKeyPolicy")
def a_policy_is_news_to_services(call: Call, proceed: Proceed) -> Reply:
    """Whoever the policy lets use the key learns it seconds later: see Lambda's and CloudWatch Logs' rules."""
    reply = proceed()
    call.life.begin(key_of(call, call.params["KeyId"]), SPREADS)
    return reply
