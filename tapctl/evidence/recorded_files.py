"""Configurations that a record may be of: with as many instances as it tells of, and its major versions, in names.

Of other files than the present ones a record tells of resources that these do not want. Any files that do want them
agree in what no key decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tapctl.config import Config, any_config
from tapctl.config.types import ENGINE_VERSIONS
from tapctl.engine.record import Entry
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.db_parameter_groups import DbClusterParameterGroup, DbParameterGroup
from tapctl.stack.provenance import with_value

VERSION: Final = "database.engine_version"
"""The key whose major version is in names."""
_COUNT: Final = "database.instance_count"
_GROUPS: Final = (DbClusterParameterGroup.type, DbParameterGroup.type)
_VERSION_IN_NAME: Final = re.compile(r"-pg(\d+)-", re.ASCII)


def recorded_configs(config: Config, entries: Mapping[str, Entry]) -> Iterator[Config]:
    """Yield the configuration as the cluster and the instances are recorded, and as each further group's name tells.

    The first one is of the recorded cluster's version, where the record tells one.
    """
    numbers = [int(entry.id.rpartition("-")[2]) for entry in entries.values() if entry.type == DbInstance.type]
    config = with_value(config, _COUNT, max([config.database.instance_count, *(number + 1 for number in numbers)]))
    clusters = (str(entry.spec.get("engine_version")) for entry in entries.values() if entry.type == DbCluster.type)
    groups = [_VERSION_IN_NAME.search(entry.id) for entry in entries.values() if entry.type in _GROUPS]
    recorded = [version.partition(".")[0] for version in clusters]
    named = sorted({match[1] for match in groups if match}.difference(recorded))
    own = config.database.engine_version
    versions = [version for major in (*recorded, *named) if (version := _full_version(major))]
    for version in versions or [own]:
        yield with_value(config, VERSION, version)


def any_files(environment: str, names: Names, entries: Mapping[str, Entry]) -> Config:
    """Make a configuration that stands in for files which cannot be used, as cluster and instances are recorded."""
    return next(recorded_configs(any_config(environment, names.account, names.region), entries))


def _full_version(major: str) -> str:
    """A version of this major that files may have; empty where they can have none."""
    of_major = [version for version in ENGINE_VERSIONS if version.startswith(f"{major}.")]
    return of_major[0] if of_major else ""
