"""A resource that takes several calls, and of which one is refused: what AWS has taken before is told."""

from __future__ import annotations

import pytest

from tests.failures.trouble import deny
from tests.support.world import World

FUNCTION = "payment-processor-dev"


@pytest.mark.parametrize("verb", ["apply", "revert"])
def test_a_change_that_was_refused_half_way_is_counted(dev: World, verb: str) -> None:
    functions = dev.client("lambda")
    arn = functions.get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
    functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=128)
    functions.tag_resource(Resource=arn, Tags={"Owner": "mallory"})

    text = dev.meeting(deny("lambda:UntagResource"), verb, "--env", "dev", "--yes")
    assert functions.get_function(FunctionName=FUNCTION)["Configuration"]["MemorySize"] == 1024
    assert text.code == 4
    assert "0 made or changed, 1 failed (1 changed in part), 0 not tried; the manifest is up to date" in text.err

    again = dev.meeting(deny("lambda:UntagResource"), verb, "--env", "dev", "--yes", "--json")
    assert again.code == 6
    assert "0 made or changed, 1 failed, 0 not tried" in again.of_type("error")[0]["state"]
    assert "changed_in_part" not in again.of_type("verdict")[0]["counts"]


@pytest.mark.soak
def test_a_removal_that_was_refused_half_way_is_counted(dev: World) -> None:
    answer = dev.meeting(deny("iam:DeleteRole"), "destroy", "--env", "dev", "--yes", "--json")
    assert answer.code == 4
    assert "1 failed (1 changed in part)" in answer.of_type("error")[0]["state"]
    assert answer.of_type("verdict")[0]["counts"]["changed_in_part"] == 1
