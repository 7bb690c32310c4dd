"""Requests and replies of AWS, to and from Python values, by botocore's service models.

moto holds a server's half of each protocol (routing, request parsing, reply writing); botocore holds the client's.
"""

from __future__ import annotations

import io
import re
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tapctl.sandbox.emulator.rules import Fault, Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from moto.core.model import OperationModel

# The name in a request's signature → botocore's name for the service; absent: the same.
_BY_SIGNATURE = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
# What the service models do not know; 501 is a server's fault that no SDK asks again for.
_SERVER_FAULTS = {"InternalFailure": 500, "NotImplemented": 501, "ServiceUnavailable": 503}
_READ = "tapctl.asked"
"""Where a request keeps what it asks, once that was found out."""
_CREDENTIAL = re.compile(r"Credential=[^/,]*/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Asked:
    """Which operation a request is about, before its parameters are read."""

    service: str
    region: str
    operation: OperationModel
    protocol: str
    request: Any
    uri_params: Mapping[str, Any]

    def params(self) -> dict[str, Any]:
        """The parameters, by the names of the service model."""
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


def service_of(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """The service (botocore's name) and region that a request is signed for."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return (_BY_SIGNATURE.get(signed["service"], signed["service"]), signed["region"]) if signed else None


def asked(environ: WSGIEnvironment, service: str, region: str) -> Asked | None:
    """Which operation of ``service`` this request is about, if any; the request stays readable, and is read once."""
    if _READ not in environ:
        environ[_READ] = _asked(environ, service, region)
    found: Asked | None = environ[_READ]
    return found


def _asked(environ: WSGIEnvironment, service: str, region: str) -> Asked | None:
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
    return Asked(service, region, operation, protocol, request, uri_params)


def written(asked: Asked, result: Reply | Fault) -> Answer:
    """The answer to ``asked``, in its protocol."""
    from moto.core.serialize import SerializationContext, get_serializer_class

    request_id = str(uuid.uuid4())
    writer: Any = get_serializer_class(asked.service, asked.protocol)(
        operation_model=asked.operation, context=SerializationContext(request_id)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of codes that AWS's own models leave out
        reply = writer.serialize(result)
    body = reply["body"]
    raw = body.encode() if isinstance(body, str) else body
    headers = {**reply["headers"], "x-amzn-RequestId": request_id, "Content-Length": str(len(raw))}
    status = (
        _SERVER_FAULTS.get(result.code, reply["status_code"]) if isinstance(result, Fault) else reply["status_code"]
    )
    return Answer(status, list(headers.items()), raw)


@cache
def _client(service: str) -> tuple[Any, Any, Any]:
    """The model of a service, botocore's writer of requests and reader of replies for it."""
    import botocore.session
    from botocore.parsers import create_parser
    from botocore.serialize import create_serializer

    model = botocore.session.get_session().get_service_model(service)
    protocol = model.resolved_protocol
    return model, create_serializer(protocol, include_validation=False), create_parser(protocol)


def request_of(environ: WSGIEnvironment, service: str, operation: str, params: Mapping[str, Any]) -> WSGIEnvironment:
    """The WSGI request of an operation, with the host, region and credentials of the one in ``environ``."""
    from werkzeug.test import EnvironBuilder

    model, writer, _ = _client(service)
    raw = writer.serialize_to_request(dict(params), model.operation_model(operation))
    # The query protocols leave the form to the HTTP client.
    body = urlencode(raw["body"]) if isinstance(raw["body"], Mapping) else raw["body"]
    signature = _CREDENTIAL.sub(
        lambda found: found[0].replace(f"/{found['service']}/", f"/{model.signing_name}/"),
        environ["HTTP_AUTHORIZATION"],
    )
    headers = [*raw["headers"].items(), ("Authorization", signature)]
    return EnvironBuilder(
        path=raw["url_path"],
        query_string=raw["query_string"] or None,
        method=raw["method"],
        headers=headers,
        data=body,
        base_url=f"http://{environ['HTTP_HOST']}",
    ).get_environ()


def read(service: str, operation: str, answer: Answer) -> Reply:
    """Read what moto answered.

    Raises:
        Fault: it is a refusal.
    """
    model, _, reader = _client(service)
    headers = {name.lower(): value for name, value in answer.headers}
    reply: Reply = reader.parse(
        {"status_code": answer.status, "headers": headers, "body": answer.body, "context": {}},
        model.operation_model(operation).output_shape,
    )
    del reply["ResponseMetadata"]
    if "Error" in reply and answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise Fault(reply["Error"]["Code"], reply["Error"]["Message"])
    return reply
