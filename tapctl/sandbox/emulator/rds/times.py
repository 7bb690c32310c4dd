"""How long things take in RDS, in AWS's seconds.

AWS promises none of these. They are within what the Aurora user guide calls usual, what users report of
terraform-provider-aws (its waits are far longer: internal/service/rds/cluster.go, cluster_instance.go), and what
aws-cloudformation-resource-providers-rds has to bridge (BaseHandlerStd, DB_CLUSTER_HANDLER_CONFIG_36H).
"""

from __future__ import annotations

from typing import Final

UNSEEN_S: Final = 2.0
"""A describe misses what was just made (terraform-provider-aws takes another item, too, for "not found")."""
FLAPS_S: Final = (3.0, 4.0)
"""… and, once it has shown, misses it again."""
STATUS_LAGS_S: Final = 5.0
"""The status still reads as before a change was accepted (CloudFormation looks three times, Terraform waits 30 s)."""
TAGS_LAG_S: Final = 3.0
VALUES_LAG_S: Final = 3.0
"""A parameter group still tells the values before the last change."""

CLUSTER_CREATING_S: Final = 180.0
CLUSTER_MODIFYING_S: Final = 60.0
CLUSTER_FAILING_OVER_S: Final = 30.0
"""Aurora user guide, "High availability": a failover is complete within 60 s, often within 30 s."""
CLUSTER_STOPPING_S: Final = 300.0
CLUSTER_STARTING_S: Final = 480.0
CLUSTER_GOES_S: Final = 120.0
"""After the last of its members."""
SNAPSHOT_S: Final = 240.0

UPGRADE_MINOR_S: Final = 600.0
UPGRADE_MAJOR_S: Final = 2400.0

INSTANCE_CREATING_S: Final = 390.0
INSTANCE_CONFIGURING_S: Final = 20.0
INSTANCE_BACKING_UP_S: Final = 10.0
INSTANCE_MODIFYING_S: Final = 30.0
INSTANCE_CLASS_S: Final = 360.0
INSTANCE_REBOOTING_S: Final = 60.0
INSTANCE_DELETING_S: Final = 240.0

APPLYING_S: Final = 20.0
"""What a parameter group's users say of its dynamic parameters."""
RESTS_S: Final = 10.0
"""A parameter group "has pending changes" and is not reset (terraform-provider-aws tries for 3 minutes)."""
HELD_S: Final = 60.0
"""A group counts as used after its last user is gone (terraform-provider-aws tries for 3 minutes)."""
GROUP_GOES_S: Final = 3.0
"""A group still shows after its removal (terraform-provider-aws looks for 3 minutes)."""

SECRET_READY_S: Final = 30.0
"""After the first instance is available: the managed secret is ``creating`` until then."""
ROTATION_S: Final = 40.0
"""Secrets Manager user guide, "Managed rotation": typically within one minute."""
