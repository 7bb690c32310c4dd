"""Keys made by hand, for the tests of the key's reconciler."""

from __future__ import annotations

from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.aws.policy import as_json
from tapctl.engine.model import Observed
from tapctl.reconcilers.kms_key import KmsKey, KmsKeyOutputs, KmsKeySpec
from tests.reconcilers.cases import kms_key as case
from tests.reconcilers.driving import look

REC: Final = KmsKey()
ID: Final = case.ID
FIRST, SECOND, STILL, *_ = [spec for spec in case.examples({}) if isinstance(spec, KmsKeySpec)]


def make(aws: Aws, *, alias: str = "", **tags: str) -> str:
    """A key made by hand; its id."""
    listed = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    kms: Any = aws.kms
    key_id = str(
        kms.create_key(Tags=listed, Policy=as_json(FIRST.policy), Description=FIRST.description)["KeyMetadata"]["KeyId"]
    )
    if alias:
        aws.kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    return key_id


def ready(aws: Aws) -> Observed[KmsKeySpec, KmsKeyOutputs]:
    """The key as the first example wants it, and how it is seen."""
    aws.kms.enable_key_rotation(KeyId=make(aws, alias=ID, **FIRST.tags), RotationPeriodInDays=365)
    return look(REC, aws, ID, FIRST)


def state(aws: Aws, key_id: str) -> str:
    return aws.kms.describe_key(KeyId=key_id)["KeyMetadata"].get("KeyState", "")
