"""The state of moto, saved and put back: a furnished AWS in a moment instead of in as many calls as it took."""

from __future__ import annotations

import io
import pickle
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar, cast

from moto.core.base_backend import BackendDict

from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rules import ServiceError
from tapctl.sandbox.emulator.simulation import Simulation
from tests.support.remembering import Memory, remember_in

T = TypeVar("T")

_IN_USE: list[Any] = vars(BackendDict)["_instances"]
_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}


@dataclass(frozen=True)
class Saved:
    """Everything that moto kept at one moment. Take it, and put it back, while no request is under way."""

    accounts: tuple[tuple[Any, dict[str, Any]], ...]
    """Each service in use, and its accounts: dictionaries of backends by region."""
    backends: tuple[Any, ...]
    content: bytes
    """The content of the backends, pickled as one, so that shared objects stay shared."""
    same: list[Any]
    """Objects that keep their identity: the backends and all above them, and what nobody changes."""
    answers: Memory
    """What reads were answered in this state."""

    @classmethod
    def now(cls) -> Saved:
        """Save what moto keeps now."""
        services = list(_IN_USE)
        accounts = tuple((service, dict(service)) for service in services)
        above = [one for service in services for one in (service, *service.values())]
        backends = tuple(one for service in services for account in service.values() for one in account.values())
        written, same = io.BytesIO(), [*above, *backends]
        _Writer(written, same).dump([vars(one) for one in backends])
        answers: Memory = {}
        remember_in(answers)
        return cls(accounts, backends, written.getvalue(), same, answers)

    def back(self) -> None:
        """Put the saved state back: whatever moto was told since has not happened."""
        _IN_USE[:] = [service for service, _ in self.accounts]
        for service, accounts in self.accounts:
            dict.clear(service)
            dict.update(service, accounts)
        contents = _Reader(io.BytesIO(self.content), self.same).load()
        for backend, content in zip(self.backends, contents, strict=True):
            vars(backend).clear()
            vars(backend).update(content)
        remember_in(self.answers)


def made_once(sandbox: Sandbox, name: str, make: Callable[[], T]) -> T:
    """Make something the first time, and later put back the AWS that had it: nothing may be in it that is needed."""
    if name in _MADE:
        saved, made = _MADE[name]
        saved.back()
        return cast("T", made)
    # It takes no time by any test's clock, and is long before that.
    sandbox.simulation, before = Simulation(), sandbox.simulation
    try:
        made = make()
    finally:
        sandbox.simulation = before
    _MADE[name] = (Saved.now(), made)
    return made


_MADE: dict[str, tuple[Saved, Any]] = {}


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, same: list[Any]) -> None:
        super().__init__(file)
        self._same, self._at = same, {id(one): at for at, one in enumerate(same)}

    def persistent_id(self, obj: Any) -> int | None:
        if id(obj) not in self._at and (_is_local(obj) or type(obj).__module__.startswith("cryptography.")):
            self._at[id(obj)] = len(self._same)
            self._same.append(obj)
        return self._at.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) in _LOCKS:
            return _LOCKS[type(obj)], ()
        if isinstance(obj, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(obj),)
        if isinstance(obj, ServiceError):
            return ServiceError, (obj.code, obj.message)
        return NotImplemented


def _is_local(obj: Any) -> bool:
    """True for a function that no name leads to, such as the factory of a default."""
    return isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, same: list[Any]) -> None:
        super().__init__(file)
        self._same = same

    def persistent_load(self, pid: int) -> Any:
        return self._same[pid]
