"""Callers of a function, and receivers of its results: policy, URLs, event sources, destinations and aliases.

AWS's facts are from the Lambda API reference (GetPolicy, ListFunctionUrlConfigs, ListEventSourceMappings,
ListFunctionEventInvokeConfigs, PutFunctionEventInvokeConfig, ListAliases).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.answers import arn_parts
from tapctl.aws.policy import PolicyDocument, from_answer
from tapctl.errors import AwsRefused
from tapctl.reconcilers.exposures import with_details

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_MISSING: Final = "ResourceNotFoundException"
# Settings of asynchronous calls: AWS's name to ours, and Lambda's own value (PutFunctionEventInvokeConfig).
_ASYNCHRONOUS: Final[Mapping[str, tuple[str, int]]] = {
    "MaximumRetryAttempts": ("retries", 2),
    "MaximumEventAgeInSeconds": ("s of age", 21_600),
}
# The states of an event source mapping that calls nothing, and its members that say which events come, with whose
# credentials, and where those go that fail.
_RESTING: Final = ("Disabled", "Disabling")
_OF_SOURCE: Final = (
    "FilterCriteria",
    "DestinationConfig",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
)


def read_resource_policy(aws: Aws, id: str) -> PolicyDocument | None:
    """The function's resource policy: one call; None where it has none."""
    try:
        return from_answer(aws.read(aws.lambda_.get_policy, FunctionName=id)["Policy"], "lambda:GetPolicy")
    except AwsRefused as error:
        # Lambda's answer for a function without a policy (getmoto/moto#7475): the function itself was just seen.
        if error.matches(_MISSING):
            return None
        raise


def list_urls(aws: Aws, id: str) -> frozenset[str]:
    """List the function's URLs, each with who may call it (``AuthType``): one call a page."""
    pages = aws.pages(aws.lambda_.get_paginator("list_function_url_configs"), FunctionName=id)
    urls = (url for page in pages for url in page.get("FunctionUrlConfigs", ()))
    return frozenset(f"{url.get('FunctionUrl', '')}{_qualifier(url)} ({url.get('AuthType', '')})" for url in urls)


def _qualifier(config: Mapping[str, Any]) -> str:
    """The words for the alias or version that a configuration is of; empty for the function's own."""
    qualifier = "".join(str(config.get("FunctionArn", "")).split(":")[7:])
    return f" for {qualifier}" if qualifier not in ("", "$LATEST") else ""


def list_event_sources(aws: Aws, id: str) -> frozenset[str]:
    """List the event source mappings that call the function, a version or an alias of it: a call for 100 of the region.

    By a function's name Lambda lists those of the function alone, and of a version or an alias by that one's ARN.
    """
    pages = aws.pages(aws.lambda_.get_paginator("list_event_source_mappings"))
    listed = (mapping for page in pages for mapping in page.get("EventSourceMappings", ()))
    return frozenset(_event_source(each) for each in listed if _function_of(each) == id)


def _function_of(mapping: Mapping[str, Any]) -> str:
    """The name of the function that the event source mapping calls.

    Raises:
        AwsNoAnswer: it names none, and may call any.
    """
    parts = arn_parts(mapping["FunctionArn"], "lambda:ListEventSourceMappings", "FunctionArn")
    return parts[-1].removeprefix("function:").partition(":")[0]


def _event_source(mapping: Mapping[str, Any]) -> str:
    # A source outside AWS (Kafka) has no ARN.
    item = f"{mapping.get('UUID', '')} from {mapping.get('EventSourceArn', 'outside AWS')}{_qualifier(mapping)}"
    off = {"State": "Disabled"} if mapping.get("State") in _RESTING else {}
    return with_details(item, off | {name: mapping.get(name) for name in _OF_SOURCE})


def list_destinations(aws: Aws, id: str) -> frozenset[str]:
    """List where the results of asynchronous calls go, and settings of those that are not Lambda's own."""
    pages = aws.pages(aws.lambda_.get_paginator("list_function_event_invoke_configs"), FunctionName=id)
    configs = [config for page in pages for config in page.get("FunctionEventInvokeConfigs", ())]
    return frozenset(f"{text}{_qualifier(config)}" for config in configs for text in _asynchronous(config))


def _asynchronous(config: Mapping[str, Any]) -> Iterator[str]:
    for outcome, target in config.get("DestinationConfig", {}).items():
        if target.get("Destination"):
            yield f"{target['Destination']} on {outcome}"
    for member, (words, default) in _ASYNCHRONOUS.items():
        if config.get(member, default) != default:
            yield f"{config[member]} {words}"


def list_aliases(aws: Aws, id: str) -> frozenset[str]:
    """List the function's aliases, each with its version and the versions that it shares its calls with."""
    pages = aws.pages(aws.lambda_.get_paginator("list_aliases"), FunctionName=id)
    aliases = (alias for page in pages for alias in page.get("Aliases", ()))
    return frozenset(
        with_details(
            f"{alias.get('Name', '')} of version {alias.get('FunctionVersion', '')}",
            alias.get("RoutingConfig", {}),
        )
        for alias in aliases
    )
