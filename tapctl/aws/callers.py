"""Names of the caller in AWS's records: the session's name, the source identity, the user agent."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tapctl import __version__
from tapctl.safety.redaction import redact

# Whom a CI runs for: GitHub Actions, GitLab, Buildkite, Azure Pipelines, CircleCI.
_ACTORS: Final = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "BUILD_REQUESTEDFOR",
    "CIRCLE_USERNAME",
)
_NOT_OF_STS = re.compile("[^A-Za-z0-9_.@-]")
_LONGEST = 40
"""Of the 64 characters that STS takes, with room for the run."""
_LONGEST_KEPT: Final = 500


def as_kept(text: str) -> str:
    """The text of a variable, or of the command line, as records and locks keep it: they are refused with any other.

    One line of characters that print, not too long, and without the user part of an address.
    """
    # A secret is known by its own characters, and an address by none that break a line.
    plain = "".join(char if char.isprintable() else "?" for char in redact(text))
    return redact(plain)[:_LONGEST_KEPT]


def ci_actor(environ: Mapping[str, str]) -> str:
    """Whom a CI runs for, by its variables; empty where they name nobody."""
    return as_kept(next((environ[name] for name in _ACTORS if environ.get(name)), ""))


def _caller() -> str:
    """The person in the letters that STS takes: the CI's actor, else this machine's user."""
    try:
        who = ci_actor(os.environ) or getpass.getuser()
    except (OSError, KeyError):  # a container's user has no name
        who = str(os.getuid())
    return _NOT_OF_STS.sub("-", who)[:_LONGEST]


def session_name(run: str) -> str:
    """Name of the actor and the run, as CloudTrail shows it with each call: ``tapctl-dana-9f3c1a7e0b2d``."""
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: [\\w+=,.@-]{2,64}
    return f"tapctl-{_caller()}-{run[:12]}"


def user_agent(run: str) -> str:
    """The end of the user agent, as CloudTrail and S3's access logs show it with each call."""
    return f"tapctl/{__version__} run/{run}"


def with_source_identity(create_client: Callable[..., Any]) -> Callable[..., Any]:
    """Make the STS clients of an `AssumeRoleCredentialFetcher` tell the source identity, where the trust allows it.

    Unlike a session's name, the source identity stays when the role assumes another. The role's trust has to allow
    sts:SetSourceIdentity; and one that is set already (by an identity provider) cannot be changed: both are "access
    denied", and then the role is assumed without.
    """

    def create(*args: Any, **kwargs: Any) -> Any:
        return _Sts(create_client(*args, **kwargs))

    return create


class _Sts:
    def __init__(self, client: Any) -> None:
        self._client = client

    def assume_role(self, **parameters: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self._client.assume_role(**parameters, SourceIdentity=f"tapctl-{_caller()}")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "AccessDenied":
                raise
        return self._client.assume_role(**parameters)
