"""Which run of which CI this is, so that whoever waits for it finds it."""

from __future__ import annotations

from collections.abc import Mapping

# Each documented by its maker as the address of the run.
_ADDRESSES = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")
# Each documented as what tells this run from every other.
_IDS = ("CODEBUILD_BUILD_ID", "BITBUCKET_BUILD_NUMBER", "BUILD_BUILDID")


def ci_run(environ: Mapping[str, str]) -> str:
    """The CI run that these variables describe, as an address where there is one; empty outside of a CI.

    GitHub Actions, GitLab, Jenkins, CircleCI, Buildkite; CodeBuild, Bitbucket and Azure Pipelines by their run's id.
    """
    run = environ.get("GITHUB_RUN_ID")
    if run:
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        return f"{server}/{repository}/actions/runs/{run}" if server and repository else f"GITHUB_RUN_ID {run}"
    for name in _ADDRESSES:
        if environ.get(name):
            return environ[name]
    return next((f"{name} {environ[name]}" for name in _IDS if environ.get(name)), "")
