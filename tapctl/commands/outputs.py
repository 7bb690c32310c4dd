"""``tapctl outputs``: the recorded endpoints, ARNs and names, for scripts. AWS is not asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tapctl.commands.manifest import recorded
from tapctl.engine.model import address
from tapctl.engine.record import Phase
from tapctl.errors import ManifestError, Status, UsageError
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation

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
"""Name of an output to the type of its resource and the field there."""
_VALUE: Final = re.compile(r"[A-Za-z0-9/_.:!+=,@-]{1,2048}")
"""A host, an ARN, a name or an id: a single word to every shell."""


def outputs(invocation: Invocation, screen: Screen, name: str | None) -> int:
    """Print all values that scripts need, or the bare value of the one that is named."""
    manifest, where = recorded(invocation, screen)
    values = output_values(manifest)
    if not values:
        apply = invocation.command_line_for("apply", Target(manifest.environment, manifest.suffix))
        raise ManifestError(
            f"nothing of {manifest.suffix} is deployed",
            evidence=f"the record at {where} has no resource that was made and is still there",
            hint=f"{apply} deploys it",
        )
    _check(manifest, where, values)
    if name is not None and name not in values:
        raise UsageError(f"there is no output {name}", hint=f"there are: {', '.join(sorted(values))}")
    if name is not None:
        screen.document(values[name], {"type": "output", "name": name, "value": values[name]})
    else:
        for each, value in sorted(values.items()):
            screen.output(each, value)
    return invocation.finish(screen, Status.OK)


def _check(manifest: Manifest, where: str, values: Mapping[str, str]) -> None:
    """Make sure that each value is one word: scripts evaluate them, and others may have written the record.

    Raises:
        ManifestError: a value has spaces, line ends, quotes or other characters that a shell or a log obeys.
    """
    wrong = [f"{name} = {value!r:.200}" for name, value in sorted(values.items()) if not _VALUE.fullmatch(value)]
    if wrong:
        raise ManifestError(
            f"the record of {manifest.suffix} has an output that is no host, ARN, name or id",
            evidence="\n".join([where, *wrong]),
            hint="somebody else has written it: put an earlier version of the record back",
        )


def output_values(manifest: Manifest) -> dict[str, str]:
    """All outputs that the record knows, by name."""
    names = Names(manifest.suffix, manifest.account, manifest.region)
    by_type = {entry.type: entry for entry in manifest.entries.values() if entry.phase is Phase.MADE}
    values = {
        name: entry.outputs[field]
        for name, (type_, field) in _OUTPUTS.items()
        if (entry := by_type.get(type_)) is not None and entry.outputs and field in entry.outputs
    }
    groups = {"lambda_security_group_id": names.lambda_security_group, "db_security_group_id": names.db_security_group}
    for name, group in groups.items():
        entry = manifest.entries.get(address("security-group", group))
        if entry is not None and entry.outputs and "group_id" in entry.outputs:
            values[name] = entry.outputs["group_id"]
    if values:
        values |= {
            "cluster_identifier": names.cluster,
            "function_name": names.function,
            "key_alias": names.key_alias,
            "function_log_group": names.function_log_group,
            "database_log_group": names.database_log_group,
        }
    return values
