"""The Resource Groups Tagging API some seconds behind: what was just tagged is not found, what went still is."""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rules import Call, Proceed, Reply, Rules, kept
from tapctl.sandbox.emulator.tagging import matches

rules = Rules("resourcegroupstaggingapi")

_LAGS_S: Final = 20.0
# What changes tags, or takes them away with the thing that bore them. RDS's own groups are told live.
_CHANGES: Final = {
    "cloudwatch": ("PutMetricAlarm", "DeleteAlarms", "TagResource", "UntagResource"),
    "kms": ("CreateKey", "TagResource", "UntagResource"),
    "lambda": ("CreateFunction", "DeleteFunction", "TagResource", "UntagResource"),
    "logs": ("CreateLogGroup", "DeleteLogGroup", "TagResource", "UntagResource"),
    "sns": ("CreateTopic", "DeleteTopic", "TagResource", "UntagResource"),
}

Entry = dict[str, Any]


def _past(call: Call) -> list[tuple[float, list[Entry]]]:
    """What the index told right before each of the last changes, the oldest first."""
    past: list[tuple[float, list[Entry]]] = kept(call.moto("resourcegroupstaggingapi")).setdefault("past", [])
    while past and past[0][0] <= call.life.now() - _LAGS_S:
        del past[0]
    return past


def tags_are_indexed_late(call: Call, proceed: Proceed) -> Reply:
    """20 s after they change."""
    if not call.life.scale:
        return proceed()
    entries: list[Entry] = []
    token = ""
    while True:
        page = call.send("resourcegroupstaggingapi", "GetResources", {"PaginationToken": token} if token else {})
        entries += page["ResourceTagMappingList"]
        token = page.get("PaginationToken", "")
        if not token:
            break
    _past(call).append((call.life.now(), entries))
    return proceed()


@rules("GetResources")
def the_index_of_tags_is_behind(call: Call, proceed: Proceed) -> Reply:
    """By 20 s."""
    reply = proceed()
    past = _past(call)
    if past:
        shown = [one for one in reply["ResourceTagMappingList"] if _service(one) not in _CHANGES]
        if not call.params.get("PaginationToken"):
            shown += [one for one in past[0][1] if _service(one) in _CHANGES and _is_asked_for(call, one)]
        reply["ResourceTagMappingList"] = shown
    return reply


def _service(entry: Entry) -> str:
    return str(entry["ResourceARN"]).split(":")[2]


def _is_asked_for(call: Call, entry: Entry) -> bool:
    kinds, arns = call.params.get("ResourceTypeFilters", []), call.params.get("ResourceARNList", [])
    service, resource = _service(entry), entry["ResourceARN"].split(":", 5)[5]
    of_kind = any(f"{service}:{resource}".startswith(kind) for kind in kinds) or not kinds
    return of_kind and entry["ResourceARN"] in (arns or [entry["ResourceARN"]]) and matches(call, entry["Tags"])


def _of_service(service: str) -> Rules:
    changes = Rules(service)
    changes(*_CHANGES[service])(tags_are_indexed_late)
    return changes


RULES: Final = (rules, *(_of_service(service) for service in _CHANGES))
