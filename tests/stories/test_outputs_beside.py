"""Outputs where there is no history: hosts are held against the other records, as far as those may be read."""

from __future__ import annotations

import json

import pytest

from tests.support.door import Proceed, Refusal, Served, Trouble, Visit, no_trouble
from tests.support.world import Answer, World

STATE = ("--state", "s3://records/team")


@pytest.fixture
def team(dev: World) -> World:
    """Records of dev and two copies in a bucket, without a history; hosts of an AWS that is ours are compared."""
    s3, text = dev.client("s3"), json.dumps({**dev.manifest(), "aws": "sandbox"})
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    for suffix in ("dev", "pr-8", "pr-9"):
        copy = text.replace("-dev", f"-{suffix}").replace('"suffix": "dev"', f'"suffix": "{suffix}"')
        s3.put_object(Bucket="records", Key=f"team/{suffix}.json", Body=copy)
    return dev


def denied_of(*names: str) -> Trouble:
    """Deny what the policy of one suffix's readers does not allow: other records, or to list them."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name.startswith("s3:") and visit.key.removeprefix("team/") in names:
            raise Refusal("AccessDenied", "not authorized")
        return proceed()

    return trouble


def deny_list_of_records(visit: Visit, proceed: Proceed) -> Served:
    if visit.name == "s3:ListObjectsV2" and "history" not in visit.query:
        raise Refusal("AccessDenied", "not authorized")
    return proceed()


def endpoint(world: World, trouble: Trouble = no_trouble) -> Answer:
    return world.meeting(trouble, "outputs", "cluster_endpoint", "--env", "dev", *STATE)


def test_a_record_beside_that_is_denied_is_named_and_the_outputs_are_told(team: World) -> None:
    whole = endpoint(team)
    assert (whole.code, whole.out.startswith("db-cluster-dev.cluster-")) == (0, True), whole.err
    assert "could not be held against" not in whole.err
    one = endpoint(team, denied_of("pr-8.json"))
    assert (one.code, one.out) == (0, whole.out), one.err
    assert "the hosts could not be held against the record of pr-8, which may not be read" in one.err
    assert f"tapctl drift --env dev {' '.join(STATE)} asks AWS for them" in " ".join(one.err.split())
    both = endpoint(team, denied_of("pr-8.json", "pr-9.json"))
    assert (both.code, both.out) == (0, whole.out), both.err
    assert "held against the record of pr-8, pr-9, which" in both.err
    team.client("s3").put_object(Bucket="records", Key="team/pr-8.json", Body="{")
    broken = endpoint(team)
    assert (broken.code, broken.out, "pr-8" in broken.err) == (0, whole.out, False), "drift tells of it"


def test_other_records_that_may_not_be_listed_are_named_as_such(team: World) -> None:
    told = endpoint(team, deny_list_of_records)
    assert (told.code, told.out.startswith("db-cluster-dev.cluster-")) == (0, True), told.err
    assert "the hosts could not be held against the records of other suffixes, which may not be read" in told.err


def test_a_host_of_another_account_is_refused_by_what_can_be_read(team: World) -> None:
    s3 = team.client("s3")
    text = s3.get_object(Bucket="records", Key="team/dev.json")["Body"].read().decode()
    own = endpoint(team).out.partition(".cluster-")[2].partition(".")[0]
    s3.put_object(Bucket="records", Key="team/dev.json", Body=text.replace(own, "evil0evil0ev"))
    forged = endpoint(team, denied_of("pr-8.json"))
    assert (forged.code, forged.out) == (3, ""), forged.err
    assert "cluster_endpoint = db-cluster-pr-9.cluster-" in forged.err


def test_its_own_record_that_is_denied_is_refused(team: World) -> None:
    told = endpoint(team, denied_of("dev.json"))
    assert (told.code, told.out) == (6, "")


def test_outputs_that_an_earlier_tapctl_has_not_recorded_of_a_rotation_or_of_rules_contradict_none(dev: World) -> None:
    record = dev.manifest()
    for place in ("secret-rotation/db-cluster-dev", "security-group-rules/lambda-sg-dev"):
        record["entries"][place]["outputs"] = None
    dev.path().write_text(json.dumps(record))
    told = dev.tapctl("outputs", "secret_arn", "--env", "dev")
    assert (told.code, told.out.startswith("arn:aws:secretsmanager:")) == (0, True), told.err
    record["entries"]["secret-rotation/db-cluster-dev"]["outputs"] = {"secret_arn": f"{told.out.strip()}-other"}
    dev.path().write_text(json.dumps(record))
    forged = dev.tapctl("outputs", "secret_arn", "--env", "dev")
    assert (forged.code, "secret_arn of secret-rotation/db-cluster-dev" in forged.err) == (3, True), forged.out
