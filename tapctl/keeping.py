"""Whether an environment's files can want a value that was found in AWS: all their rules, with that value in its place.

Nothing is written: advice to edit a file is given only where the edited file would be valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tapctl import config_rules as rules
from tapctl.config_problems import parse, read
from tapctl.config_schema import CommonFile, EnvironmentFile
from tapctl.errors import Problem

COMMON: Final = "common"

Keys = tuple[str, ...]
"""A key's path: tags have dots in theirs."""


def edit_would_be_valid(folder: Path, env: str, file: str, key: Keys, live: Any) -> bool:
    """Whether ``file`` (``common``, or the environment's name) may say ``live`` at this key; None: nothing there."""
    common, own = read(folder / f"{COMMON}.toml"), read(folder / f"{env}.toml")
    if isinstance(common, Problem) or isinstance(own, Problem):
        return False
    _put(common if file == COMMON else own, key, live)
    problems = [*parse(folder, common, CommonFile)[1], *parse(folder, own, EnvironmentFile)[1]]
    broken = [*rules.common_rules(common), *rules.environment_rules(own), *rules.joint_rules(common, own)]
    return not problems and not broken


def _put(table: dict[str, Any], key: Keys, live: Any) -> None:
    *above, last = key
    for name in above:
        table = table.setdefault(name, {})
    if live is None:
        table.pop(last, None)
    else:
        table[last] = _as_written(live, table.get(last))


def _as_written(live: Any, now: Any) -> Any:
    """A number as the files have it: AWS has some as texts and some as fractions."""
    if isinstance(live, float) and live.is_integer():
        return int(live)
    return int(live) if type(now) is int and isinstance(live, str) and live.removeprefix("-").isdecimal() else live
