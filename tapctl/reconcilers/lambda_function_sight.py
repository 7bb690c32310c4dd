"""What tapctl owns on a Lambda function, and how AWS's answer is read into it.

A function's environment may hold a secret that somebody put there. A value is therefore shown only where it is the
wanted one; any other is replaced by `HIDDEN` here, before anything can print, log or record it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import Observed, Outputs, Owner, Spec
from tapctl.policy import PolicyDocument

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

HIDDEN: Final = "(hidden)"

_UNSETTLED: Final = frozenset({"Pending", "Deactivating"})
# A promise in a wanted value (`tapctl.engine.refs`), and the only forms that what it stands for can have: while
# planning, the live value behind it has to be seen to be compared. Neither form is one of a password.
_PROMISE: Final = re.compile("⟦[^⟦⟧]*⟧")
_IDENTITY: Final = r"(?:arn:[\w-]+:[\w-]+:[\w-]*:\d*:[\w/:.+=@!-]+|[\w-]+(?:\.[\w-]+)*\.amazonaws\.com(?:\.cn)?)"


class LambdaFunctionSpec(Spec):
    """What tapctl owns on a function."""

    package_type: str
    """``Image`` or ``Zip``; fixed once made."""
    image_uri: str
    """``repository@sha256:…``, what AWS resolved it to; empty for a Zip."""
    code_sha256: str
    """The zip's SHA-256 in base64, as AWS tells it; empty for an Image."""
    runtime: str
    """Empty for an Image, as are ``handler`` and ``layers``."""
    handler: str
    role_arn: str
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]
    """Seen: names as they are, values other than the wanted ones as `HIDDEN`."""
    kms_key_arn: str
    """Encrypts the environment; empty: AWS's own key."""
    subnet_ids: frozenset[str]
    security_group_ids: frozenset[str]
    tracing: str
    """``Active`` or ``PassThrough``."""
    reserved_concurrency: int | None
    """None: nothing is reserved; 0: it does not run at all."""
    architecture: str = "x86_64"
    ephemeral_storage_mb: int = 512
    layers: tuple[str, ...] = ()
    log_format: str = "Text"
    """``Text`` or ``JSON``."""
    log_group: str
    description: str = ""
    image_config: str = ""
    """Canonical JSON of what overrides the image's entry point, command and directory; empty: nothing does."""
    resource_policy: PolicyDocument | None = None
    """Who else may invoke it. Wanted: nobody (None)."""
    update_failure: str = ""
    """Why AWS's last update of it failed: the one before is still in force, whatever the fields say. Wanted: empty."""
    tags: dict[str, str]


class LambdaFunctionOutputs(Outputs):
    """Its ARN, without a version."""

    arn: str


def observed_function(
    answer: GetFunctionResponseTypeDef,
    resource_policy: PolicyDocument | None,
    unread: dict[str, str],
    expected: LambdaFunctionSpec | None,
) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
    """GetFunction's answer, with the policy read beside it; ``unread`` names what could not be read there."""
    # Read as plain mappings: fields are there or not by the kind of function, and some are newer than the stubs.
    found: Mapping[str, Any] = answer["Configuration"]
    code: Mapping[str, Any] = answer["Code"]
    is_image = found.get("PackageType", "Zip") == "Image"
    vpc = found.get("VpcConfig", {})
    logging = found.get("LoggingConfig", {})
    state, update = _states(found)
    failed = _reason(found, "State") if state == "Failed" else None
    update_failure = _reason(found, "LastUpdateStatus") if update == "Failed" and failed is None else ""
    tags = {key: value for key, value in answer.get("Tags", {}).items() if not key.startswith("aws:")}
    owner = Owner.of(tags)
    if "TagsError" in answer:
        # A role that may not list tags gets the function all the same.
        tags, unread = expected.tags if expected else {}, {**unread, "tags": "lambda:ListTags"}
    environment = _shown(found.get("Environment", {}).get("Variables", {}), expected.environment if expected else {})
    if "Error" in found.get("Environment", {}):
        environment, unread = expected.environment if expected else {}, {**unread, "environment": "kms:Decrypt"}
    spec = LambdaFunctionSpec(
        package_type=found.get("PackageType", "Zip"),
        image_uri=code.get("ResolvedImageUri", "") if is_image else "",
        code_sha256="" if is_image else found.get("CodeSha256", ""),
        runtime=found.get("Runtime", ""),
        handler=found.get("Handler", ""),
        role_arn=found["Role"],
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        environment=environment,
        kms_key_arn=found.get("KMSKeyArn", ""),
        subnet_ids=frozenset(vpc.get("SubnetIds", ())),
        security_group_ids=frozenset(vpc.get("SecurityGroupIds", ())),
        tracing=found.get("TracingConfig", {}).get("Mode", "PassThrough"),
        reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        architecture=found.get("Architectures", ["x86_64"])[0],
        ephemeral_storage_mb=found.get("EphemeralStorage", {}).get("Size", 512),
        layers=tuple(one["Arn"] for one in found.get("Layers", ())),
        log_format=logging.get("LogFormat", "Text"),
        log_group=logging.get("LogGroup", f"/aws/lambda/{found['FunctionName']}"),
        description=found.get("Description", ""),
        image_config=_overrides(found, expected),
        resource_policy=resource_policy,
        update_failure=update_failure,
        tags=tags,
    )
    return Observed(
        spec,
        LambdaFunctionOutputs(arn=found["FunctionArn"]),
        settled=not at_work(answer),
        deleting=state == "Deleting",
        failure=failed,
        update_failure=update_failure or None,
        status=state if update == "Successful" else f"{state}, update {update} {update_failure}".rstrip(),
        owner=owner,
        unreadable=unread,
    )


def at_work(answer: GetFunctionResponseTypeDef) -> str:
    """What Lambda is doing with it, in its own words; empty where it is at rest."""
    state, update = _states(answer.get("Configuration", {}))
    if state in _UNSETTLED:
        return state
    return f"update {update}" if update == "InProgress" else ""


def _states(found: Mapping[str, Any]) -> tuple[str, str]:
    return found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")


def _reason(found: Mapping[str, Any], what: str) -> str:
    """AWS's reason code, and its sentence."""
    return f"{found.get(f'{what}ReasonCode', 'Unknown')}: {found.get(f'{what}Reason', 'AWS gives no reason')}"


def _shown(live: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: value if _is_wanted(value, wanted.get(name)) else HIDDEN for name, value in live.items()}


def _is_wanted(value: str, wanted: str | None) -> bool:
    if wanted is None or value == wanted:
        return wanted is not None
    if not _PROMISE.search(wanted):
        return False
    form = _IDENTITY.join(re.escape(part) for part in _PROMISE.split(wanted))
    return re.fullmatch(form, value) is not None


def _overrides(found: Mapping[str, Any], expected: LambdaFunctionSpec | None) -> str:
    """A command line may hold a secret just as a variable may."""
    config = {
        name: value for name, value in found.get("ImageConfigResponse", {}).get("ImageConfig", {}).items() if value
    }
    text = json.dumps(config, sort_keys=True) if config else ""
    return text if not text or (expected is not None and expected.image_config == text) else HIDDEN
