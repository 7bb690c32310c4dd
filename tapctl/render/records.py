"""What a verb says as JSON values: a contract (``ui`` is its version), to which things are only added."""

from __future__ import annotations

from typing import Any, Final

from tapctl import __version__
from tapctl.engine import refs
from tapctl.engine.change import Change
from tapctl.engine.drift import Finding
from tapctl.engine.events import Detached, Failed, Finished, Progress, Result, Skipped
from tapctl.errors import AwsError, ConfigError, TapctlError
from tapctl.render.screen import Advice, Target, Verdict

UI: Final = "1.0"

Record = dict[str, Any]


def version(header: Target) -> Record:
    """The first line."""
    return {
        "type": "version",
        "ui": UI,
        "tapctl": __version__,
        "verb": header.verb,
        "env": header.env,
        "suffix": header.suffix,
        "account": header.account,
        "region": header.region,
        "config_hash": header.config_hash,
        "identity": header.identity,
    }


def planned_change(change: Change) -> Record:
    """One change of a plan. ``have`` or ``want`` null: it is not there, or not wanted."""
    blocked = change.blocked
    return {
        "type": "planned_change",
        "address": change.address,
        "resource_type": change.type,
        "action": change.action.name.lower(),
        "fields": [
            {
                "path": one.path,
                "have": refs.to_json(one.have),
                "want": refs.to_json(one.want),
                "impact": one.impact.word,
                "outside": one.outside,
                "until": one.until,
            }
            for one in change.fields
        ],
        "impact": change.impact.word,
        "outside": change.outside,
        "pending": {name: {"until": one.until, "detail": one.detail} for name, one in sorted(change.pending.items())},
        "unread": dict(change.unreadable),
        "unexpected": list(change.foreign_members),
        "note": change.note,
        "blocked": {"code": blocked.code, "message": blocked.cause, "hint": blocked.hint} if blocked else None,
    }


def progress(event: Progress) -> Record:
    """What is awaited. Seconds."""
    return {
        "type": "progress",
        "address": event.address,
        "status": event.status,
        "elapsed_s": _seconds(event.elapsed_s),
        "awaiting": event.awaiting,
        "usual_s": _seconds(event.usual_s),
    }


def resource(address: str, result: Result, elapsed_s: float = 0, note: str = "") -> Record:
    """How one resource ended. Seconds."""
    return {
        "type": "resource",
        "address": address,
        "id": address.partition("/")[2],
        "result": result.value,
        "elapsed_s": _seconds(elapsed_s),
        "note": note,
    }


def ended(event: Finished | Failed | Detached | Skipped, elapsed_s: float = 0) -> Record:
    """How one resource ended, by its last event. What was left while AWS goes on has not succeeded: failed."""
    if isinstance(event, Finished):
        return resource(event.address, event.result, event.elapsed_s, event.remark)
    if isinstance(event, Failed):
        return resource(event.address, Result.FAILED, event.elapsed_s, event.error.cause) | {"code": event.error.code}
    if isinstance(event, Detached):
        note = f"left while AWS goes on with it: {event.status}" if event.status else "left while AWS goes on with it"
        return resource(event.address, Result.FAILED, elapsed_s, note)
    causes = ", ".join(event.causes)
    return resource(
        event.address, Result.SKIPPED, 0, f"waiting for what failed: {causes}" if causes else "asked to stop"
    )


def finding(found: Finding, advice: Advice | None) -> Record:
    """One finding, and what to do about it."""
    return {
        "type": "finding",
        "address": found.address,
        "resource_type": found.type,
        "field": found.field,
        "state": found.state.value,
        "recorded": refs.to_json(found.recorded),
        "live": refs.to_json(found.live),
        "note": found.note,
        "edit": advice.edit if advice else "",
        "undo": advice.undo if advice else "",
        "read": advice.read if advice else "",
        "now": advice.now if advice else "",
    }


def error(failed: TapctlError, state: str = "") -> Record:
    """An error. ``retry_safe``: the same command, run again as it is, goes on from here or may well succeed."""
    made: Record = {
        "type": "error",
        "code": failed.code,
        "message": failed.cause,
        "why": failed.evidence,
        "hint": failed.hint,
        "aws": None,
        "retry_safe": failed.retry_safe,
        "state": state,
    }
    if isinstance(failed, AwsError):
        made["aws"] = {
            "service": failed.service,
            "operation": failed.operation,
            "code": failed.aws_code,
            "request_id": failed.request_id,
        }
    if isinstance(failed, ConfigError):
        made["problems"] = [
            {"file": one.file, "key": one.key, "value": one.value, "rule": one.rule} for one in failed.problems
        ]
    return made


_STATUS: Final = {2: "DIFFERENT", 7: "INCOMPLETE"}
"""What a verdict without a word of its own says by its exit status."""


def verdict(last: Verdict) -> Record:
    """The last line."""
    return {
        "type": "verdict",
        "verb": last.verb,
        "env": last.env,
        "suffix": last.suffix,
        "status": last.status or _STATUS.get(last.exit, "OK"),
        "exit": last.exit,
        "counts": dict(last.counts),
        "elapsed_s": _seconds(last.elapsed_s),
        "api_calls": last.api_calls,
        "changing_calls": last.changing_calls,
        "manifest": last.manifest,
        "summary": last.summary,
    }


def _seconds(value: float) -> float:
    return round(value, 3)
