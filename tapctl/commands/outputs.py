"""``tapctl outputs``: the recorded endpoints, ARNs and names, for scripts. AWS is not asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tapctl.commands.manifest import recorded
from tapctl.engine.model import address
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError, Refused, Status, UsageError
from tapctl.evidence.tag_bearers import listed
from tapctl.evidence.witnesses import contradictions, may_be_of_another_emulator, not_borne_out, without_witness
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.names import Names
from tapctl.reconcilers.db_cluster_settings import MANAGED, RESOURCE_ID
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.regions import database_host, partition_of
from tapctl.render.screen import Screen, Target
from tapctl.session.history_place import check_history_place
from tapctl.session.invocation import Invocation
from tapctl.session.target import check_names, read_manifest

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
_GROUPS: Final = ("lambda_security_group_id", "db_security_group_id")
_RECORDED: Final = (*_OUTPUTS, *_GROUPS)
"""The outputs that AWS has told, and that are no mere names."""
_VALUE: Final = re.compile(r"[A-Za-z0-9/_.:!+=,@-]{1,2048}")
"""A host, an ARN, a name or an id: a single word to every shell."""


def outputs(invocation: Invocation, screen: Screen, name: str | None) -> int:
    """Print all values that scripts need, or the bare value of the one that is named."""
    manifest, store = recorded(invocation, screen)
    where = store.location(manifest.suffix)
    before = check_history_place(invocation, store, manifest)
    check_names(manifest, where)
    values = output_values(manifest)
    target = Target(manifest.environment, manifest.suffix)
    if not values:
        apply = invocation.command_line_for("apply", target)
        raise ManifestError(
            f"nothing of {manifest.suffix} is deployed",
            evidence=f"the record at {where} has no resource that was made and is still there",
            hint=f"{apply} deploys it",
        )
    drift = invocation.command_line_for("drift", target)
    alone = before is None and manifest.serial > 1
    beside, unasked = _records_beside(invocation, store, manifest.suffix) if alone else ([], "")
    _check(manifest, where, values, drift, before=before, beside=beside)
    _check_name(manifest, name, values, drift)
    if alone:
        screen.warn(
            f"no earlier version of the record of {manifest.suffix} is kept, and nothing else bears these values out: "
            f"{drift} holds them against AWS"
        )
    if unasked:
        screen.warn(f"the hosts could not be held against {unasked}, which may not be read: {drift} asks AWS for them")
    if name is None and (untold := [each for each in _RECORDED if each not in values]):
        screen.warn(
            f"left out, for the record of {manifest.suffix} does not tell it: {', '.join(untold)}; {drift} tells why"
        )
    if changing := [each for each in _changing(manifest) if name in (None, each)]:
        screen.warn(
            f"a run was cut off while it changed what {', '.join(changing)} is of: {drift} holds it against AWS"
        )
    if unsure := [each for each in not_borne_out(manifest, values) if name in (None, each)]:
        screen.warn(
            f"a run was cut off, and no other place of the record of {manifest.suffix} bears out {', '.join(unsure)}: "
            f"{drift} holds it against AWS"
        )
    if name is not None:
        screen.document(values[name], {"type": "output", "name": name, "value": values[name]})
    else:
        for each, value in sorted(values.items()):
            screen.output(each, value)
    return invocation.finish(screen, Status.OK)


def _records_beside(invocation: Invocation, store: Store, suffix: str) -> tuple[list[Manifest], str]:
    """The records of the other suffixes in the state, and the words for those that may not be read; empty if all may.

    They are no business of who may read this one's record alone. One that cannot be used bears nothing out, and is told
    by the commands about it.
    """
    records, denied = list[Manifest](), list[str]()
    try:
        others = [each for each in store.suffixes() if each != suffix]
    except Refused:
        return [], "the records of other suffixes"
    for other in others:
        try:
            manifest = read_manifest(invocation, store, other)
        except ManifestError:
            continue
        except Refused:
            denied.append(other)
        else:
            records += [manifest] if manifest is not None else []
    return records, f"the record of {listed(denied)}" if denied else ""


def _check_name(manifest: Manifest, name: str | None, values: Mapping[str, str], drift: str) -> None:
    """Make sure that the output that is named is told.

    Raises:
        ManifestError: the record does not tell it, for its resource is being made or removed.
        UsageError: there is none of that name.
    """
    if name is None or name in values:
        return
    if name in _RECORDED:
        raise ManifestError(f"the record of {manifest.suffix} does not tell {name}", hint=f"{drift} tells why")
    raise UsageError(f"there is no output {name}", hint=f"there are: {', '.join(sorted(values))}")


def _check(
    manifest: Manifest,
    where: str,
    values: Mapping[str, str],
    drift: str,
    *,
    before: Manifest | None,
    beside: Iterable[Manifest],
) -> None:
    """Make sure that each value is one word, and tells of what this suffix has: others may have written the record.

    Scripts evaluate the values, and send passwords to the hosts. ``before``: the newest version of the history.
    ``beside``: where there is none, the records of other suffixes. ``drift``: the command that asks AWS.

    Raises:
        ManifestError: a value has spaces, line ends, quotes or other characters that a shell or a log obeys; it is the
            ARN or the host of something else; or another place of the record, or the version before, tells it
            otherwise, or the former is gone.
    """
    own = _own_values(manifest)
    wrong = [
        f"{name} = {value!r:.200}"
        for name, value in sorted(values.items())
        if not _VALUE.fullmatch(value) or not re.fullmatch(own.get(name, ".*"), value)
    ]
    wrong = wrong or [
        *_two_hosts(values, *_beside(manifest, beside)),
        *contradictions(manifest, values),
        *_unlike_before(before, values),
    ]
    if wrong:
        raise ManifestError(
            f"the record of {manifest.suffix} has an output that is no host, ARN, name or id of {manifest.suffix}",
            evidence="\n".join([where, *wrong]),
            hint="somebody else has written it: put an earlier version of the record back",
        )
    if alone := dict(without_witness(manifest, values)):
        raise ManifestError(
            f"nothing in the record of {manifest.suffix} bears out {', '.join(sorted(alone))} any more",
            evidence="\n".join([where, *alone.values()]),
            hint=f"a destroy was cut off, or is at work, or somebody has taken that out: {drift} asks AWS",
        )


def _own_values(manifest: Manifest) -> dict[str, str]:
    """The patterns of the ARNs and hosts that this suffix can have, by the name of their output."""
    region, account = manifest.region, manifest.account
    names = Names(manifest.suffix, account, region, partition_of(region))

    def arn(service: str, resource: str, region: str = region) -> str:
        return re.escape(f"arn:{names.partition}:{service}:{region}:{account}:{resource}")

    own = {
        "cluster_arn": arn("rds", f"cluster:{names.cluster}"),
        "secret_arn": arn("secretsmanager", "secret:") + ".+",
        "function_arn": re.escape(names.function_arn),
        "role_arn": arn("iam", "role/", "") + f"(.+/)?{re.escape(names.role)}",
        "key_arn": arn("kms", f"key/{_key_id(manifest)}"),
        "topic_arn": re.escape(names.topic_arn),
    }
    if not may_be_of_another_emulator(manifest):
        own["secret_arn"] = arn("secretsmanager", "") + MANAGED
        own["cluster_resource_id"] = RESOURCE_ID
        own["lambda_security_group_id"] = own["db_security_group_id"] = "sg-[0-9a-f]+"
        host = rf"[a-z0-9]+\.{database_host(region)}"
        own["cluster_endpoint"] = re.escape(f"{names.cluster}.cluster-") + host
        own["cluster_reader_endpoint"] = re.escape(f"{names.cluster}.cluster-ro-") + host
    return own


def _key_id(manifest: Manifest) -> str:
    """The id that is recorded of the key beside its ARN."""
    entry = manifest.entries.get(address(KmsKey.type, Names(manifest.suffix, "", "").key_alias))
    return ((entry and entry.outputs) or {}).get("key_id", "")


def _two_hosts(values: Mapping[str, str], *beside: Mapping[str, str]) -> Iterator[str]:
    """The hosts that differ: an account has one name in a region for the hosts of its clusters.

    ``beside``: the outputs of other records of that account and region.
    """
    own = values.get("cluster_endpoint", "")
    for name, mark, each in (
        ("cluster_reader_endpoint", ".cluster-ro-", values),
        *(("cluster_endpoint", ".cluster-", each) for each in beside),
    ):
        end, other = own.partition(".cluster-")[2], each.get(name, "")
        if end and other and other.partition(mark)[2] != end:
            yield f"cluster_endpoint = {own:.200}, and {name} = {other:.200}"


def _beside(manifest: Manifest, others: Iterable[Manifest]) -> Iterator[Mapping[str, str]]:
    """The outputs of the other records of this account, region and kind of AWS."""
    place = (manifest.account, manifest.region, manifest.aws_kind)
    for other in others if not may_be_of_another_emulator(manifest) else ():
        if (other.account, other.region, other.aws_kind) == place:
            yield output_values(other)


def _unlike_before(before: Manifest | None, values: Mapping[str, str]) -> Iterator[str]:
    """The values that the version before tells otherwise of what it has as made.

    No run has made another thing of that since: before it does, it says in a version that it is about to.
    """
    if before is None:
        return
    made = {address: entry for address, entry in before.entries.items() if entry.phase is Phase.MADE}
    for name, value in output_values(before.model_copy(update={"entries": made})).items():
        if value and values.get(name, value) != value:
            yield f"{name} = {values[name]:.200}, and {value:.200} in the history, which has {before.stamp}"


def output_values(manifest: Manifest) -> dict[str, str]:
    """All outputs that the record knows, by name."""
    names = Names(manifest.suffix, manifest.account, manifest.region)
    by_type = {entry.type: entry for entry in manifest.entries.values() if _has_outputs(entry)}
    values = {
        name: entry.outputs[field]
        for name, (type_, field) in _OUTPUTS.items()
        if (entry := by_type.get(type_)) is not None and entry.outputs and field in entry.outputs
    }
    for name, group in zip(_GROUPS, (names.lambda_security_group, names.db_security_group), strict=True):
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


def _has_outputs(entry: Entry) -> bool:
    """True if the resource is there with what it is recorded by, also where a change of it was cut off."""
    return entry.phase is Phase.MADE or (entry.phase is Phase.MAKING and entry.confirmed is not None)


def _changing(manifest: Manifest) -> list[str]:
    """The names of the outputs of what a run that was cut off was changing."""
    types = {entry.type for entry in manifest.entries.values() if entry.phase is Phase.MAKING and _has_outputs(entry)}
    return [name for name, (type_, _) in _OUTPUTS.items() if type_ in types]
