"""The customer-managed KMS key and its alias, which is the id here.

A key has no name of its own. The alias names the key, which is ours if it bears our tags. Where nobody's alias names a
key, it is ours by our owner tags together with our description and a policy that names what is ours: who may tag and
describe another team's key cannot write its policy. Such a one is found by the tagging API, or, made a moment ago, in
the listing of the keys that no alias names.

CreateKey has no idempotency token, so a create whose answer was lost can leave a second key: the field ``duplicates``
shows it, and the run that made it schedules its deletion; a later one does where it is allowed to. A key pending
deletion is brought back rather than replaced: the data that it encrypted needs it. AWS's facts are from the KMS API
reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import model_validator

from tapctl.aws import tags
from tapctl.aws.policy import PolicyDocument, as_json, from_answer
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.engine.model import (
    UNSEEN,
    Impact,
    Observed,
    Outputs,
    Owner,
    Reconciler,
    Retained,
    Spec,
    Timing,
    UnreadTags,
    address,
)
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused, denial_hint
from tapctl.reconcilers.db_cluster_snapshots import SNAPSHOT
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.kms_key_grants import given_grants, grantee_of, grants_of_others, grants_on
from tapctl.reconcilers.kms_key_lookup import (
    KEY,
    PENDING_DELETION,
    Key,
    Lookup,
    aliases_of,
    all_aliases,
    find_by_tags,
    not_indexed,
    owned_as,
)
from tapctl.reconcilers.kms_key_rights import KEY_RIGHTS
from tapctl.reconcilers.kms_key_users import ASKED, SNAPSHOTS, key_users, last_use, topics_under
from tapctl.threads import side_by_side

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

WINDOW_TAG: Final = "tapctl:deletion-window-days"
"""The tag that tells, without the environment's files, how many days KMS waits before it deletes the key."""
RECORD_TAG: Final = "tapctl:record"
"""The tag with the fingerprint of the record that the last run has left: none of the spec's, since it tells no
setting."""
DEFAULT_PERIOD_DAYS: Final = 365
"""EnableKeyRotation's default, which GetKeyRotationStatus may leave out."""

_GAVE_WAY: Final = "the fingerprint of the record gave way"
_WORKING: Final = frozenset({"Creating", "Updating"})
_DECRYPTS: Final = " decrypts "
_ROOM_FOR_NAMES: Final = 20_000
"""Characters of names in the reason why a key is kept, which the record takes up; a user's has up to 1,011."""
_SNAPSHOT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,254}")
"""The form of a snapshot's name (CreateDBClusterSnapshot)."""
# A plan asks no more topics than this for their key.
_TOPICS_OF_A_PLAN: Final = 25
# ScheduleKeyDeletion's bounds; the longest wherever nothing better is known.
_WINDOW_DAYS: Final = range(7, 31)
# A rotation period that no key has: the key is pending deletion after all.
_CONTRADICTED: Final = -1
_TRANSIENT: Final = (
    Transient(
        ("MalformedPolicyDocumentException",),
        "a principal of the key's policy is not known to KMS yet",
        Patience.PROPAGATION,
        text="invalid principals",
    ),
    Transient(
        ("NotFoundException", "DisabledException"),
        "KMS has not taken in the last change yet: {error.message}",
        Patience.PROPAGATION,
    ),
    Transient(
        ("AlreadyExistsException",), "the alias is there and does not show yet: {error.message}", Patience.PROPAGATION
    ),
    Transient(("KMSInvalidStateException",), "the key is busy: {error.message}", Patience.BUSY),
)


def tag_with_record(aws: Aws, key_id: str, fingerprint: str) -> None:
    """Tag the key with the fingerprint of the record: one call."""
    aws.kms.tag_resource(KeyId=key_id, Tags=tags.as_list({RECORD_TAG: fingerprint}, "Tag"))


def record_gave_way(aws: Aws) -> bool:
    """True if this run has taken the fingerprint off the key to make room for a tag that is wanted."""
    return _GAVE_WAY in aws.learnt


def untag_record(aws: Aws, key_id: str) -> None:
    """Take the fingerprint of the record off the key: one call."""
    aws.kms.untag_resource(KeyId=key_id, TagKeys=[RECORD_TAG])


class KmsKeySpec(Spec):
    """The fields that tapctl owns on a key."""

    alias: str
    """The alias that names the key; empty while none does. Wanted: the id."""
    description: str
    policy: PolicyDocument
    rotation: bool
    rotation_period_days: int = DEFAULT_PERIOD_DAYS
    """0 exactly where rotation is off."""
    enabled: bool
    """Wanted: True."""
    duplicates: frozenset[str] = frozenset()
    """Ids of other usable keys of ours with the same Name tag. Wanted: none."""
    grants: frozenset[str] = frozenset()
    """Grants of the key past its policy: ``<grant id> to <principal> (<operations>)``. Wanted: none but those that
    AWS's services make for what the key encrypts."""
    further_aliases: frozenset[str] = frozenset()
    """Other aliases of the key: who asks for one of these gets our key. Wanted: none."""
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
    """KMS's id and the ARN. Every service answers with the ARN, whatever form it was given: compare ARNs."""

    key_id: str
    arn: str


class KmsKey(Reconciler[KmsKeySpec, KmsKeyOutputs]):
    """A key; the id is its alias (of one that bears our tags and is not ours: any alias of it, or KMS's own id).

    ``window_days``: the waiting period before its deletion, by the configuration; None where that is not known.
    ``going``: addresses of what is removed together with the key.
    """

    type = KEY
    teardown_rank = 140
    holds_data = True
    create_is_repeatable = False
    retainable = True
    identity = "key_id"
    puts_back = "aws kms update-alias --alias-name {id} --target-key-id {recorded}"
    impacts: ClassVar[Mapping[str, Impact]] = {
        "duplicates": Impact.DATA_LOSS,
        "multi_region": Impact.REPLACE,
        "key_spec": Impact.REPLACE,
        "usage": Impact.REPLACE,
    }
    left_alone: ClassVar[Mapping[str, str]] = {
        "grants": "aws kms revoke-grant --key-id {key_id} --grant-id {value}",
        "further_aliases": "aws kms delete-alias --alias-name {value}",
    }
    never_compared = ("imported material", "policies beside the default one")
    trail = Trail(
        "kms",
        whole=("CreateKey", "ScheduleKeyDeletion", "CancelKeyDeletion"),
        fields={
            "alias": ("CreateAlias", "UpdateAlias", "DeleteAlias"),
            "further_aliases": ("CreateAlias", "UpdateAlias", "DeleteAlias"),
            "description": ("UpdateKeyDescription",),
            "policy": ("PutKeyPolicy",),
            "rotation": ("EnableKeyRotation", "DisableKeyRotation"),
            "rotation_period_days": ("EnableKeyRotation",),
            "enabled": ("EnableKey", "DisableKey"),
            "grants": ("CreateGrant", "RevokeGrant", "RetireGrant"),
            "multi_region": ("ReplicateKey", "UpdatePrimaryRegion"),
            "tags": ("TagResource", "UntagResource"),
        },
    )
    timing = Timing(create_s=10, delete_s=5, longest_s=600)
    healing_fields = frozenset({"enabled"})
    healing_reads = frozenset({"kms:Decrypt"})
    unset_by_removal = frozenset({"alias", "enabled", "rotation", "rotation_period_days"})
    actions = KEY_RIGHTS

    def __init__(self, window_days: int | None = None, going: Collection[str] = ()) -> None:
        self._window_days, self._going = window_days, frozenset(going)

    def observe(self, aws: Aws, id: str, expected: KmsKeySpec | None) -> Observed[KmsKeySpec, KmsKeyOutputs] | None:
        """Read the key, its tags, policy and rotation, and search for duplicates: five calls where all is well."""
        try:
            key = _lookup(aws, id, expected).locate()
            return None if key is None else _observed(aws, id, key, expected)
        except AwsRefused as error:
            # Deleted between two reads, or so new that not all of KMS knows the key.
            if error.matches("NotFoundException"):
                return None
            raise

    def observe_exposures(
        self, aws: Aws, id: str, seen: Observed[KmsKeySpec, KmsKeyOutputs], expected: KmsKeySpec | None
    ) -> Observed[KmsKeySpec, KmsKeyOutputs]:
        """Read the key's grants and aliases: two calls."""
        assert seen.outputs is not None, "KMS names every key that it shows"
        key_id = seen.outputs.key_id
        reads = {
            "grants": lambda: given_grants(aws, key_id),
            "further_aliases": lambda: frozenset(aliases_of(aws, key_id)) - {id},
        }
        return with_exposures(seen, reads)

    def create(self, aws: Aws, id: str, want: KmsKeySpec, owner: Owner) -> None:
        """Bring back our key that is pending deletion, or make a key without an alias, which is an update."""
        key = _lookup(aws, id, want).locate()
        if key is not None and (key.state not in PENDING_DELETION or Owner.of(key.tags) != owner):
            raise AlreadyExists(f"{id}: there is key {key.id}")
        try:
            if key is not None:
                aws.kms.cancel_key_deletion(KeyId=key.id)
                return
            client: Any = aws.kms_without_retries  # untyped: the stubs know KeySpec and KeyUsage only as literals
            client.create_key(
                Policy=as_json(want.policy),
                Description=want.description,
                KeyUsage=want.usage,
                KeySpec=want.key_spec,
                MultiRegion=want.multi_region,
                Tags=tags.as_list({**want.tags, **owner.tags}, "Tag"),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: KmsKeySpec, want: KmsKeySpec) -> frozenset[str]:
        """Enable the key first, since a disabled one takes no rotation; tags last."""
        key = _lookup(aws, id, want).locate()
        if key is None:
            raise NotYet("KMS does not show the key yet", Patience.PROPAGATION)
        try:
            return _step(aws, key, have, want)
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[KmsKeySpec, KmsKeyOutputs], last: KmsKeySpec | None
    ) -> Retained | None:
        """Delete the alias first, which outlives the key otherwise; then schedule the key's deletion.

        A key that is used by anything else is retained.
        """
        arn = observed.outputs.arn if observed.outputs else ""
        users = self._users(aws, arn, id, named=bool(observed.spec.alias))
        asked = f"topics under {arn}"
        if not users and asked not in aws.learnt:
            users = topics_under(aws, arn, id)
            # Once a run, a topic a call: before the alias goes, by which a topic may name the key.
            aws.learnt |= frozenset() if users else {asked}
        if users - self._going:
            return _used_by(users - self._going, id)
        if users:
            raise NotYet(f"{', '.join(sorted(users))} still uses it", Patience.LONG)
        try:
            if observed.spec.alias:
                aws.kms.delete_alias(AliasName=observed.spec.alias)
            else:
                days = self._window(observed.spec, last)
                aws.kms.schedule_key_deletion(KeyId=arn.rpartition("/")[2], PendingWindowInDays=days)
        except AwsRefused as error:
            # KMSInvalidStateException: "... is pending deletion", perhaps by our own call whose answer was lost.
            if not error.matches("NotFoundException", "KMSInvalidStateException"):
                raise
        return None

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str | UnreadTags]:
        """Find the keys by tags; where the tagging API shows none of ours yet, among those that no alias names.

        The id of each is the alias of its Name tag, if that names the key, or if none does and the key is described as
        ours; else any alias of the key, or KMS's own id.
        """
        aliases = all_aliases(aws)
        found = False
        for key_id in sorted(find_by_tags(aws, owner.search_tags)):
            name, ours = owned_as(aws, key_id, owner, aliases.get(key_id, ()))
            # A key that somebody has given our tags says nothing of whether there is one of ours.
            found = found or ours
            if name:
                yield name
        for key_id in sorted(() if found else not_indexed(aws)):
            try:
                name, _ = owned_as(aws, key_id, owner, ())
            except AwsRefused as error:
                if not error.is_denied:
                    raise
                # Ours leaves access to the account's IAM: one whose own policy shuts us out is none.
                if not error.is_denied_by_resource:
                    yield UnreadTags(key_id, f"{error.iam_action} denied", denial_hint(error))
            else:
                if name:
                    yield name

    def removed_with(self, going: Collection[str]) -> KmsKey:
        """Leave out, of what uses the key, what goes before it."""
        return KmsKey(self._window_days, going)

    def retained_because(self, aws: Aws, id: str, observed: Observed[KmsKeySpec, KmsKeyOutputs]) -> Retained | None:
        """Name what uses the key and stays; of many topics not here, since each is a call, but right before it goes."""
        arn = observed.outputs.arn if observed.outputs else ""
        if not arn:
            return None
        topics = topics_under(aws, arn, id, at_most=_TOPICS_OF_A_PLAN)
        users = (self._users(aws, arn, id) | topics) - self._going
        return _used_by(users, "it") if users else None

    def _users(self, aws: Aws, arn: str, id: str, *, named: bool = True) -> frozenset[str]:
        """Name what uses the key, whom it is granted to, and, where our alias names it, the aliases of others."""
        looks: list[Callable[[], frozenset[str]]] = [
            partial(key_users, aws, arn, id),
            partial(grants_of_others, aws, arn, self._going),
            *([partial(_others_names, aws, arn, id)] if named else []),
        ]
        return frozenset().union(*side_by_side(looks))

    def removal_note(self, observed: Observed[KmsKeySpec, KmsKeyOutputs], *, snapshot_due: bool) -> str:
        """Tell that the key is kept for a final snapshot, or how long its deletion can be taken back."""
        if snapshot_due:
            return "kept for the final snapshot"
        days = self._window(observed.spec, None)
        return f"KMS deletes it {days} days later; until then it can come back"

    def known_use(self, aws: Aws, observed: Observed[KmsKeySpec, KmsKeyOutputs]) -> str:
        """Tell when KMS last saw the key used, one call, and who is asked whether others use it."""
        return f"{last_use(aws, observed.outputs.key_id)}; {ASKED}" if observed.outputs else ""

    def _window(self, live: KmsKeySpec, last: KmsKeySpec | None) -> int:
        """Choose the longest waiting period that configuration, record and live tag say; one that says none says 30.

        A tag that somebody has set cannot shorten the time in which the key can be brought back.
        """
        told = [live.tags.get(WINDOW_TAG, ""), *([last.tags.get(WINDOW_TAG, "")] if last else [])]
        days = [int(text) if text.isdecimal() and int(text) in _WINDOW_DAYS else _WINDOW_DAYS[-1] for text in told]
        return max(*days, self._window_days or _WINDOW_DAYS[-1])


def _lookup(aws: Aws, id: str, expected: KmsKeySpec | None) -> Lookup:
    return Lookup(aws, id, expected.tags if expected else None)


def _used_by(users: Collection[str], name: str) -> Retained:
    """Tell why the key stays: what is encrypted with it is unreadable without it. ``name``: how to call the key.

    `copies_named` reads the cluster snapshots out of it again, which stand there by their names alone.
    """
    copies = sorted(user.removeprefix(f"{SNAPSHOT}/") for user in users if user.partition("/")[0] in SNAPSHOTS)
    living = sorted(user for user in users if user.partition("/")[0] not in SNAPSHOTS)
    reasons = [f"{name}{_DECRYPTS}{_named(copies)}"] if copies else []
    if living:
        reasons.append(f"{_named(living)} {'uses' if len(living) == 1 else 'use'} {name}")
    return Retained("what uses it is gone" if living else "its snapshots are deleted", "; ".join(reasons))


def _named(users: Sequence[str]) -> str:
    """The names, as far as a record has room for them, on one line."""
    shown, room = list[str](), _ROOM_FOR_NAMES
    for user in users:
        room -= len(user)
        if room < 0:
            shown.append(f"and {len(users) - len(shown)} more")
            break
        shown.append("".join(each if each.isprintable() else "?" for each in user))
    return ", ".join(shown)


def copies_named(why: str) -> frozenset[str]:
    """The cluster snapshots that a key is kept for, by the reason that a removal gave for it."""
    names = why.partition(_DECRYPTS)[2].partition("; ")[0].split(", ")
    return frozenset(name for name in names if _SNAPSHOT_NAME.fullmatch(name))


def _pending_deletion(key: Key) -> Retained:
    """Tell until when KMS keeps a key that is pending deletion."""
    date = key.metadata.get("DeletionDate")
    until = date.date().isoformat() if date else "its replicas in other regions are deleted"
    return Retained(
        until=until, why="KMS deletes a key only after its waiting period; until then it can be brought back"
    )


def _rotation_period(aws: Aws, key: Key) -> int:
    """Days between rotations; 0 if the key does not rotate; `_CONTRADICTED` if it is pending deletion after all."""
    try:
        status = aws.read(aws.kms.get_key_rotation_status, KeyId=key.id)
    except AwsRefused as error:
        if error.matches("KMSInvalidStateException"):
            return _CONTRADICTED
        # Of a key whose material is not KMS's own, none of our making.
        if error.matches("UnsupportedOperationException"):
            return 0
        raise
    return status.get("RotationPeriodInDays", DEFAULT_PERIOD_DAYS) if status["KeyRotationEnabled"] else 0


def _users_of(aws: Aws, key_id: str) -> list[str]:
    """List who was given this key: grants (Aurora, Secrets Manager and Lambda use a key by one), aliases, its users."""
    grantees = (f"a grant to {grantee_of(grant) or 'unknown'}" for grant in grants_on(aws, key_id))
    arn = aws.arn("kms", f"key/{key_id}")
    return [*grantees, *aliases_of(aws, key_id), *sorted(key_users(aws, arn) or topics_under(aws, arn))]


def _others_names(aws: Aws, arn: str, id: str) -> frozenset[str]:
    """The addresses of further aliases: without ours, the key would be that of whoever has given it such a name."""
    return frozenset(address("kms-alias", name) for name in aliases_of(aws, arn.rpartition("/")[2]) if name != id)


# -- reading -----------------------------------------------------------------------------------------------------------


def _observed(aws: Aws, id: str, key: Key, expected: KmsKeySpec | None) -> Observed[KmsKeySpec, KmsKeyOutputs]:
    unreadable = UnreadableFields()
    deleting = key.state in PENDING_DELETION
    policy = unreadable.read(
        "policy",
        lambda: from_answer(
            aws.read(aws.kms.get_key_policy, KeyId=key.id, PolicyName="default")["Policy"], "kms:GetKeyPolicy"
        ),
        expected.policy if expected else PolicyDocument(statements=frozenset()),
    )
    period = 0
    # While a key is pending deletion its rotation status is false; and only this kind of key can rotate at all.
    if not deleting and key.metadata.get("KeySpec") == "SYMMETRIC_DEFAULT":
        period = unreadable.read(
            "rotation_period_days", lambda: _rotation_period(aws, key), expected.rotation_period_days if expected else 0
        )
        if "rotation_period_days" in unreadable.actions:
            unreadable.actions["rotation"] = unreadable.actions["rotation_period_days"]
        # DescribeKey was a moment behind.
        deleting = period == _CONTRADICTED
    duplicates: frozenset[str] = frozenset()
    # A second key is no duplicate of one that is being deleted: the next search finds the second.
    if not deleting:
        duplicates = unreadable.read("duplicates", lambda: _lookup(aws, id, expected).duplicates(key), duplicates)
    if key.denied:
        unreadable.actions["tags"] = key.denied
    own_tags = {name: value for name, value in key.tags.items() if name != RECORD_TAG}
    return Observed(
        spec=KmsKeySpec(
            alias=key.alias,
            description=key.metadata.get("Description", ""),
            policy=policy,
            rotation=period > 0,
            rotation_period_days=max(period, 0),
            enabled=key.state == "Enabled" or key.state in _WORKING,
            duplicates=duplicates,
            multi_region=key.metadata.get("MultiRegion", False),
            key_spec=key.metadata.get("KeySpec", ""),
            usage=key.metadata.get("KeyUsage", ""),
            tags=expected.tags if key.denied and expected else own_tags,
        ),
        outputs=KmsKeyOutputs(key_id=key.id, arn=key.metadata["Arn"]),
        settled=key.state not in _WORKING,
        deleting=deleting,
        retained=_pending_deletion(key) if key.state in PENDING_DELETION else None,
        status=key.state,
        owner=_owner(key),
        unreadable=unreadable.actions,
        record=key.tags.get(RECORD_TAG, ""),
    )


def _owner(key: Key) -> Owner | None:
    """Read the owner. A key that somebody else's alias names, and none of ours, is somebody else's by now."""
    owner = Owner.of(key.tags)
    return replace(owner, scope=f"what {key.other_alias} names") if owner and key.other_alias else owner


# -- changing ----------------------------------------------------------------------------------------------------------


def _step(aws: Aws, key: Key, have: KmsKeySpec, want: KmsKeySpec) -> frozenset[str]:
    """Make one changing call; returns the fields that are as wanted once it is in force."""
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
        extra = have.duplicates - want.duplicates
        _retire(aws, extra, key)
        return frozenset({"duplicates"} if len(extra) == 1 else ())
    return _step_tags(aws, key, have.tags, want.tags)


def _step_tags(aws: Aws, key: Key, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    """Make one call towards the wanted tags; the fingerprint of the record gives way to the last one.

    That shows in no spec, and the run leaves its own fingerprint at its end, where there is room.
    """
    try:
        return tags.step(
            have,
            want,
            add=lambda missing: aws.kms.tag_resource(KeyId=key.id, Tags=tags.as_list(missing, "Tag")),
            remove=lambda extra: aws.kms.untag_resource(KeyId=key.id, TagKeys=extra),
        )
    except AwsRefused as error:
        if not error.matches("LimitExceededException"):
            raise
        if RECORD_TAG not in key.tags:
            error.hint = (
                f"a key takes {tags.MOST} tags, and no quota raises that: take some out of [tags], or off the key"
            )
            raise
    untag_record(aws, key.id)
    aws.learnt.add(_GAVE_WAY)
    return UNSEEN


def _retire(aws: Aws, duplicates: frozenset[str], in_use: Key) -> None:
    """Schedule a duplicate's deletion with the longest window, in which the key can be brought back.

    The duplicate bears all our tags, and the policy of ours (`Lookup.duplicates` has just read them from KMS), and is
    not the alias's key. A grant or an alias means that somebody took it for the real key: then a person has to decide,
    as where another run than the one that made it finds it (`KmsKey.impacts`).
    """
    if in_use.id in duplicates:
        raise NotYet("the alias has moved since the last look", Patience.PROPAGATION)
    duplicate = min(duplicates)
    users = _users_of(aws, duplicate)
    if users:
        raise Refused(
            f"key {duplicate} bears the same tags as {in_use.id}, and is in use too",
            evidence="; ".join(users),
            hint=f"move what uses it, or take its tags away: aws kms list-grants --key-id {duplicate}",
        )
    aws.kms.schedule_key_deletion(KeyId=duplicate, PendingWindowInDays=_WINDOW_DAYS[-1])
