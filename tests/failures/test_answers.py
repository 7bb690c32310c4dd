"""Whatever AWS leaves out of an answer, or puts into it: no traceback, and nothing is green that was not told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from botocore.client import BaseClient
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tapctl.aws.answers import UNUSABLE
from tapctl.errors import AwsNoAnswer, ConfigError, ExitCode, NetworkingError
from tests.failures.no_settings import NO_SETTING, PAGES
from tests.support.answered import BEFORE, Change, Member, Recorded, noting_reads, value_of
from tests.support.door import Door
from tests.support.strides import SOAK, examples, sampled
from tests.support.world import Answer, World, new_world

EMPTY = ("list", "map")
"""An absent one is empty."""
DEFAULTS = {
    "cloudwatch:DescribeAlarms MetricAlarms[].DatapointsToAlarm": "as many as there are evaluation periods",
    "ec2:DescribeRouteTables RouteTables[].Associations[].Main": "another than the main one",
    "ec2:DescribeRouteTables RouteTables[].Routes[].State": "active: a dead route is a blackhole",
    "ec2:DescribeSubnets Subnets[].Ipv6Native": "no",
    "ec2:DescribeSubnets Subnets[].MapPublicIpOnLaunch": "no: what makes a subnet public is its route",
    "ec2:DescribeVpcEndpoints VpcEndpoints[].PrivateDnsEnabled": "no, which is told",
    "ecr:DescribeImages imageDetails[].imageStatus": "active: an older ECR archives no image",
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
    "logs:DescribeLogGroups logGroups[].bearerTokenAuthenticationEnabled": "off",
    "logs:DescribeLogGroups logGroups[].deletionProtectionEnabled": "off",
    "logs:DescribeLogGroups logGroups[].logGroupClass": "STANDARD",
    "rds:DescribeDBClusters DBClusters[].DatabaseInsightsMode": "standard",
    "rds:DescribeDBClusters DBClusters[].DatabaseName": "the one at creation: RDS may leave it out, nothing changes it",
    "rds:DescribeDBClusters DBClusters[].DeletionProtection": "off",
    "rds:DescribeDBClusters DBClusters[].GlobalWriteForwardingRequested": "no, where no status tells otherwise",
    "rds:DescribeDBInstances DBInstances[].PromotionTier": "1",
}
"""Members, and what AWS means where it leaves them out."""
NO_FIELD = {
    "ec2:DescribeRouteTables RouteTables[].Routes[].GatewayId",
    "ec2:DescribeSubnets Subnets[].AvailabilityZoneId",
    *(f"ecr:BatchGetImage images[].{name}" for name in ("imageId", "imageId.imageDigest", "imageManifest")),
    "ecr:BatchGetImage images[].imageManifestMediaType",
    "ecr:DescribeImages imageDetails[].imageDigest",
    "ecr:DescribeImages imageDetails[].imageManifestMediaType",
    "ecr:GetDownloadUrlForLayer downloadUrl",
    "iam:ListAttachedRolePolicies IsTruncated",
    "iam:ListRolePolicies IsTruncated",
    "kms:ListAliases Truncated",
    "kms:ListGrants Truncated",
    "kms:ListResourceTags Truncated",
    "logs:DescribeLogGroups logGroups[].metricFilterCount",
    *(
        f"rds:{operation} Parameters[].{name}"
        for operation in ("DescribeDBClusterParameters", "DescribeDBParameters")
        for name in ("AllowedValues", "ApplyType", "DataType")
    ),
    "rds:DescribeDBClusters DBClusters[].ClusterCreateTime",
    "rds:DescribeDBClusters DBClusters[].MasterUserSecret.SecretStatus",
    "rds:DescribeDBClusters DBClusters[].VpcSecurityGroups[].Status",
    "rds:DescribeDBInstances DBInstances[].AvailabilityZone",
    "rds:DescribeDBSubnetGroups DBSubnetGroups[].SubnetGroupStatus",
    "rds:DescribeDBSubnetGroups DBSubnetGroups[].Subnets[].SubnetStatus",
}
"""Members that are read, and are no part of what is compared: the pages' ends, times, how a value is spelled, and what
status alone judges (tests/stories/test_status.py)."""


ODD: list[Any] = [
    *("", " ", "\x1b[2J\n::stop-commands::x", "junk", "x" * 5_000, "arn:aws:kms:us-east-2:1:key/x", "[]", "{}", "1e9"),
    *(-1, 0, 10**17, 10**30, float("inf"), float("nan"), True, False, [], {}, ["junk"], [{}], {"a": "b"}, None),
]
"""Values that AWS never answers: of other types, huge, unknown, empty, or made to speak to a terminal."""
BOUNDED = examples(10, 60, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


def outcome(recorded: Recorded, member: Member, change: Change, address: str, *, plan: bool = False) -> str:
    """What comes of this change of an answer: ``as it was``, ``told``, or an error's sentence."""
    with recorded.tape.changed(member.operation, change):
        try:
            if address == BEFORE:
                recorded.preconditions()
                return "as it was"
            seen = recorded.seen_by_plan(address) if plan else recorded.seen_by_drift(address)
        except (AwsNoAnswer, NetworkingError, ConfigError) as error:
            return f"{error} {error.evidence}"
    if seen == (recorded.plans if plan else recorded.drifts)[address]:
        return "as it was"
    told = recorded.plan(address, seen).is_empty if plan else not recorded.drift(address, seen).findings
    return "as it was" if told else "told"


def by_type(addresses: list[str]) -> tuple[list[str], list[str]]:
    """One address of each type, and all others."""
    ones = list({address.partition("/")[0]: address for address in addresses}.values())
    return ones, [address for address in addresses if address not in ones]


def test_no_member_that_the_model_does_not_require_is_taken_for_granted(recorded: Recorded, read: set[str]) -> None:
    green = set()
    for member in sampled(recorded.tape.members, 12):
        ones, others = by_type(recorded.readers[member.operation])
        outcomes = {outcome(recorded, member, member.drop, address) for address in ones}
        unusable = [text for text in outcomes if UNUSABLE in text]
        assert all(f"{UNUSABLE} on {member.operation}: " in text for text in unusable), unusable
        if outcomes != {"as it was"} or member.kind in EMPTY or str(member) not in read:
            continue
        if all(outcome(recorded, member, member.drop, address) == "as it was" for address in others):
            green.add(str(member))

    assert len(recorded.tape.members) > 400
    known = DEFAULTS.keys() | NO_FIELD
    assert green <= known, green - known
    assert not SOAK or green == known, known - green


def test_whatever_a_member_holds_beside_what_is_recorded_is_told_or_has_its_reason(recorded: Recorded) -> None:
    silent = set()
    possible = [member for member in recorded.tape.possible if member.way[-1] not in PAGES]
    for member in sampled(possible, 12):
        addresses = [address for address in recorded.readers[member.operation] if address != BEFORE]
        if not addresses or any(str(member).startswith((f"{one}.", f"{one}[")) for one in NO_SETTING):
            continue
        ones, others = by_type(addresses)
        change = member.hold(value_of(recorded.tape.possible[member]))
        if all(outcome(recorded, member, change, address) == "as it was" for address in (*ones, *others)):
            silent.add(str(member))

    assert len(possible) > 600
    assert silent <= NO_SETTING, silent - NO_SETTING
    assert not SOAK or silent == NO_SETTING, NO_SETTING - silent


@BOUNDED
@given(at=st.integers(0, 10_000), value=st.sampled_from(ODD), plan=st.booleans())
def test_no_value_in_an_answer_ends_in_a_traceback(recorded: Recorded, at: int, value: Any, plan: bool) -> None:
    member = recorded.tape.members[at % len(recorded.tape.members)]
    for address in by_type(recorded.readers[member.operation])[0]:
        assert outcome(recorded, member, member.replace(value), address, plan=plan)


@pytest.mark.soak
def test_no_value_in_any_answer_ends_in_a_traceback(recorded: Recorded) -> None:
    for member in recorded.tape.members:
        for value in ODD:
            for address in by_type(recorded.readers[member.operation])[0]:
                assert outcome(recorded, member, member.replace(value), address)


# -- whole commands ----------------------------------------------------------------------------------------------------


@contextmanager
def answering(operation: str, change: Change) -> Iterator[None]:
    """Let AWS change its answers to this operation: under the layer that holds them against the model."""
    ask: Any = vars(BaseClient)["_make_api_call"]

    def asked(client: Any, name: str, params: dict[str, Any]) -> Any:
        answer = ask(client, name, params)
        if f"{client.meta.service_model.service_name}:{name}" == operation:
            change(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", asked)
        yield


def harmless(world: World, member: Member, change: Change, *command: str) -> Answer:
    with answering(member.operation, change):
        answer = world.tapctl(*command, "--env", "dev")
    assert answer.code in set(map(int, ExitCode)), (member, answer)
    assert "bug of tapctl" not in answer.out + answer.err, (member, answer)
    assert "\x1b" not in answer.out + answer.err, (member, answer)
    assert not answer.changes, (member, answer.changes)
    return answer


@pytest.mark.parametrize("value", ["\x1b[2J\n::stop-commands::x", {}, 10**30])
@pytest.mark.parametrize("command", ["drift", "plan"])
def test_a_command_says_what_it_cannot_use(deployed: World, recorded: Recorded, command: str, value: Any) -> None:
    member = next(each for each in recorded.tape.members if str(each) == "rds:DescribeDBClusters DBClusters[].Engine")
    answer = harmless(deployed, member, member.replace(value), command)
    text = isinstance(value, str)
    assert (f"{UNUSABLE} on rds:DescribeDBClusters" in answer.err) is not text
    assert text or answer.code == ExitCode.ERROR


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (lambda: "same", "the same page token comes again and again"),
        (count().__next__, "it has more than 2000 pages"),
    ],
)
def test_a_listing_that_does_not_end_leaves_its_field_unknown_and_the_rest_is_compared(
    deployed: World, token: Callable[[], Any], why: str
) -> None:
    def turn(page: dict[str, Any]) -> None:
        page["NextMarker"] = f"to {token()}"

    with answering("lambda:ListAliases", turn):
        answer = deployed.drift()
    (finding,) = answer.of_type("finding")
    assert answer.code == ExitCode.INCOMPLETE
    assert answer.of_type("verdict")[0]["counts"]["unknown"] == 1
    assert (finding["field"], finding["state"]) == ("aliases", "UNKNOWN")
    assert finding["note"] == f"lambda:ListAliases answered, but the answer cannot be used: {why}"


def test_a_listing_that_does_not_end_and_is_needed_ends_the_command_by_its_name(deployed: World) -> None:
    with answering("logs:DescribeLogGroups", lambda page: page.update(nextToken="same")):
        answer = deployed.tapctl("drift", "--env", "dev")
    assert answer.code == ExitCode.ERROR
    assert f"{UNUSABLE} on logs:DescribeLogGroups: the answer cannot be used: the same page token" in answer.err


@pytest.mark.soak
@pytest.mark.parametrize(
    ("operation", "way", "value"),
    [
        ("lambda:GetFunction", ("Configuration", "Description"), "half a pair: \ud800"),
        ("lambda:GetFunction", ("Tags",), {"Owner": "\udfff", "half a pair: \ud800": ""}),
        ("kms:GetKeyPolicy", ("Policy",), r'{"Statement": {"Sid": "half a pair: \ud800", "Effect": "Allow"}}'),
        ("rds:DescribeDBClusters", ("DBClusters", "[]", "VpcSecurityGroups", "[]", "VpcSecurityGroupId"), "sg-\ud800"),
    ],
)
def test_a_text_that_is_no_unicode_is_compared_and_told(
    deployed: World, operation: str, way: tuple[str, ...], value: Any
) -> None:
    member = Member(operation, way, "")
    assert harmless(deployed, member, member.hold(value), "drift").code == ExitCode.DIFFERENT
    harmless(deployed, member, member.hold(value), "plan")


@pytest.mark.parametrize(
    ("operation", "way", "value", "refused"),
    [
        ("kms:DescribeKey", ("KeyMetadata", "KeyId"), "", "Invalid length for parameter KeyId, value: 0"),
        (
            "iam:ListRolePolicies",
            ("PolicyNames",),
            [""],
            "on iam:GetRolePolicy: Invalid length for parameter PolicyName",
        ),
    ],
)
def test_an_empty_name_in_an_answer_is_no_bug_where_the_next_call_wants_one(
    deployed: World, operation: str, way: tuple[str, ...], value: Any, refused: str
) -> None:
    member = Member(operation, way, "")
    plan = harmless(deployed, member, member.replace(value), "plan")
    assert plan.code == ExitCode.ERROR
    assert "NotSent on " in plan.err
    assert refused in plan.err
    drift = harmless(deployed, member, member.replace(value), "drift")
    assert drift.code == ExitCode.INCOMPLETE
    assert "refused: NotSent: Invalid length" in drift.out


@pytest.mark.soak
@pytest.mark.parametrize("command", ["drift", "plan"])
def test_no_command_takes_a_member_for_granted(
    deployed: World, recorded: Recorded, read: set[str], command: str
) -> None:
    silent = DEFAULTS.keys() | NO_FIELD
    for member in recorded.tape.members:
        code = harmless(deployed, member, member.drop, command).code
        if command == "drift" and str(member) in read - silent and member.kind not in EMPTY:
            before_drift = recorded.readers[member.operation] == [BEFORE]
            assert (code == ExitCode.OK) is before_drift, member
