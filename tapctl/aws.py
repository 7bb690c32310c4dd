"""The one door to AWS: typed clients made lazily, one retry mode, a guard on account and region, one error language.

Every call of every client passes `_Door._make_api_call`, which bounds what is in flight, counts, and turns what
botocore raises into `AwsRefused` (AWS answered no) or `AwsLost` (no usable answer).
"""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tapctl.errors import AwsError, AwsLost, AwsRefused, WrongTarget

if TYPE_CHECKING:
    import boto3
    from botocore.paginate import Paginator
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
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

P = ParamSpec("P")
T = TypeVar("T")

IN_FLIGHT = 10
_READS = ("Describe", "Get", "List", "Head", "Simulate", "Assume")
# The state store is not the stack: writing the record is no change to what it records.
_NOT_THE_STACK = frozenset({"s3", "sts"})
_LOST_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "Throttled",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TransactionInProgressException",
        "SlowDown",
        "EC2ThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)


@dataclass
class Traffic:
    """What has passed the door so far."""

    calls: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    in_flight: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(IN_FLIGHT))


def is_change(service: str, operation: str) -> bool:
    """Whether this call may change the stack in AWS."""
    return service not in _NOT_THE_STACK and not operation.startswith(_READS)


def translate(service: str, operation: str, error: Exception) -> AwsError | WrongTarget | None:
    """What this botocore exception means to us; None for what is no answer of AWS (a bug of ours)."""
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    if isinstance(error, bc.ClientError):
        body = error.response.get("Error", {})
        meta = error.response.get("ResponseMetadata", {})
        code = str(body.get("Code") or "Unknown")
        status = int(meta.get("HTTPStatusCode") or 0)
        kind = AwsLost if code in _LOST_CODES or status >= 500 else AwsRefused
        return kind(
            service, operation, code, str(body.get("Message") or "no message"), request_id=meta.get("RequestId") or None
        )
    if isinstance(
        error,
        bc.NoCredentialsError
        | bc.PartialCredentialsError
        | bc.CredentialRetrievalError
        | bc.TokenRetrievalError
        | bc.SSOError
        | bc.ProfileNotFound,
    ):
        return WrongTarget(
            "there are no usable AWS credentials",
            evidence=f"{type(error).__name__} on {service}:{operation}: {error}",
            hint="log in (aws sso login, or set AWS_PROFILE), check with: aws sts get-caller-identity",
        )
    if isinstance(error, bc.HTTPClientError | bc.ConnectionError | ResponseParserError):
        return AwsLost(service, operation, type(error).__name__, str(error))
    return None


def _door(traffic: Traffic) -> type:
    """A base class for every client that takes each of its calls through ``traffic``."""

    class _Door:
        def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
            service = cast("Any", self).meta.service_model.service_name
            action = f"{service}:{operation_name}"
            with traffic.places:
                with traffic.lock:
                    traffic.calls[action] += 1
                    if is_change(service, operation_name):
                        traffic.changes[action] += 1
                        traffic.in_flight.add(action)
                try:
                    return cast("Any", super())._make_api_call(operation_name, api_params)
                except Exception as error:
                    ours = translate(service, operation_name, error)
                    if ours is None:
                        raise
                    # Without "from": botocore's own text may hold what the request held.
                    raise ours from None
                finally:
                    with traffic.lock:
                        traffic.in_flight.discard(action)

    return _Door


@dataclass(frozen=True)
class Target:
    """Where the door leads. ``endpoint_url`` and ``credentials`` are for the embedded AWS alone."""

    region: str
    role_arn: str | None = None
    endpoint_url: str | None = None
    credentials: tuple[str, str] | None = None


@dataclass(frozen=True)
class Identity:
    """Who we are to AWS."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn``, ``aws-us-gov``."""
        return self.arn.split(":")[1]


class Aws:
    """Typed clients for one account and region. `round` gives a view in which identical reads are made once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.region = target.region
        self.traffic = Traffic()
        self.identity: Identity | None = None
        self._session: boto3.session.Session | None = None
        self._clients: dict[tuple[str, bool], Any] = {}
        self._making = threading.Lock()
        self._memo: dict[str, Future[Any]] | None = None
        self._ids: Mapping[str, tuple[str, ...]] = {}

    # -- the guard ---------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """The account we are in; `identify` first."""
        return self._who.account

    @property
    def partition(self) -> str:
        """The partition we are in; `identify` first."""
        return self._who.partition

    @property
    def _who(self) -> Identity:
        if self.identity is None:
            raise RuntimeError("identify() comes before everything else")
        return self.identity

    def identify(self, account: str) -> Identity:
        """Ask STS who we are: the one call made before any other.

        Raises:
            WrongTarget: this is another account, or the credentials are not usable.
        """
        try:
            answer = self.sts.get_caller_identity()
        except AwsRefused as error:
            raise WrongTarget(
                "AWS does not accept these credentials",
                evidence=str(error),
                hint="log in again, check with: aws sts get-caller-identity",
            ) from error
        found = Identity(answer["Account"], answer["Arn"])
        if found.account != account:
            raise WrongTarget(
                f"these credentials are for account {found.account}, the environment is in account {account}",
                evidence=f"sts:GetCallerIdentity says {found.arn}",
                hint="change AWS_PROFILE or the credentials, or correct account_id in the environment's file",
            )
        self.identity = found
        return found

    # -- reading -----------------------------------------------------------------------------------------------------

    def round(self, ids: Mapping[str, tuple[str, ...]] | None = None) -> Aws:
        """A view for one round of looks: identical reads are made once, and ``siblings`` knows what is looked at."""
        view = copy.copy(self)
        view._memo = {}
        view._ids = ids or {}
        return view

    def siblings(self, type_: str, id_: str) -> tuple[str, ...]:
        """All ids of this type that the round looks at, sorted, ``id_`` among them: for one bulk read."""
        return tuple(sorted({id_, *self._ids.get(type_, ())}))

    def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One read; inside a round the same read is made once."""
        client = cast("Any", call).__self__
        key = f"{client.meta.service_model.service_name}.{cast('Any', call).__name__}"
        return self._once(key, kwargs, lambda: call(*args, **kwargs))

    def pages(self, paginator: Paginator[T], **kwargs: Any) -> list[T]:
        """All pages of one listing; inside a round the same listing is made once."""
        return self._once(type(paginator).__name__, kwargs, lambda: list(paginator.paginate(**kwargs)))

    def _once(self, key: str, kwargs: Mapping[str, Any], make: Callable[[], T]) -> T:
        memo = self._memo
        if memo is None:
            return make()
        full = f"{key} {json.dumps(kwargs, sort_keys=True, default=str)}"
        mine: Future[T] = Future()
        theirs = memo.setdefault(full, mine)
        if theirs is not mine:
            return cast("T", theirs.result())
        try:
            mine.set_result(make())
        except BaseException as error:
            mine.set_exception(error)
        return mine.result()

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, service: str, *, retries: bool = True) -> Any:
        """A client of this service, made once. ``retries=False``: the SDK asks once (for what must not be made twice)."""
        with self._making:
            made = self._clients.get((service, retries))
            if made is None:
                made = self._clients[(service, retries)] = self._make(service, retries=retries)
            return made

    def _make(self, service: str, *, retries: bool) -> Any:
        from botocore.config import Config

        if self._session is None:
            self._session = self._open()
        # 4 attempts bridge a hiccup; whatever lasts longer is the engine's to wait for, where it can be seen.
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 4 if retries else 1},
            connect_timeout=5,
            read_timeout=20,
            max_pool_connections=IN_FLIGHT,
            user_agent_extra="tapctl",
        )
        return cast("Any", self._session).client(service, config=config, endpoint_url=self.target.endpoint_url)

    def _open(self) -> boto3.session.Session:
        import boto3.session

        key, secret = self.target.credentials or (None, None)
        try:
            session = boto3.session.Session(
                region_name=self.region, aws_access_key_id=key, aws_secret_access_key=secret
            )
            if self.target.role_arn:
                session = _assumed(session, self.target)
        except Exception as error:
            ours = translate("sts", "AssumeRole", error)
            if ours is None:
                raise
            raise ours from None
        base = _door(self.traffic)
        session.events.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, base))
        return session

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
    def kms_once(self) -> KMSClient:
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


def _assumed(session: boto3.session.Session, target: Target) -> boto3.session.Session:
    """A session that has assumed the target's role, and assumes it again when its credentials run out."""
    import boto3.session
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    core = cast("Any", session)._session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=core.create_client,
        source_credentials=core.get_credentials(),
        role_arn=cast("str", target.role_arn),
        extra_args={"RoleSessionName": "tapctl"},
    )
    inner = botocore.session.get_session()
    cast("Any", inner)._credentials = DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.session.Session(botocore_session=inner, region_name=target.region)
