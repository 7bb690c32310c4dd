"""botocore made faster for tests: `install` keeps for the process what each session would work out anew.

Each test has a session of its own. To read the models of AWS for each, to make the hundreds of methods of each client
and to look up the names of events would be most of a run's time. What is kept is the same for every session.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

import botocore.endpoint
import botocore.hooks
import botocore.regions
import botocore.useragent
from botocore.auth import SigV4Auth
from botocore.client import ClientCreator
from botocore.hooks import EventAliaser, NodeList
from botocore.loaders import JSONFileLoader, Loader
from botocore.parsers import QueryParser
from botocore.retries.standard import ExponentialBackoff
from botocore.session import Session

_ANSWERS = 4096
_ID_BYTES = 16
_MIDDLE = 1
_PAGES = "paginators-1"


def install() -> None:
    """Replace functions of botocore by ones that remember."""
    _remember_models()
    _remember_service_models()
    _remember_paginators()
    _remember_available_services()
    _remember_methods_of_clients()
    _remember_endpoint_rules()
    _remember_event_names()
    _remember_handlers()
    _share_handlers()
    _remember_words_of_the_user_agent()
    _sign_with_no_signature()
    _draw_random_bytes_in_advance()
    _remember_what_xml_says()
    _register_builtin_handlers_once()
    _try_again_at_once()
    _look_for_proxies_where_there_are_any()


def _remember_models() -> None:
    load: Any = JSONFileLoader.load_file

    @cache
    def model(path: str) -> Any:
        return load(JSONFileLoader(), path)

    setattr(JSONFileLoader, "load_file", lambda _, file_path: model(file_path))  # noqa: B010  # no method to mypy


def _remember_service_models() -> None:
    load: Any = vars(ClientCreator)["_load_service_model"]
    models: dict[tuple[str, str | None], Any] = {}

    def remembered(creator: ClientCreator, service_name: str, api_version: str | None = None) -> Any:
        key = (service_name, api_version)
        if key not in models:
            models[key] = load(creator, service_name, api_version)
        return models[key]

    setattr(ClientCreator, "_load_service_model", remembered)  # noqa: B010  # no method to mypy


def _remember_paginators() -> None:
    """Look for the pages of a service once: each new client goes through the folders of the models for them."""
    load: Any = Loader.load_service_model
    models: dict[tuple[str, str | None], Any] = {}

    def remembered(loader: Loader, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if type_name != _PAGES:
            return load(loader, service_name, type_name, api_version)
        key = (service_name, api_version)
        if key not in models:
            models[key] = load(loader, service_name, type_name, api_version)
        return models[key]

    setattr(Loader, "load_service_model", remembered)  # noqa: B010  # no method to mypy


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


def _remember_endpoint_rules() -> None:
    make: Any = vars(botocore.regions)["EndpointProvider"]
    made: dict[int, tuple[Any, Any]] = {}

    def remembered(ruleset_data: Any, **more: Any) -> Any:
        if id(ruleset_data) not in made:
            # Kept with its rules, so that nothing else comes to have their id.
            made[id(ruleset_data)] = (ruleset_data, make(ruleset_data=ruleset_data, **more))
        return made[id(ruleset_data)][1]

    vars(botocore.regions)["EndpointProvider"] = remembered


def _remember_event_names() -> None:
    alias: Any = vars(EventAliaser)["_alias_event_name"]
    names: dict[str, str] = {}

    def remembered(aliaser: EventAliaser, event_name: str) -> str:
        if event_name not in names:
            names[event_name] = alias(aliaser, event_name)
        return names[event_name]

    setattr(EventAliaser, "_alias_event_name", remembered)  # noqa: B010  # no attribute to mypy


def _remember_handlers() -> None:
    accepts: Any = vars(botocore.hooks)["accepts_kwargs"]
    takes: dict[Any, Any] = {}

    def remembered(handler: Any) -> Any:
        function = getattr(handler, "__func__", handler)  # one for all objects that it is a method of
        if function not in takes:
            takes[function] = accepts(handler)
        return takes[function]

    vars(botocore.hooks)["accepts_kwargs"] = remembered


def _share_handlers() -> None:
    """Let all emitters share what none of them changes: each client copies the hundreds of handlers of its session."""
    trie: Any = vars(botocore.hooks)["_PrefixTrie"]
    copy_all, remove = trie._recursive_copy, trie.remove_item

    def shared(original: Any) -> Any:
        made = trie()
        made._root = original._root
        return made

    def added(node: dict[str, Any], parts: Sequence[str], value: Any, section: int) -> dict[str, Any]:
        if not parts:
            lists = [list(each) for each in node["values"] or NodeList([], [], [])]
            lists[section].append(value)
            return {**node, "values": NodeList(*lists)}
        first, *others = parts
        child = node["children"].get(first) or {"chunk": first, "children": {}, "values": None}
        return {**node, "children": {**node["children"], first: added(child, others, value, section)}}

    def append_item(self: Any, key: str, value: Any, section: int = _MIDDLE) -> None:
        self._root = added(self._root, key.split("."), value, section)

    def remove_item(self: Any, key: str, value: Any) -> None:
        self._root = copy_all(self, self._root)
        remove(self, key, value)

    trie.__copy__, trie.append_item, trie.remove_item = shared, append_item, remove_item


def _register_builtin_handlers_once() -> None:
    """Let a new session begin with the handlers that the first one has registered; see `_share_handlers`."""
    register: Any = vars(Session)["_register_builtin_handlers"]
    registered: list[Any] = []

    def remembered(session: Session, events: Any) -> None:
        own = events._emitter._handlers
        if not registered:
            register(session, events)
            registered.append(own._root)
        own._root = registered[0]

    setattr(Session, "_register_builtin_handlers", remembered)  # noqa: B010  # no method to mypy


def _try_again_at_once() -> None:
    """Let the SDK ask again without a pause where AWS was busy: no test waits for the wall clock."""
    setattr(ExponentialBackoff, "delay_amount", lambda _self, _context: 0)  # noqa: B010  # no method to mypy


def _look_for_proxies_where_there_are_any() -> None:
    """Go through the environment for proxies, as each new client does three times, only if one of its names says so."""
    look: Any = vars(botocore.endpoint)["get_environ_proxies"]
    names: Any = vars(os.environ)["_data"]  # as bytes: to decode each is what takes the time

    def proxies(url: str) -> Any:
        return look(url) if any(b"proxy" in name.lower() for name in names) else {}

    vars(botocore.endpoint)["get_environ_proxies"] = proxies


def _remember_words_of_the_user_agent() -> None:
    vars(botocore.useragent)["sanitize_user_agent_string_component"] = cache(
        vars(botocore.useragent)["sanitize_user_agent_string_component"]
    )


def _sign_with_no_signature() -> None:
    """Leave a request's content out of its signature, which the embedded AWS does not look at."""
    setattr(SigV4Auth, "canonical_request", lambda _self, _request: "")  # noqa: B010  # no method to mypy


def _draw_random_bytes_in_advance() -> None:
    """Ask the system for the random bytes of many requests' ids at once: for each it is a call that takes its time."""
    draw = os.urandom
    ids: deque[bytes] = deque()

    def urandom(size: int) -> bytes:
        if size != _ID_BYTES:
            return draw(size)
        try:
            return ids.pop()
        except IndexError:
            many = draw(4096 * _ID_BYTES)
            ids.extend(many[at : at + _ID_BYTES] for at in range(_ID_BYTES, len(many), _ID_BYTES))
            return many[:_ID_BYTES]

    setattr(os, "urandom", urandom)  # noqa: B010  # no function to mypy
    os.register_at_fork(after_in_child=ids.clear)


def _remember_what_xml_says() -> None:
    """Read an answer in XML once; who gets it again gets a copy of what it says, which is theirs to change."""
    read: Any = vars(QueryParser)["_do_parse"]
    known: dict[tuple[Any, ...], bytes] = {}

    def remembered(parser: QueryParser, response: dict[str, Any], shape: Any) -> Any:
        key = (type(parser), shape, response["body"])
        if key not in known:
            if len(known) >= _ANSWERS:
                known.clear()
            known[key] = pickle.dumps(read(parser, response, shape), pickle.HIGHEST_PROTOCOL)
        return pickle.loads(known[key])  # noqa: S301  # what this process has written

    setattr(QueryParser, "_do_parse", remembered)  # noqa: B010  # no method to mypy
