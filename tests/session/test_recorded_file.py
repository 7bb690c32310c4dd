"""An environment whose file is gone, offline: what its record tells stands in for it, or helps to write it again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tapctl.config import Config
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ConfigError, ManifestError
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.recorded_file import recorded_keys
from tapctl.session.target import Files, is_gone, local_manifest, resolve_recorded, resolve_target
from tests.manifest.examples import manifest
from tests.support.config_folder import Folder

SCREEN = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})


@pytest.fixture
def gone(tmp_path: Path) -> Invocation:
    """dev has a record and no file."""
    folder = Folder(tmp_path / "environments").path
    (folder / "dev.toml").unlink()
    open_store(str(tmp_path / "state"), None).write(manifest(), None)
    return Invocation("outputs", "dev", config=folder, state=str(tmp_path / "state"))


def record(invocation: Invocation) -> Path:
    return Path(invocation.state) / "dev.json"


def test_the_record_names_account_and_region(gone: Invocation) -> None:
    loaded, target = resolve_recorded(gone, SCREEN, Files.MAY_BE_GONE)
    assert target == Target("dev", "dev", "123456789012", "us-east-2", config_hash="9f3c")
    assert isinstance(loaded, ConfigError)
    assert "dev.toml: is not there" in str(loaded.evidence)


def test_a_folder_that_is_not_there_has_no_files(gone: Invocation, tmp_path: Path) -> None:
    assert is_gone(tmp_path / "nowhere", "dev")
    assert not is_gone(record(gone), "dev"), "what cannot be read may have it"


@pytest.mark.parametrize("files", Files)
def test_without_a_record_of_it_there_is_no_such_environment(gone: Invocation, files: Files) -> None:
    theirs = record(gone).read_text().replace('"environment": "dev"', '"environment": "qa"')
    for text in (theirs, None):
        record(gone).unlink()
        if text is not None:
            record(gone).write_text(text)
        with pytest.raises(ConfigError) as told:
            resolve_recorded(gone, SCREEN, files)
        assert "is no environment" in str(told.value.evidence)
        record(gone).write_text("")


def test_a_record_that_cannot_be_used_is_told_where_it_would_stand_in(gone: Invocation) -> None:
    record(gone).write_text("{")
    with pytest.raises(ManifestError):
        resolve_recorded(gone, SCREEN, Files.MAY_BE_GONE)
    with pytest.raises(ConfigError, match="--env is not valid"):
        resolve_target(gone, SCREEN)
    assert local_manifest(gone, "dev") is None


def test_files_that_are_wrong_stop_all_but_what_ignores_them(gone: Invocation) -> None:
    (gone.config / "dev.toml").write_text("a = ")
    with pytest.raises(ConfigError):
        resolve_recorded(gone, SCREEN, Files.MAY_BE_GONE)
    loaded, target = resolve_recorded(gone, SCREEN, Files.MAY_BE_WRONG)
    assert (isinstance(loaded, Config), target.account) == (False, "123456789012")


def test_the_keys_that_a_record_tells_are_those_it_knows() -> None:
    cluster = Entry(type="db-cluster", id="db-cluster-dev", phase=Phase.MADE, spec={"tags": "odd"})
    bare = manifest(cluster).model_copy(update={"networking": {"reference": 1}})
    assert list(recorded_keys(bare)) == ['account_id = "123456789012"', 'region = "us-east-2"']


def test_a_state_in_s3_is_not_asked_for_an_error() -> None:
    assert local_manifest(Invocation("drift", state="s3://records"), "dev") is None
