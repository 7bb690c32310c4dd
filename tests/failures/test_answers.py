"""Whatever AWS leaves out of an answer, or puts into it: no traceback, and nothing is green that was not told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient

from tapctl.aws.answers import UNUSABLE
from tapctl.errors import AwsNoAnswer, NetworkingError
from tests.support.answered import BEFORE, Member, Recorded, noting_reads
from tests.support.door import Door
from tests.support.world import World, new_world

EMPTY = ("list", "map")
"""An absent one is empty."""
DEFAULTS = {
    "cloudwatch:DescribeAlarms MetricAlarms[].DatapointsToAlarm": "as many as there are evaluation periods",
    "iam:GetRole Role.MaxSessionDuration": "an hour",
    "kms:DescribeKey KeyMetadata.MultiRegion": "a key of one region",
    "kms:GetKeyRotationStatus RotationPeriodInDays": "365",
    "kms:ListGrants Grants[].Constraints": "none: the grant is known by who retires it",
    "lambda:GetFunction Configuration.Description": "none",
    "lambda:GetFunction Configuration.EphemeralStorage": "512 MB",
    "lambda:GetFunction Configuration.ImageConfigResponse": "the image's own",
    "lambda:GetFunction Configuration.ImageConfigResponse.ImageConfig": "the image's own",
    "lambda:GetFunction Configuration.LoggingConfig": "text, into the group of the function's name",
    "lambda:GetFunction Configuration.LoggingConfig.LogFormat": "text",
    "lambda:GetFunction Configuration.LoggingConfig.LogGroup": "the group of the function's name",
    "lambda:GetFunction Configuration.SnapStart": "none",
    "lambda:GetFunction Configuration.SnapStart.ApplyOn": "none",
    "lambda:GetFunction Configuration.VpcConfig.Ipv6AllowedForDualStack": "no",
    "logs:DescribeLogGroups logGroups[].deletionProtectionEnabled": "off",
    "logs:DescribeLogGroups logGroups[].logGroupClass": "STANDARD",
    "rds:DescribeDBClusters DBClusters[].DatabaseInsightsMode": "standard",
    "rds:DescribeDBClusters DBClusters[].DatabaseName": "the one at creation: RDS may leave it out, nothing changes it",
    "rds:DescribeDBClusters DBClusters[].DeletionProtection": "off",
    "rds:DescribeDBClusters DBClusters[].HttpEndpointEnabled": "off",
    "rds:DescribeDBInstances DBInstances[].PromotionTier": "1",
}
"""Members, and what AWS means where it leaves them out."""
NO_FIELD = {
    "ecr:DescribeImages imageDetails[].imageManifestMediaType",
    "iam:ListAttachedRolePolicies IsTruncated",
    "iam:ListRolePolicies IsTruncated",
    "kms:ListAliases Truncated",
    "kms:ListGrants Truncated",
    "kms:ListResourceTags Truncated",
    "logs:DescribeLogGroups logGroups[].creationTime",
    *(
        f"rds:{operation} Parameters[].{name}"
        for operation in ("DescribeDBClusterParameters", "DescribeDBParameters")
        for name in ("AllowedValues", "ApplyType", "DataType")
    ),
    "rds:DescribeDBClusters DBClusters[].ClusterCreateTime",
    "rds:DescribeDBClusters DBClusters[].MasterUserSecret.SecretStatus",
    "rds:DescribeDBClusters DBClusters[].VpcSecurityGroups[].Status",
    "rds:DescribeDBSubnetGroups DBSubnetGroups[].SubnetGroupStatus",
}
"""Members that are read, and are no part of what is compared: the pages' ends, times, how a value is spelled."""


@pytest.fixture(scope="module")
def deployed(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        world = new_world(door, tmp_path_factory.mktemp("world"), patch)
        world.deploy()
        yield world


@pytest.fixture(scope="module")
def read() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def recorded(deployed: World, read: set[str]) -> Recorded:
    with noting_reads() as noted:
        look = Recorded.of(deployed, "dev")
    read |= noted
    return look


def outcome(recorded: Recorded, member: Member, address: str, *, plan: bool) -> str:
    """What comes of leaving this member out: ``as it was``, ``told``, or an error's sentence."""
    with recorded.tape.changed(member.operation, member.drop):
        try:
            if address == BEFORE:
                recorded.preconditions()
                return "as it was"
            seen = recorded.seen_by_plan(address) if plan else recorded.seen_by_drift(address)
        except AwsNoAnswer as error:
            assert error.aws_code == UNUSABLE, error
            assert f"{error.service}:{error.operation}" == member.operation, error
            return str(error)
        except NetworkingError as error:
            assert error.evidence
            return "told"
    if seen == (recorded.plans if plan else recorded.drifts)[address]:
        return "as it was"
    if plan:
        return "as it was" if recorded.plan(address, seen).is_empty else "told"
    return "told" if recorded.drift(address, seen).findings else "as it was"


def by_type(addresses: list[str]) -> tuple[list[str], list[str]]:
    """One address of each type, and all others."""
    ones = list({address.partition("/")[0]: address for address in addresses}.values())
    return ones, [address for address in addresses if address not in ones]


def test_no_member_that_the_model_does_not_require_is_taken_for_granted(recorded: Recorded, read: set[str]) -> None:
    green = set()
    for member in recorded.tape.members:
        ones, others = by_type(recorded.readers[member.operation])
        told = {outcome(recorded, member, address, plan=False) for address in ones} != {"as it was"}
        if told or member.kind in EMPTY or str(member) not in read:
            continue
        if all(outcome(recorded, member, address, plan=False) == "as it was" for address in others):
            green.add(str(member))

    assert len(recorded.tape.members) > 400
    assert green == DEFAULTS.keys() | NO_FIELD
