"""The steps that an apply takes only where the user names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Permits:
    """The steps that an apply takes only where the user names them."""

    adopted: tuple[str, ...] = ()
    """Addresses of resources that are not ours and are taken over, or the one word ``all``."""
    allowed: tuple[str, ...] = ()
    """Addresses of resources that may lose data, be removed although they hold data, or get a new major version, or of
    which nothing is left alone that an apply can end."""
    reboot: bool = False
    """True if instances whose parameters wait for it are rebooted."""
    restore: str = ""
    """The snapshot that a cluster which is not there is made from."""
    empty: bool = False
    """True if a cluster which is not there is made without data, although one was there, or a snapshot of it is."""


NO_PERMITS: Final = Permits()
