"""S3: writes that meet, and credentials that it refuses in words of its own. The objects are moto's alone.

A request is known by its method and its address: bodies may be streams, and are passed on as they are.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError
from tapctl.sandbox.emulator.wire import HttpResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

contract = Rules("s3")
SERVICE: Final = Service(name="s3", contract=(contract,), throttling="SlowDown")

_OF_AN_OBJECT: Final = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_LIST: Final = "ListObjectsV2"
_OWNER: Final = "ExpectedBucketOwner"
_WRITES: Final = {"IfMatch": "HTTP_IF_MATCH", "IfNoneMatch": "HTTP_IF_NONE_MATCH"}
_CONDITIONS: Final = {**_WRITES, _OWNER: "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"}
"""Parameter to the header that bears it."""
# Code → status and words: S3 API reference, "Error responses".
_REFUSALS: Final = {
    "AccessDenied": (HTTPStatus.FORBIDDEN, "Access Denied"),
    "ConditionalRequestConflict": (
        HTTPStatus.CONFLICT,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    ),
    "OperationAborted": (
        HTTPStatus.CONFLICT,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    "InvalidAccessKeyId": (
        HTTPStatus.FORBIDDEN,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "InvalidToken": (HTTPStatus.BAD_REQUEST, "The provided token is malformed or otherwise invalid."),
    "RequestTimeTooSkewed": (
        HTTPStatus.FORBIDDEN,
        "The difference between the request time and the current time is too large.",
    ),
}


def operation_of(environ: WSGIEnvironment) -> tuple[str, dict[str, Any]]:
    """Name the operation of a request about one object, or of a listing, with its bucket and its conditions.

    Empty: another one.
    """
    host, method = environ["HTTP_HOST"].partition(":")[0], environ["REQUEST_METHOD"]
    # The bucket is in the path, or in the name of the host.
    path = environ["PATH_INFO"].lstrip("/")
    bucket, _, key = (host.removesuffix(".localhost"), "", path) if host.endswith(".localhost") else path.partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    given = {name: environ[header] for name, header in _CONDITIONS.items() if header in environ}
    params = {"Bucket": bucket, **given}
    if not key:
        return (_LIST if method == "GET" and query.get("list-type") == ["2"] else "", params)
    return ("" if set(query) - {"x-id"} else _OF_AN_OBJECT.get(method, ""), params)


def refusal(environ: WSGIEnvironment, error: ServiceError) -> HttpResponse:
    """Write a refusal; what the request has sent is read first, or the connection could not be used again."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>".encode()
    return HttpResponse(_REFUSALS[error.code][0], [("Content-Length", str(len(body)))], body)


def _refuse(code: str) -> None:
    if code:
        raise ServiceError(code, _REFUSALS[code][1])


@contract("PutObject", "DeleteObject")
def writes_that_meet_are_not_both_done(request: Request, proceed: Next) -> Reply:
    """Of two conditional writes that meet one is refused and not done (script ``s3.conflict``, the code).

    S3 user guide, "Conditional requests"; OperationAborted is what aloneguid/storage#154 was told.
    """
    if _WRITES.keys() & request.params.keys():
        _refuse(request.simulation.next_outcome("s3.conflict"))
    return proceed()


@contract(*_OF_AN_OBJECT.values(), _LIST)
def credentials_are_refused_in_words_of_its_own(request: Request, proceed: Next) -> Reply:
    """Credentials that S3 does not take (script ``s3.credentials``, the code) have codes that other services lack."""
    _refuse(request.simulation.next_outcome("s3.credentials"))
    return proceed()


@contract(*_OF_AN_OBJECT.values(), _LIST)
def a_bucket_of_another_owner_is_refused(request: Request, proceed: Next) -> Reply:
    """A request that names another account as the bucket's owner than it has is denied; moto reads no such header.

    S3 user guide, "Verifying bucket ownership with bucket owner condition".
    """
    from moto.s3.models import s3_backends

    _, owner = s3_backends.bucket_accounts.get(request.params["Bucket"], ("", ""))
    expected = request.params.get(_OWNER, "")
    _refuse("AccessDenied" if owner and expected not in ("", owner) else "")
    return proceed()
