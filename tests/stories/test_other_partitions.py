"""The whole life of an environment in China and in GovCloud: other ARNs, other hosts, the same commands."""

from __future__ import annotations

import pytest

from tapctl.config import load
from tapctl.sandbox import seed_for
from tapctl.sandbox.seeding import load_seed
from tests.support.world import World


@pytest.mark.soak
@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("cn-north-1", "aws-cn", ".rds.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", ".us-gov-west-1.rds.amazonaws.com"),
    ],
)
def test_an_environment_lives_there_as_anywhere(world: World, region: str, partition: str, host: str) -> None:
    world.edit("dev.toml", "us-east-2", region)
    load_seed(world.door.url, seed_for(load(world.folder / "environments", "dev"), region))
    world.applied("dev")
    assert world.drift().code == 0
    assert world.tapctl("apply", "--env", "dev", "--yes").changes == ()

    record = world.path().read_text()
    assert f"arn:{partition}:" in record
    assert "arn:aws:" not in record
    world.patch.delenv("AWS_ENDPOINT_URL")
    endpoint = world.tapctl("outputs", "cluster_endpoint", "--env", "dev")
    world.patch.setenv("AWS_ENDPOINT_URL", world.door.url)
    assert (endpoint.code, endpoint.out.rstrip("\n").endswith(host)) == (0, True), endpoint.out + endpoint.err
    function = world.client("lambda", region).get_function(FunctionName="payment-processor-dev")["Configuration"]
    assert function["Environment"]["Variables"]["DB_ENDPOINT"] == endpoint.out.rstrip("\n")

    world.client("lambda", region).update_function_configuration(FunctionName="payment-processor-dev", Timeout=60)
    assert world.drift().code == 2
    world.applied("dev")
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.out + gone.err
