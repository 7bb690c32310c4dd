"""SNS topics: every attribute is stored, CreateTopic again must be the same, one change at a time."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("sns"), Rules("sns")
SERVICE: Final = Service(
    name="sns",
    timing=(timing,),
    contract=(contract,),
    throttling="Throttled",
    stale_reads=("GetTopicAttributes", "ListTagsForResource"),
    changes=("CreateTopic", "DeleteTopic", "SetTopicAttributes", "TagResource", "UntagResource"),
    tags=Tags(
        returned_by=("ListTagsForResource",),
        taken_by=("CreateTopic", "TagResource", "UntagResource"),
        refusal="InvalidParameter",
    ),
    indexed=("CreateTopic", "DeleteTopic", "TagResource", "UntagResource"),
)


@contract("CreateTopic")
def a_topic_made_again_must_be_the_same(request: Request, proceed: Next) -> Reply:
    """CreateTopic returns the existing topic, unless attributes or tags differ."""
    arn = request.arn("sns", request.params["Name"])
    if arn not in request.backend("sns").topics:
        return proceed()
    have = {**request.call("GetTopicAttributes", TopicArn=arn)["Attributes"], **_attributes(request, arn)}
    wanted = request.params.get("Attributes", {})
    if any(have.get(name, "") != value for name, value in wanted.items()):
        raise ServiceError(
            "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
        )
    tags = request.call("ListTagsForResource", ResourceArn=arn)["Tags"]
    if "Tags" in request.params and _as_dict(request.params["Tags"]) != _as_dict(tags):
        raise ServiceError(
            "InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags"
        )
    return proceed()


@contract("CreateTopic", "SetTopicAttributes")
def every_attribute_is_kept(request: Request, proceed: Next) -> Reply:
    """All attributes are stored, SignatureVersion and TracingConfig too; an empty value removes one."""
    reply = proceed()
    params = request.params
    if request.operation == "CreateTopic":
        _attributes(request, reply["TopicArn"]).update(params.get("Attributes", {}))
    else:
        _attributes(request, params["TopicArn"])[params["AttributeName"]] = params.get("AttributeValue", "")
    return reply


@contract("GetTopicAttributes")
def every_attribute_is_shown(request: Request, proceed: Next) -> Reply:
    """All attributes are returned, those that moto leaves out too."""
    reply = proceed()
    given = {name: value for name, value in _attributes(request, request.params["TopicArn"]).items() if value}
    reply["Attributes"] = {**given, **reply["Attributes"]}
    return reply


def _attributes(request: Request, arn: str) -> dict[str, str]:
    attributes: dict[str, str] = notes_on(request.backend("sns").topics[arn]).setdefault("attributes", {})
    return attributes


def _as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


# -- timing ----------------------------------------------------------------------------------------------------------


_BUSY_S: Final = 0.5


@timing("SetTopicAttributes", "TagResource", "UntagResource")
def a_topic_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Another change within half a second is refused."""
    topic = request.backend("sns").topics.get(request.params.get("TopicArn") or request.params.get("ResourceArn"))
    if topic is None:
        return proceed()
    if not request.simulation.elapsed(topic, "changed", _BUSY_S):
        raise ServiceError("ConcurrentAccess", "Another change of this topic is in progress.")
    reply = proceed()
    request.simulation.mark(topic, "changed")
    return reply
