"""Filters that others have put on our log groups: they end with the groups, and a destroy tells which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from tapctl.errors import AwsError
from tapctl.reconcilers.log_group import LogGroup, filters_on, kind_of_filter, split_filter
from tapctl.session.session import Session
from tapctl.threads import side_by_side

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_MOST: Final = 5
"""Filters of a group that are named where it has more."""


def ended_filters(session: Session, going: Collection[str], *, approved: bool) -> tuple[str, ...]:
    """List the addresses of the filters on the log groups that a destroy removes: each is somebody else's.

    ``going``: the addresses that are removed. ``approved``: the destroy is approved, or is to be, and an approval names
    what ends. Else a failed call is told and stops nothing.

    Raises:
        AwsError: the filters of an approved destroy cannot be read.
    """
    groups = sorted(id_ for type_, _, id_ in (one.partition("/") for one in going) if type_ == LogGroup.type)
    found: set[str] = set()
    answers = side_by_side(partial(_filters, session.aws, group) for group in groups)
    for group, answer in zip(groups, answers, strict=True):
        if isinstance(answer, AwsError):
            if approved:
                raise answer
            session.screen.warn(f"the filters on {group} could not be read: {answer.cause}")
        else:
            found |= answer
    return tuple(sorted(found))


def tell_of_ended_filters(session: Session, filters: Collection[str]) -> None:
    """Tell of the filters, by their addresses, that end with their log groups."""
    by_group: defaultdict[str, list[str]] = defaultdict(list)
    for place in sorted(filters):
        group, name = split_filter(place)
        by_group[group].append(f"{kind_of_filter(place)} {name}")
    for group, named in sorted(by_group.items()):
        more = [f"{len(named) - _MOST} more"] if len(named) > _MOST else []
        session.screen.warn(
            f"{group} has filters that others have added, and they go with it: {', '.join([*named[:_MOST], *more])}"
        )


def _filters(aws: Aws, group: str) -> frozenset[str] | AwsError:
    try:
        return filters_on(aws, group)
    except AwsError as error:
        return error
