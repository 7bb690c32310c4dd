"""Commands that tell what is deployed and change nothing: status, outputs, graph, manifest show."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

from tapctl.config import check_suffix, environments, load
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import look
from tapctl.errors import AwsError, ManifestError, TapctlError, UsageError
from tapctl.graphing import draw
from tapctl.manifest.entry import Entry, Manifest, Phase, check, dump
from tapctl.names import Names
from tapctl.reconcilers import registry
from tapctl.records import looks_of
from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Header, Screen, Verdict
from tapctl.run import Options, Run, bare_store, deployed, open_run, which
from tapctl.verbs.answering import told

_OUTPUTS: Final = {
    "cluster_endpoint": ("db-cluster", "endpoint"),
    "cluster_reader_endpoint": ("db-cluster", "reader_endpoint"),
    "cluster_arn": ("db-cluster", "arn"),
    "cluster_resource_id": ("db-cluster", "resource_id"),
    "secret_arn": ("db-cluster", "secret_arn"),
    "function_arn": ("lambda-function", "arn"),
    "role_arn": ("iam-role", "arn"),
    "key_arn": ("kms-key", "arn"),
    "topic_arn": ("sns-topic", "arn"),
}
"""Name of an output to the type it comes from and the field there."""


def outputs(options: Options, screen: Screen, name: str | None) -> int:
    """Print what scripts need to know: endpoints, ARNs, names."""
    manifest, where = recorded(options, screen)
    found = values(manifest)
    if not found:
        raise ManifestError(
            f"nothing of {manifest.suffix} is deployed",
            evidence=f"the record at {where} has no resource that was made and is still there",
            hint=f"{options.again('apply', manifest.environment, manifest.suffix)} deploys it",
        )
    if name is not None and name not in found:
        raise UsageError(f"there is no output {name}", hint=f"there are: {', '.join(sorted(found))}")
    if name is not None:
        screen.document(found[name], {"type": "output", "name": name, "value": found[name]})
        return told(screen, options.verb, manifest.suffix, where)
    for each, value in sorted(found.items()):
        screen.output(each, value)
    return told(screen, options.verb, manifest.suffix, where)


def values(manifest: Manifest) -> dict[str, str]:
    """All outputs that the record knows."""
    names = Names(manifest.suffix, manifest.account, manifest.region)
    by_type = {entry.type: entry for entry in manifest.entries.values() if entry.phase is Phase.MADE}
    found = {
        name: entry.outputs[field]
        for name, (type_, field) in _OUTPUTS.items()
        if (entry := by_type.get(type_)) is not None and entry.outputs
    }
    groups = {"lambda_security_group_id": names.lambda_security_group, "db_security_group_id": names.db_security_group}
    for name, group in groups.items():
        entry = manifest.entries.get(address("security-group", group))
        if entry is not None and entry.outputs:
            found[name] = entry.outputs["group_id"]
    if found:
        found |= {
            "cluster_identifier": names.cluster,
            "function_name": names.function,
            "key_alias": names.key_alias,
            "function_log_group": names.function_log_group,
            "database_log_group": names.database_log_group,
        }
    return found


def recorded(options: Options, screen: Screen) -> tuple[Manifest, str]:
    """The record that the command is about, and where it is; no call to AWS for a local one.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: there is none, or it is another environment's.
        WrongTarget: it is another account's or region's.
    """
    env, suffix = which(options)
    config = load(options.config, env)
    check_suffix(suffix, env, environments(options.config))
    store = bare_store(options)
    stored, where = store.read(suffix), store.location(suffix)
    if stored is None:
        raise ManifestError(
            f"there is no record of {suffix}",
            evidence=f"nothing at {where}",
            hint=f"{options.again('apply', env, suffix)} makes it",
        )
    region = options.region or config.region
    manifest = stored.manifest
    check(manifest, where, environment=env, suffix=suffix, account=config.account_id, region=region)
    if isinstance(screen, JsonScreen):
        screen.header(Header(options.verb, env, suffix, manifest.account, region, config_hash=manifest.config_hash))
    return manifest, where


def show_manifest(options: Options, screen: Screen) -> int:
    """Print the record itself."""
    manifest, where = recorded(options, screen)
    screen.document(dump(manifest).rstrip("\n"), manifest.model_dump(mode="json"))
    return told(screen, options.verb, manifest.suffix, where)


def graph(options: Options, screen: Screen, *, kind: str) -> int:
    """Print the stack as a picture's source; offline."""
    env, suffix = which(options)
    check_suffix(suffix, env, environments(options.config))
    text = draw(load(options.config, env), suffix, kind)
    screen.document(text, {"type": "graph", "format": kind, "text": text})
    return told(screen, options.verb, suffix)


def status(options: Options, screen: Screen) -> int:
    """One row an environment: what is deployed, since when, by whom, healthy or not."""
    began = time.monotonic()
    known = deployed(bare_store(options))
    if options.env is not None:
        load(options.config, options.env)
    if options.named:
        known = {suffix: one for suffix, one in known.items() if suffix == (options.suffix or options.env)}
    else:
        screen.header(Header("status"))
    records = [
        _row(replace(options, env=manifest.environment, suffix=suffix), screen, manifest)
        for suffix, manifest in sorted(known.items())
    ]
    columns = ("environment", "resources", "since", "by", "config", "health")
    screen.table(columns, [[str(record[one]) for one in columns] for record in records], records)
    sick = sum(record["health"] != "healthy" for record in records)
    summary = f"{len(records)} deployed · {len(records) - sick} healthy"
    name = options.suffix or options.env or "all"
    screen.verdict(
        Verdict("status", name, "", 0, {"deployed": len(records), "unhealthy": sick}, summary, time.monotonic() - began)
    )
    return 0


def _row(options: Options, screen: Screen, manifest: Manifest) -> dict[str, Any]:
    """One environment; where AWS cannot be asked, what the record tells.

    Raises:
        ManifestError: its record is of another environment.
        WrongTarget: its record is of another account or region.
    """
    try:
        run = open_run(options, screen)
    except TapctlError as error:
        return _told(manifest, "unknown", f"unknown: {error.cause}")
    run.recorded()
    config = "current" if run.hash == manifest.config_hash else "differs from the files"
    try:
        return _told(manifest, config, _health(run, manifest))
    except AwsError as error:
        return _told(manifest, config, f"unknown: {error.cause}")


def _told(manifest: Manifest, config: str, health: str) -> dict[str, Any]:
    return {
        "type": "status",
        "environment": manifest.suffix,
        "resources": sum(entry.phase is not Phase.KEPT for entry in manifest.entries.values()),
        "since": manifest.written_at,
        "by": manifest.written_by,
        "config": config,
        "health": health,
    }


def _health(run: Run, manifest: Manifest) -> str:
    """``healthy``, or the first thing that is not and why."""
    seen = look(run.aws, looks_of(manifest.entries, registry()))
    for here, sight in sorted(seen.items()):
        entry: Entry = manifest.entries[here]
        if not isinstance(sight, Observed):
            return f"{here} is missing or cannot be read"
        if sight.failed is not None or not sight.settled or sight.going:
            return f"{here} is {sight.status}"
        if entry.phase is not Phase.MADE:
            return f"{here} was left half done: run apply again"
    return "healthy"
