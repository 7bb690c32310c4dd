"""Our own removal of a resource that was cut off: what it takes away before the resource goes, nobody else has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from tapctl.engine.drift import Finding, Reason
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsRefused
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import registry
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_interfaces import default_groups
from tapctl.session.session import Session

_GROUPS: Final = "security_group_ids"


def with_removal(
    findings: Iterable[Finding], session: Session, manifest: Manifest, entries: Mapping[str, Entry]
) -> Iterator[Finding]:
    """The findings without what our own removal has taken away of a resource that is there still.

    The default group of a function that an apply was bringing back is pending.
    """
    for one in findings:
        entry = entries[one.address]
        is_changed, is_leaving = one.reason is Reason.CHANGED, entry.phase is Phase.LEAVING
        if is_changed and is_default_group(session, manifest, entry, one.field, one.live):
            if not is_leaving:
                yield replace(one, reason=Reason.UNCONFIRMED, waiver=None)
        elif not (is_changed and is_leaving and is_taken_first(one)):
            yield one


def without_default_group(
    findings: Iterable[Finding], session: Session, manifest: Manifest, entries: Mapping[str, Entry]
) -> Iterator[Finding]:
    """The findings without the default group's rules where our own removal has put the function into that group."""
    for one in findings:
        entry = entries.get(one.address)
        if entry is None or not is_default_group(session, manifest, entry, one.field, one.live):
            yield one


def is_taken_first(one: Finding) -> bool:
    """True if an item of a set, a name, or a key of a table is gone that a removal takes first; none within one."""
    root, _, key = one.field.partition(".")
    return one.live in (None, "") and root in registry()[one.type].unset_by_removal and "." not in key


def is_default_group(session: Session, manifest: Manifest, entry: Entry, field: str, live: Any) -> bool:
    """True if this is the VPC's default group, into which a removal of ours puts the function before it goes.

    Or a rule of that group.
    """
    vpc = str(manifest.networking.get("vpc_id", ""))
    is_unset = entry.phase is Phase.LEAVING or _GROUPS in entry.unconfirmed
    if not vpc or not is_unset or entry.type != LambdaFunction.type or field not in (_GROUPS, "open_groups"):
        return False
    with suppress(AwsRefused):
        return str(live).partition(" ")[0] in default_groups(session.aws, vpc)
    return False
