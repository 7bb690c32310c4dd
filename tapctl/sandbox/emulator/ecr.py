"""ECR images: digests of the manifest, and images that outlive their tags."""

from __future__ import annotations

import hashlib
from typing import Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError

contract = Rules("ecr")
SERVICE: Final = Service(name="ecr", contract=(contract,), throttling="ThrottlingException")


@contract("PutImage")
def a_digest_is_of_the_manifest(request: Request, proceed: Next) -> Reply:
    """The digest is the SHA-256 of the manifest's bytes; moto hashes the list of layers alone."""
    true = f"sha256:{hashlib.sha256(request.params['imageManifest'].encode()).hexdigest()}"
    if request.params.setdefault("imageDigest", true) != true:
        raise ServiceError(
            "ImageDigestDoesNotMatchException",
            f"Image digest '{request.params['imageDigest']}' does not match the digest of the manifest '{true}'.",
        )
    return proceed()


@contract("PutImage")
def an_image_outlives_its_tag(request: Request, proceed: Next) -> Reply:
    """A tag pushed again moves to the new image, and the old one stays, untagged; an immutable tag does not move."""
    repository = request.backend("ecr").repositories.get(request.params["repositoryName"])
    tag = request.params.get("imageTag")
    for image in repository.images if repository is not None else ():
        if tag in image.image_tags and image.image_manifest != request.params["imageManifest"]:
            if repository.image_tag_mutability == "IMMUTABLE":
                raise ServiceError(
                    "ImageTagAlreadyExistsException", f"The image tag '{tag}' already exists and is immutable."
                )
            image.remove_tag(tag)
    return proceed()
