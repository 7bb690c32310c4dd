"""AWS requests and replies, to and from Python values, by botocore's service models.

moto holds a server's half of each protocol (routing, request parsing, reply writing); botocore holds the client's.
"""

from __future__ import annotations

import io
import re
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tapctl.sandbox.emulator.rules import Reply, ServiceError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from moto.core.model import OperationModel

# The name in a request's signature → botocore's name for the service; absent: the same.
_BY_SIGNATURE = {
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
# Statuses that the service models leave out; 501 is a server error that no SDK retries.
_SERVER_ERRORS = {"InternalFailure": 500, "NotImplemented": 501, "ServiceUnavailable": 503}
# A request is parsed once, whoever asks first: the environ holds the result under this key.
_PARSED = "emulator.parsed_request"
_CREDENTIAL = re.compile(r"Credential=[^/,]*/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class ParsedRequest:
    """A request whose operation is known and whose parameters are not read yet."""

    service: str
    region: str
    operation: OperationModel
    protocol: str
    request: Any
    uri_params: Mapping[str, Any]

    def params(self) -> dict[str, Any]:
        """Read the parameters, by the names of the service model."""
        from moto.core.parse import PROTOCOL_PARSERS

        parser: Any = PROTOCOL_PARSERS[self.protocol](self.operation)
        params: dict[str, Any] = parser.parse(
            {
                "method": self.request.method,
                "values": self.request.values,
                "headers": self.request.headers,
                "body": self.request.data,
                "url_path": self.request.path,
                "url_params": self.uri_params,
            }
        )
        return params


def answer_of(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
    """The status, headers and body of an application's answer to one request."""
    told: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None, /) -> Callable[[bytes], object]:
        told.append((status, headers))
        return io.BytesIO().write  # a way to write of earlier days, which nobody uses

    body = b"".join(app(environ, start))
    ((status, headers),) = told
    return status, headers, body


def service_of(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Read the service (botocore's name) and the region from a request's signature; None without one."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return (_BY_SIGNATURE.get(signed["service"], signed["service"]), signed["region"]) if signed else None


def access_key_of(environ: WSGIEnvironment) -> str:
    """Read the access key from a request's signature; empty without one."""
    return str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].partition("/")[0]


def parse_request(environ: WSGIEnvironment, service: str, region: str) -> ParsedRequest | None:
    """Parse a request to ``service``; None if it is for none of its operations. The request stays readable."""
    if _PARSED not in environ:
        environ[_PARSED] = _parse_request(environ, service, region)
    parsed: ParsedRequest | None = environ[_PARSED]
    return parsed


def _parse_request(environ: WSGIEnvironment, service: str, region: str) -> ParsedRequest | None:
    from botocore.exceptions import UnknownServiceError
    from moto.core.request import determine_request_protocol
    from moto.core.routing import get_service_router
    from moto.core.utils import get_service_model
    from moto.moto_server.werkzeug_app import BackendRequest
    from werkzeug.exceptions import NotFound

    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    request = BackendRequest({**environ, "wsgi.input": io.BytesIO(body)})
    try:
        operation, uri_params = get_service_router(service).match(request)
    except (NotFound, UnknownServiceError):
        return None
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    return ParsedRequest(service, region, operation, protocol, request, uri_params)


def serialize(parsed: ParsedRequest, result: Reply | ServiceError) -> HttpResponse:
    """Write the response to a request in its protocol."""
    from moto.core.serialize import SerializationContext, get_serializer_class

    request_id = str(uuid.uuid4())
    writer: Any = get_serializer_class(parsed.service, parsed.protocol)(
        operation_model=parsed.operation, context=SerializationContext(request_id)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of codes that AWS's own models leave out
        reply = writer.serialize(result)
    body = reply["body"]
    raw = body.encode() if isinstance(body, str) else body
    headers = {**reply["headers"], "x-amzn-RequestId": request_id, "Content-Length": str(len(raw))}
    status = (
        _SERVER_ERRORS.get(result.code, reply["status_code"])
        if isinstance(result, ServiceError)
        else reply["status_code"]
    )
    return HttpResponse(status, list(headers.items()), raw)


@cache
def _client(service: str) -> tuple[Any, Any, Any]:
    """Return the model of a service, botocore's serializer of its requests and parser of its replies."""
    import botocore.session
    from botocore.parsers import create_parser
    from botocore.serialize import create_serializer

    model = botocore.session.get_session().get_service_model(service)
    protocol = model.resolved_protocol
    return model, create_serializer(protocol, include_validation=False), create_parser(protocol)


def build_request(
    environ: WSGIEnvironment, service: str, operation: str, params: Mapping[str, Any], *, account: str
) -> WSGIEnvironment:
    """Build the WSGI request of an operation in an account, with the host, region and key of the one in ``environ``."""
    from werkzeug.test import EnvironBuilder

    model, writer, _ = _client(service)
    raw = writer.serialize_to_request(dict(params), model.operation_model(operation))
    # The query protocols leave the form's encoding to the HTTP client.
    body = urlencode(raw["body"]) if isinstance(raw["body"], Mapping) else raw["body"]
    signature = _CREDENTIAL.sub(
        lambda match: match[0].replace(f"/{match['service']}/", f"/{model.signing_name}/"),
        environ["HTTP_AUTHORIZATION"],
    )
    headers = [*raw["headers"].items(), ("Authorization", signature), ("x-moto-account-id", account)]
    return EnvironBuilder(
        path=raw["url_path"],
        query_string=raw["query_string"] or None,
        method=raw["method"],
        headers=headers,
        data=body,
        base_url=f"http://{environ['HTTP_HOST']}",
    ).get_environ()


def parse_response(service: str, operation: str, response: HttpResponse) -> Reply:
    """Parse moto's response.

    Raises:
        ServiceError: the response is a refusal.
    """
    model, _, reader = _client(service)
    headers = {name.lower(): value for name, value in response.headers}
    reply: Reply = reader.parse(
        {"status_code": response.status, "headers": headers, "body": response.body, "context": {}},
        model.operation_model(operation).output_shape,
    )
    del reply["ResponseMetadata"]
    if "Error" in reply and response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise ServiceError(reply["Error"]["Code"], reply["Error"]["Message"])
    return reply
