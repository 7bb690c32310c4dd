"""The image that a tag names right now, by digest: a tag can be moved, so the digest is deployed and compared.

Sources: the ECR API reference (DescribeImages, BatchGetImage, GetDownloadUrlForLayer), the OCI image specification for
manifest and configuration, and the Lambda developer guide, "Create a Lambda function using a container image".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.download import download
from tapctl.aws.policy import Statement, from_answer
from tapctl.aws.rights import Need, Right
from tapctl.config.schema import Image
from tapctl.errors import AwsError, AwsRefused, ConfigError, Problem
from tapctl.regions import partition_of, registry_host, registry_of

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

    from tapctl.aws.client import Aws

FIELD: Final = "image_uri"
"""The field of a function that holds its image's URI."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_URI = re.compile(rf"(?P<host>[^/]+)/(?P<repository>.+)@(?P<digest>{_DIGEST.pattern})")
_ACCOUNT = re.compile(r"\d{12}")
# Lambda takes one architecture's image, no index of several: CreateFunction refuses the media type.
_INDEXES = frozenset(
    {"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"}
)
_MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
_PLATFORMS: Final = {"amd64": "x86_64", "arm64": "arm64"}
"""An image's word for an architecture to Lambda's."""
_PULLS: Final = ("ecr:batchgetimage", "ecr:getdownloadurlforlayer")
_NOBODY: Final[Callable[[str], object]] = str

IMAGE_RIGHTS: Final = (
    Right(Need.PLAN | Need.EXPOSURES, ("ecr:DescribeImages",), ("{repository}",)),
    # Which architecture the image is for, and whether Lambda may read it.
    Right(Need.PLAN, ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy"), ("{repository}",)),
)
"""The rights to look the image up."""


def repository_arns(image: Image, account: str, region: str) -> tuple[str, str]:
    """The ARN of the image's repository; and once more where the repository is this account's own, else empty."""
    owner, _ = _registry(image, account, region)
    arn = f"arn:{partition_of(region)}:ecr:{region}:{owner}:repository/{image.repository}"
    return arn, arn if owner == account else ""


@dataclass(frozen=True)
class _Place:
    """Where an image is: its registry's account and host, and the region."""

    owner: str
    host: str
    region: str


@dataclass(frozen=True)
class _Found:
    """ECR's answer about one image; ``manifest`` is empty where it was not read."""

    digest: str
    media_type: str
    status: str = ""
    manifest: str = ""


def resolve(
    aws: Aws,
    image: Image,
    account: str,
    region: str,
    *,
    deployed: str = "",
    architecture: str = "x86_64",
    warn: Callable[[str], object] = _NOBODY,
) -> str:
    """Look up the image's URI, ``<registry>/<repository>@sha256:…``: one call to ECR, four for a new image.

    ``deployed``: the URI that runs already, which needs no second look. ``architecture``: the function's. ``warn`` is
    told where the image's own could not be read.

    Raises:
        ConfigError: the repository, the tag or the digest is missing, or Lambda cannot run the image.
        AwsRefused: ECR refused for another reason, such as a missing permission.
    """
    owner, host = _registry(image, account, region)
    place = _Place(owner, host, region)
    found = _find(aws, image, place)
    name = f"{host}/{_name_in_registry(image)}"
    if found.media_type in _INDEXES:
        rule = f"names an index of images in {host}; Lambda takes an image of one architecture"
        if _is_digest(image):
            hint = (
                f"name the digest of one image in it: docker buildx imagetools inspect {name} (and tag it, too: "
                "a lifecycle rule that expires untagged images would delete it)"
            )
            raise _problem(image, rule, hint)
        raise _problem(image, rule, f"push one image under that tag: {_push(name, architecture)}")
    if found.status and found.status != "ACTIVE":
        rule = f"is {found.status} in {host}, and Lambda cannot pull it"
        raise _problem(image, rule, "restore it: see aws ecr update-image-storage-class help; or push it anew")
    uri = f"{host}/{image.repository}@{found.digest}"
    if uri != deployed:
        built_for = _architecture(aws, image, place, found, warn)
        if built_for not in (architecture, ""):
            rule = f"is built for {built_for}, and the function runs {architecture}: each call would fail"
            raise _problem(image, rule, f"push one for {architecture}: {_push(name, architecture)}")
        if closed := _closed(aws, image, place, account, warn):
            raise _problem(
                image, closed, "let lambda.amazonaws.com take ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"
            )
    return uri


def tags_of(aws: Aws, uris: Iterable[object]) -> dict[str, str]:
    """Ask ECR how these images are tagged, digest to tags; without those that it does not tell. A call for each."""
    found = {}
    for match in filter(None, (_URI.fullmatch(str(uri)) for uri in uris)):
        registry = registry_of(match["host"])
        if registry is None:
            continue
        asked: list[ImageIdentifierTypeDef] = [{"imageDigest": match["digest"]}]
        try:
            answer = aws.read(
                aws.ecr.describe_images, registryId=registry[0], repositoryName=match["repository"], imageIds=asked
            )
        except AwsError:  # the tags only explain the digests
            continue
        tags = sorted(tag for image in answer["imageDetails"] for tag in image.get("imageTags", []))
        if tags:
            found[match["digest"]] = ", ".join(tags)
    return found


def _push(name: str, architecture: str) -> str:
    platform = next(word for word, theirs in _PLATFORMS.items() if theirs == architecture)
    options = f"--platform linux/{platform} --provenance=false --push"
    return f"docker buildx build {options} -t {name} handlers/payment_processor"


def may_be(uri: str, image: Image, account: str, region: str) -> bool:
    """True if the image may have been deployed by this URI: in its registry, and of its digest where it names one."""
    given, match = image.registry or account, _URI.fullmatch(uri)
    if match is None:
        return False
    host = registry_host(given, region) if _ACCOUNT.fullmatch(given) else given
    digest = image.tag if _is_digest(image) else match["digest"]
    return match.group("host", "repository", "digest") == (host, image.repository, digest)


def _registry(image: Image, account: str, region: str) -> tuple[str, str]:
    """The account and the host of the image's registry; Lambda takes an image only from its own region."""
    given = image.registry or account
    if _ACCOUNT.fullmatch(given):
        return given, registry_host(given, region)
    registry = registry_of(given)
    if registry is None:
        raise _problem(
            image,
            f"has the registry {given}; Lambda takes images from ECR alone",
            f"set registry to an account id, or to {registry_host('<account id>', region)}",
        )
    if registry[1] != region:
        raise _problem(
            image,
            f"is in {registry[1]}; Lambda takes an image only from its own region, {region}",
            f"correct registry, or replicate the repository to {region}",
        )
    return registry[0], given


def _find(aws: Aws, image: Image, place: _Place) -> _Found:
    """Describe the image; where that is denied, read its manifest, which is all that other accounts may be granted."""
    try:
        answer = aws.read(
            aws.ecr.describe_images,
            registryId=place.owner,
            repositoryName=image.repository,
            imageIds=[_image_id(image)],
        )
    except AwsRefused as error:
        if not error.is_denied:
            raise _missing(image, place, error) from error
        try:
            return _read_manifest(aws, image, place, _image_id(image))
        except AwsRefused as second:
            if not second.is_denied:
                raise _missing(image, place, second) from second
            raise error from None
    details: Any = answer["imageDetails"][0]
    return _Found(
        details.get("imageDigest", ""), details.get("imageManifestMediaType", ""), details.get("imageStatus", "")
    )


def _read_manifest(aws: Aws, image: Image, place: _Place, image_id: Any) -> _Found:
    answer = aws.read(
        aws.ecr.batch_get_image,
        registryId=place.owner,
        repositoryName=image.repository,
        imageIds=[image_id],
        acceptedMediaTypes=[*_MANIFESTS, *sorted(_INDEXES)],
    )
    if not answer.get("images"):
        failures = answer.get("failures") or [{}]
        reason = failures[0].get("failureReason", "")
        raise AwsRefused("ecr", "BatchGetImage", "ImageNotFoundException", reason)
    found = answer["images"][0]
    digest = found.get("imageId", {}).get("imageDigest", "")
    return _Found(digest, found.get("imageManifestMediaType", ""), manifest=found.get("imageManifest", ""))


def _architecture(aws: Aws, image: Image, place: _Place, found: _Found, warn: Callable[[str], object]) -> str:
    """The architecture that the image is built for, in Lambda's words; empty where that could not be read."""
    try:
        manifest = found.manifest or _read_manifest(aws, image, place, {"imageDigest": found.digest}).manifest
        config = json.loads(manifest)["config"]["digest"]
        answer = aws.read(
            aws.ecr.get_download_url_for_layer,
            registryId=place.owner,
            repositoryName=image.repository,
            layerDigest=config,
        )
        content = json.loads(download(aws, answer["downloadUrl"], digest=config))
        word = content["architecture"]
        return _PLATFORMS.get(word, str(word)[:20])
    except AwsError as error:
        denied = isinstance(error, AwsRefused) and error.is_denied
        why = f"{error.iam_action} is denied" if denied else f"ECR answers {error.aws_code}"
    except OSError as error:
        why = str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        why = "its manifest or configuration has another form"
    warn(f"the architecture of {_name_in_registry(image)} could not be read before it is deployed: {why}")
    return ""


def _closed(aws: Aws, image: Image, place: _Place, account: str, warn: Callable[[str], object]) -> str:
    """Tell why Lambda may not read the image, as far as the repository's policy tells; empty where it may.

    A repository of the function's account needs none: Lambda writes its own statement (Lambda developer guide, "Using
    container images": "Amazon ECR permissions").
    """
    where = f"the repository {image.repository} of account {place.owner} in {place.region}"
    try:
        answer = aws.read(aws.ecr.get_repository_policy, registryId=place.owner, repositoryName=image.repository)
        statements = from_answer(answer["policyText"], "ecr:GetRepositoryPolicy").statements
    except AwsRefused as error:
        if error.matches("RepositoryPolicyNotFoundException"):
            return "" if place.owner == account else f"{where} has no policy, and lets no other account in"
        why = f"{error.iam_action} is denied" if error.is_denied else f"ECR answers {error.aws_code}"
        warn(f"whether Lambda may read {_name_in_registry(image)} could not be asked: {why}")
        return ""
    about = [one for one in statements if _is_of_lambda(one)]
    if any(one.effect == "Deny" and not one.conditions for one in about):
        return f"the policy of {where} denies Lambda to read it"
    if place.owner != account and not any(one.effect == "Allow" for one in about):
        return f"the policy of {where} does not let Lambda of another account read it"
    return ""


def _is_of_lambda(statement: Statement) -> bool:
    """True if the statement is about reading an image, by Lambda or by everybody."""
    pulls = any(fnmatchcase(pull, action.lower()) for pull in _PULLS for action in statement.actions)
    return pulls and any(principal.name in ("*", "lambda.amazonaws.com") for principal in statement.principals)


def _missing(image: Image, place: _Place, error: AwsRefused) -> Exception:
    """The problem of an image or a repository that is not there; any other refusal as it is."""
    hint = f"push it: docker push {place.host}/{_name_in_registry(image)}"
    if _is_digest(image):
        hint = (
            "see which there are: aws ecr describe-images "
            f"--registry-id {place.owner} --repository-name {image.repository} --region {place.region}"
        )
    if error.matches("RepositoryNotFoundException"):
        return _problem(image, f"account {place.owner} has no repository {image.repository} in {place.region}", hint)
    if error.matches("ImageNotFoundException"):
        what = "of this digest" if _is_digest(image) else f"tagged {image.tag}"
        where = f"the repository {image.repository} of account {place.owner} in {place.region}"
        return _problem(image, f"{where} has no image {what}", hint)
    return error


def _image_id(image: Image) -> Any:
    return {"imageDigest": image.tag} if _is_digest(image) else {"imageTag": image.tag}


def _is_digest(image: Image) -> bool:
    return _DIGEST.fullmatch(image.tag) is not None


def _name_in_registry(image: Image) -> str:
    """The image's name within its registry."""
    return f"{image.repository}{'@' if _is_digest(image) else ':'}{image.tag}"


def _problem(image: Image, rule: str, hint: str) -> ConfigError:
    return ConfigError([Problem("processor.image", "", _name_in_registry(image), rule)], hint=hint)
