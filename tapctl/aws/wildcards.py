"""Wildcards of IAM that amount to everything, however that is spelled, or by which any rights can be given.

``*`` stands for any text and ``?`` for any character, colons too; actions know no upper and lower case (IAM user guide,
"Action", "Resource").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tapctl.safety.identities import BECOMES_ROOT, IDENTITY_SERVICES, READING

_PARTS: Final = 6
_SERVICE: Final = 2
_ANYWHERE: Final = (1, 3, 4)
"""The parts of an ARN that count as ``*``, partition, region and account: all that one has is everything to it."""
_ANY_PARTITION: Final = "zzzz"
_WILDCARD: Final = re.compile("[*?]")
_ANY_ACTION: Final = "zzzz:zzzzzzzz"
_ANY_RESOURCE: Final = "arn:zzzz:zzzz:zzzz:zzzz:zzzzzzzz"
_ANY_ROLE: Final = "arn:zzzz:iam:zzzz:zzzz:role/zzzzzzzz"
_ANY_ROOT: Final = "arn:zzzz:iam:zzzz:zzzz:root"
"""Stand for any action, resource, role and root: no pattern fits one that names something (of a root: its account)."""
_BECOMES: Final = ("sts:assumerole", "iam:passrole")
"""The actions by which somebody becomes a role, or has a service become it: of one that is named, its rights alone."""
_BECOMES_ROOT: Final = (BECOMES_ROOT.lower(),)
"""The action by which somebody becomes the root of an account: any rights, where one is named, too."""
_ANY_OF_IDENTITIES: Final = tuple(f"{service}:zzzzzzzz" for service in IDENTITY_SERVICES)
_READS: Final = tuple(map(str.lower, READING))


def far_reaching(actions: Iterable[str], resources: Iterable[str]) -> str:
    """The reach of these actions on these resources: ``everything``, or ``any rights to be given``; empty: neither.

    Rights are given by whoever changes anything in a service of identities, whichever way that goes (a policy,
    another's credentials, a tag that a policy tests, a denial that goes), and by whoever may become any role, or the
    root of an account.
    """
    patterns, resources = [each.lower() for each in actions], [*resources]
    # As it is written, too: a wildcard of it may stand for colons.
    targets = [*resources, *map(_widened, resources)]
    if _fits_any(patterns, _ANY_ACTION) and _fits_any(targets, _ANY_RESOURCE):
        return "everything"
    becomes_any = any(
        _fits_any(targets, whom) and any(_fits_any(patterns, each) for each in actions)
        for whom, actions in ((_ANY_ROLE, _BECOMES), (_ANY_ROOT, _BECOMES_ROOT))
    )
    raises = any(map(_may_be_identity, targets)) and any(map(_changes_identities, patterns))
    return "any rights to be given" if becomes_any or raises else ""


def _changes_identities(pattern: str) -> bool:
    """True if the pattern of actions fits one of a service of identities that does more than read."""
    service, colon, name = pattern.partition(":")
    if not colon:
        return any(_fits(pattern, each) for each in _ANY_OF_IDENTITIES)
    changes = not name.startswith(_READS) and pattern not in _BECOMES
    return changes and any(_fits(service, each) for each in IDENTITY_SERVICES)


def _widened(resource: str) -> str:
    """The resource in any partition, region and account, and whole: IAM completes an ARN that ends early with ``*``."""
    parts = resource.split(":", _PARTS - 1)
    if parts[0] != "arn":
        return resource
    parts += ["*"] * (_PARTS - len(parts))
    return ":".join("*" if at in _ANYWHERE else part for at, part in enumerate(parts))


def _may_be_identity(resource: str) -> bool:
    """True if the pattern of resources fits one of a service of identities."""
    parts = resource.split(":", _PARTS - 1)
    if len(parts) == _PARTS:
        return any(_fits(parts[_SERVICE], each) for each in IDENTITY_SERVICES)
    if parts[0] == "arn" and len(parts) > _SERVICE and not _WILDCARD.search(parts[1]):
        resource = ":".join(("arn", _ANY_PARTITION, *parts[_SERVICE:]))
    return any(_fits(resource, f"arn:{_ANY_PARTITION}:{each}:", whole=False) for each in IDENTITY_SERVICES)


def _fits_any(patterns: Iterable[str], text: str) -> bool:
    return any(_fits(each, text) for each in patterns)


def _fits(pattern: str, text: str, *, whole: bool = True) -> bool:
    """True if the text is as the pattern says; not ``whole``: if one may begin with it. No pattern takes long."""
    ends = {0}
    for char in pattern:
        if not ends:
            return False
        if not whole and len(text) in ends:
            return True
        if char == "*":
            ends = {*range(min(ends), len(text) + 1)}
        else:
            ends = {end + 1 for end in ends if end < len(text) and char in ("?", text[end])}
    return len(text) in ends
