"""The catalog of Aurora PostgreSQL: versions, families, instance classes, parameters; and what RDS operations share.

The parameters are enough to need more than one page. Those that tapctl sets are exact (a describe of the default
groups); of the rest, names and types are PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError

contract = Rules("rds")

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


def full_version(version: str) -> str:
    """Return the minor version that is made for a requested version.

    Raises:
        ServiceError: there is none, or it can no longer be created.
    """
    major, _, minor = version.partition(".")
    minors = AVAILABLE.get(int(major) if major.isdigit() else 0, ())
    if minors and not minor:
        return f"{major}.{minors[-1]}"
    if minor not in {str(number) for number in minors}:
        raise ServiceError("InvalidParameterCombination", f"Cannot find version {version} for {ENGINE}")
    return version


def family_of(version: str) -> str:
    """Return the parameter family of a version."""
    return f"{ENGINE}{version.split('.', maxsplit=1)[0]}"


def key_arn(request: Request, reference: str, *, shown: str | None = None) -> str:
    """Return the ARN of a key that RDS can use.

    Raises:
        ServiceError: there is none, or it is not enabled; ``shown`` is how RDS then names it.
    """
    key = key_of(request, reference)
    if key is None or key.key_state != "Enabled":
        raise ServiceError(
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{shown or reference}] does not exist, is not enabled or you do not have "
            "permissions to access it.",
        )
    arn: str = key.arn
    return arn


def paginate(request: Request, name: str, items: Sequence[Any]) -> Reply:
    """Return one page of a listing: 100 records, or 20 to 100 as requested; a marker is an offset."""
    size = request.params.get("MaxRecords", _PAGE)
    if not 20 <= size <= _PAGE:  # noqa: PLR2004  # RDS's own bounds
        raise ServiceError("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
    at = int(request.params.get("Marker") or 0)
    more = {"Marker": str(at + size)} if at + size < len(items) else {}
    return {name: list(items[at : at + size]), **more}


QUOTAS: Final = {
    "ManualClusterSnapshots": 100,
    "DBClusters": 40,
    "DBInstances": 40,
    "DBClusterParameterGroups": 50,
    "DBParameterGroups": 50,
    "DBSubnetGroups": 50,
    "EventSubscriptions": 20,
}
_NAMED = ("DBCluster", "DBInstance", "DBSubnetGroup", "DBParameterGroup", "DBClusterParameterGroup")


@contract(
    *(f"{verb}{thing}" for verb in ("Create", "Modify", "Delete") for thing in _NAMED),
    *(f"Describe{thing}s" for thing in (*_NAMED, "DBParameter", "DBClusterParameter")),
    *("ResetDBParameterGroup", "ResetDBClusterParameterGroup", "FailoverDBCluster", "RebootDBInstance"),
    "RestoreDBClusterFromSnapshot",
)
def names_are_lower_case(request: Request, proceed: Next) -> Reply:
    """Identifiers and group names are stored in lower case, and matched in any."""
    for name in _IDENTIFIERS:
        if name in request.params:
            request.params[name] = request.params[name].lower()
    return proceed()


@contract("CreateDBCluster", "ModifyDBCluster", "CreateDBInstance", "ModifyDBInstance", "RestoreDBClusterFromSnapshot")
def windows_are_lower_case(request: Request, proceed: Next) -> Reply:
    """Maintenance and backup windows come back in lower case."""
    for name in ("PreferredMaintenanceWindow", "PreferredBackupWindow"):
        if name in request.params:
            request.params[name] = request.params[name].lower()
    return proceed()


@contract("DescribeDBEngineVersions")
def engine_versions_are_known(request: Request, _: Next) -> Reply:
    """Moto has no DescribeDBEngineVersions; Aurora PostgreSQL's versions are known here."""
    wanted, family = request.params.get("EngineVersion", ""), request.params.get("DBParameterGroupFamily")
    versions = [
        _version(major, minor)
        for major, minors in AVAILABLE.items()
        for minor in (minors[-1:] if request.params.get("DefaultOnly") else minors)
        if f"{major}.{minor}".startswith(wanted if "." in wanted else f"{wanted}." if wanted else "")
        and family in (None, f"{ENGINE}{major}")
    ]
    return paginate(request, "DBEngineVersions", versions if request.params.get("Engine", ENGINE) == ENGINE else [])


def upgrade_targets(version: str) -> list[str]:
    """List the versions that RDS upgrades this one to.

    A minor of a newer major is one only if it was released with this version or after it: each minor that a cluster
    gets takes some of them away (terraform-aws-modules/terraform-aws-rds#627: from 16.13 to 17.9, not to 17.6).
    """
    major, minor = (int(part) for part in version.split("."))
    return [
        f"{new_major}.{new_minor}"
        for new_major, new_minors in AVAILABLE.items()
        for new_minor in new_minors
        if (new_major, new_minor) > (major, minor) and _release(new_major, new_minor) >= _release(major, minor)
    ]


def _release(major: int, minor: int) -> int:
    """Tell the place of a minor among PostgreSQL's releases: 15.13, 16.9 and 17.5 came on one day, and so on."""
    return minor + 4 * (major - 17)


def _version(major: int, minor: int) -> dict[str, Any]:
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
            {
                "Engine": ENGINE,
                "EngineVersion": target,
                "IsMajorVersionUpgrade": not target.startswith(f"{major}."),
            }
            for target in upgrade_targets(f"{major}.{minor}")
        ],
    }


@contract("DescribeOrderableDBInstanceOptions")
def orderable_classes_are_known(request: Request, proceed: Next) -> Reply:
    """The instance classes of Aurora PostgreSQL are orderable, for every version that can be created."""
    if request.params["Engine"] != ENGINE:
        return proceed()
    wanted, version = request.params.get("DBInstanceClass"), request.params.get("EngineVersion")
    options = [
        {
            "Engine": ENGINE,
            "EngineVersion": f"{major}.{minor}",
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": f"{request.region}{zone}"} for zone in "abc"],
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
    return paginate(request, "OrderableDBInstanceOptions", options)


@contract("DescribeAccountAttributes")
def the_quotas_are_told(request: Request, _: Next) -> Reply:
    """Moto has no DescribeAccountAttributes; what there is is counted (default quotas: RDS user guide, "Quotas")."""
    state = request.backend("rds")
    used = {
        "ManualClusterSnapshots": sum(each.snapshot_type == "manual" for each in state.cluster_snapshots.values()),
        "DBClusters": len(state.clusters),
        "DBInstances": len(state.databases),
        "DBClusterParameterGroups": len(state.db_cluster_parameter_groups),
        "DBParameterGroups": len(state.db_parameter_groups),
        "DBSubnetGroups": len(state.subnet_groups),
        "EventSubscriptions": len(state.event_subscriptions),
    }
    return {
        "AccountQuotas": [
            {"AccountQuotaName": name, "Used": count, "Max": QUOTAS[name]} for name, count in used.items()
        ]
    }


@contract("DescribePendingMaintenanceActions")
def no_maintenance_is_pending(request: Request, _: Next) -> Reply:
    """Moto has no DescribePendingMaintenanceActions; nothing is pending."""
    return paginate(request, "PendingMaintenanceActions", [])


@contract("DescribeIntegrations")
def nothing_is_integrated(request: Request, _: Next) -> Reply:
    """Moto has no DescribeIntegrations; no database is copied to a warehouse."""
    return paginate(request, "Integrations", [])


# -- parameters ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Default:
    """A parameter in an untouched group. ``value`` None: none is shown."""

    name: str
    data_type: str = "string"
    static: bool = False
    value: str | None = None
    allowed: str | None = None
    source: str = "engine-default"
    modifiable: bool = True

    def accepts(self, value: str) -> bool:
        """Tell whether the engine takes this value."""
        if self.allowed is None or self.data_type == "list":
            return True
        if self.data_type == "integer":
            low, _, high = self.allowed.rpartition("-")
            digits = value.removeprefix("-")
            return digits.isdigit() and int(low) <= int(value) <= int(high)
        return value.upper() in self.allowed.upper().split(",")


_EXACT = (
    Default("log_statement", allowed="none,ddl,mod,all"),
    Default("log_min_duration_statement", "integer", allowed="-1-2147483647"),
    Default("rds.force_ssl", "boolean", value="0", allowed="0,1", source="system"),
    Default(
        "shared_preload_libraries",
        "list",
        static=True,
        value="pg_stat_statements",
        allowed="auto_explain,orafce,pgaudit,pg_similarity,pg_stat_statements,pg_hint_plan,pg_prewarm,pg_cron,pglogical",
        source="system",
    ),
    Default("pg_stat_statements.track", allowed="NONE,TOP,ALL"),
    Default("max_connections", "integer", static=True, value="LEAST({DBInstanceClassMemory/9531392},5000)"),
    Default("ssl", "boolean", value="1", allowed="0,1", source="system"),
    Default("server_version", modifiable=False),
)
_SWITCHES = """
array_nulls check_function_bodies debug_pretty_print debug_print_parse debug_print_plan debug_print_rewritten
enable_bitmapscan enable_gathermerge enable_hashagg enable_hashjoin enable_indexonlyscan enable_indexscan
enable_material enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash
enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join enable_seqscan enable_sort
enable_tidscan escape_string_warning exit_on_error geqo jit log_checkpoints log_connections log_disconnections
log_duration log_executor_stats log_hostname log_lock_waits log_parser_stats log_planner_stats log_statement_stats
parallel_leader_participation pg_stat_statements.save pg_stat_statements.track_utility quote_all_identifiers
rds.log_retention_period row_security standard_conforming_strings synchronize_seqscans track_activities track_counts
track_io_timing track_wal_io_timing transform_null_equals
"""
_NUMBERS = """
auto_explain.log_min_duration auto_explain.log_parameter_max_length autovacuum_analyze_threshold autovacuum_naptime
autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
autovacuum_vacuum_threshold checkpoint_timeout deadlock_timeout default_statistics_target effective_cache_size
effective_io_concurrency from_collapse_limit geqo_effort geqo_generations geqo_pool_size geqo_threshold
gin_fuzzy_search_limit gin_pending_list_limit idle_in_transaction_session_timeout idle_session_timeout
join_collapse_limit lock_timeout log_autovacuum_min_duration log_min_duration_sample log_parameter_max_length
log_rotation_age log_rotation_size log_temp_files logical_decoding_work_mem maintenance_work_mem
max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather max_standby_streaming_delay
min_parallel_index_scan_size min_parallel_table_scan_size old_snapshot_threshold statement_timeout
tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval temp_buffers temp_file_limit vacuum_cost_delay
vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss vacuum_freeze_min_age
vacuum_freeze_table_age wal_receiver_timeout wal_sender_timeout work_mem
"""
_AT_START = """
autovacuum_freeze_max_age autovacuum_max_workers max_locks_per_transaction max_logical_replication_workers
max_pred_locks_per_transaction max_prepared_transactions max_replication_slots max_sync_workers_per_subscription
max_wal_senders max_worker_processes pg_stat_statements.max rds.logical_replication shared_buffers
track_activity_query_size
"""
DEFAULTS = {
    default.name: default
    for default in sorted(
        (
            *_EXACT,
            *(Default(name, "boolean", allowed="0,1") for name in _SWITCHES.split()),
            *(Default(name, "integer") for name in _NUMBERS.split()),
            *(Default(name, "integer", static=True) for name in _AT_START.split()),
        ),
        key=lambda default: default.name,
    )
}
