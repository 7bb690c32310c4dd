"""moto as a WSGI application, which remembers what is the same for every request: else a third of its time goes there.

For each request moto lists its own folders on disk to tell whose host it is, and searches the class that answers for
its methods.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def dispatcher() -> Any:
    """Moto's application for all services."""
    from moto.core import responses, utils
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    class Dispatcher(DomainDispatcherApplication):
        """Asks once for each host which service it is of."""

        def __init__(self) -> None:
            super().__init__(create_backend_app)
            self._of_host = cache(super().get_backend_for_host)

        def get_backend_for_host(self, host: str | None) -> Any:
            """The service of this host."""
            return self._of_host(host)

    vars(responses)["method_names_from_class"] = cache(utils.method_names_from_class)
    return Dispatcher()
