"""Lines of keys in the environment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.config.places import line_of

FILE = '''# a comment
service = "payments"

[tags]
CostCenter = """
[database]
name = "no"
"""
"quoted key" = 1

[database]
name = "yes" # [no]
windows = [
  "name = no",
]
after = 1
image = { repository = "a", tag = "b" }
inner.deep = 1

[[alarms.extra]]
name = "one"
broken = [
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("service", 2),
        ("tags.CostCenter", 5),
        ("tags.quoted key", 9),
        ("database.name", 12),
        ("database.windows", 13),
        ("database.after", 16),
        ("database.image.tag", 17),
        ("database.inner.deep", 18),
        ("database.port", 11),
        ("alarms.extra", 20),
        ("alarms.extra.broken", 22),
        ("elsewhere.key", 1),
    ],
)
def test_a_key_has_the_line_on_which_it_or_its_table_stands(tmp_path: Path, key: str, line: int) -> None:
    file = tmp_path / "dev.toml"
    file.write_text(FILE)
    parts = key.replace("quoted key", '"quoted key"')
    assert line_of(file, parts) == line


def test_a_file_that_cannot_be_read_has_its_first_line(tmp_path: Path) -> None:
    assert line_of(tmp_path / "none.toml", "a") == 1
