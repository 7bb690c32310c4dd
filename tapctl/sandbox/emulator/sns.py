"""SNS: a topic made again must be the same, and shows every attribute it was given."""

from __future__ import annotations

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("sns")


@rules("CreateTopic")
def a_topic_made_again_must_be_the_same(call: Call, proceed: Proceed) -> Reply:
    """CreateTopic answers with the topic there is, unless attributes or tags differ."""
    arn = call.arn("sns", call.params["Name"])
    if arn not in call.moto("sns").topics:
        return proceed()
    have = {**call.ask("GetTopicAttributes", TopicArn=arn)["Attributes"], **_kept(call, arn)}
    wanted = call.params.get("Attributes", {})
    if any(have.get(name, "") != value for name, value in wanted.items()):
        raise Fault(
            "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
        )
    tags = call.ask("ListTagsForResource", ResourceArn=arn)["Tags"]
    if "Tags" in call.params and _as_dict(call.params["Tags"]) != _as_dict(tags):
        raise Fault("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")
    return proceed()


@rules("CreateTopic", "SetTopicAttributes")
def every_attribute_is_kept(call: Call, proceed: Proceed) -> Reply:
    """SignatureVersion and TracingConfig among them; an empty value takes an attribute away."""
    reply = proceed()
    params = call.params
    if call.operation == "CreateTopic":
        _kept(call, reply["TopicArn"]).update(params.get("Attributes", {}))
    else:
        _kept(call, params["TopicArn"])[params["AttributeName"]] = params.get("AttributeValue", "")
    return reply


@rules("GetTopicAttributes")
def every_attribute_is_shown(call: Call, proceed: Proceed) -> Reply:
    """Those that moto leaves out too."""
    reply = proceed()
    given = {name: value for name, value in _kept(call, call.params["TopicArn"]).items() if value}
    reply["Attributes"] = {**given, **reply["Attributes"]}
    return reply


def _kept(call: Call, arn: str) -> dict[str, str]:
    attributes: dict[str, str] = kept(call.moto("sns").topics[arn]).setdefault("attributes", {})
    return attributes


def _as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in tags}
