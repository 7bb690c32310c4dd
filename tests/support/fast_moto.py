"""moto made faster for tests: `install` keeps for the process what each answer would work out anew."""

from __future__ import annotations

from functools import cache

import xmltodict  # type: ignore[import-untyped]  # it has no types


def install() -> None:
    """Replace functions of what moto writes its answers with by ones that remember."""
    # Each name of each element of each answer is looked through letter by letter, and there are some thousand names.
    vars(xmltodict)["_validate_name"] = cache(vars(xmltodict)["_validate_name"])
