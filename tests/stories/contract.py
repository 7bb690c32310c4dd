"""The contract of JSON Lines: the keys that each line has to have. More may be there: additions are no breach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tapctl import __version__
from tests.support.world import Answer

_TEXT, _NUMBER, _ANY = (str,), (int, float), (object,)
_MAYBE = (str, type(None))

LINES: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "version": dict.fromkeys(("ui", "tapctl", "verb", "env", "suffix", "account", "region", "config_hash"), _TEXT),
    "planned_change": {"address": _TEXT, "resource_type": _TEXT, "action": _TEXT, "fields": (list,)},
    "progress": {"address": _TEXT, "status": _TEXT, "elapsed_s": _NUMBER},
    "resource": {"address": _TEXT, "id": _TEXT, "result": _TEXT, "elapsed_s": _NUMBER},
    "finding": {
        "address": _TEXT,
        "resource_type": _TEXT,
        "field": _TEXT,
        "state": _TEXT,
        "recorded": _ANY,
        "live": _ANY,
    },
    "output": {"name": _TEXT, "value": _TEXT},
    "error": {
        "code": _TEXT,
        "message": _TEXT,
        "why": _MAYBE,
        "hint": _MAYBE,
        "aws": (dict, type(None)),
        "retry_safe": (bool,),
    },
    "verdict": {
        "verb": _TEXT,
        "env": _TEXT,
        "status": _TEXT,
        "exit": (int,),
        "counts": (dict,),
        "elapsed_s": _NUMBER,
        "api_calls": (int,),
        "manifest": _TEXT,
    },
    # Added since: what is no list of resources.
    "status": {"environment": _TEXT, "resources": (int,), "since": _TEXT, "by": _TEXT, "health": _TEXT},
    "difference": {"where": _TEXT, "what": _TEXT, "values": (dict,), "verdict": _TEXT},
    "certificate": {"state": _TEXT, "address": _TEXT, "until": _TEXT, "why": _TEXT},
    "graph": {"format": _TEXT, "text": _TEXT},
    "document": {},
    "stack": {"resources": (list,)},
    "span": {"address": _TEXT, "phase": _TEXT, "start_s": _NUMBER, "end_s": _NUMBER, "calls": (int,)},
    "estimate": {"usual_s": _NUMBER, "critical_path": (list,)},
    "plan": {"hash": _TEXT, "path": _TEXT, "expires": _TEXT},
    "iam_policy": {"for": _TEXT},
    "warning": {"message": _TEXT},
    "preflight": {"check": _TEXT, "ok": (bool, type(None)), "detail": _TEXT},
}
RESULTS = {"created", "updated", "replaced", "deleted", "kept", "unchanged", "failed", "skipped"}
STATES = {"DRIFT", "PENDING", "UNKNOWN", "MISSING", "UNEXPECTED", "WAIVED"}


def holds(answer: Answer, verb: str) -> list[dict[str, Any]]:
    """Check every line; returns them."""
    records = answer.records
    assert records[0] | {"type": "version", "ui": "1.0", "tapctl": __version__, "verb": verb} == records[0]
    assert [one["type"] for one in records].count("version") == 1
    last = records[-1]
    assert (last["type"], last["verb"], last["exit"]) == ("verdict", verb, answer.code)
    assert [one["type"] for one in records].count("verdict") == 1
    for one in records:
        for name, types in LINES[one["type"]].items():
            assert isinstance(one[name], types), (one["type"], name, one[name])
        if one["type"] == "planned_change":
            for field in one["fields"]:
                assert {"path", "have", "want", "impact"} <= set(field)
        if one["type"] == "resource":
            assert one["result"] in RESULTS
        if one["type"] == "finding":
            assert one["state"] in STATES
        if one["type"] == "error" and one["aws"] is not None:
            assert set(one["aws"]) == {"service", "operation", "code", "request_id"}
    assert answer.out.isascii()
    return records
