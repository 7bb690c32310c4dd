"""Secrets are written nowhere: to no stream, record, lock or rescue copy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.failures.test_disk import block, in_the_way
from tests.support.door import Proceed, Served, Visit
from tests.support.strides import strided
from tests.support.world import World

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAFORNOBODYSEYES00",
    "AWS_SECRET_ACCESS_KEY": "secret-key-for-nobody-s-eyes",
    "AWS_SESSION_TOKEN": "token-for-nobody-s-eyes",
}
THEIRS = "password-that-somebody-put-there"


def nonsense(visit: Visit, proceed: Proceed) -> Served:
    """AWS answers what its own model does not allow: a number that is a text, and one that must not be shown."""
    if visit.name != "logs:DescribeLogGroups":
        return proceed()
    group = {"logGroupName": "/aws/lambda/payment-processor-dev", "arn": "arn:x", "retentionInDays": THEIRS}
    body = json.dumps({"logGroups": [group]}).encode()
    return 200, [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))], body


@pytest.fixture
def guarded(world: World) -> Iterator[tuple[World, list[str]]]:
    """dev is applied; somebody has put a password into the function's environment. And all that is secret."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        world.deploy()
        functions, secrets = world.client("lambda"), world.client("secretsmanager")
        name = "payment-processor-dev"
        variables: dict[str, Any] = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables | {"STRIPE_KEY": THEIRS, "DB_NAME": THEIRS}}
        )
        managed = secrets.get_secret_value(SecretId=secrets.list_secrets()["SecretList"][0]["ARN"])["SecretString"]
        yield world, [*CREDENTIALS.values(), THEIRS, managed]


def told(folder: Path) -> str:
    """Everything in every file of ours."""
    ours = [path for path in folder.rglob("*") if path.is_file() and "environments" not in path.parts]
    return "\n".join(path.read_text(errors="replace") for path in ours)


@pytest.mark.parametrize("flags", strided([["--verbose"], ["--json", "--verbose"]], 2, 1))
def test_no_secret_is_told(guarded: tuple[World, list[str]], flags: list[str]) -> None:
    world, secrets = guarded
    said: list[str] = []

    def listening(visit: Visit, proceed: Proceed) -> Served:
        said.append(told(world.folder / "manifests"))
        if visit.name == "lambda:UpdateFunctionConfiguration":
            block(world)
        return proceed()

    for command in (
        ("drift",),
        ("plan",),
        ("plan", "--destroy"),
        ("status",),
        ("outputs",),
        ("manifest", "show"),
    ):
        answer = world.tapctl(*command, "--env", "dev", *flags)
        said += [answer.out, answer.err]
    assert "STRIPE_KEY" in "".join(said)  # that it is there is the finding
    for verb in ("plan", "apply"):
        answer = world.meeting(nonsense, verb, "--env", "dev", *flags)
        said += [answer.out, answer.err]
    # The manifest cannot be written: there is a rescue copy too.
    answer = world.meeting(listening, "apply", "--env", "dev", "--yes", *flags)
    assert answer.code == 4
    said += [answer.out, answer.err, told(world.folder)]
    assert list(world.folder.glob("*.rescue-*"))
    assert any(text.count("tapctl apply --env dev --yes") for text in said)  # the lock was read while it was held
    in_the_way(world).rmdir()
    answer = world.tapctl("destroy", "--env", "dev", "--yes", *flags)
    assert answer.code == 0
    said += [answer.out, answer.err, told(world.folder)]
    for secret in secrets:
        assert not [text for text in said if secret in text], secret
    assert secrets[-1]
