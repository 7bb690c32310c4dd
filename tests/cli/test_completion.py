"""Completions that a shell offers: environments, suffixes and addresses, from files and local records alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tapctl.cli import main
from tapctl.engine.record import Entry, Phase
from tapctl.manifest.local import LocalStore
from tests.manifest.examples import manifest
from tests.support.config_folder import ENVIRONMENTS

_ARN = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
TOPIC = Entry(type="sns-topic", id="alarms-dev", phase=Phase.MADE, spec={}, outputs={"arn": _ARN})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with the environment files, records of dev and pr-42, and one that is broken."""
    shutil.copytree(ENVIRONMENTS, tmp_path / "environments")
    store = LocalStore(tmp_path / "manifests")
    store.write(manifest(TOPIC), None)
    store.write(manifest(suffix="pr-42"), None)
    (tmp_path / "manifests" / "broken.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    for name in ("TAPCTL_STATE", "TAPCTL_CONFIG", "TAPCTL_ENV"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def offered(typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words that a shell is given behind what is typed."""
    words = typed.split(" ")
    monkeypatch.setenv("_TAPCTL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    told = capsys.readouterr()
    assert told.err == ""
    return [line.partition(",")[2] for line in told.out.splitlines() if line]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("tapctl sta", ["status"]),
        ("tapctl plan --env ", ["dev", "prod", "staging"]),
        ("tapctl plan --env p", ["prod"]),
        ("tapctl parity ", ["dev", "prod", "staging"]),
        ("tapctl plan --config elsewhere --env ", []),
        ("tapctl plan --env dev --suffix p", ["pr-42"]),
        ("tapctl plan --suffix b", ["broken"]),
        ("tapctl apply --allow ", ["sns-topic/alarms-dev"]),
        ("tapctl apply --env dev --adopt sns", ["sns-topic/alarms-dev"]),
        ("tapctl apply --env dev --suffix pr-42 --adopt ", []),
        ("tapctl plan --state elsewhere --suffix ", []),
        ("tapctl plan --state environments/dev.toml --suffix ", []),
    ],
)
def test_words_are_offered(
    folder: Path, typed: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(typed, monkeypatch, capsys) == words


def test_a_name_that_means_something_to_the_shell_or_the_terminal_is_not_offered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("$(reboot)", "d;reboot", "e\x1b[31m", "-rf", "two words"):
        (folder / "environments" / f"{name}.toml").write_text("")
    assert offered("tapctl plan --env ", monkeypatch, capsys) == ["dev", "prod", "staging"]


def test_a_script_for_the_shell_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_TAPCTL_COMPLETE", "zsh_source")
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert "_TAPCTL_COMPLETE" in capsys.readouterr().out
    assert os.environ["_TAPCTL_COMPLETE"] == "zsh_source"


def test_an_empty_variable_ends_no_completion(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPCTL_STATE", "")
    assert offered("tapctl plan --suffix p", monkeypatch, capsys) == ["pr-42"]
