from __future__ import annotations

import hashlib
import json

import pytest

from tapctl.aws.client import Aws
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


def test_an_immutable_tag_stays(aws: Aws, refused: Refused) -> None:
    aws.ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    aws.ecr.put_image(repositoryName="fixed", imageManifest=manifest("a"), imageTag="1")
    with refused("ImageTagAlreadyExistsException"):
        aws.ecr.put_image(repositoryName="fixed", imageManifest=manifest("b"), imageTag="1")


def test_a_wrong_digest_is_refused(aws: Aws, refused: Refused) -> None:
    with refused("ImageDigestDoesNotMatchException"):
        aws.ecr.put_image(repositoryName="repo", imageManifest=manifest("a"), imageDigest=f"sha256:{'0' * 64}")
