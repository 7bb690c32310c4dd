"""Grants on a key: those by which AWS's services use the key for our resources, and those that somebody has given.

AWS's facts are from the KMS developer guide ("Viewing grants") and the IAM user guide ("Unique identifiers").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import address

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_SERVICE: Final = re.compile(r"(?:rds|lambda|logs|secretsmanager|sns)(?:\.[a-z0-9-]+)+")
"""The services that use the key by grants, as principals."""
_OF_FUNCTION: Final = "aws:lambda:functionarn"
"""The encryption context, in lower case, by which Lambda binds a grant to a function."""
_PASSED_ON: Final = "CreateGrant"
_ROLE: Final = "iam-role"
_RUNS_AS: Final = re.compile(
    r"arn:[a-z-]+:(?:iam|sts)::(?P<account>\d{12}):(?:role/(?:[^/]+/)*(?P<role>[^/]+)|assumed-role/(?P<of_session>[^/]+)/[^/]+)"
)
_UNIQUE_ID: Final = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")


def grants_on(aws: Aws, key_id: str) -> list[Mapping[str, Any]]:
    """List the grants on the key, as KMS tells them."""
    pages: list[Any] = aws.pages(aws.kms.get_paginator("list_grants"), KeyId=key_id)
    return [grant for page in pages for grant in page.get("Grants", ())]


def grants_of_others(aws: Aws, arn: str, going: Collection[str]) -> frozenset[str]:
    """The addresses of the grants that drift tells, and that somebody can still use; ``going``: addresses.

    KMS shows a principal that was deleted, as our role by then, by its unique id ("Unique identifiers", IAM).
    """
    roles = [one.partition("/")[2] for one in going if one.startswith(f"{_ROLE}/")]
    return frozenset(
        address("kms-grant", f"{grant.get('GrantId', '')} to {grantee_of(grant)}")
        for grant in grants_on(aws, arn.rpartition("/")[2])
        if not _is_of_a_service(grant, aws.account, roles) and not _UNIQUE_ID.fullmatch(grantee_of(grant))
    )


def grantee_of(grant: Mapping[str, Any]) -> str:
    """The principal, or the service, that was given the key; empty where KMS tells none."""
    return str(grant.get("GranteePrincipal") or grant.get("GranteeServicePrincipal") or "")


def given_grants(aws: Aws, key_id: str) -> frozenset[str]:
    """Describe the grants that no service of AWS made for what the key encrypts."""
    return frozenset(
        f"{grant.get('GrantId', '')} to {grantee_of(grant)} ({', '.join(sorted(grant.get('Operations', ())))})"
        for grant in grants_on(aws, key_id)
        if not _is_of_a_service(grant, aws.account, aws.round_ids(_ROLE))
    )


def _is_of_a_service(grant: Mapping[str, Any], account: str, roles: Collection[str]) -> bool:
    """True if RDS, Lambda and the like made this grant, to use the key for our own resources.

    ListGrants shows such a service as the grantee ("Viewing grants"): people name ARNs, and a service only as
    ``GranteeServicePrincipal``. Lambda's grants are to the function's role, one of ``roles``, with Lambda as the one
    who retires them or bound to a function by the encryption context. Anybody can write both: so they say nothing of a
    grant to somebody else, nor of one that may be passed on.
    """
    grantee = str(grant.get("GranteePrincipal", ""))
    if _SERVICE.fullmatch(grantee):
        return True
    if not _is_one_of(roles, grantee, account) or _PASSED_ON in grant.get("Operations", ()):
        return False
    constraints: Mapping[str, Mapping[str, str]] = grant.get("Constraints", {})
    context = {**constraints.get("EncryptionContextSubset", {}), **constraints.get("EncryptionContextEquals", {})}
    bound = any(name.lower() == _OF_FUNCTION for name in context)
    return bound or _SERVICE.fullmatch(str(grant.get("RetiringPrincipal", ""))) is not None


def _is_one_of(roles: Collection[str], principal: str, account: str) -> bool:
    """True if the principal is one of these roles of the account, or a session of one, as its function runs."""
    told = _RUNS_AS.fullmatch(principal)
    return told is not None and told["account"] == account and (told["role"] or told["of_session"]) in roles
