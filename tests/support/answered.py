"""The answers of one look at a settled environment, recorded, and read again with something in them changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any

import pytest
from botocore.model import OperationModel, Shape

from tapctl.aws.answers import Answer
from tapctl.aws.client import Aws, Connection, Identity
from tapctl.aws.transport import CallLog
from tapctl.config import Config, load
from tapctl.engine.drift import Report, detect_drift
from tapctl.engine.model import Owner
from tapctl.engine.observe import Observation, ObserveRequest, observe_all
from tapctl.engine.ownership import Claimant
from tapctl.engine.plan import Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.resources import Stack
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers import observations_for, registry
from tapctl.stack.definition import Artifact, build
from tapctl.stack.image import resolve as resolve_image
from tapctl.stack.network import resolve as resolve_network
from tests.support.world import REGIONS, World

ACCOUNT = "123456789012"
BEFORE = ""
"""Stands, among addresses, for what is read before the stack: the networking and the image."""
Change = Callable[[Any], None]
"""Changes an answer in place."""


def unchanged(_: Any) -> None:
    """Leave the answer as it is."""


@dataclass(frozen=True)
class Member:
    """A member of the answers of an operation: its way through structures and, as ``[]``, lists and maps."""

    operation: str
    """``service:Operation``."""
    way: tuple[str, ...]
    kind: str
    """The type that the model gives it."""

    def __str__(self) -> str:
        return f"{self.operation} {'.'.join(self.way).replace('.[]', '[]')}"

    def drop(self, answer: Any) -> None:
        """Leave it out of this answer, wherever it is."""
        for container in containers(answer, self.way):
            del container[self.way[-1]]

    def hold(self, value: Any) -> Change:
        """The change that puts this value, or the other one of a boolean, wherever the member is or could be."""

        def put(answer: Any) -> None:
            for container in holders(answer, self.way):
                now = container.get(self.way[-1])
                container[self.way[-1]] = not now if self.kind == "boolean" else value

        return put

    def replace(self, value: Any) -> Change:
        """The change that puts this value in its place, wherever it is."""

        def put(answer: Any) -> None:
            for container in containers(answer, self.way):
                container[self.way[-1]] = value

        return put


def containers(value: Any, way: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Every structure of this answer that has the member at this way."""
    yield from (one for one in holders(value, way) if way[-1] in one)


def holders(value: Any, way: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Every structure of this answer that has, or could have, the member at this way."""
    first, *rest = way
    if not rest:
        yield value
    elif first == "[]":
        for item in list(value.values()) if isinstance(value, dict) else value:
            yield from holders(item, tuple(rest))
    elif first in value:
        yield from holders(value[first], tuple(rest))


def value_of(shape: Shape, deep: int = 3) -> Any:
    """A value of this shape that is no default of AWS's, with all its members, ``deep`` levels of them."""
    kind: Any = shape
    match shape.type_name:
        case "structure":
            return {name: value_of(inner, deep - 1) for name, inner in kind.members.items()} if deep else {}
        case "list":
            return [value_of(kind.member, deep - 1)]
        case "map":
            return {"k": value_of(kind.value, deep - 1)}
        case "timestamp":
            return datetime(2031, 5, 6, tzinfo=UTC)
        case "boolean":
            return True
        case "integer" | "long":
            return 7919
        case "float" | "double":
            return 7919.5
    return "somebody-else-s"


def places(value: Any, shape: Shape) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Every member that this answer has, or could have in a structure that is there: the way to it, and its shape."""
    kind: Any = shape
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, inner in kind.members.items():
            yield (name,), inner
            if name in value:
                yield from (((name, *way), of) for way, of in places(value[name], inner))
    elif shape.type_name in ("list", "map"):
        inner = kind.member if shape.type_name == "list" else kind.value
        for item in value if shape.type_name == "list" else value.values():
            yield from ((("[]", *way), of) for way, of in places(item, inner))


def members(operation: str, answer: Any, shape: Shape | None) -> Iterator[Member]:
    """Every member of this answer that the model does not require."""
    for way, kind in _ways(answer, shape) if shape is not None else ():
        yield Member(operation, way, kind)


def _ways(value: Any, shape: Shape) -> Iterator[tuple[tuple[str, ...], str]]:
    kind: Any = shape
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, inner in kind.members.items():
            if name in value:
                if name not in kind.required_members:
                    yield (name,), inner.type_name
                yield from (((name, *way), of) for way, of in _ways(value[name], inner))
    elif shape.type_name in ("list", "map"):
        inner = kind.member if shape.type_name == "list" else kind.value
        for item in value if shape.type_name == "list" else value.values():
            yield from ((("[]", *way), of) for way, of in _ways(item, inner))


@dataclass(frozen=True)
class _Http:
    status_code: int


@dataclass
class Tape:
    """What AWS answered to each request, by its parameters."""

    answers: dict[str, tuple[OperationModel, int, dict[str, Any]]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    """The operations asked for, in order."""
    changing: str = ""
    """The operation whose answers are changed."""
    change: Change = unchanged

    def record(self, client: Any, _: CallLog) -> None:
        """Keep what this client is answered from now on."""

        def asked(model: OperationModel, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["key"] = _key(model, params)

        def answered(
            http_response: Any, parsed: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: Any
        ) -> None:
            self.heard.append(_name(model))
            self.answers[context["key"]] = (model, http_response.status_code, copy.deepcopy(parsed))

        client.meta.events.register_first("before-call", asked)
        # Before botocore decodes policies.
        client.meta.events.register_first(f"after-call.{client.meta.service_model.service_id.hyphenize()}", answered)

    def play(self, client: Any, log: CallLog) -> None:
        """Answer this client from memory; what it was never asked it answers with nothing."""

        def asked(model: OperationModel, params: dict[str, Any], **_more: Any) -> tuple[_Http, dict[str, Any]]:
            _, status, kept = self.answers.get(_key(model, params), (model, HTTPStatus.OK, {}))
            parsed: dict[str, Any] = copy.deepcopy(kept)
            log.heard.answer = True
            self.heard.append(_name(model))
            if status < HTTPStatus.MULTIPLE_CHOICES and _name(model) == self.changing:
                self.change(parsed)
            return _Http(status), parsed

        client.meta.events.register_first("before-call", asked)

    @contextmanager
    def changed(self, operation: str, change: Change) -> Iterator[None]:
        """Play with this change of this operation's answers."""
        self.changing, self.change = operation, change
        yield
        self.changing, self.change = "", unchanged

    @cached_property
    def members(self) -> list[Member]:
        """Every member of the answers that the model does not require."""
        found: dict[Member, None] = {}
        for _, (model, status, parsed) in sorted(self.answers.items()):
            if status < HTTPStatus.MULTIPLE_CHOICES:
                found.update(dict.fromkeys(members(_name(model), parsed, model.output_shape)))
        return list(found)

    @cached_property
    def possible(self) -> dict[Member, Shape]:
        """Every member that the answers have or could have, with its shape."""
        found: dict[Member, Shape] = {}
        for _, (model, status, parsed) in sorted(self.answers.items()):
            if status < HTTPStatus.MULTIPLE_CHOICES and model.output_shape is not None:
                for way, shape in places(parsed, model.output_shape):
                    found[Member(_name(model), way, shape.type_name)] = shape
        return found


def _name(model: OperationModel) -> str:
    return f"{model.service_model.service_name}:{model.name}"


def _key(model: OperationModel, params: dict[str, Any]) -> str:
    asked = {name: params.get(name) for name in ("url_path", "query_string", "body")}
    return f"{_name(model)} {json.dumps(asked, sort_keys=True, default=str)}"


class _Client(Aws):
    """A client whose every botocore client is prepared, and which asks again only where an answer is changed."""

    def __init__(
        self, target: Connection, tape: Tape, prepare: Callable[[Any, CallLog], None], ids: Mapping[str, Any]
    ) -> None:
        super().__init__(target)
        self.identity = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester")
        self._tape, self._prepare, self._whole = tape, prepare, ids
        self._kept: dict[str, tuple[str, Any]] = {}

    def memoized(self, ids: Mapping[str, tuple[str, ...]] | None = None) -> Aws:
        """A view that asks in bulk, as a round of all resources does."""
        return super().memoized({**(ids or {}), **self._whole})

    def _once(self, key: str, kwargs: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        full = f"{key} {json.dumps(kwargs, sort_keys=True, default=str)}"
        operation, value = self._kept.get(full, ("", None))
        if operation and operation != self._tape.changing:
            self._tape.heard.append(operation)
            return value
        value = call()
        if not self._tape.changing:
            self._kept[full] = (self._tape.heard[-1], value)
        return value

    def _new_client(self, service: str, *, retries: bool) -> Any:
        client = super()._new_client(service, retries=retries)
        self._prepare(client, self.call_log)
        return client


@contextmanager
def noting_reads() -> Iterator[set[str]]:
    """Note which members of answers are looked at, as ``str`` of a `Member` writes them."""
    read: set[str] = set()

    def note(answer: Answer, name: str) -> None:
        action, place = answer._action, answer._place
        read.add(f"{action} {place}.{name}".replace(" .", " "))

    def get(answer: Answer, name: str, default: Any = None) -> Any:
        note(answer, name)
        return dict.get(answer, name, default)

    def item(answer: Answer, name: str) -> Any:
        note(answer, name)
        return dict.__getitem__(answer, name)

    def contains(answer: Answer, name: str) -> bool:
        note(answer, name)
        return dict.__contains__(answer, name)

    with pytest.MonkeyPatch.context() as patch:
        for name, read_by in (("get", get), ("__getitem__", item), ("__contains__", contains)):
            patch.setattr(Answer, name, read_by, raising=False)
        yield read


@dataclass
class Recorded:
    """A settled environment: its record, and what AWS answered to a drift and a plan of it."""

    config: Config
    manifest: Manifest
    tape: Tape
    aws: Aws
    drifts: dict[str, Observation] = field(default_factory=dict)
    """What a drift sees, by address."""
    plans: dict[str, Observation] = field(default_factory=dict)
    """What a plan sees, by address."""
    readers: dict[str, list[str]] = field(default_factory=dict)
    """Operation to the addresses, `BEFORE` among them, that ask for it."""

    @classmethod
    def of(cls, world: World, env: str) -> Recorded:
        """Look at this environment, which is deployed."""
        tape = Tape()
        manifest = Manifest.model_validate(world.manifest(env))
        ids: dict[str, tuple[str, ...]] = {}
        for entry in manifest.entries.values():
            ids[entry.type] = (*ids.get(entry.type, ()), entry.id)
        target = Connection(REGIONS[env], endpoint_url=world.door.url, credentials=("testing", "testing"))
        config = load(world.folder / "environments", env)
        look = cls(config, manifest, tape, _Client(target, tape, tape.record, ids))
        look._look()
        look.aws = _Client(target, tape, tape.play, ids)
        look.readers.clear()
        look._look()
        return look

    def _look(self) -> None:
        self._note(BEFORE, self.preconditions)
        for address in self.wanted:
            self.plans[address] = self._note(address, partial(self.seen_by_plan, address))
            self.drifts[address] = self._note(address, partial(self.seen_by_drift, address))

    def _note(self, address: str, look: Callable[[], Any]) -> Any:
        self.tape.heard.clear()
        seen = look()
        for operation in dict.fromkeys(self.tape.heard):
            if address not in self.readers.setdefault(operation, []):
                self.readers[operation].append(address)
        return seen

    @cached_property
    def stack(self) -> Stack:
        """The stack as its files want it."""
        return self.preconditions()

    @cached_property
    def wanted(self) -> dict[str, ObserveRequest]:
        """What a plan observes, by address."""
        return {one.address: ObserveRequest(one.reconciler, one.id, one.spec) for one in self.stack}

    @cached_property
    def recorded(self) -> dict[str, ObserveRequest]:
        """What a drift observes, by address."""
        return {request.address: request for request in observations_for(self.manifest.entries)}

    def preconditions(self) -> Stack:
        """Read the networking and the image; the stack of both."""
        network = resolve_network(self.aws.memoized(), self.config.networking)
        image = self.config.processor.image
        assert image is not None
        release = Artifact(image_uri=resolve_image(self.aws.memoized(), image, ACCOUNT, self.config.region))
        return build(self.config, Names(self.manifest.suffix, ACCOUNT, self.config.region), network, release)

    def seen_by_plan(self, address: str) -> Observation:
        """Observe this resource as a plan does."""
        return observe_all(self.aws, [self.wanted[address]])[address]

    def seen_by_drift(self, address: str) -> Observation:
        """Observe this resource as a drift does."""
        return observe_all(self.aws, [self.recorded[address]], exposures=True)[address]

    def drift(self, address: str, seen: Observation) -> Report:
        """Compare this resource with its record."""
        return detect_drift({address: self.manifest.entries[address]}, {address: seen})

    def plan(self, address: str, seen: Observation) -> Plan:
        """Plan, with this seen of this resource."""
        suffix, env = self.manifest.suffix, self.config.environment
        claimant = Claimant(Owner.ours(suffix, env), Names(suffix, ACCOUNT, self.config.region).may_have)
        return make_plan(self.stack, self.manifest.entries, {**self.plans, address: seen}, claimant, registry())
