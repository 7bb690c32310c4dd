"""AWS's own tags: they are returned among the others, and only AWS sets or removes them.

Every tag whose key begins with ``aws:`` is AWS's (Tagging AWS Resources user guide, "Tag naming limits and
requirements"); the one here is what CloudFormation sets on whatever it imports. How a service refuses such keys is in
its API reference; the texts are ours. The tag of myApplications has no such prefix: whoever takes it away finds it
again (https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/aws-myApplications.html).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags

TAG: Final = ("aws:cloudformation:stack-name", "imported")

APPLICATION: Final = "awsApplication"

# All names of the parameters and reply fields that hold tags, and of those that hold keys of tags.
_TAGS: Final = ("Tags", "TagList", "tags")
_KEYS: Final = ("TagKeys", "tagKeys")


def aws_tag_rules(services: Iterable[Service]) -> tuple[Rules, ...]:
    """Make the rules for every service that has tags."""
    return tuple(_rules_for(service.name, service.tags) for service in services if service.tags is not None)


def _rules_for(service: str, tags: Tags) -> Rules:
    rules = Rules(service)

    @rules(*tags.returned_by)
    def tags_of_aws_show_among_the_others(_: Request, proceed: Next) -> Reply:
        """A tag of AWS's own is returned wherever others are."""
        reply: Reply = _with_aws_tag(proceed())
        return reply

    @rules(*tags.taken_by)
    def nobody_else_has_tags_of_aws(request: Request, proceed: Next) -> Reply:
        """Reserved keys are refused, in tags to set and in tags to remove."""
        if any(key.startswith(tags.reserved) for key in _named_keys(request.params)):
            raise ServiceError(tags.refusal, f"Tag keys that begin with {' or '.join(tags.reserved)} are reserved.")
        return proceed()

    @rules(*tags.taken_by)
    def an_application_sets_its_tag_again(request: Request, proceed: Next) -> Reply:
        """The tag of an application that is taken away is back at once: here it stays."""
        params = request.params
        named = [name for name in _KEYS if APPLICATION in params.get(name, [])]
        for name in named:
            params[name] = [key for key in params[name] if key != APPLICATION]
        taken = request.operation == "DeleteTags" and _named_keys(params) == [APPLICATION]
        return {} if taken or (named and not any(params[name] for name in named)) else proceed()

    return rules


def _with_aws_tag(reply: Any) -> Any:
    """Return a copy with AWS's tag in it: another rule may hold on to the reply."""
    if isinstance(reply, dict):
        return {
            name: _with_one_more(value) if name in _TAGS and value else _with_aws_tag(value)
            for name, value in reply.items()
        }
    return [_with_aws_tag(item) for item in reply] if isinstance(reply, list) else reply


def _with_one_more(tags: Any) -> Any:
    if isinstance(tags, dict):
        return {**tags, TAG[0]: TAG[1]}
    names = ("TagKey", "TagValue") if "TagKey" in tags[0] else ("Key", "Value")
    return [*tags, dict(zip(names, TAG, strict=True))]


def _named_keys(params: dict[str, Any]) -> list[str]:
    """Collect the keys of all tags that a request names."""
    holders = [params, *params.get("TagSpecifications", [])]
    keys = [key for holder in holders for name in _KEYS for key in holder.get(name, [])]
    for tags in (holder.get(name, []) for holder in holders for name in _TAGS):
        keys += tags if isinstance(tags, dict) else [tag.get("Key") or tag["TagKey"] for tag in tags]
    return keys
