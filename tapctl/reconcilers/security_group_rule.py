"""A rule of a security group, as EC2 tells one: direction, protocol, ports, and the peer that it lets through."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from tapctl.safety.open_networks import HTTPS

ANY_PROTOCOL: Final = "-1"
_WRITTEN: Final = re.compile(r"(ingress|egress) (\S+) (?:all traffic|([^\s/]+)/(-?\d{1,9})(?:-(-?\d{1,9}))?)")


class Rule(BaseModel):
    """A rule. ``peer``: a group's id, a CIDR block in its canonical form, or a prefix list's id.

    Ports are inclusive; -1 for both where the protocol has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    direction: Literal["ingress", "egress"]
    protocol: str
    from_port: int
    to_port: int
    peer: str
    description: str = ""

    def __str__(self) -> str:
        ports = f"{self.from_port}" if self.from_port == self.to_port else f"{self.from_port}-{self.to_port}"
        traffic = "all traffic" if self.protocol == ANY_PROTOCOL else f"{self.protocol}/{ports}"
        return f"{self.direction} {self.peer} {traffic}"

    @classmethod
    def of_text(cls, text: str) -> Rule | None:
        """Read a rule as ``str`` writes it, which tells no description; None where the text is none."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        direction, peer, protocol, first, last = found.groups()
        ports = {"from_port": int(first or -1), "to_port": int(last or first or -1)}
        words = {"direction": direction, "peer": peer, "protocol": protocol or ANY_PROTOCOL}
        return cls.model_validate({**words, **ports})

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """The rule's identity: two that differ in description alone are one rule to EC2."""
        return (self.direction, self.protocol, self.from_port, self.to_port, self.peer)

    @property
    def is_https(self) -> bool:
        """True if the rule is for HTTPS alone, with which the function may reach the whole internet."""
        return (self.protocol, self.from_port, self.to_port) == ("tcp", HTTPS, HTTPS)
