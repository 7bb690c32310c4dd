"""The words that a shell offers: environments, suffixes and addresses, from the files and local records alone.

A completion asks nobody and never fails: where nothing can be read, nothing is offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tapctl.errors import TapctlError

if TYPE_CHECKING:
    import click

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@=+/-]*")

Complete = Callable[["click.Context", "click.Parameter", str], list[str]]
"""A callback as click takes it: the words that begin with what is typed so far."""


def known_environments(env: Mapping[str, str], folder: str | None = None) -> tuple[str, ...]:
    """The environments that have a file, in the folder that is named, or that ``TAPCTL_CONFIG`` names."""
    from tapctl.config import environments

    with suppress(TapctlError, OSError, ValueError):
        return environments(Path(folder or env.get("TAPCTL_CONFIG") or "environments"))
    return ()


def complete_environment(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Offer the environments."""
    return _matching(known_environments(*_places(context)[:2]), typed)


def complete_suffix(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Offer the suffixes that have a local record."""
    return _matching(_records(context), typed)


def complete_address(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Offer the addresses that the local record of the environment knows; of all records where none is named."""
    records = _records(context)
    chosen = context.params.get("suffix") or context.params.get("env")
    entries = [address for suffix, known in records.items() if chosen in (None, suffix) for address in known]
    return _matching(entries, typed)


def _places(context: click.Context) -> tuple[dict[str, str], str | None, str]:
    """The environment's variables, the folder of the files, and the state, as far as the line has named them."""
    import os

    params: Mapping[str, Any] = context.params
    state = params.get("state") or os.environ.get("TAPCTL_STATE") or "./manifests"
    return dict(os.environ), params.get("folder"), state


def _records(context: click.Context) -> dict[str, list[str]]:
    """The addresses of each local record, by suffix."""
    from tapctl.session.target import recorded_addresses

    with suppress(TapctlError, OSError, ValueError):
        return recorded_addresses(_places(context)[2])
    return {}


def _matching(words: Iterable[str], typed: str) -> list[str]:
    """The words that begin so. The shell puts them unquoted into the line: names with a meaning to it are left out."""
    return sorted(word for word in set(words) if word.startswith(typed) and _PLAIN.fullmatch(word))
