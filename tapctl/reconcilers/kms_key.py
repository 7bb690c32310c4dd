"""The customer-managed KMS key and its alias, which is its id here (`kms_key_lookup` tells which key that is).

CreateKey has no idempotency token, so a create whose answer was lost can leave a second key: it shows as a duplicate,
and is retired. A key pending deletion is brought back rather than replaced: what it encrypted needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from pydantic import model_validator

from tapctl.aws.policy import PolicyDocument, as_json, parse
from tapctl.engine.model import (
    MANAGED_BY,
    OWNER_TAG,
    Impact,
    Observed,
    Outputs,
    Owner,
    Reconciler,
    Retained,
    Spec,
    Timing,
)
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef, TagTypeDef

    from tapctl.aws.client import Aws


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


T = TypeVar("T")

WINDOW_TAG: Final = "tapctl:deletion-window-days"
"""The tag that tells, without the environment's files, how many days KMS waits before it deletes the key."""

# ScheduleKeyDeletion's bounds; the longest wherever nothing better is known.
_WINDOW_DAYS: Final = range(7, 31)
_WORKING: Final = frozenset({"Creating", "Updating"})


class KmsKeySpec(Spec):
    """What tapctl owns on a key."""

    alias: str
    """The alias that points at it; empty while none does. Wanted: the id."""
    description: str
    policy: PolicyDocument
    rotation: bool
    rotation_period_days: int = DEFAULT_PERIOD_DAYS
    """0 exactly where rotation is off."""
    enabled: bool
    """Wanted: yes."""
    duplicates: frozenset[str] = frozenset()
    """Ids of other usable keys of ours with the same Name tag. Wanted: none."""
    multi_region: bool = False
    key_spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    tags: dict[str, str]

    @model_validator(mode="after")
    def _a_period_only_where_it_rotates(self) -> KmsKeySpec:
        if self.rotation != (self.rotation_period_days > 0):
            raise ValueError("rotation_period_days is 0 exactly where rotation is off")
        return self


class KmsKeyOutputs(Outputs):
    """Every service answers with the ARN, in whatever form it was given the key: compare ARNs."""

    key_id: str
    arn: str


class KmsKey(Reconciler[KmsKeySpec, KmsKeyOutputs]):
    """Sees and changes one key."""

    type = "kms-key"
    spec = KmsKeySpec
    outputs = KmsKeyOutputs
    holds_data = True
    create_is_repeatable = False
    impacts: ClassVar[Mapping[str, Impact]] = {
        "multi_region": Impact.REPLACE,
        "key_spec": Impact.REPLACE,
        "usage": Impact.REPLACE,
    }
    timing = Timing(create_s=10, delete_s=5, longest_s=600)

    def observe(self, aws: Aws, id: str, expected: KmsKeySpec | None) -> Observed[KmsKeySpec, KmsKeyOutputs] | None:
        """Five reads where all is well: the key, its tags, policy and rotation, and the search for duplicates."""
        try:
            key = _lookup(aws, id, expected).locate()
            return None if key is None else _observed(aws, id, key, expected)
        except AwsRefused as error:
            # It went between two reads, or is so new that not all of KMS has heard of it.
            if error.matches("NotFoundException"):
                return None
            raise

    def create(self, aws: Aws, id: str, want: KmsKeySpec, owner: Owner) -> None:
        """Bring back our key that is pending deletion, or make one."""
        key = _lookup(aws, id, want).locate()
        if key is not None and (key.state not in PENDING or Owner.of(key.tags) != owner):
            raise AlreadyExists(f"{id}: there is key {key.id}")
        try:
            if key is not None:
                aws.kms.cancel_key_deletion(KeyId=key.id)
                return
            made: Any = aws.kms_without_retries  # untyped: the stubs know KeySpec and KeyUsage only as literals
            made.create_key(
                Policy=as_json(want.policy),
                Description=want.description,
                KeyUsage=want.usage,
                KeySpec=want.key_spec,
                MultiRegion=want.multi_region,
                Tags=_tag_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: KmsKeySpec, want: KmsKeySpec) -> frozenset[str]:
        """Enable first, since a disabled key takes no rotation."""
        key = _lookup(aws, id, want).locate()
        if key is None:
            raise NotYet("KMS does not show the key yet", Patience.PROPAGATION)
        try:
            return _step(aws, key, have, want)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self, aws: Aws, id: str, seen: Observed[KmsKeySpec, KmsKeyOutputs], last: KmsKeySpec | None
    ) -> Retained | None:
        """First the alias, which would outlive the key's use; then the key, unless snapshots need it."""
        arn = seen.outputs.arn if seen.outputs else ""
        needing = snapshots_of(aws, arn)
        if needing:
            return Retained(until="its snapshots are deleted", why=f"{id} decrypts {', '.join(needing)}")
        try:
            if seen.spec.alias:
                aws.kms.delete_alias(AliasName=seen.spec.alias)
            else:
                days = _window((last.tags if last else {}) | seen.spec.tags)
                aws.kms.schedule_key_deletion(KeyId=arn.rpartition("/")[2], PendingWindowInDays=days)
        except AwsRefused as error:
            # The latter: "... is pending deletion", perhaps by our own call whose answer was lost.
            if not error.matches("NotFoundException", "KMSInvalidStateException"):
                raise
        return None

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """By tags; and among the keys without an alias, which the tagging API may not tell yet."""
        return ids_of(aws, owner)


def _lookup(aws: Aws, id: str, expected: KmsKeySpec | None) -> Lookup:
    return Lookup(aws, id, expected.tags if expected else None)


# -- looking ---------------------------------------------------------------------------------------------------------


def _observed(aws: Aws, id: str, key: Key, expected: KmsKeySpec | None) -> Observed[KmsKeySpec, KmsKeyOutputs]:
    unread: dict[str, str] = {}
    going = key.state in PENDING

    def read(field: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except AwsRefused as error:
            if not error.is_denied:
                raise
            unread[field] = error.iam_action
            return otherwise

    policy = read(
        "policy",
        lambda: parse(aws.read(aws.kms.get_key_policy, KeyId=key.id, PolicyName="default")["Policy"]),
        expected.policy if expected else PolicyDocument(statements=frozenset()),
    )
    period = 0
    # While a key is pending deletion its rotation status is false; and only this kind of key can rotate at all.
    if not going and key.about.get("KeySpec") == "SYMMETRIC_DEFAULT":
        period = read(
            "rotation_period_days", lambda: rotation_period(aws, key), expected.rotation_period_days if expected else 0
        )
        if "rotation_period_days" in unread:
            unread["rotation"] = unread["rotation_period_days"]
        # DescribeKey was a moment behind.
        going = period == CONTRADICTED
    duplicates: frozenset[str] = frozenset()
    # Beside a key that goes a second one is no duplicate: it is the one that is found next.
    if not going:
        duplicates = read("duplicates", lambda: _lookup(aws, id, expected).duplicates(key), duplicates)
    if key.denied:
        unread["tags"] = key.denied
    return Observed(
        spec=KmsKeySpec(
            alias=key.alias,
            description=key.about.get("Description", ""),
            policy=policy,
            rotation=period > 0,
            rotation_period_days=max(period, 0),
            enabled=key.state == "Enabled" or key.state in _WORKING,
            duplicates=duplicates,
            multi_region=key.about.get("MultiRegion", False),
            key_spec=key.about.get("KeySpec", ""),
            usage=key.about.get("KeyUsage", ""),
            tags=expected.tags if key.denied and expected else key.tags,
        ),
        outputs=KmsKeyOutputs(key_id=key.id, arn=key.about.get("Arn", "")),
        settled=key.state not in _WORKING,
        deleting=going,
        retained=is_retained(key) if key.state in PENDING else None,
        status=key.state,
        owner=Owner.of(key.tags),
        unreadable=unread,
    )


def _window(tags: Mapping[str, str]) -> int:
    days = tags.get(WINDOW_TAG, "")
    return int(days) if days.isdecimal() and int(days) in _WINDOW_DAYS else _WINDOW_DAYS[-1]


def _step(aws: Aws, key: Key, have: KmsKeySpec, want: KmsKeySpec) -> frozenset[str]:
    """One call; the fields that are as wanted once it is in force."""
    kms = aws.kms
    if not have.enabled:
        kms.enable_key(KeyId=key.id)
        return frozenset({"enabled"})
    if have.alias != want.alias:
        kms.create_alias(AliasName=want.alias, TargetKeyId=key.id)
        return frozenset({"alias"})
    if have.rotation_period_days != want.rotation_period_days:
        if want.rotation:
            kms.enable_key_rotation(KeyId=key.id, RotationPeriodInDays=want.rotation_period_days)
        else:
            kms.disable_key_rotation(KeyId=key.id)
        return frozenset(
            {"rotation_period_days"} if have.rotation == want.rotation else {"rotation", "rotation_period_days"}
        )
    if have.policy != want.policy:
        kms.put_key_policy(KeyId=key.id, PolicyName="default", Policy=as_json(want.policy))
        return frozenset({"policy"})
    if have.description != want.description:
        kms.update_key_description(KeyId=key.id, Description=want.description)
        return frozenset({"description"})
    if have.duplicates != want.duplicates:
        _retire(aws, have.duplicates, key)
        return frozenset({"duplicates"} if len(have.duplicates) == 1 else ())
    added = {name: value for name, value in want.tags.items() if have.tags.get(name) != value}
    removed = sorted(have.tags.keys() - want.tags.keys())
    if added:
        kms.tag_resource(KeyId=key.id, Tags=_tag_list(added))
        return frozenset(() if removed else {"tags"})
    kms.untag_resource(KeyId=key.id, TagKeys=removed)
    return frozenset({"tags"})


def _retire(aws: Aws, duplicates: frozenset[str], in_use: Key) -> None:
    """Schedule a duplicate's deletion, after the longest window, in which it can be brought back.

    It bears all our tags (`Lookup.duplicates` has just read them from KMS) and is not the alias's key. What makes it
    safe is that nobody was ever given it: a grant or an alias means that somebody took it for the real one, and then a
    person has to decide.
    """
    if in_use.id in duplicates:
        raise NotYet("the alias has moved since the last look", Patience.PROPAGATION)
    duplicate = min(duplicates)
    users = users_of(aws, duplicate)
    if users:
        raise Refused(
            f"key {duplicate} bears the same tags as {in_use.id}, and is in use too",
            evidence="; ".join(users),
            hint=f"move what uses it, or take its tags away: aws kms list-grants --key-id {duplicate}",
        )
    aws.kms.schedule_key_deletion(KeyId=duplicate, PendingWindowInDays=_WINDOW_DAYS[-1])


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"TagKey": key, "TagValue": tags[key]} for key in sorted(tags)]


def classify(error: AwsRefused) -> Exception:
    """What KMS's refusal of a change means: "not yet" where that is known, itself otherwise."""
    if error.matches("MalformedPolicyDocumentException", text="invalid principals"):
        return NotYet("a principal of the key's policy is not known to KMS yet", Patience.PROPAGATION)
    if error.matches("NotFoundException", "DisabledException"):
        return NotYet(f"KMS has not taken in the last change yet: {error.message}", Patience.PROPAGATION)
    if error.matches("AlreadyExistsException"):
        return NotYet(f"the alias is there and does not show yet: {error.message}", Patience.PROPAGATION)
    if error.matches("KMSInvalidStateException"):
        return NotYet(f"the key is busy: {error.message}", Patience.BUSY)
    return error
