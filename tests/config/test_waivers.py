"""waivers.toml: typed, bounded, and every mistake with its place."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tapctl.config.problems import allowed_keys
from tapctl.config.waivers import WaiversFile, load_waivers, path_of, waivers_schema
from tapctl.errors import ConfigError

TODAY = date(2026, 11, 28)
ENVIRONMENTS = ("dev", "prod")
ONE = """[[waiver]]
environment = "dev"
address = "lambda-function/*"
field = "tags.aws-backup:*"
owner = "dana"
reason = "the platform's own"
until = 2026-12-31
"""


def loaded(folder: Path, text: str) -> Any:
    path_of(folder).write_text(text)
    return load_waivers(folder, ENVIRONMENTS, TODAY)


def test_without_a_file_nothing_is_waived(tmp_path: Path) -> None:
    assert load_waivers(tmp_path, ENVIRONMENTS, TODAY) == ()
    assert loaded(tmp_path, "# nothing yet\n") == ()


def test_a_waiver_has_every_key_but_the_one_value(tmp_path: Path) -> None:
    plain, narrow = loaded(tmp_path, f'{ONE}{ONE.replace("dev", "*")}live = "gold"\n')
    assert (plain.environment, plain.until, plain.live) == ("dev", date(2026, 12, 31), None)
    assert (narrow.environment, narrow.live) == ("*", "gold")


@pytest.mark.parametrize(
    ("old", "new", "key", "rule"),
    [
        ('"dev"', '"dve"', "waiver.0.environment", "did you mean dev"),
        ('"dev"', '""', "waiver.0.environment", "must be a text of 1 to 500"),
        ('"dev"', "1", "waiver.0.environment", "this is an integer"),
        (
            "2026-12-31",
            "2027-02-28",
            "waiver.0.until",
            "is more than 90 days ahead: 2027-02-26 is the last day, as today is 2026-11-28 by this clock (UTC)",
        ),
        ("2026-12-31", '"soon"', "waiver.0.until", "must be a date"),
        ("2026-12-31", "0x" + "f" * 4000, "waiver.0.until", "is a number of too many digits"),
        ("2026-12-31", "2026-12-31T10:00:00", "waiver.0.until", "must be a date"),
        ('"the platform\'s own"', '"…"', "waiver.0.reason", "at least three letters"),
        ('owner = "dana"\n', "", "waiver.0.owner", "is missing"),
        ("owner", "ower", "waiver.0.ower", "did you mean owner"),
        ("[[waiver]]", "[[waivers]]", "waivers", "is no key of this file; did you mean waiver"),
        ("until", 'live = ["a"]\nuntil', "waiver.0.live", "the one live value"),
        ("[[waiver]]", "[[waiver]", "", "is not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, key: str, rule: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, ONE.replace(old, new, 1))
    first = refused.value.problems[0]
    assert (first.file, first.key.partition("[")[0]) == (str(path_of(tmp_path)), key)
    assert rule in " ".join(one.rule for one in refused.value.problems)


def test_what_a_clock_of_tomorrow_wrote_is_read(tmp_path: Path) -> None:
    (waiver,) = loaded(tmp_path, ONE.replace("2026-12-31", "2027-02-27"))
    assert waiver.until == TODAY + timedelta(days=91)


def test_where_no_environment_is_known_any_name_may_be_one(tmp_path: Path) -> None:
    path_of(tmp_path).write_text(ONE.replace("dev", "dve"))
    assert load_waivers(tmp_path, (), TODAY)[0].environment == "dve"


def test_its_schema_has_every_key() -> None:
    schema = waivers_schema()
    assert set(allowed_keys(WaiversFile)) == {"waiver"} == set(schema["properties"])
    assert set(schema["$defs"]["WaiverTable"]["required"]) == {
        *("environment", "address", "field", "owner", "reason", "until")
    }
