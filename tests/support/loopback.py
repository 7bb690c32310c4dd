"""Sockets that reach this machine alone, while the tests run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OutsideWorld(RuntimeError):
    """Raised when a test connects to another machine."""


class _LoopbackSocket(socket.socket):
    def connect(self, address: Any) -> None:
        self._refuse_outside(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        self._refuse_outside(address)
        return super().connect_ex(address)

    def _refuse_outside(self, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            self.close()
            raise OutsideWorld(f"tests may only reach loopback, not {address[0]}")


@contextmanager
def loopback_only() -> Iterator[None]:
    """Refuse every connection to another machine within the block."""
    library: Any = socket
    real = socket.socket
    library.socket = _LoopbackSocket  # the one class of the library that is replaced
    try:
        yield
    finally:
        library.socket = real
