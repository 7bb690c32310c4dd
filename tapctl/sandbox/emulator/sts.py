"""STS in a region that the account has not enabled."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError

contract = Rules("sts")
SERVICE: Final = Service(name="sts", contract=(contract,))


@contract("GetCallerIdentity")
def a_region_that_is_off_knows_nobody(request: Request, proceed: Next) -> Reply:
    """A region that is not enabled (script ``sts.region``) takes good credentials for bad (segmentio/aws-okta#225)."""
    if request.simulation.next_outcome("sts.region"):
        raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.")
    return proceed()
