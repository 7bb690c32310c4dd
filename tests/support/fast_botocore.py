"""botocore made faster for tests: `install` keeps for the process what each session would work out anew.

Each test has a session of its own. To read the models of AWS for each, to make the hundreds of methods of each client
and to look up the names of events would be most of a run's time. What is kept is the same for every session.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.client import BaseClient, ClientCreator
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from tests.support.served import MEASURED


def install() -> None:
    """Replace five functions of botocore by ones that remember, and leave its lines out of what is measured."""
    _remember_models()
    _remember_available_services()
    _remember_methods_of_clients()
    _remember_event_names()
    for owner, name in ((BaseClient, "_make_api_call"), (Session, "create_client")):
        setattr(owner, name, _unmeasured(vars(owner)[name]))


def _remember_models() -> None:
    load: Any = JSONFileLoader.load_file

    @cache
    def model(path: str) -> Any:
        return load(JSONFileLoader(), path)

    setattr(JSONFileLoader, "load_file", lambda _, file_path: model(file_path))  # noqa: B010  # no method to mypy


def _remember_available_services() -> None:
    list_available: Any = Loader.list_available_services

    @cache
    def available(type_name: str, search_paths: tuple[str, ...]) -> Any:
        loader = Loader()
        loader.search_paths[:] = search_paths
        return list_available(loader, type_name)

    def remembered(loader: Loader, type_name: str) -> Any:
        return available(type_name, tuple(loader.search_paths))

    setattr(Loader, "list_available_services", remembered)  # noqa: B010  # no method to mypy


def _remember_methods_of_clients() -> None:
    make: Any = vars(ClientCreator)["_create_methods"]
    methods: dict[str, dict[str, Any]] = {}

    def remembered(creator: ClientCreator, service_model: Any) -> dict[str, Any]:
        name = service_model.service_name
        if name not in methods:
            methods[name] = make(creator, service_model)
        return dict(methods[name])

    setattr(ClientCreator, "_create_methods", remembered)  # noqa: B010  # no attribute to mypy


def _remember_event_names() -> None:
    alias: Any = vars(EventAliaser)["_alias_event_name"]
    names: dict[str, str] = {}

    def remembered(aliaser: EventAliaser, event_name: str) -> str:
        if event_name not in names:
            names[event_name] = alias(aliaser, event_name)
        return names[event_name]

    setattr(EventAliaser, "_alias_event_name", remembered)  # noqa: B010  # no attribute to mypy


def _unmeasured(work: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out of the coverage what this function does: to count botocore's lines takes as long again as they do."""

    def do(*args: Any, **kwargs: Any) -> Any:
        if MEASURED:
            return work(*args, **kwargs)
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return work(*args, **kwargs)
        finally:
            sys.settrace(tracer)

    return do


@pytest.fixture
def measured() -> Iterator[None]:
    """Count the lines that run within a call of botocore: some of them are ours."""
    MEASURED.append(True)
    yield
    MEASURED.clear()
