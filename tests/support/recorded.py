"""A record as an apply leaves it, made from the files alone."""

from __future__ import annotations

from tapctl.config import Config
from tapctl.engine import refs
from tapctl.engine.record import Entry, Phase
from tapctl.names import Names
from tapctl.stack.definition import Artifact, build
from tapctl.stack.network import NetworkContract
from tapctl.stack.package import Package

NETWORK = NetworkContract(reference="cloudformation:networking", vpc_id="vpc-1", subnet_ids=("s-1",), zones=("a",))
DIGEST = "sha256:" + "a" * 64


def recorded(config: Config, names: Names) -> dict[str, Entry]:
    """The entries that an apply of this configuration leaves."""
    known: dict[str, dict[str, str]] = {}
    entries = {}
    code = Artifact(package=Package("handler.zip", "sha", b"zip"))
    if config.processor.package == "image":
        code = Artifact(image_uri=f"{names.account}.dkr.ecr.{names.region}.amazonaws.com/payment-processor@{DIGEST}")
    for resource in build(config, names, NETWORK, code):
        outputs = resource.reconciler.outputs.model_fields
        known[resource.address] = {name: f"{name} of {resource.address}" for name in outputs}
        spec = refs.to_json(refs.resolve(resource.spec, known))
        made = Entry(type=resource.type, id=resource.id, phase=Phase.MADE, spec=spec, outputs=known[resource.address])
        entries[resource.address] = made
    return entries
