"""The one client of AWS: typed services made lazily, retries, a guard on the account, reads made once."""

from __future__ import annotations

import copy
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, cast

from tapctl.aws.answers import arn_parts, unusable
from tapctl.aws.callers import session_name, user_agent, with_source_identity
from tapctl.aws.prompts import forbid_prompts
from tapctl.aws.services import Clients
from tapctl.aws.setup_errors import credentials_error, setting_error, setup_error
from tapctl.aws.transport import COUNTED_BY, IN_FLIGHT, CallLog, client_base, guard_hook, parse_hook, to_tapctl_error
from tapctl.errors import AwsNoAnswer, AwsRefused, WrongTarget, credentials_hint, denial_hint
from tapctl.notices import Notify, silent
from tapctl.safety.redaction import hide, is_utf8

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from botocore.paginate import Paginator

P = ParamSpec("P")
T = TypeVar("T")
_MOST_PAGES: Final = 2_000
"""Pages that are read of one listing: twice those of as many topics as an account may have, a hundred a page."""


@dataclass(frozen=True)
class Connection:
    """The region to work in, and as whom. ``endpoint_url`` and ``credentials`` are for the embedded AWS alone."""

    region: str
    role_arn: str | None = None
    endpoint_url: str | None = None
    credentials: tuple[str, str] | None = None

    def command(self, text: str) -> str:
        """A command of the AWS CLI, for this place."""
        place = f"{text} --region {self.region}"
        # The embedded AWS: the real one must never hear of it.
        return f"{place} --endpoint-url {self.endpoint_url}" if self.endpoint_url else place


@dataclass(frozen=True)
class Identity:
    """The account and the principal that our credentials stand for."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn``, ``aws-us-gov``."""
        return self.arn.split(":")[1]


class OtherAccount(WrongTarget):
    """Credentials of another account than the one that is meant."""


class Aws(Clients):
    """Typed clients for one account and region. `memoized` gives a view in which identical reads are made once."""

    def __init__(self, target: Connection, in_flight: int = IN_FLIGHT, notify: Notify = silent) -> None:
        """Make the client of this connection, which sends at most ``in_flight`` calls at a time.

        ``notify``: told of credentials that are waited for.
        """
        self._notify = notify
        self.target = target
        self.region = target.region
        self.run = uuid.uuid4().hex
        """The id of this run: in the manifest, and in the name of the session of an assumed role."""
        self.in_flight = in_flight
        self.paced = threading.Lock()
        """Held by whoever makes a call of which AWS takes few a second."""
        self.call_log = CallLog(slots=threading.BoundedSemaphore(in_flight))
        self.identity: Identity | None = None
        self._session = cache(self._new_session)
        """Opens the session when first called; views call it too, so that they share it and its slots."""
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.Lock()
        self.searches = True
        """False: what was made a moment ago need not be found; see `cursory`."""
        self.learnt: set[str] = set()
        """Facts that a look, or a step, has settled for this run, in a reconciler's own words; of all views."""
        self._memo: dict[str, Future[Any]] | None = None
        self._ids: Mapping[str, tuple[str, ...]] = {}
        self._fleet: Mapping[str, tuple[str, ...]] | None = None
        """Type to ids of all that others, who share the memo, observe in this account and region; None: nobody does."""

    # -- the guard ---------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """The account's id, 12 digits; `identify` first."""
        return self._known_identity.account

    @property
    def partition(self) -> str:
        """The partition (``aws``, ``aws-cn``, ``aws-us-gov``); `identify` first."""
        return self._known_identity.partition

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region; ``resource``: all that follows the account's id."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def _known_identity(self) -> Identity:
        if self.identity is None:
            raise RuntimeError("identify() comes before everything else")
        return self.identity

    def identify(self, account: str) -> Identity:
        """Ask STS for our identity: the one call made before any other.

        Raises:
            OtherAccount: the credentials are another account's.
            WrongTarget: they are not usable.
        """
        try:
            answer = self.read(self.sts.get_caller_identity)
        except AwsRefused as error:
            hint = denial_hint(error) if error.is_denied else credentials_hint(error)
            raise WrongTarget(
                "AWS does not accept these credentials",
                evidence=str(error),
                hint=f"{hint}, check with: aws sts get-caller-identity",
            ) from error
        arn_parts(answer["Arn"], "sts:GetCallerIdentity", "Arn")
        identity = Identity(answer["Account"], answer["Arn"])
        if identity.account != account:
            raise OtherAccount(
                f"these credentials are for account {identity.account}, the environment is in account {account}",
                evidence=f"sts:GetCallerIdentity says {identity.arn}",
                hint="change AWS_PROFILE or the credentials, or correct account_id in the environment's file",
            )
        self.identity = identity
        return identity

    def credentials_end(self) -> datetime | None:
        """When our credentials end for good; None where nobody says, or they are renewed."""
        credentials = vars(self._session())["_session"].get_credentials()
        # Those of the environment say when they end (AWS_CREDENTIAL_EXPIRATION), and are not renewed.
        end = vars(credentials).get("_expiry_time") if getattr(credentials, "method", "") == "env" else None
        return cast("datetime | None", end)

    # -- reading -----------------------------------------------------------------------------------------------------

    def memoized(self, ids: Mapping[str, tuple[str, ...]] | None = None) -> Aws:
        """A view for one round of observations: identical reads are made once.

        ``ids``: type to all ids that the round observes, for bulk reads (`batch_ids`).
        """
        view = copy.copy(self)
        vars(view).update(_memo={} if self._fleet is None else self._memo, _ids=ids or {})
        return view

    def cursory(self) -> Aws:
        """A view for a plan: what no index shows yet is not searched for among everything the account has.

        An apply searches before it makes anything.
        """
        view = copy.copy(self)
        view.searches = False
        return view

    def shared(self, memo: dict[str, Future[Any]], fleet: Mapping[str, tuple[str, ...]]) -> Aws:
        """A view for one of many environments, which change nothing: identical reads are made once for all of them.

        The calls of this thread, and of those that it begins, count as the view's.
        ``memo``: of all views, whatever their account and region. ``fleet``: type to the ids of all environments in
        this account and region, which bulk reads ask for together.
        """
        view = copy.copy(self)
        vars(view).update(_memo=memo, _fleet=fleet, call_log=CallLog())
        COUNTED_BY.set(view.call_log)
        return view

    def afresh(self) -> Aws:
        """A view that has read nothing yet, whatever others have: for who looks once more."""
        view = copy.copy(self)
        view._memo = None if self._memo is None else {}  # noqa: SLF001 -- another view of the same class
        return view

    def batch_ids(self, type_: str, id_: str, most: int | None = None) -> tuple[str, ...]:
        """All ids of this type that the round observes, sorted, ``id_`` among them: for one bulk read.

        ``most``: as many as one call takes; those beside ``id_`` come.
        """
        fleet = (self._fleet or {}).get(type_, ())
        return beside(id_, fleet if id_ in fleet else self._ids.get(type_, ()), most)

    def reads_many(self, type_: str) -> bool:
        """True if other environments of this account and region have resources of this type that are read now, too.

        One listing of all that the account has is then fewer calls than one for each.
        """
        return len((self._fleet or {}).get(type_, ())) > 1

    def round_ids(self, type_: str) -> tuple[str, ...]:
        """The ids of this type that the round observes for its own environment."""
        return self._ids.get(type_, ())

    def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call one reading operation; inside a round the same read is made once.

        Raises:
            AwsNoAnswer: AWS was busy, failed or hung up in the SDK's attempts and, a moment later, in as many more; or
                did not answer at all.
            AwsRefused: it said no.
        """
        client = cast("Any", call).__self__
        key = f"{client.meta.service_model.service_name}.{cast('Any', call).__name__}"
        return self._once(key, kwargs, lambda: call(*args, **kwargs))

    def pages(self, paginator: Paginator[T], **kwargs: Any) -> list[T]:
        """List all pages; inside a round the same listing is made once.

        Raises:
            AwsNoAnswer: as `read`; or the pages lead to no end.
            AwsRefused: it said no.
        """
        return self._once(type(paginator).__name__, kwargs, lambda: _all_pages(paginator, kwargs))

    def _once(self, key: str, kwargs: Mapping[str, Any], call: Callable[[], T]) -> T:
        memo = self._memo
        if memo is None:
            return _answered(call)
        target = self.target
        place = "" if key.startswith("sts.") else target.region  # we are the same in every region
        who = f"{target.role_arn} {target.credentials}"  # the user's own credentials are one account's
        full = f"{who} {target.endpoint_url} {place} {key} {json.dumps(kwargs, sort_keys=True, default=str)}"
        mine: Future[T] = Future()
        theirs = memo.setdefault(full, mine)
        if theirs is not mine:
            return cast("T", theirs.result())
        try:
            mine.set_result(_answered(call))
        except Exception as error:  # noqa: BLE001 -- handed to everybody who asked the same
            if self._fleet is not None and isinstance(error, AwsNoAnswer):
                del memo[full]  # the next environment asks anew
            mine.set_exception(error)
        return mine.result()

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, service: str, *, retries: bool = True) -> Any:
        """Return a client of this service, made once.

        ``retries=False``: the SDK sends each call once, for creates that would make a second thing.
        """
        with self._lock:
            client = self._clients.get((service, retries))
            if client is None:
                client = self._clients[(service, retries)] = self._new_client(service, retries=retries)
            return client

    def _new_client(self, service: str, *, retries: bool) -> Any:
        session = cast("Any", self._session())
        # None: the proxies of the environment.
        proxies: dict[str, str] | None = {} if self.target.credentials else None
        try:
            return session.client(
                service,
                config=_config(self.run, retries=retries, proxies=proxies, connections=self.in_flight),
                endpoint_url=self.target.endpoint_url,
            )
        except AttributeError as error:
            # What the file has as a text is a table, or the other way round: all else is alike in every run.
            raise setting_error(error) from None
        except Exception as error:  # noqa: BLE001 -- what is not the user's setting is raised as it is
            raise (setup_error(error) or to_tapctl_error(service, "client", error) or error) from None

    def _new_session(self) -> boto3.session.Session:
        import boto3.session

        try:
            session = (
                _isolated_session(self.region, *self.target.credentials)
                if self.target.credentials
                else boto3.session.Session(region_name=self.region)
            )
            core = vars(session)["_session"]
            if not self.target.credentials:
                forbid_prompts(core, self._notify)
            _hide_credentials(core.get_credentials())
            if self.target.role_arn:
                session = _assumed_session(session, self.target, self.run)
        except Exception as error:  # noqa: BLE001 -- what is not the user's setting is raised as it is
            raise (setup_error(error) or to_tapctl_error("sts", "AssumeRole", error) or error) from None
        base = client_base(self.call_log)
        session.events.register("creating-client-class", lambda base_classes, **_: base_classes.insert(0, base))
        session.events.register("before-send", guard_hook(self.call_log))
        session.events.register("before-parse", parse_hook(self.call_log))
        return session


def _answered(call: Callable[[], T]) -> T:
    """The answer to a read, which is made anew once after the SDK's attempts: most readers do not look again."""
    try:
        return call()
    except AwsNoAnswer as error:
        if not error.is_passing:
            raise
        return call()


def _all_pages(paginator: Paginator[T], kwargs: Mapping[str, Any]) -> list[T]:
    """All pages of a listing that comes to an end: an endpoint that hands out tokens for ever is not waited for."""
    from botocore.exceptions import PaginationError

    model = vars(paginator)["_model"]  # botocore has no public way to ask a paginator for its operation
    action = f"{model.service_model.service_name}:{model.name}"
    listed: list[T] = []
    try:
        for page in paginator.paginate(**kwargs):
            if len(listed) == _MOST_PAGES:
                raise unusable(action, f"it has more than {_MOST_PAGES} pages")
            listed.append(page)
    except PaginationError:
        raise unusable(action, "the same page token comes again and again") from None
    return listed


def beside(id_: str, ids: Iterable[str], most: int | None) -> tuple[str, ...]:
    """These ids and ``id_``, sorted; of more than ``most`` the part that ``id_`` stands in."""
    every = tuple(sorted({id_, *ids}))
    if most is None:
        return every
    first = every.index(id_) // most * most
    return every[first : first + most]


def _hide_credentials(credentials: Any) -> None:
    """Let no text show these; those that are still to be asked for are known when they are used.

    Raises:
        WrongTarget: one is no text, as a helper may have written it, or no UTF-8: botocore cannot sign with it.
    """
    known = vars(credentials) if credentials is not None else {}
    for name in ("access_key", "secret_key", "token"):
        value = known.get(name) or known.get(f"_{name}")
        if not isinstance(value, str | None):
            raise credentials_error(TypeError(f"the {name.replace('_', ' ')} is no text"))
        hide(value)
        if value is not None and not is_utf8(value):
            raise credentials_error(ValueError(f"the {name.replace('_', ' ')} is no text of UTF-8"))


def _isolated_session(region: str, key: str, secret: str) -> boto3.session.Session:
    """Open a session that no profile, file or environment variable of the user's for AWS can change."""
    import boto3.session
    import botocore.session

    known = botocore.session.Session.SESSION_VARIABLES
    unset = {name: (None, None, default, convert) for name, (_, _, default, convert) in known.items()}
    no_file = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return boto3.session.Session(
        botocore_session=botocore.session.Session({**unset, **no_file}),
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def _config(
    run: str, *, retries: bool = True, proxies: dict[str, str] | None = None, connections: int = IN_FLIGHT
) -> Config:
    from botocore.config import Config

    # 4 attempts bridge a short failure; whatever lasts longer is the engine's to wait for, where a user can see it.
    # Many environments side by side are more than AWS takes of some operations (alarms' tags: ten a second or so): from
    # the first refusal for that on, the adaptive mode sends as many a second as are answered, and no attempt is wasted.
    mode: Literal["standard", "adaptive"] = "adaptive" if connections > IN_FLIGHT else "standard"
    return Config(
        retries={"mode": mode, "total_max_attempts": 4 if retries else 1},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=connections,
        user_agent_extra=user_agent(run),
        proxies=proxies,
    )


def _assumed_session(session: boto3.session.Session, target: Connection, run: str) -> boto3.session.Session:
    """Open a session that assumes the target's role, again whenever the credentials run out."""
    import boto3.session
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError

    core = vars(session)["_session"]
    source = core.get_credentials()
    if source is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        # With the timeouts of every other call, and to the same endpoint.
        client_creator=with_source_identity(
            partial(core.create_client, config=_config(run), endpoint_url=target.endpoint_url)
        ),
        source_credentials=source,
        role_arn=cast("str", target.role_arn),
        extra_args={"RoleSessionName": session_name(run)},
    )
    inner = botocore.session.get_session()
    # botocore has no public way to give a session such credentials.
    vars(inner)["_credentials"] = DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.session.Session(botocore_session=inner, region_name=target.region)


def default_region() -> str:
    """Boto3's own choice of a region (AWS_DEFAULT_REGION, the profile's), or us-east-1.

    Raises:
        WrongTarget: there is no such profile, or its file cannot be read.
        ConfigError: boto3 does not take a setting.
    """
    import boto3.session

    try:
        return boto3.session.Session().region_name or "us-east-1"
    except Exception as error:  # noqa: BLE001 -- what is not AWS's is raised as it is
        raise (setup_error(error) or error) from None
