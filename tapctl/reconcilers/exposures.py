"""The reading of exposures: who else was let in to a resource, and what leads out of it (`Reconciler.left_alone`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tapctl.aws.refusals import NO_SUCH_OPERATION, UnreadableFields
from tapctl.engine.model import Observed
from tapctl.errors import AwsRefused


def with_exposures(
    seen: Observed[Any, Any], reads: Mapping[str, Callable[[], Any]], *, gone: tuple[str, ...] = ()
) -> Observed[Any, Any]:
    """Return ``seen`` with each field that ``reads`` names as its read answers.

    A field that AWS refuses to tell, as in a state that another one shows, ends no look at the others.
    ``gone``: AWS's codes for a resource that was deleted since it was seen, which has no exposures any more.

    Raises:
        AwsRefused: AWS does not take the credentials.
    """
    unreadable = UnreadableFields(dict(seen.unreadable))
    values: dict[str, Any] = {}
    refusals = dict(seen.refusals)
    for name, read in reads.items():
        try:
            values[name] = unreadable.read(name, read, getattr(seen.spec, name))
        except AwsRefused as error:
            if error.is_bad_credentials:
                raise
            if not error.matches(*NO_SUCH_OPERATION, *gone):
                unreadable.actions[name], refusals[name] = error.iam_action, error.refusal
    spec = seen.spec.model_copy(update=values)
    return replace(seen, spec=spec, unreadable=unreadable.actions, refusals=refusals)
