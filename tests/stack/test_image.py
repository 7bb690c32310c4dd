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
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.stack.image import resolve, tags_of
from tests.conftest import ACCOUNT, REGION

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DIGEST = f"sha256:{'ab' * 32}"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def image(repository: str = "payment-processor", tag: str = "1.0.0", registry: str | None = None) -> Image:
    """Build an image of the configuration, without its rules."""
    return Image.model_construct(None, repository=repository, tag=tag, registry=registry)


def push(
    aws: Aws,
    tag: str = "1.0.0",
    *,
    layer: str = "a",
    config: Mapping[str, object] | None = None,
    registry: str = ACCOUNT,
) -> str:
    """An image in the repository; returns its digest. ``config`` {}: without a configuration to be fetched."""
    place: dict[str, Any] = {"repositoryName": "payment-processor", "registryId": registry}
    if not aws.ecr.describe_repositories(registryId=registry)["repositories"]:
        aws.ecr.create_repository(**place)
    blob = "sha256:c"
    if content := json.dumps({"architecture": "amd64"} if config is None else config).encode() if config != {} else b"":
        upload = aws.ecr.initiate_layer_upload(**place)["uploadId"]
        last = len(content) - 1
        aws.ecr.upload_layer_part(uploadId=upload, partFirstByte=0, partLastByte=last, layerPartBlob=content, **place)
        blob = aws.ecr.complete_layer_upload(uploadId=upload, layerDigests=["sha256:c"], **place)["layerDigest"]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": blob},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": layer}],
    }
    answer = aws.ecr.put_image(imageManifest=json.dumps(manifest), imageTag=tag, **place)
    return answer["image"]["imageId"]["imageDigest"]


def refused(aws: Aws, wanted: Image, region: str = REGION) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        resolve(aws, wanted, ACCOUNT, region)
    assert raised.value.exit_code == 3
    return raised.value


def test_a_tag_becomes_the_digest_it_names_in_this_account_and_region(aws: Aws) -> None:
    digest = push(aws)

    assert resolve(aws, image(), ACCOUNT, REGION) == f"{HOST}/payment-processor@{digest}"


def test_an_image_that_runs_already_is_resolved_by_one_call_and_a_new_one_by_four(aws: Aws) -> None:
    uri = f"{HOST}/payment-processor@{push(aws)}"
    aws.call_log.calls.clear()

    resolve(aws, image(), ACCOUNT, REGION, deployed=uri)

    assert dict(aws.call_log.calls) == {"ecr:DescribeImages": 1}
    resolve(aws, image(), ACCOUNT, REGION)
    assert set(aws.call_log.calls) == {
        *("ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy")
    }


def test_a_tag_that_was_moved_names_the_new_image(aws: Aws) -> None:
    push(aws, layer="old")
    before = resolve(aws, image(), ACCOUNT, REGION)
    push(aws, layer="new")

    assert resolve(aws, image(), ACCOUNT, REGION) != before


def test_a_digest_is_taken_as_it_is_once_ecr_has_it(aws: Aws) -> None:
    digest = push(aws)

    assert resolve(aws, image(tag=digest), ACCOUNT, REGION) == f"{HOST}/payment-processor@{digest}"


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


def let(aws: Aws, effect: str = "Allow", *, registry: str = ACCOUNT, **more: Any) -> None:
    """Let the repository's policy be this statement about Lambda."""
    lambda_: dict[str, Any] = {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "ecr:Batch*", **more}
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, **lambda_}]})
    aws.ecr.set_repository_policy(repositoryName="payment-processor", registryId=registry, policyText=text)


@pytest.mark.parametrize("more", [{}, {"Principal": "*", "Action": "*"}])
def test_a_repository_whose_policy_denies_lambda_is_refused(aws: Aws, more: dict[str, Any]) -> None:
    push(aws)
    let(aws, "Deny", **more)
    error = refused(aws, image())
    assert f"the policy of the repository payment-processor of account {ACCOUNT}" in str(error.evidence)
    assert "denies Lambda to read it" in str(error.evidence)
    assert error.hint == "let lambda.amazonaws.com take ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"


@pytest.mark.parametrize(
    "more",
    [
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}},
        {"Action": "ecr:PutImage"},
        {"Principal": {"AWS": "210987654321"}},
    ],
)
def test_a_denial_that_may_be_of_others_is_no_denial_of_lambda(aws: Aws, more: dict[str, Any]) -> None:
    push(aws)
    let(aws, "Deny", **more)
    assert resolve(aws, image(), ACCOUNT, REGION)


def test_another_account_s_repository_has_to_let_lambda_in(aws: Aws) -> None:
    other = "210987654321"
    push(aws, registry=other)
    assert "has no policy, and lets no other account in" in str(refused(aws, image(registry=other)).evidence)
    let(aws, registry=other, Action="ecr:PutImage")
    assert "does not let Lambda of another account read it" in str(refused(aws, image(registry=other)).evidence)
    let(aws, registry=other)
    assert resolve(aws, image(registry=other), ACCOUNT, REGION)


@pytest.mark.parametrize(("code", "why"), [("AccessDeniedException", "ecr:GetRepositoryPolicy is denied"), ("X", "X")])
def test_a_policy_that_may_not_be_read_is_said(aws: Aws, code: str, why: str) -> None:
    push(aws)
    told: list[str] = []
    with answering(aws, 400, {"Error": {"Code": code, "Message": "no"}}, "GetRepositoryPolicy"):
        assert resolve(aws, image(), ACCOUNT, REGION, warn=told.append)
    assert "whether Lambda may read payment-processor:1.0.0 could not be asked" in told[0]
    assert told[0].endswith(why)


def test_another_accounts_registry_is_named_by_its_account_id(aws: Aws) -> None:
    digest = push(aws, registry="210987654321")
    let(aws, registry="210987654321")

    uri = resolve(aws, image(registry="210987654321"), ACCOUNT, REGION)

    assert uri == f"210987654321.dkr.ecr.{REGION}.amazonaws.com/payment-processor@{digest}"


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
def answering(aws: Aws, status: int, body: Mapping[str, object], operation: str = "DescribeImages") -> Iterator[None]:
    """Let ECR answer this, to DescribeImages unless told, below tapctl's own door."""

    def answer(**_: object) -> Any:
        return SimpleNamespace(status_code=status), {**body, "ResponseMetadata": {"HTTPStatusCode": status}}

    events = aws.ecr.meta.events
    events.register(f"before-call.ecr.{operation}", answer)
    try:
        yield
    finally:
        events.unregister(f"before-call.ecr.{operation}", answer)


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
            f"name the digest of one image in it: docker buildx imagetools inspect {HOST}/payment-processor@{DIGEST} "
            "(and tag it, too: a lifecycle rule that expires untagged images would delete it)"
        )
    else:
        assert error.hint == (
            "push one image under that tag: "
            "docker buildx build --platform linux/amd64 --provenance=false --push "
            f"-t {HOST}/payment-processor:1.0.0 handlers/payment_processor"
        )


def test_any_other_refusal_goes_through(aws: Aws) -> None:
    no = {"Error": {"Code": "InvalidParameterException", "Message": "no"}}

    with answering(aws, 400, no), pytest.raises(AwsRefused) as raised:
        resolve(aws, image(), ACCOUNT, REGION)

    assert raised.value.aws_code == "InvalidParameterException"


# -- the architecture --------------------------------------------------------------------------------------------------


def test_an_image_of_another_architecture_is_refused_before_it_is_deployed(aws: Aws) -> None:
    push(aws, config={"architecture": "arm64"})

    error = refused(aws, image())

    assert "is built for arm64, and the function runs x86_64: each call would fail" in str(error.evidence)
    assert "docker buildx build --platform linux/amd64" in str(error.hint)
    assert resolve(aws, image(), ACCOUNT, REGION, architecture="arm64")


def test_an_architecture_that_lambda_has_not_is_refused(aws: Aws) -> None:
    push(aws, config={"architecture": "riscv64"})

    assert "is built for riscv64" in str(refused(aws, image()).evidence)


@pytest.mark.parametrize("status", ["ARCHIVED", "ACTIVATING"])
def test_an_image_that_lambda_cannot_pull_is_refused(aws: Aws, sandbox_app: Sandbox, status: str) -> None:
    push(aws)
    sandbox_app.simulation.script("ecr.image", status)

    assert f"is {status} in {HOST}, and Lambda cannot pull it" in str(refused(aws, image()).evidence)


NO = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}


def test_where_images_may_not_be_described_the_manifest_tells(aws: Aws) -> None:
    digest = push(aws)

    with answering(aws, 400, NO):
        assert resolve(aws, image(), ACCOUNT, REGION).endswith(f"@{digest}")
        assert "has no image tagged 2" in str(refused(aws, image(tag="2")).evidence)
        assert "has no repository other" in str(refused(aws, image("other")).evidence)
        with answering(aws, 400, NO, "BatchGetImage"), pytest.raises(AwsRefused) as raised:
            resolve(aws, image(), ACCOUNT, REGION)

    assert raised.value.operation == "DescribeImages"


@pytest.mark.parametrize(
    ("operation", "status", "body", "why"),
    [
        ("BatchGetImage", 400, NO, "ecr:BatchGetImage is denied"),
        ("GetDownloadUrlForLayer", 400, NO, "ecr:GetDownloadUrlForLayer is denied"),
        (
            "GetDownloadUrlForLayer",
            400,
            {"Error": {"Code": "LayerInaccessibleException", "Message": "no"}},
            "ECR answers LayerInaccessibleException",
        ),
        ("GetDownloadUrlForLayer", 200, {"downloadUrl": "https://example.com/x"}, "its address is none of AWS's"),
        ("GetDownloadUrlForLayer", 200, {}, "ECR answers UnusableAnswer"),
        ("BatchGetImage", 200, {"images": [{}]}, "its manifest or configuration has another form"),
    ],
)
def test_an_architecture_that_cannot_be_read_is_told_and_nothing_more(
    aws: Aws, operation: str, status: int, body: Mapping[str, object], why: str
) -> None:
    push(aws)
    said: list[str] = []

    with answering(aws, status, body, operation):
        assert resolve(aws, image(), ACCOUNT, REGION, warn=said.append)

    assert said == [f"the architecture of payment-processor:1.0.0 could not be read before it is deployed: {why}"]


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
