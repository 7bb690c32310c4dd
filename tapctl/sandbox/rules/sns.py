"""SNS: a topic made again must be the same."""

from __future__ import annotations

from tapctl.sandbox.rule import Call, Fault, Proceed, Reply, Rules

rules = Rules("sns")


@rules("CreateTopic")
def a_topic_made_again_must_be_the_same(call: Call, proceed: Proceed) -> Reply:
    """CreateTopic answers with the topic there is, unless attributes or tags differ."""
    arn = call.arn("sns", call.params["Name"])
    if arn not in call.moto("sns").topics:
        return proceed()
    have = call.ask("GetTopicAttributes", TopicArn=arn)["Attributes"]
    wanted = call.params.get("Attributes", {})
    if any(have.get(name, "") != value for name, value in wanted.items()):
        raise Fault(
            "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
        )
    tags = call.ask("ListTagsForResource", ResourceArn=arn)["Tags"]
    if "Tags" in call.params and _as_dict(call.params["Tags"]) != _as_dict(tags):
        raise Fault("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")
    return proceed()


def _as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in tags}
