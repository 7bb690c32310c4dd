"""The environment that a command is about, and the environments that the state knows.

Names are checked offline first: no record is looked for under a suffix that might lead somewhere else. A record that
cannot be used stops the command that is about it, and never hides the others.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

from tapctl.aws.client import Aws, Connection, default_region
from tapctl.config import Config, check_suffix, config_hash, environments, known_environments, load
from tapctl.engine.model import Owner
from tapctl.engine.ownership import Claimant
from tapctl.engine.record import Phase
from tapctl.errors import ConfigError, ManifestError, Problem, SandboxError, TapctlError, UsageError
from tapctl.manifest import open_store
from tapctl.manifest.history import last_version
from tapctl.manifest.manifest import Manifest, check
from tapctl.manifest.store import SUFFIX, Store
from tapctl.names import Names
from tapctl.reconcilers import kept_without_reason
from tapctl.regions import REGION, REGION_RULE
from tapctl.render.screen import Screen, Target
from tapctl.safety.files import is_absent
from tapctl.session.damaged_record import read_stored
from tapctl.session.invocation import ANY_ENVIRONMENT, ANY_SUFFIX, SANDBOX_FOLDER, Invocation, target_options
from tapctl.session.recorded_file import file_is_gone

_S3: Final = "s3://"
_ANY_REGION: Final = "us-east-1"
_READING: Final = ("plan", "drift", "status", "outputs", "graph", "manifest show", "manifest history", "manifest diff")
"""Commands that change nothing, neither in AWS nor of the record."""
_GLANCE_S: Final = 0.5
"""Seconds; an embedded AWS that runs answers at once."""


# -- which environment -------------------------------------------------------------------------------------------------


class Files(Enum):
    """The need that a command has of the environment's files, where its record is there."""

    NEEDED = "needed"
    """The command works with what they want."""
    MAY_BE_GONE = "may be gone"
    """The record is enough where the environment has no file any more."""
    MAY_BE_WRONG = "may be wrong"
    """The record is enough, whatever is the matter with the files."""
    HISTORY_IS_ENOUGH = "history is enough"
    """As `MAY_BE_GONE`; and where the record cannot be used the newest version of its history stands in for it."""


def resolve_target(invocation: Invocation, screen: Screen) -> tuple[Config, Target]:
    """The configuration and the target of this command, both checked; the screen and the usage know it from here on.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: the record that would tell the environment cannot be used.
        UsageError: no environment was named, and the state does not know exactly one.
    """
    config, target = resolve_recorded(invocation, screen, Files.NEEDED)
    assert isinstance(config, Config), "needed files that cannot be used are an error"
    return config, target


def resolve_recorded(invocation: Invocation, screen: Screen, files: Files) -> tuple[Config | ConfigError, Target]:
    """The target of this command, and its configuration, or why there is none: then the record stands in for it.

    Raises:
        ConfigError: the environment's name or files, where the record is not enough or not there; or the suffix.
        ManifestError: the record cannot be used.
        UsageError: no environment was named, and the state does not know exactly one.
    """
    named = invocation.target if invocation.env is not None else _infer_target(invocation, screen, files)
    loaded: Config | ConfigError
    try:
        loaded = load(invocation.config, named.env)
        target = Target(
            env=named.env,
            suffix=named.suffix,
            account=loaded.account_id,
            region=invocation.region or loaded.region,
            config_hash=config_hash(loaded),
        )
    except ConfigError as error:
        loaded, target = _by_record(invocation, screen, named, error, files)
    check_suffix(target.suffix, target.env, known_environments(invocation.config))
    invocation.usage.target = target
    screen.target(target)
    return loaded, target


def _by_record(
    invocation: Invocation, screen: Screen, named: Target, error: ConfigError, files: Files
) -> tuple[ConfigError, Target]:
    """The target by the record alone, and the error about the files that a command meets which needs them.

    Raises:
        ConfigError: the record is not enough, or there is none of this environment.
        ManifestError: the record cannot be used.
    """
    gone = is_gone(invocation.config, named.env)
    if not (gone or files is Files.MAY_BE_WRONG) or not re.fullmatch(SUFFIX, named.suffix):
        raise error
    try:
        store = open_store_unidentified(invocation, screen)
        manifest, source = _record_or_last(invocation, store, named.suffix, files)
    except TapctlError as unusable:
        if isinstance(unusable, ManifestError) and files is not Files.NEEDED:
            raise
        raise error from None  # whatever is the matter with the state: nothing tells that there is such an environment
    if manifest is None or manifest.environment != named.env:
        raise error
    if gone:
        error = file_is_gone(invocation.config, manifest, store.location(named.suffix))
    if files is Files.NEEDED:
        raise error
    screen.warn(f"{error.problems[0]}; {invocation.verb} goes by {source}: {manifest.stamp}")
    region = invocation.region or manifest.region
    return error, Target(named.env, named.suffix, manifest.account, region, config_hash=manifest.config_hash)


def _record_or_last(invocation: Invocation, store: Store, suffix: str, files: Files) -> tuple[Manifest | None, str]:
    """The record, or the newest version of its history where that is enough and the record cannot be used.

    With the words for which of the two it is.

    Raises:
        ManifestError: the record cannot be used, and no version stands in for it.
    """
    try:
        return read_manifest(invocation, store, suffix), "the record"
    except ManifestError as error:
        return _stand_in(store, suffix, files, error), "the newest version of its history"


def _stand_in(store: Store, suffix: str, files: Files, error: ManifestError) -> Manifest:
    """The newest version of the history, for a record that cannot be used.

    Raises:
        ManifestError: the command needs the record, or no version can be used.
    """
    if files is Files.HISTORY_IS_ENOUGH:
        with suppress(ManifestError):
            newest = last_version(store, suffix)
            if newest is not None:
                return newest
    raise error


def is_gone(folder: Path, environment: str) -> bool:
    """True if the environment has no file: the folder can be read and has none of its name, or is not there."""
    try:
        return environment not in environments(folder)
    except ConfigError:
        return is_absent(folder)


def _infer_target(invocation: Invocation, screen: Screen, files: Files) -> Target:
    """The environment by the record of the suffix that is named, or of the only one that the state knows."""
    if invocation.suffix is not None:
        store = open_store_unidentified(invocation, screen)
        manifest, _ = _record_or_last(invocation, store, invocation.suffix, files)
        if manifest is not None:
            return Target(_environment_of(invocation, manifest, invocation.suffix), invocation.suffix)
    deployed = deployed_environments(invocation, screen)
    if invocation.suffix is None and len(deployed) == 1:
        ((suffix, record),) = deployed.items()
        if isinstance(record, ManifestError):
            record = _stand_in(open_store_unidentified(invocation, screen), suffix, files, record)
        return Target(_environment_of(invocation, record, suffix), suffix)
    known = f"the state knows: {', '.join(sorted(deployed))}" if deployed else "the state knows none"
    evidence = f"state {invocation.state}"
    if invocation.suffix is not None:
        hint = f"name it: {invocation.same_command('--env', _only_environment(invocation))}"
        raise UsageError(f"which environment is {invocation.suffix} of? {known}", evidence=evidence, hint=hint)
    hint = f"name one: {invocation.same_command(*_example(invocation, deployed))}"
    raise UsageError(f"which environment? {known}", evidence=evidence, hint=hint)


def _environment_of(invocation: Invocation, manifest: Manifest, suffix: str) -> str:
    """The environment that this record of the suffix can be of: its own one, or that of the suffix's name."""
    return suffix if suffix in known_environments(invocation.config) else manifest.environment


def _only_environment(invocation: Invocation) -> str:
    """The only environment that may be meant: of the suffix's name, or with a file; else the word for any."""
    names = known_environments(invocation.config)
    if invocation.suffix in names:
        return invocation.suffix
    return names[0] if len(names) == 1 else ANY_ENVIRONMENT


def _example(invocation: Invocation, deployed: dict[str, Manifest | ManifestError]) -> tuple[str, ...]:
    """The options by which a target is named: of a command that only reads the first one that there is.

    Of others none is chosen: whoever runs the hint as it stands must not change what nobody has named.
    """
    if invocation.verb not in _READING:
        return ("--suffix", ANY_SUFFIX) if deployed else ("--env", _only_environment(invocation))
    env = next(iter(known_environments(invocation.config)), "dev")
    usable = [Target(one.environment, suffix) for suffix, one in sorted(deployed.items()) if isinstance(one, Manifest)]
    return target_options(next(iter(usable), Target(env, env)))


# -- its AWS -----------------------------------------------------------------------------------------------------------


def connect(invocation: Invocation, screen: Screen, config: Config | None, region: str = "", account: str = "") -> Aws:
    """A client for the environment's region, or for boto3's default region while no environment is known.

    ``region``: the record's, where the environment has no configuration. ``account``: the environment's, where known.
    """
    pool = invocation.pool
    if invocation.sandbox:
        with pool.lock if pool else nullcontext():
            connection = _sandbox_connection(invocation, screen, config, region, account)
    elif config is not None:
        connection = Connection(invocation.region or config.region, role_arn=config.role_arn)
    else:
        connection = Connection(invocation.region or region or _default_region())
    client = pool.client(connection, account) if pool else Aws(connection, notify=screen.note)
    invocation.usage.clients.append(client)
    return client


def _default_region() -> str:
    region = default_region()
    if not re.fullmatch(REGION, region):
        raise ConfigError(
            [Problem("AWS_DEFAULT_REGION, or the profile", "", region, f"must be {REGION_RULE}")],
            hint="correct it there, or name the environment",
        )
    return region


def _sandbox_connection(
    invocation: Invocation, screen: Screen, config: Config | None, region: str, account: str
) -> Connection:
    """A connection to the embedded AWS, which is started and furnished for this environment where needed."""
    from tapctl import sandbox

    began = time.monotonic()
    fresh = announce_sandbox_start(screen)
    region = invocation.region or (config.region if config else region or _ANY_REGION)
    url = sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(config, region)] if config else [])
    for other in _usable_configs(invocation) if fresh else ():
        with suppress(SandboxError):  # the command that works with that environment reports it
            sandbox.ensure(SANDBOX_FOLDER, [sandbox.seed_for(other, other.region)])
    if fresh:
        # It is no part of what the command takes: the next one, which finds it there, would be told a wrong time.
        invocation.usage.started += time.monotonic() - began
    credentials = sandbox.credentials_of(config.account_id if config else account)
    return Connection(region, endpoint_url=url, credentials=credentials)


def announce_sandbox_start(screen: Screen) -> bool:
    """Say that the embedded AWS is started, which takes seconds; False, and no word, if it runs already."""
    from tapctl import sandbox

    try:
        running = sandbox.status(SANDBOX_FOLDER, patience_s=_GLANCE_S)
    except SandboxError:  # somebody else is starting it
        running = None
    if running is None:
        screen.note("starting the embedded AWS")
    return running is None


# -- its record, and the others ----------------------------------------------------------------------------------------


def open_store_unidentified(
    invocation: Invocation, screen: Screen, config: Config | None = None, account: str = "", *, of_any: bool = False
) -> Store:
    """The store, without asking who we are: a local one needs neither calls nor credentials.

    In S3 the bucket has to be that of the configuration's account, or of ``account``: anybody may have made one of a
    name that was free. As long as no environment is known, or with ``of_any``, it has to be that of an account which
    the files name: what lies in it is listed, and a record is read as one of its own environment's account.
    """
    if not invocation.state.startswith(_S3):
        return open_store(invocation.state, None)
    if not invocation.usage.clients:
        screen.note(f"{invocation.verb}: reading {invocation.state}")
    known = "" if of_any else config.account_id if config else account
    accounts = [known] if known else accounts_of_files(invocation)
    aws = connect(invocation, screen, config, account=account)
    return open_store(invocation.state, aws, accounts, partial(accounts_of_files, invocation))


def accounts_of_files(invocation: Invocation) -> list[str]:
    """The accounts that the files name which can be used."""
    return sorted({one.account_id for one in _usable_configs(invocation)})


def _usable_configs(invocation: Invocation) -> Iterator[Config]:
    """The configurations of the environments whose files can be used."""
    for name in known_environments(invocation.config):
        with suppress(ConfigError):  # the command that needs this file reports it
            yield load(invocation.config, name)


def known_suffixes(invocation: Invocation, store: Store) -> list[str]:
    """The suffixes with a record in the state, at least one.

    Raises:
        ManifestError: there is none. A check with a misspelt folder, bucket or prefix is not "all is well".
    """
    suffixes = store.suffixes()
    if suffixes:
        return suffixes
    is_there = invocation.state.startswith(_S3) or Path(invocation.state).is_dir()
    raise ManifestError(
        f"there is no record in {invocation.state}"
        if is_there
        else f"there is no folder of records: {invocation.state}",
        evidence=f"looked for {store.location('<suffix>')}",
        hint="name the right place with --state or TAPCTL_STATE; the first apply makes the first record",
    )


def deployed_environments(invocation: Invocation, screen: Screen) -> dict[str, Manifest | ManifestError]:
    """The records of all deployed environments by suffix, or why one cannot be used; without those destroyed."""
    records = read_manifests(invocation, open_store_unidentified(invocation, screen))
    return {suffix: one for suffix, one in records.items() if isinstance(one, ManifestError) or is_deployed(one)}


def read_manifests(
    invocation: Invocation, store: Store, suffixes: Iterable[str] | None = None
) -> dict[str, Manifest | ManifestError]:
    """All records by suffix, or why one cannot be used; ``suffixes``: where they were listed already."""
    records: dict[str, Manifest | ManifestError | None] = {}
    for suffix in store.suffixes() if suffixes is None else suffixes:
        try:
            records[suffix] = read_manifest(invocation, store, suffix)
        except ManifestError as error:
            records[suffix] = error
    return {suffix: one for suffix, one in records.items() if one is not None}


def recorded_addresses(state: str) -> dict[str, list[str]]:
    """The recorded addresses by suffix, of a state that is a folder; none of a record that cannot be used.

    Raises:
        UsageError: the state is in AWS, or is no place for records.
        ManifestError: the folder cannot be read.
    """
    store = open_store(state, None)
    found: dict[str, list[str]] = {}
    for suffix in store.suffixes():
        found[suffix] = []
        with suppress(ManifestError):
            stored = store.read(suffix)
            found[suffix] = sorted(stored.manifest.entries) if stored else []
    return found


def is_deployed(manifest: Manifest) -> bool:
    """True if any resource is recorded that was not retained on purpose, or that no removal retains."""
    made = any(entry.phase is not Phase.KEPT for entry in manifest.entries.values())
    return made or bool(kept_without_reason(manifest.entries))


def read_manifest(invocation: Invocation, store: Store, suffix: str) -> Manifest | None:
    """The record of this suffix, whichever account and region it is of; None where there is none.

    Raises:
        ManifestError: it cannot be read, or is of another suffix, or of an environment that this suffix cannot be of;
            or it holds what the suffix cannot have.
    """
    stored = read_stored(invocation, store, suffix)
    if stored is None:
        return None
    manifest = stored.manifest
    env = _environment_of(invocation, manifest, suffix)
    own = {"account": manifest.account, "region": manifest.region}
    check(manifest, store.location(suffix), environment=env, suffix=suffix, **own)
    check_names(manifest, store.location(suffix))
    return manifest


def check_names(manifest: Manifest, where: str) -> None:
    """Make sure that the record at ``where`` holds no resource but those that its suffix can have.

    Raises:
        ManifestError: it does, and somebody else has written it: nothing of it is told, either.
    """
    names = Names(manifest.suffix, manifest.account, manifest.region)
    claimant = Claimant(Owner.ours(manifest.suffix, manifest.environment), names.may_have)
    claimant.check_entries(manifest.entries.values(), where)


def local_manifest(invocation: Invocation, suffix: str) -> Manifest | None:
    """The record of this suffix in a folder; None where there is none, none that can be used, or the state is in S3."""
    if invocation.state.startswith(_S3):
        return None
    with suppress(ManifestError):
        stored = open_store(invocation.state, None).read(suffix)
        return stored.manifest if stored else None
    return None


def check_manifest_target(manifest: Manifest, where: str, target: Target) -> None:
    """Make sure that the record at ``where`` is of this environment, suffix, account and region.

    Raises:
        ManifestError: it records another environment or suffix.
        WrongTarget: it records another account or region.
    """
    check(
        manifest,
        where,
        environment=target.env,
        suffix=target.suffix,
        account=target.account,
        region=target.region,
    )
