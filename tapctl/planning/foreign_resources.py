"""Foreign resources that bear our names or tags: a destroy leaves each of them where it is, and tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tapctl.engine.owner_tags import ENVIRONMENT_TAG, MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.errors import Refused
from tapctl.planning.inventory import Inventory
from tapctl.session.session import Session


def tell_of_theirs(session: Session, inventory: Inventory) -> None:
    """Warn of what bears a name of ours and is somebody else's: nobody is to take it for removed."""
    for address, evidence in sorted(inventory.theirs.items()):
        session.screen.warn(f"{address} bears a name of {session.suffix}, and is not ours: it is left ({evidence})")


def count_of_theirs(inventory: Inventory) -> str:
    """The words for the verdict on what is told by `tell_of_theirs`; empty where that is nothing."""
    return f" · {len(inventory.theirs)} of its names not ours" if inventory.theirs else ""


def foreign_refusals(
    session: Session, inventory: Inventory, others: Mapping[str, str], anew: tuple[str, ...] = ()
) -> Iterator[Refused]:
    """The refusals of what is left since it is not ours; ``anew``: what somebody has made anew meanwhile."""
    if inventory.foreign:
        yield _left_error(session, inventory.foreign)
    if others:
        yield _others_error(session, others)
    if inventory.overwritten:
        yield _overwritten_error(session, inventory.overwritten)
    if anew:
        yield _anew_error(session, anew)


def _left_error(session: Session, foreign: tuple[str, ...]) -> Refused:
    """Refuse what bears our tags and no name of ours: a restored copy of the cluster, or what somebody has tagged."""
    count = "a resource bears" if len(foreign) == 1 else f"{len(foreign)} resources bear"
    return Refused(
        f"{count} the tags of {session.suffix} and none of its names; tapctl never touches such a thing",
        evidence="\n".join(foreign),
        hint=f"see whose it is: remove it yourself, or take its tag {SUFFIX_TAG} away; then run this again",
    )


def _others_error(session: Session, others: Mapping[str, str]) -> Refused:
    """Refuse what bears our names, and is another one than ours; ``others``: as in `Inventory`."""
    count = "a resource bears" if len(others) == 1 else f"{len(others)} resources bear"
    return Refused(
        f"{count} a name of {session.suffix}, and no run of tapctl has made that; it was left untouched",
        evidence="\n".join(f"{address}: {told}" for address, told in sorted(others.items())),
        hint="see whose it is: remove it yourself, or let its tags say that it is another's; then run this again",
    )


def _overwritten_error(session: Session, overwritten: Mapping[str, str]) -> Refused:
    """Refuse what may be ours, but for one tag; ``overwritten``: as in `Inventory`."""
    count = "a resource bears" if len(overwritten) == 1 else f"{len(overwritten)} resources bear"
    return Refused(
        f"{count} a name of {session.suffix} and its tags {SUFFIX_TAG} and {ENVIRONMENT_TAG}, and another {OWNER_TAG}; "
        "nothing tells whose that is, and it was left untouched",
        evidence="\n".join(f"{address}: {told}" for address, told in sorted(overwritten.items())),
        hint=f"where automation has overwritten {OWNER_TAG}, put the record back, or set that tag back to "
        f"{MANAGED_BY}; where it is another's, let its other tags say so, too; then run this again",
    )


def _anew_error(session: Session, anew: tuple[str, ...]) -> Refused:
    """Refuse what somebody has made anew, under our names and without our tags, while the destroy ran."""
    return Refused(
        f"somebody has made anew, without the tags of {session.suffix}, what this run has removed",
        evidence="\n".join(sorted(anew)),
        hint="see whose it is, and remove it yourself where nobody needs it: its name is one of ours",
    )
