"""Records of runs that tests of the reports stand on: as the command writes them, and as a stranger would."""

from __future__ import annotations

import json
from typing import Any

from tapctl.reports.run import Run, run_of

Record = dict[str, Any]
KEY, GROUP, CLUSTER, FUNCTION = (
    "kms-key/alias/db-key-dev",
    "security-group-rules/db-sg-dev",
    "db-cluster/db-cluster-dev",
    "lambda-function/payment-processor-dev",
)
HOSTILE = "x`|<script>alert(1)</script>\n::error::@team #1 ##vso[task] \u202e\x1b[2J"
"""What others write: markup, a row's end, commands to CI systems, a mention, control and bidi characters."""


def version(verb: str = "drift", env: str = "dev", **more: Any) -> Record:
    target = {"env": env, "suffix": env, "account": "123456789012", "region": "us-east-2"}
    return {
        "type": "version",
        "ui": "1.0",
        "tapctl": "0.1.0",
        "verb": verb,
        "config_hash": "9f3c1a7e00",
        **target,
        **more,
    }


def verdict(verb: str = "drift", exit_: int = 2, status: str = "DIFFERENT", **more: Any) -> Record:
    counts = {"drifted": 1}
    told = {
        "env": "dev",
        "suffix": "dev",
        "counts": counts,
        "elapsed_s": 9.5,
        "api_calls": 56,
        "manifest": "manifests/dev.json",
    }
    return {"type": "verdict", "verb": verb, "status": status, "exit": exit_, **told, **more}


def finding(
    field: str = "timeout_s", recorded: Any = 30, live: Any = 15, *, address: str = FUNCTION, **more: Any
) -> Record:
    told = {"id": "91423d5e40", "fingerprint": "f" * 64, "state": "DRIFT", "severity": "low"}
    where = {"address": address, "resource_type": address.partition("/")[0], "field": field}
    return {"type": "finding", **told, **where, "recorded": recorded, "live": live, **more}


def change(address: str = CLUSTER, action: str = "update", *fields: Record, **more: Any) -> Record:
    where = {"address": address, "resource_type": address.partition("/")[0]}
    return {"type": "planned_change", **where, "action": action, "fields": list(fields), **more}


def field(path: str = "port", have: Any = 5432, want: Any = 5433) -> Record:
    return {"path": path, "have": have, "want": want, "impact": "none", "text": ""}


def result(address: str, result: str = "created", elapsed_s: float = 1.0, **more: Any) -> Record:
    return {
        "type": "resource",
        "address": address,
        "id": address.partition("/")[2],
        "result": result,
        "elapsed_s": elapsed_s,
        **more,
    }


def span(address: str, phase: str, start_s: float, end_s: float, calls: int = 1) -> Record:
    return {"type": "span", "address": address, "phase": phase, "start_s": start_s, "end_s": end_s, "calls": calls}


def error(code: str = "aws-refused", **more: Any) -> Record:
    told = {"message": "creating it", "why": "AccessDenied", "hint": "allow it", "aws": None, "retry_safe": True}
    return {"type": "error", "code": code, **told, **more}


def stack(**needs: list[str]) -> Record:
    return {"type": "stack", "resources": [{"address": address, "needs": each} for address, each in needs.items()]}


PLACE = {"file": "environments/common.toml", "line": 21, "key": "processor.timeout_s"}
RULE = {"direction": "ingress", "peer": "0.0.0.0/0", "description": HOSTILE}
DRIFT: list[Record] = [
    version(),
    stack(**{KEY: [], GROUP: [], CLUSTER: [KEY, GROUP], FUNCTION: [CLUSTER, "gone/elsewhere"]}),
    finding(
        config=PLACE,
        cause="automation",
        who={
            "principal": "dana",
            "at": "2026-11-28",
            "via": "console",
            "event": "Update",
            "event_id": "e-1",
            "run": "r-1",
            "note": "by its user agent a run of tapctl that is not the record's last",
        },
        edit="common.toml: processor.timeout_s",
        accept="tapctl accept --env dev x",
        undo="tapctl apply --env dev",
        waive="tapctl waive --env dev x",
    ),
    {"type": "warning", "message": "nobody is told"},
    {"type": "warning", "message": "nobody is told"},
    finding("rules", None, RULE, address=GROUP, id="f01a5211e7", severity="high"),
    finding(
        *("policy", None, None),
        address=KEY,
        state="UNKNOWN",
        severity="high",
        text="kms:GetKeyPolicy denied",
        note="kms:GetKeyPolicy denied",
        read="tapctl drift",
    ),
    finding("port", None, 5433, address=CLUSTER, state="PENDING", note="until reboot"),
    finding(
        *("memory_mb", 128, 256),
        state="WAIVED",
        waiver={"owner": "dana", "reason": "load test", "until": "2027-01-01"},
        who={"principal": "dana", "at": "2026-11-28", "via": "console", "event": "Update"},
    ),
    span("", "sts:GetCallerIdentity", 0.1, 0.2),
    span(KEY, "kms:DescribeKey", 0.3, 0.4),
    verdict(not_compared=[f"{KEY}.policy", f"iam-role: {HOSTILE}"]),
]
APPLY: list[Record] = [
    version("apply"),
    stack(**{KEY: [], CLUSTER: [KEY], FUNCTION: [CLUSTER]}),
    change(KEY, "create", field("rotation", None, True) | {"text": "(none) → true"}),
    change(CLUSTER, "update", field(), field("tags.Owner", "dana", None), impact="failover"),
    change(FUNCTION, "nothing", blocked={"code": "refused", "message": HOSTILE}),
    {"type": "estimate", "usual_s": 185.0, "critical_path": [KEY, CLUSTER], "resources": {KEY: 0.5}},
    {"type": "progress", "address": CLUSTER, "status": "creating", "elapsed_s": 2, "usual_s": 185},
    span(KEY, "kms:CreateKey", 1.0, 1.5),
    span(CLUSTER, "rds:DescribeDBClusters", 0.2, 0.3),
    span(CLUSTER, "creating", 2.1, 5.0, 0),
    result(KEY, elapsed_s=1.0),
    result(CLUSTER, "failed", 3.0, note="no room"),
    result(FUNCTION, "skipped", 0, note="waiting for what failed"),
    error(problems=[{"file": "environments/dev.toml", "key": "a.b", "value": "5", "rule": "no key", "line": 3}]),
    error("no-place", hint=None, why=None),
    verdict("apply", 4, "NOT CONVERGED", summary="1 failed", impacts={"failover": 1, "restart": 0}),
]
PARITY: list[Record] = [
    version("parity", ""),
    {
        "type": "difference",
        "where": "files",
        "what": "memory_mb",
        "values": {"dev": 1, "prod": 2},
        "verdict": "allowed",
    },
    {
        "type": "difference",
        "where": "files",
        "what": HOSTILE,
        "values": {"dev": None, "prod": HOSTILE},
        "verdict": "not allowed",
    },
    {
        "type": "difference",
        "where": "aws",
        "what": "sns-topic/alarms-<name> tags.Team",
        "values": {"dev": "x"},
        "verdict": "waived",
        "waivers": [{"owner": "dana", "reason": HOSTILE, "until": "2026-12-31"}],
    },
    verdict("parity", env="all", suffix=""),
]
STATUS: list[Record] = [
    version("status", ""),
    {"type": "status", "environment": "dev", "resources": 24, "since": "now", "by": HOSTILE, "health": "healthy"}
    | {"not_compared": ["iam-role: last use"]},
    {"type": "preflight", "check": "quotas", "ok": True, "detail": "24 of 100"},
    {"type": "output", "name": "endpoint", "value": "db.example"},
    {"type": "graph", "format": "dot", "text": "digraph {\n  a\n}"},
    {"type": "document", "text": "a manifest"},
    {"type": "document", "other": 1},
    {"type": "row", "a": 1},
    verdict("status", 0, "OK", env="all", suffix="", counts={}),
]
RUNS = {"drift": DRIFT, "apply": APPLY, "parity": PARITY, "status": STATUS, "cut": APPLY[:-3]}


def run(name: str) -> Run:
    return run_of(RUNS[name])


def lines(records: list[Record]) -> bytes:
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()
