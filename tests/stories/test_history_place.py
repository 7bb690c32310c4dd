"""A record whose history ends in another place, where the version that would tell how cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.door import Proceed, Refusal, Served, Visit, no_trouble
from tests.support.world import World

STATE = ("--state", "s3://records/team")
BEFORE, NEWEST = (f"history/dev/00000{serial}-run-{serial}.json" for serial in (900, 901))


@pytest.fixture
def moved(dev: World) -> World:
    """The record of dev, in a bucket whose history ends with two versions of another region."""
    s3, record = dev.client("s3"), dev.manifest()
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    put(dev, "dev.json", record)
    for serial, name in ((900, BEFORE), (901, NEWEST)):
        put(dev, name, {**record, "serial": serial, "run": f"run-{serial}", "region": "us-west-2"})
    return dev


def put(world: World, name: str, content: dict[str, Any] | str, **more: str) -> None:
    body = content if isinstance(content, str) else json.dumps(content)
    world.client("s3").put_object(Bucket="records", Key=f"team/{name}", Body=body, **more)


def test_a_history_of_another_place_that_is_led_up_to_is_told_as_that(moved: World) -> None:
    told = moved.tapctl("outputs", "topic_arn", "--env", "dev", *STATE)
    assert (told.code, "put that version back, then look there" in told.err) == (3, True)


@pytest.mark.parametrize("trouble", ["archived", "no JSON", "too large", "denied"])
def test_a_version_that_cannot_be_read_accuses_nobody_of_what_follows_it(moved: World, trouble: str) -> None:
    if trouble == "archived":
        put(moved, BEFORE, "{}", StorageClass="GLACIER")
    if trouble == "no JSON":
        put(moved, BEFORE, '{"format": 1, ')
    if trouble == "too large":
        put(moved, BEFORE, " " * (8 * 1024 * 1024 + 1))

    def deny(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "s3:GetObject" and visit.key.endswith(BEFORE):
            raise Refusal("AccessDenied", "not authorized to perform: s3:GetObject")
        return proceed()

    told = moved.meeting(deny if trouble == "denied" else no_trouble, "outputs", "topic_arn", "--env", "dev", *STATE)
    assert (told.code, told.out) == (3, "")
    said = " ".join(told.err.split())
    assert "no version leads up to it" not in said
    assert "no run has written it so" not in said
    assert f"nobody can tell, for s3://records/team/{BEFORE} cannot be read" in said
    evidence, way_out = {
        "archived": ("InvalidObjectState", f"aws s3api restore-object --bucket records --key team/{BEFORE}"),
        "no JSON": ("is not valid JSON, or was cut off", f"tapctl manifest history --env dev {' '.join(STATE)}"),
        "too large": ("too large", f"put s3://records/team/{BEFORE} back as it was"),
        "denied": ("AccessDenied", f"allow s3:GetObject on s3://records/team/{BEFORE}"),
    }[trouble]
    assert evidence in said
    assert way_out in said
    assert "then run the same command again" in said


@pytest.mark.parametrize("other", [{"suffix": "staging"}, {"serial": 899}, {"run": "run-1"}])
def test_a_version_that_is_none_of_that_name_leads_up_to_nothing(moved: World, other: dict[str, Any]) -> None:
    record = {**moved.manifest(), "serial": 900, "run": "run-900", "region": "us-west-2"}
    put(moved, BEFORE, {**record, **other})
    told = moved.tapctl("outputs", "topic_arn", "--env", "dev", *STATE)
    assert (told.code, "where no version leads up to it" in told.err) == (3, True)
    assert "move it away: 00000901-run-901.json" in told.err
