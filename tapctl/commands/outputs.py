"""Commands that tell what is recorded or configured and ask AWS nothing: outputs, graph, manifest show."""

from __future__ import annotations

from typing import Final

from tapctl.commands.answering import told
from tapctl.engine.model import address
from tapctl.engine.record import Phase
from tapctl.errors import ManifestError, UsageError
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tapctl.session.target import check_manifest_target, open_store_unidentified, resolve_target

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


def outputs(invocation: Invocation, screen: Screen, name: str | None) -> int:
    """Print what scripts need to know: endpoints, ARNs, names."""
    manifest, where = recorded(invocation, screen)
    found = values(manifest)
    if not found:
        raise ManifestError(
            f"nothing of {manifest.suffix} is deployed",
            evidence=f"the record at {where} has no resource that was made and is still there",
            hint=f"{invocation.command_line_for('apply', manifest.environment, manifest.suffix)} deploys it",
        )
    if name is not None and name not in found:
        raise UsageError(f"there is no output {name}", hint=f"there are: {', '.join(sorted(found))}")
    if name is not None:
        screen.document(found[name], {"type": "output", "name": name, "value": found[name]})
        return told(invocation, screen)
    for each, value in sorted(found.items()):
        screen.output(each, value)
    return told(invocation, screen)


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


def recorded(invocation: Invocation, screen: Screen) -> tuple[Manifest, str]:
    """The record that the command is about, and where it is; no call to AWS for a local one.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: there is none, or it is another environment's.
        WrongTarget: it is another account's or region's.
    """
    config, suffix = resolve_target(invocation, screen)
    store = open_store_unidentified(invocation, screen, config)
    stored, where = store.read(suffix), store.location(suffix)
    invocation.usage.manifest = where
    if stored is None:
        raise ManifestError(
            f"there is no record of {suffix}",
            evidence=f"nothing at {where}",
            hint=f"{invocation.command_line_for('apply', config.environment, suffix)} makes it",
        )
    check_manifest_target(invocation, stored.manifest, where, config, suffix)
    return stored.manifest, where
