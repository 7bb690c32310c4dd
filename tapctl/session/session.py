"""One run of one command: which environment, which account, which record; opened in the order that is safe.

Configuration and suffix are checked offline first, something is on the screen before the first call, and the first
call asks STS who we are: nothing else is asked of the wrong account.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tapctl.aws.client import Aws, Identity
from tapctl.config import Config, config_hash
from tapctl.engine.model import Owner
from tapctl.errors import WrongTarget
from tapctl.manifest import open_store
from tapctl.manifest.journal import Journal
from tapctl.manifest.lock import Lease, LockHolder, ci_commit, ci_run
from tapctl.manifest.manifest import AwsKind, Manifest, check, empty
from tapctl.manifest.store import Store
from tapctl.names import Names
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import connect, header, resolve_target


@dataclass
class Session:
    """An opened run: everything a verb works with."""

    invocation: Invocation
    screen: Screen
    config: Config
    suffix: str
    aws: Aws
    store: Store
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def names(self) -> Names:
        """The names of everything in this environment."""
        return Names(self.suffix, self.aws.account, self.aws.region, self.aws.partition)

    @property
    def owner(self) -> Owner:
        """Whose things are ours."""
        return Owner.ours(self.suffix)

    @property
    def config_hash(self) -> str:
        """The configuration's SHA-256."""
        return config_hash(self.config)

    @property
    def aws_kind(self) -> AwsKind:
        """The kind of AWS that this session changes."""
        if self.aws.target.endpoint_url:
            return AwsKind.SANDBOX
        return AwsKind.ENDPOINT if os.environ.get("AWS_ENDPOINT_URL") else AwsKind.REAL

    @property
    def location(self) -> str:
        """Where the record is."""
        return self.store.location(self.suffix)

    def command(self, verb: str) -> str:
        """Another command for this environment."""
        return self.invocation.command_line_for(verb, self.config.environment, self.suffix)

    def header(self, networking: str = "") -> Target:
        """The target, as far as it is known."""
        who = self.aws.identity
        return header(self.invocation, self.config, self.suffix, short_identity(who) if who else "", networking)

    def load_manifest(self) -> tuple[Manifest, str | None]:
        """The record, checked to be of this very target, and its version; an empty one where there is none yet."""
        stored = self.store.read(self.suffix)
        target = {
            "environment": self.config.environment,
            "suffix": self.suffix,
            "account": self.aws.account,
            "region": self.aws.region,
        }
        if stored is None:
            return empty(**target), None
        check(stored.manifest, self.location, **target)
        self._check_aws_kind(stored.manifest)
        return stored.manifest, stored.version

    def _check_aws_kind(self, manifest: Manifest) -> None:
        """Refuse a manifest of the real AWS in the sandbox, and the other way round: both have the same account."""
        if manifest.run and {manifest.aws_kind, self.aws_kind} == {AwsKind.SANDBOX, AwsKind.REAL}:
            ours, theirs = ("embedded", "real") if self.aws_kind is AwsKind.SANDBOX else ("real", "embedded")
            raise WrongTarget(
                f"the manifest {self.location} is of the {theirs} AWS, this is the {ours} one",
                evidence=f"{self.location}: aws = {manifest.aws_kind}",
                hint=f"use another --state with the {ours} one, or move that manifest away if it is of no use any more",
            )

    def journal(self, manifest: Manifest, version: str | None) -> Journal:
        """The journal of this run."""
        who = self.aws.identity
        journal = Journal(self.store, manifest, version)
        written_by = short_identity(who) if who else ""
        journal.update(config_hash=self.config_hash, run=self.id, written_by=written_by, aws=self.aws_kind)
        journal.update(ci=ci_run(os.environ)[:500], commit=ci_commit(os.environ))
        return journal

    @contextmanager
    def lock(self) -> Iterator[Lease]:
        """Hold this environment's lock.

        Raises:
            LockHeld: somebody else changes it right now.
        """
        who = self.aws.identity
        holder = LockHolder.here(short_identity(who) if who else "", self.invocation.command, os.environ)
        with self.store.lock(self.suffix, holder, self.invocation.lock_wait_s, self.screen.note) as lease:
            lease.set_phase("planning")
            yield lease


def short_identity(identity: Identity) -> str:
    """Who we are, in a word: ``sso:dana``, ``role/deploy``, ``user/alice``."""
    kind, _, rest = identity.arn.split(":", 5)[5].partition("/")
    name = rest.split("/")
    if kind == "assumed-role" and len(name) > 1:
        return f"sso:{name[-1]}" if name[0].startswith("AWSReservedSSO_") else f"role/{name[0]}"
    return f"{kind}/{rest}" if rest else kind


def open_session(invocation: Invocation, screen: Screen) -> Session:
    """Open a run for one environment: read its configuration, check the suffix, and ask AWS who we are.

    Raises:
        ConfigError: the configuration, the environment's name or the suffix.
        UsageError: no environment was named, and the state does not know exactly one.
        WrongTarget: another account, or no usable credentials.
    """
    config, suffix = resolve_target(invocation, screen)
    aws = connect(invocation, screen, config)
    session = Session(invocation, screen, config, suffix, aws, open_store(invocation.state, aws), aws.run)
    invocation.usage.manifest = session.location
    screen.note(f"{invocation.verb} {suffix}: asking AWS who we are")
    if aws.region != config.region:
        screen.warn(f"{aws.region} is not the region of {config.environment} ({config.region})")
    aws.identify(config.account_id)
    screen.target(session.header())
    return session
