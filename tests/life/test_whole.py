"""A whole environment made, changed, destroyed and made again, in an AWS where everything takes its time.

Propagation, busy states, late looks and lingering interfaces all at once: each is a non-event, and nothing is left.
"""

from __future__ import annotations

import pytest

from tapctl.sandbox.emulator.lambda_interfaces import LINGERS_S
from tests.stories.leftovers import left
from tests.support.world import World


def interfaces(world: World) -> int:
    filters = [{"Name": "description", "Values": ["AWS Lambda VPC ENI-*"]}]
    return len(world.client("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"])


@pytest.mark.soak
def test_made_changed_destroyed_and_made_again(living: World) -> None:
    before = left(living)
    made = living.tapctl("apply", "--env", "dev", "--yes")
    assert made.code == 0, made.out + made.err
    # A change of the function waits for its turn, one of the parameters for the instances.
    living.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    living.edit("dev.toml", "error_threshold = 10", "error_threshold = 7")
    living.edit("common.toml", "log_min_duration_statement_ms = 1000", "log_min_duration_statement_ms = 500")
    changed = living.tapctl("apply", "--env", "dev", "--yes")
    assert changed.code == 0, changed.out + changed.err
    function = living.client("lambda").get_function(FunctionName="payment-processor-dev")["Configuration"]
    assert (function["MemorySize"], function["State"], function["LastUpdateStatus"]) == (2048, "Active", "Successful")
    settled = living.tapctl("apply", "--env", "dev", "--yes")
    assert (settled.code, settled.changes) == (0, ())

    assert interfaces(living) > 0
    living.door.accepted.clear()
    # The function's last words come after its log group went: Lambda makes the group anew, without retention and tags.
    living.door.sandbox.simulation.script("logs.late_writer", "yes")
    gone = living.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.out + gone.err
    assert interfaces(living) == 0
    assert left(living) == before | {"key:PendingDeletion"}
    # The role outlives the interfaces, which Lambda removes with its rights.
    function_gone = living.door.last_accepted("lambda:DeleteFunction")
    assert living.door.last_accepted("iam:DeleteRolePolicy") - function_gone > LINGERS_S
    # Nothing else waits for them, but the key, which goes last of all.
    for other in ("rds:DeleteDBCluster", "rds:DeleteDBSubnetGroup", "ec2:DeleteSecurityGroup"):
        assert living.door.last_accepted(other) - function_gone < LINGERS_S, other

    again = living.tapctl("apply", "--env", "dev", "--yes")
    assert again.code == 0, again.out + again.err
    assert left(living) > before
    keys = living.client("kms").list_keys()["Keys"]
    assert [living.client("kms").describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"] for one in keys] == [
        "Enabled"
    ]
