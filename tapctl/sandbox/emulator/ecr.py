"""ECR images: digests of the manifest, images that outlive their tags, layers to fetch, other accounts' registries."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("ecr")
SERVICE: Final = Service(name="ecr", contract=(contract,), throttling="ThrottlingException")

_OF_AWS: Final = "999999999999"
"""The account of ECR itself, whose S3 bucket holds the layers."""


@contract(
    *("CreateRepository", "DescribeRepositories", "PutImage", "ListImages", "DescribeImages", "BatchGetImage"),
    *("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "GetDownloadUrlForLayer", "SetRepositoryPolicy"),
    "GetRepositoryPolicy",
)
def a_registry_is_of_the_account_that_is_named(request: Request, proceed: Next) -> Reply:
    """The registry is another account's where the request names that one; moto looks into the caller's alone."""
    request.account = request.params.get("registryId", request.account)
    return proceed()


@contract("CompleteLayerUpload")
def a_layer_keeps_its_bytes(request: Request, proceed: Next) -> Reply:
    """The bytes of a layer, or of an image's configuration, are there to be fetched; moto keeps their size."""
    repository = request.backend("ecr").repositories.get(request.params["repositoryName"])
    upload: Any = repository.uploads.get(request.params["uploadId"]) if repository is not None else None
    reply = proceed()
    notes_on(repository).setdefault("layers", {})[reply["layerDigest"]] = bytes(upload.layer_parts)
    return reply


@contract("GetDownloadUrlForLayer")
def a_layer_is_fetched_from_s3(request: Request, _: Next) -> Reply:
    """Moto has no GetDownloadUrlForLayer; a layer that was uploaded is fetched from S3 by a signed address."""
    from moto.backends import get_backend

    name, digest = request.params["repositoryName"], request.params["layerDigest"]
    repository = request.backend("ecr").repositories.get(name)
    if repository is None:
        raise ServiceError("RepositoryNotFoundException", f"The repository with name '{name}' does not exist")
    layer = notes_on(repository).get("layers", {}).get(digest)
    if layer is None:
        raise ServiceError("LayersNotFoundException", f"The layer with digest '{digest}' does not exist")
    s3 = get_backend("s3")[_OF_AWS][request.partition]
    bucket, key = f"prod-{request.region}-starport-layer-bucket", digest.removeprefix("sha256:")
    if bucket not in s3.buckets:
        s3.create_bucket(bucket, request.region)
    s3.put_object(bucket, key, layer)
    signed = f"X-Amz-Credential=AKIA/20260101/{request.region}/s3/aws4_request&X-Amz-Signature=0"
    return {"downloadUrl": f"http://{request.host}/{bucket}/{key}?{signed}", "layerDigest": digest}


@contract("DescribeImages")
def an_image_tells_its_status(request: Request, proceed: Next) -> Reply:
    """An image may be archived (script ``ecr.image``), and cannot be pulled then (ECR API reference, ImageDetail)."""
    reply = proceed()
    for image in reply["imageDetails"]:
        image["imageStatus"] = request.simulation.next_outcome("ecr.image") or "ACTIVE"
    return reply


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
