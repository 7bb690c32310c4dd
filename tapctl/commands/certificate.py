"""The certificate of a destroy: what is gone, what is kept on purpose and until when, what was left by mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tapctl.engine.model import Retained

NAME: Final = "certificate"
COLUMNS: Final = ("certificate", "type", "id", "until", "why")
_FORMAT: Final = 1


@dataclass(frozen=True)
class Certificate:
    """The end of one destroy, address by address. ``at``: UTC, ISO 8601."""

    environment: str
    suffix: str
    account: str
    region: str
    run: str
    by: str
    at: str
    deleted: tuple[str, ...]
    retained: Mapping[str, Retained]
    remaining: tuple[str, ...]
    """Addresses of resources that are still there, or may be, although they were to go."""

    def records(self) -> list[dict[str, Any]]:
        """One record a resource, for programs."""
        gone = [_record("gone", address) for address in sorted(self.deleted)]
        kept = [_record("kept", address, why.until, why.why) for address, why in sorted(self.retained.items())]
        return [*gone, *kept, *(_record("left", address) for address in sorted(self.remaining))]

    def rows(self) -> list[list[str]]:
        """The same records as cells under `COLUMNS`."""
        keys = ("state", "resource_type", "id", "until", "why")
        return [[record[key] for key in keys] for record in self.records()]

    def continuing(self, before: bytes | None) -> Certificate:
        """This certificate with the resources that an incomplete destroy before it had removed.

        Resources which that one kept or left count as this one found them. A text that cannot be read is no
        certificate.
        """
        gone = _gone_before(before) - self.retained.keys() - set(self.remaining)
        return replace(self, deleted=tuple(sorted(gone.union(self.deleted))))

    def text(self) -> bytes:
        """The JSON that is kept beside the manifest; the same certificate always has the same text."""
        content = {
            "format": _FORMAT,
            "environment": self.environment,
            "suffix": self.suffix,
            "account": self.account,
            "region": self.region,
            "run": self.run,
            "by": self.by,
            "at": self.at,
            "complete": not self.remaining,
            "gone": sorted(self.deleted),
            "kept": {address: {"until": why.until, "why": why.why} for address, why in self.retained.items()},
            "left": sorted(self.remaining),
        }
        return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _gone_before(text: bytes | None) -> set[str]:
    """The addresses that an earlier certificate says are gone, if it is not complete."""
    try:
        content = json.loads(text or b"{}")
        gone = [] if content.get("complete", True) else content["gone"]
        return {address for address in gone if isinstance(address, str)}
    except (ValueError, AttributeError, KeyError, TypeError):
        return set()


def _record(state: str, address: str, until: str = "", why: str = "") -> dict[str, Any]:
    type_, _, id_ = address.partition("/")
    resource = {"address": address, "resource_type": type_, "id": id_}
    return {"type": NAME, "state": state, **resource, "until": until, "why": why}
