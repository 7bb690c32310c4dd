from __future__ import annotations

import pytest

from tapctl.safety.card_data import prints_card_data


@pytest.mark.parametrize(
    ("name", "value", "prints"),
    [
        ("log_statement", "ALL", True),
        ("log_statement", "mod", False),
        ("log_statement", None, False),
        ("log_min_duration_statement", "0", True),
        ("log_min_duration_statement", "-1", False),
        ("log_parameter_max_length", None, True),
        ("log_parameter_max_length", "0", False),
        ("pgaudit.log", "ddl,read", True),
        ("work_mem", "1", False),
    ],
)
def test_a_value_that_puts_card_data_into_the_logs_is_known(name: str, value: str | None, prints: bool) -> None:
    assert prints_card_data(name, value) is prints
