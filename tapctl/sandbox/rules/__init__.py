"""The rules, by service. What each corrects is its docstring; the facts are AWS's API reference and user guides."""

from __future__ import annotations

from tapctl.sandbox.rules import kms

ALL = (kms.rules,)
