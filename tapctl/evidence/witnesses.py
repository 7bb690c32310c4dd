"""Other places of a record that tell an output, too: whoever writes one of them may forget the others."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tapctl.engine.model import address
from tapctl.engine.record import Entry, Phase
from tapctl.manifest.manifest import AwsKind, Manifest
from tapctl.names import Names
from tapctl.regions import DOMAINS

_HOST: Final = "cluster_endpoint"
_OF_AWS: Final = rf"https?://[A-Za-z0-9.-]+[.]({'|'.join(map(re.escape, (*DOMAINS, 'api.aws')))})(:[0-9]+)?(/|$)"
"""The beginning of an address whose host is AWS's: of an interface endpoint, a dual-stack one."""


@dataclass(frozen=True)
class _Witness:
    """A place that tells an output: a field of a spec or an output, itself, among others, or within a policy."""

    output: str
    address: str
    field: str
    key: str = ""
    """The field is a table, and this its key."""
    is_output: bool = False
    """The field is an output of a subresource."""

    def may_tell(self, entry: Entry | None) -> bool:
        """True but for an output that is not recorded, as an earlier tapctl may not have had it."""
        return not self.is_output or (entry is not None and self.field in (entry.outputs or {}))

    def told(self, entry: Entry) -> list[Any]:
        """The values that the place tells: of a spec that was not confirmed, those asked for and confirmed last."""
        if self.is_output:
            return [(entry.outputs or {}).get(self.field)]
        values = [spec.get(self.field) for spec in (entry.spec, entry.confirmed) if spec is not None]
        return [value.get(self.key) if self.key and isinstance(value, dict) else value for value in values]

    def __str__(self) -> str:
        return f"{self.field}{f'.{self.key}' if self.key else ''} of {self.address}"


def _witnesses(names: Names) -> tuple[_Witness, ...]:
    function, cluster = address("lambda-function", names.function), address("db-cluster", names.cluster)
    rotation, role = address("secret-rotation", names.cluster), address("iam-role", names.role)
    of_function, of_database = (
        address("security-group-rules", group) for group in (names.lambda_security_group, names.db_security_group)
    )
    return (
        _Witness(_HOST, function, "environment", "DB_ENDPOINT"),
        _Witness("secret_arn", function, "environment", "DB_SECRET_ARN"),
        _Witness("secret_arn", rotation, "secret_arn", is_output=True),
        _Witness("cluster_resource_id", role, "inline"),
        _Witness("key_arn", cluster, "kms_key_arn"),
        _Witness("role_arn", function, "role_arn"),
        _Witness("lambda_security_group_id", function, "security_group_ids"),
        _Witness("lambda_security_group_id", of_function, "group_id", is_output=True),
        _Witness("db_security_group_id", cluster, "security_group_ids"),
        _Witness("db_security_group_id", of_database, "group_id", is_output=True),
    )


def contradictions(manifest: Manifest, values: Mapping[str, str]) -> Iterator[str]:
    """The values that another place of the record tells otherwise.

    Where a run was cut off, what the cluster is known by may be another already (an apply that made it anew, a revert
    of its secret), and what is given that may wait for an apply. But its host never is: an account has one name in a
    region for the hosts of its clusters.
    """
    for witness, entry in _unlike(manifest, values):
        is_known = witness.output == _HOST and not may_be_of_another_emulator(manifest)
        if entry is not None and (is_known or not _was_cut_off(manifest, entry)):
            told = ", ".join(f"{each!s:.200}" for each in witness.told(entry))
            yield f"{witness.output} = {values[witness.output]:.200}, and {witness} = {told}"


def without_witness(manifest: Manifest, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The outputs of which the resource that is given them is not recorded any more, and the sentence that tells that.

    An apply that did not finish may not have come to it yet.
    """
    for witness, entry in _unlike(manifest, values):
        if entry is None and not manifest.unfinished:
            yield witness.output, f"{witness.output} = {values[witness.output]:.200}, and {witness} = nothing"


def not_borne_out(manifest: Manifest, values: Mapping[str, str]) -> list[str]:
    """The names of the outputs that some other place of the record ought to tell, and does not."""
    return sorted({witness.output for witness, _ in _unlike(manifest, values)})


def may_be_of_another_emulator(manifest: Manifest) -> bool:
    """True if the record is of an endpoint of the user's own, and is read through one that is not AWS's.

    Another emulator than the embedded one has hosts and ids of its own, and may name the host of each cluster anew.
    """
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    return manifest.aws_kind is AwsKind.ENDPOINT and bool(url) and not re.match(_OF_AWS, url)


def _unlike(manifest: Manifest, values: Mapping[str, str]) -> Iterator[tuple[_Witness, Entry | None]]:
    """The places that do not tell their output, with their entries; None where no such resource is recorded as made."""
    for witness in _witnesses(Names(manifest.suffix, manifest.account, manifest.region)):
        entry = manifest.entries.get(witness.address)
        if witness.output not in values or not witness.may_tell(entry):
            continue
        if entry is None or entry.phase is Phase.KEPT:
            yield witness, None
        elif not all(_tells(told, values[witness.output]) for told in witness.told(entry)):
            yield witness, entry


def _tells(told: Any, value: str) -> bool:
    if isinstance(told, dict):
        # In a policy an id stands within an ARN.
        return f":{value}/" in json.dumps(told)
    return told == value or (isinstance(told, list) and value in told)


def _was_cut_off(manifest: Manifest, entry: Entry) -> bool:
    return manifest.unfinished or entry.phase is Phase.MAKING
