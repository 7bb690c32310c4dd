"""Trails: which events of AWS's audit log tell of a change of which field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Trail:
    """The events that CloudTrail writes when somebody changes a resource of one type.

    An event is named as CloudTrail names it, versions included (``UpdateFunctionConfiguration20150331v2``); after a
    colon stands the parameter of the request that tells the field, where the event is about several; with its value
    (``attributeName=Policy``) where that tells it.
    """

    source: str
    """The service: ``lambda`` of ``lambda.amazonaws.com``."""
    whole: tuple[str, ...]
    """The events that make or remove the resource, and so may change every field."""
    fields: Mapping[str, tuple[str, ...]]
    """Field to the events that change it; empty where CloudTrail writes none."""
    named: bool = True
    """True if the events name the resource; else they are found by their own name, and by what the request says."""
    of_items: frozenset[str] = frozenset()
    """Fields whose events are about what the items name by their first word: a list that a rule names."""
    is_global: bool = False
    """True if the service writes its events in the partition's home region."""

    def events(self, field: str) -> Iterator[tuple[str, str]]:
        """The events that may have changed a field, each with the parameter that has to be in its request, or ``""``.

        ``field``: a path (``tags.Owner``); what is no field of the spec concerns the whole resource.
        """
        for event in (*self.fields.get(field.partition(".")[0], ()), *self.whole):
            name, _, parameter = event.partition(":")
            yield name, parameter
