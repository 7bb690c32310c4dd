"""Prompts on the way to credentials: any but our own is refused at once, and never waited for."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any, NoReturn

from tapctl.errors import WrongTarget

HELPER_S = 60
"""The longest that a ``credential_process`` may take."""


def forbid_prompts(core: Any) -> None:
    """Make this botocore session's credential providers refuse to ask: for an MFA code, or through a helper.

    botocore has no public way to say so.
    """
    for provider in core.get_component("credential_provider").providers:
        _forbid(provider)


def _forbid(provider: Any) -> Any:
    attributes = vars(provider)
    if "_prompter" in attributes:
        attributes["_prompter"] = _refuse
    if "_popen" in attributes:
        attributes["_popen"] = _Helper
    builder = attributes.get("_profile_provider_builder")
    if builder is not None:  # makes the providers of a source profile
        make = builder.providers
        vars(builder)["providers"] = lambda *args, **kwargs: [_forbid(each) for each in make(*args, **kwargs)]
    return provider


def _refuse(prompt: str) -> NoReturn:
    raise WrongTarget(
        "the AWS profile wants an MFA code, and tapctl never asks for one",
        evidence=prompt.strip().rstrip(":"),
        hint="get a session first (aws sso login, or aws sts get-session-token), and run tapctl with its credentials",
    )


class _Helper(subprocess.Popen[bytes]):
    """A helper that has nobody to ask: no input, no terminal, and a limit on its time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(stdin=subprocess.DEVNULL, start_new_session=True)
        super().__init__(*args, **kwargs)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for what the helper prints.

        Raises:
            WrongTarget: it does not end.
        """
        try:
            return super().communicate(input, timeout or HELPER_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)  # of its own session: what it started goes with it
            super().communicate()
            raise WrongTarget(
                "the credential_process of the AWS profile does not end",
                evidence=f"{self.args!r} has not ended in {HELPER_S} s",
                hint="make it answer without asking anybody, or log in and set AWS_PROFILE to another profile",
            ) from None
