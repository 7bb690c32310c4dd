"""Tags of AWS's own show among the others, and whoever takes all others for theirs is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.aws_tags import APPLICATION, TAG
from tests.conftest import ACCOUNT, REGION, Network
from tests.emulator.conftest import Refused
from tests.emulator.test_cloudwatch import put

MINE: Final = ("Name", "mine")
TAGS: Final[Any] = [{"Key": "Name", "Value": "mine"}]
TRUST: Final = '{"Statement": []}'


@dataclass(frozen=True)
class Case:
    """A service's calls on tags: read them, add one, take some away, of a thing that was made with `MINE`."""

    make: Callable[[Aws, Network], str]
    told: Callable[[Aws, str], Any]
    give: Callable[[Aws, str, str], object]
    take: Callable[[Aws, str, list[str]], object]
    refusal: str


def _alarm(aws: Aws, _: Network) -> str:
    put(aws, Tags=TAGS)
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:a"


def _group(aws: Aws, network: Network) -> str:
    return aws.ec2.create_security_group(
        GroupName="g",
        Description="d",
        VpcId=network.vpc_id,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}],
    )["GroupId"]


def _role(aws: Aws, _: Network) -> str:
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
    return "r"


def _log_group(aws: Aws, _: Network) -> str:
    aws.logs.create_log_group(logGroupName="l", tags=dict([MINE]))
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:l"


def _cluster(aws: Aws, _: Network) -> str:
    return aws.rds.create_db_cluster(
        DBClusterIdentifier="c",
        Engine="aurora-postgresql",
        MasterUsername="owner",
        MasterUserPassword="12345678",
        Tags=TAGS,
    )["DBCluster"]["DBClusterArn"]


def _one(key: str) -> Any:
    return [{"Key": key, "Value": "x"}]


_RDS = (
    lambda aws, arn, key: aws.rds.add_tags_to_resource(ResourceName=arn, Tags=_one(key)),
    lambda aws, arn, keys: aws.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=keys),
    "InvalidParameterValue",
)
CASES: Final[Mapping[str, Case]] = {
    "cloudwatch": Case(
        _alarm,
        lambda aws, arn: aws.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"],
        lambda aws, arn, key: aws.cloudwatch.tag_resource(ResourceARN=arn, Tags=_one(key)),
        lambda aws, arn, keys: aws.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=keys),
        "InvalidParameterValue",
    ),
    "ec2": Case(
        _group,
        lambda aws, id_: aws.ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]["Tags"],
        lambda aws, id_, key: aws.ec2.create_tags(Resources=[id_], Tags=_one(key)),
        lambda aws, id_, keys: aws.ec2.delete_tags(Resources=[id_], Tags=[{"Key": key} for key in keys]),
        "InvalidParameterValue",
    ),
    "iam": Case(
        _role,
        lambda aws, name: aws.iam.get_role(RoleName=name)["Role"].get("Tags", []),
        lambda aws, name, key: aws.iam.tag_role(RoleName=name, Tags=_one(key)),
        lambda aws, name, keys: aws.iam.untag_role(RoleName=name, TagKeys=keys),
        "InvalidInput",
    ),
    "kms": Case(
        lambda aws, _: aws.kms.create_key(Tags=[{"TagKey": "Name", "TagValue": "mine"}])["KeyMetadata"]["KeyId"],
        lambda aws, id_: aws.kms.list_resource_tags(KeyId=id_)["Tags"],
        lambda aws, id_, key: aws.kms.tag_resource(KeyId=id_, Tags=[{"TagKey": key, "TagValue": "x"}]),
        lambda aws, id_, keys: aws.kms.untag_resource(KeyId=id_, TagKeys=keys),
        "TagException",
    ),
    "logs": Case(
        _log_group,
        lambda aws, arn: aws.logs.list_tags_for_resource(resourceArn=arn)["tags"],
        lambda aws, arn, key: aws.logs.tag_resource(resourceArn=arn, tags={key: "x"}),
        lambda aws, arn, keys: aws.logs.untag_resource(resourceArn=arn, tagKeys=keys),
        "InvalidParameterException",
    ),
    "rds": Case(_cluster, lambda aws, arn: aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"], *_RDS),
    "rds, described": Case(_cluster, lambda aws, _: aws.rds.describe_db_clusters()["DBClusters"][0]["TagList"], *_RDS),
    "secretsmanager": Case(
        lambda aws, _: aws.secretsmanager.create_secret(Name="s", SecretString="x", Tags=TAGS)["ARN"],
        lambda aws, arn: aws.secretsmanager.describe_secret(SecretId=arn)["Tags"],
        lambda aws, arn, key: aws.secretsmanager.tag_resource(SecretId=arn, Tags=_one(key)),
        lambda aws, arn, keys: aws.secretsmanager.untag_resource(SecretId=arn, TagKeys=keys),
        "InvalidParameterException",
    ),
    "sns": Case(
        lambda aws, _: aws.sns.create_topic(Name="t", Tags=TAGS)["TopicArn"],
        lambda aws, arn: aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
        lambda aws, arn, key: aws.sns.tag_resource(ResourceArn=arn, Tags=_one(key)),
        lambda aws, arn, keys: aws.sns.untag_resource(ResourceArn=arn, TagKeys=keys),
        "InvalidParameter",
    ),
}


def tags(told: Any) -> dict[str, str]:
    if isinstance(told, dict):
        return told
    return {tag.get("Key") or tag["TagKey"]: tag.get("Value") or tag["TagValue"] for tag in told}


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_naive_code_takes_them_for_somebody_s_and_may_not_remove_them(
    aws: Aws, network: Network, refused: Refused, case: Case
) -> None:
    thing = case.make(aws, network)
    there = tags(case.told(aws, thing))
    assert there == dict([MINE, TAG])
    with refused(case.refusal, "aws:"):
        case.take(aws, thing, [key for key in there if key != "Name"])
    with refused(case.refusal, "aws:"):
        case.give(aws, thing, "aws:mine")
    assert tags(case.told(aws, thing)) == there
    case.give(aws, thing, "more")
    case.take(aws, thing, ["Name", "more"])
    assert not tags(case.told(aws, thing))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_naive_code_takes_an_application_s_tag_away_for_ever(aws: Aws, network: Network, case: Case) -> None:
    thing = case.make(aws, network)
    case.give(aws, thing, APPLICATION)
    case.give(aws, thing, "more")
    for keys in ([APPLICATION], [APPLICATION, "more"] if case is not CASES["ec2"] else ["more"]):
        case.take(aws, thing, keys)
    assert set(tags(case.told(aws, thing))) == {"Name", TAG[0], APPLICATION}


def test_a_group_is_not_made_with_one(aws: Aws, network: Network, refused: Refused) -> None:
    with refused("InvalidParameterValue", "aws:"):
        aws.ec2.create_security_group(
            GroupName="g",
            Description="d",
            VpcId=network.vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "aws:x", "Value": "1"}]}],
        )


def test_rds_has_some_of_its_own(aws: Aws, network: Network, refused: Refused) -> None:
    with refused("InvalidParameterValue", "rds:"):
        aws.rds.add_tags_to_resource(ResourceName=_cluster(aws, network), Tags=_one("rds:mine"))


def test_whoever_is_found_by_tags_tells_them_too(aws: Aws) -> None:
    aws.sns.create_topic(Name="t", Tags=TAGS)
    (found,) = aws.tagging.get_resources(TagFilters=[{"Key": "Name"}])["ResourceTagMappingList"]
    assert tags(found["Tags"]) == dict([MINE, TAG])
