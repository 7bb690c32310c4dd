"""What the manifest holds: one entry for each thing we made, and who wrote it when. Plain JSON, one format number.

AWS is the truth and this is a diary: it says what we made and how we left it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator
from pydantic_core import to_json

from tapctl.engine.record import Entry, PlainJson
from tapctl.errors import ManifestError, WrongTarget

FORMAT = 1
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
"""UTC, ISO 8601, to the second."""
_SHOWN = 5


class Manifest(BaseModel):
    """The whole record of one suffix."""

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

    @model_validator(mode="after")
    def _keyed_by_address(self) -> Manifest:
        for key, entry in self.entries.items():
            if key != entry.address:
                raise ValueError(f"the entry {key} says that it is {entry.address}")
        return self


def empty(*, environment: str, suffix: str, account: str, region: str) -> Manifest:
    """The record of an environment in which nothing was made yet; it was never written: serial 0."""
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
    """This moment, as the manifest writes it."""
    return datetime.now(UTC).strftime(MOMENT)


def dump(manifest: Manifest) -> str:
    """The manifest as it is stored: the same one gives the same text, with keys sorted and a newline at its end."""
    # An apply writes it dozens of times, and what the standard library indents it writes in Python.
    return to_json(_sorted(manifest.model_dump(mode="json")), indent=2).decode() + "\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def parse(text: str | bytes, where: str) -> Manifest:
    """The manifest that this text is; ``where`` names its place in every error.

    Raises:
        ManifestError: empty, not UTF-8, not JSON, cut off, ambiguous, no manifest, or of a newer format.
    """
    try:
        content = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        _invalid(where, "is not UTF-8 text", str(error))
    if not content.strip():
        _invalid(where, "is empty", None)
    try:
        data = json.loads(content, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as error:
        _invalid(where, "is not valid JSON, or was cut off", str(error))
    found = data.get("format") if isinstance(data, dict) else None
    if type(found) is not int or found < 1:
        _invalid(where, "is no manifest of tapctl", f"its format number is {found!r:.40}")
    if found > FORMAT:
        raise ManifestError(
            f"the manifest {where} was written by a newer tapctl",
            evidence=f"it has format {found}, this tapctl reads up to {FORMAT}",
            hint="upgrade tapctl: pip install --upgrade tapctl",
        )
    try:
        return Manifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        _invalid(where, "is no manifest of tapctl", _summarise(error))


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return made


def _summarise(error: ValidationError) -> str:
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors()]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "\n".join(found[:_SHOWN] + more)


def _invalid(where: str, what: str, evidence: str | None) -> NoReturn:
    raise ManifestError(
        f"the manifest {where} {what}",
        evidence=evidence,
        hint="put an earlier copy of it back, or move it away and run tapctl apply: that makes it anew from AWS",
    ) from None


def check(manifest: Manifest, where: str, *, environment: str, suffix: str, account: str, region: str) -> None:
    """Make sure that this is the record of what we are about to work on; ``where`` names its place.

    Raises:
        WrongTarget: it records another account or another region.
        ManifestError: it records another suffix or another environment.
    """
    target = (("account", manifest.account, account), ("region", manifest.region, region))
    for what, recorded, wanted in target:
        if recorded != wanted:
            raise WrongTarget(
                f"the manifest {where} is of {what} {recorded}, this is {what} {wanted}",
                evidence=f"{where}: {what} = {recorded}",
                hint=f"use the credentials and --region of that {what}, or another --state",
            )
    name = (("suffix", manifest.suffix, suffix), ("environment", manifest.environment, environment))
    for what, recorded, wanted in name:
        if recorded != wanted:
            raise ManifestError(
                f"the manifest {where} is of {what} {recorded}, not of {wanted}",
                evidence=f"{where}: {what} = {recorded}",
                hint="put the right file there, or use another --suffix or another --state",
            )
