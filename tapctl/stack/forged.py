"""Doors that a record tells of and the files that were applied never wanted: somebody has written into it.

A record of the files as they are holds what an apply of them has read back, and so what they want: only code, network
and outputs are AWS's to tell. Where it tells of another rule, policy or way in, or of a resource that they want not,
it is no evidence that an apply made that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from tapctl.config import Config
from tapctl.engine import refs
from tapctl.engine.diff import Difference, details
from tapctl.engine.model import address
from tapctl.engine.record import Entry, Phase, recorded_value
from tapctl.engine.resources import AnyResource
from tapctl.names import Names
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.stack.definition import recorded_stack
from tapctl.stack.waivers import may_be_door


def forged(config: Config, names: Names, entries: Mapping[str, Entry]) -> Iterator[tuple[Entry, Difference | None]]:
    """List what of these entries the configuration that they are of does not want; None: the whole entry.

    In a difference the recorded value is what one has, and that of the files what is wanted. Without exposures, which
    no files want.
    """
    function = entries.get(address(LambdaFunction.type, names.function))
    stack = recorded_stack(config, names, (function and function.confirmed_spec) or {})
    known = {place: entry.outputs or {} for place, entry in entries.items()}
    for place, entry in sorted(entries.items()):
        if entry.phase is Phase.KEPT:
            continue
        if place not in stack:
            yield entry, None
            continue
        yield from ((entry, part) for part in _doors(stack[place], entry, known))


def _doors(resource: AnyResource, entry: Entry, known: refs.KnownOutputs) -> Iterator[Difference]:
    """The differences in fields that may let others in; what is not recorded, or in no known form, is told as that."""
    reconciler, recorded = resource.reconciler, entry.confirmed_spec or {}
    for name in reconciler.spec.model_fields.keys() - reconciler.leaves(allowed=True):
        if not may_be_door(resource.type, name):
            continue
        want = refs.resolve(getattr(resource.spec, name), known)
        try:
            have = recorded_value(reconciler.spec, name, recorded)
        except (KeyError, ValidationError):
            continue
        if not refs.needs(want):
            yield from details(name, have, want)
