"""Tags: one mapping for AWS's two shapes, one call at a time from one mapping to another, and the search by tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.answers import arn_parts

if TYPE_CHECKING:
    from tapctl.aws.client import Aws


BY_AWS: Final = frozenset({"awsApplication"})
"""Tags that a service of AWS's sets, and sets again, under names of no prefix: myApplications
(https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/aws-myApplications.html)."""
MOST: Final = 50
"""The tags that a resource takes, AWS's own apart; no quota raises that
(https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html, "Tag naming limits")."""
_UNTOLD: Final = 2
"""The tags that may be there beside those that a step is told: one of `BY_AWS`, and on the key the record's."""
_SEARCH: Final = "resourcegroupstaggingapi:GetResources"


def as_dict(tags: Mapping[str, str] | Iterable[Mapping[str, object]], prefix: str = "") -> dict[str, str]:
    """Tags as a mapping, without those of AWS itself (``aws:…``), which nobody else can set or remove, and `BY_AWS`.

    ``tags``: a mapping already, or a list of ``{"Key": …, "Value": …}``, each key with ``prefix`` before it (KMS:
    ``TagKey``).
    """
    pairs = (
        tags.items()
        if isinstance(tags, Mapping)
        else ((str(tag.get(f"{prefix}Key", "")), str(tag.get(f"{prefix}Value", ""))) for tag in tags)
    )
    return {key: value for key, value in pairs if not key.startswith("aws:") and key not in BY_AWS}


def as_list(tags: Mapping[str, str], prefix: str = "") -> list[Any]:
    """Tags as a sorted list of ``{"Key": …, "Value": …}``; untyped, since each service's stubs have their own type."""
    return [{f"{prefix}Key": key, f"{prefix}Value": tags[key]} for key in sorted(tags)]


def step(
    have: Mapping[str, str],
    want: Mapping[str, str],
    *,
    add: Callable[[dict[str, str]], object],
    remove: Callable[[list[str]], object],
) -> frozenset[str]:
    """Make one changing call from these tags towards the wanted ones.

    Missing and wrong tags are added first (which overwrites), so that the owner tags are never away for a moment; then
    the extra ones are removed, which goes first only where there may be no room for both. Returns ``{"tags"}`` where
    that call is the last one, and nothing where it is a part.
    """
    missing = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if missing and extra and len(have.keys() | want.keys()) > MOST - _UNTOLD:
        remove(extra)
        return frozenset()
    if missing:
        add(missing)
        return frozenset(() if extra else {"tags"})
    remove(extra)
    return frozenset({"tags"})


def find(aws: Aws, tags: Mapping[str, str | Sequence[str]], service: str, kind: str = "", **more: Any) -> Iterator[str]:
    """The names of one service's resources that bear these tags (any of several values), by the tagging API.

    The API is eventually consistent: what was tagged a moment ago may be missing, what was deleted may still be told.
    ``kind``: what stands before the name in the ARN (``function:``, ``key/``); ``more``: parameters of GetResources.
    """
    return (name for name, _ in find_with_tags(aws, tags, service, kind, **more))


def find_with_tags(
    aws: Aws, tags: Mapping[str, str | Sequence[str]], service: str, kind: str = "", **more: Any
) -> Iterator[tuple[str, dict[str, str]]]:
    """The names and all tags of such resources, otherwise as `find`."""
    filters = [
        {"Key": key, "Values": [values] if isinstance(values, str) else list(values)} for key, values in tags.items()
    ]
    for page in aws.pages(aws.tagging.get_paginator("get_resources"), TagFilters=filters, **more):
        for resource in page["ResourceTagMappingList"]:
            _, _, its_service, _, _, name = arn_parts(resource["ResourceARN"], _SEARCH, "ResourceARN")
            if its_service == service and name.startswith(kind):
                yield name.removeprefix(kind), as_dict(resource.get("Tags", ()))
