"""An AWS that answers what a test says, for what the embedded one cannot show: refusals, busy things, failed states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tapctl.aws.client import Connection
from tapctl.errors import AwsRefused


def refused(operation: str, code: str, message: str = "no") -> AwsRefused:
    """AWS's no to an operation, written ``service:Operation``."""
    service, name = operation.split(":")
    return AwsRefused(service, name, code, message)


def scripted(answers: Mapping[str, Any] | None = None) -> Any:
    """A client that answers as a test says; untyped, since it stands in for `tapctl.aws.client.Aws`."""
    return ScriptedAws(answers or {})


@dataclass
class ScriptedAws:
    """Stands in for the client. ``answers``: operation to a reply, or a refusal to raise; any other answers {}."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    partition: str = "aws"
    region: str = "us-east-1"
    account: str = "123456789012"
    searches: bool = True
    learnt: set[str] = field(default_factory=set)
    target: Connection = field(default_factory=lambda: Connection("us-east-1"))

    def __getattr__(self, service: str) -> _Client:
        return _Client(self)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def memoized(self) -> ScriptedAws:
        return self

    def afresh(self) -> ScriptedAws:
        return self

    def batch_ids(self, type_: str, id_: str, most: int | None = None) -> tuple[str, ...]:
        return (id_,)

    def round_ids(self, type_: str) -> tuple[str, ...]:
        return ()

    def read(self, call: Any, **asked: Any) -> Any:
        return call(**asked)

    def pages(self, paginator: Any, **asked: Any) -> list[Any]:
        return [paginator(**asked)]

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of this operation's calls, in order."""
        return [asked for name, asked in self.calls if name == operation]


class _Client:
    def __init__(self, aws: ScriptedAws) -> None:
        self._aws = aws

    def __getattr__(self, operation: str) -> Any:
        def call(**asked: Any) -> Any:
            self._aws.calls.append((operation, asked))
            answer = self._aws.answers.get(operation, {})
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, operation: str) -> Any:
        return getattr(self, operation)
