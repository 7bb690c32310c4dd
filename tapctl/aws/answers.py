"""AWS's answers held against the service's model: what may be missing, and what cannot be used.

The model requires next to nothing of an answer: any member may be left out. Of a list or a map that is absent, the
answer says that it is empty; without anything else that is needed, or with a value of another type than the model
says, the answer cannot be used.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tapctl.errors import AwsNoAnswer

if TYPE_CHECKING:
    from botocore.model import Shape

UNUSABLE: Final = "UnusableAnswer"
"""The code of the error where an answer came, and cannot be used."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "boolean": (bool,),
    "timestamp": (datetime,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}

_LARGEST: Final = 2**63
_ARN_PARTS: Final = 6
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a pair of UTF-16: JSON can hold it, and nothing that is sent, written or printed can."""
_DECODED: Final = "PolicyDocument"
"""The end of the names of strings that hold a policy; of IAM's, botocore has made what JSON they hold."""


class Answer(dict[str, Any]):
    """A structure or a map of an answer: subscribed with an absent list or map, it gives an empty one.

    Raises:
        AwsNoAnswer: subscribed with anything else that is absent.
    """

    # A fleet holds hundreds of thousands of them.
    __slots__ = ("_action", "_place", "_shape")

    def __init__(self, members: dict[str, Any], shape: Shape, action: str, place: str) -> None:
        super().__init__(members)
        self._shape, self._action, self._place = shape, action, place

    def __missing__(self, name: str) -> Any:
        place = f"{self._place}.{name}".removeprefix(".")
        kind: Any = self._shape
        shape = kind.members[name] if kind.type_name == "structure" else kind.value
        if shape.type_name in ("list", "map"):
            return _value([] if shape.type_name == "list" else {}, shape, self._action, place)
        raise unusable(self._action, f"no {place} is in it")


class Items(list[Any]):
    """A list of an answer.

    Raises:
        AwsNoAnswer: subscribed with the number of an absent item.
    """

    __slots__ = ("_action", "_place")

    def __init__(self, items: list[Any], action: str, place: str) -> None:
        super().__init__(items)
        self._action, self._place = action, place

    def __getitem__(self, at: Any) -> Any:
        try:
            return super().__getitem__(at)
        except IndexError:
            raise unusable(self._action, f"no {self._place}[{at}] is in it") from None


def unusable(action: str, why: str) -> AwsNoAnswer:
    """The error of an answer that cannot be used; ``action``: ``service:Operation``."""
    service, _, operation = action.partition(":")
    return AwsNoAnswer(service, operation, UNUSABLE, f"the answer cannot be used: {why}")


def why_unread(error: AwsNoAnswer) -> str:
    """Why something stays unread whose answer cannot be used.

    Raises:
        AwsNoAnswer: this error, where no answer came.
    """
    if error.aws_code != UNUSABLE:
        raise error
    return f"answered, but {error.message}"


def arn_parts(arn: str, action: str, place: str) -> list[str]:
    """The six parts of an ARN in an answer.

    Raises:
        AwsNoAnswer: it has not so many.
    """
    parts = arn.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS:
        raise unusable(action, f"{place} is no ARN")
    return parts


def unicode_of(text: str) -> str:
    """The text with U+FFFD in place of what is no Unicode: it stays another than any that is recorded."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def checked(answer: dict[str, Any], shape: Shape | None, action: str) -> dict[str, Any]:
    """The answer with every structure and map in it as an `Answer`; ``shape``: of the operation's output.

    Raises:
        AwsNoAnswer: a value is of another type than the model says.
    """
    return answer if shape is None else _value(answer, shape, action, "")


def _value(value: Any, shape: Shape, action: str, place: str) -> Any:
    kind: Any = shape  # untyped: each kind of shape has attributes of its own
    if isinstance(value, dict) and place.endswith(_DECODED):
        return value
    if not _is_a(value, shape.type_name):
        raise unusable(action, f"{place} is no {shape.type_name}")
    if shape.type_name == "structure":
        members = {
            # botocore adds members of its own, such as ResponseMetadata.
            name: _value(member, kind.members[name], action, f"{place}.{name}".removeprefix("."))
            if name in kind.members
            else member
            for name, member in value.items()
        }
        return Answer(members, shape, action, place)
    if shape.type_name == "list":
        return Items([_value(item, kind.member, action, f"{place}[]") for item in value], action, place)
    if shape.type_name == "map":
        members = {unicode_of(key): _value(item, kind.value, action, f"{place}.{key}") for key, item in value.items()}
        return Answer(members, shape, action, place)
    return unicode_of(value) if isinstance(value, str) else value


def _is_a(value: Any, type_name: str) -> bool:
    """True if the value is of the model's type; of those that are not listed, such as blobs, anything is."""
    types: tuple[type, ...] = _TYPES.get(type_name, (object,))
    if isinstance(value, bool):
        return bool in types or object in types
    if not isinstance(value, types):
        return False
    return not isinstance(value, int) or -_LARGEST <= value < _LARGEST
