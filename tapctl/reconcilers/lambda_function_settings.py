"""Settings of a Lambda function: the fields that tapctl owns, as Lambda shows them and as its calls take them.

AWS's facts are from the Lambda API reference (GetFunction, CreateFunction, UpdateFunctionConfiguration) and the
developer guide ("Function states").
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws import tags
from tapctl.aws.policy import PolicyDocument
from tapctl.aws.refusals import UnreadableFields
from tapctl.engine.model import Observed, Outputs, Owner, Spec
from tapctl.regions import DOMAINS
from tapctl.safety.hidden_values import hidden_text, untold_text

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

INACTIVE: Final = "Inactive"
"""The state of a function that Lambda has put to rest: its next call fails, and wakes it (Lambda developer guide,
"Function states")."""
_ACTIVE: Final = "Active"
_UNSETTLED: Final = frozenset({"Pending", "Deactivating"})
_NO_NEWS: Final = ("Successful", "")
# A token in a wanted value (`tapctl.engine.refs`), and the only forms that a token's value can have: a plan has to show
# the live value behind the token to compare both. No password has one of these forms.
_TOKEN: Final = re.compile("⟦[^⟦⟧]*⟧")
_HOST: Final = rf"[\w-]+(?:\.[\w-]+)*\.(?:{'|'.join(map(re.escape, DOMAINS))})"
_IDENTITY: Final = rf"(?:arn:[\w-]+:[\w-]+:[\w-]*:\d*:[\w/:.+=@!-]+|{_HOST})"
# Spec field to the parameter of UpdateFunctionConfiguration that carries the field.
CONFIGURATION: Final = {
    "description": "Description",
    "role_arn": "Role",
    "memory_mb": "MemorySize",
    "timeout_s": "Timeout",
    "environment": "Environment",
    "kms_key_arn": "KMSKeyArn",
    "subnet_ids": "VpcConfig",
    "security_group_ids": "VpcConfig",
    "tracing": "TracingConfig",
    "ephemeral_storage_mb": "EphemeralStorage",
    "log_format": "LoggingConfig",
    "log_group": "LoggingConfig",
    "runtime": "Runtime",
    "handler": "Handler",
    "layers": "Layers",
    "image_config": "ImageConfig",
}
# Spec field that is never wanted otherwise to the parameter, and its value, that takes away what somebody else gave.
TAKEN_AWAY: Final[Mapping[str, tuple[str, Any]]] = {
    "dead_letter": ("DeadLetterConfig", {"TargetArn": ""}),
    "file_systems": ("FileSystemConfigs", []),
    "snap_start": ("SnapStart", {"ApplyOn": "None"}),
}
# Settings by which the code runs elsewhere, Lambda keeps what it works on, or another key encrypts the code, by AWS's
# names. tapctl sets none of these.
_FURTHER: Final = (
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "MasterArn",
    "RuntimeConfig",
    "SourceKMSKeyArn",
    "TenancyConfig",
)
CODE: Final = frozenset({"image_uri", "code_sha256", "architecture"})
SENDS_CODE: Final = CODE | {"package_type", "update_failure"}
"""Fields whose change sends the code once more, or makes the function anew with it."""
# Reason codes of a failure by rights that IAM or KMS may not have spread yet.
_OF_RIGHTS: Final = ("InsufficientRolePermissions", "KMSKeyAccessDenied")


class LambdaFunctionSpec(Spec):
    """The fields that tapctl owns on a function."""

    package_type: str
    """``Image`` or ``Zip``; fixed once made."""
    image_uri: str
    """``repository@sha256:…``, as AWS resolved the tag; empty for a Zip."""
    code_sha256: str
    """The zip's SHA-256 in base64; empty for an Image."""
    runtime: str
    """Empty for an Image, as are ``handler`` and ``layers``."""
    handler: str
    role_arn: str
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]
    """Observed: names as they are, in place of values other than the expected ones a stand-in."""
    kms_key_arn: str
    """The key that encrypts the environment; empty: AWS's own key."""
    subnet_ids: frozenset[str]
    security_group_ids: frozenset[str]
    tracing: str
    """``Active`` or ``PassThrough``."""
    reserved_concurrency: int | None
    """None: nothing is reserved; 0: the function does not run at all."""
    architecture: str = "x86_64"
    ephemeral_storage_mb: int = 512
    layers: tuple[str, ...] = ()
    log_format: str = "Text"
    """``Text`` or ``JSON``."""
    log_group: str
    description: str = ""
    image_config: str = ""
    """Canonical JSON of the overrides of the image's entry point, command and directory; empty: none."""
    resource_policy: PolicyDocument | None = None
    """The policy that lets others invoke the function. Wanted: None."""
    dead_letter: str = ""
    """The ARN of the queue or topic that gets the events of failed asynchronous calls; empty: none. Wanted: empty."""
    file_systems: frozenset[str] = frozenset()
    """The file systems that are mounted: ``<ARN> at <path>``. Wanted: none."""
    snap_start: str = "None"
    """``PublishedVersions`` if a published version keeps a snapshot of its memory. Wanted: ``None``."""
    ipv6: bool = False
    """True if the function also leaves by IPv6, in subnets that have it. Wanted: False."""
    urls: frozenset[str] = frozenset()
    """Function URLs: ``<URL> (<who may call it>)``; of an alias ``<URL> for <alias> (…)``. Wanted: none."""
    event_sources: frozenset[str] = frozenset()
    """Further sources of events for the function: ``<id of the mapping> from <source>``. Wanted: none."""
    destinations: frozenset[str] = frozenset()
    """Settings of asynchronous calls that somebody has made: ``<ARN> on <OnSuccess or OnFailure>``, how often a failed
    call is tried again, how old it may be (after either its event is lost); of an alias or a version each with ``for``
    and that one at its end. Wanted: none."""
    aliases: frozenset[str] = frozenset()
    """Other names of a published version: ``<alias> of version <number>``. Wanted: none."""
    open_groups: frozenset[str] = frozenset()
    """Rules of others' groups by which the function reaches the world for more than HTTPS: ``<group id> <rule>``.
    Wanted: none."""
    further_settings: frozenset[str] = frozenset()
    """Where else the code runs, what Lambda keeps of its calls, and whose key encrypts the code:
    ``CapacityProviderConfig <JSON>``, ``DurableConfig <JSON>`` and their like. Wanted: none."""
    update_failure: str = ""
    """Reason why AWS's last update failed: the version before is in force, whatever the fields say. Wanted: empty."""
    tags: dict[str, str]


class LambdaFunctionOutputs(Outputs):
    """The function's ARN, without a version."""

    arn: str


# -- as Lambda shows them ----------------------------------------------------------------------------------------------


def observed_function(
    answer: GetFunctionResponseTypeDef,
    resource_policy: PolicyDocument | None,
    unreadable: UnreadableFields,
    expected: LambdaFunctionSpec | None,
    known: Sequence[LambdaFunctionSpec] = (),
) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
    """Interpret GetFunction's answer and the policy; adds to ``unreadable`` what GetFunction could not read itself.

    ``known``: specs whose values are shown, beside the ``expected`` one's.
    """
    # Read as plain mappings: fields are there or not by the kind of function, and some are newer than the stubs.
    live: Mapping[str, Any] = answer["Configuration"]
    code: Mapping[str, Any] = answer["Code"]
    is_image = live.get("PackageType", "Zip") == "Image"
    vpc = live.get("VpcConfig", {})
    logging = live.get("LoggingConfig", {})
    state, update = _states(live)
    resting = f": {_reason(live, 'State')}" if state == INACTIVE else ""
    failure = _reason(live, "State") if state == "Failed" else None
    update_failure = _reason(live, "LastUpdateStatus") if update == "Failed" and failure is None else ""
    live_tags = tags.as_dict(answer.get("Tags", {}))
    owner = Owner.of(live_tags)
    if "TagsError" in answer:
        # A role that may not list tags gets the function all the same.
        live_tags = expected.tags if expected else {}
        unreadable.actions["tags"] = "lambda:ListTags"
    shown = [*([expected] if expected else []), *known]
    environment = _hide(live.get("Environment", {}).get("Variables", {}), [one.environment for one in shown])
    if "Error" in live.get("Environment", {}):
        environment = expected.environment if expected else {}
        unreadable.actions["environment"] = "kms:Decrypt"
    image_uri = code.get("ResolvedImageUri", "") if is_image else ""
    if is_image and not image_uri and "Error" in code:
        # The repository may not be asked: the function is there all the same.
        image_uri = expected.image_uri if expected else ""
        unreadable.actions["image_uri"] = "ecr:BatchGetImage"
    spec = LambdaFunctionSpec(
        package_type=live.get("PackageType", "Zip"),
        image_uri=image_uri,
        code_sha256="" if is_image else live.get("CodeSha256", ""),
        runtime=live.get("Runtime", ""),
        handler=live.get("Handler", ""),
        role_arn=live["Role"],
        memory_mb=live["MemorySize"],
        timeout_s=live["Timeout"],
        environment=environment,
        kms_key_arn=live.get("KMSKeyArn", ""),
        subnet_ids=frozenset(vpc.get("SubnetIds", ())),
        security_group_ids=frozenset(vpc.get("SecurityGroupIds", ())),
        tracing=live.get("TracingConfig", {}).get("Mode", "PassThrough"),
        reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        architecture=live.get("Architectures", ["x86_64"])[0],
        ephemeral_storage_mb=live.get("EphemeralStorage", {}).get("Size", 512),
        layers=tuple(layer["Arn"] for layer in live.get("Layers", ())),
        log_format=logging.get("LogFormat", "Text"),
        log_group=logging.get("LogGroup", f"/aws/lambda/{live['FunctionName']}"),
        description=live.get("Description", ""),
        image_config=_overrides(live, [one.image_config for one in shown]),
        resource_policy=resource_policy,
        dead_letter=live.get("DeadLetterConfig", {}).get("TargetArn", ""),
        file_systems=frozenset(
            f"{system.get('Arn', '')} at {system.get('LocalMountPath', '')}"
            for system in live.get("FileSystemConfigs", ())
        ),
        snap_start=live.get("SnapStart", {}).get("ApplyOn", "None"),
        ipv6=vpc.get("Ipv6AllowedForDualStack", False),
        further_settings=_further_settings({**live, **code}),
        update_failure=update_failure,
        tags=live_tags,
    )
    return Observed(
        spec,
        LambdaFunctionOutputs(arn=live["FunctionArn"]),
        settled=not current_activity(answer),
        deleting=state == "Deleting",
        failure=failure,
        update_failure=update_failure or None,
        failure_may_pass=(failure or update_failure).partition(":")[0] in _OF_RIGHTS,
        status=f"{state}, update {update} {update_failure}".rstrip() if update not in _NO_NEWS else state + resting,
        owner=owner,
        unreadable=unreadable.actions,
    )


def _further_settings(live: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(f"{name} {json.dumps(live[name], sort_keys=True)}" for name in _FURTHER if live.get(name))


def current_activity(answer: GetFunctionResponseTypeDef) -> str:
    """Lambda's current work on the function, in AWS's words; empty where there is none."""
    state, update = _states(answer["Configuration"])
    if state in _UNSETTLED:
        return state
    return f"update {update}" if update == "InProgress" else ""


def _states(live: Mapping[str, Any]) -> tuple[str, str]:
    """AWS's words for the function's state and for its last update; empty where there was none to tell of.

    Lambda tells none while it makes the function (CreateFunction): only one that was made has always one.
    """
    state = live["State"]
    return state, live["LastUpdateStatus"] if state in (_ACTIVE, INACTIVE) else live.get("LastUpdateStatus", "")


def _reason(live: Mapping[str, Any], member: str) -> str:
    """AWS's reason code and sentence for ``State`` or ``LastUpdateStatus``."""
    return f"{live.get(f'{member}ReasonCode', 'Unknown')}: {live.get(f'{member}Reason', 'AWS gives no reason')}"


def _hide(live: Mapping[str, str], shown: Collection[Mapping[str, str]]) -> dict[str, str]:
    """Hide the values that are as in none of ``shown``."""

    def is_shown(name: str, value: str) -> bool:
        return any(_is_wanted(value, one.get(name)) for one in shown)

    return {
        name: value if is_shown(name, value) else hidden_text([one.get(name) for one in shown])
        for name, value in live.items()
    }


def _is_wanted(value: str, wanted: str | None) -> bool:
    if wanted is None or value == wanted:
        return wanted is not None
    if not _TOKEN.search(wanted):
        return False
    form = _IDENTITY.join(re.escape(part) for part in _TOKEN.split(wanted))
    return re.fullmatch(form, value) is not None


def _overrides(live: Mapping[str, Any], shown: Collection[str]) -> str:
    """Write the image's overrides as JSON; hidden unless ``shown``, since a command line may hold a secret, too.

    Overrides that Lambda itself cannot read ("ImageConfigError", Lambda API reference) are its words for that: nobody
    can tell what runs, and another configuration ends it.
    """
    if error := live.get("ImageConfigResponse", {}).get("Error"):
        return untold_text(f"{error.get('ErrorCode', '')}: {error.get('Message', '')}")
    config = {
        name: value for name, value in live.get("ImageConfigResponse", {}).get("ImageConfig", {}).items() if value
    }
    text = json.dumps(config, sort_keys=True) if config else ""
    return text if not text or text in shown else hidden_text(shown)


# -- as its calls take them --------------------------------------------------------------------------------------------


def configuration_parameters(want: LambdaFunctionSpec) -> dict[str, Any]:
    """Build the parameters that CreateFunction and UpdateFunctionConfiguration share."""
    parameters: dict[str, Any] = {
        "Description": want.description,
        "Role": want.role_arn,
        "MemorySize": want.memory_mb,
        "Timeout": want.timeout_s,
        "Environment": {"Variables": want.environment},
        "KMSKeyArn": want.kms_key_arn,
        "VpcConfig": {
            "SubnetIds": sorted(want.subnet_ids),
            "SecurityGroupIds": sorted(want.security_group_ids),
        },
        "TracingConfig": {"Mode": want.tracing},
        "EphemeralStorage": {"Size": want.ephemeral_storage_mb},
        "LoggingConfig": {"LogFormat": want.log_format, "LogGroup": want.log_group},
    }
    if want.package_type == "Image":
        return {**parameters, "ImageConfig": json.loads(want.image_config or "{}")}
    return {**parameters, "Runtime": want.runtime, "Handler": want.handler, "Layers": list(want.layers)}


def changed_parameters(fields: frozenset[str], want: LambdaFunctionSpec) -> dict[str, Any]:
    """Build UpdateFunctionConfiguration's parameters for these fields; all of them to ask for a failed update again."""
    parameters = configuration_parameters(want)
    if "update_failure" in fields:
        return parameters
    names = {CONFIGURATION[field] for field in fields & CONFIGURATION.keys()}
    if "KMSKeyArn" in names:
        # Lambda encrypts the environment anew only when the call holds it.
        names.add("Environment")
    taken_away = dict(TAKEN_AWAY[field] for field in fields & TAKEN_AWAY.keys())
    return {name: value for name, value in parameters.items() if name in names} | taken_away
