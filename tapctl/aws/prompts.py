"""Prompts on the way to credentials: any but our own is refused at once, and nothing is waited for without an end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from tapctl.errors import WrongTarget
from tapctl.notices import Notify
from tapctl.safety.files import read_file

HELPER_S = 60
"""The longest that a ``credential_process`` may take."""
QUIET_S = 5
"""The seconds after which the user is told that it is waited for."""

_MAX_TOKEN_BYTES: Final = 64 * 1024


def forbid_prompts(core: Any, notify: Notify) -> None:
    """Make this botocore session's credential providers refuse to ask: for an MFA code, through a helper, or a pipe.

    ``notify``: told of a helper that is waited for. botocore has no public way to say so.
    """
    for provider in core.get_component("credential_provider").providers:
        _forbid(provider, notify)


def _forbid(provider: Any, notify: Notify) -> Any:
    attributes = vars(provider)
    if "_prompter" in attributes:
        attributes["_prompter"] = _refuse
    if "_popen" in attributes:
        attributes["_popen"] = partial(_Helper, notify)
    if "_token_loader_cls" in attributes:
        attributes["_token_loader_cls"] = lambda path: partial(_read_token, path)
    if hasattr(provider, "ENV_VAR_AUTH_TOKEN_FILE"):
        # Nothing public of botocore's stands between the provider and the file of its token.
        attributes["_build_headers"] = partial(_build_headers, provider, provider._build_headers)  # noqa: SLF001
    builder = attributes.get("_profile_provider_builder")
    if builder is not None:  # makes the providers of a source profile
        make = builder.providers
        vars(builder)["providers"] = lambda *args, **kwargs: [_forbid(each, notify) for each in make(*args, **kwargs)]
    return provider


def _read_token(path: str) -> str:
    """The token that a file holds: a plain one, since nobody may ever write into a pipe.

    Raises:
        OSError: it is none, is too large, or cannot be read.
    """
    return read_file(Path(path), _MAX_TOKEN_BYTES).decode()


def _build_headers(provider: Any, build: Callable[[], Any]) -> Any:
    """The headers for a container's credentials; the file of their token is looked at before botocore opens it."""
    if path := os.environ.get(provider.ENV_VAR_AUTH_TOKEN_FILE):
        _read_token(path)
    return build()


def _refuse(prompt: str) -> NoReturn:
    raise WrongTarget(
        "the AWS profile wants an MFA code, and tapctl never asks for one",
        evidence=prompt.strip().rstrip(":"),
        hint="get a session first (aws sso login, or aws sts get-session-token), and run tapctl with its credentials",
    )


class _Helper(subprocess.Popen[bytes]):
    """A helper that has nobody to ask: no input, no terminal, and a limit on its time."""

    def __init__(self, notify: Notify, *args: Any, **kwargs: Any) -> None:
        self._notify = notify
        kwargs.update(stdin=subprocess.DEVNULL, start_new_session=True)
        super().__init__(*args, **kwargs)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for what the helper prints.

        Raises:
            WrongTarget: it does not end.
        """
        try:
            with suppress(subprocess.TimeoutExpired):
                return super().communicate(input, QUIET_S)
            self._notify(f"waiting for the credential_process of the AWS profile, at most {HELPER_S} s")
            return super().communicate(input, timeout or HELPER_S - QUIET_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)  # of its own session: what it started goes with it
            super().communicate()
            raise WrongTarget(
                "the credential_process of the AWS profile does not end",
                evidence=f"{self.args!r} has not ended in {HELPER_S} s",
                hint="make it answer without asking anybody, or log in and set AWS_PROFILE to another profile",
            ) from None
