"""Principals that are everybody: the star, and whoever has an identity of a provider that gives one to all.

A role that trusts a provider of identities by OpenID Connect is for one who is named in the condition on the token's
subject; the audience says what the token was made for, and is the same for all (IAM user guide, "Configure a role for
GitHub OIDC identity provider", "Identity-provider controls for shared OIDC providers").
"""

from __future__ import annotations

import re
from typing import Final

from tapctl.aws.policy import Condition, Principal, Statement

EVERYBODY: Final = "*"
_FEDERATED: Final = "federated"
_OPEN_ID: Final = ":oidc-provider/"
_SUBJECT: Final = frozenset({"sub"})
_OF_ALL: Final = frozenset({"amr"})
"""Claims that are alike for all: how somebody has logged in."""
_OF_AWS: Final = "aws:"
"""The beginning of the keys that tell of a request, and not of who has the identity."""
_LIMITS: Final = re.compile("(ForAnyValue:)?String(Equals|EqualsIgnoreCase|Like)", re.IGNORECASE)
"""The operators that no token passes which has not the claim (``…IfExists`` and ``ForAllValues`` let that one in)."""
_WILDCARD: Final = re.compile("[*?]")
_VARIABLE: Final = "${"
"""The beginning of a policy variable: the request's own claim, say, which is what it is compared with."""
_OWNER: Final = re.compile("[^:/]+[:/][^:/]+[:/]")
"""The beginning of a subject as far as it names whose it is, to the end of that name: ``repo:ours/``.

Everybody may have a name that only begins like it, and a few such beginnings are all names together.
"""


def everybodys(statement: Statement) -> frozenset[Principal]:
    """Choose the principals of the statement by which everybody is meant, in whatever spelling."""
    return frozenset(one for one in statement.principals if _is_everybody(one, statement.conditions))


def _is_everybody(principal: Principal, conditions: frozenset[Condition]) -> bool:
    if _WILDCARD.search(principal.name):
        # IAM takes the star alone; whatever else is told to have a wildcard may be anybody.
        return True
    if principal.kind.lower() != _FEDERATED:
        return False
    by_subject = _OPEN_ID in principal.name
    return not any(_names_whom(one, by_subject=by_subject) for one in conditions)


def _names_whom(condition: Condition, *, by_subject: bool) -> bool:
    """True if the condition leaves some of those who have an identity of the provider."""
    key = condition.key.lower()
    claim = key.rpartition(":")[2]
    tells = claim in _SUBJECT if by_subject else claim not in _OF_ALL and not key.startswith(_OF_AWS)
    if not (tells and condition.values and _LIMITS.fullmatch(condition.operator)):
        return False
    is_pattern = condition.operator.lower().endswith("like")
    return all(_is_narrow(value, is_pattern=is_pattern) for value in condition.values)


def _is_narrow(value: str, *, is_pattern: bool) -> bool:
    """True if the value names somebody; of a pattern, if it names an owner: ``repo:ours/*``, and not ``repo:o*``."""
    if _VARIABLE in value:
        return False
    if is_pattern and (wildcard := _WILDCARD.search(value)):
        return _OWNER.match(value, 0, wildcard.start()) is not None
    return True
