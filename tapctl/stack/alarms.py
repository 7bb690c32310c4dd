"""The alarms of one environment, with thresholds from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tapctl.config import Config
from tapctl.engine.resources import Stack
from tapctl.names import Names
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, CloudwatchAlarmSpec

_ONCE: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 1, "datapoints_to_alarm": 1}
_FOR_15_MINUTES: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 3, "datapoints_to_alarm": 3}

_GIB_A_VCPU: Final = {"r": 8, "x": 16}
"""GiB of memory for each vCPU, by the kind of family; any other kind has 4 at least. Source: Aurora user guide,
"Hardware specifications for DB instance classes"."""
_SMALL_VCPUS: Final = {"medium": 1, "large": 2, "xlarge": 4}
_MOST_CONNECTIONS: Final = 5000


def max_connections(instance_class: str) -> int:
    """The default ``max_connections`` of Aurora PostgreSQL for this class, rounded down to be safe.

    The engine's default is LEAST(DBInstanceClassMemory / 9531392, 5000), and DBInstanceClassMemory is what the host
    leaves of the class's memory: about 100 connections for each GiB. Source: Aurora user guide, "Maximum connections
    to an Aurora PostgreSQL DB instance".
    """
    _, family, size = instance_class.split(".")
    vcpus = _SMALL_VCPUS.get(size) or 4 * int(size.removesuffix("xlarge"))
    return min(100 * vcpus * _GIB_A_VCPU.get(family[0], 4), _MOST_CONNECTIONS)


def add_alarms(
    stack: Stack, config: Config, names: Names, topic_arn: str, tags: Callable[[str], dict[str, str]]
) -> None:
    """Add the alarms on the function's errors, latency and throttles, and on each instance's CPU and connections."""
    thresholds, db = config.alarms, config.database

    def alarm(name: str, threshold: float, **own: Any) -> None:
        spec = CloudwatchAlarmSpec(
            comparison="GreaterThanOrEqualToThreshold",
            threshold=float(threshold),
            # A function without traffic reports nothing, and that is no alarm.
            treat_missing_data="notBreaching",
            alarm_actions=frozenset({topic_arn}),
            ok_actions=frozenset({topic_arn}),
            insufficient_data_actions=frozenset(),
            actions_enabled=True,
            unit="",
            tags=tags(name),
            **{"statistic": "", "extended_statistic": "", **own},
        )
        stack.add(CloudwatchAlarm(), name, spec)

    function: dict[str, Any] = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": names.function}}
    alarm(
        names.function_errors,
        thresholds.error_threshold,
        description=f"{names.function} fails: {thresholds.error_threshold} errors in 5 minutes",
        metric_name="Errors",
        statistic="Sum",
        **function,
        **_ONCE,
    )
    alarm(
        names.function_duration,
        thresholds.latency_threshold_ms,
        description=f"{names.function} is slow: p95 of {thresholds.latency_threshold_ms} ms for 15 minutes",
        metric_name="Duration",
        extended_statistic="p95",
        **function,
        **_FOR_15_MINUTES,
    )
    alarm(
        names.function_throttles,
        thresholds.throttle_threshold,
        description=f"{names.function} is throttled: payments are turned away",
        metric_name="Throttles",
        statistic="Sum",
        **function,
        **_ONCE,
    )
    limit = max_connections(db.instance_class)
    percent = thresholds.connections_threshold_percent
    for index in range(db.instance_count):
        identifier = names.instance(index)
        instance: dict[str, Any] = {"namespace": "AWS/RDS", "dimensions": {"DBInstanceIdentifier": identifier}}
        alarm(
            names.instance_cpu(index),
            thresholds.cpu_threshold_percent,
            description=f"{identifier} is busy: {thresholds.cpu_threshold_percent} % CPU for 15 minutes",
            metric_name="CPUUtilization",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
        alarm(
            names.instance_connections(index),
            limit * percent // 100,
            description=f"{identifier} has {percent} % of its {limit} connections in use for 15 minutes",
            metric_name="DatabaseConnections",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
