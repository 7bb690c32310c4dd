"""The network that the files name, as AWS tells it now: what no record can tell otherwise."""

from __future__ import annotations

from tapctl.errors import AwsRefused, TapctlError
from tapctl.session.session import Session
from tapctl.stack.network import NetworkContract, named_vpc, resolve


def network_of_files(session: Session) -> NetworkContract | TapctlError:
    """Look the network up; or why nobody can: the files cannot be used, it is broken, or it may not be asked for."""
    try:
        return resolve(session.aws, session.config.networking, folder=session.invocation.config)
    except TapctlError as error:
        return error


def vpc_of_files(session: Session) -> str | TapctlError:
    """Look up the VPC's id alone, as broken as the rest of the network may be; or why nobody can."""
    try:
        return named_vpc(session.aws, session.config.networking, session.invocation.config)
    except TapctlError as error:
        return error


def why_unknown(error: TapctlError) -> str:
    """The words, on one line, on what stands against it."""
    return "; ".join([error.cause, *(error.evidence or "").splitlines()])


def way_out(error: TapctlError) -> str:
    """The words on what makes the network known, where this stood against it."""
    if isinstance(error, AwsRefused) and error.is_denied:
        return f"allow {error.permission}, then run the same command again"
    return error.hint or "run the same command again"
