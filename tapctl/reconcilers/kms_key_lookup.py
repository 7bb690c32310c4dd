"""Lookup of our key: by its alias; without one by owner tags, description and policy together.

The tagging API is eventually consistent, and a key has no name of its own. AWS's facts are from the KMS API reference
(DescribeKey, ListAliases, ListKeys, ListResourceTags).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tapctl.aws import tags
from tapctl.engine.model import Owner
from tapctl.engine.owner_tags import MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

    from tapctl.aws.client import Aws

KEY: Final = "kms-key"
"""The type of a key."""
PENDING_DELETION: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
"""The states of a key that waits for its deletion."""
_ALIAS: Final = "alias/"
_DESCRIPTION: Final = "Encrypts everything of {service} in {suffix}"
_KEYS_A_PAGE, _ALIASES_A_PAGE = 1000, 100
_KEYS: Final = ("kms", "key/")
_KEY_TYPE: Final = "kms:key"
"""The keys to the Resource Groups Tagging API: the service and what stands before the id, and their type."""


def description(service: str, suffix: str) -> str:
    """Describe the key of one copy of the stack: what tells a key of ours that no alias names."""
    return _DESCRIPTION.format(service=service, suffix=suffix)


@dataclass(frozen=True)
class Key:
    """A key and what was read of it."""

    metadata: KeyMetadataTypeDef
    tags: dict[str, str]
    alias: str = ""
    other_alias: str = ""
    """An alias that somebody else gave to a key that no alias of ours names."""
    denied: str = ""
    """The denied action, where its tags could not be read."""

    @property
    def id(self) -> str:
        """The id that KMS gave the key."""
        return self.metadata["KeyId"]

    @property
    def state(self) -> str:
        """KMS's word for the key's state."""
        return self.metadata.get("KeyState", "")


@dataclass(frozen=True)
class Lookup:
    """The search for one key. ``tags``: the wanted or recorded ones, where they are known."""

    aws: Aws
    id: str
    tags: Mapping[str, str] | None

    def locate(self) -> Key | None:
        """Find the alias's key; without an alias ours: usable keys before those pending deletion, the oldest first."""
        alias = self.id if self.id.startswith(_ALIAS) else ""
        try:
            metadata = self.aws.read(self.aws.kms.describe_key, KeyId=self.id)["KeyMetadata"]
        except AwsRefused as error:
            if not error.matches("NotFoundException"):
                raise
            # The tagging API is eventually consistent: a key made a moment ago shows only in the listing.
            ours = list(self._ours(self._tagged()))
            if not ours and self.aws.searches:
                ours = list(self._ours(not_indexed(self.aws), any_key=True))
            aliases = all_aliases(self.aws) if ours else {}
            named = [replace(key, other_alias=self._foreign_alias(aliases.get(key.id, ()))) for key in ours]
            return min(named, key=_preference, default=None)
        try:
            return Key(metadata, tags_of(self.aws, metadata["KeyId"]), alias)
        except AwsRefused as error:
            if not error.is_denied:
                raise
            return Key(metadata, {}, alias, denied=error.iam_action)

    def _foreign_alias(self, aliases: Collection[str]) -> str:
        """Return somebody else's alias of a key; empty if ours names the key too, which DescribeKey may show later."""
        return "" if self.id in aliases else min(aliases, default="")

    def duplicates(self, of: Key) -> frozenset[str]:
        """The ids of other usable keys that are provably ours and bear the same name."""
        others = self._ours(key_id for key_id in self._tagged() if key_id != of.id)
        return frozenset(key.id for key in others if key.state not in PENDING_DELETION)

    def _names(self) -> list[str]:
        """The values that the Name tag may have: as wanted, or as the alias."""
        wanted = (self.tags or {}).get("Name", self.id)
        return sorted({self.id, self.id.removeprefix(_ALIAS), wanted})

    def _tagged(self) -> list[str]:
        if self.aws.reads_many(KEY):
            found = tags.find_with_tags(self.aws, {OWNER_TAG: MANAGED_BY}, *_KEYS, ResourceTypeFilters=[_KEY_TYPE])
            return [key_id for key_id, its_tags in found if its_tags.get("Name") in self._names()]
        return find_by_tags(self.aws, {OWNER_TAG: MANAGED_BY, "Name": self._names()})

    def _ours(self, ids: Iterable[str], *, any_key: bool = False) -> Iterator[Key]:
        for key_id in ids:
            try:
                live_tags = tags_of(self.aws, key_id)
                if self._is_ours(live_tags) and _is_made_for(self.aws, key_id, live_tags[SUFFIX_TAG]):
                    yield Key(self.aws.read(self.aws.kms.describe_key, KeyId=key_id)["KeyMetadata"], live_tags)
            except AwsRefused as error:
                if not _may_be_skipped(error, any_key=any_key):
                    raise

    def _is_ours(self, live_tags: Mapping[str, str]) -> bool:
        owner = Owner.of(live_tags)
        same = self.tags is None or owner == Owner.of(self.tags)
        complete = owner is not None and owner.managed_by == MANAGED_BY and owner.suffix != ""
        return same and complete and live_tags.get("Name") in self._names()


def tags_of(aws: Aws, key_id: str) -> dict[str, str]:
    """Read the key's tags: a call a page."""
    pages = aws.pages(aws.kms.get_paginator("list_resource_tags"), KeyId=key_id)
    return tags.as_dict((tag for page in pages for tag in page["Tags"]), "Tag")


def _preference(key: Key) -> tuple[bool, bool, str, str]:
    return (key.other_alias != "", key.state in PENDING_DELETION, str(key.metadata.get("CreationDate", "")), key.id)


def _may_be_skipped(error: AwsRefused, *, any_key: bool) -> bool:
    """True if this refusal means that the key is none of ours: it is gone.

    ``any_key``: the key is any of the account's, and its policy may deny us. Ours leaves access to the account's IAM.
    """
    return error.matches("NotFoundException") or (any_key and error.is_denied)


def find_by_tags(aws: Aws, wanted: Mapping[str, str | list[str]]) -> list[str]:
    """The ids of the keys that bear these tags, as far as the tagging API knows."""
    return list(tags.find(aws, wanted, *_KEYS, ResourceTypeFilters=[_KEY_TYPE]))


def all_aliases(aws: Aws) -> dict[str, list[str]]:
    """Key id to the aliases that name the key."""
    aliases: dict[str, list[str]] = {}
    for page in aws.pages(aws.kms.get_paginator("list_aliases"), PaginationConfig={"PageSize": _ALIASES_A_PAGE}):
        for alias in page["Aliases"]:
            # Some of AWS's own aliases have no key yet (ListAliases).
            aliases.setdefault(alias.get("TargetKeyId", ""), []).append(alias["AliasName"])
    return aliases


def aliases_of(aws: Aws, key_id: str) -> list[str]:
    """List the aliases that name the key."""
    if aws.reads_many(KEY):
        return all_aliases(aws).get(key_id, [])
    pages = aws.pages(aws.kms.get_paginator("list_aliases"), KeyId=key_id)
    return [alias.get("AliasName", "") for page in pages for alias in page.get("Aliases", ())]


def owned_as(aws: Aws, key_id: str, owner: Owner, named: Collection[str]) -> tuple[str, bool]:
    """Tell the id of this key, empty if it does not bear the owner's tags, and if the key is the owner's by that id.

    ``named``: its aliases.
    """
    try:
        live_tags = tags_of(aws, key_id)
        if not owner.finds(live_tags):
            return "", False
        name = f"{_ALIAS}{live_tags.get('Name', '').removeprefix(_ALIAS)}"
        ours = name in named or (not named and _is_made_for(aws, key_id, owner.suffix))
    except AwsRefused as error:
        if not error.matches("NotFoundException"):
            raise
        return "", False
    ours = ours and name != _ALIAS
    return name if ours else min(named, default=key_id), ours


def _is_made_for(aws: Aws, key_id: str, suffix: str) -> bool:
    """True if the key's description is that of this suffix's key, and its policy names something of this suffix."""
    live = aws.read(aws.kms.describe_key, KeyId=key_id)["KeyMetadata"].get("Description", "")
    before, _, after = description("\0", suffix).partition("\0")
    if not (live.startswith(before) and live.endswith(after)):
        return False
    policy = aws.read(aws.kms.get_key_policy, KeyId=key_id, PolicyName="default")["Policy"]
    return re.search(rf"-{re.escape(suffix)}(?![\w-])", policy) is not None


def not_indexed(aws: Aws) -> list[str]:
    """The ids of the keys that may be ours, made a moment ago: no alias names them, and no index knows their tags yet.

    The tags of all keys would be a call for each; a key with an alias of another name is no new key of ours, nor is one
    that the tagging API knows by other tags.
    """
    known = {*all_aliases(aws), *find_by_tags(aws, {})}
    pages = aws.pages(aws.kms.get_paginator("list_keys"), PaginationConfig={"PageSize": _KEYS_A_PAGE})
    return [key["KeyId"] for page in pages for key in page["Keys"] if key["KeyId"] not in known]
