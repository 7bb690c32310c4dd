"""Errors of what boto3 is given on this machine: credentials, profiles, helpers, endpoints, proxies, certificates.

Each is told in botocore's own sentence with the variables that bear on it. The values of those that hold a secret are
never shown; all other texts are stripped by `tapctl.safety.redaction`, as every error's are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tapctl.errors import ConfigError, Problem, TapctlError, WrongTarget

_CREDENTIAL_PLACES = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_DISABLED"),
)
_SECRET_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_ENDPOINT = "AWS_ENDPOINT_URL"
"""The beginning of the names of variables that have an address, of all services or of one."""
_NO_SETTING = "|".join((*_CREDENTIAL_PLACES, *_SECRET_VARIABLES))
_SETTING = re.compile(rf"(?!(?:{_NO_SETTING})$)AWS_[A-Z0-9_]+")
_CERTIFICATES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")

_CREDENTIAL_MODULES = frozenset({"botocore.credentials", "botocore.tokens"})
_SETTING_MODULES = frozenset(
    {
        *("botocore.args", "botocore.auth", "botocore.configprovider", "botocore.configloader", "botocore.endpoint"),
        *("botocore.httpsession", "botocore.regions", "botocore.session", "botocore.utils"),
    }
)


def setup_error(error: Exception, call: str = "") -> WrongTarget | ConfigError | None:
    """Translate an exception that the user's own credentials or settings have caused; None for any other.

    ``error``: no answer of AWS. ``call``: the API call that it ended, if it came that far.
    """
    from botocore import exceptions as bc

    if isinstance(error, TapctlError):
        return None
    modules = _modules(error)
    about_credentials = (
        bc.NoCredentialsError
        | bc.NoAuthTokenError
        | bc.PartialCredentialsError
        | bc.CredentialRetrievalError
        | bc.TokenRetrievalError
        | bc.UnknownTokenProviderError
        | bc.MetadataRetrievalError
        | bc.InvalidIMDSEndpointError
        | bc.InvalidIMDSEndpointModeError
        | bc.RefreshWithMFAUnsupportedError
        | bc.MissingDependencyException
        | bc.SSOError
        | bc.LoginError
        | bc.ProfileNotFound
        | bc.ConfigParseError
        | bc.ConfigNotFound
        | bc.InvalidConfigError
        | bc.UnknownCredentialError
    )
    if broke_off(error):
        return _unsendable(error, call)
    last = next((module for module in reversed(modules) if module.startswith("botocore.")), "")
    if (isinstance(error, bc.InvalidConfigError) and "botocore.args" in modules) or last == "botocore.configprovider":
        return setting_error(error)
    if isinstance(error, about_credentials) or _CREDENTIAL_MODULES.intersection(modules):
        return credentials_error(error, call)
    own_mistakes = bc.ParamValidationError | bc.DataNotFoundError | bc.PaginationError | bc.OperationNotPageableError
    if isinstance(error, bc.BotoCoreError):
        return None if isinstance(error, own_mistakes) else setting_error(error)
    return setting_error(error) if isinstance(error, ValueError | OSError) and last in _SETTING_MODULES else None


def broke_off(error: Exception) -> bool:
    """True of an exception that tells that a call was never sent, was given up, or was answered by half."""
    from botocore import exceptions as bc
    from botocore.eventstream import ParserError

    return isinstance(
        error,
        bc.HTTPClientError
        | bc.ConnectionError
        | bc.IncompleteReadError
        | bc.FlexibleChecksumError
        | bc.ChecksumError
        | bc.CapacityNotAvailableError
        | bc.WaiterError
        | ParserError,
    )


def credentials_error(error: Exception, call: str = "") -> WrongTarget:
    """The error for credentials that cannot be had: botocore's sentence, and the variables that say where from."""
    from botocore.exceptions import BotoCoreError, ProfileNotFound

    kind = type(error).__name__
    sentence = f"{kind} on {call}: {error}" if call else f"{kind}: {error}"
    if not isinstance(error, BotoCoreError | OSError):
        sentence += " (what the profile, its helper or its file holds is not what boto3 expects)"
    evidence = "\n".join([sentence.strip(), *_set(_CREDENTIAL_PLACES, _SECRET_VARIABLES)])
    if isinstance(error, ProfileNotFound):
        return WrongTarget(
            f"there is no AWS profile {error.kwargs['profile']!r}",
            evidence=evidence,
            hint="set AWS_PROFILE to one of: aws configure list-profiles",
        )
    return WrongTarget(
        "there are no usable AWS credentials",
        evidence=evidence,
        hint="log in (aws sso login, or set AWS_PROFILE), check with: aws sts get-caller-identity",
    )


def setting_error(error: Exception) -> ConfigError:
    """The error for a setting that boto3 does not take: botocore's sentence, and the variable or file that it is in.

    A variable is named where the sentence has its value, or where it is the address that the sentence is about. What no
    variable has is in the file; where there is no file, any variable may be meant.
    """
    sentence = f"{type(error).__name__}: {error}"
    variables = {name: value for name, value in os.environ.items() if _SETTING.fullmatch(name) and value}
    addresses = [name for name in variables if name.startswith(_ENDPOINT)]
    named = [name for name, value in variables.items() if _has_word(sentence, value)] or _unusable(addresses)
    return _setting(named or ([] if _config_file().exists() else variables), sentence)


def _has_word(sentence: str, word: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)", sentence) is not None


def _config_file() -> Path:
    return Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()


def _unusable(variables: Iterable[str]) -> list[str]:
    """Those of the variables whose value is no address."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    wrong = []
    for name in variables:
        try:
            parse_url(os.environ[name])
        except LocationParseError:
            wrong.append(name)
    return wrong


def _setting(variables: Iterable[str], sentence: str) -> ConfigError:
    place = ", ".join(sorted(variables)) or os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    return ConfigError([Problem(place, "", "", sentence)], hint="correct it there, then run the same command again")


def certificate_places() -> str | None:
    """The variables that name certificates, for an error about one; None if none is set."""
    return next(_set((*_CERTIFICATES, "AWS_ENDPOINT_URL", *_PROXIES)), None)


def _unsendable(error: Exception, call: str) -> WrongTarget | ConfigError | None:
    """Translate what the HTTP client could not even begin to send."""
    from urllib3.exceptions import LocationParseError

    reason = getattr(error, "kwargs", {}).get("error")
    places = [name for name, value in os.environ.items() if value and name.startswith((*_PROXIES, _ENDPOINT))]
    unescaped = [name for name in places if isinstance(reason, UnicodeEncodeError) and not os.environ[name].isascii()]
    is_of_address = isinstance(reason, LocationParseError) or (
        isinstance(reason, ValueError) and _is_of_address(reason)
    )
    if unescaped or is_of_address:
        # Its own text is a piece of the address, which may be a piece of a password.
        return _setting(
            unescaped or _unusable(places) or places,
            "the address of the proxy or the endpoint is wrong, or a part of it has to be escaped",
        )
    if isinstance(reason, ValueError) and "header value" in str(reason):
        return credentials_error(
            ValueError("the access key or the token holds a character that no HTTP header takes"), call
        )
    return None


def _is_of_address(error: ValueError) -> bool:
    return _modules(error)[-1:] == ["urllib.parse"]


def _set(names: Iterable[str], secret: Iterable[str] = ()) -> Iterator[str]:
    """Yield a line with these variables, as far as they are set."""
    shown = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    shown += [f"{name} (set)" for name in secret if os.environ.get(name)]
    if shown:
        yield f"in the environment: {', '.join(shown)}"


def _modules(error: Exception) -> list[str]:
    """The modules that the exception came through, the one that raised it last."""
    modules, trace = [], error.__traceback__
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    return modules
