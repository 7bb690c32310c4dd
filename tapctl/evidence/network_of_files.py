"""The network that the files name, as AWS tells it now: what no record can tell otherwise."""

from __future__ import annotations

from tapctl.errors import TapctlError
from tapctl.session.session import Session
from tapctl.stack.network import NetworkContract, resolve


def network_of_files(session: Session) -> NetworkContract | None:
    """Look the network up; None where the files cannot be used, it is broken, or it may not be asked for."""
    try:
        return resolve(session.aws, session.config.networking, folder=session.invocation.config)
    except TapctlError:
        return None
