"""Text that somebody wrote into AWS never speaks to the terminal or to a CI system, in any report of a command."""

from __future__ import annotations

import pytest

from tests.render.test_hostile import check_harmless
from tests.support.world import World

COMMANDS = ("plan --verbose", "drift --verbose", "status", "apply --yes", "plan --suffix ##[x]", "outputs ##vso[x]")


@pytest.mark.parametrize("flags", [[], pytest.param(["--json"], marks=pytest.mark.soak)])
def test_what_stands_in_aws_is_only_shown(dev: World, flags: list[str]) -> None:
    topic = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    tags = [{"Key": "a", "Value": "##vso[task.setvariable variable=x]y"}, {"Key": "b", "Value": "::error::z"}]
    dev.client("sns").tag_resource(ResourceArn=topic, Tags=tags)
    dev.client("lambda").update_function_configuration(
        FunctionName="payment-processor-dev", Description="x\r\n::stop-commands::y\x1b[2J"
    )
    for command in COMMANDS:
        answer = dev.tapctl(*command.split(), "--env", "dev", *flags)
        check_harmless(answer.out + answer.err)
    assert answer.code == 64
