"""The environment files (``environments/common.toml`` and one for each environment), loaded as one Config each.

The canonical form of a configuration, over which `config_hash` is taken, is the JSON of the merged value, defaults
filled in: keys sorted at every level, no white space, every character beyond ASCII escaped, numbers and booleans as
JSON has them, ``null`` for what is absent. Every leaf is in it and nothing else: no comment, no order of keys, no path,
no time, no version of Python or of tapctl. No secret is in it, since none is in the files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from tapctl.config import rules, types
from tapctl.config.problems import parse, printable, problem, read
from tapctl.config.schema import (
    WAIVERS,
    CommonAlarms,
    CommonDatabase,
    CommonFile,
    CommonProcessor,
    EnvironmentAlarms,
    EnvironmentDatabase,
    EnvironmentFile,
    Logs,
    Organisation,
    Secrets,
    Table,
    schema,
)
from tapctl.errors import ConfigError, Problem
from tapctl.names import suffix_problem
from tapctl.regions import REGION, REGION_RULE
from tapctl.safety.files import is_absent

__all__ = [
    "Config",
    "NetworkingReference",
    "check_folder",
    "check_region",
    "check_suffix",
    "config_hash",
    "environments",
    "known_environments",
    "load",
    "load_all",
    "name_problems",
    "schema",
]

T = TypeVar("T", bound=Table)

COMMON = "common"
"""The name of the file of all environments, without its ending."""
_FOLDER_HINT = "name the folder of the environment files with --config"


@dataclass(frozen=True)
class Edit:
    """Another value for one key of one file."""

    file: str
    """The file's name without its ending."""
    key: tuple[str, ...]
    """The names of the key's tables and its own."""
    value: Any
    """None leaves the key out."""

    def apply(self, tables: dict[str, Any]) -> None:
        """Make the edit in the file's tables."""
        *above, last = self.key
        for name in above:
            tables = tables.setdefault(name, {})
        if self.value is None:
            tables.pop(last, None)
        else:
            tables[last] = self.value


class NetworkingReference(BaseModel):
    """The ``networking`` key: the source of the networking stack's ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["cloudformation", "ssm", "terraform", "pulumi", "static"]
    target: str = ""
    """The stack, the path or the file; empty for ``static``."""
    vpc_id: str | None = None
    """The VPC, with ``static`` alone."""
    private_subnet_ids: tuple[str, ...] = ()
    """The subnets, with ``static`` alone."""

    def __str__(self) -> str:
        """Write the reference as its file has it."""
        return f"{self.kind}:{self.target}" if self.target else self.kind


class Database(CommonDatabase, EnvironmentDatabase):
    """``[database]`` of both files."""

    @property
    def engine_major(self) -> int:
        """The major version: 15, 16 or 17."""
        return int(self.engine_version.partition(".")[0])


class Processor(CommonProcessor):
    """``[processor]`` of both files, the image with the environment's changes."""

    memory_mb: types.Memory
    reserved_concurrency: types.Concurrency | None


class Alarms(CommonAlarms, EnvironmentAlarms):
    """``[alarms]`` of both files."""


class Config(BaseModel):
    """The configuration of one environment: both files merged, defaults filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    environment: str
    service: str
    tags: Mapping[str, str]
    account_id: str
    region: str
    networking: NetworkingReference
    protected: bool
    final_snapshot: bool
    final_snapshot_is_written: bool = Field(default=True, exclude=True)
    """True if the file says it; else it follows ``protected``, and a snapshot that was due before stays due."""
    role_arn: str | None
    organisation: Organisation
    database: Database
    processor: Processor
    secrets: Secrets
    logs: Logs
    alarms: Alarms


def environments(directory: Path) -> tuple[str, ...]:
    """List the names of the environments that have a file, sorted.

    Raises:
        ConfigError: the folder cannot be read.
    """
    return tuple(sorted({path.stem for path in _files(directory) if path.suffix == ".toml"} - {COMMON, WAIVERS}))


def known_environments(directory: Path) -> tuple[str, ...]:
    """The environments that have a file; none where the folder cannot be read, which a command that needs it tells."""
    with suppress(ConfigError):
        return environments(directory)
    return ()


def name_problems(directory: Path, names: Iterable[str]) -> list[Problem]:
    """The problems of those names by which no environment can be called."""
    return [
        Problem(str(directory / f"{name}.toml"), "", "", f"the environment's name, {name}, {rule}")
        for name in names
        if (rule := suffix_problem(name))
    ]


def _files(directory: Path) -> list[Path]:
    """The TOML files of the folder, their ending in upper case or not."""
    try:
        paths = list(directory.iterdir())
    except OSError as error:
        reason = f"the folder of the environment files cannot be read: {error.strerror}"
        raise ConfigError([Problem(str(directory), "", "", reason)], hint=_FOLDER_HINT) from None
    return [path for path in paths if path.suffix.lower() == ".toml" and not path.name.startswith(".")]


def _misnamed(directory: Path) -> list[Problem]:
    rule = "is not read: the name of an environment's file ends in .toml, in lower case"
    return [Problem(str(path), "", "", rule) for path in _files(directory) if path.suffix != ".toml"]


def load_all(directory: Path, *edits: Edit) -> dict[str, Config]:
    """Load every environment's configuration, by name.

    ``edits``: load as if the files had these; no file is written.

    Raises:
        ConfigError: some file breaks a rule; with every problem of every file.
    """
    names = environments(directory)
    if not names:
        rule = f"has no environment's file, such as {directory / 'dev.toml'}"
        raise ConfigError([Problem(str(directory), "", "", rule)], folder=directory)
    return _load(directory, names, _misnamed(directory), edits)


def load(directory: Path, environment: str, *edits: Edit) -> Config:
    """Load one environment's configuration, from common.toml and its own file.

    ``edits``: load as if the files had these; no file is written.

    Raises:
        ConfigError: there is no such environment, or its files break a rule; with every problem of both.
    """
    names = environments(directory)
    if environment in names:
        return _load(directory, (environment,), edits=edits)[environment]
    if names and is_absent(directory / f"{COMMON}.toml"):
        rule = f"has no {COMMON}.toml: it is no folder of environment files"
        raise ConfigError([Problem(str(directory), "", "", rule)], hint=_FOLDER_HINT)
    existing = f"there are {', '.join(names)}" if names else "there is none"
    rule = f"is no environment; {existing}{types.did_you_mean(environment, names)}"
    unknown = Problem("--env", "", printable(environment), rule)
    raise ConfigError([unknown, *_misnamed(directory)], hint="name one with --env" if names else _FOLDER_HINT)


def check_folder(folder: str) -> None:
    """Make sure that the command line names a folder of environment files.

    Raises:
        ConfigError: the name is empty, as from an unset variable: that must never mean the current folder.
    """
    if not folder:
        raise ConfigError([Problem("--config", "", printable(folder), "names no folder")], hint=_FOLDER_HINT)


def check_suffix(suffix: str, environment: str, all_environments: Iterable[str]) -> None:
    """Make sure that this suffix may name a copy of ``environment``.

    Raises:
        ConfigError: AWS would refuse a name built from it, or the suffix is another environment's name.
    """
    rule = suffix_problem(suffix)
    if suffix != environment and suffix in all_environments:
        rule = f"is the name of another environment: it would work on {suffix} with the configuration of {environment}"
    if rule:
        raise ConfigError(
            [Problem("--suffix", "", printable(suffix), rule)], hint="choose another --suffix, such as pr-42"
        )


def check_region(region: str) -> None:
    """Make sure that this has the form of a region of AWS; if no such region exists, its endpoint is missing.

    Raises:
        ConfigError: it has another form.
    """
    if not re.fullmatch(REGION, region):
        raise ConfigError(
            [Problem("--region", "", printable(region), f"must be {REGION_RULE}")],
            hint="correct --region, or leave it out: the environment's file has one",
        )


def config_hash(config: Config) -> str:
    """Hash the configuration's canonical form: SHA-256, in hex."""
    canonical = json.dumps(_plain(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    """The value as JSON takes it. To have pydantic do this would take as long as all else that ``validate`` does."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {name: _plain(getattr(value, name)) for name, field in fields if not field.exclude}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class _SourceFile(Generic[T]):
    """A file that was read: ``raw`` is None if the file is no TOML, ``value`` if any key breaks its rule."""

    path: Path
    raw: dict[str, Any] | None
    value: T | None
    problems: list[Problem]


def _load(
    directory: Path, names: tuple[str, ...], misnamed: Iterable[Problem] = (), edits: Iterable[Edit] = ()
) -> dict[str, Config]:
    common = _read(directory / f"{COMMON}.toml", CommonFile, rules.common_rules, edits)
    own = {name: _read(directory / f"{name}.toml", EnvironmentFile, rules.environment_rules, edits) for name in names}
    problems = [*misnamed, *common.problems]
    for name, file in own.items():
        problems += file.problems + name_problems(directory, (name,))
        if common.raw is not None and file.raw is not None:
            problems += [problem(file.path, *broken) for broken in rules.joint_rules(common.raw, file.raw)]
    if problems:
        raise ConfigError(problems, hint=_FOLDER_HINT if is_absent(common.path) else None, folder=directory)
    return {name: _merge(name, common.value, file.value) for name, file in own.items()}


def _read(
    path: Path, kind: type[T], rule: Callable[[dict[str, Any]], Iterator[rules.Violation]], edits: Iterable[Edit]
) -> _SourceFile[T]:
    raw = read(path)
    if isinstance(raw, Problem):
        return _SourceFile(path, None, None, [raw])
    for edit in edits:
        if edit.file == path.stem:
            edit.apply(raw)
    value, problems = parse(path, raw, kind)
    return _SourceFile(path, raw, value, problems + [problem(path, *broken) for broken in rule(raw)])


def _merge(environment: str, common: CommonFile | None, own: EnvironmentFile | None) -> Config:
    assert common is not None, "a file without a value has problems"
    assert own is not None, "a file without a value has problems"
    processor = {**dict(own.processor), **dict(common.processor)}
    if own.processor.image is not None:
        processor["image"] = processor["image"].model_copy(update=dict(own.processor.image))
    # Of values that their files' models have judged; to judge them again would build models that nothing else needs.
    return Config.model_construct(
        environment=environment,
        service=common.service,
        tags=common.tags,
        account_id=own.account_id,
        region=own.region,
        networking=_reference(own),
        protected=own.protected,
        final_snapshot=own.protected if own.final_snapshot is None else own.final_snapshot,
        final_snapshot_is_written=own.final_snapshot is not None,
        role_arn=own.role_arn,
        organisation=common.organisation,
        database=Database.model_construct(**dict(common.database), **dict(own.database)),
        processor=Processor.model_construct(**processor),
        secrets=common.secrets,
        logs=common.logs,
        alarms=Alarms.model_construct(**dict(common.alarms), **dict(own.alarms)),
    )


def any_config(environment: str, account_id: str, region: str) -> Config:
    """Build a configuration that breaks no rule: what is alike in all stands in for files that cannot be used."""
    common = CommonFile.model_validate(
        {
            "service": "any",
            "database": {
                "name": "payments",
                "master_username": "payments_admin",
                "engine_version": "17.7",
                "backup_retention_days": 7,
                "backup_window": "03:00-04:00",
                "maintenance_window": "sun:05:00-sun:06:00",
                "log_statement": "ddl",
                "log_min_duration_statement_ms": 1000,
            },
            "processor": {"package": "image", "image": {"repository": "any", "tag": "1"}, "timeout_s": 30},
            "secrets": {"rotation_days": 30},
            "logs": {"retention_days": 30},
        }
    )
    own = EnvironmentFile.model_validate(
        {
            "account_id": account_id,
            "region": region,
            "networking": "cloudformation:any",
            "protected": False,
            "database": {"instance_class": "db.t4g.medium", "instance_count": 1},
            "processor": {"memory_mb": 1024},
            "alarms": {"error_threshold": 10, "latency_threshold_ms": 5000},
        }
    )
    return _merge(environment, common, own)


def _reference(own: EnvironmentFile) -> NetworkingReference:
    kind, _, target = own.networking.partition(":")
    ids = dict(own.network) if own.network else {}
    return NetworkingReference.model_construct(kind=cast("Any", kind), target=target, **ids)
