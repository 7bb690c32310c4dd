"""The Resource Groups Tagging API: RDS groups are found too, and nothing without tags."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rules import Call, Proceed, Reply, Rules

rules = Rules("resourcegroupstaggingapi")

# Resource types that moto leaves out → where it keeps them.
_LEFT_OUT = {
    "rds:subgrp": "subnet_groups",
    "rds:pg": "db_parameter_groups",
    "rds:cluster-pg": "db_cluster_parameter_groups",
}


@rules("GetResources")
def rds_groups_are_found_by_their_tags(call: Call, proceed: Proceed) -> Reply:
    """Subnet and parameter groups, on the last page."""
    reply = proceed()
    kinds, arns = call.params.get("ResourceTypeFilters", []), call.params.get("ResourceARNList", [])
    if not reply.get("PaginationToken"):
        for kind, where in _LEFT_OUT.items():
            if not kinds or {kind, "rds"} & {*kinds}:
                for group in getattr(call.moto("rds"), where).values():
                    if group.arn in (arns or [group.arn]) and matches(call, group.tags):
                        reply["ResourceTagMappingList"].append({"ResourceARN": group.arn, "Tags": group.tags})
    return reply


def matches(call: Call, tags: list[dict[str, Any]]) -> bool:
    """Whether these tags are what the call filters by; what has none is never found."""
    have = {one["Key"]: one["Value"] for one in tags}
    return bool(have) and all(
        one["Key"] in have and have[one["Key"]] in (one.get("Values") or [have[one["Key"]]])
        for one in call.params.get("TagFilters", [])
    )
