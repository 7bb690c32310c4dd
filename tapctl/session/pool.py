"""Clients that the environments of a fleet share: one a connection, one look at our identity, bulk reads for all."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from tapctl.aws.client import Aws, Connection
from tapctl.aws.transport import IN_FLIGHT
from tapctl.notices import Notify, silent

Place = tuple[str, str]
"""Account and region."""


class ClientPool:
    """The clients of a command that reads many environments side by side, and changes none."""

    def __init__(self, ids: Mapping[Place, Mapping[str, tuple[str, ...]]], jobs: int, notify: Notify = silent) -> None:
        """Open no client yet. ``ids``: by place, type to the ids recorded there; ``jobs``: environments at a time.

        ``notify``: as of `Aws`.
        """
        self._ids, self._jobs, self._notify = ids, jobs, notify
        self._clients: dict[Connection, Aws] = {}
        self._memo: dict[str, Future[Any]] = {}
        self.lock = threading.RLock()
        """Held where a client is opened, or the embedded AWS started and furnished."""

    def client(self, connection: Connection, account: str) -> Aws:
        """The view of AWS for one environment, whose calls are those of the calling thread (`Aws.shared`)."""
        with self.lock:
            if connection not in self._clients:
                self._clients[connection] = Aws(connection, IN_FLIGHT * self._jobs, self._notify)
            client = self._clients[connection]
        return client.shared(self._memo, self._ids.get((account, connection.region), {}))
