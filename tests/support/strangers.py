"""Files of somebody else, without the right to give files away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

STRANGER = 4_242
"""The user that the files belong to."""


def give_all_files_away(patch: pytest.MonkeyPatch) -> None:
    """Let all files and links belong to `STRANGER` from now on, and let this process be of another user."""
    fstat = os.fstat
    patch.setattr(os, "geteuid", lambda: 77)
    patch.setattr(os, "fstat", lambda descriptor: _of_stranger(fstat(descriptor)))
    patch.setattr(Path, "lstat", lambda path: _of_stranger(path.stat(follow_symlinks=False)))


def _of_stranger(status: os.stat_result) -> os.stat_result:
    values = list(status)
    values[stat.ST_UID] = STRANGER
    return os.stat_result(values)
