"""The embedded AWS is reached whatever the user has set up for the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection
from tests.conftest import ACCOUNT, CREDENTIALS, REGION

NOBODY = "http://127.0.0.1:9"


def ask(url: str) -> None:
    client = Aws(Connection(region=REGION, endpoint_url=url, credentials=CREDENTIALS))
    assert client.identify(ACCOUNT).account == ACCOUNT
    assert client.s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", NOBODY),
        ("http_proxy", NOBODY),
        ("AWS_PROFILE", "nobody"),
        ("AWS_DEFAULT_PROFILE", "nobody"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "nowhere"),
        ("AWS_DEFAULTS_MODE", "none"),
    ],
)
def test_no_variable_leads_elsewhere(sandbox_url: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    ask(sandbox_url)


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_no_file_is_read(sandbox_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("[default")
    monkeypatch.setenv(name, str(tmp_path / "file"))
    ask(sandbox_url)
