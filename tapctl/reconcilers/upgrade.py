"""Versions of the cluster's engine and classes of its instances: asked of RDS before anything is changed.

A minor version is a target only of the minors that were released before it, so that a configured upgrade may become
impossible while a cluster's minor is moved by AWS (DescribeDBEngineVersions, ValidUpgradeTarget).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tapctl.errors import AwsRefused, Refused

if TYPE_CHECKING:
    from tapctl.aws.client import Aws


def check_upgrade(
    aws: Aws, engine: str, have: str, want: str, *, address: str, classes: Collection[str]
) -> Refused | None:
    """Ask RDS if the cluster can get this version, and if instances of these classes can be had of it; None if so."""
    try:
        targets = _targets(aws, engine, have)
        version = _choose(targets, want)
        if version is None:
            return Refused(
                f"{address}: RDS upgrades {engine} {have} to no {want}",
                evidence=f"its valid targets are {', '.join(targets) or 'none'}",
                hint=f"choose one of them as database.engine_version, or {have}, which needs no upgrade",
            )
        missing = [name for name in sorted(classes) if not _is_orderable(aws, engine, version, name)]
    except AwsRefused as error:
        return error.unasked(f"{address}: whether RDS upgrades {engine} {have} to {want}")
    if missing:
        return _no_class(aws, engine, version, address, missing)
    return None


def check_orderable(aws: Aws, engine: str, version: str, *, address: str, classes: Collection[str]) -> Refused | None:
    """Ask RDS if instances of these classes can be had of this version; None if so.

    Raises:
        AwsRefused: that may not be asked.
    """
    missing = [name for name in sorted(classes) if not _is_orderable(aws, engine, version, name)]
    if not missing:
        return None
    known = _known_versions(aws, engine, version)
    if version not in known:
        return Refused(
            f"{address}: RDS has no {engine} {version} in {aws.region}",
            evidence=f"DescribeDBEngineVersions lists {', '.join(known) or 'none'} of that major version",
            hint="choose another database.engine_version",
        )
    return _no_class(aws, engine, version, address, missing)


def _no_class(aws: Aws, engine: str, version: str, address: str, missing: Collection[str]) -> Refused:
    return Refused(
        f"{address}: RDS has no {', '.join(missing)} with {engine} {version} in {aws.region}",
        evidence="DescribeOrderableDBInstanceOptions lists none",
        hint="choose another database.instance_class, or another database.engine_version",
    )


def _known_versions(aws: Aws, engine: str, version: str) -> list[str]:
    """List the versions of this one's major that RDS can create."""
    major = version.partition(".")[0]
    pages = aws.pages(aws.rds.get_paginator("describe_db_engine_versions"), Engine=engine, EngineVersion=major)
    return [known.get("EngineVersion", "") for page in pages for known in page.get("DBEngineVersions", [])]


def _targets(aws: Aws, engine: str, version: str) -> list[str]:
    pages = aws.pages(aws.rds.get_paginator("describe_db_engine_versions"), Engine=engine, EngineVersion=version)
    return [
        target.get("EngineVersion", "")
        for page in pages
        for known in page.get("DBEngineVersions", [])
        if known.get("EngineVersion") == version
        for target in known.get("ValidUpgradeTarget", [])
    ]


def _choose(targets: Collection[str], want: str) -> str | None:
    """Choose the target that is wanted; for a bare major one of its minors, of which RDS takes its default."""
    return next((target for target in targets if target == want or target.startswith(f"{want}.")), None)


def _is_orderable(aws: Aws, engine: str, version: str, instance_class: str) -> bool:
    pages = aws.pages(
        aws.rds.get_paginator("describe_orderable_db_instance_options"),
        Engine=engine,
        EngineVersion=version,
        DBInstanceClass=instance_class,
    )
    return any(page.get("OrderableDBInstanceOptions") for page in pages)
