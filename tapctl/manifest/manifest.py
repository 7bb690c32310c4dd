"""The manifest's schema: one entry for each resource we made, and who wrote it when. Plain JSON, one format number.

AWS is the truth; the manifest says what we made and how we left it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import to_json

from tapctl.engine.record import Entry, Phase, PlainJson
from tapctl.errors import ManifestError, WrongTarget
from tapctl.manifest import shape
from tapctl.manifest.earlier import as_written_now
from tapctl.safety.json_errors import decoding_problem, json_problem, shape_problems, unique_keys

FORMAT = 1
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""UTC, ISO 8601, to the second."""
SKEW = timedelta(minutes=5)
"""The most by which a clock may be off: AWS takes no request whose time is further from its own."""
MAX_BYTES = 4 * 1024 * 1024
"""More than any manifest has: some 200 bytes to 20 kB for each entry."""
_REACHED_SERIAL = 90_000_000
"""The highest serial that counts as written by a run. Above it a run's own have room up to `shape.MAX_SERIAL`."""
FINGERPRINT_FORM = "1:"
"""The beginning of a `fingerprint`; a later form has another."""
_MAX_ERRORS = 5


class Damaged(ManifestError):
    """The file in a manifest's place is none that tapctl has written: cut off, edited, or something else."""


class AwsKind(StrEnum):
    """The kind of AWS that resources are in. The account does not tell: the sandbox has the configuration's own."""

    REAL = "real"
    SANDBOX = "sandbox"
    ENDPOINT = "endpoint"
    """An endpoint of the user's own (``AWS_ENDPOINT_URL``): may be any AWS."""


class Manifest(BaseModel):
    """Everything recorded of one suffix."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: StrictInt = FORMAT
    environment: str
    suffix: str
    account: str
    region: str
    serial: int = Field(ge=0)
    """Grows with every write; two different writes never share one."""
    config_hash: str
    run: str
    written_by: str
    written_at: str
    """UTC, ISO 8601, to the second."""
    networking: PlainJson
    entries: dict[str, Entry]
    aws: AwsKind = AwsKind.REAL
    """Stored only if not real, so that a tapctl that does not know the key still reads a real environment's manifest.
    To be read by `aws_kind`.
    """
    ci: str = ""
    """The CI run that wrote it, see `tapctl.manifest.lock.ci_run`. Stored only where there was one."""
    commit: str = ""
    """The commit that the CI had checked out. Stored as ``ci``."""
    actor: str = ""
    """Whom the CI ran for. Stored as ``ci``."""
    unfinished: bool = False
    """True from an apply's first write to its last: it is at work, or did not get to its end; a destroy ends that with
    its first. Stored as ``ci``."""
    restoring: str = ""
    """The snapshot from which an ``unfinished`` apply makes the cluster: nobody makes it without data unasked. Stored
    as ``ci``."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        stored: dict[str, Any] = serialize(self)
        defaults = {"aws": AwsKind.REAL, "ci": "", "commit": "", "actor": "", "unfinished": False, "restoring": ""}
        return {key: value for key, value in stored.items() if key not in defaults or value != defaults[key]}

    @property
    def stamp(self) -> str:
        """The version in a few words: its serial, when it was written, and by whom."""
        return f"serial {self.serial}, written at {self.written_at} by {self.written_by}"

    @property
    def aws_kind(self) -> AwsKind:
        """The kind of AWS that the entries are in. A manifest older than ``aws`` has it as the prefix of its run id."""
        if self.aws is not AwsKind.REAL:
            return self.aws
        prefix = self.run.rpartition("-")[0]
        return {"": AwsKind.REAL, "embedded": AwsKind.SANDBOX}.get(prefix, AwsKind.ENDPOINT)

    @property
    def is_settled(self) -> bool:
        """True if the record tells of no resource that a run which was cut off has left half done.

        Of a record of the files as they are all that they want is recorded then, or a run was cut off where no entry
        shows it: between two resources.
        """
        return {entry.phase for entry in self.entries.values()} <= {Phase.MADE, Phase.KEPT}

    @property
    def is_whole(self) -> bool:
        """True if a run got to its end: what it has made is made for one another."""
        return self.is_settled and not self.unfinished

    @model_validator(mode="after")
    def _keyed_by_address(self) -> Manifest:
        for key, entry in self.entries.items():
            if key != entry.address:
                raise ValueError(f"the entry {key} says that it is {entry.address}")
        return self


def empty(*, environment: str, suffix: str, account: str, region: str) -> Manifest:
    """The manifest of an environment in which nothing was made yet; never written: serial 0."""
    return Manifest(
        environment=environment,
        suffix=suffix,
        account=account,
        region=region,
        serial=0,
        config_hash="",
        run="",
        written_by="",
        written_at="",
        networking={},
        entries={},
    )


def now() -> str:
    """The present time, as the manifest writes it."""
    return datetime.now(UTC).strftime(TIME_FORMAT)


def is_of_tomorrow(manifest: Manifest) -> bool:
    """True if it says that it was written later than now, by more than two clocks that AWS takes differ."""
    return manifest.written_at > (datetime.now(UTC) + SKEW).strftime(TIME_FORMAT)


def dump(manifest: Manifest) -> str:
    """Write the manifest as text: the same one gives the same text, with keys sorted and a newline at its end."""
    # pydantic's encoder: an apply writes dozens of manifests, and the standard library's is in Python where it indents.
    return to_json(_sorted(manifest.model_dump(mode="json")), indent=2).decode() + "\n"


def fingerprint(manifest: Manifest) -> str:
    """Hash the entries of the manifest: `FINGERPRINT_FORM` and 32 hexadecimal digits.

    Of what has its default nothing is in it: a later tapctl that knows more keys computes the same. Nor are serial and
    run: a run leaves it before its last write, whose serial nobody knows yet (one whose answer is lost takes the next),
    and each write that changes no entry would have to tag anew.
    """
    entries = manifest.model_dump(mode="json", exclude_defaults=True, include={"entries"})
    return f"{FINGERPRINT_FORM}{hashlib.sha256(to_json(_sorted(entries))).hexdigest()[:32]}"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def parse(text: str | bytes, where: str) -> Manifest:
    """Parse the text of a manifest; ``where`` names its place in every error.

    Raises:
        Damaged: empty, too large, not UTF-8, not JSON, cut off, with a key twice, no manifest, or with names,
            identities or numbers of a shape that tapctl never writes.
        ManifestError: of a newer format.
    """
    if len(text) > MAX_BYTES:
        _invalid(where, "is too large", f"it has {len(text):,} bytes, a manifest has at most {MAX_BYTES:,}")
    if undecodable := decoding_problem(text) if isinstance(text, bytes) else "":
        _invalid(where, "is not UTF-8 text", undecodable)
    content = text.decode() if isinstance(text, bytes) else text
    if not content.strip():
        _invalid(where, "is empty", None)
    try:
        data = json.loads(content, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        _invalid(where, "is not valid JSON, or was cut off", json_problem(error))
    if not isinstance(data, dict):
        _invalid(where, "is no manifest of tapctl", "it is no JSON object")
    number = data.get("format")
    if type(number) is not int or number < 1:
        told = f"its format number is {json.dumps(number):.40}" if "format" in data else "it has no format number"
        _invalid(where, "is no manifest of tapctl", told)
    if number > FORMAT:
        raise ManifestError(
            f"the manifest {where} was written by a newer tapctl",
            evidence=f"it has format {number}, this tapctl reads up to {FORMAT}",
            hint="use the tapctl that wrote it, or a newer one: update the checkout it was installed from",
        )
    try:
        manifest = Manifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        _invalid(where, "is no manifest of tapctl", shape_problems(error, _MAX_ERRORS))
    odd = list(islice(shape.problems(dict(manifest)), _MAX_ERRORS + 1))
    if odd:
        rest = ["and more"] if len(odd) > _MAX_ERRORS else []
        _invalid(where, "holds what tapctl never writes", "\n".join([*odd[:_MAX_ERRORS], *rest]))
    return manifest.model_copy(update={"entries": as_written_now(manifest.entries)})


def _invalid(where: str, problem: str, evidence: str | None) -> NoReturn:
    raise Damaged(
        f"the manifest {where} {problem}",
        evidence=evidence,
        hint="put an earlier copy of it back, or move it away; an apply then makes it anew from AWS",
    ) from None


def check(manifest: Manifest, where: str, *, environment: str, suffix: str, account: str, region: str) -> None:
    """Make sure that the manifest is of the target we are about to work on; ``where`` names its place.

    Raises:
        Damaged: it records another suffix.
        ManifestError: it records another environment.
        WrongTarget: it records another account or another region.
    """
    check_suffix(manifest, where, suffix)
    if manifest.environment != environment:
        put = "put the right file there, or use another --suffix or another --state"
        copy = f"where {suffix} is a copy of {manifest.environment}, take the file {suffix}.toml away; else {put}"
        raise ManifestError(
            f"the manifest {where} is of environment {manifest.environment}, not of {environment}",
            evidence=f"{where}: environment = {manifest.environment}",
            hint=copy if environment == suffix else put,
        )
    file = f"{environment}.toml"
    moved = f"where account_id was changed in {file}, put the old one back; a second {suffix} wants another --state"
    elsewhere = f"use --region {manifest.region}, or put it back into {file}; a second {suffix} wants another --suffix"
    if all(entry.phase is Phase.KEPT for entry in manifest.entries.values()):
        moves = f"by its record nothing of {suffix} is deployed there: to move it, put that record and its history away"
        moved, elsewhere = (f"{hint}; {moves} (docs/state.md)" for hint in (moved, elsewhere))
    for key, recorded, wanted, hint in (
        ("account", manifest.account, account, moved),
        ("region", manifest.region, region, elsewhere),
    ):
        if recorded != wanted:
            raise WrongTarget(
                f"the manifest {where} is of {key} {recorded}, this is {key} {wanted}",
                evidence=f"{where}: {key} = {recorded}",
                hint=hint,
            )


def check_suffix(manifest: Manifest, where: str, suffix: str) -> None:
    """Make sure that the manifest is of the suffix in whose place it is; ``where`` names that place.

    Raises:
        Damaged: it is another suffix's, which somebody has put there.
    """
    if manifest.suffix != suffix:
        raise Damaged(
            f"the manifest {where} is the record of {manifest.suffix}, in the place of that of {suffix}",
            evidence=f"{where}: suffix = {manifest.suffix}, {manifest.stamp}",
            hint=f"move it away; where {suffix} was never deployed, an apply makes its record",
        )


def is_reached(serial: int) -> bool:
    """True if runs may have written as many versions: each takes the next serial."""
    return serial <= _REACHED_SERIAL


def check_serial(manifest: Manifest, where: str) -> None:
    """Make sure that runs may have written the serial of the manifest; ``where`` names its place.

    Raises:
        Damaged: it is so high that the versions after it would not be found in their order any more.
    """
    if not is_reached(manifest.serial):
        _invalid(where, "has a serial that no run has reached", f"serial: is {manifest.serial}, and runs count from 1")
