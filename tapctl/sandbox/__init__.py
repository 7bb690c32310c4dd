"""The sandbox: an emulated AWS in the background, with a networking stack in it.

Nothing here imports moto before it is needed: it is an extra, ``tapctl[sandbox]``.
"""

from __future__ import annotations

from tapctl.sandbox.daemon import ensure, status, stop
from tapctl.sandbox.seeding import Seed, credentials_of, seed_for

__all__ = ["Seed", "credentials_of", "ensure", "seed_for", "status", "stop"]
