from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.callers import ci_actor
from tapctl.manifest.lock import LockHolder, LockInfo, ci_commit, ci_run
from tapctl.manifest.manifest import empty
from tapctl.manifest.shape import problems
from tests.manifest.examples import DANA

GITHUB = {"GITHUB_RUN_ID": "77", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "pay/stack"}


@pytest.mark.parametrize(
    ("environ", "run"),
    [
        ({}, ""),
        ({"CI": "true", "HOME": "/root", "BUILD_URL": ""}, ""),
        (GITHUB, "https://github.example/pay/stack/actions/runs/77"),
        ({"GITHUB_RUN_ID": "77"}, "GITHUB_RUN_ID 77"),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        ({"BUILD_URL": "https://jenkins.example/7"}, "https://jenkins.example/7"),
        ({"CIRCLE_BUILD_URL": "https://circle.example/7"}, "https://circle.example/7"),
        ({"BUILDKITE_BUILD_URL": "https://kite.example/7"}, "https://kite.example/7"),
        ({"CODEBUILD_BUILD_ID": "stack:7"}, "CODEBUILD_BUILD_ID stack:7"),
        ({"BITBUCKET_BUILD_NUMBER": "7"}, "BITBUCKET_BUILD_NUMBER 7"),
        ({"BUILD_BUILDID": "7"}, "BUILD_BUILDID 7"),
    ],
)
def test_a_ci_run_is_known_by_what_its_ci_says_of_it(environ: dict[str, str], run: str) -> None:
    assert ci_run(environ) == run


@pytest.mark.parametrize(
    ("environ", "commit"),
    [
        ({}, ""),
        ({"GITHUB_SHA": "9f3c1a7e" * 5}, "9f3c1a7e" * 5),
        ({"GITHUB_SHA": "$(reboot)", "CI_COMMIT_SHA": "9f3c1a7e"}, "9f3c1a7e"),
        ({"GIT_COMMIT": "main"}, ""),
    ],
)
def test_the_commit_is_what_the_ci_has_checked_out(environ: dict[str, str], commit: str) -> None:
    assert ci_commit(environ) == commit


def test_a_lock_names_whom_a_ci_runs_for_and_which_commit() -> None:
    environ = {"GITHUB_RUN_ID": "7", "GITHUB_ACTOR": "dana", "GITHUB_SHA": "9f3c1a7e" * 5}
    holder = LockHolder.here("role/deploy", "tapctl apply", environ)
    assert (holder.actor, holder.commit) == ("dana", "9f3c1a7e" * 5)
    assert ", GITHUB_RUN_ID 7, for dana, 9f3c1a7e9f3c)" in str(holder)
    assert str(LockHolder.here("user/dana", "tapctl apply", {})).count(",") == 0


@pytest.mark.parametrize("odd", ["x\n::error::y\x1b[31m", "\udcff\udcfe", "7" * 3000, "a\u2028b\u202ec"])
def test_what_a_ci_or_a_command_line_says_oddly_is_kept_as_records_and_locks_take_it(odd: str) -> None:
    environ = {**dict.fromkeys(GITHUB, odd), "GITHUB_ACTOR": odd}
    manifest = empty(environment="dev", suffix="dev", account="1" * 12, region="us-east-2")
    kept = manifest.model_copy(update={"ci": ci_run(environ), "actor": ci_actor(environ)})
    assert list(problems(dict(kept))) == []
    lock = LockInfo(id="one", holder=LockHolder.here(odd, odd, environ))
    assert LockInfo.parse(lock.encode()) == lock
    assert str(lock.holder).isprintable()


def test_the_password_in_the_address_of_a_ci_is_not_kept() -> None:
    assert ci_run({"BUILD_URL": "https://dana:correct-horse@jenkins.example/7"}) == "https://***@jenkins.example/7"


@pytest.mark.parametrize(
    "fields",
    [
        {"lease_s": 1e9},
        {"lease_s": 1e300},
        {"lease_s": 0},
        {"lease_s": -1},
        {"beat": 10**30},
        {"beat": -1},
        {"phase": "x" * 501},
        {"id": " " * 60_000},
        {"holder": {"command": " " * 60_000}},
        {"holder": {"pid": 10**12}},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_lock_that_tapctl_never_writes_is_none_of_its(fields: dict[str, Any]) -> None:
    stored = json.loads(LockInfo(id="one", holder=DANA, lease_s=60).encode())
    holder = stored["holder"] | fields.get("holder", {})
    assert LockInfo.parse(json.dumps(stored | fields | {"holder": holder}).encode()) is None


def test_a_lock_too_large_is_not_parsed() -> None:
    assert LockInfo.parse(LockInfo(id="one", holder=DANA).encode() + b" " * 20_000) is None


def test_a_holder_with_a_long_command_is_still_one() -> None:
    holder = LockHolder.here("d" * 600, "tapctl " + "x" * 10_000, {"CI_JOB_URL": "https://x/" + "y" * 900})
    lock = LockInfo(id="one", holder=holder)
    assert LockInfo.parse(lock.encode()) == lock


def test_a_released_lock_may_be_taken_over_at_once_and_says_so() -> None:
    lock = LockInfo(id="one", holder=DANA, lease_s=60, renewals=7)
    released = lock.released()
    assert LockInfo.parse(released.encode()) == released
    assert (released.is_released, lock.is_released, LockInfo(id="a", holder=DANA).is_released) == (True, False, False)
    assert str(released).endswith(", released")
    assert released.encode() != lock.encode()


def test_a_lock_reads_what_it_wrote_and_nothing_else() -> None:
    lock = LockInfo(id="one", holder=DANA)
    text = lock.encode()
    assert LockInfo.parse(text) == lock
    assert LockInfo.parse(text[:-1]) is None
    assert LockInfo.parse(b"") is None


def test_a_stored_lock_keeps_its_words() -> None:
    lock = json.loads(LockInfo(id="one", holder=DANA).encode())
    assert list(lock) == ["id", "holder", "phase", "lease_s", "beat"]
    assert list(lock["holder"]) == ["who", "host", "pid", "command", "since", "ci", "machine", "commit", "actor"]


def test_a_holder_says_who_where_what_and_since_when() -> None:
    assert str(DANA) == "dana on laptop (pid 42) runs tapctl apply --env dev since 2031-05-06T07:08:09Z"


def test_this_process_can_be_a_holder() -> None:
    holder = LockHolder.here("dana", "tapctl apply", {"CI_JOB_URL": "https://gitlab.example/j/1"})
    assert holder.who == "dana"
    assert ", https://gitlab.example/j/1) runs tapctl apply since 20" in str(holder)
