"""The rules of a security group for the conformance suite: a facet, so its group is prepared."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.engine.model import Spec
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import SecurityGroupRules, SecurityGroupRulesSpec

RECONCILER = SecurityGroupRules()
ID = "lambda-sg-test"
CREATE = ("ec2", "AuthorizeSecurityGroupEgress")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
# The VPC is the group's: only a group made anew elsewhere changes it.
FIXED = frozenset({"vpc_id"})


def prepare(aws: Aws) -> dict[str, str]:
    """Our group as EC2 makes it, but for the rule that lets everything out; and a group and a list to be peers."""
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = aws.ec2.create_security_group(
        GroupName=ID,
        Description="Payment processor of test",
        VpcId=vpc,
        TagSpecifications=[
            {
                "ResourceType": "security-group",
                "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
            }
        ],
    )["GroupId"]
    peer = aws.ec2.create_security_group(GroupName="db-sg-test", Description="Database of test", VpcId=vpc)["GroupId"]
    rules = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    aws.ec2.revoke_security_group_egress(
        GroupId=group, SecurityGroupRuleIds=[row["SecurityGroupRuleId"] for row in rules["SecurityGroupRules"]]
    )
    listed = aws.ec2.create_managed_prefix_list(
        PrefixListName="partners", MaxEntries=9, AddressFamily="IPv4", Entries=[{"Cidr": "10.20.0.0/16"}]
    )["PrefixList"]["PrefixListId"]
    return {"vpc": vpc, "group": group, "peer": peer, "list": listed}


def examples(world: dict[str, str]) -> list[Spec]:
    https = Rule(direction="egress", protocol="tcp", from_port=443, to_port=443, peer="0.0.0.0/0", description="AWS")
    postgres = https.model_copy(update={"from_port": 5432, "to_port": 5432, "peer": world["peer"]})
    partners = https.model_copy(update={"from_port": 8443, "to_port": 8443, "peer": world["list"]})
    sixth = https.model_copy(update={"peer": "::/0"})
    inward = postgres.model_copy(update={"direction": "ingress", "description": ""})
    return [
        SecurityGroupRulesSpec(vpc_id=world["vpc"], rules=frozenset(rules))
        for rules in (
            {https, postgres, partners},
            {https.model_copy(update={"description": "AWS and payment networks"}), sixth},
            {inward},
        )
    ]
