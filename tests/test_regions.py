from __future__ import annotations

import botocore.session
import pytest

from tapctl.config import check_region
from tapctl.errors import ConfigError
from tapctl.regions import REGIONS


def test_they_are_those_that_the_sdk_knows() -> None:
    partitions = botocore.session.get_session().get_component("data_loader").load_data("partitions")["partitions"]
    known = {region for one in partitions for region in one["regions"] if not region.endswith("-global")}
    assert set(REGIONS) == known
    assert list(REGIONS) == sorted(REGIONS)


@pytest.mark.parametrize("region", REGIONS)
def test_each_may_be_named(region: str) -> None:
    check_region(region)


@pytest.mark.parametrize(
    ("region", "near"),
    [
        ("", ""),
        ("a b/c", ""),
        ("nonsense", ""),
        ("us-east-9", "; did you mean us-east-"),
        ("us-east-1\n", "us-east-1?"),
    ],
)
def test_any_other_is_refused(region: str, near: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_region(region)
    (problem,) = refused.value.problems
    assert refused.value.exit_code == 3
    assert problem.file == "--region"
    assert problem.rule.startswith("must be an AWS region, such as us-east-1")
    assert near in problem.rule
