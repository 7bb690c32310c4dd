"""moto as a WSGI application without three things that take most of its time and that nobody here asks for.

For each request moto lists its own folders on disk to find the service of the host, and searches a class for its
methods: both are remembered. For each KMS key moto makes an RSA key, also for a symmetric one, which has none in AWS.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def dispatcher() -> Any:
    """Build moto's application for all services."""
    from moto.core import responses, utils
    from moto.kms import models as kms
    from moto.kms.utils import KeySpec, generate_private_key
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    class Dispatcher(DomainDispatcherApplication):
        """Finds the service of each host once."""

        def __init__(self) -> None:
            super().__init__(create_backend_app)
            self._backend_for_host = cache(super().get_backend_for_host)

        def get_backend_for_host(self, host: str | None) -> Any:
            """Return the service of this host."""
            return self._backend_for_host(host)

    def private_key(key_spec: str) -> Any:
        return None if key_spec == KeySpec.SYMMETRIC_DEFAULT else generate_private_key(key_spec)

    vars(kms)["generate_private_key"] = private_key
    vars(responses)["method_names_from_class"] = cache(utils.method_names_from_class)
    return Dispatcher()
