"""An SNS topic: encryption, who may publish, tags. Its subscriptions belong to whoever subscribes.

A create with the same attributes and tags as an existing topic's is accepted by AWS and changes nothing. AWS's facts
are from the Amazon SNS API reference: CreateTopic, GetTopicAttributes, SetTopicAttributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.policy import PolicyDocument, as_json, from_answer
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, Patience

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

# Topic operations and tag operations name the same refusal differently.
_MISSING: Final = ("NotFound", "ResourceNotFound")
_TRANSIENT: Final = (
    Transient(("ConcurrentAccess", "StaleTag"), "another change of this topic is going on", Patience.BUSY),
    Transient(_MISSING, "SNS does not show the topic yet", Patience.PROPAGATION),
)
# Spec field to AWS's attribute, in the order of an update: what a delivery needs before what a reader sees.
_ATTRIBUTES: Final = {
    "kms_key_arn": "KmsMasterKeyId",
    "policy": "Policy",
    "signature_version": "SignatureVersion",
    "display_name": "DisplayName",
}
# Attributes that nobody wants: of logging deliveries, of keeping, tracing and delivering in another way.
_FURTHER: Final = re.compile(r"\w+Feedback(RoleArn|SampleRate)|ArchivePolicy|TracingConfig|DeliveryPolicy|FifoTopic")


_TOPIC: Final = (arn("sns", "{sns-topic}"),)


class SnsTopicSpec(Spec):
    """The fields that tapctl owns on a topic. Subscriptions are no part of it, and no drift."""

    display_name: str = ""
    kms_key_arn: str
    """Empty: not encrypted by a key. CloudWatch cannot publish under ``alias/aws/sns``, so alarms need an own one."""
    policy: PolicyDocument
    """Owned whole: AWS gives a topic without one a default of its own."""
    signature_version: str = "1"
    """``1`` signs deliveries with SHA-1, ``2`` with SHA-256."""
    further: frozenset[str] = frozenset()
    """Other attributes that somebody has set: roles that log deliveries, an archive, traces, another way to deliver:
    ``<attribute> is <value>``. Wanted: none."""
    tags: dict[str, str]


class SnsTopicOutputs(Outputs):
    """The topic's ARN."""

    arn: str


class SnsTopic(Reconciler[SnsTopicSpec, SnsTopicOutputs]):
    """A standard topic; the id is its name, which determines its ARN."""

    type = "sns-topic"
    name_is_identity = True
    teardown_rank = 20
    left_alone: ClassVar[Mapping[str, str]] = {
        "further": "aws sns set-topic-attributes --topic-arn {arn} --attribute-name {value} --attribute-value ''",
    }
    never_compared = ("subscriptions", "data protection policy")
    trail = Trail(
        "sns",
        whole=("CreateTopic", "DeleteTopic"),
        fields={
            "display_name": ("SetTopicAttributes:attributeName=DisplayName",),
            "kms_key_arn": ("SetTopicAttributes:attributeName=KmsMasterKeyId",),
            "signature_version": ("SetTopicAttributes:attributeName=SignatureVersion",),
            "further": ("SetTopicAttributes",),
            "policy": ("SetTopicAttributes:attributeName=Policy", "AddPermission", "RemovePermission"),
            "tags": ("TagResource", "UntagResource"),
        },
    )
    timing = Timing(create_s=3, delete_s=3, longest_s=300)
    actions = (
        # Its subscriptions too, whoever has made them: apply and status tell of them, and a destroy of those it ends.
        Right(
            Need.OBSERVE,
            ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"),
            _TOPIC,
        ),
        Right(Need.CREATE, ("sns:CreateTopic", "sns:TagResource"), _TOPIC),
        Right(Need.UPDATE, ("sns:SetTopicAttributes",), _TOPIC),
        Right(Need.UPDATE, ("sns:TagResource", "sns:UntagResource"), _TOPIC, fields=frozenset({"tags"})),
        Right(Need.DELETE, ("sns:DeleteTopic",), _TOPIC),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )

    def observe(
        self, aws: Aws, id: str, expected: SnsTopicSpec | None
    ) -> Observed[SnsTopicSpec, SnsTopicOutputs] | None:
        """Read the attributes and the tags: two calls."""
        arn = aws.arn("sns", id)
        unreadable = UnreadableFields()
        try:
            attributes = aws.read(aws.sns.get_topic_attributes, TopicArn=arn)["Attributes"]
            live_tags = unreadable.read(
                "tags",
                lambda: tags.as_dict(aws.read(aws.sns.list_tags_for_resource, ResourceArn=arn)["Tags"]),
                expected.tags if expected else {},
            )
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            raise
        spec = SnsTopicSpec(
            display_name=attributes.get("DisplayName", ""),
            kms_key_arn=attributes.get("KmsMasterKeyId", ""),
            policy=from_answer(attributes["Policy"], "sns:GetTopicAttributes"),
            signature_version=attributes.get("SignatureVersion", "1"),
            further=frozenset(
                f"{name} is {value}"
                for name, value in attributes.items()
                if _FURTHER.fullmatch(name) and value not in ("", "0", "false", "PassThrough")
            ),
            tags=live_tags,
        )
        owner = None if unreadable.actions else Owner.of(live_tags)
        return Observed(spec, SnsTopicOutputs(arn=arn), owner=owner, unreadable=unreadable.actions)

    def create(self, aws: Aws, id: str, want: SnsTopicSpec, owner: Owner) -> None:
        """Make the topic as wanted by CreateTopic alone."""
        try:
            aws.sns.create_topic(
                Name=id,
                Attributes={name: value for name, value in _attributes(want).items() if value},
                Tags=tags.as_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.matches("InvalidParameter", text="already exists with different"):
                raise AlreadyExists(f"a topic {id} exists already") from error
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: SnsTopicSpec, want: SnsTopicSpec) -> frozenset[str]:
        """Set one attribute (AWS takes one a call); then tags."""
        arn = aws.arn("sns", id)
        try:
            for field, attribute in _ATTRIBUTES.items():
                if getattr(have, field) != getattr(want, field):
                    aws.sns.set_topic_attributes(
                        TopicArn=arn, AttributeName=attribute, AttributeValue=_attributes(want)[attribute]
                    )
                    return frozenset({field})
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.sns.tag_resource(ResourceArn=arn, Tags=tags.as_list(missing)),
                remove=lambda extra: aws.sns.untag_resource(ResourceArn=arn, TagKeys=extra),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[SnsTopicSpec, SnsTopicOutputs], last: SnsTopicSpec | None
    ) -> None:
        """Delete the topic with its subscriptions."""
        try:
            aws.sns.delete_topic(TopicArn=aws.arn("sns", id))
        except AwsRefused as error:
            if not error.matches(*_MISSING):
                raise classify(error, _TRANSIENT) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the topics by the owner's tags."""
        return tags.find(aws, owner.search_tags, "sns")


def _attributes(want: SnsTopicSpec) -> dict[str, str]:
    return {
        "DisplayName": want.display_name,
        "KmsMasterKeyId": want.kms_key_arn,
        "Policy": as_json(want.policy),
        "SignatureVersion": want.signature_version,
    }
