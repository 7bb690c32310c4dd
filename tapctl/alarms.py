"""The alarms of one environment, all with thresholds from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tapctl.config import Config
from tapctl.engine.graph import Stack
from tapctl.instance_classes import max_connections
from tapctl.names import Names
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, CloudwatchAlarmSpec

_ONCE: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 1, "datapoints_to_alarm": 1}
_FOR_15_MINUTES: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 3, "datapoints_to_alarm": 3}


def add_alarms(
    stack: Stack, config: Config, names: Names, topic_arn: str, tags: Callable[[str], dict[str, str]]
) -> None:
    """The function's errors, latency and throttles; CPU and connections of each database instance."""
    limits, db = config.alarms, config.database

    def alarm(name: str, threshold: float, **own: Any) -> None:
        spec = CloudwatchAlarmSpec(
            comparison="GreaterThanOrEqualToThreshold",
            threshold=float(threshold),
            # A function without traffic reports nothing, and that is no alarm.
            treat_missing_data="notBreaching",
            alarm_actions=frozenset({topic_arn}),
            ok_actions=frozenset({topic_arn}),
            tags=tags(name),
            **own,
        )
        stack.add(CloudwatchAlarm(), name, spec)

    function: dict[str, Any] = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": names.function}}
    alarm(
        names.function_errors_alarm,
        limits.error_threshold,
        description=f"{names.function} fails: {limits.error_threshold} errors in 5 minutes",
        metric_name="Errors",
        statistic="Sum",
        **function,
        **_ONCE,
    )
    alarm(
        names.function_duration_alarm,
        limits.latency_threshold_ms,
        description=f"{names.function} is slow: p95 of {limits.latency_threshold_ms} ms for 15 minutes",
        metric_name="Duration",
        extended_statistic="p95",
        **function,
        **_FOR_15_MINUTES,
    )
    alarm(
        names.function_throttles_alarm,
        limits.throttle_threshold,
        description=f"{names.function} is throttled: payments are turned away",
        metric_name="Throttles",
        statistic="Sum",
        **function,
        **_ONCE,
    )
    most = max_connections(db.instance_class)
    connections = limits.connections_threshold_percent
    for index in range(db.instance_count):
        identifier = names.instance(index)
        instance: dict[str, Any] = {"namespace": "AWS/RDS", "dimensions": {"DBInstanceIdentifier": identifier}}
        alarm(
            names.instance_cpu_alarm(index),
            limits.cpu_threshold_percent,
            description=f"{identifier} is busy: {limits.cpu_threshold_percent} % CPU for 15 minutes",
            metric_name="CPUUtilization",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
        alarm(
            names.instance_connections_alarm(index),
            most * connections // 100,
            description=f"{identifier} has {connections} % of its {most} connections in use for 15 minutes",
            metric_name="DatabaseConnections",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
