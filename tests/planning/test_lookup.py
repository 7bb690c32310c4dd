"""Facts that a plan takes from the record before it looks at AWS."""

from __future__ import annotations

import pytest

from tapctl.engine.model import address
from tapctl.engine.record import Entry, Phase
from tapctl.manifest.manifest import Manifest, empty
from tapctl.names import Names
from tapctl.planning.lookup import address_demand
from tapctl.stack.network import AddressDemand
from tests.conftest import ACCOUNT, REGION

FUNCTION = ("lambda-function", "payment-processor-prod")
FIRST, SECOND = (("db-instance", f"db-cluster-prod-{index}") for index in range(2))


def recording(*made: tuple[str, str], making: tuple[str, str] | None = None) -> Manifest:
    entries = {address(*each): Entry(type=each[0], id=each[1], phase=Phase.MADE, spec={}) for each in made}
    if making:
        entries[address(*making)] = Entry(type=making[0], id=making[1], phase=Phase.MAKING, spec={})
    target = {"environment": "prod", "suffix": "prod", "account": ACCOUNT, "region": REGION}
    return empty(**target).model_copy(update={"entries": entries})


@pytest.mark.parametrize(
    ("manifest", "arrivals"),
    [
        (recording(), AddressDemand(function=True, instances=2)),
        (recording(("kms-key", "alias/db-key-prod")), AddressDemand(function=True, instances=2)),
        (recording(FUNCTION), AddressDemand(function=False, instances=2)),
        (recording(FUNCTION, FIRST, making=SECOND), AddressDemand(function=False, instances=1)),
        (recording(FIRST, SECOND, ("db-instance", "db-cluster-prod-2")), AddressDemand(function=True, instances=0)),
        (recording(FUNCTION, FIRST, SECOND), AddressDemand(function=False, instances=0)),
    ],
)
def test_resources_not_yet_made_demand_addresses(manifest: Manifest, arrivals: AddressDemand) -> None:
    assert address_demand(manifest, Names("prod", ACCOUNT, REGION), 2) == arrivals
