"""Approved plans are what is done: plan files and hashes, by whole commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapctl.manifest.manifest import now
from tests.failures.trouble import deny
from tests.stories.contract import holds
from tests.support.log_filters import put_filters
from tests.support.world import Answer, World

FUNCTION = "lambda-function/payment-processor-dev"


def changed(world: World, memory: int) -> Path:
    """A plan file of another size of the function's memory."""
    world.edit("dev.toml", "memory_mb = 1024", f"memory_mb = {memory}")
    answer = world.tapctl("plan", "--env", "dev", "--out", "dev.plan")
    assert answer.code == 0, answer.err
    return world.folder / "dev.plan"


def push_another_image(world: World) -> None:
    """Move the tag that is deployed to another image."""
    ecr = world.client("ecr")
    (image,) = ecr.batch_get_image(repositoryName="payment-processor", imageIds=[{"imageTag": "1.0.0"}])["images"]
    manifest = json.dumps({**json.loads(image["imageManifest"]), "annotations": {"release": "another"}})
    ecr.put_image(repositoryName="payment-processor", imageTag="1.0.0", imageManifest=manifest)


def kept_durations(world: World) -> dict[str, list[str]]:
    """The operations of each type whose durations stand beside dev's record."""
    kept = json.loads((world.folder / "manifests" / "dev.durations.json").read_text())["seconds"]
    return {type_: [*operations] for type_, operations in kept.items()}


def refused(answer: Answer, why: str) -> None:
    assert (answer.code, answer.changes) == (8, ()), answer.out + answer.err
    assert why in answer.err
    assert ": FAILED in " in answer.verdict


def test_an_approved_file_is_applied_once_and_to_the_field(dev: World) -> None:
    file = changed(dev, 2048)
    plan = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    (change,) = plan["changes"]
    (field,) = change["fields"]
    assert (change["address"], field) == (
        FUNCTION,
        {"path": "memory_mb", "have": 1024, "want": 2048, "impact": "none", "until": ""},
    )
    planned = holds(dev.tapctl("plan", "--env", "dev", "--json"), "plan")
    assert [one["hash"] for one in planned if one["type"] == "plan"] == [plan["plan_hash"]]
    assert planned[-1]["plan_hash"] == plan["plan_hash"]

    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=15)
    answer = dev.tapctl("apply", "--plan", "dev.plan", "--yes")
    refused(answer, f"in AWS: {FUNCTION} timeout_s: no change was approved, now 15 → 30")
    refused(dev.tapctl("apply", "--env", "dev", "--expect", plan["plan_hash"], "--yes"), "is not what was approved")
    dev.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=30)

    push_another_image(dev)
    assert "image_uri" in dev.tapctl("plan", "--env", "dev").out
    made = dev.tapctl("apply", "--plan", "dev.plan", "--yes", "--json")
    assert holds(made, "apply")[-1]["plan_hash"] == plan["plan_hash"]
    assert (made.code, made.records[-1]["counts"]["updated"]) == (0, 1)
    assert [one["critical_path"] for one in made.of_type("estimate")] == [[FUNCTION]]
    kept = kept_durations(dev)
    assert ("update" in kept["lambda-function"], "create" in kept["command"]) == (True, True)
    refused(dev.tapctl("apply", "--plan", "dev.plan", "--yes"), "was applied already")


@pytest.mark.soak
def test_an_apply_that_was_cut_off_is_continued_with_its_file(dev: World) -> None:
    dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    dev.edit("common.toml", "\nretention_days = 30", "\nretention_days = 60")
    dev.tapctl("plan", "--env", "dev", "--out", "dev.plan")
    first = dev.meeting(deny("lambda:UpdateFunctionConfiguration"), "apply", "--plan", "dev.plan", "--yes")
    assert first.code == 4, first.out + first.err
    again = dev.tapctl("apply", "--plan", "dev.plan", "--yes")
    assert again.code == 0, again.out + again.err
    refused(dev.tapctl("apply", "--plan", "dev.plan", "--yes"), "was applied already")


@pytest.mark.soak
def test_a_destroy_that_would_end_a_subscription_which_nobody_has_approved_is_refused(dev: World) -> None:
    sns, topic = dev.client("sns"), "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    dev.tapctl("plan", "--destroy", "--env", "dev", "--out", "gone.plan")
    theirs = "arn:aws:sqs:us-east-2:123456789012:theirs"
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=theirs, ReturnSubscriptionArn=True)
    place = f"sns-subscription/alarms-dev/{theirs}"
    refused(dev.tapctl("apply", "--plan", "gone.plan", "--yes"), f"in AWS: {place} would end, which was not approved")
    dev.tapctl("plan", "--destroy", "--env", "dev", "--out", "with.plan")
    assert json.loads((dev.folder / "with.plan").read_text())["ends"] == [place]
    sns.unsubscribe(SubscriptionArn=made["SubscriptionArn"])
    refused(dev.tapctl("apply", "--plan", "with.plan", "--yes"), f"in AWS: {place} was to end, and is not there")


def test_a_destroy_that_would_end_a_filter_which_nobody_has_approved_is_refused(dev: World) -> None:
    logs, group = dev.client("logs"), "/aws/lambda/payment-processor-dev"
    dev.tapctl("plan", "--destroy", "--env", "dev", "--out", "gone.plan")
    put_filters(dev, group)
    answer = dev.tapctl("apply", "--plan", "gone.plan", "--yes")
    places = [f"log-metric-filter/{group}:sec-team", f"log-subscription-filter/{group}:siem"]
    for place in places:
        refused(answer, f"in AWS: {place} would end, which was not approved")
    dev.tapctl("plan", "--destroy", "--env", "dev", "--out", "with.plan")
    assert json.loads((dev.folder / "with.plan").read_text())["ends"] == places
    logs.delete_metric_filter(logGroupName=group, filterName="sec-team")
    refused(dev.tapctl("apply", "--plan", "with.plan", "--yes"), f"in AWS: {places[0]} was to end, and is not there")
    unread = dev.meeting(deny("logs:DescribeSubscriptionFilters"), "apply", "--plan", "with.plan", "--yes")
    assert (unread.code, unread.changes) == (6, ())
    assert "allow logs:DescribeSubscriptionFilters" in unread.err


def test_no_destroy_is_approved_while_nobody_can_tell_which_subscriptions_of_others_it_ends(dev: World) -> None:
    unread = deny("sns:ListSubscriptionsByTopic")
    planning = ("plan", "--destroy", "--env", "dev", "--out", "gone.plan")
    unwritten = dev.meeting(unread, *planning)
    assert (unwritten.code, (dev.folder / "gone.plan").exists()) == (6, False), unwritten.err
    assert dev.tapctl(*planning).code == 0
    stopped = dev.meeting(unread, "apply", "--plan", "gone.plan", "--yes")
    assert (stopped.code, stopped.changes) == (6, ()), stopped.err
    for answer in (unwritten, stopped):
        assert "error aws-refused" in answer.err
        assert "nothing was changed" in answer.err
        assert "allow sns:ListSubscriptionsByTopic" in answer.err
    # Where nobody has approved anything it is a warning.
    for command in (("plan", "--destroy"), ("destroy", "--yes")):
        told = dev.meeting(unread, *command, "--env", "dev")
        assert (told.code, "warning: the subscribers of alarms-dev could not be read" in told.err) == (0, True)


@pytest.mark.soak
def test_a_destroy_is_approved_as_well(dev: World) -> None:
    planned = dev.tapctl("plan", "--destroy", "--env", "dev", "--out", "gone.plan")
    assert "file gone.plan, to be applied until 20" in planned.out
    assert json.loads((dev.folder / "gone.plan").read_text())["created"] <= now()
    theirs = dev.client("secretsmanager").create_secret(
        Name="theirs",
        SecretString="x",
        KmsKeyId=dev.manifest()["entries"]["kms-key/alias/db-key-dev"]["outputs"]["arn"],
    )["ARN"]
    refused(
        dev.tapctl("apply", "--plan", "gone.plan", "--yes"),
        "in AWS: kms-key/alias/db-key-dev: delete was approved, now it is kept: secret/theirs uses it",
    )
    dev.client("secretsmanager").delete_secret(SecretId=theirs, ForceDeleteWithoutRecovery=True)
    answer = dev.tapctl("apply", "--plan", "gone.plan", "--yes")
    assert answer.verdict.startswith("APPLY dev: DESTROYED"), answer.out + answer.err
    kept = kept_durations(dev)
    assert all("delete" in kept[type_] for type_ in ("command", "db-cluster", "lambda-function"))
    refused(dev.tapctl("apply", "--plan", "gone.plan", "--yes"), "was applied already")
