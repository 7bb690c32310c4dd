"""The image that a tag names right now, by digest: a tag can be moved, so the digest is deployed and compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tapctl.aws.rights import Need, Right
from tapctl.config.schema import Image
from tapctl.errors import AwsError, AwsRefused, ConfigError, Problem
from tapctl.regions import partition_of, registry_host, registry_of

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef, ImageIdentifierTypeDef

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

IMAGE_RIGHTS: Final = (Right(Need.PLAN | Need.EXPOSURES, ("ecr:DescribeImages",), ("{repository}",)),)
"""The rights to look the image up."""


def repository_arns(image: Image, account: str, region: str) -> tuple[str, str]:
    """The ARN of the image's repository; and once more where the repository is this account's own, else empty."""
    owner, _ = _registry(image, account, region)
    arn = f"arn:{partition_of(region)}:ecr:{region}:{owner}:repository/{image.repository}"
    return arn, arn if owner == account else ""


def resolve(aws: Aws, image: Image, account: str, region: str) -> str:
    """Look up the image's URI, ``<registry>/<repository>@sha256:…``; one call to ECR.

    Raises:
        ConfigError: the repository, the tag or the digest is missing, or Lambda cannot run the image.
        AwsRefused: ECR refused for another reason, such as a missing permission.
    """
    owner, host = _registry(image, account, region)
    details = _describe(aws, image, owner, host, region)
    if details.get("imageManifestMediaType") in _INDEXES:
        rule = f"names an index of images in {host}; Lambda takes an image of one architecture"
        name = f"{host}/{_name_in_registry(image)}"
        if _is_digest(image):
            raise _problem(image, rule, f"name the digest of one image in it: docker buildx imagetools inspect {name}")
        build = f"docker buildx build --provenance=false --push -t {name} ."
        raise _problem(image, rule, f"push one image under that tag: {build}")
    return f"{host}/{image.repository}@{details['imageDigest']}"


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


def _describe(aws: Aws, image: Image, owner: str, host: str, region: str) -> ImageDetailTypeDef:
    try:
        answer = aws.read(
            aws.ecr.describe_images,
            registryId=owner,
            repositoryName=image.repository,
            imageIds=[{"imageDigest": image.tag} if _is_digest(image) else {"imageTag": image.tag}],
        )
    except AwsRefused as error:
        hint = f"push it: docker push {host}/{_name_in_registry(image)}"
        if _is_digest(image):
            hint = (
                "see which there are: aws ecr describe-images "
                f"--registry-id {owner} --repository-name {image.repository} --region {region}"
            )
        if error.matches("RepositoryNotFoundException"):
            missing = f"account {owner} has no repository {image.repository} in {region}"
        elif error.matches("ImageNotFoundException"):
            what = "of this digest" if _is_digest(image) else f"tagged {image.tag}"
            missing = f"the repository {image.repository} of account {owner} in {region} has no image {what}"
        else:
            raise
        raise _problem(image, missing, hint) from error
    return answer["imageDetails"][0]


def _is_digest(image: Image) -> bool:
    return _DIGEST.fullmatch(image.tag) is not None


def _name_in_registry(image: Image) -> str:
    """The image's name within its registry."""
    return f"{image.repository}{'@' if _is_digest(image) else ':'}{image.tag}"


def _problem(image: Image, rule: str, hint: str) -> ConfigError:
    return ConfigError([Problem("processor.image", "", _name_in_registry(image), rule)], hint=hint)
