from __future__ import annotations

import json
import os
import time
from urllib.parse import quote

import pytest

from tapctl.aws.callers import as_kept
from tapctl.errors import AwsRefused, TapctlError
from tapctl.safety import redaction
from tapctl.safety.redaction import hide, hide_path, hide_path_once, hide_paths_within, host_alone, is_secret, redact


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://dana:hunter2@proxy:8080/x", "http://***@proxy:8080/x"),
        ("http://dana@proxy", "http://***@proxy"),
        ("http://dana:p@ss@proxy", "http://***@proxy"),
        ("http://dana:pa/ss@proxy", "http://***@proxy"),
        ("http://socks5://dana:hunter2@proxy", "http://socks5://***@proxy"),
        ("to 'https://a:b@c' and https://d:e@f!", "to 'https://***@c' and https://***@f!"),
        ("https://host:443/path@2", "https://host:443/path@2"),
        ("https://host/dana@example.com", "https://host/dana@example.com"),
        ("arn:aws:iam::1:user/dana@example.com", "arn:aws:iam::1:user/dana@example.com"),
        ("?X-Amz-Signature=abc&x=1", "?X-Amz-Signature=***&x=1"),
        ("Credential=AKIA/x, SignedHeaders=a, Signature=f8a9", "Credential=***, SignedHeaders=a, Signature=***"),
    ],
)
def test_the_user_part_of_an_address_and_a_signature_are_stripped(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_known_value_is_stripped_however_it_is_written() -> None:
    hide('to"ken/with„all\nsecondline')
    for written in ('to"ken/with„all\nsecondline', repr('to"ken/with„all\nsecondline'), "a secondline b"):
        assert "secondline" not in redact(written)
        assert "ken/with" not in redact(written)
    assert redact("b'to\"ken/with\\xe2\\x80\\x9eall\\nsecondline'") == "b'***'"
    assert redact("to%22ken%2Fwith%E2%80%9Eall%0Asecondline") == "***"


@pytest.mark.parametrize("short", [None, "", "prod", "testing"])
def test_what_is_too_short_to_be_told_from_a_word_stays(short: str | None) -> None:
    hide(short)
    assert redact("testing prod") == "testing prod"


def test_of_many_known_values_the_last_ones_are_stripped() -> None:
    for number in range(100):
        hide(f"secret-{number:03}")
    assert redact("secret-000 secret-099") == "secret-000 ***"


def test_the_environment_s_secrets_are_stripped_and_its_places_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-value")
    monkeypatch.setenv("MY_API_KEY", "api-key-value")
    monkeypatch.setenv("TOKEN_TEAM", "platform")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token")
    monkeypatch.setenv("HTTPS_PROXY", "http://dana:proxy%2Fpassword@proxy:1")
    text = redact("token-value api-key-value /var/run/token platform proxy/password proxy%2Fpassword")
    assert text == "*** *** /var/run/token platform *** ***"


@pytest.mark.parametrize("value", [b"\xff\xfeabcdefgh", "pässwörd12".encode("latin-1"), "pässwörd12".encode()])
def test_a_value_that_is_no_utf_8_is_stripped_by_its_bytes(monkeypatch: pytest.MonkeyPatch, value: bytes) -> None:
    text = os.fsdecode(value)
    monkeypatch.setenv("DB_PASSWORD", text)
    monkeypatch.setenv("HTTPS_PROXY", f"http://dana:{text}@proxy:1")
    written = [text, repr(value), json.dumps(text), quote(value, safe=""), value.decode(errors="replace")]
    for each in (*written, value.decode("latin-1")):
        assert redact(f"with {each}").replace("b'***'", "***").replace('"***"', "***") == "with ***"
    assert as_kept(f"tapctl waive --reason {text}") == "tapctl waive --reason ***"
    assert str(TapctlError(text)) == "***"


def test_half_a_character_is_stripped_too() -> None:
    hide("\ud800-of-json")
    assert redact("a \ud800-of-json, and \\ud800-of-json") == "a ***, and ***"
    assert hide_path("https://example.com/\udcff") != hide_path("https://example.com/\udcfe")


def test_no_text_of_an_error_holds_a_credential() -> None:
    hide("nobodys-business")
    text = "with nobodys-business"
    error = TapctlError(text, evidence=text, hint=text)
    refused = AwsRefused("kms", "CreateKey", "No", text, hint=text)
    for told in (error.cause, error.evidence, error.hint, str(error), refused.message, str(refused), refused.hint):
        assert "with ***" in str(told)
        assert "nobodys" not in str(told)


ARN = "arn:aws:secretsmanager:us-east-2:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("", ARN, False),
        ("DB_PASSWORD", ARN, False),
        ("", "arn:{partition}:secretsmanager:{region}:{account_id}:secret:db-*", False),
        ("", f"1 to {ARN} (Decrypt)", False),
        ("", "arn:aws:lambda:us-east-2:123456789012:function:token:live", False),
        ("DB_PASSWORD", f"{ARN} hunter22", True),
        ("", f"{ARN}, token: hunter22", True),
        ("", "arn:aws:sqs:us-east-2:123456789012:token=hunter22", True),
        ("", "arn:aws:sqs:us-east-2:123456789012:x://dana:hunter22@db", True),
        ("", "arn:aws:x:secret:hunter22", True),
        ("DB_PASSWORD", "arn:::::hunter22", True),
        ("DB_PASSWORD", "", False),
    ],
)
def test_the_arn_of_a_secret_is_none_and_hides_none(name: str, value: str, secret: object) -> None:
    assert is_secret(value, name) is secret


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("TokenTeam", "payments", False),
        ("db-credential-owner", "dba@example.com", False),
        ("org:secrets/owner", "Platform Team 7", False),
        ("tokenization", "pci", False),
        ("PASSWORD_ROTATION_DAYS", "30", False),
        ("TOKEN_TYPE", "oauth2", False),
        ("tokenUrl", "https://example.com/a1b2c3d4", False),
        ("uses-secrets", "true", False),
        ("TokenTeam", "9f8e7d6c5b4a3928", True),
        ("TokenTeam", "eyJhbGciOiJIUzI1NiJ9x", True),
        ("TeamToken", "payments", True),
        ("DbPassword", "swordfish", True),
        ("password", "swordfish", True),
        ("DB_PASSWORD_PROD", "swordfish", True),
        ("db-pwd", "swordfish", True),
        ("api-key", "swordfish", True),
        ("authtoken", "swordfish", True),
        ("SECRETARN", "9f8e7d6c", True),
        ("PWD", "/home/dana", False),
    ],
)
def test_a_name_that_is_about_a_secret_hides_no_words(name: str, value: str, secret: object) -> None:
    assert is_secret(value, name) is secret


@pytest.mark.parametrize(
    "text", ["://" * 40_000, "a://" + "b:" * 60_000, "=" * 100_000, "http://" + "@" * 100_000, "arn:a:b:c:d:" * 10_000]
)
def test_a_long_text_is_stripped_in_no_time(text: str) -> None:
    began = time.process_time()
    redact(text)
    is_secret(text)
    host_alone(text)
    hide_paths_within(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://events.example.com/integration/0a1b2c", "https://events.example.com/#"),
        (
            "sns-subscription/alarms-dev/https://hooks.example.com:8443/T0?key=1",
            "sns-subscription/alarms-dev/https://hooks.example.com:8443/#",
        ),
        ("http:http://me:pass@example.com/a", "http:http://example.com/#"),
    ],
)
def test_an_address_on_the_web_is_known_by_its_host_and_a_digest(text: str, shown: str) -> None:
    hidden = hide_path(text)
    assert hidden[:-16] == shown
    assert hide_path_once(hidden) == hidden
    assert hide_path(f"{text}2") != hidden


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://example.com/",
        "email:a@example.com",
        "arn:aws:sqs:a:1:q",
        "*/https://example.com/*",
    ],
)
def test_what_holds_no_path_stays_as_it_is(text: str) -> None:
    assert hide_path(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("email:oncall@example.com", "email:oncall@example.com"),
        (" oncall@example.com", " oncall@example.com"),
        (" arn:aws:firehose:us-east-1:123456789012:deliverystream/a", None),
        ("https://example.com/", "https://example.com/"),
        ("https://k3y@example.com", "https://example.com"),
        ("https//example.com/k3y", "https/…"),
        ("https%3A%2F%2Fexample.com%2Fk3y", "https/…"),
        ("example.com/a\nb/k3y", "example.com/…"),
        ("", ""),
    ],
)
def test_a_receiver_is_shown_with_its_host_alone(text: str, shown: str | None) -> None:
    assert host_alone(text) == (text if shown is None else shown)


def test_an_address_on_the_web_within_a_text_is_shown_without_its_path() -> None:
    hidden = hide_path("https://example.com/k3y")
    text = f"no: HTTP://me:pass@a.example:99999?k3y, https://b.example/ and {hidden} of 10.0.0.0/16"
    assert hide_paths_within(text) == (
        f"no: HTTP://me:pass@a.example:99999/… https://b.example/ and {hidden} of 10.0.0.0/16"
    )
