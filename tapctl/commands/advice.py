"""What to do about a drifted field: where to edit if the live value is wanted, which command undoes it if it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tapctl.config import rules
from tapctl.config.problems import parse, read
from tapctl.config.schema import CommonFile, EnvironmentFile
from tapctl.engine.drift import Finding, FindingState, Reason, Report
from tapctl.engine.model import OWNER_TAG, REBOOT, SUFFIX_TAG
from tapctl.errors import Problem
from tapctl.names import OUR_TAGS
from tapctl.render.screen import Advice
from tapctl.session.session import Session
from tapctl.stack.alarms import max_connections

_COMMON: Final = {
    "db-cluster": {
        "backup_retention_days": "database.backup_retention_days",
        "backup_window": "database.backup_window",
        "engine_version": "database.engine_version",
        "maintenance_window": "database.maintenance_window",
    },
    "db-cluster-parameter-group": {
        "parameters.log_min_duration_statement": "database.log_min_duration_statement_ms",
        "parameters.log_statement": "database.log_statement",
    },
    "db-instance": {"maintenance_window": "database.maintenance_window"},
    "lambda-function": {
        "timeout_s": "processor.timeout_s",
        "image_uri": "processor.image",
        "runtime": "processor.runtime",
    },
    "log-group": {"retention_days": "logs.retention_days"},
    "secret-rotation": {"rotation_days": "secrets.rotation_days"},
}
_ENVIRONMENT: Final = {
    "db-cluster": {"deletion_protection": "protected"},
    "db-instance": {"instance_class": "database.instance_class"},
    "lambda-function": {
        "memory_mb": "processor.memory_mb",
        "reserved_concurrency": "processor.reserved_concurrency",
    },
}
_CONNECTIONS: Final = "alarms.connections_threshold_percent"
_ALARMS: Final = {
    "payment-processor-errors-": ("alarms.error_threshold", True),
    "payment-processor-duration-": ("alarms.latency_threshold_ms", True),
    "payment-processor-throttles-": ("alarms.throttle_threshold", False),
    "db-cpu-": ("alarms.cpu_threshold_percent", False),
    "db-connections-": (_CONNECTIONS, False),
}
"""How an alarm's name begins to the key of its threshold, and whether that is the environment's own."""
_SNAPSHOT: Final = "final_snapshot"
_TAGS: Final = {"Service": (False, "service"), "tapctl:final-snapshot": (True, _SNAPSHOT)}
"""Our own tags that a key decides. The others are what the thing is and whose: no key wants them otherwise."""


_NOTHING: Final = (False, "")
_UNCHECKED: Final = "processor.image"
"""A table, where AWS tells one text: which of its keys says it is the user's choice."""


def advise(report: Report, session: Session) -> dict[tuple[str, str], Advice]:
    """Advice on each finding, by address and field."""
    theirs = {one.address: one.field.removeprefix("tags.") for one in report.findings if _is_theirs(one)}
    return {(one.address, one.field): _advice(one, session, theirs.get(one.address)) for one in report.findings}


def _is_theirs(one: Finding) -> bool:
    """Whether this names another owner: an apply refuses that. A tag that is gone names nobody, and is put back."""
    owners = (f"tags.{OWNER_TAG}", f"tags.{SUFFIX_TAG}")
    return one.reason is Reason.CHANGED and one.field in owners and one.live is not None


def _advice(one: Finding, session: Session, theirs: str | None) -> Advice:
    if one.reason is Reason.NOT_OURS:
        return Advice(undo=delete_member(str(one.live).rpartition("/")[2], session))
    if one.reason is Reason.DEFERRED:
        return Advice(now=f"{session.command('apply')} --reboot") if one.detail == REBOOT else Advice()
    if one.reason is Reason.DELETE_INTERRUPTED:
        return Advice(undo=f"{session.command('apply')} makes it again, where it is still wanted")
    if one.reason is Reason.DENIED:
        return Advice(read=f"allow {one.action}, then: {session.command('drift')}")
    if one.state is FindingState.UNKNOWN:
        return Advice(read=f"{session.command('apply')} records it")
    if theirs is not None:
        ours = session.owner.tags[theirs]
        return Advice(undo=f"set its tag {theirs} back to {ours}, then: {session.command('apply')}")
    return Advice(edit=_edit(one, session), undo=session.command("apply"))


def delete_member(identifier: str, session: Session) -> str:
    """The command that removes a cluster's member which is not ours: tapctl never does."""
    target = session.aws.target
    command = f"aws rds delete-db-instance --db-instance-identifier {identifier} --region {target.region}"
    # The embedded AWS: the real one must never hear of it.
    return f"{command} --endpoint-url {target.endpoint_url}" if target.endpoint_url else command


def _edit(one: Finding, session: Session) -> str:
    """The file and key that this field comes from; empty where none does, or its rules refuse the live value."""
    own, key = _key(one)
    if not key:
        return ""
    env = session.config.environment
    file, path = (env, key) if own else (COMMON, key)
    if path == _UNCHECKED or edit_would_be_valid(
        session.invocation.config, env, file, _path(one, path), _wanted(one, session, path)
    ):
        return f"{file}.toml: {path}"
    return ""


def _key(one: Finding) -> tuple[bool, str]:
    """Whether it is the environment's own key, and the key; empty where no key can want another value."""
    if one.type == "cloudwatch-alarm" and one.field == "threshold":
        id_ = one.address.partition("/")[2]
        key, own = next(found for start, found in _ALARMS.items() if id_.startswith(start))
        return own, key
    if one.field.startswith("tags."):
        name = one.field.removeprefix("tags.")
        ours = name.startswith("tapctl:") or name in OUR_TAGS
        # Our own tags are always set: the absence of one is nothing that a key could want.
        return (_TAGS.get(name, _NOTHING) if one.live is not None else _NOTHING) if ours else (False, "tags")
    for own, keys in ((True, _ENVIRONMENT), (False, _COMMON)):
        key = keys.get(one.type, {}).get(one.field, "")
        if key:
            return own, key
    return _NOTHING


def _path(one: Finding, key: str) -> tuple[str, ...]:
    return ("tags", one.field.removeprefix("tags.")) if key == "tags" else tuple(key.split("."))


def _wanted(one: Finding, session: Session, key: str) -> Any:
    """The live value as its key says it."""
    if key == _SNAPSHOT:
        return one.live == "true"
    if key != _CONNECTIONS:
        return one.live
    most = max_connections(session.config.database.instance_class)
    return next((percent for percent in range(1, 101) if most * percent // 100 == one.live), one.live)


COMMON: Final = "common"

Keys = tuple[str, ...]
"""A key's path: tags have dots in theirs."""


def edit_would_be_valid(folder: Path, env: str, file: str, key: Keys, live: Any) -> bool:
    """Whether ``file`` (``common``, or the environment's name) may say ``live`` at this key; None: nothing there."""
    common, own = read(folder / f"{COMMON}.toml"), read(folder / f"{env}.toml")
    if isinstance(common, Problem) or isinstance(own, Problem):
        return False
    _put(common if file == COMMON else own, key, live)
    problems = [*parse(folder, common, CommonFile)[1], *parse(folder, own, EnvironmentFile)[1]]
    broken = [*rules.common_rules(common), *rules.environment_rules(own), *rules.joint_rules(common, own)]
    return not problems and not broken


def _put(table: dict[str, Any], key: Keys, live: Any) -> None:
    *above, last = key
    for name in above:
        table = table.setdefault(name, {})
    if live is None:
        table.pop(last, None)
    else:
        table[last] = _as_written(live, table.get(last))


def _as_written(live: Any, now: Any) -> Any:
    """A number as the files have it: AWS has some as texts and some as fractions."""
    if isinstance(live, float) and live.is_integer():
        return int(live)
    return int(live) if type(now) is int and isinstance(live, str) and live.removeprefix("-").isdecimal() else live
