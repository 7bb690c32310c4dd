"""The AWS services that tapctl calls, as typed clients made when first needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient


class Clients(ABC):
    """The typed clients, a property for each service."""

    @abstractmethod
    def client(self, service: str, *, retries: bool = True) -> Any:
        """Return a client of this service, made once; ``retries=False``: the SDK sends each call once."""

    @property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation."""
        return cast("CloudFormationClient", self.client("cloudformation"))

    @property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch."""
        return cast("CloudWatchClient", self.client("cloudwatch"))

    @property
    def ec2(self) -> EC2Client:
        """EC2."""
        return cast("EC2Client", self.client("ec2"))

    @property
    def ecr(self) -> ECRClient:
        """ECR."""
        return cast("ECRClient", self.client("ecr"))

    @property
    def iam(self) -> IAMClient:
        """IAM."""
        return cast("IAMClient", self.client("iam"))

    @property
    def kms(self) -> KMSClient:
        """KMS."""
        return cast("KMSClient", self.client("kms"))

    @property
    def kms_without_retries(self) -> KMSClient:
        """KMS without SDK retries: CreateKey has no idempotency token, a retried one makes a second key."""
        return cast("KMSClient", self.client("kms", retries=False))

    @property
    def lambda_(self) -> LambdaClient:
        """Lambda."""
        return cast("LambdaClient", self.client("lambda"))

    @property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return cast("CloudWatchLogsClient", self.client("logs"))

    @property
    def rds(self) -> RDSClient:
        """RDS."""
        return cast("RDSClient", self.client("rds"))

    @property
    def s3(self) -> S3Client:
        """S3, for the state store."""
        return cast("S3Client", self.client("s3"))

    @property
    def secretsmanager(self) -> SecretsManagerClient:
        """Secrets Manager."""
        return cast("SecretsManagerClient", self.client("secretsmanager"))

    @property
    def service_quotas(self) -> ServiceQuotasClient:
        """Service Quotas."""
        return cast("ServiceQuotasClient", self.client("service-quotas"))

    @property
    def sns(self) -> SNSClient:
        """SNS."""
        return cast("SNSClient", self.client("sns"))

    @property
    def ssm(self) -> SSMClient:
        """Systems Manager, for parameters."""
        return cast("SSMClient", self.client("ssm"))

    @property
    def sts(self) -> STSClient:
        """STS."""
        return cast("STSClient", self.client("sts"))

    @property
    def tagging(self) -> ResourceGroupsTaggingAPIClient:
        """The Resource Groups Tagging API."""
        return cast("ResourceGroupsTaggingAPIClient", self.client("resourcegroupstaggingapi"))
