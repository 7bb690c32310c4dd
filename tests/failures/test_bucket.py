"""State in S3: a bucket that vanishes, a write whose answer is lost, a record that somebody else has written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tapctl.manifest.manifest import dump
from tapctl.sandbox import credentials_of
from tests.failures.trouble import deny
from tests.manifest.examples import entry, manifest
from tests.support.door import Proceed, Refusal, Served, Silence, Trouble, Visit
from tests.support.world import Answer, World

STATE = ("--state", "s3://records/payments")
APPLY = ("apply", "--env", "dev", "--yes", *STATE)
KEY = "payments/dev.json"


@pytest.fixture
def teams(world: World) -> World:
    """Make a bucket for records."""
    world.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    return world


def record(world: World) -> dict[str, Any]:
    body = world.client("s3").get_object(Bucket="records", Key=KEY)["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


def vanish(world: World) -> None:
    s3 = world.client("s3")
    for one in s3.list_objects_v2(Bucket="records").get("Contents", []):
        s3.delete_object(Bucket="records", Key=one["Key"])
    s3.delete_bucket(Bucket="records")


def come_back(world: World) -> None:
    world.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})


def at_write(nth: int, act: Callable[[Proceed], Served]) -> Trouble:
    """The nth write to S3 meets this; the first is the lock, and the two that prove conditions are not counted."""
    at = nth if nth == 1 else nth + 2

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        return act(proceed) if (visit.name, visit.nth) == ("s3:PutObject", at) else proceed()

    return trouble


def put_back(world: World, answer: Answer) -> None:
    """Do what the told command does."""
    told = r"put it back: aws s3api put-object --bucket records --key (\S+) --body (\S+) --if-"
    ((there, copy),) = re.findall(told, answer.err)
    assert there == KEY
    world.client("s3").put_object(Bucket="records", Key=KEY, Body=Path(copy).read_bytes())


@pytest.mark.soak
def test_apply_drift_and_destroy_with_the_record_in_s3(teams: World) -> None:
    assert teams.tapctl(*APPLY).code == 0
    assert not (teams.folder / "manifests").exists()
    assert teams.tapctl(*APPLY).changes == ()
    assert teams.tapctl("drift", "--env", "dev", *STATE).code == 0
    assert teams.tapctl("destroy", "--env", "dev", "--yes", *STATE).code == 0
    assert teams.owned() == {"kms-key": 1}
    keys = [one["Key"] for one in teams.client("s3").list_objects_v2(Bucket="records")["Contents"]]
    assert not [key for key in keys if key.endswith(".lock")]


def test_an_apply_whose_role_may_not_list_the_history_goes_on_from_the_record(teams: World) -> None:
    assert teams.tapctl(*APPLY).code == 0
    teams.edit("dev.toml", "error_threshold = 10", "error_threshold = 11")
    answer = teams.meeting(deny("s3:ListObjectsV2"), *APPLY)
    assert (answer.code, answer.changes[0]) == (0, "cloudwatch:PutMetricAlarm"), answer.err
    assert teams.tapctl("drift", "--env", "dev", *STATE).code == 0


@pytest.mark.soak
@pytest.mark.parametrize("verb", ["destroy --yes", "plan", "drift", "status"])
def test_a_command_on_a_copy_that_never_was_leaves_nothing_in_the_bucket(teams: World, verb: str) -> None:
    teams.tapctl(*verb.split(), "--env", "dev", "--suffix", "pr-1", *STATE)
    assert teams.client("s3").list_objects_v2(Bucket="records")["KeyCount"] == 0


@pytest.mark.soak
def test_a_plan_file_and_how_long_it_took_are_of_the_bucket_too(teams: World) -> None:
    planned = teams.tapctl("plan", "--env", "dev", "--out", "dev.plan", *STATE)
    assert planned.code == 0, planned.err
    elsewhere = teams.tapctl("apply", "--plan", "dev.plan", "--yes")
    assert (elsewhere.code, "the plan's is s3://records/payments/dev.json" in elsewhere.err) == (8, True)
    made = teams.tapctl("apply", "--plan", "dev.plan", "--yes", *STATE)
    assert made.code == 0, made.out + made.err
    keys = {one["Key"] for one in teams.client("s3").list_objects_v2(Bucket="records")["Contents"]}
    assert {"payments/dev.plans.json", "payments/dev.durations.json"} <= keys
    again = teams.tapctl("apply", "--plan", "dev.plan", "--yes", *STATE)
    assert (again.code, "was applied already" in again.err) == (8, True)


def make_bucket(account: str) -> None:
    """Make a bucket in this account, with a record of dev that looks like ours."""
    key, secret = credentials_of(account)
    make: Any = boto3.client  # untyped: the stubs take literals only
    s3 = make("s3", region_name="us-east-2", aws_access_key_id=key, aws_secret_access_key=secret)
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_object(Bucket="records", Key=KEY, Body=dump(manifest(entry())).encode())


@pytest.fixture
def theirs(world: World) -> World:
    """A bucket of the name, made by somebody else since."""
    make_bucket("999999999999")
    return world


def test_a_record_in_the_bucket_of_another_environments_account_is_refused_by_every_command(world: World) -> None:
    """Whoever has that account could write it; what else lies there is told all the same."""
    make_bucket("210987654321")
    world.edit("staging.toml", "123456789012", "210987654321")
    for verb, more in (
        ("drift", ""),
        ("status", ""),
        ("status", "--env dev"),
        ("parity", ""),
        ("parity", "dev staging"),
        ("parity", "--live"),
    ):
        told = world.tapctl(verb, *more.split(), *STATE)
        said = "".join((told.out + told.err).split())
        assert told.code == 6, (verb, told.out + told.err)
        assert "s3://records/payments/belongstoaccount210987654321,notto123456789012" in said, told.out + told.err
        assert verb != "parity" or " · not read: dev" in told.verdict


@pytest.mark.parametrize(
    "command",
    [
        *("outputs --env dev", "outputs", "manifest show --env dev", "manifest history", "status --env dev", "status"),
        *("drift --env dev", "drift", "parity", "parity --live", "graph", "outputs --suffix dev"),
    ],
)
def test_a_bucket_of_the_name_that_somebody_else_has_made_is_not_read(theirs: World, command: str) -> None:
    told = theirs.tapctl(*command.split(), *STATE)
    assert (told.code, "has to belong to account 123456789012" in told.err) == (6, True), told.out + told.err
    assert "alias/db-key-dev" not in told.out
    # Whoever means it says so.
    meant = theirs.tapctl(*command.split(), "--state", f"{STATE[1]}?owner=999999999999")
    assert "has to belong to" not in meant.err


def test_a_bucket_of_the_name_is_not_read_for_an_environment_without_a_file(theirs: World) -> None:
    theirs.edit("dev.toml", "account_id", "# account_id")
    for command, code in (("drift --env dev", 3), ("outputs --env dev", 3), ("drift", 6)):
        told = theirs.tapctl(*command.split(), *STATE)
        assert (told.code, "alias/db-key-dev" in told.out) == (code, False), told.out + told.err


@pytest.mark.parametrize("verb", ["plan", "apply", "drift", "destroy", "status", "outputs"])
def test_no_bucket(world: World, verb: str) -> None:
    answer = world.tapctl(verb, "--env", "dev", *(("--yes",) if verb in ("apply", "destroy") else ()), *STATE)
    assert (answer.code, answer.changes) == (3, ()), answer.err
    for told in ("error manifest-invalid", "the bucket records does not exist", "aws s3 mb s3://records", "--state"):
        assert told in answer.err


@pytest.mark.parametrize("verb", ["plan", "apply", "drift", "destroy"])
def test_a_bucket_that_we_may_not_use(teams: World, verb: str) -> None:
    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name.startswith("s3:"):
            raise Refusal("AccessDenied")
        return proceed()

    answer = teams.meeting(trouble, verb, "--env", "dev", *(("--yes",) if verb in ("apply", "destroy") else ()), *STATE)
    assert (answer.code, answer.changes) == (6, ()), answer.err
    for told in ("AccessDenied", "s3:GetObject", "hint"):
        assert told in answer.err


@pytest.mark.soak
@pytest.mark.parametrize(
    ("nth", "has_cluster"), [(2, False), (3, False), (8, False), (20, False), (30, False), (40, True), (45, True)]
)
def test_the_bucket_vanishes(teams: World, nth: int, has_cluster: bool) -> None:
    """A bucket that vanishes (at the first write, in the middle, near the end) records nothing more."""

    def gone(proceed: Proceed) -> Served:
        vanish(teams)
        return proceed()

    answer = teams.meeting(at_write(nth, gone), *APPLY)
    assert answer.code == 4, answer.err
    for told in ("error manifest-unwritten", "NoSuchBucket", "rescue"):
        assert told in answer.err
    assert "Traceback" not in answer.err
    assert "nothing was changed" not in answer.err or not answer.changes
    come_back(teams)
    put_back(teams, answer)
    if not has_cluster:
        # The history went with the bucket: nobody can tell that there never was a cluster.
        blocked = teams.tapctl(*APPLY)
        assert (blocked.code, "--empty makes a new one without data" in blocked.err) == (6, True), blocked.err
    assert teams.tapctl(*APPLY, *(() if has_cluster else ("--empty",))).code == 0
    assert teams.tapctl("drift", "--env", "dev", *STATE).code == 0
    assert teams.owned() == teams.wanted()


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["lost before", "lost after"])
@pytest.mark.parametrize("nth", [1, 2, 9, 25])
def test_a_write_without_an_answer(teams: World, nth: int, kind: str) -> None:
    """A write without an answer may be there or not: a look tells, and the work goes on."""

    def lost(proceed: Proceed) -> Served:
        if kind == "lost after":
            proceed()
        raise Silence

    answer = teams.meeting(at_write(nth, lost), *APPLY)
    assert answer.code == 0, answer.err
    assert {entry["phase"] for entry in record(teams)["entries"].values()} == {"made"}
    assert teams.owned() == teams.wanted()


@pytest.mark.soak
def test_somebody_else_writes_the_record_meanwhile(teams: World) -> None:
    """Two at once in spite of the lock: whoever is overtaken stops and says by whom."""

    def overtaken(proceed: Proceed) -> Served:
        theirs = record(teams)
        theirs.update(serial=theirs["serial"] + 7, written_by="user/bob", run="another")
        teams.client("s3").put_object(Bucket="records", Key=KEY, Body=json.dumps(theirs))
        return proceed()

    answer = teams.meeting(at_write(9, overtaken), *APPLY)
    assert answer.code == 5, answer.err
    for told in ("error lock-held", "user/bob", "somebody else has written", "run the same command again"):
        assert told in answer.err
    assert "the manifest is that of whoever has the lock now" in answer.err
    assert record(teams)["run"] == "another"
    assert teams.tapctl(*APPLY).code == 0
    assert teams.owned() == teams.wanted()


@pytest.mark.soak
def test_the_bucket_vanishes_when_all_is_done(teams: World) -> None:
    """The lock cannot be given back: it is said, and not that nothing was changed."""
    removals = 0

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        nonlocal removals
        removals += visit.name == "s3:DeleteObject"
        if visit.name == "s3:DeleteObject" and removals == 2:  # the first proves that the store honours conditions
            vanish(teams)
        return proceed()

    answer = teams.meeting(trouble, *APPLY)
    assert answer.code == 0, answer.err
    assert "CONVERGED" in answer.verdict
    assert "the lock could not be given back" in answer.err
