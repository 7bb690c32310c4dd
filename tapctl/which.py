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

from tapctl.aws import Aws, Target, default_region
from tapctl.command import SANDBOX_FOLDER, Options
from tapctl.config import Config, check_suffix, config_hash, environments, load, load_all
from tapctl.errors import ConfigError, ManifestError, Problem, SandboxError, UsageError
from tapctl.manifest.entry import Manifest, Phase, check
from tapctl.manifest.store import Store, open_store
from tapctl.regions import REGION, REGION_RULE
from tapctl.render.screen import Header, Screen

_S3: Final = "s3://"
_ANY_REGION: Final = "us-east-1"
_GLANCE_S: Final = 0.5
"""Seconds; an embedded AWS that runs answers at once."""


def which(options: Options, screen: Screen) -> tuple[Config, str]:
    """The environment and the suffix this command is about, both checked; the screen is told.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: the record that would tell the environment cannot be used.
        UsageError: no environment was named, and the state does not know exactly one.
    """
    env, suffix = (options.env, options.suffix or options.env) if options.env is not None else _found(options, screen)
    config = load(options.config, env)
    check_suffix(suffix, env, environments(options.config))
    options.tally.env, options.tally.suffix = env, suffix
    screen.header(header(options, config, suffix))
    return config, suffix


def header(options: Options, config: Config, suffix: str, identity: str = "", networking: str = "") -> Header:
    """The target, as far as it is known."""
    return Header(
        verb=options.verb,
        env=config.environment,
        suffix=suffix,
        account=config.account_id,
        region=options.region or config.region,
        identity=identity,
        config_hash=config_hash(config),
        networking=networking,
    )


def _found(options: Options, screen: Screen) -> tuple[str, str]:
    """The environment by the record of the suffix that is named, or of the only one that the state knows."""
    if options.suffix is not None:
        manifest = recorded_as(options, bare_store(options, screen), options.suffix)
        if manifest is not None:
            return manifest.environment, options.suffix
    found = known(options, screen)
    if options.suffix is None and len(found) == 1:
        ((suffix, one),) = found.items()
        if isinstance(one, ManifestError):
            raise one
        return one.environment, suffix
    there = f"the state knows: {', '.join(sorted(found))}" if found else "the state knows none"
    raise UsageError(
        f"which environment? {there}",
        evidence=f"state {options.state}",
        hint=f"name one: {_named(options, found)}",
    )


def _named(options: Options, found: dict[str, Manifest | ManifestError]) -> str:
    """The same command for the first environment that the state knows, else for the first that has a file."""
    for suffix, one in sorted(found.items()):
        if isinstance(one, Manifest):
            return options.again(options.verb, one.environment, suffix)
    names: tuple[str, ...] = ()
    with suppress(ConfigError):
        names = environments(options.config)
    env = next(iter(names), "dev")
    return options.again(options.verb, env, env)


def open_door(options: Options, screen: Screen, config: Config | None) -> Aws:
    """The door to the AWS of this environment; as long as none is known to the one of the user's own settings."""
    if options.sandbox:
        target = _sandboxed(options, screen, config)
    elif config is not None:
        target = Target(options.region or config.region, role_arn=config.role_arn)
    else:
        target = Target(options.region or _own_region())
    door = Aws(target)
    options.tally.doors.append(door)
    return door


def _own_region() -> str:
    region = default_region()
    if not re.fullmatch(REGION, region):
        raise ConfigError(
            [Problem("AWS_DEFAULT_REGION, or the profile", "", region, f"must be {REGION_RULE}")],
            hint="correct it there, or name the environment",
        )
    return region


def _sandboxed(options: Options, screen: Screen, config: Config | None) -> Target:
    from tapctl import sandbox

    fresh = note_start(screen)
    region = options.region or (config.region if config else _ANY_REGION)
    url = sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(config, region)] if config else [])
    for other in _all_there_are(options) if fresh else ():
        with suppress(SandboxError):  # whoever works with that one is told
            sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(other, other.region)])
    return Target(region, endpoint_url=url, credentials=sandbox.CREDENTIALS)


def _all_there_are(options: Options) -> Iterable[Config]:
    with suppress(ConfigError):  # whoever needs the files tells what is wrong with them
        return load_all(options.config).values()
    return ()


def note_start(screen: Screen) -> bool:
    """Say that the embedded AWS is started, where it does not run yet: that takes seconds. Whether that is so."""
    from tapctl import sandbox

    try:
        running = sandbox.status(SANDBOX_FOLDER, patience_s=_GLANCE_S)
    except SandboxError:  # somebody else is starting it
        running = None
    if running is None:
        screen.note("starting the embedded AWS")
    return running is None


def bare_store(options: Options, screen: Screen, config: Config | None = None) -> Store:
    """The store, without asking who we are: for a local one no call is made and no credentials are wanted."""
    if not options.state.startswith(_S3):
        return open_store(options.state, None)
    if not options.tally.doors:
        screen.note(f"{options.verb}: reading {options.state}")
    return open_store(options.state, open_door(options, screen, config))


def is_there(options: Options) -> bool:
    """Whether the place of the records is there at all; of a bucket that is known once it was read."""
    return options.state.startswith(_S3) or Path(options.state).is_dir()


def known(options: Options, screen: Screen) -> dict[str, Manifest | ManifestError]:
    """What the state knows, by suffix, or why its record cannot be used; what was destroyed is not deployed."""
    store = bare_store(options, screen)
    found: dict[str, Manifest | ManifestError] = {}
    for suffix in store.suffixes():
        try:
            manifest = recorded_as(options, store, suffix)
        except ManifestError as error:
            found[suffix] = error
            continue
        if manifest is not None and is_deployed(manifest):
            found[suffix] = manifest
    return found


def is_deployed(manifest: Manifest) -> bool:
    """Whether anything of it is there but what is kept on purpose."""
    return any(entry.phase is not Phase.KEPT for entry in manifest.entries.values())


def recorded_as(options: Options, store: Store, suffix: str) -> Manifest | None:
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
        names = environments(options.config)
    env = suffix if suffix in names else manifest.environment
    own = {"account": manifest.account, "region": manifest.region}
    check(manifest, store.location(suffix), environment=env, suffix=suffix, **own)
    return manifest


def check_target(options: Options, manifest: Manifest, where: str, config: Config, suffix: str) -> None:
    """Make sure that this record is of the environment, suffix, account and region that the files say.

    Raises:
        ManifestError: it records another environment or suffix.
        WrongTarget: it records another account or region.
    """
    region = options.region or config.region
    check(manifest, where, environment=config.environment, suffix=suffix, account=config.account_id, region=region)
