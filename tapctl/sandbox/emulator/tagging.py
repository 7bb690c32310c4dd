"""The Resource Groups Tagging API: RDS groups are found too, nothing without tags, and the index is 20 s behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, Tags
from tapctl.sandbox.emulator.simulation import notes_on

_NAME: Final = "resourcegroupstaggingapi"
contract = Rules(_NAME)
SERVICE: Final = Service(
    name=_NAME, contract=(contract,), throttling="ThrottledException", tags=Tags(returned_by=("GetResources",))
)

_LAG_S: Final = 20.0
# The kinds of RDS resources, by their word in ARNs, that moto's search finds; it leaves out all others that have one.
_NOT_LEFT_OUT: Final = frozenset({"", "cluster", "cluster-snapshot", "db", "db-proxy", "snapshot"})

Entry = dict[str, Any]


@contract("GetResources")
def rds_groups_are_found_by_their_tags(request: Request, proceed: Next) -> Reply:
    """Groups, and whatever else of RDS moto leaves out, are on the last page."""
    reply = proceed()
    types, arns = request.params.get("ResourceTypeFilters", []), request.params.get("ResourceARNList", [])
    if not reply.get("PaginationToken"):
        for kind, resources in request.backend("rds").resource_map.items():
            word = getattr(kind, "resource_type", "")
            if word not in _NOT_LEFT_OUT and (not types or {f"rds:{word}", "rds"} & {*types}):
                for resource in resources.values():
                    if resource.arn in (arns or [resource.arn]) and _matches(request, resource.tags):
                        reply["ResourceTagMappingList"].append({"ResourceARN": resource.arn, "Tags": resource.tags})
    return reply


def _matches(request: Request, tags: list[dict[str, Any]]) -> bool:
    """Tell whether these tags match the request's filters; a resource without tags is never found."""
    values = {tag["Key"]: tag["Value"] for tag in tags}
    return bool(values) and all(
        tag["Key"] in values and values[tag["Key"]] in (tag.get("Values") or [values[tag["Key"]]])
        for tag in request.params.get("TagFilters", [])
    )


# -- the index, which is behind --------------------------------------------------------------------------------------


def index_rules(services: Iterable[Service]) -> tuple[Rules, ...]:
    """Make the rules of the index for every service that is `indexed`; RDS's groups, left out, are returned live."""
    indexed = [service for service in services if service.indexed]
    return (_lookup({service.name for service in indexed}), *(_updates(service) for service in indexed))


def _lookup(indexed: set[str]) -> Rules:
    rules = Rules(_NAME)

    @rules("GetResources")
    def the_index_of_tags_is_behind(request: Request, proceed: Next) -> Reply:
        """The index returns the entries of 20 s ago."""
        reply = proceed()
        past = _past_entries(request)
        if past:
            entries = [entry for entry in reply["ResourceTagMappingList"] if _service_of(entry) not in indexed]
            if not request.params.get("PaginationToken"):
                entries += [entry for entry in past[0][1] if _service_of(entry) in indexed and _fits(request, entry)]
            reply["ResourceTagMappingList"] = entries
        return reply

    return rules


def _updates(service: Service) -> Rules:
    rules = Rules(service.name)

    @rules(*service.indexed)
    def tags_are_indexed_late(request: Request, proceed: Next) -> Reply:
        """The entries from before a change are remembered for 20 s."""
        if not request.simulation.scale:
            return proceed()
        entries: list[Entry] = []
        token = ""
        while True:
            page = request.send(_NAME, "GetResources", {"PaginationToken": token} if token else {})
            entries += page["ResourceTagMappingList"]
            token = page.get("PaginationToken", "")
            if not token:
                break
        _past_entries(request).append((request.simulation.now(), entries))
        return proceed()

    return rules


def _past_entries(request: Request) -> list[tuple[float, list[Entry]]]:
    """Return the index's entries right before each of the last changes, the oldest first."""
    past: list[tuple[float, list[Entry]]] = notes_on(request.backend(_NAME)).setdefault("past", [])
    while past and past[0][0] <= request.simulation.now() - _LAG_S:
        del past[0]
    return past


def _service_of(entry: Entry) -> str:
    return str(entry["ResourceARN"]).split(":")[2]


def _fits(request: Request, entry: Entry) -> bool:
    types, arns = request.params.get("ResourceTypeFilters", []), request.params.get("ResourceARNList", [])
    service, resource = _service_of(entry), entry["ResourceARN"].split(":", 5)[5]
    of_type = any(f"{service}:{resource}".startswith(type_) for type_ in types) or not types
    return of_type and entry["ResourceARN"] in (arns or [entry["ResourceARN"]]) and _matches(request, entry["Tags"])
