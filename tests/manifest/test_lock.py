from __future__ import annotations

import json

import pytest

from tapctl.manifest.lock import LockHolder, LockInfo, ci_run
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


def test_a_lock_reads_what_it_wrote_and_nothing_else() -> None:
    lock = LockInfo(id="one", holder=DANA)
    text = lock.encode()
    assert LockInfo.parse(text) == lock
    assert LockInfo.parse(text[:-1]) is None
    assert LockInfo.parse(b"") is None


def test_a_stored_lock_keeps_its_words() -> None:
    lock = json.loads(LockInfo(id="one", holder=DANA).encode())
    assert list(lock) == ["id", "holder", "phase", "lease_s", "beat"]
    assert list(lock["holder"]) == ["who", "host", "pid", "command", "since", "ci", "machine"]


def test_a_holder_says_who_where_what_and_since_when() -> None:
    assert str(DANA) == "dana on laptop (pid 42) runs tapctl apply --env dev since 2031-05-06T07:08:09Z"


def test_this_process_can_be_a_holder() -> None:
    holder = LockHolder.here("dana", "tapctl apply", {"CI_JOB_URL": "https://gitlab.example/j/1"})
    assert holder.who == "dana"
    assert ", https://gitlab.example/j/1) runs tapctl apply since 20" in str(holder)
