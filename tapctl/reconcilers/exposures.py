"""The reading of exposures: who else was let in to a resource, and what leads out of it (`Reconciler.left_alone`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from tapctl.aws.answers import why_unread
from tapctl.aws.refusals import is_not_offered
from tapctl.engine.model import Observed
from tapctl.engine.waiver import DETAILS
from tapctl.errors import AwsNoAnswer, AwsRefused
from tapctl.safety.redaction import is_secret

_LONGEST: Final = 300


def with_details(item: str, details: Mapping[str, Any]) -> str:
    """An item of an exposure with what decides how much it opens, in AWS's words; members at their defaults left out.

    A waiver of the item (``live``) covers it with these details alone: an exposure that grows is another item. Details
    that are long, or look like a secret, are told by their digest: the rest of the item stays readable.
    """
    given = {name: value for name, value in details.items() if _is_given(value)}
    if not given:
        return item
    text = json.dumps(given, sort_keys=True, ensure_ascii=False, default=_utc)
    if len(text) > _LONGEST or is_secret(text):
        text = f"{', '.join(sorted(given))} of SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return f"{item}{DETAILS}{text}"


def _is_given(value: Any) -> bool:
    """True if there is a value: AWS answers with structures in which nothing is set, too."""
    return any(map(_is_given, value.values())) if isinstance(value, Mapping) else bool(value)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def with_exposures(seen: Observed[Any, Any], reads: Mapping[str, Callable[[], Any]]) -> Observed[Any, Any]:
    """Return ``seen`` with each field that ``reads`` names as its read answers.

    A field that AWS refuses to tell, for whatever reason, ends no look at the others; nor does one of which its answer
    cannot be used. "Not found" is such a refusal: each of these reads answers an empty list, or nothing, where nobody
    was let in, and says so only of the resource itself, which was seen a moment ago. Who looks sees whether it is there
    (`observe_all`).

    Raises:
        AwsRefused: AWS does not take the credentials.
        AwsNoAnswer: no answer came.
    """
    values: dict[str, Any] = {}
    unreadable, refusals, not_offered = dict(seen.unreadable), dict(seen.refusals), dict(seen.not_offered)
    for name, read in reads.items():
        try:
            values[name] = read()
        except AwsRefused as error:
            if error.is_bad_credentials:
                raise
            if is_not_offered(error):
                not_offered[name] = error.iam_action
                continue
            unreadable[name] = error.iam_action
            if not error.is_denied:
                refusals[name] = error.refusal
        except AwsNoAnswer as error:
            unreadable[name], refusals[name] = error.iam_action, why_unread(error)
    spec = seen.spec.model_copy(update=values)
    return replace(seen, spec=spec, unreadable=unreadable, refusals=refusals, not_offered=not_offered)
