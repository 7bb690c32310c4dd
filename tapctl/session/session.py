"""An opened session: one command on one environment, opened in the order that is safe.

Configuration and suffix are checked offline first, something is on the screen before the first call, and the first
call asks STS who we are: nothing else is asked of the wrong account.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from tapctl.aws.callers import ci_actor
from tapctl.aws.client import Aws, Identity
from tapctl.config import Config
from tapctl.engine.estimate import Durations
from tapctl.engine.model import Owner
from tapctl.engine.ownership import Claimant
from tapctl.errors import ConfigError, ExitCode, LockHeld, Status, StoreFailed, TapctlError, WrongTarget
from tapctl.manifest import open_store
from tapctl.manifest.durations import read_durations, write_durations
from tapctl.manifest.history import SerialsUsedUp, highest_serial
from tapctl.manifest.journal import Journal
from tapctl.manifest.lock import NAMELESS, Lease, LockHolder, ci_commit, ci_run
from tapctl.manifest.manifest import AwsKind, Manifest, empty
from tapctl.manifest.store import Store
from tapctl.names import Names
from tapctl.render.screen import Screen, Target
from tapctl.session.damaged_record import read_stored
from tapctl.session.history_place import check_history_place
from tapctl.session.invocation import NO_COUNTS, Invocation
from tapctl.session.target import (
    Files,
    accounts_of_files,
    check_manifest_target,
    connect,
    is_deployed,
    local_manifest,
    resolve_recorded,
)


@dataclass
class Session:
    """The values a command on one environment works with."""

    invocation: Invocation
    screen: Screen
    loaded: Config | ConfigError
    """The environment's configuration, or why there is none: a command that needs the record alone works without."""
    target: Target
    """The environment, account and region; complete but for the networking, which a survey adds."""
    aws: Aws
    store: Store
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    told_run: str = ""
    """The run of somebody else that was told; empty as long as none was."""
    told_lock: bool = False
    """True once it was told that the lock cannot be read."""
    durations: Durations | None = None
    """The durations beside the record, once they were read: who holds the lock alone writes them."""

    @property
    def config(self) -> Config:
        """The environment's configuration.

        Raises:
            ConfigError: its files are not there, or cannot be used.
        """
        if isinstance(self.loaded, ConfigError):
            raise self.loaded
        return self.loaded

    @property
    def suffix(self) -> str:
        """The end of every name in this environment."""
        return self.target.suffix

    @property
    def location(self) -> str:
        """The place of this environment's record."""
        return self.store.location(self.suffix)

    @property
    def names(self) -> Names:
        """The names of everything in this environment."""
        return Names(self.suffix, self.aws.account, self.aws.region, self.aws.partition)

    @property
    def owner(self) -> Owner:
        """The owner whose tags mark our resources."""
        return Owner.ours(self.suffix, self.target.env)

    @property
    def claimant(self) -> Claimant:
        """The claimant that is this stack, whose resources may be changed and removed."""
        names = Names(self.suffix, self.target.account, self.target.region, self.aws.partition)
        if isinstance(self.loaded, ConfigError):
            return Claimant(self.owner, names.may_have, partial(names.is_chosen, alarms=frozenset(), subscribers=()))
        alarms = frozenset(alarm.name for alarm in self.loaded.alarms.extra)
        chosen = partial(names.is_chosen, alarms=alarms, subscribers=self.loaded.alarms.subscribers)
        return Claimant(self.owner, names.may_have, chosen, names.shared_tags(self.loaded.service, self.loaded.tags))

    @property
    def aws_kind(self) -> AwsKind:
        """The kind of AWS that this session changes."""
        if self.aws.target.endpoint_url:
            return AwsKind.SANDBOX
        return AwsKind.ENDPOINT if os.environ.get("AWS_ENDPOINT_URL") else AwsKind.REAL

    @property
    def holder(self) -> LockHolder:
        """The holder that a lock, or the taking of one, names."""
        return LockHolder.here(self.target.identity, self.invocation.command, os.environ)

    def command(self, verb: str) -> str:
        """Another command for this environment, as a hint."""
        return self.invocation.command_line_for(verb, self.target)

    def load_manifest(self) -> tuple[Manifest, str | None]:
        """The record, checked to be this target's, and its version; an empty one where there is none.

        Raises:
            ManifestError: it is of another environment or suffix, or cannot be used; or it tells of nothing that is
                deployed, and its history of another place.
            WrongTarget: it is of another account or region.
        """
        stored = read_stored(self.invocation, self.store, self.suffix)
        if stored is None:
            target = self.target
            named = {"environment": target.env, "suffix": target.suffix}
            nothing = empty(**named, account=target.account, region=target.region)
            check_history_place(self.invocation, self.store, nothing)
            return nothing, None
        check_manifest_target(stored.manifest, self.store.location(self.suffix), self.target)
        self._check_aws_kind(stored.manifest)
        self.claimant.check_entries(stored.manifest.entries.values(), self.location)
        if not is_deployed(stored.manifest):
            check_history_place(self.invocation, self.store, stored.manifest)
        return stored.manifest, stored.version

    def _check_aws_kind(self, manifest: Manifest) -> None:
        """Refuse a manifest of the real AWS in the sandbox, and the other way round: both have the same account."""
        if manifest.run and {manifest.aws_kind, self.aws_kind} == {AwsKind.SANDBOX, AwsKind.REAL}:
            ours, theirs = ("embedded", "real") if self.aws_kind is AwsKind.SANDBOX else ("real", "embedded")
            raise WrongTarget(
                f"the manifest {self.store.location(self.suffix)} is of the {theirs} AWS, this is the {ours} one",
                evidence=f"{self.store.location(self.suffix)}: aws = {manifest.aws_kind}",
                hint=f"use another --state with the {ours} one, or move that manifest away if it is of no use any more",
            )

    def journal(self, manifest: Manifest, version: str | None) -> Journal:
        """The journal of this session, on top of the record as it was read.

        Where the record was lost, or an old one put back, it goes on from its history: no serial comes again.

        Raises:
            SerialsUsedUp: see `highest_serial`.
        """
        try:
            highest = highest_serial(self.store, self.suffix)
        except SerialsUsedUp:
            raise
        except TapctlError:
            highest = 0  # a history that cannot be read has nothing to go on from
        lost = version is None and highest > 0  # it had the serial after that
        manifest = manifest.model_copy(update={"serial": max(manifest.serial, highest + lost)})
        journal = Journal(self.store, manifest, version)
        journal.update(
            config_hash=self.target.config_hash, run=self.id, written_by=self.target.identity, aws=self.aws_kind
        )
        journal.update(ci=ci_run(os.environ), commit=ci_commit(os.environ), actor=ci_actor(os.environ))
        return journal

    def read_durations(self) -> Durations:
        """The durations that earlier runs have kept beside the record."""
        if self.durations is None:
            self.durations = read_durations(self.store, self.suffix, self.aws_kind)
        return self.durations

    def write_durations(self, durations: Durations) -> None:
        """Keep these durations beside the record; where that cannot be done it is said, and no more."""
        self.durations = None
        try:
            write_durations(self.store, self.suffix, self.aws_kind, durations)
        except StoreFailed as error:
            self.screen.warn(f"how long it took could not be kept: {error}")

    @contextmanager
    def lock(self) -> Iterator[Lease]:
        """Hold this environment's lock.

        Raises:
            LockHeld: somebody else changes it right now.
        """
        with self.store.lock(self.suffix, self.holder, self.invocation.lock_wait_s, self.screen.note) as lease:
            lease.set_phase("planning")
            yield lease

    def run_under_way(self) -> str:
        """Tell who is changing this environment right now, since when; empty where nobody is, or nobody can tell."""
        try:
            lock = self.store.lock_info(self.suffix)
        except LockHeld:
            return NAMELESS
        except TapctlError as error:  # the record can be read; a lock that cannot stops no look
            if not self.told_lock:
                self.told_lock = True
                self.screen.warn(f"nobody can tell if a run is at work: the lock cannot be read: {error.cause}")
            return ""
        return str(lock or "")

    def warn_of_run(self, run: str) -> None:
        """Say that this run is under way, once: what it is changing shows as a difference. Empty: none is."""
        if run and not self.told_run:
            self.told_run = run
            self.screen.warn(f"a run is under way, and what is shown may change: {run}")

    def finish(
        self,
        status: Status | None,
        code: int = ExitCode.OK,
        counts: Mapping[str, int] = NO_COUNTS,
        summary: str = "",
    ) -> int:
        """Show the verdict; returns the exit status."""
        return self.invocation.finish(self.screen, status, code, counts, summary)


def open_session(invocation: Invocation, screen: Screen, files: Files = Files.NEEDED) -> Session:
    """Open a session on one environment: read its configuration, check the suffix, and ask AWS who we are.

    ``files``: what becomes of the command where the environment's files are not there, and its record is.

    Raises:
        ConfigError: the configuration, the environment's name or the suffix.
        ManifestError: the record that stands in for the configuration cannot be used.
        UsageError: no environment was named, and the state does not know exactly one.
        WrongTarget: another account, or no usable credentials.
    """
    loaded, target = resolve_recorded(invocation, screen, files)
    config = None if isinstance(loaded, ConfigError) else loaded
    aws = connect(invocation, screen, config, region=target.region, account=target.account)
    store = open_store(invocation.state, aws, others=partial(accounts_of_files, invocation))
    invocation.usage.manifest = store.location(target.suffix)
    screen.note(f"{invocation.verb} {target.suffix}: asking AWS who we are")
    if config is not None and aws.region != config.region:
        screen.warn(f"{aws.region} is not the region of {config.environment} ({config.region})")
    try:
        identity = aws.identify(target.account)
    except WrongTarget as error:
        raise (_of_the_sandbox(invocation, target, error) or error) from error
    target = replace(target, identity=short_identity(identity))
    screen.target(target)
    return Session(invocation, screen, loaded, target, aws, store, id=aws.run)


def _of_the_sandbox(invocation: Invocation, target: Target, error: WrongTarget) -> WrongTarget | None:
    """The error for a record of the embedded AWS, where the real one does not know us; None for any other record."""
    record = local_manifest(invocation, target.suffix)
    if invocation.sandbox or record is None or record.aws_kind is not AwsKind.SANDBOX:
        return None
    return WrongTarget(
        f"{target.suffix} is in the embedded AWS, and --sandbox is not there",
        evidence=f"{invocation.usage.manifest}: aws = {record.aws_kind}\n{error.cause}",
        hint=f"run it there: {invocation.command} --sandbox",
    )


def short_identity(identity: Identity) -> str:
    """Our identity in a word: ``sso:dana``, ``role/deploy``, ``user/alice``."""
    kind, _, rest = identity.arn.split(":", 5)[5].partition("/")
    name = rest.split("/")
    if kind == "assumed-role" and len(name) > 1:
        return f"sso:{name[-1]}" if name[0].startswith("AWSReservedSSO_") else f"role/{name[0]}"
    return f"{kind}/{rest}" if rest else kind
