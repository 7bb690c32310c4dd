"""Which environment a command is about, and which ones the state knows.

Names are checked offline first: no record is looked for under a suffix that might lead somewhere else. One record that
cannot be used stops the command that is about it, and never hides the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tapctl.aws.client import Aws, Connection, default_region
from tapctl.config import Config, check_suffix, config_hash, environments, load, load_all
from tapctl.engine.record import Phase
from tapctl.errors import ConfigError, ManifestError, Problem, SandboxError, UsageError
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest, check
from tapctl.manifest.store import Store
from tapctl.regions import REGION, REGION_RULE
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import SANDBOX_FOLDER, Invocation

_S3: Final = "s3://"
_ANY_REGION: Final = "us-east-1"
_GLANCE_S: Final = 0.5
"""Seconds; an embedded AWS that runs answers at once."""


def resolve_target(invocation: Invocation, screen: Screen) -> tuple[Config, str]:
    """The environment and the suffix this command is about, both checked; the screen is told.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: the record that would tell the environment cannot be used.
        UsageError: no environment was named, and the state does not know exactly one.
    """
    env, suffix = (
        (invocation.env, invocation.suffix or invocation.env)
        if invocation.env is not None
        else _infer_target(invocation, screen)
    )
    config = load(invocation.config, env)
    check_suffix(suffix, env, environments(invocation.config))
    invocation.usage.env, invocation.usage.suffix = env, suffix
    screen.target(header(invocation, config, suffix))
    return config, suffix


def header(invocation: Invocation, config: Config, suffix: str, identity: str = "", networking: str = "") -> Target:
    """The target, as far as it is known."""
    return Target(
        verb=invocation.verb,
        env=config.environment,
        suffix=suffix,
        account=config.account_id,
        region=invocation.region or config.region,
        identity=identity,
        config_hash=config_hash(config),
        networking=networking,
    )


def _infer_target(invocation: Invocation, screen: Screen) -> tuple[str, str]:
    """The environment by the record of the suffix that is named, or of the only one that the state knows."""
    if invocation.suffix is not None:
        manifest = read_manifest(invocation, open_store_unidentified(invocation, screen), invocation.suffix)
        if manifest is not None:
            return manifest.environment, invocation.suffix
    found = deployed_environments(invocation, screen)
    if invocation.suffix is None and len(found) == 1:
        ((suffix, one),) = found.items()
        if isinstance(one, ManifestError):
            raise one
        return one.environment, suffix
    there = f"the state knows: {', '.join(sorted(found))}" if found else "the state knows none"
    raise UsageError(
        f"which environment? {there}",
        evidence=f"state {invocation.state}",
        hint=f"name one: {_example_command(invocation, found)}",
    )


def _example_command(invocation: Invocation, found: dict[str, Manifest | ManifestError]) -> str:
    """The same command for the first environment that the state knows, else for the first that has a file."""
    for suffix, one in sorted(found.items()):
        if isinstance(one, Manifest):
            return invocation.command_line_for(invocation.verb, one.environment, suffix)
    names: tuple[str, ...] = ()
    with suppress(ConfigError):
        names = environments(invocation.config)
    env = next(iter(names), "dev")
    return invocation.command_line_for(invocation.verb, env, env)


def connect(invocation: Invocation, screen: Screen, config: Config | None) -> Aws:
    """The door to the AWS of this environment; as long as none is known to the one of the user's own settings."""
    if invocation.sandbox:
        target = _sandbox_target(invocation, screen, config)
    elif config is not None:
        target = Connection(invocation.region or config.region, role_arn=config.role_arn)
    else:
        target = Connection(invocation.region or _own_region())
    door = Aws(target)
    invocation.usage.clients.append(door)
    return door


def _own_region() -> str:
    region = default_region()
    if not re.fullmatch(REGION, region):
        raise ConfigError(
            [Problem("AWS_DEFAULT_REGION, or the profile", "", region, f"must be {REGION_RULE}")],
            hint="correct it there, or name the environment",
        )
    return region


def _sandbox_target(invocation: Invocation, screen: Screen, config: Config | None) -> Connection:
    from tapctl import sandbox

    fresh = announce_sandbox_start(screen)
    region = invocation.region or (config.region if config else _ANY_REGION)
    url = sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(config, region)] if config else [])
    for other in _all_configs(invocation) if fresh else ():
        with suppress(SandboxError):  # whoever works with that one is told
            sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(other, other.region)])
    return Connection(region, endpoint_url=url, credentials=sandbox.CREDENTIALS)


def _all_configs(invocation: Invocation) -> Iterable[Config]:
    with suppress(ConfigError):  # whoever needs the files tells what is wrong with them
        return load_all(invocation.config).values()
    return ()


def announce_sandbox_start(screen: Screen) -> bool:
    """Say that the embedded AWS is started, where it does not run yet: that takes seconds. Whether that is so."""
    from tapctl import sandbox

    try:
        running = sandbox.status(SANDBOX_FOLDER, patience_s=_GLANCE_S)
    except SandboxError:  # somebody else is starting it
        running = None
    if running is None:
        screen.note("starting the embedded AWS")
    return running is None


def open_store_unidentified(invocation: Invocation, screen: Screen, config: Config | None = None) -> Store:
    """The store, without asking who we are: for a local one no call is made and no credentials are wanted."""
    if not invocation.state.startswith(_S3):
        return open_store(invocation.state, None)
    if not invocation.usage.clients:
        screen.note(f"{invocation.verb}: reading {invocation.state}")
    return open_store(invocation.state, connect(invocation, screen, config))


def state_exists(invocation: Invocation) -> bool:
    """Whether the place of the records is there at all; of a bucket that is known once it was read."""
    return invocation.state.startswith(_S3) or Path(invocation.state).is_dir()


def deployed_environments(invocation: Invocation, screen: Screen) -> dict[str, Manifest | ManifestError]:
    """What the state knows, by suffix, or why its record cannot be used; what was destroyed is not deployed."""
    store = open_store_unidentified(invocation, screen)
    found: dict[str, Manifest | ManifestError] = {}
    for suffix in store.suffixes():
        try:
            manifest = read_manifest(invocation, store, suffix)
        except ManifestError as error:
            found[suffix] = error
            continue
        if manifest is not None and is_deployed(manifest):
            found[suffix] = manifest
    return found


def is_deployed(manifest: Manifest) -> bool:
    """Whether anything of it is there but what is kept on purpose."""
    return any(entry.phase is not Phase.KEPT for entry in manifest.entries.values())


def read_manifest(invocation: Invocation, store: Store, suffix: str) -> Manifest | None:
    """The record of this suffix, whichever account and region it is of; None where there is none.

    Raises:
        ManifestError: it cannot be read, or is of another suffix, or of an environment that this suffix cannot be of.
    """
    stored = store.read(suffix)
    if stored is None:
        return None
    manifest = stored.manifest
    names: tuple[str, ...] = ()
    with suppress(ConfigError):  # whoever needs the files tells what is wrong with them
        names = environments(invocation.config)
    env = suffix if suffix in names else manifest.environment
    own = {"account": manifest.account, "region": manifest.region}
    check(manifest, store.location(suffix), environment=env, suffix=suffix, **own)
    return manifest


def check_manifest_target(invocation: Invocation, manifest: Manifest, where: str, config: Config, suffix: str) -> None:
    """Make sure that this record is of the environment, suffix, account and region that the files say.

    Raises:
        ManifestError: it records another environment or suffix.
        WrongTarget: it records another account or region.
    """
    region = invocation.region or config.region
    check(manifest, where, environment=config.environment, suffix=suffix, account=config.account_id, region=region)
