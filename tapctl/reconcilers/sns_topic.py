"""An SNS topic: encryption, who may publish, tags. Its subscriptions belong to whoever subscribes.

AWS's facts are from the Amazon SNS API reference: CreateTopic, GetTopicAttributes, SetTopicAttributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from tapctl.aws.policy import PolicyDocument, as_json, parse
from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

# Topic operations and tag operations name the same thing differently.
_MISSING: Final = ("NotFound", "ResourceNotFound")


class SnsTopicSpec(Spec):
    """What tapctl owns on a topic. Its subscriptions are nobody's drift."""

    display_name: str = ""
    kms_key_arn: str
    """Empty: not encrypted by a key. CloudWatch cannot publish under ``alias/aws/sns``, so alarms need an own one."""
    policy: PolicyDocument
    """Owned whole: AWS gives a topic without one a default of its own."""
    signature_version: str = "1"
    """``1`` signs deliveries with SHA-1, ``2`` with SHA-256."""
    tags: dict[str, str]


class SnsTopicOutputs(Outputs):
    """Its ARN."""

    arn: str


class SnsTopic(Reconciler[SnsTopicSpec, SnsTopicOutputs]):
    """A standard topic; its id is its name, which determines its ARN."""

    type = "sns-topic"
    spec = SnsTopicSpec
    outputs = SnsTopicOutputs
    timing = Timing(create_s=3, delete_s=3, longest_s=300)

    def observe(
        self, aws: Aws, id: str, expected: SnsTopicSpec | None
    ) -> Observed[SnsTopicSpec, SnsTopicOutputs] | None:
        """Two reads: attributes and tags."""
        arn = _arn(aws, id)
        owner, unread = None, {}
        try:
            attributes = aws.read(aws.sns.get_topic_attributes, TopicArn=arn)["Attributes"]
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            raise
        try:
            listed = aws.read(aws.sns.list_tags_for_resource, ResourceArn=arn)["Tags"]
            tags = {one["Key"]: one["Value"] for one in listed if not one["Key"].startswith("aws:")}
            owner = Owner.of(tags)
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            if not error.is_denied:
                raise
            tags, unread = expected.tags if expected else {}, {"tags": error.iam_action}
        spec = SnsTopicSpec(
            display_name=attributes.get("DisplayName", ""),
            kms_key_arn=attributes.get("KmsMasterKeyId", ""),
            policy=parse(attributes["Policy"]),
            signature_version=attributes.get("SignatureVersion", "1"),
            tags=tags,
        )
        return Observed(spec, SnsTopicOutputs(arn=arn), owner=owner, unreadable=unread)

    def create(self, aws: Aws, id: str, want: SnsTopicSpec, owner: Owner) -> None:
        """Make it as wanted in one call; AWS takes the same call again as long as it asks for the very same."""
        try:
            aws.sns.create_topic(
                Name=id,
                Attributes={name: value for name, value in _attributes(want).items() if value},
                Tags=[{"Key": key, "Value": value} for key, value in {**want.tags, **owner.tags}.items()],
            )
        except AwsRefused as error:
            if error.matches("InvalidParameter", text="already exists with different"):
                raise AlreadyExists(f"a topic {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: SnsTopicSpec, want: SnsTopicSpec) -> frozenset[str]:
        """AWS takes one attribute a call."""
        arn = _arn(aws, id)
        try:
            for field, attribute in _ATTRIBUTES.items():
                if getattr(have, field) != getattr(want, field):
                    aws.sns.set_topic_attributes(
                        TopicArn=arn, AttributeName=attribute, AttributeValue=_attributes(want)[attribute]
                    )
                    return frozenset({field})
            return _set_tags(aws, arn, have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SnsTopicSpec, SnsTopicOutputs],  # noqa: ARG002 -- one call takes any topic
        last: SnsTopicSpec | None,  # noqa: ARG002 -- as above
    ) -> None:
        """Remove it with its subscriptions."""
        try:
            aws.sns.delete_topic(TopicArn=_arn(aws, id))
        except AwsRefused as error:
            if not error.matches(*_MISSING):
                raise classify(error) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """By tag, in the listing that all types share."""
        filters = [{"Key": key, "Values": [value]} for key, value in owner.tags.items()]
        for page in aws.pages(aws.tagging.get_paginator("get_resources"), TagFilters=filters):
            for one in page["ResourceTagMappingList"]:
                _, _, service, _, _, name = one["ResourceARN"].split(":", 5)
                if service == "sns":
                    yield name


# In the order of an update: what a delivery needs before what a reader sees.
_ATTRIBUTES: Final = {
    "kms_key_arn": "KmsMasterKeyId",
    "policy": "Policy",
    "signature_version": "SignatureVersion",
    "display_name": "DisplayName",
}


def _attributes(want: SnsTopicSpec) -> dict[str, str]:
    return {
        "DisplayName": want.display_name,
        "KmsMasterKeyId": want.kms_key_arn,
        "Policy": as_json(want.policy),
        "SignatureVersion": want.signature_version,
    }


def _arn(aws: Aws, id: str) -> str:
    return f"arn:{aws.partition}:sns:{aws.region}:{aws.account}:{id}"


def _set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        aws.sns.tag_resource(
            ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in sorted(added.items())]
        )
        return frozenset() if extra else frozenset({"tags"})
    aws.sns.untag_resource(ResourceArn=arn, TagKeys=extra)
    return frozenset({"tags"})


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches("ConcurrentAccess", "StaleTag"):
        return NotYet("another change of this topic is going on", Patience.BUSY)
    if error.matches(*_MISSING):
        return NotYet("SNS does not show the topic yet", Patience.PROPAGATION)
    return error
