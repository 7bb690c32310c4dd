"""Wildcards of IAM that amount to everything, however that is spelled, or by which any rights can be given.

``*`` stands for any text and ``?`` for any character, colons too; actions know no upper and lower case (IAM user guide,
"Action", "Resource").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_PARTS: Final = 6
_SERVICE: Final = 2
_ANYWHERE: Final = (1, 3, 4)
"""The parts of an ARN that count as ``*``, partition, region and account: all that one has is everything to it."""
_ANY_ACTION: Final = "zzzz:zzzzzzzz"
_ANY_RESOURCE: Final = "arn:zzzz:zzzz:zzzz:zzzz:zzzzzzzz"
_ANY_ROLE: Final = "arn:zzzz:iam:zzzz:zzzz:role/zzzzzzzz"
"""Stand for any action, resource and role: no pattern fits one that names something."""
_ASSUMES: Final = "sts:assumerole"
_RAISES: Final = (
    *(f"iam:put{each}policy" for each in ("role", "user", "group")),
    *(f"iam:attach{each}policy" for each in ("role", "user", "group")),
    *("iam:createpolicyversion", "iam:setdefaultpolicyversion", "iam:updateassumerolepolicy"),
    *(f"iam:{verb}{each}permissionsboundary" for verb in ("put", "delete") for each in ("role", "user")),
    *(f"iam:{verb}{each}policy" for verb in ("delete", "detach") for each in ("role", "user", "group")),
    *("iam:addusertogroup", "iam:deactivatemfadevice"),
    *("iam:createaccesskey", "iam:createloginprofile", "iam:updateloginprofile"),
    *("iam:createservicespecificcredential", "iam:resetservicespecificcredential"),
    *("iam:uploadsigningcertificate", "iam:uploadsshpublickey"),
    *("iam:createsamlprovider", "iam:updatesamlprovider", "iam:createopenidconnectprovider"),
    *("iam:addclientidtoopenidconnectprovider", "iam:updateopenidconnectproviderthumbprint"),
)
"""The actions of IAM by which somebody is given any rights: policies and boundaries, denials that go, credentials, and
whom roles trust."""
_RAISES_ELSEWHERE: Final = (
    *("sso:createaccountassignment", "sso:putinlinepolicytopermissionset"),
    *("sso:attachmanagedpolicytopermissionset", "sso:attachcustomermanagedpolicyreferencetopermissionset"),
    *("identitystore:creategroupmembership", "organizations:attachpolicy", "organizations:detachpolicy"),
)
"""Those of other services, on everything."""


def far_reaching(actions: Iterable[str], resources: Iterable[str]) -> str:
    """The reach of these actions on these resources: ``everything``, or ``any rights to be given``; empty: neither.

    Rights are given by whoever writes them, or makes others' credentials, in IAM, and by every role to whom may become
    any.
    """
    patterns, resources = [each.lower() for each in actions], [*resources]
    # As it is written, too: a wildcard of it may stand for colons.
    targets = [*resources, *map(_widened, resources)]
    if _fits_any(patterns, _ANY_ACTION) and _fits_any(targets, _ANY_RESOURCE):
        return "everything"
    becomes_any = _fits_any(patterns, _ASSUMES) and _fits_any(targets, _ANY_ROLE)
    raises = any(map(_may_be_of_iam, targets)) and any(_fits_any(patterns, each) for each in _RAISES)
    elsewhere = _fits_any(targets, _ANY_RESOURCE) and any(_fits_any(patterns, each) for each in _RAISES_ELSEWHERE)
    return "any rights to be given" if becomes_any or raises or elsewhere else ""


def _widened(resource: str) -> str:
    """The resource in any partition, region and account, and whole: IAM completes an ARN that ends early with ``*``."""
    parts = resource.split(":", _PARTS - 1)
    if parts[0] != "arn":
        return resource
    parts += ["*"] * (_PARTS - len(parts))
    return ":".join("*" if at in _ANYWHERE else part for at, part in enumerate(parts))


def _may_be_of_iam(resource: str) -> bool:
    parts = resource.split(":", _PARTS - 1)
    return _fits(parts[_SERVICE], "iam") if len(parts) == _PARTS else _fits(resource, _ANY_ROLE)


def _fits_any(patterns: Iterable[str], text: str) -> bool:
    return any(_fits(each, text) for each in patterns)


def _fits(pattern: str, text: str) -> bool:
    """True if the whole text is as the pattern says. No pattern takes long."""
    ends = {0}
    for char in pattern:
        if not ends:
            return False
        if char == "*":
            ends = {*range(min(ends), len(text) + 1)}
        else:
            ends = {end + 1 for end in ends if end < len(text) and char in ("?", text[end])}
    return len(text) in ends
