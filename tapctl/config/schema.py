"""The two kinds of file in ``environments/``: the keys of each, and the types of their values.

Parity is by construction: a key belongs to one kind of file, so what is the same everywhere cannot differ. The one key
that both have is ``processor.image.tag``, which a release changes environment by environment.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tapctl.config import types


class Table(BaseModel):
    """A table of a file: closed, and strict (``"30"`` is no number)."""

    # A table is built within its file; by itself only where that is asked for.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Image(Table):
    """An image in ECR; without ``registry`` in this account and region."""

    repository: types.Repository
    tag: types.ImageTag
    registry: types.Registry | None = None


class ImageChange(Table):
    """An environment's change of common's image, while a release is promoted: its tag alone."""

    tag: types.ImageTag


class CommonDatabase(Table):
    """``[database]`` of common.toml."""

    name: types.DatabaseName
    master_username: types.MasterUsername
    engine_version: types.EngineVersion
    port: types.Port = 5432
    backup_retention_days: types.BackupRetentionDays
    backup_window: types.BackupWindow
    maintenance_window: types.MaintenanceWindow
    log_statement: types.LogStatement
    log_min_duration_statement_ms: types.LogMinDuration


class EnvironmentDatabase(Table):
    """``[database]`` of an environment's file."""

    instance_class: types.InstanceClass
    instance_count: types.InstanceCount


class CommonProcessor(Table):
    """``[processor]`` of common.toml. ``runtime`` is a zip's; an image brings its own."""

    package: types.Package
    image: Image | None = None
    runtime: types.Runtime = "nodejs22.x"
    timeout_s: types.Timeout
    ephemeral_storage_mb: types.Disk = 512


class EnvironmentProcessor(Table):
    """``[processor]`` of an environment's file."""

    memory_mb: types.Memory
    reserved_concurrency: types.Concurrency | None = None
    image: ImageChange | None = None


class Secrets(Table):
    """``[secrets]``."""

    rotation_days: types.RotationDays


class Logs(Table):
    """``[logs]``."""

    retention_days: types.RetentionDays


class CommonAlarms(Table):
    """``[alarms]`` of common.toml: all of it may be left out."""

    throttle_threshold: types.Count = 1
    cpu_threshold_percent: types.Percent = 80
    connections_threshold_percent: types.Percent = 80


class EnvironmentAlarms(Table):
    """``[alarms]`` of an environment's file."""

    error_threshold: types.Count
    latency_threshold_ms: types.Latency


class Network(Table):
    """``[network]``: the ids, for ``networking = "static"`` alone."""

    vpc_id: types.VpcId
    private_subnet_ids: types.SubnetIds


class CommonFile(Table):
    """common.toml: the values that are the same in every environment."""

    service: types.ServiceName
    tags: types.Tags = Field(default_factory=dict)
    database: CommonDatabase
    processor: CommonProcessor
    secrets: Secrets
    logs: Logs
    alarms: CommonAlarms = Field(default_factory=CommonAlarms)


class EnvironmentFile(Table):
    """An environment's file: the values that may differ between environments."""

    account_id: types.AccountId
    region: types.Region
    networking: types.Networking
    network: Network | None = None
    protected: Annotated[bool, Field(description="true or false")]
    final_snapshot: Annotated[bool, Field(description="true or false; default: as protected")] | None = None
    role_arn: types.RoleArn | None = None
    database: EnvironmentDatabase
    processor: EnvironmentProcessor
    alarms: EnvironmentAlarms


class _Toml(GenerateJsonSchema):
    """JSON Schema for TOML, which has no null: an optional key is left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if (key, value) != ("default", None)}


def schema() -> dict[str, Any]:
    """Make the JSON Schemas (draft 2020-12) of ``common`` and ``environment`` files, for editors and other tools.

    Rules that join several keys (windows that overlap, a protected environment's instances) are left out, see
    `tapctl.config.rules`; names that RDS and PostgreSQL keep for themselves too: there are hundreds.
    """
    kinds: dict[str, type[Table]] = {"common": CommonFile, "environment": EnvironmentFile}
    return {
        kind: {"$schema": _Toml.schema_dialect, **model.model_json_schema(schema_generator=_Toml)}
        for kind, model in kinds.items()
    }
