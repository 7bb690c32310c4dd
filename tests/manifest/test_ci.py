from __future__ import annotations

import pytest

from tapctl.manifest.lock import ci_run

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
