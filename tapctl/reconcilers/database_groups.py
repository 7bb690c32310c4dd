"""Groups that databases are in (subnet, parameter, security groups), which AWS deletes only once no database is.

RDS tells of each cluster and instance in which groups it is (RDS API reference, DBCluster and DBInstance). So a removal
can ask who else is in a group before anything is begun: a copy that somebody has restored beside ours stays, and so
would the group, however long one waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.rights import LISTS, Need, Right
from tapctl.engine.model import Observed, address
from tapctl.reconcilers.used_by_others import O, S, UsedByOthers

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

ASKS_DATABASES: Final = Right(Need.DELETE, ("rds:DescribeDBClusters", "rds:DescribeDBInstances"), why=LISTS)
"""The right to ask which databases are in a group."""


class DatabaseGroups(UsedByOthers[S, O]):
    """A group that databases are in."""

    why_it_stays = "AWS deletes no group that is used"

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
