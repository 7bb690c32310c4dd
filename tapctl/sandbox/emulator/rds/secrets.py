"""The master user's secret in time: ``creating`` until an instance is there, ``rotating`` while it is rotated.

From the Aurora user guide ("Password management with Amazon RDS and AWS Secrets Manager") and the Secrets Manager user
guide ("Managed rotation"). The text of the refusal is Secrets Manager's for any rotation that is not complete.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.lifecycle import go
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept
from tapctl.sandbox.emulator.secretsmanager import owned

rds_rules = Rules("rds")
rules = Rules("secretsmanager")

_READY_S: Final = (
    times.INSTANCE_CREATING_S + times.INSTANCE_CONFIGURING_S + times.INSTANCE_BACKING_UP_S + times.SECRET_READY_S
)


@rds_rules("CreateDBInstance")
def a_secret_is_ready_after_the_first_instance(call: Call, proceed: Proceed) -> Reply:
    """RDS sets the password in it; before that the secret is not finished."""
    reply = proceed()
    cluster = call.moto("rds").clusters.get(call.params.get("DBClusterIdentifier", ""))
    if cluster is not None:
        ready = call.life.now() + _READY_S
        kept(cluster).setdefault("secret_ready_at", ready)
        kept(cluster).setdefault("secret_end", call.life.demanded("rds.secret"))
    return reply


@rds_rules("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters")
def a_secret_shows_its_state(call: Call, proceed: Proceed) -> Reply:
    """``creating``, ``active``, ``rotating``, or ``impaired`` where that was demanded."""
    reply = proceed()
    for one in reply.get("DBClusters", [reply.get("DBCluster")]):
        if "MasterUserSecret" in one:
            cluster = call.moto("rds").clusters[one["DBClusterIdentifier"]]
            one["MasterUserSecret"]["SecretStatus"] = _status(call, cluster)
    return reply


def _status(call: Call, cluster: Any) -> str:
    notes, now = kept(cluster), call.life.now()
    if now < notes.get("secret_ready_at", -math.inf if cluster.members else math.inf):
        return "creating"
    if now < notes.get("rotating_until", -math.inf):
        return "rotating"
    return str(notes.get("secret_end") or "active")


@rules("RotateSecret")
def a_secret_is_not_rotated_while_it_changes(call: Call, proceed: Proceed) -> Reply:
    """Neither before it is ready nor while it is rotated; and a rotation takes 40 s, in which its cluster is busy."""
    secret = owned(call)
    if secret is None:
        return proceed()
    cluster = kept(secret)["cluster"]
    if _status(call, cluster) in ("creating", "rotating"):
        raise Fault("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
    reply = proceed()
    if call.params.get("RotateImmediately", True):
        kept(cluster)["rotating_until"] = call.life.now() + times.ROTATION_S
        go(call, cluster, (times.ROTATION_S, "resetting-master-credentials"), lag_s=times.STATUS_LAGS_S)
    return reply
