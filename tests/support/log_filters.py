"""Filters that another team puts on a log group."""

from __future__ import annotations

from tests.support.world import World


def put_filters(world: World, group: str) -> None:
    """Put a subscription filter ``siem`` and a metric filter ``sec-team`` on the group."""
    logs = world.client("logs")
    shipper = "arn:aws:lambda:us-east-2:123456789012:function:payment-processor-dev"
    logs.put_subscription_filter(logGroupName=group, filterName="siem", filterPattern="", destinationArn=shipper)
    logs.put_metric_filter(
        logGroupName=group,
        filterName="sec-team",
        filterPattern="ERROR",
        metricTransformations=[{"metricName": "errors", "metricNamespace": "sec", "metricValue": "1"}],
    )
