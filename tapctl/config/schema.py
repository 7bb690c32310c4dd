"""The two kinds of file in ``environments/``: the keys of each, and the types of their values.

Parity is by construction: a key belongs to one kind of file, so what is the same everywhere cannot differ. The one key
that both have is ``processor.image.tag``, which a release changes environment by environment.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tapctl.config import additions, types


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


class Organisation(Table):
    """``[organisation]``: what it prescribes for every role."""

    permissions_boundary: additions.PermissionsBoundary | None = None
    role_path: additions.RolePath = "/"


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
    cluster_parameters: additions.Parameters = Field(default_factory=dict)
    instance_parameters: additions.Parameters = Field(default_factory=dict)


class EnvironmentDatabase(Table):
    """``[database]`` of an environment's file."""

    instance_class: types.InstanceClass
    instance_count: types.InstanceCount


class Permission(Table):
    """A ``[[processor.permissions]]``: a further statement of the function's policy."""

    sid: additions.StatementId
    actions: additions.Actions
    resources: additions.Resources
    why: additions.Why | None = None
    """Needed where a resource is everything."""


class Egress(Table):
    """A ``[[processor.egress]]``: a rule by which the function's traffic may leave."""

    port: additions.Port
    to: additions.Peer
    why: additions.Why


class ExtraAlarm(Table):
    """An ``[[alarms.extra]]``. ``namespace`` and ``dimensions`` are those of ``of = "custom"`` alone."""

    name: additions.AlarmName
    of: additions.AlarmOf
    namespace: additions.Namespace | None = None
    dimensions: additions.Dimensions | None = None
    metric: additions.Metric
    statistic: additions.Statistic
    comparison: additions.Comparison
    threshold: additions.Threshold
    period_s: additions.Period
    periods: additions.Periods
    why: additions.Why


class CommonProcessor(Table):
    """``[processor]`` of common.toml. ``runtime`` is a zip's; an image brings its own."""

    package: types.Package
    image: Image | None = None
    runtime: types.Runtime = "nodejs22.x"
    timeout_s: types.Timeout
    ephemeral_storage_mb: types.Disk = 512
    architecture: additions.Architecture = "x86_64"
    environment: additions.Variables = Field(default_factory=dict)
    permissions: Annotated[
        tuple[Permission, ...], additions.array(additions.MAX_STATEMENTS, "statements"), additions.sorted_by("sid")
    ] = ()
    egress: Annotated[
        tuple[Egress, ...], additions.array(additions.MAX_EGRESS, "rules"), additions.sorted_by("to", "port")
    ] = ()


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
    extra: Annotated[
        tuple[ExtraAlarm, ...], additions.array(additions.MAX_EXTRA_ALARMS, "alarms"), additions.sorted_by("name")
    ] = ()


class EnvironmentAlarms(Table):
    """``[alarms]`` of an environment's file."""

    error_threshold: types.Count
    latency_threshold_ms: types.Latency
    subscribers: additions.Subscribers = ()


class Network(Table):
    """``[network]``: the ids, for ``networking = "static"`` alone."""

    vpc_id: types.VpcId
    private_subnet_ids: types.SubnetIds


class CommonFile(Table):
    """common.toml: the values that are the same in every environment."""

    service: types.ServiceName
    tags: types.Tags = Field(default_factory=dict)
    organisation: Organisation = Field(default_factory=Organisation)
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
