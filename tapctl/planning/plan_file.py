"""Plan files: a plan as canonical JSON, to be approved and then applied as it is.

``plan_hash`` covers what would be done, and by what it was decided: two plans of the same state share it, whenever they
were made. ``hash`` covers the whole file, with its times.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl import __version__
from tapctl.engine import refs
from tapctl.engine.model import Impact, Retained
from tapctl.engine.plan import Action, Change, Plan
from tapctl.errors import PlanInvalid, PlanOutdated, PlanUnwritten
from tapctl.manifest.manifest import TIME_FORMAT, Manifest, now
from tapctl.planning.permits import Permits
from tapctl.render.harmless import harmless
from tapctl.safety.files import ForeignFile, read_file, read_handed_file
from tapctl.safety.json_errors import decoding_problem, json_problem, shape_problems, unique_keys
from tapctl.session.session import Session

FORMAT: Final = 1
MAX_BYTES: Final = 8 * 1024 * 1024
LASTS_S: Final = 24 * 3600.0
"""Seconds for which a plan may be applied, unless told."""
_NOT_IN_PLAN_HASH: Final = frozenset({"hash", "plan_hash", "created", "expires", "state"})
_IDLE: Final = (Action.NOTHING, Action.SETTLE)

_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="a SHA-256 in hex")]
_Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC, ISO 8601, to the second")]
_Text = Annotated[str, Field(max_length=2000)]
_VALUE_CHARS: Final = 60  # as values in a plan


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedField(_Part):
    """The change of one field; ``have`` or ``want`` null: it is not there, or not wanted."""

    path: str
    have: Any
    want: Any
    impact: Literal["none", "protection", "restart", "failover", "outage", "upgrade", "data_loss", "replace"]
    until: str
    """The event that the change is deferred until; empty if there is none."""


class PlannedChange(_Part):
    """The action on one resource."""

    address: _Text
    resource_type: _Text
    action: Literal["update", "create", "replace", "delete"]
    impact: Literal["none", "protection", "restart", "failover", "outage", "upgrade", "data_loss", "replace"]
    adopts: bool
    reboots: bool
    fields: tuple[PlannedField, ...]


class PlannedPermits(_Part):
    """The steps that the user has named: the flags of the plan."""

    adopted: tuple[str, ...]
    allowed: tuple[str, ...]
    reboot: bool
    restore: str
    empty: bool


class PlanFile(_Part):
    """A plan of one environment: the target, the values it follows from, the changes, the time it may be applied."""

    format: Literal[1]
    tapctl: _Text
    environment: _Text
    suffix: _Text
    account: _Text
    region: _Text
    aws: Literal["real", "sandbox", "endpoint"]
    """The kind of AWS: the embedded one has the accounts of the files too."""
    state: _Text
    """The place of the record."""
    serial: Annotated[int, Field(ge=0)]
    """The record's serial; 0: there is none."""
    config_hash: _Text
    destroy: bool
    permits: PlannedPermits
    networking: dict[str, Any]
    """The networking stack as it was resolved; empty for a destroy."""
    image: _Text
    """The image's URI with its digest; empty for a zip and for a destroy."""
    snapshot: _Text = ""
    """The identity of the snapshot that a cluster is made from (`restored_data`); empty where none is."""
    changes: tuple[PlannedChange, ...]
    ends: tuple[_Text, ...] = ()
    """The subscriptions and filters of others that end with topic and log groups: nobody's but theirs to make again."""
    created: _Time
    expires: _Time
    plan_hash: _Hash
    """The SHA-256 of what would be done: of all but ``hash``, ``plan_hash``, ``created``, ``expires``, ``state``."""
    hash: _Hash
    """The SHA-256 of the rest of the file."""

    @property
    def image_digest(self) -> str:
        """The image's digest, ``sha256:…``; empty where there is no image."""
        return self.image.partition("@")[2]

    @property
    def given(self) -> Permits:
        """The steps that the plan was made with."""
        return Permits(**self.permits.model_dump())


@dataclass(frozen=True)
class PlanOut:
    """The file that a plan is written to, and the seconds for which it may be applied."""

    path: Path
    lasts_s: float = LASTS_S


# -- making ------------------------------------------------------------------------------------------------------------


def seal(
    session: Session,
    plan: Plan,
    manifest: Manifest,
    *,
    permits: Permits,
    networking: Mapping[str, Any],
    image: str = "",
    snapshot: str = "",
    destroy: bool = False,
    ends: Iterable[str] = (),
    out: PlanOut | None = None,
) -> PlanFile:
    """Make the plan file of this plan, with its hashes; ``out``: where it goes, and how long it lasts.

    ``ends``: the addresses of what others have made and what ends with what is removed.
    """
    target, created = session.target, now()
    values = {
        "format": FORMAT,
        "tapctl": __version__,
        "environment": target.env,
        "suffix": target.suffix,
        "account": target.account,
        "region": target.region,
        "aws": session.aws_kind.value,
        "state": session.location,
        "serial": manifest.serial,
        "config_hash": target.config_hash,
        "destroy": destroy,
        "permits": asdict(permits),
        "networking": dict(networking),
        "image": image,
        "snapshot": snapshot,
        "changes": [_change(change) for change in plan.changes if change.action not in _IDLE],
        "ends": [*ends],
    }
    plan_hash = _digest(values, _NOT_IN_PLAN_HASH)
    expires = (_parsed(created) + timedelta(seconds=out.lasts_s if out else LASTS_S)).strftime(TIME_FORMAT)
    values |= {"created": created, "expires": expires, "plan_hash": plan_hash}
    return PlanFile.model_validate_json(canonical(values | {"hash": _digest(values)}))


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "resource_type": change.type,
        "action": change.action.name.lower(),
        "impact": change.impact.key,
        "adopts": change.adopts,
        "reboots": change.reboots,
        "fields": [
            {
                "path": field.path,
                "have": refs.to_json(harmless(field.path, field.have)),
                "want": refs.to_json(harmless(field.path, field.want)),
                "impact": field.impact.key,
                "until": field.until,
            }
            for field in change.fields
        ],
    }


def canonical(values: Mapping[str, Any]) -> bytes:
    """The canonical JSON of these values: keys sorted, no insignificant space, ASCII."""
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def _digest(values: Mapping[str, Any], without: Iterable[str] = ("hash",)) -> str:
    return hashlib.sha256(canonical({key: item for key, item in values.items() if key not in without})).hexdigest()


def _parsed(time: str) -> datetime:
    return datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC)


# -- writing and reading -----------------------------------------------------------------------------------------------


def publish(session: Session, plan: PlanFile, out: PlanOut | None, *, blocked: bool) -> None:
    """Show the plan's hash, and write its file where one is asked for. A blocked plan is nothing to approve.

    Raises:
        PlanUnwritten: the file could not be written.
    """
    session.invocation.usage.plan_hash = plan.plan_hash
    if out is not None and blocked:
        session.screen.warn(f"{out.path} is not written: the plan is blocked, and nothing can be approved")
        out = None
    if out is not None:
        write_plan(out.path, plan)
    path, expires = (str(out.path), plan.expires) if out is not None else ("", "")
    session.screen.plan_hash(plan.plan_hash, path, expires)


def write_plan(path: Path, plan: PlanFile) -> None:
    """Write the file whole or not at all, for its owner alone, in place of an empty file or of another plan at most.

    Raises:
        PlanUnwritten: it could not be written, or something else is there; that is still there.
    """
    draft = ""
    try:
        if not _is_replaceable(path):
            raise PlanUnwritten(
                f"{path} is there and is no plan file: it was left as it is",
                hint="name another file, or remove that one, then run the same command again",
            )
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(canonical(plan.model_dump(mode="json")))
            file.flush()
            os.fsync(descriptor)
        Path(draft).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(draft).unlink()
        raise PlanUnwritten(
            f"the plan could not be written to {path}",
            evidence=error.strerror,
            hint="name a file in a folder that can be written, then run the same command again",
        ) from error


def _is_replaceable(path: Path) -> bool:
    """True if nothing is lost in this place: nothing is there, an empty file, or some plan, be it edited or old.

    A draft takes the place of whatever has the name: a record, a configuration, a device.

    Raises:
        OSError: what is there is no plain file, or cannot be read.
    """
    if not path.exists() and not path.is_symlink():
        return True
    try:
        text = read_file(path, MAX_BYTES)
        data = json.loads(text) if text.strip() else {"plan_hash": ""}
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "plan_hash" in data


def read_plan(path: Path) -> PlanFile:
    """Read a plan file; its hash proves no author, so in a folder that others may write to it has to be ours.

    Raises:
        PlanInvalid: it cannot be read, may be somebody else's, is too large, cut off, of another format, or no plan.
        PlanOutdated: it was edited: its hashes are not those of its content.
    """
    try:
        text = read_handed_file(path, MAX_BYTES)
    except OSError as error:
        cure = error.cure if isinstance(error, ForeignFile) else None
        raise _invalid(path, "cannot be read", error.strerror, cure) from None
    if undecodable := decoding_problem(text):
        raise _invalid(path, "is not UTF-8 text", undecodable)
    try:
        data = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, "is not valid JSON, or was cut off", json_problem(error)) from None
    number = data.get("format") if isinstance(data, dict) else None
    if type(number) is int and number > FORMAT:
        raise _invalid(path, "was written by a newer tapctl", f"it has format {number}, this tapctl reads {FORMAT}")
    try:
        plan = PlanFile.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _invalid(path, "is no plan file", shape_problems(error)) from None
    if (plan.hash, plan.plan_hash) != (_digest(data), _digest(data, _NOT_IN_PLAN_HASH)):
        raise PlanOutdated(
            f"the plan file {path} was edited: its hash is not that of its content",
            hint="make a new one with tapctl plan --out, and have that approved",
        )
    return plan


def _invalid(path: Path, problem: str, evidence: str | None, hint: str | None = None) -> PlanInvalid:
    hint = hint or "name a file that tapctl plan --out has written; or make a new one, and have that approved"
    return PlanInvalid(f"the plan file {path} {problem}", evidence=evidence, hint=hint)


def schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of a plan file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanFile.model_json_schema()}


# -- comparing ---------------------------------------------------------------------------------------------------------

NOTHING_KEPT: Final[Mapping[str, Retained]] = MappingProxyType({})
_INPUTS: Final = ("tapctl", "config_hash", "aws", "destroy", "permits", "networking", "image")
"""The values that decide, together with AWS, what is to be done."""


def inputs_differ(then: PlanFile, today: PlanFile) -> Iterator[str]:
    """The names of the values that decide what is wanted, and are others today."""
    return (name for name in _INPUTS if getattr(then, name) != getattr(today, name))


def continues(then: PlanFile, today: PlanFile) -> bool:
    """True if today's plan is the rest of the earlier one: the same is wanted, and nothing costs more than it did."""
    approved = {change.address: change for change in then.changes}
    if today.snapshot not in ("", then.snapshot) or not {*today.ends} <= {*then.ends}:
        return False
    return not any(inputs_differ(then, today)) and all(
        change.address in approved and _is_within(change, approved[change.address]) for change in today.changes
    )


def _is_within(change: PlannedChange, approved: PlannedChange) -> bool:
    if Action[change.action.upper()] > Action[approved.action.upper()] or _code(change) - _code(approved):
        return False
    if approved.action in ("create", "replace"):
        return True  # all of it was to be made
    costs_more = Impact[change.impact.upper()] > Impact[approved.impact.upper()]
    return not costs_more and {_field(part) for part in change.fields} <= {_field(part) for part in approved.fields}


def _code(change: PlannedChange) -> set[str]:
    """The package that is to be deployed: of what is wanted, the one thing that no input tells (`_INPUTS`)."""
    return {str(part.want) for part in change.fields if part.path == "code_sha256"}


def _field(part: PlannedField) -> str:
    return part.path.partition(".")[0]


def differences(then: PlanFile, today: PlanFile, kept: Mapping[str, Retained] = NOTHING_KEPT) -> Iterator[str]:
    """Tell in a line each what has changed since: in tapctl, in the files, in the record, in AWS.

    ``kept``: what a destroy would leave today, by address.
    """
    yield from _inputs_changed(then, today)
    before, after = ({change.address: change for change in plan.changes} for plan in (then, today))
    wants_other = then.tapctl != today.tapctl, then.config_hash != today.config_hash
    made = "tapctl" if wants_other == (True, False) else "the files"
    source = made if any(wants_other) else "AWS"
    for address in dict.fromkeys([*before, *after]):
        approved, change = before.get(address), after.get(address)
        if change is None and address in kept:
            yield f"in AWS: {address}: {_verb(approved)} was approved, now it is kept: {kept[address].why}"
        elif change is None:
            yield f"in {source}: {address}: the approved {_verb(approved)} is not needed any more"
        elif approved is None:
            yield f"in {source}: {address}: {_verb(change)} was not approved{_shown(change)}"
        else:
            yield from _changed(approved, change, source, made)


def _inputs_changed(then: PlanFile, today: PlanFile) -> Iterator[str]:
    """Tell in a line each what has changed of that which decides, together with AWS, what is to be done."""
    if then.tapctl != today.tapctl:
        yield f"in tapctl: {then.tapctl} → {today.tapctl}"
    if then.config_hash != today.config_hash:
        yield f"in the files: config {then.config_hash[:8]} → {today.config_hash[:8]}"
    if then.permits != today.permits:
        yield "in the flags: those that permit a step"
    if then.serial != today.serial:
        yield f"in the record: serial {then.serial} → {today.serial}"
    yield from (
        f"in AWS: networking {name}: {_text(then.networking.get(name))} → {_text(today.networking.get(name))}"
        for name in sorted({*then.networking, *today.networking})
        if then.networking.get(name) != today.networking.get(name)
    )
    if then.image != today.image:
        yield f"in AWS: image {then.image or '(none)'} → {today.image or '(none)'}"
    if then.snapshot != today.snapshot:
        yield f"in AWS: the data: {then.snapshot or '(none)'} → {today.snapshot or '(none)'}"
    yield from (f"in AWS: {one} would end, which was not approved" for one in today.ends if one not in then.ends)
    yield from (f"in AWS: {one} was to end, and is not there" for one in then.ends if one not in today.ends)


def _verb(change: PlannedChange | None) -> str:
    return change.action if change else ""


def _shown(change: PlannedChange) -> str:
    if change.action != "update":
        return ""
    return f" ({', '.join(f'{part.path}: {_text(part.have)} → {_text(part.want)}' for part in change.fields)})"


def _changed(approved: PlannedChange, change: PlannedChange, source: str, made: str) -> Iterator[str]:
    address = change.address
    if approved.action != change.action:
        yield f"in {source}: {address}: {approved.action} was approved, now it is {change.action}"
        return
    before, after = ({part.path: part for part in each.fields} for each in (approved, change))
    told = False
    for path in dict.fromkeys([*before, *after]):
        then, today = before.get(path), after.get(path)
        if then == today:
            continue
        told = True
        was = f"{_text(then.have)} → {_text(then.want)}" if then else "no change"
        now_is = f"{_text(today.have)} → {_text(today.want)}" if today else "no change"
        where = source
        if then and today:
            where = "AWS" if then.have != today.have else made if then.want != today.want else source
            if (then.have, then.want) == (today.have, today.want):
                was, now_is = (f"{part.impact} {part.until}".strip() for part in (then, today))
        yield f"in {where}: {address} {path}: {was} was approved, now {now_is}"
    if not told and approved != change:
        yield f"in {source}: {address}: {approved.impact} was approved, now {change.impact}"


def _text(value: Any) -> str:
    text = "(none)" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _VALUE_CHARS else f"{text[: _VALUE_CHARS - 1]}…"
