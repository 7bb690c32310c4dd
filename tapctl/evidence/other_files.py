"""Rules and statements that other files than these may want: a team adds some, and of ours a key decides a part.

All other ones every file wants alike. A record tells by its own word which files it is of, so that nothing but what
other files can want may differ from these in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError

from tapctl.aws.policy import Condition
from tapctl.config.schema import Egress
from tapctl.names import EXTRA_ALARM, OUR_STATEMENTS, Names
from tapctl.reconcilers.iam_role import IamRole
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.stack.never_wanted import may_be_added

_ALARM: Final = "NAME"
"""Stands for the name of an alarm that a team adds."""
_DATABASE_USER: Final = re.compile(r"(arn:[^:]+:rds-db:[^:]+:[^:]+:dbuser:.+)/\w+_app", re.ASCII)


def may_be_of_other_files(names: Names, type_: str, id: str, item: Any, opposite: Iterable[Any]) -> bool:
    """True if one side may have this item because it is of other files than the other side is.

    ``opposite``: the items that the other side alone has in the same place.
    """
    form = _form(names)
    return _is_a_teams(names, type_, id, item) or form(item) in map(form, opposite)


def _is_a_teams(names: Names, type_: str, id: str, item: Any) -> bool:
    """True if a team may have added the item in its files, which add to the function's rights and its way out alone."""
    if isinstance(item, Rule):
        return id == names.lambda_security_group and _may_leave(item)
    return type_ == IamRole.type and item.sid not in OUR_STATEMENTS and item.effect == "Allow" and may_be_added(item)


def _may_leave(rule: Rule) -> bool:
    """True if a ``[[processor.egress]]`` may be this rule."""
    try:
        Egress.model_validate({"port": rule.from_port, "to": rule.peer, "why": rule.description})
    except ValidationError:
        return False
    return (rule.direction, rule.protocol, rule.to_port) == ("egress", "tcp", rule.from_port)


def _form(names: Names) -> Callable[[Any], Any]:
    """The item without what a key decides: the database's port and user, and the alarms that a team adds."""
    patterns = (each for numbered in (False, True) for each in names.extra_alarm_patterns(_ALARM, numbered=numbered))
    alarm = re.compile("|".join(re.escape(each).replace(_ALARM, EXTRA_ALARM) for each in patterns), re.ASCII)

    def form(item: Any) -> Any:
        if isinstance(item, Rule):
            return item.model_copy(update={"from_port": 0, "to_port": item.to_port - item.from_port})
        resources = frozenset(_DATABASE_USER.sub(r"\1/", each) for each in item.resources)
        return item.model_copy(update={"resources": resources, "conditions": frozenset(conditions(item.conditions))})

    def conditions(of: Iterable[Condition]) -> Iterator[Condition]:
        for one in of:
            kept = frozenset(value for value in one.values if not alarm.fullmatch(value))
            yield one.model_copy(update={"values": kept})

    return form
