"""The download of a small file by an address that AWS has signed: an image's configuration."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tapctl.regions import DOMAINS

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_MAX_BYTES: Final = 4 * 1024 * 1024


def download(aws: Aws, url: str, *, digest: str) -> bytes:
    """Fetch a file of at most 4 MB from AWS, or from the embedded AWS, whose bytes have this digest (``sha256:…``).

    Raises:
        OSError: the address is not AWS's, the host gives no such file, or its bytes are others.
    """
    if not _is_aws(aws, url):
        raise OSError("its address is none of AWS's")
    body = _fetch(url, use_proxies=not aws.target.credentials)
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
        raise OSError("its bytes have another digest")
    return body


def _is_aws(aws: Aws, url: str) -> bool:
    """True for HTTPS to a host of AWS's, or for the endpoint that the user has set."""
    place, endpoint = urlsplit(url), aws.ecr.meta.endpoint_url
    if place.netloc and place.netloc == urlsplit(endpoint).netloc:
        return True
    return place.scheme == "https" and f".{place.hostname}".endswith(tuple(f".{domain}" for domain in DOMAINS))


def _fetch(url: str, *, use_proxies: bool) -> bytes:
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies
    from urllib3.exceptions import HTTPError

    proxies = get_environ_proxies(url) if use_proxies else {}
    make: Any = URLLib3Session  # its stubs know neither a bundle nor two timeouts
    session = make(verify=os.environ.get("AWS_CA_BUNDLE") or True, proxies=proxies, timeout=(5, 20))
    try:
        answer = session.send(AWSRequest("GET", url, stream_output=True).prepare())
        body: bytes = answer.raw.read(_MAX_BYTES)
    except (BotoCoreError, HTTPError) as error:
        # The address holds a signature: it is not shown.
        raise OSError(f"its host gives no answer ({type(error).__name__})") from None
    finally:
        session.close()
    if answer.status_code != 200:  # noqa: PLR2004  # HTTP's OK
        raise OSError(f"its host answers {answer.status_code}")
    return body
