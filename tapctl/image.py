"""The image that a tag names right now, by digest: what is deployed and compared, since a tag can be moved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from tapctl.errors import AwsRefused, ConfigError, Problem

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef

    from tapctl.aws import Aws

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ACCOUNT = re.compile(r"\d{12}")
_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
# Lambda takes one architecture's image, no index of several: CreateFunction refuses the media type.
_INDEXES = frozenset(
    {"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"}
)


class ImageReference(Protocol):
    """``processor.image`` of the configuration."""

    @property
    def repository(self) -> str:
        """The ECR repository's name."""

    @property
    def tag(self) -> str:
        """The image's tag, or its digest (``sha256:…``)."""

    @property
    def registry(self) -> str | None:
        """Whose registry: an account id or the registry's host; None is this account's."""


def resolve(aws: Aws, image: ImageReference, account: str, region: str) -> str:
    """``<registry>/<repository>@sha256:…`` of this image; one call to ECR, none where the tag is a digest already.

    Raises:
        ConfigError: the repository or the tag is not there, or the image is none that Lambda can run.
        AwsRefused: ECR refused for another reason, such as a missing permission.
    """
    owner, host = _registry(image, account, region)
    if _DIGEST.fullmatch(image.tag):
        return f"{host}/{image.repository}@{image.tag}"
    found = _describe(aws, image, owner, host, region)
    if found.get("imageManifestMediaType") in _INDEXES:
        raise _problem(
            image,
            f"names an index of images in {host}; Lambda takes an image of one architecture",
            f"docker buildx build --provenance=false --push -t {_tagged(image, host)} .",
        )
    return f"{host}/{image.repository}@{found['imageDigest']}"


def _registry(image: ImageReference, account: str, region: str) -> tuple[str, str]:
    """The registry's account and host; Lambda takes an image only from its own region."""
    owner = image.registry or account
    if given := _REGISTRY.fullmatch(owner):
        if given["region"] != region:
            raise _problem(
                image,
                f"is in {given['region']}; Lambda takes an image only from its own region, {region}",
                f"correct registry, or replicate the repository to {region}",
            )
        return given["account"], owner
    if not _ACCOUNT.fullmatch(owner):
        raise _problem(
            image,
            f"has the registry {owner}; Lambda takes images from ECR alone",
            f"set registry to an account id, or to <account id>.dkr.ecr.{region}.amazonaws.com",
        )
    # The other partitions' DNS suffixes: botocore's partitions.json.
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return owner, f"{owner}.dkr.ecr.{region}.{suffix}"


def _describe(aws: Aws, image: ImageReference, owner: str, host: str, region: str) -> ImageDetailTypeDef:
    try:
        answer = aws.read(
            aws.ecr.describe_images,
            registryId=owner,
            repositoryName=image.repository,
            imageIds=[{"imageTag": image.tag}],
        )
    except AwsRefused as error:
        if error.says("RepositoryNotFoundException"):
            missing = f"account {owner} has no repository {image.repository} in {region}"
        elif error.says("ImageNotFoundException"):
            missing = (
                f"the repository {image.repository} of account {owner} in {region} has no image tagged {image.tag}"
            )
        else:
            raise
        raise _problem(image, missing, f"push it: docker push {_tagged(image, host)}") from error
    return answer["imageDetails"][0]


def _tagged(image: ImageReference, host: str) -> str:
    return f"{host}/{image.repository}:{image.tag}"


def _problem(image: ImageReference, rule: str, hint: str) -> ConfigError:
    return ConfigError([Problem("processor.image", "", f"{image.repository}:{image.tag}", rule)], hint=hint)
