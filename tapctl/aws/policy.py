"""IAM policy documents as values: equal when they mean the same, JSON only on the way to AWS.

AWS gives a policy back in another order and form than it was sent (one string or a list, an account id or its root
ARN); `parse` reads every form into one. Elements that tapctl never writes (NotAction and its kind) are read all the
same, so that a policy somebody widened never looks like ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from tapctl.aws.answers import unicode_of, unusable

VERSION = "2012-10-17"
# The version of a policy that names none (IAM user guide, "Version").
_DEFAULT_VERSION = "2008-10-17"
# A token, ⟦…⟧, as JSON writes it.
_TOKEN = re.compile(r"\\u27e6.*?\\u27e7")
_ELEMENTS = {name.lower(): name for name in ("Sid", "Effect", "Principal", "Action", "Resource", "Condition")}
"""The elements that a statement has fields for, by their names in lower case: in which case AWS takes them all."""
_OWN = _ELEMENTS.keys()
_PARTS = {name.lower(): name for name in ("Version", "Statement")}
UNREAD = "in no known form"
"""Stands in `Statement.other` for an element: a whole statement, as it was written, that no field can hold."""
_ACCOUNT_ROOT = re.compile(r"arn:[^:]+:iam::(\d{12}):root")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Value):
    """A condition: operator, key, and the values of which any one may match."""

    operator: str
    key: str
    values: frozenset[str]


class Principal(_Value):
    """A principal: its kind (``Service``, ``AWS``, ``Federated``) and its name.

    An account's id and the ARN of its root mean the same, and are the same value here. A role that was deleted is shown
    by its unique id (``AROA...``): that is another principal, even where a role of its name exists again.
    """

    kind: str
    name: str

    @field_validator("name")
    @classmethod
    def _account_for_its_root(cls, name: str, info: ValidationInfo) -> str:
        root = _ACCOUNT_ROOT.fullmatch(name) if info.data.get("kind") == "AWS" else None
        return root.group(1) if root else name


class Statement(_Value):
    """A statement. ``other`` holds, as canonical JSON, elements that tapctl never writes."""

    named_by: ClassVar[str] = "sid"
    """The field that names a statement among those of its policy: reports tell by it what has changed in which."""

    sid: str = ""
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: frozenset[Principal] = frozenset()
    actions: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    conditions: frozenset[Condition] = frozenset()
    other: str = ""

    @field_validator("other")
    @classmethod
    def _elements(cls, other: str) -> str:
        # Whoever may write records may have written it, and it is written back beside what is ours: judged is the rest.
        elements = json.loads(other) if other else {}
        if not isinstance(elements, dict) or _OWN & {name.lower() for name in elements}:
            raise ValueError("no elements beside those of a statement")
        return other

    @model_validator(mode="after")
    def _each_test_once(self) -> Statement:
        # JSON has one place for an operator and a key: of two, one would be lost on the way to AWS.
        if len({(condition.operator, condition.key) for condition in self.conditions}) < len(self.conditions):
            raise ValueError("an operator tests a key once: give all its values in one condition")
        return self


class PolicyDocument(_Value):
    """A policy: a set of statements, since the order means nothing.

    The version is kept, since in the older one ``${...}`` is plain text.
    """

    statements: frozenset[Statement]
    version: str = VERSION


def policy(*statements: Statement) -> PolicyDocument:
    """Build a policy of these statements."""
    return PolicyDocument(statements=frozenset(statements))


def allow(
    sid: str,
    actions: Iterable[str],
    resources: Iterable[str] = (),
    *,
    to: Mapping[str, str] | None = None,
    when: Iterable[Condition] = (),
) -> Statement:
    """Build a statement that allows ``actions`` on ``resources`` ``to`` a principal, ``when`` all conditions hold."""
    return Statement(
        sid=sid,
        actions=frozenset(actions),
        resources=frozenset(resources),
        principals=frozenset(Principal(kind=kind, name=name) for kind, name in (to or {}).items()),
        conditions=frozenset(when),
    )


def when(operator: str, key: str, *values: str) -> Condition:
    """Build a condition: the key's value is one of these."""
    return Condition(operator=operator, key=key, values=frozenset(values))


def _as_tuple(value: Any) -> list[str]:
    """List the strings of a JSON element that may be one value or a list; ``true`` as AWS writes it."""
    values = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in values]


def _principals(value: Any) -> frozenset[Principal]:
    if isinstance(value, str):
        # "*": everybody, which IAM also writes as {"AWS": "*"}.
        return frozenset({Principal(kind="AWS", name=value)})
    principals: set[Principal] = set()
    for kind, names in value.items():
        principals.update(Principal(kind=kind, name=name) for name in _as_tuple(names))
    return frozenset(principals)


def _named(raw: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Name the elements as AWS's grammar does, in whatever case they were written.

    Raises:
        ValueError: one is there twice.
    """
    named = {names.get(key.lower(), key): value for key, value in raw.items()}
    if len(named) < len(raw):
        raise ValueError("an element is there twice")
    return named


def _statement(raw: Mapping[str, Any]) -> Statement:
    """Read a statement; one that no field can hold counts as an odd one: it is seen, and hides nothing else."""
    try:
        return _read(_named(raw, _ELEMENTS))
    except (ValueError, TypeError, AttributeError, KeyError):
        if not isinstance(raw, Mapping):
            raise
        return Statement(other=json.dumps({UNREAD: raw}, sort_keys=True))


def _read(raw: Mapping[str, Any]) -> Statement:
    other = {key: raw[key] for key in sorted(set(raw) - set(_ELEMENTS.values()))}
    conditions = frozenset(
        Condition(operator=operator, key=key, values=frozenset(_as_tuple(values)))
        for operator, keys in raw.get("Condition", {}).items()
        for key, values in keys.items()
    )
    return Statement(
        sid=raw.get("Sid", ""),
        effect=raw["Effect"],
        principals=_principals(raw.get("Principal", {})),
        actions=frozenset(_as_tuple(raw.get("Action", []))),
        resources=frozenset(_as_tuple(raw.get("Resource", []))),
        conditions=conditions,
        other=json.dumps(other, sort_keys=True) if other else "",
    )


def parse(document: str | Mapping[str, Any]) -> PolicyDocument:
    """Read a policy from AWS's answer, JSON text or already decoded."""
    raw = _named(json.loads(document) if isinstance(document, str) else document, _PARTS)
    statements = raw.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return PolicyDocument(
        statements=frozenset(map(_statement, statements)), version=raw.get("Version", _DEFAULT_VERSION)
    )


def from_answer(document: object, action: str) -> PolicyDocument:
    """Read the policy that an operation (``service:Operation``) has answered.

    Raises:
        AwsNoAnswer: it is no policy.
    """
    try:
        known = json.loads(document) if isinstance(document, str) else document
        return parse(unicode_of(json.dumps(known, ensure_ascii=False)))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise unusable(action, f"its policy is none ({type(error).__name__})") from None


def as_json(document: PolicyDocument) -> str:
    """Write a policy as the JSON text that AWS takes: sorted, so that equal policies are the same text."""
    statements = sorted(map(_element, document.statements), key=lambda element: json.dumps(element, sort_keys=True))
    return json.dumps({"Version": document.version, "Statement": statements})


def matches_template(documents: Mapping[str, PolicyDocument], wanted: Mapping[str, PolicyDocument]) -> bool:
    """True if live policies, by name, match the wanted ones, in which an unresolved token is a wildcard.

    Tokens are those of `tapctl.engine.refs`. Compares canonical JSON text: a token whose value would sort elsewhere
    than the token itself is no match.
    """
    patterns = {
        name: '[^"]*'.join(map(re.escape, _TOKEN.split(as_json(document)))) for name, document in wanted.items()
    }
    return documents.keys() == patterns.keys() and all(
        re.fullmatch(patterns[name], as_json(document)) for name, document in documents.items()
    )


def _element(statement: Statement) -> dict[str, Any]:
    # Somebody else's elements first, beside which something of ours is written: they override none.
    element: dict[str, Any] = json.loads(statement.other) if statement.other else {}
    element["Effect"] = statement.effect
    if statement.actions or not statement.other:
        element["Action"] = sorted(statement.actions)
    if statement.sid:
        element["Sid"] = statement.sid
    if statement.resources:
        element["Resource"] = sorted(statement.resources)
    if statement.principals:
        kinds: dict[str, list[str]] = {}
        for principal in sorted(statement.principals, key=lambda principal: (principal.kind, principal.name)):
            kinds.setdefault(principal.kind, []).append(principal.name)
        element["Principal"] = kinds
    if statement.conditions:
        tests: dict[str, dict[str, list[str]]] = {}
        for condition in sorted(statement.conditions, key=lambda condition: (condition.operator, condition.key)):
            tests.setdefault(condition.operator, {})[condition.key] = sorted(condition.values)
        element["Condition"] = tests
    return element
