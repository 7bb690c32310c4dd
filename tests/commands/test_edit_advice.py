from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapctl.commands.advice import edit_would_be_valid
from tests.support.config_folder import Folder

KEPT: list[tuple[str, str, Any]] = [
    ("common", "database.log_statement", "mod"),
    ("common", "database.log_min_duration_statement_ms", "500"),
    ("common", "database.log_min_duration_statement_ms", "-1"),
    ("common", "database.backup_window", "02:00-03:00"),
    ("common", "logs.retention_days", 60),
    ("common", "secrets.rotation_days", 7),
    ("common", "alarms.throttle_threshold", 5.0),
    ("dev", "alarms.error_threshold", 11.0),
    ("dev", "processor.reserved_concurrency", None),
    ("dev", "database.instance_class", "db.r6g.large"),
    ("prod", "protected", False),
]
REFUSED: list[tuple[str, str, Any]] = [
    ("common", "database.log_statement", "all"),
    ("common", "database.log_min_duration_statement_ms", "0"),
    ("common", "database.log_min_duration_statement_ms", "soon"),
    ("common", "database.backup_retention_days", 1),
    ("common", "logs.retention_days", 1),
    ("common", "logs.retention_days", None),
    ("common", "secrets.rotation_days", 90),
    ("common", "alarms.throttle_threshold", 0.5),
    ("dev", "processor.memory_mb", 64),
    # Rules that join several keys: one to fail over to; windows that overlap.
    ("dev", "protected", True),
]


@pytest.mark.parametrize(("file", "key", "live"), KEPT)
def test_what_the_rules_take(tmp_path: Path, file: str, key: str, live: Any) -> None:
    folder = Folder(tmp_path / "environments")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    assert edit_would_be_valid(folder.path, "prod" if file == "prod" else "dev", file, tuple(key.split(".")), live)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.parametrize(("file", "key", "live"), REFUSED)
def test_what_the_rules_refuse(tmp_path: Path, file: str, key: str, live: Any) -> None:
    assert not edit_would_be_valid(Folder(tmp_path / "environments").path, "dev", file, tuple(key.split(".")), live)


def test_a_window_that_would_overlap_the_other(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments")
    backup = folder.tables["common"]["database"]["backup_window"]
    assert not edit_would_be_valid(
        folder.path,
        "dev",
        "common",
        ("database", "maintenance_window"),
        "-".join(f"sun:{at}" for at in backup.split("-")),
    )


@pytest.mark.parametrize(
    ("tag", "live", "taken"),
    [("Owner", "500", True), ("a.b", "x", True), ("Owner", "a\tb", False), ("CostCenter", None, True)],
)
def test_tags(tmp_path: Path, tag: str, live: str | None, taken: bool) -> None:
    assert edit_would_be_valid(Folder(tmp_path / "environments").path, "dev", "common", ("tags", tag), live) is taken


@pytest.mark.parametrize("file", ["common", "dev"])
def test_a_file_that_is_gone_meanwhile_takes_nothing(tmp_path: Path, file: str) -> None:
    folder = Folder(tmp_path / "environments")
    (folder.path / f"{file}.toml").unlink()
    assert not edit_would_be_valid(folder.path, "dev", "common", ("logs", "retention_days"), 60)
