"""Decisions of IAM: whether policies allow an action on a resource, by the rules of the IAM user guide.

("Policy evaluation logic" and "IAM JSON policy elements: Condition operators"; only the operators that somebody here
uses, and no principals: what a policy of a resource says is not looked at.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"
"""The decisions, as SimulatePrincipalPolicy words them."""

Context = Mapping[str, Sequence[str]]
"""Condition key to its values in a request; a key that a request does not have is absent."""


def decide(documents: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context) -> str:
    """Decide on one action on one resource: a deny wins, and what nothing allows is denied."""
    decision = IMPLICIT_DENY
    for document in documents:
        for statement in _listed(document["Statement"]):
            if _applies(statement, action, resource, context):
                if statement["Effect"] == "Deny":
                    return EXPLICIT_DENY
                decision = ALLOWED
    return decision


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    """True if the statement is about this request. Actions know no upper and lower case."""
    return (
        any(_matches(pattern.lower(), action.lower()) for pattern in _listed(statement.get("Action", [])))
        and any(_matches(pattern, resource) for pattern in _listed(statement.get("Resource", [])))
        and all(
            _holds(operator, key, [str(value) for value in _listed(values)], context)
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    )


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    keys = {name.lower(): values for name, values in context.items()}
    found = keys.get(key.lower())
    if operator == "Null":
        return (found is None) == (wanted[0].lower() == "true")
    name = operator.removeprefix("ForAnyValue:")
    if found is None:
        return name.endswith("IfExists")
    compare = _OPERATORS[name.removesuffix("IfExists")]
    return any(compare(value, each) for value in found for each in wanted)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": lambda value, wanted: _matches(wanted, value),
    "ArnLike": lambda value, wanted: _matches(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}
