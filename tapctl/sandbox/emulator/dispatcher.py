"""moto as a WSGI application with two caches, without which a third of the time of each request goes there.

For each request moto lists its own folders on disk to find the service of the host, and searches a class for its
methods.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def dispatcher() -> Any:
    """Build moto's application for all services."""
    from moto.core import responses, utils
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    class Dispatcher(DomainDispatcherApplication):
        """Finds the service of each host once."""

        def __init__(self) -> None:
            super().__init__(create_backend_app)
            self._backend_for_host = cache(super().get_backend_for_host)

        def get_backend_for_host(self, host: str | None) -> Any:
            """Return the service of this host."""
            return self._backend_for_host(host)

    vars(responses)["method_names_from_class"] = cache(utils.method_names_from_class)
    return Dispatcher()
