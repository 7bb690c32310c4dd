"""The role for the conformance suite."""

from __future__ import annotations

import json

from tapctl.aws.client import Aws
from tapctl.aws.policy import PolicyDocument, allow, policy, when
from tapctl.engine.model import Spec
from tapctl.reconcilers.iam_role import IamRole, IamRoleSpec

RECONCILER = IamRole()
ID = "lambda-role-test"
CREATE = ("iam", "CreateRole")
TAGS = {
    "Name": ID,
    "ManagedBy": "tapctl",
    "EnvironmentSuffix": "test",
    "Environment": "dev",
    "tapctl:region": "us-east-1",
}


def prepare(aws: Aws) -> dict[str, str]:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    return {
        name: aws.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        for name in ("boundary", "extra")
    }


def examples(world: dict[str, str]) -> list[Spec]:
    def trust(service: str) -> PolicyDocument:
        return policy(allow("Trust", ["sts:AssumeRole"], to={"Service": service}))

    logs = policy(allow("Logs", ["logs:PutLogEvents", "logs:CreateLogStream"], ["arn:aws:logs:*:*:log-group:/x:*"]))
    traces = policy(
        allow("Traces", ["xray:PutTraceSegments"], ["*"], when=[when("Bool", "aws:SecureTransport", "true")])
    )
    first = IamRoleSpec(
        trust=trust("lambda.amazonaws.com"),
        inline={"lambda-policy-test": logs},
        description="What payment-processor-test may do",
        tags={**TAGS, "Team": "payments"},
    )
    second = first.model_copy(
        update={
            "trust": trust("edgelambda.amazonaws.com"),
            "inline": {"lambda-policy-test": traces, "another": logs},
            "attached": frozenset({world["extra"]}),
            "permissions_boundary": world["boundary"],
            "description": "",
            "max_session_duration_s": 7200,
            "tags": {**TAGS, "CostCenter": "payments"},
        }
    )
    return [first, second, first.model_copy(update={"path": "/payments/"})]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.iam.create_role(
        RoleName=ID,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
