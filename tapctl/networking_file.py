"""Ids of the network from local files: a Terraform state, a Pulumi checkpoint or export.

These files hold secrets: no error shows anything of what is in them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tapctl.errors import NetworkingError
from tapctl.networking_source import NetworkIds, ids_from_outputs

_TERRAFORM_VERSION = 4
_PULUMI_STACK = "pulumi:pulumi:Stack"


def read_terraform(path: Path) -> NetworkIds:
    """The outputs of a Terraform state of format 4 (Terraform 0.12 and later, OpenTofu).

    Raises:
        NetworkingError: the file cannot be read, or is no such state.
    """
    state = _load(path, "terraform state pull")
    outputs = state.get("outputs")
    if state.get("version") != _TERRAFORM_VERSION or not isinstance(outputs, dict):
        raise _unusable(path, "it is not a Terraform state of format 4", "terraform state pull")
    return ids_from_outputs({name: each.get("value") for name, each in outputs.items() if isinstance(each, dict)})


def read_pulumi(path: Path) -> NetworkIds:
    """The outputs of the stack in a Pulumi checkpoint, or in what ``pulumi stack export`` writes.

    Raises:
        NetworkingError: the file cannot be read, or is neither.
    """
    state = _load(path, "pulumi stack export")
    checkpoint = state.get("checkpoint")
    latest = checkpoint.get("latest") if isinstance(checkpoint, dict) else state.get("deployment")
    resources = latest.get("resources") if isinstance(latest, dict) else None
    if not isinstance(latest, dict) or not isinstance(resources, list):
        raise _unusable(path, "it is neither a Pulumi checkpoint nor an export", "pulumi stack export")
    stacks = [each for each in resources if isinstance(each, dict) and each.get("type") == _PULUMI_STACK]
    outputs = stacks[0].get("outputs") if stacks else None
    broken = ("stack: the last pulumi update was interrupted (pending operations)",)
    return ids_from_outputs(
        outputs if isinstance(outputs, dict) else {}, *(broken if latest.get("pending_operations") else ())
    )


def _load(path: Path, writer: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {error.strerror}", writer) from error
    except (ValueError, RecursionError):
        # Without "from": the JSON error carries the whole document.
        raise _unusable(path, "it is not JSON", writer) from None
    if not isinstance(content, dict):
        raise _unusable(path, "it is not a JSON object", writer)
    return content


def _unusable(path: Path, why: str, writer: str) -> NetworkingError:
    where = path.absolute()
    return NetworkingError(
        f"the networking file {where} cannot be used: {why}",
        hint=f"write it anew: {writer} > {where}; or correct the networking key: a relative path in it begins at the "
        "folder of the environment's file",
    )
