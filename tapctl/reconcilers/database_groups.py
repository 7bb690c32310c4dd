"""Groups that databases are in (subnet, parameter, security groups), which AWS deletes only once no database is.

RDS tells of each cluster and instance in which groups it is (RDS API reference, DBCluster and DBInstance). So a removal
can ask who else is in a group before anything is begun: a copy that somebody has restored beside ours stays, and so
would the group, however long one waits.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tapctl.aws.rights import LISTS, Need, Right
from tapctl.engine.model import Observed, Outputs, Reconciler, Spec, address
from tapctl.errors import AwsRefused, Refused

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- O as in outputs, beside S as in spec; nobody takes it for a zero

ASKS_DATABASES: Final = Right(Need.DELETE, ("rds:DescribeDBClusters", "rds:DescribeDBInstances"), why=LISTS)
"""The right to ask which databases are in a group."""


class DatabaseGroups(Reconciler[S, O]):
    """A group that databases are in."""

    going: Collection[str] | None = None
    """The addresses of all that a destroy removes; None where it is none."""

    def removed_with(self, going: Collection[str]) -> Self:
        """Leave out, of what is in the group, what goes before it."""
        known = copy.copy(self)
        known.going = going
        return known

    def removal_refusal(self, aws: Aws, id: str, observed: Observed[S, O], last: S | None) -> Refused | None:
        """Look for others in the group, who would keep it. Of an apply, which moves ours elsewhere first, nobody."""
        if self.going is None:
            return None
        name = address(self.type, id)
        try:
            users = sorted(self._others(aws, id, observed, self.going))
        except AwsRefused as error:
            if not error.is_denied:
                raise
            return Refused(
                f"{name}: who else uses it could not be asked",
                evidence=str(error),
                hint=f"allow {error.permission}, then run this again",
            )
        if not users:
            return None
        return Refused(
            f"{name} is used by what is not ours and is never removed: {', '.join(users)}",
            evidence="AWS deletes no group that is used; nothing was begun",
            hint="move that elsewhere, or remove it where nobody needs it, then run this again",
        )

    def _others(self, aws: Aws, id: str, observed: Observed[S, O], going: Collection[str]) -> Iterable[str]:
        """Name everything in the group but what is going; databases, unless a type says more."""
        return databases_in(aws, id, going)


def databases_in(aws: Aws, group: str, going: Collection[str]) -> Iterator[str]:
    """List the addresses of the clusters and instances in the group that are not going, nor members of one that is."""
    for kind, listing, member, status in (
        ("db-cluster", "describe_db_clusters", "DBCluster", "Status"),
        ("db-instance", "describe_db_instances", "DBInstance", "DBInstanceStatus"),
    ):
        client: Any = aws.rds  # untyped, since the operation's name is data
        pages: list[Any] = aws.pages(client.get_paginator(listing))
        for database in (each for page in pages for each in page.get(f"{member}s", ())):
            place = address(kind, str(database.get(f"{member}Identifier")))
            of = address("db-cluster", str(database.get("DBClusterIdentifier")))
            goes = database.get(status) == "deleting" or not {place, of}.isdisjoint(going)
            if group.lower() in _groups_of(database) and not goes:
                yield place


def _groups_of(database: Mapping[str, Any]) -> frozenset[str]:
    """The names and ids of all groups of a cluster or an instance; a cluster has its subnet group by name alone."""
    subnets = database.get("DBSubnetGroup", "")
    names = [subnets if isinstance(subnets, str) else subnets.get("DBSubnetGroupName", "")]
    names.append(database.get("DBClusterParameterGroup", ""))
    names += [group.get("DBParameterGroupName", "") for group in database.get("DBParameterGroups", ())]
    names += [group.get("VpcSecurityGroupId", "") for group in database.get("VpcSecurityGroups", ())]
    return frozenset(name.lower() for name in names if name)
