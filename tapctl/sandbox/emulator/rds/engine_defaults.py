"""The engine defaults of Aurora PostgreSQL's parameters, enough of them to need more than one page.

What tapctl sets is exact (a describe of the default groups); of the rest, names and types are PostgreSQL's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Default:
    """One parameter as an untouched group shows it. ``value`` None: none is shown."""

    name: str
    data_type: str = "string"
    static: bool = False
    value: str | None = None
    allowed: str | None = None
    source: str = "engine-default"
    modifiable: bool = True

    def accepts(self, value: str) -> bool:
        """Whether the engine takes this value."""
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
autovacuum_analyze_threshold autovacuum_naptime autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
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
    one.name: one
    for one in sorted(
        (
            *_EXACT,
            *(Default(name, "boolean", allowed="0,1") for name in _SWITCHES.split()),
            *(Default(name, "integer") for name in _NUMBERS.split()),
            *(Default(name, "integer", static=True) for name in _AT_START.split()),
        ),
        key=lambda one: one.name,
    )
}
