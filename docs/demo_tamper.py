"""What a hurried person does in the console at 3 a.m.: used by demo.sh against the embedded AWS alone."""

from __future__ import annotations

import sys

import boto3


def main(endpoint: str, suffix: str, region: str) -> None:
    """Open the database's security group to an office network, and raise the function's timeout."""
    aws = boto3.session.Session("testing", "testing", region_name=region)
    ec2 = aws.client("ec2", endpoint_url=endpoint)
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"db-sg-{suffix}"]}])
    ec2.authorize_security_group_ingress(
        GroupId=groups["SecurityGroups"][0]["GroupId"],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
        ],
    )
    function = aws.client("lambda", endpoint_url=endpoint)
    function.update_function_configuration(FunctionName=f"payment-processor-{suffix}", Timeout=60)


if __name__ == "__main__":
    main(*sys.argv[1:4])
