"""Credentials and settings that boto3 cannot use: told in its own sentence, with the place, and never a secret."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as bc
from botocore.utils import ContainerMetadataFetcher
from urllib3.exceptions import LocationParseError

from tapctl.aws import prompts
from tapctl.aws.client import Aws, Connection, default_region
from tapctl.aws.setup_errors import setup_error
from tapctl.aws.transport import to_tapctl_error
from tapctl.errors import AwsNoAnswer, ConfigError, TapctlError, WrongTarget, add_default_hint, exit_code_of
from tests.conftest import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFORNOBODYSEYES00", "AWS_SECRET_ACCESS_KEY": "secret-key-for-nobody-s-eyes"}
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
PROFILES = f"""
[profile junk]
credential_process = echo hello
[profile list]
credential_process = echo []
[profile missing]
credential_process = /nowhere/helper
[profile refusing]
credential_process = sh -c 'echo http://dana:helperpassword@vault says no >&2; exit 3'
[profile asking]
credential_process = sh -c 'read -r answer; echo read $? >&2; exit 3'
[profile at-the-terminal]
credential_process = sh -c 'read -r answer < /dev/tty'
[profile sleeping]
credential_process = sleep 60
[profile base]
aws_access_key_id = AKIAFORNOBODYSEYES00
aws_secret_access_key = secret-key-for-nobody-s-eyes
[profile mfa]
role_arn = {ROLE}
source_profile = base
mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/dana
[profile role-of-junk]
role_arn = {ROLE}
source_profile = junk
[profile numbers]
credential_process = echo '{{"Version": 1, "AccessKeyId": 1, "SecretAccessKey": 2}}'
[profile token-of-objects]
credential_process = echo '{{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": {{"a": 1}}}}'
[profile role-of-numbers]
role_arn = {ROLE}
source_profile = numbers
[profile loop]
role_arn = {ROLE}
source_profile = loop-2
[profile loop-2]
role_arn = {ROLE}
source_profile = loop
"""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without credentials, and with some profiles."""
    for name in KEYS:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    return monkeypatch


def identify(machine: pytest.MonkeyPatch, **variables: str) -> TapctlError:
    for name, value in variables.items():
        machine.setenv(name, value)
    with pytest.raises(TapctlError) as raised:
        Aws(Connection(REGION)).identify(ACCOUNT)
    add_default_hint(raised.value)
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        (
            {"AWS_ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"]},
            ["missing: AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID (set)"],
        ),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/usr", "AWS_ROLE_ARN": ROLE}, ["it is a folder", "_TOKEN_FILE=/usr"]),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": ROLE}, ["No such file", "_TOKEN_FILE=/nowhere"]),
        ({"AWS_PROFILE": "junk"}, ["JSONDecodeError", "AWS_PROFILE=junk", "not what boto3 expects"]),
        ({"AWS_PROFILE": "list"}, ["AWS_PROFILE=list", "not what boto3 expects"]),
        ({"AWS_PROFILE": "numbers"}, ["AWS_PROFILE=numbers", "not what boto3 expects"]),
        ({"AWS_PROFILE": "token-of-objects"}, ["AWS_PROFILE=token-of-objects", "not what boto3 expects"]),
        ({"AWS_PROFILE": "role-of-numbers"}, ["AWS_PROFILE=role-of-numbers", "not what boto3 expects"]),
        (
            {**KEYS, "AWS_SECRET_ACCESS_KEY": "\udcff\udcfeabcdefgh"},
            ["no text of UTF-8", "AWS_SECRET_ACCESS_KEY (set)"],
        ),
        (KEYS | {"AWS_SESSION_TOKEN": "\udcff\udcfeabcdefgh"}, ["no text of UTF-8", "AWS_SESSION_TOKEN (set)"]),
        ({"AWS_PROFILE": "missing"}, ["/nowhere/helper", "AWS_PROFILE=missing"]),
        ({"AWS_PROFILE": "refusing"}, ["http://***@vault says no", "AWS_PROFILE=refusing"]),
        ({"AWS_PROFILE": "asking"}, ["read 1"]),
        ({"AWS_PROFILE": "at-the-terminal"}, ["/dev/tty"]),
        ({"AWS_PROFILE": "mfa"}, [f"Enter MFA code for arn:aws:iam::{ACCOUNT}:mfa/dana"]),
        ({"AWS_PROFILE": "role-of-junk"}, ["JSONDecodeError", "AWS_PROFILE=role-of-junk"]),
        ({"AWS_PROFILE": "loop"}, ["InfiniteLoopConfigError", "AWS_PROFILE=loop"]),
        ({"AWS_CONFIG_FILE": "/bin/true"}, ["Unable to parse config file: /bin/true"]),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://dana:containerpw@10.1.2.3/"}, ["10.1.2.3"]),
        (KEYS | {"AWS_SESSION_TOKEN": "first-line\nsecond-line"}, ["no HTTP header takes", "AWS_SESSION_TOKEN (set)"]),
        ({**KEYS, "AWS_ACCESS_KEY_ID": "AKIAFOR\nNOBODYSEYES00"}, ["no HTTP header takes"]),
    ],
    ids=str,
)
def test_credentials_that_boto3_cannot_use_are_the_wrong_target(
    machine: pytest.MonkeyPatch, variables: dict[str, str], texts: list[str]
) -> None:
    error = identify(machine, **variables)
    assert (type(error), exit_code_of(error)) == (WrongTarget, 9)
    for text in texts:
        assert text in str(error.evidence)
    for secret in (*KEYS.values(), "first-line", "second-line", "helperpassword", "containerpw", "NOBODYSEYES"):
        assert secret not in f"{error.cause} {error.evidence} {error.hint}"


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        ({"AWS_ENDPOINT_URL": "localhost:4566"}, ["AWS_ENDPOINT_URL: ", "Invalid endpoint: localhost:4566"]),
        ({"AWS_ENDPOINT_URL": "http://localhost:99999"}, ["AWS_ENDPOINT_URL", "Port out of range"]),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "all"}, ["AWS_STS_REGIONAL_ENDPOINTS: ", "option all is invalid"]),
        ({"AWS_DEFAULTS_MODE": "fast"}, ["AWS_DEFAULTS_MODE: ", "invalid defaults mode: fast"]),
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "maybe"}, ["AWS_ACCOUNT_ID_ENDPOINT_MODE: ", "maybe"]),
        ({"AWS_REQUEST_CHECKSUM_CALCULATION": "no"}, ["AWS_REQUEST_CHECKSUM_CALCULATION"]),
        (
            {"AWS_ENDPOINT_URL": "https://sts.example", "HTTPS_PROXY": "http://dana:half/password@proxy:1"},
            ["HTTPS_PROXY", "has to be escaped"],
        ),
        (
            {"AWS_ENDPOINT_URL": "https://sts.example", "HTTPS_PROXY": "http://dana:hälf@127.0.0.1:1"},
            ["HTTPS_PROXY: ", "has to be escaped"],
        ),
    ],
    ids=str,
)
def test_a_setting_that_boto3_does_not_take_is_named(
    machine: pytest.MonkeyPatch, variables: dict[str, str], texts: list[str]
) -> None:
    error = identify(machine, **(KEYS | variables))
    assert (type(error), exit_code_of(error)) == (ConfigError, 3)
    for text in texts:
        assert text in str(error.evidence)
    for secret in ("half", "h\u00e4lf", "xe4"):
        assert secret not in f"{error.cause} {error.evidence} {error.hint}"


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://[::1"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "https://sts.example", "HTTPS_PROXY": "http://[::1"}, "HTTPS_PROXY"),
        ({"AWS_METADATA_SERVICE_TIMEOUT": "abc"}, "AWS_METADATA_SERVICE_TIMEOUT"),
        ({"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "abc"}, "AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
    ],
    ids=str,
)
def test_no_variable_is_blamed_for_what_another_one_has(
    machine: pytest.MonkeyPatch, variables: dict[str, str], place: str
) -> None:
    keys = {} if "METADATA" in place else KEYS
    error = identify(machine, **(keys | {"AWS_MAX_ATTEMPTS": "1"} | variables))
    assert (type(error), exit_code_of(error)) == (ConfigError, 3)
    assert str(error.evidence).startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("lines", "service"),
    [
        ("defaults_mode = fast", "sts"),
        ("metadata_service_timeout = abc", "sts"),
        ("s3 =\n  addressing_style = junk", "s3"),
        ("s3 = junk", "s3"),
    ],
)
def test_no_variable_is_blamed_for_what_the_file_has(
    machine: pytest.MonkeyPatch, tmp_path: Path, lines: str, service: str
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{lines}\n")
    machine.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConfigError) as refused:
        Aws(Connection(REGION)).client(service)
    assert str(refused.value.evidence).startswith(f"{tmp_path}/config: ")


def test_a_proxy_that_does_not_answer_is_the_wrong_target_and_its_password_is_not_told(
    machine: pytest.MonkeyPatch,
) -> None:
    proxy = "http://dana:proxy-password@127.0.0.1:1"
    error = identify(machine, **KEYS, AWS_ENDPOINT_URL="https://sts.example", HTTPS_PROXY=proxy)
    assert (type(error), exit_code_of(error)) == (AwsNoAnswer, 9)
    assert "HTTPS_PROXY=http://***@127.0.0.1:1" in str(error.evidence)
    assert "HTTPS_PROXY" in str(error.hint)
    assert "password" not in f"{error.cause} {error.evidence}"


def test_a_missing_profile_is_named_and_no_call_is(machine: pytest.MonkeyPatch) -> None:
    error = identify(machine, AWS_PROFILE="nobody")
    assert error.cause == "there is no AWS profile 'nobody'"
    assert "sts:" not in str(error.evidence)
    assert "list-profiles" in str(error.hint)
    with pytest.raises(WrongTarget, match="no AWS profile 'nobody'"):
        default_region()


def test_a_setting_without_a_variable_is_in_the_file(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        machine.delenv(name, raising=False)
    wrong = bc.InvalidRetryModeError(provided_retry_mode="x", valid_modes=[])
    error = setup_error(wrong)
    assert f"{tmp_path}/config: InvalidRetryModeError" in str(error and error.evidence)
    machine.delenv("AWS_CONFIG_FILE")
    error = setup_error(wrong)
    assert "~/.aws/config: InvalidRetryModeError" in str(error and error.evidence)


OF_TOKENS = {"AWS_ROLE_ARN": ROLE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}


@pytest.mark.parametrize("name", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
@pytest.mark.parametrize(
    ("kind", "told"), [("pipe", "it is a pipe"), ("device", "no plain file"), ("vast", "is larger than 65,536 bytes")]
)
def test_a_token_is_read_from_a_plain_file_alone(
    machine: pytest.MonkeyPatch, tmp_path: Path, name: str, kind: str, told: str
) -> None:
    path = tmp_path / "token"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.write_text("t" * 65_537)
    error = identify(machine, **OF_TOKENS, **{name: str(path)})
    assert (type(error), exit_code_of(error)) == (WrongTarget, 9)
    assert told in str(error.evidence)
    assert f"{name}={path}" in str(error.evidence)


def test_the_token_of_a_container_is_sent_from_its_file(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    (tmp_path / "token").write_text("token")
    error = identify(machine, **OF_TOKENS, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"))
    assert "from container-role" in str(error.evidence)


def test_a_helper_that_does_not_end_is_not_waited_for(machine: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    machine.setattr(prompts, "HELPER_S", 0.2)
    machine.setattr(prompts, "QUIET_S", 0.1)
    error = identify(machine, AWS_PROFILE="sleeping")
    assert (type(error), "does not end" in error.cause) == (WrongTarget, True)
    assert time.monotonic() - began < 20


def test_a_helper_that_takes_long_is_told_to_whoever_waits(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = json.dumps({"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S"})
    (tmp_path / "answer").write_text(answer)
    for wait, told in ((0, []), (1, ["waiting for the credential_process of the AWS profile, at most 60 s"])):
        machine.setattr(prompts, "QUIET_S", 0.1 if wait else 60)
        (tmp_path / "config").write_text(
            f"[profile slow]\ncredential_process = sh -c 'sleep {wait}; cat {tmp_path}/answer'\n"
        )
        machine.setenv("AWS_PROFILE", "slow")
        said: list[str] = []
        with pytest.raises(AwsNoAnswer):  # nobody listens there
            Aws(Connection(REGION), notify=said.append).identify(ACCOUNT)
        assert said == told


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (bc.SSLError(endpoint_url="https://x", error=OSError("CERTIFICATE_VERIFY_FAILED")), AwsNoAnswer, 9),
        (bc.SSLError(endpoint_url="https://x", error=OSError("[Errno 2] No such file or directory")), AwsNoAnswer, 9),
        (bc.SSLError(endpoint_url="https://x", error=OSError("UNEXPECTED_EOF_WHILE_READING")), AwsNoAnswer, 1),
        (bc.ProxyConnectionError(proxy_url="http://x"), AwsNoAnswer, 9),
        (bc.HTTPClientError(error=LocationParseError("bob:pass")), ConfigError, 3),
        (bc.HTTPClientError(error=RuntimeError("no")), AwsNoAnswer, 1),
        (bc.NoRegionError(), ConfigError, 3),
        (bc.InvalidRetryModeError(provided_retry_mode="x", valid_modes=[]), ConfigError, 3),
        (bc.InvalidProxiesConfigError(error="x"), ConfigError, 3),
        (bc.FlexibleChecksumError(error_msg="x"), AwsNoAnswer, 1),
        (bc.RefreshWithMFAUnsupportedError(), WrongTarget, 9),
    ],
    ids=str,
)
def test_what_is_wrong_on_this_machine_has_its_exit_code(error: Any, kind: type[TapctlError], code: int) -> None:
    ours = to_tapctl_error("sts", "GetCallerIdentity", error)
    assert isinstance(ours, kind)
    assert exit_code_of(ours) == code


def test_certificates_are_named(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    ours = to_tapctl_error(
        "sts", "GetCallerIdentity", bc.SSLError(endpoint_url="https://x", error=OSError("No such file"))
    )
    assert isinstance(ours, AwsNoAnswer)
    assert "AWS_CA_BUNDLE=/nowhere.pem" in str(ours.evidence)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_ENDPOINT_URL", *_PROXIES):
        machine.delenv(name, raising=False)
    ours = to_tapctl_error(
        "sts", "GetCallerIdentity", bc.SSLError(endpoint_url="https://x", error=OSError("No such file"))
    )
    assert ours is not None
    assert ours.evidence is None


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), bc.DataNotFoundError(data_path="x")])
def test_a_mistake_of_ours_is_not_blamed_on_the_user(error: Exception) -> None:
    assert setup_error(error) is None
