"""The proof of a destroy: what is gone, what is kept on purpose and until when, what was left by mistake."""

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
    """How one destroy ended. ``at``: UTC, ISO 8601."""

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
    """What is still there, or may be, although it was to go."""

    def records(self) -> list[dict[str, Any]]:
        """One thing each, for tables and programs."""
        gone = [_record("gone", here) for here in sorted(self.deleted)]
        kept = [_record("kept", here, one.until, one.why) for here, one in sorted(self.retained.items())]
        return [*gone, *kept, *(_record("left", here) for here in sorted(self.remaining))]

    def rows(self) -> list[list[str]]:
        """The same as cells under `COLUMNS`."""
        return [[one["state"], one["resource_type"], one["id"], one["until"], one["why"]] for one in self.records()]

    def continuing(self, before: bytes | None) -> Certificate:
        """The same, with what the destroy before it had removed where that one was not complete.

        What it kept or left is told as it is now. What cannot be read is no certificate.
        """
        gone = _unfinished(before) - self.retained.keys() - set(self.remaining)
        return replace(self, deleted=tuple(sorted(gone.union(self.deleted))))

    def text(self) -> bytes:
        """As it is kept beside the manifest: JSON, the same certificate always the same text."""
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
            "kept": {here: {"until": one.until, "why": one.why} for here, one in self.retained.items()},
            "left": sorted(self.remaining),
        }
        return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _unfinished(before: bytes | None) -> set[str]:
    try:
        found = json.loads(before or b"{}")
        gone = [] if found.get("complete", True) else found["gone"]
        return {here for here in gone if isinstance(here, str)}
    except (ValueError, AttributeError, KeyError, TypeError):
        return set()


def _record(state: str, here: str, until: str = "", why: str = "") -> dict[str, Any]:
    type_, _, id_ = here.partition("/")
    told = {"type": NAME, "state": state, "address": here, "resource_type": type_, "id": id_}
    return {**told, "until": until, "why": why}
