from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.config.schema import Image
from tapctl.errors import AwsRefused, ConfigError
from tapctl.stack.image import resolve, tags_of
from tests.conftest import ACCOUNT, REGION

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DIGEST = f"sha256:{'ab' * 32}"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def image(repository: str = "payment-processor", tag: str = "1.0.0", registry: str | None = None) -> Image:
    """Build an image of the configuration, without its rules."""
    return Image.model_construct(None, repository=repository, tag=tag, registry=registry)


def push(aws: Aws, tag: str = "1.0.0", *, media_type: str = MANIFEST, layer: str = "a") -> str:
    """An image in the repository; returns its digest."""
    if not aws.ecr.describe_repositories()["repositories"]:
        aws.ecr.create_repository(repositoryName="payment-processor")
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": "sha256:c"},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": layer}],
    }
    answer = aws.ecr.put_image(repositoryName="payment-processor", imageManifest=json.dumps(manifest), imageTag=tag)
    return answer["image"]["imageId"]["imageDigest"]


def refused(aws: Aws, wanted: Image, region: str = REGION) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        resolve(aws, wanted, ACCOUNT, region)
    assert raised.value.exit_code == 3
    return raised.value


def test_a_tag_becomes_the_digest_it_names_in_this_account_and_region(aws: Aws) -> None:
    digest = push(aws)

    assert resolve(aws, image(), ACCOUNT, REGION) == f"{HOST}/payment-processor@{digest}"


def test_an_image_is_resolved_by_one_call(aws: Aws) -> None:
    push(aws)
    aws.call_log.calls.clear()

    resolve(aws, image(), ACCOUNT, REGION)

    assert dict(aws.call_log.calls) == {"ecr:DescribeImages": 1}


def test_a_tag_that_was_moved_names_the_new_image(aws: Aws) -> None:
    push(aws, layer="old")
    before = resolve(aws, image(), ACCOUNT, REGION)
    push(aws, layer="new")

    assert resolve(aws, image(), ACCOUNT, REGION) != before


def test_a_digest_is_taken_as_it_is_once_ecr_has_it(aws: Aws) -> None:
    digest = push(aws)
    aws.call_log.calls.clear()

    assert resolve(aws, image(tag=digest), ACCOUNT, REGION) == f"{HOST}/payment-processor@{digest}"
    assert dict(aws.call_log.calls) == {"ecr:DescribeImages": 1}


def test_a_digest_that_is_nowhere_in_the_repository_is_refused(aws: Aws) -> None:
    push(aws)

    error = refused(aws, image(tag=DIGEST))

    assert error.evidence == (
        f"processor.image = payment-processor@{DIGEST}: "
        f"the repository payment-processor of account {ACCOUNT} in {REGION} has no image of this digest"
    )
    assert error.hint == (
        "see which there are: aws ecr describe-images "
        f"--registry-id {ACCOUNT} --repository-name payment-processor --region {REGION}"
    )


def test_another_accounts_registry_is_named_by_its_account_id(aws: Aws) -> None:
    with answering(aws, 200, {"imageDetails": [{"imageDigest": DIGEST}]}):
        uri = resolve(aws, image(registry="210987654321"), ACCOUNT, REGION)

    assert uri == f"210987654321.dkr.ecr.{REGION}.amazonaws.com/payment-processor@{DIGEST}"


def test_a_registry_may_be_named_by_its_host(aws: Aws) -> None:
    digest = push(aws)

    assert resolve(aws, image(registry=HOST), ACCOUNT, REGION) == f"{HOST}/payment-processor@{digest}"


def test_another_registry_is_the_one_that_is_asked(aws: Aws) -> None:
    push(aws)

    error = refused(aws, image(repository="elsewhere", registry=f"210987654321.dkr.ecr.{REGION}.amazonaws.com"))

    assert "account 210987654321 has no repository elsewhere" in str(error.evidence)


@pytest.mark.parametrize("host", [None, f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn"])
def test_china_has_its_own_domain(aws: Aws, host: str | None) -> None:
    with answering(aws, 200, {"imageDetails": [{"imageDigest": DIGEST}]}):
        uri = resolve(aws, image(registry=host), ACCOUNT, "cn-north-1")

    assert uri == f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/payment-processor@{DIGEST}"


@pytest.mark.parametrize(
    ("host", "region"), [(f"{HOST}.cn", REGION), (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com", "cn-north-1")]
)
def test_chinas_domain_elsewhere_or_another_in_china_is_no_registry(aws: Aws, host: str, region: str) -> None:
    assert "Lambda takes images from ECR alone" in str(refused(aws, image(registry=host), region).evidence)


def test_a_registry_of_another_region_is_refused_since_lambda_would(aws: Aws) -> None:
    error = refused(aws, image(registry=f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"))

    assert "is in eu-west-1; Lambda takes an image only from its own region, us-east-1" in str(error.evidence)


def test_a_registry_that_is_not_ecr_is_refused(aws: Aws) -> None:
    error = refused(aws, image(registry="registry.example.com"))

    assert "has the registry registry.example.com; Lambda takes images from ECR alone" in str(error.evidence)


def test_a_missing_repository_is_named_with_its_region_and_the_push(aws: Aws) -> None:
    error = refused(aws, image())

    assert error.evidence == (
        f"processor.image = payment-processor:1.0.0: account {ACCOUNT} has no repository payment-processor in {REGION}"
    )
    assert error.hint == f"push it: docker push {HOST}/payment-processor:1.0.0"


def test_a_missing_tag_is_named_with_its_repository_region_and_the_push(aws: Aws) -> None:
    push(aws, "0.9.0")

    error = refused(aws, image())

    assert error.evidence == (
        "processor.image = payment-processor:1.0.0: "
        f"the repository payment-processor of account {ACCOUNT} in {REGION} has no image tagged 1.0.0"
    )
    assert error.hint == f"push it: docker push {HOST}/payment-processor:1.0.0"


@contextmanager
def answering(aws: Aws, status: int, body: Mapping[str, object]) -> Iterator[None]:
    """Let ECR answer this to DescribeImages, below tapctl's own door."""

    def answer(**_: object) -> Any:
        return SimpleNamespace(status_code=status), {**body, "ResponseMetadata": {"HTTPStatusCode": status}}

    events = aws.ecr.meta.events
    events.register("before-call.ecr.DescribeImages", answer)
    try:
        yield
    finally:
        events.unregister("before-call.ecr.DescribeImages", answer)


@pytest.mark.parametrize(
    "media_type",
    ["application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"],
)
@pytest.mark.parametrize("tag", ["1.0.0", DIGEST])
def test_an_index_of_images_is_refused_since_lambda_would(aws: Aws, media_type: str, tag: str) -> None:
    index = {"imageDigest": DIGEST, "imageManifestMediaType": media_type}

    with answering(aws, 200, {"imageDetails": [index]}):
        error = refused(aws, image(tag=tag))

    assert "Lambda takes an image of one architecture" in str(error.evidence)
    if tag == DIGEST:
        assert error.hint == (
            f"name the digest of one image in it: docker buildx imagetools inspect {HOST}/payment-processor@{DIGEST}"
        )
    else:
        assert error.hint == (
            "push one image under that tag: "
            f"docker buildx build --provenance=false --push -t {HOST}/payment-processor:1.0.0 ."
        )


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException"])
def test_any_other_refusal_goes_through(aws: Aws, code: str) -> None:
    no = {"Error": {"Code": code, "Message": "no"}}

    with answering(aws, 400, no), pytest.raises(AwsRefused) as raised:
        resolve(aws, image(), ACCOUNT, REGION)

    assert raised.value.aws_code == code


def test_images_are_told_by_their_tags_where_ecr_tells_them(aws: Aws) -> None:
    first, second = push(aws), push(aws, "1.0.1", layer="b")
    push(aws, "latest", layer="b")
    uri = f"{HOST}/payment-processor@"

    assert tags_of(aws, [f"{uri}{first}", f"{uri}{second}", f"{uri}{DIGEST}"]) == {
        first: "1.0.0",
        second: "1.0.1, latest",
    }
    assert tags_of(aws, [None, "", f"docker.io/x@{DIGEST}"]) == {}


def test_an_image_without_a_tag_has_no_name(aws: Aws) -> None:
    digest = push(aws)
    push(aws, layer="b")  # moves the tag

    assert tags_of(aws, [f"{HOST}/payment-processor@{digest}"]) == {}
