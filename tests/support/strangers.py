"""Files of somebody else, without the right to give files away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

STRANGER = 4_242
"""The user that the files belong to."""


def give_files_away(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let what is in this folder belong to `STRANGER` from now on, and let this process be of another user.

    All that is above belongs to this process; what it opens, to `STRANGER`.
    """
    fstat = os.fstat
    ours = 77
    patch.setattr(os, "geteuid", lambda: ours)
    patch.setattr(os, "fstat", lambda descriptor: _of(STRANGER, fstat(descriptor)))

    def lstat(path: Path) -> os.stat_result:
        owner = STRANGER if folder in path.absolute().parents else ours
        return _of(owner, path.stat(follow_symlinks=False))

    patch.setattr(Path, "lstat", lstat)


def _of(owner: int, status: os.stat_result) -> os.stat_result:
    values = list(status)
    values[stat.ST_UID] = owner
    return os.stat_result(values)
