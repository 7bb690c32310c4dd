"""Lines of keys in the environment files."""

from __future__ import annotations

import tomllib
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


VALUES = r"""
first = ["a]", 'b]', [ # and ]]
  {"c" = "]"}], QQQ]
"not = 1
not = 1
\QQQ]""\"QQQ, '''
not = [''''',
]
second = [QQQQQQ, '''''', "", '', "\"]",
]
third = QQQ
not = 1QQQ""
last = 1979-05-27 # [
end = 1
""".replace("QQQ", '"""')


def test_what_stands_in_a_value_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "dev.toml"
    file.write_text(VALUES)
    lines = {key: line_of(file, key) for key in (*tomllib.loads(VALUES), "not")}
    assert lines == {"first": 2, "second": 9, "third": 11, "last": 13, "end": 14, "not": 1}


def test_a_line_is_found_at_once_however_long_the_value_before_it(tmp_path: Path) -> None:
    """Tried line by line, the end of a value of so many took hours."""
    file = tmp_path / "dev.toml"
    file.write_text("a = [\n" + "#\n" * 120_000 + "]\n[t]\nb = 1\n")
    assert line_of(file, "t.b") == 120_004


def test_the_lines_of_many_keys_are_found_at_once(tmp_path: Path) -> None:
    """Each time by a walk through the file they took minutes."""
    file = tmp_path / "dev.toml"
    file.write_text("".join(f"key-{at} = 1\n" for at in range(1, 10_001)))
    assert all(line_of(file, f"key-{at}") == at for at in range(1, 10_001, 10))


def test_a_file_that_cannot_be_read_has_its_first_line(tmp_path: Path) -> None:
    assert line_of(tmp_path / "none.toml", "a") == 1
