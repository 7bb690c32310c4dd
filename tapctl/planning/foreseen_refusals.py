"""Refusals by AWS that can be foreseen: AWS is asked before the first change, and nothing fails half way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tapctl.aws.client import Aws
from tapctl.engine import model
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observation
from tapctl.engine.plan import Action, Change
from tapctl.engine.resources import Stack
from tapctl.errors import (
    AwsRefused,
    ConsentMissing,
    Refused,
)
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import (
    reconciler_of,
    recorded_spec,
)
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup, check_subnets
from tapctl.reconcilers.upgrade import check_orderable, check_upgrade
from tapctl.session.session import Session


def with_foreseen_refusal(
    session: Session,
    stack: Stack,
    change: Change,
    observed: Mapping[str, Observation],
    unasked: Callable[[str], object],
) -> Change:
    """Block a version, a class of instances, or subnets that RDS would refuse half way; ``unasked``: what is denied.

    It is asked where consent is missing, too: nobody is to be asked for it where RDS refuses.
    """
    if (change.blocked and not isinstance(change.blocked, ConsentMissing)) or change.address not in stack:
        return change
    try:
        refused = _refusal_of_rds(session, stack, change, observed)
    except AwsRefused as error:
        if not error.is_denied:
            raise
        unasked(f"whether RDS has what is wanted could not be asked: {error.iam_action} denied")
        return change
    return replace(change, blocked=refused) if refused else change


def _refusal_of_rds(
    session: Session, stack: Stack, change: Change, observed: Mapping[str, Observation]
) -> Refused | None:
    spec, created = stack[change.address].spec, change.action is Action.CREATE
    fields = {field.path: field for field in change.fields} if change.action is Action.UPDATE else {}
    if change.type == DbInstance.type:
        cluster = observed[model.address(DbCluster.type, spec.cluster)]
        if isinstance(cluster, Observed) and (created or "instance_class" in fields):
            version, classes = cluster.spec.engine_version, {spec.instance_class}
            return check_orderable(session.aws, spec.engine, version, address=change.address, classes=classes)
    if change.type == DbCluster.type:
        classes = {resource.spec.instance_class for resource in stack if resource.type == DbInstance.type}
        if created:
            wanted = spec.engine_version
            return check_orderable(session.aws, spec.engine, wanted, address=change.address, classes=classes)
        if version := fields.get("engine_version"):
            have, want = version.have, version.want
            return check_upgrade(session.aws, spec.engine, have, want, address=change.address, classes=classes)
    if change.type == DbSubnetGroup.type and "subnet_ids" in fields:
        return check_subnets(session.aws, change.id, spec)
    return None


def with_refused_removal(aws: Aws, manifest: Manifest, change: Change, observation: Observation) -> Change:
    """Block a removal that AWS would refuse after others had been made."""
    if change.action is not Action.DELETE or change.blocked or not isinstance(observation, Observed):
        return change
    entry = manifest.entries[change.address]
    refused = reconciler_of(entry).removal_refusal(aws, entry.id, observation, recorded_spec(entry))
    return replace(change, blocked=refused)
