"""The certificate of a destroy: what is gone, and of others with it, what is kept until when, what was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.engine.model import Retained
from tapctl.errors import AwsError, StoreFailed
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.names import Names
from tapctl.reconcilers.db_cluster_snapshots import HAS_FAILED, SNAPSHOT
from tapctl.reconcilers.kms_key import copies_named
from tapctl.reconcilers.log_group import FILTER_TYPES, LogGroup
from tapctl.reconcilers.sns_subscription import SnsSubscription
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tapctl.session.target import is_deployed

NAME: Final = "certificate"
COLUMNS: Final = ("certificate", "type", "id", "until", "why")
_FORMAT: Final = 1
_NOT_SEEN: Final = "; not seen this time"
_ENDED: Final = "added by others; it ended with the {}"


class EarlierCertificate(BaseModel):
    """The certificate that an earlier destroy has left, as far as this one reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1]
    environment: str
    suffix: str
    account: str
    region: str
    complete: bool
    gone: frozenset[str]
    removed_outside: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    kept: dict[str, dict[str, str]] = Field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    not_read: frozenset[str] = frozenset()
    run: str = ""

    @property
    def snapshots(self) -> frozenset[str]:
        """The names of the cluster snapshots among what is kept, without those that have failed."""
        kept = (each.partition("/") for each, why in self.kept.items() if not _has_failed(why))
        return frozenset(id_ for type_, _, id_ in kept if type_ == SNAPSHOT)

    def unseen_snapshots(self) -> dict[str, Retained]:
        """The cluster snapshots among what is kept, by address, for a run that may not look: none of them is gone."""
        return {
            place: Retained(each.get("until", ""), f"{each.get('why', '').removesuffix(_NOT_SEEN)}{_NOT_SEEN}")
            for place, each in self.kept.items()
            if place.partition("/")[0] == SNAPSHOT
        }

    @property
    def decrypted(self) -> frozenset[str]:
        """The names of the cluster snapshots that a key is kept for."""
        return frozenset(name for one in self.kept.values() for name in copies_named(one.get("why", "")))

    def keeps_as(self, now: Certificate) -> bool:
        """True if that one has the same as kept and as not read, and each key for the same snapshots."""
        decrypted = frozenset(name for one in now.retained.values() for name in copies_named(one.why))
        same = self.kept.keys() == now.retained.keys() and self.not_read == now.not_read
        return same and self.decrypted == decrypted


@dataclass(frozen=True)
class Certificate:
    """The end of one destroy, address by address. ``at``: UTC, ISO 8601."""

    environment: str
    suffix: str
    account: str
    region: str
    run: str
    by: str
    at: str
    deleted: tuple[str, ...]
    retained: Mapping[str, Retained]
    remaining: tuple[str, ...]
    """Addresses of resources that are still there, or may be, although they were to go."""
    swept: bool = True
    """False where nobody could look for what else is left."""
    outside: frozenset[str] = frozenset()
    """Addresses that no destroy had to remove, since somebody else had."""
    ended: frozenset[str] = frozenset()
    """Addresses of other people's subscriptions, which ended with the topic, of one on the web with its host alone; and
    of their filters, which ended with the log groups."""
    not_read: frozenset[str] = frozenset()
    """Addresses of what bears no name of ours, and whose tags nobody could read: it may be ours."""

    def records(self) -> list[dict[str, Any]]:
        """The records for programs, one a resource."""
        gone = [_record("gone", address, why=self._why(address)) for address in sorted(self.deleted)]
        kept = [_record("kept", address, why.until, why.why) for address, why in sorted(self.retained.items())]
        left = [_record("left", address) for address in sorted(self.remaining)]
        ended = [_record("ended", address, why=_ENDED.format(_ended_with(address))) for address in sorted(self.ended)]
        return [*gone, *kept, *left, *ended]

    def rows(self) -> list[list[str]]:
        """The same records as cells under `COLUMNS`."""
        keys = ("state", "resource_type", "id", "until", "why")
        return [[record[key] for key in keys] for record in self.records()]

    def is_no_more_than(self, before: EarlierCertificate) -> bool:
        """True if this destroy has removed nothing, and leaves the very same as an incomplete one before it."""
        left = frozenset(self.remaining)
        return bool(left) and not self.deleted and before.left == left and before.keeps_as(self)

    def continuing(self, before: EarlierCertificate) -> Certificate:
        """The certificate with the resources that an incomplete destroy before it had removed.

        Resources which that one kept or left count as this one found them.
        """
        gone = set() if before.complete else set(before.gone) - self.retained.keys() - set(self.remaining)
        outside = gone & before.removed_outside
        ends = tuple(place for each in gone for place in _places_on(each))
        return replace(
            self,
            deleted=tuple(sorted(gone.union(self.deleted))),
            outside=self.outside | outside,
            ended=self.ended.union(each for each in before.ended if each.startswith(ends)),
        )

    def renewing(self, before: EarlierCertificate) -> Certificate:
        """The certificate of the destroy before it, which had removed all, with what is kept now."""
        return replace(
            self, deleted=tuple(sorted(before.gone)), outside=before.removed_outside, ended=before.ended | self.ended
        )

    def _why(self, address: str) -> str:
        return "removed outside tapctl, not by this destroy" if address in self.outside else ""

    def text(self) -> bytes:
        """The JSON that is kept beside the manifest; the same certificate always has the same text."""
        content = {
            "format": _FORMAT,
            "environment": self.environment,
            "suffix": self.suffix,
            "account": self.account,
            "region": self.region,
            "run": self.run,
            "by": self.by,
            "at": self.at,
            "complete": self.swept and not self.remaining,
            "gone": sorted(self.deleted),
            "removed_outside": sorted(self.outside.intersection(self.deleted)),
            "kept": {address: {"until": why.until, "why": why.why} for address, why in self.retained.items()},
            "left": sorted(self.remaining),
            "ended": sorted(self.ended),
            "not_read": sorted(self.not_read),
        }
        return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def earlier_certificate(
    text: bytes, target: Target, may_have_name: Callable[[str, str], bool]
) -> EarlierCertificate | None:
    """Read the certificate of an earlier destroy; None if it is none of this target, in every word.

    The file lies where others may write. So it is of this environment, suffix, account and region, and names nothing
    but what this suffix can have, or it is not continued.
    """
    try:
        earlier = EarlierCertificate.model_validate_json(text, strict=True)
    except ValidationError:
        return None
    written = (earlier.environment, earlier.suffix, earlier.account, earlier.region)
    same = written == (target.env, target.suffix, target.account, target.region)
    named = (each.partition("/") for each in earlier.gone)
    return earlier if same and all(may_have_name(type_, id_) for type_, _, id_ in named) else None


def last_certificate(
    store: Store, manifest: Manifest, broken: Callable[[str], object] = lambda _: None
) -> EarlierCertificate | None:
    """Read the certificate beside this record; None where there is none, or what is there is ``broken``, and why."""
    try:
        text = store.get_sidecar(manifest.suffix, NAME)
    except (StoreFailed, AwsError) as error:
        broken(error.cause)
        return None
    if text is None:
        return None
    target = Target(manifest.environment, manifest.suffix, manifest.account, manifest.region)
    may_have = Names(manifest.suffix, manifest.account, manifest.region).may_have
    certificate = earlier_certificate(text, target, may_have)
    if certificate is None:
        broken(f"what is there is none of {manifest.suffix}")
    return certificate


def _places_on(address: str) -> tuple[str, ...]:
    """The beginnings of the addresses of what others put on this resource."""
    type_, _, id_ = address.partition("/")
    if type_ == LogGroup.type:
        return tuple(f"{kind}/{id_}:" for kind in FILTER_TYPES)
    return (f"{SnsSubscription.type}/{id_}/",) if type_ == SnsTopic.type else ()


def _ended_with(address: str) -> str:
    return "log group" if address.partition("/")[0] in FILTER_TYPES else "topic"


def _has_failed(kept: Mapping[str, str]) -> bool:
    return kept.get("why", "").startswith(HAS_FAILED)


def _record(state: str, address: str, until: str = "", why: str = "") -> dict[str, Any]:
    type_, _, id_ = address.partition("/")
    resource = {"address": address, "resource_type": type_, "id": id_}
    return {"type": NAME, "state": state, **resource, "until": until, "why": why}


def end_of_destroyed(invocation: Invocation, store: Store, newest: Manifest | None) -> str:
    """The hint for a record that is gone, and of a copy that was destroyed: an apply would make all of it anew.

    ``newest``: the newest version that is kept. Empty where neither that, nor the certificate of the destroy that wrote
    it, says that it was destroyed. Either can be written by who took the record away: ask only where AWS has nothing
    but what a destroy leaves.
    """
    if newest is None or (is_deployed(newest) and not is_certified_by_its_run(store, newest)):
        return ""
    destroy = invocation.command_line_for("destroy", Target(newest.environment, newest.suffix))
    word = "certificate" if is_deployed(newest) else "newest version"
    return (
        f"it was destroyed, as its {word} says, which tells what is kept: put its newest version back, then {destroy}"
    )


def is_certified_by_its_run(store: Store, manifest: Manifest) -> bool:
    """True if the run that wrote this was a destroy of this very environment, and has left nothing."""
    certificate = last_certificate(store, manifest)
    return certificate is not None and certificate.complete and certificate.run == manifest.run


def has_left_nothing(store: Store, manifest: Manifest) -> bool:
    """True if a destroy of this very environment has left nothing: no snapshot either, by certificate and record."""
    certificate = last_certificate(store, manifest)
    if certificate is None or not certificate.complete:
        return False
    return not (certificate.snapshots or certificate.decrypted or decrypted_by_record(manifest))


def kept_snapshots(store: Store, manifest: Manifest) -> frozenset[str]:
    """The names of the cluster snapshots that the destroy of this environment has kept, by certificate and record."""
    certificate = last_certificate(store, manifest)
    certified = certificate.snapshots | certificate.decrypted if certificate is not None else frozenset()
    return decrypted_by_record(manifest) | certified


def decrypted_by_record(manifest: Manifest) -> frozenset[str]:
    """The names of the cluster snapshots that a key was kept for, by the record."""
    return frozenset(name for entry in manifest.entries.values() for name in copies_named(entry.kept_why))


def read_earlier(session: Session) -> EarlierCertificate | None:
    """Read the certificate that an earlier destroy has left, and say if it is none, before anything is removed.

    Raises:
        StoreFailed: what is in its place cannot be read, and so not be replaced by this destroy's.
    """
    text = session.store.get_sidecar(session.suffix, NAME)
    if text is None:
        return None
    before = earlier_certificate(text, session.target, session.claimant.may_have_name)
    if before is None:
        session.screen.warn(f"the certificate beside the record is none of {session.suffix}: it is not continued")
    return before


def certify(session: Session, proof: Certificate, before: EarlierCertificate | None) -> bool:
    """Show the certificate, and keep it beside the manifest; returns True if that could be done."""
    if not proof.records():
        return True
    write_error = None
    stays = before is not None and proof.is_no_more_than(before)
    if before is not None:
        proof = proof.continuing(before)
    try:
        # A run that had nothing left to remove leaves the certificate of the one that did, as long as that is so.
        if before is None or (not stays and (proof.deleted or proof.remaining)):
            session.store.put_sidecar(session.suffix, NAME, proof.text())
        elif not before.keeps_as(proof):
            session.store.put_sidecar(session.suffix, NAME, proof.renewing(before).text())
    except StoreFailed as error:
        write_error = error
    session.screen.table(COLUMNS, proof.rows(), proof.records())
    if write_error is not None:
        session.screen.error(write_error, "the certificate is what stands above, and what it says is so")
    return write_error is None
