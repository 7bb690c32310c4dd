"""Resources whose tags a destroy could not read, and that may so be ours under another name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tapctl.engine.model import UnreadTags
from tapctl.errors import ExitCode
from tapctl.evidence.tag_bearers import listed
from tapctl.render.screen import Screen


@dataclass(frozen=True)
class Unidentified:
    """The resources whose tags were not read; false where there is none.

    A verdict that says nothing else of ours is left bears the words, and ends with the exit status.
    """

    by_address: Mapping[str, UnreadTags] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_address)

    def beside(self, addresses: Collection[str]) -> Unidentified:
        """The unread resources that are none of these addresses."""
        return Unidentified({each: why for each, why in self.by_address.items() if each not in addresses})

    @property
    def code(self) -> ExitCode:
        """INCOMPLETE, or OK."""
        return ExitCode.INCOMPLETE if self else ExitCode.OK

    @property
    def counts(self) -> dict[str, int]:
        """The number of resources, for the counts of a verdict; empty where there is none."""
        return {"tags_not_read": len(self.by_address)} if self else {}

    @property
    def words(self) -> str:
        """The words for the verdict; empty where there is no such resource."""
        types = Counter(each.partition("/")[0] for each in self.by_address)
        counted = (f"{count} {type_}{'' if count == 1 else 's'}" for type_, count in sorted(types.items()))
        return f" · the tags of {' and '.join(counted)} were not read" if self else ""

    def warn(self, screen: Screen, suffix: str) -> None:
        """Say for each reason whose tags were not read, and how to get at them."""
        by_why = defaultdict[str, list[str]](list)
        for each, unread in self.by_address.items():
            by_why[unread.why].append(each)
        for why, addresses in by_why.items():
            first = min(addresses)
            more = ", and so for each" if len(addresses) > 1 else ""
            screen.warn(
                f"the tags of {listed(addresses)} were not read, so what of them bears those of {suffix} is not seen: "
                f"{why}; {self.by_address[first].hint}{more}"
            )
