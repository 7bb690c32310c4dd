"""One suffix in two regions of one account: IAM knows one role of that name, and it is the first region's."""

from __future__ import annotations

import shutil

import pytest

from tests.support.world import World

ROLE = "lambda-role-dev"


@pytest.fixture
def moved(dev: World) -> World:
    """dev as it stands in us-east-2, seen by a run for us-west-2 that knows nothing of it."""
    dev.edit("dev.toml", 'region = "us-east-2"', 'region = "us-west-2"')
    dev.edit("dev.toml", "networking-dev", "networking-staging")
    shutil.rmtree(dev.folder / "manifests")
    return dev


def test_another_regions_role_is_neither_rewritten_nor_removed(moved: World) -> None:
    refused = moved.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert f"iam-role/{ROLE} exists and is of the same suffix in another region; it was left untouched" in refused.err
    assert "ManagedBy=tapctl, for us-east-2" in refused.err

    gone = moved.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes) == (0, ())
    assert moved.client("iam").get_role(RoleName=ROLE)["Role"]["RoleName"] == ROLE
