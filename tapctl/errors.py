"""The errors of tapctl as a tree, and the exit statuses and status words that a command ends with.

::

    TapctlError                 exit 1   base: code, cause, evidence, hint
    ├── UsageError              exit 64  a wrong call, or a prompt where nobody can answer
    ├── ConfigError             exit 3   environment files, name or suffix; carries every Problem found
    ├── NetworkingError         exit 3   the networking contract is broken; names each clause
    ├── ManifestError           exit 3   the record is unreadable, empty, or of a newer format
    │   └── NotRecorded                  there is none; AWS may have what it should tell of
    ├── WrongTarget             exit 9   wrong account, region or identity
    ├── LockHeld                exit 5   somebody else is changing this environment
    ├── Refused                 exit 6   protection, policy, or not ours
    ├── PlanInvalid             exit 3   a plan file is cut, of another format, or no plan
    ├── RunInvalid              exit 3   a recorded run cannot be read, or is none
    ├── PlanOutdated            exit 8   the approved plan is not what would be done now
    ├── NotConverged            exit 4   AWS did not get there; run it again
    ├── StoreFailed             exit 4   the manifest could not be written; a rescue copy was
    ├── AwsError                exit 1   one call to AWS went wrong
    │   ├── AwsRefused                   AWS answered no (``is_denied``: exit 6 before anything was made)
    │   └── AwsNoAnswer                  no answer, throttled or a server error: it may have taken effect
    └── SandboxError            exit 1   the embedded AWS is missing or did not start

``NotYet`` and ``AlreadyExists`` are not errors: a reconciler raises them to say "nothing was changed, ask again" and
"the resource exists by now, look again".
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from pathlib import Path

from tapctl.safety.redaction import hide_paths_within, redact


class ExitCode(IntEnum):
    """The exit statuses of a command, the worst first; 130 and 143 are those of one that a signal ends."""

    USAGE = 64
    """The command line is wrong, or a question has nobody to answer it."""
    WRONG_TARGET = 9
    """The account, the region or the identity is not that of the environment."""
    INVALID = 3
    """The configuration, the networking stack or the record cannot be used."""
    LOCK_HELD = 5
    """The environment is being changed by somebody else."""
    REFUSED = 6
    """tapctl, AWS or the user said no; nothing was changed."""
    OUTDATED = 8
    """The approved plan is not what would be done now, or has expired; nothing was changed."""
    ERROR = 1
    """Anything else went wrong."""
    NOT_CONVERGED = 4
    """Changes were made and not all of them; the same command goes on."""
    DIFFERENT = 2
    """Differences were found, or something is to do."""
    INCOMPLETE = 7
    """Something could not be read, and so not be compared."""
    OK = 0

    @classmethod
    def worst(cls, codes: Iterable[int]) -> ExitCode:
        """The worst of these exit statuses; of none, OK.

        Raises:
            ValueError: one is not an `ExitCode`.
        """
        order = list(cls)
        return min(map(cls, codes), key=order.index, default=cls.OK)


class Status(StrEnum):
    """The words a verdict may bear: a contract with scripts."""

    OK = "OK"
    DIFFERENT = "DIFFERENT"
    INCOMPLETE = "INCOMPLETE"
    BLOCKED = "BLOCKED"
    CANCELLED = "CANCELLED"
    CONVERGED = "CONVERGED"
    NOT_CONVERGED = "NOT CONVERGED"
    NOT_RECORDED = "NOT RECORDED"
    DESTROYED = "DESTROYED"
    NOT_DESTROYED = "NOT DESTROYED"
    NOT_CERTIFIED = "NOT CERTIFIED"
    NOTHING = "NOTHING"
    UNLOCKED = "UNLOCKED"
    ACCEPTED = "ACCEPTED"
    WAIVED = "WAIVED"
    WRITTEN = "WRITTEN"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class TapctlError(Exception):
    """An error a user meets: a stable code, one sentence of cause, evidence, and what to run next.

    None of its texts holds a credential: whoever wrote them, each is stripped (`tapctl.safety.redaction`).
    """

    code = "error"
    exit_code = ExitCode.ERROR
    retry_safe = False
    """True if the same command, run again as it is, goes on from here or may well succeed."""

    def __init__(self, cause: str, *, evidence: str | None = None, hint: str | None = None) -> None:
        self.cause = redact(cause)
        super().__init__(self.cause)
        self.evidence = None if evidence is None else redact(evidence)
        self.hint = None if hint is None else redact(hint)


class UsageError(TapctlError):
    """The command line itself is wrong, or a question has nobody to answer it."""

    code = "usage"
    exit_code = ExitCode.USAGE


_NO_FILE = r"--[a-z]|(?i:(?:AWS|TAPCTL)_[A-Z0-9_]+|(?:HTTPS?|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE)(?:,|$)"


def is_file(place: str) -> bool:
    """True of the place of a problem that is a file, or a folder of theirs; not of an option, nor of variables."""
    return bool(place) and re.match(_NO_FILE, place) is None


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake in one place of one file."""

    file: str
    key: str
    value: str
    rule: str
    line: int = field(default=0, compare=False)
    """The number of the line in the file; 0 where nobody has looked for it."""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        shown = f" = {self.value}" if self.value else ""
        return f"{place}{shown}: {self.rule}"


_MAX_PROBLEMS = 100
CONFIG = Path("environments")
"""The folder of the environment files, where none is named."""


def _validation(folder: Path) -> str:
    """The command that validates the files of this folder, and no other ones."""
    return shlex.join(["tapctl", "validate", *([] if folder == CONFIG else ["--config", str(folder)])])


def first_few(texts: Sequence[str], most: int) -> list[str]:
    """The first ``most`` texts, and how many more there are: whatever is listed has an end."""
    return [*texts[:most], *([f"and {len(texts) - most} more"] if len(texts) > most else [])]


class ConfigError(TapctlError):
    """The environment files, the environment's name or the suffix are not usable."""

    code = "config-invalid"
    exit_code = ExitCode.INVALID

    def __init__(self, problems: list[Problem], *, hint: str | None = None, folder: Path | None = None) -> None:
        """``folder``: that of the environment files, where the mistake is one that ``validate`` finds."""
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        # What is wrong is what was typed or set, and no edit of the configuration corrects it.
        given = {problem.file for problem in self.problems if not is_file(problem.file)}
        single = f"{given.pop()} is not valid" if len(given) == count == 1 else "the configuration is not valid"
        shown = [str(problem) for problem in self.problems[:_MAX_PROBLEMS]]
        rest = [f"and {count - _MAX_PROBLEMS} more"] if count > _MAX_PROBLEMS else []
        super().__init__(
            single if count == 1 else f"the configuration has {count} errors",
            evidence="\n".join(shown + rest),
            hint=hint
            or f"correct what is named, then run {_validation(folder) if folder else 'the same command again'}",
        )


class NetworkingError(TapctlError):
    """The networking stack does not hold its side of the contract; the evidence names each broken clause."""

    code = "networking-contract"
    exit_code = ExitCode.INVALID


class ManifestError(TapctlError):
    """The record is unusable: unreadable, empty, of a newer format, or not a manifest at all."""

    code = "manifest-invalid"
    exit_code = ExitCode.INVALID


class NotRecorded(ManifestError):
    """There is no record of the environment. ``there``: the number of resources that AWS has under its names."""

    def __init__(self, cause: str, *, there: int, evidence: str, hint: str) -> None:
        super().__init__(cause, evidence=evidence, hint=hint)
        self.there = there

    @property
    def summary(self) -> str:
        """The words for the verdict."""
        return f"no record, and {self.there or 'nothing'} in AWS under its names"


class WrongTarget(TapctlError):
    """The credentials, the account or the region are not those of this environment."""

    code = "wrong-target"
    exit_code = ExitCode.WRONG_TARGET


class LockHeld(TapctlError):
    """The environment is being changed by somebody else right now."""

    code = "lock-held"
    exit_code = ExitCode.LOCK_HELD
    retry_safe = True


class Refused(TapctlError):
    """tapctl will not do this: protection, policy, or the thing is not ours. Nothing was changed."""

    code = "refused"
    exit_code = ExitCode.REFUSED


class ConsentMissing(Refused):
    """A change that cannot be undone, of a resource that the user has not named for it."""


class PlanInvalid(TapctlError):
    """A plan file cannot be used: it cannot be read, was cut off, or is no plan of this format."""

    code = "plan-invalid"
    exit_code = ExitCode.INVALID


class RunInvalid(TapctlError):
    """A recorded run cannot be used: it cannot be read, or holds no JSON Lines of tapctl's."""

    code = "run-invalid"
    exit_code = ExitCode.INVALID

    def __init__(self, run: str, problem: str, *, line: int = 0, hint: str) -> None:
        where = f"{run}: line {line}" if line else run
        super().__init__("the recorded run is not valid", evidence=f"{where}: {problem}", hint=hint)


class PlanOutdated(TapctlError):
    """The approved plan is not what would be done now: something has changed, or it has expired or was used."""

    code = "plan-outdated"
    exit_code = ExitCode.OUTDATED


class PlanUnwritten(TapctlError):
    """The plan could not be written as a file."""

    code = "plan-unwritten"


class FieldUnreadable(Refused):
    """A field that would have to change could not be read."""

    code = "unread"
    exit_code = ExitCode.INCOMPLETE


class NotConverged(TapctlError):
    """AWS did not get there; the manifest is right, and running the same command again continues."""

    code = "not-converged"
    exit_code = ExitCode.NOT_CONVERGED
    retry_safe = True


class StoreFailed(TapctlError):
    """The manifest could not be written where it belongs."""

    code = "manifest-unwritten"
    exit_code = ExitCode.NOT_CONVERGED
    retry_safe = True


class SandboxError(TapctlError):
    """The embedded AWS is not installed, or did not start."""

    code = "sandbox"


class AwsError(TapctlError):
    """A call to AWS went wrong."""

    code = "aws"

    def __init__(
        self,
        service: str,
        operation: str,
        aws_code: str,
        message: str,
        *,
        request_id: str | None = None,
        status: int = 0,
        evidence: str | None = None,
        hint: str | None = None,
    ) -> None:
        """``status``: HTTP's; 0 where there was no answer."""
        self.service = service
        self.operation = operation
        self.aws_code = aws_code
        # SNS repeats the address of a receiver of alarms, whose path lets somebody in.
        self.message = redact(hide_paths_within(message) if service == "sns" else message)
        self.request_id = request_id
        self.status = status
        where = f" (request {request_id})" if request_id else ""
        super().__init__(f"{aws_code} on {service}:{operation}: {self.message}{where}", evidence=evidence, hint=hint)

    @property
    def iam_action(self) -> str:
        """The action as IAM calls it: ``rds:CreateDBCluster``, ``tag:GetResources``."""
        return f"{_IAM_PREFIX.get(self.service, self.service)}:{self.operation}"


_IAM_PREFIX = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
"""SDK service to its prefix in IAM actions, where the two differ."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
# Compiled at its first use, as all patterns here: no command needs one to start.
_PERMISSION = r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>[^\s,]+))?"
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
)
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "NotSignedUp",
        "OptInRequired",
        "RegionDisabledException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SubscriptionRequiredException",
        "TokenRefreshRequired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)


_CLOCK = "RequestTimeTooSkewed|RequestInTheFuture|Signature expired|not yet current|too large|must be within|clock"
_REGION_IS_OFF = (
    "RegionDisabled|OptInRequired|not (?:activated|enabled|opted|available) in (?:this|the) region|opt(?:ed)?[- ]in"
    "|region [a-z0-9-]{1,32} is (?:disabled|not enabled)"
)
# A region that is not enabled for the account knows none of its keys: STS's, most services' and EC2's word for that
# (segmentio/aws-okta#225, awslabs/landing-zone-accelerator-on-aws#269).
_UNKNOWN_HERE = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"})
_WRONG_KEY = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId"})
_ENDS_WITH_TIME = "expired"
# As AWS words them: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_EXPLICIT_DENY = r"with an explicit deny in an? (?P<policy>[a-z -]{1,60}policy|permissions boundary)"
_RESOURCE_POLICY = "resource-based policy"
_NOT_ALLOWED_BY = r"because no (?P<policy>[a-z -]{1,60} policy|permissions boundary|VPC endpoint policy) allows"


_QUOTA = "QuotaExceeded|LimitExceeded"
"""Names of quotas in AWS's errors: DBInstanceQuotaExceeded, LimitExceededException, SecurityGroupLimitExceeded …"""


class AwsRefused(AwsError):
    """AWS answered, and the answer is no. Nothing was changed by this call."""

    code = "aws-refused"

    def matches(self, *codes: str, text: str = "") -> bool:
        """True if AWS's code is one of these and its message holds ``text`` (any case).

        The code alone often says too little: InvalidParameterValueException and its kind are catch-alls.
        """
        return self.aws_code in codes and text.lower() in self.message.lower()

    @property
    def is_denied(self) -> bool:
        """True if a permission is missing."""
        return self.aws_code in _DENIED

    @property
    def is_denied_by_resource(self) -> bool:
        """True if the resource's own policy keeps us out, by AWS's words."""
        return self.is_denied and _RESOURCE_POLICY in self.message

    @property
    def refusal(self) -> str:
        """AWS's word, after ``refused``, where it refused for another reason than a missing permission; else empty."""
        return "" if self.is_denied else f"refused: {self.aws_code}: {self.message}"

    @property
    def iam_action(self) -> str:
        """The action that is denied, which may be another than was called: creating a function passes a role."""
        match = re.search(_PERMISSION, self.message) if self.is_denied else None
        return match["action"] if match else super().iam_action

    @property
    def permission(self) -> str:
        """The permission to allow: the action, and the resource where AWS names one."""
        match = re.search(_PERMISSION, self.message)
        resource = match["resource"] if match else None
        return f"{self.iam_action} on {resource}" if resource else self.iam_action

    def unasked(self, what: str) -> Refused:
        """The refusal of a step that nobody can judge without this answer; ``what`` says which, and the question.

        Raises:
            AwsRefused: this one, where no permission is missing.
        """
        if not self.is_denied:
            raise self
        hint = f"allow {self.permission}, then run the same command again"
        return Refused(f"{what} could not be asked", evidence=str(self), hint=hint)

    @property
    def is_bad_credentials(self) -> bool:
        """True if the credentials are expired or not valid."""
        return self.aws_code in _CREDENTIALS


THROTTLING = frozenset(
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
    }
)
"""The codes by which AWS's services turn away one call too many."""


_SETTINGS = frozenset({"ProxyConnectionError"})
_HUNG_UP = "ConnectionClosedError"
SERVER_ERROR = 500
"""The first HTTP status that says that AWS itself failed."""
_CERTIFICATE = "certificate|CRL|PEM|Errno"


class AwsNoAnswer(AwsError):
    """A call without a usable answer: throttled, a server error, the network. But for the first, it may have worked."""

    code = "aws-lost"
    retry_safe = True

    @property
    def is_setting(self) -> bool:
        """True if a proxy or a certificate of this machine's is in the way, not AWS."""
        return self.aws_code in _SETTINGS or (
            self.aws_code == "SSLError" and bool(re.search(_CERTIFICATE, self.message, re.IGNORECASE))
        )

    @property
    def throttled(self) -> bool:
        """True if AWS turned the call away before it did anything."""
        return self.aws_code in THROTTLING

    @property
    def is_passing(self) -> bool:
        """True if AWS was busy, failed or hung up at once: a moment later the same call may be answered."""
        return self.throttled or self.status >= SERVER_ERROR or self.aws_code == _HUNG_UP


class Patience(Enum):
    """The seconds for which a "not yet" is believed; LONG is the resource type's own time."""

    PROPAGATION = 120
    BUSY = 300
    LONG = None


class NotYet(Exception):  # not an error: "nothing was changed, ask again"
    """Raised when AWS cannot do a step yet, and nothing was changed. The engine asks again."""

    def __init__(self, reason: str, patience: Patience) -> None:
        super().__init__(reason)
        self.reason = reason
        self.patience = patience


class AlreadyExists(Exception):  # not an error: a reason to look again
    """Raised when a create finds the name taken, perhaps by our own create whose answer was lost; the engine looks."""


def exit_code_of(error: TapctlError) -> ExitCode:
    """The exit status of an error before anything was changed.

    A missing permission is a refusal; credentials that AWS does not take are no identity.
    """
    if isinstance(error, AwsRefused) and error.is_denied:
        return ExitCode.REFUSED
    if isinstance(error, AwsRefused) and error.is_bad_credentials:
        return ExitCode.WRONG_TARGET
    if isinstance(error, AwsNoAnswer) and error.is_setting:
        return ExitCode.WRONG_TARGET
    return error.exit_code


def credentials_hint(error: AwsRefused) -> str:
    """Say how to get an identity that AWS takes, by the words that AWS sent with its no."""
    text = f"{error.aws_code} {error.message}"
    if re.search(_CLOCK, text, re.IGNORECASE):
        return "set this machine's clock (its time differs from AWS's by more than AWS allows)"
    if re.search(_REGION_IS_OFF, text, re.IGNORECASE):
        return "enable the region or the service for this account, or correct the region"
    if error.aws_code in _WRONG_KEY and not re.search(_ENDS_WITH_TIME, text, re.IGNORECASE):
        return (
            "correct the access key (its id or its secret is not one that AWS knows), or log in again (aws sso login)"
        )
    if error.aws_code in _UNKNOWN_HERE:
        return "log in again (aws sso login); where that does not help, enable the region for this account"
    return "log in again (aws sso login)"


def denial_hint(error: AwsRefused) -> str:
    """Say what has to be allowed, and where: an explicit deny and a boundary are not cured by allowing it elsewhere."""
    if deny := re.search(_EXPLICIT_DENY, error.message):
        return f"have the explicit deny of {error.permission} lifted from the {deny['policy']}; an allow does not help"
    place = re.search(_NOT_ALLOWED_BY, error.message)
    where = f" in the {place['policy']}" if place and "identity-based" not in place["policy"] else ""
    return f"allow {error.permission}{where}"


def bug(error: Exception) -> TapctlError:
    """The error about an exception that nobody foresaw, by its place in the code: its message may hold secrets."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return TapctlError(f"unexpected {type(error).__name__}: this is a bug of tapctl", evidence=" > ".join(frames[-5:]))


def add_default_hint(error: TapctlError) -> None:
    """Add a hint to an error of AWS that has none: a missing permission, bad credentials, no answer."""
    if error.hint is not None:
        return
    if isinstance(error, AwsRefused) and error.is_denied:
        error.hint = f"{denial_hint(error)}, then run the same command again: it continues from here"
    elif isinstance(error, AwsRefused) and error.is_bad_credentials:
        error.hint = f"{credentials_hint(error)}, then run the same command again: it continues from here"
    elif isinstance(error, AwsRefused) and re.search(_QUOTA, error.aws_code):
        error.hint = (
            f"have this account's quota raised (Service Quotas, {error.service}) or remove what is of no use, then run "
            "the same command again: it continues from here"
        )
    elif isinstance(error, AwsNoAnswer) and error.is_setting:
        error.hint = (
            "correct the proxy (HTTPS_PROXY, NO_PROXY), the certificates (AWS_CA_BUNDLE) or AWS_ENDPOINT_URL, then run "
            "the same command again: it continues from here"
        )
    elif isinstance(error, AwsNoAnswer):
        error.hint = (
            "check the network, the proxy, AWS_ENDPOINT_URL, the region's name and health.aws.amazon.com; then run the "
            "same command again: it continues from here"
        )
