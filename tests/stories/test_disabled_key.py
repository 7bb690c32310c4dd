"""Our key is disabled: it is enabled before anything that needs it is judged, and what AWS wants then is told."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from tests.failures.trouble import deny
from tests.support.config_folder import Folder
from tests.support.door import Proceed, Served, Visit, denied, without_length
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"


@pytest.fixture
def stuck(dev: World) -> World:
    """The key is disabled, and the cluster that lost it stands still."""
    kms = dev.client("kms")
    kms.disable_key(KeyId=kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])
    dev.door.sandbox.simulation.script("rds.key", "looked for")
    (cluster,) = dev.client("rds").describe_db_clusters()["DBClusters"]
    assert cluster["Status"] == "inaccessible-encryption-credentials-recoverable"
    return dev


def test_the_key_is_enabled_first_and_the_rest_is_judged_after(stuck: World) -> None:
    plan = stuck.tapctl("plan", "--env", "dev")
    assert (plan.code, plan.changes) == (6, ())
    assert f"{KEY} goes first: an apply makes that change, and judges the rest after it" in plan.err
    assert "aws rds start-db-cluster --db-cluster-identifier db-cluster-dev" in plan.err
    no = stuck.tapctl("apply", "--env", "dev", typed="no\n")
    assert (no.code, no.changes) == (6, ())
    answer = stuck.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (4, ("kms:EnableKey",))
    assert answer.verdict.startswith("APPLY dev: NOT CONVERGED")
    assert "then start it first: aws rds start-db-cluster" in answer.err
    assert "  state  what stands above was put in order, and nothing else changed\n" in answer.err
    assert "nothing was changed" not in answer.err
    again = stuck.tapctl("plan", "--env", "dev")
    assert (again.code, "goes first" in again.err) == (6, False), "as any other plan of a cluster that stands still"
    stuck.client("rds").start_db_cluster(DBClusterIdentifier="db-cluster-dev")
    assert stuck.tapctl("plan", "--env", "dev", "--detailed-exitcode").code == 0


def test_a_key_that_cannot_be_enabled_ends_the_apply(stuck: World) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "kms:EnableKey":
            raise denied(visit.name)
        return proceed()

    answer = stuck.meeting(trouble, "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ("kms:EnableKey",))
    assert "not authorized to perform kms:EnableKey" in answer.err


@pytest.mark.soak
def test_a_key_is_not_brought_back_for_what_does_not_wait_for_it(dev: World) -> None:
    """A slip in --restore blocks a cluster that is not there: with the key, too, it would be judged no otherwise."""
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    command = ("--env", "dev", "--restore", "no-such-snapshot")
    for refused in (dev.tapctl("plan", *command), dev.tapctl("apply", *command, "--yes")):
        assert (refused.code, refused.changes) == (6, ())
        assert "goes first" not in refused.err
    dev.applied("dev", "--empty")


@pytest.mark.soak
def test_a_key_is_not_brought_back_where_a_stranger_holds_a_name_of_ours(dev: World) -> None:
    """The plan tells what stops the apply: that it goes on once the name is free, no key makes sooner."""
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    before = dev.path().read_text()
    dev.client("sns").create_topic(Name="alarms-dev", Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    for command in (("plan",), ("apply", "--yes")):
        refused = dev.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes, "BLOCKED" in refused.verdict) == (6, (), True), refused.err
        assert "sns-topic/alarms-dev exists and is not ours; it was left untouched" in refused.err
        assert "nothing was changed" in refused.err
        assert "goes first" not in refused.err
    assert dev.path().read_text() == before


@pytest.mark.soak
def test_a_key_is_not_brought_back_where_a_right_is_missing(dev: World) -> None:
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    refused = dev.meeting(deny("lambda:GetFunction"), "apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes, "BLOCKED" in refused.verdict) == (6, (), True), refused.err
    assert "allow lambda:GetFunction" in refused.err


@pytest.mark.soak
@pytest.mark.parametrize(
    ("unread", "key", "value", "end"),
    [
        ("Environment", "processor.environment", {"FEATURE": "on"}, (4, ("kms:EnableKey",))),
        ("Tags", "tags.CostCenter", "cards", (7, ())),
    ],
    ids=["key", "right"],
)
def test_a_disabled_key_is_enabled_first_where_what_has_to_change_cannot_be_read_without_it(
    dev: World, unread: str, key: str, value: object, end: tuple[int, tuple[str, ...]]
) -> None:
    """Lambda shows no variables then; where a right is missing, a key helps nobody."""
    error = {"ErrorCode": "AccessDeniedException", "Message": "the key is disabled"}

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name != "lambda:GetFunction" or status != HTTPStatus.OK:
            return status, headers, body
        answer = json.loads(body)
        if unread == "Environment":
            answer["Configuration"]["Environment"] = {"Error": error}
        else:
            del answer["Tags"]
            answer["TagsError"] = error
        text = json.dumps(answer).encode()
        return status, without_length(headers), text

    kms = dev.client("kms")
    kms.disable_key(KeyId=kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])
    Folder(dev.folder / "environments").put("common", key, value)
    answer = dev.meeting(trouble, "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == end, answer.err


@pytest.mark.soak
def test_a_stranger_s_name_keeps_no_cluster_from_its_key(stuck: World) -> None:
    """RDS gives the cluster up after a week: what needs the key gets it, and the rest is told."""
    topic = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    stuck.client("sns").tag_resource(ResourceArn=topic, Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    answer = stuck.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (4, ("kms:EnableKey",)), answer.err
    assert "sns-topic/alarms-dev exists and is not ours; it was left untouched" in answer.err
