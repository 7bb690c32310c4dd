"""ECR: digests that are of the manifest, and images that outlive their tags."""

from __future__ import annotations

import hashlib

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("ecr")


@rules("PutImage")
def a_digest_is_of_the_manifest(call: Call, proceed: Proceed) -> Reply:
    """The SHA-256 of the manifest's bytes; moto hashes the list of layers alone."""
    true = f"sha256:{hashlib.sha256(call.params['imageManifest'].encode()).hexdigest()}"
    if call.params.setdefault("imageDigest", true) != true:
        raise Fault(
            "ImageDigestDoesNotMatchException",
            f"Image digest '{call.params['imageDigest']}' does not match the digest of the manifest '{true}'.",
        )
    return proceed()


@rules("PutImage")
def an_image_outlives_its_tag(call: Call, proceed: Proceed) -> Reply:
    """A tag pushed again moves to the new image, the old one stays, untagged; an immutable tag does not move."""
    repository = call.moto("ecr").repositories.get(call.params["repositoryName"])
    tag = call.params.get("imageTag")
    for image in repository.images if repository is not None else ():
        if tag in image.image_tags and image.image_manifest != call.params["imageManifest"]:
            if repository.image_tag_mutability == "IMMUTABLE":
                raise Fault("ImageTagAlreadyExistsException", f"The image tag '{tag}' already exists and is immutable.")
            image.remove_tag(tag)
    return proceed()
