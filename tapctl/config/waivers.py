"""``environments/waivers.toml``: the differences that somebody answers for until a day, an array of tables."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from tapctl.config.problems import parse, problem, read
from tapctl.config.schema import WAIVERS, Table, schema_of
from tapctl.config.types import did_you_mean, rule_error
from tapctl.errors import ConfigError, Problem
from tapctl.safety.files import is_absent

EVERY: Final = "*"
MAX_DAYS: Final = 90
GRACE: Final = timedelta(days=1)
"""A waiver that is read may end so much later: the clock of whoever wrote it may have been in the next day."""
MAX_WAIVERS: Final = 500
_LONGEST: Final = 500
_FEWEST_LETTERS: Final = 3

_PATTERN_RULE = "a text of 1 to 500 printable characters, in which * stands for any text"
_TEXT_RULE = "a text of at most 500 printable characters, with at least three letters"
_LIVE_RULE = "the one live value that is waived: a string, a number or a boolean"


def _pattern(text: str) -> str:
    if not 0 < len(text) <= _LONGEST or not text.isprintable() or text != text.strip():
        raise rule_error(f"must be {_PATTERN_RULE}")
    return text


def _text(text: str) -> str:
    if len(text) > _LONGEST or not text.isprintable() or sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        raise rule_error(f"must be {_TEXT_RULE}")
    return text


def _live(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise rule_error(f"must be {_LIVE_RULE}")
    return value


_Pattern = Annotated[str, AfterValidator(_pattern), Field(description=_PATTERN_RULE)]
_Text = Annotated[str, AfterValidator(_text), Field(description=_TEXT_RULE)]


class WaiverTable(Table):
    """A ``[[waiver]]``."""

    environment: _Pattern
    """The name of an environment, or ``*`` for all."""
    address: _Pattern
    field: _Pattern
    owner: _Text
    reason: _Text
    until: Annotated[date, Field(description=f"a date, at most {MAX_DAYS} days ahead: 2026-12-31")]
    """The last day on which the waiver counts."""
    live: Annotated[
        Any,
        AfterValidator(_live),
        Field(description=_LIVE_RULE, json_schema_extra={"type": ["string", "number", "boolean"]}),
    ] = None
    """None: any value. An empty text is a value as any other: that nothing is there."""


class WaiversFile(Table):
    """waivers.toml."""

    waiver: Annotated[
        tuple[WaiverTable, ...],
        Field(max_length=MAX_WAIVERS, strict=False, description=f"an array of at most {MAX_WAIVERS} tables"),
    ] = ()


def waivers_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of waivers.toml, for editors."""
    return schema_of(WaiversFile)


def path_of(folder: Path) -> Path:
    """The file in this folder of environment files."""
    return folder / f"{WAIVERS}.toml"


def load_waivers(folder: Path, environments: tuple[str, ...], today: date) -> tuple[WaiverTable, ...]:
    """Load the waivers of all environments, in the order of the file; none where there is no file.

    ``environments``: the names that there are; none where that is not known, and then any name may be one.

    Raises:
        ConfigError: the file breaks a rule; with every problem.
    """
    path = path_of(folder)
    if is_absent(path, follow=False):
        return ()
    raw = read(path)
    if isinstance(raw, Problem):
        raise ConfigError([raw], folder=folder)
    return check(path, raw, environments, today)


def check(
    path: Path, raw: dict[str, Any], environments: tuple[str, ...], today: date, *, grace: timedelta = GRACE
) -> tuple[WaiverTable, ...]:
    """Make the waivers of the file's tables. ``grace``: none for what is written now.

    Raises:
        ConfigError: they break a rule; with every problem.
    """
    file, problems = parse(path, raw, WaiversFile)
    waivers = file.waiver if file is not None else ()
    for index, one in enumerate(waivers):
        if environments and one.environment not in (EVERY, *environments):
            meant = did_you_mean(one.environment, environments)
            rule = f"is no environment; there are {', '.join(environments)}, and * for all{meant}"
            problems.append(problem_at(path, index, "environment", one.environment, rule))
        last = today + timedelta(days=MAX_DAYS)
        if one.until > last + grace:
            rule = (
                f"is more than {MAX_DAYS} days ahead: {last} is the last day, as today is {today} by this clock (UTC)"
            )
            problems.append(problem_at(path, index, "until", one.until, rule))
    if problems:
        raise ConfigError(problems, folder=path.parent)
    return waivers


def problem_at(path: Path, index: int, key: str, value: Any, rule: str) -> Problem:
    """Build the problem of one key of the waiver at this place, counted from 0."""
    return problem(path, f"waiver.{index}.{key}", value, rule)
