"""The resources of one environment, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tapctl.config import Config
from tapctl.config.schema import Egress
from tapctl.engine.owner_tags import REGION_TAG
from tapctl.engine.resources import AnyResource, Stack
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tapctl.reconcilers.db_parameter_groups import DbClusterParameterGroup, DbParameterGroup, ParameterGroupSpec
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup, DbSubnetGroupSpec
from tapctl.reconcilers.iam_role import IamRole, IamRoleSpec
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey, KmsKeySpec
from tapctl.reconcilers.kms_key_lookup import description as key_description
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec
from tapctl.reconcilers.log_group import LogGroup, LogGroupSpec
from tapctl.reconcilers.rds_event_subscription import RdsEventSubscription, RdsEventSubscriptionSpec
from tapctl.reconcilers.secret_rotation import SecretRotation, SecretRotationSpec
from tapctl.reconcilers.security_group import SecurityGroup, SecurityGroupSpec
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import SecurityGroupRules, SecurityGroupRulesSpec
from tapctl.reconcilers.sns_subscription import SnsSubscription, SnsSubscriptionSpec, delivery
from tapctl.reconcilers.sns_topic import SnsTopic, SnsTopicSpec
from tapctl.safety.open_networks import HTTPS
from tapctl.safety.redaction import hide_path
from tapctl.stack.alarms import add_alarms
from tapctl.stack.image import may_be
from tapctl.stack.network import NetworkContract
from tapctl.stack.package import Package
from tapctl.stack.policies import function_policy, key_policy, lambda_trust, topic_policy

ENGINE: Final = "aurora-postgresql"

# What AWS Foundational Security Best Practices RDS.19 to RDS.21 want, and more; RDS.22 is about what no stack has
# (docs/decisions/0009-events-of-our-own.md).
_CLUSTER_EVENTS: Final = ("configuration change", "deletion", "failover", "failure", "maintenance", "notification")
_INSTANCE_EVENTS: Final = (*_CLUSTER_EVENTS, "availability", "recovery")
_PARAMETER_GROUP_EVENTS: Final = ("configuration change",)
_HTTPS: Final = (Egress(port=HTTPS, to="0.0.0.0/0", why="AWS APIs and payment networks"),)
_LIBRARIES: Final = {
    "auto_explain": "auto_explain",
    "cron": "pg_cron",
    "pg_hint_plan": "pg_hint_plan",
    "pgaudit": "pgaudit",
}
"""The first part of a parameter's name to the library that has to be loaded for it."""


@dataclass(frozen=True)
class Artifact:
    """The function's code: an image by its digest, or the handler as a zip."""

    image_uri: str = ""
    package: Package | None = None


def build(
    config: Config, names: Names, network: NetworkContract, release: Artifact, *, restore_from: str = ""
) -> Stack:
    """Build the stack of one environment: each resource after the resources that it needs.

    ``restore_from``: the snapshot that the cluster is made from where it is not there; empty: it is made empty.
    """
    stack = Stack()
    db = config.database

    def tags(name: str, **more: str) -> dict[str, str]:
        common = names.tags(name, environment=config.environment, service=config.service, extra=config.tags)
        return {**common, **more}

    window = 30 if config.protected or config.final_snapshot else 7
    key = stack.add(
        KmsKey(window),
        names.key_alias,
        KmsKeySpec(
            alias=names.key_alias,
            description=key_description(config.service, names.suffix),
            policy=key_policy(names, config.alarms.extra),
            rotation=True,
            enabled=True,
            tags=tags(names.key_alias, **{WINDOW_TAG: str(window)}),
        ),
    )

    lambda_group = stack.add(
        SecurityGroup(),
        names.lambda_security_group,
        SecurityGroupSpec(
            description=f"Payment processor of {names.suffix}: to the database and to HTTPS, from nowhere",
            vpc_id=network.vpc_id,
            tags=tags(names.lambda_security_group),
        ),
    )
    db_group = stack.add(
        SecurityGroup(),
        names.db_security_group,
        SecurityGroupSpec(
            description=f"Database of {names.suffix}: from the payment processor, to nowhere",
            vpc_id=network.vpc_id,
            tags=tags(names.db_security_group),
        ),
    )

    def rule(direction: Literal["ingress", "egress"], port: int, peer: str, why: str) -> Rule:
        return Rule(direction=direction, protocol="tcp", from_port=port, to_port=port, peer=peer, description=why)

    lambda_rules = stack.add(
        SecurityGroupRules(),
        names.lambda_security_group,
        SecurityGroupRulesSpec(
            vpc_id=network.vpc_id,
            rules=frozenset(
                {
                    rule("egress", db.port, db_group.out.group_id, "PostgreSQL"),
                    *(rule("egress", each.port, each.to, each.why) for each in config.processor.egress or _HTTPS),
                }
            ),
        ),
        after=[lambda_group],
    )
    db_rules = stack.add(
        SecurityGroupRules(),
        names.db_security_group,
        SecurityGroupRulesSpec(
            vpc_id=network.vpc_id,
            rules=frozenset({rule("ingress", db.port, lambda_group.out.group_id, "PostgreSQL")}),
        ),
        after=[db_group],
    )

    subnet_group = stack.add(
        DbSubnetGroup(),
        names.subnet_group,
        DbSubnetGroupSpec(
            description=f"Private subnets for {names.cluster}",
            subnet_ids=frozenset(network.subnet_ids),
            tags=tags(names.subnet_group),
        ),
    )
    family = f"{ENGINE}{db.engine_major}"
    cluster_parameters = stack.add(
        DbClusterParameterGroup(),
        names.cluster_parameter_group(db.engine_major),
        ParameterGroupSpec(
            family=family,
            description=f"Cluster parameters of {names.cluster}",
            parameters={
                **_filled(names, db.cluster_parameters),
                "log_statement": db.log_statement,
                "log_min_duration_statement": str(db.log_min_duration_statement_ms),
                # Who logged in, and when they left (PCI DSS 10.2.1).
                "log_connections": "1",
                "log_disconnections": "1",
                "rds.force_ssl": "1",
            },
            tags=tags(names.cluster_parameter_group(db.engine_major)),
        ),
    )
    instance_parameters = stack.add(
        DbParameterGroup(),
        names.instance_parameter_group(db.engine_major),
        ParameterGroupSpec(
            family=family,
            description=f"Instance parameters of {names.cluster}",
            parameters={
                **_filled(names, db.instance_parameters),
                "shared_preload_libraries": _libraries(config),
                "pg_stat_statements.track": "ALL",
            },
            tags=tags(names.instance_parameter_group(db.engine_major)),
        ),
    )
    # Made before their writers: Lambda and RDS would make them without retention, key and tags.
    function_logs, database_logs = (
        stack.add(
            LogGroup(),
            name,
            LogGroupSpec(
                retention_days=config.logs.retention_days,
                kms_key_arn=key.out.arn,
                log_class="STANDARD",
                deletion_protection=False,
                tags=tags(name),
            ),
        )
        for name in (names.function_log_group, names.database_log_group)
    )

    cluster = stack.add(
        DbCluster(
            names.instance_parameter_group(db.engine_major),
            final_snapshot=config.final_snapshot,
            restore_from=restore_from,
        ),
        names.cluster,
        DbClusterSpec(
            engine=ENGINE,
            engine_version=db.engine_version,
            database_name=db.name,
            master_username=db.master_username,
            port=db.port,
            subnet_group=names.subnet_group,
            cluster_parameter_group=names.cluster_parameter_group(db.engine_major),
            security_group_ids=frozenset({db_group.out.group_id}),
            kms_key_arn=key.out.arn,
            secret_kms_key_arn=key.out.arn,
            backup_retention_days=db.backup_retention_days,
            backup_window=db.backup_window,
            maintenance_window=db.maintenance_window,
            performance_insights_kms_key_arn=key.out.arn,
            deletion_protection=config.protected,
            tags=tags(names.cluster, **{"tapctl:final-snapshot": "true" if config.final_snapshot else "false"}),
        ),
        after=[subnet_group, cluster_parameters, instance_parameters, db_rules, database_logs],
    )
    members = [names.instance(index) for index in range(db.instance_count)]
    instances = [
        stack.add(
            DbInstance(members, network.zones),
            member,
            DbInstanceSpec(
                cluster=names.cluster,
                instance_class=db.instance_class,
                parameter_group=names.instance_parameter_group(db.engine_major),
                maintenance_window=db.maintenance_window,
                tags=tags(member),
            ),
            # The groups too: what a reboot is to put in force has to be set before.
            after=[cluster, cluster_parameters, instance_parameters],
        )
        for member in members
    ]
    stack.add(
        SecretRotation(),
        names.cluster,
        SecretRotationSpec(rotation_days=config.secrets.rotation_days, enabled=True, tags=tags(names.cluster)),
        # RDS may not finish the secret before the first instance is there.
        after=[cluster, *instances],
    )

    role = stack.add(
        IamRole(),
        names.role,
        IamRoleSpec(
            trust=lambda_trust(names),
            inline={
                names.role_policy: function_policy(
                    names,
                    key_arn=key.out.arn,
                    secret_arn=cluster.out.secret_arn,
                    cluster_resource_id=cluster.out.resource_id,
                    database_user=f"{db.name}_app",
                    more=config.processor.permissions,
                )
            },
            permissions_boundary=names.fill(config.organisation.permissions_boundary or ""),
            description=f"What {names.function} may do",
            path=names.fill(config.organisation.role_path),
            tags=tags(names.role, **{REGION_TAG: names.region}),
        ),
    )
    processor, package = config.processor, release.package
    stack.add(
        LambdaFunction(package.content if package else None),
        names.function,
        LambdaFunctionSpec(
            package_type="Zip" if package else "Image",
            image_uri=release.image_uri,
            code_sha256=package.sha256_base64 if package else "",
            runtime=processor.runtime if package else "",
            handler="index.handler" if package else "",
            role_arn=role.out.arn,
            memory_mb=processor.memory_mb,
            timeout_s=processor.timeout_s,
            reserved_concurrency=processor.reserved_concurrency,
            environment={
                **_filled(names, processor.environment),
                "ENVIRONMENT_NAME": config.environment,
                "DB_ENDPOINT": cluster.out.endpoint,
                "DB_PORT": str(db.port),
                "DB_NAME": db.name,
                "DB_SECRET_ARN": cluster.out.secret_arn,
            },
            kms_key_arn=key.out.arn,
            subnet_ids=frozenset(network.subnet_ids),
            security_group_ids=frozenset({lambda_group.out.group_id}),
            tracing="Active",
            architecture=processor.architecture,
            ephemeral_storage_mb=processor.ephemeral_storage_mb,
            layers=(),
            log_format="Text",
            log_group=names.function_log_group,
            tags=tags(names.function),
        ),
        after=[lambda_rules, function_logs],
    )

    topic = stack.add(
        SnsTopic(),
        names.topic,
        SnsTopicSpec(
            display_name="",
            kms_key_arn=key.out.arn,
            policy=topic_policy(names, config.alarms.extra),
            signature_version="2",
            tags=tags(names.topic),
        ),
    )
    for written in config.alarms.subscribers:
        subscriber = names.fill(written)
        protocol, endpoint = delivery(subscriber)
        stack.add(
            SnsSubscription(endpoint),
            names.subscription(subscriber),
            SnsSubscriptionSpec(topic_arn=topic.out.arn, protocol=protocol, endpoint=hide_path(endpoint)),
        )
    add_alarms(stack, config, names, topic.out.arn, tags, instances=instances)

    subscriptions: list[tuple[str, str, list[AnyResource], tuple[str, ...]]] = [
        (names.cluster_events, "db-cluster", [cluster], _CLUSTER_EVENTS),
        (names.instance_events, "db-instance", [*instances], _INSTANCE_EVENTS),
        (names.parameter_group_events, "db-parameter-group", [instance_parameters], _PARAMETER_GROUP_EVENTS),
    ]
    for name, source_type, sources, categories in subscriptions:
        stack.add(
            RdsEventSubscription(),
            name,
            RdsEventSubscriptionSpec(
                topic_arn=topic.out.arn,
                source_type=source_type,
                source_ids=frozenset(source.id for source in sources),
                categories=frozenset(categories),
                enabled=True,
                tags=tags(name),
            ),
            after=sources,
        )
    return stack


def _filled(names: Names, texts: Mapping[str, str]) -> dict[str, str]:
    return {name: names.fill(text) for name, text in texts.items()}


def _libraries(config: Config) -> str:
    """The libraries that PostgreSQL loads at its start, by the parameters that are set."""
    parameters = (*config.database.cluster_parameters, *config.database.instance_parameters)
    needed = {_LIBRARIES.get(name.partition(".")[0], "") for name in parameters} - {""}
    return ",".join(sorted({"pg_stat_statements", *needed}))


def planned_addresses(config: Config, suffix: str) -> frozenset[str]:
    """The addresses of all resources that an apply makes."""
    return frozenset(resource.address for resource in planned_stack(config, suffix))


def planned_stack(config: Config, suffix: str) -> Stack:
    """The stack, with stand-ins for what only AWS can tell of the networking and the image, and for the package."""
    return _without_aws(config, Names(suffix, config.account_id, config.region), Artifact(package=Package("", "", b"")))


def recorded_stack(
    config: Config, names: Names, function: Mapping[str, Any], network: NetworkContract | None = None
) -> Stack:
    """The stack as `planned_stack`, with the code that is recorded of the function, as long as it may be the wanted.

    ``network``: the recorded one, in place of the stand-ins.
    """
    code, image = Artifact(package=Package("", str(function.get("code_sha256", "")), b"")), config.processor.image
    uri = str(function.get("image_uri", ""))
    if image is not None and may_be(uri, image, names.account, names.region):
        code = replace(code, image_uri=uri)
    return _without_aws(config, names, code, network)


def _without_aws(config: Config, names: Names, code: Artifact, network: NetworkContract | None = None) -> Stack:
    """The stack in a network of stand-ins, unless one is given.

    ``code`` serves for its own kind of package, and a stand-in for an image.
    """
    network = network or NetworkContract(reference=str(config.networking), vpc_id="vpc", subnet_ids=(), zones=())
    if image := config.processor.image if config.processor.package == "image" else None:
        stand_in = f"{image.registry or config.account_id}/{image.repository}:{image.tag}"
        code = Artifact(image_uri=code.image_uri or stand_in)
    return build(config, names, network, code)
