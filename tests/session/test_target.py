from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import pytest

from tapctl.aws.client import Connection
from tapctl.config import Config, load
from tapctl.errors import ConfigError, UsageError, WrongTarget
from tapctl.render import choose_screen
from tapctl.render.screen import Screen
from tapctl.session.invocation import SANDBOX_FOLDER, Invocation
from tapctl.session.target import announce_sandbox_start, connect, open_store_unidentified, resolve_target
from tests.support.config_folder import ENVIRONMENTS, Folder

ROLE = "arn:aws:iam::123456789012:role/deploy"
S3 = Invocation("outputs", state="s3://records/team")


@pytest.fixture
def err() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen(err: io.StringIO) -> Screen:
    return choose_screen(io.StringIO(), err, {"TERM": "dumb"})


@pytest.fixture
def dev(tmp_path: Path) -> Config:
    return Folder(tmp_path / "environments").put("dev", "role_arn", ROLE).load()["dev"]


def test_records_are_read_in_the_environments_region_by_its_role(screen: Screen, dev: Config) -> None:
    assert connect(S3, screen, dev).target == Connection("us-east-2", role_arn=ROLE)


def test_region_option_overrides_the_environments_region(screen: Screen, dev: Config) -> None:
    elsewhere = Invocation("outputs", state=S3.state, region="eu-west-1")
    assert connect(elsewhere, screen, dev).target == Connection("eu-west-1", role_arn=ROLE)
    assert connect(elsewhere, screen, None).target == Connection("eu-west-1")


@pytest.mark.parametrize("by", ["variable", "profile"])
def test_without_an_environment_the_region_is_boto3_s_own(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    else:
        (tmp_path / "config").write_text("[profile team]\nregion = eu-north-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "team")
    assert connect(S3, screen, None).target == Connection("eu-north-1")


def test_without_any_region_a_default_serves(screen: Screen) -> None:
    assert connect(S3, screen, None).target == Connection("us-east-1")


def test_a_region_of_the_user_s_settings_is_held_to_the_rule_too(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "a b")
    with pytest.raises(ConfigError) as refused:
        connect(S3, screen, None)
    assert "AWS_DEFAULT_REGION, or the profile = a b: must be an AWS region" in str(refused.value.evidence)


def test_an_unknown_profile_is_a_wrong_target(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(WrongTarget, match="no AWS profile"):
        connect(S3, screen, None)


def test_reading_a_bucket_is_announced_once(screen: Screen, err: io.StringIO) -> None:
    options = Invocation("manifest show", state=S3.state)
    open_store_unidentified(options, screen)
    assert err.getvalue() == "manifest show: reading s3://records/team\n"
    open_store_unidentified(options, screen, load(ENVIRONMENTS, "dev"))
    assert err.getvalue().count("\n") == 1


def test_a_folder_is_read_without_a_word(screen: Screen, err: io.StringIO) -> None:
    open_store_unidentified(Invocation("outputs"), screen)
    assert err.getvalue() == ""


def test_an_embedded_aws_that_another_command_starts_is_said_to_start(
    screen: Screen, err: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded AWS that is starting has its socket open, and nothing answers yet."""
    monkeypatch.chdir(tmp_path)
    SANDBOX_FOLDER.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        record = {"pid": 1, "port": silent.getsockname()[1], "token": "x", "planted": []}
        (SANDBOX_FOLDER / "sandbox.json").write_text(json.dumps(record))
        announce_sandbox_start(screen)
    assert err.getvalue() == "starting the embedded AWS\n"


def test_the_only_environment_is_named_for_a_copy_that_no_record_has(
    screen: Screen, dev: Config, tmp_path: Path
) -> None:
    files = tmp_path / "alone"
    files.mkdir()
    for name in ("common.toml", "dev.toml"):
        (files / name).write_bytes((tmp_path / "environments" / name).read_bytes())
    typed = Invocation("destroy", suffix="pr-9", config=files, state=str(tmp_path / "no"), command="tapctl destroy")
    with pytest.raises(UsageError) as refused:
        resolve_target(typed, screen)
    assert f"tapctl destroy --env {dev.environment} --config" in str(refused.value.hint)
