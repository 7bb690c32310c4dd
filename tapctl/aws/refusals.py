"""Refusals of AWS that are no failure: a read that is not permitted, and a change that will be possible later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tapctl.errors import AwsRefused, NotYet, Patience

T = TypeVar("T")
# AWS's codes for an operation that a region, or a partition, does not have: then there is nothing of its kind.
NO_SUCH_OPERATION: Final = (
    *("InvalidAction", "UnknownOperation", "UnknownOperationException", "UnsupportedOperation"),
    *("UnsupportedOperationException", "OperationNotSupportedException", "InvalidRequest"),
)


def where_known(call: Callable[[], T], otherwise: T) -> T:
    """Answer as the call does; ``otherwise`` where the region has no such operation, and so nothing of its kind.

    Raises:
        AwsRefused: AWS refused for any other reason.
    """
    try:
        return call()
    except AwsRefused as error:
        if not error.matches(*NO_SUCH_OPERATION):
            raise
        return otherwise


@dataclass(frozen=True)
class UnreadableFields:
    """The fields of one resource that could not be read, each with the denied action."""

    actions: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, call: Callable[[], T], stand_in: T) -> T:
        """Read the field ``name``; where a permission is missing, note the denied action and answer ``stand_in``.

        Raises:
            AwsRefused: AWS refused for any other reason.
        """
        try:
            return call()
        except AwsRefused as error:
            if not error.is_denied:
                raise
            self.actions[name] = error.iam_action
            return stand_in


@dataclass(frozen=True)
class Transient:
    """A refusal of a change that ends by itself, told by AWS's code and a part of its message (in any case)."""

    codes: tuple[str, ...]
    reason: str
    """The refusal as a person reads it; ``{error.message}`` stands for AWS's own words."""
    patience: Patience
    text: str = ""


def classify(error: AwsRefused, transients: Iterable[Transient]) -> NotYet | AwsRefused:
    """The exception that a refused change is to raise: `NotYet` by the first that fits, or the refusal itself."""
    for transient in transients:
        if error.matches(*transient.codes, text=transient.text):
            return NotYet(transient.reason.format(error=error), transient.patience)
    return error
