"""Resources that others may use too: who removes one asks who does before anything is begun."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from tapctl.aws.rights import LISTS, Need, Right
from tapctl.engine.model import Observed, Outputs, Reconciler, Spec, address
from tapctl.errors import AwsRefused, Refused

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- O as in outputs, beside S as in spec; nobody takes it for a zero

ASKS_FUNCTIONS: Final = Right(Need.DELETE, ("lambda:ListFunctions",), why=LISTS)
"""The right to ask which functions use a resource."""


class UsedByOthers(Reconciler[S, O]):
    """A resource that is not removed while somebody else uses it."""

    going: Collection[str] | None = None
    """The addresses of all that a destroy removes; None where it is none."""
    why_it_stays: ClassVar[str]
    """The reason for which it is not removed as long as others use it."""
    way_out: ClassVar[str] = "move that elsewhere, or remove it where nobody needs it"
    """The way in which a person ends the use."""
    stays_in_use: ClassVar[bool] = False
    """True if an apply, too, has to ask: it moves nothing elsewhere by which the use would end."""

    def removed_with(self, going: Collection[str]) -> Self:
        """Leave out, of what uses it, what goes before it."""
        known = copy.copy(self)
        known.going = going
        return known

    def removal_refusal(self, aws: Aws, id: str, observed: Observed[S, O], last: S | None) -> Refused | None:
        """Look for other users, who need it. An apply, which moves ours elsewhere first, asks where that is no help.

        Raises:
            AwsRefused: AWS does not tell them, for another reason than a missing permission.
        """
        if self.going is None and not self.stays_in_use:
            return None
        name = address(self.type, id)
        try:
            users = sorted(self._others(aws, id, observed, self.going or ()))
        except AwsRefused as error:
            return error.unasked(f"{name}: who else uses it")
        if not users:
            return None
        return Refused(
            f"{name} is used by what is not ours and is never removed: {', '.join(users)}",
            evidence=f"{self.why_it_stays}; nothing was begun",
            hint=f"{self.way_out}, then run this again",
        )

    @abstractmethod
    def _others(self, aws: Aws, id: str, observed: Observed[S, O], going: Collection[str]) -> Iterable[str]:
        """Name every user but what is going."""


def functions_that(aws: Aws, use: Callable[[Mapping[str, Any]], bool], going: Collection[str]) -> Iterator[str]:
    """Name the region's functions that use something, and are none of those that go or of the round's own.

    Ours may be listed for a moment after it is gone.
    """
    ours = aws.round_ids("lambda-function")
    for page in aws.pages(aws.lambda_.get_paginator("list_functions")):
        for function in page.get("Functions", ()):
            name = function.get("FunctionName", "")
            if use(function) and name not in ours and address("lambda-function", name) not in going:
                yield f"the function {name}"
