"""Service Quotas: an increase is granted as it is asked for, and in force at once."""

from __future__ import annotations

import uuid
from typing import Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("service-quotas")
SERVICE: Final = Service(name="service-quotas", contract=(contract,), throttling="TooManyRequestsException")


def _raised(request: Request) -> dict[tuple[str, str], float]:
    """Return the quotas that were raised, by the codes of service and quota."""
    raised: dict[tuple[str, str], float] = notes_on(request.backend("service-quotas")).setdefault("raised", {})
    return raised


def quota(request: Request, service: str, code: str) -> float:
    """Tell a quota that is in force for a request of any service: moto's default, or what it was raised to."""
    told: float = request.backend("service-quotas").get_service_quota(service, code)["Value"]
    return _raised(request).get((service, code), told)


@contract("RequestServiceQuotaIncrease", "GetServiceQuota")
def an_increase_is_granted(request: Request, proceed: Next) -> Reply:
    """A quota becomes what is asked for if that is more (Service Quotas API reference); moto raises none."""
    params = request.params
    service, code = params["ServiceCode"], params["QuotaCode"]
    wanted = params.pop("DesiredValue", None)
    reply: Reply = proceed() if wanted is None else request.call("GetServiceQuota", ServiceCode=service, QuotaCode=code)
    have = quota(request, service, code)
    if wanted is None:
        return {"Quota": {**reply["Quota"], "Value": have}}
    if wanted <= have:
        raise ServiceError("IllegalArgumentException", f"Your quota is {have} already.")
    _raised(request)[service, code] = wanted
    asked = {name: reply["Quota"][name] for name in ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName")}
    return {"RequestedQuota": {"Id": uuid.uuid4().hex, "DesiredValue": wanted, "Status": "APPROVED", **asked}}
