"""One run of one command: which environment, which account, which record; opened in the order that is safe.

Configuration and suffix are checked offline first, something is on the screen before the first call, and the first
call asks STS who we are: nothing else is asked of the wrong account.
"""

from __future__ import annotations

import os
import shlex
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tapctl.aws import Aws, Identity, Target
from tapctl.config import Config, check_suffix, config_hash, environments, load
from tapctl.engine.model import Owner
from tapctl.errors import UsageError
from tapctl.manifest.entry import Manifest, Phase, check, empty
from tapctl.manifest.journal import Journal
from tapctl.manifest.store import Holder, Lease, Store, open_store
from tapctl.names import Names
from tapctl.render.screen import Header, Screen

SANDBOX_FOLDER = Path(".tapctl")
CONFIG = Path("environments")
STATE = "./manifests"


@dataclass(frozen=True)
class Options:
    """What the command line says; ``env`` and ``suffix`` may be left open."""

    verb: str
    env: str | None = None
    suffix: str | None = None
    region: str | None = None
    config: Path = CONFIG
    state: str = STATE
    sandbox: bool = False
    named: bool = True
    """Whether the command line names the environment, or the state knows only one."""
    yes: bool = False
    lock_wait_s: float = 0
    """Seconds to wait in line for the lock."""
    can_ask: bool = False
    command: str = "tapctl"
    """The command as typed, for hints and the lock."""

    def again(self, verb: str, env: str, suffix: str) -> str:
        """Another command for the same target: a hint that can be run as it is, and never hits another AWS."""
        parts = ["tapctl", *verb.split(), "--env", env]
        given = {
            "--suffix": "" if suffix == env else suffix,
            "--region": self.region or "",
            "--config": "" if self.config == CONFIG else str(self.config),
            "--state": "" if self.state == STATE else self.state,
        }
        parts += [part for flag, value in given.items() if value for part in (flag, value)]
        return shlex.join([*parts, "--sandbox"] if self.sandbox else parts)


@dataclass
class Run:
    """An opened run: everything a verb works with."""

    options: Options
    screen: Screen
    config: Config
    suffix: str
    aws: Aws
    store: Store
    began: float = field(default_factory=time.monotonic)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    networking: str = ""

    @property
    def names(self) -> Names:
        """The names of everything in this environment."""
        return Names(self.suffix, self.aws.account, self.aws.region, self.aws.partition)

    @property
    def owner(self) -> Owner:
        """Whose things are ours."""
        return Owner.ours(self.suffix)

    @property
    def env(self) -> str:
        """What verdicts and prompts call this: the environment, and the suffix where it is another word."""
        return self.suffix

    @property
    def hash(self) -> str:
        """The configuration's SHA-256."""
        return config_hash(self.config)

    @property
    def location(self) -> str:
        """Where the record is."""
        return self.store.location(self.suffix)

    def command(self, verb: str) -> str:
        """Another command for this environment."""
        return self.options.again(verb, self.config.environment, self.suffix)

    def elapsed(self) -> float:
        """Seconds since the run was opened."""
        return time.monotonic() - self.began

    def header(self, networking: str = "") -> Header:
        """The target, as far as it is known."""
        who = self.aws.identity
        return Header(
            verb=self.options.verb,
            env=self.config.environment,
            suffix=self.suffix,
            account=self.config.account_id,
            region=self.aws.region,
            identity=short(who) if who else "",
            config_hash=self.hash,
            networking=networking,
        )

    def recorded(self) -> tuple[Manifest, str | None]:
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
        return stored.manifest, stored.version

    def journal(self, manifest: Manifest, version: str | None) -> Journal:
        """The journal of this run."""
        who = self.aws.identity
        journal = Journal(self.store, manifest, version)
        journal.update(config_hash=self.hash, run=self.id, written_by=short(who) if who else "")
        return journal

    @contextmanager
    def locked(self) -> Iterator[Lease]:
        """Hold this environment's lock.

        Raises:
            LockHeld: somebody else changes it right now.
        """
        who = self.aws.identity
        holder = Holder.here(short(who) if who else "", self.options.command, os.environ)
        with self.store.lock(self.suffix, holder, self.options.lock_wait_s, self.screen.note) as lease:
            lease.enter("planning")
            yield lease


def short(identity: Identity) -> str:
    """Who we are, in a word: ``sso:dana``, ``role/deploy``, ``user/alice``."""
    kind, _, rest = identity.arn.split(":", 5)[5].partition("/")
    name = rest.split("/")
    if kind == "assumed-role" and len(name) > 1:
        return f"sso:{name[-1]}" if name[0].startswith("AWSReservedSSO_") else f"role/{name[0]}"
    return f"{kind}/{rest}" if rest else kind


def open_run(options: Options, screen: Screen) -> Run:
    """Open a run for one environment: read its configuration, check the suffix, and ask AWS who we are.

    Raises:
        ConfigError: the configuration, the environment's name or the suffix.
        UsageError: no environment was named, and the state does not know exactly one.
        WrongTarget: another account, or no usable credentials.
    """
    env, suffix = which(options)
    config = load(options.config, env)
    check_suffix(suffix, env, environments(options.config))
    region = options.region or config.region
    target = _target(options, config, region)
    aws = Aws(target)
    run = Run(options, screen, config, suffix, aws, open_store(options.state, aws))
    screen.header(run.header())
    if region != config.region:
        screen.warn(f"{region} is not the region of {env} ({config.region})")
    aws.identify(config.account_id)
    screen.header(run.header())
    return run


def _target(options: Options, config: Config, region: str) -> Target:
    if not options.sandbox:
        return Target(region, role_arn=config.role_arn)
    from tapctl import sandbox

    url = sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed(config, region)])
    return Target(region, endpoint_url=url, credentials=sandbox.CREDENTIALS)


def bare_store(options: Options) -> Store:
    """The store, before any environment is known: for a local one no call is made and no credentials are wanted."""
    if not options.state.startswith("s3://"):
        return open_store(options.state, None)
    region = options.region or os.environ.get("AWS_REGION") or "us-east-1"
    if not options.sandbox:
        return open_store(options.state, Aws(Target(region)))
    from tapctl import sandbox

    url = sandbox.ensure(SANDBOX_FOLDER, [])
    return open_store(options.state, Aws(Target(region, endpoint_url=url, credentials=sandbox.CREDENTIALS)))


def deployed(store: Store) -> dict[str, Manifest]:
    """What the state knows, by suffix; what was destroyed (nothing left, or only what is kept) is not deployed."""
    found: dict[str, Manifest] = {}
    for suffix in store.suffixes():
        stored = store.read(suffix)
        if stored is None:
            continue
        manifest = stored.manifest
        check_as_named(manifest, store.location(suffix), suffix)
        if any(entry.phase is not Phase.KEPT for entry in manifest.entries.values()):
            found[suffix] = manifest
    return found


def check_as_named(manifest: Manifest, where: str, suffix: str) -> None:
    """Make sure that this record is of the suffix it lies under, whatever its account and region.

    Raises:
        ManifestError: it records another suffix.
    """
    own = {"environment": manifest.environment, "account": manifest.account, "region": manifest.region}
    check(manifest, where, suffix=suffix, **own)


def which(options: Options) -> tuple[str, str]:
    """The environment and the suffix this run is about."""
    if options.env is not None:
        return options.env, options.suffix or options.env
    known = deployed(bare_store(options))
    if options.suffix is not None and options.suffix in known:
        return known[options.suffix].environment, options.suffix
    if options.suffix is None and len(known) == 1:
        ((suffix, manifest),) = known.items()
        return manifest.environment, suffix
    there = f"the state knows: {', '.join(sorted(known))}" if known else "the state knows none"
    raise UsageError(
        f"which environment? {there}",
        evidence=f"state {options.state}",
        hint=f"name one: tapctl {options.verb} --env {next(iter(sorted(known)), 'dev')}",
    )
