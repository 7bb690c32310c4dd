"""The alarms of one environment, with thresholds from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tapctl.config import Config
from tapctl.config.additions import STATISTICS
from tapctl.config.schema import ExtraAlarm
from tapctl.engine.resources import AnyResource, Stack
from tapctl.names import Names
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, CloudwatchAlarmSpec

_ONCE: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 1, "datapoints_to_alarm": 1}
_FOR_15_MINUTES: Final[dict[str, Any]] = {"period_s": 300, "evaluation_periods": 3, "datapoints_to_alarm": 3}

_DEFAULTS: Final[dict[str, Any]] = {
    "statistic": "",
    "extended_statistic": "",
    "comparison": "GreaterThanOrEqualToThreshold",
    # A function without traffic reports nothing, and that is no alarm.
    "treat_missing_data": "notBreaching",
}
_COMPARISONS: Final = {
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
}

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
    stack: Stack,
    config: Config,
    names: Names,
    topic_arn: str,
    tags: Callable[[str], dict[str, str]],
    *,
    instances: Sequence[AnyResource],
) -> None:
    """Add the alarms on the function and on each instance that every stack has, and those of the team.

    An instance reports every minute: one that is down or gone reports nothing, and its alarm on the CPU rings. So
    these alarms are made after their instance.
    """
    thresholds, db = config.alarms, config.database

    def alarm(name: str, threshold: float, *after: AnyResource, **own: Any) -> None:
        spec = CloudwatchAlarmSpec(
            threshold=float(threshold),
            alarm_actions=frozenset({topic_arn}),
            ok_actions=frozenset({topic_arn}),
            insufficient_data_actions=frozenset(),
            actions_enabled=True,
            unit="",
            tags=tags(name),
            **{**_DEFAULTS, **own},
        )
        stack.add(CloudwatchAlarm(), name, spec, after=after)

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
    for index, member in enumerate(instances):
        identifier = names.instance(index)
        instance: dict[str, Any] = {"namespace": "AWS/RDS", "dimensions": {"DBInstanceIdentifier": identifier}}
        alarm(
            names.instance_cpu(index),
            thresholds.cpu_threshold_percent,
            member,
            treat_missing_data="breaching",
            description=f"{identifier} is busy: {thresholds.cpu_threshold_percent} % CPU for 15 minutes, or silent",
            metric_name="CPUUtilization",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
        alarm(
            names.instance_connections(index),
            limit * percent // 100,
            member,
            # One alarm is enough for one that is gone.
            treat_missing_data="missing",
            description=f"{identifier} has {percent} % of its {limit} connections in use for 15 minutes",
            metric_name="DatabaseConnections",
            statistic="Average",
            **instance,
            **_FOR_15_MINUTES,
        )
    for extra in config.alarms.extra:
        for name, metric in _watched(extra, names, db.instance_count):
            alarm(
                name,
                extra.threshold,
                description=extra.why,
                metric_name=extra.metric,
                comparison=_COMPARISONS[extra.comparison],
                period_s=extra.period_s,
                evaluation_periods=extra.periods,
                datapoints_to_alarm=extra.periods,
                # Whether no data is bad nobody knows of another metric; of the function's see above.
                **({} if extra.of == "function" else {"treat_missing_data": "missing"}),
                **{"statistic" if extra.statistic in STATISTICS else "extended_statistic": extra.statistic},
                **metric,
            )


def _watched(extra: ExtraAlarm, names: Names, instances: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The alarms that an addition makes: the name of each, and its metric's namespace and dimensions."""
    name = names.extra_alarm(extra.name)
    if extra.of == "instance":
        for index in range(instances):
            dimensions = {"DBInstanceIdentifier": names.instance(index)}
            yield names.extra_alarm(extra.name, index), {"namespace": "AWS/RDS", "dimensions": dimensions}
    elif extra.of == "cluster":
        yield name, {"namespace": "AWS/RDS", "dimensions": {"DBClusterIdentifier": names.cluster}}
    elif extra.of == "function":
        yield name, {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": names.function}}
    else:
        dimensions = {key: names.fill(value) for key, value in (extra.dimensions or {}).items()}
        yield name, {"namespace": extra.namespace or "", "dimensions": dimensions}
