"""Which key is meant, what uses it, and what KMS tells of it.

Keys have no name, so it takes the alias, then tags, then a listing. The alias decides, whoever's key it names, since
that is the key in use: tapctl never takes an alias away from another key. Only where there is no such alias are keys
looked for by tag, and then only those count whose own tags, read from KMS, say that they are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tapctl.engine.model import MANAGED_BY, OWNER_TAG, Owner, Retained
from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

    from tapctl.aws import Aws

ALIAS: Final = "alias/"
PENDING: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
DEFAULT_PERIOD_DAYS: Final = 365
"""EnableKeyRotation's default, which GetKeyRotationStatus may leave out."""
CONTRADICTED: Final = -1


@dataclass(frozen=True)
class Key:
    """A key as it was found."""

    about: KeyMetadataTypeDef
    tags: dict[str, str]
    alias: str = ""
    denied: str = ""
    """The denied action, where its tags could not be read."""

    @property
    def id(self) -> str:
        """KMS's id of the key."""
        return self.about["KeyId"]

    @property
    def state(self) -> str:
        """KMS's word for what it is doing."""
        return self.about.get("KeyState", "")


@dataclass(frozen=True)
class Lookup:
    """The search for one key. ``tags``: those it is to bear, where that is known."""

    aws: Aws
    id: str
    tags: Mapping[str, str] | None

    def locate(self) -> Key | None:
        """The alias's key; without an alias, ours: the usable before one pending deletion, the oldest first."""
        alias = self.id if self.id.startswith(ALIAS) else ""
        try:
            about = self.aws.read(self.aws.kms.describe_key, KeyId=self.id)["KeyMetadata"]
        except AwsRefused as error:
            if not error.matches("NotFoundException"):
                raise
            # The tagging API is eventually consistent: what was made a moment ago shows only in the listing.
            ours = list(self._ours(self._tagged())) or list(self._ours(_without_alias(self.aws), lenient=True))
            return min(ours, key=_first, default=None)
        try:
            return Key(about, tags_of(self.aws, about["KeyId"]), alias)
        except AwsRefused as error:
            if not error.is_denied:
                raise
            return Key(about, {}, alias, denied=error.iam_action)

    def duplicates(self, of: Key) -> frozenset[str]:
        """Ids of other usable keys that are provably ours and bear the same name."""
        others = self._ours(key_id for key_id in self._tagged() if key_id != of.id)
        return frozenset(key.id for key in others if key.state not in PENDING)

    def _names(self) -> list[str]:
        """What its Name tag may say: as wanted, or as the alias."""
        wanted = (self.tags or {}).get("Name", self.id)
        return sorted({self.id, self.id.removeprefix(ALIAS), wanted})

    def _tagged(self) -> list[str]:
        return _resources(self.aws, {OWNER_TAG: [MANAGED_BY], "Name": self._names()})

    def _ours(self, ids: Iterable[str], *, lenient: bool = False) -> Iterator[Key]:
        for key_id in ids:
            try:
                tags = tags_of(self.aws, key_id)
                if self._is_ours(tags):
                    yield Key(self.aws.read(self.aws.kms.describe_key, KeyId=key_id)["KeyMetadata"], tags)
            except AwsRefused as error:
                if not _is_no_key_of_ours(error, lenient=lenient):
                    raise

    def _is_ours(self, tags: Mapping[str, str]) -> bool:
        owner = Owner.of(tags)
        same = self.tags is None or owner == Owner.of(self.tags)
        return same and owner is not None and owner.managed_by == MANAGED_BY and tags.get("Name") in self._names()


def ids_of(aws: Aws, owner: Owner) -> Iterator[str]:
    """The id of every key with these owner tags: its alias by its Name; without one any alias of it, or its own id."""
    tagged = _resources(aws, {key: [value] for key, value in owner.tags.items()})
    aliases = _aliases(aws)
    for key_id in sorted({*tagged, *_without_alias(aws)}):
        try:
            tags = tags_of(aws, key_id)
        except AwsRefused as error:
            if not _is_no_key_of_ours(error, lenient=key_id not in tagged):
                raise
            continue
        if Owner.of(tags) == owner:
            name = tags.get("Name", "").removeprefix(ALIAS)
            yield f"{ALIAS}{name}" if name else aliases.get(key_id, key_id)


def tags_of(aws: Aws, key_id: str) -> dict[str, str]:
    """Its tags, but for those of AWS itself."""
    pages = aws.pages(aws.kms.get_paginator("list_resource_tags"), KeyId=key_id)
    tags = {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def snapshots_of(aws: Aws, arn: str) -> list[str]:
    """Cluster snapshots that are unreadable without this key; automated ones go with their cluster."""
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"))
    return sorted(
        one.get("DBClusterSnapshotIdentifier", "")
        for page in pages
        for one in page["DBClusterSnapshots"]
        if one.get("KmsKeyId") == arn and one.get("SnapshotType") != "automated"
    )


def is_retained(key: Key) -> Retained:
    """Until when KMS keeps a key that is pending deletion."""
    date = key.about.get("DeletionDate")
    until = date.date().isoformat() if date else "its replicas in other regions are deleted"
    return Retained(
        until=until, why="KMS deletes a key only after its waiting period; until then it can be brought back"
    )


def rotation_period(aws: Aws, key: Key) -> int:
    """Days between rotations; 0 where it does not rotate; `CONTRADICTED` where it is pending deletion after all."""
    try:
        status = aws.read(aws.kms.get_key_rotation_status, KeyId=key.id)
    except AwsRefused as error:
        if error.matches("KMSInvalidStateException"):
            return CONTRADICTED
        raise
    return status.get("RotationPeriodInDays", DEFAULT_PERIOD_DAYS) if status["KeyRotationEnabled"] else 0


def users_of(aws: Aws, key_id: str) -> list[str]:
    """Who was given this key: its grants (Aurora, Secrets Manager and Lambda use a key through them) and aliases."""
    grants = aws.pages(aws.kms.get_paginator("list_grants"), KeyId=key_id)
    aliases = aws.pages(aws.kms.get_paginator("list_aliases"), KeyId=key_id)
    return [
        *(f"a grant to {one.get('GranteePrincipal', 'unknown')}" for page in grants for one in page["Grants"]),
        *(one["AliasName"] for page in aliases for one in page["Aliases"]),
    ]


def _first(key: Key) -> tuple[bool, str, str]:
    return (key.state in PENDING, str(key.about.get("CreationDate", "")), key.id)


def _is_no_key_of_ours(error: AwsRefused, *, lenient: bool) -> bool:
    """Whether this refusal means that the key may be passed over: it is gone.

    ``lenient``: or it is any key of the account, and its policy keeps us out. Ours leaves that to the account's IAM.
    """
    return error.matches("NotFoundException") or (lenient and error.is_denied)


def _resources(aws: Aws, tags: Mapping[str, list[str]]) -> list[str]:
    """Ids of the keys that bear these tags, as far as the tagging API knows."""
    pages = aws.pages(
        aws.tagging.get_paginator("get_resources"),
        ResourceTypeFilters=["kms:key"],
        TagFilters=[{"Key": key, "Values": values} for key, values in tags.items()],
    )
    return [one["ResourceARN"].rpartition("/")[2] for page in pages for one in page["ResourceTagMappingList"]]


def _aliases(aws: Aws) -> dict[str, str]:
    pages = aws.pages(aws.kms.get_paginator("list_aliases"))
    # Some of AWS's own aliases have no key yet (ListAliases).
    return {alias.get("TargetKeyId", ""): alias["AliasName"] for page in pages for alias in page["Aliases"]}


def _without_alias(aws: Aws) -> list[str]:
    """Ids of the keys that no alias names: what a key is between CreateKey and CreateAlias.

    A call a key for all keys' tags would be too many; one with an alias of another name is no new key of ours.
    """
    named = _aliases(aws)
    pages = aws.pages(aws.kms.get_paginator("list_keys"))
    return [key["KeyId"] for page in pages for key in page["Keys"] if key["KeyId"] not in named]
