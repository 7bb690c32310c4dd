"""The parameters of the database that put card data into its logs, which are read by more people than the data is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_OFF: Final = "0|off|false"
_FROM_1: Final = "-1|[1-9][0-9]*"
_CARD_DATA: Final[Mapping[str, tuple[str, str]]] = {
    # Bound values of statements, which is where card data is; PostgreSQL logs them whole by default where it logs a
    # statement with its values apart.
    "log_parameter_max_length": ("0", '"0"'),
    "log_parameter_max_length_on_error": ("0", '"0"'),
    # Every statement, or every one of some transactions.
    "log_min_duration_sample": (_FROM_1, '"1" or more milliseconds, or "-1" for none'),
    "log_transaction_sample_rate": (r"0(\.0+)?", '"0"'),
    "log_min_error_statement": ("error|fatal|panic", '"error", "fatal" or "panic"'),
    # Trees of statements, with their constants.
    "debug_print_parse": (_OFF, '"0"'),
    "debug_print_plan": (_OFF, '"0"'),
    "debug_print_rewritten": (_OFF, '"0"'),
    "auto_explain.log_min_duration": (_FROM_1, '"1" or more milliseconds, or "-1" for none'),
    "auto_explain.log_parameter_max_length": ("0", '"0"'),
    # Statements as they were sent: of definitions and roles alone.
    "pgaudit.log": (r"none|(ddl|role)(,(ddl|role))?", '"none", "ddl", "role" or "ddl,role"'),
    "pgaudit.log_parameter": (_OFF, '"0"'),
    "pgaudit.role": ("(?!)", "left out"),
}
"""Parameter to the pattern of the values that keep card data out of the logs, and these values in words."""
_OF_THE_STACK: Final[Mapping[str, str]] = {"log_statement": "none|ddl|mod", "log_min_duration_statement": _FROM_1}
"""The same of the parameters that the stack sets itself."""
_WHOLE_BY_DEFAULT: Final = frozenset({"log_parameter_max_length", "auto_explain.log_parameter_max_length"})
"""The parameters that print card data where nobody has set them."""


def card_data_rule(name: str, value: str) -> str:
    """The rule that this parameter's value breaks where it would put card data into the logs; empty: it does not."""
    pattern, words = _CARD_DATA.get(name, ("", ""))
    if not words or re.fullmatch(pattern, value.strip().lower()):
        return ""
    return f"would print card data into the logs; must be {words}"


def prints_card_data(name: str, value: str | None) -> bool:
    """True if this value of the parameter puts card data into the logs; None: nobody has set the parameter."""
    if value is None:
        return name in _WHOLE_BY_DEFAULT
    own = _OF_THE_STACK.get(name)
    return bool(card_data_rule(name, value)) or (own is not None and not re.fullmatch(own, value.strip().lower()))
