"""What Aurora PostgreSQL offers: versions, their families, instance classes. And what RDS operations share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("rds")

ENGINE = "aurora-postgresql"
# Minors that can be created, by major; the last one of a major is its default here.
AVAILABLE = {
    15: (10, 12, 13, 14, 15, 17, 18, 19),
    16: (8, 9, 10, 11, 13, 14, 15),
    17: (4, 5, 6, 7, 9, 10, 11),
}
_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
CLASSES = (
    "db.serverless",
    *(f"db.{family}.{size}" for family in ("t3", "t4g") for size in ("medium", "large")),
    *(f"db.{family}.{size}" for family in ("r5", "r6g", "r6i", "r7g", "r7i", "r8g", "x2g") for size in _SIZES),
    *(f"db.{family}.24xlarge" for family in ("r5", "r6i", "r7i", "r8g")),
)
_IDENTIFIERS = (
    "DBClusterIdentifier",
    "DBInstanceIdentifier",
    "DBSubnetGroupName",
    "DBParameterGroupName",
    "DBClusterParameterGroupName",
)
_PAGE = 100


def full_version(asked: str) -> str:
    """The minor that is made when this version is asked for.

    Raises:
        Fault: there is none, or it can no longer be created.
    """
    major, _, minor = asked.partition(".")
    minors = AVAILABLE.get(int(major) if major.isdigit() else 0, ())
    if minors and not minor:
        return f"{major}.{minors[-1]}"
    if minor not in {str(one) for one in minors}:
        raise Fault("InvalidParameterCombination", f"Cannot find version {asked} for {ENGINE}")
    return asked


def family_of(version: str) -> str:
    """The parameter family of a version."""
    return f"{ENGINE}{version.split('.', maxsplit=1)[0]}"


def key_arn(call: Call, reference: str, *, shown: str | None = None) -> str:
    """The ARN of a key that RDS can use.

    Raises:
        Fault: there is none, or it is not enabled; ``shown`` is how RDS then names it.
    """
    key = key_of(call, reference)
    if key is None or key.key_state != "Enabled":
        raise Fault(
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{shown or reference}] does not exist, is not enabled or you do not have "
            "permissions to access it.",
        )
    arn: str = key.arn
    return arn


def page(call: Call, name: str, items: Sequence[Any]) -> Reply:
    """One page of a listing: 100 records, or 20 to 100 as asked, from a marker that is the offset."""
    size = call.params.get("MaxRecords", _PAGE)
    if not 20 <= size <= _PAGE:  # noqa: PLR2004  # RDS's own bounds
        raise Fault("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
    at = int(call.params.get("Marker") or 0)
    more = {"Marker": str(at + size)} if at + size < len(items) else {}
    return {name: list(items[at : at + size]), **more}


_NAMED = ("DBCluster", "DBInstance", "DBSubnetGroup", "DBParameterGroup", "DBClusterParameterGroup")


@rules(
    *(f"{verb}{thing}" for verb in ("Create", "Modify", "Delete") for thing in _NAMED),
    *(f"Describe{thing}s" for thing in (*_NAMED, "DBParameter", "DBClusterParameter")),
    *("ResetDBParameterGroup", "ResetDBClusterParameterGroup", "FailoverDBCluster", "RebootDBInstance"),
)
def names_are_lower_case(call: Call, proceed: Proceed) -> Reply:
    """Identifiers and group names are stored in lower case, and matched in any."""
    for name in _IDENTIFIERS:
        if name in call.params:
            call.params[name] = call.params[name].lower()
    return proceed()


@rules("CreateDBCluster", "ModifyDBCluster", "CreateDBInstance", "ModifyDBInstance")
def windows_are_lower_case(call: Call, proceed: Proceed) -> Reply:
    """Maintenance and backup windows come back in lower case."""
    for name in ("PreferredMaintenanceWindow", "PreferredBackupWindow"):
        if name in call.params:
            call.params[name] = call.params[name].lower()
    return proceed()


@rules("DescribeDBEngineVersions")
def engine_versions_are_known(call: Call, _: Proceed) -> Reply:
    """Moto has no DescribeDBEngineVersions; Aurora PostgreSQL's versions are known here."""
    asked, family = call.params.get("EngineVersion", ""), call.params.get("DBParameterGroupFamily")
    found = [
        _version(major, minor)
        for major, minors in AVAILABLE.items()
        for minor in (minors[-1:] if call.params.get("DefaultOnly") else minors)
        if f"{major}.{minor}".startswith(asked if "." in asked else f"{asked}." if asked else "")
        and family in (None, f"{ENGINE}{major}")
    ]
    return page(call, "DBEngineVersions", found if call.params.get("Engine", ENGINE) == ENGINE else [])


def _version(major: int, minor: int) -> dict[str, Any]:
    newer = [(one, other) for one, others in AVAILABLE.items() for other in others if (one, other) > (major, minor)]
    return {
        "Engine": ENGINE,
        "MajorEngineVersion": str(major),
        "EngineVersion": f"{major}.{minor}",
        "DBParameterGroupFamily": f"{ENGINE}{major}",
        "Status": "available",
        "ExportableLogTypes": ["postgresql", "instance", "iam-db-auth-error"],
        "SupportsLogExportsToCloudwatchLogs": True,
        "SupportedEngineModes": ["provisioned"],
        "ValidUpgradeTarget": [
            {"Engine": ENGINE, "EngineVersion": f"{one}.{other}", "IsMajorVersionUpgrade": one > major}
            for one, other in newer
        ],
    }


@rules("DescribeOrderableDBInstanceOptions")
def orderable_classes_are_known(call: Call, proceed: Proceed) -> Reply:
    """The classes of Aurora PostgreSQL, for every version that can be created."""
    if call.params["Engine"] != ENGINE:
        return proceed()
    wanted, version = call.params.get("DBInstanceClass"), call.params.get("EngineVersion")
    options = [
        {
            "Engine": ENGINE,
            "EngineVersion": f"{major}.{minor}",
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": f"{call.region}{zone}"} for zone in "abc"],
            "Vpc": True,
            "StorageType": "aurora",
            "SupportsStorageEncryption": True,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportsPerformanceInsights": True,
            "SupportsClusters": True,
        }
        for major, minors in AVAILABLE.items()
        for minor in minors
        for name in CLASSES
        if wanted in (None, name) and version in (None, f"{major}.{minor}")
    ]
    return page(call, "OrderableDBInstanceOptions", options)


@rules("DescribePendingMaintenanceActions")
def no_maintenance_is_pending(call: Call, _: Proceed) -> Reply:
    """Moto has no DescribePendingMaintenanceActions; nothing is pending."""
    return page(call, "PendingMaintenanceActions", [])
