from __future__ import annotations

import hashlib
import json
from urllib import request as http

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.simulation import Simulation
from tests.emulator.conftest import Refused


def manifest(config: str) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"digest": config, "size": 1},
            "layers": [{"digest": "sha256:same", "size": 1}],
        }
    )


@pytest.fixture(autouse=True)
def _repository(aws: Aws) -> None:
    aws.ecr.create_repository(repositoryName="repo")


def test_images_of_equal_layers_have_digests_of_their_own(aws: Aws) -> None:
    first = aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("a"), imageTag="1")["image"]["imageId"]
    other = aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("b"), imageTag="2")["image"]["imageId"]
    assert first["imageDigest"] == f"sha256:{hashlib.sha256(manifest('a').encode()).hexdigest()}"
    assert first["imageDigest"] != other["imageDigest"]


def test_an_image_outlives_its_tag(aws: Aws) -> None:
    old = aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("a"), imageTag="1")["image"]["imageId"]
    new = aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("b"), imageTag="1")["image"]["imageId"]
    (now,) = aws.ecr.describe_images(repositoryName="repo", imageIds=[{"imageTag": "1"}])["imageDetails"]
    assert now["imageDigest"] == new["imageDigest"]
    (left,) = aws.ecr.describe_images(repositoryName="repo", imageIds=[{"imageDigest": old["imageDigest"]}])[
        "imageDetails"
    ]
    assert not left.get("imageTags")


def test_naive_code_takes_an_archived_image_for_one_to_pull(aws: Aws, simulation: Simulation) -> None:
    aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("a"), imageTag="1")
    simulation.script("ecr.image", "ARCHIVED")
    statuses = [aws.ecr.describe_images(repositoryName="repo")["imageDetails"][0]["imageStatus"] for _ in range(2)]
    assert statuses == ["ARCHIVED", "ACTIVE"]


def test_an_immutable_tag_stays(aws: Aws, refused: Refused) -> None:
    aws.ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    aws.ecr.put_image(repositoryName="fixed", imageManifest=manifest("a"), imageTag="1")
    with refused("ImageTagAlreadyExistsException"):
        aws.ecr.put_image(repositoryName="fixed", imageManifest=manifest("b"), imageTag="1")


def test_a_wrong_digest_is_refused(aws: Aws, refused: Refused) -> None:
    with refused("ImageDigestDoesNotMatchException"):
        aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("a"), imageDigest=f"sha256:{'0' * 64}")


def test_a_layer_is_fetched_by_the_address_that_ecr_gives(aws: Aws, refused: Refused) -> None:
    upload = aws.ecr.initiate_layer_upload(repositoryName="repo")["uploadId"]
    aws.ecr.upload_layer_part(
        repositoryName="repo", uploadId=upload, partFirstByte=0, partLastByte=1, layerPartBlob=b"{}"
    )
    digest = aws.ecr.complete_layer_upload(repositoryName="repo", uploadId=upload, layerDigests=["sha256:a"])[
        "layerDigest"
    ]
    for _ in range(2):
        url = aws.ecr.get_download_url_for_layer(repositoryName="repo", layerDigest=digest)["downloadUrl"]
        assert http.urlopen(url).read() == b"{}"  # noqa: S310  # loopback
    assert aws.s3.list_buckets()["Buckets"] == [], "the bucket is ECR's own"
    with refused("LayersNotFoundException"):
        aws.ecr.get_download_url_for_layer(repositoryName="repo", layerDigest=f"sha256:{'0' * 64}")
    with refused("RepositoryNotFoundException"):
        aws.ecr.get_download_url_for_layer(repositoryName="none", layerDigest=digest)
    with refused("RepositoryNotFoundException"):
        aws.ecr.complete_layer_upload(repositoryName="none", uploadId=upload, layerDigests=["sha256:a"])


def test_another_account_s_registry_has_its_own_repositories(aws: Aws, refused: Refused) -> None:
    theirs = "210987654321"
    aws.ecr.create_repository(repositoryName="theirs", registryId=theirs)
    aws.ecr.put_image(repositoryName="theirs", registryId=theirs, imageManifest=manifest("a"), imageTag="1")
    (seen,) = aws.ecr.describe_images(repositoryName="theirs", registryId=theirs)["imageDetails"]
    assert seen["imageTags"] == ["1"]
    assert [each["repositoryName"] for each in aws.ecr.describe_repositories()["repositories"]] == ["repo"]
    with refused("RepositoryNotFoundException"):
        aws.ecr.describe_images(repositoryName="repo", registryId=theirs)
