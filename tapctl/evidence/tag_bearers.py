"""Bearers of a suffix's tag in AWS, wherever the files have an environment: what a record of nothing may keep quiet.

Of a copy nothing but the record tells where it is, and who may write the record may write another place into it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from tapctl.aws.answers import arn_parts
from tapctl.aws.client import Aws, OtherAccount
from tapctl.aws.tags import as_dict
from tapctl.config import known_environments, load
from tapctl.engine.owner_tags import MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.errors import AwsRefused, ExitCode, ManifestError, TapctlError, add_default_hint, bug
from tapctl.manifest.history import last_version, newest_kept, place_of
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.names import Names
from tapctl.reconcilers.kms_key_lookup import PENDING_DELETION
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.pool import Place
from tapctl.session.target import connect

_VALUES: Final = 20
"""Values that a filter of GetResources takes."""
_COPIES: Final = ("cluster-snapshot", "snapshot", "cluster-auto-backup", "auto-backup")
_ANY: Final = Names("*", "", "")
"""The names of any suffix."""
_NAMED: Final = 5
"""Copies that are named where more are meant."""


@dataclass(frozen=True)
class Bearing:
    """The suffixes whose tag something in AWS bears."""

    there: set[str] = field(default_factory=set)
    """Those whose tag something bears that a destroy does not leave, or of which that could not be asked."""
    keys_alone: set[str] = field(default_factory=set)
    """Those of which nothing bears it but a key that is kept alive: a destroy leaves one that others use."""
    copied: set[str] = field(default_factory=set)
    """Those of which a copy of the data bears it."""
    elsewhere: dict[str, tuple[Place, str]] = field(default_factory=dict)
    """Those of which something is in a place that is not the record's, with that place and the ARN of one thing."""
    unasked: dict[str, TapctlError] = field(default_factory=dict)
    """The environments of whose place it could not be asked, each with the reason."""
    arns: dict[str, str] = field(default_factory=dict)
    """Suffix to the ARN of something that bears its tag and tapctl's: a copy of the data alone may be anybody's."""

    def add(self, other: Bearing) -> None:
        """Take in what another place has."""
        self.there.update(other.there)
        self.keys_alone.update(other.keys_alone)
        self.copied.update(other.copied)
        self.arns.update(other.arns)


@dataclass(frozen=True)
class Unasked:
    """The places where nobody could ask for a copy of which nothing is known to be deployed; false where that is none.

    A verdict that says nothing of the copy is left bears the words, and ends with the exit status.
    """

    places: Mapping[str, TapctlError] = field(default_factory=dict)
    """The environments whose places they are, each with why it could not be asked."""
    copies: Collection[str] = ()
    """The suffixes of the copies; none of them has a history that tells where it was."""
    was_here: bool = True
    """True if the state has, or had, a record of them: they were somewhere."""

    def __bool__(self) -> bool:
        return bool(self.places and self.copies)

    def about(self, suffix: str) -> Unasked:
        """The places where this one copy could not be asked for."""
        return replace(self, copies=[suffix] if suffix in self.copies else [])

    @property
    def code(self) -> ExitCode:
        """INCOMPLETE, or OK; that, too, of copies that were nowhere, as far as the state knows."""
        return ExitCode.INCOMPLETE if self and self.was_here else ExitCode.OK

    @property
    def where(self) -> tuple[str, ...]:
        """A few words on each place, for the list of what was not compared."""
        return tuple(f"where {env} is" for env in self.places) if self else ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of places, for the counts of a verdict; empty where there is none."""
        return {"not_asked": len(self.places)} if self else {}

    @property
    def words(self) -> str:
        """The words for the verdict; empty where there is no such place."""
        return f" · {self._sentence(self.places)}" if self else ""

    def _sentence(self, places: Collection[str]) -> str:
        was = "was" if len(self.copies) == 1 else "were"
        return f"not asked where {listed(places)} is, and no history tells where {listed(self.copies)} {was}"

    def tell(self, screen: Screen) -> None:
        """Show why each place could not be asked, and what to do about it."""
        for env, error in self.places.items() if self else ():
            add_default_hint(error)
            screen.error(error, f"where {env} is nobody could ask for {listed(self.copies)}")

    def warn(self, screen: Screen) -> None:
        """Say in a sentence what could not be asked, and why."""
        for env, error in self.places.items() if self else ():
            add_default_hint(error)
            why = "; ".join(text for text in (error.cause, error.evidence, error.hint) if text)
            screen.warn(f"{self._sentence([env])}: {why}")


def may_be_there(
    invocation: Invocation,
    screen: Screen,
    copies: Mapping[str, Manifest | None],
    borne_out: Collection[str] = (),
) -> Bearing:
    """The suffixes whose tag something in AWS bears, or of which that could not be asked where they were recorded.

    Who may write an empty record may write a certificate beside it, and another place into both: it is asked where the
    environments' files are, too, but for those that are ``borne_out`` by a history. A call for twenty copies in each
    place.
    """
    found = Bearing()
    if not copies:
        return found
    screen.note(f"{invocation.verb}: asking AWS if anything of {listed(copies.keys())} is there")
    names = known_environments(invocation.config)
    recorded: dict[str, Place] = {}
    by_record: dict[tuple[str, Place], list[str]] = defaultdict(list)
    for suffix, one in copies.items():
        if one is not None:
            recorded[suffix] = one.account, one.region
            by_record[one.environment, recorded[suffix]].append(suffix)
    for (env, place), suffixes in by_record.items():
        try:
            found.add(_bearing(invocation, screen, suffixes, env if env in names else "", place, by_name=True))
        except Exception:  # noqa: BLE001 -- whatever it is, the look at each of them meets it, and tells it
            found.there.update(suffixes)
    asked: set[Place] = set()
    unsure = [suffix for suffix in copies if suffix not in borne_out]
    for env in names if unsure else ():
        try:
            config = load(invocation.config, env)
            place = config.account_id, config.region
            others = [suffix for suffix in unsure if recorded.get(suffix) != place and place not in asked]
            bearing = _bearing(invocation, screen, others, env, place)
        except Exception as caught:  # noqa: BLE001 -- credentials may be for one account alone
            error = caught if isinstance(caught, TapctlError) else bug(caught)
            if isinstance(error, OtherAccount):
                # Of those credentials it is said for a command there: here they are right, for another place.
                error.hint = _look_hint(unsure, place)
            screen.note(f"{invocation.verb}: not asked where {env} is: {error.cause}")
            found.unasked[env] = error
        else:
            asked.add(place)
            found.add(bearing)
            moved = bearing.arns.items()
            found.elsewhere.update({suffix: (place, arn) for suffix, arn in moved if suffix in recorded})
    return found


def _look_hint(suffixes: Sequence[str], place: Place) -> str:
    """The hint for whoever has other credentials for this place: a look by hand, and what follows from it."""
    account, region = place
    values = ",".join(sorted(suffixes)[:_NAMED])
    look = (
        f"aws resourcegroupstaggingapi get-resources --tag-filters Key={SUFFIX_TAG},Values={values} --region {region}"
    )
    return (
        f"look with credentials of account {account}: {look}; where nothing of it is there, nor elsewhere, move its "
        "record out of the state"
    )


def _bearing(
    invocation: Invocation, screen: Screen, suffixes: Sequence[str], env: str, place: Place, *, by_name: bool = False
) -> Bearing:
    """The suffixes whose tag something bears in this place, which is the environment's (empty: of none with a file).

    ``by_name``: True if what bears a name of theirs counts as well, where no tag is found.

    Raises:
        TapctlError: it could not be asked.
    """
    found = Bearing()
    if not suffixes:
        return found
    account, region = place
    config = load(invocation.config, env) if env else None
    aws = connect(replace(invocation, region=region), screen, config, account=account)
    aws.identify(account)
    for first in range(0, len(suffixes), _VALUES):
        found.add(bearing_suffixes(aws, suffixes[first : first + _VALUES]))
    asked = {*suffixes} - found.there if by_name else set()
    if asked:
        found.there.update(_named(aws, asked))
    return found


def _named(aws: Aws, suffixes: Collection[str]) -> Iterator[str]:
    """Those of these suffixes whose name a log group bears: AWS makes one again for a late writer, without tags.

    Two listings, whatever the number of suffixes. Where they may not be made, nothing is known.
    """
    names = [Names(suffix, aws.account, aws.region) for suffix in suffixes]
    functions = {one.function_log_group: one.suffix for one in names}
    databases = {one.database_log_group: one.suffix for one in names}
    for ids, form in ((functions, _ANY.function_log_group), (databases, _ANY.database_log_group)):
        prefix = form.partition(_ANY.suffix)[0]
        try:
            pages = aws.pages(aws.logs.get_paginator("describe_log_groups"), logGroupNamePrefix=prefix)
        except AwsRefused:
            continue
        listed = (group.get("logGroupName", "") for page in pages for group in page.get("logGroups", ()))
        yield from (ids[name] for name in listed if name in ids)


def bearing_suffixes(aws: Aws, suffixes: Sequence[str]) -> Bearing:
    """Find, of at most 20 suffixes, those whose tag something bears that a destroy does not leave.

    A destroy leaves copies of the data with the key that they need, and else a key that waits for its deletion: a call
    for each key.
    """
    pages = aws.pages(
        aws.tagging.get_paginator("get_resources"), TagFilters=[{"Key": SUFFIX_TAG, "Values": [*suffixes]}]
    )
    keys: dict[str, list[str]] = defaultdict(list)
    found: dict[str, list[str]] = defaultdict(list)
    copied, ours = set[str](), set[str]()
    for each in (each for page in pages for each in page["ResourceTagMappingList"]):
        tags = as_dict(each["Tags"])
        if tags.get(OWNER_TAG, MANAGED_BY) != MANAGED_BY:
            continue  # others, too, name an environment so
        suffix = tags.get(SUFFIX_TAG, "")
        _, _, service, _, _, name = arn_parts(
            each["ResourceARN"], "resourcegroupstaggingapi:GetResources", "ResourceARN"
        )
        if OWNER_TAG in tags:
            ours.add(each["ResourceARN"])
        if service == "kms":
            keys[suffix].append(each["ResourceARN"])
        elif service == "rds" and name.partition(":")[0] in _COPIES:
            copied.add(suffix)
        else:
            found[suffix].append(each["ResourceARN"])
    alive = {suffix: [arn for arn in keys[suffix] if _is_kept_alive(aws, arn)] for suffix in keys.keys() - found.keys()}
    kept = {suffix: arns for suffix, arns in alive.items() if arns}
    arns = {suffix: min(ours.intersection(listed), default="") for suffix, listed in (kept | found).items()}
    return Bearing({*found}, {*kept} - copied, copied, arns={suffix: arn for suffix, arn in arns.items() if arn})


def _is_kept_alive(aws: Aws, arn: str) -> bool:
    """True if the key does not wait for its deletion; the tags of one that is gone show for a while."""
    try:
        return aws.read(aws.kms.describe_key, KeyId=arn)["KeyMetadata"].get("KeyState", "") not in PENDING_DELETION
    except AwsRefused as error:
        if error.matches("NotFoundException"):
            return False
        raise


def elsewhere_error(invocation: Invocation, record: Manifest, place: Place, arn: str) -> ManifestError:
    """The error for a record of nothing that is deployed, while AWS has this, of the copy, in another place."""
    history = invocation.command_line_for("manifest history", Target(record.environment, record.suffix))
    where = f"{record.environment} in account {record.account}, {record.region}"
    is_there = record.serial > 0
    nothing = (
        f"the record of {record.suffix} tells of nothing deployed" if is_there else f"no record of {record.suffix}"
    )
    return ManifestError(
        f"{nothing}, and AWS has what bears its tag elsewhere",
        evidence=f"{f'it is of {where} ({record.stamp})' if is_there else f'looked for in {where}'}; "
        f"{arn} is there in account {place[0]}, {place[1]}",
        hint=f"see who has written the place into it ({history}), and put the newest version of that place back",
    )


def check_not_elsewhere(invocation: Invocation, screen: Screen, store: Store, record: Manifest) -> Unasked:
    """Make sure that a copy of which nothing is deployed, by its record and by AWS there, is in no other place.

    Its history is asked first: where that bears the record out, AWS is not asked. Returns the places that could not be
    asked, while no history tells where the copy was.

    Raises:
        ManifestError: something bears its tag where the files have another environment.
    """
    if record.suffix in known_environments(invocation.config) or is_borne_out(store, record):
        return Unasked()
    found = may_be_there(invocation, screen, {record.suffix: record})
    if told := found.elsewhere.get(record.suffix):
        raise elsewhere_error(invocation, record, *told)
    # Where nothing tells that this state ever had the copy, it is where the command says.
    was_here = record.serial > 0 or bool(newest_kept(store, record.suffix))
    return Unasked(found.unasked, (record.suffix,), was_here=was_here)


def is_borne_out(store: Store, record: Manifest) -> bool:
    """True if the history of a record of nothing is of its place, where a run of ours has removed what there was.

    What bears the same suffix elsewhere is another environment's copy then, of another state.
    """
    with suppress(TapctlError):  # the look at the copy meets it, and tells it
        newest = last_version(store, record.suffix)
        return newest is not None and place_of(newest) == place_of(record)
    return False


def listed(suffixes: Collection[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(suffixes) - _NAMED} more" if len(suffixes) > _NAMED else ""
    return f"{', '.join(sorted(suffixes)[:_NAMED])}{more}"
